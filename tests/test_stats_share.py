"""Overall shares, contrasts between modes, and pairs of countries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from auditkit.stats.contrast import alignment_difference, overlapping_correlation, share_difference, zou_interval
from auditkit.stats.correlate import alignment
from auditkit.stats.pairs import bonett_price, compare_pair, mcnemar_mid_p
from auditkit.stats.share import overall_share


def simulated(seed, n_prompts=25, n_countries=16, shift=0.0):
    """Counts with prompt and country effects."""
    rng = np.random.default_rng(seed)
    logit = shift + rng.normal(0, 1, (n_prompts, 1)) + rng.normal(0, 0.4, n_countries)
    N = rng.integers(1, 4, logit.shape)
    return rng.binomial(N, 1 / (1 + np.exp(-logit))), N


def test_share_interval_equals_the_formula_in_loops():
    """The interval is the two-way formula of the methods page on the logit scale."""
    Y, N = simulated(0)
    K, J = Y.shape
    p = Y.sum() / N.sum()
    E = [[(Y[k][j] - N[k][j] * p) / N.sum() for j in range(J)] for k in range(K)]
    prompts = K / (K - 1) * sum(sum(row) ** 2 for row in E)
    countries = J / (J - 1) * sum(sum(E[k][j] for k in range(K)) ** 2 for j in range(J))
    variance = prompts + countries - sum(e**2 for row in E for e in row)
    half = stats.t(J - 1).ppf(0.975) * math.sqrt(variance) / (p * (1 - p))
    result = overall_share(Y, N)
    assert result.value == pytest.approx(p)
    limits = [1 / (1 + math.exp(-(math.log(p / (1 - p)) + sign * half))) for sign in (-1, 1)]
    assert [result.low, result.high] == pytest.approx(limits)
    assert result.design_effect == pytest.approx(variance / (p * (1 - p) / N.sum()))


def test_dependent_answers_are_worth_less_than_their_number():
    """Asking the same pair a hundred times instead of once does not narrow the interval: the design effect takes it back."""
    Y, N = simulated(1)
    once, often = overall_share(Y, N), overall_share(100 * Y, 100 * N)
    assert (once.low, once.high) == pytest.approx((often.low, often.high))
    assert often.design_effect == pytest.approx(100 * once.design_effect)


def test_a_single_prompt_or_country_is_noted():
    """With one side single, the other alone is the sample, and the note says which."""
    Y, N = simulated(2)
    assert overall_share(Y[:1], N[:1]).note == "one prompt: holds for this prompt only"
    assert overall_share(Y[:, :1], N[:, :1]).note == "one country"
    assert overall_share(Y[:1, :1], N[:1, :1]).reason


def test_unanimous_answers_keep_their_share_without_limits():
    """A share of 0 or 1 is reported, its interval is not."""
    ones = np.ones((5, 6))
    result = overall_share(ones, ones)
    assert (result.value, result.low, result.high, result.reason) == (1.0, None, None, "all answers alike")
    assert overall_share(0 * ones, ones).value == 0.0


# ------------------------------------------------------------------------------------------------------------------- contrasts


def test_zou_interval_of_the_papers_example():
    """Overlapping correlations .396 and .179 (third .088) at n = 66: limits -.093 and .517 (Zou 2007)."""
    half = stats.norm.ppf(0.975) / math.sqrt(63)
    limits = [(math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)) for r in (0.396, 0.179)]
    low, high = zou_interval(0.396, limits[0], 0.179, limits[1], overlapping_correlation(0.396, 0.179, 0.088))
    assert (low, high) == pytest.approx((-0.093, 0.517), abs=6e-4)


def test_difference_of_a_cell_with_itself_is_nothing():
    """r minus itself is 0 with p 1 and a bootstrap interval without width; Zou's has what the limits of r lack in symmetry."""
    Y, N = simulated(3)
    result = alignment_difference(Y, N, Y, N, np.arange(16.0), n_permutations=200)
    assert result.difference == 0
    assert result.swap_p == 1
    assert (result.bootstrap_low, result.bootstrap_high) == (0, 0)
    one = alignment(Y, N, np.arange(16.0))
    skew = abs((one.r - one.low) - (one.high - one.r))
    assert (result.low, result.high) == pytest.approx((-skew, skew))


