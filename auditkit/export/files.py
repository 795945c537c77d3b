"""Writing rows as CSV, JSON lines and Parquet, a batch at a time."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from auditkit.export.columns import Column

FORMATS = ("csv", "parquet", "jsonl")
_BATCH_ROWS = 10_000
_BATCH_CHARACTERS = 16_000_000  # a batch of long replies is cut here, so that a few huge ones do not add up

Row = tuple[Any, ...]

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


class Sink(Protocol):
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


SINKS: dict[str, type[_CsvSink | _JsonlSink | _ParquetSink]] = {
    "csv": _CsvSink,
    "jsonl": _JsonlSink,
    "parquet": _ParquetSink,
}


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
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
