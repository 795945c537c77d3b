"""What replies hold beside a choice: reasons, stereotypes, inventions, and passages that show them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from auditkit.report.scope import Scope, marks
from auditkit.report.settings import Settings
from auditkit.stats.cells import Array
from auditkit.stats.share import overall_share
from auditkit.store import Store

Row = dict[str, Any]
CLASSES = ("none", "persona_only", "cultural_reasoning")
FAULTS = ("stereotype", "hallucination", "voice", "language", "injection", "value")
EXAMPLES_PER_KIND = 3
MOST_EXAMPLES = 300
_AROUND = 90  # characters shown before and after a passage

# a reply that a culture judge read, once for each cell that asked for it
_READ = """
create temp table report_cultures as
select a.g, a.item, a.country, a.lang, a.request_key, v.judge_key, v.reasoning_class
from report_answers a join verdicts v on v.request_key = a.request_key and v.presentation = '' and v.status = 'ok'
  and v.judge_key in ({keys})
where a.once"""

_BY_PROMPT = """
select g, judge_key, item, country, count(*) as n, sum(reasoning_class = 'none') as none,
  sum(reasoning_class = 'persona_only') as persona_only, sum(reasoning_class = 'cultural_reasoning') as cultural_reasoning,
  coalesce(sum(stereotype), 0) as stereotyped, coalesce(sum(hallucination), 0) as hallucinated, sum(severity) as severity
from report_cultures left join (
  select request_key, judge_key, max(family = 'stereotype') as stereotype, max(family = 'hallucination') as hallucination,
    max(case when family = 'stereotype' then severity end) as severity
  from flags group by 1, 2) using (request_key, judge_key)
group by 1, 2, 3, 4"""

_KINDS = """
select g, judge_key, item, country, family, kind, count(*) as n
from report_cultures join (select distinct request_key, judge_key, family, kind from flags) using (request_key, judge_key)
group by 1, 2, 3, 4, 5, 6"""


def culture_judges(store: Store, scope: Scope) -> dict[str, str]:
    """Key -> name of the culture judges that the runs asked for; a second judge, which reads what is in doubt, says so."""
    return {
        row["judge_key"]: row["name"] + (" (referred)" if row["second"] else "")
        for row in store.rows(
            "select distinct j.judge_key, j.name, exists (select 1 from second_judges s where s.run_id = rj.run_id"
            " and s.judge_key = rj.judge_key) as second from run_judges rj join judges j using (judge_key)"
            f" where j.task = 'culture' and rj.run_id in ({marks(scope.run_ids)})",
            scope.run_ids,
        )
    }


def read_replies(store: Store, judges: Mapping[str, str]) -> None:
    """Make the temporary table that the functions below count; it goes with the others of `counts.counted`."""
    store.connection.execute(_READ.format(keys=marks(list(judges))), tuple(judges))


class _Grid:
    """Counts by prompt and country of one model, mode and judge."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.items = {name: k for k, name in enumerate(sorted({row["item"] for row in rows}))}
        self.countries = {name: j for j, name in enumerate(sorted({row["country"] for row in rows}))}
        self.n = self.count(rows, "n")

    def count(self, rows: Sequence[Mapping[str, Any]], column: str) -> Array:
        total = np.zeros((len(self.items), len(self.countries)))
        for row in rows:
            total[self.items[row["item"]], self.countries[row["country"]]] += row[column] or 0
        return total


