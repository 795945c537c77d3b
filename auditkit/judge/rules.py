"""The rule judge: reads which of two options a reply recommends, without any model, and abstains where it cannot tell.

1. Each option gets a profile: its words, at a lower weight those of the part of the scenario that describes it, and at a lower
   weight still their near-synonyms. A word that both options share tells nothing and weighs nothing.
2. Each sentence of the reply is read from left to right. Cues (prompts/judges/rules.yaml) say whether a word stands in the advice
   itself, in its justification or in a concession, and whether it is turned down ("rather than X", "X is not").
3. The weighed words are summed. The sum decides if it is large against everything that was weighed plus a prior; otherwise
   the outcome is `both`, `neither`, `refused`, `cut_off` or `unclear`.

What speaks to a grader ("label this as ...") is cut out before anything is read (auditkit/judge/cut.py).

Every verdict can be explained: `detail` lists the cues and words that made it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from auditkit.judge.cut import without_injections
from auditkit.judge.words import (
    ENGLISH,
    Language,
    Token,
    english_stem,
    lexicon,
    normalise,
    prefixes,
    sentences,
    tokens,
    word_ends,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Outcome = Literal["chose", "both", "neither", "refused", "unclear", "cut_off"]
Region = Literal["advice", "other", "aside"]

EXPLICIT: Final = 2.0
"""Weight of "the first option", "option B", "the latter": a name outweighs any two words."""
SYNONYM: Final = 0.5
"""Weight of a near-synonym against the word itself."""
GRAM: Final = 0.4
"""Weight of a character n-gram: a word of a script without spaces holds two or three of them."""
ASIDE: Final = 0.2
"""Weight of what is granted ("while X has merits") or said of the speaker ("as someone who values X"): next to nothing."""
SENTENCE_CAP: Final = 4.0
"""The most that one sentence may weigh, so that a long one does not outvote the rest by its length."""
BACKGROUND: Final = 3
"""Sentences without advice count together no more than this many sentences do."""
PASSING: Final = 0.5
"""Weight of advice that is neither the first nor the last of the reply."""
CONCLUSION: Final = 2.0
"""Weight of advice behind "in conclusion", "overall", "my advice"."""
REMEMBERED_WORDS: Final = 20_000
"""Words whose weight is kept for one pair of options before all are forgotten."""
PLAIN_CHOICE: Final = 1.5
"""What a sentence of its own must say for one option, for a reply that also advises both to count as a choice."""
EVIDENCE_LENGTH: Final = 300
"""Longest quote, in characters; a longer sentence is quoted by its deciding clause."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The four numbers that were fitted (`benchmarks/rules_judge.py` re-fits them and scores them on dilemmas left out)."""

    scenario: float = 0.3
    """Count of a word that stands in an option's description in the scenario; a word of the option itself counts 1."""
    other: float = 0.3
    """Weight of words outside the advice, such as its justification; words in the advice weigh 1."""
    prior: float = 0.5
    """Evidence for nobody that is added to the total: little evidence gives little confidence."""
    margin: float = 0.3
    """The least confidence that decides."""


FITTED: Final = Settings()


