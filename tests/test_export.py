"""`auditkit export`: what is in the files is what is in the database, and a stranger can read it."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.data import data_dir, load_countries
from auditkit.errors import AuditError
from auditkit.export import files, write
from auditkit.export.columns import ANSWERS, COUNTS, TABLES
from auditkit.export.files import guard, unguard
from auditkit.export.write import export
from auditkit.store import Store
from auditkit.summary import STATES, summarise

csv.field_size_limit(10_000_000)

REPLIES = {
    "Germany": '=HYPERLINK("http://example.invalid","press")',
    "Japan": "+1 for the first option",
    "France": '-1\r\nthe second line, with "quotes", commas; and\rreturns\n',
    "Italy": "@SUM(A1:A9)",
    "Poland": "\tthe second option",
    "Sweden": "''=already guarded",
    "Denmark": "a\x00b \x1b[31mred\x1b[0m \x07 [bold]",
    "Finland": "\u202eright to left\u202c \u2028 \ufeff 第一の選択肢 ალბათ 👍🏽",
    "Greece": "",
    "Hungary": "None",
    "Ukraine": "x" * 100_000,
    "Thailand": "  spaces at both ends  ",
    "Iceland": "NA",
}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def stored(db: Path, sql: str, *parameters: object) -> list[tuple]:
    with sqlite3.connect(db) as connection:
        return connection.execute(sql, parameters).fetchall()


@pytest.fixture
def nasty(auditkit, isolated: Path) -> Path:
    """A database whose replies are REPLIES, by country."""
    script = isolated / "script.jsonl"
    lines = [json.dumps({"contains": country, "reply": reply}) for country, reply in REPLIES.items()]
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    countries = [part for country in REPLIES for part in ("--country", country)]
    done = auditkit(
        "run",
        "-d",
        "individualism",
        "-m",
        "persona",
        "--model",
        f"mock/script?path={script}",
        "--limit",
        26,
        *countries,
    )
    assert done.code == 0, done.err
    return isolated / "auditkit.db"


@pytest.fixture
def small(auditkit, isolated: Path) -> Path:
    """A database of one run: two models, with and without persona, one of them truncated."""
    done = auditkit(
        "run", "-d", "individualism", "-m", "persona", "-m", "baseline", "--limit", 80,
        "--model", "mock/hostile", "--model", "mock/coin?truncate=1",
    )  # fmt: skip
    assert done.code == 0, done.err
    return isolated / "auditkit.db"


def test_hostile_replies_survive_every_format(auditkit, nasty, isolated):
    """Every reply comes back byte for byte: from CSV after taking off the documented guard, from the others as it is."""
    pq = pytest.importorskip("pyarrow.parquet")
    assert auditkit("export", "--to", "out", "--format", "csv,parquet,jsonl").code == 0
    truth = dict(stored(nasty, "select position, text from cells join replies using (request_key)"))
    assert set(truth.values()) == set(REPLIES.values())
    from_csv = {int(r["position"]): unguard(r["text"]) for r in read_csv(isolated / "out" / "answers.csv")}
    table = pq.read_table(isolated / "out" / "answers.parquet").to_pylist()
    with (isolated / "out" / "answers.jsonl").open(encoding="utf-8", newline="\n") as stream:
        objects = [json.loads(line) for line in stream]
    assert from_csv == truth
    assert {r["position"]: r["text"] for r in table} == truth
    assert {r["position"]: r["text"] for r in objects} == truth
    assert table == objects


def test_the_hostile_mock_survives_csv_and_parquet(auditkit, small, isolated):
    """Control characters, escapes, markup and direction marks of a reply are the same bytes after a round trip."""
    pq = pytest.importorskip("pyarrow.parquet")
    assert auditkit("export", "--to", "out").code == 0
    truth = dict(stored(small, "select position, text from cells join replies using (request_key)"))
    assert any("\x1b[31m" in text and "\x00" in text for text in truth.values())
    assert {int(r["position"]): r["text"] for r in read_csv(isolated / "out" / "answers.csv")} == truth
    table = pq.read_table(isolated / "out" / "answers.parquet", columns=["position", "text"]).to_pylist()
    assert {r["position"]: r["text"] for r in table} == truth


def test_no_csv_cell_that_a_model_wrote_begins_a_formula(auditkit, nasty, isolated):
    """A spreadsheet finds no cell of a model's text that begins with = + - @, tab or return; other cells are untouched."""
    assert auditkit("export", "--to", "out", "--format", "csv").code == 0
    rows = read_csv(isolated / "out" / "answers.csv")
    assert sum(r["text"].startswith("'") for r in rows) == 2 * sum(
        text[:1] in tuple("=+-@\t'") for text in REPLIES.values() if text
    )
    for table, columns in TABLES.items():
        for row in read_csv(isolated / "out" / f"{table}.csv"):
            for column in columns:
                if column.written_by == "model":
                    assert not row[column.name].startswith(("=", "+", "-", "@", "\t", "\r"))
                else:
                    assert not row[column.name].startswith("'")


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\na ")) | st.text())
def test_the_guard_can_be_taken_off(text):
    """`unguard` gives back what `guard` was given, and no guarded cell begins like a formula."""
    cell = guard(text)
    assert unguard(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_the_file_is_what_a_spreadsheet_expects(auditkit, nasty, isolated):
    """CSV begins with a byte order mark, ends its lines with CR LF, and keeps line breaks inside quotes."""
    assert auditkit("export", "--to", "out", "--format", "csv").code == 0
    raw = (isolated / "out" / "answers.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfrun_id,")
    assert raw.endswith(b"\r\n")
    assert len(read_csv(isolated / "out" / "answers.csv")) == 26


def test_the_data_dictionary_is_the_real_columns(auditkit, small, isolated):
    """Dictionary, CSV heads, Parquet schema, and the view `answers` name the same columns with the same types."""
    pq = pytest.importorskip("pyarrow.parquet")
    assert auditkit("export", "--to", "out").code == 0
    entries = read_csv(isolated / "out" / "data_dictionary.csv")
    markdown = (isolated / "out" / "data_dictionary.md").read_text(encoding="utf-8")
    for table in ("answers", "attempts", "counts"):
        with (isolated / "out" / f"{table}.csv").open(encoding="utf-8-sig", newline="") as stream:
            head = next(csv.reader(stream))
        assert [e["column"] for e in entries if e["table"] == table] == head
        section = markdown.split(f"## {table}\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == head
    assert all(e["meaning"] and e["type"] in ("text", "integer", "number") for e in entries)
    schema = pq.read_schema(isolated / "out" / "answers.parquet")
    kinds = {"text": "string", "integer": "int64", "number": "double"}
    assert [(f.name, str(f.type)) for f in schema] == [(c.name, kinds[c.type]) for c in ANSWERS]
    view = [name.partition(":")[0] for (name,) in stored(small, "select name from pragma_table_info('answers')")]
    assert [c.name for c in ANSWERS][: len(view)] == view
    attempts = [name for (name,) in stored(small, "select name from pragma_table_info('attempts')")]
    assert set(attempts) <= {c.name for c in TABLES["attempts"]}


def test_allowed_values_hold(auditkit, small, nasty, isolated):
    """Where the dictionary lists the values of a column, no file holds another one."""
    assert auditkit("export", "--to", "out", "--all", "--format", "csv").code == 0
    checked = 0
    for table, columns in TABLES.items():
        for row in read_csv(isolated / "out" / f"{table}.csv"):
            for column in columns:
                if " | " in column.values and row[column.name]:
                    assert row[column.name] in column.values.split(" | "), column.name
                    checked += 1
                if row[column.name] and column.type != "text":
                    float(row[column.name])
    assert checked > 500


def test_answers_carry_what_the_country_is(auditkit, small, isolated):
    """Title, resource level and score are those of the country in the edition asked for; baseline has none of them."""
    countries, _ = load_countries(data_dir("personas"))
    for edition in ("paper", "2015"):
        assert auditkit("export", "--to", edition, "--format", "jsonl", "--edition", edition).code == 0
        lines = (isolated / edition / "answers.jsonl").read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        assert len(rows) == 80
        for row in rows:
            assert (row["edition"], row["language_name"]) == (edition, "English")
            if row["country"] is None:
                assert (row["mode"], row["country_title"], row["resource_level"], row["score"]) == (
                    "baseline",
                    None,
                    None,
                    None,
                )
            else:
                country = countries[row["country"]]
                assert (row["country_title"], row["resource_level"]) == (country.title, country.resource_level)
                assert row["score"] == country.scores.get(edition, {}).get("idv")
    assert any(row["country"] and row["score"] is None for row in rows)  # 2015 lacks some of the countries


def test_counts_say_what_the_summary_says(auditkit, small, isolated):
    """The counts add up to the closing table's states, group by group, and a row's states to what was asked."""
    assert auditkit("export", "--to", "out", "--format", "csv").code == 0
    rows = read_csv(isolated / "out" / "counts.csv")
    names = {state: state.replace(" ", "_") for state in STATES}
    assert all(int(r["asked"]) == sum(int(r[name]) for name in names.values()) for r in rows)
    keys = [(r["model"], r["mode"], r["item_id"], r["country"], r["judge_key"]) for r in rows]
    assert len(keys) == len(set(keys))
    with Store.read(small) as store:
        summary = summarise(store, store.latest_run()["run_id"])
    for group in summary.groups:
        mine = [r for r in rows if (r["model"], r["mode"], r["judge"]) == (group.model, group.mode, group.judge)]
        total = {state: sum(int(r[name]) for r in mine) for state, name in names.items()}
        assert {state: n for state, n in total.items() if n} == dict(group.states)
        assert sum(int(r["truncated"]) for r in mine) == group.truncated
    answers = read_csv(isolated / "out" / "answers.csv")
    assert Counter(r["state"] for r in answers) == Counter(
        {state: n for state, name in names.items() if (n := sum(int(r[name]) for r in rows))}
    )


def test_what_is_written_is_printed_and_described(auditkit, small, isolated):
    """Stdout lists every file with its rows; README and manifest say what they are of; nothing else is left behind."""
    (isolated / "out").mkdir()
    (isolated / "out" / "mine.txt").write_text("kept", encoding="utf-8")
    result = auditkit("export", "--to", "out", "--format", "csv")
    names = {
        "answers.csv",
        "attempts.csv",
        "counts.csv",
        "verdicts.csv",
        "cultures.csv",
        "flags.csv",
        "labels.csv",
        "data_dictionary.csv",
        "data_dictionary.md",
        "manifest.json",
        "README.md",
    }
    assert {p.name for p in (isolated / "out").iterdir()} == names | {"mine.txt"}
    for name in names:
        assert f"{Path('out') / name} " in result.out
    assert re.search(r"answers\.csv +80 ", result.out)
    assert re.search(r"attempts\.csv +80 ", result.out)
    ((run_id, manifest),) = stored(small, "select run_id, manifest from runs")
    assert json.loads((isolated / "out" / "manifest.json").read_text(encoding="utf-8")) == json.loads(manifest)
    readme = (isolated / "out" / "README.md").read_text(encoding="utf-8")
    assert run_id in readme
    assert "| `answers.csv` | 80 |" in readme


@pytest.mark.parametrize("formats", ["csv", "parquet", "csv,parquet", "jsonl"])
def test_the_recipe_in_the_readme_works(auditkit, nasty, isolated, monkeypatch, formats):
    """The Python lines of the README read the export beside it, and give the texts that are in the database."""
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert auditkit("export", "--to", "out", "--format", formats).code == 0
    code = (isolated / "out" / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(isolated / "out")
    space: dict = {}
    exec(code, space)
    truth = [
        text for (text,) in stored(nasty, "select text from cells join replies using (request_key) order by position")
    ]
    assert [text if isinstance(text, str) else "" for text in space["answers"]["text"]] == truth


def test_a_run_without_replies_is_exported_and_says_so(auditkit, isolated):
    """Cells without a reply stand in the tables as such, failed calls in attempts, and stderr says that it is not finished."""
    assert (
        auditkit(
            "run", "-d", "mas", "-m", "persona", "--limit", 8, "--retries", 0, "--model", "mock/coin?fail=1&kind=fatal"
        ).code
        == 2
    )
    result = auditkit("export", "--to", "out", "--format", "csv")
    assert result.code == 0
    assert "8 rows have no reply yet" in result.err
    rows = read_csv(isolated / "out" / "answers.csv")
    assert [(r["state"], r["text"], r["reply_status"]) for r in rows] == [("not answered", "", "")] * 8
    calls = read_csv(isolated / "out" / "attempts.csv")
    assert {(c["outcome"], c["error"]) for c in calls} == {("fatal", "the mock was told to fail")}
    assert sum(int(r["not_answered"]) for r in read_csv(isolated / "out" / "counts.csv")) == 8


def test_attempts_hold_no_key(auditkit, small, isolated):
    """A key in an error that some other program recorded does not reach the export."""
    with sqlite3.connect(small) as connection:
        (run_id,) = connection.execute("select run_id from runs").fetchone()
        connection.execute(
            "insert into attempts (run_id, stage, outcome, error, ended_at) values (?, 'generate', 'fatal', ?, '2025-01-01')",
            (run_id, "=bad key: sk-proj-abcdefgh12345678, Authorization: Bearer abcdefgh12345678"),
        )
    assert auditkit("export", "--to", "out", "--format", "csv").code == 0
    error = read_csv(isolated / "out" / "attempts.csv")[-1]["error"]
    assert error.startswith("'=bad key")
    assert "abcdefgh12345678" not in (isolated / "out" / "attempts.csv").read_text(encoding="utf-8")


def test_a_judge_can_be_chosen(auditkit, isolated):
    """With two judges a cell stands twice; --judge keeps one, and the README counts what that left out."""
    run = ("run", "-d", "mas", "-m", "persona", "--limit", 10, "--model", "mock/first")
    auditkit(*run)
    with Store.open(isolated / "auditkit.db") as store:  # another version of the same judge, which has read nothing
        judge = {
            "judge_key": "j1:other",
            "name": "other",
            "kind": "rules",
            "task": "stance",
            "model": None,
            "config": "{}",
        }
        store.ask_judge(store.latest_run()["run_id"], judge, [""])
    assert auditkit("export", "--to", "both", "--format", "csv").code == 0
    assert Counter(r["judge"] for r in read_csv(isolated / "both" / "answers.csv")) == {"rules": 10, "other": 10}
    assert auditkit("export", "--to", "one", "--format", "csv", "--judge", "rules").code == 0
    rows = read_csv(isolated / "one" / "answers.csv")
    assert {(r["judge"], r["state"] in ("first", "second")) for r in rows} == {("rules", True)}
    assert "10 rows by other judges: other" in (isolated / "one" / "README.md").read_text(encoding="utf-8")
    auditkit(*run[:-1], "mock/second")
    result = auditkit("export", "--to", "all", "--all", "--format", "csv", "--judge", "j1:other")
    assert result.code == 0
    assert len(read_csv(isolated / "all" / "answers.csv")) == 10
    assert "all 10 cells, since the judge j1:other was not asked for" in (isolated / "all" / "README.md").read_text(
        encoding="utf-8"
    )
    wrong = auditkit("export", "--to", "x", "--judge", "rule")
    assert (wrong.code, "did you mean 'rules'?" in wrong.err, (isolated / "x").exists()) == (2, True, False)


def test_all_runs_stand_in_the_same_files(auditkit, isolated):
    """--all holds every run, told apart by run_id, with the manifests by id; without it the latest run is exported."""
    for model in ("mock/first", "mock/second"):
        auditkit("run", "-d", "mas", "-m", "persona", "--limit", 6, "--model", model)
    assert auditkit("export", "--to", "all", "--all", "--format", "csv").code == 0
    ids = [
        run_id for (run_id,) in stored(isolated / "auditkit.db", "select run_id from runs order by created_at, rowid")
    ]
    for table, rows in (("answers", 12), ("attempts", 12), ("counts", 12)):
        found = [r["run_id"] for r in read_csv(isolated / "all" / f"{table}.csv")]
        assert (len(found), sorted(set(found))) == (rows, sorted(ids))
    assert list(json.loads((isolated / "all" / "manifest.json").read_text(encoding="utf-8"))) == ids
    assert auditkit("export", "--to", "latest", "--format", "csv").code == 0
    assert {r["run_id"] for r in read_csv(isolated / "latest" / "answers.csv")} == {ids[-1]}
    assert "other runs of the same database: 1 " in (isolated / "latest" / "README.md").read_text(encoding="utf-8")
    assert auditkit("export", "--to", "first", "--format", "csv", "--run", ids[0][:12]).code == 0
    assert {r["model"] for r in read_csv(isolated / "first" / "answers.csv")} == {"mock/first"}


def test_what_was_set_aside_is_named(auditkit, isolated):
    """Languages that could not be sent stand in the README with their reason."""
    (isolated / "none").mkdir()
    done = auditkit(
        "run", "-d", "mas", "-m", "multilingual", "--model", "mock/first", "--limit", 5, "--translations", "none"
    )
    assert done.code == 0, done.err
    assert auditkit("export", "--to", "out", "--format", "csv").code == 0
    readme = (isolated / "out" / "README.md").read_text(encoding="utf-8")
    assert re.search(r"- multilingual mode, kat_Geor: not there, no translation \(\d+ dilemmas\)", readme)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "cvs"), "did you mean 'csv'?"),
        (("--edition", "papr"), "did you mean 'paper'?"),
        (("--run", "zzz"), "unknown run 'zzz'"),
        (("--run", "r1", "--all"), "--run and --all"),
        (("--db", "missing.db"), "no such database"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(auditkit, small, isolated, arguments, words):
    """A wrong name ends with exit code 2 and one line, and nothing is written."""
    result = auditkit("export", "--to", "out", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert result.err.count("\n") == 1
    assert not (isolated / "out").exists()


def test_a_file_is_no_folder(auditkit, small, isolated):
    """--to with the name of a file, or a place below one, is refused and the file kept."""
    (isolated / "taken").write_text("mine", encoding="utf-8")
    for place in ("taken", "taken/below"):
        result = auditkit("export", "--to", place)
        assert result.code == 2
        assert "taken" in result.err
    assert (isolated / "taken").read_text(encoding="utf-8") == "mine"


def test_without_pyarrow_csv_is_written_and_parquet_named(auditkit, small, isolated, monkeypatch):
    """Parquet that was asked for needs the extra, in one line; the default falls back on CSV and says so."""
    monkeypatch.setattr(write, "has_pyarrow", lambda: False)
    result = auditkit("export", "--to", "out", "--format", "parquet")
    assert (result.code, 'pip install "auditkit[export]"' in result.err) == (2, True)
    assert not (isolated / "out").exists()
    result = auditkit("export", "--to", "out")
    assert (result.code, 'pip install "auditkit[export]"' in result.err) == (0, True)
    assert (isolated / "out" / "answers.csv").exists()
    assert "answers.parquet was not written" in (isolated / "out" / "README.md").read_text(encoding="utf-8")


def test_an_export_that_fails_leaves_the_earlier_one(auditkit, small, isolated, monkeypatch):
    """A full disk in the middle: the files of the export before are whole, and no temporary one stays."""
    assert auditkit("export", "--to", "out", "--format", "csv").code == 0
    before = {p.name: p.read_bytes() for p in (isolated / "out").iterdir()}

    def full(self, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files._JsonlSink, "write", full)
    result = auditkit("export", "--to", "out", "--format", "csv,jsonl")
    assert (result.code, "No space left on device" in result.err) == (2, True)
    assert {p.name: p.read_bytes() for p in (isolated / "out").iterdir()} == before


def test_a_table_of_an_earlier_export_is_pointed_out(auditkit, small, isolated):
    """A table that this export did not write, but an earlier one did, is named on stderr and in the README."""
    assert auditkit("export", "--to", "out", "--format", "jsonl").code == 0
    result = auditkit("export", "--to", "out", "--format", "csv")
    assert "answers.jsonl there is of an earlier export" in result.err
    assert "earlier one into the same folder: answers.jsonl" in (isolated / "out" / "README.md").read_text(
        encoding="utf-8"
    )


def test_all_files_show_the_same_moment(small, isolated, monkeypatch):
    """What is written to the database while an export runs is in none of its files."""
    original = write._stream

    def stream(work, table, formats, rows):
        written = original(work, table, formats, rows)
        with sqlite3.connect(small) as connection:
            connection.execute(
                "insert into attempts (run_id, stage, outcome, ended_at) select run_id, 'judge', 'ok', 'now' from runs"
            )
            connection.execute("delete from verdicts")
        return written

    monkeypatch.setattr(write, "_stream", stream)
    with Store.read(small) as store:
        done = export(store, isolated / "out", formats=["csv"])
    assert {f.path.name: f.rows for f in done.files}["attempts.csv"] == 80
    states = Counter(r["state"] for r in read_csv(isolated / "out" / "answers.csv"))
    for name, column in ((c.name.replace("_", " "), c.name) for c in COUNTS if c.name.replace("_", " ") in STATES):
        assert sum(int(r[column]) for r in read_csv(isolated / "out" / "counts.csv")) == states[name]


def test_rows_are_taken_a_batch_at_a_time(monkeypatch):
    """A batch ends at a number of rows or of characters, and the next row is not read before it is used."""
    monkeypatch.setattr(files, "_BATCH_ROWS", 3)
    monkeypatch.setattr(files, "_BATCH_CHARACTERS", 10)
    read = []

    def rows():
        for row in ((1, "a"), (2, "b"), (3, "c"), (4, "x" * 20), (5, None)):
            read.append(row[0])
            yield row

    batches = files.batches(rows())
    assert [row[0] for row in next(batches)] == [1, 2, 3]
    assert read == [1, 2, 3]
    assert [[row[0] for row in batch] for batch in batches] == [[4], [5]]


def test_an_empty_database_says_what_to_do(isolated):
    """A database without a run is refused with what to type."""
    with Store.open(isolated / "auditkit.db") as store:
        for every in (False, True):
            with pytest.raises(AuditError, match="auditkit run"):
                export(store, isolated / "out", every=every, formats=["csv"])


def test_verdicts_flags_and_labels_come_too(auditkit, small, isolated):
    """What judges, rules and people said of a reply is exported with its span and its weight, a row each."""
    with Store.open(small) as store:
        key = store.value("select request_key from replies limit 1")
        judge = {
            "judge_key": "j1:x",
            "name": "detector",
            "kind": "rules",
            "task": "culture",
            "model": None,
            "config": "{}",
        }
        run = store.latest_run()["run_id"]
        store.ask_judge(run, judge, [""])
        stamp = {"request_key": key, "judge_key": "j1:x"}
        store.insert_verdicts(
            [{**stamp, "status": "ok", "reasoning_class": "persona_only", "raw": "", "created_at": "2026-01-01"}],
            [
                {
                    **stamp,
                    "family": "stereotype",
                    "kind": "emblem_cliche",
                    "start": 0,
                    "stop": 3,
                    "evidence": "=1+",
                    "severity": 1,
                }
            ],
        )
        store.insert("samples", [{"sample_id": "s1", "spec": "{}", "created_at": "2026-01-01"}])
        store.insert("sample_items", [{"sample_id": "s1", "request_key": key, "stratum": "random", "weight": 2.5}])
        said = {
            "request_key": key,
            "sample_id": "s1",
            "reviewer": "ann",
            "role": "rater",
            "blind": 1,
            "created_at": "2026",
        }
        store.insert("labels", [{**said, "field": "stance", "value": "a"}])
    auditkit("export", "--to", "out", "--format", "csv")
    (flag,) = read_csv(isolated / "out" / "flags.csv")
    assert (flag["request_key"], flag["kind"], flag["evidence"], flag["judge"]) == (
        key,
        "emblem_cliche",
        "'=1+",
        "detector",
    )
    (label,) = read_csv(isolated / "out" / "labels.csv")
    assert (label["reviewer"], label["value"], label["stratum"], label["weight"]) == ("ann", "a", "random", "2.5")
    cultures = read_csv(isolated / "out" / "cultures.csv")
    assert {row["stereotypes"] for row in cultures if row["request_key"] == key} == {"1"}
    assert {row["task"] for row in read_csv(isolated / "out" / "verdicts.csv")} == {"stance", "culture"}
