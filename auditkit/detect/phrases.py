"""The phrases of `personas/markers/_phrases.yaml`: patterns over a reply in which names of countries are masked."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from auditkit.data import Strict, build, load_yaml
from auditkit.detect.lexicon import Found, Lexicon, markers_folder
from auditkit.detect.reading import OTHER, OWN_NAME, OWN_PEOPLE, Reading
from auditkit.detect.voice import VoiceWords
from auditkit.errors import ContentError
from auditkit.identity import digest

_EXAMPLE_COUNTRY = "FIN"
_NO_VOICES = VoiceWords(*[frozenset[str]()] * len(VoiceWords._fields))


class _Rule(Strict):
    id: str = Field(pattern=r"^[a-z_]+/[a-z_]+$")
    family: str = "stereotype"
    kind: str = ""
    weight: float = Field(gt=0, le=1)
    severity: int = Field(default=1, ge=1, le=3)
    words: tuple[str, ...] = Field(min_length=1)
    and_words: tuple[str, ...] = ()
    any_of: tuple[str, ...] = Field(min_length=1)
    example: str


class _Voices(Strict):
    """Lists of words, separated by spaces."""

    phonetic: str
    phonetic_strong: str
    dialect: str
    archaic: str
    archaic_plain: str


class Phrase(NamedTuple):
    """A rule, ready to be searched."""

    rule_id: str
    family: str
    kind: str
    weight: float
    severity: int
    words: frozenset[str]
    and_words: frozenset[str]
    pattern: re.Pattern[str]


class PhraseHit(NamedTuple):
    """Where a phrase stands, in code points of the normalised text."""

    start: int
    stop: int
    phrase: Phrase


@dataclass(frozen=True)
class Phrases:
    """All rules, the words that put a voice on, and the digest of both."""

    rules: tuple[Phrase, ...]
    voices: VoiceWords
    digest: str

    @cached_property
    def _by_word(self) -> dict[str, list[int]]:
        """The places in `rules` of the rules that each word calls for."""
        places: dict[str, list[int]] = defaultdict(list)
        for place, rule in enumerate(self.rules):
            for word in rule.words:
                places[word].append(place)
        return dict(places)

    def find(self, masked: str, reading: Reading) -> Iterator[PhraseHit]:
        """Hits of every rule in a masked text, sentence by sentence; a sentence is searched where one of the rule's words stands."""
        by_word = self._by_word
        for start, stop, vocabulary in reading.sentences:
            called = {place for word in vocabulary if word in by_word for place in by_word[word]}
            for rule in (self.rules[place] for place in sorted(called)):
                if not (rule.and_words and rule.and_words.isdisjoint(vocabulary)):
                    for match in rule.pattern.finditer(masked, start, stop):
                        yield PhraseHit(match.start(), match.end(), rule)


def mask(reading: Reading, names: list[Found], own: frozenset[str]) -> str:
    """The text in lower case without accents, every letter of a country's name or of a word for its people replaced by a sign."""
    out: list[str] = []
    at = 0
    for found in names:
        if found.start < at:
            continue
        sign = OTHER if found.term.name not in own else OWN_PEOPLE if found.term.group == "people" else OWN_NAME
        out += (reading.bare_lower[at : found.start], sign * (found.stop - found.start))
        at = found.stop
    return "".join((*out, reading.bare_lower[at:]))


def load_phrases(lexicon: Lexicon, personas: Path | None = None) -> Phrases:
    """The rules, each tried on its example. Raises ContentError for one that is broken or does not match its example."""
    path = markers_folder(personas) / "_phrases.yaml"
    if not path.exists():
        path = markers_folder(None) / "_phrases.yaml"
    top = load_yaml(path)
    macros = {str(name): str(body) for name, body in (top.get("macros") or {}).items()}
    rules = [_phrase(entry, path, macros, lexicon) for entry in top.get("rules") or ()]
    if len({rule.rule_id for rule in rules}) < len(rules):
        raise ContentError(f"{path}:1: two rules have one id")
    lists = top.get("voices") if isinstance(top.get("voices"), dict) else {}
    voices = build(_Voices, lists, path, getattr(lists, "line", None), "voices")
    words = VoiceWords(**{name: frozenset(getattr(voices, name).split()) for name in VoiceWords._fields})
    content = {
        "rules": [
            [r.rule_id, r.family, r.kind, r.weight, r.severity, sorted(r.words), sorted(r.and_words), r.pattern.pattern]
            for r in rules
        ],
        "voices": voices.model_dump(),
    }
    return Phrases(tuple(rules), words, digest("s1", content))


def _phrase(entry: Any, path: Path, macros: dict[str, str], lexicon: Lexicon) -> Phrase:
    line = getattr(entry, "line", None)
    rule = build(_Rule, entry, path, line, "rule")
    place = f"{path}:{line}: rule {rule.id}"
    pattern = "|".join(rule.any_of)
    for name, body in macros.items():
        pattern = pattern.replace(f"<{name}>", body)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ContentError(f"{place}: any_of: {error}") from None
    made = Phrase(
        rule.id,
        rule.family,
        rule.kind or rule.id.partition("/")[0],
        rule.weight,
        rule.severity,
        frozenset(rule.words),
        frozenset(rule.and_words),
        compiled,
    )
    reading = Reading(unicodedata.normalize("NFC", rule.example))
    masked = mask(reading, lexicon.names.find(reading), frozenset({_EXAMPLE_COUNTRY}))
    if not list(Phrases((made,), _NO_VOICES, "").find(masked, reading)):
        raise ContentError(f"{place}: does not match its example {rule.example!r}")
    return made