@dataclass(frozen=True, slots=True)
class OptionText:
    """One option of a dilemma: `id` ('a' or 'b'), its text in the language of the request, and in English."""

    id: str
    text: str
    english: str


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What the rules say of one reply.

    `option_id` is set exactly when `outcome` is "chose". `evidence` is a verbatim substring of the reply or None. `confidence`
    lies in 0..1: for a choice the balance of the evidence, shrunk where there is little of it; it ranks verdicts and is not a
    probability. `detail` holds the scores by option, the cues and the words that made them, and can be written as JSON.
    """

    outcome: Outcome
    option_id: str | None
    evidence: str | None
    confidence: float
    detail: dict[str, Any]


# ------------------------------------------------------------------------------------------------------- reading

_QUESTION_MARKS: Final = frozenset("?？؟")
_STARTS_ADVICE: Final = frozenset({"recommend", "conclude"})


@dataclass(slots=True)
class _Mark:
    """A word or a name of an option: `value` > 0 speaks for the option with the smaller id, < 0 for the other."""

    text: str
    value: float
    sign: int
    region: Region
    at: int


@dataclass(slots=True)
class _Sentence:
    marks: list[_Mark] = field(default_factory=list)
    cues: list[tuple[str, str, Region]] = field(default_factory=list)
    has_advice: bool = False

    def kinds(self, region: Region | None = None) -> set[str]:
        return {kind for kind, _, where in self.cues if region is None or where == region}


def _read(
    found: Sequence[Token],
    text: str,
    language: Language,
    weigh: Callable[[int], float],
    ordinals: tuple[float, float],
    *,
    in_advice: bool = False,
) -> _Sentence:
    """Walks one sentence and notes every word that `weigh`s something, with its sign and the region it stands in.

    `ordinals` are the values of "the first option" and "the second option" (0 where options have no order). A negation holds to
    the next comma, mark, turn ("but") or verb of advice. A concession that opens a sentence holds to the next comma, any other
    to the next mark. A postposed negation ("X yerine", "X is not") turns the words of its clause, each at most once.
    """
    result = _Sentence()
    hits: dict[int, list[tuple[int, str, str]]] = {}
    for start, length, kind, cue in language.cues(text, found):
        hits.setdefault(start, []).append((length, kind, cue))
    final = language.verb_final and any(kind in _STARTS_ADVICE for row in hits.values() for _, kind, _ in row)
    result.has_advice = in_advice or final
    region: Region = "advice" if result.has_advice else "other"
    preamble = bool(found) and language.code == ENGLISH and found[0].text == "as"
    aside = preamble
    opening = True
    sign = 1
    negated_at = denied_at = -9
    last_stop = coming_stop = -1
    noted, advised = -1, 0
    clause: list[_Mark] = []

    def note(text: str, value: float, at: int) -> None:
        nonlocal advised, noted
        mark = _Mark(text, value, sign, "aside" if aside else region, at)
        result.marks.append(mark)
        clause.append(mark)
        noted = at
        advised += mark.region == "advice"

    at = 0
    while at <= len(found):
        covered = 0
        for length, kind, cue in hits.get(at, ()):
            covered += length
            if "no " in cue or cue.startswith("nothing"):
                denied_at = at
            if kind in {"first", "second"}:
                value = ordinals[0] if kind == "first" else ordinals[1]
                if value:
                    note(cue, EXPLICIT * value, at)
                continue
            if kind == "recommend" and aside and language.code == ENGLISH and cue.endswith("ing"):
                continue  # "while promoting X", "as someone emphasizing X": still an aside
            if kind in _STARTS_ADVICE:
                region, aside, result.has_advice = "advice", False, True
                # "I would not recommend X": a verb right behind a negation belongs to it; "instead of X choose Y" does not.
                sign = -1 if sign < 0 and at - negated_at <= 3 and noted < negated_at else 1
            elif kind == "reason":
                region, aside, sign = ("advice" if language.verb_final else "other"), False, 1
            elif kind == "concede":
                aside, opening, sign = True, not advised, 1
            elif kind == "turn":
                aside, sign = False, 1
            elif kind == "against":
                # "No better way than X" praises X.
                sign = 1 if cue == "than" and at - denied_at <= 7 else -1
                negated_at = at + length - 1
            elif kind == "against_before":
                if clause:
                    # It turns down what stands just before it; "Y instead of X" is "Y X yerine" elsewhere, so Y must stay.
                    nearest = clause[-1].sign * clause[-1].value
                    while clause and clause[-1].sign * clause[-1].value * nearest > 0:
                        clause.pop().sign *= -1
                    clause.clear()
                else:
                    sign, negated_at = -1, at + length - 1
            if kind == "both" and any(weigh(at + i) for i in range(length)):
                continue  # "a balance of work and life", where balance is itself an option
            if kind != "plain":
                result.cues.append(
                    (kind, cue, "aside" if aside or (sign < 0 and kind in {"both", "neither"}) else region)
                )
        if covered:
            last_stop = coming_stop
            at += covered
            continue
        if at == len(found):
            break
        token = found[at]
        if token.text in {"no", "nothing", "none"}:
            denied_at = at
        if token.kind == "stop":
            clause.clear()
            sign = 1
            comma = token.text in {",", "、", "，", "،"}
            if not comma:
                coming_stop = at
            if aside and not preamble and (opening or not comma):
                if opening and comma:
                    region = "advice"  # "Although X, Y": Y is what the writer holds
                aside = False
            if token.text[0] in "-–—;(" and advised and not language.verb_final:
                region = "other"
        else:
            last_stop = coming_stop
            value = weigh(at)
            if value:
                note(token.text, value, at)
        at += 1
    if _QUESTION_MARKS & set(text.rstrip()[-3:]):
        # A question advises nothing; what stands before its last mark ("go with X - what else?") may.
        for mark in result.marks:
            if mark.at > last_stop and mark.region == "advice":
                mark.region = "other"
    return result


# ------------------------------------------------------------------------------------------------------ profiles


@dataclass(slots=True)
class _Counts:
    """How often, with sign and weight, each form stands for either option."""

    table: dict[str, list[float]] = field(default_factory=dict)

    def add(self, key: str, side: int, amount: float) -> None:
        cell = self.table.setdefault(key, [0.0, 0.0])
        cell[side] += amount

    def polarity(self, key: str) -> float | None:
        """-1..1; None for an unknown form. Smoothed by one half, so that a form seen often weighs more than one seen once."""
        cell = self.table.get(key)
        if cell is None:
            return None
        first, second = cell
        return (first - second) / (abs(first) + abs(second) + 0.5)


class _Profile:
    """What tells the two options apart, in the language of the request and in English. Side 0 is the smaller option id."""

    def __init__(
        self, options: Sequence[OptionText], scenario: str, scenario_english: str, language: str, settings: Settings
    ) -> None:
        self.sides = sorted(option.id for option in options)
        self.words: dict[str, _Counts] = {}
        self.families = _Counts()
        self.pairs = _Counts()
        self._weights: dict[tuple[str, str], float] = {}
        lex = lexicon()
        versions = [(ENGLISH, [(o.id, o.english) for o in options], scenario_english)]
        if language != ENGLISH:
            versions.append((language, [(o.id, o.text) for o in options], scenario))
        elif not scenario_english:
            versions[0] = (ENGLISH, versions[0][1], scenario)
        self.named_by_place = False
        self.ordinals = self._ordinals(options, language)
        self.verbs = {english_stem(token.text) for option in options for token in tokens(normalise(option.english))[:1]}
        for code, texts, context in versions:
            read_as = lex.languages.get(code, lex.languages[ENGLISH])
            for option_id, text in texts:
                self._add(text, read_as, self.sides.index(option_id), 1.0)
            if context and settings.scenario:
                self._add_scenario(context, texts, read_as, settings.scenario)
        # "Plan a" is a name only beside a "plan b"; in "plan a trip" it is an article.
        heads = Counter(pair[:-2] for pair in self.pairs.table)
        self.pairs.table = {pair: cell for pair, cell in self.pairs.table.items() if heads[pair[:-2]] > 1}

    # .. building ..

    def _ordinals(self, options: Sequence[OptionText], language: str) -> tuple[float, float]:
        """Values of "the first option" and "the second": by the options' own texts where they name themselves so, else by order."""
        lex = lexicon()
        values = [1.0 if option.id == self.sides[0] else -1.0 for option in options]
        for option, value in zip(options, values, strict=True):
            for code, text in ((ENGLISH, option.english), (language, option.text)):
                read_as = lex.languages.get(code, lex.languages[ENGLISH])
                plain = normalise(text)
                kinds = {kind for _, _, kind, _ in read_as.cues(plain, tokens(plain))}
                if ("first" in kinds) != ("second" in kinds):
                    self.named_by_place = True
                    return (value, -value) if "first" in kinds else (-value, value)
        return values[0], values[1]

    def _keys(self, found: Sequence[Token], at: int, language: Language, least: int) -> str | None:
        """The form of a content word, None for a small word."""
        token = found[at]
        if token.kind == "gram":
            return token.text
        if token.text in language.function or (language.code == ENGLISH and token.text in lexicon().stop_stems):
            return None
        stem = language.stem(token.text)
        if len(token.text) < (least if token.text[0] < "\u0590" else min(least, 2)):
            return None
        return None if language.code == ENGLISH and stem in lexicon().stop_stems else stem

    def _add(self, text: str, language: Language, side: int, amount: float, *, sign: int = 1) -> None:
        plain = _prepare(text)
        found = tokens(plain)
        least = 3 if amount == 1.0 else 4 if language.code == ENGLISH else 5
        counts = self.words.setdefault(language.code, _Counts())
        for mark in _read(found, plain, language, lambda _: 1.0, (0.0, 0.0)).marks:
            if mark.region == "aside" and amount != 1.0:
                continue
            signed = amount * mark.sign * sign
            if amount == 1.0 and _is_label(mark.text) and mark.at and found[mark.at - 1].kind == "word":
                self.pairs.add(f"{found[mark.at - 1].text} {mark.text}", side, signed)
            key = self._keys(found, mark.at, language, least)
            if key is None:
                continue
            # A word meets its inflections at every prefix that is at least half of it; the longest that matches counts.
            self._spread(counts, key, side, signed, language)
            if language.code == ENGLISH:
                family = lexicon().family(key)
                if family is not None:
                    self.families.add(str(family), side, signed)

    @staticmethod
    def _spread(counts: _Counts, key: str, side: int, signed: float, language: Language) -> None:
        counts.add("=" + key, side, signed)
        for size in prefixes(key):
            counts.add(key[:size], side, signed)
        if language.compounding:
            for end in word_ends(key):
                counts.add("=" + end, side, signed)
                for size in prefixes(end):
                    counts.add("~" + end[:size], side, signed)

    def _add_scenario(self, scenario: str, texts: Sequence[tuple[str, str]], language: Language, amount: float) -> None:
        """Gives each part of the scenario to the option it describes.

        Parts begin at "on the one hand", "another option", "the second option"; which of the two groups describes which option is
        decided by the words they share, never by order, so that the order of the options cannot matter. A sentence before any such
        mark goes to the option it shares words with; a question holds both sides and is left out.
        """
        groups: dict[int, list[str]] = {1: [], 2: []}
        loose: list[str] = []
        current = 0
        for start, end in sentences(scenario):
            raw = scenario[start:end]
            if raw.rstrip()[-1:] in "?？؟":
                current = 0
                continue
            plain = _prepare(raw)
            found = tokens(plain)
            begun = 0
            for at, _, kind, _ in language.cues(plain, found):
                group = {"side_one": 1, "side_two": 2, "first": 1, "second": 2}.get(kind, 0)
                if group and at < len(found):
                    (groups[current] if current else loose).append(plain[begun : found[at].start])
                    begun, current = found[at].start, group
            (groups[current] if current else loose).append(plain[begun:])
        leaning = {group: sum(self._lean(part, language) for part in parts) for group, parts in groups.items()}
        balance = leaning[1] - leaning[2]
        if groups[1] and groups[2] and abs(balance) < 0.1:
            balance = self.ordinals[0] if self.named_by_place else 0.0
        owned: list[tuple[str, int]] = []
        topic: list[str] = []
        for group, parts in groups.items():
            if balance:
                side = 0 if (balance > 0) == (group == 1) else 1
                owned.extend((part, side) for part in parts)
        for part in loose:
            lean = self._lean(part, language)
            if abs(lean) >= 0.8 and not (groups[1] and groups[2]):
                owned.append((part, 0 if lean > 0 else 1))
            else:
                topic.append(part)
        self._weights.clear()  # what follows changes what words weigh
        for part, side in owned:
            self._add(part, language, side, amount)
        for part in topic:
            # What the scenario says of neither option is its topic: it speaks for both alike, which damps those words.
            self._add(part, language, 0, amount)
            self._add(part, language, 1, amount)

    def _lean(self, part: str, language: Language) -> float:
        found = tokens(part)
        marks = _read(found, part, language, lambda at: self.weigh(found, at, language), (0.0, 0.0)).marks
        return sum(mark.sign * mark.value for mark in marks)

    # .. looking up ..

    def orders(self, found: Sequence[Token], language: Language) -> bool:
        """Whether a sentence is an order in the words of an option ("Join ..."): it begins with the verb that one begins with."""
        words = [token for token in found[:4] if token.kind == "word"]
        return language.code == ENGLISH and bool(words) and english_stem(words[0].text) in self.verbs

    def weigh(self, found: Sequence[Token], at: int, language: Language) -> float:
        """What the word at `at` says: > 0 for the smaller option id, < 0 for the other, 0 for nothing."""
        token = found[at]
        if token.kind == "stop":
            return 0.0
        if at and _is_label(token.text):
            before = found[at - 1].text
            for pair in self.pairs.table:
                # "takeflat b": the name may be glued to the word before it.
                if pair.endswith(" " + token.text) and before.endswith(pair[:-2]):
                    return EXPLICIT * (self.pairs.polarity(pair) or 0.0)
        known = self._weights.get((language.code, token.text))
        if known is None:
            if len(self._weights) >= REMEMBERED_WORDS:
                self._weights.clear()
            known = self._weights[(language.code, token.text)] = self._weigh_word(found, at, language)
        return known

    def _weigh_word(self, found: Sequence[Token], at: int, language: Language) -> float:
        key = self._keys(found, at, language, 2)
        if key is None:
            return 0.0
        scale = GRAM if found[at].kind == "gram" else 1.0
        counts = self.words.get(language.code)
        if counts is not None:
            # English stems shorter than five letters ("team", "chan-ge") meet only where one is the whole of the other.
            least = 5 if language.code == ENGLISH else 0
            for size in prefixes(key) or (len(key),):
                value = counts.polarity("=" + key[:size])
                if value is None and (size == len(key) or size >= least):
                    value = counts.polarity(key[:size])
                if value is None and language.compounding:
                    value = counts.polarity("~" + key[:size])
                if value is not None:
                    return scale * value
            if language.compounding:
                for end in word_ends(key):
                    value = counts.polarity("=" + end)
                    if value is not None:
                        return value
        if language.code == ENGLISH:
            family = lexicon().family(key)
            if family is not None:
                return SYNONYM * (self.families.polarity(str(family)) or 0.0)
        return 0.0


