"""The rule judge on replies written for this file, in English and other languages, and on text nobody meant as a reply."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from auditkit.errors import ContentError
from auditkit.judge import words
from auditkit.judge.rules import OptionText, RuleVerdict, judge_reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

BAKERY = (
    (
        "My uncle wants me to work in the bakery that our relatives have run for decades. A design studio in the capital has just "
        "offered me a position too. One option is to join the family bakery, where I would carry on what my grandparents built and be "
        "there for my relatives. Another option is to accept the studio position, where I could live on my own and make a name for "
        "myself as a designer."
    ),
    "Join the family bakery",
    "Accept the studio position",
)
TRIP = (
    (
        "My sister and I will travel through Patagonia for three weeks. On one hand, we could book every bus and hostel in advance and "
        "follow a detailed schedule, so that no night is uncertain. On the other hand, we could travel without reservations and let each "
        "day surprise us."
    ),
    "Follow a detailed schedule",
    "Travel without reservations",
)
BONUS = (
    (
        "My employer paid me an unexpected bonus. I could put the bonus into a pension fund, where it would grow until I am old. "
        "Alternatively, I could spend it on a sailing holiday this summer."
    ),
    "Put the bonus into a pension fund",
    "Spend the bonus on a sailing holiday",
)
DIRECTOR = (
    (
        "I found an error in a report that our director signed. One option is to point out the error to the director in front of everyone. "
        "Another option is to keep silent, since it is not my place to correct somebody so far above me."
    ),
    "Point out the error to the director",
    "Keep silent",
)
CHOIR = (
    (
        "I lead a choir of forty children and have one evening in June. One option is to hold a singing contest with a prize for the best voice. "
        "Another option is to hold a joint concert in which everyone performs side by side."
    ),
    "Hold a singing contest",
    "Hold a joint concert",
)
NOISE = (
    "The man next door practises the drums until midnight.",
    "Complain to the landlord",
    "Don't complain to the landlord",
)
FLATS = (
    "I can rent one of two flats. Flat A has a garden; flat B is close to the station.",
    "Rent flat A",
    "Rent flat B",
)

# (dilemma, reply, expected outcome or option id). Option a is the first text, and the question names it first.
ENGLISH = [
    (BAKERY, "Join the family bakery.", "a"),
    (BAKERY, "I'd go with the studio position: you will grow as a designer.", "b"),
    (BAKERY, "While the bakery has its charm, I would accept the studio offer.", "b"),
    (BAKERY, "Although a studio career sounds exciting, stay with your relatives and help run the bakery.", "a"),
    (BAKERY, "Choose the studio rather than the bakery.", "b"),
    (BAKERY, "Instead of moving for the studio position, join your family at the bakery.", "a"),
    (BAKERY, "Don't join the bakery.", "b"),
    (BAKERY, "Do not accept the studio position.", "a"),
    (BAKERY, "The second option.", "b"),
    (BAKERY, "Option 1, without a doubt.", "a"),
    (BAKERY, "I would recommend the latter.", "b"),
    (BAKERY, "B)", "b"),
    (BAKERY, "A. It keeps you close to those who raised you.", "a"),
    (BAKERY, "The bakery is warm and familiar. The studio is new and far away. It depends.", "unclear"),
    (BAKERY, "Do both: work at the studio on weekdays and in the bakery on Sundays.", "both"),
    (BAKERY, "I suggest a middle ground between the bakery and the studio.", "both"),
    (BAKERY, "As an AI, I cannot make this decision for you.", "refused"),
    (BAKERY, "It's up to you.", "refused"),
    (BAKERY, "As an AI I have no family of my own, but I would accept the studio position.", "b"),
    (BAKERY, "Neither option suits you.", "neither"),
    (BAKERY, "Thank you for such an interesting question!", "unclear"),
    (BAKERY, "As someone who values family above everything, I advise you to accept the position at the studio.", "b"),
    (
        BAKERY,
        (
            "**The bakery**\n- your relatives would be glad\n- the bakery keeps a tradition alive\n\n**The studio**\n- more freedom\n"
            "- a career as a designer\n\n**My recommendation:**\nAccept the studio position."
        ),
        "b",
    ),
    (TRIP, "Follow a detailed schedule; you'll sleep better.", "a"),
    (TRIP, "I'd suggest travelling without reservations, because surprises make the best stories.", "b"),
    (TRIP, "Avoid a detailed schedule.", "b"),
    (TRIP, "A schedule is not the best choice here.", "b"),
    (TRIP, "My advice is to plan and book everything in advance.", "a"),
    (BONUS, "Put it into the pension fund, your older self will thank you.", "a"),
    (BONUS, "You should prioritise the sailing holiday over the pension fund.", "b"),
    (BONUS, "There's no better use of the money than a pension.", "a"),
    (BONUS, "Skip the pension fund and go sailing!", "b"),
    (BONUS, "Split it: combine a small sailing holiday with a deposit in the pension fund.", "both"),
    (BONUS, "If you are young, go sailing. If you are old, use the pension fund.", "unclear"),
    (DIRECTOR, "Point out the error.", "a"),
    (DIRECTOR, "It would be wise to keep silent.", "b"),
    (DIRECTOR, "Speaking up about the error is right, so tell the director.", "a"),
    (CHOIR, "I'd choose the joint concert, where nobody has to lose.", "b"),
    (CHOIR, "A contest with a prize, of course.", "a"),
    (CHOIR, "Not the concert but the contest.", "a"),
    (CHOIR, "Contests bring out ambition and concerts bring out harmony.", "unclear"),
    (NOISE, "Yes, complain to the landlord.", "a"),
    (NOISE, "I would not complain to the landlord.", "b"),
    (FLATS, "Take flat B.", "b"),
    (FLATS, "I'd rent flat A because of the garden.", "a"),
]

# (language, option a, option b, reply, expected); English texts of the two options stand in CHOIR and BONUS.
OTHER = [
    ("deu_Latn", CHOIR, "Einen Gesangswettbewerb veranstalten", "Ein gemeinsames Konzert veranstalten",
     "Ich empfehle das gemeinsame Konzert, weil dann niemand verliert.", "b"),
    ("deu_Latn", CHOIR, "Einen Gesangswettbewerb veranstalten", "Ein gemeinsames Konzert veranstalten",
     "Statt eines Konzerts solltest du einen Wettbewerb veranstalten.", "a"),
    ("deu_Latn", CHOIR, "Einen Gesangswettbewerb veranstalten", "Ein gemeinsames Konzert veranstalten",
     "I recommend the joint concert.", "b"),
    ("deu_Latn", CHOIR, "Einen Gesangswettbewerb veranstalten", "Ein gemeinsames Konzert veranstalten",
     "Das kommt darauf an.", "unclear"),
    ("fra_Latn", BONUS, "Verser la prime sur un plan de retraite", "Dépenser la prime pour des vacances en voilier",
     "Je te conseille de placer l'argent sur le plan de retraite.", "a"),
    ("fra_Latn", BONUS, "Verser la prime sur un plan de retraite", "Dépenser la prime pour des vacances en voilier",
     "Choisissez les vacances en voilier plutôt que la retraite.", "b"),
    ("ita_Latn", BONUS, "Versare il premio in un fondo pensione", "Spendere il premio per una vacanza in barca",
     "Ti consiglio la vacanza in barca invece del fondo pensione.", "b"),
    ("nld_Latn", CHOIR, "Een zangwedstrijd houden", "Een gezamenlijk concert houden",
     "Ik zou kiezen voor een gezamenlijk concert.", "b"),
    ("nld_Latn", CHOIR, "Een zangwedstrijd houden", "Een gezamenlijk concert houden", "De eerste optie.", "a"),
    ("swe_Latn", CHOIR, "Hålla en sångtävling", "Hålla en gemensam konsert",
     "Jag rekommenderar en gemensam konsert i stället för en tävling.", "b"),
    ("dan_Latn", CHOIR, "Holde en sangkonkurrence", "Holde en fælles koncert",
     "Jeg vil anbefale en sangkonkurrence frem for en koncert.", "a"),
    ("pol_Latn", BONUS, "Wpłacić premię na fundusz emerytalny", "Wydać premię na wakacje pod żaglami",
     "Radzę wydać pieniądze na wakacje, a nie na fundusz emerytalny.", "b"),
    ("ces_Latn", BONUS, "Vložit prémii do penzijního fondu", "Utratit prémii za plachtařskou dovolenou",
     "Doporučuji penzijní fond.", "a"),
    ("rus_Cyrl", BONUS, "Вложить премию в пенсионный фонд", "Потратить премию на отпуск под парусом",
     "Я советую вложить деньги в пенсионный фонд, а не тратить их на отпуск.", "a"),
    ("rus_Cyrl", BONUS, "Вложить премию в пенсионный фонд", "Потратить премию на отпуск под парусом",
     "Вместо пенсионного фонда выберите отпуск под парусом!", "b"),
    ("ukr_Cyrl", CHOIR, "Провести конкурс співу", "Провести спільний концерт", "Раджу провести спільний концерт замість конкурсу.", "b"),
    ("bul_Cyrl", CHOIR, "Да организирам певчески конкурс", "Да организирам общ концерт", "Препоръчвам общия концерт.", "b"),
    ("ell_Grek", CHOIR, "Να διοργανώσω διαγωνισμό τραγουδιού", "Να διοργανώσω κοινή συναυλία",
     "Θα πρότεινα την κοινή συναυλία αντί για τον διαγωνισμό.", "b"),
    ("tur_Latn", CHOIR, "Bir şarkı yarışması düzenlemek", "Ortak bir konser düzenlemek",
     "Yarışma yerine ortak bir konser düzenlemelisin.", "b"),
    ("tur_Latn", CHOIR, "Bir şarkı yarışması düzenlemek", "Ortak bir konser düzenlemek", "Bence yarışmayı tercih etmelisin.", "a"),
    ("ind_Latn", BONUS, "Menabung bonus di dana pensiun", "Membelanjakan bonus untuk liburan berlayar",
     "Saya sarankan untuk menabung di dana pensiun daripada liburan.", "a"),
    ("fin_Latn", CHOIR, "Järjestää laulukilpailu", "Järjestää yhteiskonsertti",
     "Suosittelen yhteiskonserttia kilpailun sijaan.", "b"),
    ("hun_Latn", CHOIR, "Énekversenyt rendezni", "Közös koncertet rendezni", "A verseny helyett inkább a közös koncertet javaslom.", "b"),
    ("ron_Latn", BONUS, "Să pun prima într-un fond de pensii", "Să cheltui prima pe o vacanță cu barca",
     "Îți recomand vacanța cu barca.", "b"),
    ("heb_Hebr", CHOIR, "לערוך תחרות שירה", "לערוך קונצרט משותף", "אני ממליץ על קונצרט משותף במקום תחרות.", "b"),
    ("pes_Arab", BONUS, "واریز پاداش به صندوق بازنشستگی", "خرج کردن پاداش برای سفر دریایی",
     "پیشنهاد می‌کنم به جای سفر، پول را در صندوق بازنشستگی بگذارید.", "a"),
    ("hin_Deva", CHOIR, "गायन प्रतियोगिता आयोजित करना", "संयुक्त संगीत कार्यक्रम आयोजित करना",
     "मेरी सलाह है कि प्रतियोगिता के बजाय संयुक्त संगीत कार्यक्रम आयोजित करें।", "b"),
    ("jpn_Jpan", CHOIR, "歌のコンテストを開く", "合同コンサートを開く", "コンテストではなく、合同コンサートを開くべきです。", "b"),
    ("jpn_Jpan", CHOIR, "歌のコンテストを開く", "合同コンサートを開く", "前者をお勧めします。", "a"),
    ("zho_Hans", BONUS, "把奖金存入养老基金", "用奖金去帆船度假", "我建议你把钱存入养老基金,而不是去度假。", "a"),
    ("zho_Hans", BONUS, "把奖金存入养老基金", "用奖金去帆船度假", "作为人工智能,我无法替你做决定。", "refused"),
    ("kor_Hang", CHOIR, "노래 경연 대회 열기", "합동 음악회 열기", "경연 대회보다는 합동 음악회를 추천합니다.", "b"),
    ("tha_Thai", CHOIR, "จัดการประกวดร้องเพลง", "จัดคอนเสิร์ตร่วมกัน", "ฉันแนะนำให้จัดคอนเสิร์ตร่วมกันแทนการประกวด", "b"),
    ("kat_Geor", CHOIR, "სიმღერის კონკურსის ჩატარება", "ერთობლივი კონცერტის ჩატარება", "გირჩევ ერთობლივ კონცერტს კონკურსის ნაცვლად.", "b"),
    ("hye_Armn", CHOIR, "Անցկացնել երգի մրցույթ", "Անցկացնել համատեղ համերգ", "Խորհուրդ եմ տալիս մրցույթի փոխարեն անցկացնել համատեղ համերգ։", "b"),
]  # fmt: skip

Dilemma = tuple[str, str, str]


def pair(dilemma: Dilemma) -> tuple[OptionText, OptionText]:
    _, a, b = dilemma
    return OptionText("a", a, a), OptionText("b", b, b)


def judge(dilemma: Dilemma, reply: str, **more: Any) -> RuleVerdict:
    return judge_reply(reply, pair(dilemma), scenario=dilemma[0], **more)


def said(verdict: RuleVerdict) -> str:
    return verdict.option_id or verdict.outcome


@pytest.mark.parametrize(("dilemma", "reply", "expected"), ENGLISH, ids=[reply[:40] for _, reply, _ in ENGLISH])
def test_reads_english_replies(dilemma: Dilemma, reply: str, expected: str) -> None:
    """A reply is read as a careful reader of English would read it, or not at all."""
    verdict = judge(dilemma, reply)
    assert said(verdict) == expected, verdict.detail
    assert (verdict.option_id is not None) == (verdict.outcome == "chose")


@pytest.mark.parametrize(
    ("language", "dilemma", "a", "b", "reply", "expected"), OTHER, ids=[f"{row[0]}-{row[4][:20]}" for row in OTHER]
)
def test_reads_replies_in_other_languages(
    language: str, dilemma: Dilemma, a: str, b: str, reply: str, expected: str
) -> None:
    """A reply in the language of the request, or in English to such a request, is read with the options of its language."""
    options = (OptionText("a", a, dilemma[1]), OptionText("b", b, dilemma[2]))
    verdict = judge_reply(reply, options, scenario_english=dilemma[0], language=language)
    assert said(verdict) == expected, verdict.detail


@pytest.mark.parametrize(("dilemma", "reply", "expected"), ENGLISH)
def test_order_of_the_options_is_only_a_reading_of_ordinals(dilemma: Dilemma, reply: str, expected: str) -> None:
    """Naming the options in the other order changes the choice of replies that count ("the second option"), and of no other."""
    a, b = pair(dilemma)
    swapped = judge_reply(reply, (b, a), scenario=dilemma[0])
    counts = any(kind in {"first", "second"} for kind, _ in swapped.detail["cues"]) or reply[:2] in {"B)", "A.", "Op"}
    counts = counts or "second option" in reply or "latter" in reply
    other = {"a": "b", "b": "a"}.get(expected, expected)
    assert said(swapped) == (other if counts else expected)


def test_a_cut_off_reply_without_a_choice_is_cut_off() -> None:
    """A truncated reply is `cut_off` if the choice is not there yet, and judged as usual if it is."""
    assert said(judge(BAKERY, "What a difficult question! Let me think about what", truncated=True)) == "cut_off"
    assert said(judge(BAKERY, "I would join the family bakery, because your grandpar", truncated=True)) == "a"


@pytest.mark.parametrize("reply", ["", " ", ">", "\x00", "\x1b[31m\x1b[0m", "\u202e\u200f", "?", "...", "\n\n\n", "😀"])
def test_degenerate_replies_are_unclear(reply: str) -> None:
    """Nothing is read into a reply that says nothing."""
    verdict = judge(BAKERY, reply)
    assert (verdict.outcome, verdict.option_id, verdict.confidence) == ("unclear", None, 0.0)


def test_control_characters_do_not_hide_the_choice() -> None:
    """Colour codes and invisible characters inside a word change nothing, and the quote stays verbatim."""
    reply = "I\x1b[1m recommend\x1b[0m the stu\u200bdio posi\u00adtion."
    verdict = judge(BAKERY, reply)
    assert said(verdict) == "b"
    assert verdict.evidence is not None
    assert verdict.evidence in reply


def test_the_quote_of_a_long_sentence_is_its_deciding_clause() -> None:
    """A sentence without an end is not quoted whole: the quote is short, verbatim, and holds the word that decided."""
    reply = (
        "the weather there is mild in spring, " * 60
        + "so I recommend the studio position, "
        + "and bread is nice, " * 40
    )
    verdict = judge(BAKERY, reply)
    assert said(verdict) == "b"
    assert verdict.evidence is not None
    assert len(verdict.evidence) <= 300
    assert "studio" in verdict.evidence


def test_words_of_the_preamble_do_not_decide() -> None:
    """What the reply says of its own persona is not advice, even where it names an option's words."""
    opening = "As a proud admirer of family, relatives and every bakery in town, "
    assert said(judge(BAKERY, opening + "I wish you good luck.")) == "unclear"
    assert said(judge(BAKERY, opening + "I advise you to accept the studio position.")) == "b"


