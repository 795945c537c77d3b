"""Automatic checks of a translated line against its English source.

`check_language` reads a file of translations and checks every line; `check_text` and `check_plain` check one text and can be
called before a line is written, whoever made it. No check reads meaning: what each one can see stands in
docs/translations.md. Lengths are counted in letters, which here means letters, digits and combining marks.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Literal

from auditkit.data import ENGLISH, Content, Country, DilemmaText, Translation, load_translations, text_key
from auditkit.errors import AuditError
from auditkit.language import identify, known_languages, same_language, script_share

if TYPE_CHECKING:
    from pathlib import Path

Severity = Literal["suspect", "reject"]

# ----------------------------------------------------------------------------------------------------- thresholds

SCRIPT_SHARE = 0.98  # of a text's letters in the language's script; a borrowed abbreviation such as CV passes
SCRIPT_REJECT = 0.80  # below, a fifth or more is in another script: a sentence was not translated
IDENTIFY_LETTERS = 60  # shorter texts are not identified: neighbours (Belarusian, Ukrainian) share short sentences
IDENTIFY_LETTERS_DENSE = 20  # the same for Han, kana and Hangul, which say as much in a third to a half of the letters
LANGUAGE_SURE = 0.90  # probability above which a wrong language is rejected; below, it is a near neighbour: suspect
ENGLISH_SURE = 0.90  # probability above which a single sentence is called English
ENGLISH_LETTERS = 20  # of the shortest sentence that is asked about
SENTENCE_SURE = 0.95  # probability above which a single sentence is called another language; no reference reaches .90
ENGLISH_RUN = 3  # consecutive words that the English source has too; two can be names, or cognates ("is in")
SENTENCE_LENGTH = 4.5  # limit of |length_score|, under which shorter sentences get more room; the references reach 4.4
SENTENCE_LENGTH_DENSE = 5.5  # for Han, kana, Hangul, where each letter weighs more; the references reach 5.0
WHOLE_LENGTH = (0.70, 1.40)  # ratio of the scenario over the median ratio; the references keep to 0.79-1.28
RATIO_LINES = 10  # lines from which a language's median ratio is taken; with fewer, lengths are not checked
LOOP_TIMES = 3  # a run that comes this often in one sentence is a loop, unless the source repeats itself too
LOOP_WORDS = 4  # length of such a run in words
LOOP_LETTERS = 8  # and in letters, for scripts that write no spaces
LOOP_ADJACENT = (4, 80)  # signs of a run that follows itself directly, from anywhere in a word
LOOP_SHORT = 5  # times that a run of fewer signs, or one sign, must follow itself: Albanian has "jetë të të" in earnest
WORDING_SIGNS = (4, 2)  # length of the runs that an option is compared by; the second for Han, kana and Hangul
WORDING = (0.28, 0.40)  # share of them that the scenario holds too; the references reach down to 0.30 and 0.43
BACK_CHRF = 35.0  # chrF++ of the stored back-translation; the references reach down to 41
STEM_SHARE = 0.6  # of a country name's letters that its cases share ("Suomi", "Suomessa")

# Statuses of a line that a finding of this severity tells nothing new about: it is marked already, or a person has
# looked at it since. Nobody can accept what is rejected by its form (an empty field, options in the wrong order).
SETTLED: dict[Severity, tuple[str, ...]] = {
    "suspect": ("suspect", "rejected", "accepted", "edited"),
    "reject": ("rejected",),
}

UNSPACED = ("Jpan", "Hans", "Hant", "Thai", "Khmr", "Laoo", "Mymr")  # no spaces between words
_DENSE = ("Jpan", "Hans", "Hant", "Hang")
_NO_STOP = ("Thai", "Laoo")  # sentences end without a sign
_STOPS = ".!?…。！？։;\u037e؟।෴။។"  # ";" (and U+037E) asks in Greek
_INNER_STOP = re.compile(r"(?<=\S[^\s\d])[.!?؟।։]+\s+(?=\w)|[。！？]+\s*(?=\w)")  # but not "z. B." nor "12. Mai"
_CLOSING = "\"'”’»）)」』]"
_JOINERS = "\u200c\u200d"  # spelling in Persian, Sinhala and Devanagari
_RESIDUE = re.compile(r"<unk>|</?s>|⁇|▁|\ufffd|&(?:amp|quot|lt|gt|#\d+);")

FIELDS = ("a", "b", "question_ab", "question_ba")


@dataclass(frozen=True)
class Finding:
    """A fault of one line. `field` is empty for the whole line, else such as `a`, `question_ba` or `scenario[2]` (from 1)."""

    check: str
    field: str
    detail: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.check}: {self.field + ': ' if self.field else ''}{self.detail}"


@dataclass(frozen=True)
class Target:
    """A language as the checks need it. `ratio` is the median of `length_ratio` over its lines, None if there are few."""

    code: str  # FLORES-200
    script: str  # ISO 15924
    iso: str  # primary subtag of BCP 47, as language identifiers name it
    candidates: tuple[str, ...]  # the languages that a text may be identified as
    ratio: float | None = None


@dataclass(frozen=True)
class CheckedLine:
    """A line of a file with what was found. A stale line is not compared with a source it was not made from."""

    number: int  # in the file, from 1
    line: Translation
    stale: bool
    findings: tuple[Finding, ...]

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings that the line's status does not tell already."""
        return tuple(f for f in self.findings if self.line.status not in SETTLED[f.severity])


