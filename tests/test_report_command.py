"""The command: what it writes, where it refuses to, and what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("pandas")
pytest.importorskip("altair")
pytest.importorskip("jinja2")

from click.testing import CliRunner
from report_stores import add_judge, answers, run

from auditkit.cli.report import report
from auditkit.errors import AuditError
from auditkit.store import Store

IDV = ("--dimension", "individualism", "--core")


def call(*arguments):
    """Run the command in this process; what a user can mend is raised."""
    result = CliRunner().invoke(report, [str(a) for a in arguments], catch_exceptions=True, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def db(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("command") / "a.db"
    run(path, *IDV, "-m", "persona", "-m", "baseline", "--model", "mock/coin", "--limit", "200")
    return path


def test_a_report_is_a_folder_with_everything(db, tmp_path):
    """Page, figures, tables as CSV and LaTeX, methods, references and a manifest that lists them; the page's path is the output."""
    out = tmp_path / "out"
    result = call("--db", db, "--to", out, "--formats", "svg", "--pair", "Japan,USA")
    assert result.stdout.strip() == str(out / "index.html")
    there = files(out)
    assert {
        "index.html",
        "manifest.json",
        "methods.md",
        "methods.tex",
        "references.bib",
        "tables/alignment.csv",
        "tables/alignment.tex",
    } <= there
    assert any(name.startswith("figures/") and name.endswith(".svg") for name in there)
    assert not any(name.endswith((".pdf", ".png")) for name in there)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == there - {"manifest.json"}
    assert manifest["settings"]["pairs"] == [["JPN", "USA"]]
    (entry,) = manifest["runs"].values()
    assert entry["command"].startswith("auditkit ")
    assert entry["manifest"]["countries"]["JPN"]


def test_notes_go_to_stderr(db, tmp_path):
    """What cannot be said is said on stderr, so that stdout stays data."""
    result = call("--db", db, "--to", tmp_path / "out", "--no-figures")
    assert "mock/coin: shows that the pipeline works" in result.stderr
    assert "exploratory" in result.stderr


def test_no_figures(db, tmp_path):
    """Without figures there is no folder of them, and the page is there all the same."""
    call("--db", db, "--to", tmp_path / "out", "--no-figures")
    assert not (tmp_path / "out" / "figures").exists()
    assert (tmp_path / "out" / "index.html").stat().st_size > 1000


def test_a_second_report_replaces_the_first(db, tmp_path):
    """A report into its own folder takes away what it no longer makes, and leaves what a user put beside it."""
    out = tmp_path / "out"
    call("--db", db, "--to", out, "--formats", "svg", "--replicate", "kharchenko")
    assert (out / "tables" / "replication.tex").exists()
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    call("--db", db, "--to", out, "--no-figures")
    assert not (out / "tables" / "replication.tex").exists()
    assert not any(name.startswith("figures/") for name in files(out))
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert set(json.loads((out / "manifest.json").read_text(encoding="utf-8"))["files"]) == files(out) - {
        "manifest.json",
        "notes.txt",
    }


@pytest.mark.parametrize("name", ["thesis.tex", "manifest.json"])
def test_what_is_no_report_of_ours_is_left_alone(db, tmp_path, name):
    """A folder with other things, even with a manifest.json of something else, is refused; --force writes beside what is there."""
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("{}", encoding="utf-8")
    with pytest.raises(AuditError, match="no report"):
        call("--db", db, "--to", out, "--no-figures")
    assert files(out) == {name}
    call("--db", db, "--to", out, "--no-figures", "--force")
    assert name == "manifest.json" or (out / name).read_text(encoding="utf-8") == "{}"


def test_a_manifest_cannot_name_files_outside(db, tmp_path):
    """A report's manifest that was edited to name a file elsewhere does not get that file deleted."""
    out, victim = tmp_path / "out", tmp_path / "victim.txt"
    victim.write_text("keep", encoding="utf-8")
    out.mkdir()
    (out / "manifest.json").write_text(
        json.dumps({"auditkit_report": 1, "files": ["../victim.txt", str(victim)]}), encoding="utf-8"
    )
    call("--db", db, "--to", out, "--no-figures")
    assert victim.read_text(encoding="utf-8") == "keep"