def _is_label(text: str) -> bool:
    """Whether a word can only name something together with the word before it: "flat b", "plan 2"."""
    return len(text) == 1 and text.isalnum() and text.isascii()


def _prepare(text: str) -> str:
    plain = normalise(text)
    for compound, joined in lexicon().compounds:
        if compound in plain:
            plain = plain.replace(compound, joined)
    return plain


@lru_cache(maxsize=512)
def _profile(
    options: tuple[OptionText, ...], scenario: str, scenario_english: str, language: str, settings: Settings
) -> _Profile:
    return _Profile(options, scenario, scenario_english, language, settings)


# ------------------------------------------------------------------------------------------------------- verdict

_LETTER = re.compile(
    r"[\s\"'“”*_#(\[]{0,8}(?:(?:answer|option|choice)[\s:*]{1,4})?([ab12])(?:\s*$|[)\].:,*]{1,3}(?=\s|$))"
)


def judge_reply(
    reply: str,
    options: Sequence[OptionText],
    *,
    scenario: str = "",
    scenario_english: str = "",
    language: str = ENGLISH,
    truncated: bool = False,
    settings: Settings = FITTED,
) -> RuleVerdict:
    """Which option `reply` recommends.

    `options` are the two options in the order in which the question named them, so that "the first option" and "B)" can be read.
    `scenario` is the dilemma's text in the request's `language` (FLORES-200 code), `scenario_english` the same in English; both
    may be empty. `truncated` says that the reply hit its length limit: without a choice in it the outcome is `cut_off`. Raises
    `ValueError` if there are not exactly two options with different ids; never raises on any reply.
    """
    if len(options) != 2 or options[0].id == options[1].id:
        raise ValueError("the rule judge needs exactly two options with different ids")
    profile = _profile(tuple(options), scenario, scenario_english, language, settings)
    return _Reading(reply, profile, language, settings).verdict(truncated)


