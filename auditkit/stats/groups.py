"""Groups of countries, such as the resource levels of their languages: exploratory, a family of its own."""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import DEFAULT_SEED, MIN_COUNTRIES, PERMUTATIONS
from auditkit.stats.cells import Array, shares, usable_counts
from auditkit.stats.correlate import Alignment, alignment, is_flat
from auditkit.stats.resample import permuted_orders, tail_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


@dataclass(frozen=True)
class GroupShares:
    """Do groups of countries differ in their share? means: mean country share of each group.

    p: permutation p of the F statistic. adjusted_p: the same after the score has been taken out (groups and scores are related).
    """

    names: tuple[str, ...]
    n_countries: tuple[int, ...]
    means: tuple[float, ...]
    f: float | None
    p: float | None
    adjusted_f: float | None
    adjusted_p: float | None
    estimable: bool
    reason: str


@dataclass(frozen=True)
class GroupAlignments:
    """r within each group, and whether the groups' r differ more than chance: q on df degrees of freedom.

    detectable: for every two groups in order (1-2, 1-3, ..., 2-3, ...), the difference of atanh r that would be found four times in
    five; print it beside the r, which mean little without it.
    """

    names: tuple[str, ...]
    alignments: tuple[Alignment, ...]
    q: float | None
    df: int
    p: float | None
    detectable: tuple[float | None, ...]
    estimable: bool
    reason: str


def group_shares(
    Y: npt.ArrayLike,
    N: npt.ArrayLike,
    groups: Sequence[str],
    x: npt.ArrayLike | None = None,
    *,
    n_permutations: int = PERMUTATIONS,
    seed: int = DEFAULT_SEED,
) -> GroupShares:
    """One-way F over country shares with a permutation p, plain and adjusted for the score.

    Unit of permutation: countries. Y, N: (K, J), groups: J names, x: (J,) scores or None for no adjustment. Adjusted: residuals of
    the regression on the score are permuted and fitted again (Freedman & Lane 1983, J. Bus. Econ. Stat. 1, 292-298).
    """
    counts = usable_counts(Y, N, x)
    labels = np.asarray(groups, dtype=object)
    if labels.shape != counts.countries_kept.shape:
        raise ValueError(f"{len(labels)} groups for {len(counts.countries_kept)} countries")
    labels = labels[counts.countries_kept]
    names = tuple(sorted(set(labels)))
    p = shares(counts.Y, counts.N)
    sizes = tuple(int((labels == name).sum()) for name in names)
    means = tuple(float(p[labels == name].mean()) for name in names)

    def without(reason: str) -> GroupShares:
        return GroupShares(names, sizes, means, None, None, None, None, estimable=False, reason=reason)

    if len(names) < 2:
        return without("fewer than two groups with answers")
    if len(p) < len(names) + 2:
        return without("too few countries for the number of groups")
    if is_flat(p):
        return without("all countries have the same share")
    indicators = np.column_stack([labels == name for name in names]).astype(np.float64)
    orders = permuted_orders(len(p), n_permutations=n_permutations, seed=seed)
    constant = np.ones((len(p), 1))
    f, f_p = _permuted_f(p, constant, indicators, orders)
    adjusted_f, adjusted_p = None, None
    if x is not None and not is_flat(counts.x):
        base = np.column_stack([constant, (counts.x - counts.x.mean()) / counts.x.std()])
        adjusted_f, adjusted_p = _permuted_f(p, base, np.column_stack([indicators, base[:, 1]]), orders)
    return GroupShares(
        names, sizes, means, f, f_p, adjusted_f, adjusted_p, estimable=f is not None, reason="" if f is not None else "groups explain everything"
    )  # fmt: skip


def _permuted_f(p: Array, base: Array, full: Array, orders: npt.NDArray[np.intp]) -> tuple[float | None, float | None]:
    """F of the full design (J, b) against the base (J, a), and its Freedman-Lane permutation p; None where it is not defined."""
    project_base, rank_base = _projection(base)
    project_full, rank_full = _projection(full)
    df1, df2 = rank_full - rank_base, len(p) - rank_full
    if df1 < 1 or df2 < 1:
        return None, None

    def statistic(values: Array) -> Array:
        left_base = ((values - values @ project_base) ** 2).sum(axis=-1)
        left_full = ((values - values @ project_full) ** 2).sum(axis=-1)
        tiny = left_full <= 1e-14 * np.maximum(left_base, 1e-300)
        f: Array = np.where(tiny, np.inf, (left_base - left_full) / df1 / np.where(tiny, 1.0, left_full / df2))
        return f

    observed = float(statistic(p))
    if not math.isfinite(observed):
        return None, None
    fitted = p @ project_base
    # fitted values of the base stay, as base and full both take them out again
    return observed, tail_share(statistic(fitted + (p - fitted)[orders]), observed * (1 - 1e-10))


def _projection(design: Array) -> tuple[Array, int]:
    """The matrix that projects onto the columns of a design (J, c), and its rank."""
    u, singular, _ = np.linalg.svd(design, full_matrices=False)
    rank = int((singular > 1e-10 * singular[0]).sum())
    return u[:, :rank] @ u[:, :rank].T, rank


def group_alignments(
    Y: npt.ArrayLike,
    N: npt.ArrayLike,
    x: npt.ArrayLike,
    groups: Sequence[str],
    *,
    level: float = 0.95,
    power: float = 0.8,
) -> GroupAlignments:
    """Alignment within groups of countries, and the test that all groups have one r.

    Unit: countries. Y, N: (K, J), x: (J,), groups: J names. q = sum (n_g - 3)(z_g - mean z)^2 with the mean weighted by n_g - 3, over
    groups with four countries or more (Hedges & Olkin 1985, "Statistical Methods for Meta-Analysis", ch. 11). Detectable difference:
    (z_{level} + z_{power}) sqrt(1/(n_1 - 3) + 1/(n_2 - 3)).
    """
    y, n, scores = np.asarray(Y, dtype=np.float64), np.asarray(N, dtype=np.float64), np.asarray(x, dtype=np.float64)
    labels = np.asarray(groups, dtype=object)
    if labels.shape != scores.shape:
        raise ValueError(f"{len(labels)} groups for {len(scores)} countries")
    names = tuple(sorted(set(labels)))
    found = tuple(alignment(y[:, labels == g], n[:, labels == g], scores[labels == g], level=level) for g in names)

    from scipy.special import chdtrc, ndtri

    reach = float(ndtri(0.5 + level / 2) + ndtri(power))
    weights = [max(a.n_countries - 3, 0) for a in found]
    detectable = tuple(
        reach * math.sqrt(1 / weights[a] + 1 / weights[b]) if weights[a] and weights[b] else None
        for a in range(len(names))
        for b in range(a + 1, len(names))
    )
    known = [(w, math.atanh(a.r)) for w, a in zip(weights, found, strict=True) if a.estimable and a.r is not None]
    if len(known) < 2:
        reason = f"fewer than two groups with an r (it needs {MIN_COUNTRIES} countries)"
        return GroupAlignments(names, found, None, 0, None, detectable, estimable=False, reason=reason)
    mean = sum(w * z for w, z in known) / sum(w for w, _ in known)
    q, df = sum(w * (z - mean) ** 2 for w, z in known), len(known) - 1
    return GroupAlignments(names, found, q, df, float(chdtrc(df, q)), detectable, estimable=True, reason="")
