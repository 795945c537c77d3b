"""NLLB by transformers and by CTranslate2: the same tokens from the same weights, nothing cut, and clear words where it fails."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("ctranslate2")
pytest.importorskip("pysbd")
pytest.importorskip("sacrebleu")

import ctranslate2
import torch
from tiny_translation import ENGLISH, GERMAN, make_model, make_tokenizer, save, train, write_bank

from auditkit.data import load_translations
from auditkit.errors import AuditError, MissingExtra
from auditkit.models.weights import cache_folder
from auditkit.translate import ct2, nllb
from auditkit.translate.ct2 import Ct2Engine, convert
from auditkit.translate.engines import CPU_MODEL, GPU_MODEL, Decoding, make_engine
from auditkit.translate.nllb import MAX_SOURCE, NllbEngine, Tokens, find_weights

# the tokenizer's own tools still use names that their next release will drop
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch):
    """Small models gain nothing by threads, and those of two libraries spin against each other on few cores."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows the tiny bank by heart."""
    return train(tmp_path_factory.mktemp("models") / "tiny-nllb")


@pytest.fixture(scope="module")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, which comes to no end by itself."""
    tokenizer = make_tokenizer()
    return save(tmp_path_factory.mktemp("models") / "random", make_model(len(tokenizer), layers=2), tokenizer)


def both(folder: Path, decoding: Decoding) -> tuple[NllbEngine, Ct2Engine]:
    return (
        NllbEngine(str(folder), device="cpu", decoding=decoding),
        Ct2Engine(str(folder), device="cpu", decoding=decoding, quantisation="float32"),
    )


# ----------------------------------------------------------------------------------------------------- translation


@pytest.mark.parametrize(
    ("which", "decoding"),
    [  # beams of random weights are near-ties, which rounding decides
        ("untaught", Decoding(1, 30, 0)),
        ("untaught", Decoding(1, 60, 4)),
        ("learnt", Decoding(1, 30, 0)),
        ("learnt", Decoding(4, 60, 20)),
    ],
)
def test_both_engines_give_the_same_tokens(which, decoding, request):
    """From one sentence or many, to an end or to the limit, greedy or by beams, with and without the guard against loops."""
    one, two = both(request.getfixturevalue(which), decoding)
    for sentences, source, target in ((list(GERMAN), "eng_Latn", "deu_Latn"), (list(ENGLISH), "deu_Latn", "eng_Latn")):
        rows = one.tokens.encode(sentences, source)
        assert rows == two.tokens.encode(sentences, source)
        made = one.generate(rows, target)
        assert made == two.generate(rows, target)
        assert any(made)


@pytest.mark.parametrize("engine", [NllbEngine, Ct2Engine])
def test_a_model_translates_in_both_directions(engine, learnt):
    """The sentences that the model has learnt come out word for word, int8 included, whatever else is in the batch."""
    made = engine(str(learnt), device="cpu")
    there = made.translate(list(GERMAN), "eng_Latn", "deu_Latn")
    assert [result.text for result in there] == list(GERMAN.values())
    assert all(result.finished and result.tokens > 1 and not result.why for result in there)
    back = made.translate(list(ENGLISH), "deu_Latn", "eng_Latn")
    assert [result.text for result in back] == list(ENGLISH.values())
    alone = [made.translate([sentence], "eng_Latn", "deu_Latn")[0] for sentence in list(GERMAN)[:4]]
    assert alone == there[:4]
    assert made.translate([], "eng_Latn", "deu_Latn") == []
    made.close()


@pytest.mark.parametrize("engine", [NllbEngine, Ct2Engine])
def test_no_sentence_is_cut(engine, learnt):
    """A translation that is not finished within the limit is none, and a source longer than NLLB reads is not shortened."""
    made = engine(str(learnt), device="cpu", decoding=Decoding(beam=1, max_tokens=4))
    long = " ".join(["garden"] * (MAX_SOURCE + 1))
    results = made.translate(
        ["I live in Germany.", "My sister invites 12 friends to a party.", long], "eng_Latn", "deu_Latn"
    )
    assert [(r.text, r.finished) for r in results[1:]] == [("", False)] * 2
    assert (results[1].tokens, results[1].why) == (4, "no end within 4 tokens (--max-tokens)")
    assert "more than NLLB's 512" in results[2].why


def test_the_guard_ends_a_loop(untaught):
    """With the guard no run of its length comes twice; without it the random model loops."""
    rows = NllbEngine(str(untaught), device="cpu").tokens.encode(list(GERMAN)[:3], "eng_Latn")

    def repeats(row: list[int], size: int) -> int:
        runs = [tuple(row[i : i + size]) for i in range(len(row) - size + 1)]
        return len(runs) - len(set(runs))

    for free, guarded in zip(both(untaught, Decoding(1, 60, 0)), both(untaught, Decoding(1, 60, 5)), strict=True):
        assert any(repeats(row, 5) for row in free.generate(rows, "deu_Latn"))
        assert not any(repeats(row, 5) for row in guarded.generate(rows, "deu_Latn"))


def test_unknown_tokens_stay_visible(learnt):
    """What the model could not write is left as <unk> for the checks to find; other special tokens are not shown."""
    tokens = Tokens(learnt, "tiny")
    ids = tokens.encode(["I live in Germany."], "eng_Latn")[0]
    assert tokens.decode([*ids[:3], tokens.unknown, *ids[3:]]).count("<unk>") == 1
    assert tokens.decode(ids) == "I live in Germany."


@pytest.mark.parametrize("engine", [NllbEngine, Ct2Engine])
def test_a_language_that_the_model_has_not_is_named(engine, learnt):
    """The code is looked up before anything is translated, as source and as target."""
    made = engine(str(learnt), device="cpu")
    with pytest.raises(AuditError, match=r"tiny-nllb has no token for kat_Geor"):
        made.translate(["I live in Germany."], "eng_Latn", "kat_Geor")
    with pytest.raises(AuditError, match="no token for kat_Geor"):
        made.translate(["I live in Germany."], "kat_Geor", "deu_Latn")


# ------------------------------------------------------------------------------------------------ facts and weights


def test_facts_name_weights_and_settings_and_no_place(learnt):
    """What a line keeps identifies the model's files and the search, is known before loading, and holds no path."""
    made = make_engine("ctranslate2", model=str(learnt), device="cpu", beam=2, languages={})
    assert made.facts == {
        "engine": "ctranslate2",
        "model": "tiny-nllb",
        "revision": find_weights(str(learnt)).revision,
        "quantisation": "int8",
        "beam": 2,
        "max_tokens": 256,
        "no_repeat_ngram": 20,
    }
    assert str(learnt.parent) not in json.dumps(made.facts)
    other = make_engine("nllb", model=str(learnt), device="cpu", languages={})
    assert (other.facts["quantisation"], other.facts["beam"]) == ("float32", 4)
    assert not (cache_folder() / "ctranslate2").exists()


