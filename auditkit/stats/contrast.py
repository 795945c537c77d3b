"""Two modes (or models) side by side: differences of r and of the share, on the prompts and countries that both have."""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import DEFAULT_SEED, PERMUTATIONS
from auditkit.stats.cells import Array, check_counts, shares, usable_counts
from auditkit.stats.correlate import alignment, pearson
from auditkit.stats.resample import Resamples, bootstrap_r, draw_resamples, tail_share
from auditkit.stats.share import two_way_variance

if TYPE_CHECKING:
    import numpy.typing as npt

    from auditkit.stats.correlate import Alignment


@dataclass(frozen=True)
class AlignmentDifference:
    """First r minus second r. low, high: Zou's interval. bootstrap_low, bootstrap_high: two-way percentile interval.

    swap_p: two-sided p for the difference when standardised shares trade places within countries.
    """

    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    swap_p: float | None
    n_countries: int
    n_prompts: int
    estimable: bool
    reason: str


@dataclass(frozen=True)
class ShareDifference:
    """First share minus second share over the prompt-country pairs that both answered."""

    first: float | None
    second: float | None
    difference: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    p: float | None
    n_pairs: int
    n_prompts: int
    n_countries: int
    estimable: bool
    reason: str


def answered_by_both(
    Y1: npt.ArrayLike, N1: npt.ArrayLike, Y2: npt.ArrayLike, N2: npt.ArrayLike
) -> tuple[Array, Array, Array, Array]:
    """The counts with every prompt-country pair emptied that one of the two did not answer, so that like meets like. (K, J) each."""
    y1, n1, y2, n2 = (np.asarray(a, dtype=np.float64) for a in (Y1, N1, Y2, N2))
    check_counts(y1, n1)
    check_counts(y2, n2)
    if y1.shape != y2.shape:
        raise ValueError(f"the two cells have shapes {y1.shape} and {y2.shape}; match prompts and countries first")
    both = (n1 > 0) & (n2 > 0)
    return y1 * both, n1 * both, y2 * both, n2 * both


def zou_interval(
    r1: float, limits1: tuple[float, float], r2: float, limits2: tuple[float, float], correlation: float
) -> tuple[float, float]:
    """Interval of r1 - r2 from the intervals of each and the correlation of the two estimates.

    Unit: that of the limits. Zou 2007, Psychol. Methods 12, 399-413.
    """
    below1, above1 = r1 - limits1[0], limits1[1] - r1
    below2, above2 = r2 - limits2[0], limits2[1] - r2
    lower = below1**2 + above2**2 - 2 * correlation * below1 * above2
    upper = above1**2 + below2**2 - 2 * correlation * above1 * below2
    return r1 - r2 - math.sqrt(max(lower, 0.0)), r1 - r2 + math.sqrt(max(upper, 0.0))


def overlapping_correlation(r12: float, r13: float, r23: float) -> float:
    """Correlation of the estimates r12 and r13, which share variable 1 (the scores); |r12|, |r13| < 1.

    Olkin & Siotani 1976, as Zou 2007 gives it for overlapping correlations.
    """
    top = (r23 - r12 * r13 / 2) * (1 - r12**2 - r13**2 - r23**2) + r23**3
    return min(1.0, max(-1.0, top / ((1 - r12**2) * (1 - r13**2))))


