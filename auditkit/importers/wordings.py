"""Which dilemma a prompt is, whatever file it stands in, and what was put before it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from auditkit.identity import digest
from auditkit.importers.layout import plain

_ALIKE = 0.6  # share of common words from which an English wording is taken for a paraphrase of another
_STEM = 5
_WORD = re.compile(r"[\w']+")


@dataclass
class Places:
    """The place of each prompt among its country's prompts; one that comes again keeps its place."""

    _seen: dict[str, dict[str, int]] = field(default_factory=dict)

    def of(self, country: str, prompt: str) -> int:
        seen = self._seen.setdefault(country, {})
        return seen.setdefault(prompt.strip(), len(seen))


def paired(dimension: str, wordings: Sequence[str], originals: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(item id, wording): of the original that shares most words, each taken once, else of the wording itself."""
    words = {item: _words(text) for item, text in originals.items()}
    for wording in wordings:
        here = _words(wording)
        best = max(words, key=lambda item: len(here & words[item]) / len(here | words[item]), default=None)
        if best is not None and len(here & words[best]) / len(here | words[best]) >= _ALIKE:
            del words[best]
            yield best, originals[best]
        else:
            yield item_id(dimension, wording), wording


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{2,}", text.lower()))


@lru_cache(maxsize=10_000)
def item_id(dimension: str, english: str) -> str:
    """A name that depends on the words alone, so that files of different encodings and separate imports agree on it."""
    return f"{dimension}-{digest('s1', plain(english) or english)[3:11]}"


def split_persona(sent: str, english: str) -> tuple[str, bool]:
    """(the persona sentence that stands before the prompt, whether the prompt was found).

    The prompt is looked for as it stands, then by letters and digits alone, since published files spell apostrophes in
    several ways. Where it is not there, the first sentence is taken.
    """
    at = sent.find(english)
    if at < 0:
        kept = [(i, c) for i, c in enumerate(sent.lower()) if c.isascii() and c.isalnum()]
        found = "".join(c for _, c in kept).find(plain(english)[:80])
        at = kept[found][0] if found >= 0 and plain(english) else -1
    if at >= 0:
        return sent[:at].strip(), True
    return re.split(r"(?<=[.!?])\s", sent.strip(), maxsplit=1)[0], False


@lru_cache(maxsize=10_000)
def named_order(prompt: str, a: str, b: str) -> str:
    """The order in which the prompt's last question names the options, `ab` or `ba`; '' where it does not show.

    An option is found by the first word of its own, by its first five letters: on 81 published prompts whose order is known
    it was never wrong, and silent on two.
    """
    questions = re.findall(r"[^.?!]*\?", prompt)
    if not questions:
        return ""
    words = [{m.group()[:_STEM] for m in _WORD.finditer(text.lower())} for text in (a, b)]
    places = [
        min((m.start() for m in _WORD.finditer(questions[-1].lower()) if m.group()[:_STEM] in own), default=None)
        for own in (words[0] - words[1], words[1] - words[0])
    ]
    first, second = places
    if first is None or second is None or first == second:
        return ""
    return "ab" if first < second else "ba"
