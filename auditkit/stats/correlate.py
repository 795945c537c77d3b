"""Alignment: does the share of the first pole follow the country scores?

The unit is the country (J of them), never the answer: repeating every country once a prompt turns 36 points into 1,800 rows and
makes two thirds of all null results look significant at .001. Prompts are a sample too, and the default interval says so.
"""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auditkit.stats import MIN_COUNTRIES
from auditkit.stats.cells import Array, shares, usable_counts

_FLAT = 1e-14  # a variance below this (of centred shares, or of scores in units of their range) is rounding


@dataclass(frozen=True)
class Alignment:
    """Correlation between country scores and shares of the first pole, with its two-way interval and p value.

    n_countries and n_prompts are those used; dropped_countries had no usable answer or no score. country_variance and
    prompt_variance are the two parts of the variance of atanh r; df is infinite where a normal quantile was used.
    note: what the interval leaves out, if anything.
    """

    r: float | None
    low: float | None
    high: float | None
    p: float | None
    spearman: float | None
    n_countries: int
    n_prompts: int
    n_answers: int
    estimable: bool
    reason: str
    note: str = ""
    dropped_countries: int = 0
    country_variance: float | None = None
    prompt_variance: float | None = None
    df: float | None = None


def alignment(Y: npt.ArrayLike, N: npt.ArrayLike, x: npt.ArrayLike, *, level: float = 0.95) -> Alignment:
    """Pearson r of scores and shares with the default interval: closed form, countries and prompts both sampled.

    Unit of resampling: countries and prompts. Y, N: (K, J), first-pole and usable answers, where N may be 0. x: (J,) scores.

    Fisher's 1/(J-3) for sampled countries plus the variance of the prompts' own slopes: the prompt-cluster variance of r by the
    infinitesimal jackknife, less what single cells contribute to it, over (1-r^2)^2. Satterthwaite degrees of freedom; the normal
    quantile where the prompts add nothing. docs/methods.md, "Alignment".
    """
    counts = usable_counts(Y, N, x)
    y, n, scores = counts.Y, counts.N, counts.x
    n_prompts, n_countries = y.shape

    def result(r: float | None, rho: float | None, reason: str) -> Alignment:
        return Alignment(
            r, None, None, None, rho, n_countries, n_prompts, counts.n_answers, False, reason,
            dropped_countries=counts.dropped_countries,
        )  # fmt: skip

    if counts.n_answers == 0:
        return result(None, None, "no usable answers")
    if n_countries < MIN_COUNTRIES:
        return result(None, None, f"{n_countries} of the {MIN_COUNTRIES} countries that an interval needs")
    p = shares(y, n)
    r = float(pearson(scores, p))
    if math.isnan(r):
        return result(
            None, None, "all countries have the same share" if is_flat(p) else "all countries have the same score"
        )
    rho = float(spearman(scores, p))
    if 1 - abs(r) < 1e-12:
        return result(math.copysign(1.0, r), rho, "the shares lie exactly on a line")

    prompt_variance = prompt_slope_variance(y, n, scores)
    country_variance = 1 / (n_countries - 3)
    variance = country_variance + prompt_variance
    z = math.atanh(r)
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    if prompt_variance > 0:
        df = variance**2 / (country_variance**2 / (n_countries - 2) + prompt_variance**2 / (n_prompts - 1))
        quantile = float(stdtrit(df, 0.5 + level / 2))
        p_value = 2 * float(stdtr(df, -abs(z) / math.sqrt(variance)))
    else:
        df = math.inf
        quantile = float(ndtri(0.5 + level / 2))
        p_value = 2 * float(ndtr(-abs(z) / math.sqrt(variance)))
    half = quantile * math.sqrt(variance)
    return Alignment(
        r=r,
        low=math.tanh(z - half),
        high=math.tanh(z + half),
        p=p_value,
        spearman=rho,
        n_countries=n_countries,
        n_prompts=n_prompts,
        n_answers=counts.n_answers,
        estimable=True,
        reason="",
        note="one prompt: holds for this prompt only" if n_prompts == 1 else "",
        dropped_countries=counts.dropped_countries,
        country_variance=country_variance,
        prompt_variance=prompt_variance,
        df=df,
    )


def prompt_slope_variance(Y: Array, N: Array, x: Array) -> float:
    """What sampling prompts adds to the variance of atanh r, at least 0; 0 with one prompt, where it cannot be seen.

    Unit of resampling: prompts. Y, N: (K, J) with answers in every row and column, x: (J,); r must be defined and inside (-1, 1).
    docs/methods.md, "Alignment".
    """
    n_prompts, n_countries = Y.shape
    if n_prompts < 2:
        return 0.0
    p = shares(Y, N)
    r = float(pearson(x, p))
    spread = float(p.std())
    slope = ((x - x.mean()) / x.std() - r * (p - p.mean()) / spread) / (n_countries * spread)  # dr/dp_j, sums to 0
    # A prompt's main effect moves all countries alike and cancels in r; left in the residual it would be subtracted below.
    prompt_effect = Y.sum(axis=1) / N.sum(axis=1) - Y.sum() / N.sum()
    influence = slope * (Y - N * (p + prompt_effect[:, None])) / N.sum(axis=0)
    by_prompt = influence.sum(axis=1)
    cluster = n_prompts / (n_prompts - 1) * float(((by_prompt - by_prompt.mean()) ** 2).sum())
    # Noise of single cells is already in 1/(J-3): country shares carry it.
    single = n_prompts / (n_prompts - 1) * n_countries / (n_countries - 1) * float((influence**2).sum())
    added = (cluster - single) / (1 - r * r) ** 2
    # rounding must not decide between the normal and the t quantile
    return added if added > 1e-12 else 0.0


