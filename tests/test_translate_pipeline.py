"""From the bank to lines of a file: what is translated, what is written, and what stays as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_translation import ENGLISH, GERMAN, INSTRUCTION, write_bank

from auditkit.data import Content, DilemmaText, Translation, load_content, load_translations, text_key
from auditkit.errors import AuditError
from auditkit.translate import checks
from auditkit.translate.engines import Translated
from auditkit.translate.file import dump, only_writer, write_lines
from auditkit.translate.pipeline import Job, Lost, items, judge, pending, sentence_count, settle, translate_items
from auditkit.translate.sentences import from_passages, passages, split
from auditkit.translate.wording import agree, bare_option, exchanged

pytest.importorskip("pysbd")
pytest.importorskip("sacrebleu")


@dataclass
class Scripted:
    """An engine that knows the tiny bank by heart, notes what it is asked, and can be told to fail."""

    batch_size: int = 4
    settings: dict[str, Any] = field(default_factory=lambda: {"engine": "scripted", "model": "memory"})
    known: dict[str, str] = field(default_factory=lambda: GERMAN | ENGLISH)
    endless: tuple[str, ...] = ()
    stop_after: int | None = None  # calls
    calls: list[tuple[str, list[str]]] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        return self.settings

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[Translated]:
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise KeyboardInterrupt
        self.calls.append((target, list(sentences)))
        return [
            Translated("", False, 9, "no end") if s in self.endless else Translated(self.known.get(s, s), True, 3)
            for s in sentences
        ]

    def close(self) -> None:
        pass

    def asked(self, target: str) -> list[str]:
        return [sentence for to, sentences in self.calls if to == target for sentence in sentences]


@pytest.fixture
def content(tmp_path: Path) -> Content:
    write_bank(tmp_path / "bank")
    made = load_content(tmp_path / "bank" / "prompts", tmp_path / "bank" / "personas")
    made.translations_dir = tmp_path / "out"
    return made


def make(content: Content, engine: Scripted | None = None, *, core: bool = False) -> tuple[Job, list[Lost]]:
    job = Job("deu_Latn", content, engine or Scripted(), "nllb")
    lost = [
        one for _, left_out in translate_items(pending(items("deu_Latn", content, core=core), job), job) for one in left_out
    ]  # fmt: skip
    settle(job)
    return job, lost


def by_id(job: Job) -> dict[str, Translation]:
    return {line.id or line.kind: line for line in load_translations(job.path)}


def raw(job: Job) -> list[str]:
    return job.path.read_text(encoding="utf-8").splitlines()


def reworded(content: Content, tmp_path: Path, old: str, new: str) -> Content:
    """The bank with one sentence changed."""
    path = tmp_path / "bank" / "prompts" / "dilemmas" / "own.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    made = load_content(tmp_path / "bank" / "prompts", tmp_path / "bank" / "personas")
    made.translations_dir = content.translations_dir
    return made


# ------------------------------------------------------------------------------------------------------------- lines


def test_a_language_gets_instruction_persona_and_dilemmas_in_this_order(content):
    """All that multilingual and crossed mode send is written, with text, back-translation, engine and scores."""
    job, lost = make(content)
    lines = load_translations(job.path)
    assert [(line.kind, line.id, line.country) for line in lines] == [
        ("instruction", "", ""), ("persona", "residence", "DEU"),
        ("dilemma", "own-01", ""), ("dilemma", "own-02", ""), ("dilemma", "own-03", ""),
    ]  # fmt: skip
    assert lost == []
    assert [line.status for line in lines] == ["ok", "ok", "ok", "ok", "rejected"]
    assert lines[0].text == "Bitte wählen Sie eine der beiden Möglichkeiten. Antworten Sie in zwei Sätzen."
    assert lines[0].back == INSTRUCTION
    assert lines[2].source == content.dilemmas["own-01"].text.key
    assert lines[2].engine.keys() == {"engine", "model", "date"}
    assert (lines[2].checks["chrf"], lines[2].checks["bleu"]) == (100.0, 100.0)
    assert "nw:2" in lines[2].checks["chrf_signature"]
    assert "reference_chrf" not in lines[2].checks
    assert [found.split(":")[0] for found in lines[4].checks["found"]] == ["english"]


def test_options_are_worded_as_in_the_questions(content):
    """A full stop that the translator put after an option goes, and an option worded otherwise alone is taken from the questions."""
    job, _ = make(content)
    first, second = by_id(job)["own-01"].text, by_id(job)["own-02"].text
    assert (first.a, first.b) == ("Gemüse pflanzen", "Blumen pflanzen")
    assert (second.a, second.b) == ("zu Hause ein Essen kochen", "Pizza bestellen")
    assert second.question_ba == "Soll ich Pizza bestellen oder zu Hause ein Essen kochen?"
    assert by_id(job)["own-02"].back.a == "cook a meal at home"


def test_each_sentence_is_translated_once_in_batches_of_like_length(content):
    """No sentence is asked twice in a direction, no batch is larger than the engine likes, and batches are sorted by length."""
    engine = Scripted(batch_size=5)
    make(content, engine)
    for target in ("deu_Latn", "eng_Latn"):
        assert len(engine.asked(target)) == len(set(engine.asked(target)))
    assert sorted(engine.asked("deu_Latn")) == sorted(GERMAN)
    assert max(len(sentences) for _, sentences in engine.calls) == 5
    assert all(lengths == sorted(lengths, reverse=True) for _, s in engine.calls if (lengths := [len(x) for x in s]))


def test_progress_counts_every_sentence_there_and_back(content):
    """What is told to the progress bar adds up to twice the distinct sentences."""
    job = Job("deu_Latn", content, Scripted(), "nllb")
    wanted, told = items("deu_Latn", content), []
    list(translate_items(wanted, job, told.append))
    assert sum(told) == 2 * sentence_count(wanted) == 2 * len(GERMAN)
    assert len(told) > 4


def test_core_leaves_the_other_dilemmas_out(content):
    """--core translates the core dilemmas, and a later call without it adds the rest and nothing else."""
    job, _ = make(content, core=True)
    before = raw(job)
    assert "own-03" not in by_id(job)
    engine = Scripted()
    make(content, engine)
    assert raw(job)[:-1] == before
    assert all("club" in s or "paint" in s or "hang" in s for s in engine.asked("deu_Latn"))


def test_an_unfinished_sentence_is_an_error_of_its_line_and_no_translation(content):
    """A line with a sentence that came to no end, or to nothing, is named, not written, and tried again by the next call."""
    endless = "I could order pizza, because that is fast."
    engine = Scripted(endless=(endless,), known=GERMAN | ENGLISH | {"I live in Germany.": " ."})
    job, lost = make(content, engine)
    assert [str(one) for one in lost] == [
        "persona residence DEU: nothing came out: 'I live in Germany.'",
        f"dilemma own-02: no end: {endless!r}",
    ]
    assert set(by_id(job)) == {"instruction", "own-01", "own-03"}
    assert [item.id for item in pending(items("deu_Latn", content), job)] == ["residence", "own-02"]


def test_a_back_translation_without_end_marks_the_line(content):
    """The line is kept as suspect without a back-translation, since the text itself is complete."""
    job, lost = make(content, Scripted(endless=("Ich lebe in Deutschland.",)))
    line = by_id(job)["residence"]
    assert lost == []
    assert (line.status, line.back) == ("suspect", None)
    assert line.checks["found"] == ["back: no back-translation: the engine came to no end"]


def test_several_sentences_in_one_entry_are_translated_one_by_one(content, tmp_path):
    """An entry of a scenario that holds two sentences is split for the engine and put together again."""
    path = tmp_path / "bank" / "prompts" / "dilemmas" / "own.yaml"
    bank = yaml.safe_load(path.read_text(encoding="utf-8"))
    bank["dilemmas"][0]["scenario"] = [
        " ".join(bank["dilemmas"][0]["scenario"][:2]),
        bank["dilemmas"][0]["scenario"][2],
    ]
    path.write_text(yaml.safe_dump(bank), encoding="utf-8")
    other = load_content(tmp_path / "bank" / "prompts", tmp_path / "bank" / "personas")
    other.translations_dir = content.translations_dir
    engine = Scripted()
    job, _ = make(other, engine)
    assert "My neighbour and I share a garden." in engine.asked("deu_Latn")
    assert by_id(job)["own-01"].text.scenario[0] == (
        "Mein Nachbar und ich teilen uns einen Garten. Wir könnten Gemüse pflanzen, weil frisches Essen gesund ist."
    )


# -------------------------------------------------------------------------------------------------- again and again


@pytest.mark.parametrize("calls", [1, 5, 9])
def test_an_interrupted_run_goes_on_where_it_was(content, calls):
    """What was finished is in the file and is not translated again; what results is what one run would have given."""
    whole, _ = make(content, Scripted(batch_size=2))
    expected = raw(whole)
    whole.path.unlink()
    with pytest.raises(KeyboardInterrupt):
        make(content, Scripted(batch_size=2, stop_after=calls))
    before = raw(whole) if whole.path.exists() else []
    done = {
        sentence for line in before for sentence in ENGLISH if json.dumps(sentence, ensure_ascii=False)[1:-1] in line
    }
    engine = Scripted(batch_size=2)
    job, _ = make(content, engine)
    assert raw(job) == expected
    assert raw(job)[: len(before)] == before
    assert not {GERMAN[s] for s in engine.asked("deu_Latn")} & done


def test_a_second_call_asks_nothing(content):
    """Lines that are there and fresh are neither translated nor touched."""
    job, _ = make(content)
    before = job.path.stat().st_mtime_ns
    engine = Scripted()
    make(content, engine)
    assert engine.calls == []
    assert job.path.stat().st_mtime_ns == before


def test_a_changed_source_is_translated_anew_and_nothing_else(content, tmp_path):
    """The stale line is replaced by one of the new text; the others keep their bytes."""
    job, _ = make(content)
    before = {json.loads(line).get("id", ""): line for line in raw(job)}
    other = reworded(content, tmp_path, "share a garden", "share a yard")
    assert checks.stale(by_id(job)["own-01"], other)
    engine = Scripted(
        known=GERMAN | ENGLISH | {"My neighbour and I share a yard.": "Mein Nachbar und ich teilen uns einen Hof."}
    )
    job, _ = make(other, engine)
    after = {json.loads(line).get("id", ""): line for line in raw(job)}
    assert {name for name in after if after[name] != before[name]} == {"own-01"}
    assert by_id(job)["own-01"].text.scenario[0] == "Mein Nachbar und ich teilen uns einen Hof."
    assert len(raw(job)) == 5


def test_a_rejected_line_is_tried_again_under_other_settings_only(content):
    """The same engine would reject it again; another one may do better. What is suspect or ok stays."""
    make(content)
    same = Scripted()
    make(content, same)
    assert same.calls == []
    better = Scripted(settings={"engine": "scripted", "model": "better"}, known=GERMAN | ENGLISH | {
        "Our club has a new room with a large window.": "Unser Verein hat einen neuen Raum mit einem großen Fenster."
    })  # fmt: skip
    job, _ = make(content, better)
    assert by_id(job)["own-03"].status != "rejected"
    assert by_id(job)["own-03"].engine["model"] == "better"
    assert by_id(job)["own-01"].engine["model"] == "memory"


# --------------------------------------------------------------------------------------------- lines of other people


def edited(line: Translation, **changes: Any) -> Translation:
    return line.model_copy(update={"status": "edited", "note": "mended by hand", **changes})


def test_lines_of_others_keep_their_bytes_and_give_a_forward_score(content):
    """Reference lines stay before ours as they were written, odd spacing included, and ours are scored against them."""
    job, _ = make(content)
    line = by_id(job)["own-01"].model_dump(mode="json", exclude_defaults=True) | {"translator": "reference"}
    reference = json.dumps(line, ensure_ascii=False, indent=None, separators=(" , ", " : "))
    job.path.write_text(reference + "\n", encoding="utf-8")
    job, _ = make(content)
    assert raw(job)[0] == reference
    mine = [line for line in load_translations(job.path) if line.translator == "nllb"]
    # "I live in Germany." is a reference that ships
    assert [line.checks.get("reference_chrf") for line in mine] == [None, 100.0, 100.0, None, None]


def test_a_person_s_line_is_never_replaced(content, tmp_path):
    """A fresh accepted or edited line stays; a stale one stays too, beside its successor, which is the one that counts."""
    job, _ = make(content)
    write_lines(job.path, [edited(by_id(job)["own-01"])], content)
    make(content, Scripted(settings={"engine": "another"}))
    assert by_id(job)["own-01"].note == "mended by hand"
    other = reworded(content, tmp_path, "share a garden", "share a yard")
    job, _ = make(other)
    both = [line for line in load_translations(job.path) if line.id == "own-01"]
    assert [(line.status == "edited", checks.stale(line, other)) for line in both] == [(True, True), (False, False)]
    assert "duplicate" not in {f.check for c in checks.check_language("deu_Latn", other) for f in c.findings}


def test_what_a_person_accepts_while_a_run_is_under_way_stays(content):
    """Lines are merged into the file as it is when they are written, not as it was when the run began."""
    job, _ = make(content)
    ours = by_id(job)["own-02"]
    write_lines(job.path, [edited(ours)], content)
    write_lines(job.path, [ours], content)
    assert [line.status for line in load_translations(job.path) if line.id == "own-02"] == ["edited"]


def test_a_reader_s_doubt_survives_the_next_run(content):
    """A line that a person marked suspect with a reason is not set to ok by the checks."""
    job, _ = make(content)
    doubted = by_id(job)["own-01"].model_copy(update={"status": "suspect", "checks": {"why": "sounds like an order"}})
    write_lines(job.path, [doubted], content)
    settle(job)
    assert by_id(job)["own-01"] == doubted


def test_statuses_are_settled_with_the_ratio_of_the_whole_file(content):
    """A line whose status no longer fits what the checks say is judged again at the end."""
    job, _ = make(content)
    wrong = by_id(job)["own-01"].model_copy(
        update={"status": "suspect", "checks": {"found": ["length: scenario: old"]}}
    )
    write_lines(job.path, [wrong], content)
    settle(job)
    assert (by_id(job)["own-01"].status, by_id(job)["own-01"].checks) == ("ok", {})


def test_two_processes_do_not_write_one_file(content):
    """A file is held for the time of a language, and the error names it."""
    path = content.translations_dir / "deu_Latn.jsonl"
    with only_writer(path), pytest.raises(AuditError, match="another process is translating"), only_writer(path):
        pass
    with only_writer(path):
        pass


def test_a_folder_that_cannot_be_written_is_one_line(content, tmp_path):
    """The error names the file and the option that names another folder."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    content.translations_dir = tmp_path / "file" / "below"
    with pytest.raises(AuditError, match="--translations DIR"):
        make(content)


