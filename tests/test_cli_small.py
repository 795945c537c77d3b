"""`auditkit runs`, `models` and `doctor`."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tomllib
from pathlib import Path

import pytest

from auditkit.cli import doctor as doctor_module
from auditkit.cli import models as models_module
from auditkit.cli.runs import content_differences, manifest_differences
from auditkit.data import data_dir
from auditkit.store import Store

ROOT = Path(__file__).parent.parent


def stored(db: Path, sql: str) -> list[tuple]:
    with sqlite3.connect(db) as connection:
        return connection.execute(sql).fetchall()


def words(text: str) -> str:
    """The text on one line: tables fold long cells."""
    return " ".join(text.split())


@pytest.fixture
def two_runs(auditkit, isolated: Path) -> tuple[str, str]:
    """Ids of two runs that differ in one dilemma's wording, the countries, a parameter and the model."""
    shutil.copytree(data_dir("prompts"), isolated / "own")
    path = isolated / "own" / "dilemmas" / "individualism.yaml"
    lines = path.read_text(encoding="utf-8").split("\n")
    changed = next(i for i, line in enumerate(lines) if line.startswith("    a: "))
    lines[changed] += " after all"
    path.write_text("\n".join(lines), encoding="utf-8")
    common = ("run", "-d", "individualism", "-m", "persona", "--country", "Japan")
    done = [
        auditkit(*common, "--country", "Germany", "--model", "mock/first"),
        auditkit(
            *common,
            "--country",
            "France",
            "--model",
            "mock/second",
            "--model",
            "mock/first",
            "--prompts",
            "own",
            "--param",
            "max_tokens=99",
        ),
    ]
    assert [d.code for d in done] == [0, 0], done
    one, other = (
        run_id for (run_id,) in stored(isolated / "auditkit.db", "select run_id from runs order by created_at, rowid")
    )
    return one, other


# ----------------------------------------------------------------------------------------------------------- runs


def test_runs_lists_every_run(auditkit, two_runs):
    """Plain `auditkit runs` has a line a run, the newest first, with cells, answers, judge and cost."""
    result = auditkit("runs")
    assert result.code == 0
    one, other = (result.out.index(run_id.removeprefix("r1:")[:8]) for run_id in two_runs)
    assert other < one
    assert "rules" in result.out
    assert "$0.0000" in result.out
    assert "100" in result.out.split("\n", maxsplit=20)[result.out[:one].count("\n")]


def test_a_cost_that_is_not_known_is_not_zero(auditkit, two_runs, isolated):
    """Calls without a price are counted beside the dollars, in the list and in what a run spent."""
    with sqlite3.connect(isolated / "auditkit.db") as connection:
        connection.execute("update attempts set cost_usd = null where run_id = ?", (two_runs[0],))
        connection.execute("update attempts set cost_usd = 0.01 where run_id = ?", (two_runs[1],))
    assert "$0.0000 + 100 unpriced" in words(auditkit("runs", "show", two_runs[0]).out)
    assert "200 calls, $2.0000" in words(auditkit("runs", "show", two_runs[1]).out)
    assert "unpriced" in auditkit("runs").out


def test_runs_show_says_what_was_asked(auditkit, two_runs):
    """Plan, models with their parameters, content, versions, judges and spend are all there; the beginning of an id is enough."""
    result = auditkit("runs", "show", two_runs[1].removeprefix("r1:")[:6])
    assert result.code == 0
    shown = words(result.out)
    for part in (
        two_runs[1], "dimensions individualism", "modes persona", "countries FRA, JPN",
        'mock/second {"temperature": 0.0, "max_tokens": 99}', "temperature of mock/second 0.0", "dilemmas of individualism 50",
        "persona mode 200 cells; countries: 2; languages: 1", "Set aside nothing", "200 readings", "generate 200 calls, $0.0000",
        "auditkit 0.", "python 3.",
    ):  # fmt: skip
        assert part in shown, part


def test_runs_show_names_what_was_set_aside(auditkit, isolated):
    """Languages that could not be sent stand there with the reason."""
    (isolated / "none").mkdir()
    auditkit("run", "-d", "mas", "-m", "multilingual", "--model", "mock/first", "--limit", 5, "--translations", "none")
    assert "multilingual, kat_Geor no translation (50 dilemmas)" in words(auditkit("runs", "show", "r1").out)


