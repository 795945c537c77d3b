"""Any long table, a row a reply: a map in TOML says which column holds what."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditkit.data import ENGLISH, Content
from auditkit.errors import AuditError, unknown
from auditkit.importers.layout import Record, RowError, Table
from auditkit.importers.wordings import item_id, split_persona
from auditkit.plan import MODES

FIELDS = {
    "model": "name of the model",
    "mode": "baseline, persona, multilingual or crossed",
    "dimension": "individualism, mas, uncertainty_avoidance, power_distance or orientation",
    "country": "name or ISO code; none in baseline",
    "language": "name or FLORES-200 code of the language asked in; default: English, or the country's in multilingual and crossed",
    "item": "name of the dilemma; default: made from its wording",
    "scenario": "the dilemma in English, without the persona sentence; default: the prompt",
    "prompt": "what was sent",
    "option_a": "the option of the first pole (high score)",
    "option_b": "the option of the second pole (low score)",
    "persona": "the persona sentence; default: what stands before the scenario in the prompt",
    "template": "name of the persona's wording",
    "reply": "what the model answered",
    "label": "what a judge or a person made of the reply",
    "sample": "number of the repetition, from 0; default: counted",
}
OUTCOMES = ("first", "second", "both", "neither", "refused", "unclear", "cut_off")
_NEEDED = ("model", "mode", "dimension")

EXAMPLE = """\
# Which column of the table holds what, for `auditkit import csv TABLE --map map.toml`.
# Fields: {fields}.
source = "my-study-2026"          # a name for the data; it tells its labels from those of other data

[columns]                         # field = "name of the column"
country = "Country"
item = "question_id"
scenario = "question"
prompt = "prompt"
option_a = "option_individualist" # the option of the first pole: the one that a high score stands for
option_b = "option_collectivist"
reply = "answer"
label = "human_label"

[constants]                       # field = "the same for all rows"
model = "some-model"
mode = "persona"
dimension = "individualism"

[label_values]                    # what stands in the column of labels = {outcomes}
A = "first"
B = "second"
"can't tell" = "unclear"

