"""Labels that come from a file: of a review sheet, or written elsewhere in the same form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditkit.errors import AuditError
from auditkit.review.labels import FIELDS, Role, checked
from auditkit.store import Store, now, storable

_FILE_FIELDS = (*FIELDS, "note")


@dataclass(frozen=True)
class Imported:
    """What an import did. known: labels that were there already, from the same file read before."""

    new: int
    known: int
    replies: int
    reviewers: tuple[str, ...]


def import_labels(store: Store, path: Path, *, reviewer: str | None = None, role: Role = "rater") -> Imported:
    """Append the labels of a JSON or CSV file, all or none; a file that is read twice adds nothing the second time.

    store: from `Store.annotate` or `Store.open`. reviewer: instead of the name in the file. Raises AuditError with file and place for
    what is not a label of the codebook, and for a reply or sample that the database does not hold.
    """
    rows = [_row(store, place, entry, reviewer, role) for place, entry in _read(path)]
    if not rows:
        raise AuditError(f"{path}: no labels in it")
    columns = list(rows[0])
    same = " and ".join(
        f"{name} is :{name}" for name in ("request_key", "reviewer", "role", "field", "value", "created_at")
    )
    with store.transaction() as db:
        fresh = [row for row in rows if not db.execute(f"select 1 from labels where {same}", row).fetchone()]
        db.executemany(
            f"insert into labels ({', '.join(columns)}) values ({', '.join(':' + name for name in columns)})", fresh
        )
    return Imported(
        new=len(fresh),
        known=len(rows) - len(fresh),
        replies=len({row["request_key"] for row in rows}),
        reviewers=tuple(sorted({row["reviewer"] for row in rows})),
    )


def _read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, entry) of each label of a file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"{path}: cannot be read: {error}") from None
    if path.suffix.lower() == ".csv":
        for number, row in enumerate(csv.DictReader(io.StringIO(text)), 2):
            yield f"{path}:{number}", {name: value for name, value in row.items() if name is not None}
        return
    try:
        top = json.loads(text)
    except json.JSONDecodeError as error:
        raise AuditError(f"{path}:{error.lineno}: not JSON: {error.msg}; a review sheet gives .json or .csv") from None
    entries = top.get("labels") if isinstance(top, dict) else None
    if not isinstance(entries, list) or top.get("auditkit_labels") != 1:
        raise AuditError(f'{path}: not a file of labels: expected {{"auditkit_labels": 1, "labels": [...]}}')
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise AuditError(f"{path}: label {number}: expected names and values")
        yield f"{path}: label {number}", entry


def _row(store: Store, place: str, entry: dict[str, Any], reviewer: str | None, role: Role) -> dict[str, Any]:
    """A row of `labels`, checked."""
    key, name = str(entry.get("request_key") or ""), str(entry.get("field") or "")
    who = storable((reviewer or str(entry.get("reviewer") or "")).strip())
    if not who:
        raise AuditError(f"{place}: no reviewer; name one with --reviewer")
    options = [
        row[0]
        for row in store.rows(
            "select distinct o.option_id from cells c join options o using (item_key) join replies r using (request_key)"
            " where c.request_key = ?",
            (key,),
        )
    ]
    if not options:
        raise AuditError(
            f"{place}: reply {key!r} is not in {store.path}; name the database it was drawn from with --db"
        )
    if name not in _FILE_FIELDS:
        raise AuditError(f"{place}: field {name!r} is none of {', '.join(_FILE_FIELDS)}")
    sample = str(entry.get("sample_id") or "") or None
    if sample and store.value("select 1 from samples where sample_id = ?", (sample,)) is None:
        raise AuditError(f"{place}: sample {sample!r} is not in {store.path}; name its database with --db")
    try:
        value = checked(name, str(entry.get("value") or "").strip(), options)
        seconds = None if entry.get("seconds") in (None, "") else float(entry["seconds"])
    except (AuditError, ValueError) as error:
        raise AuditError(f"{place}: {error}") from None
    if not value:
        raise AuditError(f"{place}: the label is empty")
    return {
        "request_key": key,
        "sample_id": sample,
        "reviewer": who,
        "role": role,
        "field": name,
        "value": value,
        "note": storable(str(entry.get("note") or "")),
        "blind": int(_true(entry.get("blind"))),
        "uncertain": int(_true(entry.get("uncertain"))),
        "seconds": seconds,
        "created_at": str(entry.get("created_at") or now()),
    }


def _true(value: object) -> bool:
    return value is True or str(value).strip().lower() in {"1", "true", "yes"}
