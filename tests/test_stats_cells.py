"""Counting answers, and leaving out what says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from auditkit.stats.cells import CellCounts, shares, usable_counts

ANSWERS = [
    ("q1", "JP", 1), ("q1", "US", 0), ("q1", "DE", None),
    ("q2", "JP", 1), ("q2", "US", None), ("q2", "US", 1),
]  # fmt: skip
SCORES = {"JP": 46.0, "US": 60.0}


def test_answers_are_counted_by_prompt_and_country():
    """Every answer lands in T, usable ones in N, the first pole in Y; a country without a score gets NaN."""
    cell = CellCounts.from_answers(ANSWERS, SCORES)
    assert cell.prompts == ("q1", "q2")
    assert cell.countries == ("DE", "JP", "US")
    np.testing.assert_array_equal(cell.T, [[1, 1, 1], [0, 1, 2]])
    np.testing.assert_array_equal(cell.N, [[0, 1, 1], [0, 1, 1]])
    np.testing.assert_array_equal(cell.Y, [[0, 1, 0], [0, 1, 1]])
    np.testing.assert_array_equal(cell.x, [np.nan, 46, 60])


def test_grouped_counts_give_the_same_cell():
    """Counts as a GROUP BY returns them equal the single answers, and repeated pairs are summed."""
    one = CellCounts.from_answers(ANSWERS, SCORES)
    rows = [
        ("q1", "JP", 1, 1, 1),
        ("q1", "US", 0, 1, 1),
        ("q1", "DE", 0, 0, 1),
        ("q2", "JP", 1, 1, 1),
        ("q2", "US", 0, 0, 1),
    ]
    two = CellCounts.from_counts([*rows, ("q2", "US", 1, 1, 1)], SCORES)
    for name in ("Y", "N", "T", "x"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_named_rows_and_columns_keep_their_order_and_leave_out_others():
    """Given names set rows and columns, with empty pairs where nothing was asked."""
    cell = CellCounts.from_answers(ANSWERS, SCORES, prompts=["q2", "q9"], countries=["US", "JP"])
    np.testing.assert_array_equal(cell.N, [[1, 1], [0, 0]])
    np.testing.assert_array_equal(cell.x, [60, 46])


def test_matched_cells_have_the_same_names():
    """Two cells are cut to the prompts and countries that both have."""
    one = CellCounts.from_answers(ANSWERS, SCORES)
    two = CellCounts.from_answers([("q2", "US", 1), ("q2", "JP", 0), ("q3", "JP", 0)], SCORES)
    a, b = one.matched(two)
    assert a.prompts == b.prompts == ("q2",)
    assert a.countries == b.countries == ("JP", "US")
    np.testing.assert_array_equal(a.Y, [[1, 1]])
    np.testing.assert_array_equal(b.Y, [[0, 1]])


@pytest.mark.parametrize(
    ("Y", "N", "T"),
    [
        ([[2]], [[1]], [[3]]),
        ([[1]], [[2]], [[1]]),
        ([[-1]], [[1]], [[1]]),
        ([[np.nan]], [[1]], [[1]]),
        ([[1, 1]], [[1]], [[1]]),
    ],
)
def test_impossible_counts_are_refused(Y, N, T):
    """More first-pole than usable answers, more usable than all, negative, missing or misshapen counts raise ValueError."""
    with pytest.raises(ValueError):
        CellCounts(Y, N, T, [1.0], ("q",), ("JP",))


def test_usable_counts_drop_what_says_nothing():
    """Countries without an answer or a score go, then prompts left without an answer, and both are reported."""
    N = [[1, 0, 1, 1], [0, 0, 1, 0], [2, 0, 0, 1]]
    counts = usable_counts(np.zeros((3, 4)), N, [10, 20, np.nan, 40])
    assert counts.countries_kept.tolist() == [True, False, False, True]
    assert counts.prompts_kept.tolist() == [True, False, True]
    assert counts.dropped_countries == 2
    assert counts.n_answers == 5
    np.testing.assert_array_equal(counts.N, [[1, 1], [2, 1]])


def test_shares_pool_prompts_and_know_no_division_by_zero():
    """A share is the first pole over all usable answers of the country, NaN without any."""
    np.testing.assert_array_equal(shares([[1, 0, 0], [1, 1, 0]], [[1, 2, 0], [3, 2, 0]]), [0.5, 0.25, np.nan])
