"""Which replies are reviewed, and in which order: read a page at a time, so that the first is there at once however many follow.

Three sources, one shape. Flagged replies of a run, most severe first, walk the flags by severity; blind, they come in a random
order of the reviewer's own. A sample's replies, and those that raters disagree on, are few: they are listed and shuffled.

Request keys are hashes, so the key space falls into equal random parts: a random order is the parts in shuffled order and each
part shuffled, which needs one short range of the index a page instead of a sort of everything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditkit.review.labels import Role
from auditkit.store import Store

FAULTS = ("stereotype", "hallucination", "voice", "language", "injection")
"""Families that make a reply flagged. The others (trace, premise, value) describe it, and are no fault."""

PAGE = 50
_PARTS = 4096
_SEVERITIES = (3, 2, 1, None)  # a flag without severity (an unattested saying, say) comes last

# what raters differ in, by reply, field and flag
_DISPUTES = (
    "select request_key, field, flag_id from current_labels where role = 'rater' and field <> 'note'"
    " group by request_key, field, flag_id having count(distinct reviewer) > 1 and count(distinct value) > 1"
)


@dataclass(frozen=True)
class Filters:
    """What the queue is narrowed to; None, 0, False and '' narrow nothing.

    category: a flag's kind or family. severity: at least this. disagreement: judges differ on stance or reasoning class.
    unlabelled: not yet answered in full by this reviewer. text: stands in the reply or in the dilemma's id.
    """

    model: str | None = None
    country: str | None = None
    language: str | None = None
    category: str | None = None
    severity: int = 0
    disagreement: bool = False
    unlabelled: bool = False
    text: str = ""

    @property
    def tell(self) -> bool:
        """Whether they tell what judges and detectors found."""
        return bool(self.category or self.severity or self.disagreement)


@dataclass(frozen=True)
class Entry:
    """A line of the queue. families, kinds: of its flags, faults only. answered: fields that the reviewer has labelled;
    done: whether nothing is left to answer.
    """

    request_key: str
    item_id: str
    mode: str
    model: str
    country: str | None
    lang: str
    severity: int | None
    families: tuple[str, ...]
    kinds: tuple[str, ...]
    opening: str
    answered: int
    done: bool


@dataclass(frozen=True)
class Counts:
    """Replies that fit the filters, and how many of them the reviewer has answered in full."""

    total: int
    done: int


@dataclass(frozen=True)
class Scope:
    """Whose queue it is: the reviewer in a role, the run, and what it draws from."""

    run_id: str
    reviewer: str
    fields: tuple[str, ...]
    role: Role = "rater"
    sample_id: str | None = None
    blind: bool = True

    @property
    def seed(self) -> str:
        """Of the reviewer's own order."""
        return f"{self.reviewer}\n{self.sample_id or self.run_id}"


def _counted(flag: str, filters: Filters) -> str:
    """The condition that a flag makes its reply flagged: a fault, or of the category that is asked for."""
    return f":category in ({flag}.kind, {flag}.family)" if filters.category else f"{flag}.family in {FAULTS}"


