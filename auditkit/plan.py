"""Expands the matrix: dilemma x country x mode x model x option order x sample becomes cells, and cells become requests.

Nothing here asks a model or the network. The order in which cells come is a walk along the diagonals of the matrix, so that
any first part of it holds every country and every dilemma as equally often as its length allows: `--limit N` is that first
part, an interrupted run is balanced, and the full run goes on from the limited one's replies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from auditkit.data import ENGLISH, Content, Country, Dilemma, DilemmaText, Template, Translation, text_key
from auditkit.errors import AuditError, unknown
from auditkit.identity import digest, request_body, request_key

MODES = ("baseline", "persona", "multilingual", "crossed")
TRANSLATORS = ("reference", "nllb", "llm", "any")
SEND = ("ok", "suspect", "accepted", "edited")  # statuses of a translation that may be sent; rejected never is


@dataclass(frozen=True)
class ModelSpec:
    """A model as the user named it (`name`) and as a request identifies it."""

    name: str
    provider: str
    model: str
    revision: str | None = None
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlanSpec:
    """What a user asks for. Together with the content's keys it identifies a run."""

    dimensions: tuple[str, ...]
    modes: tuple[str, ...]
    models: tuple[ModelSpec, ...]
    countries: tuple[str, ...] = ()  # ISO3; empty means all
    languages: tuple[str, ...] = ()  # FLORES-200; empty means all
    resource_levels: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()  # empty means the default one
    core: bool = False
    orders: str = "lead"  # lead | flipped | both
    samples: int = 1
    limit: int | None = None
    translator: str = "any"
    incomplete: bool = False


