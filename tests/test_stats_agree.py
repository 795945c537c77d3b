"""Agreement between raters, against numerical and published references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from auditkit.stats.agree import cohen_kappa, compare_raters, gwet_ac1, judge_accuracy, krippendorff_alpha, wilson


def kappa_of(P):
    """Cohen's kappa of a table of proportions."""
    chance = P.sum(axis=1) @ P.sum(axis=0)
    return (np.trace(P) - chance) / (1 - chance)


def ac1_of(P):
    """Gwet's AC1 of a table of proportions."""
    share = (P.sum(axis=1) + P.sum(axis=0)) / 2
    chance = (share * (1 - share)).sum() / (len(P) - 1)
    return (np.trace(P) - chance) / (1 - chance)


def delta_error(statistic, table):
    """Standard error by the delta method with a numerical gradient, for a multinomial table."""
    n, P = table.sum(), table / table.sum()
    step, gradient = 1e-6, np.empty(table.shape)
    for at in np.ndindex(table.shape):
        moved = np.zeros(table.shape)
        moved[at] = step
        gradient[at] = (statistic(P + moved) - statistic(P - moved)) / (2 * step)
    g, p = gradient.ravel(), P.ravel()
    return math.sqrt((g**2 @ p - (g @ p) ** 2) / n)


TABLES = [np.array([[20, 5], [10, 15]]), np.array([[40, 3, 2], [5, 30, 1], [0, 4, 15]]), np.array([[88, 3], [4, 5]])]


@pytest.mark.parametrize("table", TABLES)
def test_kappa_and_its_error(table):
    """Kappa is the textbook value, and its error that of the delta method."""
    result = cohen_kappa(table)
    assert result.value == pytest.approx(kappa_of(table / table.sum()))
    assert result.standard_error == pytest.approx(delta_error(kappa_of, table), rel=1e-4)
    half = stats.norm.ppf(0.975) * result.standard_error
    assert result.high == pytest.approx(min(1, result.value + half))


@pytest.mark.parametrize("table", TABLES)
def test_ac1_and_its_error(table):
    """AC1 is the textbook value, and its error that of the delta method."""
    result = gwet_ac1(table)
    assert result.value == pytest.approx(ac1_of(table / table.sum()))
    assert result.standard_error == pytest.approx(delta_error(ac1_of, table), rel=1e-4)


def test_prevalence_moves_kappa_and_not_ac1():
    """Two raters who are each right 95 times in 100 have kappa .81 at prevalence .5 and .61 at .9, and AC1 .81 and .87."""
    for prevalence, kappa, ac1 in ((0.5, 0.81, 0.81), (0.9, 0.61, 0.87)):
        right = np.array([0.95, 0.05])
        table = prevalence * np.outer(right, right) + (1 - prevalence) * np.outer(right[::-1], right[::-1])
        assert cohen_kappa(table).value == pytest.approx(kappa, abs=0.005 + 1e-9)
        assert gwet_ac1(table).value == pytest.approx(ac1, abs=0.005 + 1e-9)


def test_krippendorff_of_the_published_example():
    """Four raters, twelve units, missing ratings: nominal alpha .743 (Krippendorff 2011, section C)."""
    raters = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    items = [[None if label == "." else label for label in item] for item in zip(*raters, strict=True)]
    result = krippendorff_alpha(items)
    assert result.value == pytest.approx(0.743, abs=5e-4)
    assert result.low < 0.743 < result.high


def test_raters_are_paired_by_item_and_counted():
    """Items that one rater left out are not counted; rows are the first rater."""
    result = compare_raters(["a", "a", "b", None, "b"], ["a", "b", "b", "b", None])
    assert (result.n, result.labels, result.confusion) == (3, ("a", "b"), ((1, 1), (0, 1)))
    assert result.observed == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="not on offer"):
        compare_raters(["z"], ["a"], labels=["a"])


def test_clusters_widen_the_interval():
    """Ten copies of each item look like ten times the evidence until the copies are declared as clusters."""
    rng = np.random.default_rng(0)
    first = rng.choice(["a", "b"], 40)
    second = np.where(rng.random(40) < 0.8, first, rng.choice(["a", "b"], 40))
    one = compare_raters(list(first), list(second))
    many = compare_raters(list(np.repeat(first, 10)), list(np.repeat(second, 10)))
    clustered = compare_raters(
        list(np.repeat(first, 10)), list(np.repeat(second, 10)), clusters=list(np.repeat(np.arange(40), 10))
    )
    assert one.kappa.value == pytest.approx(many.kappa.value) == pytest.approx(clustered.kappa.value)
    assert many.kappa.standard_error < 0.5 * one.kappa.standard_error
    assert clustered.kappa.standard_error == pytest.approx(one.kappa.standard_error, rel=0.15)
    assert clustered.ac1.standard_error == pytest.approx(one.ac1.standard_error, rel=0.15)


def test_agreement_that_cannot_be_judged_has_a_reason():
    """One label throughout, no common item, perfect agreement and a single label on offer each say why there are no limits."""
    assert (
        compare_raters(["a"] * 5, ["a"] * 5, labels=["a", "b"]).kappa.reason
        == "both raters give one and the same label throughout"
    )
    assert compare_raters([None], ["a"]).kappa.reason == "no item was labelled by both"
    perfect = compare_raters(["a", "b"] * 5, ["a", "b"] * 5)
    assert (perfect.kappa.value, perfect.kappa.low) == (1.0, None)
    assert "perfect agreement" in perfect.ac1.reason
    assert gwet_ac1([[3]]).reason == "only one label was on offer"
    assert krippendorff_alpha([["a", "a"], ["a", None]]).reason == "only one label occurs"
    assert krippendorff_alpha([]).reason == "no item has two ratings"


def test_sensitivity_and_specificity():
    """Rates are of the human first and second poles, with Wilson's limits; other outcomes are left out."""
    human = [True] * 10 + [False] * 20 + [None, True]
    judge = [True] * 9 + [False] + [False] * 15 + [True] * 5 + [True, None]
    result = judge_accuracy(judge, human)
    assert result.confusion == (9, 1, 5, 15)
    assert (result.sensitivity.value, result.specificity.value) == (0.9, 0.75)
    reference = stats.binomtest(9, 10).proportion_ci(method="wilson")
    assert (result.sensitivity.low, result.sensitivity.high) == pytest.approx((reference.low, reference.high))
    assert not judge_accuracy([True], [None]).sensitivity.estimable
    assert wilson(0, 8).low == 0


def test_alpha_over_clusters_keeps_its_value_and_widens_its_limits():
    """Items of one prompt that agree or differ together are worth less than as many of their own."""
    rng = np.random.default_rng(5)
    ratings, clusters = [], []
    for cluster in range(40):
        agree = rng.random() < 0.7
        for _ in range(20):
            label = str(rng.integers(2))
            ratings.append([label, label if agree else str(1 - int(label))])
            clusters.append(cluster)
    single, whole = krippendorff_alpha(ratings), krippendorff_alpha(ratings, clusters=clusters)
    assert single.value == whole.value
    assert whole.high - whole.low > 2 * (single.high - single.low)


def test_alpha_of_many_items_needs_little_memory():
    """Equal items are drawn together: 200,000 items times 2,000 resamples are never laid out."""
    import tracemalloc

    ratings = [["a", "a"], ["a", "b"], ["b", "b"], ["b", None]] * 50_000
    tracemalloc.start()
    found = krippendorff_alpha(ratings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.low < found.value < found.high
    assert peak < 100_000_000
