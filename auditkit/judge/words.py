"""Turns text into words, and words into cues, in any of the languages of `prompts/judges/rules.yaml`.

Everything here is linear in the length of the text: no pattern backtracks, and no look-ahead is longer than a constant.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from auditkit.data import data_dir
from auditkit.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENGLISH: Final = "eng_Latn"
LONGEST_WORD: Final = 40
"""Characters of a word that are looked at; longer ones are noise or glued text."""

CUE_KINDS: Final = (
    *(
        "first",
        "second",
        "side_one",
        "side_two",
        "recommend",
        "reason",
        "concede",
        "turn",
        "against",
        "against_before",
        "plain",
    ),
    *("both", "neither", "refuse", "depends", "conclude"),
)
"""The lists of a language in the YAML file; a cue that stands in two lists belongs to the one named first here."""

# An ANSI sequence has bounded parts, so that a long run of escape characters costs no more than its length.
_ANSI = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u0307\ufe0e\ufe0f]"
)
_APOSTROPHE = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "´": "'", "`": "'", "ı": "i"})

# Letters plus the marks that Python's \w leaves out: Hebrew and Arabic points, the vowel signs of India and Sri Lanka, Thai.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_NO_SPACES = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e01-\u0e4e"
_TOKEN = re.compile(
    rf"(?P<run>[{_NO_SPACES}々]+)"
    rf"|(?P<word>[^\W{_NO_SPACES}][\w{_MARKS}]*(?:'(?:t|d|s|m|ll|re|ve)\b)?)"
    r"|(?P<stop>[,;:()\"“”«»„。、，；：（）「」『』،؛!?？！\n]|\s[-–—]+\s|—|\.\.+)"
)
_HIRAGANA = re.compile("[\u3040-\u309f]+")
_THAI = re.compile("[\u0e00-\u0e7f]")

# A full stop ends a sentence only before white space; the marks of other scripts always do.
_SENTENCE_END = re.compile(r"[.!?…]['\"”’»)\]*_]{0,2}(?=\s|$)|[。！？｡؟।॥]['\"”’»」』)]{0,2}|\n")

_SHORTEST_PREFIX: Final = 4
_ENGLISH_ENDINGS: Final = ("ing", "in'", "ies", "ed", "es", "ly", "s", "e", "y")


def normalise(text: str) -> str:
    """NFKC, case-folded, without ANSI sequences, control characters and invisible direction marks."""
    text = _INVISIBLE.sub("", _ANSI.sub("", text))
    text = unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHE)
    return _INVISIBLE.sub("", text)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence of the *raw* text, so that what is quoted later is verbatim."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if match.end() > start and text[start : match.end()].strip():
            yield start, match.end()
        start = match.end()
    if text[start:].strip():
        yield start, len(text)


class Token(NamedTuple):
    """One word, n-gram or clause mark of a normalised sentence."""

    start: int
    text: str
    kind: str
    """`word`, `gram` (scripts without spaces), or `stop` (a mark that ends a clause)."""


def tokens(text: str) -> list[Token]:
    """Words, clause marks, and overlapping n-grams where a script has no spaces (2 characters; Thai 3).

    A bigram of two hiragana is grammar rather than content and is left out.
    """
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        piece = match.group()
        if match.lastgroup == "word":
            found.append(Token(match.start(), piece, "word"))
        elif match.lastgroup == "stop":
            found.append(Token(match.start(), piece.strip() or "\n", "stop"))
        else:
            size = 3 if _THAI.match(piece) else 2
            for at in range(max(1, len(piece) - size + 1)):
                gram = piece[at : at + size]
                if not _HIRAGANA.fullmatch(gram):
                    found.append(Token(match.start() + at, gram, "gram"))
    return found


def shortest_prefix(word: str) -> int:
    """How many characters two inflected words must share at least; scripts that write less need fewer."""
    first = word[:1]
    if "\uac00" <= first <= "\ud7af":
        return 2
    if "\u0590" <= first <= "\u06ff":
        return 3
    return _SHORTEST_PREFIX


def prefixes(word: str) -> range:
    """The lengths of prefix, longest first, at which `word` may meet another: at least half of it."""
    size = min(len(word), LONGEST_WORD)
    return range(size, max(shortest_prefix(word), (len(word) + 1) // 2) - 1, -1)


def word_ends(word: str) -> Iterator[str]:
    """The ends of a compound word that may be words themselves, longest first: at least five letters, three cut off."""
    word = word[:LONGEST_WORD]
    for start in range(3, len(word) - 4):
        yield word[start:]


def english_stem(word: str) -> str:
    """The word without a possessive and one common ending, never shorter than three letters.

    >>> english_stem("moving"), english_stem("move"), english_stem("parents'"), english_stem("boss")
    ('mov', 'mov', 'parent', 'bos')
    """
    word = word.removesuffix("'s").removesuffix("'")
    for ending in _ENGLISH_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@dataclass(frozen=True, slots=True)
class Language:
    """The cue words of one language, ready to be found."""

    code: str
    spaced: bool
    verb_final: bool
    compounding: bool
    prefixes: tuple[str, ...]
    function: frozenset[str]
    by_first_word: dict[str, list[tuple[list[str], str]]]
    """First word of a cue -> (the whole cue, its kind), longest first."""
    pattern: re.Pattern[str] | None
    """For languages without spaces: all cues as one alternation of literals, longest first."""
    kinds: dict[str, str]

    @property
    def latin(self) -> bool:
        return self.code.endswith("_Latn")

    def stem(self, word: str) -> str:
        """The form under which a word is compared: its ending cut in English, glued-on letters cut where the language has them."""
        if self.code == ENGLISH:
            return english_stem(word)
        for prefix in self.prefixes:
            if word.startswith(prefix) and len(word) - len(prefix) >= 3:
                return word[len(prefix) :]
        return word

    def cues(self, text: str, found: Sequence[Token]) -> list[tuple[int, int, str, str]]:
        """(start, number of tokens covered, kind, cue) in order of appearance; of two that overlap the longer wins."""
        return self._cues_in_run(text, found) if self.pattern is not None else self._cues_in_words(found)

    def _cues_in_words(self, found: Sequence[Token]) -> list[tuple[int, int, str, str]]:
        hits: list[tuple[int, int, str, str]] = []
        texts = [token.text for token in found]
        at = 0
        while at < len(texts):
            taken = 1
            for cue, kind in self.by_first_word.get(texts[at], ()):
                if len(cue) == 1 or texts[at : at + len(cue)] == cue:
                    hits.append((at, len(cue), kind, " ".join(cue)))
                    taken = len(cue)
                    break
            at += taken
        return hits

    def _cues_in_run(self, text: str, found: Sequence[Token]) -> list[tuple[int, int, str, str]]:
        assert self.pattern is not None
        hits: list[tuple[int, int, str, str]] = []
        at = 0
        for match in self.pattern.finditer(text):
            while at < len(found) and found[at].start < match.start():
                at += 1
            first = at
            while at < len(found) and found[at].start < match.end():
                at += 1
            hits.append((first, at - first, self.kinds[match.group()], match.group()))
        return hits


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What `prompts/judges/rules.yaml` holds."""

    languages: dict[str, Language]
    stop_stems: frozenset[str]
    compounds: tuple[tuple[str, str], ...]
    families: dict[str, int]
    """English stem -> number of its family of near-synonyms."""

    def language_of(self, sentence: Sequence[Token], asked: str) -> Language:
        """English or the language of the request, whichever owns more of the sentence's small words.

        Models often answer in English what they were asked in another language, and mix the two in one reply. Where most words
        hold letters beyond ASCII the sentence is not English; else it is where at least a sixth of its words are small English
        words and fewer are small words of the other language.
        """
        english = self.languages[ENGLISH]
        other = self.languages.get(asked, english)
        if other is english:
            return english
        words = [token.text for token in sentence if token.kind != "stop"]
        if 2 * sum(word.isascii() for word in words) <= len(words):
            return other
        if not other.latin:
            return english
        ours = sum(word in english.function for word in words)
        theirs = sum(word in other.function for word in words)
        return english if 6 * ours >= len(words) and ours > theirs else other

    def family(self, stem: str) -> int | None:
        """The family of near-synonyms of an English stem; words match from five letters up, or exactly."""
        exact = self.families.get(stem)
        if exact is not None:
            return exact
        for size in prefixes(stem):
            if size < 5:
                return None
            number = self.families.get(stem[:size])
            if number is not None:
                return number
        return None