def test_runs_compare_names_what_differs(auditkit, two_runs):
    """Plan, wording, and what only one of the two sent are shown; what is the same is not."""
    result = auditkit("runs", "compare", *two_runs)
    assert result.code == 0
    shown = words(result.out)
    for part in (
        "models.mock/first.params.max_tok",
        "512",
        "99",
        "only here",
        "paper DEU eng_Latn",
        "paper FRA eng_Latn",
        "after all",
    ):
        assert part in shown, part
    assert "dimensions" not in shown
    assert "requests in common, which share their replies: 0 (of 100 and 200)" in shown


def test_the_differences_are_exact(auditkit, two_runs, isolated):
    """One changed option shows as that dilemma's option and its two questions, and nothing else of the bank."""
    one, other = two_runs
    with Store.read(isolated / "auditkit.db") as store:
        content = content_differences(store, one, other)
        manifests = [
            json.loads(store.value("select manifest from runs where run_id = ?", (run_id,))) for run_id in two_runs
        ]
        assert content_differences(store, one, one) == []
    wording = [(what, field) for what, field, _, _ in content if what == "dilemmas"]
    name = wording[0][1].partition(":")[0]
    assert wording == [("dilemmas", f"{name}: {field}") for field in ("a", "question_ab", "question_ba")]
    assert [entry for entry in content if entry[0] == "personas"] == [
        ("personas", "only here", "1: paper DEU eng_Latn", "1: paper FRA eng_Latn")
    ]
    assert manifest_differences(manifests[0], manifests[0]) == []
    changed = {field: (left, right) for _, field, left, right in manifest_differences(*manifests)}
    assert changed["models.mock/first.params.max_tokens"] == ("512", "99")
    assert changed["models.mock/second"][0] == "-"
    assert changed["cells"] == ("100", "200")
    other_version = {**manifests[0], "packages": {**manifests[0]["packages"], "numpy": "1.0"}}
    (found,) = manifest_differences(manifests[0], other_version)
    assert found[:2] == ("versions", "packages.numpy")


def test_shared_requests_are_counted(auditkit, isolated):
    """A limited run and the whole one have the limited one's requests in common."""
    run = ("run", "-d", "mas", "-m", "baseline", "--model", "mock/first")
    auditkit(*run, "--limit", 7)
    auditkit(*run)
    ids = [
        run_id for (run_id,) in stored(isolated / "auditkit.db", "select run_id from runs order by created_at, rowid")
    ]
    assert "share their replies: 7 (of 7 and 50)" in auditkit("runs", "compare", *ids).out
    assert "the same run" in auditkit("runs", "compare", ids[0], ids[0]).out