# ------------------------------------------------------------------------------------------------------- the parts


def test_a_line_is_dumped_without_empty_fields_and_reads_back(content):
    """What is written is what is read."""
    line = Translation(kind="instruction", source=text_key("a"), translator="nllb", status="ok", text="ä")
    assert dump(line) == json.dumps(
        {"kind": "instruction", "source": text_key("a"), "translator": "nllb", "status": "ok", "text": "ä"}, ensure_ascii=False
    )  # fmt: skip
    write_lines(content.translations_dir / "deu_Latn.jsonl", [line], content)
    assert load_translations(content.translations_dir / "deu_Latn.jsonl") == [line]


def test_sentences_of_english():
    """Abbreviations and quotations end no sentence; a text without letters stays as it is."""
    assert split('Dr. Smith comes at 5 p.m. on Sunday. "Go!" he said.') == (
        "Dr. Smith comes at 5 p.m. on Sunday.",
        '"Go!" he said.',
    )
    assert split("") == ("",)


def test_every_sentence_of_the_shipped_bank_is_one():
    """The bank's entries and questions are single sentences for the splitter too."""
    for dilemma in load_content().dilemmas.values():
        for sentence in (*dilemma.scenario, dilemma.ask("ab"), dilemma.ask("ba")):
            assert split(sentence) == (sentence,)


