"""The tables of a report as CSV files, one each, and the transcripts that examples come from as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.export.files import guard

if TYPE_CHECKING:
    import pandas as pd

    from auditkit.report.findings import Findings


def write(findings: Findings, folder: Path) -> list[Path]:
    """Every table as `<name>.csv` in a folder that is there, empty ones with their header. UTF-8 with a byte order mark.

    Missing values are empty cells. Text that a spreadsheet would run as a formula has an apostrophe put in front, as in an
    export (`auditkit.export.files.unguard` takes it off).
    """
    paths = []
    for name, table in findings.tables.items():
        path = folder / f"{name}.csv"
        guarded(table).to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")
        paths.append(path)
    return paths


def guarded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its text made safe for spreadsheets."""
    text = [name for name in table.columns if table[name].dtype == object]
    return table.assign(**{name: table[name].map(guard) for name in text})


def write_transcripts(findings: Findings, path: Path) -> None:
    """One line a reply that an example comes from: its request key, what was sent and what came back."""
    with path.open("w", encoding="utf-8") as stream:
        for key, transcript in findings.transcripts.items():
            stream.write(json.dumps({"request_key": key, **transcript}, ensure_ascii=False) + "\n")
