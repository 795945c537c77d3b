"""Finds the content folders, loads what is in them, and refuses what is broken with file, line and reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from auditkit.errors import AuditError, ContentError, unknown
from auditkit.identity import digest

Domain = Literal["family", "work", "school", "community", "society"]
OptionId = Literal["a", "b"]
ResourceLevel = Literal["high", "mid", "low"]
TranslationStatus = Literal["ok", "suspect", "rejected", "accepted", "edited"]

ENGLISH = "eng_Latn"
ORDERS = ("ab", "ba")


def data_dir(name: str) -> Path:
    """The folder of content called `name`: inside an installed wheel, else in the checkout."""
    package = Path(__file__).parent
    installed = package / "_data" / name
    return installed if installed.is_dir() else package.parent / name


# --------------------------------------------------------------------------------------------------- reading YAML


class _Mapping(dict[str, Any]):
    """A mapping that remembers the line it began on."""

    line: int = 0


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe loader, with line numbers, and duplicate keys refused instead of the last one winning."""


def _mapping(loader: Any, node: yaml.MappingNode) -> Iterator[_Mapping]:
    data = _Mapping()
    data.line = node.start_mark.line + 1
    yield data
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
        seen.add(key)
    data.update({str(key): value for key, value in loader.construct_mapping(node, deep=True).items()})


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_yaml(path: Path) -> _Mapping:
    """The mapping at the top of a YAML file. Raises ContentError with file, line and reason."""
    try:
        with path.open(encoding="utf-8") as stream:
            value = yaml.load(stream, Loader=_Loader)  # noqa: S506  (a subclass of the safe loader)
    except FileNotFoundError:
        raise ContentError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ContentError(f"{path}:{line}: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise ContentError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(value, _Mapping):
        raise ContentError(f"{path}:1: expected names and values at the top of the file")
    return value


Model = TypeVar("Model", bound=BaseModel)


def build(model: type[Model], value: object, path: Path, line: int | None, what: str = "") -> Model:
    """`value` as a `model`, or a ContentError that names the field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        place = f"{path}:{line}" if line else str(path)
        label = " ".join(part for part in (what, where) if part)
        raise ContentError(f"{place}: {label + ': ' if label else ''}{reason}") from None


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


# ------------------------------------------------------------------------------------------------------ the bank


class Poles(Strict):
    first: str
    second: str


class Dimension(Strict):
    """A dimension of culture. A high score and option `a` of every dilemma stand for the first pole."""

    name: str
    title: str
    score: str
    first: str
    second: str
    definition: Poles
    keywords: tuple[str, ...] = ()


class Messages(Strict):
    """What surrounds a scenario, in English."""

    version: int
    question: str
    instruction: str

    @field_validator("question")
    @classmethod
    def _places(cls, value: str) -> str:
        if value.count("{first}") != 1 or value.count("{second}") != 1:
            raise ValueError("the question needs {first} and {second}, once each")
        return value


class Dilemma(Strict):
    """An advice request with two options. `a` takes the first pole of its dimension, `b` the second."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    dimension: str
    domain: Domain
    core: bool = False
    lead: OptionId
    mentions: OptionId
    scenario: tuple[str, ...] = Field(min_length=1)
    a: str = Field(min_length=1)
    b: str = Field(min_length=1)
    rationale: str
    question: str

    @field_validator("scenario", mode="before")
    @classmethod
    def _sentences(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _different(self) -> Dilemma:
        if self.a.casefold() == self.b.casefold():
            raise ValueError("options a and b are the same")
        if self.question.count("{first}") != 1 or self.question.count("{second}") != 1:
            raise ValueError("the question needs {first} and {second}, once each")
        return self

    def option(self, option_id: str) -> str:
        return self.a if option_id == "a" else self.b

    def ask(self, order: str) -> str:
        """The question with the options in the given order, `ab` or `ba`."""
        return self.question.replace("{first}", self.option(order[0])).replace("{second}", self.option(order[1]))

    @property
    def lead_order(self) -> str:
        return "ab" if self.lead == "a" else "ba"

    @cached_property
    def text(self) -> DilemmaText:
        """What a translation translates."""
        return DilemmaText(
            scenario=self.scenario, a=self.a, b=self.b, question_ab=self.ask("ab"), question_ba=self.ask("ba")
        )

    @cached_property
    def key(self) -> str:
        """Identity of the wording. Notes about it (domain, core, rationale) may change without a new key."""
        return digest("i1", {"id": self.id, "dimension": self.dimension, **self.text.model_dump()})


class DilemmaText(Strict):
    """The words of a dilemma in one language."""

    scenario: tuple[str, ...] = Field(min_length=1)
    a: str = Field(min_length=1)
    b: str = Field(min_length=1)
    question_ab: str = Field(min_length=1)
    question_ba: str = Field(min_length=1)

    def question(self, order: str) -> str:
        return self.question_ab if order == "ab" else self.question_ba

    @cached_property
    def key(self) -> str:
        """Identity of the text; of the English one it is the `source` that a translation was made from."""
        return digest("s1", self.model_dump())


# ------------------------------------------------------------------------------------------- countries, personas


class Country(Strict):
    """A country with its scores by edition (`scores["paper"]["idv"]`, 0 to 120) and its language."""

    iso3: str = Field(pattern=r"^[A-Z]{3}$")
    iso2: str = Field(pattern=r"^[A-Z]{2}$")
    name: str
    title: str
    m49: str
    language: str = Field(pattern=r"^[a-z]{3}_[A-Z][a-z]{3}$")
    language_name: str
    autonym: str
    script: str
    bcp47: str
    direction: Literal["ltr", "rtl"] = "ltr"
    resource_level: ResourceLevel
    demonyms: tuple[str, ...] = Field(min_length=1)
    endonyms: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    scores: dict[str, dict[str, float]]
    notes: tuple[str, ...] = ()

    @field_validator("scores")
    @classmethod
    def _bounds(cls, value: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for edition, scores in value.items():
            for name, score in scores.items():
                if not 0 <= score <= 120:
                    raise ValueError(f"score {name} of edition {edition} is {score}, expected 0 to 120")
        return value


class Template(Strict):
    """A persona sentence with a place for the country's name."""

    id: str
    strength: Literal["residence", "nationality", "identity"]
    text: str
    note: str = ""

    @field_validator("text")
    @classmethod
    def _place(cls, value: str) -> str:
        if value.count("{country}") != 1:
            raise ValueError("the template needs {country}, once")
        return value

    def render(self, country: Country) -> str:
        return self.text.replace("{country}", country.name)


# --------------------------------------------------------------------------------------------------- translations


class Translation(Strict):
    """One line of `translations/<language>.jsonl`: a dilemma, the instruction, or a persona sentence."""

    kind: Literal["dilemma", "instruction", "persona"]
    id: str = ""  # of the dilemma, or of the template
    country: str = ""  # ISO3, of a persona sentence
    source: str  # key of the English text that was translated; another key now means stale
    translator: str
    status: TranslationStatus
    text: DilemmaText | str
    back: DilemmaText | str | None = None
    engine: dict[str, Any] = Field(default_factory=dict)
    checks: dict[str, Any] = Field(default_factory=dict)
    note: str = ""

    @model_validator(mode="after")
    def _shape(self) -> Translation:
        if (self.kind == "dilemma") != isinstance(self.text, DilemmaText):
            raise ValueError("text must hold scenario, options and questions for a dilemma, and be one text otherwise")
        if self.kind == "dilemma" and not self.id:
            raise ValueError("a dilemma's translation needs the dilemma's id")
        if self.kind == "persona" and not (self.id and self.country):
            raise ValueError("a persona's translation needs id (the template) and country")
        return self

    def key(self, lang: str) -> str:
        """Identity of the translated text."""
        text = self.text.model_dump() if isinstance(self.text, DilemmaText) else self.text
        return digest("t1", {"lang": lang, "kind": self.kind, "id": self.id, "country": self.country, "text": text})


def text_key(text: str) -> str:
    """The `source` key of a plain English text (the instruction, a rendered persona sentence)."""
    return digest("s1", text)


# -------------------------------------------------------------------------------------------------------- content


@dataclass
class Content:
    """Everything that an audit asks, loaded and checked."""

    dimensions: dict[str, Dimension]
    dilemmas: dict[str, Dilemma]
    messages: Messages
    countries: dict[str, Country]
    editions: dict[str, str]
    templates: dict[str, Template]
    default_template: str
    translations_dir: Path
    _translations: dict[str, list[Translation]] = field(default_factory=dict, repr=False)

    def country(self, name: str) -> Country:
        """The country by ISO code, name, alias or title. Raises AuditError with the nearest name."""
        table: dict[str, Country] = {}
        for country in self.countries.values():
            for known in (country.iso3, country.iso2, country.name, country.title, *country.aliases):
                table[known.casefold()] = country
        found = table.get(name.strip().casefold())
        if found is None:
            raise unknown("country", name, [*self.countries, *(c.title for c in self.countries.values())])
        return found

    def language(self, name: str) -> str:
        """The FLORES-200 code by code, English name or autonym. Raises AuditError with the nearest name."""
        table: dict[str, str] = {ENGLISH.casefold(): ENGLISH}
        for country in self.countries.values():
            for known in (country.language, country.language_name, country.autonym, country.bcp47):
                table[known.casefold()] = country.language
        found = table.get(name.strip().casefold())
        if found is None:
            names = [c.language for c in self.countries.values()] + [c.language_name for c in self.countries.values()]
            raise unknown("language", name, names)
        return found

    def language_name(self, code: str) -> str:
        for country in self.countries.values():
            if country.language == code:
                return country.language_name
        return code

    def translations(self, lang: str) -> list[Translation]:
        """The lines of a language's file, an empty list where there is none."""
        if lang not in self._translations:
            self._translations[lang] = load_translations(self.translations_dir / f"{lang}.jsonl")
        return self._translations[lang]


def _duplicate(path: Path, line: int, kind: str, name: str) -> ContentError:
    return ContentError(f"{path}:{line}: {kind} {name!r} stands twice")


def load_dimensions(folder: Path) -> dict[str, Dimension]:
    path = folder / "dimensions.yaml"
    if not path.exists():  # a user's own bank for the usual dimensions need not repeat them
        path = data_dir("prompts") / "dimensions.yaml"
    return {
        name: build(Dimension, {"name": name, **value}, path, value.line, name)
        for name, value in load_yaml(path).items()
    }


def load_messages(folder: Path) -> Messages:
    path = folder / "messages.yaml"
    if not path.exists():
        path = data_dir("prompts") / "messages.yaml"
    return build(Messages, load_yaml(path), path, None)


def load_dilemmas(folder: Path, dimensions: dict[str, Dimension], messages: Messages) -> dict[str, Dilemma]:
    """The bank by id, in the order of the files. Raises ContentError with file, line and reason."""
    dilemmas: dict[str, Dilemma] = {}
    paths = sorted((folder / "dilemmas").glob("*.yaml"))
    if not paths:
        raise ContentError(f"{folder / 'dilemmas'}: no dilemmas (*.yaml) here")
    for path in paths:
        top = load_yaml(path)
        name = top.get("dimension")
        if name not in dimensions:
            raise ContentError(f"{path}:{top.line}: {unknown('dimension', str(name), dimensions)}")
        entries = top.get("dilemmas")
        if not isinstance(entries, list) or not entries:
            raise ContentError(f"{path}:{top.line}: expected a list under 'dilemmas'")
        for entry in entries:
            if not isinstance(entry, _Mapping):
                raise ContentError(
                    f"{path}:{top.line}: every entry of 'dilemmas' needs names and values, found {entry!r}"
                )
            body = {"dimension": name, "question": messages.question, **entry}
            dilemma = build(Dilemma, body, path, entry.line, str(entry.get("id", "")))
            if dilemma.id in dilemmas:
                raise _duplicate(path, entry.line, "dilemma", dilemma.id)
            dilemmas[dilemma.id] = dilemma
    return dilemmas


def load_countries(folder: Path) -> tuple[dict[str, Country], dict[str, str]]:
    """The countries by ISO3 code and the sources by edition."""
    path = folder / "countries.yaml"
    if not path.exists():
        path = data_dir("personas") / "countries.yaml"
    top = load_yaml(path)
    countries: dict[str, Country] = {}
    iso2: dict[str, str] = {}
    for iso3, entry in (top.get("countries") or {}).items():
        if not isinstance(entry, _Mapping):
            raise ContentError(f"{path}:{top.line}: country {iso3!r} needs names and values")
        country = build(Country, {"iso3": iso3, **entry}, path, entry.line, iso3)
        if country.iso2 in iso2:
            raise _duplicate(path, entry.line, "ISO code", country.iso2)
        iso2[country.iso2] = iso3
        countries[iso3] = country
    if not countries:
        raise ContentError(f"{path}:{top.line}: no countries here")
    editions = {
        name: " ".join(str(value.get("source", "") if isinstance(value, dict) else value).split())
        for name, value in (top.get("editions") or {}).items()
    }
    return countries, editions


def load_templates(folder: Path) -> tuple[dict[str, Template], str]:
    """The persona templates by id, and the id of the default one."""
    path = folder / "templates.yaml"
    if not path.exists():
        path = data_dir("personas") / "templates.yaml"
    top = load_yaml(path)
    templates: dict[str, Template] = {}
    entries = top.get("templates")
    for entry in entries if isinstance(entries, list) else []:
        template = build(Template, entry, path, getattr(entry, "line", None), "template")
        if template.id in templates:
            raise _duplicate(path, entry.line, "template", template.id)
        templates[template.id] = template
    default = str(top.get("default", ""))
    if default not in templates:
        raise ContentError(f"{path}:{top.line}: default: {unknown('template', default, templates)}")
    return templates, default


def load_translations(path: Path) -> list[Translation]:
    """The lines of a translation file. Raises ContentError with file, line and reason."""
    if not path.exists():
        return []
    lines: list[Translation] = []
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    try:
                        value = json.loads(line)
                    except json.JSONDecodeError as error:
                        raise ContentError(f"{path}:{number}: not JSON: {error.msg}") from None
                    lines.append(build(Translation, value, path, number))
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from None
    return lines


def load_content(
    prompts: Path | None = None, personas: Path | None = None, translations: Path | None = None
) -> Content:
    """All content, from the folders given or from those that ship. Raises ContentError."""
    for folder in (prompts, personas, translations):
        if folder is not None and not folder.is_dir():
            raise AuditError(f"{folder}: no such folder")
    prompts_dir = prompts or data_dir("prompts")
    personas_dir = personas or data_dir("personas")
    dimensions = load_dimensions(prompts_dir)
    messages = load_messages(prompts_dir)
    countries, editions = load_countries(personas_dir)
    templates, default_template = load_templates(personas_dir)
    return Content(
        dimensions=dimensions,
        dilemmas=load_dilemmas(prompts_dir, dimensions, messages),
        messages=messages,
        countries=countries,
        editions=editions,
        templates=templates,
        default_template=default_template,
        translations_dir=translations or data_dir("translations"),
    )
