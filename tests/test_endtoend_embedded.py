"""The command of the README, with the real embedded model: a dozen short replies."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from conftest import spawn

pytest.importorskip("litellm")
pytestmark = [pytest.mark.endtoend, pytest.mark.embedded]


@pytest.fixture(scope="module")
def audited(embedded_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Six replies of the embedded model, by the real command line in a folder of its own; with stdout and stderr."""
    folder = tmp_path_factory.mktemp("audited")
    process = spawn(
        "run", "--dimension", "individualism", "--mode", "multilingual", "--language", "German,English,Georgian", "--limit", 6, "--param", "max_tokens=24",
        cwd=folder,
    )  # fmt: skip
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return folder, out, err


def test_the_first_command_answers_judges_and_reports(audited):
    """Every cell gets a reply of a real model and a verdict, and the summary warns that it is no result."""
    folder, out, _ = audited
    assert "6/6" in out
    assert "this is no result" in out
    with sqlite3.connect(folder / "auditkit.db") as db:
        assert db.execute("select count(*), sum(cost_usd), min(length(text)) > 0 from replies").fetchone() == (
            6,
            0.0,
            1,
        )
        assert db.execute("select count(distinct lang) from cells").fetchone() == (3,)
        (judged,) = db.execute("select count(*) from stances").fetchone()
        (degenerate,) = db.execute("select count(*) from screens where degenerate is not null").fetchone()
        assert judged + degenerate == 6


def test_the_engines_log_never_reaches_the_terminal(audited):
    """Stderr holds our lines and no others."""
    _, _, err = audited
    ours = ("fetching", "6 cells", "asking", "judging", "set aside")
    assert [line for line in err.splitlines() if line.strip() and not line.startswith(ours)] == []


def test_the_same_command_again_asks_nothing(audited):
    """A finished run is summarised again without loading the model."""
    folder, out, _ = audited
    process = spawn(
        "run", "--dimension", "individualism", "--mode", "multilingual", "--language", "German,English,Georgian", "--limit", 6, "--param", "max_tokens=24",
        cwd=folder, AUDITKIT_EMBEDDED_THREADS="nonsense",
    )  # fmt: skip
    again, err = process.communicate(timeout=120)
    assert (process.returncode, again) == (0, out)
    assert "6 of 6 requests are answered already" in err


def test_a_gguf_file_is_a_model_like_any_other(embedded_weights, auditkit, isolated):
    """`--model gguf:PATH` audits the file, whose hash identifies it, also as a judge whose answers keep to the schema."""
    result = auditkit("run", "-d", "mas", "-m", "baseline", "--model", f"gguf:{embedded_weights}", "--limit", 1, "--param", "max_tokens=16",
                      "--judge", f"stance@gguf:{embedded_weights}")  # fmt: skip
    assert result.code == 0, result.err
    with sqlite3.connect("auditkit.db") as db:
        revision = db.execute("select revision from requests").fetchone()[0]
        assert revision.startswith("sha256:b179c952")
        raws = [raw for (raw,) in db.execute("select raw from verdicts")]
    assert len(raws) == 2
    assert all(raw.lstrip().startswith("{") for raw in raws)
