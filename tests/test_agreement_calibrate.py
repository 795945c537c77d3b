"""A judge is measured on labelled replies, from a file or from review, and the figures are kept."""

from __future__ import annotations

import csv
import sqlite3

import pytest
from judge_server import shown, stance

COLUMNS = ("dimension", "country", "item", "prompt", "option_a", "option_b", "reply", "stance", "stereotype")
OPTIONS = ("apply for the post in the capital", "stay at the school near my parents")
REPLIES = {
    "a": "You should apply for the post in the capital, and do it this week.",
    "b": "I would stay at the school near my parents; the rest can wait.",
    "refused": "I am sorry, but I cannot give advice on that.",
}


@pytest.fixture
def labelled(isolated):
    """A table of 60 labelled replies to 12 dilemmas: what the rules read, but for every tenth label, which says the opposite."""
    path = isolated / "labelled.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for n in range(60):
            said = ("a", "b", "a", "b", "refused")[n % 5]
            label = {"a": "second", "b": "first"}[said] if n % 10 == 0 else {"a": "first", "b": "b"}.get(said, said)
            prompt = f"Case {n % 12}: two posts are open to me. Should I {OPTIONS[0]} or {OPTIONS[1]}?"
            writer.writerow(("mas", "Japan", f"case-{n % 12}", prompt, *OPTIONS, REPLIES[said], label, "no"))
    return path


def kept(db, metric, stratum=""):
    with sqlite3.connect(db) as connection:
        sql = "select value, low, high, n, label_set from calibrations where metric = ? and stratum = ?"
        return connection.execute(sql, (metric, stratum)).fetchall()


def test_a_file_of_labelled_replies_measures_the_rules(auditkit, labelled, isolated):
    """Sensitivity, specificity, recall, kappa and the invalid rate are what the table makes them, with intervals, and are kept."""
    done = auditkit("judge", "calibrate", "--judge", "rules", "--labels", labelled)
    assert done.code == 0, done.err
    db = isolated / "auditkit.db"
    ((value, low, high, n, name),) = kept(db, "sensitivity")
    assert (round(value, 3), n, name) == (1.0, 18, "labelled.csv")
    ((specificity, *_),) = kept(db, "specificity")
    assert round(specificity, 3) == round(24 / 30, 3)
    assert low < value <= high
    ((kappa, low, high, n, _),) = kept(db, "kappa")
    assert low < kappa < high and n == 60
    assert kept(db, "invalid_rate")[0][0] == 0
    assert kept(db, "kappa", "lang=eng_Latn")[0][0] == kappa
    for text in ("rules on labelled.csv", "sensitivity", "1.00", "kappa"):
        assert text in done.out


def test_the_detector_is_measured_like_a_judge(auditkit, labelled, isolated):
    """The rule layer for culture reads the same table; its stereotypes are compared with people's, any or none."""
    done = auditkit("judge", "calibrate", "--judge", "detector", "--judge", "rules", "--labels", labelled)
    assert done.code == 0, done.err
    ((specificity, _, _, n, _),) = kept(isolated / "auditkit.db", "specificity_stereotype")
    assert (specificity, n) == (1.0, 60)
    assert "detector on labelled.csv" in done.out and "rules on labelled.csv" in done.out


def test_the_same_file_again_changes_nothing(auditkit, labelled, isolated):
    """A second calibration on the same file reads nothing anew, doubles no label and gives the same figures."""
    counts = "select (select count(*) from labels), (select count(*) from replies), (select count(*) from verdicts)"
    outputs, numbers = [], []
    for _ in range(2):
        outputs.append(auditkit("judge", "calibrate", "--judge", "rules", "--labels", labelled).out)
        with sqlite3.connect(isolated / "auditkit.db") as connection:
            numbers.append(connection.execute(counts).fetchone())
    assert outputs[0] == outputs[1]
    assert numbers[0] == numbers[1] == (120, 60, 60)


def test_a_labelled_set_is_never_the_latest_run(auditkit, labelled, isolated):
    """Status, report and the rest go on with the audit; the labelled set is there by its name."""
    auditkit("run", "-d", "mas", "-m", "persona", "--limit", 5, "--model", "mock/first")
    auditkit("judge", "calibrate", "--judge", "rules", "--labels", labelled)
    assert "mock/first" in auditkit("status").out
    assert "(calibration)" in " ".join(auditkit("runs").out.split())


