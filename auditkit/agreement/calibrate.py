"""How good a judge is on replies that people have labelled; the result is kept, and reports quote it beside its figures.

A labelled set is a run of the kind `calibration`: its cells are the labelled replies, of a file or of an audit whose replies
were reviewed. So the judge reads them as it reads any run, and a reply that it has read in the audit is not read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditkit.agreement.compare import Pair, pairs
from auditkit.agreement.ratings import LABELS, PEOPLE, TASKS, Ratings, Task, read_ratings
from auditkit.data import Content
from auditkit.errors import AuditError, unknown
from auditkit.identity import digest
from auditkit.importers.layout import RowError, Table
from auditkit.importers.long_table import FIELDS, LongTable, Map
from auditkit.importers.survey import survey
from auditkit.importers.write import run_id as import_id
from auditkit.importers.write import write
from auditkit.stats.agree import Coefficient, Proportion, judge_accuracy, krippendorff_alpha, wilson
from auditkit.store import Store, now

REVIEWER = "labelled set"  # who said what a file of labels says
STRATA = ("lang", "model", "mode")
OF_JUDGE: dict[str, tuple[Task, ...]] = {
    "stance": ("stance",),
    "culture": ("reasoning_class", "stereotype", "hallucination", "voice"),
}
_POSITIVE = {"stance": ("a", "b"), "stereotype": ("yes", "no"), "hallucination": ("yes", "no")}
_COLUMNS = tuple(field for field in FIELDS if field != "label")


@dataclass(frozen=True)
class Metric:
    """One figure of a judge on a labelled set. `stratum` is '' for all of it, else such as 'lang=deu_Latn'."""

    stratum: str
    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int


# ---------------------------------------------------------------------------------------------------- labelled sets


def from_review(store: Store, run_id: str, sample: str | None) -> str:
    """The run that holds an audit's labelled replies. Raises AuditError where nobody has labelled any."""
    labelled = [
        row[0]
        for row in store.rows(
            "select distinct l.request_key from current_labels l join cells c using (request_key)"
            " where c.run_id = ? and (? is null or l.sample_id = ?) order by 1",
            (run_id, sample, sample),
        )
    ]
    if not labelled:
        raise AuditError(
            "nobody has labelled replies of this run yet: `auditkit review --sample 200`, or name a file with --labels"
        )
    name = digest("r1", {"calibration": run_id, "replies": labelled})
    command, manifest = store.connection.execute(
        "select command, manifest from runs where run_id = ?", (run_id,)
    ).fetchone()
    if store.begin_run(name, command, {**json.loads(manifest), "calibration_of": run_id}, kind="calibration"):
        columns = (
            "item_key, mode, country, persona_key, lang, translation_key, model, option_order, sample, request_key"
        )
        with store.transaction() as db:
            db.executemany(
                f"insert or ignore into cells (run_id, position, {columns})"
                f" select ?, ?, {columns} from cells where run_id = ? and request_key = ? order by position limit 1",
                [(name, position, run_id, key) for position, key in enumerate(labelled)],
            )
        store.finish_plan(name)
    return name


def from_file(store: Store, path: Path, content: Content, command: str) -> str:
    """The run that holds a file of labelled replies: a CSV table with a column for every field of `auditkit import csv` that
    it knows, and one for every label (stance, reasoning_class, stereotype, hallucination, voice). Empty cells are no label.

    Raises AuditError that names row and column of what cannot be read.
    """
    table = Table.open(path)
    columns = {name: column for name in _COLUMNS if (column := table.plain_columns.get(name.replace("_", "")))}
    tasks = {task: column for task in TASKS if (column := table.plain_columns.get(task.replace("_", "")))}
    if not tasks:
        raise AuditError(f"{path}: has no column of labels; name one {', '.join(TASKS)}")
    missing = [name for name in ("dimension", "reply", "option_a", "option_b") if name not in columns]
    if missing or not {"prompt", "scenario"} & set(columns):
        raise AuditError(
            f"{path}: needs the columns {', '.join(missing or ['prompt'])} (see `auditkit import csv --example`)"
        )
    constants = {name: value for name, value in (("model", path.stem), ("mode", "persona")) if name not in columns}
    layout = LongTable(content, table, Map(path.stem, columns, constants, {}, {}))
    labels = list(_labels(table, tasks))
    found = survey(layout, content, strict=True)
    name = digest("r1", {"calibration": import_id(layout, found)})
    write(store, layout, found, content, name, command, kind="calibration")
    keys = {
        row["number"]: row["request_key"]
        for row in store.rows(
            "select r.request_key, json_extract(r.params, '$.row') as number from cells c join requests r using (request_key)"
            " where c.run_id = ?",
            (name,),
        )
    }
    said = {(row[0], row[1]): row[2] for row in store.rows(
        "select request_key, field, value from current_labels where reviewer = ? and role = 'adjudicator'", (REVIEWER,)
    )}  # fmt: skip
    stamp = now()
    store.insert(
        "labels",
        [
            {
                "request_key": keys[number], "reviewer": REVIEWER, "role": "adjudicator", "field": task, "value": value,
                "blind": 1, "created_at": stamp,
            }
            for number, task, value in labels
            if number in keys and said.get((keys[number], task)) != value
        ],
    )  # fmt: skip
    return name


