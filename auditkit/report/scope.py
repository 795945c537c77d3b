"""What the chosen runs asked, put together: groups of cells, dilemmas, countries, scores, judges."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditkit.errors import AuditError
from auditkit.store import Store
from auditkit.summary import judge_names


@dataclass(frozen=True)
class Group:
    """What a run asked of one model in one mode and dimension. label: what the report calls the model."""

    run_id: str
    model: str
    mode: str
    dimension: str
    label: str

    @property
    def asked(self) -> tuple[str, str, str, str]:
        return self.run_id, self.model, self.mode, self.dimension


@dataclass(frozen=True)
class Scope:
    """What the runs of a report asked.

    groups: by their number in the temporary tables. items: (dimension, dilemma) by number. item_keys: (key of a wording, number
    of its dilemma, dimension). judges: key of a stance judge -> name. judge_names: by number, '' for none. readers: (run, key,
    number, place among the run's judges). apart: models of which two runs asked the same. reworded: dilemmas with two wordings.
    """

    run_ids: tuple[str, ...]
    edition: str
    groups: tuple[Group, ...]
    items: tuple[tuple[str, str], ...]
    item_keys: tuple[tuple[str, int, str], ...]
    countries: Mapping[str, Mapping[str, Any]]
    dimensions: Mapping[str, Mapping[str, Any]]
    judges: Mapping[str, str]
    judge_names: tuple[str, ...]
    readers: tuple[tuple[str, str, int, int], ...]
    apart: tuple[str, ...]
    reworded: int

    def score(self, country: str, dimension: str) -> float:
        """The country's score in the report's edition, NaN where there is none."""
        name = self.dimensions.get(dimension, {}).get("score", dimension)
        value = self.countries.get(country, {}).get("scores", {}).get(self.edition, {}).get(name)
        return float("nan") if value is None else float(value)

    def title(self, country: str) -> str:
        return str(self.countries.get(country, {}).get("title", country))


def marks(values: Sequence[object]) -> str:
    """Question marks for a list of SQL parameters."""
    return ", ".join("?" * len(values))


def read_scope(store: Store, run_ids: Sequence[str], edition: str) -> Scope:
    """What the runs asked. A model of which two runs asked the same mode and dimension is kept apart by run, in all of its cells.

    Raises AuditError where runs give a country different scores, since no single report can use both.
    """
    runs = tuple(run_ids)
    manifests = [json.loads(store.value("select manifest from runs where run_id = ?", (run_id,))) for run_id in runs]
    of_key = {
        row["item_key"]: (row["dimension"], row["item_id"])
        for row in store.rows("select item_key, dimension, item_id from items")
    }
    asked = [
        (row["run_id"], row["model"], row["mode"], row["item_key"])
        for row in store.rows(
            f"select distinct run_id, model, mode, item_key from cells where run_id in ({marks(runs)})", runs
        )
    ]
    found = sorted({(run, model, mode, of_key[key][0]) for run, model, mode, key in asked})
    shared = Counter(group[1:] for group in found)
    apart = tuple(sorted({model for (model, _, _), n in shared.items() if n > 1}))
    items = tuple(sorted({of_key[key] for *_, key in asked}))
    number = {item: n for n, item in enumerate(items)}
    keys = sorted({key for *_, key in asked})
    judges = _judges(store, runs)
    order = {key: n for n, key in enumerate(sorted(judges, key=lambda key: judges[key]), 1)}
    return Scope(
        run_ids=runs,
        edition=edition,
        groups=tuple(
            Group(run, model, mode, dimension, f"{model} (run {run[3:11]})" if model in apart else model)
            for run, model, mode, dimension in found
        ),
        items=items,
        item_keys=tuple((key, number[of_key[key]], of_key[key][0]) for key in keys),
        countries=_merged(manifests, "countries"),
        dimensions=_merged(manifests, "dimensions"),
        judges=judges,
        judge_names=("", *sorted(judges.values())),
        readers=_readers(store, runs, order),
        apart=apart,
        reworded=sum(n > 1 for n in Counter(of_key[key] for key in keys).values()),
    )


def _merged(manifests: Sequence[Mapping[str, Any]], part: str) -> dict[str, Mapping[str, Any]]:
    merged: dict[str, Mapping[str, Any]] = {}
    for manifest in manifests:
        for name, value in (manifest.get(part) or {}).items():
            if merged.setdefault(name, value).get("scores") != value.get("scores"):
                raise AuditError(f"the runs hold different scores of {name}; report them one by one")
    return merged


def _judges(store: Store, runs: Sequence[str]) -> dict[str, str]:
    """Key -> name of the runs' stance judges; judges of one name in different runs get their keys' beginnings."""
    names: dict[str, str] = {}
    for run_id in runs:
        names |= judge_names(store, run_id)
    twins = Counter(names.values())
    return {key: name if twins[name] == 1 else f"{name} ({key[3:9]})" for key, name in names.items()}


def _readers(store: Store, runs: Sequence[str], order: Mapping[str, int]) -> tuple[tuple[str, str, int, int], ...]:
    """The stance judges of each run that read everything (second judges read what is referred to them, and a consensus counts them)."""
    readers = []
    for run_id in runs:
        keys = [
            row["judge_key"]
            for row in store.rows(
                "select judge_key from run_judges rj where run_id = ?1 and not exists (select 1 from second_judges d"
                " where d.run_id = ?1 and d.judge_key = rj.judge_key)",
                (run_id,),
            )
            if row["judge_key"] in order
        ]
        readers += [
            (run_id, key, order[key], place) for place, key in enumerate(sorted(keys, key=order.__getitem__), 1)
        ]
    return tuple(readers)
