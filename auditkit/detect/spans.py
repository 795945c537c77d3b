"""Spans of a reply in another script or language than its own, and whether that language is the persona's.

A wrong language is: a script that the country does not write; a word of two scripts; two words or more of a shared script that are
unlikely in the country's language (p below 0.10 among the languages of that script, or a quarter of another's) or hold a letter or a
small word that it does not have; a
clause of four words or more of another Latin language in an English reply. Single romanised words in a wrong language, words of no
language, and wrong glosses are out of reach of rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from auditkit.detect.reading import Reading, lower
from auditkit.judge.words import lexicon
from auditkit.language import SAME, chances

UNLIKELY: Final = 0.10
_LATIN_WORDS: Final = 4  # words of a stretch of Latin letters below which its language is not asked
_NATIVE_WORDS: Final = 6  # words of a sentence below which, inside a reply in the persona's language, it is not asked
_TIMES: Final = 4.0  # or so many times likelier than the country's language, and likelier than not
_SURE: Final = 0.95
_SCRIPTS: Final = {
    "LATIN": "Latn", "CYRILLIC": "Cyrl", "GREEK": "Grek", "ARMENIAN": "Armn", "GEORGIAN": "Geor", "HEBREW": "Hebr", "ARABIC": "Arab",
    "THAI": "Thai", "DEVANAGARI": "Deva", "SINHALA": "Sinh", "HANGUL": "Hang", "HIRAGANA": "Jpan", "KATAKANA": "Jpan", "CJK": "Hani",
    "BENGALI": "Beng", "TAMIL": "Taml", "TELUGU": "Telu", "KANNADA": "Knda", "MALAYALAM": "Mlym", "GUJARATI": "Gujr",
    "GURMUKHI": "Guru", "ORIYA": "Orya", "MONGOLIAN": "Mong", "ETHIOPIC": "Ethi", "KHMER": "Khmr", "LAO": "Laoo", "MYANMAR": "Mymr",
    "TIBETAN": "Tibt",
}  # fmt: skip
_OF_LANGUAGE: Final = {
    "Jpan": {"Jpan", "Hani"}, "Hans": {"Hani"}, "Hant": {"Hani"}, "Hang": {"Hang", "Hani"},
}  # fmt: skip
_ALSO: Final = {  # scripts in use in a country beside that of its language in the table
    "IND": {"Beng", "Taml", "Telu", "Knda", "Mlym", "Gujr", "Guru", "Orya", "Arab"}, "LKA": {"Taml"}, "ISR": {"Arab"},
    "MYS": {"Arab", "Hani", "Taml"}, "MNG": {"Mong"}, "CHN": {"Mong", "Tibt", "Arab"}, "IRN": {"Armn"}, "AZE": {"Cyrl"},
}  # fmt: skip
_CONTESTED: Final = {"BLR": "ru", "KAZ": "ru"}  # a second official language in the same script: no fault, but uncertain
_BY_SCRIPT: Final = {  # ISO 639 codes of the languages that are told apart within a script
    "Cyrl": ("ru", "uk", "be", "bg", "kk", "mn", "ky", "mk", "sr"), "Arab": ("ar", "fa", "ur", "ps", "ug"),
    "Deva": ("hi", "mr", "ne"),
}  # fmt: skip
_NO_LETTERS: Final = {  # Cyrillic letters that a language of the table does not write and its neighbours do
    "uk": "ыэъёў", "ru": "іїєґўјљњћђқғңәұүөһ", "bg": "ыэёіїєґўј", "be": "ищъїєґ", "mn": "іїєґўәғқңұһ", "kk": "їєґў",
}  # fmt: skip
_NO_WORDS: Final = {  # small Russian words that the close languages do not have
    "uk": "и что это как или если есть нужно можно когда только очень меня тебя чтобы лучше хорошо ты вы он",
    "be": "и что это или если есть нужно можно когда очень меня тебя чтобы лучше хорошо",
    "bg": "что это если есть можно когда меня тебя чтобы лучше хорошо ты вы мы",
}  # fmt: skip
# Latin languages that are told apart. Near twins of one of them (Norwegian, Slovak, Croatian) are left out.
_LATIN: Final = (
    "en", "de", "it", "nl", "fr", "id", "ms", "tr", "pl", "hu", "sv", "da", "fi", "cs", "ro", "is", "af", "sq", "az", "es", "pt",
)  # fmt: skip
_RUN: Final = re.compile(
    r"[^\x00-\u036f\u2000-\u206f\U0001f000-\U000e01ef\ufe00-\ufe0f]+(?:[\s,.;:!?\u2010-\u2027\u200c\u200d'\"-]+[^\x00-\u036f\u2000-\u206f\U0001f000-\U000e01ef\ufe00-\ufe0f]+)*"
)
_SENTENCE: Final = re.compile(r"[^\s.!?\n।۔؟][^.!?\n।۔؟]*")
_CLAUSE: Final = re.compile(r"[^.!?;:()\"\n—]+")


class ForeignSpan(NamedTuple):
    """A stretch of another script or language, in code points of the normalised text. `wrong`: it is not the persona's."""

    start: int
    stop: int
    language: str  # ISO 639 code, or the script's ISO 15924 code where the language is not asked
    wrong: bool
    contested: bool
    rule_id: str


