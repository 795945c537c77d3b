"""Findings: every table against figures computed by hand, or by scipy, from the rows of the database."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

pd = pytest.importorskip("pandas")

from report_stores import STAMP, add_judge, answers, calibrate, found, run, scores

from auditkit.errors import AuditError
from auditkit.report.columns import TABLES, frame
from auditkit.report.counts import cells, counted
from auditkit.report.judges import Measured, standing
from auditkit.report.scope import read_scope
from auditkit.stats.correct import prediction_powered_share, rogan_gladen_share
from auditkit.store import Store

IDV = ("--dimension", "individualism", "--core")


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    """One run: a coin and a model that takes what is named first, three modes, ten dilemmas, both orders; and its findings."""
    db = tmp_path_factory.mktemp("audit") / "a.db"
    run_id = run(
        db, *IDV, "-m", "baseline", "-m", "persona", "-m", "multilingual", "--order", "both",
        "--model", "mock/coin?p=0.7", "--model", "mock/first",
    )  # fmt: skip
    return db, run_id, found(db, pairs=(("JPN", "USA"),), replicate=True)


def rows(findings, table, **where):
    frame = findings.tables[table]
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def one(findings, table, **where):
    chosen = rows(findings, table, **where)
    assert len(chosen) == 1, (table, where, len(chosen))
    return chosen.iloc[0]


def by_country(db, run_id, model, mode):
    """Country -> (first-pole answers, usable answers), from the view."""
    total = defaultdict(lambda: [0, 0])
    for country, first in answers(db, run_id, "country, first_pole", f"model = '{model}' and mode = '{mode}'"):
        if first is not None:
            total[country][0] += first
            total[country][1] += 1
    return total


def test_every_table_has_its_columns(audit):
    """Every table of the contract is there with its columns in order, filled or not."""
    _, _, findings = audit
    assert list(findings.tables) == list(TABLES)
    for name, table in findings.tables.items():
        assert tuple(table.columns) == TABLES[name].columns


def test_alignment_is_pearson_over_countries(audit):
    """The r, rho and share of a cell are those of 36 country shares, and n is countries, not replies."""
    db, run_id, findings = audit
    row = one(findings, "alignment", model="mock/coin?p=0.7", mode="persona")
    counts = by_country(db, run_id, "mock/coin?p=0.7", "persona")
    x, p = zip(*((scores()[iso3], first / n) for iso3, (first, n) in sorted(counts.items())), strict=True)
    assert row["r"] == pytest.approx(scipy.stats.pearsonr(x, p).statistic)
    assert row["rho"] == pytest.approx(scipy.stats.spearmanr(x, p).statistic)
    assert row["share"] == pytest.approx(sum(f for f, _ in counts.values()) / sum(n for _, n in counts.values()))
    assert (row["n_countries"], row["n_items"]) == (36, 10)
    assert row["r_low"] < row["r"] < row["r_high"]
    assert row["gate"] == ""


def test_baseline_has_a_share_and_no_r(audit):
    """Baseline knows no country: it stands in the table of preferences and not in that of alignment."""
    _, _, findings = audit
    assert set(findings.tables["alignment"]["mode"]) == {"persona", "multilingual"}
    row = one(findings, "preference", model="mock/coin?p=0.7", mode="baseline")
    assert 0 < row["low"] < row["share"] < row["high"] < 1


def test_holm_is_taken_over_all_cells_of_a_judge(audit):
    """Adjusted p values count the cells without a p as tests, and the report says over which cells."""
    _, _, findings = audit
    table = findings.tables["alignment"]
    known = sorted(table["p"].dropna())
    smallest = table.loc[table["p"].idxmin()]
    assert smallest["p_holm"] == pytest.approx(min(1, known[0] * len(table)))
    assert f"all {len(table)} cells" in findings.family


def test_country_shares(audit):
    """A country's row has its score, what was asked of it, and a share with limits around it."""
    db, run_id, findings = audit
    counts = by_country(db, run_id, "mock/coin?p=0.7", "multilingual")
    table = rows(findings, "countries", model="mock/coin?p=0.7", mode="multilingual")
    assert len(table) == 36
    for _, row in table.iterrows():
        first, n = counts[row["iso3"]]
        assert (row["share"], row["usable"], row["asked"]) == (pytest.approx(first / n), n, 20)
        assert row["score"] == scores()[row["iso3"]]
        assert math.isnan(row["low"]) or row["low"] <= row["share"] <= row["high"]


