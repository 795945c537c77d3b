"""The markers of a country (`personas/markers/<ISO3>.yaml`) and its names, ready to be found in a reply.

Latin spellings are found by their first word in a dictionary, whole words only, with a plural or a possessive behind; a spelling
with a capital letter by that capital only, one without accents whatever the accents. Other scripts inflect and glue: there
a spelling of five letters or more is found by its stem, and where no spaces are written, anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

from pydantic import field_validator

from auditkit.data import Country, Strict, build, data_dir, load_countries, load_yaml
from auditkit.detect.reading import Reading, bare, fold, lower
from auditkit.errors import ContentError
from auditkit.identity import digest

Group = Literal["food_drink", "emblem", "figure", "past", "catchphrase", "greeting", "concept", "name", "people"]
MARKER_GROUPS: Final[tuple[Group, ...]] = (
    "food_drink",
    "emblem",
    "figure",
    "past",
    "catchphrase",
    "greeting",
    "concept",
)
_LONG: Final = 5  # letters from which a word of another script is found by its stem
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_PREFIXED = re.compile("[\u0590-\u06ff]")  # Hebrew and Arabic glue articles and prepositions to the front of a word


class _Terms(Strict):
    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()

    @field_validator("strong", "weak", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        for item in value if isinstance(value, list) else ():
            if not isinstance(item, str) or not item.strip():
                raise ValueError(f"{item!r} is read as something else than text; put it in quotes")
        return value


class _File(Strict):
    country: str
    source: str
    food_drink: _Terms
    emblem: _Terms
    figure: _Terms
    past: _Terms
    catchphrase: _Terms
    greeting: _Terms
    concept: _Terms


class Term(NamedTuple):
    """One spelling of a marker. `name` is the marker's first spelling, by which all its spellings are one."""

    spelling: str
    group: Group
    weak: bool
    name: str


class Found(NamedTuple):
    """Where a term stands, in code points of the normalised text."""

    start: int
    stop: int
    term: Term


class _Needle(NamedTuple):
    text: str
    form: Literal["folded", "lower", "bare", "bare_lower"]
    term: Term


@dataclass
class Matcher:
    """Finds a set of terms in texts."""

    terms: list[Term]
    _by_word: dict[str, list[_Needle]] = field(default_factory=dict, init=False, repr=False)
    _pattern: re.Pattern[str] | None = field(default=None, init=False, repr=False)
    _by_stem: dict[str, Term] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        patterns: dict[str, str] = {}
        for term in self.terms:
            spelling = fold(unicodedata.normalize("NFC", term.spelling))
            if _latin(spelling):
                self._add_latin(spelling, term)
            elif (stem := _stem(spelling)) not in self._by_stem:
                self._by_stem[stem] = term
                patterns[stem] = _stem_pattern(spelling, stem)
        for needles in self._by_word.values():
            needles.sort(key=lambda needle: -len(needle.text))
        if patterns:
            longest_first = sorted(patterns, key=len, reverse=True)
            self._pattern = re.compile("|".join(patterns[stem] for stem in longest_first))

    def _add_latin(self, spelling: str, term: Term) -> None:
        form = {
            (True, True): "bare",
            (True, False): "bare_lower",
            (False, True): "folded",
            (False, False): "lower",
        }[spelling == bare(spelling), spelling != lower(spelling)]
        key = Reading(spelling).words[0][0]
        needle = _Needle(spelling, cast(Literal["folded", "lower", "bare", "bare_lower"], form), term)
        self._by_word.setdefault(key, []).append(needle)

    def find(self, reading: Reading) -> list[Found]:
        """Where the terms stand, in order; of several that begin at one place, the longest."""
        return sorted([*self._latin(reading), *self._other(reading)])

    def _latin(self, reading: Reading) -> Iterator[Found]:
        covered = 0
        for word, start, _ in reading.words:
            if start < covered:
                continue
            for key in (word, word[:-1], word[:-2]) if word.endswith("s") else (word,):
                end = self._match(reading, key, start) if key in self._by_word else None
                if end is not None:
                    covered = end.stop
                    yield end
                    break

    def _match(self, reading: Reading, key: str, start: int) -> Found | None:
        for needle in self._by_word[key]:
            text: str = getattr(reading, needle.form)
            if text.startswith(needle.text, start):
                end = start + len(needle.text)
                for ending in ("", "s", "es"):
                    stop = end + len(ending)
                    if text.startswith(ending, end) and not (stop < len(text) and _glued(text[stop])):
                        return Found(start, stop, needle.term)
        return None

    def _other(self, reading: Reading) -> Iterator[Found]:
        if self._pattern is None or not reading.other_script:
            return
        for match in self._pattern.finditer(reading.folded):
            stem = match.group(match.lastindex or 0)
            yield Found(match.start(), match.end(), self._by_stem[stem])


