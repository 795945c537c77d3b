"""Alignment, its interval, resampling, permutation and adjustment, against references written out here."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from auditkit.stats.cells import shares
from auditkit.stats.correlate import alignment, mid_ranks, pearson, spearman
from auditkit.stats.multiplicity import benjamini_hochberg, holm, max_t
from auditkit.stats.resample import bootstrap_interval, bootstrap_r, draw_resamples, permutation_test, permuted_orders


def simulated(seed, n_prompts=20, n_countries=12, *, slope=0.5, answers=2, missing=0.1):
    """Counts whose prompts differ in level and in slope on the score."""
    rng = np.random.default_rng(seed)
    x = rng.integers(5, 100, n_countries).astype(float)
    logit = rng.normal(0, 1, (n_prompts, 1)) + np.outer(rng.normal(0.3, slope, n_prompts), (x - x.mean()) / x.std())
    N = rng.binomial(answers, 1 - missing, logit.shape)
    return rng.binomial(N, 1 / (1 + np.exp(-logit))), N, x


@pytest.mark.parametrize("seed", range(5))
def test_r_equals_scipy(seed):
    """Pearson and Spearman over countries are those of scipy, ties included."""
    Y, N, x = simulated(seed)
    p = shares(Y, N)
    result = alignment(Y, N, x)
    assert result.r == pytest.approx(stats.pearsonr(x, p).statistic)
    assert result.spearman == pytest.approx(stats.spearmanr(x, p).statistic)
    assert (result.n_countries, result.n_prompts, result.n_answers) == (12, 20, N.sum())


def test_weights_mean_repeated_countries():
    """A weight of w equals w copies of the country, for both coefficients and for ranks."""
    rng = np.random.default_rng(3)
    x, p = rng.integers(0, 6, 9).astype(float), rng.integers(0, 4, 9) / 4
    w = np.array([2, 0, 1, 3, 1, 0, 1, 2, 1])
    assert pearson(x, p, w) == pytest.approx(stats.pearsonr(np.repeat(x, w), np.repeat(p, w)).statistic)
    assert spearman(x, p, w) == pytest.approx(stats.spearmanr(np.repeat(x, w), np.repeat(p, w)).statistic)
    np.testing.assert_allclose(np.repeat(mid_ranks(p, w), w), stats.rankdata(np.repeat(p, w)))
    np.testing.assert_allclose(spearman(x, np.stack([p, p]), np.stack([w, w])), float(spearman(x, p, w)))


@pytest.mark.parametrize(("seed", "slope"), [(0, 0.0), (1, 1.5), (2, 1.5), (3, 3.0)])
def test_interval_equals_the_formula_in_loops(seed, slope):
    """The vectorised two-way interval is the formula of the methods page, term by term."""
    Y, N, x = simulated(seed, slope=slope, answers=3, missing=0.0)
    K, J = Y.shape
    p = [sum(Y[k][j] for k in range(K)) / sum(N[k][j] for k in range(K)) for j in range(J)]
    q = [sum(Y[k]) / sum(N[k]) for k in range(K)]
    grand = Y.sum() / N.sum()
    r = np.corrcoef(x, p)[0, 1]
    g = [((x[j] - np.mean(x)) / np.std(x) - r * (p[j] - np.mean(p)) / np.std(p)) / (J * np.std(p)) for j in range(J)]
    D = [[(Y[k][j] - N[k][j] * (p[j] + q[k] - grand)) / N[:, j].sum() for j in range(J)] for k in range(K)]
    G = [sum(g[j] * D[k][j] for j in range(J)) for k in range(K)]
    v_prompts = K / (K - 1) * sum((value - np.mean(G)) ** 2 for value in G)
    v_cells = K / (K - 1) * J / (J - 1) * sum((g[j] * D[k][j]) ** 2 for k in range(K) for j in range(J))
    v_c, v_p = 1 / (J - 3), max(0, v_prompts - v_cells) / (1 - r**2) ** 2
    df = (v_c + v_p) ** 2 / (v_c**2 / (J - 2) + v_p**2 / (K - 1))
    reference = stats.t(df) if v_p > 0 else stats.norm
    half = reference.ppf(0.975) * math.sqrt(v_c + v_p)

    result = alignment(Y, N, x)
    assert result.prompt_variance == pytest.approx(v_p)
    assert (result.low, result.high) == pytest.approx(
        (math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))
    )
    assert result.p == pytest.approx(2 * reference.sf(abs(math.atanh(r)) / math.sqrt(v_c + v_p)))


def test_prompt_variance_is_close_to_leaving_prompts_out():
    """The cluster part of the closed form agrees with a jackknife that leaves out one prompt at a time."""
    Y, N, x = simulated(8, n_prompts=60, n_countries=30, slope=1.5, answers=4, missing=0.0)
    K = len(Y)
    z = [np.arctanh(pearson(x, shares(np.delete(Y, k, 0), np.delete(N, k, 0)))) for k in range(K)]
    jackknife = (K - 1) / K * np.sum((z - np.mean(z)) ** 2)
    result = alignment(Y, N, x)
    # the closed form leaves out what single cells contribute, which is small with strong prompt slopes
    assert 0.7 * jackknife < result.prompt_variance < 1.05 * jackknife


def test_without_prompt_slopes_the_interval_is_fishers():
    """Prompts that all answer alike add nothing, and the limits are tanh(atanh r +- 1.96/sqrt(J-3))."""
    rng = np.random.default_rng(0)
    x = rng.normal(50, 20, 15)
    row = rng.integers(0, 2, 15)
    result = alignment(np.tile(row, (8, 1)), np.ones((8, 15)), x)
    assert result.prompt_variance == pytest.approx(0, abs=1e-12)
    half = stats.norm.ppf(0.975) / math.sqrt(12)
    assert result.low == pytest.approx(math.tanh(math.atanh(result.r) - half), abs=1e-6)


def test_one_prompt_is_told():
    """With a single prompt the interval speaks for that prompt, and the note says so."""
    Y, N, x = simulated(1, n_prompts=1, missing=0.0)
    result = alignment(Y, N, x)
    assert result.estimable
    assert result.note == "one prompt: holds for this prompt only"


def test_countries_without_answers_or_scores_are_dropped_and_counted():
    """Empty columns and missing scores change nothing but the count."""
    Y, N, x = simulated(2)
    full = alignment(Y, N, x)
    Y2 = np.hstack([Y, np.zeros((20, 1)), Y[:, :1]])
    N2 = np.hstack([N, np.zeros((20, 1)), N[:, :1]])
    wide = alignment(Y2, N2, [*x, 50.0, np.nan])
    assert wide.dropped_countries == 2
    assert (wide.r, wide.low, wide.high, wide.p) == pytest.approx((full.r, full.low, full.high, full.p))


# ------------------------------------------------------------------------------------------------------------------ resampling


@pytest.mark.parametrize("statistic", ["pearson", "spearman"])
def test_bootstrap_equals_the_plain_loop(statistic):
    """Weights give the same r as building each resample out of copied rows and columns."""
    Y, N, x = simulated(4, missing=0.3)
    drawn = draw_resamples(*Y.shape, n_resamples=40, seed=1)
    fast = bootstrap_r(Y, N, x, drawn, statistic=statistic)
    for b in range(40):
        rows = np.repeat(np.arange(20), drawn.prompts[b].astype(int))
        columns = np.repeat(np.arange(12), drawn.countries[b].astype(int))
        p = shares(Y[np.ix_(rows, columns)], N[np.ix_(rows, columns)])
        slow = stats.pearsonr(x[columns], p) if statistic == "pearson" else stats.spearmanr(x[columns], p)
        assert fast[b] == pytest.approx(slow.statistic)


def test_country_bootstrap_equals_scipy():
    """Resampling countries alone gives scipy's percentile interval up to the noise of resampling."""
    Y, N, x = simulated(5, n_countries=30)
    ours = bootstrap_interval(Y, N, x, units="countries")
    p = shares(Y, N)
    theirs = stats.bootstrap(
        (x, p),
        lambda a, b, axis: pearson(a, b),
        paired=True,
        vectorized=True,
        axis=-1,
        method="percentile",
        n_resamples=4000,
        rng=0,
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.05)


