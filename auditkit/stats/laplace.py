"""Laplace's approximation to the likelihood of a logistic model with crossed random effects, and its maximum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from auditkit.stats.cells import Array

    Codes = npt.NDArray[np.intp]

SD_CAP = 6.0  # logits; beyond it levels are deterministic and the likelihood has no maximum
SD_FLOOR = 1e-3  # stands for 0 on the log scale of the search
SD_NONE = 0.02  # a component below this is as good as 0
GRADIENT_TOLERANCE = 0.02  # of the log-likelihood in a coefficient or log sd: far below anything that a figure shows


@dataclass(frozen=True, eq=False)
class LaplaceFit:
    """beta and se: (p,) fixed effects and their standard errors; sd: component -> standard deviation; all in logits."""

    beta: Array
    se: Array
    sd: Mapping[str, float]
    log_likelihood: float
    converged: bool


def fit_laplace(X: Array, y: Array, n: Array, random: Mapping[str, tuple[Codes, Array]]) -> LaplaceFit:  # noqa: N803
    """Maximum of Laplace's approximation to the likelihood of y successes of n, logit link, independent normal random effects.

    X: (rows, p) fixed effects; y, n: (rows,) counts; random: name -> (level of each row, multiplier of each row), each with one
    variance over its levels. The likelihood is flat in log sd near 0, where a search can stick: components that end there are
    switched on again, and the best of all searches is kept.
    """
    from scipy.optimize import minimize

    laplace = Laplace(X, y, n, list(random.values()))
    n_terms, p = len(random), X.shape[1]
    floor, cap = math.log(SD_FLOOR), math.log(SD_CAP)
    bounds = [(floor, cap)] * n_terms + [(None, None)] * p

    def search(start: Array) -> tuple[float, Array]:
        found = minimize(
            laplace.value_and_gradient,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 300, "ftol": 1e-11, "gtol": 1e-4},
        )
        return float(found.fun), found.x

    start = np.full(n_terms, math.log(0.5))
    value, best = search(np.concatenate([start, laplace.first_beta(start)]))
    for _ in range(2):
        improved = False
        for term in np.flatnonzero(best[:n_terms] < math.log(0.05)):
            tried = []
            for sd in (0.04, 0.08, 0.16, 0.32):
                again = best.copy()
                again[term] = math.log(sd)
                tried.append((laplace.value_and_gradient(again)[0], sd, again))
            probe, _, again = min(tried, key=lambda entry: entry[:2])
            if probe < value - 1e-4 and (found := search(again))[0] < value - 1e-4:
                (value, best), improved = found, True
        if not improved:
            break
    _, gradient = laplace.value_and_gradient(best)
    at_edge = np.concatenate([(best[:n_terms] < math.log(SD_NONE)) | (best[:n_terms] > cap - 1e-3), np.zeros(p, bool)])
    se = laplace.standard_errors(best)
    return LaplaceFit(
        beta=best[n_terms:],
        se=se,
        sd={name: float(sd) for name, sd in zip(random, np.exp(best[:n_terms]), strict=True)},
        log_likelihood=-value,
        converged=bool(np.all(np.abs(gradient[~at_edge]) < GRADIENT_TOLERANCE)),
    )


class Laplace:
    """Minus the approximate log-likelihood of (log sd, beta), its gradient, and the curvature at the maximum.

    Random effects are u ~ N(0, 1) times their sd. Every row meets one level of each term, so that its non-zero design entries are
    `columns` and `values`, (rows, terms + p), with the fixed effects behind all Q random ones, and D'WD is one bincount.
    """

    def __init__(self, X: Array, y: Array, n: Array, terms: list[tuple[Codes, Array]]) -> None:  # noqa: N803
        codes = [np.unique(levels, return_inverse=True)[1] for levels, _ in terms]
        self.sizes = np.array([int(c.max()) + 1 for c in codes])
        self.edges = np.concatenate([[0], np.cumsum(self.sizes)])
        self.q, self.p = int(self.edges[-1]), X.shape[1]
        fixed = np.broadcast_to(self.q + np.arange(self.p), X.shape)
        self.columns = np.column_stack([*(c + edge for c, edge in zip(codes, self.edges, strict=False)), fixed])
        self.values = np.column_stack([*(v for _, v in terms), X])
        self.y, self.n, self.size = y, n, self.q + self.p
        self._u = np.zeros(self.q)  # where the last search for the mode ended: the next begins there

    @cached_property
    def _pairs(self) -> tuple[Codes, Array]:
        """Where each product of two design entries of a row goes in D'WD, and the products, (rows, entries^2)."""
        flat = self.columns[:, :, None] * self.size + self.columns[:, None, :]
        products = self.values[:, :, None] * self.values[:, None, :]
        return flat.ravel(), products.reshape(len(self.y), -1)

    def _spread(self, coefficients: Array) -> Array:
        """D times coefficients: (Q + p,) -> (rows,)."""
        total: Array = (self.values * coefficients[self.columns]).sum(axis=1)
        return total

    def _gather(self, rows: Array) -> Array:
        """D' times rows: (rows,) -> (Q + p,)."""
        total: Array = np.bincount(self.columns.ravel(), (self.values * rows[:, None]).ravel(), self.size).astype(
            np.float64
        )
        return total

    def _curvature(self, weights: Array, scale: Array) -> Array:
        """The Hessian in (u, beta): D'WD with rows and columns scaled, plus 1 for each random effect."""
        at, products = self._pairs
        summed = np.bincount(at, (products * weights[:, None]).ravel(), self.size**2)
        hessian: Array = summed.reshape(self.size, self.size) * np.outer(scale, scale)
        hessian[np.arange(self.q), np.arange(self.q)] += 1.0
        return hessian

    def _scale(self, log_sd: Array) -> Array:
        return np.concatenate([np.repeat(np.exp(log_sd), self.sizes), np.ones(self.p)])

    def _mode(self, log_sd: Array, beta: Array, *, free: bool = False) -> tuple[Array, Array, Array]:
        """The most likely u for (log sd, beta), by Newton's method with halved steps; with `free`, the most likely u and beta.

        Returns (u, beta) in one vector, the fitted logits and the scale.
        """
        from scipy.linalg import cho_factor, cho_solve

        scale = self._scale(log_sd)
        moving = self.size if free else self.q
        at = np.concatenate([self._u, beta])

        def loss(at: Array) -> tuple[float, Array]:
            eta = self._spread(scale * at)
            fit = self.y @ eta - self.n @ np.logaddexp(0.0, eta)
            return 0.5 * float(at[: self.q] @ at[: self.q]) - float(fit), eta

        value, eta = loss(at)
        for _ in range(100):
            mu = _expit(eta)
            hessian = self._curvature(np.maximum(self.n * mu * (1 - mu), 1e-10), scale)[:moving, :moving]
            if free:  # the first step may start where the fixed effects are all but separated
                hessian[np.arange(self.q, moving), np.arange(self.q, moving)] += 1e-8
            slope = scale * self._gather(self.y - self.n * mu)
            slope[: self.q] -= at[: self.q]
            step = np.zeros(self.size)
            step[:moving] = cho_solve(cho_factor(hessian, lower=True), slope[:moving])
            factor = 1.0
            while (trial := loss(at + factor * step))[0] > value + 1e-10 and factor > 1e-6:
                factor /= 2
            if factor <= 1e-6:
                break
            gain = value - trial[0]  # rounding may put it below 0; the step is right all the same
            at, (value, eta) = at + factor * step, trial
            if gain < 1e-10:
                break
        self._u = at[: self.q].copy()
        return at, eta, scale

    def first_beta(self, log_sd: Array) -> Array:
        """Fixed effects to begin with."""
        at, _, _ = self._mode(log_sd, np.zeros(self.p), free=True)
        return at[self.q :]

    def value_and_gradient(self, parameters: Array) -> tuple[float, Array]:
        """At (log sd of each term, beta): minus the log-likelihood without its binomial constant, and its exact gradient.

        With g(u) the penalised loss at its minimum and H its Hessian the value is g + log det(H) / 2. H depends on the parameters
        directly and through the fitted logits eta: `pull` is d(log det H)/2 / d eta, and `back` what it does by moving the minimum.
        """
        from scipy.linalg import cho_solve, cholesky

        n_terms = len(self.sizes)
        at, eta, scale = self._mode(parameters[:n_terms], parameters[n_terms:])
        u, mu = at[: self.q], _expit(eta)
        weights = np.maximum(self.n * mu * (1 - mu), 1e-10)
        factor = cholesky(self._curvature(weights, scale)[: self.q, : self.q], lower=True)
        value = 0.5 * float(u @ u) - float(self.y @ eta - self.n @ np.logaddexp(0.0, eta))
        value += float(np.log(np.diag(factor)).sum())

        inverse = cho_solve((factor, True), np.eye(self.q))
        columns = self.columns[:, :n_terms]
        scaled = self.values[:, :n_terms] * scale[columns]
        leverage = np.einsum("ra,rab,rb->r", scaled, inverse[columns[:, :, None], columns[:, None, :]], scaled)
        pull = 0.5 * weights * (1 - 2 * mu) * leverage
        back = inverse @ (scale * self._gather(pull))[: self.q]
        through = pull - weights * (scaled * back[columns]).sum(
            axis=1
        )  # the whole effect of a row's logit on log det H / 2
        gradient = np.empty(len(parameters))
        for term in range(n_terms):
            block = slice(self.edges[term], self.edges[term + 1])
            effect = scaled[:, term] * u[columns[:, term]]
            gradient[term] = (
                self.sizes[term] - float(np.trace(inverse[block, block])) - float(u[block] @ u[block])
                + float(through @ effect) + float(back[block] @ u[block])
            )  # fmt: skip
        gradient[n_terms:] = self._gather(through - (self.y - self.n * mu))[self.q :]
        return value, gradient

    def standard_errors(self, parameters: Array) -> Array:
        """Of beta, the variance components taken as known: from the Schur complement of the Hessian in (u, beta)."""
        from scipy.linalg import LinAlgError, cholesky

        n_terms = len(self.sizes)
        _, eta, scale = self._mode(parameters[:n_terms], parameters[n_terms:])
        mu = _expit(eta)
        try:
            factor = cholesky(self._curvature(np.maximum(self.n * mu * (1 - mu), 1e-10), scale), lower=True)
        except LinAlgError:
            return np.full(self.p, np.nan)
        corner = np.linalg.inv(factor[self.q :, self.q :])
        errors: Array = np.sqrt((corner**2).sum(axis=0))
        return errors


def _expit(eta: Array) -> Array:
    value: Array = 0.5 * (1.0 + np.tanh(eta / 2))
    return value