# --------------------------------------------------------------------------------------------------------- sources


def source_of(line: Translation, content: Content) -> DilemmaText | str | None:
    """The English text that a line translates, None where the content has none (any longer)."""
    if line.kind == "instruction":
        return content.messages.instruction
    if line.kind == "persona":
        template, country = content.templates.get(line.id), content.countries.get(line.country)
        return template.render(country) if template and country else None
    dilemma = content.dilemmas.get(line.id)
    return dilemma.text if dilemma else None


def stale(line: Translation, content: Content) -> bool:
    """Whether the English text has changed, or gone, since the line was made from it."""
    source = source_of(line, content)
    if source is None:
        return True
    return line.source != (source.key if isinstance(source, DilemmaText) else text_key(source))


def target(code: str, content: Content, lines: Sequence[Translation] = ()) -> Target:
    """A language of the content by its FLORES-200 code, with the median length ratio of `lines`, which are all in it.

    Raises AuditError for a code that no country has.
    """
    countries = {country.language: country for country in content.countries.values()}
    if code not in countries:
        raise AuditError(f"no country in countries.yaml speaks {code!r}")
    candidates = {_iso(country) for country in countries.values()} | {"en"}
    ratios = []
    for line in lines:
        source = source_of(line, content)
        if isinstance(line.text, DilemmaText) and isinstance(source, DilemmaText) and not stale(line, content):
            ratios.append(length_ratio(" ".join(line.text.scenario), " ".join(source.scenario)))
    return Target(
        code=code,
        script=countries[code].script,
        iso=_iso(countries[code]),
        candidates=tuple(sorted(candidates)),
        ratio=median(ratios) if len(ratios) >= RATIO_LINES else None,
    )


def _iso(country: Country) -> str:
    return country.bcp47.split("-")[0]


# ---------------------------------------------------------------------------------------------------------- a file


def check_language(code: str, content: Content) -> list[CheckedLine]:
    """Every line of a language's file, in its order, with what was found; empty where there is no file.

    Raises ContentError with file and line for a line that cannot be read.
    """
    path = content.translations_dir / f"{code}.jsonl"
    lines = load_translations(path)
    to = target(code, content, lines)
    seen: set[tuple[str, str, str, str]] = set()
    checked = []
    for number, line in zip(_numbers(path), lines, strict=True):
        name = (line.kind, line.id, line.country, line.translator)
        old = stale(line, content)
        found = [] if old else check_line(line, to, content)
        if not old:  # a stale one is never sent, so that it is in nobody's way
            if name in seen:
                found.append(Finding("duplicate", "", f"a second line of translator {line.translator!r}", "suspect"))
            seen.add(name)
        checked.append(CheckedLine(number, line, old, tuple(found)))
    return checked


