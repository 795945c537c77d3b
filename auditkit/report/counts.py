"""Replies counted in SQL: memory grows with dilemmas and countries, never with replies.

The cells of the chosen runs are joined once into a temporary table that SQLite keeps on disk, in the order in which everything
that a report says of stances groups them; models, modes, dimensions, judges and dilemmas stand there as numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from auditkit.report.scope import Scope
from auditkit.stats.cells import Array, CellCounts
from auditkit.store import Store
from auditkit.summary import STATE_SQL

_UNREAD = ("not judged", "not answered")  # not yet an outcome
_TABLES = ("answers", "groups", "items", "judges", "cultures")
_CACHE_KIB = 320_000  # holds the keys of a million replies; with SQLite's own 2 MB every look-up goes to the file

# One row a cell of a run and stance judge, as the view `answers` has it (a test compares them). The view looks two presentations
# up by grouping all verdicts there are; here the verdicts of a reply are combined as they are met:
# 'chose:a', 'refused:', 'flipped' (readings that disagree) or 'parse_failed'.
_ANSWERS = f"""
insert into report_answers
with found as materialized (
  select g.g, coalesce(rj.n, 0) as judge, i.n as item, coalesce(c.country, '') as country, coalesce(p.template_id, '') as template_id,
    c.option_order, c.sample, c.lang, c.position, c.request_key, c.item_key, coalesce(rj.place, 1) = 1 as once,
    r.status as reply_status,
    (select max(degenerate) from screens s where s.request_key = c.request_key) as degenerate,
    (select max(s.created_at || '|' || coalesce(s.language_mismatch, '') || '|' || s.reply_lang) from screens s
      where s.request_key = c.request_key and s.reply_lang is not null) as looked_at,
    (select case when count(*) = 0 then null when sum(v.status = 'parse_failed') > 0 then 'parse_failed'
        when min(v.outcome || ':' || coalesce(v.option_id, '')) = max(v.outcome || ':' || coalesce(v.option_id, ''))
        then min(v.outcome || ':' || coalesce(v.option_id, '')) else 'flipped' end
      from verdicts v where v.request_key = c.request_key and v.judge_key = rj.judge_key) as said
  from cells c
  join report_items i on i.item_key = c.item_key
  join report_groups g on g.run_id = c.run_id and g.model = c.model and g.mode = c.mode and g.dimension = i.dimension
  left join personas p on p.persona_key = c.persona_key
  left join replies r on r.request_key = c.request_key
  left join report_judges rj on rj.run_id = c.run_id
)
select g, judge, item, country, template_id, option_order, sample, lang, position, request_key, once,
  {STATE_SQL} as state, reply_status is 'truncated', said is 'flipped',
  substr(looked_at, instr(looked_at, '|') + 3 - (looked_at like '%||%')), looked_at like '%|1|%'
from (
  select *, case when said = 'flipped' then 'unclear' when said like '%:%' then substr(said, 1, instr(said, ':') - 1) else said end as outcome,
    (select o.pole from options o where o.item_key = found.item_key and o.option_id = substr(said, 7)) as pole
  from found)