def test_left_out_adds_up(audit):
    """The states of a row add up to what was asked, with the counts of the view."""
    db, run_id, findings = audit
    states = [c for c in TABLES["left_out"].columns[8:] if c not in ("wrong_language",)]
    for _, row in findings.tables["left_out"].iterrows():
        assert row[states].sum() == row["asked"] == row["answered"]
        assert row["first"] + row["second"] == row["usable"]
    counts = Counter(pole for (pole,) in answers(db, run_id, "pole", "model = 'mock/first' and mode = 'persona'"))
    row = one(findings, "left_out", model="mock/first", mode="persona")
    assert (row["first"], row["second"]) == (counts["first"], counts["second"])


def test_contrast_of_shares_is_paired(audit):
    """Persona less multilingual is the difference of shares over the questions that both answered, likewise against baseline."""
    db, run_id, findings = audit
    a, b = (
        {(i, c): (y, n) for i, c, y, n in _cells(db, run_id, "mock/coin?p=0.7", mode)}
        for mode in ("persona", "multilingual")
    )
    both = set(a) & set(b)
    expected = sum(a[k][0] for k in both) / sum(a[k][1] for k in both) - sum(b[k][0] for k in both) / sum(
        b[k][1] for k in both
    )
    row = one(findings, "contrasts", model="mock/coin?p=0.7", contrast="persona-multilingual", estimand="share")
    assert row["difference"] == pytest.approx(expected)
    assert row["low"] < row["difference"] < row["high"]
    r = one(findings, "contrasts", model="mock/coin?p=0.7", contrast="persona-multilingual", estimand="r")
    each = [one(findings, "alignment", model="mock/coin?p=0.7", mode=m)["r"] for m in ("persona", "multilingual")]
    assert r["difference"] == pytest.approx(each[0] - each[1])
    base = one(findings, "contrasts", model="mock/coin?p=0.7", contrast="persona-baseline", estimand="share")
    share = {m: one(findings, "preference", model="mock/coin?p=0.7", mode=m)["share"] for m in ("persona", "baseline")}
    assert base["difference"] == pytest.approx(share["persona"] - share["baseline"])
    assert not len(rows(findings, "contrasts", contrast="persona-baseline", estimand="r"))


def _cells(db, run_id, model, mode):
    return answers(
        db, run_id, "item_id, country, sum(first_pole), count(first_pole)", f"model = '{model}' and mode = '{mode}' group by 1, 2"
    )  # fmt: skip


def test_multilingual_less_baseline_names_the_english_country(audit):
    """Where two modes send the same English text, the row says so."""
    _, _, findings = audit
    note = one(findings, "contrasts", model="mock/first", contrast="multilingual-baseline", estimand="share")["note"]
    assert "USA" in note


def test_models_are_compared_on_the_same_cells(audit):
    """The difference of two models' shares is that of their shares over the same questions."""
    _, _, findings = audit
    row = one(findings, "models", mode="persona", estimand="share")
    share = {m: one(findings, "preference", model=m, mode="persona")["share"] for m in (row["model_a"], row["model_b"])}
    assert row["difference"] == pytest.approx(share[row["model_a"]] - share[row["model_b"]])


def test_position_bias_of_a_model_that_takes_what_comes_first(audit):
    """A model that always takes the first-named option has a bias of one half and flips every time; a coin does not."""
    _, _, findings = audit
    first = one(findings, "position", model="mock/first", mode="persona")
    assert (first["bias"], first["flip"], first["source"]) == (0.5, 1.0, "both orders asked")
    assert first["flip_low"] < 1 == pytest.approx(first["flip_high"])
    coin = one(findings, "position", model="mock/coin?p=0.7", mode="persona")
    assert coin["bias_low"] < 0.2 < coin["bias_high"]


def test_pairs_of_countries(audit):
    """Japan against the United States: discordant dilemmas only, by majority where a dilemma has two answers."""
    db, run_id, findings = audit
    row = one(findings, "pairs", model="mock/coin?p=0.7", mode="persona")
    cells = {(i, c): y / n for i, c, y, n in _cells(db, run_id, "mock/coin?p=0.7", "persona") if n}
    items = {i for i, _ in cells}
    verdict = {k: None if v == 0.5 else v > 0.5 for k, v in cells.items()}
    both = [(verdict[i, "JPN"], verdict[i, "USA"]) for i in items if None not in (verdict[i, "JPN"], verdict[i, "USA"])]
    assert row["n"] == len(both)
    assert row["difference"] == pytest.approx(sum(a - b for a, b in both) / len(both))
    assert "majority" in row["note"]


