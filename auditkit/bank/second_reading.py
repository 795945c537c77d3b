"""Second readings: the review file, and the sheet of what is still to be read."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditkit.bank.text import read_lines
from auditkit.errors import ContentError

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.bank.read import Bank
    from auditkit.data import Dilemma


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: str
    round: int = Field(ge=1)  # of this dilemma: its first reading is round 1
    line: int = Field(default=0, exclude=True)


class Reading(_Line):
    """One reading of a dilemma by someone who did not know its poles. Options are named by their id, not by their place."""

    source: str  # `Dilemma.text.key` of the wording that was read
    reader: str = Field(min_length=1)
    date: dt.date
    order: Literal["ab", "ba"]  # as shown to the reader
    first_pole: Literal["a", "b", "unclear"]  # right is always a
    reasonable: Literal["both", "a", "b", "neither"]
    doubt: bool
    remark: str = ""

    @property
    def clean(self) -> bool:
        return self.first_pole == "a" and self.reasonable == "both" and not self.doubt

    def complaint(self) -> str:
        """What was wrong with the dilemma, in a few words; empty for a clean reading."""
        parts = []
        if self.first_pole == "b":
            parts.append("option b read as the first pole")
        elif self.first_pole == "unclear":
            parts.append("poles unclear to the reader")
        if self.reasonable != "both":
            parts.append(
                "no option reasonable" if self.reasonable == "neither" else f"only option {self.reasonable} reasonable"
            )
        if self.doubt:
            parts.append("doubted")
        return ", ".join(parts)


class Rewrite(_Line):
    """A dilemma was rewritten after the reading of this round."""

    rewritten: Literal[True]
    why: str
    change: str = ""
    date: dt.date | None = None


def load_review(path: Path) -> tuple[list[Reading], list[Rewrite]]:
    """Readings and rewrites in the order of the file. Raises ContentError with file, line and reason."""
    readings: list[Reading] = []
    rewrites: list[Rewrite] = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            if not isinstance(value, dict) or "line" in value:
                raise ContentError(f"{path}:{number}: expected a reading or a rewrite, found {line.strip()[:60]!r}")
            if "rewritten" in value:
                rewrites.append(Rewrite.model_validate({**value, "line": number}))
            else:
                readings.append(Reading.model_validate({**value, "line": number}))
        except json.JSONDecodeError as error:
            raise ContentError(f"{path}:{number}: not JSON: {error.msg}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ContentError(f"{path}:{number}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    return readings, rewrites


@dataclass(frozen=True)
class SheetEntry:
    """A dilemma to be read: what the reader sees, and the line of the review file to fill in afterwards."""

    dilemma: Dilemma
    order: str
    line: dict[str, Any]


def sheet(bank: Bank) -> list[SheetEntry]:
    """The dilemmas whose present wording has no reading, in an order of options that follows from the wording's key.

    The order is the parity of the key's last digit, which nobody who writes a dilemma can choose. The dilemmas of a dimension
    are sorted by key, so that their order tells nothing either.
    """
    rounds = Counter[str]()
    for reading in bank.readings:
        rounds[reading.id] = max(rounds[reading.id], reading.round)
    entries = []
    for found in bank.by_dimension.values():
        for d in sorted((d for d in found if bank.last_reading(d) is None), key=lambda d: d.text.key):
            order = "ab" if int(d.text.key[-1], 16) % 2 == 0 else "ba"
            line = {
                "id": d.id, "source": d.text.key, "round": rounds[d.id] + 1, "reader": "", "date": "", "order": order,
                "first_pole": "", "reasonable": "", "doubt": None, "remark": "",
            }  # fmt: skip
            entries.append(SheetEntry(d, order, line))
    return entries
