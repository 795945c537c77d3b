"""`auditkit translate --to`: the real command, with a server of our own as the model, from the first line to a run that sends it."""

from __future__ import annotations

import csv
import io
import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port, spawn, wait_until
from tiny_translation import ENGLISH, GERMAN, write_bank

from auditkit.cli.translate import _codes
from auditkit.data import load_content, load_translations
from auditkit.errors import ContentError
from auditkit.models.base import Reply
from auditkit.translate.llm import load_prompt, read

pytest.importorskip("litellm")
pytest.importorskip("pysbd")
pytest.importorskip("sacrebleu")
pytestmark = pytest.mark.endtoend

LLM = ("--engine", "llm", "--model", "hosted_vllm/peer")


def sentence_of(body: dict[str, Any]) -> str:
    return json.loads(body["messages"][1]["content"])["text"]


def answer(body: dict[str, Any], before: int = 0) -> str:
    """The model: it knows the tiny bank by heart in both directions, and puts a fence around its JSON."""
    known = GERMAN if "into German" in body["messages"][0]["content"] else ENGLISH
    reply = json.dumps({"translation": known[sentence_of(body)]}, ensure_ascii=False)
    return f"Here it is:\n```json\n{reply}\n```"


@pytest.fixture
def bank(isolated: Path) -> list[str]:
    """The options that name the tiny bank and a folder for its translations."""
    return [*write_bank(isolated / "bank"), "--translations", str(isolated / "out")]


def lines_in(folder: Path) -> list[str]:
    path = folder / "out" / "deu_Latn.jsonl"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


# ------------------------------------------------------------------------------------------------------- end to end


def test_a_bank_is_translated_and_a_run_sends_it(auditkit, peer, bank, isolated):
    """One command makes the file and a quality table; a run in multilingual and crossed mode sends its lines and stores which."""
    server = peer(answer)
    made = auditkit("translate", "--to", "German", *LLM, "--api-base", server.base, *bank)
    assert made.code == 0, made.err
    assert "0 of 5 lines are there already" in made.err
    assert "deu_Latn, sentences there and back: 48 of 48" in made.err
    row = next(line for line in made.out.splitlines() if "deu_Latn" in line).split()
    assert row[:7] == ["German", "deu_Latn", "5", "0", "1", "0", "100.0"]
    assert "nw:2" in made.out
    assert "0 suspect (sent, and marked), 1 rejected (never sent)" in made.err
    first = json.loads(lines_in(isolated)[0])
    assert first["translator"] == "llm"
    assert first["engine"]["model"] == "hosted_vllm/peer"
    assert first["engine"]["prompt_version"] == load_prompt().version
    assert server.base not in lines_in(isolated)[0]

    again = auditkit("translate", "--to", "deu_Latn", *LLM, "--api-base", server.base, *bank)
    assert (again.code, server.total) == (0, len(GERMAN) + len(ENGLISH) - 4)  # the four options with a stop

    run = (
        "run",
        "-d",
        "individualism",
        "-m",
        "multilingual",
        "-m",
        "crossed",
        "--country",
        "DEU",
        "--model",
        "mock/coin",
    )
    sent = auditkit(*run, "--incomplete", *bank)
    assert sent.code == 0, sent.err
    assert "rejected by its checks" in sent.err
    with sqlite3.connect(isolated / "auditkit.db") as db:
        prompts = [json.loads(row[0])[0]["content"] for row in db.execute("select messages from requests")]
        assert db.execute("select distinct translator from translations").fetchall() == [("llm",)]
    assert len(prompts) == 4
    assert all("Bitte wählen Sie eine der beiden Möglichkeiten." in prompt for prompt in prompts)
    assert sum(prompt.startswith("Ich lebe in Deutschland.") for prompt in prompts) == 2


