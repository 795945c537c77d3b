"""Checks the bank of dilemmas and gathers the facts of its card. Everything is counted from the files; nothing is asked.

`read_bank` loads, `check` gives findings, `facts` gives the figures of the card. What each check means, and what it cannot
see, stands in docs/bank.md. The measures of text here (words, syllables, stems) are for English, the language of the bank.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditkit.data import Content, Dilemma, DilemmaText, Domain, OptionId, data_dir, load_yaml
from auditkit.errors import ContentError
from auditkit.identity import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

Level = Literal["broken", "finding", "note"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)

# ---------------------------------------------------------------------------------------------------- thresholds

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

# -------------------------------------------------------------------------------------------------- measures of text

# Articles, pronouns, auxiliaries, common adverbs: in every scenario, so they tell nothing about its subject.
_FUNCTION_WORDS = frozenset(
    """a about after again all also am an and any anyone are as at be because been before being both but by can could did do
    does done each either else even ever every everybody everyone for from get gets go goes had has have he her hers him his
    how i if in into is it its just let lets made make makes many may me mine more most much must my myself neither no nobody
    none nor not nothing now of off on once one ones only or other others our ours ourselves out over own part same shall she
    should since so some somebody someone something such than that the their them themselves then there these they thing
    things this those though three through till to too two under until up us use very was way we well were what when where
    whether which while who whoever whole whom whose why will with without would yet you your""".split()  # noqa: SIM905  (a list of 150 strings is harder to read)
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?]+(?=[\"'”’)]*(?:\s|$))")
_SILENT_E = re.compile(  # a final -e, -es, -ed that is not spoken: make, homes, asked; but table, houses, wanted
    r"(?<![aeiouy])(?<![^aeiouyr]l)e$|(?<![aeiouyszxcg])(?<![sc]h)(?<![^aeiouyr]l)es$|(?<![aeiouytd])(?<![^aeiouyr]l)ed$"
)
_TWO_SOUNDS = re.compile(  # vowels side by side that are spoken apart: diary, radio, usual, being, quiet
    r"[^aeiou]ia|[^aeioutsxcg]io|(?<!q)ua[^r]|[^g]eo(?!p)|[^aeioug]iu|[^q]uou|[aeiou]ing|yi|iet|[ao]yer|idea|sm$"
)
_ENDINGS = ("ings", "ing", "ied", "ies", "ed", "es", "s", "ly", "e", "y")


def words(text: str) -> list[str]:
    """The words of an English text as written; a compound with a hyphen, a genitive and a number are one word each."""
    return _WORD.findall(text)


def syllables(word: str) -> int:
    """Syllables of an English word, at least 1, by its vowel groups.

    Against the CMU Pronouncing Dictionary it is off for 1 word in 75 of the bank's running text, and 1 % too high in all.
    """
    bare = re.sub(r"['’]s?$", "", word.lower()).replace("'", "").replace("’", "")
    total = 0
    for part in bare.split("-"):
        groups = len(re.findall(r"[aeiouy]+", part))
        total += max(1, groups - bool(_SILENT_E.search(part)) + len(_TWO_SOUNDS.findall(part)))
    return total


def reading_grade(text: str) -> float:
    """Flesch-Kincaid grade: school years in the United States that the text asks for. 0.0 for a text without words.

    Kincaid, Fishburne, Rogers and Chissom (1975): 0.39 words/sentences + 11.8 syllables/words - 15.59.
    """
    found = words(text)
    if not found:
        return 0.0
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    return 0.39 * len(found) / sentences + 11.8 * sum(map(syllables, found)) / len(found) - 15.59


def stem(word: str) -> str:
    """A word without its commonest endings, good enough to see that "choosing" and "choose" share a root."""
    bare = re.sub(r"['’]s?$", "", word.lower())
    for ending in _ENDINGS:
        if bare.endswith(ending) and len(bare) - len(ending) >= 3:
            bare = bare[: -len(ending)]
            break
    if len(bare) > 3 and (bare[-1] == bare[-2] or bare[-1] in "iy"):
        bare = bare[:-1]
    return bare


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry the subject, in their order."""
    return [stem(word) for word in words(text) if word.lower() not in _FUNCTION_WORDS]