order by 1, 2, 3, 4, 5, 6, 7, 8, 9"""


@dataclass(frozen=True, eq=False)
class Cell:
    """One model, mode and dimension as one judge read it.

    counts: over the dilemmas and countries of its dimension in any of the runs, so that cells of a dimension line up; T are the
    answers with an outcome, degenerate and blocked ones included. Baseline has one column, ''. judge is '' where none was asked.
    asked: (J,) cells asked of each country, with or without an outcome.
    """

    model: str
    mode: str
    dimension: str
    judge: str
    counts: CellCounts
    asked: Array
    states: Mapping[str, int]
    truncated: int
    wrong_language: int

    @property
    def key(self) -> dict[str, str]:
        return {"model": self.model, "mode": self.mode, "dimension": self.dimension, "judge": self.judge}

    @property
    def n_asked(self) -> int:
        return sum(self.states.values())

    @property
    def judged(self) -> int:
        """Cells that have an outcome, whatever it is."""
        return sum(n for state, n in self.states.items() if state not in _UNREAD)

    @property
    def usable(self) -> int:
        return self.states.get("first", 0) + self.states.get("second", 0)


@contextmanager
def counted(store: Store, scope: Scope) -> Iterator[None]:
    """Inside, the temporary table `report_answers` describes the runs, and all that is read is of one moment."""
    db = store.connection
    db.execute(f"pragma cache_size = -{_CACHE_KIB}")
    db.execute("begin")
    try:
        db.execute(
            "create temp table report_groups (g integer, run_id text, model text, mode text, dimension text, label text,"
            " primary key (run_id, model, mode, dimension)) without rowid"
        )
        db.executemany(
            "insert into report_groups values (?, ?, ?, ?, ?, ?)",
            [(g, *group.asked, group.label) for g, group in enumerate(scope.groups)],
        )
        db.execute(
            "create temp table report_items (item_key text primary key, n integer, dimension text) without rowid"
        )
        db.executemany("insert into report_items values (?, ?, ?)", scope.item_keys)
        db.execute("create temp table report_judges (run_id text, judge_key text, n integer, place integer)")
        db.executemany("insert into report_judges values (?, ?, ?, ?)", scope.readers)
        db.execute(
            "create temp table report_answers (g integer, judge integer, item integer, country text, template_id text,"
            " option_order text, sample integer, lang text, position integer, request_key text, once integer, state text,"
            " truncated integer, flipped integer, reply_lang text, wrong_language integer,"
            " primary key (g, judge, item, country, template_id, option_order, sample, lang, position)) without rowid"
        )
        db.execute(_ANSWERS)
        yield
    finally:
        for name in _TABLES:
            db.execute(f"drop table if exists temp.report_{name}")
        if db.in_transaction:
            db.execute("rollback")


def cells(store: Store, scope: Scope) -> list[Cell]:
    """Every cell of the runs, sorted by model, mode, dimension and judge."""
    states: dict[tuple[int, int], Counter[str]] = {}
    totals: Counter[tuple[int, int, str]] = Counter()
    for g, judge, state, n, truncated, wrong in store.rows(
        "select g, judge, state, count(*), sum(truncated), coalesce(sum(wrong_language), 0) from report_answers group by 1, 2, 3"
    ):
        states.setdefault((g, judge), Counter())[state] += n
        totals[g, judge, "truncated"] += truncated
        totals[g, judge, "wrong_language"] += wrong
    tallies: dict[tuple[int, int], list[tuple[int, str, int, int, int, int]]] = {}
    countries: dict[str, set[str]] = {}
    for g, judge, *tally in store.rows(
        "select g, judge, item, country, sum(state = 'first'), sum(state = 'second'), sum(state in ('not judged', 'not answered')),"
        " count(*) from report_answers group by 1, 2, 3, 4"
    ):
        tallies.setdefault((g, judge), []).append(tuple(tally))
        if tally[1]:
            countries.setdefault(scope.groups[g].dimension, set()).add(tally[1])
    made = []
    for (g, judge), of_state in states.items():
        group = scope.groups[g]
        columns = ("",) if group.mode == "baseline" else tuple(sorted(countries.get(group.dimension, ())))
        counts, asked = _grid(tallies[g, judge], scope, group.dimension, columns)
        made.append(
            Cell(
                model=group.label,
                mode=group.mode,
                dimension=group.dimension,
                judge=scope.judge_names[judge],
                counts=counts,
                asked=asked,
                states=of_state,
                truncated=totals[g, judge, "truncated"],
                wrong_language=totals[g, judge, "wrong_language"],
            )
        )
    return sorted(made, key=lambda c: (c.model, c.mode, c.dimension, c.judge))


def _grid(
    tally: list[tuple[int, str, int, int, int, int]], scope: Scope, dimension: str, columns: tuple[str, ...]
) -> tuple[CellCounts, Array]:
    """Counts by prompt and country, and what was asked by country."""
    numbers = [n for n, (of, _) in enumerate(scope.items) if of == dimension]
    row_of = {n: k for k, n in enumerate(numbers)}
    column_of = {name: j for j, name in enumerate(columns)}
    first, usable, judged, total = np.zeros((4, len(numbers), len(columns)))
    for item, country, n_first, n_second, unread, n in tally:
        at = row_of[item], column_of[country]
        first[at] = n_first
        usable[at] = n_first + n_second
        judged[at] = n - unread
        total[at] = n
    prompts = tuple(scope.items[n][1] for n in numbers)
    x = np.array([scope.score(name, dimension) for name in columns])
    return CellCounts(first, usable, judged, x, prompts, columns), total.sum(axis=0)
