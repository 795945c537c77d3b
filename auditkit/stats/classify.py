"""Two classes of countries (score above a cut or not) told apart by the share of the first pole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import DEFAULT_SEED
from auditkit.stats.correlate import is_flat, mid_ranks
from auditkit.stats.resample import permuted_orders, tail_share

if TYPE_CHECKING:
    import numpy.typing as npt

    from auditkit.stats.cells import Array

CLASS_PERMUTATIONS = 1_999


@dataclass(frozen=True)
class Auc:
    """Probability that a country of the high class has a larger share than one of the low class (ties count half).

    p: two-sided label-permutation p.
    """

    auc: float | None
    p: float | None
    n_high: int
    n_low: int
    n_permutations: int
    estimable: bool
    reason: str


@dataclass(frozen=True)
class BestThreshold:
    """Accuracy of the best threshold and direction, chosen on the very countries it is scored on.

    Meaningless without the three figures beside it: null_mean and null_95 are the mean and the 95th percentile of the same search
    over permuted class labels, and p is the share of permutations that do as well. threshold: shares above it are called high
    (low where high_above is False). majority: accuracy of naming the larger class throughout.
    """

    accuracy: float | None
    threshold: float | None
    high_above: bool | None
    majority: float | None
    null_mean: float | None
    null_95: float | None
    p: float | None
    n_high: int
    n_low: int
    n_permutations: int
    estimable: bool
    reason: str


def _usable(p: npt.ArrayLike, high: npt.ArrayLike) -> tuple[Array, npt.NDArray[np.bool_], str]:
    """Countries with a share, their classes, and why they cannot be told apart (empty where they can)."""
    share = np.asarray(p, dtype=np.float64)
    label = np.asarray(high, dtype=bool)
    if share.ndim != 1 or share.shape != label.shape:
        raise ValueError(f"p and high must be vectors of one length, not {share.shape} and {label.shape}")
    kept = np.isfinite(share)
    share, label = share[kept], label[kept]
    if not len(share):
        return share, label, "no usable answers"
    if label.all() or not label.any():
        return share, label, "all countries are in one class"
    return share, label, "all countries have the same share" if is_flat(share) else ""


def auc(
    p: npt.ArrayLike, high: npt.ArrayLike, *, n_permutations: int = CLASS_PERMUTATIONS, seed: int = DEFAULT_SEED
) -> Auc:
    """Area under the ROC curve by mid-ranks, (R_high - n_high(n_high+1)/2) / (n_high n_low), with a two-sided permutation p.

    Unit of permutation: countries (class labels move). p: (J,) shares, NaN for none. high: (J,) class, score > 50 from the country
    table. Mann & Whitney 1947, Ann. Math. Stat. 18, 50-60; docs/methods.md, "Two classes".
    """
    share, label, problem = _usable(p, high)
    n_high, n_low = int(label.sum()), int((~label).sum())
    if problem:
        return Auc(None, None, n_high, n_low, 0, False, problem)
    ranks = mid_ranks(share)

    def area(rank_sum: Array) -> Array:
        return (rank_sum - n_high * (n_high + 1) / 2) / (n_high * n_low)

    value = float(area(ranks[label].sum()))
    orders = permuted_orders(len(share), n_permutations=n_permutations, seed=seed)
    null = np.abs(area(ranks[orders[:, :n_high]].sum(axis=1)) - 0.5)
    return Auc(value, tail_share(null, abs(value - 0.5)), n_high, n_low, n_permutations, True, "")


def best_threshold(
    p: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    thresholds: npt.ArrayLike | None = None,
    n_permutations: int = CLASS_PERMUTATIONS,
    seed: int = DEFAULT_SEED,
) -> BestThreshold:
    """Best in-sample accuracy over thresholds and both directions, with its own null.

    Unit of permutation: countries (class labels move, the search is repeated). p, high: (J,) as in `auc`. thresholds: candidates;
    default: the middle between neighbouring shares. docs/methods.md, "Two classes".
    """
    share, label, problem = _usable(p, high)
    n = len(share)
    n_high, n_low = int(label.sum()), int((~label).sum())
    if problem:
        return BestThreshold(None, None, None, None, None, None, None, n_high, n_low, 0, False, problem)
    distinct = np.unique(share)
    candidates = (
        (distinct[:-1] + distinct[1:]) / 2 if thresholds is None else np.asarray(thresholds, dtype=np.float64).ravel()
    )
    order = np.argsort(share, kind="stable")
    below = np.searchsorted(share[order], candidates, side="right")  # shares up to the threshold, which are called low

    def right(labels: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Countries called rightly, (B, thresholds), for labels (B, J) in the order of the shares."""
        high_below = np.concatenate([np.zeros((len(labels), 1), dtype=np.int64), labels.cumsum(axis=1)], axis=1)[
            :, below
        ]
        called: npt.NDArray[np.int64] = below + n_high - 2 * high_below
        return called

    observed = right(label[order][None])[0]
    best = int(np.argmax(np.maximum(observed, n - observed)))
    accuracy = float(max(observed[best], n - observed[best])) / n
    orders = permuted_orders(n, n_permutations=n_permutations, seed=seed)
    drawn = right(label[orders])
    null = np.maximum(drawn.max(axis=1), n - drawn.min(axis=1)) / n
    return BestThreshold(
        accuracy=accuracy,
        threshold=float(candidates[best]),
        high_above=bool(observed[best] >= n - observed[best]),
        majority=max(n_high, n_low) / n,
        null_mean=float(null.mean()),
        null_95=float(np.quantile(null, 0.95, method="inverted_cdf")),
        p=tail_share(null, accuracy),
        n_high=n_high,
        n_low=n_low,
        n_permutations=n_permutations,
        estimable=True,
        reason="",
    )
