"""The rows of every exported table, streamed from the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from auditkit.data import ENGLISH, data_dir, load_countries
from auditkit.export.columns import ANSWERS, ATTEMPTS, COUNTS, CULTURES, FLAGS, LABELS, VERDICTS
from auditkit.export.files import Row
from auditkit.store import Store, redact
from auditkit.summary import STATE_SQL, STATES

_LAST = {"state", "country_title", "resource_level", "language_name", "edition", "score"}  # what the view does not have


class Run:
    """A run's row, its manifest, and what its manifest knows of countries, languages and scores."""

    def __init__(self, row: sqlite3.Row, edition: str) -> None:
        self.id: str = row["run_id"]
        self.command: str = row["command"]
        self.created_at: str = row["created_at"]
        self.planned: bool = row["planned_at"] is not None
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


def answers(store: Store, run: Run, judge: str | None) -> Iterator[Row]:
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


def counts(store: Store, run: Run, judge: str | None) -> Iterator[Row]:
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


def attempts(store: Store, run_id: str | None) -> Iterator[Row]:
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


def cultures(store: Store, run_id: str) -> Iterator[Row]:
    names = ", ".join(c.name for c in CULTURES)
    for row in store.rows(
        f"select {names} from cultures where run_id = ? order by position, judge, judge_key", (run_id,)
    ):
        yield tuple(row)


def verdicts(store: Store, run_ids: Sequence[str]) -> Iterator[Row]:
    """Single readings by the judges that the runs asked for."""
    names = ", ".join({"judge": "j.name", "task": "j.task"}.get(c.name, f"x.{c.name}") for c in VERDICTS)
    yield from _of_replies(
        store, f"select {names} from verdicts x join judges j using (judge_key)", "x.verdict_id", run_ids
    )


def flags(store: Store, run_ids: Sequence[str]) -> Iterator[Row]:
    names = ", ".join("j.name" if c.name == "judge" else f"x.{c.name}" for c in FLAGS)
    yield from _of_replies(store, f"select {names} from flags x join judges j using (judge_key)", "x.flag_id", run_ids)


def labels(store: Store, run_ids: Sequence[str]) -> Iterator[Row]:
    """Every label, those that were taken back too: who reads them can see what changed."""
    names = ", ".join(f"i.{c.name}" if c.name in {"stratum", "weight"} else f"x.{c.name}" for c in LABELS)
    yield from _of_replies(
        store,
        f"select {names} from labels x left join sample_items i on i.sample_id = x.sample_id and i.request_key = x.request_key",
        "x.label_id",
        run_ids,
    )


def _of_replies(store: Store, select: str, order: str, run_ids: Sequence[str]) -> Iterator[Row]:
    """Rows about the replies of some runs, each once, however many runs share the reply."""
    marks = ", ".join("?" * len(run_ids))
    for row in store.rows(
        f"{select} where x.request_key in (select request_key from cells where run_id in ({marks})) order by {order}",
        tuple(run_ids),
    ):
        yield tuple(row)