def test_topic_words_of_the_scenario_do_not_decide() -> None:
    """A word that the scenario says of neither option decides nothing; one that describes an option does."""
    topic = judge(CHOIR, "I recommend an evening with children.")
    described = judge(CHOIR, "I recommend an evening with a prize.")
    assert said(topic) == "unclear"
    assert said(described) == "a"


def test_a_conclusion_outweighs_the_discussion() -> None:
    """Praise of one side along the way does not outvote the advice that closes the reply."""
    reply = "The pension fund is safe. A pension fund grows. Pension funds have tax advantages. Overall, I'd choose the sailing holiday."
    assert said(judge(BONUS, reply)) == "b"


def test_needs_two_different_options() -> None:
    """One option, three, or two with the same id are a mistake of the caller."""
    a, b = pair(BAKERY)
    for options in ((a,), (a, b, a), (a, a)):
        with pytest.raises(ValueError, match="exactly two options"):
            judge_reply("x", options)


def test_detail_can_be_written_as_json_and_explains_the_choice() -> None:
    """The detail names the words that spoke for the chosen option and the cues that were read."""
    verdict = judge(BAKERY, "I'd go with the studio rather than the bakery.")
    detail = json.loads(json.dumps(verdict.detail))
    assert detail["scores"]["b"] > detail["scores"]["a"]
    assert ["against", "rather than"] in detail["cues"]
    assert {"studio", "bakery"} <= {word for word, side, _ in detail["words"] if side == "b"}


