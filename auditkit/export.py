"""Tables for other programs: long CSV, Parquet and JSON lines, with a data dictionary, the manifest, and what is not in them.

Rows are streamed from one snapshot of the database, a batch at a time, so that memory does not grow with their number and
all files agree with each other while a run goes on. Files are written beside their final place and moved into it at the end:
an export that fails leaves an earlier one as it was.
"""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

from auditkit import __version__
from auditkit.data import ENGLISH, data_dir, load_countries
from auditkit.errors import AuditError, MissingExtra, unknown
from auditkit.plan import MODES
from auditkit.store import Store, now, redact
from auditkit.summary import STATE_SQL, STATES

FORMATS = ("csv", "parquet", "jsonl")
_BATCH_ROWS = 10_000
_BATCH_CHARACTERS = 16_000_000  # a batch of long replies is cut here, so that a few huge ones do not add up

Row = tuple[Any, ...]


# --------------------------------------------------------------------------------------------------- the columns


@dataclass(frozen=True)
class Column:
    """A column of an exported table, as the data dictionary tells it.

    `written_by` is "model" where the cell is text that a model or its server wrote: such text is guarded in CSV.
    """

    name: str
    type: Literal["text", "integer", "number"]
    meaning: str
    unit: str = ""
    values: str = ""
    written_by: Literal["auditkit", "model"] = "auditkit"


def _state_column(state: str) -> str:
    return state.replace(" ", "_")


_RUN = Column("run_id", "text", "Identity of the run: a hash of its plan.", values="r1: and 32 hexadecimal digits")
_MODEL = Column("model", "text", "The audited model as the user named it.")
_MODE = Column(
    "mode",
    "text",
    "How the country comes in: baseline (English, no persona), persona (English with a persona sentence), multilingual "
    "(the country's language, no persona), crossed (both).",
    values=" | ".join(MODES),
)
_COUNTRY = Column("country", "text", "The country asked for; empty in baseline.", values="ISO 3166-1 alpha-3")
_TITLE = Column("country_title", "text", "The country's name as a heading; empty in baseline.")
_LANG = Column("lang", "text", "Language in which the question was sent.", values="FLORES-200 code, such as eng_Latn")
_ITEM = Column("item_id", "text", "The dilemma's name in the bank.")
_DIMENSION = Column("dimension", "text", "The dimension of culture that the dilemma's two options stand for.")
_DOMAIN = Column("domain", "text", "Field of life: family, work, school, community or society in the bank that ships.")
_LEVEL = Column(
    "resource_level",
    "text",
    "How much text the web holds in the country's own language (whatever language was asked in); empty in baseline.",
    values="high | mid | low",
)
_EDITION = Column(
    "edition", "text", "Edition of the scores that `score` is taken from. Never mix editions in one analysis."
)
_SCORE = Column(
    "score",
    "number",
    "The country's score on the dimension; high stands for the first pole. Empty in baseline and where the edition has none.",
    unit="points",
    values="0 to 120",
)
_JUDGE = Column("judge", "text", "The stance judge whose reading this is; empty where the run asked for none.")
_JUDGE_KEY = Column(
    "judge_key",
    "text",
    "Identity of the judge with its settings. Two versions of a judge share a name and differ here: then every cell has a "
    "row for each.",
)