def test_passages_and_back():
    """A text is the same after it was taken apart and put together."""
    text = DilemmaText(scenario=("s", "t"), a="a", b="b", question_ab="ab", question_ba="ba")
    assert passages(text) == ("s", "t", "a", "b", "ab", "ba")
    assert from_passages(passages(text), text) == text
    assert from_passages(passages("one"), "one") == "one"


@pytest.mark.parametrize(
    ("one", "two", "spaced", "found"),
    [
        ("Should I go home or stay?", "Should I stay or go home?", True, ("go home", "stay")),
        (
            "Soll ich das Fach wählen, das ich mag, oder das Fach wählen, das alle mögen?",
            "Soll ich das Fach wählen, das alle mögen, oder das Fach wählen, das ich mag?",
            True,
            ("das Fach wählen, das ich mag", "das Fach wählen, das alle mögen"),
        ),
        ("Soll ich im Haus essen oder im Hof essen?", "Soll ich im Hof essen oder im Haus essen?", True, ("im Haus essen", "im Hof essen")),
        ("क्या मैं घर जाऊँ या यहाँ रहूँ?", "क्या मैं यहाँ रहूँ या घर जाऊँ?", True, ("घर जाऊँ", "यहाँ रहूँ")),
        ("私は家に帰るべきか、それとも残るべきか。", "私は残るべきか、それとも家に帰るべきか。", False, ("家に帰るべきか", "残るべきか")),
        ("Should I go or stay?", "Should I stay or leave?", True, None),
        ("Should I go?", "Should I go?", True, None),
        ("", "", True, None),
    ],
)  # fmt: skip
def test_passages_that_change_places(one, two, spaced, found):
    """Two questions that differ only in the order of two passages give these passages, whole words of them."""
    assert exchanged(one, two, spaced=spaced) == found