def test_difference_changes_sign_with_the_order():
    """Exchanging the two modes mirrors the difference and its limits."""
    (Y1, N1), (Y2, N2), x = simulated(4), simulated(5), np.arange(16.0)
    ab = alignment_difference(Y1, N1, Y2, N2, x, n_permutations=500)
    ba = alignment_difference(Y2, N2, Y1, N1, x, n_permutations=500)
    assert (ab.difference, ab.low, ab.high) == pytest.approx((-ba.difference, -ba.high, -ba.low))
    assert ab.swap_p == pytest.approx(ba.swap_p)
    assert ab.low < ab.difference < ab.high


def test_opposite_alignments_are_told_apart():
    """One mode that follows the scores and one that goes against them differ beyond every interval."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 100, 30)
    N = np.ones((60, 30))
    up = rng.binomial(1, np.tile(0.2 + 0.006 * x, (60, 1)))
    down = rng.binomial(1, np.tile(0.8 - 0.006 * x, (60, 1)))
    result = alignment_difference(up, N, down, N, x)
    assert result.low > 1
    assert result.bootstrap_low > 1
    assert result.swap_p < 0.01


def test_share_difference_compares_like_with_like():
    """Pairs that one mode did not answer are left out of both shares; the rest equals the formula."""
    (Y1, N1), (Y2, N2) = simulated(6), simulated(7, shift=2.0)
    gap = N1.copy()
    gap[3, 4] = gap[5] = 0
    result = share_difference(np.minimum(Y1, gap), gap, Y2, N2)
    keep = gap > 0
    assert result.first == pytest.approx(Y1[keep].sum() / N1[keep].sum())
    assert result.second == pytest.approx(Y2[keep].sum() / N2[keep].sum())
    assert (result.n_pairs, result.n_prompts) == (keep.sum(), 24)
    assert result.low < result.difference < result.high < 0
    assert result.p < 0.01


def test_share_difference_with_one_unit_a_side_is_a_paired_t_test():
    """With one country and one answer a pair, limits and p are those of the paired t test over prompts."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (40, 1)), rng.integers(0, 2, (40, 1))
    result = share_difference(a, np.ones((40, 1)), b, np.ones((40, 1)))
    reference = stats.ttest_rel(a[:, 0], b[:, 0])
    assert result.p == pytest.approx(reference.pvalue)
    assert (result.low, result.high) == pytest.approx(tuple(reference.confidence_interval()))


# ------------------------------------------------------------------------------------------------------------------------ pairs


@pytest.mark.parametrize(("b", "c"), [(12, 5), (0, 0), (7, 7), (0, 9), (30, 41)])
def test_mid_p_is_the_binomial_tail_less_half_its_point(b, c):
    """Mid-p McNemar equals the exact two-sided p less the probability of the observed count."""
    binomial = stats.binom(b + c, 0.5)
    assert mcnemar_mid_p(b, c) == pytest.approx(min(1.0, 2 * binomial.cdf(min(b, c)) - binomial.pmf(min(b, c))))


def test_pair_of_countries():
    """Counts, shares, limits and p of 48 prompts with 12 and 5 discordant ones."""
    a = np.array([1] * 16 + [1] * 12 + [0] * 5 + [0] * 15 + [np.nan])
    b = np.array([1] * 16 + [0] * 12 + [1] * 5 + [0] * 15 + [1])
    result = compare_pair(a, b)
    assert (result.n_prompts, result.only_first, result.only_second) == (48, 12, 5)
    assert (result.first, result.second) == pytest.approx((28 / 48, 21 / 48))
    half = stats.norm.ppf(0.975) * math.sqrt((19 / 50 - (7 / 50) ** 2) / 50)
    assert (result.low, result.high) == pytest.approx((0.14 - half, 0.14 + half))
    assert result.similar is False
    assert bonett_price(0, 0, 5) == pytest.approx(tuple(sorted((-bonett_price(0, 0, 5)[0], -bonett_price(0, 0, 5)[1]))))


def test_similarity_needs_evidence():
    """Equal answers on ten prompts do not show similarity, on a thousand they do."""
    few, many = np.tile([0, 1], 5), np.tile([0, 1], 500)
    assert compare_pair(few, few).p == 1
    assert compare_pair(few, few).similar is False
    assert compare_pair(many, many).similar is True


def test_pairs_need_single_answers():
    """Fractions are refused: McNemar counts prompts."""
    with pytest.raises(ValueError, match="one answer a prompt"):
        compare_pair([0.5, 1], [1, 0])