def test_a_stale_translation_is_never_sent(auditkit, peer, bank, isolated):
    """After the English has changed, a run sets the line aside by name, and the next call translates that dilemma alone."""
    server = peer(answer)
    assert auditkit("translate", "--to", "deu_Latn", "--core", *LLM, "--api-base", server.base, *bank).code == 0
    path = isolated / "bank" / "prompts" / "dilemmas" / "own.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("12 friends", "9 friends"), encoding="utf-8")
    run = (
        "run",
        "-d",
        "individualism",
        "-m",
        "multilingual",
        "--core",
        "--country",
        "DEU",
        "--model",
        "mock/coin",
        *bank,
    )
    sent = auditkit(*run, "--incomplete")
    assert "stale" in sent.err
    with sqlite3.connect(isolated / "auditkit.db") as db:
        assert db.execute("select count(*) from requests where messages like '%12 Freunde%'").fetchone() == (0,)
    new = "My sister invites 9 friends to a party."
    fresh = peer(lambda body, _: json.dumps({"translation": "Meine Schwester lädt 9 Freunde zu einer Feier ein."})
                 if sentence_of(body) == new else json.dumps({"translation": new})
                 if "9 Freunde" in sentence_of(body) else answer(body))  # fmt: skip
    assert auditkit("translate", "--to", "deu_Latn", "--core", *LLM, "--api-base", fresh.base, *bank).code == 0
    assert fresh.total == 2 * 7
    assert auditkit(*run).code == 0
    with sqlite3.connect(isolated / "auditkit.db") as db:
        assert db.execute("select count(*) from requests where messages like '%9 Freunde%'").fetchone() == (1,)


def test_killed_it_loses_nothing_finished(auditkit, peer, bank, isolated):
    """kill -9 leaves a file that reads; the same command keeps its lines to the byte and asks none of their sentences again."""
    asked: list[str] = []

    def slowly(body, before):
        asked.append(sentence_of(body))
        return answer(body)

    server = peer(slowly)
    command = ("translate", "--to", "deu_Latn", *LLM, "--api-base", server.base, "--batch-size", "1", *bank)
    process = spawn(*command, cwd=isolated)
    wait_until(lambda: len(lines_in(isolated)) >= 2)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    before = lines_in(isolated)
    assert 2 <= len(before) < 5
    load_translations(isolated / "out" / "deu_Latn.jsonl")
    asked.clear()
    rest = auditkit(*command)
    assert rest.code == 0, rest.err
    assert f"{len(before)} of 5 lines are there already" in rest.err
    assert lines_in(isolated)[: len(before)] == before
    assert len(lines_in(isolated)) == 5
    assert "Please choose one of the two." not in asked
    assert [path.name for path in (isolated / "out").iterdir() if not path.name.endswith(".tmp")] == ["deu_Latn.jsonl"]


def test_interrupted_it_ends_with_130(peer, bank, isolated):
    """Ctrl-C keeps what was finished and is no error of the program."""
    server = peer(lambda body, _: 60.0 if "garden" in sentence_of(body) else answer(body))
    command = ("translate", "--to", "deu_Latn", *LLM, "--api-base", server.base, "--batch-size", "1", *bank)
    process = spawn(*command, cwd=isolated)
    wait_until(lambda: len(lines_in(isolated)) == 2)
    wait_until(lambda: any("garden" in sentence_of(body) for body in server.stored))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert err.strip().endswith("interrupted; what was answered is kept")
    assert len(lines_in(isolated)) == 2


# ---------------------------------------------------------------------------------------------------------- trouble


def test_a_reply_in_another_form_is_an_error_of_its_line(auditkit, peer, bank, isolated):
    """What is no JSON is never written as a translation; the line is left out by name, with exit code 1."""
    bad = "I could order pizza, because that is fast."
    server = peer(lambda body, _: "Gerne! Ich übersetze." if sentence_of(body) == bad else answer(body))
    made = auditkit("translate", "--to", "deu_Latn", *LLM, "--api-base", server.base, *bank)
    assert made.code == 1
    assert f"deu_Latn: left out: dilemma own-02: the reply is not the JSON that was asked for: {bad!r}" in made.err
    assert not any("own-02" in line for line in lines_in(isolated))
    assert len(lines_in(isolated)) == 4


def test_a_dead_server_is_one_line(auditkit, bank, isolated):
    """A model that answers nothing ends the command with its reason."""
    base = f"http://127.0.0.1:{free_port()}/v1"
    made = auditkit("translate", "--to", "deu_Latn", *LLM, "--api-base", base, *bank)
    assert made.code == 2
    assert "hosted_vllm/peer answered nothing" in made.err.splitlines()[-1]
    assert lines_in(isolated) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--to all"),
        (("--to", "deu_Latin"), "did you mean 'deu_Latn'?"),
        (("--to", "eng_Latn"), "written in English"),
        (("--to", "deu_Latn", "--engine", "llm"), "--engine llm needs --model"),
        (("--to", "deu_Latn", *LLM, "--beam", "2"), "--beam is for NLLB"),
        (("--to", "deu_Latn", "--api-base", "http://localhost:1"), "--api-base is for --engine llm"),
        (("--to", "deu_Latn", *LLM, "--translator-name", "reference"), "not reference"),
        (("--to", "deu_Latn", *LLM, "--translator-name", "Big Model"), "small letters"),
        (("--to", "deu_Latn", "check"), "one of them at a time"),
    ],
)
def test_a_wish_that_cannot_be_met_says_what_to_do(auditkit, bank, arguments, message):
    """Unknown languages get the nearest name; English, missing and misplaced options are refused, all with exit code 2."""
    made = auditkit("translate", *bank, *arguments)
    assert made.code == 2
    assert message in made.err
    assert len(made.err.strip().splitlines()) == 1


