"""Scores the rule judge against published stance labels: in-sample and cross-validated by dilemma.

    python benchmarks/rules_judge.py --data replies.jsonl

One JSON object a line: `prompt` (persona sentence, scenario, question, instruction), `country`, `dimension`, `option_first` and
`option_second` (texts of the first and the second pole's option), `response`, `published_label` ("first pole", "second pole" or
"inconclusive"). Optional for other languages: `language` (FLORES-200 code), `option_first_english`, `option_second_english`,
`prompt_english`.

"Decided" is the share of rows with a published pole on which the judge chose; agreement and kappa are over those. Rows labelled
"inconclusive" stand in the confusion table only. Cross-validation: the four fitted numbers are chosen on four fifths of the dilemmas
and scored on the rest. Word lists are not refitted: whoever wrote them had read replies of this kind.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.judge.rules import OptionText, RuleVerdict, Settings, judge_reply
from auditkit.judge.words import lexicon

if TYPE_CHECKING:
    from collections.abc import Sequence

POLES = {"first pole": "a", "second pole": "b"}
GRID = {
    "scenario": (0.15, 0.3, 0.5),
    "other": (0.15, 0.3, 0.5),
    "prior": (0.25, 0.5, 1.0),
    "margin": (0.2, 0.3, 0.4, 0.5),
}
COST_OF_ERROR = 2.0
"""A wrong choice costs two right ones, so that a setting which decides at less than two in three does not pay."""


@dataclass(frozen=True)
class Row:
    """One reply with its published label: 'a', 'b', or None for inconclusive."""

    reply: str
    options: tuple[OptionText, OptionText]
    scenario: str
    scenario_english: str
    language: str
    dimension: str
    label: str | None


def dilemma_of(prompt: str, country: str) -> str:
    """The prompt up to its last question, without a first sentence that names the persona's country."""
    end = max(prompt.rfind(mark) for mark in "?？؟;")
    text = prompt[: end + 1] if end > 0 else prompt
    first = re.match(r"[^.!?。]*[.!?。]\s*", text)
    if first and country and country.casefold() in first.group().casefold():
        text = text[first.end() :]
    return text.strip()


def in_question_order(dilemma: str, a: OptionText, b: OptionText) -> tuple[OptionText, OptionText]:
    """The options as the closing question names them; as given where it names neither or only one."""
    question = re.split(r"(?<=[.!。])\s", dilemma)[-1].casefold()
    mine, other = set(re.findall(r"\w+", a.text.casefold())), set(re.findall(r"\w+", b.text.casefold()))
    place_a, place_b = (
        min((question.find(word) for word in words if word in question), default=-1)
        for words in (mine - other, other - mine)
    )
    return (b, a) if 0 <= place_b < place_a else (a, b)


def load(path: Path) -> list[Row]:
    rows = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            entry: dict[str, Any] = json.loads(line)
            dilemma = dilemma_of(entry["prompt"], entry.get("country", ""))
            language = entry.get("language", "eng_Latn")
            a = OptionText("a", entry["option_first"], entry.get("option_first_english", entry["option_first"]))
            b = OptionText("b", entry["option_second"], entry.get("option_second_english", entry["option_second"]))
            rows.append(
                Row(
                    reply=entry["response"],
                    options=in_question_order(dilemma, a, b),
                    scenario=dilemma,
                    scenario_english=dilemma_of(entry["prompt_english"], "") if "prompt_english" in entry else "",
                    language=language,
                    dimension=entry.get("dimension", ""),
                    label=POLES.get(entry["published_label"]),
                )
            )
    return rows


def judge(row: Row, settings: Settings) -> RuleVerdict:
    return judge_reply(
        row.reply,
        row.options,
        scenario=row.scenario,
        scenario_english=row.scenario_english,
        language=row.language,
        settings=settings,
    )


Pair = tuple[str | None, str | None]
"""(published label, chosen option); None for inconclusive and for no choice."""


def kappa(pairs: Sequence[Pair]) -> float:
    """Cohen's kappa over the pairs in which both sides chose; nan where it is not defined."""
    both = [(x, y) for x, y in pairs if x and y]
    if not both:
        return float("nan")
    n = len(both)
    seen = sum(x == y for x, y in both) / n
    left, right = Counter(x for x, _ in both), Counter(y for _, y in both)
    chance = sum(left[key] * right[key] for key in left) / n**2
    return (seen - chance) / (1 - chance) if chance < 1 else float("nan")


def figures(pairs: Sequence[Pair]) -> tuple[float, float, float]:
    """Share decided, agreement, kappa."""
    labelled = [(x, y) for x, y in pairs if x]
    decided = [(x, y) for x, y in labelled if y]
    agreement = sum(x == y for x, y in decided) / len(decided) if decided else float("nan")
    return len(decided) / max(1, len(labelled)), agreement, kappa(pairs)