def test_resource_levels(audit):
    """Each level has twelve countries, the r of these alone, and beside it how large an r would have to be."""
    db, run_id, findings = audit
    table = rows(findings, "resource", model="mock/coin?p=0.7", mode="persona")
    assert list(table["level"]) == ["high", "mid", "low"]
    counts = by_country(db, run_id, "mock/coin?p=0.7", "persona")
    levels = {row["iso3"]: row["resource"] for _, row in rows(findings, "countries", mode="persona").iterrows()}
    low = [iso3 for iso3, level in levels.items() if level == "low"]
    expected = scipy.stats.pearsonr([scores()[c] for c in low], [counts[c][0] / counts[c][1] for c in low]).statistic
    row = table[table["level"] == "low"].iloc[0]
    assert row["r"] == pytest.approx(expected)
    assert row["n_countries"] == 12
    assert row["detectable_r"] == pytest.approx(
        math.tanh((scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8)) * math.sqrt(2 / 9))
    )
    assert 0 < one(findings, "resource_tests", model="mock/coin?p=0.7", mode="persona")["f_p"] <= 1


def test_classification_is_the_rank_sum(audit):
    """The AUC is Mann and Whitney's U over the number of pairs, and the best threshold never stands without its null."""
    db, run_id, findings = audit
    counts = by_country(db, run_id, "mock/coin?p=0.7", "persona")
    high = [f / n for iso3, (f, n) in counts.items() if scores()[iso3] > 50]
    low = [f / n for iso3, (f, n) in counts.items() if scores()[iso3] <= 50]
    row = one(findings, "classification", model="mock/coin?p=0.7", mode="persona")
    assert row["auc"] == pytest.approx(scipy.stats.mannwhitneyu(high, low).statistic / (len(high) * len(low)))
    assert row["null_mean"] > 0.5
    assert row["threshold_accuracy"] >= 0.5


def test_replication_counts_all_replies(audit):
    """The published r is over the percentage of all replies, which with no unusable reply is the r of the shares."""
    _, _, findings = audit
    row = one(findings, "replication", model="mock/coin?p=0.7", mode="persona")
    assert row["table2_r"] == pytest.approx(one(findings, "alignment", model="mock/coin?p=0.7", mode="persona")["r"])
    assert row["aligned_sign"] == 1
    assert any("no evidence" in note for note in findings.notes)


def test_mixed_model_has_its_terms(audit):
    """The mixed model of a model and dimension compares the modes that know countries, with J - 2 degrees of freedom."""
    _, _, findings = audit
    table = rows(findings, "mixed", model="mock/coin?p=0.7")
    assert list(table["term"]) == ["intercept", "score", "mode multilingual", "score x multilingual"]
    assert set(table["df"]) == {34}
    assert (table["low"] < table["beta"]).all()


def test_many_mixed_models_are_fitted_when_asked_for(tmp_path, monkeypatch):
    """Above the number that is fitted unasked, the table is empty and a note says how to get it."""
    from auditkit.report import findings as module

    monkeypatch.setattr(module, "MOST_FITS", 0)
    db = tmp_path / "a.db"
    run(db, *IDV, "-m", "persona", "--model", "mock/coin")
    without = found(db)
    assert not len(without.tables["mixed"])
    assert any("--mixed" in note for note in without.notes)
    assert len(found(db, mixed=True).tables["mixed"])


def test_mocks_are_named_as_no_result(audit):
    """A report of scripted models says that they are no result, before anything else."""
    _, _, findings = audit
    assert findings.runs[0].proves_pipeline == ("mock/coin?p=0.7", "mock/first")
    assert "no result" in findings.notes[0]


# ------------------------------------------------------------------------------------------------------------- judges


@pytest.fixture
def judged(tmp_path):
    """A small run with a second judge that reads both orders: agrees, contradicts itself, refuses, fails to parse, or is not there yet."""
    db = tmp_path / "a.db"
    run_id = run(db, *IDV, "-m", "persona", "--model", "mock/coin", "--limit", "200")
    readings = []
    for n, (key, option) in enumerate(answers(db, run_id, "request_key, option_id")):
        other = "b" if option == "a" else "a"
        cases = [
            [("ab", "chose", option), ("ba", "chose", option)],
            [("ab", "chose", option), ("ba", "chose", other)],
            [("ab", "refused", None), ("ba", "refused", None)],
            [("ab", "chose", option), ("ba", None, None)],
            [("ab", "chose", other), ("ba", "chose", other)],
            [("ab", "chose", option), ("ba", "unclear", None)],
            [],
        ]
        readings += [(key, *reading) for reading in cases[n % 7 if n % 3 else 0]]
    return db, run_id, add_judge(db, run_id, "stance@people/model", readings)


