"""What explains an export to somebody who was not there: dictionary, README."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from auditkit import __version__
from auditkit.export.columns import DICTIONARY_HEAD, TABLES
from auditkit.export.files import Exported
from auditkit.export.rows import Run
from auditkit.store import now
from auditkit.summary import STATES


def dictionary_rows() -> list[tuple[str, ...]]:
    """The data dictionary: (table, column, type, unit, meaning, allowed values, guarded in CSV), a row a column."""
    return [
        (table, c.name, c.type, c.unit, c.meaning, c.values, "yes" if c.written_by == "model" else "no")
        for table, columns in TABLES.items()
        for c in columns
    ]


def write_dictionary(work: Path) -> None:
    with (work / "data_dictionary.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(DICTIONARY_HEAD)
        writer.writerows(dictionary_rows())
    lines = [
        "# Data dictionary",
        "",
        "An empty cell is no value; in CSV it may also be an empty text. Types: text, integer (64 bit), number (double).",
        "",
        _GUARD_NOTE,
    ]
    for table, columns in TABLES.items():
        lines += ["", f"## {table}", "", _TABLE_MEANING[table], ""]
        lines += _markdown(
            ("column", "type", "unit", "meaning", "allowed values"),
            [
                (
                    f"`{c.name}`",
                    c.type,
                    c.unit,
                    c.meaning + (" Guarded in CSV." if c.written_by == "model" else ""),
                    c.values,
                )
                for c in columns
            ],
        )
    (work / "data_dictionary.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


_TABLE_MEANING = {
    "answers": "One row a cell of the run and stance judge. A cell that two judges read stands twice; one with no reply or no "
    "verdict stands there with empty columns.",
    "attempts": "One row a call, successful or not, by the audited model or a model judge. The rule judge makes no calls.",
    "counts": "One row a dilemma, country, model, mode and judge, with the number of cells in every state. The states of a row "
    "add up to `asked`.",
    "verdicts": "One row a single reading by a judge. A reply that several cells or runs share is read once and stands once.",
    "cultures": "One row a cell and culture judge, the detector's rules included. Empty where no such judge was asked for.",
    "flags": "One row a span that a culture judge or the detector flagged.",
    "labels": "One row a thing that a person said in review, in the order in which it was said.",
}
_GUARD_NOTE = (
    "Text that a model or its server wrote can begin with a character that a spreadsheet takes for a formula. In CSV such a "
    "cell (beginning with `=`, `+`, `-`, `@`, tab or carriage return, after any apostrophes) has one apostrophe put in front; "
    "take off one apostrophe wherever it stands before such a cell and the text is what it was. Only the columns that say so "
    "are guarded. Parquet and JSON lines hold the text as it came."
)


def readme(
    runs: Sequence[Run], done: Exported, counts: dict[str, int | None], formats: Sequence[str], *, every: bool
) -> str:
    """What lies in the folder, for somebody who was not there."""
    lines = ["# An export of auditkit", "", f"Written {now()} by auditkit {__version__}.", "", "## Files", ""]
    about = {
        "answers": "one row a cell and stance judge",
        "attempts": "one row a call that was made, with tokens and price",
        "counts": "dilemma by country by model by mode by judge: cells in every state",
        "verdicts": "one row a single reading by a judge, with its evidence",
        "cultures": "one row a cell and culture judge: reasoning class, numbers of flags",
        "flags": "one row a flagged span",
        "labels": "one row a thing that a person said in review",
        "data_dictionary": "every column: type, unit, meaning, allowed values",
        "manifest": "what was asked, with which versions" + (", by run id" if every else ""),
        "README": "this file",
    }
    lines += _markdown(
        ("file", "rows", "what"),
        [(f"`{name}`", "" if n is None else f"{n:,}", about[name.partition(".")[0]]) for name, n in counts.items()],
    )
    if done.stale:
        lines += [
            "",
            f"Not of this export, but of an earlier one into the same folder: {', '.join(done.stale)}. Delete it.",
        ]
    lines += ["", "## Runs", ""]
    for run in runs:
        lines += [f"{run.id}, {run.created_at}:", "", *_code(run.command), ""]
    lines += [f"Scores are those of the edition `{runs[0].edition}`."]
    sources = {text for run in runs if (text := (run.manifest.get("editions") or {}).get(runs[0].edition))}
    lines += sorted(sources)
    lines += ["", "## Where every cell stands", ""]
    states = [s for s in STATES if any(total[s] for total in done.states.values())]
    lines += _markdown(
        ("run", "judge", "cells", *states),
        [
            (run_id[:15], judge or "none", f"{sum(total.values()):,}", *(f"{total[s]:,}" for s in states))
            for (run_id, judge), total in done.states.items()
        ],
    )
    lines += [
        "",
        (
            "`first` and `second` are the poles that were chosen; a cell in any other state took no side that could be read, and has "
            "no value in `first_pole`. Look at how many these are, and why, before you leave them out."
        ),
        "",
        "## What is not here",
        "",
        *(f"- {note}" for note in done.notes),
        "- prompts, reasoning texts and raw answers of judges: they are in the database (tables `requests`, `replies`, `verdicts`)",
        "",
        "## Reading it",
        "",
        *_recipes(formats),
        "",
        (
            "Rows are not independent: they share dilemmas, countries and requests. Take countries and dilemmas as the units of a "
            "test, never replies. Verdicts of the judge `rules` are exploratory."
        ),
        "",
        "## Cells that begin like a formula",
        "",
        _GUARD_NOTE,
    ]
    return "\n".join(lines) + "\n"


def _recipes(formats: Sequence[str]) -> list[str]:
    python, r = ["import pandas as pd"], []
    if "parquet" in formats:
        python.append('answers = pd.read_parquet("answers.parquet")')
        r.append('answers <- arrow::read_parquet("answers.parquet")')
    if "csv" in formats:
        if "parquet" in formats:
            python.append("# or, from CSV:")
            r.append("# or, from CSV:")
        # without these two arguments pandas takes a reply that says "None" or "NA" for a missing value
        python += [
            'answers = pd.read_csv("answers.csv", encoding="utf-8-sig", keep_default_na=False, na_values=[""])',
            r'answers["text"] = answers["text"].str.replace(r"^' + r"'(?='*[=+\-@\t\r])" + r'", "", regex=True)',
        ]
        r += [
            'answers <- readr::read_csv("answers.csv", na = "", trim_ws = FALSE)',
            r'answers$text <- sub("^' + r"'(?='*[=+\\-@\\t\\r])" + r'", "", answers$text, perl = TRUE)',
        ]
    if list(formats) == ["jsonl"]:
        python.append('answers = pd.read_json("answers.jsonl", lines=True, dtype=False)')
        r.append('answers <- jsonlite::stream_in(file("answers.jsonl"))')
    python.append('answers.groupby(["model", "mode", "dimension", "country"])["first_pole"].mean()')
    return ["```python", *python, "```", "", "```r", *r, "```"]


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]


def _code(text: str) -> list[str]:
    """A code block that the text cannot end."""
    fence = "`" * max(3, 1 + max((len(m) for m in re.findall(r"`+", text)), default=0))
    return [fence, text, fence]