def test_the_installed_folder_is_never_written(auditkit, bank):
    """Inside the installed package nothing is written: the error asks for a folder."""
    import auditkit as package

    inside = Path(package.__file__).parent / "_data" / "translations"
    before = {path: path.read_bytes() for path in inside.glob("*")}  # nothing in a checkout, the references in a wheel
    made = auditkit("translate", "--to", "deu_Latn", *LLM, *bank[:4], "--translations", inside)
    assert made.code == 2
    assert "--translations DIR" in made.err
    assert {path: path.read_bytes() for path in inside.glob("*")} == before


def test_all_is_every_language_of_the_countries_but_english():
    """`--to all` names each language once, in the order of the countries."""
    codes = _codes(("all", "deu_Latn"), load_content())
    assert len(codes) == len(set(codes)) == 35
    assert "eng_Latn" not in codes


# ------------------------------------------------------------------------------------------------------------ check


def test_the_quality_table_can_be_of_one_translator(auditkit, peer, bank, isolated):
    """`check --translator llm` counts that translator's lines only, with the forward score against the references beside them."""
    server = peer(answer)
    auditkit("translate", "--to", "deu_Latn", *LLM, "--api-base", server.base, *bank)
    path = isolated / "out" / "deu_Latn.jsonl"
    copies = [json.loads(line) | {"translator": "reference"} for line in lines_in(isolated)]
    path.write_text(path.read_text(encoding="utf-8") + "".join(json.dumps(c) + "\n" for c in copies), encoding="utf-8")
    options = (*bank, "--language", "deu_Latn", "--format", "csv")
    both = auditkit("translate", "check", *options)
    mine = auditkit("translate", "check", "--translator", "llm", *options)
    rows = [next(csv.DictReader(io.StringIO(result.out))) for result in (both, mine)]
    assert [row["rejected"] for row in rows] == ["2", "1"]
    assert [row["reference_chrf"] for row in rows] == ["100.0", "100.0"]
    assert rows[1]["back_bleu"] == "100.0"
    listed = auditkit("translate", "check", "--translator", "llm", "--lines", *bank, "--language", "deu_Latn")
    assert "own-03: english: scenario[1]" in listed.out


# ------------------------------------------------------------------------------------------------------- the prompt


def test_the_prompt_names_both_languages_and_can_be_the_user_s(tmp_path):
    """Our prompt is filled with names, code and script; a translate.md in the user's prompts is used instead."""
    text = load_prompt().fill("eng_Latn", "kat_Geor", {"eng_Latn": "English", "kat_Geor": "Georgian"})
    assert "from English into Georgian (kat_Geor, Geor script)" in text
    assert '{"translation": "..."}' in text
    (tmp_path / "translate.md").write_text("---\nversion: 7\n---\nTo {target}.\n", encoding="utf-8")
    own = load_prompt(tmp_path)
    assert (own.version, own.fill("eng_Latn", "deu_Latn", {})) == (7, "To deu_Latn.")
    (tmp_path / "translate.md").write_text("To {target}.", encoding="utf-8")
    with pytest.raises(ContentError, match="front matter"):
        load_prompt(tmp_path)


@pytest.mark.parametrize(
    ("reply", "text", "finished"),
    [
        (Reply("ok", '{"translation": "Ja."}'), "Ja.", True),
        (Reply("ok", 'Sure:\n```json\n{"translation": "Ja,\n  so."}\n```'), "Ja, so.", True),
        (Reply("ok", '{"translation": "Ja."'), "", False),
        (Reply("ok", '{"text": "Ja."}'), "", False),
        (Reply("ok", '{"translation": ["Ja."]}'), "", False),
        (Reply("ok", "Ja."), "", False),
        (Reply("truncated", '{"translation": "Ja."}'), "", False),
        (Reply("blocked", ""), "", False),
    ],
)
def test_a_reply_is_read_or_left(reply, text, finished):
    """A translation is taken out of fences and chatter; what is cut off, blocked or of another form is none, with a reason."""
    found = read(reply)
    assert (found.text, found.finished) == (text, finished)
    assert bool(found.why) is not finished
