"""The command line: bad input, help, own content, what people see."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from auditkit.data import data_dir

ROOT = Path(__file__).parent.parent
HEAVY = (
    "litellm",
    "pandas",
    "scipy",
    "numpy",
    "torch",
    "transformers",
    "textual",
    "sqlite_utils",
    "pydantic",
    "openai",
    "yaml",
)
TRIAL = ("run", "-d", "individualism", "-m", "persona", "--model", "mock/coin")


def test_help_loads_nothing_heavy():
    """`auditkit --help` imports none of the libraries that take long."""
    code = (
        "import sys\nfrom auditkit.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stderr.strip() == "[]"
    assert "Commands:" in done.stdout


def test_every_command_has_help_that_teaches(auditkit):
    """Each command in the table can be called with --help and explains itself in a sentence."""
    from auditkit.cli import COMMANDS

    for name in COMMANDS:
        result = auditkit(name, "--help")
        assert result.code == 0
        assert "Usage: auditkit" in result.out
        assert len(result.out.split()) > 15, name


def test_the_readme_names_every_command():
    """No command is undocumented."""
    from auditkit.cli import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"auditkit {name}" not in text] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rnu",), "unknown command 'rnu'; did you mean 'run'?"),
        (("run", "--dimention", "mas"), "did you mean --dimension?"),
        (("run",), "which dimension?"),
        (("run", "-d", "mas"), "which mode?"),
        (("run", "-d", "masc", "-m", "persona"), "unknown dimension 'masc'; did you mean 'mas'?"),
        (("run", "-d", "mas", "-m", "multilingal"), "did you mean 'multilingual'?"),
        ((*TRIAL, "--country", "Jpan"), "unknown country 'Jpan'; did you mean 'Japan'?"),
        ((*TRIAL, "--language", "Germann"), "unknown language 'Germann'; did you mean 'German'?"),
        ((*TRIAL, "--resource-level", "hihg"), "did you mean 'high'?"),
        ((*TRIAL, "--persona-template", "papre"), "did you mean 'paper'?"),
        ((*TRIAL, "--edition", "2016"), "unknown edition '2016'; did you mean '2015'?"),
        (
            ("run", "-d", "mas", "-m", "persona", "--model", "gpt-4o"),
            "write it as PROVIDER/MODEL, for example openai/gpt-4o",
        ),
        (("run", "-d", "mas", "-m", "persona", "--model", "mock/cion"), "did you mean 'coin'?"),
        (("run", "-d", "mas", "-m", "persona", "--model", "gguf:/no/such.gguf"), "gguf:/no/such.gguf: no such file"),
        ((*TRIAL, "--judge", "rulez"), "did you mean 'rules'?"),
        ((*TRIAL, "--judge", "stance"), "needs a model; write it as stance@PROVIDER/MODEL"),
        ((*TRIAL, "--param", "temperature"), "write it as NAME=VALUE"),
        ((*TRIAL, "--limit", "none"), "is not a valid integer"),
        ((*TRIAL, "--prompts", "nowhere"), "nowhere: no such folder"),
        ((*TRIAL, "--db", "no/such/folder/a.db"), "does not exist"),
        (("status",), "no such database"),
        (("verify", "--db", "other.db"), "no such database"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(auditkit, arguments, message):
    """One line on stderr that says what to do, no traceback, nothing on stdout."""
    result = auditkit(*arguments)
    assert result.code == 2
    assert message in result.err
    assert len(result.err.strip().splitlines()) <= 2  # the plan's own line may stand before it
    assert result.out == ""


def test_a_missing_key_is_named_before_anything_is_asked(auditkit, isolated):
    """A provider without its key: the variable to set, exit code 2, no call."""
    pytest.importorskip("litellm")
    result = auditkit("run", "-d", "mas", "-m", "persona", "--model", "openai/gpt-4.1-mini", "--limit", 3)
    assert result.code == 2
    assert "set OPENAI_API_KEY" in result.err
    with sqlite3.connect("auditkit.db") as db:
        assert db.execute("select count(*) from attempts").fetchone() == (0,)


def test_an_unknown_provider_gets_the_nearest_one(auditkit):
    """A misspelt provider is answered with the one that was meant."""
    pytest.importorskip("litellm")
    result = auditkit("run", "-d", "mas", "-m", "persona", "--model", "opnai/gpt-4.1-mini", "--limit", 3)
    assert result.code == 2
    assert "unknown provider 'opnai'; did you mean 'openai'?" in result.err


def test_a_budget_refuses_an_unpriced_model(auditkit):
    """A price that nobody knows cannot be held under a budget; --allow-unpriced says to go on all the same."""
    pytest.importorskip("litellm")
    result = auditkit("run", "-d", "mas", "-m", "persona", "--model", "hosted_vllm/mine", "--api-base", "http://127.0.0.1:9/v1",
                      "--limit", 3, "--budget", 1)  # fmt: skip
    assert result.code == 2
    assert "no known price" in result.err


def test_a_trial_run_judges_summarises_and_says_what_is_next(auditkit):
    """Stdout holds the figures, the outcomes and the next commands; stderr the progress; a rerun asks nothing."""
    result = auditkit(*TRIAL, "-m", "baseline", "--limit", 100)
    assert result.code == 0, result.err
    for text in ("What was found", "100/100", "Share of every outcome", "Next:", "auditkit export", "exploratory"):
        assert text in result.out or text == "100/100"
    assert "asking: 100 of 100" in result.err
    again = auditkit(*TRIAL, "-m", "baseline", "--limit", 100)
    assert "100 of 100 requests are answered already" in again.err
    assert auditkit("status").out.split("Next:")[0].strip() in again.out


def test_a_dry_run_asks_nothing_and_writes_nothing(auditkit, isolated):
    """Cells, requests, tokens and price are printed; there is no database afterwards."""
    result = auditkit(*TRIAL, "--dry-run")
    assert result.code == 0
    assert re.search(r"mock/coin\s+1,800\s+1,800\s+0\s+1,800", result.out)
    assert "free" in result.out
    assert list(isolated.iterdir()) == []
    auditkit(*TRIAL, "--limit", 30)
    assert re.search(r"mock/coin\s+1,800\s+1,800\s+30\s+1,770", auditkit("plan", *TRIAL[1:]).out)


def test_a_price_is_shown_where_the_table_has_one(auditkit):
    """A known model gets dollars, an unknown one the word unpriced; the judge's calls are priced too."""
    pytest.importorskip("litellm")
    result = auditkit("plan", "-d", "mas", "-m", "baseline", "--model", "openai/gpt-4.1-mini", "--model", "hosted_vllm/mine",
                      "--judge", "stance@openai/gpt-4.1-mini")  # fmt: skip
    assert result.code == 0, result.err
    assert result.out.count("$") == 2
    assert "unpriced" in result.out