def test_the_default_model_goes_by_the_device(monkeypatch):
    """3.3B on a GPU, the distilled 600M on a CPU, for both engines."""
    asked = []
    monkeypatch.setattr(nllb, "find_weights", asked.append)
    monkeypatch.setattr(ct2, "find_weights", lambda model: asked.append(model) or nllb.Weights(model, model, "r", None))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    NllbEngine()
    assert Ct2Engine().facts["quantisation"] == "float16"
    NllbEngine(device="cpu")
    Ct2Engine(device="cpu")
    assert asked == [GPU_MODEL, GPU_MODEL, CPU_MODEL, CPU_MODEL]


def test_weights_are_converted_once_and_whole(learnt, monkeypatch):
    """A second engine finds the conversion, remains of a killed one are cleared, and a failure leaves nothing behind."""
    parent = cache_folder() / "ctranslate2"
    weights = find_weights(str(learnt))
    from ctranslate2.converters import TransformersConverter

    real = TransformersConverter.convert

    def fails(self, output, **_):
        Path(output).mkdir()
        raise RuntimeError("no space for this")

    monkeypatch.setattr(TransformersConverter, "convert", fails)
    with pytest.raises(AuditError, match="no space for this"):
        convert(weights, "int8")
    assert not [path for path in parent.iterdir() if path.is_dir()]
    monkeypatch.setattr(TransformersConverter, "convert", real)
    made = convert(weights, "int8")
    left = parent / f".{made.name}-killed"
    left.mkdir()
    made.rename(parent / "away")
    assert convert(weights, "int8") == made
    assert not left.exists()
    monkeypatch.setattr(TransformersConverter, "convert", fails)
    assert convert(weights, "int8") == made
    with pytest.raises(AuditError):
        convert(weights, "float16")


def test_a_folder_that_was_converted_elsewhere_is_taken_as_it_is(learnt, tmp_path):
    """A folder in CTranslate2's format needs no conversion, and says so in its facts."""
    elsewhere = tmp_path / "converted"
    convert(find_weights(str(learnt)), "float32").rename(elsewhere)
    made = Ct2Engine(str(elsewhere), device="cpu")
    assert made.facts["quantisation"] == "as converted"
    assert made.translate(["I live in Germany."], "eng_Latn", "deu_Latn")[0].text == "Ich lebe in Deutschland."
    assert not [path for path in (cache_folder() / "ctranslate2").iterdir() if path.is_dir()]