@lru_cache(maxsize=20_000)
def script_of(letter: str) -> str | None:
    """ISO 15924 code of a letter's script; None for what is no letter, or belongs to no script in particular."""
    if not letter.isalpha() or unicodedata.category(letter) == "Lm":
        return None
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0], "Zyyy")


def foreign_spans(
    reading: Reading, language: str, country: str | None, own: str, subtract: str = ""
) -> list[ForeignSpan]:
    """Stretches of a reply that are neither in English nor in the language that was asked in.

    `language`: ISO 639 code of the request. `own`: that of the persona's language with its script, such as `uk_Cyrl`; without
    a country nothing is wrong, only foreign. Words that stand in `subtract` (the request) are not evidence.
    """
    found = list(_other_scripts(reading.text, language, country, own, subtract)) if reading.other_script else []
    return sorted([*found, *_latin_stretches(reading, language, own)])


def _other_scripts(text: str, language: str, country: str | None, own: str, subtract: str) -> Iterator[ForeignSpan]:
    code, _, script = own.partition("_")
    ours = _OF_LANGUAGE.get(script, {script})
    written = ours | _ALSO.get(country or "", set())
    for match in _RUN.finditer(text):
        scripts = {s for s in map(script_of, set(match.group())) if s is not None} - {"Zyyy", "Latn"}
        if not scripts or match.group().strip(" ,.;:!?'\"-") in subtract:
            continue
        start, stop = match.span()
        if country is None:
            yield ForeignSpan(start, stop, min(scripts), wrong=False, contested=False, rule_id="span/script")
        elif scripts - written:
            yield ForeignSpan(start, stop, min(scripts - written), wrong=True, contested=False, rule_id="span/script")
        elif language != code or not scripts <= ours:
            # One script serves several languages: ask which, of two words on (a word alone says little).
            told = _told(match.group(), code, scripts & ours)
            named = told or (code if scripts <= ours else min(scripts))
            yield ForeignSpan(start, stop, named, told is not None, _CONTESTED.get(country) == told, "span/language")
        else:  # a reply in the persona's language: a sentence of another one stands out
            for sentence in _SENTENCE.finditer(match.group()):
                told = _told(sentence.group(), code, scripts, least=_NATIVE_WORDS)
                if told is not None:
                    begin, end = start + sentence.start(), start + sentence.end()
                    yield ForeignSpan(
                        begin, end, told, wrong=True, contested=_CONTESTED.get(country) == told, rule_id="span/language"
                    )
    for match in re.finditer(r"[^\W\d_]{3,}", text):
        if not match.group().isascii() and _mixed(match.group()):
            yield ForeignSpan(
                match.start(), match.end(), "mixed", wrong=True, contested=False, rule_id="span/mixed_script"
            )


def _mixed(word: str) -> bool:
    """Whether a word has letters of two alphabets, which no language writes (Japanese and Korean mix theirs with Han)."""
    scripts = {script_of(letter) for letter in word} - {None, "Zyyy"}
    return (
        len(scripts) > 1
        and bool(scripts & {"Latn", "Cyrl", "Grek", "Armn", "Geor"})
        and not scripts & {"Hani", "Jpan", "Hang"}
    )


def _told(span: str, code: str, scripts: set[str], least: int = 2) -> str | None:
    """The language that a span of `least` words or more is in, if its own is unlikely among those of the script."""
    for script in scripts:
        candidates = _BY_SCRIPT.get(script, ())
        if code in candidates and len(re.findall(r"\w{2,}", span)) >= least:
            likely = chances(span, candidates)
            other = max((each for each in candidates if each != code), key=lambda each: likely[each])
            words = set(re.findall(r"\w+", span.lower()))
            if (
                likely[code] < UNLIKELY
                or likely[other] >= max(0.5, _TIMES * likely[code])
                or set(span.lower()) & set(_NO_LETTERS.get(code, ""))
                or words & set(_NO_WORDS.get(code, "").split())
            ):
                return other
    return None


def _latin_stretches(reading: Reading, language: str, own: str) -> Iterator[ForeignSpan]:
    """Stretches of Latin letters in another language inside an English reply; a voice must not be read from them.

    Only clauses with few small English words are asked, so that an English reply costs no identification.
    """
    if language != "en":
        return
    code = own.partition("_")[0]
    small = lexicon().stop_stems
    for match in _CLAUSE.finditer(reading.folded):
        words = lower(match.group()).split()
        if len(words) < _LATIN_WORDS or 6 * sum(word.strip(",'") in small for word in words) > len(words):
            continue
        if any(script_of(letter) not in ("Latn", None) for letter in match.group()):
            continue
        likely = chances(match.group(), _LATIN)
        told = max(likely, key=lambda each: likely[each])
        if told == "en" or likely[told] < _SURE:
            continue
        wrong = code in likely and code != "en" and likely[code] < UNLIKELY and {told, code} not in SAME
        lead = len(match.group()) - len(match.group().lstrip())
        yield ForeignSpan(match.start() + lead, match.end(), told, wrong, contested=False, rule_id="span/latin")