ANSWERS: tuple[Column, ...] = (
    _RUN,
    Column(
        "position", "integer", "Place of the cell in the run's plan, from 0. With run_id and judge_key it names a row."
    ),
    _MODEL,
    _MODE,
    _COUNTRY,
    _LANG,
    _ITEM,
    _DIMENSION,
    _DOMAIN,
    Column("template_id", "text", "Wording of the persona sentence; empty where none was sent."),
    Column(
        "option_order",
        "text",
        "Option ids in the order in which the question names them; empty where it is not known (imported replies).",
        values="ab | ba",
    ),
    Column("sample", "integer", "Number of the repetition, from 0."),
    Column(
        "request_key",
        "text",
        "Identity of what was sent. Cells with the same key share one reply, which then stands in several rows.",
        values="k1: and 32 hexadecimal digits",
    ),
    Column("item_key", "text", "Identity of the dilemma's wording.", values="i1: and 32 hexadecimal digits"),
    Column(
        "translation_key",
        "text",
        "Identity of the translated wording; empty where English was sent.",
        values="t1: and 32 hexadecimal digits",
    ),
    Column(
        "reply_status",
        "text",
        "How the reply came, before anybody read it: complete, cut at the length limit, blocked by a filter, without text. "
        "Empty where there is no reply yet.",
        values="ok | truncated | blocked | empty",
    ),
    Column("finish_reason", "text", "Why the model stopped, in its provider's words.", written_by="model"),
    Column(
        "text",
        "text",
        "The reply, byte for byte. Empty both for a reply without text and for no reply: reply_status tells them apart.",
        written_by="model",
    ),
    Column("reported_model", "text", "The model that the provider says answered.", written_by="model"),
    Column("tokens_in", "integer", "Length of the prompt as the provider counts it.", unit="tokens"),
    Column("tokens_out", "integer", "Length of the reply as the provider counts it.", unit="tokens"),
    Column(
        "cost_usd",
        "number",
        "Price of the call that brought this reply; empty is unknown, never free. Rows repeat shared replies: sum "
        "attempts.csv, not this, for what was spent.",
        unit="US dollars",
    ),
    Column("latency_s", "number", "Time from sending to the whole reply.", unit="seconds"),
    Column("created_at", "text", "When the reply was stored.", values="ISO 8601, UTC"),
    Column(
        "degenerate",
        "text",
        "Why there is nothing to judge in the reply; empty where there is something.",
        values="empty | one_char | loop | other",
    ),
    _JUDGE_KEY,
    _JUDGE,
    Column("readings", "integer", "How many readings of the reply by this judge were combined.", unit="readings"),
    Column(
        "outcome",
        "text",
        "What the judge says; two readings that disagree are unclear. Empty where it has not read the reply.",
        values="chose | both | neither | refused | unclear | cut_off | parse_failed",
    ),
    Column(
        "option_id",
        "text",
        "The option chosen, only where outcome is chose. a stands for the first pole.",
        values="a | b",
    ),
    Column(
        "pole",
        "text",
        "The pole that the chosen option stands for: first is individualist, high MAS, high uncertainty avoidance, high "
        "power distance, long term.",
        values="first | second",
    ),
    Column("flipped", "integer", "1 where readings with the options in both orders disagree.", values="0 | 1"),
    Column("first_pole", "integer", "1 first pole, 0 second pole, empty where no side was taken.", values="0 | 1"),
    Column(
        "state",
        "text",
        "Where the cell stands, one for every row: the pole chosen, another outcome, or why there is none.",
        values=" | ".join(STATES),
    ),
    _TITLE,
    _LEVEL,
    Column("language_name", "text", "English name of the language in which the question was sent."),
    _EDITION,
    _SCORE,
)

ATTEMPTS: tuple[Column, ...] = (
    Column("attempt_id", "integer", "Number of the call in the database."),
    Column("run_id", "text", "The run that made (and paid for) the call.", values="r1: and 32 hexadecimal digits"),
    Column("stage", "text", "What the call was for.", values="generate | judge | investigate | translate"),
    Column("request_key", "text", "The request asked, or the one whose reply was judged."),
    Column("judge_key", "text", "Identity of the judge that called; empty for the audited model."),
    Column("judge", "text", "Name of the judge that called; empty for the audited model."),
    Column(
        "presentation",
        "text",
        "Order in which the options were shown to the judge; empty for the audited model.",
        values="ab | ba",
    ),
    Column(
        "outcome",
        "text",
        "How the call ended.",
        values="ok | rate_limited | transient | rejected | parse_failed | fatal",
    ),
    Column("http_status", "integer", "Status of a failed call, where there was one.", unit="HTTP status"),
    Column(
        "error", "text", "The provider's message for a failed call, without what looks like a key.", written_by="model"
    ),
    Column("tokens_in", "integer", "Length of the prompt as the provider counts it.", unit="tokens"),
    Column("tokens_out", "integer", "Length of the answer as the provider counts it.", unit="tokens"),
    Column("cost_usd", "number", "Price of the call; empty is unknown, never free.", unit="US dollars"),
    Column("ended_at", "text", "When the call ended.", values="ISO 8601, UTC"),
    Column("seconds", "number", "Time that a successful call took.", unit="seconds"),
)

_STATE_MEANING = {
    "first": "took the first pole",
    "second": "took the second pole",
    "both": "would do both",
    "neither": "took neither option",
    "refused": "declined to advise",
    "unclear": "could not be read as any of these, or was read differently in the two orders",
    "cut_off": "ended before the choice came",
    "parse_failed": "got an answer from the judge that could not be read",
    "degenerate": "held no text to judge",
    "blocked": "were withheld by a filter",
    "not judged": "have not been judged yet",
    "not answered": "have no reply yet",
}

