"""Who read the replies: standing by calibration, agreement of judges, and shares corrected for a judge's errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from auditkit.agreement import gate
from auditkit.agreement.gate import Standing
from auditkit.agreement.ratings import Task
from auditkit.report.counts import Cell
from auditkit.report.estimates import sentence
from auditkit.report.scope import Scope, marks
from auditkit.report.settings import Settings
from auditkit.stats.agree import clustered_agreement
from auditkit.stats.correct import CorrectedShare, prediction_powered_share, rogan_gladen_share
from auditkit.store import Store

Row = dict[str, Any]

# what a judge of a task is held to, the first being its main label; metric names are those of `auditkit judge calibrate`
HELD_TO: dict[str, dict[Task, str]] = {
    "stance": {"stance": "kappa"},
    "culture": {"reasoning_class": "kappa_reasoning_class", "stereotype": "kappa_stereotype"},
}
_RANK: tuple[Standing, ...] = ("passed", "exploratory", "failed")


@dataclass(frozen=True)
class Measured:
    """A judge's figures on its latest labelled set, by metric, and the set's name; empty where it was never calibrated."""

    label_set: str
    metrics: Mapping[str, Mapping[str, Any]]

    def value(self, metric: str, field: str = "value") -> float | None:
        found = self.metrics.get(metric, {}).get(field)
        return None if found is None else float(found)


def calibrated(store: Store, judge_key: str) -> Measured:
    """The figures over all of the labelled set that the judge was measured on last."""
    rows = list(
        store.rows(
            "select * from calibrations where judge_key = ?1 and stratum = '' and label_set = (select label_set"
            " from calibrations where judge_key = ?1 order by created_at desc, label_set limit 1)",
            (judge_key,),
        )
    )
    return Measured(rows[0]["label_set"] if rows else "", {row["metric"]: dict(row) for row in rows})


def standing(measured: Measured, task: str, rules: Measured | None = None) -> tuple[Standing, str]:
    """'passed', 'failed' or 'exploratory' (not measured), and why. rules: the rule layer on the same labels, which a judge must beat."""
    if not measured.metrics:
        return "exploratory", "not calibrated"
    found = [
        gate.standing(
            label, measured.value(metric), measured.value(metric, "low"), rules.value(metric) if rules else None
        )
        for label, metric in HELD_TO.get(task, {}).items()
    ]
    worst: Standing = max((verdict for verdict, _ in found), key=_RANK.index, default="exploratory")
    return worst, sentence(*(reason for verdict, reason in found if verdict == worst))


def _rules(store: Store, label_set: str, task: str) -> Measured | None:
    """The rule layer's figures for a task on a labelled set."""
    rows = list(
        store.rows(
            f"select c.* from calibrations c join judges j using (judge_key) where c.label_set = ? and c.stratum = '' and j.task = ?"
            f" and j.name in ({marks(gate.RULES)}) order by c.created_at",
            (label_set, task, *gate.RULES),
        )
    )
    return Measured(label_set, {row["metric"]: dict(row) for row in rows}) if rows else None