def sides(dilemma: Dilemma) -> list[tuple[float, float]]:
    """For each sentence of the scenario, the share (0 to 1) of the words peculiar to option a, and to b, that it holds."""
    in_a, in_b = set(content_stems(dilemma.a)), set(content_stems(dilemma.b))
    only_a, only_b = in_a - in_b, in_b - in_a
    found = [set(content_stems(sentence)) for sentence in dilemma.scenario]
    return [(len(s & only_a) / max(1, len(only_a)), len(s & only_b) / max(1, len(only_b))) for s in found]


def first_mentioned(dilemma: Dilemma) -> OptionId | None:
    """The option that the scenario takes up first, by the words it shares with each; None where they cannot tell.

    An option is taken up in the sentence that holds most of its peculiar words. Where several hold equally many, and they
    disagree about the order, nothing is said.
    """
    shares = sides(dilemma)
    best_a, best_b = max(a for a, _ in shares), max(b for _, b in shares)
    if not best_a or not best_b:
        return None
    in_a, in_b = set(content_stems(dilemma.a)), set(content_stems(dilemma.b))
    votes: set[OptionId | None] = set()
    for i in (i for i, (a, _) in enumerate(shares) if a == best_a):
        for j in (j for j, (_, b) in enumerate(shares) if b == best_b):
            if i != j:
                votes.add("a" if i < j else "b")
                continue
            sentence = content_stems(dilemma.scenario[i])
            at_a = fmean(k for k, word in enumerate(sentence) if word in in_a - in_b)
            at_b = fmean(k for k, word in enumerate(sentence) if word in in_b - in_a)
            votes.add(None if at_a == at_b else "a" if at_a < at_b else "b")
    return votes.pop() if len(votes) == 1 else None


@dataclass(frozen=True)
class Pair:
    """Two dilemmas and how alike they are, from 0 to 1."""

    first: str
    second: str
    cosine: float
    trigrams: float


def similarities(dilemmas: Sequence[Dilemma]) -> list[Pair]:
    """All pairs of dilemmas that share a content word or three words in a row, by falling cosine.

    `cosine`: of TF-IDF vectors of content-word stems, (1 + ln tf) (1 + ln((1 + N) / (1 + df))), after Salton and Buckley
    (1988): finds the same matter in other words. `trigrams`: Jaccard overlap of word 3-grams: finds the same wording
    about another matter.
    """
    bags = {d.id: Counter(content_stems(" ".join([*d.scenario, d.a, d.b]))) for d in dilemmas}
    frequency = Counter(term for bag in bags.values() for term in bag)
    postings: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for name, bag in bags.items():
        weights = {t: (1 + math.log(n)) * (1 + math.log((1 + len(bags)) / (1 + frequency[t]))) for t, n in bag.items()}
        norm = math.sqrt(sum(w * w for w in weights.values()))
        for term, weight in weights.items():
            postings[term].append((name, weight / norm))
    cosine: dict[tuple[str, str], float] = defaultdict(float)
    for entries in postings.values():
        for (one, x), (other, y) in combinations(entries, 2):
            cosine[one, other] += x * y
    grams: dict[str, set[tuple[str, ...]]] = {}
    holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for d in dilemmas:
        text = [w.lower() for part in (*d.scenario, d.a, d.b) for w in [*words(part), "."]]
        grams[d.id] = {g for g in zip(text, text[1:], text[2:], strict=False) if "." not in g}
        for gram in grams[d.id]:
            holders[gram].append(d.id)
    shared = Counter(pair for names in holders.values() for pair in combinations(names, 2))
    pairs = [
        Pair(a, b, cosine.get((a, b), 0.0), shared[a, b] / len(grams[a] | grams[b]) if shared[a, b] else 0.0)
        for a, b in {**cosine, **shared}
    ]
    return sorted(pairs, key=lambda p: (-p.cosine, -p.trigrams, p.first, p.second))


