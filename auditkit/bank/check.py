"""Checks of the bank: every text, the balance of a dimension, its core, near duplicates, and second readings."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, get_args

from auditkit.bank.figures import DOMAINS, cross, side_of, split
from auditkit.bank.overlap import first_mentioned
from auditkit.bank.read import Bank, core_digest
from auditkit.bank.text import capitals, keywords_in, reading_grade, words
from auditkit.data import Dilemma, DilemmaText, OptionId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditkit.bank.second_reading import Reading

Level = Literal["broken", "finding", "note"]

SCENARIO_WORDS = (40, 90)  # below, there is no room for both options; above, small models lose the thread
OPTION_WORDS = (4, 12)  # a phrase that fits "Should I ... or ...?" and still says what is done
OPTION_RATIO = 1.5  # longer over shorter option, in words; a longer text looks better argued
FULL_BANK = 50  # dilemmas of a dimension in the bank as published
SMALL_FILE = 10  # below this, balance over domains and orders cannot be asked for, and becomes a note
DOMAIN_SHARE = 0.12  # of a dimension's dilemmas in every domain: 6 of 50
CORE_SIZE = 10  # core dilemmas of a dimension: two a domain, few enough for 36 careful translations
CROSS_GAP = 1  # between the fullest and the emptiest cell of lead by mention: 12 or 13 of 50, 2 or 3 of 10
COSINE_LIMIT = 0.40  # TF-IDF cosine of content-word stems
TRIGRAM_LIMIT = 0.15  # Jaccard overlap of word 3-grams; both chosen above all pairs of the bank, see docs/bank.md
SENTIMENT_ITEM = 2  # words of praise minus blame in which the options of a dilemma differ, flagged from here on
SENTIMENT_MEAN = 0.20  # the same, in the mean over a dimension's dilemmas
SENTIMENT_SCENARIO = (
    0.50  # the same for the sentences that speak for each option: a note, as overlap tells the side roughly
)
GRADE_LIMIT = 12.0  # Flesch-Kincaid grade of a scenario: the end of secondary school


@dataclass(frozen=True)
class Finding:
    """What a check found. `broken` must be mended before an audit, `finding` before a paper, `note` is worth knowing."""

    level: Level
    path: Path
    line: int
    id: str
    reason: str


def check(bank: Bank) -> list[Finding]:
    """Everything that the checks found: broken entries first, then findings, then notes, each in the order of the files."""
    order = {file.path: index for index, file in enumerate(bank.files)}
    rank = {"broken": 0, "finding": 1, "note": 2}
    found = [
        *_ids(bank),
        *(finding for d in bank.content.dilemmas.values() for finding in _texts(bank, d)),
        *(finding for name in bank.by_dimension for finding in _balance(bank, name)),
        *(finding for name in bank.by_dimension for finding in _core(bank, name)),
        *(finding for name in bank.by_dimension for finding in _sentiment_mean(bank, name)),
        *_duplicates(bank),
        *_review(bank),
    ]
    return sorted(found, key=lambda f: (rank[f.level], order.get(f.path, len(order)), f.line))


def _at(bank: Bank, dilemma: Dilemma, reason: str, level: Level = "finding") -> Finding:
    path, line = bank.place[dilemma.id]
    return Finding(level, path, line, dilemma.id, reason)


def _ids(bank: Bank) -> Iterator[Finding]:
    for file in bank.files:
        prefixes = {name: name.rpartition("-")[0] for name in file.lines}
        usual = Counter(prefixes.values()).most_common(1)[0][0]
        for name, prefix in prefixes.items():
            if prefix != usual:
                reason = f"id begins with {prefix!r}, the others of this file with {usual!r}"
                yield Finding("finding", file.path, file.lines[name], name, reason)


def _texts(bank: Bank, d: Dilemma) -> Iterator[Finding]:
    scenario = " ".join(d.scenario)
    count = len(words(scenario))
    if not SCENARIO_WORDS[0] <= count <= SCENARIO_WORDS[1]:
        yield _at(bank, d, f"scenario of {count} words, expected {SCENARIO_WORDS[0]} to {SCENARIO_WORDS[1]}")
    if [w.lower() for w in words(d.a)] == [w.lower() for w in words(d.b)]:
        yield _at(bank, d, "options a and b are the same words", "broken")
    for name in get_args(OptionId):
        yield from _option(bank, d, name)
    lengths = [max(1, len(words(option))) for option in (d.a, d.b)]
    if max(lengths) / min(lengths) > OPTION_RATIO:
        longer = "a" if lengths[0] > lengths[1] else "b"
        yield _at(
            bank,
            d,
            f"option {longer} is {max(lengths)} words long, the other {min(lengths)}: more than {OPTION_RATIO} times",
        )
    kinder = bank.lexicon.score(d.a) - bank.lexicon.score(d.b)
    if abs(kinder) >= SENTIMENT_ITEM:
        which = "a" if kinder > 0 else "b"
        yield _at(bank, d, f"option {which} is put more kindly: {abs(kinder)} words more of praise, or fewer of blame")
    grade = reading_grade(scenario)
    if grade > GRADE_LIMIT:
        yield _at(bank, d, f"scenario reads at grade {grade:.1f}, above {GRADE_LIMIT:g}: split its longest sentence")
    for text, what in ((scenario, "scenario"), (d.a, "option a"), (d.b, "option b")):
        for word in bank.places.findall(text):
            yield _at(bank, d, f"{what} names a country, a people or a currency: {word!r}")
        for word in capitals(text):
            yield _at(bank, d, f"{what} holds a capital inside a sentence: {word!r} (a name can give a country away)")
    mentioned = first_mentioned(d)
    if mentioned is None:
        yield _at(
            bank,
            d,
            "shared words cannot tell which option the scenario takes up first: see that `mentions` is right",
            "note",
        )
    elif mentioned != d.mentions:
        yield _at(bank, d, f"mentions: {d.mentions}, but the scenario seems to take up option {mentioned} first")


def _option(bank: Bank, d: Dilemma, name: str) -> Iterator[Finding]:
    text = d.option(name)
    count = len(words(text))
    if not OPTION_WORDS[0] <= count <= OPTION_WORDS[1]:
        yield _at(bank, d, f"option {name} of {count} words, expected {OPTION_WORDS[0]} to {OPTION_WORDS[1]}")
    if re.search(r"\bor\b", text, re.IGNORECASE):
        yield _at(bank, d, f"option {name} holds 'or', which reads as a third option in \"Should I ... or ...?\"")
    if text[:1].isupper() and words(text)[:1] != ["I"]:
        yield _at(bank, d, f"option {name} begins with a capital, but stands inside the question")
    if text[-1:] in ".!?,;:…":
        yield _at(bank, d, f"option {name} ends with {text[-1]!r}, but stands inside the question")
    for keyword in keywords_in(bank.content, d.dimension, text):
        yield _at(bank, d, f"option {name} holds the keyword {keyword!r}, which names a pole of {d.dimension}")


def _balance(bank: Bank, dimension: str) -> Iterator[Finding]:
    found = bank.by_dimension[dimension]
    file = bank.home(dimension)
    level: Level = "finding" if len(found) >= SMALL_FILE else "note"
    least = math.floor(DOMAIN_SHARE * len(found)) if level == "finding" else 1
    domains = Counter(d.domain for d in found)
    few = [f"{name} {domains[name]}" for name in DOMAINS if domains[name] < least]
    if few:
        yield Finding(
            level, file.path, 1, "", f"too few dilemmas of a domain, expected {least} or more: {', '.join(few)}"
        )
    for part, dilemmas in (("", found), ("core: ", [d for d in found if d.core])):
        for what in ("lead", "mentions"):
            a, b = split(dilemmas, what)
            if abs(a - b) > (a + b) % 2:
                yield Finding(
                    level, file.path, 1, "", f"{part}{what} is a in {a} and b in {b} dilemmas, expected as many of each"
                )
        cells = cross(dilemmas)
        if max(cells.values()) - min(cells.values()) > CROSS_GAP:
            shown = ", ".join(f"{cell[0]}/{cell[1]} {count}" for cell, count in cells.items())
            yield Finding(
                level,
                file.path,
                1,
                "",
                f"{part}lead/mentions go together: {shown}, expected cells that differ by {CROSS_GAP} at most",
            )


def _core(bank: Bank, dimension: str) -> Iterator[Finding]:
    found = bank.by_dimension[dimension]
    file = bank.home(dimension)
    core = [d for d in found if d.core]
    if not core and len(found) < FULL_BANK:
        yield Finding("note", file.path, 1, "", f"no core dilemmas: `run --core` will ask nothing of {dimension}")
        return
    level: Level = "finding" if len(found) >= SMALL_FILE else "note"
    if len(core) != CORE_SIZE:
        yield Finding(level, file.path, 1, "", f"{len(core)} core dilemmas, expected {CORE_SIZE}")
    missing = [name for name in DOMAINS if name not in {d.domain for d in core}]
    if missing:
        yield Finding(level, file.path, 1, "", f"no core dilemma of {', '.join(missing)}")
    if file.core_version is None or file.core_digest is None:
        yield Finding(
            level, file.path, 1, "", "the core is not frozen: write what `auditkit bank freeze` prints into the file"
        )
    elif file.core_digest != core_digest(bank.content, dimension):
        reason = f"the core of {dimension} changed: raise core_version and core_digest, translations hang on it (`auditkit bank freeze`)"
        yield Finding("finding", file.path, 1, "", reason)


def _sentiment_mean(bank: Bank, dimension: str) -> Iterator[Finding]:
    found = bank.by_dimension[dimension]
    mean = fmean(bank.lexicon.score(d.a) - bank.lexicon.score(d.b) for d in found)
    if abs(mean) > SENTIMENT_MEAN and len(found) >= SMALL_FILE:
        reason = f"options {'a' if mean > 0 else 'b'} are put more kindly: mean difference {abs(mean):.2f} words, above {SENTIMENT_MEAN}"
        yield Finding("finding", bank.home(dimension).path, 1, "", reason)
    argued = side_of(bank.lexicon, found).scenario_sentiment
    if abs(argued) > SENTIMENT_SCENARIO and len(found) >= SMALL_FILE:
        reason = f"scenarios speak more kindly of option {'a' if argued > 0 else 'b'}: mean difference {abs(argued):.2f} words, above {SENTIMENT_SCENARIO}"
        yield Finding("note", bank.home(dimension).path, 1, "", reason)


def _duplicates(bank: Bank) -> Iterator[Finding]:
    for pair in bank.pairs:
        if pair.cosine > COSINE_LIMIT or pair.trigrams > TRIGRAM_LIMIT:
            path, line = bank.place[pair.second]
            measured = (
                f"cosine {pair.cosine:.2f} of {COSINE_LIMIT:.2f}, 3-grams {pair.trigrams:.2f} of {TRIGRAM_LIMIT:.2f}"
            )
            yield Finding("finding", path, line, pair.second, f"nearly the same as {pair.first} ({measured})")


def _swapped(d: Dilemma) -> str:
    """Key of the wording with the texts of options a and b exchanged."""
    return DilemmaText(scenario=d.scenario, a=d.b, b=d.a, question_ab=d.ask("ba"), question_ba=d.ask("ab")).key


def _review(bank: Bank) -> Iterator[Finding]:
    dilemmas = bank.content.dilemmas
    if not bank.review_path.exists():
        small = all(len(found) < SMALL_FILE for found in bank.by_dimension.values())
        reason = "no such file: nobody but the writer has read these dilemmas (`auditkit bank sheet`)"
        yield Finding("note" if small else "finding", bank.review_path, 0, "", reason)
        return
    for entry in (*bank.readings, *bank.rewrites):
        if entry.id not in dilemmas:
            yield Finding("finding", bank.review_path, entry.line, entry.id, "no such dilemma in the bank")
    by_id: dict[str, list[Reading]] = defaultdict(list)
    for reading in bank.readings:
        by_id[reading.id].append(reading)
    for d in dilemmas.values():
        history = by_id[d.id]
        if history and all(r.round != 1 for r in history):
            yield _at(bank, d, "its first reading (round 1) is not in the review file", "finding")
        turned = [r for r in history if r.source == _swapped(d)]
        last = bank.last_reading(d)
        if last is None and turned and max(turned, key=lambda r: (r.round, r.line)).first_pole == "a":
            yield _at(
                bank, d, "poles swapped: this wording was read with options a and b the other way round", "broken"
            )
        elif last is None:
            latest = max((r.round for r in history), default=0)
            reason = f"reworded since it was last read (round {latest})" if history else "not read by a second reader"
            yield _at(bank, d, f"{reason}: see `auditkit bank sheet`")
        elif last.first_pole == "b":
            reason = "poles look swapped: its last reading took option b for the first pole"
            yield _at(bank, d, reason + (f" ({last.remark})" if last.remark else ""), "broken")
        elif not last.clean:
            yield _at(bank, d, f"last reading: {last.complaint()}" + (f" ({last.remark})" if last.remark else ""))
        elif any(not r.clean for r in history if r.source == d.text.key):
            yield _at(
                bank,
                d,
                "an earlier reading of this same wording was not clean, and it was read again unchanged",
                "note",
            )
