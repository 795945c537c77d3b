"""Refused, undecided and unreadable answers: how many, where, and how far they could move the figures.

They are outcomes, not gaps. The main figures leave them out; these say what any other treatment would give, up to the worst case.
"""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import DEFAULT_SEED, MIN_COUNTRIES, PERMUTATIONS
from auditkit.stats.cells import Array, check_counts
from auditkit.stats.correlate import is_flat, pearson
from auditkit.stats.resample import permuted_orders, tail_share, why_no_variation

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class ShareBounds:
    """Where the share of the first pole lies, whatever the unusable answers would have been; no sampling error in it.

    low counts every unusable answer for the second pole, high for the first. unusable: their share of all answers.
    """

    low: float | None
    high: float | None
    unusable: float | None
    n: int
    estimable: bool
    reason: str


@dataclass(frozen=True)
class UnusableAnswers:
    """r under every treatment of the unusable answers, over countries with any answer.

    unusable: share of all answers; by_country: the same by country (NaN-free, order of the countries kept). rate_r, rate_p: does the
    share of unusable answers follow the scores (permutation over countries)? dropped (the main figure), as_second (the published
    practice), half: r under three fixed rules. low, high: the least and the largest r of any rule; low_certain, high_certain:
    whether that bound is proved (else the best of a search).
    """

    unusable: float | None
    by_country: tuple[float, ...]
    rate_r: float | None
    rate_p: float | None
    dropped: float | None
    as_second: float | None
    half: float | None
    low: float | None
    high: float | None
    low_certain: bool
    high_certain: bool
    n_countries: int
    estimable: bool
    reason: str


def share_bounds(Y: npt.ArrayLike, N: npt.ArrayLike, T: npt.ArrayLike) -> ShareBounds:
    """Worst-case bounds of the overall share, [Y/T, (Y + T - N)/T] summed over the cell; (K, J) each.

    Unit: answers, fixed. Manski 1989, J. Hum. Resour. 24, 343-360; docs/methods.md, "Unusable answers".
    """
    first, usable, answers = _checked(Y, N, T)
    total = float(answers.sum())
    if not total:
        return ShareBounds(None, None, None, 0, estimable=False, reason="no answers")
    missing = float(answers.sum() - usable.sum())
    low = float(first.sum()) / total
    return ShareBounds(low, low + missing / total, missing / total, int(total), estimable=True, reason="")


def unusable_answers(
    Y: npt.ArrayLike,
    N: npt.ArrayLike,
    T: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    n_permutations: int = PERMUTATIONS,
    seed: int = DEFAULT_SEED,
) -> UnusableAnswers:
    """How much r depends on what is done with unusable answers.

    Unit: countries; permuted for rate_p, fixed otherwise. Y, N, T: (K, J) first-pole, usable and all answers; x: (J,) scores, NaN for
    none. Countries without an answer or a score are left out. docs/methods.md, "Unusable answers".
    """
    first, usable, answers = (a.sum(axis=0) for a in _checked(Y, N, T))
    scores = np.asarray(x, dtype=np.float64)
    kept = (answers > 0) & np.isfinite(scores)
    first, usable, answers, scores = first[kept], usable[kept], answers[kept], scores[kept]
    rate = (answers - usable) / np.where(answers > 0, answers, 1)
    overall = float((answers - usable).sum() / answers.sum()) if answers.sum() else None

    if len(scores) < MIN_COUNTRIES or is_flat(scores):
        few = f"{len(scores)} of the {MIN_COUNTRIES} countries that are needed"
        reason = few if len(scores) < MIN_COUNTRIES else "all countries have the same score"
        return UnusableAnswers(
            overall, tuple(map(float, rate)), None, None, None, None, None, None, None,
            low_certain=False, high_certain=False, n_countries=len(scores), estimable=False, reason=reason,
        )  # fmt: skip
    low_share, high_share = first / answers, (first + answers - usable) / answers
    answered = usable > 0
    high, high_certain = largest_r(scores, low_share, high_share)
    low, low_certain = largest_r(-scores, low_share, high_share)
    rate_p = None
    if not why_no_variation(scores, rate):
        orders = permuted_orders(len(scores), n_permutations=n_permutations, seed=seed)
        rate_p = tail_share(np.abs(pearson(scores[orders], rate)), abs(float(pearson(scores, rate))))
    return UnusableAnswers(
        unusable=overall,
        by_country=tuple(map(float, rate)),
        rate_r=_or_none(pearson(scores, rate)),
        rate_p=rate_p,
        dropped=_or_none(pearson(scores[answered], first[answered] / usable[answered])),
        as_second=_or_none(pearson(scores, low_share)),
        half=_or_none(pearson(scores, (low_share + high_share) / 2)),
        low=None if low is None else -low,
        high=high,
        low_certain=low_certain,
        high_certain=high_certain,
        n_countries=len(scores),
        estimable=high is not None,
        reason="" if high is not None else "all countries have the same share",
    )