class Lexicon:
    """Words of praise and blame: one a line as `+ word` or `- word`, a final star for any ending, `#` for remarks."""

    def __init__(self, path: Path) -> None:
        self._whole: dict[str, int] = {}
        begins: dict[str, int] = {}
        for number, line in enumerate(_lines(path), 1):
            entry = line.partition("#")[0].split()
            if not entry:
                continue
            if len(entry) != 2 or entry[0] not in "+-":
                raise ContentError(f"{path}:{number}: expected `+ word` or `- word`, found {line.strip()!r}")
            sign = 1 if entry[0] == "+" else -1
            (begins if entry[1].endswith("*") else self._whole)[entry[1].lower().rstrip("*")] = sign
        self.size = len(self._whole) + len(begins)
        self._begins = sorted(begins.items(), key=lambda item: -len(item[0]))  # the longest beginning decides

    def value(self, word: str) -> int:
        """+1, -1, or 0 for a word that is not in the lexicon."""
        lower = word.lower()
        if lower in self._whole:
            return self._whole[lower]
        return next((sign for begin, sign in self._begins if lower.startswith(begin)), 0)

    def score(self, text: str) -> int:
        """Words of praise minus words of blame."""
        return sum(map(self.value, words(text)))

    def hits(self, text: str) -> int:
        return sum(self.value(word) != 0 for word in words(text))


# ---------------------------------------------------------------------------------------------------- second reading


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    id: str
    round: int = Field(ge=1)  # of this dilemma: its first reading is round 1
    line: int = Field(default=0, exclude=True)


class Reading(_Line):
    """One reading of a dilemma by someone who did not know its poles. Options are named by their id, not by their place."""

    source: str  # `Dilemma.text.key` of the wording that was read
    reader: str = Field(min_length=1)
    date: dt.date
    order: Literal["ab", "ba"]  # as shown to the reader
    first_pole: Literal["a", "b", "unclear"]  # right is always a
    reasonable: Literal["both", "a", "b", "neither"]
    doubt: bool
    remark: str = ""

    @property
    def clean(self) -> bool:
        return self.first_pole == "a" and self.reasonable == "both" and not self.doubt

    def complaint(self) -> str:
        """What was wrong with the dilemma, in a few words; empty for a clean reading."""
        parts = []
        if self.first_pole == "b":
            parts.append("option b read as the first pole")
        elif self.first_pole == "unclear":
            parts.append("poles unclear to the reader")
        if self.reasonable != "both":
            parts.append(
                "no option reasonable" if self.reasonable == "neither" else f"only option {self.reasonable} reasonable"
            )
        if self.doubt:
            parts.append("doubted")
        return ", ".join(parts)


class Rewrite(_Line):
    """A dilemma was rewritten after the reading of this round."""

    rewritten: Literal[True]
    why: str
    change: str = ""
    date: dt.date | None = None


