"""What a published file holds, by its columns and its path; what its labels say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from auditkit.errors import AuditError
from auditkit.importers.layout import Table

# dimension -> how the options' columns begin, how the judge's labels begin (first pole, second pole), score and class columns;
# beginnings, since published labels come with typing errors and suffixes ("Collectivistic", "Low Power Distanc")
DIMENSIONS = {
    "individualism": (("expectedindiv", "expectedcoll"), ("indiv", "coll"), "individualisticcollectivistscore", "individualistic"),
    "mas": (("expectedmasc", "expectedfem"), ("masc|highmas", "fem|lowmas"), "masscore", "masculine"),
    "uncertainty_avoidance": (("expectedhighuncert", "expectedlowuncert"), ("highuncert", "lowuncert"), "uncertaintyavoidancescore", "highuncertaintyavoidance"),
    "power_distance": (("expectedhighpower", "expectedlowpower"), ("highpower", "lowpower"), "powerdistanceindexscore", "highpowerdistanceindex"),
    "orientation": (("expectedlong", "expectedshort"), ("long", "short"), "longtermorientationscore", "longtermorientation"),
}  # fmt: skip
_IN_NAMES = {
    "individualism": "individual|collectiv",
    "mas": r"(?<![a-z])mas(?![a-z])|masculin",
    "uncertainty_avoidance": "uncertain",
    "power_distance": "power",
    "orientation": "orientation|long_?term",
}
MODE_IN_NAMES = {"persona": "persona", "multilingual": "multiling"}
_SENT = {"persona": "englishpromptpersonanationality", "multilingual": "translatedprompt", "baseline": "englishprompt"}


@dataclass
class File:
    """The columns of a file, by what they hold."""

    model: str
    mode: str
    dimension: str
    sent: str
    english: str | None
    country: str
    reply: str
    label: str
    judge: str | None
    language: str | None
    options: tuple[str, str]
    score: str | None
    high: str | None
    wordings: list[tuple[str, str]] = field(default_factory=list)  # (item id, English) by place, where english is None

    def order(self, table: Table) -> tuple[bool, str, str, str, str]:
        return self.english is None, self.model, self.mode, self.dimension, table.path.name


def describe(
    table: Table, known: Iterable[str], model: str | None = None, mode: str | None = None, dimension: str | None = None
) -> File:
    """What a file's columns and path say, where model, mode and dimension are not given; `known` are the dimensions there are.

    Raises AuditError that names the file and what is missing.
    """
    dimension = _dimension_of(table, known, dimension)
    mode = mode or _mode_of(table)
    starts, _, score, high = DIMENSIONS[dimension]
    first, second = (next(n for p, n in table.plain_columns.items() if p.startswith(start)) for start in starts)
    columns = table.plain_columns
    return File(
        model=model or _model_in(table.path),
        mode=mode,
        dimension=dimension,
        sent=table.column(_SENT[mode]),
        english=columns.get("englishprompt") if mode == "multilingual" else table.column("English_Prompt"),
        country=table.column("Target_Nationality"),
        reply=table.column("LLM_Response"),
        label=table.column("Matching_Choice"),
        judge=columns.get("bestanswer"),
        language=columns.get("targetlanguage"),
        options=(first, second),
        score=columns.get(score),
        high=columns.get(high),
    )


def _dimension_of(table: Table, known: Iterable[str], wanted: str | None) -> str:
    pairs = [
        name
        for name, (starts, *_) in DIMENSIONS.items()
        if name in known and all(any(p.startswith(start) for p in table.plain_columns) for start in starts)
    ]
    if not pairs:
        raise AuditError(
            f"{table.path}: no pair of columns with the two options, such as Expected_Masculine and Expected_Feminine;"
            f" it has {', '.join(table.columns)}"
        )
    fitting = [wanted] if wanted else pairs if len(pairs) == 1 else _named(table.path, _IN_NAMES)
    if len(fitting) != 1 or fitting[0] not in pairs:
        raise AuditError(f"{table.path}: has the options of {', '.join(pairs)}; say which of these with --dimension")
    return fitting[0]


def _mode_of(table: Table) -> str:
    held = [mode for mode in MODE_IN_NAMES if _SENT[mode] in table.plain_columns]
    named = _named(table.path, MODE_IN_NAMES)
    fitting = [mode for mode in held if mode in named] or held
    if len(fitting) != 1:
        which = "both" if held else "neither"
        raise AuditError(
            f"{table.path}: has {which} of the columns English_Prompt_Persona_Nationality and Translated_Prompt;"
            " say what was sent with --mode persona, multilingual or baseline"
        )
    return fitting[0]


def _named(path: Path, names: dict[str, str]) -> list[str]:
    """Which of the names a path's own name or its folder hint at; the file's name goes first."""
    for part in (path.name, path.parent.name):
        found = [name for name, pattern in names.items() if re.search(pattern, part.lower())]
        if found:
            return found
    return []


def _model_in(path: Path) -> str:
    """The folder above personas/ or multilingual/, as in results/llama3/personas/x.csv, else the file's own name."""
    folder = path.resolve().parent
    if re.match("persona|multiling", folder.name.lower()) and folder.parent.name:
        return folder.parent.name
    match = re.match(r"output_(.+?)_(?:personas?|multilingual)(?:_|\.)", path.name.lower())
    if match is None:
        raise AuditError(f"{path}: which model wrote these replies? the path does not say; give --model NAME")
    return match.group(1)


def read_label(label: str, dimension: str) -> tuple[str | None, str | None, str]:
    """(outcome, option id, why it cannot be read) of a published label; an empty one has neither outcome nor trouble."""
    letters = re.sub("[^a-z]", "", label.lower())
    if not letters:
        return None, None, ""
    if letters.startswith("inco"):
        return "unclear", None, ""
    first, second = DIMENSIONS[dimension][1] if dimension in DIMENSIONS else ("first", "second")
    if re.match(f"{first}|first", letters):
        return "chose", "a", ""
    if re.match(f"{second}|second", letters):
        return "chose", "b", ""
    return None, None, f"label {label!r} is no pole of {dimension}"