def _labels(table: Table, tasks: dict[Task, str]) -> Iterator[tuple[int, Task, str]]:
    """(row, task, label) of every label in a table, in the words of review."""
    same = {"first": "a", "second": "b"}
    for number, row in table.rows():
        if isinstance(row, RowError):
            continue  # the survey of the rows names it
        for task, column in tasks.items():
            value = row[column].strip()
            if not value:
                continue
            if task in {"stereotype", "hallucination"}:
                value = {"no": "none", "false": "none", "0": "none"}.get(value.lower(), value)
            else:
                value = same.get(value.lower(), value.lower()) if task == "stance" else value.lower()
                if value not in LABELS[task]:
                    raise AuditError(
                        f"{table.path.name} row {number}: {column}: {unknown('label', value, LABELS[task])}"
                    )
            yield number, task, value


# ---------------------------------------------------------------------------------------------------------- figures


def measure(store: Store, run_id: str, judge_key: str, task: str) -> list[Metric]:
    """Every figure of a judge (of the task `stance` or `culture`) on a labelled set: overall and in strata.

    Names of metrics: kappa, ac1, alpha, recall of each label, sensitivity and specificity (stance: of first and second pole;
    stereotype, hallucination: of any and none), flip_rate (both orders read differently), invalid_rate. A culture judge's carry
    the task's name behind, such as kappa_stereotype; its `alpha` is that of the reasoning class. Limits resample dilemmas
    where a dilemma has several replies, else are the large-sample ones; rates have Wilson's.
    """
    out: list[Metric] = []
    for task_name in OF_JUDGE[task]:
        ratings = read_ratings(store, run_id, task_name)
        judge = ratings.name(judge_key)
        end = "" if task == "stance" else f"_{task_name}"
        for by in (None, *STRATA):
            for pair in pairs(ratings, by):
                if (pair.first, pair.second) != (judge, PEOPLE) or (by is not None and not pair.stratum):
                    continue
                stratum = f"{by}={pair.stratum}" if by else ""
                out += _pair_metrics(ratings, pair, by, stratum, end)
        out += _alpha(ratings, judge, end)
    out += _rates(store, run_id, judge_key, task)
    return out


def _alpha(ratings: Ratings, judge: str, end: str) -> Iterator[Metric]:
    """Krippendorff's alpha of judge and people; the main task's without its name too."""
    said, people = ratings.by.get(judge, {}), ratings.by.get(PEOPLE, {})
    both = [key for key in ratings.places if key in said and key in people]
    if both:
        items = [ratings.places[key].item for key in both]
        table = [[said[key], people[key]] for key in both]
        alpha = krippendorff_alpha(table, clusters=items if len(set(items)) < len(items) else None)
        for name in dict.fromkeys((f"alpha{end}", *(["alpha"] if ratings.task == "reasoning_class" else []))):
            yield _coefficient("", name, alpha, len(both))


def _pair_metrics(ratings: Ratings, pair: Pair, by: str | None, stratum: str, end: str) -> Iterator[Metric]:
    seen = pair.found
    for name, value in (("kappa", seen.kappa), ("ac1", seen.ac1)):
        yield _coefficient(stratum, f"{name}{end}", value, seen.n)
    for label, (hit, n) in pair.recall().items():
        yield _proportion(stratum, f"recall_{label}" + (end if label in {"yes", "no"} else ""), wilson(hit, n))
    if ratings.task in _POSITIVE:
        yes, no = _POSITIVE[ratings.task]
        keys = [
            key for key, place in ratings.places.items()
            if (by is None or place.groups[by] == pair.stratum)
            and key in ratings.by[pair.first] and key in ratings.by[PEOPLE]
        ]  # fmt: skip
        as_pole = {yes: True, no: False}
        accuracy = judge_accuracy(
            [as_pole.get(ratings.by[pair.first][key]) for key in keys],
            [as_pole.get(ratings.by[PEOPLE][key]) for key in keys],
        )
        yield _proportion(stratum, f"sensitivity{end}", accuracy.sensitivity)
        yield _proportion(stratum, f"specificity{end}", accuracy.specificity)


def _rates(store: Store, run_id: str, judge_key: str, task: str) -> Iterator[Metric]:
    """How often the judge's readings could not be parsed, and how often the order of the options decided."""
    row = store.connection.execute(
        "select count(*) as n, coalesce(sum(v.status = 'parse_failed'), 0) as failed from verdicts v"
        " where v.judge_key = ? and v.request_key in (select request_key from cells where run_id = ?)",
        (judge_key, run_id),
    ).fetchone()
    yield _proportion("", "invalid_rate", wilson(row["failed"], row["n"]))
    if task == "stance":
        row = store.connection.execute(
            "select count(*) as n, coalesce(sum(flipped), 0) as flipped from stances s"
            " where s.judge_key = ? and readings > 1 and outcome <> 'parse_failed' and s.request_key in"
            " (select request_key from cells where run_id = ?)",
            (judge_key, run_id),
        ).fetchone()
        if row["n"]:
            yield _proportion("", "flip_rate", wilson(row["flipped"], row["n"]))


def _coefficient(stratum: str, name: str, found: Coefficient, n: int) -> Metric:
    return Metric(stratum, name, found.value, found.low, found.high, n)


def _proportion(stratum: str, name: str, found: Proportion) -> Metric:
    return Metric(stratum, name, found.value, found.low, found.high, found.n)


def keep(store: Store, judge_key: str, label_set: str, metrics: Sequence[Metric]) -> None:
    """Store the figures; earlier ones of the judge on the same set give way."""
    stamp = now()
    with store.transaction() as db:
        db.execute("delete from calibrations where judge_key = ? and label_set = ?", (judge_key, label_set))
        db.executemany(
            "insert into calibrations (judge_key, label_set, stratum, metric, value, low, high, n, created_at)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(judge_key, label_set, m.stratum, m.name, m.value, m.low, m.high, m.n, stamp) for m in metrics],
        )