def test_pigeonhole_is_wider_than_either_single_bootstrap():
    """Resampling both sides gives a wider interval than resampling one."""
    Y, N, x = simulated(6, slope=2.0)
    width = {units: bootstrap_interval(Y, N, x, units=units) for units in ("both", "countries", "prompts")}
    both = width["both"].high - width["both"].low
    assert both > width["countries"].high - width["countries"].low
    assert both > width["prompts"].high - width["prompts"].low


def test_permutation_p_approaches_full_enumeration():
    """The random permutation p is that of all 720 orders of six countries up to Monte Carlo error."""
    Y, N, x = simulated(7, n_countries=6)
    p = shares(Y, N)
    r = abs(np.corrcoef(x, p)[0, 1])
    exact = np.mean([abs(np.corrcoef(order, p)[0, 1]) >= r - 1e-12 for order in itertools.permutations(x)])
    assert permutation_test(Y, N, x).p == pytest.approx(exact, abs=0.02)


def test_region_blocks_keep_countries_at_home():
    """Within regions, every order maps each region onto itself, and a country alone in its region never moves."""
    blocks = np.array(["a", "b", "a", "c", "b", "a"])
    orders = permuted_orders(6, n_permutations=200, blocks=blocks)
    assert np.all(blocks[orders] == blocks)
    assert np.all(orders[:, 3] == 3)
    assert len({tuple(order) for order in orders}) == 12
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(6), (200, 1)))


