"""Differentiation and its reliability: do shares differ between countries beyond what the choice of prompts explains?"""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats.cells import Array, usable_counts

if TYPE_CHECKING:
    import numpy.typing as npt

    from auditkit.stats.correlate import Alignment

MIN_ALPHA = 0.3  # below this, dividing by sqrt(alpha) is division by noise


@dataclass(frozen=True)
class Reliability:
    """KR-20 of country shares over random prompts, with Feldt's interval.

    alpha, low, high: reliability, may be negative. ceiling: the largest r that shares this noisy can be expected to reach.
    country_variance, prompt_variance, residual_variance: components for one prompt and one country, of shares (0 to 1).
    n_imputed: prompt-country pairs without an answer, filled additively.
    """

    alpha: float | None
    low: float | None
    high: float | None
    ceiling: float | None
    country_variance: float | None
    prompt_variance: float | None
    residual_variance: float | None
    n_prompts: int
    n_countries: int
    n_imputed: int
    estimable: bool
    reason: str


@dataclass(frozen=True)
class Differentiation:
    """Cochran's Q: q on df degrees of freedom and its chi-square p."""

    q: float | None
    df: int
    p: float | None
    n_prompts: int
    n_countries: int
    estimable: bool
    reason: str


@dataclass(frozen=True)
class Disattenuated:
    """r divided by the noise ceiling, alpha taken as known (so the interval is a little narrow); never clipped to 1."""

    r: float | None
    low: float | None
    high: float | None
    estimable: bool
    reason: str


def cell_means(Y: npt.ArrayLike, N: npt.ArrayLike, *, iterations: int = 20) -> Array:
    """Share in every prompt-country pair, (K, J) -> (K, J); empty pairs get country mean + prompt mean - mean, within [0, 1].

    Every row and column needs an answer (`usable_counts` sees to it). Filling additively adds no country x prompt variance.
    """
    y = np.asarray(Y, dtype=np.float64)
    n = np.asarray(N, dtype=np.float64)
    empty = n == 0
    means: Array = y / np.where(empty, 1.0, n)
    if empty.any():
        means[empty] = means[~empty].mean()
        for _ in range(iterations):
            fitted = means.mean(axis=0) + means.mean(axis=1)[:, None] - means.mean()
            means[empty] = np.clip(fitted[empty], 0.0, 1.0)
    return means


def reliability(Y: npt.ArrayLike, N: npt.ArrayLike, *, level: float = 0.95) -> Reliability:
    """KR-20: alpha = 1 - MS_residual / MS_country of the prompts x countries table of cell means, (K, J).

    Unit of generalisation: prompts, as a random sample; countries are the objects that are told apart. This is KR-20 (Kuder &
    Richardson 1937), Cronbach's alpha and the generalisability coefficient of a crossed one-facet design at once; interval by the F
    distribution (Feldt 1965, Psychometrika 30, 357-370). docs/methods.md, "Reliability".
    """
    counts = usable_counts(Y, N)
    n_prompts, n_countries = counts.N.shape
    n_imputed = int((counts.N == 0).sum())

    def without(reason: str) -> Reliability:
        return Reliability(None, None, None, None, None, None, None, n_prompts, n_countries, n_imputed, False, reason)

    if not counts.n_answers:
        return without("no usable answers")
    if n_prompts < 2 or n_countries < 2:
        return without("one prompt" if n_prompts < 2 else "one country")
    means = cell_means(counts.Y, counts.N)
    by_country, by_prompt = means.mean(axis=0), means.mean(axis=1)
    ms_country = n_prompts * float(by_country.var(ddof=1))
    residual = means - by_country - by_prompt[:, None] + means.mean()
    ms_residual = float((residual**2).sum()) / ((n_prompts - 1) * (n_countries - 1))
    if ms_country <= 1e-14:
        return without("all countries have the same share")
    alpha = 1 - ms_residual / ms_country

    from scipy.special import fdtri

    df = (n_countries - 1, (n_countries - 1) * (n_prompts - 1))
    return Reliability(
        alpha=alpha,
        low=1 - (1 - alpha) * float(fdtri(*df, 0.5 + level / 2)),
        high=1 - (1 - alpha) * float(fdtri(*df, 0.5 - level / 2)),
        ceiling=noise_ceiling(alpha),
        country_variance=(ms_country - ms_residual) / n_prompts,
        prompt_variance=max(0.0, float(by_prompt.var(ddof=1)) - ms_residual / n_countries),
        residual_variance=ms_residual,
        n_prompts=n_prompts,
        n_countries=n_countries,
        n_imputed=n_imputed,
        estimable=True,
        reason="",
    )


def noise_ceiling(alpha: float) -> float:
    """sqrt(alpha): the expected r of a model whose true shares follow the scores perfectly; 0 for a negative alpha."""
    return math.sqrt(max(alpha, 0.0))


def reliability_at(alpha: float, n_prompts: int, new_n_prompts: int) -> float:
    """Reliability expected with another number of prompts (Spearman-Brown), from alpha < 1 or = 1 measured with n_prompts.

    >>> round(reliability_at(0.6, 50, 100), 3)
    0.75
    """
    if n_prompts < 1 or new_n_prompts < 1:
        raise ValueError("the number of prompts must be at least 1")
    one = alpha / (alpha + n_prompts * (1 - alpha))
    return new_n_prompts * one / (1 + (new_n_prompts - 1) * one)


def differentiation(Y: npt.ArrayLike, N: npt.ArrayLike) -> Differentiation:
    """Cochran's Q for countries matched by prompt: does the share differ between countries at all?

    Unit: prompts as blocks, answers exchangeable between countries within a prompt under the null. Y, N: (K, J). With one answer a
    pair it is Cochran's Q (1950, Biometrika 37, 256-266); with shares, Friedman's statistic on the values themselves; chi-square
    with J - 1 degrees of freedom. docs/methods.md, "Differentiation".
    """
    counts = usable_counts(Y, N)
    n_prompts, n_countries = counts.N.shape
    df = max(n_countries - 1, 0)

    def without(reason: str) -> Differentiation:
        return Differentiation(None, df, None, n_prompts, n_countries, False, reason)

    if not counts.n_answers:
        return without("no usable answers")
    if n_countries < 2:
        return without("one country")
    means = cell_means(counts.Y, counts.N)
    between = n_prompts * float(((means.mean(axis=0) - means.mean()) ** 2).sum())
    within = float(((means - means.mean(axis=1, keepdims=True)) ** 2).sum())
    if within <= 1e-14:
        return without("every prompt has the same answer in all countries")
    q = between / (within / (n_prompts * df))

    from scipy.special import chdtrc

    return Differentiation(q, df, float(chdtrc(df, q)), n_prompts, n_countries, True, "")


def disattenuated(result: Alignment, measured: Reliability) -> Disattenuated:
    """Divide r by sqrt(alpha), and likewise its limits (Spearman 1904, Am. J. Psychol. 15, 72-101), only where alpha exceeds 0.3.

    Unit of resampling: that of `result`. Do not divide by the judge's reliability as well: alpha contains its noise.
    """
    if result.r is None or result.low is None or result.high is None:
        return Disattenuated(None, None, None, False, result.reason)
    if measured.alpha is None:
        return Disattenuated(None, None, None, False, measured.reason)
    if measured.alpha <= MIN_ALPHA:
        return Disattenuated(None, None, None, False, f"reliability {measured.alpha:.2f} is not above {MIN_ALPHA:.1f}")
    ceiling = noise_ceiling(measured.alpha)
    return Disattenuated(result.r / ceiling, result.low / ceiling, result.high / ceiling, True, "")
