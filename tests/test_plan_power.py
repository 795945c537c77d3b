"""`auditkit plan --power`: the grid, its prices, the pilot, and one line for every mistake."""

from __future__ import annotations

import re

import pytest


def grid(out: str) -> dict[tuple[int, int], list[str]]:
    """The rows of the printed grid: (dilemmas, samples) -> what follows, the mark first."""
    found = {}
    for line in out.splitlines():
        row = re.match(r"\s*([*H]*)\s+(\d+) x (\d+)\s{2,}(.*\S)", line)
        if row:
            found[int(row[2]), int(row[3])] = [row[1], *re.split(r"\s{2,}", row[4])]
    return found


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_grid_holds_the_planning_table(auditkit):
    """Without further options: all dimensions in persona mode, reliability .6 said to be assumed, the table's power and constraint."""
    result = auditkit("plan", "--power")
    assert result.code == 0
    rows = grid(result.out)
    assert {k: row[-4] for k, row in rows.items() if k[1] == 1} == {
        (10, 1): "0.29", (25, 1): "0.50", (50, 1): "0.65", (100, 1): "0.76", (200, 1): "0.82",
    }  # fmt: skip
    assert rows[50, 1][1] == f"{5 * 50 * 36:,}"
    assert rows[50, 1][-1] == "dilemmas"
    assert [k for k, row in rows.items() if row[0] == "*"] == [(200, 1)]
    assert "reliability of 50 dilemmas 0.60 (assumed)" in result.out
    assert "Nothing was asked" in result.out


def test_too_few_countries_is_said_with_the_number_that_would_do(auditkit):
    """A correlation of .4 is unreachable with 36 countries; the answer names power at the limit and the countries it takes."""
    result = auditkit("plan", "--power", "--target-r", ".4", "-d", "mas", "--family", "1")
    assert result.code == 0
    assert (
        "unreachable with 36 countries: endless dilemmas give power 0.68; it takes 47 countries, or 80 with 50 dilemmas"
        in words(result.out)
    )
    assert {row[-1] for row in grid(result.out).values()} == {"countries"}


def test_more_countries_make_it_reachable(auditkit):
    """With 80 countries 50 dilemmas are enough for .4, and the countries that the table lacks are counted."""
    result = auditkit("plan", "--power", "--target-r", ".4", "-d", "mas", "--family", "1", "--countries", "80")
    rows = grid(result.out)
    assert [k for k, row in rows.items() if row[0]] == [(50, 1)]
    assert rows[50, 1][1] == f"{50 * 80:,}"
    assert "44 more are yours to add" in result.out


def test_calls_count_modes_models_judges_and_orders(auditkit):
    """Baseline asks once, other modes a country each; every order and every reading of a model judge is a call."""
    result = auditkit(
        "plan", "--power", "-d", "mas", "-d", "individualism", "-m", "baseline", "-m", "persona", "--order", "both",
        "--model", "mock/first", "--model", "mock/coin", "--judge", "stance@mock/first",
    )  # fmt: skip
    assert result.code == 0
    requests = 2 * 10 * (1 + 36) * 2 * 2  # dimensions, dilemmas, places, orders, models
    assert grid(result.out)[10, 1][1] == f"{requests * (1 + 2):,}"
    assert "Holm 4" in result.out  # two dimensions, one mode with countries, two models


def test_prices_come_from_the_table_and_the_unknown_is_not_free(auditkit):
    """Twice the dilemmas cost twice as much; a model without a price is unpriced, and time follows --rate."""
    pytest.importorskip("litellm")
    priced = grid(auditkit("plan", "--power", "-d", "mas", "--model", "openai/gpt-4.1-mini", "--rate", "10").out)
    usd = {k: float(row[3].removeprefix("$")) for k, row in priced.items()}
    assert usd[200, 1] == pytest.approx(2 * usd[100, 1], abs=0.02)
    assert usd[100, 1] > 0
    assert priced[100, 1][4] == "6 min 00 s"
    unknown = grid(auditkit("plan", "--power", "-d", "mas", "--model", "openai/nobody-knows-this").out)
    assert unknown[100, 1][3] == "unpriced"


def test_the_pilot_gives_the_noise_and_what_is_given_wins(auditkit):
    """Noise comes from a stored run; an option overrides its part, and the sources are named."""
    done = auditkit(
        "run", "-d", "mas", "-m", "persona", "--core", "--samples", "3", "--param", "temperature=0.7", "--model", "mock/coin",
    )  # fmt: skip
    assert done.code == 0
    given = auditkit("plan", "--power", "--pilot", "r1:", "-d", "mas", "--alpha50", ".6")
    assert given.code == 0
    assert re.search(r"0\.60 \(given\), phi \d\.\d\d \(pilot\), omega \d\.\d\d \(pilot\)", given.out)
    assert "read by rules: 1 of 1 cells" in given.out
    assert grid(given.out)[50, 1][-4] == "0.65"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--target-r", ".5"), "--target-r belongs to --power"),
        (("--countries", "50"), "--countries belongs to --power"),
        (("--power", "--target-r", "1.2"), "not in the range"),
        (("--power", "--target-power", ".04"), "not in the range"),
        (("--power", "--alpha50", "0"), "not in the range"),
        (("--power", "--countries", "3"), "not in the range"),
        (("--power", "-m", "baseline"), "needs a mode with countries"),
        (("--power", "--country", "Japan"), "needs four countries, but the plan has 1"),
        (("--power", "--pilot", "nothing"), "no such database"),
        (("--power", "--edition", "1066"), "unknown edition"),
    ],
)
def test_mistakes_are_one_line_and_code_2(auditkit, arguments, says):
    """Bad input ends with one line on stderr that says what is wrong, and asks for nothing else."""
    result = auditkit("plan", *arguments)
    assert result.code == 2
    assert says in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not result.out


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (("-m", "baseline"), "has no usable answers by country"),
        (("-m", "persona", "--country", "Japan"), "cannot serve as a pilot: one country"),
    ],
)
def test_a_run_that_tells_nothing_is_no_pilot(auditkit, of, says):
    """A run without countries, or with one, cannot serve as a pilot, and the line says why."""
    assert auditkit("run", "-d", "mas", *of, "--core", "--model", "mock/coin").code == 0
    result = auditkit("plan", "--power", "--pilot", "r1:")
    assert result.code == 2
    assert says in result.err


def test_plain_plan_is_as_before(auditkit):
    """Without --power the command prints what would be asked."""
    result = auditkit("plan", "-d", "mas", "-m", "persona", "--core", "--model", "mock/first")
    assert result.code == 0
    assert "What would be asked" in result.out
    assert "360" in result.out


def test_help_teaches(auditkit):
    """--help says what every quantity is and what its default is."""
    result = auditkit("plan", "--help")
    assert result.code == 0
    for option in (
        "--target-r",
        "--target-power",
        "--pilot",
        "--countries",
        "--family",
        "--alpha50",
        "--phi",
        "--omega",
        "--rate",
    ):
        assert option in result.out
    assert "auditkit plan --power --target-r .4" in result.out
