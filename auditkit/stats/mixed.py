"""A mixed logistic model of single answers: slope on the score, difference between modes, and whether the slope differs by mode.

It stands beside the correlation of `correlate.py` and never replaces it. Its use is the comparison of modes on the scale of one answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import MIN_COUNTRIES
from auditkit.stats.correlate import is_flat
from auditkit.stats.laplace import SD_CAP, SD_NONE, fit_laplace

if TYPE_CHECKING:
    import numpy.typing as npt

    from auditkit.stats.cells import Array, CellCounts

    Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Coefficient:
    """One fixed effect in logits, with its standard error and t limits and p value on `df` degrees of freedom."""

    term: str
    beta: float
    se: float
    low: float
    high: float
    df: int
    p: float


@dataclass(frozen=True)
class MixedModel:
    """A fitted model. score is in standard deviations of the countries' scores; coefficients compare with the first mode.

    coefficients: intercept, score, and for each further mode its difference and the difference of its slope; empty where the model is
    not estimable. sd: component -> standard deviation in logits. converged: whether the search ended at a maximum. note: what the
    fit found out about its own limits.
    """

    coefficients: tuple[Coefficient, ...]
    sd: Mapping[str, float]
    log_likelihood: float | None
    modes: tuple[str, ...]
    n_answers: int
    n_prompts: int
    n_countries: int
    converged: bool
    estimable: bool
    reason: str
    note: str = ""


def mixed_model(cells: Mapping[str, CellCounts], *, level: float = 0.95) -> MixedModel:
    """Fit `answer ~ score * mode` with every random effect that the design can hold, by Laplace's approximation.

    Unit: countries and prompts, both as samples; t with J - 2 degrees of freedom. cells: mode -> counts of one model on one
    dimension; prompts and countries are matched by name, gaps are allowed. Random effects: prompt, country, country x mode,
    prompt x mode and the prompt's own slope on the score in each mode (with one mode those with `x mode` fall away and the slope is
    the prompt's). Leaving the last three out makes tests of score x mode reject three to four times too often (Barr et al. 2013,
    J. Mem. Lang. 68, 255-278). Approximation: Breslow & Clayton 1993, J. Am. Stat. Assoc. 88, 9-25. docs/methods.md, "Mixed model".
    Raises ValueError for no modes and for a country whose score differs between them.
    """
    if not cells:
        raise ValueError("no mode to fit")
    rows = _Rows.of(cells)

    def without(reason: str) -> MixedModel:
        return MixedModel(
            (), {}, None, rows.modes, int(rows.n.sum()), rows.n_prompts, rows.n_countries, False, False, reason
        )

    if reason := _why_not(rows):
        return without(reason)
    names, fixed = _fixed(rows)
    found = fit_laplace(fixed, rows.y, rows.n, _random(rows))
    at_cap = [name for name, sd in found.sd.items() if sd > SD_CAP * 0.999]
    if at_cap:
        return replace(
            without(f"the sd of {' and '.join(at_cap)} exceeds {SD_CAP:g} logits: the answers are all but fixed there"),
            sd=found.sd,
        )
    if not np.all(np.isfinite(found.se)):
        return replace(without("a coefficient has no finite standard error"), sd=found.sd)

    from scipy.special import stdtr, stdtrit

    df = rows.n_countries - 2
    quantile = float(stdtrit(df, 0.5 + level / 2))
    coefficients = tuple(
        Coefficient(name, b, se, b - quantile * se, b + quantile * se, df, 2 * float(stdtr(df, -abs(b) / se)))
        for name, b, se in zip(names, found.beta.tolist(), found.se.tolist(), strict=True)
    )
    gone = [name for name, sd in found.sd.items() if sd < SD_NONE]
    notes = [f"no variance found in {', '.join(gone)}"] * bool(gone)
    notes += ["the search did not end at a maximum"] * (not found.converged)
    return MixedModel(
        coefficients, {name: 0.0 if sd < SD_NONE else sd for name, sd in found.sd.items()}, found.log_likelihood,
        rows.modes, int(rows.n.sum()), rows.n_prompts, rows.n_countries, found.converged, True, "", "; ".join(notes),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Rows:
    """One row a prompt, country and mode with an answer: y first-pole answers of n; score standardised over countries."""

    y: Array
    n: Array
    score: Array
    prompt: Codes
    country: Codes
    mode: Codes
    modes: tuple[str, ...]
    n_prompts: int
    n_countries: int

    @classmethod
    def of(cls, cells: Mapping[str, CellCounts]) -> _Rows:
        """The rows of all modes; a country without a score and a prompt or country without an answer are not among them."""
        scores: dict[str, float] = {}
        prompts: dict[str, int] = {}
        countries: dict[str, int] = {}
        found: list[tuple[float, float, int, int, int]] = []
        for m, cell in enumerate(cells.values()):
            for j, country in enumerate(cell.countries):
                if not math.isfinite(x := float(cell.x[j])):
                    continue
                if scores.setdefault(country, x) != x:
                    raise ValueError(f"{country} has two scores")
                for k in np.flatnonzero(cell.N[:, j]):
                    prompt = prompts.setdefault(cell.prompts[k], len(prompts))
                    at = countries.setdefault(country, len(countries))
                    found.append((cell.Y[k, j], cell.N[k, j], prompt, at, m))
        counts = np.array([row[:2] for row in found], dtype=np.float64).reshape(-1, 2)
        codes = np.array([row[2:] for row in found], dtype=np.intp).reshape(-1, 3)
        score = np.array([scores[name] for name in countries], dtype=np.float64)
        if len(score) and not is_flat(score):
            score = (score - score.mean()) / score.std()
        return cls(
            counts[:, 0], counts[:, 1], score[codes[:, 1]], codes[:, 0], codes[:, 1], codes[:, 2], tuple(cells),
            len(prompts), len(countries),
        )  # fmt: skip


def _why_not(rows: _Rows) -> str:
    """What forbids the model, in words; '' where nothing does."""
    if not len(rows.y):
        return "no usable answers"
    if rows.n_countries < MIN_COUNTRIES:
        return f"{rows.n_countries} of the {MIN_COUNTRIES} countries that an interval needs"
    if rows.n_prompts < 2:
        return "one prompt"
    if is_flat(rows.score):
        return "all countries have the same score"
    for m, mode in enumerate(rows.modes):
        in_mode = rows.mode == m
        if not in_mode.any():
            return f"no usable answers in mode {mode}"
        if is_flat(rows.score[in_mode]):
            return f"all countries of mode {mode} have the same score"
        if rows.y[in_mode].sum() in (0, rows.n[in_mode].sum()):
            return f"all answers alike in mode {mode}"
    return ""


def _fixed(rows: _Rows) -> tuple[list[str], Array]:
    """Names and columns of the fixed effects."""
    names, columns = ["intercept", "score"], [np.ones(len(rows.y)), rows.score]
    for m, mode in enumerate(rows.modes[1:], start=1):
        is_mode = (rows.mode == m).astype(np.float64)
        names += [f"mode {mode}", f"score x {mode}"]
        columns += [is_mode, is_mode * rows.score]
    return names, np.column_stack(columns)


def _random(rows: _Rows) -> dict[str, tuple[Codes, Array]]:
    """The random effects: name -> (level of each row, what the effect is multiplied by)."""
    one, n_modes = np.ones(len(rows.y)), len(rows.modes)
    terms = {"prompt": (rows.prompt, one), "country": (rows.country, one)}
    if n_modes == 1:
        return terms | {"slope of the prompt": (rows.prompt, rows.score)}
    prompt_mode = rows.prompt * n_modes + rows.mode
    return terms | {
        "country x mode": (rows.country * n_modes + rows.mode, one),
        "prompt x mode": (prompt_mode, one),
        "slope of prompt x mode": (prompt_mode, rows.score),
    }