def test_states_are_those_of_the_view(judged):
    """The joined table counts every cell as the view `answers` does, for every way in which two readings can fall out."""
    from auditkit.summary import STATE_SQL

    db, run_id, _ = judged
    with Store.read(db) as store:
        expected = {
            tuple(row[:2]): row[2]
            for row in store.rows(
                f"select judge, state, count(*) from (select *, {STATE_SQL} as state from answers where run_id = ?) group by 1, 2",
                (run_id,),
            )
        }
        flipped = store.value("select sum(flipped) from answers where run_id = ?", (run_id,))
        scope = read_scope(store, [run_id], "paper")
        with counted(store, scope):
            mine = {(cell.judge, state): n for cell in cells(store, scope) for state, n in cell.states.items()}
            assert store.value("select sum(flipped) from report_answers") == flipped > 0
    assert mine == expected
    assert {state for _, state in mine} == {"first", "second", "unclear", "refused", "parse_failed", "not judged"}


def test_the_database_is_left_as_it_was(judged):
    """No temporary table and no open transaction is left behind, so that a second report can follow."""
    db, run_id, _ = judged
    with Store.read(db) as store:
        scope = read_scope(store, [run_id], "paper")
        for _ in range(2):
            with counted(store, scope):
                assert cells(store, scope)
        assert not store.connection.in_transaction
        assert not list(store.rows("select name from sqlite_temp_master where name like 'report%'"))


def test_agreement_of_two_judges(judged):
    """Kappa is that of the table of answers that both read, unclear and refused ones being outcomes of their own."""
    db, run_id, _ = judged
    labels = defaultdict(dict)
    for key, judge, outcome, pole in answers(db, run_id, "position, judge, outcome, pole"):
        if outcome not in (None, "parse_failed"):
            labels[key][judge] = pole or outcome
    pairs = [(v["rules"], v["stance@people/model"]) for v in labels.values() if len(v) == 2]
    n = len(pairs)
    a, b = Counter(p[0] for p in pairs), Counter(p[1] for p in pairs)
    chance = sum(a[name] * b[name] for name in a) / n**2
    row = one(found(db), "agreement")
    assert row["n"] == n
    assert row["kappa"] == pytest.approx((sum(x == y for x, y in pairs) / n - chance) / (1 - chance))
    assert row["kappa_low"] < row["kappa"] < row["kappa_high"]


def test_judges_are_counted(judged):
    """The table of judges has single readings, failures, and answers that were read two ways."""
    db, run_id, key = judged
    with Store.read(db) as store:
        n, failed = next(
            store.rows("select count(*), sum(status = 'parse_failed') from verdicts where judge_key = ?", (key,))
        )
    row = one(found(db), "judges", judge="stance@people/model")
    assert (row["n_verdicts"], row["parse_failed"]) == (n, failed)
    assert row["flipped"] == sum(bool(f) for (f,) in answers(db, run_id, "flipped", "judge <> 'rules'"))
    assert row["standing"] == "exploratory"


@pytest.mark.parametrize(
    ("task", "metrics", "expected"),
    [
        ("stance", {}, "exploratory"),
        ("stance", {"kappa": (0.82, 0.71)}, "passed"),
        ("stance", {"kappa": (0.69, 0.60)}, "failed"),
        ("stance", {"kappa": (0.72, 0.49)}, "failed"),
        ("stance", {"kappa": (None, None)}, "exploratory"),
        ("culture", {"kappa_reasoning_class": (0.75, 0.60)}, "exploratory"),
        ("culture", {"kappa_reasoning_class": (0.75, 0.60), "kappa_stereotype": (0.66, 0.55)}, "passed"),
        ("culture", {"kappa_reasoning_class": (0.75, 0.60), "kappa_stereotype": (0.64, 0.55)}, "failed"),
    ],
)
def test_standing(task, metrics, expected):
    """A judge passes with every kappa at its bar and every lower limit at .50; one that was not measured is exploratory."""
    measured = Measured("people", {name: {"value": value, "low": low} for name, (value, low) in metrics.items()})
    assert standing(measured, task)[0] == expected


def test_a_passing_judge_leads_and_a_failing_one_gives_no_r(judged):
    """The judge that passed its calibration is the headline; the readings of one that failed give no r."""
    db, _, key = judged
    calibrate(db, key, kappa=(0.8, 0.7, 0.9, 200))
    with Store.read(db) as store:
        rules = store.value("select judge_key from judges where name = 'rules'")
    calibrate(db, rules, kappa=(0.4, 0.3, 0.5, 200))
    findings = found(db)
    assert findings.primary_judge == "stance@people/model"
    row = one(findings, "alignment", judge="rules")
    assert row["gate"] == "the judge did not pass its calibration"
    assert pd.isna(row["r"])
    assert any("below its bar" in note for note in findings.notes)
    assert found(db, judge="rules").primary_judge == "rules"
    with pytest.raises(AuditError, match="unknown judge"):
        found(db, judge="nobody")