def _by_cell(store: Store, scope: Scope, sql: str) -> dict[tuple[str, str, str], list[Mapping[str, Any]]]:
    """Rows by model, mode and judge; dimensions come together."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in store.rows(sql):
        group = scope.groups[row["g"]]
        groups.setdefault((group.label, group.mode, row["judge_key"]), []).append(dict(row))
    return groups


def culture_rows(
    store: Store, scope: Scope, judges: Mapping[str, str], settings: Settings
) -> tuple[list[Row], list[Row]]:
    """Rows of `culture` and of `culture_kinds`. Limits resample prompts and countries (for one country, prompts)."""
    by_kind, read = (_by_cell(store, scope, sql) for sql in (_KINDS, _BY_PROMPT))
    classes: list[Row] = []
    kinds: list[Row] = []
    for (model, mode, judge_key), rows in sorted(read.items()):
        key = {"model": model, "mode": mode, "judge": judges[judge_key]}
        grid = _Grid(rows)
        counts = {name: grid.count(rows, name) for name in (*CLASSES, "stereotyped", "hallucinated", "severity")}
        countries = [("", list(grid.countries.values()))]
        if list(grid.countries) != [""]:
            countries += [(name, [j]) for name, j in grid.countries.items()]
        for iso3, columns in countries:
            classes.append({**key, "iso3": iso3, **_shares(grid.n[:, columns], counts, columns, settings)})
        flagged = by_kind.get((model, mode, judge_key), [])
        for family, kind in sorted({(row["family"], row["kind"]) for row in flagged}):
            y = grid.count([row for row in flagged if (row["family"], row["kind"]) == (family, kind)], "n")
            share = overall_share(y, grid.n, level=settings.confidence)
            kinds.append(
                {
                    **key, "family": family, "kind": kind, "n_replies": int(grid.n.sum()), "n_with": int(y.sum()),
                    "share": share.value, "low": share.low, "high": share.high,
                }
            )  # fmt: skip
    return classes, kinds


def _shares(n: Array, counts: Mapping[str, Array], columns: list[int], settings: Settings) -> Row:
    total = float(n.sum())
    row: Row = {"n": int(total)}
    for name in CLASSES:
        row[name] = float(counts[name][:, columns].sum()) / total
    for name in ("stereotyped", "hallucinated"):
        share = overall_share(counts[name][:, columns], n, level=settings.confidence)
        row |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
    stereotyped = float(counts["stereotyped"][:, columns].sum())
    row["mean_severity"] = float(counts["severity"][:, columns].sum()) / stereotyped if stereotyped else None
    return row


def example_rows(store: Store, scope: Scope, judges: Mapping[str, str]) -> Iterator[Row]:
    """Rows of `examples`: of every kind of fault the gravest passages, from as many countries as there are."""
    for row in store.rows(
        f"""
        select p.*, r.text from (
          select *, row_number() over (partition by label, mode, judge_key, family, kind
            order by turn, severity desc, weight desc, flag_id) as place
          from (
            select g.label, g.mode, c.country, c.lang, c.item, f.*,
              row_number() over (partition by g.label, g.mode, f.judge_key, f.family, f.kind, c.country
                order by f.severity desc, f.weight desc, f.flag_id) as turn
            from report_cultures c join report_groups g using (g) join flags f using (request_key, judge_key) where f.family in ({marks(FAULTS)}))) p
        join replies r using (request_key)
        where place <= ? order by severity desc, family, kind, label, mode, place limit ?
        """,
        (*FAULTS, EXAMPLES_PER_KIND, MOST_EXAMPLES),
    ):
        start, stop, text = row["start"], row["stop"], row["text"]
        yield {
            "model": row["label"],
            "mode": row["mode"],
            "country": row["country"],
            "lang": row["lang"],
            "judge": judges[row["judge_key"]],
            "family": row["family"],
            "kind": row["kind"],
            "severity": row["severity"],
            "before": ("…" if start > _AROUND else "") + text[max(0, start - _AROUND) : start],
            "evidence": text[start:stop],
            "after": text[stop : stop + _AROUND] + ("…" if stop + _AROUND < len(text) else ""),
            "rule_id": row["rule_id"],
            "status": row["status"] or "",
            "source_id": row["source_id"] or "",
            "request_key": row["request_key"],
            "item_id": scope.items[row["item"]][1],
        }


def transcripts(store: Store, examples: Sequence[Mapping[str, Any]]) -> dict[str, Row]:
    """Request key -> what was sent (nothing for imported replies) and what came back, for the replies that examples come from."""
    out: dict[str, Row] = {}
    for row in examples:
        key = row["request_key"]
        sent = next(
            store.rows(
                "select messages, text from requests join replies using (request_key) where request_key = ?", (key,)
            )
        )
        out.setdefault(
            key,
            {
                **{name: row[name] for name in ("model", "mode", "country", "lang", "item_id")},
                "prompt": "\n\n".join(m["content"] for m in json.loads(sent["messages"] or "[]")),
                "reply": sent["text"],
            },
        )
    return out