def test_a_languages_dilemmas_are_listed_before_a_multilingual_run(auditkit):
    """The dry run says how many dilemmas each language has."""
    result = auditkit("plan", "-d", "individualism", "-m", "multilingual", "--core")
    assert result.code == 0, result.err
    assert "Dilemmas by language" in result.out


def test_ones_own_bank_and_countries_work_end_to_end(auditkit, isolated):
    """A user's own dilemmas and countries are planned, asked, judged and counted, from folders outside the package."""
    prompts, personas = isolated / "my-prompts", isolated / "my-personas"
    (prompts / "dilemmas").mkdir(parents=True)
    personas.mkdir()
    (prompts / "dilemmas" / "mine.yaml").write_text(
        "dimension: mas\ndilemmas:\n"
        + "".join(
            f"  - id: my-{i}\n    domain: work\n    lead: {'ab'[i % 2]}\n    mentions: a\n    scenario: I face decision number {i} at work.\n"
            f"    a: take the large office number {i}\n    b: take the quiet garden number {i}\n    rationale: a is high, b is low.\n"
            for i in range(4)
        ),
        encoding="utf-8",
    )
    (personas / "countries.yaml").write_text(
        "editions: {paper: {source: my own}}\ncountries:\n"
        + "".join(
            f"  {iso3}:\n    name: {name}\n    title: {name}\n    iso2: {iso3[:2]}\n    m49: Somewhere\n    language: eng_Latn\n"
            f"    language_name: English\n    autonym: English\n    script: Latn\n    bcp47: en\n    resource_level: high\n"
            f"    demonyms: [{name}er]\n    scores: {{paper: {{mas: {score}}}}}\n"
            for iso3, name, score in (
                ("QAA", "Qaland", 10),
                ("QBB", "Qberg", 40),
                ("QCC", "Qcoast", 60),
                ("QDD", "Qdorf", 90),
            )
        ),
        encoding="utf-8",
    )
    own = ("--prompts", prompts, "--personas", personas)
    result = auditkit("run", "-d", "mas", "-m", "persona", "--model", "mock/coin", *own)
    assert result.code == 0, result.err
    with sqlite3.connect("auditkit.db") as db:
        assert db.execute(
            "select count(*), count(distinct country), count(distinct item_id) from answers"
        ).fetchone() == (16, 4, 4)
        (messages,) = db.execute("select messages from requests limit 1").fetchone()
    assert re.search(r"from the country of Q\w+", json.loads(messages)[0]["content"])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("    a: ", "    c: ", "Extra inputs are not permitted|Field required"),
        ("    lead: a", "    lead: first", "lead: Input should be 'a' or 'b'"),
        ("  - id: mas-02", "  - id: mas-01", "dilemma 'mas-01' stands twice"),
        ("dimension: mas", "dimension: mass", "unknown dimension 'mass'; did you mean 'mas'"),
        ("    domain: work", "    domain: [work", "expected"),
        ("    domain: work", "    domain: office", "domain: Input should be"),
        ("  - id: mas-03", "  - id: mas 03", "id: String should match pattern"),
    ],
)
def test_a_broken_bank_is_refused_with_file_line_and_reason(auditkit, isolated, old, new, reason):
    """The message names the file and the line of the entry, in one line, with exit code 2."""
    folder = isolated / "prompts"
    shutil.copytree(data_dir("prompts"), folder)
    path = folder / "dilemmas" / "mas.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    result = auditkit("run", "-d", "mas", "-m", "persona", "--model", "mock/coin", "--prompts", folder)
    assert result.code == 2
    assert re.search(rf"mas\.yaml:\d+: .*({reason})", result.err)
    assert len(result.err.strip().splitlines()) == 1