def test_share_corrected_by_calibration(judged):
    """With sensitivity and specificity known, the corrected share is Rogan and Gladen's."""
    db, _, key = judged
    calibrate(db, key, sensitivity=(0.9, 0.8, 0.95, 50), specificity=(0.8, 0.7, 0.9, 60))
    findings = found(db)
    row = one(findings, "preference", judge="stance@people/model")
    first = round(row["share"] * row["n"])
    expected = rogan_gladen_share(first, int(row["n"]), 45, 50, 48, 60)
    assert (row["corrected"], row["corrected_low"], row["corrected_high"]) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
    assert row["correction"] == "Rogan-Gladen, people"
    assert one(findings, "preference", judge="rules")["correction"] == ""


def test_share_corrected_by_labels(judged):
    """With people's labels of a random sample, the corrected share is PPI++ over the labelled and the other answers."""
    db, run_id, _ = judged
    usable = [(k, p) for k, p in answers(db, run_id, "request_key, pole", "judge = 'rules'") if p]
    human = [pole if n % 5 else ("second" if pole == "first" else "first") for n, (_, pole) in enumerate(usable[:60])]
    with Store.open(db) as store:
        store.insert("samples", [{"sample_id": "s", "spec": "{}", "created_at": STAMP}])
        store.insert(
            "sample_items", [{"sample_id": "s", "request_key": k, "stratum": "", "weight": 3.0} for k, _ in usable[:60]]
        )
        store.insert(
            "labels",
            [
                {"request_key": k, "sample_id": "s", "reviewer": "r", "role": "rater", "field": "stance",
                 "value": "a" if pole == "first" else "b", "blind": 1, "created_at": STAMP}
                for (k, _), pole in zip(usable, human, strict=False)
            ],
        )  # fmt: skip
    row = one(found(db), "preference", judge="rules")
    judge = [pole == "first" for _, pole in usable]
    expected = prediction_powered_share([h == "first" for h in human], judge[:60], judge[60:])
    assert row["correction"] == "PPI++"
    assert (row["corrected"], row["corrected_low"]) == pytest.approx((expected.value, expected.low))


def test_a_model_judge_must_beat_the_rules(judged):
    """A judge that costs money and does no better than the rules on the same labels has failed."""
    db, _, key = judged
    calibrate(db, key, kappa=(0.75, 0.65, 0.85, 200))
    assert one(found(db), "judges", judge="stance@people/model")["standing"] == "passed"
    with Store.read(db) as store:
        rules = store.value("select judge_key from judges where name = 'rules'")
    calibrate(db, rules, kappa=(0.78, 0.68, 0.88, 200))
    row = one(found(db), "judges", judge="stance@people/model")
    assert row["standing"] == "failed"
    assert "does not beat the rules" in row["note"]
    assert (row["calibrated_on"], row["kappa"], row["kappa_low"]) == ("people", 0.75, 0.65)


# ------------------------------------------------------------------------------------------- samples, language, culture


def test_samples_agree_as_often_as_pairs_do(tmp_path):
    """Consistency is the share of agreeing pairs among the repeated answers to a question."""
    db = tmp_path / "a.db"
    run_id = run(
        db,
        *IDV,
        "-m",
        "persona",
        "--model",
        "mock/coin?p=0.8",
        "--samples",
        "3",
        "--param",
        "temperature=1",
        "--country",
        "DEU,JPN",
    )
    groups = defaultdict(list)
    for item, country, first in answers(db, run_id, "item_id, country, first_pole"):
        groups[item, country].append(first)
    pairs = [(a, b) for v in groups.values() for i, a in enumerate(v) for b in v[i + 1 :]]
    row = one(found(db), "consistency", kind="samples")
    assert row["n"] == len(pairs)
    assert row["agreement"] == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert row["low"] <= row["agreement"] <= row["high"]


def test_templates_are_compared(tmp_path):
    """Two persona wordings of the same question are a consistency of their own kind."""
    from auditkit.data import load_content

    db = tmp_path / "a.db"
    names = list(load_content().templates)[:2]
    run(
        db,
        *IDV,
        "-m",
        "persona",
        "--model",
        "mock/first",
        "--country",
        "DEU",
        "--persona-template",
        names[0],
        "--persona-template",
        names[1],
    )
    row = one(found(db), "consistency", kind="templates")
    assert (row["n"], row["agreement"]) == (10, 1.0)