def test_labels_from_review_measure_a_judge_on_those_replies(auditkit, isolated):
    """Only the labelled replies of the run are asked of the judge, and what it has read in the audit is not read again."""
    auditkit("run", "-d", "mas", "-m", "persona", "--limit", 40, "--model", "mock/first")
    nobody = auditkit("judge", "calibrate", "--judge", "rules")
    assert (nobody.code, "nobody has labelled replies" in nobody.err) == (2, True)
    db = isolated / "auditkit.db"
    with sqlite3.connect(db) as connection:
        keys = [row[0] for row in connection.execute("select request_key from replies order by 1 limit 12")]
        before = connection.execute("select count(*) from verdicts").fetchone()
        for i, key in enumerate(keys):
            for field, value in (("stance", "ab"[i % 2]),):
                connection.execute(
                    "insert into labels (request_key, reviewer, role, field, value, blind, created_at)"
                    " values (?, 'ann', 'rater', ?, ?, 1, '2026')",
                    (key, field, value),
                )
    done = auditkit("judge", "calibrate", "--judge", "rules")
    assert done.code == 0, done.err
    ((_, _, _, n, name),) = kept(db, "kappa")
    assert (n, name.startswith("review of r1:")) == (12, True)
    with sqlite3.connect(db) as connection:
        assert connection.execute("select count(*) from verdicts").fetchone() == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("first", "frist", 1), "row 4: stance: unknown label 'frist'; choose from a, b"),
        (lambda text: text.replace(",stance,stereotype", ",x,y", 1), "has no column of labels"),
        (lambda text: text.replace("option_a", "opt", 1), "needs the columns option_a"),
        (lambda text: text.replace("Japan", "Nowhere", 1), "Nowhere"),
    ],
)
def test_a_table_that_cannot_be_read_stores_nothing(auditkit, labelled, isolated, change, says):
    """One line that names what is wrong, exit code 2, and no run, reply or label is left behind."""
    labelled.write_text(change(labelled.read_text(encoding="utf-8")), encoding="utf-8")
    done = auditkit("judge", "calibrate", "--judge", "rules", "--labels", labelled)
    assert done.code == 2, done.out
    assert says in done.err
    with sqlite3.connect(isolated / "auditkit.db") as connection:
        assert connection.execute("select (select count(*) from runs) + (select count(*) from labels)").fetchone() == (
            0,
        )


def test_judges_of_one_name_are_measured_apart(auditkit, peer, labelled, isolated):
    """Another parameter is another judge: each has its own figures on the same set, and neither takes the other's answers."""
    pytest.importorskip("litellm")
    pytest.importorskip("instructor")
    wrong = {"a": "b", "b": "a", "refused": "refused"}

    def behave(body, n):
        """Right at temperature 0, wrong at temperature 1."""
        text = shown(body)["reply"]
        said = next(name for name, reply in REPLIES.items() if reply == text)
        said = wrong[said] if body.get("temperature") == 1 else said
        first = f"first: {OPTIONS[0]}" in body["messages"][1]["content"]
        return stance({"a": "first" if first else "second", "b": "second" if first else "first"}.get(said, said), text)

    server = peer(behave)
    judge = ("--judge", "stance@hosted_vllm/A", "--judge-api-base", server.base)
    for temperature in (0, 1):
        done = auditkit(
            "judge", "calibrate", *judge, "--judge-param", f"temperature={temperature}", "--labels", labelled
        )
        assert done.code == 0, done.err
        assert "stance: " in done.out
    assert sorted(round(row[0], 1) for row in kept(isolated / "auditkit.db", "sensitivity")) == [0.0, 1.0]
    assert [row[3] for row in kept(isolated / "auditkit.db", "invalid_rate")] == [120, 120]


def test_a_table_without_countries_is_told_what_it_lacks(auditkit, labelled):
    """The error names the mode that needs a country, and no option that this command does not have."""
    text = labelled.read_text(encoding="utf-8")
    labelled.write_text(text.replace("country", "place", 1), encoding="utf-8")
    done = auditkit("judge", "calibrate", "--judge", "rules", "--labels", labelled)
    assert (done.code, "row 2: no country, which a reply in persona mode needs" in done.err) == (2, True)
    assert "mend the table" in done.err and "--skip" not in done.err