def test_a_report_that_fails_leaves_the_old_one(db, tmp_path, monkeypatch):
    """Where writing fails half way, the earlier report stands as it was and no temporary folder is left."""
    from auditkit.report import page

    out = tmp_path / "out"
    call("--db", db, "--to", out, "--no-figures")
    before = {name: (out / name).read_bytes() for name in files(out)}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page, "write", full)
    with pytest.raises(AuditError, match="No space left"):
        call("--db", db, "--to", out, "--no-figures", "--edition", "cf")
    assert {name: (out / name).read_bytes() for name in files(out)} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pair", "JPN"), "two countries"),
        (("--pair", "JPN,Japan"), "one country twice"),
        (("--pair", "JPN,Atlantis"), "unknown country"),
        (("--formats", "gif"), "unknown format of figures 'gif'"),
        (("--edition", "1980"), "unknown edition"),
        (("--judge", "ruels"), "did you mean 'rules'"),
        (("--run", "ffff"), "unknown run"),
    ],
)
def test_what_a_user_can_mend_is_said_in_one_line(db, tmp_path, arguments, message):
    """A wrong option ends with one line that names it, and nothing is written."""
    with pytest.raises(AuditError, match=message):
        call("--db", db, "--to", tmp_path / "out", "--no-figures", *arguments)
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way(db, tmp_path):
    """--to that names a file says so."""
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(AuditError, match="is a file"):
        call("--db", db, "--to", tmp_path / "out")


def test_reports_read_only(db, tmp_path):
    """The database is the same before and after, to the byte."""
    before = db.read_bytes()
    call("--db", db, "--to", tmp_path / "out", "--no-figures")
    assert db.read_bytes() == before


def test_tables_in_the_page_are_those_of_the_csv(db, tmp_path):
    """A share that the page prints stands in the CSV."""
    out = tmp_path / "out"
    call("--db", db, "--to", out, "--no-figures")
    text = (out / "index.html").read_text(encoding="utf-8")
    row = dict(
        zip(
            *[
                line.split(",")
                for line in (out / "tables" / "preference.csv").read_text(encoding="utf-8-sig").splitlines()[:2]
            ],
            strict=False,
        )
    )
    assert f"{float(row['share']):.2f}" in text or f"{100 * float(row['share']):.0f}" in text
    assert not re.search(r"[>\s]nan[<\s]", text, re.IGNORECASE)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "persona", "--model", "mock/coin", "--country", "JPN"),
        ("-m", "persona", "--model", "mock/empty"),
        ("-m", "persona", "--model", "mock/refuse", "-m", "multilingual"),
        ("-m", "baseline", "--model", "mock/coin"),
        ("-m", "persona", "--model", "mock/coin", "--limit", "1"),
    ],
)
def test_degenerate_runs_give_a_page(arguments, tmp_path):
    """One country, no readable reply, refusals, baseline alone, one cell: figures that can be drawn are, and the page says what cannot."""
    path = tmp_path / "a.db"
    run(path, *IDV, *arguments)
    out = tmp_path / "out"
    result = call("--db", path, "--to", out, "--formats", "svg", "--pair", "JPN,USA", "--replicate", "kharchenko")
    text = (out / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"[>\s]nan[<\s%]", text, re.IGNORECASE)
    assert "!" in result.stderr


def test_flagged_passages_come_with_their_transcripts(tmp_path):
    """Where a culture judge flagged something, the passage is on the page and its reply in a file beside it."""
    path = tmp_path / "a.db"
    run_id = run(path, *IDV, "-m", "persona", "--model", "mock/first", "--country", "DEU")
    keys = [key for (key,) in answers(path, run_id, "request_key")]
    judge = add_judge(
        path, run_id, "culture@x", [(key, "", "persona_only", None) for key in keys], task="culture", orders=("",)
    )
    with Store.open(path) as store:
        store.insert(
            "flags",
            [{"request_key": keys[0], "judge_key": judge, "family": "stereotype", "kind": "role_cliche", "rule_id": "", "start": 0,
              "stop": 6, "evidence": "x", "severity": 3}],
        )  # fmt: skip
    out = tmp_path / "out"
    call("--db", path, "--to", out, "--no-figures")
    (line,) = (out / "transcripts" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["request_key"] == keys[0]
    assert "transcripts/examples.jsonl" in json.loads((out / "manifest.json").read_text(encoding="utf-8"))["files"]