# ---------------------------------------------------------------------------------------------------- correlation coefficients


def is_flat(values: Array) -> bool:
    """Whether values are all alike up to rounding."""
    return bool(np.var(values) <= _FLAT * max(1.0, float(np.max(np.abs(values))) ** 2))


def pearson(x: npt.ArrayLike, p: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """Weighted product-moment correlation along the last axis; NaN where either side does not vary.

    x: (J,) or (..., J); p: (..., J); weights: (..., J), default all 1 (a bootstrap passes how often each country was drawn).
    """
    if not np.shape(p)[-1]:
        return np.full(np.shape(p)[:-1], np.nan)
    a = _centred(x)
    b = _centred(p)
    if weights is None:
        a = a - a.mean(axis=-1, keepdims=True)
        b = b - b.mean(axis=-1, keepdims=True)
        covariance, var_a, var_b = (a * b).mean(axis=-1), (a * a).mean(axis=-1), (b * b).mean(axis=-1)
    else:
        w = np.asarray(weights, dtype=np.float64)
        total = w.sum(axis=-1)
        w = w / np.where(total > 0, total, 1.0)[..., None]
        wa, wb = w * a, w * b
        mean_a, mean_b = wa.sum(axis=-1), wb.sum(axis=-1)
        covariance = (wa * b).sum(axis=-1) - mean_a * mean_b
        var_a = (wa * a).sum(axis=-1) - mean_a**2
        var_b = (wb * b).sum(axis=-1) - mean_b**2
    defined = (var_a > _FLAT) & (var_b > _FLAT)
    scale = np.sqrt(np.where(defined, var_a * var_b, 1.0))
    r: Array = np.where(defined, np.clip(covariance / scale, -1.0, 1.0), np.nan)
    return r


def _centred(values: npt.ArrayLike) -> Array:
    """Values moved to their mean and, where they are larger than 1, divided by the largest: one tolerance then fits all scales."""
    a: Array = np.asarray(values, dtype=np.float64)
    a = a - a.mean()
    largest = float(np.max(np.abs(a)))
    return a / largest if largest > 1.0 else a


def spearman(x: npt.ArrayLike, p: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """Rank correlation along the last axis, with mid-ranks for ties; NaN where either side does not vary.

    Shapes as in `pearson`. With weights, ranks are those of the sample in which country j occurs w_j times.
    """
    a = np.asarray(x, dtype=np.float64)
    b = np.asarray(p, dtype=np.float64)
    if weights is None:
        return pearson(mid_ranks(a), mid_ranks(b))
    w = np.asarray(weights, dtype=np.float64)
    ranks_a = w @ (np.less.outer(a, a) + 0.5 * np.equal.outer(a, a)) + 0.5 if a.ndim == 1 else mid_ranks(a, w)
    return pearson(ranks_a, mid_ranks(b, w), w)


def mid_ranks(values: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """Ranks from 1 along the last axis, ties sharing their mean; with weights, item j stands for w_j equal items.

    values: (..., J), weights: broadcastable to it. One sort a row, so J log J and not J^2 work.
    """
    v = np.asarray(values, dtype=np.float64)
    w = np.ones_like(v) if weights is None else np.asarray(weights, dtype=np.float64)
    v, w = np.broadcast_arrays(v, w)
    if not v.size:
        return np.empty(v.shape)
    n = v.shape[-1]
    order = (np.argsort(v.reshape(-1, n), axis=-1) + np.arange(0, v.size, n)[:, None]).ravel()
    w_sorted = w.ravel()[order]
    first_of_tie = np.empty(v.size, dtype=bool)
    first_of_tie[1:] = np.diff(v.ravel()[order]) > 1e-12
    first_of_tie[::n] = True
    tie = np.cumsum(first_of_tie) - 1
    size = np.bincount(tie, w_sorted)
    in_row = w_sorted.reshape(-1, n).sum(axis=1)
    ranks: Array = np.empty(v.size)
    ranks[order] = (np.cumsum(size) - size / 2)[tie] + 0.5  # over all rows: what earlier rows hold is taken off below
    ranks = ranks.reshape(-1, n) - (np.cumsum(in_row) - in_row)[:, None]
    return ranks.reshape(v.shape)