def judge_rows(store: Store, scope: Scope) -> list[Row]:
    """Rows of `judges`: stance and culture judges of the runs, second judges too.

    n_verdicts and parse_failed count readings of these runs' replies; flipped counts answers that were read differently in the two
    orders of the options (not known of second judges, whose replies are chosen for being hard).
    """
    # every verdict there is, unless the database holds other runs as well
    others = "exists (select 1 from cells c where c.request_key = v.request_key and c.run_id in (select run_id from report_groups))"
    of_runs = others if store.value("select count(*) from runs") > len(scope.run_ids) else "1"
    verdicts = {
        row["judge_key"]: row
        for row in store.rows(
            f"select judge_key, count(*) as n, sum(status = 'parse_failed') as failed from verdicts v where {of_runs} group by 1"
        )
    }
    flipped = {
        scope.judge_names[judge]: n
        for judge, n in store.rows("select judge, sum(flipped) from report_answers group by 1")
    }
    rows = []
    for judge in store.rows(
        "select distinct j.* from run_judges rj join judges j using (judge_key) where j.task <> 'gate'"
        f" and rj.run_id in ({marks(scope.run_ids)}) order by j.task desc, j.name, j.judge_key",
        scope.run_ids,
    ):
        key, task = judge["judge_key"], judge["task"]
        name = scope.judges.get(key, judge["name"])
        measured = calibrated(store, key)
        verdict, reason = standing(
            measured, task, None if name in gate.RULES else _rules(store, measured.label_set, task)
        )
        main = next(iter(HELD_TO.get(task, {}).values()), "")
        rows.append(
            {
                "judge": name,
                "kind": judge["kind"],
                "task": task,
                "n_verdicts": verdicts[key]["n"] if key in verdicts else 0,
                "parse_failed": verdicts[key]["failed"] if key in verdicts else 0,
                "flipped": flipped.get(name),
                "calibrated_on": measured.label_set,
                "kappa": measured.value(main),
                "kappa_low": measured.value(main, "low"),
                "kappa_high": measured.value(main, "high"),
                "alpha_k": measured.value("alpha"),
                "standing": verdict,
                "note": reason,
            }
        )
    return rows


def primary(names: list[str], rows: list[Row]) -> str:
    """The stance judge that the headline takes: best standing, then a consensus, a model, published labels, rules; then by name."""
    standings = {row["judge"]: row["standing"] for row in rows}

    def order(name: str) -> tuple[int, int, str]:
        kinds = ("majority", "all", "stance@", "published", "rules")
        kind = next((i for i, start in enumerate(kinds) if name.startswith(start)), len(kinds))
        return _RANK.index(standings.get(name, "exploratory")), kind, name

    return min(names, key=order, default="")


# ---------------------------------------------------------------------------------------------------------- agreement


def agreement_rows(store: Store, scope: Scope, settings: Settings) -> Iterator[Row]:
    """Rows of `agreement`: every two stance judges, on pole or outcome of the answers that both read; prompts resampled.

    Second judges are left out: what is referred to them is chosen for being hard, and says nothing of the other answers.
    So is a consensus beside its own members, with whom it cannot but agree.
    """
    made_of = _made_of(store, scope)
    for a, b in combinations(sorted({number for _, _, number, _ in scope.readers}), 2):
        if made_of[scope.judge_names[a]] & made_of[scope.judge_names[b]]:
            continue
        rows = list(store.rows(_PAIRS, {"a": a, "b": b}))
        if not rows:
            continue
        labels = sorted({row[name] for row in rows for name in ("a", "b")})
        items = sorted({row["item"] for row in rows})
        tables = np.zeros((len(items), max(len(labels), 2), max(len(labels), 2)))
        for row in rows:
            tables[items.index(row["item"]), labels.index(row["a"]), labels.index(row["b"])] += row["n"]
        kappa, ac1 = clustered_agreement(
            tables, level=settings.confidence, n_resamples=settings.n_resamples, seed=settings.seed
        )
        yield {
            "judge_a": scope.judge_names[a], "judge_b": scope.judge_names[b], "n": int(tables.sum()), "kappa": kappa.value,
            "kappa_low": kappa.low, "kappa_high": kappa.high, "ac1": ac1.value, "ac1_low": ac1.low, "ac1_high": ac1.high,
        }  # fmt: skip


def _made_of(store: Store, scope: Scope) -> dict[str, set[str]]:
    """Keys of the judges behind every name: a consensus's members, a judge itself."""
    out = {"": set[str]()}
    for key, name in scope.judges.items():
        config = json.loads(store.value("select config from judges where judge_key = ?", (key,)))
        out.setdefault(name, set()).update({member["judge_key"] for member in config.get("members", ())} or {key})
    return out