COUNTS: tuple[Column, ...] = (
    _RUN,
    _MODEL,
    _MODE,
    _DIMENSION,
    _DOMAIN,
    _ITEM,
    _COUNTRY,
    _LANG,
    _JUDGE,
    _JUDGE_KEY,
    Column(
        "asked",
        "integer",
        "Cells: the sum of the states below, over option orders, samples and persona wordings.",
        "cells",
    ),
    Column(
        "truncated",
        "integer",
        "Of these, cells whose reply was cut at the length limit, whatever their state.",
        "cells",
    ),
    *(Column(_state_column(s), "integer", f"Cells that {_STATE_MEANING[s]}.", "cells") for s in STATES),
    _TITLE,
    _LEVEL,
    _EDITION,
    _SCORE,
)

TABLES: dict[str, tuple[Column, ...]] = {"answers": ANSWERS, "attempts": ATTEMPTS, "counts": COUNTS}
_DICTIONARY_HEAD = ("table", "column", "type", "unit", "meaning", "allowed_values", "guarded_in_csv")

_LAST = {"state", "country_title", "resource_level", "language_name", "edition", "score"}  # what the view does not have


# ------------------------------------------------------------------------------------------------- formula guard

_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'(?='*[=+\-@\t\r])")


def guard(text: str) -> str:
    """The text with an apostrophe in front if a spreadsheet would run it as a formula. `unguard` gives the text back.

    >>> guard("=1+1"), guard("'=1"), guard("a=b")
    ("'=1+1", "''=1", 'a=b')
    """
    return f"'{text}" if _DANGEROUS.match(text) else text


def unguard(cell: str) -> str:
    """The text that `guard` was given."""
    return _GUARDED.sub("", cell, count=1) if _GUARDED.match(cell) else cell


# --------------------------------------------------------------------------------------------------------- files


class _Sink(Protocol):
    def write(self, rows: Sequence[Row]) -> None: ...
    def close(self) -> None: ...