def test_alignment_between_regions_only_is_not_significant_within():
    """Shares that follow regions and nothing else have a small p over countries and a large one within regions."""
    rng = np.random.default_rng(11)
    region = np.repeat(np.arange(6), 6)
    x = 15.0 * region + rng.normal(0, 1, 36)
    Y = rng.binomial(50, 0.2 + 0.1 * region)[None]
    N = np.full((1, 36), 50)
    assert permutation_test(Y, N, x).p < 0.01
    within = permutation_test(Y, N, x, regions=[f"r{i}" for i in region])
    assert within.p > 0.01
    assert within.n_informative == 36


def test_regions_of_one_country_cannot_be_permuted():
    """Where every country is alone in its region there is a reason and no p."""
    Y, N, x = simulated(1)
    result = permutation_test(Y, N, x, regions=[str(j) for j in range(12)])
    assert (result.p, result.estimable, result.reason) == (None, False, "every country is alone in its region")


def test_seeds_decide():
    """The same seed gives the same figures, another seed others."""
    Y, N, x = simulated(9)
    assert bootstrap_interval(Y, N, x, seed=1) == bootstrap_interval(Y, N, x, seed=1)
    assert bootstrap_interval(Y, N, x, seed=1) != bootstrap_interval(Y, N, x, seed=2)


# ---------------------------------------------------------------------------------------------------------------- multiplicity


def test_holm_and_benjamini_hochberg_on_a_worked_example():
    """Adjusted p of five tests, worked by hand, in the order given."""
    p = [0.04, 0.01, 0.03, 0.005, 0.5]
    assert holm(p) == pytest.approx((0.09, 0.04, 0.09, 0.025, 0.5))
    assert benjamini_hochberg(p) == pytest.approx((0.05, 0.025, 0.05, 0.025, 0.5))
    assert benjamini_hochberg(p) == pytest.approx(tuple(stats.false_discovery_control(p)))


def test_cells_without_a_p_stay_in_the_family():
    """None counts as a test and stays None."""
    assert holm([0.01, None, None]) == pytest.approx((0.03, None, None))
    assert benjamini_hochberg([None, 0.01]) == pytest.approx((None, 0.02))
    assert holm([]) == ()
    with pytest.raises(ValueError):
        holm([1.2])


def test_maxt_of_one_cell_is_its_permutation_p():
    """With a family of one nothing is adjusted."""
    Y, N, x = simulated(10)
    result = max_t([x], [shares(Y, N)])
    assert result.adjusted == result.p
    assert result.p[0] == pytest.approx(permutation_test(Y, N, x).p)


def test_maxt_uses_dependence_between_cells():
    """Five copies of one cell cost nothing, where Holm multiplies by five; unrelated cells cost about what Holm says."""
    rng = np.random.default_rng(2)
    x = rng.normal(50, 20, 30)
    p = 0.02 * x + rng.normal(0, 0.8, 30)
    copies = max_t([x] * 5, [p] * 5)
    assert copies.adjusted == pytest.approx((copies.p[0],) * 5)
    other = max_t([x] * 5, [p, *rng.normal(0, 1, (4, 30))])
    assert other.p[0] <= other.adjusted[0] == pytest.approx(holm(other.p)[0], abs=0.003)
    assert other.smallest == min(other.adjusted)
    assert all(a >= b for a, b in zip(other.adjusted, other.p, strict=True))


def test_maxt_leaves_out_absent_countries_and_untestable_cells():
    """NaN shares are left out of that cell alone; a constant cell gets None."""
    rng = np.random.default_rng(5)
    X, P = rng.normal(50, 20, (3, 20)), rng.random((3, 20))
    P[0, :4] = np.nan
    P[1] = 0.5
    result = max_t(X, P, n_permutations=500)
    assert result.p[1] is None
    assert result.adjusted[1] is None
    assert 0 < result.p[0] <= result.adjusted[0] <= 1
    assert not max_t(X, np.full((3, 20), 0.5)).estimable
