"""Many cells, one report: p values adjusted for a family that is declared before the run.

A cell that is not estimable (None) stays in the family: it counts as a test and keeps None.
"""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import DEFAULT_SEED, MIN_COUNTRIES, PERMUTATIONS
from auditkit.stats.correlate import pearson
from auditkit.stats.resample import permuted_orders

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from auditkit.stats.cells import Array


@dataclass(frozen=True)
class MaxT:
    """Westfall-Young results in the order of the cells; None where a cell cannot be tested.

    p: permutation p of each cell alone. adjusted: family-wise adjusted p. smallest: the least adjusted p, "any alignment at all?".
    """

    p: tuple[float | None, ...]
    adjusted: tuple[float | None, ...]
    smallest: float | None
    n_permutations: int
    estimable: bool
    reason: str


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p of Holm (1979, Scand. J. Stat. 6, 65-70): family-wise error, for claims."""
    p, known, order = _sorted_family(p_values)
    steps = np.minimum(1.0, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    return _back(steps, order, known)


def benjamini_hochberg(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """The q values of Benjamini & Hochberg (1995, J. R. Stat. Soc. B 57, 289-300): false discovery rate, for screening."""
    p, known, order = _sorted_family(p_values)
    steps = np.minimum(1.0, np.minimum.accumulate((len(p) / np.arange(1, len(p) + 1) * p[order])[::-1])[::-1])
    return _back(steps, order, known)


def _sorted_family(
    p_values: Sequence[float | None],
) -> tuple[Array, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """The p values with 1 for the unknown, which are known, and the order from the smallest."""
    p = np.array([np.nan if value is None else value for value in p_values], dtype=np.float64)
    known = np.isfinite(p)
    if np.any((p[known] < 0) | (p[known] > 1)):
        raise ValueError("p values lie between 0 and 1")
    p = np.where(known, p, 1.0)
    return p, known, np.argsort(p, kind="stable")


def _back(steps: Array, order: npt.NDArray[np.intp], known: npt.NDArray[np.bool_]) -> tuple[float | None, ...]:
    adjusted = np.empty(len(steps))
    adjusted[order] = steps
    return tuple(float(value) if ok else None for value, ok in zip(adjusted, known, strict=True))


def max_t(X: npt.ArrayLike, P: npt.ArrayLike, *, n_permutations: int = PERMUTATIONS, seed: int = DEFAULT_SEED) -> MaxT:
    """Step-down maxT over cells, with one joint permutation of countries for all of them.

    Unit of permutation: countries; the cells keep their dependence. X, P: (cells, J) scores and shares, the same J countries in the
    same order, NaN where a cell lacks one. The statistic is |atanh r| sqrt(n - 3), comparable between cells of different n.
    Westfall & Young 1993, "Resampling-Based Multiple Testing"; docs/methods.md, "Many cells".
    """
    scores = np.asarray(X, dtype=np.float64)
    share = np.asarray(P, dtype=np.float64)
    if scores.ndim != 2 or scores.shape != share.shape:
        raise ValueError(
            f"X and P must be matrices (cells, countries) of one shape, not {scores.shape} and {share.shape}"
        )
    n_cells, n_countries = scores.shape

    def statistic(cell: int, orders: npt.NDArray[np.intp]) -> Array:
        drawn = scores[cell][orders]
        both = np.isfinite(drawn) & np.isfinite(share[cell])
        r = pearson(np.where(both, drawn, 0.0), np.where(both, share[cell], 0.0), both.astype(np.float64))
        n = both.sum(axis=1)
        z = np.arctanh(np.clip(np.abs(r), 0.0, 1 - 1e-12)) * np.sqrt(np.maximum(n - 3, 0))
        return np.where(n >= MIN_COUNTRIES, z, np.nan)

    observed = np.array([statistic(c, np.arange(n_countries)[None])[0] for c in range(n_cells)])
    tested = np.flatnonzero(np.isfinite(observed))
    nothing: tuple[float | None, ...] = (None,) * n_cells
    if not len(tested):
        return MaxT(nothing, nothing, None, 0, False, "no cell has four countries with shares that vary")
    orders = permuted_orders(n_countries, n_permutations=n_permutations, seed=seed)
    order = tested[np.argsort(-observed[tested], kind="stable")]
    null = np.column_stack([np.nan_to_num(statistic(c, orders), nan=0.0) for c in order])
    target = observed[order] - 1e-12
    alone = (1 + (null >= target).sum(axis=0)) / (n_permutations + 1)
    largest_left = np.maximum.accumulate(null[:, ::-1], axis=1)[:, ::-1]
    stepped = np.maximum.accumulate((1 + (largest_left >= target).sum(axis=0)) / (n_permutations + 1))
    p, adjusted = list(nothing), list(nothing)
    for position, cell in enumerate(order):
        p[cell], adjusted[cell] = float(alone[position]), float(stepped[position])
    return MaxT(tuple(p), tuple(adjusted), float(stepped[0]), n_permutations, True, "")