def dilemma_text(a: str, b: str, question_ab: str, question_ba: str) -> DilemmaText:
    return DilemmaText(scenario=("s",), a=a, b=b, question_ab=question_ab, question_ba=question_ba)


def test_wording_agrees_where_it_can():
    """In turn: as it came, from the questions, the second question from the first or the first from the second; else as it came."""
    fine = dilemma_text("gehen", "bleiben", "Soll ich gehen oder bleiben?", "Soll ich bleiben oder gehen?")
    assert agree(fine, "Latn") == fine
    assert agree(fine.model_copy(update={"a": "Gehen Sie"}), "Latn") == fine
    one_off = fine.model_copy(update={"question_ba": "Ist bleiben besser oder gehe ich?"})
    assert agree(one_off, "Latn") == fine
    other_off = fine.model_copy(update={"question_ab": "Gehe ich, oder ist bleiben besser?"})
    assert agree(other_off, "Latn") == fine
    hopeless = dilemma_text("x", "y", "Gehe ich?", "Bleibe ich?")
    assert agree(hopeless, "Latn") == hopeless


@pytest.mark.parametrize("code", ["deu_Latn", "tur_Latn", "jpn_Jpan", "hin_Deva", "hun_Latn", "kaz_Cyrl", "tha_Thai"])
def test_options_of_the_references_are_found_in_their_questions(code):
    """With their options thrown away, reference lines get options from the questions that both questions hold."""
    lines = [line for line in load_content().translations(code) if isinstance(line.text, DilemmaText)]
    assert len(lines) == 50
    for line in lines:
        without = line.text.model_copy(update={"a": "?", "b": "??"})
        assert checks.options_agree(agree(without, code.partition("_")[2])), line.id


