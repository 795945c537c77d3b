"""Preference: how often the first pole is chosen over all countries, and how that differs between modes."""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditkit.stats.cells import Array, usable_counts

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Share:
    """Share of the first pole over all countries and prompts of a cell.

    value: sum Y / sum N. low, high: the interval. n: usable answers. design_effect: how many times the variance of as many
    independent answers; n / design_effect is what the answers are worth. note: what the interval leaves out, if anything.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    design_effect: float | None
    n_prompts: int
    n_countries: int
    estimable: bool
    reason: str
    note: str = ""


def overall_share(Y: npt.ArrayLike, N: npt.ArrayLike, *, level: float = 0.95) -> Share:
    """Overall share with a two-way interval on the logit scale.

    Unit of resampling: prompts and countries, both as samples. Y, N: (K, J), first-pole and usable answers.
    With E_kj = (Y_kj - N_kj p) / sum N, the variance is K/(K-1) sum_k E_k.^2 + J/(J-1) sum_j E_.j^2 - sum E_kj^2, not less than
    its prompt term (two-way clusters: Cameron, Gelbach & Miller 2011, J. Bus. Econ. Stat. 29, 238-249); quantiles of
    t(min(K, J) - 1). docs/methods.md, "Preference".
    With one prompt or one country, only the other side is a sample, and `note` says so.
    """
    counts = usable_counts(Y, N)
    y, n = counts.Y, counts.N
    n_prompts, n_countries = y.shape
    total = float(n.sum())

    def without(value: float | None, reason: str) -> Share:
        return Share(value, None, None, counts.n_answers, None, n_prompts, n_countries, False, reason)

    if total == 0:
        return without(None, "no usable answers")
    p = float(y.sum()) / total
    if p in (0.0, 1.0):
        return without(p, "all answers alike")
    if n_prompts == 1 and n_countries == 1:
        return without(p, "one prompt and one country")
    variance, df = two_way_variance((y - n * p) / total)
    if variance <= 1e-15:
        return without(p, "the same share for every prompt and every country")

    from scipy.special import stdtrit

    half = float(stdtrit(df, 0.5 + level / 2)) * math.sqrt(variance) / (p * (1 - p))
    centre = math.log(p / (1 - p))
    note = "one prompt: holds for this prompt only" if n_prompts == 1 else "one country" if n_countries == 1 else ""
    return Share(
        value=p,
        low=logistic(centre - half),
        high=logistic(centre + half),
        n=counts.n_answers,
        design_effect=variance * total / (p * (1 - p)),
        n_prompts=n_prompts,
        n_countries=n_countries,
        estimable=True,
        reason="",
        note=note,
    )


def two_way_variance(E: Array) -> tuple[float, int]:
    """Variance of a sum of cell influences E (K, J) with prompts and countries as clusters, and its degrees of freedom.

    A side with a single level is not a sample and contributes nothing; at least one side must have two.
    """
    n_prompts, n_countries = E.shape
    by_prompt = n_prompts / (n_prompts - 1) * float((E.sum(axis=1) ** 2).sum()) if n_prompts > 1 else 0.0
    by_country = n_countries / (n_countries - 1) * float((E.sum(axis=0) ** 2).sum()) if n_countries > 1 else 0.0
    if n_prompts == 1 or n_countries == 1:
        return by_prompt + by_country, max(n_prompts, n_countries) - 1
    return max(by_prompt + by_country - float((E**2).sum()), by_prompt), min(n_prompts, n_countries) - 1


def logistic(value: float) -> float:
    """1 / (1 + exp(-value)) without overflow."""
    return 0.5 * (1.0 + math.tanh(value / 2))
