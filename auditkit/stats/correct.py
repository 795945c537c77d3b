"""Shares corrected for a judge's errors with the help of human labels.

The labelled answers must be a simple random sample of those that the share speaks of, or of each stratum that is corrected alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats import BOOTSTRAP_RESAMPLES, DEFAULT_SEED

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    from auditkit.stats.cells import Array


@dataclass(frozen=True)
class CorrectedShare:
    """A share after correction, with limits. raw: the judge's own share. judge_weight: how far the judge was trusted (PPI++), 0 to 1."""

    value: float | None
    low: float | None
    high: float | None
    raw: float | None
    judge_weight: float | None
    n_labels: int
    n_judged: int
    estimable: bool
    reason: str


def prediction_powered_share(
    human: npt.ArrayLike,
    judge: npt.ArrayLike,
    unlabelled: npt.ArrayLike,
    *,
    prompts: Sequence[Hashable] | None = None,
    unlabelled_prompts: Sequence[Hashable] | None = None,
    level: float = 0.95,
    n_resamples: int = BOOTSTRAP_RESAMPLES,
    seed: int = DEFAULT_SEED,
) -> CorrectedShare:
    """PPI++ mean: human labels for level, the judge's labels for precision.

    human, judge: (n,) labels of the same answers, 1 first pole and 0 second; unlabelled: (N,) judge's labels of the other answers.
    lambda = cov(y, f) / ((1 + n/N) var f) within [0, 1]; share = lambda mean(F) + mean(y - lambda f), variance
    lambda^2 var(F)/N + var(y - lambda f)/n (Angelopoulos, Duchi & Zrnic 2023, arXiv 2311.01453).
    Unit of resampling: answers of *this run*, in closed form; with `prompts` and `unlabelled_prompts` (the prompt of each answer),
    whole prompts, labelled and unlabelled answers together, and the interval speaks of prompts like these, t(prompts - 1).
    Raises ValueError for labels other than 0 and 1 and for lengths that differ.
    """
    y, f, rest = (np.asarray(a, dtype=np.float64) for a in (human, judge, unlabelled))
    if y.ndim != 1 or y.shape != f.shape or rest.ndim != 1:
        raise ValueError("human and judge label the same answers; unlabelled is a vector")
    if not all(np.all((a == 0) | (a == 1)) for a in (y, f, rest)):
        raise ValueError("labels are 0 and 1; leave other outcomes out")
    if (prompts is None) != (unlabelled_prompts is None):
        raise ValueError("give the prompts of both or of neither")
    n, n_rest = len(y), len(rest)
    judged = np.concatenate([f, rest])
    raw = float(judged.mean()) if len(judged) else None
    if n < 2 or n_rest < 1:
        reason = "fewer than two labels" if n < 2 else "no answers without a label"
        return CorrectedShare(None, None, None, raw, None, n, n_rest, estimable=False, reason=reason)
    spread = float(judged.var())
    weight = 0.0
    if spread > 0:
        weight = min(1.0, max(0.0, float(np.cov(y, f, ddof=0)[0, 1]) / ((1 + n / n_rest) * spread)))
    error = y - weight * f
    value = weight * float(rest.mean()) + float(error.mean())

    from scipy.special import ndtri, stdtrit

    if prompts is None or unlabelled_prompts is None:
        variance = weight**2 * float(rest.var()) / n_rest + float(error.var()) / n
        quantile = float(ndtri(0.5 + level / 2))
    else:
        if len(prompts) != n or len(unlabelled_prompts) != n_rest:
            raise ValueError("one prompt an answer")
        drawn, n_prompts = _by_prompt(error, prompts, weight * rest, unlabelled_prompts, n_resamples, seed)
        if n_prompts < 2 or len(drawn) < 0.9 * n_resamples:
            reason = "labels from fewer than two prompts, or from too few of them"
            return CorrectedShare(value, None, None, raw, weight, n, n_rest, estimable=False, reason=reason)
        variance, quantile = float(drawn.var(ddof=1)), float(stdtrit(n_prompts - 1, 0.5 + level / 2))
    if variance <= 1e-15:
        return CorrectedShare(value, None, None, raw, weight, n, n_rest, estimable=False, reason="all labels alike")
    half = quantile * math.sqrt(variance)
    low, high = max(0.0, value - half), min(1.0, value + half)
    return CorrectedShare(min(1.0, max(0.0, value)), low, high, raw, weight, n, n_rest, estimable=True, reason="")