def _numbers(path: Path) -> list[int]:
    """The numbers of a file's lines that hold something, from 1."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as stream:
        return [number for number, line in enumerate(stream, 1) if line.strip()]


def check_line(line: Translation, to: Target, content: Content) -> list[Finding]:
    """What is wrong with a line against the present English text; that it may be stale is not looked at."""
    source = source_of(line, content)
    if source is None:
        return [Finding("source", "", "there is no English text of this id", "reject")]
    if isinstance(line.text, DilemmaText) and isinstance(source, DilemmaText):
        return [*check_text(line.text, source, to), *_back(line)]
    assert isinstance(line.text, str)
    assert isinstance(source, str)
    found = check_plain(line.text, source, to)
    if line.kind == "persona" and letters(line.text):
        found += _persona(line.text, content.countries[line.country], to)
    return [*found, *_back(line)]


def status_for(findings: Sequence[Finding]) -> Literal["ok", "suspect", "rejected"]:
    """The status that findings give a new line."""
    if any(f.severity == "reject" for f in findings):
        return "rejected"
    return "suspect" if findings else "ok"


# ---------------------------------------------------------------------------------------------------------- a text


def check_text(text: DilemmaText, source: DilemmaText, to: Target) -> list[Finding]:
    """What is wrong with a dilemma's translation."""
    parts = dict(_parts(text))
    empty = [Finding("empty", field, "nothing here", "reject") for field, part in parts.items() if not letters(part)]
    if empty:
        return empty  # a comparison with nothing would only repeat it
    found = list(_sentences(text, source))
    for field, part in parts.items():
        found += _characters(field, part)
        found += _ending(field, part, to)
    whole = " ".join([*text.scenario, text.a, text.b, text.question_ab, text.question_ba])
    english = " ".join([*source.scenario, source.question_ab, source.question_ba])
    found += _script(whole, to)
    found += _language(" ".join([*text.scenario, text.question_ab]), to)
    for field, part in parts.items():
        found += _english(field, part, english, to, sentence=field not in ("a", "b"))
    found += _digits("scenario", " ".join(text.scenario), " ".join(source.scenario))
    found += [f for field in FIELDS for f in _digits(field, getattr(text, field), getattr(source, field))]
    found += _options(text)
    found += _wording(text, source, to)
    found += _lengths(text, source, to)
    found += _repetition(text, source, to)
    return found


def check_plain(text: str, source: str, to: Target) -> list[Finding]:
    """What is wrong with a translation of one running text: the instruction, a persona sentence."""
    if not letters(text):
        return [Finding("empty", "text", "nothing here", "reject")]
    found = [*_characters("text", text), *_ending("text", text, to), *_script(text, to), *_language(text, to)]
    found += [*_english("text", text, source, to, sentence=False), *_digits("text", text, source)]
    if _odd_length(text, source, to):
        found.append(_length("text", text, source, to))
    found += _loops("text", text, source, to)
    return found


def _parts(text: DilemmaText) -> Iterator[tuple[str, str]]:
    for number, sentence in enumerate(text.scenario, 1):
        yield f"scenario[{number}]", sentence
    for field in FIELDS:
        yield field, getattr(text, field)


@lru_cache(maxsize=4096)  # a source is measured once for 35 languages
def letters(text: str) -> int:
    """Letters, digits and combining marks of a text."""
    return sum(c.isalnum() or unicodedata.category(c)[0] == "M" for c in text)


