"""Tables as they are found, read row by row: any usual encoding, plain or gzipped, comma, semicolon or tab.

Rows are numbered as a spreadsheet shows them: the header is row 1, the first record row 2.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol

from auditkit.errors import AuditError, unknown
from auditkit.identity import file_digest

_CHUNK = 1 << 20
_LONGEST_FIELD = 50_000_000
# A byte that is no UTF-8 is read as Windows-1252, and as Latin-1 where that has no character: alone, so that a file of mixed
# encodings keeps what is well-formed in it.
_MENDED = {
    0xDC00 + byte: bytes([byte]).decode("cp1252", "ignore") or bytes([byte]).decode("latin-1")
    for byte in range(0x80, 0x100)
}
_ESCAPED = re.compile("[\udc80-\udcff]")


class RowError(Exception):
    """A row that cannot be taken. `what` is a short reason to count by, the message says what stands there."""

    def __init__(self, what: str, message: str, *, country: bool = False) -> None:
        super().__init__(message)
        self.what = what
        self.country = country  # an unknown country, which a user may leave out by an option of its own


@dataclass(frozen=True, slots=True)
class Record:
    """One row, in the store's words.

    reply None: the table holds no replies. said None: it holds no labels; outcome None with said: a label that says nothing
    (`trouble` tells why, where it is not just empty). sample None: counted by the rows that ask the same.
    """

    model: str
    mode: str
    dimension: str
    country: str | None
    lang: str
    item_id: str
    scenario: str
    a: str
    b: str
    sent: str | None
    reply: str | None
    said: str | None = None
    label: str = ""
    outcome: str | None = None
    option_id: str | None = None
    trouble: str = ""
    persona: str = ""
    template: str = ""
    strength: str = ""
    translated: str | None = None
    sample: int | None = None


class Layout(Protocol):
    """A way of writing tables. `source` says whose data it is; `identity` is what beside the files' content makes the import;
    `meanings` what makes a label of a row what it says, where the user has a say in it.
    """

    source: str
    tables: list[Table]
    has_replies: bool
    has_labels: bool

    @property
    def identity(self) -> dict[str, Any]: ...

    @property
    def meanings(self) -> dict[str, Any]: ...

    def records(self, table: Table) -> Iterator[tuple[int, Record | RowError]]: ...

    def notes(self) -> list[str]: ...


def plain(text: str) -> str:
    """The ASCII letters and digits of a text, in lower case: equal for texts that differ in encoding, case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def listed(names: Sequence[str], most: int = 6) -> str:
    """The names in a row; of a long list the first ones and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


@dataclass(frozen=True)
class Table:
    """A file with a header. Open one with `Table.open`; `rows` may be read again and again."""

    path: Path
    digest: str  # of the file's bytes, gzipped or not
    encoding: str
    mended: int  # bytes that were no UTF-8
    delimiter: str
    columns: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> Table:
        """Look through a file. Raises AuditError for one that cannot be read, is cut off, or has no header."""
        if not path.is_file():
            raise AuditError(f"{path}: no such file")
        with _reading(path):
            digest = file_digest(path)
            encoding, mended = _encoding(path)
            with _text(path, encoding) as stream:
                first = stream.readline()
            delimiter = max(",;\t", key=first.count)
            with _text(path, encoding) as stream:
                header = next(csv.reader(stream, delimiter=delimiter, strict=True), [])
        columns = tuple(name.strip().translate(_MENDED) for name in header)
        if not any(columns):
            raise AuditError(f"{path}: is empty; expected a header and rows")
        twice = [name for name in columns if name and columns.count(name) > 1]
        if twice:
            raise AuditError(f"{path}: the column {twice[0]!r} stands twice in the header")
        return cls(path, digest, encoding, mended, delimiter, columns)

    @cached_property
    def plain_columns(self) -> dict[str, str]:
        """Names in letters and digits only -> names as they stand."""
        return {plain(name): name for name in self.columns}

    def column(self, name: str) -> str:
        """The column of that name, upper and lower case and punctuation aside. Raises AuditError with the nearest one."""
        found = self.plain_columns.get(plain(name))
        if found is None:
            hint = str(unknown("column", name, self.columns)).removeprefix("unknown")
            raise AuditError(f"{self.path}: no{hint}")
        return found

    def rows(self) -> Iterator[tuple[int, dict[str, str] | RowError]]:
        """(row number, cells by column), with a RowError for a row that cannot be read; empty rows are passed over."""
        csv.field_size_limit(_LONGEST_FIELD)
        with _reading(self.path), _text(self.path, self.encoding) as stream:
            reader = csv.reader(stream, delimiter=self.delimiter, strict=True)
            next(reader)
            number = 1
            while True:
                number += 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    cut = "unexpected end" in str(error)
                    why = "the file ends inside a quoted field: it is cut off" if cut else f"not well-formed: {error}"
                    yield number, RowError("not well-formed or cut off", f"{why} (line {reader.line_num})")
                    continue
                if not any(cells):
                    continue
                if len(cells) != len(self.columns) and not (
                    len(cells) > len(self.columns) and not any(cells[len(self.columns) :])
                ):
                    message = (
                        f"has {len(cells)} fields, the header {len(self.columns)} (line {reader.line_num}): cut off?"
                    )
                    yield number, RowError("not well-formed or cut off", message)
                    continue
                if self.mended:
                    cells = [cell.translate(_MENDED) for cell in cells]
                yield number, dict(zip(self.columns, cells, strict=False))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What can go wrong with a file, as an AuditError that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise AuditError(f"{path}: is cut off or damaged: {error}; fetch it again") from None
    except UnicodeError as error:
        raise AuditError(f"{path}: is not text: {error}") from None
    except csv.Error as error:
        raise AuditError(f"{path}: row 1: not well-formed: {error}") from None
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror or error}") from None


def _bytes(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_bytes(path), encoding=encoding, errors="surrogateescape", newline="")


def _encoding(path: Path) -> tuple[str, int]:
    """(encoding, bytes that are not of it). Reads the whole file, which shows a damaged one too."""
    with _bytes(path) as stream:
        start = stream.read(2)
        if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16", 0
        decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        mended = len(_ESCAPED.findall(decoder.decode(start)))
        while chunk := stream.read(_CHUNK):
            mended += len(_ESCAPED.findall(decoder.decode(chunk)))
        mended += len(_ESCAPED.findall(decoder.decode(b"", final=True)))
    return "utf-8-sig", mended
