"""Which planted faults do the automatic checks of translations catch, and how often are they wrong about sound lines?

    python benchmarks/translation_faults.py                 # all languages, the table of docs/translations.md
    python benchmarks/translation_faults.py --language deu_Latn --language jpn_Jpan

Into every reference line one fault of each class is planted; `caught` means that some check marks the line suspect or rejects
it. Length limits are chosen on half of the dilemmas (the even ones: the strictest pair that marks at most 2 % of the untouched
lines) and everything is counted on the other half. Only faults that a check without understanding can see are expected to be
caught; those below the rule in the table are there to show what it cannot.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator

from auditkit.data import Content, DilemmaText, load_content, load_translations
from auditkit.translate import checks
from auditkit.translate.checks import Target, check_plain, check_text, target

SEED = 20240601
LIMITS = (3.0, 3.5, 4.0, 4.5, 5.0)  # of SENTENCE_LENGTH; the dense scripts' limit is 1 more
MOST_FALSE = 0.02

Line = tuple[str, Target, DilemmaText, DilemmaText]  # dilemma, language, translation, source


def lines(content: Content, codes: list[str]) -> Iterator[Line]:
    for code in codes:
        read = [
            line for line in load_translations(content.translations_dir / f"{code}.jsonl") if line.kind == "dilemma"
        ]
        to = target(code, content, read)
        for line in read:
            assert isinstance(line.text, DilemmaText)
            yield line.id, to, line.text, content.dilemmas[line.id].text


def put(text: DilemmaText, at: int, sentence: str) -> DilemmaText:
    return replace_scenario(text, [*text.scenario[:at], sentence, *text.scenario[at + 1 :]])


def replace_scenario(text: DilemmaText, scenario: list[str]) -> DilemmaText:
    return text.model_copy(update={"scenario": tuple(scenario)})


def halves(sentence: str) -> tuple[str, str]:
    """A sentence cut near its middle, at a space where there is one."""
    middle = len(sentence) // 2
    space = sentence.find(" ", middle)
    cut = space if 0 < space < len(sentence) - 1 else middle
    return sentence[:cut], sentence[cut:]


class Faults:
    """One fault of each class, planted in a line; None where the line offers no place for it."""

    def __init__(self, everything: list[Line]) -> None:
        self.random = random.Random(SEED)
        self.by_dilemma: dict[str, dict[str, DilemmaText]] = {}
        for name, to, text, _ in everything:
            self.by_dilemma.setdefault(name, {})[to.code] = text
        self.names = sorted(self.by_dilemma)

    def other(self, name: str, to: Target) -> DilemmaText | None:
        same = {"ind_Latn", "zsm_Latn"} if to.code in {"ind_Latn", "zsm_Latn"} else {to.code}
        known = sorted(set(self.by_dilemma[name]) - same)
        return self.by_dilemma[name][self.random.choice(known)] if known else None

    def stranger(self, name: str, to: Target) -> str:
        """A sentence of another dilemma in the same language."""
        name = self.random.choice([n for n in self.names if n != name and to.code in self.by_dilemma[n]])
        return self.random.choice(self.by_dilemma[name][to.code].scenario)

    def dropped(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        at = self.random.randrange(len(text.scenario))
        return replace_scenario(text, [s for i, s in enumerate(text.scenario) if i != at])

    def added(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        at = self.random.randrange(len(text.scenario) + 1)
        return replace_scenario(text, [*text.scenario[:at], self.stranger(name, to), *text.scenario[at:]])

    def merged(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        """A sentence more inside of another one's place, as a decoder that goes on after the end writes it."""
        at = self.random.randrange(len(text.scenario))
        return put(text, at, text.scenario[at] + " " + self.stranger(name, to))

    def language(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText | None:
        return self.other(name, to)

    def english(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        at = self.random.randrange(len(text.scenario))
        return put(text, at, source.scenario[at])

    def half_english(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        at = max(range(len(text.scenario)), key=lambda i: len(source.scenario[i]))
        return put(text, at, halves(text.scenario[at])[0] + " " + halves(source.scenario[at])[1].strip())

    def looping(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        at = self.random.randrange(len(text.scenario))
        words = text.scenario[at].split()
        unit = " ".join(words[-4:]) if len(words) > 5 else text.scenario[at][-12:]
        return put(text, at, text.scenario[at] + f" {unit}" * self.random.randint(3, 8))

    def cut(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        at = self.random.randrange(len(text.scenario))
        kept = int(len(text.scenario[at]) * self.random.uniform(0.3, 0.8))
        return put(text, at, text.scenario[at][:kept].rstrip())

    def cut_stopped(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        """Cut off, with a full stop put behind, so that only the length tells."""
        cut = self.cut(name, to, text, source)
        at = next(i for i, s in enumerate(text.scenario) if s != cut.scenario[i])
        return put(cut, at, cut.scenario[at].rstrip(",;، ") + text.scenario[at][-1])

    def number(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        return put(text, 0, f"{text.scenario[0]} (71)")  # its source is given "(17)" below

    def swapped(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        return text.model_copy(update={"question_ab": text.question_ba, "question_ba": text.question_ab})

    def options(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        return text.model_copy(update={"a": text.b, "b": text.a})

    def empty(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        return put(text, self.random.randrange(len(text.scenario)), "")

    def sentence_language(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText | None:
        other = self.other(name, to)
        at = self.random.randrange(len(text.scenario))
        return put(text, at, other.scenario[min(at, len(other.scenario) - 1)]) if other else None

    def clause(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText | None:
        """Everything after the last comma of a sentence is gone."""
        places = [i for i, s in enumerate(text.scenario) if re.search(r"[,،、，]", s[5:-5])]
        if not places:
            return None
        at = self.random.choice(places)
        sentence = text.scenario[at]
        last = max(sentence.rfind(c, 5, -5) for c in ",،、，")
        return put(text, at, sentence[:last] + sentence[-1])

    def exchanged(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        """A sentence of another dilemma in the place of the right one."""
        return put(text, self.random.randrange(len(text.scenario)), self.stranger(name, to))

    def order(self, name: str, to: Target, text: DilemmaText, source: DilemmaText) -> DilemmaText:
        first, second = self.random.sample(range(len(text.scenario)), 2)
        scenario = list(text.scenario)
        scenario[first], scenario[second] = scenario[second], scenario[first]
        return replace_scenario(text, scenario)


EXPECTED = {  # fault -> what it is called in the table
    "dropped": "sentence dropped", "added": "sentence added", "merged": "sentence added inside of another",
    "language": "wrong language (Indonesian and Malay apart)", "english": "sentence left in English",
    "looping": "repetition loop", "cut": "sentence cut off", "number": "number changed",
    "swapped": "option order swapped in the questions", "empty": "sentence empty",
}  # fmt: skip
FINER = {
    "half_english": "half a sentence left in English", "sentence_language": "one sentence in a wrong language",
    "cut_stopped": "cut off, and a full stop put behind", "clause": "last clause of a sentence gone",
    "exchanged": "sentence exchanged for another dilemma's", "order": "two sentences exchanged",
    "options": "options swapped in place, questions right",
}  # fmt: skip


def caught(text: DilemmaText, source: DilemmaText, to: Target) -> bool:
    return bool(check_text(text, source, to))


def sound(every: list[Line]) -> float:
    """The share of untouched lines that are marked."""
    return sum(caught(text, source, to) for _, to, text, source in every) / len(every)


def choose(half: list[Line], faults: Faults, plant: Callable[..., DilemmaText | None]) -> float:
    """The strictest limit of lengths that leaves the untouched lines of a half alone."""
    for limit in LIMITS:
        checks.SENTENCE_LENGTH, checks.SENTENCE_LENGTH_DENSE = limit, limit + 1
        share = sound(half)
        print(
            f"  limit {limit}: {share:.1%} of the untouched lines marked, {rate(half, faults, plant)[0]:.1%} of cut-offs caught"
        )
        if share <= MOST_FALSE:
            return limit
    return LIMITS[-1]


def rate(
    every: list[Line], faults: Faults, plant: Callable[..., DilemmaText | None]
) -> tuple[float, int, Counter[str]]:
    """Share caught, number planted, and what was missed by language."""
    faults.random.seed(SEED)  # the same faults whatever was counted before
    hit, n, missed = 0, 0, Counter[str]()
    for name, to, text, source in every:
        broken = plant(name, to, text, source)
        if broken is None or broken == text:
            continue
        n += 1
        english = put(source, 0, f"{source.scenario[0]} (17)") if plant == faults.number else source
        found = caught(broken, english, to)
        hit += found
        missed[to.code] += not found
    return hit / n, n, missed


def running_text(every: list[Line]) -> tuple[float, float]:
    """Scenarios as one running text, as an engine that does not go sentence by sentence returns them: (false alarms, caught)."""
    rng = random.Random(SEED)
    false = hit = 0
    for _, to, text, source in every:
        whole, english = " ".join(text.scenario), " ".join(source.scenario)
        false += bool(check_plain(whole, english, to))
        at = rng.randrange(len(text.scenario))
        hit += bool(check_plain(" ".join(s for i, s in enumerate(text.scenario) if i != at), english, to))
    return false / len(every), hit / len(every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", action="append", metavar="CODE", help="only this language; can be repeated")
    asked = parser.parse_args()
    content = load_content()
    codes = asked.language or sorted(p.stem for p in content.translations_dir.glob("*.jsonl"))
    every = list(lines(content, codes))
    number = {name: i for i, name in enumerate(sorted({line[0] for line in every}))}
    tuning = [line for line in every if number[line[0]] % 2 == 0]
    held = [line for line in every if number[line[0]] % 2]
    faults = Faults(every)
    shipped = checks.SENTENCE_LENGTH, checks.SENTENCE_LENGTH_DENSE
    print(f"{len(codes)} languages; limits are chosen on {len(tuning)} lines:")
    limit = choose(tuning, faults, faults.cut_stopped)
    print(f"chosen {limit} and {limit + 1}; shipped are {shipped[0]} and {shipped[1]}")
    for label, limits in (("chosen", (limit, limit + 1)), ("shipped", shipped)):
        checks.SENTENCE_LENGTH, checks.SENTENCE_LENGTH_DENSE = limits
        print(
            f"\n{label} limits, {len(held)} lines held out\n\n| fault | lines | caught | missed most in |\n|---|---:|---:|---|"
        )
        print(f"| none: untouched lines marked | {len(held)} | {sound(held):.1%} | |")
        for names in (EXPECTED, FINER):
            for name, title in names.items():
                share, n, missed = rate(held, faults, getattr(faults, name))
                worst = ", ".join(f"{code} {count}" for code, count in missed.most_common(3) if count)
                print(f"| {title} | {n} | {share:.1%} | {worst} |")
        false, hit = running_text(held)
        print(f"| sentence dropped from one running text (false alarms {false:.1%}) | {len(held)} | {hit:.1%} | |")


if __name__ == "__main__":
    main()