class Queue:
    """The replies that a reviewer is to see. Reads only; `pages` may be walked while labels are written."""

    def __init__(self, store: Store, scope: Scope) -> None:
        self.store = store
        self.scope = scope

    def pages(self, filters: Filters, size: int = PAGE) -> Iterator[list[Entry]]:
        """The queue in its order, at most `size` lines at a time."""
        pending: list[str] = []
        for keys in self._walk(filters, size):
            pending += keys
            while len(pending) >= size:
                yield self._entries(pending[:size])
                pending = pending[size:]
        if pending:
            yield self._entries(pending)

    def counts(self, filters: Filters) -> Counts:
        """How many replies fit, labelled or not. Takes time that grows with the run: ask beside the application's loop."""
        everything = replace(filters, unlabelled=False)
        where, values = self._where(everything)
        found = f"select distinct k.request_key from {self._source(everything)} where {where}"
        total = int(self.store.value(f"select count(*) from ({found})", values))
        left = int(self.store.value(f"select count(*) from ({found} and {self._open()})", values))
        return Counts(total, total - left)

    def choices(self) -> dict[str, list[str]]:
        """The models, countries and languages of the run, for a menu of filters."""
        return {
            name: [
                row[0]
                for row in self.store.rows(
                    f"select distinct {column} from cells where run_id = ? and {column} is not null order by 1",
                    (self.scope.run_id,),
                )
            ]
            for name, column in (("model", "model"), ("country", "country"), ("language", "lang"))
        }

    def why_empty(self, filters: Filters) -> str:
        """One line that says what to do about an empty queue."""
        if self.scope.role == "adjudicator":
            return "no two reviewers disagree here: nothing to adjudicate"
        everything = replace(filters, unlabelled=False)
        if filters.unlabelled and next(self.pages(everything, 1), None):
            return "all of it is labelled; add --all to see it again, or draw another sample with --sample"
        if everything != Filters():
            return "nothing fits these filters"
        run = self.scope.run_id[3:11]
        read = "select 1 from verdicts v join judges j using (judge_key) join cells c using (request_key)"
        if self.store.value(f"{read} where j.task = 'culture' and c.run_id = ? limit 1", (self.scope.run_id,)):
            return f"nothing is flagged in run {run}; --sample 200 draws replies at random all the same"
        return f"no detector has read run {run} yet; run `auditkit detect`, or draw replies at random with --sample 200"

    # ---------------------------------------------------------------------------------------------------- the order

    def _walk(self, filters: Filters, size: int) -> Iterator[list[str]]:
        if self.scope.role == "adjudicator" or self.scope.sample_id:
            yield from self._listed(filters)
        elif self.scope.blind:
            yield from self._shuffled(filters)
        else:
            yield from self._severest(filters, size)

    def _severest(self, filters: Filters, size: int) -> Iterator[list[str]]:
        where, values = self._where(filters)
        sql = (
            "select distinct k.request_key from flags k where k.severity is :severity and k.request_key > :after"
            f" and {_counted('k', filters)} and not exists (select 1 from flags g where g.request_key = k.request_key"
            f" and {_counted('g', filters)} and g.severity > coalesce(:severity, 0)) and {where}"
            " order by k.request_key limit :size"
        )
        for severity in _SEVERITIES:
            after = ""
            while keys := self._keys(sql, {**values, "severity": severity, "after": after, "size": size}):
                yield keys
                after = keys[-1]

    def _shuffled(self, filters: Filters) -> Iterator[list[str]]:
        where, values = self._where(filters)
        sql = (
            "select distinct k.request_key from flags k where k.request_key >= :low and k.request_key < :high"
            f" and {_counted('k', filters)} and {where} order by k.request_key"
        )
        # the first and last part have no end, so that a key of any form is in one of them
        edges = ["", *(f"k1:{part:03x}" for part in range(1, _PARTS)), "\U0010ffff"]
        parts = list(range(_PARTS))
        drawn = random.Random(self.scope.seed)
        drawn.shuffle(parts)
        for part in parts:
            keys = self._keys(sql, {**values, "low": edges[part], "high": edges[part + 1]})
            random.Random(f"{self.scope.seed}\n{part}").shuffle(keys)
            yield keys

    def _listed(self, filters: Filters) -> Iterator[list[str]]:
        where, values = self._where(filters)
        keys = self._keys(f"select distinct k.request_key from {self._source(filters)} where {where}", values)
        # by a draw of its own for every reply, so that labelling some does not change the order of the rest
        yield sorted(keys, key=lambda key: random.Random(f"{self.scope.seed}\n{key}").random())

    def _keys(self, sql: str, values: dict[str, Any]) -> list[str]:
        return [row[0] for row in self.store.rows(sql, values)]

    # ------------------------------------------------------------------------------------------------ the questions

    def _source(self, filters: Filters) -> str:
        """The replies to choose from, as `k`."""
        if self.scope.role == "adjudicator":
            listed = f"(select distinct request_key from ({_DISPUTES})) k"
            of_sample = "join sample_items s on s.request_key = k.request_key and s.sample_id = :sample"
            return f"{listed} {of_sample}" if self.scope.sample_id else listed
        if self.scope.sample_id:
            return "(select request_key from sample_items where sample_id = :sample) k"
        return f"(select distinct request_key from flags f where {_counted('f', filters)}) k"

    def _where(self, filters: Filters) -> tuple[str, dict[str, Any]]:
        """A condition on `k.request_key`, with its values."""
        asked = ["c.run_id = :run"]
        values: dict[str, Any] = {
            "run": self.scope.run_id,
            "reviewer": self.scope.reviewer,
            "role": self.scope.role,
            "sample": self.scope.sample_id,
        }
        for column, value in (("model", filters.model), ("country", filters.country), ("lang", filters.language)):
            if value:
                asked.append(f"c.{column} = :{column}")
                values[column] = value
        parts = [f"exists (select 1 from cells c where c.request_key = k.request_key and {' and '.join(asked)})"]
        if filters.category:
            parts.append(
                f"exists (select 1 from flags f where f.request_key = k.request_key and {_counted('f', filters)})"
            )
            values["category"] = filters.category
        if filters.severity:
            parts.append(
                "exists (select 1 from flags f where f.request_key = k.request_key and f.severity >= :at_least)"
            )
            values["at_least"] = filters.severity
        if filters.disagreement:
            parts.append(
                "((select count(distinct coalesce(option_id, outcome)) from stances s where s.request_key = k.request_key) > 1"
                " or (select count(distinct reasoning_class) from verdicts v where v.request_key = k.request_key) > 1)"
            )
        if filters.unlabelled:
            parts.append(self._open())
        if filters.text:
            parts.append(
                "(exists (select 1 from replies r where r.request_key = k.request_key and r.text like :text escape '\\')"
                " or exists (select 1 from cells c join items i using (item_key) where c.request_key = k.request_key"
                " and i.item_id like :text escape '\\'))"
            )
            escaped = filters.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            values["text"] = f"%{escaped}%"
        return " and ".join(parts), values

    def _open(self) -> str:
        """The condition that this reviewer has something left to answer."""
        mine = "from current_labels l where l.request_key = k.request_key and l.reviewer = :reviewer and l.role = :role"
        if self.scope.role == "adjudicator":
            return (
                f"exists (select 1 from ({_DISPUTES}) d where d.request_key = k.request_key"
                f" and not exists (select 1 {mine} and l.field = d.field and l.flag_id is d.flag_id))"
            )
        return f"((select count(distinct l.field) {mine} and l.field in ({self._fields()})) < {len(self.scope.fields)})"

    def _fields(self) -> str:
        return ", ".join(f"'{name}'" for name in self.scope.fields)

    def _entries(self, keys: Sequence[str]) -> list[Entry]:
        places = {f"k{i}": key for i, key in enumerate(keys)}
        flagged = f"from flags f where f.request_key = k.request_key and f.family in {FAULTS}"
        rows = self.store.rows(
            "select k.request_key, min(k.position), k.model, k.mode, k.country, k.lang, i.item_id,"
            f" substr(r.text, 1, 120) as opening, (select max(f.severity) {flagged}) as severity,"
            f" (select group_concat(distinct f.family) {flagged}) as families,"
            f" (select group_concat(distinct f.kind) {flagged}) as kinds,"
            " (select count(distinct l.field) from current_labels l where l.request_key = k.request_key"
            f" and l.reviewer = :reviewer and l.role = :role and l.field in ({self._fields()})) as answered,"
            f" not {self._open()} as done"
            " from cells k join items i using (item_key) join replies r using (request_key)"
            # the plus keeps SQLite from reading the whole run by its key instead of these few replies
            f" where +k.run_id = :run and k.request_key in ({', '.join(f':{name}' for name in places)}) group by 1",
            {"run": self.scope.run_id, "reviewer": self.scope.reviewer, "role": self.scope.role, **places},
        )
        entries = {
            row["request_key"]: Entry(
                request_key=row["request_key"],
                item_id=row["item_id"],
                mode=row["mode"],
                model=row["model"],
                country=row["country"],
                lang=row["lang"],
                severity=row["severity"],
                families=_split(row["families"]),
                kinds=_split(row["kinds"]),
                opening=row["opening"],
                answered=row["answered"],
                done=bool(row["done"]),
            )
            for row in rows
        }
        return [entries[key] for key in keys]


def _split(joined: str | None) -> tuple[str, ...]:
    return tuple(sorted(joined.split(","))) if joined else ()
