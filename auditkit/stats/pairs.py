"""Two countries compared prompt by prompt. Pairs are chosen before the run; all pairs at once go through Holm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SIMILARITY_MARGIN = 0.10


@dataclass(frozen=True)
class PairComparison:
    """Share of the first pole in two countries over the prompts that both answered.

    only_first, only_second: discordant prompts (first pole in that country alone). low, high: Bonett-Price limits of the
    difference. p: mid-p McNemar. similar: whether the difference is shown to be within `margin` (two one-sided tests at 1 - level);
    a p above .05 does not show that.
    """

    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    only_first: int
    only_second: int
    n_prompts: int
    margin: float
    similar: bool | None
    estimable: bool
    reason: str


def compare_pair(
    a: npt.ArrayLike, b: npt.ArrayLike, *, level: float = 0.95, margin: float = SIMILARITY_MARGIN
) -> PairComparison:
    """Paired comparison of two countries. Unit: prompts.

    a, b: (K,) answers of the two countries to the same prompts: 1 first pole, 0 second pole, NaN none; one answer a prompt.
    Raises ValueError for other values. docs/methods.md, "Pairs of countries".
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"answers must be vectors of one length, not {first.shape} and {second.shape}")
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    if not np.all(np.isin(first, (0, 1)) & np.isin(second, (0, 1))):
        raise ValueError("answers are 0, 1 or NaN: one answer a prompt")
    n = len(first)
    if not n:
        return PairComparison(
            None,
            None,
            None,
            None,
            None,
            None,
            0,
            0,
            0,
            margin,
            None,
            estimable=False,
            reason="no prompt was answered in both",
        )
    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    low, high = bonett_price(only_first, only_second, n, level=level)
    inner = bonett_price(only_first, only_second, n, level=2 * level - 1)
    return PairComparison(
        first=float(first.mean()),
        second=float(second.mean()),
        difference=(only_first - only_second) / n,
        low=low,
        high=high,
        p=mcnemar_mid_p(only_first, only_second),
        only_first=only_first,
        only_second=only_second,
        n_prompts=n,
        margin=margin,
        similar=-margin < inner[0] and inner[1] < margin,
        estimable=True,
        reason="",
    )


def bonett_price(only_first: int, only_second: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Limits of the difference of two paired shares from discordant counts among n pairs (n > 0).

    Adjusted Wald: one is added to each discordant count. Bonett & Price 2012, J. Educ. Behav. Stat. 37, 479-488.
    """
    from scipy.special import ndtri

    p12, p21 = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    gap = p12 - p21
    half = float(ndtri(0.5 + level / 2)) * math.sqrt((p12 + p21 - gap**2) / (n + 2))
    return max(-1.0, gap - half), min(1.0, gap + half)


def mcnemar_mid_p(only_first: int, only_second: int) -> float:
    """Two-sided mid-p of McNemar's test on discordant counts; 1 where there are none.

    Fagerland, Lydersen & Laake 2013, BMC Med. Res. Methodol. 13, 91: twice the smaller binomial tail less the point probability.

    >>> round(mcnemar_mid_p(12, 5), 3)
    0.096
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return float(min(1.0, (2 * tail - math.comb(n, fewer)) / 2**n))
