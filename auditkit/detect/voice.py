"""Put-on voices: English respelt to sound foreign, dialect spelling, archaic diction.

A respelling counts as a national voice from two hits on, since one may be a slip or a foreign word. Archaic diction is a habit of
some models rather than an accent of anybody, and is kept apart. The words stand in `personas/markers/_phrases.yaml`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal, NamedTuple

from auditkit.detect.reading import Reading

Voice = Literal["phonetic", "dialect", "archaic"]
VOICES: Final[tuple[Voice, ...]] = ("phonetic", "dialect", "archaic")  # of several, the first is the reply's

_DROPPED: Final = re.compile(
    r"[a-z]{2,}in'[a-z]*|(?:an|th|jus|wit|fo|ol|li|t|o)'(?!clock)[a-z]*|'(?:em|n|til|bout|round|cause)"
)
_WORD: Final = re.compile(r"'?[a-z]+(?:'[a-z]+)*'?")


class VoiceWords(NamedTuple):
    """The word lists of `personas/markers/_phrases.yaml`."""

    phonetic: frozenset[str]
    phonetic_strong: frozenset[str]
    dialect: frozenset[str]
    archaic: frozenset[str]
    archaic_plain: frozenset[str]

    def may_stand_in(self, reading: Reading) -> bool:
        """Whether any word that puts a voice on can be in a text at all: what spares most replies the closer look."""
        plain, apostrophes = _split(self)
        if not plain.isdisjoint(reading.vocabulary):
            return True
        text = reading.bare_lower
        return "'" in text and (any(word in text for word in apostrophes) or _DROPPED.search(text) is not None)


@cache
def _split(words: VoiceWords) -> tuple[frozenset[str], frozenset[str]]:
    """The words without an apostrophe, and those with one."""
    every = words.phonetic | words.dialect | words.archaic
    apostrophes = frozenset(word for word in every if "'" in word)
    return every - apostrophes, apostrophes


class VoiceHit(NamedTuple):
    """A word that puts a voice on, in code points of the normalised text."""

    start: int
    stop: int
    voice: Voice
    word: str


def voices(reading: Reading, words: VoiceWords, skip: list[tuple[int, int]]) -> list[VoiceHit]:
    """The words that put a voice on, those of voices that are really put on; `skip` holds spans of another language."""
    if not words.may_stand_in(reading):
        return []
    found: dict[Voice, list[VoiceHit]] = {"phonetic": [], "dialect": [], "archaic": []}
    for match in _WORD.finditer(reading.bare_lower):
        start, stop, word = match.start(), match.end(), match.group()
        trimmed = word.strip("'")
        if any(begin <= start < end for begin, end in skip):
            continue
        if trimmed in words.phonetic or word in words.phonetic:
            found["phonetic"].append(VoiceHit(start, stop, "phonetic", trimmed))
        elif trimmed in words.archaic and word not in words.dialect:
            found["archaic"].append(VoiceHit(start, stop, "archaic", trimmed))
        elif word in words.dialect or trimmed in words.dialect or _DROPPED.fullmatch(word):
            found["dialect"].append(VoiceHit(start, stop, "dialect", trimmed))
    return [
        *(found["phonetic"] if _accent(found["phonetic"], words) else ()),
        *(found["dialect"] if len(found["dialect"]) >= 2 else ()),
        *(found["archaic"] if len({hit.word for hit in found["archaic"]} - words.archaic_plain) >= 1 else ()),
    ]


def _accent(hits: list[VoiceHit], words: VoiceWords) -> bool:
    """Whether respellings make an accent: one that nothing else explains, or two different ones."""
    found = {hit.word for hit in hits}
    return bool(found & words.phonetic_strong) or len(found) >= 2