def intervals(pairs: Sequence[Pair], groups: Sequence[str], resamples: int, seed: int) -> list[tuple[float, float]]:
    """95% percentile intervals of the three figures; the unit that is drawn with replacement is the dilemma."""
    members: dict[str, list[Pair]] = defaultdict(list)
    for pair, group in zip(pairs, groups, strict=True):
        members[group].append(pair)
    names = sorted(members)
    draw = random.Random(seed)
    samples = [
        figures([pair for name in draw.choices(names, k=len(names)) for pair in members[name]])
        for _ in range(resamples)
    ]
    out = []
    for column in zip(*samples, strict=True):
        ordered = sorted(value for value in column if not math.isnan(value))
        last = len(ordered) - 1
        out.append(
            (ordered[round(0.025 * last)], ordered[round(0.975 * last)]) if ordered else (float("nan"), float("nan"))
        )
    return out


def utility(pairs: Sequence[Pair]) -> float:
    chosen = [(x, y) for x, y in pairs if x and y]
    right = sum(x == y for x, y in chosen)
    return right - COST_OF_ERROR * (len(chosen) - right)


def report(title: str, pairs: Sequence[Pair], groups: Sequence[str], resamples: int, seed: int) -> None:
    spans = intervals(pairs, groups, resamples, seed)
    parts = [
        f"{name} {value:.3f} [{low:.3f}, {high:.3f}]"
        for name, value, (low, high) in zip(("decided", "agreement", "kappa"), figures(pairs), spans, strict=True)
    ]
    print(f"{title:<28} n={sum(x is not None for x, _ in pairs):<5} " + "  ".join(parts))


def main() -> None:
    parser = argparse.ArgumentParser(description="Score the rule judge against published stance labels.")
    parser.add_argument("--data", type=Path, required=True, help="JSONL of replies, see the top of this file")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-refit", action="store_true", help="score the built-in numbers only")
    args = parser.parse_args()

    rows = load(args.data)
    groups = [row.scenario for row in rows]
    lexicon()  # reads the word lists
    rates = []
    for _ in range(2):
        began = time.perf_counter()
        verdicts = [judge(row, Settings()) for row in rows]
        rates.append(len(rows) / (time.perf_counter() - began))
    labels = [row.label for row in rows]
    pairs = [(label, verdict.option_id) for label, verdict in zip(labels, verdicts, strict=True)]

    print(f"{len(rows)} replies, {len(set(groups))} dilemmas")
    print(
        f"{rates[0]:,.0f} replies/s with a new profile for each dilemma, {rates[1]:,.0f} once the dilemmas are known\n"
    )
    report("built-in numbers", pairs, groups, args.resamples, args.seed)
    for dimension in sorted({row.dimension for row in rows}):
        here = [i for i, row in enumerate(rows) if row.dimension == dimension]
        report(f"  {dimension}", [pairs[i] for i in here], [groups[i] for i in here], args.resamples, args.seed)

    if not args.no_refit:
        candidates = [Settings(*values) for values in itertools.product(*GRID.values())]
        answers = {setting: [judge(row, setting).option_id for row in rows] for setting in candidates}
        names = sorted(set(groups))
        random.Random(args.seed).shuffle(names)
        fold_of = {name: i % args.folds for i, name in enumerate(names)}
        held_out: list[Pair] = [(label, None) for label in labels]
        chosen = []
        for fold in range(args.folds):
            train = [i for i, group in enumerate(groups) if fold_of[group] != fold]
            best = max(candidates, key=lambda setting: utility([(labels[i], answers[setting][i]) for i in train]))
            chosen.append(best)
            for i, group in enumerate(groups):
                if fold_of[group] == fold:
                    held_out[i] = (labels[i], answers[best][i])
        best = max(candidates, key=lambda setting: utility(list(zip(labels, answers[setting], strict=True))))
        report(
            "best numbers, in-sample", list(zip(labels, answers[best], strict=True)), groups, args.resamples, args.seed
        )
        report("cross-validated by dilemma", held_out, groups, args.resamples, args.seed)
        for dimension in sorted({row.dimension for row in rows}):
            here = [i for i, row in enumerate(rows) if row.dimension == dimension]
            report(f"  {dimension}", [held_out[i] for i in here], [groups[i] for i in here], args.resamples, args.seed)
        print("\nchosen in-sample:", best)
        for fold, setting in enumerate(chosen):
            print(f"chosen without fold {fold}:", setting)

    print("\npublished label (rows) by verdict of the built-in numbers (columns)")
    columns = ["a", "b", "both", "neither", "refused", "unclear", "cut_off"]
    table = Counter(
        (label or "inconclusive", v.option_id or v.outcome) for label, v in zip(labels, verdicts, strict=True)
    )
    print(" " * 14 + "".join(f"{column:>9}" for column in columns))
    for label in ("a", "b", "inconclusive"):
        print(f"{label:<14}" + "".join(f"{table[label, column]:>9}" for column in columns))

    print("\nagreement by confidence")
    ranked = sorted(
        (v.confidence, v.option_id == label) for label, v in zip(labels, verdicts, strict=True) if label and v.option_id
    )
    for part in range(3):
        third = ranked[part * len(ranked) // 3 : (part + 1) * len(ranked) // 3]
        if third:
            print(
                f"  {third[0][0]:.2f}-{third[-1][0]:.2f}: {sum(ok for _, ok in third) / len(third):.3f} (n={len(third)})"
            )


if __name__ == "__main__":
    main()