def test_language_of_replies(tmp_path):
    """Replies are counted by language: the asked one, English, another, or unsure; mismatch is of all that were looked at."""
    db = tmp_path / "a.db"
    run_id = run(db, *IDV, "-m", "multilingual", "--model", "mock/first", "--country", "DEU", "--country", "IDN")
    with Store.open(db) as store, store.transaction() as connection:
        connection.execute("update screens set reply_lang = null, language_mismatch = null")
    assert not len(found(db).tables["language"])
    with Store.open(db) as store, store.transaction() as connection:
        for n, (key, country) in enumerate(answers(db, run_id, "request_key, country")):
            own = "de" if country == "DEU" else "ms"  # no identifier tells Malay from Indonesian
            lang, mismatch = [(own, 0), ("en", 1), ("fr", 1), (None, None)][n % 4]
            connection.execute(
                "update screens set reply_lang = ?, language_mismatch = ? where request_key = ?", (lang, mismatch, key)
            )
    findings = found(db)
    table = findings.tables["language"]
    assert table[["in_language", "in_english", "in_other", "unsure"]].sum().sum() == table["n"].sum() == 20
    counts = table[["in_language", "in_english", "in_other", "unsure"]].sum()
    assert list(counts) == [5, 5, 5, 5]
    row = one(findings, "language", lang="deu_Latn")
    assert (row["language"], row["country"]) == ("German", "Germany")
    assert row["mismatch"] == pytest.approx((row["in_english"] + row["in_other"]) / row["n"])
    assert one(findings, "left_out")["wrong_language"] == 10


@pytest.fixture
def flagged(tmp_path):
    """A run with a culture judge: every third reply is stereotyped, every fifth invents something."""
    db = tmp_path / "a.db"
    run_id = run(db, *IDV, "-m", "persona", "--model", "mock/first", "--country", "DEU", "--country", "JPN")
    keys = [key for (key,) in answers(db, run_id, "request_key")]
    classes = ("none", "persona_only", "cultural_reasoning")
    judge = add_judge(
        db,
        run_id,
        "culture@people/model",
        [(k, "", classes[n % 3], None) for n, k in enumerate(keys)],
        task="culture",
        orders=("",),
    )
    with Store.open(db) as store:
        text = store.value("select text from replies where request_key = ?", (keys[0],))
        flag = {"judge_key": judge, "rule_id": "", "start": 2, "stop": 9, "evidence": text[2:9], "weight": None}
        store.insert(
            "flags",
            [
                {**flag, "request_key": k, "family": "stereotype", "kind": "role_cliche", "severity": 1 + n % 2}
                for n, k in enumerate(keys)
                if n % 3 == 0
            ],
        )
        store.insert(
            "flags",
            [
                {**flag, "request_key": k, "family": "hallucination", "kind": "anachronism", "severity": None}
                for n, k in enumerate(keys)
                if n % 5 == 0
            ],
        )
    return db, run_id, keys


def test_culture_shares(flagged):
    """Classes, stereotypes and inventions are shares of the replies read, over all countries and for each."""
    db, run_id, keys = flagged
    findings = found(db)
    every = one(findings, "culture", iso3="")
    assert every["n"] == len(keys) == 20
    assert (every["none"], every["persona_only"], every["cultural_reasoning"]) == (7 / 20, 7 / 20, 6 / 20)
    assert (every["stereotyped"], every["hallucinated"]) == (7 / 20, 4 / 20)
    assert every["mean_severity"] == pytest.approx(sum(1 + n % 2 for n in range(0, 20, 3)) / 7)
    countries = [country for (country,) in answers(db, run_id, "country")]
    german = one(findings, "culture", iso3="DEU")
    assert german["stereotyped"] == pytest.approx(sum(c == "DEU" for c in countries[::3]) / 10)
    kind = one(findings, "culture_kinds", kind="anachronism")
    assert (kind["n_with"], kind["n_replies"], kind["share"]) == (4, 20, 0.2)


def test_examples_show_the_gravest_passages_in_their_place(flagged):
    """An example is the flagged passage with what stands before and after it, the gravest first, with its transcript."""
    db, _, _ = flagged
    findings = found(db)
    table = findings.tables["examples"]
    assert list(rows(findings, "examples", kind="role_cliche")["severity"]) == [2, 2, 1]
    assert len(table) == 6
    for _, row in table.iterrows():
        transcript = findings.transcripts[row["request_key"]]
        assert transcript["reply"].startswith(row["before"] + row["evidence"])
        assert row["after"].rstrip("…") in transcript["reply"]
        assert "Germany" in transcript["prompt"] or "Japan" in transcript["prompt"]
        assert transcript["item_id"] == row["item_id"]


