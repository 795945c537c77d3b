"""Shares corrected for a judge's errors."""

from __future__ import annotations

import numpy as np
import pytest

from auditkit.stats.correct import prediction_powered_share, rogan_gladen_share


def judged(rng, n, share=0.6, sensitivity=0.95, specificity=0.82, prompts=None):
    """Truth and judge's labels of n answers; with prompts, the share differs between them."""
    level = share if prompts is None else np.clip(share + 0.25 * np.sin(prompts), 0, 1)
    truth = rng.random(n) < level
    return truth.astype(int), np.where(truth, rng.random(n) < sensitivity, rng.random(n) > specificity).astype(int)


def test_ppi_equals_its_formula():
    """Share, weight and limits are those of the formula in the docstring."""
    rng = np.random.default_rng(0)
    y, f = judged(rng, 150)
    _, rest = judged(rng, 2_000)
    weight = np.cov(y, f, ddof=0)[0, 1] / ((1 + 150 / 2_000) * np.var([*f, *rest]))
    value = weight * rest.mean() + np.mean(y - weight * f)
    half = 1.959963984540054 * np.sqrt(weight**2 * rest.var() / 2_000 + np.var(y - weight * f) / 150)
    result = prediction_powered_share(y, f, rest)
    assert result.judge_weight == pytest.approx(weight)
    assert (result.value, result.low, result.high) == pytest.approx((value, value - half, value + half))


def test_a_useless_judge_is_not_listened_to():
    """Labels that have nothing to do with the truth get a weight near 0, and the share is that of the people."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    result = prediction_powered_share(y, 1 - y, rng.integers(0, 2, 4_000))
    assert result.judge_weight == 0
    assert result.value == pytest.approx(y.mean())


def test_corrections_remove_the_judges_bias():
    """A judge that overstates the share by four points is set right by both, with narrower limits than labels alone would give."""
    rng = np.random.default_rng(2)
    hits, errors, raw_errors = np.zeros(2), np.zeros(2), 0.0
    for _ in range(200):
        y, f = judged(rng, 200)
        _, rest = judged(rng, 2_000)
        ppi = prediction_powered_share(y, f, rest)
        rg = rogan_gladen_share(
            int(rest.sum()), 2_000, int(f[y == 1].sum()), int(y.sum()), int((1 - f[y == 0]).sum()), int((1 - y).sum())
        )
        hits += [ppi.low <= 0.6 <= ppi.high, rg.low <= 0.6 <= rg.high]
        errors += [(ppi.value - 0.6) ** 2, (rg.value - 0.6) ** 2]
        raw_errors += (rest.mean() - 0.6) ** 2
    assert np.all(hits / 200 > 0.9)
    assert np.all(np.sqrt(errors / 200) < 0.035)
    assert np.sqrt(raw_errors / 200) > 0.04


def test_prompts_as_clusters_widen_the_limits():
    """Where prompts differ in level, resampling prompts gives wider limits around the same share."""
    rng = np.random.default_rng(3)
    mine, other = rng.integers(0, 30, 200), rng.integers(0, 30, 3_000)
    y, f = judged(rng, 200, prompts=mine)
    _, rest = judged(rng, 3_000, prompts=other)
    plain = prediction_powered_share(y, f, rest)
    clustered = prediction_powered_share(y, f, rest, prompts=list(mine), unlabelled_prompts=list(other))
    assert clustered.value == pytest.approx(plain.value)
    assert clustered.high - clustered.low > plain.high - plain.low


def test_a_perfect_judge_is_left_alone():
    """With Se = Sp = 1 the corrected share is the raw one."""
    result = rogan_gladen_share(30, 100, 50, 50, 50, 50)
    assert result.value == pytest.approx(result.raw) == pytest.approx(0.3)
    assert result.low < 0.3 < result.high


def test_what_cannot_be_corrected_has_a_reason():
    """No labels, labels of one pole, a judge at chance and labels all alike give words and no limits."""
    assert prediction_powered_share([], [], [1, 0]).reason == "fewer than two labels"
    assert prediction_powered_share([1, 0], [1, 0], []).reason == "no answers without a label"
    assert prediction_powered_share([1, 1], [1, 1], [1, 1]).reason == "all labels alike"
    same = prediction_powered_share([1, 0], [1, 0], [1, 0], prompts=["q", "q"], unlabelled_prompts=["q", "q"])
    assert not same.estimable
    assert rogan_gladen_share(5, 10, 5, 10, 5, 10).reason == "the judge is no better than chance"
    assert rogan_gladen_share(5, 10, 5, 5, 0, 0).reason == "labels of one pole only"
    assert rogan_gladen_share(0, 0, 5, 5, 5, 5).reason == "no answers"
    with pytest.raises(ValueError, match="0 and 1"):
        prediction_powered_share([0.5], [1], [1])