def test_hostile_replies_cannot_act_on_the_terminal(auditkit):
    """Escapes and markup in a reply or an error message are shown as text."""
    result = auditkit("run", "-d", "mas", "-m", "persona", "--model", "mock/hostile", "--limit", 5)
    assert result.code == 0
    assert "\x1b]8" not in result.out + result.err
    with sqlite3.connect("auditkit.db") as db:
        text = db.execute("select text from replies limit 1").fetchone()[0]
    assert "\x1b[31mred\x1b[0m" in text
    assert "\x00" in text


def test_why_names_the_field_in_which_two_requests_differ(auditkit):
    """Two requests of one dilemma for two countries differ in the message and nowhere else."""
    auditkit(*TRIAL, "--country", "Japan,France")
    with sqlite3.connect("auditkit.db") as db:
        keys = [
            k
            for (k,) in db.execute("select request_key from cells join items using (item_key) where item_id = 'ind-01'")
        ]
    result = auditkit("why", *keys)
    assert result.code == 0
    assert "messages[0].content" in result.out
    assert "params" not in result.out
    assert auditkit("why", keys[0], keys[0]).out.strip() == "the same request"


def test_verify_finds_a_changed_row(auditkit):
    """A request that somebody edited no longer derives to its key: exit code 1, with the key."""
    auditkit(*TRIAL, "--limit", 5)
    assert auditkit("verify").code == 0
    with sqlite3.connect("auditkit.db") as db:
        db.execute("update requests set sample = 9 where rowid = 1")
    result = auditkit("verify")
    assert result.code == 1
    assert "derives as" in result.out


def test_options_come_from_the_environment(auditkit, monkeypatch, isolated):
    """AUDITKIT_DB and AUDITKIT_RUN_MODEL stand in for the options."""
    monkeypatch.setenv("AUDITKIT_DB", str(isolated / "env.db"))
    monkeypatch.setenv("AUDITKIT_RUN_MODEL", "mock/first")
    assert auditkit("run", "-d", "mas", "-m", "baseline").code == 0
    with sqlite3.connect(isolated / "env.db") as db:
        assert db.execute("select distinct model from cells").fetchall() == [("mock/first",)]