def _checked(Y: npt.ArrayLike, N: npt.ArrayLike, T: npt.ArrayLike) -> tuple[Array, Array, Array]:
    first, usable, answers = (np.asarray(a, dtype=np.float64) for a in (Y, N, T))
    check_counts(first, usable)
    check_counts(usable, answers)
    return first, usable, answers


def _or_none(r: Array) -> float | None:
    return None if math.isnan(float(r)) else float(r)


def largest_r(x: Array, low: Array, high: Array) -> tuple[float | None, bool]:
    """The largest Pearson r of scores x with any shares between low and high, and whether that is proved; all (J,).

    Where some shares correlate positively, r = covariance / spread has a linear numerator above 0 and a convex denominator, so it is
    pseudo-concave and every stationary point is the global maximum (Avriel et al. 1988, "Generalized Concavity"). It has the
    form clip(a + b x, low, high), and is found by alternating least squares of x on the shares: each step raises r.
    Where none does, the maximum lies in a corner of the box, which a flip search from many corners looks for: good, not proved.
    None where no shares in the box vary.
    """
    centred = x - x.mean()
    if is_flat(low) and np.all(high - low <= 1e-12):
        return None, False
    p = np.where(centred > 0, high, low)
    if float(centred @ p) <= 1e-12:
        return _best_corner(x, low, high), False
    best = float(pearson(x, p))
    for _ in range(20_000):
        slope = float(centred @ p) / float(((p - p.mean()) ** 2).sum())  # x regressed on p
        for _ in range(3):
            p = np.clip(p.mean() + centred / slope, low, high)
        r = float(pearson(x, p))
        if r - best < 1e-13:
            break
        best = r
    return max(best, r), True


def _best_corner(x: Array, low: Array, high: Array, starts: int = 64) -> float | None:
    """The largest r over corners of the box by single flips, from `starts` corners at once; None where all corners are flat."""
    n = len(x)
    rng = np.random.default_rng(DEFAULT_SEED)
    up = rng.random((starts, n)) < rng.random((starts, 1))
    up[0], up[1] = x > x.mean(), x <= x.mean()
    middle = low + high > (low + high).mean()
    up[2], up[3] = middle, ~middle
    best = np.nan_to_num(pearson(x, np.where(up, high, low)), nan=-2.0)
    rows = np.arange(starts)
    for _ in range(6 * n):
        flipped = up[:, None, :] ^ np.eye(n, dtype=bool)
        r = np.nan_to_num(pearson(x, np.where(flipped, high, low)), nan=-2.0)
        which = r.argmax(axis=1)
        better = r[rows, which] > best + 1e-12
        if not better.any():
            break
        up[better] = flipped[rows, which][better]
        best = np.where(better, r[rows, which], best)
    largest = float(best.max())
    return largest if largest >= -1 else None
