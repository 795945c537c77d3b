"""From the bank to the lines of a file: sentence by sentence, there and back again, scored and checked.

Lines are finished a few at a time, so that a run that is killed loses the sentences under way and nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from auditkit.data import ENGLISH, Content, DilemmaText, Translation, load_translations, text_key
from auditkit.plan import join_sentences
from auditkit.translate.checks import Finding, Target, check_line, letters, stale, status_for, target
from auditkit.translate.engines import Engine, Translated
from auditkit.translate.file import HUMAN, Name, name_of, own, write_lines
from auditkit.translate.score import back_pair, reference_pair, references, score
from auditkit.translate.sentences import OPTIONS, from_passages, passages, split
from auditkit.translate.wording import agree, bare_option

BATCHES = 4  # at once, so that they can be sorted by length; what is under way when a run is killed is lost

Advance = Callable[[int], None]
Text = DilemmaText | str


@dataclass(frozen=True)
class Item:
    """Something to be translated: the English text of one line."""

    kind: Literal["dilemma", "instruction", "persona"]
    id: str
    country: str
    source: Text

    @property
    def name(self) -> Name:
        return self.kind, self.id, self.country

    @property
    def key(self) -> str:
        """The `source` of the line."""
        return self.source.key if isinstance(self.source, DilemmaText) else text_key(self.source)

    @cached_property
    def sentences(self) -> tuple[tuple[str, ...], ...]:
        """The sentences of each passage; an option is a phrase and stays whole."""
        parts = passages(self.source)
        options = {len(parts) + place for place in OPTIONS} if self.kind == "dilemma" else set()
        return tuple((part,) if i in options else split(part) for i, part in enumerate(parts))


@dataclass(frozen=True)
class Lost:
    """An item that could not be translated, and is not written."""

    item: Item
    why: str

    def __str__(self) -> str:
        return f"{' '.join(part for part in self.item.name if part)}: {self.why}"


@dataclass(frozen=True)
class Job:
    """One language, to be translated into by one engine under one translator's name."""

    code: str
    content: Content
    engine: Engine
    translator: str

    @property
    def path(self) -> Path:
        return self.content.translations_dir / f"{self.code}.jsonl"

    @cached_property
    def references(self) -> dict[Name, Text]:
        return references(self.code, self.content)


# ------------------------------------------------------------------------------------------------ what there is to do


def items(code: str, content: Content, *, core: bool = False) -> list[Item]:
    """All that is sent in a language: the instruction, the persona sentences of its countries, the dilemmas."""
    made = [Item("instruction", "", "", content.messages.instruction)]
    countries = [country for country in content.countries.values() if country.language == code]
    for template in content.templates.values():
        made += [Item("persona", template.id, country.iso3, template.render(country)) for country in countries]
    return made + [Item("dilemma", d.id, "", d.text) for d in content.dilemmas.values() if d.core or not core]


def pending(wanted: Sequence[Item], job: Job) -> list[Item]:
    """The items without a line of this translator, or with a stale one, or with one that other settings had rejected."""
    done = set()
    for line in own(load_translations(job.path), job.translator):
        again = line.status == "rejected" and not same_settings(line, job.engine.facts)
        if not stale(line, job.content) and not again:
            done.add(name_of(line))
    return [item for item in wanted if item.name not in done]


def same_settings(line: Translation, facts: Mapping[str, Any]) -> bool:
    """Whether a line was made by an engine with these facts."""
    return {key: value for key, value in line.engine.items() if key != "date"} == dict(facts)


def sentence_count(todo: Iterable[Item]) -> int:
    """The distinct sentences of some items."""
    return len({sentence for item in todo for part in item.sentences for sentence in part})


# -------------------------------------------------------------------------------------------------------- translating


class _Direction:
    """One direction of a pair of languages. No sentence is translated twice."""

    def __init__(self, engine: Engine, source: str, target: str) -> None:
        self.engine, self.source, self.target = engine, source, target
        self.known: dict[str, Translated] = {}

    def learn(self, sentences: Iterable[str], advance: Advance) -> None:
        # the longest first: if memory is short, that shows at the beginning
        new = sorted(set(sentences) - self.known.keys(), key=lambda sentence: (-len(sentence), sentence))
        size = self.engine.batch_size
        for start in range(0, len(new), size):
            batch = new[start : start + size]
            results = self.engine.translate(batch, self.source, self.target)
            self.known.update(zip(batch, results, strict=True))
            advance(len(batch))

    def __getitem__(self, sentence: str) -> Translated:
        return self.known[sentence]