def _by_prompt(
    error: Array, prompts: Sequence[Hashable], weighted: Array, other: Sequence[Hashable], n_resamples: int, seed: int
) -> tuple[Array, int]:
    """The share in resamples of whole prompts that hold both kinds of answers, and the number of prompts with labels."""
    index = {prompt: i for i, prompt in enumerate(dict.fromkeys([*prompts, *other]))}
    size = len(index)

    def sums(values: Array, of: Sequence[Hashable]) -> Array:
        total: Array = np.bincount([index[prompt] for prompt in of], weights=values, minlength=size).astype(np.float64)
        return total

    draws = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=n_resamples).astype(np.float64)
    labelled, unlabelled = draws @ sums(np.ones(len(error)), prompts), draws @ sums(np.ones(len(weighted)), other)
    both = (labelled > 0) & (unlabelled > 0)
    share = (draws @ sums(weighted, other))[both] / unlabelled[both] + (draws @ sums(error, prompts))[both] / labelled[
        both
    ]
    return share, len(set(prompts))


def rogan_gladen_share(
    first: int, n: int, true_first: int, first_labels: int, true_second: int, second_labels: int, *, level: float = 0.95
) -> CorrectedShare:
    """(p + Sp - 1) / (Se + Sp - 1): the judge's share corrected by sensitivity and specificity from another sample.

    Unit: answers, independent, and human labels, independent of them. first of n answers are first pole to the judge; of first_labels
    human first poles it found true_first, of second_labels human second poles true_second. Rogan & Gladen 1978, Am. J. Epidemiol.
    107, 71-76; interval of Lang & Reiczigel 2014, Prev. Vet. Med. 113, 13-22. Not estimable where Se + Sp <= 1.
    """
    for count, of in ((first, n), (true_first, first_labels), (true_second, second_labels)):
        if not 0 <= count <= of:
            raise ValueError(f"{count} of {of} is not a proportion")
    labels = first_labels + second_labels

    def without(reason: str) -> CorrectedShare:
        return CorrectedShare(
            None, None, None, first / n if n else None, None, labels, n, estimable=False, reason=reason
        )

    if not n or not first_labels or not second_labels:
        return without("no answers" if not n else "labels of one pole only")
    sensitivity, specificity = true_first / first_labels, true_second / second_labels
    if sensitivity + specificity - 1 <= 1e-12:
        return without("the judge is no better than chance")

    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    p = (first + z**2 / 2) / (n + z**2)
    n_first, n_second = first_labels + 2, second_labels + 2
    se, sp = (true_first + 1) / n_first, (true_second + 1) / n_second
    if se + sp - 1 <= 1e-12:
        return without("too few labels to tell the judge from chance")
    share = (p + sp - 1) / (se + sp - 1)
    shift = 2 * z**2 * (share * se * (1 - se) / n_first - (1 - share) * sp * (1 - sp) / n_second)
    variance = (
        p * (1 - p) / (n + z**2) + (1 - share) ** 2 * sp * (1 - sp) / n_second + share**2 * se * (1 - se) / n_first
    )
    half = z * math.sqrt(variance) / (se + sp - 1)
    value = (first / n + specificity - 1) / (sensitivity + specificity - 1)
    low, high = (min(1.0, max(0.0, share + shift + sign * half)) for sign in (-1, 1))
    return CorrectedShare(min(1.0, max(0.0, value)), low, high, first / n, None, labels, n, estimable=True, reason="")