def alignment_difference(
    Y1: npt.ArrayLike,
    N1: npt.ArrayLike,
    Y2: npt.ArrayLike,
    N2: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    level: float = 0.95,
    resamples: Resamples | None = None,
    n_permutations: int = PERMUTATIONS,
    seed: int = DEFAULT_SEED,
) -> AlignmentDifference:
    """Difference of two r that share countries, scores and prompts.

    Unit of resampling: countries and prompts; for swap_p the two shares of a country. Y1, N1, Y2, N2: (K, J), rows and columns
    matched; x: (J,). Zou's interval takes the two-way limits of each r. The swap trades *standardised* shares: raw ones would mix a
    difference of level into r. docs/methods.md, "Contrasts".
    """
    y1, n1, y2, n2 = answered_by_both(Y1, N1, Y2, N2)
    counts = usable_counts(y1, n1, x)  # the same pairs are answered in both, so this serves both
    first, second = alignment(y1, n1, x, level=level), alignment(y2, n2, x, level=level)

    def without(reason: str) -> AlignmentDifference:
        empty = (None, None, None, None, None, None)
        return AlignmentDifference(
            first.r,
            second.r,
            *empty,
            n_countries=first.n_countries,
            n_prompts=first.n_prompts,
            estimable=False,
            reason=reason,
        )

    one, two = _with_limits(first), _with_limits(second)
    if one is None or two is None:
        return without(f"first: {first.reason}" if one is None else f"second: {second.reason}")
    (r1, limits1), (r2, limits2) = one, two
    columns = counts.countries_kept
    p1, p2 = shares(y1, n1)[columns], shares(y2, n2)[columns]
    between = overlapping_correlation(r1, r2, float(pearson(p1, p2)))
    low, high = zou_interval(r1, limits1, r2, limits2, between)

    drawn = resamples or draw_resamples(*y1.shape, seed=seed)
    gap = bootstrap_r(y1, n1, x, drawn) - bootstrap_r(y2, n2, x, drawn)
    gap = gap[np.isfinite(gap)]
    enough = len(gap) >= 0.9 * len(drawn.countries)
    percentiles = np.quantile(gap, [(1 - level) / 2, (1 + level) / 2]) if enough else (None, None)

    z1, z2 = (p1 - p1.mean()) / p1.std(), (p2 - p2.mean()) / p2.std()
    swap = np.random.default_rng(seed).random((n_permutations, len(p1))) < 0.5
    null = pearson(counts.x, np.where(swap, z2, z1)) - pearson(counts.x, np.where(swap, z1, z2))
    return AlignmentDifference(
        first=r1,
        second=r2,
        difference=r1 - r2,
        low=low,
        high=high,
        bootstrap_low=None if percentiles[0] is None else float(percentiles[0]),
        bootstrap_high=None if percentiles[1] is None else float(percentiles[1]),
        swap_p=tail_share(np.abs(np.nan_to_num(null)), abs(r1 - r2)),
        n_countries=first.n_countries,
        n_prompts=first.n_prompts,
        estimable=True,
        reason="",
    )


def _with_limits(result: Alignment) -> tuple[float, tuple[float, float]] | None:
    """The r and its limits, where there are any."""
    if result.r is None or result.low is None or result.high is None:
        return None
    return result.r, (result.low, result.high)


def share_difference(
    Y1: npt.ArrayLike, N1: npt.ArrayLike, Y2: npt.ArrayLike, N2: npt.ArrayLike, *, level: float = 0.95
) -> ShareDifference:
    """Paired difference of overall shares with a two-way interval.

    Unit of resampling: prompts and countries, each taking both modes along. Y1, N1, Y2, N2: (K, J), rows and columns matched; pairs
    that one of the two did not answer are left out of both. The influence of a pair is the difference of its influences on the two
    shares; variance and degrees of freedom as in `overall_share`, on the scale of the difference. docs/methods.md, "Contrasts".
    """
    y1, n1, y2, n2 = answered_by_both(Y1, N1, Y2, N2)
    rows, columns = n1.sum(axis=1) > 0, n1.sum(axis=0) > 0
    at = np.ix_(rows, columns)
    y1, n1, y2, n2 = y1[at], n1[at], y2[at], n2[at]
    n_pairs, (n_prompts, n_countries) = int(np.count_nonzero(n1)), n1.shape

    def without(first: float | None, second: float | None, reason: str) -> ShareDifference:
        gap = None if first is None or second is None else first - second
        return ShareDifference(
            first, second, gap, None, None, None, None, n_pairs, n_prompts, n_countries, estimable=False, reason=reason
        )

    if not n_pairs:
        return without(None, None, "no prompt-country pair was answered in both")
    first, second = float(y1.sum() / n1.sum()), float(y2.sum() / n2.sum())
    if n_prompts == 1 and n_countries == 1:
        return without(first, second, "one prompt and one country")
    variance, df = two_way_variance((y1 - n1 * first) / n1.sum() - (y2 - n2 * second) / n2.sum())
    if variance <= 1e-15:
        return without(first, second, "the two differ alike in every prompt and country")

    from scipy.special import stdtr, stdtrit

    error = math.sqrt(variance)
    half = float(stdtrit(df, 0.5 + level / 2)) * error
    gap = first - second
    return ShareDifference(
        first=first,
        second=second,
        difference=gap,
        standard_error=error,
        low=max(-1.0, gap - half),
        high=min(1.0, gap + half),
        p=2 * float(stdtr(df, -abs(gap) / error)),
        n_pairs=n_pairs,
        n_prompts=n_prompts,
        n_countries=n_countries,
        estimable=True,
        reason="",
    )
