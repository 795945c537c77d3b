"""Alignment corrected for a judge that errs more in some countries than in others.

An error rate that is the same everywhere lowers r and reliability together and needs no correction. One that follows resource level
creates an r out of nothing where scores follow it too, and only human labels in each stratum can take it out again.
"""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import BOOTSTRAP_RESAMPLES, DEFAULT_SEED
from auditkit.stats.cells import shares, usable_counts
from auditkit.stats.correlate import pearson, prompt_slope_variance
from auditkit.stats.resample import why_no_correlation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from auditkit.stats.cells import Array

GAP = 0.15  # of Se + Sp - 1 between strata: an interval that reaches it leaves r unvalidated
MIN_INFORMED = 0.1  # of Se + Sp - 1: below it the correction divides by noise


@dataclass(frozen=True)
class CorrectedAlignment:
    """r after correcting every stratum's shares. raw: r as the judge has it. label_variance: what drawing the labels adds to the
    variance of atanh r. gap, gap_low, gap_high: the largest difference of Se + Sp - 1 between two strata and its limits; validated:
    no such difference reaches 0.15, so that the raw r may be read without correction. n_labels: human labels used.
    """

    r: float | None
    low: float | None
    high: float | None
    raw: float | None
    label_variance: float | None
    gap: float | None
    gap_low: float | None
    gap_high: float | None
    validated: bool
    n_labels: int
    n_countries: int
    estimable: bool
    reason: str


def corrected_alignment(
    Y: npt.ArrayLike,
    N: npt.ArrayLike,
    x: npt.ArrayLike,
    strata: Sequence[str],
    labels: Mapping[str, tuple[int, int, int, int]],
    *,
    level: float = 0.95,
    n_resamples: int = BOOTSTRAP_RESAMPLES,
    seed: int = DEFAULT_SEED,
) -> CorrectedAlignment:
    """Pearson r of the scores and p* = (p + Sp - 1) / (Se + Sp - 1), Se and Sp those of the country's stratum.

    Unit of resampling: countries and prompts as in `alignment`, and the human labels. Y, N: (K, J), x: (J,), as there. strata: J names,
    such as resource levels. labels: stratum -> `JudgeAccuracy.confusion` of a random sample of its answers. p* is not clipped: that
    would bend r. Labels are redrawn from Se ~ Beta(hits + 1/2, misses + 1/2) and Sp likewise, which has width even for a judge
    without a miss; the variance of atanh r over the draws adds to the two-way variance of the corrected shares.
    Rogan & Gladen 1978, Am. J. Epidemiol. 107, 71-76, by stratum; docs/methods.md, "Correcting r for the judge".
    Raises ValueError for strata that do not fit the countries.
    """
    names = np.asarray(strata)
    if names.shape != np.shape(x):
        raise ValueError(f"{len(names)} strata for {np.shape(x)} countries")
    counts = usable_counts(Y, N, x)
    names = names[counts.countries_kept]
    used = sorted(set(names.tolist()))
    n_labels = sum(sum(labels.get(name, ())) for name in used)

    def without(raw: float | None, reason: str) -> CorrectedAlignment:
        return CorrectedAlignment(
            None, None, None, raw, None, None, None, None, False, n_labels, len(counts.x), False, reason
        )

    if problem := why_no_correlation(counts.Y, counts.N, counts.x):
        return without(None, problem)
    p = shares(counts.Y, counts.N)
    raw = float(pearson(counts.x, p))
    for name in used:
        hits, missed, false, right = labels.get(name, (0, 0, 0, 0))
        if not (hits + missed and false + right):
            return without(
                raw, f"labels of {'one pole only' if hits + missed + false + right else 'no answer'} in stratum {name}"
            )
    table = np.array([labels[name] for name in used], dtype=np.float64)
    at = np.array([used.index(name) for name in names.tolist()])
    sensitivity, specificity = table[:, 0] / table[:, :2].sum(axis=1), table[:, 3] / table[:, 2:].sum(axis=1)
    rng = np.random.default_rng(seed)
    drawn_se = rng.beta(table[:, 0] + 0.5, table[:, 1] + 0.5, (n_resamples, len(used)))
    drawn_sp = rng.beta(table[:, 3] + 0.5, table[:, 2] + 0.5, (n_resamples, len(used)))
    informed = drawn_se + drawn_sp - 1
    vague = (informed < MIN_INFORMED).mean(axis=0) + (sensitivity + specificity - 1 < MIN_INFORMED)
    if vague.max() > (1 - level) / 2:
        return without(raw, f"the labels of stratum {used[int(vague.argmax())]} do not tell the judge from chance")

    # the same for counts, so that the prompts' slopes are those of the corrected shares
    corrected = (counts.Y + counts.N * (specificity[at] - 1)) / (sensitivity + specificity - 1)[at]
    r = float(pearson(counts.x, shares(corrected, counts.N)))
    if math.isnan(r) or 1 - abs(r) < 1e-12:
        return without(raw, "the corrected shares do not vary, or lie exactly on a line")
    values = pearson(counts.x, (p + drawn_sp[:, at] - 1) / informed[:, at])
    label_variance = float(np.arctanh(np.clip(values, -1 + 1e-12, 1 - 1e-12)).var(ddof=1))
    low, high = _limits(r, prompt_slope_variance(corrected, counts.N, counts.x), label_variance, counts.N.shape, level)
    gap = _largest_gap(sensitivity + specificity - 1, informed, level)
    return CorrectedAlignment(
        r, low, high, raw, label_variance, *gap, max(abs(gap[1]), abs(gap[2])) < GAP, n_labels, len(counts.x), True, ""
    )


def _limits(r: float, slopes: float, labels: float, shape: tuple[int, ...], level: float) -> tuple[float, float]:
    """Limits on the scale of atanh r from three independent variances; Satterthwaite's df, the labels' taken as endless."""
    from scipy.special import ndtri, stdtrit

    n_prompts, n_countries = shape
    countries = 1 / (n_countries - 3)
    variance = countries + slopes + labels
    if slopes > 0:
        df = variance**2 / (countries**2 / (n_countries - 2) + slopes**2 / (n_prompts - 1))
        quantile = float(stdtrit(df, 0.5 + level / 2))
    else:
        quantile = float(ndtri(0.5 + level / 2))
    half = quantile * math.sqrt(variance)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def _largest_gap(informed: Array, drawn: Array, level: float) -> tuple[float, float, float]:
    """The pair of strata whose limits reach farthest from 0: difference, low, high; (0, 0, 0) with one stratum. drawn: (B, strata)."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    gaps = [(0.0, 0.0, 0.0)]
    for a, b in combinations(range(len(informed)), 2):
        low, high = np.quantile(drawn[:, a] - drawn[:, b], tails)
        gaps.append((float(informed[a] - informed[b]), float(low), float(high)))
    return max(gaps, key=lambda gap: max(abs(gap[1]), abs(gap[2])))