def _latin(spelling: str) -> bool:
    return all(unicodedata.name(c, "").startswith("LATIN") for c in spelling if c.isalpha())


def _glued(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


def _stem(spelling: str) -> str:
    last = re.split(r"[\s-]", spelling)[-1]
    return spelling[:-1] if len(last) >= _LONG and not _SPACELESS.search(spelling) else spelling


def _stem_pattern(spelling: str, stem: str) -> str:
    body = f"({re.escape(stem)})"
    if _SPACELESS.search(spelling):
        return body
    front = r"\b\w{0,3}" if _PREFIXED.search(spelling) else r"\b"
    return front + body + (r"\w{0,4}" if stem != spelling or "\uac00" <= spelling[-1] <= "\ud7af" else r"(?!\w)")


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Names of all countries and the markers of each, by ISO 3166-1 alpha-3 code. A name's `Term.name` is its country's code."""

    countries: dict[str, Country]
    names: Matcher
    markers: dict[str, Matcher]
    digest: str


def load_lexicon(personas: Path | None = None) -> Lexicon:
    """Names and markers from a folder like `personas/`, or from the one that ships where the folder lacks a file.

    A country without a file of markers has its names only. Raises ContentError for a broken file, with line and field.
    """
    countries, _ = load_countries(personas or data_dir("personas"))
    folder = markers_folder(personas)
    markers: dict[str, Matcher] = {}
    every: dict[str, list[Term]] = {}
    for path in sorted(folder.glob("[!_]*.yaml")):
        if path.stem not in countries:
            raise ContentError(f"{path}: {path.stem!r} is no country of countries.yaml")
        every[path.stem] = _read(path)
        markers[path.stem] = Matcher(every[path.stem])
    names = [term for country in countries.values() for term in _names(country)]
    content = {"names": [list(term) for term in names], "markers": {k: [list(t) for t in v] for k, v in every.items()}}
    return Lexicon(countries, Matcher(names), markers, digest("s1", content))


def markers_folder(personas: Path | None) -> Path:
    """Where the files of markers are: in the folder given, if it has any, else where they ship."""
    own = personas / "markers" if personas is not None else None
    return own if own is not None and own.is_dir() else data_dir("personas") / "markers"


def _read(path: Path) -> list[Term]:
    top = load_yaml(path)
    for group in MARKER_GROUPS:
        if isinstance(top.get(group), dict):
            build(_Terms, top[group], path, top[group].line, group)
    file = build(_File, top, path, top.line)
    if file.country != path.stem:
        raise ContentError(f"{path}:{top.line}: country: {file.country!r}, but the file is named {path.stem!r}")
    terms: list[Term] = []
    seen: dict[str, str] = {}
    for group in MARKER_GROUPS:
        lists: _Terms = getattr(file, group)
        for weak, entries in ((False, lists.strong), (True, lists.weak)):
            for entry in entries:
                spellings = [part.strip() for part in entry.split(" / ")]
                for spelling in spellings:
                    if not any(c.isalnum() for c in spelling):
                        raise ContentError(
                            f"{path}:{top[group].line}: {group}: {entry!r} has a spelling without a letter"
                        )
                    if spelling in seen:
                        other = seen[spelling]
                        raise ContentError(
                            f"{path}:{top[group].line}: {group}: {spelling!r} stands twice (also in {other})"
                        )
                    seen[spelling] = group
                    terms.append(Term(spelling, group, weak, spellings[0]))
    return terms


def _names(country: Country) -> Iterable[Term]:
    title = country.name.removeprefix("the ")
    for spelling in dict.fromkeys((title, country.title, *country.aliases, *country.endonyms)):
        if spelling not in country.demonyms:
            yield Term(spelling, "name", weak=False, name=country.iso3)
    for spelling in country.demonyms:
        yield Term(spelling, "people", weak=False, name=country.iso3)
