"""Text of a reply as it may be shown: cut at the flagged spans, and inert.

A reply is data. Control characters, which could move the cursor, ring or write a link, become their Unicode pictures; characters
that change the direction of text become their code point. Joiners stay: Persian, Hindi and Sinhala are spelt with them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from auditkit.review.case import Flag

LETTERS = {
    "stereotype": "S", "hallucination": "H", "voice": "V", "language": "L", "injection": "J",
    "value": "G", "trace": "T", "premise": "P",
}  # fmt: skip
_JOINERS = "\u200c\u200d"
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@dataclass(frozen=True)
class Segment:
    """A stretch of text under the same flags. text: inert. flags: those that cover it. opening: those that begin here."""

    text: str
    flags: tuple[Flag, ...] = ()
    opening: tuple[Flag, ...] = ()
    closing: tuple[Flag, ...] = ()


def shown(text: str) -> str:
    r"""The text with everything in it that could act on a terminal or a page made visible; line feeds stay.

    >>> shown("a\x1b[31mb\u202ec")
    'a␛[31mb‹202E›c'
    """
    return "".join(c if c.isascii() and c.isprintable() else _shown(c) for c in text)


def _shown(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return "    "
    if character == "\n" or character in _JOINERS:
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"‹{code:04X}›" if unicodedata.category(character) in _HIDDEN else character


def one_line(text: str, limit: int) -> str:
    """The beginning of a text, inert, in one line of at most `limit` characters."""
    line = " ".join(shown(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def tags(flags: Sequence[Flag]) -> dict[int, str]:
    """A tag for every flag by its id: the letter of its family and its number in it, such as S1, S2, H1."""
    counted: dict[str, int] = {}
    made = {}
    for flag in flags:
        letter = LETTERS.get(flag.family, "?")
        counted[letter] = counted.get(letter, 0) + 1
        made[flag.flag_id] = f"{letter}{counted[letter]}"
    return made


def segments(text: str, flags: Sequence[Flag]) -> Iterator[Segment]:
    """The text cut wherever a flag begins or ends, so that overlapping flags both show; all of the text, in order."""
    length = len(text)
    inside = [flag for flag in flags if flag.start < length]
    cuts = sorted({0, length, *(flag.start for flag in inside), *(min(flag.stop, length) for flag in inside)})
    for start, stop in pairwise(cuts):
        yield Segment(
            shown(text[start:stop]),
            tuple(flag for flag in inside if flag.start <= start and stop <= flag.stop),
            tuple(flag for flag in inside if flag.start == start),
            tuple(flag for flag in inside if min(flag.stop, length) == stop),
        )


def right_to_left(text: str) -> bool:
    """Whether most letters of a text are of a script that is written from right to left."""
    letters = [unicodedata.bidirectional(c) for c in text]
    right = sum(kind in ("R", "AL") for kind in letters)
    return right > sum(kind == "L" for kind in letters)
