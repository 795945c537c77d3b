"""The figures of the card, counted from the files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Literal, get_args

from auditkit.bank.overlap import Pair, first_mentioned, sides
from auditkit.bank.read import Bank, core_digest
from auditkit.bank.text import Lexicon, keywords_in, reading_grade, words
from auditkit.data import Domain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from auditkit.bank.second_reading import Rewrite
    from auditkit.data import Dilemma

DOMAINS: tuple[Domain, ...] = get_args(Domain)


@dataclass(frozen=True)
class Spread:
    """Median and range."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of one value or more."""
        kept = sorted(values)
        return cls(median(kept), kept[0], kept[-1])


@dataclass(frozen=True)
class Side:
    """How the two options of a set of dilemmas compare, a minus b."""

    longer_a: int
    longer_b: int
    same_length: int
    words: float  # mean difference in words
    ratio: float  # largest ratio of lengths in words
    sentiment: float  # mean difference of praise minus blame in the options, in words
    sentiment_hits: int  # options that hold any word of the lexicon
    scenario_sentiment: float  # the same difference in the scenario's sentences that clearly speak for one option


@dataclass(frozen=True)
class Readings:
    """How a dimension fared with its second readers. Counts of readings in round 1, of dilemmas for the rest."""

    read: int  # readings in round 1
    right: int
    unclear: int
    unreasonable: int
    doubted: int
    rewritten: int  # dilemmas rewritten at least once
    accepted: int  # dilemmas whose present wording was last read right, reasonable, and without doubt


@dataclass(frozen=True)
class DimensionFacts:
    """The card's figures for a dimension."""

    name: str
    short: str  # of its score: IDV
    title: str
    count: int
    core: int
    domains: dict[str, int]
    lead: tuple[int, int]  # dilemmas with a, with b
    mentions: tuple[int, int]
    cross: dict[str, int]  # "ab": lead a, mentions b
    core_lead: tuple[int, int]
    core_mentions: tuple[int, int]
    scenario_words: Spread
    option_words: Spread
    side: Side
    grade: Spread
    keywords: int  # options that hold a pole's keyword
    scenario_keywords: int  # scenarios that do, which is allowed
    mention_checked: int  # dilemmas in which shared words can tell which option comes first
    nearest: Pair | None
    readings: Readings
    core_version: int | None
    core_digest: str
    frozen: bool  # the file holds this digest


@dataclass(frozen=True)
class Card:
    """The facts of a bank, for a paper's appendix."""

    dimensions: list[DimensionFacts]
    nearest: Pair | None  # by cosine
    nearest_trigrams: Pair | None
    readers: list[str]  # kinds of reader, as recorded
    dates: tuple[dt.date, dt.date] | None
    rewrites: dict[str, list[Rewrite]]  # by dimension
    lexicon_size: int

    @property
    def count(self) -> int:
        return sum(d.count for d in self.dimensions)


def facts(bank: Bank) -> Card:
    """The figures of the card, counted from the files."""
    dates = [reading.date for reading in bank.readings]
    return Card(
        dimensions=[_dimension_facts(bank, name) for name in bank.by_dimension],
        nearest=bank.pairs[0] if bank.pairs else None,
        nearest_trigrams=max(bank.pairs, key=lambda p: p.trigrams, default=None),
        readers=sorted({reading.reader for reading in bank.readings}),
        dates=(min(dates), max(dates)) if dates else None,
        rewrites={
            name: [r for r in bank.rewrites if r.id in {d.id for d in found}]
            for name, found in bank.by_dimension.items()
        },
        lexicon_size=bank.lexicon.size,
    )


def _dimension_facts(bank: Bank, dimension: str) -> DimensionFacts:
    found = bank.by_dimension[dimension]
    core = [d for d in found if d.core]
    inside = {d.id for d in found}
    options = [option for d in found for option in (d.a, d.b)]
    domains = Counter(d.domain for d in found)
    file = bank.home(dimension)
    now = core_digest(bank.content, dimension)
    return DimensionFacts(
        name=dimension,
        short=bank.content.dimensions[dimension].score.upper(),
        title=bank.content.dimensions[dimension].title,
        count=len(found),
        core=len(core),
        domains={name: domains[name] for name in DOMAINS},
        lead=split(found, "lead"),
        mentions=split(found, "mentions"),
        cross=cross(found),
        core_lead=split(core, "lead"),
        core_mentions=split(core, "mentions"),
        scenario_words=Spread.of(len(words(" ".join(d.scenario))) for d in found),
        option_words=Spread.of(len(words(option)) for option in options),
        side=side_of(bank.lexicon, found),
        grade=Spread.of(reading_grade(" ".join(d.scenario)) for d in found),
        keywords=sum(bool(keywords_in(bank.content, dimension, option)) for option in options),
        scenario_keywords=sum(bool(keywords_in(bank.content, dimension, " ".join(d.scenario))) for d in found),
        mention_checked=sum(first_mentioned(d) is not None for d in found),
        nearest=next((p for p in bank.pairs if p.first in inside and p.second in inside), None),
        readings=_readings(bank, found),
        core_version=file.core_version,
        core_digest=now,
        frozen=file.core_digest == now,
    )


def side_of(lexicon: Lexicon, found: Sequence[Dilemma]) -> Side:
    """How the options of one dilemma or more compare."""
    lengths = [(len(words(d.a)), len(words(d.b))) for d in found]
    in_scenarios = [
        sum(
            lexicon.score(text) * (1 if a > b else -1)
            for text, (a, b) in zip(d.scenario, sides(d), strict=True)
            if a != b
        )
        for d in found
    ]
    return Side(
        longer_a=sum(a > b for a, b in lengths),
        longer_b=sum(b > a for a, b in lengths),
        same_length=sum(a == b for a, b in lengths),
        words=fmean(a - b for a, b in lengths),
        ratio=max(max(pair) / max(1, min(pair)) for pair in lengths),
        sentiment=fmean(lexicon.score(d.a) - lexicon.score(d.b) for d in found),
        sentiment_hits=sum(lexicon.hits(option) > 0 for d in found for option in (d.a, d.b)),
        scenario_sentiment=fmean(in_scenarios),
    )


def _readings(bank: Bank, found: Sequence[Dilemma]) -> Readings:
    inside = {d.id for d in found}
    first = [r for r in bank.readings if r.round == 1 and r.id in inside]
    return Readings(
        read=len(first),
        right=sum(r.first_pole == "a" for r in first),
        unclear=sum(r.first_pole == "unclear" for r in first),
        unreasonable=sum(r.reasonable != "both" for r in first),
        doubted=sum(r.doubt for r in first),
        rewritten=len({r.id for r in bank.rewrites} & inside),
        accepted=sum((last := bank.last_reading(d)) is not None and last.clean for d in found),
    )


def split(dilemmas: Iterable[Dilemma], what: Literal["lead", "mentions"]) -> tuple[int, int]:
    """Dilemmas in which option a leads (or is mentioned first), and in which b does."""
    values = [getattr(d, what) for d in dilemmas]
    return values.count("a"), values.count("b")


def cross(dilemmas: Iterable[Dilemma]) -> dict[str, int]:
    """Dilemmas by lead and mention: "ab" for lead a, mentions b."""
    counts = Counter(d.lead + d.mentions for d in dilemmas)
    return {cell: counts[cell] for cell in ("aa", "ab", "ba", "bb")}