class _CsvSink:
    """RFC 4180 in UTF-8 with a byte order mark, which Excel needs; null and the empty text are both an empty cell."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._stream = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._stream)
        self._writer.writerow([c.name for c in columns])
        self._guarded = [i for i, c in enumerate(columns) if c.written_by == "model"]

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            cells = list(row)
            for index in self._guarded:
                if cells[index]:
                    cells[index] = guard(cells[index])
            self._writer.writerow(cells)

    def close(self) -> None:
        self._stream.close()


class _JsonlSink:
    """One object a line, in UTF-8, text as it is."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="\n")
        self._names = [c.name for c in columns]

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._stream.write(json.dumps(dict(zip(self._names, row, strict=True)), ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._stream.close()


class _ParquetSink:
    """A row group for every batch, text as it is, null where there is nothing."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
        self._pa = pa
        self._schema = pa.schema(
            [pa.field(c.name, kinds[c.type], metadata={"meaning": c.meaning, "unit": c.unit}) for c in columns]
        )
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        if rows:
            arrays = [self._pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), self._schema, strict=True)]
            self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


_SINKS: dict[str, type[_CsvSink | _JsonlSink | _ParquetSink]] = {
    "csv": _CsvSink,
    "jsonl": _JsonlSink,
    "parquet": _ParquetSink,
}


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in lists that are bounded in length and in characters."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(cell) for cell in row if isinstance(cell, str))
        if len(batch) >= _BATCH_ROWS or size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass(frozen=True)
class Written:
    """A file of an export. `rows` is None for a file that holds no table; `size` is in bytes."""

    path: Path
    rows: int | None
    size: int


@dataclass
class Exported:
    """What an export wrote, and what somebody who reads it should know."""

    files: list[Written] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what is not in it, with counts
    stale: list[str] = field(default_factory=list)  # tables of an earlier export that still lie in the folder
    states: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)  # (run id, judge) -> state -> cells


# --------------------------------------------------------------------------------------------------------- a run


class _Run:
    """A run's row, its manifest, and what its manifest knows of countries, languages and scores."""

    def __init__(self, row: sqlite3.Row, edition: str) -> None:
        self.id: str = row["run_id"]
        self.command: str = row["command"]
        self.created_at: str = row["created_at"]
        self.planned: bool = row["planned_at"] is not None or row["kind"] != "audit"
        self.manifest: dict[str, Any] = json.loads(row["manifest"])
        self.edition = edition
        self._countries: dict[str, dict[str, Any]] = self.manifest.get("countries") or {}
        dimensions = self.manifest.get("dimensions") or {}
        self._score_of = {name: d.get("score", name) for name, d in dimensions.items()}
        self._languages = dict(_language_names())
        self._languages.update(
            {
                c["language"]: c["language_name"]
                for c in self._countries.values()
                if c.get("language_name") and c.get("language")
            }
        )

    @property
    def editions(self) -> set[str]:
        return {edition for country in self._countries.values() for edition in country.get("scores", {})}

    def added(self, country: str | None, dimension: str, lang: str) -> dict[str, Any]:
        """The values of the columns that the database does not have."""
        known = self._countries.get(country or "", {})
        score = known.get("scores", {}).get(self.edition, {}).get(self._score_of.get(dimension, dimension))
        return {
            "country_title": known.get("title"),
            "resource_level": known.get("resource_level"),
            "language_name": self._languages.get(lang, lang),
            "edition": self.edition,
            "score": None if score is None else float(score),
        }


@cache
def _language_names() -> dict[str, str]:
    """English names of the languages that ship, by code."""
    countries, _ = load_countries(data_dir("personas"))
    return {ENGLISH: "English"} | {c.language: c.language_name for c in countries.values()}


def _answers(store: Store, run: _Run, judge: str | None) -> Iterator[Row]:
    stored = [c.name for c in ANSWERS if c.name not in _LAST]
    extra = [c.name for c in ANSWERS if c.name in _LAST and c.name != "state"]
    country, dimension, lang = (stored.index(name) for name in ("country", "dimension", "lang"))
    for row in store.rows(
        f"select {', '.join(stored)}, {STATE_SQL} as state from answers"
        " where run_id = ? and (? is null or judge = ? or judge_key = ?) order by position, judge, judge_key",
        (run.id, judge, judge, judge),
    ):
        added = run.added(row[country], row[dimension], row[lang])
        yield (*row, *(added[name] for name in extra))


def _counts(store: Store, run: _Run, judge: str | None) -> Iterator[Row]:
    by = ("run_id", "model", "mode", "dimension", "domain", "item_id", "country", "lang", "judge", "judge_key")
    extra = [c.name for c in COUNTS if c.name in _LAST]
    sums = ", ".join(f"sum(state is '{s}')" for s in STATES)
    for row in store.rows(
        f"select {', '.join(by)}, count(*), sum(reply_status is 'truncated'), {sums}"
        f" from (select *, {STATE_SQL} as state from answers where run_id = ? and (? is null or judge = ? or judge_key = ?))"
        f" group by {', '.join(by)} order by {', '.join(by)}",
        (run.id, judge, judge, judge),
    ):
        added = run.added(row[6], row[3], row[7])
        yield (*row, *(added[name] for name in extra))


def _attempts(store: Store, run_id: str | None) -> Iterator[Row]:
    error = [c.name for c in ATTEMPTS].index("error")
    names = ", ".join("j.name" if c.name == "judge" else f"a.{c.name}" for c in ATTEMPTS)
    for row in store.rows(
        f"select {names} from attempts a left join judges j using (judge_key) where a.run_id is ? order by a.attempt_id",
        (run_id,),
    ):
        cells = list(row)
        if cells[error]:
            cells[error] = redact(cells[error])  # once more, for calls that some other program recorded
        yield tuple(cells)


# -------------------------------------------------------------------------------------------------------- export


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
        runs = [_Run(row, edition) for row in rows]
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


def _check_judge(store: Store, runs: Sequence[_Run], judge: str | None) -> None:
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
    store: Store, work: Path, to: Path, runs: Sequence[_Run], formats: Sequence[str], judge: str | None, *, every: bool
) -> Exported:
    done = Exported()
    answers = (row for run in runs for row in _answers(store, run, judge))
    rows = {"answers": _stream(work, "answers", formats, answers)}
    calls: list[str | None] = [run.id for run in runs] + [None] * every  # calls that belong to no run come with --all
    rows["attempts"] = _stream(work, "attempts", ["csv"], (row for run_id in calls for row in _attempts(store, run_id)))
    rows["counts"] = _stream(work, "counts", ["csv"], _tallied(store, runs, judge, done))
    _dictionary(work)
    manifest: Any = {run.id: run.manifest for run in runs} if every else runs[0].manifest
    (work / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    names = [f"answers.{name}" for name in formats] + ["attempts.csv", "counts.csv"]
    done.stale = [n for n in (f"answers.{f}" for f in FORMATS) if n not in names and (to / n).exists()]
    done.notes = _left_out(store, runs, formats, judge, every=every)
    names += ["data_dictionary.csv", "data_dictionary.md", "manifest.json", "README.md"]
    counts = {n: rows.get(n.partition(".")[0]) for n in names} | {"data_dictionary.csv": sum(map(len, TABLES.values()))}
    (work / "README.md").write_text(_readme(runs, done, counts, formats, every=every), encoding="utf-8")
    sizes = {n: (work / n).stat().st_size for n in names}
    for name in names:
        (work / name).replace(to / name)
    done.files = [Written(to / name, counts[name], sizes[name]) for name in names]
    return done


def _stream(work: Path, table: str, formats: Sequence[str], rows: Iterable[Row]) -> int:
    """Write a table in several formats in one pass over its rows. Returns their number."""
    total = 0
    with ExitStack() as stack:
        sinks: list[_Sink] = []
        for name in formats:
            sink: _Sink = _SINKS[name](work / f"{table}.{name}", TABLES[table])
            stack.callback(sink.close)
            sinks.append(sink)
        for batch in _batches(rows):
            total += len(batch)
            for sink in sinks:
                sink.write(batch)
    return total


def _tallied(store: Store, runs: Sequence[_Run], judge: str | None, done: Exported) -> Iterator[Row]:
    """The rows of the counts, added up on their way by run and judge."""
    columns = [c.name for c in COUNTS]
    which = columns.index("judge")
    places = {state: columns.index(_state_column(state)) for state in STATES}
    for run in runs:
        for row in _counts(store, run, judge):
            total = done.states.setdefault((run.id, row[which] or ""), Counter())
            total.update({state: row[place] for state, place in places.items()})
            yield row


# ------------------------------------------------------------------------------------------- what explains the files


def dictionary_rows() -> list[tuple[str, ...]]:
    """The data dictionary: (table, column, type, unit, meaning, allowed values, guarded in CSV), a row a column."""
    return [
        (table, c.name, c.type, c.unit, c.meaning, c.values, "yes" if c.written_by == "model" else "no")
        for table, columns in TABLES.items()
        for c in columns
    ]


def _dictionary(work: Path) -> None:
    with (work / "data_dictionary.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_DICTIONARY_HEAD)
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
}
_GUARD_NOTE = (
    "Text that a model or its server wrote can begin with a character that a spreadsheet takes for a formula. In CSV such a "
    "cell (beginning with `=`, `+`, `-`, `@`, tab or carriage return, after any apostrophes) has one apostrophe put in front; "
    "take off one apostrophe wherever it stands before such a cell and the text is what it was. Only the columns that say so "
    "are guarded. Parquet and JSON lines hold the text as it came."
)


def _left_out(
    store: Store, runs: Sequence[_Run], formats: Sequence[str], judge: str | None, *, every: bool
) -> list[str]:
    """Plain sentences on what is not in the tables, with counts."""
    notes = []
    for run in runs:
        where = f"run {run.id}: " if every else ""
        if not run.planned:
            notes.append(f"{where}planning was cut off, so cells are missing; run its command again")
        for entry in run.manifest.get("set_aside") or []:
            count = f" ({entry['count']} dilemmas)" if entry.get("count", 1) > 1 else ""
            notes.append(f"{where}{entry['mode']} mode, {entry['what']}: not sent, {entry['reason']}{count}")
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


def _readme(
    runs: Sequence[_Run], done: Exported, counts: dict[str, int | None], formats: Sequence[str], *, every: bool
) -> str:
    """What lies in the folder, for somebody who was not there."""
    lines = ["# An export of auditkit", "", f"Written {now()} by auditkit {__version__}.", "", "## Files", ""]
    about = {
        "answers": "one row a cell and stance judge",
        "attempts": "one row a call that was made, with tokens and price",
        "counts": "dilemma by country by model by mode by judge: cells in every state",
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
        (
            "- prompts, reasoning texts, and single readings with their evidence: they are in the database (tables `requests`, "
            "`replies`, `verdicts`)"
        ),
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
