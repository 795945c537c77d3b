"""Small stores for the tests of reports: real runs of scripted models, and judges whose readings are put in by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from auditkit.data import load_content
from auditkit.report.findings import Findings, gather
from auditkit.report.settings import Settings
from auditkit.store import Store

QUICK = {"n_permutations": 199, "n_class_permutations": 99, "n_resamples": 200}
STAMP = "2026-01-01T00:00:00.000+00:00"


def run(db: Path, *arguments: str) -> str:
    """Run the real command line into a database and give the run's id."""
    from auditkit.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments, "--db", str(db)])
    assert ended.value.code == 0
    with Store.read(db) as store:
        run_id: str = store.latest_run()["run_id"]
        return run_id


def found(db: Path, *run_ids: str, **settings) -> Findings:
    """The findings of some runs, or of the latest, with few permutations."""
    with Store.read(db) as store:
        ids = list(run_ids) or [store.latest_run()["run_id"]]
        return gather(store, ids, load_content(), Settings(**{**QUICK, **settings}))


def add_judge(
    db: Path,
    run_id: str,
    name: str,
    readings: Iterable[tuple],
    *,
    task: str = "stance",
    kind: str = "llm",
    orders=("ab", "ba"),
) -> str:
    """A judge of a run with readings (request key, presentation, outcome, option), outcome None for one that could not be parsed."""
    key = f"j1:{abs(hash(name)):032x}"[:35]
    with Store.open(db) as store:
        judge = {"judge_key": key, "name": name, "kind": kind, "task": task, "model": None, "config": "{}"}
        store.ask_judge(run_id, judge, orders)
        store.insert_verdicts(
            [
                {
                    "request_key": request, "judge_key": key, "presentation": order,
                    "status": "parse_failed" if outcome is None else "ok",
                    "outcome": outcome if task == "stance" else None,
                    "reasoning_class": outcome if task == "culture" else None,
                    "option_id": option, "raw": "", "created_at": STAMP,
                }
                for request, order, outcome, option in readings
            ]
        )  # fmt: skip
    return key


def calibrate(db: Path, judge_key: str, **metrics: tuple[float, float, float, int]) -> None:
    """Rows of a calibration on the set 'people': metric -> (value, low, high, n)."""
    with Store.open(db) as store:
        store.insert(
            "calibrations",
            [
                {"judge_key": judge_key, "label_set": "people", "stratum": "", "metric": metric, "value": value, "low": low,
                 "high": high, "n": n, "created_at": STAMP}
                for metric, (value, low, high, n) in metrics.items()
            ],
        )  # fmt: skip


def answers(db: Path, run_id: str, columns: str, where: str = "1") -> list[tuple]:
    """Rows of the view `answers`, which the report does not use: what its figures are checked against."""
    with Store.read(db) as store:
        sql = f"select {columns} from answers where run_id = ? and {where} order by position, judge"
        return [tuple(row) for row in store.rows(sql, (run_id,))]


def scores(dimension: str = "idv", edition: str = "paper") -> dict[str, float]:
    return {
        c.iso3: c.scores[edition][dimension]
        for c in load_content().countries.values()
        if dimension in c.scores.get(edition, {})
    }