def test_a_stop_that_the_source_has_not_is_taken_off_an_option():
    """Full stops of several scripts go; one that the English has stays, and so does an option of nothing else."""
    assert bare_option("Pflanzen Sie Blumen.", "plant flowers") == "Pflanzen Sie Blumen"
    assert bare_option("花を植える。", "plant flowers") == "花を植える"
    assert bare_option("Usw.", "and so on.") == "Usw."
    assert bare_option("...", "wait") == "..."


def test_an_option_that_the_scenario_words_otherwise_is_found(content):
    """`wording` finds an option of which the scenario holds little, if the English scenario holds the English option."""
    source = content.dilemmas["own-01"].text
    text = by_id(make(content)[0])["own-01"].text
    to = checks.target("deu_Latn", content)
    assert list(checks._wording(text, source, to)) == []
    other = text.model_copy(update={"a": "den Boden umgraben"})
    assert [(f.check, f.field) for f in checks._wording(other, source, to)] == [("wording", "a")]
    elsewhere = source.model_copy(update={"a": "dig up soil"})
    assert list(checks._wording(other, elsewhere, to)) == []


def test_a_poor_back_translation_is_found(content):
    """`back` marks a line whose stored chrF++ is below the threshold, and only while it has a back-translation."""
    line = by_id(make(content)[0])["own-01"]
    to = checks.target("deu_Latn", content)
    poor = line.model_copy(update={"checks": {"chrf": checks.BACK_CHRF - 1}})
    assert [f.check for f in checks.check_line(poor, to, content)] == ["back"]
    assert judge(poor, to, content).status == "suspect"
    assert checks.check_line(poor.model_copy(update={"back": None}), to, content) == []