@dataclass(frozen=True, slots=True)
class Persona:
    """A persona sentence as it is sent."""

    key: str
    template: Template
    country: str
    lang: str
    text: str
    translator: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing that a run asks for, and the request that asks it."""

    position: int
    dilemma: Dilemma
    mode: str
    country: str | None
    persona: Persona | None
    lang: str
    translation: Translation | None
    model: ModelSpec
    order: str
    sample: int
    request_key: str
    body: dict[str, Any]


@dataclass(frozen=True)
class SetAside:
    """Something that was asked for and cannot be sent, with the reason in words."""

    mode: str
    what: str  # language code, ISO3, or dimension
    reason: str
    count: int = 1


@dataclass
class Plan:
    """The matrix, ready to be walked. `cells()` may be called again and gives the same cells."""

    spec: PlanSpec
    content: Content
    blocks: list[_Block]
    set_aside: list[SetAside]
    instructions: dict[str, str]

    @cached_property
    def run_id(self) -> str:
        """Identity of the plan: what is asked, by wording, not by file."""
        spec = asdict(self.spec)
        parts = [
            {
                "mode": block.mode,
                "who": [[w.country, w.lang, w.persona.key if w.persona else None] for w in block.who],
                "items": [[d.key, d.lead] for d in block.dilemmas],
                "texts": sorted(t.key(lang) for (lang, _), t in block.texts.items()),
            }
            for block in self.blocks
        ]
        return digest("r1", {"spec": spec, "blocks": parts, "instructions": self.instructions})

    def __len__(self) -> int:
        total = sum(block.size(self.spec) for block in self.blocks) * len(self.spec.models)
        return total if self.spec.limit is None else min(self.spec.limit, total)

    def cells(self) -> Iterator[Cell]:
        """The cells in the order in which they are asked."""
        total = len(self)
        for position, (block, point, model) in enumerate(self._points()):
            if position >= total:
                return
            yield self._cell(position, block, point, model)

    def _points(self) -> Iterator[tuple[_Block, _Point, ModelSpec]]:
        # Modes take turns in proportion to nothing but their order, so that a limit is shared out evenly between them.
        walks = [(block, block.walk(self.spec)) for block in self.blocks]
        while walks:
            alive = []
            for block, walk in walks:
                point = next(walk, None)
                if point is not None:
                    alive.append((block, walk))
                    for model in self.spec.models:
                        yield block, point, model
            walks = alive

    def _cell(self, position: int, block: _Block, point: _Point, model: ModelSpec) -> Cell:
        who, dilemma, order, sample = point
        translation = block.texts.get((who.lang, dilemma.id))
        text = translation.text if translation is not None else dilemma.text
        assert isinstance(text, DilemmaText)
        body = request_body(
            provider=model.provider,
            model=model.model,
            revision=model.revision,
            messages=render(text, order, self.instructions[who.lang], who.persona.text if who.persona else None),
            params=model.params,
            sample=sample,
        )
        return Cell(
            position=position,
            dilemma=dilemma,
            mode=block.mode,
            country=who.country,
            persona=who.persona,
            lang=who.lang,
            translation=translation,
            model=model,
            order=order,
            sample=sample,
            request_key=request_key(body),
            body=body,
        )


def render(text: DilemmaText, order: str, instruction: str, persona: str | None) -> list[dict[str, str]]:
    """The messages of a request: persona sentence, scenario, question and instruction, a paragraph each."""
    scenario = join_sentences(text.scenario)
    ask = join_sentences((text.question(order), instruction))
    parts = [persona, scenario, ask] if persona else [scenario, ask]
    return [{"role": "user", "content": "\n\n".join(parts)}]


def join_sentences(sentences: Sequence[str]) -> str:
    """Sentences in a row; scripts that write without spaces after a full-width stop get none."""
    out = ""
    for sentence in sentences:
        out += ("" if not out or out[-1] in "。！？" else " ") + sentence
    return out


@dataclass(frozen=True, slots=True)
class _Who:
    country: str | None
    lang: str
    persona: Persona | None


_Point = tuple[_Who, Dilemma, str, int]


@dataclass
class _Block:
    """One mode's part of the matrix."""

    mode: str
    who: list[_Who]
    dilemmas: list[Dilemma]
    texts: dict[tuple[str, str], Translation]  # (language, dilemma id)
    complete: bool = True

    def _orders(self, spec: PlanSpec, dilemma: Dilemma) -> tuple[str, ...]:
        lead = dilemma.lead_order
        return {"lead": (lead,), "flipped": (lead[::-1],), "both": (lead, lead[::-1])}[spec.orders]

    def _missing(self) -> int:
        """Pairs of language and dilemma without a text, where incomplete languages are kept."""
        return sum(not self._has(w, d) for w in self.who for d in self.dilemmas) if not self.complete else 0

    def _has(self, who: _Who, dilemma: Dilemma) -> bool:
        return who.lang == ENGLISH or (who.lang, dilemma.id) in self.texts

    def size(self, spec: PlanSpec) -> int:
        per = (2 if spec.orders == "both" else 1) * spec.samples
        return (len(self.who) * len(self.dilemmas) - self._missing()) * per

    def walk(self, spec: PlanSpec) -> Iterator[_Point]:
        """Every point once; any first part of the walk is balanced over countries and over dilemmas.

        Step t takes country t mod W and dilemma (t + lap) mod D, where a lap is lcm(W, D) steps: a lap visits each of its
        pairs once, and the shift makes the laps differ.
        """
        if not self.who or not self.dilemmas:
            return
        who = sorted(self.who, key=lambda w: digest("w", [w.country, w.lang, w.persona.key if w.persona else None]))
        dilemmas = _interleave(self.dilemmas)
        width, depth = len(who), len(dilemmas)
        lap = math.lcm(width, depth)
        for sample in range(spec.samples):
            for turn in range(2 if spec.orders == "both" else 1):
                for t in range(width * depth):
                    w, d = who[t % width], dilemmas[(t + t // lap) % depth]
                    if self._has(w, d):
                        yield w, d, self._orders(spec, d)[turn], sample


def _interleave(dilemmas: Sequence[Dilemma]) -> list[Dilemma]:
    """Dimensions in turn, so that a first part of the list holds them equally."""
    groups: dict[str, list[Dilemma]] = {}
    for dilemma in dilemmas:
        groups.setdefault(dilemma.dimension, []).append(dilemma)
    longest = max(len(group) for group in groups.values())
    return [group[i] for i in range(longest) for group in groups.values() if i < len(group)]


# ------------------------------------------------------------------------------------------------------- building


def make_plan(spec: PlanSpec, content: Content) -> Plan:
    """The plan for a wish. Raises AuditError for unknown names and for a wish that leaves nothing to ask."""
    _check(spec, content)
    spec = replace(  # names in another order are the same wish
        spec,
        dimensions=tuple(name for name in content.dimensions if name in spec.dimensions),
        modes=tuple(name for name in MODES if name in spec.modes),
        countries=tuple(sorted(set(spec.countries))),
        languages=tuple(sorted(set(spec.languages))),
        resource_levels=tuple(sorted(set(spec.resource_levels))),
    )
    wanted = [d for d in content.dilemmas.values() if d.dimension in spec.dimensions and (d.core or not spec.core)]
    if not wanted:
        raise AuditError(f"no {'core ' if spec.core else ''}dilemma of {', '.join(spec.dimensions)} in this bank")
    countries = _countries(spec, content)
    set_aside: list[SetAside] = []
    instructions = {ENGLISH: content.messages.instruction}
    blocks: list[_Block] = []
    for mode in dict.fromkeys(spec.modes):
        if mode == "baseline":
            blocks.append(_Block(mode, [_Who(None, ENGLISH, None)], wanted, {}))
        elif mode == "persona":
            who = [
                _Who(c.iso3, ENGLISH, persona)
                for c in countries
                for persona in _personas(spec, content, c, ENGLISH, "", set_aside, mode)
            ]
            blocks.append(_Block(mode, who, wanted, {}))
        else:
            blocks.append(_translated(mode, spec, content, countries, wanted, instructions, set_aside))
    plan = Plan(spec, content, [b for b in blocks if b.who and b.dilemmas], set_aside, instructions)
    if spec.limit is not None and spec.limit >= sum(block.size(spec) for block in plan.blocks) * len(spec.models):
        plan.spec = replace(spec, limit=None)  # a limit that leaves nothing out is the whole run
    elif spec.limit is not None and spec.limit % len(spec.models):
        # every model gets the same draw, or a comparison between them would not be paired
        plan.spec = replace(spec, limit=max(1, spec.limit // len(spec.models)) * len(spec.models))
    if len(plan) == 0:
        reasons = (
            "; ".join(dict.fromkeys(f"{s.what}: {s.reason}" for s in set_aside[:3])) or "the filters leave no country"
        )
        raise AuditError(f"nothing to ask: {reasons}")
    return plan


def _check(spec: PlanSpec, content: Content) -> None:
    for kind, names, known in (
        ("dimension", spec.dimensions, list(content.dimensions)),
        ("mode", spec.modes, list(MODES)),
        ("persona template", spec.templates, list(content.templates)),
        ("resource level", spec.resource_levels, ["high", "mid", "low"]),
        ("translator", (spec.translator,), list(TRANSLATORS)),
    ):
        for name in names:
            if name not in known:
                raise unknown(kind, name, known)
    if spec.samples < 1:
        raise AuditError(f"--samples is {spec.samples}; it must be at least 1")
    if spec.limit is not None and spec.limit < 1:
        raise AuditError(f"--limit is {spec.limit}; it must be at least 1")
    if spec.samples > 1:
        for model in spec.models:
            if model.provider != "mock" and model.params.get("temperature") == 0:
                raise AuditError("--samples above 1 needs a temperature above 0, for example --param temperature=0.7")


def _countries(spec: PlanSpec, content: Content) -> list[Country]:
    return [
        country
        for country in content.countries.values()
        if (not spec.countries or country.iso3 in spec.countries)
        and (not spec.languages or country.language in spec.languages)
        and (not spec.resource_levels or country.resource_level in spec.resource_levels)
    ]


def _personas(
    spec: PlanSpec, content: Content, country: Country, lang: str, reason: str, set_aside: list[SetAside], mode: str
) -> list[Persona]:
    """The persona sentences for a country in a language; what is missing is set aside by name."""
    found: list[Persona] = []
    for name in spec.templates or (content.default_template,):
        template = content.templates[name]
        english = template.render(country)
        if lang == ENGLISH:
            found.append(_persona(template, country, lang, english))
            continue
        line = _pick(
            [
                t
                for t in content.translations(lang)
                if t.kind == "persona" and (t.id, t.country) == (name, country.iso3)
            ],
            spec.translator,
            text_key(english),
        )
        if isinstance(line, Translation) and isinstance(line.text, str):
            found.append(_persona(template, country, lang, line.text, line))
        else:
            why = line if isinstance(line, str) else "not translated"
            set_aside.append(SetAside(mode, country.iso3, f"persona sentence {name!r} in {lang} {why}{reason}"))
    return found


def _persona(template: Template, country: Country, lang: str, text: str, line: Translation | None = None) -> Persona:
    key = digest("p1", {"template": template.id, "country": country.iso3, "lang": lang, "text": text})
    return Persona(
        key, template, country.iso3, lang, text, line.translator if line else None, line.status if line else None
    )


def _pick(lines: Sequence[Translation], translator: str, source: str) -> Translation | str:
    """The line to send, else why there is none. Lines that people mended come first, then reference, then any other."""
    fitting = [t for t in lines if translator == "any" or t.translator.split(":")[0] == translator]
    if not fitting:
        return "is missing"
    fresh = [t for t in fitting if t.source == source]
    if not fresh:
        return "is stale (the English text has changed since)"
    usable = [t for t in fresh if t.status in SEND]
    if not usable:
        return "was rejected by its checks"
    rank = {"edited": 0, "accepted": 1, "ok": 2, "suspect": 3}
    return min(usable, key=lambda t: (rank[t.status], t.translator != "reference"))


def _translated(
    mode: str,
    spec: PlanSpec,
    content: Content,
    countries: Sequence[Country],
    wanted: Sequence[Dilemma],
    instructions: dict[str, str],
    set_aside: list[SetAside],
) -> _Block:
    """Multilingual or crossed: the dilemmas that every selected language has, in the languages that have any."""
    texts: dict[tuple[str, str], Translation] = {}
    who: list[_Who] = []
    have: dict[str, set[str]] = {}
    for country in countries:
        lang = country.language
        if lang == ENGLISH:
            have[lang] = {d.id for d in wanted}
        elif lang not in have:
            have[lang] = _usable(lang, spec, content, wanted, instructions, texts, set_aside, mode)
        if not have[lang]:
            continue
        if mode == "crossed":
            who += [_Who(country.iso3, lang, p) for p in _personas(spec, content, country, lang, "", set_aside, mode)]
        else:
            who.append(_Who(country.iso3, lang, None))
    present = {w.lang for w in who}
    if spec.incomplete:
        kept = [d for d in wanted if any(d.id in have[lang] for lang in present)]
    else:
        kept = [d for d in wanted if present and all(d.id in have[lang] for lang in present)]
    for dimension in spec.dimensions:
        lost = sum(d.dimension == dimension for d in wanted) - sum(d.dimension == dimension for d in kept)
        if lost and present:
            reason = (
                "dilemmas not in any language"
                if spec.incomplete
                else "dilemmas not in every language; --incomplete keeps them"
            )
            set_aside.append(SetAside(mode, dimension, reason, lost))
    return _Block(mode, who, kept, texts, complete=not spec.incomplete)


def _usable(
    lang: str,
    spec: PlanSpec,
    content: Content,
    wanted: Sequence[Dilemma],
    instructions: dict[str, str],
    texts: dict[tuple[str, str], Translation],
    set_aside: list[SetAside],
    mode: str,
) -> set[str]:
    """Ids of the dilemmas that can be sent in a language; fills `texts` and `instructions`."""
    lines = content.translations(lang)
    by_id: dict[str, list[Translation]] = {}
    for line in lines:
        if line.kind == "dilemma":
            by_id.setdefault(line.id, []).append(line)
    instruction = _pick(
        [t for t in lines if t.kind == "instruction"], spec.translator, text_key(content.messages.instruction)
    )
    if not by_id:
        set_aside.append(SetAside(mode, lang, "no translation", len(wanted)))
        return set()
    if isinstance(instruction, str):
        set_aside.append(SetAside(mode, lang, f"the instruction {instruction}", len(wanted)))
        return set()
    found: set[str] = set()
    reasons: dict[str, int] = {}
    for dilemma in wanted:
        line_or_reason = _pick(by_id.get(dilemma.id, []), spec.translator, dilemma.text.key)
        if isinstance(line_or_reason, str):
            reasons[line_or_reason] = reasons.get(line_or_reason, 0) + 1
        else:
            found.add(dilemma.id)
            texts[lang, dilemma.id] = line_or_reason
    for reason, count in reasons.items():
        if reason != "is missing":
            set_aside.append(SetAside(mode, lang, f"translation {reason}", count))
    if found:
        instructions[lang] = str(instruction.text)
    else:
        set_aside.append(SetAside(mode, lang, "no usable translation of these dilemmas", len(wanted)))
    return found


# ------------------------------------------------------------------------------------------------------- estimates


def estimate_tokens(text: str) -> int:
    """Tokens of a text, roughly: four bytes each in Latin script, about two and a half elsewhere.

    Byte-pair vocabularies differ; this is for prices before anything is sent, and every table says "estimated".
    """
    size = len(text.encode("utf-8", "replace"))
    return math.ceil(size / (4 if size < 1.3 * len(text) else 2.5))