# [values.mode]                   # what stands in a column = what it means, for any field
# "lang" = "multilingual"
"""


def example() -> str:
    """A map to start from."""
    return EXAMPLE.format(fields=", ".join(FIELDS), outcomes=", ".join(OUTCOMES))


@dataclass(frozen=True)
class Map:
    """A map as its file says it."""

    source: str
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    label_values: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, path: Path) -> Map:
        """Raises AuditError that names what does not fit."""
        try:
            with path.open("rb") as stream:
                top = tomllib.load(stream)
        except OSError as error:
            raise AuditError(f"{path}: cannot be read: {error.strerror or error}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise AuditError(f"{path}: not TOML: {error}") from None
        tables = ("columns", "constants", "label_values", "values")
        for name in top:
            if name not in ("source", *tables):
                raise AuditError(f"{path}: {unknown('table', name, ['source', *tables])}")
        columns, constants, labels, values = (_table(path, top, name) for name in tables)
        for part, given in (("columns", columns), ("constants", constants), ("values", values)):
            for name in given:
                if name not in FIELDS:
                    raise AuditError(f"{path}: [{part}]: {unknown('field', name, FIELDS)}")
        for name in columns:
            if name in constants:
                raise AuditError(f"{path}: {name!r} stands in [columns] and in [constants]; keep one of them")
        for label, meaning in labels.items():
            if meaning not in OUTCOMES:
                raise AuditError(f"{path}: [label_values] {label!r}: {unknown('outcome', str(meaning), OUTCOMES)}")
        given_fields = {*columns, *constants}
        for name in _NEEDED:
            if name not in given_fields:
                raise AuditError(f"{path}: says nothing of {name!r} ({FIELDS[name]}); name its column, or a constant")
        if "reply" not in columns and "label" not in columns:
            raise AuditError(f"{path}: [columns] needs reply, label or both: else there is nothing to import")
        if "reply" in columns:
            for name in ("option_a", "option_b"):
                if name not in given_fields:
                    raise AuditError(f"{path}: says nothing of {name!r} ({FIELDS[name]}); judges cannot do without")
            if not {"prompt", "scenario"} & given_fields:
                raise AuditError(f"{path}: needs a column for the prompt, or for the scenario")
        elif not {"item", "prompt", "scenario"} & given_fields:
            raise AuditError(f"{path}: needs a column that tells the dilemmas apart: item, scenario or prompt")
        by_field = {name: _table(path, values, name) for name in values}
        return cls(str(top.get("source", "table")), columns, constants, labels, by_field)


def _table(path: Path, top: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = top.get(name, {})
    if not isinstance(found, dict):
        raise AuditError(f"{path}: {name} must be a table, written [{name}]")
    return {key: value if isinstance(value, dict) else str(value) for key, value in found.items()}


class LongTable:
    """The layout over one table and its map. Raises AuditError for a column of the map that the table lacks."""

    def __init__(self, content: Content, table: Table, map_: Map) -> None:
        self.content = content
        self.tables = [table]
        self.map = map_
        self.source = map_.source
        self.has_replies = "reply" in map_.columns
        self.has_labels = "label" in map_.columns
        self._column = {name: table.column(column) for name, column in map_.columns.items()}

    @property
    def identity(self) -> dict[str, Any]:
        """The file by content, and the whole map."""
        return {
            "files": [self.tables[0].digest],
            "columns": self._column,
            "constants": dict(self.map.constants),
            "label_values": dict(self.map.label_values),
            "values": {name: dict(values) for name, values in self.map.values.items()},
        }

    @property
    def meanings(self) -> dict[str, Any]:
        """The column of labels and what stands for what in it."""
        renamed = dict(self.map.values.get("label", {}))
        return {"column": self._column.get("label"), "means": dict(self.map.label_values), "renamed": renamed}

    def notes(self) -> list[str]:
        """Nothing that the survey does not say."""
        return []

    def records(self, table: Table) -> Iterator[tuple[int, Record | RowError]]:
        """(row number, what it says or why it cannot be taken)."""
        for number, cells in table.rows():
            if isinstance(cells, RowError):
                yield number, cells
                continue
            try:
                yield number, self._record(cells)
            except RowError as error:
                yield number, error

    def _value(self, cells: Mapping[str, str], name: str) -> str:
        column = self._column.get(name)
        found = self.map.constants.get(name, "") if column is None else cells[column].strip()
        return self.map.values.get(name, {}).get(found, found)

    def _fault(self, name: str, what: str, error: object, *, country: bool = False) -> RowError:
        column = self._column.get(name)
        where = f"column {column!r}: " if column else ""
        return RowError(what, f"{where}{error}", country=country)

    def _one_of(self, cells: Mapping[str, str], name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
        value = self._value(cells, name)
        if value.lower() not in known:
            raise self._fault(name, f"unknown {name} {value!r}", unknown(name, value, known))
        return value.lower()

    def _record(self, cells: Mapping[str, str]) -> Record:
        model = self._value(cells, "model")
        if not model:
            raise self._fault("model", "no model", "nothing there; a reply needs a model")
        mode = self._one_of(cells, "mode", MODES)
        dimension = self._one_of(cells, "dimension", self.content.dimensions)
        country = None if mode == "baseline" else self._country(cells, mode)
        lang = self._language(cells, mode, country)
        prompt, scenario = self._value(cells, "prompt"), self._value(cells, "scenario")
        wording = scenario or prompt
        item = self._value(cells, "item") or (item_id(dimension, wording) if wording else "")
        if not item or (self.has_replies and not wording):
            raise RowError("no prompt", "no dilemma: item, scenario and prompt are empty")
        poles = self.content.dimensions[dimension]
        a, b = self._value(cells, "option_a"), self._value(cells, "option_b")
        if self.has_replies and not (a and b):
            name = "option_b" if a else "option_a"
            raise self._fault(name, "no option text", f"nothing there for {name}; judges need both options")
        persona, template, strength = "", "", ""
        if mode in {"persona", "crossed"}:
            persona, template, strength = self._persona(cells, prompt, scenario, country or "")
        reply = cells[self._column["reply"]] if self.has_replies else None
        label = self._value(cells, "label")
        outcome, option_id, trouble = self._label(label) if self.has_labels else (None, None, "")
        return Record(
            model=model, mode=mode, dimension=dimension, country=country, lang=lang, item_id=item, scenario=wording,
            a=a or poles.first, b=b or poles.second, sent=prompt or None, reply=reply, said=label if self.has_labels else None,
            label=label, outcome=outcome, option_id=option_id, trouble=trouble, persona=persona, template=template,
            strength=strength, translated=prompt if lang != ENGLISH and scenario and prompt and prompt != scenario else None,
            sample=self._sample(cells),
        )  # fmt: skip

    def _country(self, cells: Mapping[str, str], mode: str) -> str:
        name = self._value(cells, "country")
        if not name:
            raise self._fault("country", "no country", f"no country, which a reply in {mode} mode needs")
        try:
            return self.content.country(name).iso3
        except AuditError as error:
            raise self._fault("country", f"unknown country {name!r}", error, country=True) from None

    def _language(self, cells: Mapping[str, str], mode: str, country: str | None) -> str:
        name = self._value(cells, "language")
        if not name:
            own = mode in {"multilingual", "crossed"} and country is not None
            return self.content.countries[country].language if own and country else ENGLISH
        try:
            return self.content.language(name)
        except AuditError as error:
            raise self._fault("language", f"unknown language {name!r}", error) from None

    def _persona(self, cells: Mapping[str, str], prompt: str, scenario: str, country: str) -> tuple[str, str, str]:
        """(sentence, template, strength): as given, else from the template, else what stands before the scenario."""
        name = self._value(cells, "template")
        template = self.content.templates.get(name)
        sentence = self._value(cells, "persona")
        if not sentence and template is not None:
            sentence = template.render(self.content.countries[country])
        if not sentence and prompt and scenario:
            found, known = split_persona(prompt, scenario)
            sentence = found if known else ""
        return sentence, name, template.strength if template else "unknown"

    def _label(self, label: str) -> tuple[str | None, str | None, str]:
        if not label:
            return None, None, ""
        meaning = self.map.label_values.get(label, label if label in OUTCOMES else "")
        if not meaning:
            return None, None, f"column {self._column['label']!r}: label {label!r} is not in [label_values] of the map"
        option = {"first": "a", "second": "b"}.get(meaning)
        return ("chose" if option else meaning), option, ""

    def _sample(self, cells: Mapping[str, str]) -> int | None:
        if "sample" not in self._column:
            return None
        text = self._value(cells, "sample")
        if not (text.isascii() and text.isdigit()):
            raise self._fault("sample", "bad sample", f"{text!r} is no whole number from 0 on")
        return int(text)