_UNREAD = "('not answered', 'not judged', 'blocked', 'degenerate', 'parse_failed')"
_PAIRS = f"""
select a.item, a.state as a, b.state as b, count(*) as n from report_answers a
join report_answers b using (g, item, country, template_id, option_order, sample, lang, position)
where a.judge = :a and b.judge = :b and a.state not in {_UNREAD} and b.state not in {_UNREAD} group by 1, 2, 3"""


# --------------------------------------------------------------------------------------------------------- correction


def corrector(store: Store, scope: Scope, settings: Settings) -> Callable[[Cell], tuple[CorrectedShare, str] | None]:
    """How to correct a cell's share: PPI++ with people's labels of a random sample, else Rogan and Gladen by the judge's calibration."""
    keys = {name: key for key, name in scope.judges.items()}
    labels = _labels(store, scope)

    def corrected(cell: Cell) -> tuple[CorrectedShare, str] | None:
        by_people = _ppi(cell, labels.get((cell.model, cell.mode, cell.dimension, cell.judge), []), settings)
        if by_people is not None:
            return by_people, "PPI++"
        key = keys.get(cell.judge, "")
        return _rogan_gladen(cell, calibrated(store, key), settings) if key else None

    return corrected


_Label = tuple[bool, bool, float]  # first pole to people, first pole to the judge, weight in the sample

# the adjudicator's label counts, else that of the raters where they agree; only replies that were drawn for a sample
_HUMAN = """
select a.g, a.judge, h.pole = 'first' as human, a.state = 'first' as judged, h.weight from report_answers a
join (
  select l.request_key, max(s.weight) as weight,
    coalesce(max(case when l.role = 'adjudicator' then o.pole end),
      case when count(distinct coalesce(o.pole, l.value)) = 1 then max(o.pole) end) as pole
  from current_labels l join sample_items s using (sample_id, request_key)
  left join options o on o.option_id = l.value
    and o.item_key = (select c.item_key from cells c where c.request_key = l.request_key limit 1)
  where l.field = 'stance' group by 1) h using (request_key)
where a.state in ('first', 'second') and h.pole is not null"""


def _labels(store: Store, scope: Scope) -> dict[tuple[str, str, str, str], list[_Label]]:
    """Answers to which people and a judge both gave a pole, by model, mode, dimension and judge."""
    labels: dict[tuple[str, str, str, str], list[_Label]] = {}
    if store.value(
        "select exists (select 1 from sample_items join labels using (sample_id, request_key) where field = 'stance')"
    ):
        for g, judge, human, judged, weight in store.rows(_HUMAN):
            group = scope.groups[g]
            key = (group.label, group.mode, group.dimension, scope.judge_names[judge])
            labels.setdefault(key, []).append((bool(human), bool(judged), weight))
    return labels


def _ppi(cell: Cell, labels: list[_Label], settings: Settings) -> CorrectedShare | None:
    """PPI++ of a cell whose labelled answers were drawn with equal chances; None where too few were, or not so."""
    if len(labels) < 2 or len({round(weight, 9) for *_, weight in labels}) > 1:
        return None
    human, judge, _ = zip(*labels, strict=True)
    first, usable = int(cell.counts.Y.sum()) - sum(judge), int(cell.counts.N.sum()) - len(judge)
    rest = np.concatenate([np.ones(first), np.zeros(usable - first)])
    return prediction_powered_share(human, judge, rest, level=settings.confidence)


def _rogan_gladen(cell: Cell, measured: Measured, settings: Settings) -> tuple[CorrectedShare, str] | None:
    se, sp = (measured.metrics.get(name) for name in ("sensitivity", "specificity"))
    if not se or not sp or not se["n"] or not sp["n"] or se["value"] is None or sp["value"] is None:
        return None
    result = rogan_gladen_share(
        int(cell.counts.Y.sum()),
        int(cell.counts.N.sum()),
        round(se["value"] * se["n"]),
        se["n"],
        round(sp["value"] * sp["n"]),
        sp["n"],
        level=settings.confidence,
    )
    return result, f"Rogan-Gladen, {measured.label_set}"
