"""Whether a judge may be quoted: the codebook's thresholds against people's labels.

Without them, and where a judge misses one, its figures are called exploratory or failed wherever they are printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from auditkit.agreement.compare import Pair
from auditkit.agreement.ratings import PEOPLE, Task
from auditkit.stats.agree import Coefficient

KAPPA: dict[Task, float] = {
    "stance": 0.70,
    "reasoning_class": 0.70,
    "stereotype": 0.65,
    "hallucination": 0.60,
    "voice": 0.60,
}
LOWER = 0.50  # that the lower limit of kappa must reach
RULES = ("rules", "detector")  # what a judge that costs money must beat

Standing = Literal["passed", "failed", "exploratory"]


@dataclass(frozen=True)
class Gate:
    """A judge's standing for a task, with the reason in words."""

    judge: str
    task: Task
    standing: Standing
    kappa: Coefficient | None
    n: int
    reason: str


def standing(task: Task, value: float | None, low: float | None, rules: float | None = None) -> tuple[Standing, str]:
    """The standing that a kappa gives, and why. `rules`: kappa of the rule layer on the same labels, for a judge that is no rule.

    A kappa without a lower limit (replies to a single prompt) shows nothing either way.
    """
    if value is None:
        return "exploratory", "no kappa: too few labels, or all alike"
    if value < KAPPA[task]:
        return "failed", f"kappa {value:.2f} is below {KAPPA[task]:.2f}"
    if low is None:
        return "exploratory", f"kappa {value:.2f} has no interval: label replies to more prompts"
    if low < LOWER:
        return "failed", f"kappa may be as low as {low:.2f}; the lower limit must reach {LOWER:.2f}: label more replies"
    if rules is not None and value <= rules:
        return "failed", f"kappa {value:.2f} does not beat the rules' {rules:.2f}"
    return "passed", f"kappa {value:.2f}, lower limit {low:.2f}"


def gates(task: Task, judges: Sequence[str], found: Sequence[Pair]) -> list[Gate]:
    """The standing of every judge, from its pair with the people over all replies."""
    by_judge = {pair.first: pair for pair in found if pair.second == PEOPLE and not pair.stratum}
    rules = next((by_judge[name].found.kappa.value for name in RULES if name in by_judge), None)
    out = []
    for judge in judges:
        pair = by_judge.get(judge)
        if pair is None:
            out.append(Gate(judge, task, "exploratory", None, 0, "nobody has labelled replies that it read"))
            continue
        kappa = pair.found.kappa
        verdict, reason = standing(task, kappa.value, kappa.low, None if judge in RULES else rules)
        out.append(Gate(judge, task, verdict, kappa, pair.found.n, reason))
    return out