def translate_items(
    todo: Sequence[Item], job: Job, advance: Advance = lambda _: None
) -> Iterator[tuple[list[Translation], list[Lost]]]:
    """Translate items and write their lines; yields what was written and what was lost after each write.

    `advance` is told twice of each distinct sentence: when it is translated, and when its line is complete. Raises
    AuditError where the engine or the file fails, with all that was yielded in the file.
    """
    forth = _Direction(job.engine, ENGLISH, job.code)
    back = _Direction(job.engine, job.code, ENGLISH)
    for window in _windows(todo, BATCHES * job.engine.batch_size):
        before = len(forth.known)
        forth.learn((s for item in window for part in item.sentences for s in part), advance)
        made: list[tuple[Item, Text, list[tuple[str, ...]]]] = []
        lost: list[Lost] = []
        for item in window:
            result = _assemble(item, forth, job)
            if isinstance(result, Lost):
                lost.append(result)
            else:
                made.append((item, *result))
        back.learn((s for _, _, parts in made for part in parts for s in part), lambda _: None)
        lines = _judged([_line(item, text, parts, back, job) for item, text, parts in made], job)
        write_lines(job.path, lines, job.content)
        advance(len(forth.known) - before)
        yield lines, lost


def _windows(todo: Sequence[Item], sentences: int) -> Iterator[list[Item]]:
    """Items in their order, by as many as have so many sentences together, one at least."""
    window: list[Item] = []
    for item in todo:
        if window and sentence_count([*window, item]) > sentences:
            yield window
            window = []
        window.append(item)
    if window:
        yield window


def _assemble(item: Item, forth: _Direction, job: Job) -> tuple[Text, list[tuple[str, ...]]] | Lost:
    """An item's translation, and the sentences of each passage that are to be translated back."""
    parts: list[str] = []
    pieces: list[tuple[str, ...]] = []
    english = passages(item.source)
    for sentences in item.sentences:
        results = [forth[sentence] for sentence in sentences]
        for sentence, result in zip(sentences, results, strict=True):
            if not result.finished or not letters(result.text):
                why = result.why or "nothing came out"
                return Lost(item, f"{why}: {sentence!r}")
        pieces.append(tuple(result.text for result in results))
        parts.append(join_sentences(pieces[-1]))
    if item.kind == "dilemma":
        for place in OPTIONS:
            parts[place] = bare_option(parts[place], english[place])
    text = from_passages(tuple(parts), item.source)
    if isinstance(text, DilemmaText):
        text = agree(text, job.code.partition("_")[2])
    same = zip(passages(text), pieces, strict=True)
    return text, [piece if part == join_sentences(piece) else (part,) for part, piece in same]


def _line(item: Item, text: Text, parts: list[tuple[str, ...]], back: _Direction, job: Job) -> Translation:
    """An item's line with its back-translation, not yet scored."""
    again = [[back[sentence] for sentence in part] for part in parts]
    complete = all(result.finished and letters(result.text) for part in again for result in part)
    english = tuple(join_sentences([result.text for result in part]) for part in again)
    return Translation(
        kind=item.kind,
        id=item.id,
        country=item.country,
        source=item.key,
        translator=job.translator,
        status="ok",
        text=text,
        back=from_passages(english, item.source) if complete else None,
        engine={**job.engine.facts, "date": dt.datetime.now(tz=dt.UTC).date().isoformat()},
    )


# ------------------------------------------------------------------------------------------------- scores and statuses


def _judged(lines: Sequence[Translation], job: Job) -> list[Translation]:
    """New lines with their scores, findings and statuses."""
    to = target(job.code, job.content, [*load_translations(job.path), *lines])
    return [judge(line.model_copy(update={"checks": _scores(line, job)}), to, job.content) for line in lines]


def _scores(line: Translation, job: Job) -> dict[str, Any]:
    """chrF++ and BLEU of the back-translation, chrF++ against the reference, and the metrics' signatures."""
    made: dict[str, Any] = {}
    pair = back_pair(line, job.content)
    if pair is not None:
        found = score([pair])
        made |= {"chrf": round(found.lines[0].chrf, 1), "bleu": round(found.lines[0].bleu, 1)}
        made |= {"chrf_signature": found.chrf_signature, "bleu_signature": found.bleu_signature}
    forward = reference_pair(line, job.references)
    if forward is not None:
        found = score([forward])
        made |= {"reference_chrf": round(found.lines[0].chrf, 1), "chrf_signature": found.chrf_signature}
    return made


def judge(line: Translation, to: Target, content: Content) -> Translation:
    """A line with the status that its findings give it, and the findings under `checks.found`."""
    found = check_line(line, to, content)
    if line.back is None:
        found.append(Finding("back", "", "no back-translation: the engine came to no end", "suspect"))
    checks = {key: value for key, value in line.checks.items() if key != "found"}
    if found:
        checks["found"] = [str(finding) for finding in found]
    return line.model_copy(update={"status": status_for(found), "checks": checks})


def settle(job: Job) -> None:
    """Judge a translator's lines again by the language's length ratio, which needs the lines themselves.

    Lines that a person has looked at (accepted, edited, or doubted with a reason under `checks.why`) stay as they are.
    """
    lines = load_translations(job.path)
    to = target(job.code, job.content, lines)
    changed = []
    for line in own(lines, job.translator):
        if line.status in HUMAN or "why" in line.checks or stale(line, job.content):
            continue
        again = judge(line, to, job.content)
        if again != line:
            changed.append(again)
    write_lines(job.path, changed, job.content)
