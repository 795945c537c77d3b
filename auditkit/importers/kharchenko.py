"""The tables published with Kharchenko, Roosta, Chadha & Shah (2024, arXiv 2406.14805).

A row is a prompt, a country, a reply and what the authors' judge made of it. The columns `Tested_Value` and
`Personas_or_Multilingual` are not read: they say the same in every published file. What was tested follows from the pair of
`Expected_` columns, and the mode from the column that holds the prompt as it was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from auditkit.data import ENGLISH, Content
from auditkit.errors import AuditError, unknown
from auditkit.importers.layout import Record, RowError, Table, listed, plain
from auditkit.importers.published import MODE_IN_NAMES, File, describe, read_label
from auditkit.importers.wordings import Places, item_id, paired, split_persona

_LABEL_TABLE = ("model", "approach", "dimension", "country", "prompt_index", "pole_label")


@dataclass
class Kharchenko:
    """The layout over some files. `model`, `mode` and `dimension` stand for all of them; None reads each file's path and columns."""

    content: Content
    tables: list[Table]
    model: str | None = None
    mode: str | None = None
    dimension: str | None = None
    source: str = "kharchenko2024"
    has_labels: bool = True
    _files: dict[str, File] = field(default_factory=dict, repr=False)
    _claims: dict[tuple[str, str, str], str] = field(default_factory=dict, repr=False)
    _noted: Counter[str] = field(default_factory=Counter, repr=False)  # by rows
    _said: dict[str, None] = field(default_factory=dict, repr=False)
    _templates: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.dimension is not None and self.dimension not in self.content.dimensions:
            raise unknown("dimension", self.dimension, self.content.dimensions)
        labels_only = [all(plain(name) in t.plain_columns for name in _LABEL_TABLE) for t in self.tables]
        if any(labels_only) and not all(labels_only):
            raise AuditError(
                "tables with replies and tables of labels only do not go into one import; import them apart"
            )
        self.has_replies = not any(labels_only)
        if self.has_replies:
            self._files = {
                t.digest: describe(t, self.content.dimensions, self.model, self.mode, self.dimension)
                for t in self.tables
            }
            # files that hold the English wording first: the others are matched with it
            self.tables.sort(key=lambda t: self._files[t.digest].order(t))
            self._match_without_english()

    @property
    def identity(self) -> dict[str, Any]:
        """Model, mode and dimension of each file, by its content."""
        if not self.has_replies:
            return {"files": sorted([t.digest, self.model, self.mode, self.dimension] for t in self.tables)}
        return {"files": sorted([key, f.model, f.mode, f.dimension] for key, f in self._files.items())}

    @property
    def meanings(self) -> dict[str, Any]:
        """Nothing: a label names a pole of the row's dimension."""
        return {}

    def notes(self) -> list[str]:
        """What a reader should know of the rows that have been read."""
        out = [*self._said, *(f"{text}: {n:,} rows" for text, n in self._noted.items())]
        differ: dict[str, list[str]] = {}
        for (what, iso3, dimension), claimed in sorted(self._claims.items()):
            country = self.content.countries[iso3]
            score = country.scores.get("paper", {}).get(self.content.dimensions[dimension].score)
            if score is None:
                continue
            if what == "score" and _number(claimed) not in {None, score}:
                differ.setdefault(f"scores of {dimension} in the files that are not the country table's", []).append(
                    f"{country.title} {claimed} (table: {score:g})"
                )
            elif what == "class" and _boolean(claimed) not in {None, score > 50}:
                differ.setdefault(f"classes of {dimension} in the files that are not score above 50", []).append(
                    f"{country.title} {score:g}"
                )
        return out + [f"{text}: {listed(names)}" for text, names in differ.items()]

    def records(self, table: Table) -> Iterator[tuple[int, Record | RowError]]:
        """(row number, what it says or why it cannot be taken)."""
        read = self._full if self.has_replies else self._labels_only
        places = Places()
        for number, cells in table.rows():
            if isinstance(cells, RowError):
                yield number, cells
                continue
            try:
                yield number, read(table, cells, places)
            except RowError as error:
                yield number, error

    # ------------------------------------------------------------------------------------------- one row of a file

    def _full(self, table: Table, cells: dict[str, str], places: Places) -> Record:
        file = self._files[table.digest]
        iso3, title = self._country(cells[file.country])
        sent = cells[file.sent]
        if not sent.strip():
            raise RowError("no prompt", f"nothing in {file.sent}")
        self._claim(cells, file, iso3)
        dimension = self.content.dimensions[file.dimension]
        a, b = (
            cells[name].strip() or pole
            for name, pole in zip(file.options, (dimension.first, dimension.second), strict=True)
        )
        if not (cells[file.options[0]].strip() and cells[file.options[1]].strip()):
            self._noted["the text of an option is missing, so the name of its pole stands for it"] += 1
        lang, persona, template, strength, translated = ENGLISH, "", "", "", None
        if file.english is not None:
            english = cells[file.english].strip()
            if not english:
                raise RowError("no prompt", f"nothing in {file.english}")
            item = item_id(file.dimension, english)
        else:
            item, english = self._matched(file, iso3, sent, places)
        if file.mode == "persona":
            persona, found = split_persona(sent, english)
            if not found:
                self._noted[
                    "the prompt as sent does not hold the English prompt, so its first sentence is the persona"
                ] += 1
            template, strength = self._template(persona, cells[file.country].strip())
        elif file.mode == "multilingual":
            lang = self._language(cells[file.language].strip() if file.language else "", iso3)
            if lang != self.content.countries[iso3].language:
                self._noted[f"asked in {lang}, which is not the language of {title} in the country table"] += 1
            translated = None if sent.strip() == english and lang == ENGLISH else sent
        outcome, option_id, trouble = read_label(cells[file.label], file.dimension)
        return Record(
            model=file.model, mode=file.mode, dimension=file.dimension, country=None if file.mode == "baseline" else iso3,
            lang=lang, item_id=item, scenario=english, a=a, b=b, sent=sent, reply=cells[file.reply],
            said=cells[file.judge] if file.judge else cells[file.label], label=cells[file.label], outcome=outcome,
            option_id=option_id, trouble=trouble, persona=persona, template=template, strength=strength, translated=translated,
        )  # fmt: skip

    def _labels_only(self, table: Table, cells: dict[str, str], places: Places) -> Record:
        model, approach, code, country, index, label = (cells[table.column(name)].strip() for name in _LABEL_TABLE)
        iso3, _ = self._country(country)
        mode = self.mode or next((m for m, start in MODE_IN_NAMES.items() if approach.lower().startswith(start)), None)
        if mode is None:
            raise RowError("unknown approach", str(unknown("approach", approach, MODE_IN_NAMES)))
        codes = {d.score: name for name, d in self.content.dimensions.items()}
        dimension = self.dimension or codes.get(code.lower(), code.lower())
        if dimension not in self.content.dimensions:
            raise RowError("unknown dimension", str(unknown("dimension", code, [*codes, *self.content.dimensions])))
        if not index:
            raise RowError("no prompt", "nothing in prompt_index")
        poles = self.content.dimensions[dimension]
        outcome, option_id, trouble = read_label(label, dimension)
        for what, name in (("score", "countryscore"), ("class", "countryhigh")):
            if name in table.plain_columns:
                self._claims.setdefault((what, iso3, dimension), cells[table.plain_columns[name]].strip())
        return Record(
            model=self.model or model, mode=mode, dimension=dimension, country=iso3,
            lang=self.content.countries[iso3].language if mode == "multilingual" else ENGLISH,
            item_id=f"{dimension}-prompt-{index.zfill(2)}", scenario="", a=poles.first, b=poles.second, sent=None, reply=None,
            said=label, label=label, outcome=outcome, option_id=option_id, trouble=trouble,
        )  # fmt: skip

    def _country(self, name: str) -> tuple[str, str]:
        try:
            country = self.content.country(name)
        except AuditError as error:
            raise RowError(f"unknown country {name!r}", str(error), country=True) from None
        return country.iso3, country.title

    def _language(self, name: str, iso3: str) -> str:
        if not name:
            return self.content.countries[iso3].language
        try:
            return self.content.language(name)
        except AuditError as error:
            raise RowError(f"unknown language {name!r}", str(error)) from None

    def _template(self, persona: str, country: str) -> tuple[str, str]:
        """(id, strength) of the template that renders as this sentence, by letters, with the file's spelling of the country."""
        if (persona, country) not in self._templates:
            letters = plain(persona)
            self._templates[persona, country] = next(
                (
                    (template.id, template.strength)
                    for template in self.content.templates.values()
                    if plain(template.text.replace("{country}", country)) == letters
                ),
                ("published", "unknown"),
            )
        return self._templates[persona, country]

    def _claim(self, cells: dict[str, str], file: File, iso3: str) -> None:
        for what, name in (("score", file.score), ("class", file.high)):
            if name is not None:
                self._claims.setdefault((what, iso3, file.dimension), cells[name].strip())

    # --------------------------------------------------------------------------------- files without English prompts

    def _match_without_english(self) -> None:
        """Find the English wording for files that hold the translated prompts only.

        A prompt is known there by its place among its country's prompts. The rows in English give the wording at each place,
        and the other files of this import the original that it paraphrases.
        """
        lacking = [t for t in self.tables if self._files[t.digest].english is None]
        originals: dict[str, dict[str, str]] = {}
        for table in self.tables if lacking else ():
            file = self._files[table.digest]
            if file.english is not None:
                known = originals.setdefault(file.dimension, {})
                for _, cells in table.rows():
                    if not isinstance(cells, RowError) and (text := cells[file.english].strip()):
                        known.setdefault(item_id(file.dimension, text), text)
        for table in lacking:
            file = self._files[table.digest]
            wordings = self._wordings(table, file)
            file.wordings = list(paired(file.dimension, wordings, originals.get(file.dimension, {})))
            new = sum(wording == text for wording, (_, text) in zip(wordings, file.wordings, strict=True))
            if new:
                self._said[
                    f"{table.path.name} holds no English prompts; {new} of its {len(wordings)} dilemmas are named by their"
                    " wording in its English rows, and not joined with those of files that hold the originals"
                ] = None

    def _wordings(self, table: Table, file: File) -> list[str]:
        """The prompts of a file in English, in their order; those of its first country where none are in English."""
        english: dict[str, None] = {}
        first: dict[str, None] = {}
        first_country = None
        for _, cells in table.rows():
            if isinstance(cells, RowError):
                continue
            country, sent = cells[file.country].strip(), cells[file.sent].strip()
            first_country = first_country or country
            try:
                lang = self._language(cells[file.language].strip() if file.language else "", self._country(country)[0])
            except RowError:
                continue
            if lang == ENGLISH:
                english[sent] = None
            if country == first_country:
                first[sent] = None
        if not english:
            self._said[f"{table.path.name} holds no English wording: that of {first_country} stands for it"] = None
        return list(english or first)

    def _matched(self, file: File, iso3: str, sent: str, places: Places) -> tuple[str, str]:
        at = places.of(iso3, sent)
        if at >= len(file.wordings):
            raise RowError(
                "prompt without an English wording",
                f"prompt {at + 1} of {iso3}, while the file has {len(file.wordings)} in English to match them with",
            )
        return file.wordings[at]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _boolean(text: str) -> bool | None:
    return {
        "true": True,
        "1": True,
        "yes": True,
        "1.0": True,
        "false": False,
        "0": False,
        "no": False,
        "0.0": False,
    }.get(text.lower())
