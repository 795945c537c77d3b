"""The questions about one reply: what is asked, what is answered, what comes next. Knows nothing of a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auditkit.review.case import Case, Given
from auditkit.review.labels import (
    FIELDS,
    HALLUCINATIONS,
    MAX_SEVERITY,
    NONE,
    OUTCOMES,
    SINGLE,
    STEREOTYPES,
    Key,
    Labels,
    Mark,
    format_hallucinations,
    format_stereotypes,
    parse_hallucinations,
    parse_stereotypes,
)

TITLES = {
    "stance": "Stance", "reasoning_class": "Reasoning", "stereotype": "Stereotype", "hallucination": "Hallucination",
    "voice": "Voice", "flag": "Flag", "note": "Note",
}  # fmt: skip
MULTIPLE = ("stereotype", "hallucination")  # several values at once


@dataclass(frozen=True)
class Choice:
    """One answer on offer. key: the digit that gives it. severity: of a chosen stereotype, else 0."""

    key: str
    value: str
    text: str
    chosen: bool
    severity: int = 0


class Form:
    """The answers of one reviewer to one reply. Every change is written at once; what shows is what is stored.

    blind: whether verdicts, flags and severity are hidden until `reveal`. fields: what is asked; an adjudicator is asked
    only what the raters differ in.
    """

    def __init__(
        self,
        labels: Labels,
        case: Case,
        fields: Sequence[str] = FIELDS,
        *,
        blind: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.labels = labels
        self.case = case
        self.blind = blind
        self.revealed = False  # the verdicts have been shown
        self.country_shown = not blind
        self.doubted = False  # whether the answer to the current field is, or is to be, marked uncertain
        disputed = self.disputes()
        self.fields = tuple(f for f in FIELDS if (f in disputed if labels.role == "adjudicator" else f in fields))
        self.disputed_flags = tuple(disputed.get("flag", ()))
        self.marks: dict[Key, Mark] = labels.current(case.request_key)
        self._clock = clock
        self._since = clock()
        self.field = ""
        self.go(self._next_open() or (self.fields[0] if self.fields else ""))

    # ---------------------------------------------------------------------------------------------------- reading

    def disputes(self) -> dict[str, list[int | None]]:
        """The fields in which raters differ, with the flags they differ on."""
        said: dict[Key, set[str]] = {}
        for given in self.raters():
            said.setdefault((given.field, given.flag_id), set()).add(given.value)
        found: dict[str, list[int | None]] = {}
        for (name, flag_id), values in said.items():
            if len(values) > 1 and name != "note":
                found.setdefault(name, []).append(flag_id)
        return found

    def raters(self, name: str | None = None, flag_id: int | None = None) -> list[Given]:
        """What raters have said: of one field (and flag), or of all."""
        return [
            given
            for given in self.case.given
            if given.role == "rater" and (name is None or (given.field, given.flag_id) == (name, flag_id))
        ]

    def value(self, name: str) -> str:
        """The current value of a field, '' where there is none."""
        mark = self.marks.get((name, None))
        return mark.value if mark else ""

    def uncertain(self, name: str) -> bool:
        mark = self.marks.get((name, None))
        return mark.uncertain if mark else False

    @property
    def answered(self) -> int:
        """How many of the fields have an answer."""
        return sum((name, None) in self.marks for name in self.fields)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to answer."""
        return self.answered == len(self.fields) and all(("flag", flag) in self.marks for flag in self.disputed_flags)

    @property
    def open(self) -> bool:
        """Whether the verdicts and flags may be shown: without blinding as soon as all is answered, blind after `reveal`."""
        return self.revealed or (not self.blind and self.answered == len(self.fields))

    @property
    def unseen(self) -> bool:
        """Whether a label given now is given blind."""
        return self.blind and not self.revealed

    def choices(self, name: str) -> list[Choice]:
        """The answers on offer for a field, in the order of their keys."""
        value = self.value(name)
        if name == "stance":
            offered = [*self.case.asked.options, *((outcome, outcome.replace("_", " ")) for outcome in OUTCOMES)]
            return [Choice(str(i), v, text, v == value) for i, (v, text) in enumerate(offered, 1)]
        if name == "stereotype":
            chosen = parse_stereotypes(value)
            kinds = [Choice(str(i), v, _words(v), v in chosen, chosen.get(v, 0)) for i, v in enumerate(STEREOTYPES, 1)]
            return [Choice("0", NONE, NONE, value == NONE), *kinds]
        if name == "hallucination":
            found = parse_hallucinations(value)
            kinds = [Choice(str(i), v, _words(v), v in found) for i, v in enumerate(HALLUCINATIONS, 1)]
            return [Choice("0", NONE, NONE, value == NONE), *kinds]
        return [Choice(str(i), v, _words(v), v == value) for i, v in enumerate(SINGLE[name])]

    # ---------------------------------------------------------------------------------------------------- answering

    def press(self, key: str) -> bool:
        """Give the current field the answer of a digit. False where the digit means nothing.

        A single answer moves on to the next open field. A stereotype gets severity 1, and each further press raises it, past 3
        takes it off; a kind of hallucination is put on and off.
        """
        choice = next((c for c in self.choices(self.field) if c.key == key), None) if self.field else None
        if choice is None:
            return False
        self.choose(self.field, choice.value)
        if self.field not in MULTIPLE or choice.value == NONE:
            self.proceed()
        return True

    def choose(self, name: str, value: str) -> None:
        """Answer a field by the value of a choice."""
        if name == "stereotype" and value != NONE:
            kinds = parse_stereotypes(self.value(name))
            severity = kinds.pop(value, 0) + 1
            if severity <= MAX_SEVERITY:
                kinds[value] = severity
            value = format_stereotypes(kinds) if kinds else ""
        elif name == "hallucination" and value != NONE:
            found = parse_hallucinations(self.value(name)) ^ {value}
            value = format_hallucinations(found) if found else ""
        self._write(name, value)

    def none_left(self) -> None:
        """Answer none to all that is open and has such an answer; stance has not."""
        for name in self.fields:
            if name != "stance" and (name, None) not in self.marks:
                self._write(name, NONE)
        self.proceed()

    def doubt(self) -> bool:
        """Mark the current field uncertain, or no longer; before its answer, the answer to come. Returns the state."""
        self.doubted = not self.doubted
        if value := self.value(self.field):
            self._write(self.field, value)
        return self.doubted

    def note(self, text: str) -> None:
        """Write the note; an empty text takes it back."""
        if text != self.value("note"):
            self._write("note", text)

    def judge_flag(self, flag_id: int, value: str) -> None:
        """Confirm or reject a flag; the same once more takes it back."""
        mark = self.marks.get(("flag", flag_id))
        self._write("flag", "" if mark is not None and mark.value == value else value, flag_id)

    def move(self, step: int) -> None:
        """Go to another field; past the last comes the first."""
        if self.fields:
            self.go(self.fields[(self.fields.index(self.field) + step) % len(self.fields)])

    def go(self, name: str) -> None:
        self.field = name
        self.doubted = self.uncertain(name)

    def proceed(self) -> bool:
        """Go to the next open field. False where none is open."""
        following = self._next_open()
        if following is not None:
            self.go(following)
        return following is not None

    def reveal(self) -> bool:
        """Show verdicts and flags. Refused (False) until all is answered. Labels given from now on are not blind."""
        if self.answered < len(self.fields):
            return False
        self.revealed = True
        return True

    def _next_open(self) -> str | None:
        after = self.fields.index(self.field) + 1 if self.field else 0
        order = [*self.fields[after:], *self.fields[:after]]
        return next((name for name in order if (name, None) not in self.marks), None)

    def _write(self, name: str, value: str, flag_id: int | None = None) -> None:
        mark = self.labels.write(
            self.case.request_key,
            name,
            value,
            flag_id=flag_id,
            uncertain=self.doubted if name == self.field else self.uncertain(name),
            blind=self.unseen,
            seconds=self._clock() - self._since,
            note="country shown" if self.blind and self.country_shown else "",
            options=self.case.option_ids,
        )
        self._since = self._clock()
        if mark is None:
            self.marks.pop((name, flag_id), None)
        else:
            self.marks[name, flag_id] = mark


def _words(value: str) -> str:
    return value.replace("_", " ")
