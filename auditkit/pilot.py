"""What a stored run says of the noise that a larger one would meet."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditkit.errors import AuditError
from auditkit.stats.cells import CellCounts
from auditkit.stats.power import Pilot, pilot_cell, summarise_pilot
from auditkit.store import Store


@dataclass(frozen=True)
class MeasuredPilot:
    """A run as a pilot. judge: the stance judge whose readings are usable most often. reply_tokens: mean tokens of a reply by model."""

    run_id: str
    judge: str
    noise: Pilot
    reply_tokens: Mapping[str, float]


def measure_pilot(store: Store, name: str, edition: str, phi: float) -> MeasuredPilot:
    """The noise of a run, by the beginning of its id; phi is assumed where no request has three samples.

    Raises AuditError for a run without usable answers by country, and for one of whose cells none tells anything.
    """
    run = store.latest_run(name)
    run_id, manifest = str(run["run_id"]), json.loads(run["manifest"])
    rows = list(
        store.rows(
            """select model, mode, dimension, judge, item_id, country, sum(first_pole) as first, count(first_pole) as usable,
                 count(*) as answers
               from answers where run_id = ? and country is not null and judge is not null
               group by model, mode, dimension, judge, item_id, country, lang, template_id, option_order""",
            (run_id,),
        )
    )
    usable: Counter[str] = Counter()
    for row in rows:
        usable[row["judge"]] += row["usable"]
    if not usable.total():
        raise AuditError(f"run {run_id} has no usable answers by country: it cannot serve as a pilot")
    judge = usable.most_common(1)[0][0]
    cells: defaultdict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for row in rows:
        if row["judge"] == judge:
            cells[row["model"], row["mode"], row["dimension"]].append(row)
    found = []
    for (_, _, dimension), mine in sorted(cells.items()):
        score = manifest["dimensions"][dimension]["score"]
        scores = {
            iso3: country["scores"].get(edition, {}).get(score) for iso3, country in manifest["countries"].items()
        }
        counts = CellCounts.from_counts(
            ((r["item_id"], r["country"], r["first"] or 0, r["usable"], r["answers"]) for r in mine),
            {iso3: value for iso3, value in scores.items() if value is not None},
        )
        requests = [(r["first"] or 0, r["usable"]) for r in mine]
        found.append(pilot_cell(counts.Y, counts.N, counts.x, requests, phi=phi))
    noise = summarise_pilot(found)
    if not noise.n_used:
        raise AuditError(f"run {run_id} cannot serve as a pilot: {found[0].reason}")
    lengths = store.rows(
        "select model, avg(tokens_out) as tokens from answers where run_id = ? and tokens_out is not null group by model",
        (run_id,),
    )
    return MeasuredPilot(run_id, judge, noise, {row["model"]: float(row["tokens"]) for row in lengths})
