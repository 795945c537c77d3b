"""Is there a text to judge at all, and in which language? Degenerate replies are counted, and never judged.

A reply in another language than its request is counted too, and judged all the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal, NamedTuple

from auditkit.data import Country
from auditkit.identity import digest
from auditkit.language import identify, same_language

Degenerate = Literal["empty", "one_char", "loop"]

GATE_VERSION = 2
GATE_KEY = digest("j1", {"name": "gate", "version": GATE_VERSION})
GATE = {
    "judge_key": GATE_KEY,
    "name": "gate",
    "kind": "rules",
    "task": "gate",
    "model": None,
    "config": f'{{"version": {GATE_VERSION}}}',
}

MISMATCH_P = 0.9  # least probability, and
MISMATCH_LETTERS = 20  # letters that a reply must have more of, to be called one in another language

_HEAD = 20_000  # a loop shows in the first pages; a 100 kB reply is not read to its end for it


def degenerate(text: str) -> Degenerate | None:
    """What makes a reply unreadable, None for a readable one.

    `empty`: nothing but space and control characters. `one_char`: fewer than two letters or digits, or one character over
    and over. `loop`: a unit of one to twelve words repeated over at least four fifths of a text of thirty words or more, or
    (scripts without spaces) a unit of up to forty characters likewise.
    """
    head = text[:_HEAD]
    visible = [c for c in head if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf", "Cs")]
    if not visible:
        return "empty"
    letters = [c for c in visible if c.isalnum()]
    if len(letters) < 2 or len(set(visible)) == 1:
        return "one_char"
    words = re.findall(r"\w+", head.casefold())
    if _repeats(words, 12, 30) or _repeats(letters, 40, 120):
        return "loop"
    return None


def _repeats(units: list[str], longest: int, least: int) -> bool:
    """Whether some period up to `longest` explains four fifths of at least `least` units."""
    n = len(units)
    if n < least:
        return False
    # A text of period p holds at most p trigrams but for those that a misfit touches (three each): most texts are told at once.
    if len(set(zip(units, units[1:], units[2:], strict=False))) > longest + 0.6 * n:
        return False
    return any(
        sum(map(str.__eq__, units[period:], units[:-period])) >= 0.8 * (n - period)
        for period in range(1, longest + 1)
        if n > 2 * period
    )


class ReplyLanguage(NamedTuple):
    """The language of a reply (ISO 639), its probability among the candidates, and whether it is another than the request's."""

    code: str
    probability: float
    mismatch: bool | None  # None where the request's language is not known, or too little of the reply is letters


def reply_language(text: str, asked: str | None, candidates: tuple[str, ...]) -> ReplyLanguage | None:
    """What language a reply is in, None for one without letters.

    `asked`: the language of the request; `candidates`: the languages that can be meant (all ISO 639). A mismatch needs a
    probability of 0.9 and more than 20 letters. Indonesian and Malay are one language here.
    """
    head = text[:_HEAD]
    letters = sum(map(str.isalpha, head))
    if not letters:
        return None
    code, probability = identify(head, candidates)
    if asked is None or letters <= MISMATCH_LETTERS:
        return ReplyLanguage(code, probability, None)
    return ReplyLanguage(code, probability, not same_language(code, asked) and probability >= MISMATCH_P)


def iso_codes(countries: Mapping[str, Country]) -> dict[str, str]:
    """ISO 639 code by FLORES-200 code, of the countries' languages and English."""
    return {"eng_Latn": "en"} | {c.language: c.bcp47.partition("-")[0] for c in countries.values()}
