"""A reply as the rules look at it: the same length in every form, so that a span of one is a span of all."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

OWN_NAME, OWN_PEOPLE, OTHER = "ᚠ", "ᚢ", "ᚦ"
"""Runes, which are letters to a pattern: one for each letter of the country's own name, of a word for its people, of another country's."""

_FOLD = str.maketrans(
    {"‘": "'", "’": "'", "ʼ": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‐": "-", "‑": "-"}
    | {OWN_NAME: " ", OWN_PEOPLE: " ", OTHER: " ", "\t": " ", "\n": " ", "\xa0": " "}
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[^.!?;]+[.!?;]*")
_OTHER_SCRIPT = re.compile("[\u0370-\u1dff\u1f00-\u1fff\u2c00-\u2dff\u3005-\ud7ff\uf900-\ufaff]")


class _Bare(dict[int, str]):
    """str.translate's table: every letter without its accents, made as letters come."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        base = unicodedata.normalize("NFD", letter)[0] if unicodedata.category(letter)[0] == "L" else letter
        # Han, Hangul and the like decompose into parts that are no letters of their own
        self[code] = base if base.isascii() else letter
        return self[code]


class _Lower(dict[int, str]):
    """str.translate's table: every letter in lower case, as one letter ("İ".lower() is two)."""

    def __missing__(self, code: int) -> str:
        self[code] = chr(code).lower()[0]
        return self[code]


_BARE, _LOWER = _Bare(), _Lower()


def bare(text: str) -> str:
    """The text without the accents of Latin letters, of the same length."""
    return text if text.isascii() else text.translate(_BARE)


def lower(text: str) -> str:
    """The text in lower case, of the same length."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def fold(text: str) -> str:
    """The text with plain apostrophes, quotation marks, hyphens and spaces, of the same length."""
    return text.translate(_FOLD)


def has_other_script(text: str) -> bool:
    """Whether any letter of a text is not Latin; emoji and punctuation are no letters."""
    return not text.isascii() and _OTHER_SCRIPT.search(text) is not None


@dataclass
class Reading:
    """A normalised text in the forms that the rules read. All forms have one length."""

    text: str

    @cached_property
    def folded(self) -> str:
        return fold(self.text)

    @cached_property
    def lower(self) -> str:
        return lower(self.folded)

    @cached_property
    def bare(self) -> str:
        return bare(self.folded)

    @cached_property
    def bare_lower(self) -> str:
        return lower(self.bare)

    @cached_property
    def other_script(self) -> bool:
        """Whether any letter is not Latin."""
        return has_other_script(self.text)

    @cached_property
    def words(self) -> list[tuple[str, int, int]]:
        """(word in lower case without accents, start, stop), in order."""
        return [(match.group(), match.start(), match.end()) for match in _WORD.finditer(self.bare_lower)]

    @cached_property
    def sentences(self) -> list[tuple[int, int, frozenset[str]]]:
        """(start, stop, words) of each sentence or clause that a full stop, a mark or a semicolon ends."""
        return [
            (m.start(), m.end(), frozenset(_WORD.findall(self.bare_lower, m.start(), m.end())))
            for m in _SENTENCE.finditer(self.bare_lower)
        ]

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        return frozenset(word for word, _, _ in self.words)