def load_review(path: Path) -> tuple[list[Reading], list[Rewrite]]:
    """Readings and rewrites in the order of the file. Raises ContentError with file, line and reason."""
    readings: list[Reading] = []
    rewrites: list[Rewrite] = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            if not isinstance(value, dict) or "line" in value:
                raise ContentError(f"{path}:{number}: expected a reading or a rewrite, found {line.strip()[:60]!r}")
            if "rewritten" in value:
                rewrites.append(Rewrite.model_validate({**value, "line": number}))
            else:
                readings.append(Reading.model_validate({**value, "line": number}))
        except json.JSONDecodeError as error:
            raise ContentError(f"{path}:{number}: not JSON: {error.msg}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ContentError(f"{path}:{number}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    return readings, rewrites


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from None


# ----------------------------------------------------------------------------------------------------------- the bank


@dataclass(frozen=True)
class BankFile:
    """A file of dilemmas. `lines` gives the line that each dilemma begins on."""

    path: Path
    dimension: str
    core_version: int | None
    core_digest: str | None
    lines: dict[str, int]


@dataclass(frozen=True)
class Finding:
    """What a check found. `broken` must be mended before an audit, `finding` before a paper, `note` is worth knowing."""

    level: Level
    path: Path
    line: int
    id: str
    reason: str


@dataclass
class Bank:
    """The dilemmas with their places in the files, the second readings, and the lexicon of praise and blame."""

    content: Content
    files: list[BankFile]
    review_path: Path
    readings: list[Reading]
    rewrites: list[Rewrite]
    lexicon: Lexicon
    place: dict[str, tuple[Path, int]] = field(init=False)
    by_dimension: dict[str, list[Dilemma]] = field(init=False)

    def __post_init__(self) -> None:
        self.place = {name: (file.path, line) for file in self.files for name, line in file.lines.items()}
        self.by_dimension = {
            name: found
            for name in self.content.dimensions
            if (found := [d for d in self.content.dilemmas.values() if d.dimension == name])
        }

    @cached_property
    def pairs(self) -> list[Pair]:
        return similarities(list(self.content.dilemmas.values()))

    @cached_property
    def places(self) -> re.Pattern[str]:
        return _places(self.content)

    def home(self, dimension: str) -> BankFile:
        """The file that holds a dimension's core, or its first file."""
        files = [file for file in self.files if file.dimension == dimension]
        cores = [f for f in files if any(self.content.dilemmas[name].core for name in f.lines)]
        return (cores or files)[0]

    def last_reading(self, dilemma: Dilemma) -> Reading | None:
        """The last reading of the present wording."""
        found = [r for r in self.readings if r.id == dilemma.id and r.source == dilemma.text.key]
        return max(found, key=lambda r: (r.round, r.line), default=None)


def read_bank(content: Content, prompts: Path | None = None) -> Bank:
    """The bank in `prompts` (default: the one that ships), of which `content` was loaded. Raises ContentError."""
    folder = prompts or data_dir("prompts")
    files = []
    for path in sorted((folder / "dilemmas").glob("*.yaml")):
        top = load_yaml(path)
        lines = {str(entry["id"]): int(getattr(entry, "line", 0)) for entry in top["dilemmas"]}
        version, stored = top.get("core_version"), top.get("core_digest")
        if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
            raise ContentError(f"{path}:{top.line}: core_version must be a whole number, found {version!r}")
        files.append(BankFile(path, str(top["dimension"]), version, None if stored is None else str(stored), lines))
    review = folder / "review.jsonl"
    readings, rewrites = load_review(review) if review.exists() else ([], [])
    words_path = folder / "sentiment.txt"
    lexicon = Lexicon(words_path if words_path.exists() else data_dir("prompts") / "sentiment.txt")
    return Bank(content, files, review, readings, rewrites, lexicon)


def core_digest(content: Content, dimension: str) -> str:
    """Identity of the wording of a dimension's core dilemmas, in whatever order they stand. Translations hang on it."""
    core = {d.id: d.text.key for d in content.dilemmas.values() if d.dimension == dimension and d.core}
    return digest("c1", core)


# ------------------------------------------------------------------------------------------------------------- checks


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
        for word in _names(text):
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
    for keyword in _keywords(bank.content, d.dimension, text):
        yield _at(bank, d, f"option {name} holds the keyword {keyword!r}, which names a pole of {d.dimension}")


def _keywords(content: Content, dimension: str, text: str) -> list[str]:
    """The dimension's keywords that a word of the text begins with."""
    return [
        k for k in content.dimensions[dimension].keywords if re.search(rf"(?<!\w){re.escape(k)}", text, re.IGNORECASE)
    ]


# Without won, rand, real, lev, pound and cent, which are common words or weights as well.
_CURRENCIES = (
    "baht|dinars?|dirhams?|dollars?|euros?|francs?|hryvnias?|koruna|kron[ae]|kroner|kronor|laris?|lira|pence|pesos?|reais|rials?|"
    "ringgit|roubles?|rubles?|rupees?|rupiah|shekels?|tenge|tugrik|yen|yuan|zloty"
)


def _places(content: Content) -> re.Pattern[str]:
    """Countries, their people, and currencies. Capitals count in names: "polish the table" is no nationality."""
    known = set()
    for country in content.countries.values():
        for name in (country.name, country.title, *country.aliases, *country.demonyms):
            bare = name.removeprefix("the ").removeprefix("The ")
            known |= {bare, f"{bare}s"}
    names = "|".join(re.escape(name) for name in sorted(known, key=lambda n: (-len(n), n)))
    return re.compile(rf"(?<!\w)(?:{names}|(?i:{_CURRENCIES})|[$€£¥₹₽₩₪₺])(?!\w)")


_CALENDAR = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|January|February|March|April|May|June|July|August|September|October|"
    r"November|December|I"
)