def _quote(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


# ------------------------------------------------------------------------------------------------------------ form


def _characters(field: str, text: str) -> Iterator[Finding]:
    bad = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") and c not in _JOINERS]
    if bad:
        yield Finding("characters", field, f"control character U+{ord(bad[0]):04X}", "reject")
    residue = _RESIDUE.search(text)
    if residue:
        yield Finding("characters", field, f"residue of a tokenizer or of markup: {residue.group()!r}", "reject")


def _inner_stops(text: str) -> int:
    """Signs that end a sentence and are followed by another one."""
    stripped = text.rstrip(_CLOSING + _STOPS + " ")
    return len(_INNER_STOP.findall(stripped))


def _sentences(text: DilemmaText, source: DilemmaText) -> Iterator[Finding]:
    have, want = len(text.scenario), len(source.scenario)
    if have != want:
        yield Finding("sentences", "scenario", f"{have} sentences, the source has {want}", "reject")
        return
    for number, (sentence, english) in enumerate(zip(text.scenario, source.scenario, strict=True), 1):
        more = _inner_stops(sentence) - _inner_stops(english)
        if more > 0:
            yield Finding("sentences", f"scenario[{number}]", f"{more} more than the source has", "suspect")
    for number, sentence in enumerate(text.scenario, 1):
        if sentence in text.scenario[: number - 1] and source.scenario.count(source.scenario[number - 1]) == 1:
            yield Finding("repetition", f"scenario[{number}]", "the same sentence as one before", "reject")


def _ending(field: str, text: str, to: Target) -> Iterator[Finding]:
    last = text.rstrip(_CLOSING + " ")[-1:]
    if field in ("a", "b"):
        if last in _STOPS:
            yield Finding("ending", field, f"an option ends with {last!r}", "suspect")
    elif last not in _STOPS and to.script not in _NO_STOP:
        yield Finding("ending", field, f"no sign at the end: cut off? ...{text[-20:]!r}", "suspect")


# ---------------------------------------------------------------------------------------------- script and language


def _script(text: str, to: Target) -> Iterator[Finding]:
    share = script_share(text, to.script)
    if share < SCRIPT_SHARE:
        severity: Severity = "reject" if share < SCRIPT_REJECT else "suspect"
        yield Finding("script", "", f"{share:.0%} of the letters are {to.script}", severity)


def _long_enough(text: str, to: Target) -> bool:
    return letters(text) >= (IDENTIFY_LETTERS_DENSE if to.script in _DENSE else IDENTIFY_LETTERS)


def _language(text: str, to: Target) -> Iterator[Finding]:
    if not _long_enough(text, to) or to.iso not in known_languages():
        return
    code, probability = identify(text, to.candidates)
    if not same_language(code, to.iso):
        severity: Severity = "reject" if probability >= LANGUAGE_SURE else "suspect"
        yield Finding("language", "", f"identified as {code} ({probability:.2f}), not {to.iso}", severity)


def _words(text: str) -> list[str]:
    """What stands between spaces, without the signs at its ends (by hand: to `re`, a vowel sign of Hindi ends a word)."""
    words = []
    for token in text.casefold().split():
        inside = [i for i, c in enumerate(token) if c.isalpha() or unicodedata.category(c)[0] == "M"]
        if inside:
            words.append(token[inside[0] : inside[-1] + 1])
    return words


@lru_cache(maxsize=1024)
def _runs(english: str) -> frozenset[tuple[str, ...]]:
    source = _words(english)
    return frozenset(zip(*(source[i:] for i in range(ENGLISH_RUN)), strict=False))


def english_runs(text: str, english: str) -> list[str]:
    """Runs of ENGLISH_RUN words or more of which each ENGLISH_RUN in a row also stand in the English text."""
    known = _runs(english)
    found, words = [], _words(text)
    start = 0
    while start + ENGLISH_RUN <= len(words):
        end = start
        while end + ENGLISH_RUN <= len(words) and tuple(words[end : end + ENGLISH_RUN]) in known:
            end += 1
        if end > start:
            found.append(" ".join(words[start : end + ENGLISH_RUN - 1]))
            start = end + ENGLISH_RUN - 1
        else:
            start += 1
    return found


def _english(field: str, text: str, source: str, to: Target, *, sentence: bool) -> Iterator[Finding]:
    if to.code == ENGLISH:
        return
    if sentence and letters(text) >= ENGLISH_LETTERS:
        code, probability = identify(text, to.candidates)
        if code == "en" and probability >= ENGLISH_SURE:
            yield Finding("english", field, f"looks like English ({probability:.2f}): {_quote(text)}", "reject")
            return
        known = to.iso in known_languages()
        if known and not same_language(code, to.iso) and probability >= SENTENCE_SURE:
            yield Finding("language", field, f"identified as {code} ({probability:.2f}), not {to.iso}", "suspect")
    runs = english_runs(text, source)
    if runs:
        yield Finding("english", field, f"words of the source: {_quote(max(runs, key=len))}", "suspect")


# --------------------------------------------------------------------------------------------------------- content


def numbers(text: str) -> Counter[str]:
    """The numbers written in digits of any script, as ASCII digits without separators ("1,000" and "1.000" are equal)."""
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    joined = re.sub(r"(?<=\d)[.,'’٫٬\u00a0\u202f](?=\d)| (?<=\d )(?=\d{3}(?!\d))", "", plain)
    return Counter(re.findall(r"\d+", joined))


def _digits(field: str, text: str, source: str) -> Iterator[Finding]:
    have, want = numbers(text), numbers(source)
    if have != want:
        parts = [
            f"{word} {', '.join(sorted(gone))}" for word, gone in (("lost", want - have), ("new", have - want)) if gone
        ]
        yield Finding("digits", field, "; ".join(parts), "suspect")


def _first_letter(text: str) -> set[str]:
    """A text with its first letter small and capital; Turkish and Azerbaijani pair their i's otherwise than Unicode does."""
    pairs = {"i": "İ", "I": "ı", "İ": "i", "ı": "I"}
    first = {text[0], text[0].lower(), text[0].upper(), pairs.get(text[0], text[0])}
    return {letter + text[1:] for letter in first}


def _places(option: str, question: str) -> list[tuple[int, int]]:
    """Where an option stands in a question, first letter's case aside."""
    return [
        (match.start(), match.start() + len(form))
        for form in _first_letter(option)
        for match in re.finditer(f"(?={re.escape(form)})", question)
    ]


def _options(text: DilemmaText) -> Iterator[Finding]:
    a, b = (unicodedata.normalize("NFC", option) for option in (text.a, text.b))
    if a.casefold() == b.casefold():
        yield Finding("options", "b", "the same as a", "reject")
        return
    for order in ("ab", "ba"):
        field = f"question_{order}"
        question = unicodedata.normalize("NFC", text.question(order))
        at = {"a": _places(a, question), "b": _places(b, question)}
        missing = [name for name in "ab" if not at[name]]
        if missing:
            yield Finding("options", field, f"does not hold {' and '.join(missing)} word for word", "suspect")
        elif not any(one[1] <= two[0] for one in at[order[0]] for two in at[order[1]]):
            yield Finding("order", field, f"{order[0]} does not stand before {order[1]}", "reject")


def options_agree(text: DilemmaText) -> bool:
    """Whether both questions hold both options word for word, each in its order."""
    return not any(_options(text))


def _wording(text: DilemmaText, source: DilemmaText, to: Target) -> Iterator[Finding]:
    """Options that the English scenario words as the option does, and the translated one does not."""
    dense = to.script in _DENSE
    for field in ("a", "b"):
        if wording_share(getattr(source, field), source.scenario, WORDING_SIGNS[0]) < WORDING[0]:
            continue
        share = wording_share(getattr(text, field), text.scenario, WORDING_SIGNS[dense])
        if share < WORDING[dense]:
            yield Finding("wording", field, f"only {share:.0%} of it is worded as in the scenario", "suspect")


def wording_share(option: str, scenario: Sequence[str], size: int) -> float:
    """The share of an option's runs of `size` letters (or spaces) that its scenario holds too, 1.0 for too short an option.

    Runs of letters and no words, because most of the languages inflect.
    """
    runs = _letter_runs(option, size)
    known = set().union(*(_letter_runs(sentence, size) for sentence in scenario))
    return len(runs & known) / len(runs) if runs else 1.0


def _letter_runs(text: str, size: int) -> set[str]:
    plain = "".join(c for c in unicodedata.normalize("NFC", text).casefold() if c == " " or letters(c))
    return {plain[i : i + size] for i in range(len(plain) - size + 1)}


def _back(line: Translation) -> Iterator[Finding]:
    """A back-translation that is far from the source, by the score that the line keeps."""
    chrf = line.checks.get("chrf")
    if line.back is not None and isinstance(chrf, int | float) and chrf < BACK_CHRF:
        yield Finding("back", "", f"chrF++ of the back-translation is {chrf:.1f}", "suspect")


def _persona(text: str, country: Country, to: Target) -> Iterator[Finding]:
    if country.language != to.code:
        yield Finding("country", "country", f"{country.iso3} speaks {country.language}, not {to.code}", "reject")
        return
    folded = unicodedata.normalize("NFC", text).casefold()
    stems = {name.casefold()[: max(2, math.ceil(STEM_SHARE * len(name)))] for name in country.endonyms}
    if stems and not any(stem in folded for stem in stems):
        yield Finding(
            "country", "text", f"no name of {country.title} in it ({', '.join(country.endonyms[:2])})", "suspect"
        )


# --------------------------------------------------------------------------------------------------------- lengths


def length_ratio(text: str, source: str) -> float:
    """Letters of a text over letters of its source."""
    return letters(text) / max(1, letters(source))


def length_score(text: str, source: str, ratio: float) -> float:
    """How far a sentence's length is from what its source makes expect, 0 for as expected, negative for too short.

    ln(length ratio / the language's ratio) * sqrt(letters of the source). The root is the model of Gale and Church (1993),
    in which the variance of a translation's length grows with the length, so that short sentences are given more room.
    """
    return math.log(max(length_ratio(text, source), 1e-3) / ratio) * math.sqrt(max(1, letters(source)))


def _odd_length(text: str, source: str, to: Target) -> bool:
    limit = SENTENCE_LENGTH_DENSE if to.script in _DENSE else SENTENCE_LENGTH
    return to.ratio is not None and abs(length_score(text, source, to.ratio)) > limit


def _length(field: str, text: str, source: str, to: Target) -> Finding:
    relative = length_ratio(text, source) / (to.ratio or 1.0)
    return Finding("length", field, f"{relative:.2f} times as long as usual in this language", "suspect")


def _lengths(text: DilemmaText, source: DilemmaText, to: Target) -> Iterator[Finding]:
    if to.ratio is None:
        return
    whole, english = " ".join(text.scenario), " ".join(source.scenario)
    low, high = WHOLE_LENGTH
    if not low <= length_ratio(whole, english) / to.ratio <= high:
        yield _length("scenario", whole, english, to)
    parts = dict(_parts(source))
    for field, part in _parts(text):
        if field in ("a", "b"):  # a phrase varies too much, and stands in the questions
            continue
        if field.startswith("scenario") and len(text.scenario) != len(source.scenario):  # sentences cannot be paired
            continue
        if _odd_length(part, parts[field], to):
            yield _length(field, part, parts[field], to)


# ------------------------------------------------------------------------------------------------------ repetition

_ADJACENT = re.compile(rf"(.{{{LOOP_ADJACENT[0]},{LOOP_ADJACENT[1]}}}?)\1{{{LOOP_TIMES - 1},}}")
_SHORT = re.compile(rf"(\S.{{0,{LOOP_ADJACENT[0] - 2}}}?)\1{{{LOOP_SHORT - 1},}}")


def loop(text: str, script: str) -> str | None:
    """What a text repeats as a decoder caught in a loop does, None for nothing. Digits are left out: "1000000" is no loop."""
    folded = re.sub(r"\d", "", text.casefold())
    for pattern in (_SHORT, _ADJACENT):
        match = pattern.search(folded)
        if match:
            return match.group(1)
    if script in UNSPACED:
        units: Sequence[str] = [c for c in folded if c.isalnum() or unicodedata.category(c)[0] == "M"]
        size, joint = LOOP_LETTERS, ""
    else:
        units, size, joint = _words(folded), LOOP_WORDS, " "
    runs = Counter(joint.join(units[i : i + size]) for i in range(len(units) - size + 1))
    best = max(runs.items(), key=lambda item: item[1], default=("", 0))
    return best[0] if best[1] >= LOOP_TIMES else None


def _loops(field: str, text: str, source: str, to: Target) -> Iterator[Finding]:
    repeated = loop(text, to.script)
    if repeated is not None and loop(source, "Latn") is None:
        yield Finding("repetition", field, f"again and again: {_quote(repeated)}", "reject")


def _repetition(text: DilemmaText, source: DilemmaText, to: Target) -> Iterator[Finding]:
    english = dict(_parts(source))
    for field, part in _parts(text):
        yield from _loops(field, part, english.get(field, ""), to)
