"""The checks of translations: planted faults are found, untouched lines are not, and the command says where."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from auditkit.cli.translate import translate as command
from auditkit.data import Content, DilemmaText, Translation, load_content, text_key
from auditkit.errors import AuditError, ContentError, MissingExtra
from auditkit.translate import checks, score
from auditkit.translate.checks import Target, check_language, check_line, check_plain, check_text, status_for

SOURCE = {
    "scenario": [
        "My neighbour and I share a small garden behind our house.",
        "This spring we could plant vegetables, because fresh food is cheap and healthy.",
        "We could also plant flowers, because many people pass by and enjoy them.",
        "We have room for 3 beds.",
    ],
    "a": "plant vegetables in the garden",
    "b": "plant flowers in the garden",
}
TEXTS = {
    "deu_Latn": {
        "scenario": (
            "Mein Nachbar und ich teilen uns einen kleinen Garten hinter unserem Haus.",
            "In diesem Frühling könnten wir Gemüse pflanzen, weil frische Lebensmittel billig und gesund sind.",
            "Wir könnten auch Blumen pflanzen, weil viele Leute vorbeikommen und sich daran freuen.",
            "Wir haben Platz für 3 Beete.",
        ),
        "a": "Gemüse im Garten pflanzen",
        "b": "Blumen im Garten pflanzen",
        "question_ab": "Soll ich Gemüse im Garten pflanzen oder Blumen im Garten pflanzen?",
        "question_ba": "Soll ich Blumen im Garten pflanzen oder Gemüse im Garten pflanzen?",
    },
    "jpn_Jpan": {
        "scenario": (
            "隣の人と私は、家の裏にある小さな庭を一緒に使っています。",
            "この春は、新鮮な食べ物は安くて体によいので、野菜を植えることができます。",
            "また、多くの人が通りかかって楽しんでくれるので、花を植えることもできます。",
            "花壇は3つ作れます。",
        ),
        "a": "庭に野菜を植える",
        "b": "庭に花を植える",
        "question_ab": "私は、庭に野菜を植えるべきでしょうか、それとも庭に花を植えるべきでしょうか。",
        "question_ba": "私は、庭に花を植えるべきでしょうか、それとも庭に野菜を植えるべきでしょうか。",
    },
    "kat_Geor": {
        "scenario": (
            "მე და ჩემს მეზობელს სახლის უკან პატარა საერთო ბაღი გვაქვს.",
            "ამ გაზაფხულზე შეგვიძლია ბოსტნეული დავრგოთ, რადგან ახალი საკვები იაფი და ჯანსაღია.",
            "ასევე შეგვიძლია ყვავილები დავრგოთ, რადგან ბევრი ადამიანი ჩაივლის და მათით ტკბება.",
            "ადგილი 3 კვლისთვის გვაქვს.",
        ),
        "a": "ბაღში ბოსტნეული დავრგო",
        "b": "ბაღში ყვავილები დავრგო",
        "question_ab": "როგორ მოვიქცე: ბაღში ბოსტნეული დავრგო თუ ბაღში ყვავილები დავრგო?",
        "question_ba": "როგორ მოვიქცე: ბაღში ყვავილები დავრგო თუ ბაღში ბოსტნეული დავრგო?",
    },
    "heb_Hebr": {
        "scenario": (
            "לשכן שלי ולי יש גינה קטנה משותפת מאחורי הבית.",
            "באביב הזה נוכל לשתול ירקות, כי אוכל טרי הוא זול ובריא.",
            "נוכל גם לשתול פרחים, כי אנשים רבים עוברים כאן ונהנים מהם.",
            "יש לנו מקום ל-3 ערוגות.",
        ),
        "a": "לשתול ירקות בגינה",
        "b": "לשתול פרחים בגינה",
        "question_ab": "האם כדאי לי לשתול ירקות בגינה או לשתול פרחים בגינה?",
        "question_ba": "האם כדאי לי לשתול פרחים בגינה או לשתול ירקות בגינה?",
    },
}
RESIDENCE = {
    "deu_Latn": ("DEU", "Ich lebe in Deutschland."),
    "jpn_Jpan": ("JPN", "私は日本に住んでいます。"),
    "kat_Geor": ("GEO", "მე საქართველოში ვცხოვრობ."),
    "heb_Hebr": ("ISR", "אני מתגוררת בישראל."),
}
INSTRUCTION_DE = "Bitte raten Sie mir zu einer der beiden Möglichkeiten, nicht zu beiden, und antworten Sie in zwei oder drei Sätzen."
LANGUAGES = list(TEXTS)
NUMBER_OF_LINES = checks.RATIO_LINES + 1


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank of one dilemma under several ids: as many lines as a median ratio needs."""
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "dilemmas").mkdir()
    shared = {"domain": "community", "lead": "a", "mentions": "a", **SOURCE, "rationale": "a: first; b: second."}
    entries = [{"id": f"own-{i:02d}", "core": i <= 5, **shared} for i in range(1, NUMBER_OF_LINES + 1)]
    text = yaml.safe_dump({"dimension": "individualism", "dilemmas": entries}, sort_keys=False)
    (folder / "dilemmas" / "own.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def content(prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Content:
    return load_content(prompts=prompts, translations=tmp_path_factory.mktemp("none"))


def lines_of(lang: str, content: Content) -> list[dict[str, Any]]:
    """A sound file of a language."""
    common = {"translator": "reference", "status": "ok"}
    iso3, residence = RESIDENCE[lang]
    english = content.templates["residence"].render(content.countries[iso3])
    made: list[dict[str, Any]] = [
        {
            "kind": "persona",
            "id": "residence",
            "country": iso3,
            "source": text_key(english),
            "text": residence,
            **common,
        }
    ]
    if lang == "deu_Latn":
        key = text_key(content.messages.instruction)
        made.insert(0, {"kind": "instruction", "source": key, "text": INSTRUCTION_DE, **common})
    for dilemma in content.dilemmas.values():
        text = json.loads(json.dumps(TEXTS[lang]))
        made.append({"kind": "dilemma", "id": dilemma.id, "source": dilemma.text.key, "text": text, **common})
    return made


def write(folder: Path, lang: str, lines: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / f"{lang}.jsonl").write_text(text, encoding="utf-8")
    return folder


def text_of(lang: str) -> DilemmaText:
    return DilemmaText(**TEXTS[lang])


def target_of(lang: str, content: Content) -> Target:
    """The language with the median ratio of its sound lines."""
    return checks.target(lang, content, [Translation(**line) for line in lines_of(lang, content)])


def source_text(content: Content) -> DilemmaText:
    return next(iter(content.dilemmas.values())).text


def changed(text: DilemmaText, sentence: int | None = None, to: str = "", **fields: Any) -> DilemmaText:
    """The text with fields replaced, or with one sentence (from 0) replaced."""
    if sentence is not None:
        fields["scenario"] = tuple(to if i == sentence else s for i, s in enumerate(text.scenario))
    return DilemmaText.model_construct(
        **{**text.model_dump(), **fields}
    )  # not validated: a model's output may be anything


def _half(sentence: str) -> str:
    return sentence[: len(sentence) // 2] + sentence[-1]


OTHER = {"deu_Latn": "jpn_Jpan", "jpn_Jpan": "kat_Geor", "kat_Geor": "heb_Hebr", "heb_Hebr": "deu_Latn"}

# name -> (what is done to a sound text, the check that must see it, severity)
FAULTS: dict[str, tuple[Callable[[DilemmaText, str], DilemmaText], str, str]] = {
    "a sentence dropped": (lambda t, _: changed(t, scenario=t.scenario[:2] + t.scenario[3:]), "sentences", "reject"),
    "a sentence added": (lambda t, _: changed(t, scenario=(*t.scenario, t.scenario[3])), "sentences", "reject"),
    "two sentences in one": (lambda t, _: changed(t, 0, f"{t.scenario[0]} {t.scenario[3]}"), "sentences", "suspect"),
    "an empty sentence": (lambda t, _: changed(t, 1, " "), "empty", "reject"),
    "an empty option": (lambda t, _: changed(t, b=""), "empty", "reject"),
    "another language": (lambda _, lang: text_of(OTHER[lang]), "language", "reject"),
    "a sentence in English": (lambda t, _: changed(t, 1, SOURCE["scenario"][1]), "english", "reject"),
    "English words left": (lambda t, _: changed(t, 1, f"share a small garden {t.scenario[1]}"), "english", "suspect"),
    "a number changed": (lambda t, _: changed(t, 3, t.scenario[3].replace("3", "5")), "digits", "suspect"),
    "a number lost": (lambda t, _: changed(t, 3, t.scenario[3].replace("3", "")), "digits", "suspect"),
    "options in the wrong order": (lambda t, _: changed(t, question_ab=t.question_ba), "order", "reject"),
    "both questions swapped": (
        lambda t, _: changed(t, question_ab=t.question_ba, question_ba=t.question_ab),
        "order",
        "reject",
    ),
    "an option in other words": (lambda t, _: changed(t, a=t.a[:3] + t.a[4:]), "options", "suspect"),
    "options that are the same": (lambda t, _: changed(t, b=t.a), "options", "reject"),
    "a stop after an option": (lambda t, _: changed(t, a=t.a + "."), "ending", "suspect"),
    "a sentence cut off": (lambda t, _: changed(t, 1, t.scenario[1][:-8]), "ending", "suspect"),
    "a sentence three times as long": (
        lambda t, _: changed(t, 0, t.scenario[1][:-1] * 2 + t.scenario[0]),
        "length",
        "suspect",
    ),
    "a loop inside a sentence": (
        lambda t, _: changed(t, 2, t.scenario[2][:12] + t.scenario[2][12:20] * 5 + t.scenario[2][20:]),
        "repetition",
        "reject",
    ),
    "a letter again and again": (
        lambda t, _: changed(t, 0, t.scenario[0][:-1] + t.scenario[0][-2] * 6 + t.scenario[0][-1]),
        "repetition",
        "reject",
    ),
    "the same sentence twice": (lambda t, _: changed(t, 2, t.scenario[1]), "repetition", "reject"),
    "a control character": (
        lambda t, _: changed(t, 0, t.scenario[0].replace(t.scenario[0][5], "\x07", 1)),
        "characters",
        "reject",
    ),
    "a change of direction": (lambda t, _: changed(t, a="\u202e" + t.a), "characters", "reject"),
    "a token of the tokenizer": (lambda t, _: changed(t, 0, "<unk> " + t.scenario[0]), "characters", "reject"),
}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_sound_text_has_no_finding(lang: str, content: Content):
    """A careful translation passes every check, lengths included."""
    to = target_of(lang, content)
    assert to.ratio is not None
    assert check_text(text_of(lang), source_text(content), to) == []
    assert status_for([]) == "ok"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, lang: str, content: Content):
    """Each class of fault is found by the check that is meant for it, with its severity."""
    plant, check, severity = FAULTS[fault]
    found = check_text(plant(text_of(lang), lang), source_text(content), target_of(lang, content))
    assert (check, severity) in {(f.check, f.severity) for f in found}, [str(f) for f in found]
    assert status_for(found) == ("rejected" if any(f.severity == "reject" for f in found) else "suspect")


def test_a_finding_names_its_field(content: Content):
    """A finding names the sentence or field that it is about, so that one knows where to look."""
    text = text_of("deu_Latn")
    broken = changed(changed(text, 3, "Wir haben Platz für 4 Beete."), 0, "\u200e" + text.scenario[0])
    found = check_text(broken, source_text(content), target_of("deu_Latn", content))
    assert {str(f) for f in found} == {
        "characters: scenario[1]: control character U+200E",
        "digits: scenario: lost 3; new 4",
    }


def test_script_share_is_graded(content: Content):
    """A stray word in another script makes a text suspect, a fifth of another script rejects it."""
    text, source, to = text_of("kat_Geor"), source_text(content), target_of("kat_Geor", content)
    stray = check_text(changed(text, 0, text.scenario[0][:-1] + " Gartenzwerg."), source, to)
    assert {(f.check, f.severity) for f in stray} == {("script", "suspect")}
    long = changed(text, 0, TEXTS["deu_Latn"]["scenario"][1])
    assert ("script", "reject") in {(f.check, f.severity) for f in check_text(long, source, to)}


def test_script_share_counts_letters_only():
    """Digits, punctuation and vowel marks count for no script."""
    assert checks.script_share("אב-12, ג!", "Hebr") == 1.0
    assert checks.script_share("ab אב", "Hebr") == 0.5
    assert checks.script_share("データ々ー漢字", "Jpan") == 1.0
    assert checks.script_share("123", "Latn") == 1.0
    with pytest.raises(AuditError, match="script 'Xxxx'"):
        checks.script_share("a", "Xxxx")


def test_first_letter_of_an_option_may_change_its_case(content: Content):
    """An option may open its question with a capital letter; any other difference is a finding. Turkish pairs i with İ."""
    text = text_of("deu_Latn")
    question = "Gemüse im Garten pflanzen oder Blumen im Garten pflanzen, was soll ich tun?"
    small = changed(text, a="gemüse im Garten pflanzen", question_ab=question)
    assert not [f for f in checks._options(small) if f.field == "question_ab"]
    shouted = changed(text, question_ab=question.replace("Garten", "GARTEN"))
    assert [f.check for f in checks._options(shouted)] == ["options"]
    turkish = changed(text, a="iş aramak", b="ara vermek", question_ab="İş aramak mı, ara vermek mi?", question_ba="Ara vermek mi, iş aramak mı?")  # fmt: skip
    assert list(checks._options(turkish)) == []


def test_numbers_are_compared_in_any_digits():
    """Persian, Devanagari and full-width digits equal ASCII ones, and separators of thousands do not matter."""
    assert checks.numbers("۱۲ و ३ ９") == checks.numbers("12, 3, 9")
    assert checks.numbers("1,000 / 1.000 / 1 000 / 1\u202f000")["1000"] == 4
    assert checks.numbers("5, 6. 7") == checks.numbers("7 6 5")
    assert checks.numbers("two") == {}


def test_indonesian_and_malay_count_as_one(content: Content):
    """Text identified as Malay is no finding in an Indonesian file, and the other way round."""
    text = "Saya ingin belajar memasak bersama keluarga pada hari Minggu karena kami semua suka makan bersama di rumah."
    for code in ("ind_Latn", "zsm_Latn"):
        assert list(checks._language(text, checks.target(code, content))) == []
    assert [f.check for f in checks._language(text, checks.target("fin_Latn", content))] == ["language"]


def test_one_sentence_in_another_language_is_named(content: Content):
    """A single sentence of a neighbouring language is found by its place, though the text as a whole is in the right one."""
    french = "Nous pouvons aussi planter des fleurs, parce que beaucoup de gens passent devant et les aiment."
    found = check_text(changed(text_of("deu_Latn"), 2, french), source_text(content), target_of("deu_Latn", content))
    assert ("language", "scenario[3]") in [(f.check, f.field) for f in found]


def test_short_texts_are_not_identified(content: Content):
    """A text too short to tell neighbours apart gets no language finding."""
    assert list(checks._language("Ich lebe hier.", checks.target("nld_Latn", content))) == []


def test_joiners_are_spelling():
    """The joiners that Persian and Sinhala spelling needs are no control characters."""
    assert list(checks._characters("a", "می\u200cخواهم")) == []
    assert list(checks._characters("a", "ශ්\u200dරී")) == []


def test_words_keep_their_marks():
    """A word of Hindi is one word, vowel signs included; signs at its ends do not belong to it."""
    assert checks._words("«हिन्दी में» लिखना, (Straße) 12") == ["हिन्दी", "में", "लिखना", "strasse"]


def test_english_runs_of_three():
    """Runs of three or more shared words are reported whole; two are not, as cognates make them."""
    assert checks.english_runs("Der my neighbour and I sagt", SOURCE["scenario"][0]) == ["my neighbour and i"]
    assert checks.english_runs("Der my neighbour sagt", SOURCE["scenario"][0]) == []


@pytest.mark.parametrize(
    ("text", "script", "found"),
    [
        ("ja ja ja ja ja ja", "Latn", True),
        ("und so weiter und so fort", "Latn", False),
        ("një jetë të të tjerëve", "Latn", False),
        ("庭に花を植える庭に花を植える庭に花を植える", "Jpan", True),
        ("Es kostet 1000000 Kronen.", "Latn", False),
        ("wir gehen heute in den Park, wir gehen heute in das Haus, wir gehen heute in die Stadt", "Latn", True),
    ],
)
def test_loop(text: str, script: str, found: bool):
    """A run that comes three times is a loop, near or far; a long number is none."""
    assert (checks.loop(text, script) is not None) is found


def test_repetition_of_the_source_is_no_loop(content: Content):
    """What the English text repeats may be repeated."""
    source = "No, no, no, no: I will not go there."
    assert check_plain("Nein, nein, nein, nein: dorthin gehe ich nicht.", source, target_of("deu_Latn", content)) == []


def test_lengths_need_a_median(content: Content):
    """With too few lines to take a median from, lengths are not judged."""
    few = [Translation(**line) for line in lines_of("deu_Latn", content)[: checks.RATIO_LINES]]
    to = checks.target("deu_Latn", content, few)
    assert to.ratio is None
    longer = changed(
        text_of("deu_Latn"), 0, " ".join(["Ja, wir haben hinter dem Haus wirklich sehr viel schönen Platz"] * 3) + "."
    )
    assert not [f for f in check_text(longer, source_text(content), to) if f.check == "length"]
    assert [f for f in check_text(longer, source_text(content), replace(to, ratio=1.2)) if f.check == "length"]


def test_length_score_gives_short_sentences_room():
    """The same ratio weighs more in a longer sentence; nothing is lost for an empty text."""
    assert checks.length_score("ab" * 50, "a" * 50, 1.0) > checks.length_score("ab" * 5, "a" * 5, 1.0) > 0
    assert checks.length_score("a" * 30, "b" * 30, 1.0) == 0
    assert checks.length_score("", "b" * 30, 1.0) < -checks.SENTENCE_LENGTH_DENSE


# --------------------------------------------------------------------------------------------- instruction, persona


@pytest.mark.parametrize("lang", LANGUAGES)
def test_persona_lines(lang: str, content: Content):
    """A persona sentence must be in its script, name the country, and belong to a country that speaks the language."""
    to, line = target_of(lang, content), Translation(**lines_of(lang, content)[lang == "deu_Latn"])
    assert line.kind == "persona"
    assert check_line(line, to, content) == []

    def found(**fields: Any) -> set[tuple[str, str]]:
        return {(f.check, f.severity) for f in check_line(line.model_copy(update=fields), to, content)}

    other_iso3, other_text = RESIDENCE[OTHER[lang]]
    assert found(text="") == {("empty", "reject")}
    assert ("country", "reject") in found(country=other_iso3)
    assert ("country", "suspect") in found(text=other_text)
    assert ("script", "reject") in found(text=other_text)
    assert found(country="XXX") == {("source", "reject")}


def test_instruction_line(content: Content):
    """The instruction is checked for language, leftover English, cut-offs and control characters."""
    to, line = target_of("deu_Latn", content), Translation(**lines_of("deu_Latn", content)[0])

    def found(text: str) -> set[str]:
        return {f.check for f in check_line(line.model_copy(update={"text": text}), to, content)}

    assert found(INSTRUCTION_DE) == set()
    assert found(INSTRUCTION_DE.rstrip(".")) == {"ending"}
    assert found(INSTRUCTION_DE + "\x00") >= {"characters"}
    assert "language" in found(content.messages.instruction)
    assert "english" in found("Bitte: do not argue for both sides. " + INSTRUCTION_DE)


# ----------------------------------------------------------------------------------------------------------- files


def test_stale_lines(content: Content, tmp_path: Path):
    """A line made from another English text, or from one that is gone, is stale, and no fault is looked for in it."""
    lines = lines_of("deu_Latn", content)
    lines[0]["source"] = text_key("an older instruction")
    lines[2]["source"] = "s1:0"
    lines[2]["text"]["question_ab"] = "?"  # would be a fault of a fresh line
    lines[3]["id"] = "gone-01"
    folder = write(tmp_path / "t", "deu_Latn", lines)
    read = check_language("deu_Latn", replace(content, translations_dir=folder, _translations={}))
    assert [c.number for c in read if c.stale] == [1, 3, 4]
    assert not any(c.findings for c in read)
    assert checks.stale(read[3].line, content)
    assert not checks.stale(read[5].line, content)


def test_a_second_line_of_one_translator_is_found(content: Content, tmp_path: Path):
    """Two lines of the same text by one translator are reported; lines of two translators may stand together."""
    lines = lines_of("deu_Latn", content)
    lines.append({**lines[-1], "translator": "nllb:test"})
    lines.append({**lines[-2]})
    folder = write(tmp_path / "t", "deu_Latn", lines)
    read = check_language("deu_Latn", replace(content, translations_dir=folder, _translations={}))
    assert [(c.number, c.findings[0].check) for c in read if c.findings] == [(len(lines), "duplicate")]


def test_line_numbers_count_blank_lines(content: Content, tmp_path: Path):
    """The number of a line is its number in the file, blank lines included."""
    folder = write(tmp_path / "t", "deu_Latn", lines_of("deu_Latn", content))
    path = folder / "deu_Latn.jsonl"
    path.write_text("\n\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    read = check_language("deu_Latn", replace(content, translations_dir=folder, _translations={}))
    assert read[0].number == 3


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ('{"kind": "dilemma"', "not JSON"),
        ('{"kind": "dilemma", "id": "x", "source": "s", "translator": "reference", "status": "fine", "text": "?"}', "status"),
        ('{"kind": "dilemma", "id": "x", "source": "s", "translator": "reference", "status": "ok", "text": "?"}', "text must hold"),
    ],
)  # fmt: skip
def test_a_broken_line_is_refused(broken: str, reason: str, content: Content, tmp_path: Path):
    """A line that is no JSON, or lacks a field, is refused with file, line and reason."""
    folder = write(tmp_path / "t", "deu_Latn", lines_of("deu_Latn", content)[:2])
    with (folder / "deu_Latn.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(broken + "\n")
    with pytest.raises(ContentError, match=rf"deu_Latn\.jsonl:3: .*{reason}"):
        check_language("deu_Latn", replace(content, translations_dir=folder, _translations={}))


# --------------------------------------------------------------------------------------------------------- scores


def test_scores_of_back_translations(content: Content):
    """chrF++ and BLEU are 100 for the source itself and lower for other words, and the signature names the version."""
    sacrebleu = pytest.importorskip("sacrebleu")
    same, other = score.running(source_text(content)), "Fish swim in the cold sea. Nobody sees them."
    found = score.score([(same, same), (other, same)])
    assert found.lines[0].chrf == pytest.approx(100)
    assert found.lines[0].bleu == pytest.approx(100)
    assert found.lowest == found.lines[1].chrf < 20
    assert found.median == pytest.approx((100 + found.lowest) / 2)
    assert found.chrf < 100
    assert "nw:2" in found.chrf_signature
    assert sacrebleu.__version__ in found.bleu_signature
    with pytest.raises(ValueError, match="no pairs"):
        score.score([])


def test_pair_of_a_line(content: Content):
    """A line without a back-translation, or without a source, has nothing to score."""
    line = Translation(**lines_of("deu_Latn", content)[2])
    assert score.back_pair(line, content) is None
    back = line.model_copy(update={"back": source_text(content)})
    assert score.back_pair(back, content) == (score.running(source_text(content)),) * 2
    assert score.back_pair(back.model_copy(update={"id": "gone"}), content) is None


def test_without_sacrebleu(monkeypatch: pytest.MonkeyPatch):
    """Without sacrebleu the error says what to install."""
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(MissingExtra, match=r"auditkit\[translate\]"):
        score.score([("a", "a")])


# ---------------------------------------------------------------------------------------------------- the command


def invoke(prompts: Path, translations: Path, *arguments: str) -> Result:
    """The command's result; `return_value` is its exit code."""
    folders = ["--prompts", str(prompts), "--translations", str(translations)]
    return CliRunner().invoke(command, ["check", *folders, *arguments], standalone_mode=False)


def figures(result: Result) -> dict[str, dict[str, str]]:
    return {row["code"]: row for row in csv.DictReader(io.StringIO(result.stdout))}


def test_clean_files_exit_0(prompts: Path, content: Content, tmp_path: Path):
    """Sound files exit with 0, and the table counts what can be sent."""
    write(tmp_path / "t", "deu_Latn", lines_of("deu_Latn", content))
    result = invoke(prompts, tmp_path / "t", "--format", "csv")
    assert result.return_value == 0
    assert len(figures(result)) == 35
    row = figures(result)["deu_Latn"]
    counted = (
        "core_dilemmas",
        "dilemmas",
        "persona_sentences",
        "instruction",
        "suspect",
        "findings",
        "back_chrf_median",
    )
    assert [row[name] for name in counted] == ["5", str(NUMBER_OF_LINES), "1", "yes", "0", "0", ""]
    levels = [row["resource_level"] for row in figures(result).values()]
    assert levels == sorted(levels, key=("high", "mid", "low").index)
    text = invoke(prompts, tmp_path / "t")
    assert "Deutsch" in text.output
    assert "1 language of 35: clean" in text.output


def test_findings_exit_1(prompts: Path, content: Content, tmp_path: Path):
    """An unmarked fault exits with 1, and --lines names file, line, id and reason."""
    lines = lines_of("deu_Latn", content)
    lines[4]["text"]["question_ab"] = lines[4]["text"]["question_ba"]
    folder = write(tmp_path / "t", "deu_Latn", lines)
    assert invoke(prompts, folder).return_value == 1
    result = invoke(prompts, folder, "--lines")
    assert result.return_value == 1
    assert "deu_Latn.jsonl:5: own-03: order: question_ab: a does not stand before b" in result.output
    rows = list(csv.DictReader(io.StringIO(invoke(prompts, folder, "--lines", "--format", "csv").stdout)))
    assert [(row["line"], row["id"], row["severity"]) for row in rows] == [("5", "own-03", "reject")]


def test_a_known_finding_is_not_open(prompts: Path, content: Content, tmp_path: Path):
    """What the status tells already is shown as known and exits with 0; a person cannot accept a wrong order of options."""
    lines = lines_of("deu_Latn", content)
    lines[4]["text"]["scenario"][3] = "Wir haben Platz für 4 Beete."
    for status, code in (("ok", 1), ("suspect", 0), ("accepted", 0), ("edited", 0), ("rejected", 0)):
        lines[4]["status"] = status
        folder = write(tmp_path / "t", "deu_Latn", lines)
        assert invoke(prompts, folder, "--language", "German").return_value == code, status
    lines[4]["status"] = "accepted"
    lines[4]["text"]["question_ab"] = lines[4]["text"]["question_ba"]
    assert invoke(prompts, write(tmp_path / "t", "deu_Latn", lines)).return_value == 1
    assert "(known: status accepted)" in invoke(prompts, tmp_path / "t", "--lines").output


def test_stale_lines_exit_1(prompts: Path, content: Content, tmp_path: Path):
    """A stale line is counted, listed, taken out of what can be sent, and exits with 1."""
    lines = lines_of("deu_Latn", content)
    lines[2]["source"] = "s1:0"
    folder = write(tmp_path / "t", "deu_Latn", lines)
    result = invoke(prompts, folder, "--format", "csv")
    assert result.return_value == 1
    row = figures(result)["deu_Latn"]
    assert (row["stale"], row["findings"], row["dilemmas"]) == ("1", "0", str(NUMBER_OF_LINES - 1))
    assert "deu_Latn.jsonl:3: own-01: stale" in invoke(prompts, folder, "--lines").output


def test_broken_files_exit_2(prompts: Path, content: Content, tmp_path: Path):
    """A file that cannot be read exits with 2 and is named with its line; the other languages are checked all the same."""
    folder = write(tmp_path / "t", "deu_Latn", lines_of("deu_Latn", content))
    (folder / "jpn_Jpan.jsonl").write_text('{"kind": \n', encoding="utf-8")
    result = invoke(prompts, folder, "--format", "csv")
    assert result.return_value == 2
    assert "jpn_Jpan.jsonl:1: not JSON" in result.stderr
    assert figures(result)["deu_Latn"]["dilemmas"] == str(NUMBER_OF_LINES)


def test_a_file_without_instruction_cannot_be_sent(prompts: Path, content: Content, tmp_path: Path):
    """Dilemmas without the instruction in their language are reported: the run would set them aside."""
    folder = write(tmp_path / "t", "kat_Geor", lines_of("kat_Geor", content))
    result = invoke(prompts, folder)
    assert result.return_value == 1
    assert "no usable line of the instruction" in result.stderr


def test_a_misnamed_file_is_reported(prompts: Path, content: Content, tmp_path: Path):
    """A file whose name is no language would be ignored by every run, so the check names it."""
    folder = write(tmp_path / "t", "deu_Latn", lines_of("deu_Latn", content))
    (folder / "german.jsonl").write_text("", encoding="utf-8")
    result = invoke(prompts, folder)
    assert result.return_value == 1
    assert "'german' is no language" in result.stderr


def test_wrong_wishes(prompts: Path, content: Content, tmp_path: Path):
    """An empty folder, a language without a file, an unknown one and English are refused in a line."""
    empty = tmp_path / "empty"
    empty.mkdir()
    folder = write(tmp_path / "t", "deu_Latn", lines_of("deu_Latn", content))
    for where, arguments, message in (
        (empty, (), "no translations"),
        (folder, ("--language", "jpn_Jpan"), r"no jpn_Jpan\.jsonl"),
        (folder, ("--language", "Germann"), "did you mean 'German'"),
        (folder, ("--language", "English"), "written in English"),
        (folder, ("--lines", "--weakest", "3"), "not both"),
    ):
        result = invoke(prompts, where, *arguments)
        assert isinstance(result.exception, AuditError)
        with pytest.raises(AuditError, match=message):
            raise result.exception


def _with_backs(content: Content) -> list[dict[str, Any]]:
    """Lines whose back-translations are the source itself, but for one."""
    lines = lines_of("deu_Latn", content)
    source = source_text(content).model_dump()
    for line in lines[2:]:
        line["back"] = source
    lines[5]["back"] = {**source, "scenario": ["Fish swim.", "The sea is cold.", "Nobody sees it.", "Pipes | drip."]}
    return lines


def test_weakest_lines(prompts: Path, content: Content, tmp_path: Path):
    """--weakest shows source and back-translation of the lowest scores, weakest first, in every format."""
    pytest.importorskip("sacrebleu")
    folder = write(tmp_path / "t", "deu_Latn", _with_backs(content))
    rows = list(csv.DictReader(io.StringIO(invoke(prompts, folder, "--weakest", "2", "--format", "csv").stdout)))
    assert [(row["code"], row["line"], row["id"]) for row in rows] == [
        ("deu_Latn", "6", "own-04"),
        ("deu_Latn", "3", "own-01"),
    ]
    assert float(rows[0]["chrF++"]) < float(rows[1]["chrF++"]) == 100.0
    assert rows[0]["back-translation"].startswith("Fish swim.")
    assert rows[0]["source"].startswith(SOURCE["scenario"][0])
    assert "Pipes \\| drip." in invoke(prompts, folder, "--weakest", "1", "--format", "markdown").stdout
    assert "own-04" in invoke(prompts, folder, "--weakest", "1").output
    row = figures(invoke(prompts, folder, "--format", "csv"))["deu_Latn"]
    assert (row["back_lines"], row["back_chrf_median"]) == (str(NUMBER_OF_LINES), "100.0")
    assert float(row["back_chrf_lowest"]) == float(rows[0]["chrF++"])
    assert "nw:2" in row["chrf_signature"]
    assert row["chrf_signature"] in invoke(prompts, folder, "--format", "markdown").stdout


def test_the_table_does_without_sacrebleu(
    prompts: Path, content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Without sacrebleu the table shows a dash and says what to install; --weakest cannot do without and says so."""
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    folder = write(tmp_path / "t", "deu_Latn", _with_backs(content))
    result = invoke(prompts, folder, "--language", "deu_Latn", "--format", "markdown")
    assert result.return_value == 0
    assert "| - | - |" in result.stdout
    assert "auditkit[translate]" in result.stderr
    assert isinstance(invoke(prompts, folder, "--weakest", "1").exception, MissingExtra)