def test_the_database_can_be_named_before_or_after_the_subcommand(auditkit, two_runs, isolated, monkeypatch):
    """--db works in either place, comes before AUDITKIT_DB, and the variable before the default."""
    (isolated / "auditkit.db").rename(isolated / "moved.db")
    assert auditkit("runs").code == 2
    for arguments in (
        ("runs", "--db", "moved.db"), ("runs", "--db", "moved.db", "show", two_runs[0]), ("runs", "show", two_runs[0], "--db", "moved.db")
    ):  # fmt: skip
        assert auditkit(*arguments).code == 0, arguments
        monkeypatch.setenv("AUDITKIT_DB", "nowhere.db")
        assert auditkit(*arguments).code == 0, arguments
        monkeypatch.delenv("AUDITKIT_DB")
    monkeypatch.setenv("AUDITKIT_DB", "moved.db")
    assert auditkit("runs", "compare", *two_runs).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("show", "zzz"), "unknown run 'zzz'"), (("shwo",), "Did you mean 'show'?"), (("compare", "r1"), "'B'")],
)
def test_a_wrong_run_is_one_line(auditkit, two_runs, arguments, said):
    """An unknown run or subcommand ends with exit code 2 and one line."""
    result = auditkit("runs", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert said in result.err


def test_text_of_a_run_cannot_act_on_the_terminal(auditkit, two_runs, isolated):
    """Control characters and markup in a stored command are shown, not obeyed."""
    with sqlite3.connect(isolated / "auditkit.db") as connection:
        connection.execute("update runs set command = ?", ("\x1b[31m[bold]x",))
    for arguments in (("runs",), ("runs", "show", two_runs[0])):
        out = auditkit(*arguments).out
        assert "\x1b" not in out
        assert "\\u001b[31m[bold]x" in out


# --------------------------------------------------------------------------------------------------------- models


def no_litellm():
    raise AssertionError("litellm was wanted")


def test_models_lists_the_kinds_without_litellm(auditkit, monkeypatch):
    """Every kind of name, the mocks and the embedded model's state are listed, and litellm is left alone."""
    monkeypatch.setattr("auditkit.models.api.litellm", no_litellm)
    result = auditkit("models")
    assert result.code == 0
    from auditkit.models.mock import NAMES

    kinds = (
        "embedded",
        "gguf:PATH",
        "local/PATH-OR-HUB-ID",
        "mock/NAME?key=value",
        "PROVIDER/MODEL",
        *(f"mock/{n}" for n in NAMES),
    )
    for name in kinds:
        assert name in result.out
    assert "not here yet; the first run fetches it" in result.out


def test_the_embedded_model_s_state_is_told(tmp_path, monkeypatch):
    """Missing, wrong, and named by the variable are told apart; nothing is fetched."""
    from auditkit.models.weights import EMBEDDED, MODEL_VARIABLE, cache_folder

    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    assert not models_module.embedded_state().ready
    path = cache_folder() / "models" / Path(EMBEDDED.member).name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not the weights")
    state = models_module.embedded_state()
    assert (state.ready, "not the file that is expected" in state.sentence) == (False, True)
    own = tmp_path / "own.gguf"
    own.write_bytes(b"x" * 3_000_000)
    monkeypatch.setenv(MODEL_VARIABLE, str(own))
    state = models_module.embedded_state()
    assert (state.ready, state.path, state.size) == (True, own, 3_000_000)
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "gone.gguf"))
    assert not models_module.embedded_state().ready


def test_a_search_lists_names_and_prices(auditkit):
    """Names come as --model takes them, with the dollars a million tokens that a run would reckon with."""
    pytest.importorskip("litellm")
    from auditkit.models.api import prices

    result = auditkit("models", "GPT-4.1-mini")
    assert result.code == 0
    price = prices("openai", "gpt-4.1-mini")
    assert price is not None
    line = next(line for line in result.out.split("\n") if line.strip().startswith("openai/gpt-4.1-mini "))
    assert line.split()[1:] == [f"{p * 1e6:,.3f}" for p in price]
    wrong = auditkit("models", "gtp-4.1-mini")
    assert (wrong.code, wrong.err) == (2, "auditkit: unknown model 'gtp-4.1-mini'; did you mean 'gpt-4.1-mini'?\n")


def test_names_of_api_models():
    """A provider is put in front where litellm's table leaves it out; what writes no text or cannot be asked is passed over."""
    table = {
        "gpt-x": {
            "litellm_provider": "openai",
            "mode": "chat",
            "input_cost_per_token": 1e-6,
            "output_cost_per_token": 2e-6,
        },
        "groq/llama": {
            "litellm_provider": "groq",
            "mode": "chat",
            "input_cost_per_token": 0.0,
            "output_cost_per_token": 0.0,
        },
        "anthropic.claude": {"litellm_provider": "bedrock_converse", "mode": "chat", "input_cost_per_token": 1e-6},
        "org/model": {"litellm_provider": "openrouter", "mode": "responses"},
        "picture": {"litellm_provider": "openai", "mode": "image_generation"},
        "elsewhere": {"litellm_provider": "priced_only", "mode": "chat"},
    }
    found = dict(models_module.api_models(table, {"openai", "groq", "openrouter", "bedrock"}))
    assert found == {
        "openai/gpt-x": (1e-6, 2e-6), "groq/llama": None, "bedrock/anthropic.claude": (1e-6, 0.0), "openrouter/org/model": None
    }  # fmt: skip


# --------------------------------------------------------------------------------------------------------- doctor