def test_python_m_auditkit_is_the_same_program():
    """`python -m auditkit --version` prints the version."""
    done = subprocess.run(
        [sys.executable, "-m", "auditkit", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert re.fullmatch(r"auditkit, version \d+\.\d+\.\d+\n", done.stdout)


def verdicts(db="auditkit.db"):
    with sqlite3.connect(db) as connection:
        return connection.execute("select count(*) from verdicts").fetchone()[0]


SCRIPT = '{"contains": "course", "reply": "{\\"evidence\\": \\"option\\", \\"choice\\": \\"both\\", \\"confidence\\": 0.9, \\"instructions_in_reply\\": false}"}\n'


def test_two_judges_of_one_name_are_counted_apart(auditkit, isolated):
    """The same judge with another parameter is another judge: every cell is counted once for each, never twice for one."""
    pytest.importorskip("instructor")
    (isolated / "judge.jsonl").write_text(SCRIPT, encoding="utf-8")
    name = "stance@mock/script?path=judge.jsonl"
    auditkit("run", "-d", "mas", "-m", "baseline", "--core", "--model", "mock/coin", "-j", name)
    result = auditkit("judge", "-j", name, "--judge-param", "max_tokens=600")
    assert result.code == 0, result.err
    assert "20/20" not in result.out
    assert result.out.count("10/10") == 2


def test_a_judge_without_its_key_is_found_before_anything_is_asked(auditkit):
    """The other judges and the model are not started for nothing."""
    pytest.importorskip("litellm")
    result = auditkit(
        "run",
        "-d",
        "mas",
        "-m",
        "baseline",
        "--core",
        "--model",
        "mock/coin",
        "-j",
        "stance@openai/gpt-4.1-mini",
        "-j",
        "rules",
    )
    assert result.code == 2
    assert "set OPENAI_API_KEY" in result.err
    with sqlite3.connect("auditkit.db") as db:
        assert db.execute("select count(*) from runs").fetchone() == (0,)


def test_the_latest_run_is_the_one_last_used(auditkit):
    """Running an earlier command again makes its run the latest, and the hints name the run."""
    first = auditkit("run", "-d", "mas", "-m", "baseline", "--core", "--model", "mock/first")
    auditkit("run", "-d", "mas", "-m", "baseline", "--core", "--model", "mock/second")
    auditkit("run", "-d", "mas", "-m", "baseline", "--core", "--model", "mock/first")
    assert "mock/first" in auditkit("status").out
    assert re.search(r"auditkit export --to out/ --run [0-9a-f]{8}", first.out)


def test_a_dry_run_on_an_existing_database_is_quiet(auditkit):
    """Nothing but the plan's own line on stderr, and the answered requests are counted."""
    auditkit("run", "-d", "mas", "-m", "baseline", "--core", "--model", "mock/coin")
    result = auditkit("plan", "-d", "mas", "-m", "baseline", "--core", "--model", "mock/coin")
    assert result.code == 0
    assert len(result.err.strip().splitlines()) == 1
    assert re.search(r"mock/coin\s+10\s+10\s+10\s+0", result.out)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("temperature=Infinity", "no values"),
        ("max_tokens=abc", "whole number above 0"),
        ("model=other", "auditkit's own"),
        ("stream=true", "auditkit's own"),
    ],
)
def test_parameters_that_cannot_be_sent_are_refused(auditkit, value, message):
    """A parameter that is no value, or that the program itself sets, gets one line."""
    result = auditkit(*TRIAL, "--param", value)
    assert result.code == 2
    assert message in result.err


def test_editions_and_judges_are_checked_by_status_and_judge(auditkit):
    """A misspelt edition or judge is refused before any work."""
    auditkit(*TRIAL, "--limit", 4)
    assert "unknown edition '2016'" in auditkit("status", "--edition", "2016").err
    assert "unknown edition" in auditkit("judge", "-j", "rules", "--edition", "typo").err
    assert "unknown judge" in auditkit("status", "--judge", "stance@x/y").err
    assert auditkit("status", "--judge", "rules").code == 0
    assert "write it as rules" in auditkit("judge", "-j", "rules@mock/coin").err


def test_a_damaged_database_gets_one_line(auditkit, isolated):
    """A file that was cut off is named, without a traceback."""
    auditkit(*TRIAL, "--limit", 200)
    path = isolated / "auditkit.db"
    data = bytearray(path.read_bytes())
    data[8192 : len(data) // 2] = b"\xff" * (len(data) // 2 - 8192)
    path.write_bytes(data)
    result = auditkit("status")
    assert result.code == 2
    assert len(result.err.strip().splitlines()) == 1


def test_a_country_is_found_by_an_alias_with_a_comma(auditkit):
    """ "Korea, South" is one country, and "Japan,France" are two."""
    result = auditkit(
        "plan",
        "-d",
        "mas",
        "-m",
        "persona",
        "--core",
        "--model",
        "mock/coin",
        "--country",
        "Korea, South",
        "--country",
        "Japan,France",
    )
    assert "10 dilemmas x 3 countries" in result.err


def test_planning_incomplete_languages_is_quick_enough_to_walk(auditkit, tmp_path):
    """--incomplete keeps every dilemma that some language has, and every cell is planned once."""
    result = auditkit("plan", "-d", "all", "-m", "multilingual", "--incomplete", "--model", "mock/coin")
    assert result.code == 0
    assert re.search(r"mock/coin\s+2,000\s+2,000", result.out)
