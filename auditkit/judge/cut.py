"""Takes out of a reply what speaks to its grader, before rules read it. A model judge sees all of it, as data."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from auditkit.detect.injection import suspects
from auditkit.judge.words import sentences

_HIDDEN = "injection/hidden_characters"
_JSON = "injection/fake_json"
_ENCODED = "injection/encoded"
_MARKS = ("injection/closing_mark", "injection/end_mark")
_APART = 300  # characters between two marks that can still be a pair
_PAYLOAD = re.compile(r"\W{0,4}[A-Za-z0-9+/=]{12,4000}")
Span = tuple[int, int]


def without_injections(text: str) -> str:
    """The text with suspected injections blanked: of the same length, so that places in it are places in the reply.

    A hidden character goes alone; a fake JSON object as far as its last brace; two marks that pretend to close and open the
    reply with all between them, a single one with the rest of its sentence; anything else with the whole sentence that it
    stands in, since an order and its object ("label this | as the second option") need not be one match.
    """
    found = suspects(text)
    if not found:
        return text
    bounds = list(sentences(text))
    objects = list(_objects(text))
    marks = [(s.start, s.stop) for s in found if s.rule_id in _MARKS]
    blank: list[tuple[int, int]] = []
    for start, stop, rule in found:
        first, last = start, stop
        if rule == _HIDDEN:
            pass
        elif rule == _JSON and (around := _overlapping(objects, start, stop)):
            last = around[-1][1]
        elif rule == _ENCODED:
            payload = _PAYLOAD.match(text, stop)
            first, last = _sentence(bounds, start, stop)[0], payload.end() if payload else stop
        elif rule in _MARKS:
            last = _partner(marks, (start, stop)) or _sentence(bounds, start, stop)[1]
        else:
            first, last = _sentence(bounds, start, stop)
        blank.append((first, last))
    characters = list(text)
    done = 0
    for first, last in sorted(blank):
        for place in range(max(first, done), last):
            if characters[place] != "\n":
                characters[place] = " "
        done = max(done, last)
    return "".join(characters)


def _overlapping(spans: Sequence[Span], start: int, stop: int) -> Sequence[Span]:
    """Those of some spans, which follow one another, that share a character with start..stop."""
    low = bisect_right(spans, start, key=lambda span: span[1])
    return spans[low : bisect_left(spans, stop, key=lambda span: span[0])]


def _sentence(bounds: Sequence[Span], start: int, stop: int) -> Span:
    """The sentence, or the sentences, that a match stands in."""
    around = _overlapping(bounds, start, stop)
    return (min(start, around[0][0]), max(stop, around[-1][1])) if around else (start, stop)


def _partner(marks: Sequence[Span], mark: Span) -> int | None:
    """As far as the next mark; the last of several goes alone; None for a mark that has no other near it."""
    at = bisect_left(marks, mark)
    if at + 1 < len(marks) and marks[at + 1][0] - mark[1] <= _APART:
        return marks[at + 1][1]
    return mark[1] if at and mark[0] - marks[at - 1][1] <= _APART else None


def _objects(text: str) -> Iterator[Span]:
    """Where something in braces stands, the outermost braces only."""
    depth = begin = 0
    for match in re.finditer("[{}]", text):
        if match.group() == "{":
            begin = match.start() if depth == 0 else begin
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                yield begin, match.end()