def _names(text: str) -> Iterator[str]:
    """Capitalised words inside a sentence that are not `I`, a day, a month or an abbreviation."""
    for part in re.split(r"(?<=[.!?:])[\"'”’)]*\s+", text):
        for word in words(part)[1:]:
            bare = re.split(r"['’]", word)[0]
            if bare[:1].isupper() and not (len(bare) > 1 and bare.isupper()) and not _CALENDAR.fullmatch(bare):
                yield word


def _split(dilemmas: Iterable[Dilemma], what: Literal["lead", "mentions"]) -> tuple[int, int]:
    values = [getattr(d, what) for d in dilemmas]
    return values.count("a"), values.count("b")


def _cross(dilemmas: Iterable[Dilemma]) -> dict[str, int]:
    counts = Counter(d.lead + d.mentions for d in dilemmas)
    return {cell: counts[cell] for cell in ("aa", "ab", "ba", "bb")}


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
            a, b = _split(dilemmas, what)
            if abs(a - b) > (a + b) % 2:
                yield Finding(
                    level, file.path, 1, "", f"{part}{what} is a in {a} and b in {b} dilemmas, expected as many of each"
                )
        cells = _cross(dilemmas)
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
    argued = _side(bank.lexicon, found).scenario_sentiment
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


# --------------------------------------------------------------------------------------------------------------- card


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
        lead=_split(found, "lead"),
        mentions=_split(found, "mentions"),
        cross=_cross(found),
        core_lead=_split(core, "lead"),
        core_mentions=_split(core, "mentions"),
        scenario_words=Spread.of(len(words(" ".join(d.scenario))) for d in found),
        option_words=Spread.of(len(words(option)) for option in options),
        side=_side(bank.lexicon, found),
        grade=Spread.of(reading_grade(" ".join(d.scenario)) for d in found),
        keywords=sum(bool(_keywords(bank.content, dimension, option)) for option in options),
        scenario_keywords=sum(bool(_keywords(bank.content, dimension, " ".join(d.scenario))) for d in found),
        mention_checked=sum(first_mentioned(d) is not None for d in found),
        nearest=next((p for p in bank.pairs if p.first in inside and p.second in inside), None),
        readings=_readings(bank, found),
        core_version=file.core_version,
        core_digest=now,
        frozen=file.core_digest == now,
    )


def _side(lexicon: Lexicon, found: Sequence[Dilemma]) -> Side:
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


# -------------------------------------------------------------------------------------------------------------- sheet


@dataclass(frozen=True)
class SheetEntry:
    """A dilemma to be read: what the reader sees, and the line of the review file to fill in afterwards."""

    dilemma: Dilemma
    order: str
    line: dict[str, Any]


def sheet(bank: Bank) -> list[SheetEntry]:
    """The dilemmas whose present wording has no reading, in an order of options that follows from the wording's key.

    The order is the parity of the key's last digit, which nobody who writes a dilemma can choose. The dilemmas of a dimension
    are sorted by key, so that their order tells nothing either.
    """
    rounds = Counter[str]()
    for reading in bank.readings:
        rounds[reading.id] = max(rounds[reading.id], reading.round)
    entries = []
    for found in bank.by_dimension.values():
        for d in sorted((d for d in found if bank.last_reading(d) is None), key=lambda d: d.text.key):
            order = "ab" if int(d.text.key[-1], 16) % 2 == 0 else "ba"
            line = {
                "id": d.id, "source": d.text.key, "round": rounds[d.id] + 1, "reader": "", "date": "", "order": order,
                "first_pole": "", "reasonable": "", "doubt": None, "remark": "",
            }  # fmt: skip
            entries.append(SheetEntry(d, order, line))
    return entries