@pytest.mark.parametrize("engine", [NllbEngine, Ct2Engine])
def test_a_missing_model_says_where_to_get_it_and_under_which_licence(engine, tmp_path, monkeypatch):
    """No folder, a folder without a model, a hub that cannot be reached: each names the way out and CC BY-NC 4.0."""

    def unreachable(model: str) -> str:
        raise AuditError(f"local/{model}: the hub does not give it")

    monkeypatch.setattr(nllb, "hub_commit", unreachable)
    (tmp_path / "empty").mkdir()
    for model in ("nowhere", str(tmp_path / "empty"), "facebook/nllb-200-distilled-600M"):
        with pytest.raises(AuditError) as error:
            engine(model, device="cpu")
        assert str(error.value).startswith(model)
        for part in ("hf download facebook/nllb-200-distilled-600M", "--model FOLDER", "CC BY-NC 4.0"):
            assert part in str(error.value)


def test_broken_files_are_one_line(learnt, tmp_path):
    """Weights, tokenizer or conversion that do not load are errors that name the model."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in learnt.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "model.safetensors").write_bytes(b"nothing")
    for engine in (NllbEngine, Ct2Engine):
        with pytest.raises(AuditError, match="broken: "):
            engine(str(broken), device="cpu").translate(["I live in Germany."], "eng_Latn", "deu_Latn")
    (broken / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(AuditError, match="tokenizer"):
        NllbEngine(str(broken), device="cpu").translate(["I live in Germany."], "eng_Latn", "deu_Latn")


def test_devices_that_are_not_there_are_named(learnt):
    """A misspelt device and a GPU that is missing are refused before anything is loaded."""
    with pytest.raises(AuditError, match="no device 'gpu'"):
        Ct2Engine(str(learnt), device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(AuditError, match="--device cpu"):
            Ct2Engine(str(learnt), device="cuda")
        with pytest.raises(AuditError, match="not usable"):
            NllbEngine(str(learnt), device="cuda")


def test_a_missing_package_names_the_extra(learnt, monkeypatch):
    """Without torch, or CTranslate2, the message says what to install; a conversion needs torch too."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"auditkit\[local,translate\]"):
        NllbEngine(str(learnt))
    with pytest.raises(MissingExtra, match="converting tiny-nllb"):
        Ct2Engine(str(learnt), device="cpu").translate(["a"], "eng_Latn", "deu_Latn")
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(MissingExtra, match=r"auditkit\[translate\]"):
        Ct2Engine(str(learnt))


def test_an_unknown_engine_gets_the_nearest_name():
    """A misspelt engine is refused with the right name."""
    with pytest.raises(AuditError, match="did you mean 'ctranslate2'"):
        make_engine("ctranslate", model=None, languages={})


# ------------------------------------------------------------------------------------------------------- end to end


@pytest.mark.endtoend
@pytest.mark.parametrize("engine", ["nllb", "ctranslate2"])
def test_a_bank_is_translated_and_sent(auditkit, isolated, learnt, engine):
    """The command writes lines with both kinds of score and the engine's facts; a run with --translator nllb sends them."""
    bank = [*write_bank(isolated / "bank"), "--translations", str(isolated / "out")]
    command = ("translate", "--to", "deu_Latn", "--engine", engine, "--model", learnt, "--device", "cpu", *bank)
    made = auditkit(*command)
    assert made.code == 0, made.err
    lines = load_translations(isolated / "out" / "deu_Latn.jsonl")
    assert [line.status for line in lines] == ["ok", "ok", "ok", "ok", "rejected"]
    assert {line.checks["chrf"] for line in lines} == {100.0}
    assert {(line.engine["engine"], line.engine["quantisation"]) for line in lines} == {
        (engine, {"nllb": "float32", "ctranslate2": "int8"}[engine])
    }
    again = auditkit(*command)
    assert "5 of 5 lines are there already" in again.err
    short = auditkit(*command, "--translator-name", "nllb:short", "--max-tokens", 4)
    assert short.code == 1
    assert "no end within 4 tokens" in short.err
    run = ("run", "-d", "individualism", "-m", "crossed", "--country", "DEU", "--core", "--translator", "nllb", "--model", "mock/coin")  # fmt: skip
    assert auditkit(*run, *bank).code == 0
    with sqlite3.connect(isolated / "auditkit.db") as db:
        assert db.execute(
            "select count(*) from requests where messages like '%Ich lebe in Deutschland.%'"
        ).fetchone() == (2,)
        assert db.execute(
            "select distinct translator, json_extract(engine, '$.model') from translations"
        ).fetchall() == [("nllb", "tiny-nllb")]