def _read_yaml() -> dict[str, Any]:
    path = data_dir("prompts") / "judges" / "rules.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open(encoding="utf-8") as file:
        content: dict[str, Any] = yaml.load(file, Loader=loader)  # noqa: S506  (both loaders are safe ones)
    for code, entry in content["languages"].items():
        for name in (*CUE_KINDS, "function", "prefixes"):
            wrong = [item for item in entry.get(name, ()) if not isinstance(item, str)]
            if wrong:
                message = f"{path}: languages.{code}.{name} holds {wrong[0]!r}, which YAML does not read as text; put it in quotes"
                raise ContentError(message)
    return content


def _language(code: str, entry: dict[str, Any]) -> Language:
    spaced = bool(entry.get("spaced", True))
    by_first: dict[str, list[tuple[list[str], str]]] = {}
    kinds: dict[str, str] = {}
    for kind in CUE_KINDS:
        for phrase in entry.get(kind, ()):
            cue = normalise(phrase)
            if kinds.setdefault(cue, kind) != kind:
                continue
            words = [token.text for token in tokens(cue) if token.kind != "stop"]
            if spaced and words:
                by_first.setdefault(words[0], []).append((words, kind))
    for cues in by_first.values():
        cues.sort(key=lambda item: -len(item[0]))
    pattern = None
    if not spaced:
        pattern = re.compile("|".join(re.escape(cue) for cue in sorted(kinds, key=len, reverse=True)))
    return Language(
        code=code,
        spaced=spaced,
        verb_final=bool(entry.get("verb_final", False)),
        compounding=bool(entry.get("compounding", False)),
        prefixes=tuple(entry.get("prefixes", ())),
        function=frozenset(normalise(word) for word in entry.get("function", ())),
        by_first_word=by_first,
        pattern=pattern,
        kinds=kinds,
    )


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The cue words, read once."""
    content = _read_yaml()
    families: dict[str, int] = {}
    for number, family in enumerate(content["synonyms"]):
        for word in family:
            families.setdefault(english_stem(normalise(word)), number)
    small: list[str] = content["function_words"].split()
    compounds = tuple((normalise(item), re.sub(r"\W", "", item)) for item in content["compounds"])
    return Lexicon(
        languages={code: _language(code, entry) for code, entry in content["languages"].items()},
        stop_stems=frozenset(small) | {english_stem(word) for word in small},
        compounds=compounds,
        families=families,
    )
