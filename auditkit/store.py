"""The only place that writes SQL: one SQLite file that holds the plan, every call, every reply and every verdict.

WAL with `synchronous=NORMAL` lets a reply be committed the moment it comes (tens of thousands a second), so a killed run
loses nothing that was answered. One process writes at a time, held by a lock file; readers open the file read-only.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auditkit.data import data_dir
from auditkit.errors import AuditError, StoreError
from auditkit.models.base import Failure, Reply, Request

if TYPE_CHECKING:
    from filelock import BaseFileLock

_CHUNK = 500  # below SQLite's limit of bound variables in any build


def now() -> str:
    """UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def migrations() -> list[Path]:
    """The schema's steps, oldest first."""
    return sorted(data_dir("store").joinpath("migrations").glob("[0-9]*.sql"))


def statements(script: str) -> Iterator[str]:
    """The single statements of an SQL script, so that a migration runs inside one transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


class Store:
    """An open database. `Store.open` for reading and writing, `Store.read` for reading beside a running audit."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: BaseFileLock | None = None) -> None:
        self.connection = connection
        self.path = path
        self._lock = lock

    # ------------------------------------------------------------------------------------------------- opening

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open for writing, create or upgrade. Raises StoreError if it cannot be written, is in use, or is newer."""
        from filelock import FileLock, Timeout

        if path.is_dir():
            raise StoreError(f"{path} is a folder; --db wants a file such as {path / 'auditkit.db'}")
        if not path.parent.is_dir():
            raise StoreError(f"{path}: the folder {path.parent} does not exist")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise StoreError(f"{path} cannot be written; choose another place with --db or AUDITKIT_DB")
        lock = FileLock(str(path) + ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(f"{path} is being written by another auditkit; wait for it, or use another --db") from None
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from None
        try:
            connection = _connect(str(path))
            _migrate(connection, path)
        except sqlite3.DatabaseError as error:
            lock.release()
            raise StoreError(f"{path}: {error}; choose another file with --db") from None
        except BaseException:
            lock.release()
            raise
        return cls(connection, path, lock)

    @classmethod
    def read(cls, path: Path) -> Store:
        """Open read-only; a run may go on writing. Raises StoreError if it is missing, newer or not ours."""
        if not path.is_file():
            raise StoreError(
                f"{path}: no such database; make one with `auditkit run`, or name it with --db or AUDITKIT_DB"
            )
        try:
            connection = _connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            version = connection.execute("pragma user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path}: {error}; not an auditkit database?") from None
        _check_version(version, path)
        if version < len(migrations()):
            connection.close()
            raise StoreError(
                f"{path} is from an older auditkit; `auditkit status --upgrade --db {path}` brings it up to date"
            )
        return cls(connection, path)

    @classmethod
    def annotate(cls, path: Path) -> Store:
        """Open for labels, beside a run that goes on writing: no lock is taken, and a transaction waits for its turn.

        Raises StoreError as `read` does.
        """
        cls.read(path).close()
        return cls(_connect(str(path)), path)

    def close(self) -> None:
        self.connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Disk full and the like become a StoreError."""
        try:
            self.connection.execute("begin immediate")
            yield self.connection
            self.connection.execute("commit")
        except BaseException as error:
            if self.connection.in_transaction:
                self.connection.execute("rollback")
            if isinstance(error, sqlite3.OperationalError):
                raise StoreError(f"{self.path}: {error}") from error
            raise

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[sqlite3.Row]:
        """Any question; rows by name, read as they are needed."""
        yield from self.connection.execute(sql, parameters)

    def value(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The first column of the first row, None where there is no row."""
        row = self.connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    # ------------------------------------------------------------------------------------------------ planning

    def begin_run(self, run_id: str, command: str, manifest: Mapping[str, Any], kind: str = "audit") -> bool:
        """Make the run unless it is there. True when its cells still have to be planned."""
        with self.transaction() as db:
            db.execute(
                "insert into runs (run_id, kind, created_at, used_at, command, manifest) values (?1, ?2, ?3, ?3, ?4, ?5)"
                " on conflict do update set used_at = excluded.used_at",
                (run_id, kind, now(), command, json.dumps(manifest, ensure_ascii=False)),
            )
        return bool(self.value("select planned_at is null from runs where run_id = ?", (run_id,)))

    def finish_plan(self, run_id: str) -> None:
        with self.transaction() as db:
            db.execute("update runs set planned_at = ? where run_id = ?", (now(), run_id))

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows that are not there yet, as many a transaction as come in one call."""
        batch = list(rows)
        if batch:
            with self.transaction() as db:
                _insert(db, table, batch)

    def latest_run(self, name: str | None = None) -> sqlite3.Row:
        """The run whose id begins with `name`, else the newest that is no labelled set of a judge's calibration.

        Raises AuditError if there is none or several fit.
        """
        if name is None:
            row = self.connection.execute(
                "select * from runs where kind <> 'calibration' order by used_at desc, rowid desc limit 1"
            ).fetchone()
            if row is None:
                raise AuditError(f"{self.path} holds no run yet; start with `auditkit run`")
            return row  # type: ignore[no-any-return]
        found = self.connection.execute(
            "select * from runs where run_id like ? or run_id like ? order by created_at desc",
            (_like(name) + "%", "r1:" + _like(name) + "%"),
        ).fetchall()
        if not found:
            from auditkit.errors import unknown

            raise unknown("run", name, [row["run_id"] for row in self.rows("select run_id from runs")])
        if len(found) > 1:
            raise AuditError(f"run {name!r} fits {len(found)} runs: " + ", ".join(row["run_id"] for row in found))
        return found[0]  # type: ignore[no-any-return]

    # ---------------------------------------------------------------------------------------------- generating

    def forget_blocked(self, run_id: str) -> int:
        """Make the blocked replies of a run pending again; the attempts stay. Returns how many."""
        with self.transaction() as db:
            return db.execute(
                "delete from replies where status = 'blocked' and request_key in (select request_key from cells where run_id = ?)",
                (run_id,),
            ).rowcount

    def pending_requests(self, run_id: str, model: str | None = None) -> list[str]:
        """Keys of the requests that have no reply yet, in the order of the plan."""
        sql = "select request_key from pending_generate where run_id = ?"
        parameters: list[Any] = [run_id]
        if model is not None:
            sql += " and model = ?"
            parameters.append(model)
        return [row[0] for row in self.connection.execute(sql + " order by position", parameters)]

    def requests(self, keys: Sequence[str]) -> Iterator[Request]:
        """The requests with these keys, in that order, read in chunks so that a long plan stays out of memory."""
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            found = {
                row["request_key"]: row
                for row in self.connection.execute(f"select * from requests where request_key in ({marks})", chunk)
            }
            for key in chunk:
                row = found[key]
                yield Request(
                    key=key,
                    provider=row["provider"],
                    model=row["model"],
                    revision=row["revision"],
                    messages=json.loads(row["messages"]),
                    params=json.loads(row["params"]),
                    sample=row["sample"],
                )

    def record(
        self,
        run_id: str,
        request_key: str,
        result: Reply | Failure,
        *,
        store_reply: bool = True,
        judge_key: str | None = None,
        presentation: str | None = None,
        outcome: str | None = None,
        verdict: Mapping[str, Any] | None = None,
        flags: Sequence[Mapping[str, Any]] = (),
        steps: Sequence[Mapping[str, Any]] = (),
        stage: Literal["generate", "judge", "investigate"] | None = None,
    ) -> None:
        """One attempt, and the reply or verdict (with its flags and steps) that it brought, in one transaction."""
        stamp = now()
        reply = result if isinstance(result, Reply) else None
        failure = result if isinstance(result, Failure) else None
        with self.transaction() as db:
            db.execute(
                "insert into attempts (run_id, stage, request_key, judge_key, presentation, outcome, http_status, error,"
                " tokens_in, tokens_out, cost_usd, ended_at, seconds) values (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    run_id,
                    stage or ("generate" if judge_key is None else "judge"),
                    request_key,
                    judge_key,
                    presentation,
                    outcome or (failure.kind if failure else "ok"),
                    failure.http_status if failure else None,
                    storable(redact(failure.message)) if failure else None,
                    reply.tokens_in if reply else None,
                    reply.tokens_out if reply else None,
                    reply.cost_usd if reply else None,
                    stamp,
                    reply.latency_s if reply else None,
                ),
            )
            if reply is not None and store_reply:
                db.execute(
                    "insert or ignore into replies (request_key, status, text, finish_reason, reported_model, reasoning,"
                    " tokens_in, tokens_out, tokens_reasoning, cost_usd, latency_s, created_at)"
                    " values (?,?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        request_key,
                        reply.status,
                        storable(reply.text),
                        _storable(reply.finish_reason),
                        _storable(reply.reported_model),
                        _storable(reply.reasoning),
                        reply.tokens_in,
                        reply.tokens_out,
                        reply.tokens_reasoning,
                        reply.cost_usd,
                        reply.latency_s,
                        stamp,
                    ),
                )
            if verdict is not None:
                _insert(db, "verdicts", [verdict])
            _insert(db, "flags", flags)
            _insert(db, "judge_steps", steps)

    def insert_verdicts(self, verdicts: Sequence[Mapping[str, Any]], flags: Sequence[Mapping[str, Any]] = ()) -> None:
        """Verdicts that cost no call, with their flags, in one transaction: a verdict says that its flags are all there."""
        with self.transaction() as db:
            _insert(db, "verdicts", verdicts)
            _insert(db, "flags", flags)

    def has_answered(self, run_id: str, model: str) -> bool:
        """Whether a model has given this run a reply that was not blocked."""
        sql = (
            "select exists (select 1 from cells c join replies r using (request_key)"
            " where c.run_id = ? and c.model = ? and r.status <> 'blocked')"
        )
        return bool(self.value(sql, (run_id, model)))

    # ------------------------------------------------------------------------------------------------- judging

    def unscreened(self, run_id: str, judge_key: str) -> list[str]:
        """Keys of the run's replies that this gate has not looked at."""
        return [
            row[0]
            for row in self.connection.execute(
                "select distinct c.request_key from cells c join replies r using (request_key)"
                " where c.run_id = ? and r.status <> 'blocked' and r.finish_reason is not 'not published'"
                " and not exists (select 1 from screens s"
                " where s.request_key = c.request_key and s.judge_key = ?)",
                (run_id, judge_key),
            )
        ]

    def texts(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        """(request key, text) of at most a few hundred replies."""
        marks = ",".join("?" * len(keys))
        rows = self.connection.execute(
            f"select request_key, text from replies where request_key in ({marks})", list(keys)
        )
        return [(row[0], row[1]) for row in rows]

    def ask_judge(self, run_id: str, judge: Mapping[str, Any], presentations: Sequence[str]) -> None:
        """Make the judge known, and note that this run wants it."""
        self.insert("judges", [judge])
        with self.transaction() as db:
            db.execute(
                "insert into run_judges (run_id, judge_key, presentations) values (?, ?, ?) on conflict do update"
                " set presentations = excluded.presentations",
                (run_id, judge["judge_key"], json.dumps(list(presentations))),
            )

    def pending_verdicts(self, run_id: str, judge_key: str) -> list[tuple[str, str]]:
        """(request key, presentation) that this judge has still to read, in the order of the plan."""
        return [
            (row[0], row[1])
            for row in self.connection.execute(
                "select request_key, presentation from pending_judge where run_id = ? and judge_key = ?"
                " order by position, presentation",
                (run_id, judge_key),
            )
        ]

    def has_judged(self, judge_key: str) -> bool:
        """Whether a judge has given any verdict yet."""
        return bool(self.value("select exists (select 1 from verdicts where judge_key = ?)", (judge_key,)))

    def asked_again(self, run_id: str, judge_key: str) -> set[tuple[str, str]]:
        """(request key, presentation) of readings whose first answer could not be parsed."""
        return {
            (row[0], row[1])
            for row in self.connection.execute(
                "select request_key, presentation from attempts where run_id = ? and judge_key = ? and outcome = 'parse_failed'",
                (run_id, judge_key),
            )
        }

    def cases(self, run_id: str, keys: Sequence[str]) -> Iterator[sqlite3.Row]:
        """What a judge needs to know of the replies to these requests, in that order."""
        for start in range(0, len(keys), _CHUNK):
            chunk = list(dict.fromkeys(keys[start : start + _CHUNK]))
            marks = ",".join("?" * len(chunk))
            found = {
                row["request_key"]: row
                for row in self.connection.execute(
                    "select c.request_key, c.lang, c.option_order, i.body as item, t.body as translation, r.text, r.status,"
                    " min(c.position) from cells c join items i using (item_key) join replies r using (request_key)"
                    " left join translations t using (translation_key)"
                    f" where c.run_id = ? and c.request_key in ({marks}) group by c.request_key",
                    (run_id, *chunk),
                )
            }
            for key in keys[start : start + _CHUNK]:
                yield found[key]


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of the same columns; a row whose key is there already is left as it is.

    Not `insert or ignore`: that would also drop, without a word, a row that breaks a check.
    """
    if rows:
        columns = list(rows[0])
        values = f"({', '.join(columns)}) values ({', '.join(':' + c for c in columns)})"
        db.executemany(f"insert into {table} {values} on conflict do nothing", rows)


def _connect(target: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(target, uri=uri, isolation_level=None, timeout=5)
    connection.row_factory = sqlite3.Row
    if not uri:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
    connection.execute("pragma busy_timeout = 5000")
    connection.execute("pragma foreign_keys = on")
    return connection


def _check_version(version: int, path: Path) -> None:
    if version > len(migrations()):
        raise StoreError(
            f"{path} was written by a newer auditkit (schema {version}, this one knows {len(migrations())}); upgrade auditkit"
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("pragma user_version").fetchone()[0]
    _check_version(version, path)
    steps = migrations()
    if version == len(steps):
        return
    if version == 0 and connection.execute("select count(*) from sqlite_master").fetchone()[0]:
        raise StoreError(f"{path} is a database of something else; choose another file with --db")
    from sqlite_utils import Database, Migrations

    wanted = Migrations("auditkit")
    for number, step in enumerate(steps, 1):

        def apply(db: Database, step: Path = step, number: int = number) -> None:
            for statement in statements(step.read_text(encoding="utf-8")):
                db.execute(statement)
            db.execute(f"pragma user_version = {number}")

        wanted(name=step.stem)(apply)
    wanted.apply(Database(connection, execute_plugins=False))


def _like(text: str) -> str:
    return text.replace("%", "").replace("_", "")


_SECRETS = (
    re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"),
    re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|r8|nvapi|pplx)[-_][A-Za-z0-9_*-]{6,}|\bAIza[\w-]{10,}"),
    re.compile(r"(?i)\b((?:api|access|secret|auth)[-_ ]?(?:key|token)s?(?:\s+provided)?\b\W{0,4})[\w.*~+/=-]{6,}"),
    re.compile(r"(?i)([?&](?:key|api_key|token|access_token)=)[^&\s\"']+"),
)


def redact(message: str, limit: int = 2_000) -> str:
    """An error message without keys: the values of the environment's keys, and what looks like one."""
    for name, value in os.environ.items():
        if len(value) >= 6 and name.upper().endswith(("KEY", "TOKEN", "SECRET", "PASSWORD")):
            message = message.replace(value, "[key]")
    for pattern in _SECRETS:
        message = pattern.sub(
            lambda match: (match.group(1) if match.groups() and match.group(1) else "") + "[key]", message
        )
    return message[:limit]


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


def storable(text: str) -> str:
    """The text as it came. Only lone surrogates, which no UTF-8 file can hold, become U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
