"""The figures of Kharchenko, Roosta, Chadha & Shah (2024, arXiv 2406.14805) as published, to set beside auditkit's own.

They are computed as the paper did and carry no p value: the paper's stars count every country 50 or 250 times. Its own analysis
counted the *low* pole of power distance, so a negative relation with the score is what alignment looks like there.
"""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import DEFAULT_SEED
from auditkit.stats.cells import usable_counts
from auditkit.stats.classify import CLASS_PERMUTATIONS, BestThreshold, best_threshold
from auditkit.stats.correlate import pearson

if TYPE_CHECKING:
    import numpy.typing as npt

LOW_POLE_DIMENSIONS = frozenset({"power_distance"})
CLASS_CUT = 50.0
GRID = 100


@dataclass(frozen=True)
class PublishedCorrelation:
    """Table 2: r between score and percentage of all replies that take the target pole, inconclusive replies included.

    aligned_sign: the sign that a perfectly aligned model has (-1 where the target is the low pole).
    """

    r: float | None
    aligned_sign: int
    n_countries: int
    n_replies: int
    estimable: bool
    reason: str


def table2(
    Y: npt.ArrayLike, N: npt.ArrayLike, T: npt.ArrayLike, x: npt.ArrayLike, *, low_pole: bool = False
) -> PublishedCorrelation:
    """Pearson(x_j, 100 x target_j / all_j) over countries.

    Unit: countries, fixed (the figure is descriptive). Y, N, T: (K, J) first-pole, usable and all answers; x: (J,).
    low_pole: count the second pole (N - Y), as the paper did for power distance.
    """
    first = np.asarray(Y, dtype=np.float64)
    target = np.asarray(N, dtype=np.float64) - first if low_pole else first
    counts = usable_counts(target, T, x)
    percent = 100 * counts.Y.sum(axis=0) / counts.N.sum(axis=0)
    sign = -1 if low_pole else 1
    r = float(pearson(counts.x, percent)) if len(counts.x) > 1 else float("nan")
    if not np.isfinite(r):
        reason = "no replies" if not counts.n_answers else "fewer than two countries, or all of them alike"
        return PublishedCorrelation(None, sign, len(counts.x), counts.n_answers, False, reason)
    return PublishedCorrelation(r, sign, len(counts.x), counts.n_answers, True, "")


def table3(
    Y: npt.ArrayLike,
    N: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    low_pole: bool = False,
    n_permutations: int = CLASS_PERMUTATIONS,
    seed: int = DEFAULT_SEED,
) -> BestThreshold:
    """Best in-sample accuracy of 100 thresholds in [0, 1] and both directions for the class score > 50, with its null.

    Unit of permutation: countries. Y, N: (K, J), inconclusive answers dropped; x: (J,). The null is auditkit's addition: without
    it .70 looks like knowledge, and at 36 countries it is what chance gives.
    """
    counts = usable_counts(Y, N, x)
    answered = counts.N.sum(axis=0)
    q = (counts.N - counts.Y if low_pole else counts.Y).sum(axis=0) / answered
    return best_threshold(
        q, counts.x > CLASS_CUT, thresholds=np.linspace(0.0, 1.0, GRID), n_permutations=n_permutations, seed=seed
    )