# ---------------------------------------------------------------------------------------------------------- several runs


def test_runs_of_different_models_are_put_together(tmp_path):
    """Two runs of two models make one report in which the models are compared."""
    db = tmp_path / "a.db"
    first = run(db, *IDV, "-m", "persona", "--model", "mock/first")
    second = run(db, *IDV, "-m", "persona", "--model", "mock/coin")
    findings = found(db, first, second)
    assert set(findings.tables["left_out"]["model"]) == {"mock/first", "mock/coin"}
    assert len(rows(findings, "models", estimand="share")) == 1
    assert [run.run_id for run in findings.runs] == [first, second]


def test_modes_from_two_runs_are_contrasted(tmp_path):
    """A mode from one run and a mode from another of the same model are set against each other."""
    db = tmp_path / "a.db"
    ids = [run(db, *IDV, "-m", mode, "--model", "mock/coin") for mode in ("persona", "multilingual")]
    findings = found(db, *ids)
    assert set(findings.tables["left_out"]["model"]) == {"mock/coin"}
    assert len(rows(findings, "contrasts", contrast="persona-multilingual")) == 2


def test_what_two_runs_asked_alike_is_kept_apart(tmp_path):
    """A model of which both runs asked the same is not added up: its cells carry the run, and a note says so."""
    db = tmp_path / "a.db"
    ids = [run(db, *IDV, "-m", "persona", "--model", "mock/coin", "--limit", str(n)) for n in (72, 108)]
    findings = found(db, *ids)
    assert set(findings.tables["left_out"]["model"]) == {f"mock/coin (run {i[3:11]})" for i in ids}
    assert sorted(findings.tables["left_out"]["asked"]) == [72, 108]
    assert any("kept apart by run" in note for note in findings.notes)


def test_runs_with_different_scores_are_refused(tmp_path):
    """Runs whose manifests give a country different scores cannot stand in one report."""
    db = tmp_path / "a.db"
    ids = [run(db, *IDV, "-m", "persona", "--model", model, "--limit", "36") for model in ("mock/first", "mock/second")]
    with Store.open(db) as store, store.transaction() as connection:
        connection.execute(
            "update runs set manifest = json_set(manifest, '$.countries.JPN.scores.paper.idv', 1.0) where run_id = ?",
            (ids[0],),
        )
    with pytest.raises(AuditError, match="different scores of JPN"):
        found(db, *ids)


def test_another_edition(audit):
    """The scores are those of the edition, and countries without one are named and not counted."""
    db, run_id, _ = audit
    row = one(found(db, edition="2015"), "alignment", model="mock/coin?p=0.7", mode="persona")
    known = scores(edition="2015")
    assert row["n_countries"] == len(known) == 25
    counts = by_country(db, run_id, "mock/coin?p=0.7", "persona")
    p = [counts[c][0] / counts[c][1] for c in known]
    assert row["r"] == pytest.approx(scipy.stats.pearsonr(list(known.values()), p).statistic)
    assert "LKA" in row["note"]


def test_pigeonhole_limits_are_said_to_be(audit):
    """The conservative interval changes limits, not r, and the report says which it is."""
    db, _, findings = audit
    wide = found(db, ci="pigeonhole")
    where = {"model": "mock/coin?p=0.7", "mode": "persona"}
    a, b = one(findings, "alignment", **where), one(wide, "alignment", **where)
    assert a["r"] == b["r"]
    assert (a["r_low"], a["r_high"]) != (b["r_low"], b["r_high"])
    assert any("bootstrap" in note for note in wide.notes)


def test_the_seed_decides_what_is_drawn(audit):
    """The same seed gives the same report; another one other permutation p values."""
    db, _, findings = audit
    pd.testing.assert_frame_equal(found(db, pairs=(("JPN", "USA"),)).tables["alignment"], findings.tables["alignment"])
    assert (
        not found(db, seed=5).tables["alignment"]["p_permutation"].equals(findings.tables["alignment"]["p_permutation"])
    )


# ----------------------------------------------------------------------------------------------------- nothing to find


