"""Unusable answers: worst cases that no completion of the data can leave."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditkit.stats.correlate import pearson
from auditkit.stats.unusable import largest_r, share_bounds, unusable_answers


def test_share_bounds_count_every_unusable_answer_both_ways():
    """Ten answers, three of them unusable and four for the first pole, put the share between .4 and .7."""
    result = share_bounds([[4]], [[7]], [[10]])
    assert (result.low, result.high, result.unusable) == pytest.approx((0.4, 0.7, 0.3))
    assert share_bounds([[0]], [[0]], [[0]]).reason == "no answers"


@pytest.mark.parametrize("seed", range(6))
def test_no_completion_exceeds_the_bound(seed):
    """Random completions stay below the largest r, and local improvement from the best of them comes close to it."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 100, 8).astype(float)
    low = rng.random(8) * 0.6
    high = low + rng.random(8) * 0.3
    bound, certain = largest_r(x, low, high)
    inside = low + (high - low) * rng.random((20_000, 8))
    r = pearson(x, inside)
    assert r.max() <= bound + 1e-9
    p, step = inside[r.argmax()], 0.1
    for _ in range(4_000):
        trial = np.clip(p + step * rng.normal(0, 1, 8) * (high - low), low, high)
        if pearson(x, trial) > pearson(x, p):
            p = trial
        step = max(1e-3, step * 0.999)
    assert float(pearson(x, p)) == pytest.approx(bound, abs=5e-3)
    assert certain == (float((x - x.mean()) @ np.where(x > x.mean(), high, low)) > 0)


def test_where_every_completion_is_negative_the_best_corner_is_found():
    """For a box in which all r are negative the search finds the best of all corners, and does not call it proved."""
    x = np.arange(9.0)
    low = 0.9 - 0.1 * x
    high = low + np.array([0.02, 0.0, 0.05, 0.01, 0.03, 0.02, 0.04, 0.01, 0.05])
    bound, certain = largest_r(x, low, high)
    corners = np.array(list(itertools.product(*zip(low, high, strict=True))))
    assert not certain
    assert bound == pytest.approx(float(pearson(x, corners).max()))


def test_without_unusable_answers_all_rules_agree():
    """With every answer usable the three rules and both bounds are the plain r."""
    rng = np.random.default_rng(1)
    N, x = np.full((10, 12), 2), rng.normal(50, 20, 12)
    Y = rng.binomial(N, 0.4)
    result = unusable_answers(Y, N, N, x)
    r = np.corrcoef(x, Y.sum(axis=0))[0, 1]
    assert (result.dropped, result.as_second, result.half, result.low, result.high) == pytest.approx((r,) * 5, abs=1e-6)
    assert (result.unusable, result.rate_r, result.rate_p) == (0.0, None, None)


def test_refusals_that_follow_the_scores_are_seen():
    """Refusal rates that rise with the score have a large correlation and a small p, and move the rules apart."""
    rng = np.random.default_rng(2)
    x = np.linspace(0, 100, 30)
    T = np.ones((60, 30), dtype=int)
    N = rng.binomial(T, np.tile(0.95 - 0.004 * x, (60, 1)))
    Y = rng.binomial(N, 0.5)
    result = unusable_answers(Y, N, T, x)
    assert result.rate_r > 0.7
    assert result.rate_p < 0.01
    assert result.as_second < -0.5
    assert result.low < result.as_second < result.dropped < result.high
    assert len(result.by_country) == result.n_countries == 30


@given(st.integers(0, 10_000), st.integers(0, 9), st.integers(0, 4), st.sampled_from([0.0, 0.3, 1.0]))
@settings(deadline=None, max_examples=80)
def test_any_counts_give_bounds_around_every_rule_or_a_reason(seed, n_countries, n_prompts, missing):
    """low <= each rule over the same countries <= high, all within [-1, 1]; degenerate tables give a reason and no NaN."""
    rng = np.random.default_rng(seed)
    T = rng.integers(0, 3, (n_prompts, n_countries))
    N = rng.binomial(T, 1 - missing)
    Y = rng.binomial(N, 0.5)
    x = rng.integers(0, 5, n_countries).astype(float)
    result = unusable_answers(Y, N, T, x, n_permutations=50)
    assert result.estimable == (result.reason == "")
    figures = [
        result.unusable,
        result.rate_r,
        result.rate_p,
        result.dropped,
        result.as_second,
        result.half,
        result.low,
        result.high,
    ]
    assert not any(f is not None and math.isnan(f) for f in figures)
    if result.estimable:
        assert -1 <= result.low <= result.high <= 1
        # a corner search may miss the far end of a one-signed box, never by being outside it
        for rule in (result.as_second, result.half):
            assert rule is None or result.low - 1e-6 <= rule <= result.high + 1e-6
