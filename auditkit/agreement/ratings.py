"""What judges and people said of a run's replies, task by task, in one shape."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from auditkit.judge.consensus import consensus_keys
from auditkit.judge.second import in_random_share
from auditkit.store import Store

Task = Literal["stance", "reasoning_class", "stereotype", "hallucination", "voice"]
TASKS: tuple[Task, ...] = get_args(Task)
OPTIONS = ("a", "b")
LABELS: dict[Task, tuple[str, ...]] = {  # what is on offer; AC1 counts a label that nobody used
    "stance": (*OPTIONS, "both", "neither", "refused", "unclear", "cut_off"),
    "reasoning_class": ("none", "persona_only", "cultural_reasoning"),
    "stereotype": ("yes", "no"),
    "hallucination": ("yes", "no"),
    "voice": ("none", "phonetic", "dialect", "archaic"),
}
PEOPLE = "people"  # what the reviewers say together
STRATA = ("model", "mode", "dimension", "country", "lang", "stratum")


@dataclass(frozen=True)
class Place:
    """Where a reply stands: its prompt, which is the unit of resampling, and what it can be grouped by."""

    item: str
    groups: Mapping[str, str]


@dataclass
class Ratings:
    """The labels of one task: `by` rater -> reply -> label. `invalid`: readings of a judge that could not be parsed."""

    task: Task
    by: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    places: dict[str, Place] = field(default_factory=dict)
    invalid: Counter[str] = field(default_factory=Counter)
    judges: dict[str, str] = field(default_factory=dict)  # name -> judge key; every other rater is a person
    in_view: int = 0  # labels left out, because their rater saw the verdicts first
    members: dict[str, set[str]] = field(default_factory=dict)  # of a consensus, by its name: names of judges

    @property
    def people(self) -> list[str]:
        """The reviewers, without what they say together."""
        return [name for name in self.by if name not in self.judges and name != PEOPLE]

    def name(self, judge_key: str) -> str:
        """A judge's name among the raters, which differs from its own where another judge has the same."""
        return next((name for name, key in self.judges.items() if key == judge_key), "")

    def related(self, first: str, second: str) -> bool:
        """Whether one of two judges was made of the other, or both of a third: their agreement is no evidence."""
        return bool(self.members.get(first, {first}) & self.members.get(second, {second}))


def read_ratings(store: Store, run_id: str, task: Task, sample: str | None = None) -> Ratings:
    """Everything that was said of a run's replies for one task; of a sample's replies only, where one is named.

    A judge with several readings of a reply (both option orders) has one label, as the reports count it. Two judges of one
    name are told apart by the beginning of their keys. Of a second judge only the random share counts (docs/judges.md): the other
    replies came to it because they looked doubtful. Reviewers of one name as an adjudicator count as `people` only.
    """
    ratings = Ratings(task)
    ratings.places = _places(store, run_id, sample)
    if task == "stance":
        _stances(store, run_id, ratings)
    else:
        _cultures(store, run_id, ratings)
    for name, share in _second_judges(store, run_id, ratings).items():
        ratings.by[name] = {key: label for key, label in ratings.by[name].items() if in_random_share(key, share)}
    _labels(store, ratings, sample)
    return ratings


def _places(store: Store, run_id: str, sample: str | None) -> dict[str, Place]:
    sql = (
        "select c.request_key, i.item_id, c.model, c.mode, i.dimension, coalesce(c.country, '') as country, c.lang,"
        # a sample's stratum is 'random:...' or 'enriched:...': what was drawn to find rare flags stands for nothing else
        " coalesce(substr(s.stratum, 1, instr(s.stratum || ':', ':') - 1), '') as stratum, min(c.position) from cells c join items i using (item_key)"
        " left join sample_items s on s.request_key = c.request_key and s.sample_id is :sample"
        " where c.run_id = :run and (:sample is null or s.sample_id is not null) group by c.request_key"
    )
    return {
        row["request_key"]: Place(row["item_id"], {name: row[name] for name in STRATA})
        for row in store.rows(sql, {"run": run_id, "sample": sample})
    }


def _judges(store: Store, run_id: str, tasks: tuple[str, ...]) -> dict[str, str]:
    """Judge key -> name of the run's judges for these tasks."""
    marks = ", ".join("?" * len(tasks))
    found = {
        row["judge_key"]: row["name"]
        for row in store.rows(
            f"select judge_key, name from run_judges join judges using (judge_key) where run_id = ? and task in ({marks})"
            " order by name, judge_key",
            (run_id, *tasks),
        )
    }
    twice = {name for name, count in Counter(found.values()).items() if count > 1}
    return {key: f"{name} ({key[3:9]})" if name in twice else name for key, name in found.items()}


