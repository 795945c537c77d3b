"""Groups of countries: shares, alignment, and what a subgroup could show at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from auditkit.stats.cells import shares
from auditkit.stats.groups import group_alignments, group_shares


def simulated(seed, shift=0.0, rise=0.0):
    """30 prompts x 36 countries in three groups of twelve; the third group's logit is moved, and scores rise with the group."""
    rng = np.random.default_rng(seed)
    group = np.repeat(["high", "low", "mid"], 12)
    x = rng.normal(50, 15, 36) + rise * (group == "low")
    logit = rng.normal(0, 1, (30, 1)) + rng.normal(0, 0.3, 36) + shift * (group == "low")
    return rng.binomial(1, 1 / (1 + np.exp(-logit))), np.ones((30, 36)), x, list(group)


def test_group_f_is_the_one_way_analysis_of_variance():
    """F equals scipy's, and its permutation p is close to the p of the F distribution."""
    Y, N, _, groups = simulated(0, shift=0.3)
    p = shares(Y, N)
    reference = stats.f_oneway(p[:12], p[12:24], p[24:])
    result = group_shares(Y, N, groups)
    assert result.f == pytest.approx(reference.statistic)
    assert result.p == pytest.approx(reference.pvalue, abs=0.02)
    assert result.means == pytest.approx((p[:12].mean(), p[12:24].mean(), p[24:].mean()))
    assert (result.names, result.n_countries, result.adjusted_f) == (("high", "low", "mid"), (12, 12, 12), None)


def test_adjusting_takes_out_what_the_score_explains():
    """Shares that follow the score, which differs between groups, differ plainly and not after adjustment."""
    rng = np.random.default_rng(3)
    group = np.repeat(["high", "low", "mid"], 12)
    x = 50 + 30 * (group == "low") + rng.normal(0, 10, 36)
    N = np.full((1, 36), 400)
    Y = rng.binomial(N, 0.005 * x)
    result = group_shares(Y, N, list(group), x)
    assert result.p < 0.01
    assert result.adjusted_p > 0.05
    design = np.column_stack([np.ones(36), x, group == "low", group == "mid"]).astype(float)
    p = shares(Y, N)
    left = [np.sum((p - d @ np.linalg.lstsq(d, p, rcond=None)[0]) ** 2) for d in (design[:, :2], design)]
    assert result.adjusted_f == pytest.approx((left[0] - left[1]) / 2 / (left[1] / 32))


def test_alignment_by_group_equals_the_sum_over_groups():
    """q is the weighted spread of atanh r over groups, with its chi-square p."""
    Y, N, x, groups = simulated(1)
    result = group_alignments(Y, N, x, groups)
    p = shares(Y, N)
    z = [math.atanh(np.corrcoef(x[i : i + 12], p[i : i + 12])[0, 1]) for i in (0, 12, 24)]
    assert result.q == pytest.approx(9 * sum((v - np.mean(z)) ** 2 for v in z))
    assert result.p == pytest.approx(stats.chi2.sf(result.q, 2))


def test_twelve_countries_against_twelve_show_very_little():
    """The detectable difference of two groups of twelve is 1.32 in atanh r: nothing against .87."""
    Y, N, x, groups = simulated(1)
    result = group_alignments(Y, N, x, groups)
    assert result.detectable == pytest.approx((1.32,) * 3, abs=0.005)
    assert math.tanh(result.detectable[0]) == pytest.approx(0.87, abs=0.005)


def test_groups_that_cannot_be_compared_have_a_reason():
    """One group, tiny groups, no answers and constant shares give words, never a figure or a warning."""
    Y, N, x, groups = simulated(2)
    assert group_shares(Y, N, ["a"] * 36).reason == "fewer than two groups with answers"
    assert group_shares(0 * Y, N, groups).reason == "all countries have the same share"
    assert not group_shares(0 * Y, 0 * N, groups).estimable
    assert not group_shares(Y[:, :3], N[:, :3], ["a", "b", "b"]).estimable
    tiny = group_alignments(Y, N, x, [f"g{j // 3}" for j in range(36)])
    assert (tiny.q, tiny.estimable) == (None, False)
    assert set(tiny.detectable) == {None}
    separated = np.repeat([[0, 1]], 3, axis=1).repeat(2, axis=0)
    assert group_shares(separated, np.ones((2, 6)), list("aaabbb")).reason == "groups explain everything"
    with pytest.raises(ValueError, match="groups for"):
        group_shares(Y, N, ["a"])