def test_doctor_shows_names_of_keys_and_never_a_value(auditkit, monkeypatch):
    """A key that is set is named, one that is empty is named as such, and no value is printed anywhere."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-value")
    monkeypatch.setenv("GROQ_API_KEY", " ")
    result = auditkit("doctor")
    assert result.code == 0
    assert "openai  OPENAI_API_KEY is set\n" in result.out
    assert "groq  GROQ_API_KEY is set but empty" in result.out
    assert "anthropic  not set: ANTHROPIC_API_KEY" in result.out
    assert "very-secret" not in result.out + result.err


def test_the_names_of_keys_are_litellm_s(monkeypatch):
    """With the variable that doctor names, and no other, litellm finds the provider's key; without it, it does not."""
    pytest.importorskip("litellm")
    from auditkit.models.api import litellm

    for provider, variables in doctor_module.KEYS.items():
        assert not litellm().validate_environment(model=f"{provider}/any")["keys_in_environment"], provider
        for variable in variables:
            with monkeypatch.context() as patch:
                patch.setenv(variable, "x")
                assert litellm().validate_environment(model=f"{provider}/any")["keys_in_environment"], variable


def test_doctor_knows_the_extras_of_the_package(auditkit):
    """The packages that doctor looks for are those that pyproject.toml lists, extra by extra."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    def packages(extra: str) -> set[str]:
        found: set[str] = set()
        for line in extras[extra]:
            name, _, inner = line.partition("[")
            if name == "auditkit":
                found.update(*(packages(part) for part in inner.rstrip("]").split(",")))
            else:
                found.add(line.split(">")[0].split("=")[0].strip())
        return found

    for extra, names in doctor_module.EXTRAS.items():
        assert set(names) == packages(extra), extra


def test_doctor_says_what_to_install(auditkit, monkeypatch):
    """A package that is missing is named with the line that installs it."""
    version = doctor_module._version
    monkeypatch.setattr(doctor_module, "_version", lambda name: None if name in ("pyarrow", "torch") else version(name))
    out = auditkit("doctor").out
    assert 'lacks pyarrow: pip install "auditkit[export]"' in out
    assert 'local models need it: pip install "auditkit[local]"' in out


def test_doctor_looks_at_the_database(auditkit, isolated):
    """Not there, there, newer and broken are told apart, always with exit code 0."""
    assert "auditkit.db  not there yet" in auditkit("doctor").out
    auditkit("run", "-d", "mas", "-m", "persona", "--limit", 5, "--model", "mock/first")
    out = auditkit("doctor").out
    assert "readable: 1 runs, 5 replies" in out
    assert "ok schema  version 2" in out
    with sqlite3.connect(isolated / "auditkit.db") as connection:
        connection.execute("pragma user_version = 99")
    newer = auditkit("doctor")
    assert (newer.code, "newer auditkit" in newer.out) == (0, True)
    (isolated / "broken.db").write_bytes(b"no database " * 500)
    broken = auditkit("doctor", "--db", "broken.db")
    assert (broken.code, "not an auditkit database?" in broken.out) == (0, True)
    assert "cannot be made" in auditkit("doctor", "--db", "no/where.db").out


def test_doctor_counts_translations(auditkit, isolated):
    """Lines a language are counted, languages without a file are named, a broken file is said with its line."""
    folder = isolated / "own"
    folder.mkdir()
    line = {"kind": "instruction", "source": "s1:0", "translator": "reference", "status": "ok", "text": "…"}
    (folder / "deu_Latn.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    (folder / "ita_Latn.jsonl").write_text(json.dumps({**line, "kind": "persona"}) + "\n{", encoding="utf-8")
    result = auditkit("doctor", "--translations", folder)
    assert result.code == 0
    assert "ok German (deu_Latn)  1 lines, 0 of 250 dilemmas" in result.out
    assert "-- ita_Latn" in result.out
    assert "ita_Latn.jsonl:1:" in result.out
    assert "Georgian (kat_Geor)" in result.out


def test_doctor_imports_torch_only_when_asked(auditkit, monkeypatch):
    """Without --deep torch is named and not imported; with it, one that cannot be imported is said, not raised."""
    monkeypatch.setattr(doctor_module, "_version", lambda name: "9.9")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)  # an import of it raises
    shallow = auditkit("doctor")
    assert (shallow.code, "auditkit doctor --deep does" in shallow.out) == (0, True)
    deep = auditkit("doctor", "--deep")
    assert (deep.code, "torch 9.9  cannot be imported" in deep.out) == (0, True)