DEGENERATE = {
    "one country": (
        ("-m", "persona", "-m", "multilingual", "--model", "mock/coin", "--country", "JPN"),
        "Only 1 country",
    ),
    "three countries": (("-m", "persona", "--model", "mock/coin", "--country", "JPN,USA,DEU"), "Only 3 countries"),
    "all answers alike": (("-m", "persona", "--model", "mock/script?path=always.jsonl"), "One model"),
    "refusals": (("-m", "persona", "--model", "mock/refuse"), "validity gate"),
    "nothing readable": (("-m", "persona", "--model", "mock/empty"), "validity gate"),
    "baseline alone": (("-m", "baseline", "--model", "mock/coin"), "Only baseline"),
    "one cell": (("-m", "persona", "--model", "mock/first", "--limit", "1"), "Only 1 country"),
    "five cells": (("-m", "persona", "-m", "baseline", "--model", "mock/coin", "--limit", "5"), "One model"),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_where_nothing_can_be_said_the_report_says_so(case, tmp_path):
    """Degenerate runs give findings with reasons in words: no traceback, no warning, no figure that is not a number or infinite."""
    arguments, expected = DEGENERATE[case]
    Path("always.jsonl").write_text(
        '{"contains": "", "reply": "I would go with the first option."}\n', encoding="utf-8"
    )
    db = tmp_path / "a.db"
    run(db, *IDV, *arguments)
    findings = found(db, pairs=(("JPN", "USA"),), replicate=True)
    assert any(expected in note for note in findings.notes), findings.notes
    for name, table in findings.tables.items():
        for column in table.columns:
            if table[column].dtype == object:
                assert all(isinstance(v, str) for v in table[column])
                assert not any("nan" in v.split() for v in table[column]), (name, column)
            else:
                assert not np.isinf(table[column].dropna().astype(float)).any(), (name, column)
    for name, figure in (
        ("alignment", "r"),
        ("classification", "auc"),
        ("models", "difference"),
        ("contrasts", "difference"),
    ):
        table = findings.tables[name]
        assert all(row["note"] or row.get("gate") for _, row in table.iterrows() if pd.isna(row[figure])), name


def test_nothing_judged(tmp_path):
    """A run without a verdict gives counts, no shares, and says what to run."""
    db = tmp_path / "a.db"
    run(db, *IDV, "-m", "persona", "--model", "mock/coin")
    with Store.open(db) as store, store.transaction() as connection:
        connection.execute("delete from verdicts")
    findings = found(db)
    assert any("auditkit judge" in note for note in findings.notes)
    row = one(findings, "alignment")
    assert row["gate"] == "nothing has been judged"
    assert findings.tables["preference"]["share"].isna().all()
    assert findings.any_alignment_p is None


def test_a_closed_gate_gives_no_r_of_any_kind(tmp_path):
    """Where the validity gate is closed, no r, rho, AUC or corrected r stands in any table, and every row says why."""
    db = tmp_path / "a.db"
    Path("half.jsonl").write_text('{"contains": "o", "reply": "the the the the"}\n', encoding="utf-8")
    run(db, *IDV, "-m", "persona", "-m", "multilingual", "--model", "mock/both")
    findings = found(db)
    for name, columns in {
        "alignment": ["r", "rho", "r_true", "p", "p_permutation", "p_region"],
        "classification": ["auc", "threshold_accuracy"],
        "sensitivity": ["r_dropped", "r_min", "r_max"],
        "resource": ["r"],
        "resource_tests": ["r_chi2_p"],
    }.items():
        assert findings.tables[name][columns].isna().all().all()
    assert (findings.tables["alignment"]["gate"] != "").all()
    assert (rows(findings, "contrasts", estimand="r")["note"] != "").all()


def test_thin_designs_get_no_reliability(tmp_path):
    """Where most pairs of dilemma and country were not asked, reliability would be of filled-in numbers, and is not given."""
    db = tmp_path / "a.db"
    run(db, *IDV, "-m", "persona", "--model", "mock/coin", "--limit", "72")
    row = one(found(db), "alignment")
    assert pd.isna(row["alpha"])
    assert "no reliability" in row["note"]
    assert not pd.isna(row["r"])


def test_frames_refuse_columns_that_they_do_not_have():
    """A row with a column that the table does not have is a mistake of ours and says so."""
    with pytest.raises(KeyError, match="no column wrong"):
        frame("pairs", [{"wrong": 1}])


def test_frames_keep_kinds_apart():
    """Whole numbers stay whole beside missing ones, figures that are not finite are missing, and text is never missing."""
    table = frame(
        "judges",
        [{"judge": "a", "n_verdicts": 3, "kappa": float("inf")}, {"judge": "b", "n_verdicts": None, "kappa": 0.5}],
    )
    assert str(table["n_verdicts"].dtype) == "Int64"
    assert table["kappa"].isna().tolist() == [True, False]
    assert table["judge"].tolist() == ["a", "b"]