def _second_judges(store: Store, run_id: str, ratings: Ratings) -> dict[str, float]:
    """Name of a second judge -> the random share of all replies that it reads."""
    shares = {
        row["judge_key"]: row["random_share"]
        for row in store.rows("select judge_key, random_share from second_judges where run_id = ?", (run_id,))
    }
    return {name: shares[key] for name, key in ratings.judges.items() if key in shares and name in ratings.by}


def _stances(store: Store, run_id: str, ratings: Ratings) -> None:
    names = _judges(store, run_id, ("stance",))
    ratings.judges = {name: key for key, name in names.items()}
    for key in consensus_keys(store, run_id):
        config = json.loads(store.value("select config from judges where judge_key = ?", (key,)))
        ratings.members[names[key]] = {
            names.get(member["judge_key"], member["name"]) for member in config.get("members", ())
        }
    for row in store.rows(
        "select s.request_key, s.judge_key, s.outcome, s.option_id from stances s where s.request_key in"
        " (select request_key from cells where run_id = ?)",
        (run_id,),
    ):
        if row["judge_key"] in names and row["request_key"] in ratings.places:
            name = names[row["judge_key"]]
            if row["outcome"] == "parse_failed":
                ratings.invalid[name] += 1
            else:
                ratings.by[name][row["request_key"]] = row["option_id"] or row["outcome"]


def _cultures(store: Store, run_id: str, ratings: Ratings) -> None:
    names = _judges(store, run_id, ("culture",))
    ratings.judges = {name: key for key, name in names.items()}
    for row in store.rows(
        "select v.request_key, v.judge_key, v.status, v.reasoning_class,"
        " exists (select 1 from flags f where f.request_key = v.request_key and f.judge_key = v.judge_key and f.family = :family)"
        " as flagged, (select min(f.kind) from flags f where f.request_key = v.request_key and f.judge_key = v.judge_key"
        " and f.family = 'voice') as voice"
        " from verdicts v join judges j using (judge_key) where j.task = 'culture' and v.request_key in"
        " (select request_key from cells where run_id = :run)",
        {"run": run_id, "family": ratings.task},
    ):
        if row["judge_key"] not in names or row["request_key"] not in ratings.places:
            continue
        name = names[row["judge_key"]]
        if row["status"] == "parse_failed":
            ratings.invalid[name] += 1
        elif ratings.task == "reasoning_class":
            ratings.by[name][row["request_key"]] = row["reasoning_class"]
        elif ratings.task == "voice":
            ratings.by[name][row["request_key"]] = row["voice"] or "none"
        else:
            ratings.by[name][row["request_key"]] = "yes" if row["flagged"] else "no"


def _labels(store: Store, ratings: Ratings, sample: str | None) -> None:
    """What people said; `people` is the adjudicator's label, else what more than half of the raters said.

    A rater's label that was given with verdicts and flags in view echoes them, and is left out and counted.
    """
    raters: dict[str, dict[str, str]] = defaultdict(dict)
    decided: dict[str, str] = {}
    for row in store.rows(
        "select request_key, reviewer, role, value, blind from current_labels where field = :field"
        " and (:sample is null or sample_id = :sample) order by label_id",
        {"field": ratings.task, "sample": sample},
    ):
        if row["request_key"] in ratings.places:
            if not row["blind"] and row["role"] == "rater":
                ratings.in_view += 1
                continue
            label = present(row["value"]) if ratings.task in {"stereotype", "hallucination"} else row["value"]
            if row["role"] == "adjudicator":
                decided[row["request_key"]] = label
            else:
                raters[row["reviewer"]][row["request_key"]] = label
    for name, labels in raters.items():
        ratings.by[f"{name} (reviewer)" if name in ratings.judges else name] = labels
    together: dict[str, str] = {}
    for key in {key for labels in raters.values() for key in labels} | set(decided):
        said = Counter(labels[key] for labels in raters.values() if key in labels)
        if key in decided:
            together[key] = decided[key]
        elif said:
            label, count = said.most_common(1)[0]
            if 2 * count > said.total():
                together[key] = label
    if together:
        ratings.by[PEOPLE] = together


def present(value: str) -> str:
    """Whether a list of categories, as review stores it, names any: 'none' is no, everything else yes."""
    return "no" if value == "none" else "yes"
