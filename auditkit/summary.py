"""What a run found so far: where every cell stands, the share of the first pole, and its correlation with the scores.

Counting is done in SQL, so that memory does not grow with replies.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditkit.judge.consensus import consensus_keys
from auditkit.stats.correlate import Alignment, alignment
from auditkit.stats.share import Share, overall_share
from auditkit.store import Store

STATES = (
    "first",
    "second",
    "both",
    "neither",
    "refused",
    "unclear",
    "cut_off",
    "parse_failed",
    "degenerate",
    "blocked",
    "not judged",
    "not answered",
)
# The state of a row of the view `answers`: one of STATES, for every row.
STATE_SQL = """case when reply_status is null then 'not answered'
               when reply_status = 'blocked' then 'blocked'
               when degenerate is not null or reply_status = 'empty' then 'degenerate'
               when outcome is null then 'not judged'
               when outcome = 'chose' then pole
               else outcome end"""
UNUSABLE_WARN = (
    0.03  # docs/methods.md: above this share of unusable answers a correlation can hide why they are missing
)
UNUSABLE_STOP = 0.50  # above this share the figures describe the answers that happened to be readable
DEGENERATE_STOP = 0.20


@dataclass(frozen=True)
class Group:
    """One model, mode and dimension, as one judge read it. `states` holds every cell exactly once."""

    model: str
    mode: str
    dimension: str
    judge: str | None
    states: Mapping[str, int]
    truncated: int
    share: Share
    alignment: Alignment | None  # None for baseline, which has no countries

    @property
    def asked(self) -> int:
        return sum(self.states.values())

    @property
    def answered(self) -> int:
        return self.asked - self.states.get("not answered", 0)

    @property
    def usable(self) -> int:
        return self.states.get("first", 0) + self.states.get("second", 0)

    def warnings(self) -> list[str]:
        """Plain reasons not to interpret the figures, the gravest first; empty where there are none."""
        judged = self.answered - self.states.get("not judged", 0)
        if not judged:
            return ["nothing has been judged"]
        out = []
        unusable = 1 - self.usable / judged
        degenerate = self.states.get("degenerate", 0) / judged
        if degenerate > DEGENERATE_STOP:
            out.append(f"{degenerate:.0%} of the replies are degenerate: do not interpret")
        if unusable > UNUSABLE_STOP:
            out.append(f"{unusable:.0%} of the replies take no side that the judge could make out: do not interpret")
        elif unusable > UNUSABLE_WARN:
            out.append(f"{unusable:.0%} of the replies take no side: look at why before quoting r")
        for what, found in (("interval of the share", self.share), ("r", self.alignment)):
            if found is not None and not found.estimable:
                out.append(f"no {what}: {found.reason}")
        if self.alignment is not None and self.alignment.estimable and self.alignment.n_countries < 12:
            out.append(f"only {self.alignment.n_countries} countries: the interval says how little that can show")
        return out


@dataclass(frozen=True)
class Summary:
    """Everything that the closing table shows."""

    run_id: str
    edition: str
    groups: list[Group]
    spend: list[dict[str, Any]]
    set_aside: list[dict[str, Any]]
    left: int
    manifest: Mapping[str, Any]


def judge_names(store: Store, run_id: str) -> dict[str, str]:
    """Key -> name of a run's stance judges; judges of one name (another prompt, parameter or version) get their keys' beginnings."""
    names = {
        row["judge_key"]: row["name"]
        for row in store.rows(
            "select j.judge_key, j.name from run_judges join judges j using (judge_key)"
            " where run_id = ? and j.task = 'stance'",
            (run_id,),
        )
    }
    twins = Counter(names.values())
    return {key: name if twins[name] == 1 else f"{name} ({key[3:9]})" for key, name in names.items()}


def summarise(store: Store, run_id: str, edition: str = "paper", judge: str | None = None) -> Summary:
    """The state of a run. `judge` names one stance judge; the default is the consensus, or without one every stance judge."""
    manifest = json.loads(store.value("select manifest from runs where run_id = ?", (run_id,)))
    scores = {iso3: c["scores"].get(edition, {}) for iso3, c in manifest["countries"].items()}
    score_of = {name: d["score"] for name, d in manifest["dimensions"].items()}
    shown = judge_names(store, run_id)
    wanted = [key for key, name in shown.items() if judge in (key, name, name.partition(" (")[0])]
    if judge is None:
        wanted = consensus_keys(store, run_id)
    rows = store.rows(
        f"""
        select model, mode, dimension, judge_key, item_id, country,
          {STATE_SQL} as state,
          sum(reply_status is 'truncated') as truncated, count(*) as n
        from answers where run_id = ? and (? or judge_key in (select value from json_each(?)))
        group by 1, 2, 3, 4, 5, 6, 7
        """,
        (run_id, judge is None and not wanted, json.dumps(wanted)),
    )
    states: dict[tuple[str, str, str, str | None], Counter[str]] = {}
    truncated: Counter[tuple[str, str, str, str | None]] = Counter()
    counts: dict[tuple[str, str, str, str | None], Counter[tuple[str, str, str]]] = {}
    for row in rows:
        key = (row["model"], row["mode"], row["dimension"], row["judge_key"])
        states.setdefault(key, Counter())[row["state"]] += row["n"]
        truncated[key] += row["truncated"]
        if row["state"] in ("first", "second"):
            counts.setdefault(key, Counter())[row["item_id"], row["country"] or "", row["state"]] += row["n"]
    groups = []
    for key in sorted(states, key=lambda k: (k[0], k[1], k[2], k[3] or "")):
        model, mode, dimension, judge_key = key
        cell = counts.get(key, Counter())
        items = sorted({item for item, _, _ in cell})
        countries = sorted({country for _, country, _ in cell})
        first = np.array([[cell[i, c, "first"] for c in countries] for i in items], dtype=float).reshape(
            len(items), len(countries)
        )
        usable = first + np.array([[cell[i, c, "second"] for c in countries] for i in items], dtype=float).reshape(
            len(items), len(countries)
        )
        name = score_of.get(dimension, dimension)
        x = np.array([scores.get(c, {}).get(name, np.nan) for c in countries], dtype=float)
        groups.append(
            Group(
                model=model,
                mode=mode,
                dimension=dimension,
                judge=shown.get(judge_key or ""),
                states={s: states[key][s] for s in STATES if states[key][s]},
                truncated=truncated[key],
                share=overall_share(first, usable),
                alignment=None if mode == "baseline" else alignment(first, usable, x),
            )
        )
    return Summary(
        run_id=run_id,
        edition=edition,
        groups=groups,
        spend=[dict(row) for row in store.rows("select * from spend where run_id = ?", (run_id,))],
        set_aside=manifest.get("set_aside", []),
        left=len(store.pending_requests(run_id)),
        manifest=manifest,
    )


@dataclass(frozen=True)
class Culture:
    """One model and mode as one culture judge read it: counts of cells."""

    model: str
    mode: str
    judge: str
    read: int  # cells with a readable verdict
    unparsed: int
    classes: Mapping[str, int]
    stereotyped: int
    hallucinated: int


def cultures(store: Store, run_id: str) -> list[Culture]:
    """What the culture judges of a run found so far. A second judge is marked: what it reads was chosen for looking doubtful."""
    return [
        Culture(
            row["model"],
            row["mode"],
            row["judge"] + (" (referred)" if row["second"] else ""),
            row["read"],
            row["unparsed"],
            {name: row[name] for name in ("none", "persona_only", "cultural_reasoning")},
            row["stereotyped"],
            row["hallucinated"],
        )
        for row in store.rows(
            """
            select model, mode, judge, sum(status is 'ok') as read, sum(status is 'parse_failed') as unparsed,
              sum(reasoning_class is 'none') as none, sum(reasoning_class is 'persona_only') as persona_only,
              sum(reasoning_class is 'cultural_reasoning') as cultural_reasoning,
              sum(coalesce(stereotypes, 0) > 0) as stereotyped, sum(coalesce(hallucinations, 0) > 0) as hallucinated,
              exists (select 1 from second_judges d where d.run_id = cultures.run_id and d.judge_key = cultures.judge_key) as second
            from cultures where run_id = ? and status is not null group by model, mode, judge_key order by 1, 2, 3
            """,
            (run_id,),
        )
    ]
