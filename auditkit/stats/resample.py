"""Resampling of countries and prompts: bootstrap intervals and permutation tests, vectorised over resamples.

A bootstrap resample is a pair of weight vectors (how often each prompt, each country was drawn), so that all shares of all
resamples are one matrix product. The same weights serve every cell, which makes differences between cells paired and costs no more
for 90,000 answers than for 1,800.
"""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from auditkit.stats import BOOTSTRAP_RESAMPLES, DEFAULT_SEED, MIN_COUNTRIES, PERMUTATIONS
from auditkit.stats.cells import Array, shares, usable_counts
from auditkit.stats.correlate import is_flat, mid_ranks, pearson, spearman

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Statistic = Literal["pearson", "spearman"]
Units = Literal["both", "countries", "prompts"]


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each unit was drawn. prompts: (B, K), rows summing to K. countries: (B, J), rows summing to J."""

    prompts: Array
    countries: Array


@dataclass(frozen=True)
class BootstrapInterval:
    """Percentile interval of r. n_resamples were drawn; n_defined of them had shares that vary, and count."""

    r: float | None
    low: float | None
    high: float | None
    n_resamples: int
    n_defined: int
    estimable: bool
    reason: str


@dataclass(frozen=True)
class PermutationTest:
    """p = (1 + permutations at least as extreme) / (1 + permutations), two-sided.

    n_informative: countries that the permutations can move (with regions: those that are not alone in theirs).
    """

    r: float | None
    p: float | None
    n_permutations: int
    n_informative: int
    estimable: bool
    reason: str


def draw_resamples(
    n_prompts: int, n_countries: int, *, n_resamples: int = BOOTSTRAP_RESAMPLES, seed: int = DEFAULT_SEED
) -> Resamples:
    """Multinomial weights of `n_resamples` draws with replacement, prompts and countries independently."""
    rng = np.random.default_rng(seed)

    def weights(units: int) -> Array:
        if not units:
            return np.zeros((n_resamples, 0))
        return rng.multinomial(units, np.full(units, 1 / units), size=n_resamples).astype(np.float64)

    return Resamples(weights(n_prompts), weights(n_countries))


def bootstrap_r(
    Y: npt.ArrayLike,
    N: npt.ArrayLike,
    x: npt.ArrayLike,
    resamples: Resamples,
    *,
    statistic: Statistic = "pearson",
    units: Units = "both",
) -> Array:
    """The value of r in every resample: (B,), NaN where the drawn shares or scores do not vary.

    Unit of resampling: `units`; "both" is the pigeonhole bootstrap for two-way data (Owen 2007, Ann. Appl. Stat. 1, 386-411).
    Y, N: (K, J) and x: (J,), as for `alignment`; resamples fit all K prompts and J countries. A country whose drawn prompts hold
    no usable answer takes no part in that resample.
    """
    counts = usable_counts(Y, N, x)
    w_countries = resamples.countries[:, counts.countries_kept]
    w_prompts = resamples.prompts[:, counts.prompts_kept]
    if not counts.n_answers:
        return np.full(len(w_countries), np.nan)
    if units == "countries":
        p = np.broadcast_to(shares(counts.Y, counts.N), w_countries.shape)
    else:
        if units == "prompts":
            w_countries = np.ones_like(w_countries)
        answered = w_prompts @ counts.N
        w_countries = np.where(answered > 0, w_countries, 0.0)
        p = (w_prompts @ counts.Y) / np.where(answered > 0, answered, 1.0)
    correlate = pearson if statistic == "pearson" else spearman
    return correlate(counts.x, p, w_countries)


def bootstrap_interval(
    Y: npt.ArrayLike,
    N: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    statistic: Statistic = "pearson",
    level: float = 0.95,
    resamples: Resamples | None = None,
    units: Units = "both",
    seed: int = DEFAULT_SEED,
) -> BootstrapInterval:
    """Percentile interval of `bootstrap_r`: the conservative choice for Pearson, the only one for Spearman.

    Shapes and unit of resampling as there. Not estimable with fewer than four countries, shares or scores all alike, or where one
    resample in ten or more is degenerate. docs/methods.md, "Resampling".
    """
    counts = usable_counts(Y, N, x)
    drawn = resamples or draw_resamples(*np.shape(N), seed=seed)
    n_resamples = len(drawn.countries)

    def without(r: float | None, defined: int, reason: str) -> BootstrapInterval:
        return BootstrapInterval(r, None, None, n_resamples, defined, False, reason)

    problem = why_no_correlation(counts.Y, counts.N, counts.x)
    if problem:
        return without(None, 0, problem)
    r = float((pearson if statistic == "pearson" else spearman)(counts.x, shares(counts.Y, counts.N)))
    values = bootstrap_r(Y, N, x, drawn, statistic=statistic, units=units)
    values = values[np.isfinite(values)]
    if len(values) < 0.9 * n_resamples:
        return without(r, len(values), f"{n_resamples - len(values)} of {n_resamples} resamples have no variation")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return BootstrapInterval(r, float(low), float(high), n_resamples, len(values), True, "")


def why_no_correlation(Y: Array, N: Array, x: Array) -> str:
    """Why r over countries is not defined for counts that `usable_counts` returned; empty where it is."""
    if not N.sum():
        return "no usable answers"
    if len(x) < MIN_COUNTRIES:
        return f"{len(x)} of the {MIN_COUNTRIES} countries that an interval needs"
    return why_no_variation(x, shares(Y, N))


def why_no_variation(x: Array, p: Array) -> str:
    """Which of scores and shares is constant; empty where neither is."""
    if is_flat(p):
        return "all countries have the same share"
    return "all countries have the same score" if is_flat(x) else ""


def permuted_orders(
    n: int, *, n_permutations: int = PERMUTATIONS, seed: int = DEFAULT_SEED, blocks: npt.ArrayLike | None = None
) -> npt.NDArray[np.intp]:
    """Random orders of n countries, (B, n) indices; with blocks (n,) countries trade places within their block only."""
    rng = np.random.default_rng(seed)
    orders = np.tile(np.arange(n), (n_permutations, 1))
    if blocks is None:
        return rng.permuted(orders, axis=1)
    labels = np.asarray(blocks)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        orders[:, members] = rng.permuted(orders[:, members], axis=1)
    return orders


def permutation_test(
    Y: npt.ArrayLike,
    N: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    statistic: Statistic = "pearson",
    regions: Sequence[str] | None = None,
    orders: npt.NDArray[np.intp] | None = None,
    n_permutations: int = PERMUTATIONS,
    seed: int = DEFAULT_SEED,
) -> PermutationTest:
    """Permute scores over countries: does alignment with *these* prompts exceed chance?

    Unit of permutation: countries; prompts are held fixed, so the claim is about them alone. Y, N: (K, J), x: (J,).
    orders: (B, J') from `permuted_orders` for the J' countries with answers and scores, so that cells can share them.
    regions: J names; scores then trade places within a region only, which tests alignment inside regions and holds its size where
    neighbouring countries resemble each other (Galton's problem). docs/methods.md, "Permutation".
    """
    counts = usable_counts(Y, N, x)
    blocks = None if regions is None else np.asarray(regions)[counts.countries_kept]
    n = len(counts.x)
    informative = n if blocks is None else sum(int(c) for c in np.unique(blocks, return_counts=True)[1] if c > 1)
    problem = why_no_correlation(counts.Y, counts.N, counts.x)
    if problem:
        return PermutationTest(None, None, 0, informative, False, problem)
    p = shares(counts.Y, counts.N)
    a, b = (counts.x, p) if statistic == "pearson" else (mid_ranks(counts.x), mid_ranks(p))
    a = (a - a.mean()) / a.std() / n
    b = (b - b.mean()) / b.std()
    r = float(a @ b)
    if not informative:
        return PermutationTest(r, None, 0, 0, False, "every country is alone in its region")
    if orders is None:
        orders = permuted_orders(n, n_permutations=n_permutations, seed=seed, blocks=blocks)
    elif orders.shape[1] != n:
        raise ValueError(f"orders are of {orders.shape[1]} countries, but {n} have answers and scores")
    return PermutationTest(r, tail_share(np.abs(a[orders] @ b), abs(r)), len(orders), informative, True, "")


def tail_share(null: Array, observed: float) -> float:
    """(1 + draws of the null at or above the observed value) / (1 + draws), equal up to rounding counting as equal.

    Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, article 39: a permutation p is never 0.
    """
    return float((1 + np.count_nonzero(null >= observed - 1e-12)) / (1 + len(null)))
