"""What holds for every table of counts: order does not matter, figures stay in bounds, nothing is ever NaN or a warning."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auditkit.stats.agree import compare_raters, krippendorff_alpha
from auditkit.stats.cells import CellCounts, shares
from auditkit.stats.classify import auc, best_threshold
from auditkit.stats.contrast import alignment_difference, share_difference
from auditkit.stats.correlate import alignment, mid_ranks, pearson
from auditkit.stats.multiplicity import benjamini_hochberg, holm, max_t
from auditkit.stats.pairs import compare_pair
from auditkit.stats.reliability import differentiation, disattenuated, reliability
from auditkit.stats.replicate import table2, table3
from auditkit.stats.resample import bootstrap_interval, draw_resamples, permutation_test
from auditkit.stats.share import overall_share

FEW = 60  # resamples: these tests are about shape and bounds, not about precision


@st.composite
def tables(draw, min_prompts=1, min_countries=1):
    """(Y, N, x) of up to 6 prompts and 9 countries, empty pairs, constant answers and missing scores included."""
    shape = (draw(st.integers(min_prompts, 6)), draw(st.integers(min_countries, 9)))
    N = draw(arrays(np.int64, shape, elements=st.integers(0, 3)))
    Y = np.minimum(N, draw(arrays(np.int64, shape, elements=st.integers(0, 3))))
    x = draw(arrays(np.float64, shape[1], elements=st.sampled_from([5.0, 20.0, 35.0, 50.0, 51.0, 75.0, 100.0, np.nan])))
    return Y, N, x


def numbers(value):
    """Every float in a result, however nested."""
    if dataclasses.is_dataclass(value):
        return [n for field in dataclasses.fields(value) for n in numbers(getattr(value, field.name))]
    if isinstance(value, tuple):
        return [n for item in value for n in numbers(item)]
    return [value] if isinstance(value, float) else []


def check(result):
    """No NaN anywhere; a reason exactly where there is no estimate; limits in order around the value."""
    assert not any(math.isnan(n) for n in numbers(result))
    assert result.estimable == (result.reason == "")
    low, high = getattr(result, "low", None), getattr(result, "high", None)
    if hasattr(result, "low"):
        assert result.estimable == (low is not None) == (high is not None)
        if low is not None:
            assert low <= high


def everything(Y, N, x):
    """Every estimate of the package for one table."""
    drawn = draw_resamples(*Y.shape, n_resamples=FEW)
    regions = [f"r{j % 3}" for j in range(len(x))]
    p, known = shares(Y, N), np.isfinite(x)
    return [
        alignment(Y, N, x),
        overall_share(Y, N),
        reliability(Y, N),
        differentiation(Y, N),
        disattenuated(alignment(Y, N, x), reliability(Y, N)),
        *(bootstrap_interval(Y, N, x, resamples=drawn, statistic=s) for s in ("pearson", "spearman")),
        *(permutation_test(Y, N, x, n_permutations=FEW, regions=r) for r in (None, regions)),
        alignment_difference(Y, N, N - Y, N, x, resamples=drawn, n_permutations=FEW),
        share_difference(Y, N, N - Y, N),
        auc(p[known], x[known] > 50, n_permutations=FEW),
        best_threshold(p[known], x[known] > 50, n_permutations=FEW),
        table2(Y, N, N, x),
        table3(Y, N, x, n_permutations=FEW),
        max_t([x], [p], n_permutations=FEW),
    ]


@given(tables())
@settings(deadline=None, max_examples=150)
def test_every_table_gives_a_figure_or_a_reason(table):
    """Whatever the counts, each estimate is a finite figure or None with a reason; warnings are errors here."""
    for result in everything(*table):
        check(result)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0), (1, 1), (1, 2), (2, 1), (5, 3), (1, 8), (8, 8)])
@pytest.mark.parametrize(
    "fill", ["no answers", "all first", "all second", "same in every country", "no scores", "same scores"]
)
def test_degenerate_tables(shape, fill):
    """No countries, one country, no answers, all alike, no scores: a reason everywhere that r would need variation."""
    N = np.zeros(shape, int) if fill == "no answers" else np.ones(shape, int)
    Y = {"all first": N, "same in every country": N * (np.arange(shape[0]) % 2)[:, None]}.get(fill, 0 * N)
    if fill in ("no scores", "same scores"):
        Y = (np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 3 == 0).astype(int)
    x = (
        np.full(shape[1], np.nan if fill == "no scores" else 40.0)
        if fill in ("no scores", "same scores")
        else np.arange(shape[1]) * 10.0
    )
    for result in everything(Y, N, x):
        check(result)
    result = alignment(Y, N, x)
    assert not result.estimable
    assert result.r is None


@given(tables(min_countries=4), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=80)
def test_the_order_of_countries_and_prompts_does_not_matter(table, random):
    """Closed-form estimates are the same for any order of rows and columns."""
    Y, N, x = table
    rows, columns = list(range(len(Y))), list(range(len(x)))
    random.shuffle(rows)
    random.shuffle(columns)
    at = np.ix_(rows, columns)
    for function in (
        alignment,
        lambda Y, N, _: overall_share(Y, N),
        lambda Y, N, _: reliability(Y, N),
        lambda Y, N, _: differentiation(Y, N),
    ):
        one, other = function(Y, N, x), function(Y[at], N[at], x[columns])
        assert one.estimable == other.estimable
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-6, abs=1e-6)


@given(tables(min_countries=4))
@settings(deadline=None, max_examples=80)
def test_mirrored_scores_mirror_the_interval(table):
    """Scores times -1 give -r with mirrored limits and the same p; so do first and second pole exchanged."""
    Y, N, x = table
    plain = alignment(Y, N, x)
    assume(plain.estimable)
    for mirrored in (alignment(Y, N, -x), alignment(N - Y, N, x)):
        assert mirrored.r == pytest.approx(-plain.r)
        assert (mirrored.low, mirrored.high) == pytest.approx((-plain.high, -plain.low))
        assert mirrored.p == pytest.approx(plain.p)
        assert mirrored.spearman == pytest.approx(-plain.spearman)


@given(tables(min_countries=4), st.floats(0.01, 100), st.floats(-1000, 1000))
@settings(deadline=None, max_examples=80)
def test_the_unit_of_scores_does_not_matter(table, scale, shift):
    """A linear change of the scores changes nothing."""
    Y, N, x = table
    plain = alignment(Y, N, x)
    assume(plain.estimable)
    moved = alignment(Y, N, scale * x + shift)
    assert (moved.r, moved.low, moved.high, moved.p) == pytest.approx(
        (plain.r, plain.low, plain.high, plain.p), rel=1e-5, abs=1e-7
    )


@given(tables(min_countries=4))
@settings(deadline=None, max_examples=80)
def test_alignment_stays_in_bounds(table):
    """-1 <= low <= r <= high <= 1, 0 <= p <= 1, and p < .05 exactly where the 95 % interval leaves out 0."""
    result = alignment(*table)
    assume(result.estimable)
    assert -1 <= result.low <= result.r <= result.high <= 1
    assert 0 <= result.p <= 1
    assert result.prompt_variance >= 0
    assume(abs(result.p - 0.05) > 1e-6)
    assert (result.p < 0.05) == (result.low > 0 or result.high < 0)


@given(tables())
@settings(deadline=None, max_examples=80)
def test_share_stays_in_bounds_and_mirrors(table):
    """0 < low <= share <= high < 1, and the other pole has the mirrored interval."""
    Y, N, _ = table
    one, other = overall_share(Y, N), overall_share(N - Y, N)
    assume(one.estimable)
    assert 0 <= one.low <= one.value <= one.high <= 1
    assert (other.low, other.high) == pytest.approx((1 - one.high, 1 - one.low))


@given(arrays(np.float64, st.integers(2, 12), elements=st.integers(0, 5).map(float)))
def test_mid_ranks_sum_to_the_triangle_number(values):
    """Ranks sum to n(n+1)/2 whatever the ties, and equal values have equal ranks."""
    ranks = mid_ranks(values)
    assert ranks.sum() == pytest.approx(len(values) * (len(values) + 1) / 2)
    assert all(
        (a == b) == (r == s) for a, r in zip(values, ranks, strict=True) for b, s in zip(values, ranks, strict=True)
    )
    assert np.isnan(pearson(values, np.ones(len(values))))


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_adjusted_p_are_ordered_and_bounded(p_values):
    """p <= q <= Holm <= 1 for every test, and the order of p is kept."""
    adjusted, q = holm(p_values), benjamini_hochberg(p_values)
    known = [(p, b, h) for p, b, h in zip(p_values, q, adjusted, strict=True) if p is not None]
    assert [h is None for h in adjusted] == [p is None for p in p_values]
    assert all(p <= b + 1e-12 and b <= h + 1e-12 and h <= 1 for p, b, h in known)
    in_order = sorted(known)
    assert all(a[2] <= b[2] + 1e-12 and a[1] <= b[1] + 1e-12 for a, b in itertools.pairwise(in_order))


labels = st.sampled_from(["a", "b", "c", None])


@given(st.lists(st.tuples(labels, labels, st.integers(0, 3)), max_size=25))
@settings(deadline=None, max_examples=100)
def test_agreement_is_symmetric_and_bounded(items):
    """Exchanging raters changes nothing; kappa, AC1 and alpha lie in [-1, 1] and are 1 only for perfect agreement."""
    first, second, clusters = ([item[i] for item in items] for i in range(3))
    one = compare_raters(first, second, labels=["a", "b", "c"], n_resamples=FEW)
    other = compare_raters(second, first, labels=["a", "b", "c"], n_resamples=FEW)
    grouped = compare_raters(first, second, labels=["a", "b", "c"], clusters=clusters, n_resamples=FEW)
    alpha = krippendorff_alpha(list(zip(first, second, strict=True)), n_resamples=FEW)
    for result in (one.kappa, one.ac1, grouped.kappa, grouped.ac1, alpha):
        check(result)
        if result.value is not None:
            assert -1 <= result.value <= 1
            assert (result.value > 1 - 1e-12) == (one.observed == 1)
    assert numbers(one.kappa) == pytest.approx(numbers(other.kappa))
    assert numbers(one.ac1) == pytest.approx(numbers(other.ac1))


@given(st.lists(st.tuples(st.sampled_from([0, 1, np.nan]), st.sampled_from([0, 1, np.nan])), max_size=30))
def test_pairs_of_countries_mirror(answers):
    """Exchanging the two countries mirrors the difference and keeps p; figures stay in bounds."""
    a, b = [first for first, _ in answers], [second for _, second in answers]
    one, other = compare_pair(a, b), compare_pair(b, a)
    check(one)
    assume(one.estimable)
    assert -1 <= one.low <= one.high <= 1
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert one.p == other.p <= 1


@given(tables())
@settings(deadline=None)
def test_tidy_answers_give_back_the_table(table):
    """Counting the single answers of a table gives the table."""
    Y, N, x = table
    prompts, countries = [f"q{k}" for k in range(len(Y))], [f"c{j}" for j in range(len(x))]
    answers = [
        (prompts[k], countries[j], int(i < Y[k, j]))
        for k in range(len(Y))
        for j in range(len(x))
        for i in range(N[k, j])
    ]
    cell = CellCounts.from_answers(answers, dict(zip(countries, x, strict=True)), prompts=prompts, countries=countries)
    np.testing.assert_array_equal(cell.Y, Y)
    np.testing.assert_array_equal(cell.N, N)
    np.testing.assert_array_equal(cell.x, x)
