"""One reply with all that a reviewer may see of it: the dilemma, the persona, the verdicts, the flags, other people's labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from auditkit.data import ENGLISH, data_dir, load_countries
from auditkit.review.queue import FAULTS
from auditkit.store import Store


@dataclass(frozen=True)
class Wording:
    """A dilemma in one language; options in the order in which the question names them, as (option id, text)."""

    scenario: tuple[str, ...]
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Flag:
    """A span of the reply, in code points of its text, and who found what there."""

    flag_id: int
    family: str
    kind: str
    start: int
    stop: int
    severity: int | None
    judge: str
    note: str  # status, source and rationale, as one line
    back: str  # the span in English, '' where no judge has translated it

    @property
    def fault(self) -> bool:
        return self.family in FAULTS


@dataclass(frozen=True)
class Verdict:
    """What a judge says: an option id or outcome, or a reasoning class."""

    judge: str
    task: str
    value: str
    uncertain: bool


@dataclass(frozen=True)
class Given:
    """Another reviewer's current label."""

    reviewer: str
    role: str
    field: str
    flag_id: int | None
    value: str
    uncertain: bool


@dataclass(frozen=True)
class Case:
    """A reply under review. `asked` is the dilemma as it was sent, `english` as the bank has it."""

    request_key: str
    item_id: str
    dimension: str
    mode: str
    model: str
    country: str  # its English name, '' in baseline mode
    lang: str  # FLORES-200
    language: str  # its English name
    persona: str
    english: Wording
    asked: Wording
    reply: str
    truncated: bool
    flags: tuple[Flag, ...]  # by place
    verdicts: tuple[Verdict, ...]
    given: tuple[Given, ...]

    @property
    def translated(self) -> bool:
        return self.lang != ENGLISH

    @property
    def option_ids(self) -> tuple[str, ...]:
        return tuple(option_id for option_id, _ in self.asked.options)


def load_case(store: Store, run_id: str, request_key: str) -> Case:
    """The reply to a request, as the run's first cell asked it."""
    row = next(
        store.rows(
            "select c.*, i.item_id, i.dimension, i.body as item, t.body as translation, p.text as persona,"
            " r.text as reply, r.status from cells c join items i using (item_key) join replies r using (request_key)"
            " left join translations t using (translation_key) left join personas p using (persona_key)"
            " where c.run_id = ? and c.request_key = ? order by c.position limit 1",
            (run_id, request_key),
        )
    )
    options = [
        (option["option_id"], option["text"])
        for option in store.rows(
            "select option_id, text from options where item_key = ? order by position", (row["item_key"],)
        )
    ]
    options.sort(key=lambda option: row["option_order"].find(option[0]))
    item, here = json.loads(row["item"]), json.loads(row["translation"] or "null")
    english = Wording(tuple(item.get("scenario", ())), tuple(options))
    asked = english
    if here is not None:
        asked = Wording(tuple(here["scenario"]), tuple((o, here.get(o, text)) for o, text in options))
    countries, languages = _names()
    return Case(
        request_key=request_key,
        item_id=row["item_id"],
        dimension=row["dimension"],
        mode=row["mode"],
        model=row["model"],
        country=countries.get(row["country"], row["country"] or ""),
        lang=row["lang"],
        language=languages.get(row["lang"], row["lang"]),
        persona=row["persona"] or "",
        english=english,
        asked=asked,
        reply=row["reply"],
        truncated=row["status"] == "truncated",
        flags=tuple(_flags(store, request_key)),
        verdicts=tuple(_verdicts(store, request_key)),
        given=tuple(
            Given(g["reviewer"], g["role"], g["field"], g["flag_id"], g["value"], bool(g["uncertain"]))
            for g in store.rows("select * from current_labels where request_key = ? order by reviewer", (request_key,))
        ),
    )


def _flags(store: Store, request_key: str) -> Iterator[Flag]:
    for row in store.rows(
        "select f.*, j.name as judge from flags f join judges j using (judge_key) where request_key = ?"
        " order by start, stop desc, flag_id",
        (request_key,),
    ):
        facts = _facts(row["rationale"])
        back = str(facts.pop("back_translation", ""))
        said = [str(row[name]) for name in ("status", "source_id") if row[name]]
        said += [f"{name.replace('_', ' ')} {fact}" if name else str(fact) for name, fact in facts.items()]
        yield Flag(
            flag_id=row["flag_id"],
            family=row["family"],
            kind=row["kind"],
            start=row["start"],
            stop=row["stop"],
            severity=row["severity"],
            judge=row["judge"],
            note="; ".join(said),
            back=back,
        )


def _facts(rationale: str | None) -> dict[str, Any]:
    """A rationale by name: culture judges give one of a hallucination as a JSON object, anything else is a sentence, under ''."""
    if not rationale:
        return {}
    try:
        facts = json.loads(rationale)
    except json.JSONDecodeError:
        facts = None
    return facts if isinstance(facts, dict) else {"": rationale}


def _verdicts(store: Store, request_key: str) -> Iterator[Verdict]:
    """What stance judges say, their readings combined, then what judges of culture and sayings say."""
    for row in store.rows(
        "select j.name, s.outcome, s.option_id from stances s join judges j using (judge_key)"
        " where s.request_key = ? order by j.name",
        (request_key,),
    ):
        yield Verdict(row["name"], "stance", row["option_id"] or row["outcome"], uncertain=False)
    for row in store.rows(
        "select j.name, j.task, v.* from verdicts v join judges j using (judge_key)"
        " where v.request_key = ? and j.task in ('culture', 'saying') order by j.name",
        (request_key,),
    ):
        yield Verdict(row["name"], row["task"], row["reasoning_class"] or row["status"], bool(row["uncertain"]))


@cache
def _names() -> tuple[dict[str, str], dict[str, str]]:
    """English names of the countries and languages that ship, by code."""
    countries, _ = load_countries(data_dir("personas"))
    return (
        {c.iso3: c.title for c in countries.values()},
        {ENGLISH: "English"} | {c.language: c.language_name for c in countries.values()},
    )
