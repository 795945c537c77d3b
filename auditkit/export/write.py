"""`export`: a run, or all of them, as tables in a folder.

Rows are streamed from one snapshot of the database, a batch at a time, so that memory does not grow with their number and
all files agree with each other while a run goes on. Files are written beside their final place and moved into it at the end:
an export that fails leaves an earlier one as it was.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from auditkit.errors import AuditError, MissingExtra, unknown
from auditkit.export import rows as tables
from auditkit.export.columns import COUNTS, TABLES, state_column
from auditkit.export.explain import readme, write_dictionary
from auditkit.export.files import FORMATS, SINKS, Exported, Row, Sink, Written, batches
from auditkit.export.rows import Run
from auditkit.store import Store
from auditkit.summary import STATES


def export(
    store: Store,
    to: Path,
    *,
    run: str | None = None,
    every: bool = False,
    formats: Sequence[str] = ("csv", "parquet"),
    judge: str | None = None,
    edition: str = "paper",
) -> Exported:
    """Write a run (default: the latest), or with `every` all of them, into the folder `to`, which is made if need be.

    `formats` are those of the table of answers; attempts, counts and the dictionary are always CSV. `judge` is the name or
    the key of a stance judge; None keeps every one. Raises AuditError for unknown names or a folder that cannot be
    written, MissingExtra where Parquet is wanted and pyarrow is not installed.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    if "parquet" in formats and not has_pyarrow():
        raise MissingExtra("writing Parquet", "export")
    if to.exists() and not to.is_dir():
        raise AuditError(f"{to} is a file; --to wants a folder")
    with _snapshot(store):
        rows = list(store.rows("select * from runs order by created_at, rowid")) if every else [store.latest_run(run)]
        if not rows:
            raise AuditError(f"{store.path} holds no run yet; start with `auditkit run`")
        runs = [Run(row, edition) for row in rows]
        editions = {name for r in runs for name in r.editions}
        if edition not in editions and editions:
            raise unknown("edition", edition, editions)
        _check_judge(store, runs, judge)
        try:
            to.mkdir(parents=True, exist_ok=True)
            # Beside the final places, so that the last moves stay inside one file system and are atomic.
            with tempfile.TemporaryDirectory(prefix=".export-", dir=to, ignore_cleanup_errors=True) as temporary:
                return _write(store, Path(temporary), to, runs, list(dict.fromkeys(formats)), judge, every=every)
        except OSError as error:
            raise AuditError(f"{to} cannot be written: {error.strerror or error}") from None


def has_pyarrow() -> bool:
    """Whether Parquet can be written here."""
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


@contextmanager
def _snapshot(store: Store) -> Iterator[None]:
    """Everything inside sees the database at one moment, whatever a run writes meanwhile."""
    store.connection.execute("begin")
    try:
        yield
    finally:
        if store.connection.in_transaction:
            store.connection.execute("rollback")


def _stance_judges(store: Store, run_id: str) -> dict[str, str]:
    """Key -> name of the stance judges that a run asked for."""
    return {
        row["judge_key"]: row["name"]
        for row in store.rows(
            "select j.judge_key, j.name from run_judges join judges j using (judge_key)"
            " where j.task = 'stance' and run_id = ? order by 2, 1",
            (run_id,),
        )
    }


def _check_judge(store: Store, runs: Sequence[Run], judge: str | None) -> None:
    if judge is None:
        return
    known: dict[str, str] = {}
    for run in runs:
        known |= _stance_judges(store, run.id)
    if judge not in known and judge not in known.values():
        raise (
            unknown("judge", judge, known.values())
            if known
            else AuditError("no stance judge was asked for; leave --judge out")
        )