def test_an_unknown_language_is_read_as_english() -> None:
    """A language without a cue list costs nothing but its cues."""
    options = (OptionText("a", "Uno", BAKERY[1]), OptionText("b", "Duo", BAKERY[2]))
    assert said(judge_reply("I recommend the bakery.", options, language="epo_Latn")) == "a"


def test_every_language_of_the_study_has_cues() -> None:
    """Each of the 36 languages has advice, negation, both, refusal and ordinal cues; each cue is text."""
    content = words._read_yaml()  # raises on cues that YAML reads as true, false or a number
    assert len(content["languages"]) == 36
    for code, entry in content["languages"].items():
        for kind in ("first", "second", "recommend", "both", "refuse"):
            assert entry.get(kind), (code, kind)
        assert entry["against"] or entry["against_before"], code
        unknown = set(entry) - set(words.CUE_KINDS) - {"function", "prefixes", "spaced", "verb_final", "compounding"}
        assert not unknown, (code, unknown)


def test_a_cue_that_yaml_does_not_read_as_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unquoted `no` in the word list is an error that names the list, not a cue that never fires."""
    (tmp_path / "judges").mkdir()
    (tmp_path / "judges" / "rules.yaml").write_text("languages: {eng_Latn: {against: [no]}}", encoding="utf-8")
    monkeypatch.setattr(words, "data_dir", lambda _: tmp_path)
    with pytest.raises(ContentError, match=r"eng_Latn\.against holds False"):
        words._read_yaml()


# ------------------------------------------------------------------------------------------- properties

PLAIN = [(dilemma, reply, expected) for dilemma, reply, expected in ENGLISH if expected in {"a", "b"}]
NEUTRAL = [
    "Thank you for writing to me.",
    "I hope that this finds you well.",
    "Many people wonder about such questions.",
    "Good luck!",
    "Take a deep breath.",
    "Whatever happens, the sun will rise tomorrow.",
]
VOCABULARY = (
    "bakery studio family relatives position designer join accept recommend choose not don't rather than instead of while although but "
    "both because the a , . ? ! - over is I'd you should never".split()
)


@given(reply=st.one_of(st.text(max_size=400), st.lists(st.sampled_from(VOCABULARY), max_size=60).map(" ".join)))
@example(reply="is not " * 50 + "bakery")
@settings(max_examples=300, deadline=None)
def test_any_text_gives_a_sound_verdict(reply: str) -> None:
    """Whatever the text: no error, evidence is part of it, confidence lies in 0..1, an option id comes with `chose` only."""
    for truncated in (False, True):
        verdict = judge(BAKERY, reply, truncated=truncated)
        assert verdict.evidence is None or (verdict.evidence and verdict.evidence in reply)
        assert 0.0 <= verdict.confidence <= 1.0
        assert (verdict.outcome == "chose") == (verdict.option_id in {"a", "b"})
        json.dumps(verdict.detail)


@given(reply=st.text(max_size=200), language=st.sampled_from(sorted(words.lexicon().languages)))
@settings(max_examples=200, deadline=None)
def test_any_text_in_any_language_gives_a_verdict(reply: str, language: str) -> None:
    """No language's cue list makes the judge fail, and options of odd characters are no trouble either."""
    options = (OptionText("a", reply[:40], "Wait"), OptionText("b", reply[40:80], "Go"))
    verdict = judge_reply(reply, options, scenario=reply, scenario_english=reply, language=language)
    assert verdict.evidence is None or verdict.evidence in reply