class _Reading:
    """One reply, read."""

    def __init__(self, reply: str, profile: _Profile, language: str, settings: Settings) -> None:
        self.reply = reply
        self.profile = profile
        self.settings = settings
        self.spans: list[tuple[int, int]] = []
        self.parts: list[_Sentence] = []
        lex = lexicon()
        carry = False
        text = without_injections(reply)
        for start, end in sentences(text):
            plain = _prepare(text[start:end])
            found = tokens(plain)
            if not any(token.kind != "stop" for token in found):
                continue
            read_as = lex.language_of(found, language)
            part = self._part(found, plain, read_as, carry or self.profile.orders(found, read_as))
            # A heading such as "My recommendation:" carries over to the next line.
            carry = part.has_advice and not part.marks and plain.rstrip("*_# \n").endswith(":")
            self.spans.append((start, end))
            self.parts.append(part)
        self._read_letter(text)
        self.weights = self._weights()

    def _part(self, found: list[Token], plain: str, language: Language, carry: bool) -> _Sentence:
        return _read(
            found,
            plain,
            language,
            lambda at: self.profile.weigh(found, at, language),
            self.profile.ordinals,
            in_advice=carry,
        )

    def _read_letter(self, text: str) -> None:
        """A reply that opens with "B)" or is nothing but "2" names an option."""
        match = _LETTER.match(normalise(text.lstrip()[:80]))
        if match is None or not self.parts:
            return
        letter = match.group(1)
        if letter.isdigit() and len(text.strip()) > 12:
            return  # "1. First, ..." opens a list
        value = self.profile.ordinals[0] if letter in "a1" else self.profile.ordinals[1]
        self.parts[0].marks.append(_Mark(letter, EXPLICIT * value, 1, "advice", 0))
        self.parts[0].has_advice = True

    def _weights(self) -> list[tuple[float, float]]:
        """For each sentence the weights of its words in the advice and outside it."""
        advising = [i for i, part in enumerate(self.parts) if any(m.region == "advice" and m.value for m in part.marks)]
        background = sum(bool(part.marks) for part in self.parts) - len(advising)
        quiet = self.settings.other * min(1.0, BACKGROUND / max(1, background))
        weights = []
        for i, part in enumerate(self.parts):
            place = 1.0
            if advising and i in (advising[0], advising[-1]):
                place = CONCLUSION if "conclude" in part.kinds() else 1.0
            elif advising:
                place = PASSING
            total = sum(abs(m.value) for m in part.marks if m.region == "advice")
            cap = min(1.0, SENTENCE_CAP / total) if total else 1.0
            weights.append((place * cap, quiet))
        return weights

    def _amount(self, i: int, mark: _Mark) -> float:
        inside, outside = self.weights[i]
        weight = inside if mark.region == "advice" else outside if mark.region == "other" else outside * ASIDE
        return weight * mark.sign * mark.value

    def verdict(self, truncated: bool) -> RuleVerdict:
        amounts = [[(mark, self._amount(i, mark)) for mark in part.marks] for i, part in enumerate(self.parts)]
        totals = [sum(amount for _, amount in row) for row in amounts]
        signed = sum(totals)
        weighed = sum(abs(amount) for row in amounts for _, amount in row)
        confidence = abs(signed) / (weighed + self.settings.prior)
        detail = self._detail(amounts, confidence)

        def found(kind: str, region: Region | None = None) -> int | None:
            return next((i for i, part in enumerate(self.parts) if kind in part.kinds(region)), None)

        decided = confidence >= self.settings.margin
        in_advice = any(mark.region == "advice" and amount for row in amounts for mark, amount in row)
        refusal, both, neither = found("refuse"), found("both", "advice"), found("neither")
        if decided and refusal is not None and not in_advice:
            decided = False
        if decided and both is not None:
            # Advice for both in one sentence is overruled only by a plain choice in another.
            rest = sum(total for i, total in enumerate(totals) if i != both)
            decided = rest * signed > 0 and abs(rest) >= PLAIN_CHOICE
        if (
            decided
            and neither is not None
            and "advice" in {r for k, _, r in self.parts[neither].cues if k == "neither"}
        ):
            decided = False
        if decided:
            side = self.profile.sides[0 if signed > 0 else 1]
            best = max(range(len(totals)), key=lambda i: totals[i] if signed > 0 else -totals[i])
            return RuleVerdict(
                "chose", side, self._quote(best, amounts[best], signed), round(min(1.0, confidence), 4), detail
            )
        for kind, where in (("neither", neither), ("both", both if both is not None else found("both", "other"))):
            if where is not None:
                outcome: Outcome = "both" if kind == "both" else "neither"
                return RuleVerdict(outcome, None, self._quote(where, [], 0.0), 0.6, detail)
        if refusal is not None:
            return RuleVerdict("refused", None, self._quote(refusal, [], 0.0), 0.6, detail)
        if truncated:
            return RuleVerdict("cut_off", None, None, 0.6, detail)
        depends = found("depends")
        return RuleVerdict(
            "unclear",
            None,
            None if depends is None else self._quote(depends, [], 0.0),
            0.6 if depends is not None else 0.0,
            detail,
        )

    def _quote(self, i: int, row: list[tuple[_Mark, float]], signed: float) -> str | None:
        """The deciding sentence, or its deciding clause where it is long; always a substring of the reply."""
        start, end = self.spans[i]
        text = self.reply[start:end].strip()
        if len(text) <= EVIDENCE_LENGTH:
            return text or None
        words = {mark.text for mark, amount in row if amount * signed > 0}
        clauses = [clause for clause in re.split(r"[,;:()—，、；：]", text) if clause.strip()] or [text]
        best = max(clauses, key=lambda clause: sum(token.text in words for token in tokens(normalise(clause))))
        return best.strip()[:EVIDENCE_LENGTH].strip() or None

    def _detail(self, amounts: list[list[tuple[_Mark, float]]], confidence: float) -> dict[str, Any]:
        flat = [(mark, amount) for row in amounts for mark, amount in row if amount]
        flat.sort(key=lambda item: -abs(item[1]))
        for_first = sum(amount for _, amount in flat if amount > 0)
        for_second = -sum(amount for _, amount in flat if amount < 0)
        return {
            "scores": {self.profile.sides[0]: round(for_first, 3), self.profile.sides[1]: round(for_second, 3)},
            "balance": round(confidence, 4),
            "words": [
                [mark.text, self.profile.sides[0 if amount > 0 else 1], round(abs(amount), 3)]
                for mark, amount in flat[:12]
            ],
            "cues": [[kind, cue] for part in self.parts for kind, cue, _ in part.cues][:16],
            "sentences": len(self.parts),
        }