def _write(
    store: Store, work: Path, to: Path, runs: Sequence[Run], formats: Sequence[str], judge: str | None, *, every: bool
) -> Exported:
    done = Exported()
    answers = (row for run in runs for row in tables.answers(store, run, judge))
    rows = {"answers": _stream(work, "answers", formats, answers)}
    calls: list[str | None] = [run.id for run in runs] + [None] * every  # calls that belong to no run come with --all
    rows["attempts"] = _stream(
        work, "attempts", ["csv"], (row for run_id in calls for row in tables.attempts(store, run_id))
    )
    rows["counts"] = _stream(work, "counts", ["csv"], _tallied(store, runs, judge, done))
    ids = [run.id for run in runs]
    rows["cultures"] = _stream(work, "cultures", ["csv"], (row for i in ids for row in tables.cultures(store, i)))
    for name, source in (("verdicts", tables.verdicts), ("flags", tables.flags), ("labels", tables.labels)):
        rows[name] = _stream(work, name, ["csv"], source(store, ids))
    write_dictionary(work)
    manifest: Any = {run.id: run.manifest for run in runs} if every else runs[0].manifest
    (work / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    names = [f"answers.{name}" for name in formats] + [f"{table}.csv" for table in TABLES if table != "answers"]
    done.stale = [n for n in (f"answers.{f}" for f in FORMATS) if n not in names and (to / n).exists()]
    done.notes = _left_out(store, runs, formats, judge, every=every)
    names += ["data_dictionary.csv", "data_dictionary.md", "manifest.json", "README.md"]
    counts = {n: rows.get(n.partition(".")[0]) for n in names} | {"data_dictionary.csv": sum(map(len, TABLES.values()))}
    (work / "README.md").write_text(readme(runs, done, counts, formats, every=every), encoding="utf-8")
    sizes = {n: (work / n).stat().st_size for n in names}
    for name in names:
        (work / name).replace(to / name)
    done.files = [Written(to / name, counts[name], sizes[name]) for name in names]
    return done


def _stream(work: Path, table: str, formats: Sequence[str], rows: Iterable[Row]) -> int:
    """Write a table in several formats in one pass over its rows. Returns their number."""
    total = 0
    with ExitStack() as stack:
        sinks: list[Sink] = []
        for name in formats:
            sink: Sink = SINKS[name](work / f"{table}.{name}", TABLES[table])
            stack.callback(sink.close)
            sinks.append(sink)
        for batch in batches(rows):
            total += len(batch)
            for sink in sinks:
                sink.write(batch)
    return total


def _tallied(store: Store, runs: Sequence[Run], judge: str | None, done: Exported) -> Iterator[Row]:
    """The rows of the counts, added up on their way by run and judge."""
    columns = [c.name for c in COUNTS]
    which = columns.index("judge")
    places = {state: columns.index(state_column(state)) for state in STATES}
    for run in runs:
        for row in tables.counts(store, run, judge):
            total = done.states.setdefault((run.id, row[which] or ""), Counter())
            total.update({state: row[place] for state, place in places.items()})
            yield row


def _left_out(
    store: Store, runs: Sequence[Run], formats: Sequence[str], judge: str | None, *, every: bool
) -> list[str]:
    """Plain sentences on what is not in the tables, with counts."""
    notes = []
    for run in runs:
        where = f"run {run.id}: " if every else ""
        if not run.planned:
            notes.append(f"{where}planning was cut off, so cells are missing; run its command again")
        for entry in run.manifest.get("set_aside") or []:
            count = f" ({entry['count']} dilemmas)" if entry.get("count", 1) > 1 else ""
            notes.append(f"{where}{entry['mode']} mode, {entry['what']}: not there, {entry['reason']}{count}")
        if judge is not None:
            judges = _stance_judges(store, run.id)
            chosen = {key for key, name in judges.items() if judge in (key, name)}
            cells = store.value("select count(*) from cells where run_id = ?", (run.id,))
            if not chosen:
                notes.append(f"{where}all {cells} cells, since the judge {judge} was not asked for in this run")
            elif others := len(judges) - len(chosen):
                names = ", ".join(sorted({name for key, name in judges.items() if key not in chosen}))
                notes.append(f"{where}{others * cells} rows by other judges: {names}")
    other = store.value("select count(*) from runs") - len(runs)
    if other:
        notes.append(f"other runs of the same database: {other} (`--all` exports them too)")
    if "parquet" not in formats:
        notes.append("answers.parquet was not written")
    return notes