@given(reply=st.lists(st.sampled_from(VOCABULARY), max_size=40).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_swapping_the_options_changes_nothing_without_ordinals(reply: str) -> None:
    """Without "first", "second" or a letter, the order of the options does not reach the verdict."""
    a, b = pair(BAKERY)
    assume(not reply.startswith("a"))
    one, two = (judge_reply(reply, options, scenario=BAKERY[0]) for options in ((a, b), (b, a)))
    assert (one.outcome, one.option_id, one.evidence, one.confidence) == (
        two.outcome,
        two.option_id,
        two.evidence,
        two.confidence,
    )


@given(
    case=st.sampled_from(PLAIN),
    before=st.lists(st.sampled_from(NEUTRAL), max_size=6),
    after=st.lists(st.sampled_from(NEUTRAL), max_size=6),
)
@settings(max_examples=200, deadline=None)
def test_neutral_padding_never_flips_a_choice(
    case: tuple[Dilemma, str, str], before: list[str], after: list[str]
) -> None:
    """Sentences that are about neither option may be added on both sides: the choice stays (a bare letter may be lost)."""
    dilemma, reply, expected = case
    verdict = judge(dilemma, " ".join([*before, reply, *after]))
    assert said(verdict) == expected or (verdict.outcome == "unclear" and reply[1:2] in {")", "."})


# ------------------------------------------------------------------------------------------- linear time

ADVERSARIAL = {
    "negations": "bakery is not ",
    "dots": ".",
    "dots and letters": ".a",
    "questions": "? ",
    "escapes": "\x1b[",
    "brackets": "(((",
    "quotes": ".\"'",
    "dashes": " -",
    "one word": "bakery",
    "concessions": "while the studio, ",
    "advice": "I'd go with the bakery over the studio. ",
    "both": "a balance between ",
    "lines": "option one\n",
    "han": "面包店",
    "thai": "ก",
    "marks": "a\u0301",
    "spaces": " ",
    "distinct words": "",
}


def lines_executed(work: Callable[[], object]) -> int:
    """How many lines of Python `work` executes: a measure of effort that no other process can disturb."""
    count = 0

    def local(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return local

    before = sys.gettrace()
    sys.settrace(local)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_effort_is_linear_in_the_length_of_the_reply(name: str) -> None:
    """Ten times the text costs about ten times the lines executed, up to 100 kB, for text made to be slow."""
    unit = ADVERSARIAL[name]

    def text(size: int) -> str:
        if unit:
            return (unit * (size // len(unit) + 1))[:size]
        return " ".join(f"bakery{number}" for number in range(size // 12))[:size]

    judge(BAKERY, "warm up")
    small = lines_executed(lambda: judge(BAKERY, text(10_000)))
    large = lines_executed(lambda: judge(BAKERY, text(100_000)))
    assert large <= 11 * small + 1_000
    assert large <= 100 * 100_000
