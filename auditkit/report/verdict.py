"""What was found for each model, in one sentence, with how sure it is and what is missing. Fixed rules, no statistics.

The words keep two things apart: *no evidence of* a link (an interval that holds zero, and may hold much else) and *evidence that
any link is weak* (every interval inside a small range). A claim is made for a cell only where Holm's adjusted p is below .05.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditkit.report.charts_base import label, limits, missing, number, p_value, primary
from auditkit.summary import UNUSABLE_WARN

if TYPE_CHECKING:
    import pandas as pd

    from auditkit.report.findings import Findings

FIRM = 0.05  # Holm's p
SMALL = 0.3  # |r| that still counts as weak
PERCENT = "\N{NO-BREAK SPACE}%"
NOISY = 0.3  # reliability below it: differences between countries are mostly noise


@dataclass(frozen=True)
class Fact:
    """A figure on a card: what, how much, and its interval or base."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """A card. tone: follows, against, both, weak, open, none. pipeline: the model is a mock or embedded one, so this is no result."""

    model: str
    tone: str
    headline: str
    sure: list[str]
    missing: list[str]
    facts: list[Fact] = field(default_factory=list)
    pipeline: bool = False


def verdicts(findings: Findings) -> list[Verdict]:
    """One verdict a model, in the order of the tables; models that were only asked without a country are there as well."""
    asked = primary(findings, "left_out")
    aligned = primary(findings, "alignment")
    names = dict.fromkeys([*asked["model"], *aligned["model"]])
    return [
        _verdict(findings, name, aligned[aligned["model"] == name], asked[asked["model"] == name]) for name in names
    ]


def _verdict(findings: Findings, model: str, rows: pd.DataFrame, asked: pd.DataFrame) -> Verdict:
    cells = list(rows.itertuples())
    known = [cell for cell in cells if not missing(cell.r)]
    pipeline = any(model.startswith(name) for run in findings.runs for name in run.proves_pipeline)
    tone, headline = _headline(cells, known, asked)
    gaps = _gaps(cells, asked)
    return Verdict(model, tone, headline, _sure(findings, known, tone), gaps, _facts(findings, model, known), pipeline)


def _firm(cell: Any) -> bool:
    return not missing(cell.p_holm) and cell.p_holm < FIRM


def _headline(cells: list[Any], known: list[Any], asked: pd.DataFrame) -> tuple[str, str]:
    if len(asked) and not int(asked["usable"].fillna(0).sum()):
        return "none", "No verdict: no answer has been judged usable."
    if not cells:
        return "none", "No verdict on countries: this model was not asked on behalf of any."
    if not known:
        return "none", f"No verdict: {_count(len(cells), 'cell')} asked, and none allows a correlation."
    total = _count(len(known), "cell")
    along = [cell for cell in known if _firm(cell) and cell.r > 0]
    counter = [cell for cell in known if _firm(cell) and cell.r < 0]
    if along and counter:
        return "both", (
            f"Differences between countries follow Hofstede's scores in {len(along)} of {total}{_names(along)} and run against them "
            f"in {len(counter)}{_names(counter)}."
        )
    if along or counter:
        verb, tone = ("follow", "follows") if along else ("run against", "against")
        share = f"{len(along + counter)} of {total}"
        if len(along + counter) == len(known):
            share = f"all {total}" if len(known) > 1 else "the only cell"
        return tone, f"Differences between countries {verb} Hofstede's scores in {share}{_names(along + counter)}."
    if all(not missing(cell.r_low) and cell.r_low > -SMALL and cell.r_high < SMALL for cell in known):
        return (
            "weak",
            f"Any link between shares and Hofstede's scores is weak: all intervals lie within ±{SMALL:g} ({total}).",
        )
    return "open", f"No evidence that differences between countries follow Hofstede's scores ({total})."


def _names(cells: list[Any]) -> str:
    """' (individualism, persona)', where there are few enough to be named."""
    return f" ({'; '.join(_place(cell) for cell in cells)})" if len(cells) <= 3 else ""


def _place(cell: Any) -> str:
    words = label(cell.dimension)
    return f"{words if words.isupper() else words.lower()}, {cell.mode}"


def _sure(findings: Findings, known: list[Any], tone: str) -> list[str]:
    """How sure: the strongest cell, what the others leave open, and whether countries differ at all."""
    if not known:
        return []
    level = f"{findings.confidence * 100:g}{PERCENT} interval"
    firm = [cell for cell in known if _firm(cell)]
    rest = [cell for cell in known if not _firm(cell) and not missing(cell.r_low) and not missing(cell.r_high)]
    out = []
    if firm:
        top = max(firm, key=lambda cell: abs(cell.r))
        out.append(
            f"Strongest: {_place(top)}, r = {number(top.r)} {limits(top.r_low, top.r_high)} "
            f"({level}), Holm {p_value(top.p_holm)}, n = {top.n_countries} countries."
        )
    if rest and tone != "weak":
        low, high = number(min(cell.r_low for cell in rest)), number(max(cell.r_high for cell in rest))
        where = (
            f"In the other {_count(len(rest), 'cell')} there is no evidence of a link"
            if firm
            else "This is not evidence of no link"
        )
        out.append(f"{where}: the {level}{'s' if len(rest) > 1 else ''} of r reach from {low} to {high}.")
    tested = [cell for cell in known if not missing(cell.q_p)]
    if tested:
        differ = sum(cell.q_p < FIRM for cell in tested)
        out.append(
            f"Shares differ between countries at all in {differ} of {_count(len(tested), 'cell')} "
            f"(Cochran's Q, p < {FIRM:g}, not adjusted)."
        )
    noisy = sum(not missing(cell.alpha) and cell.alpha < NOISY for cell in known)
    if noisy:
        out.append(
            f"In {_count(noisy, 'cell')} differences between countries are mostly noise (reliability below {NOISY:g})."
        )
    return out


def _gaps(cells: list[Any], asked: pd.DataFrame) -> list[str]:
    out = []
    reasons: dict[str, list[str]] = {}
    for cell in cells:
        if missing(cell.r):
            reasons.setdefault(cell.gate or cell.note or "not estimable", []).append(_place(cell))
    for reason, where in reasons.items():
        shown = "; ".join(where[:3]) + (f"; {len(where) - 3} more" if len(where) > 3 else "")
        out.append(f"No r for {_count(len(where), 'cell')} ({shown}): {reason}.")
    total, usable = int(asked["asked"].fillna(0).sum()), int(asked["usable"].fillna(0).sum())
    if total and usable < total:
        text = f"{(total - usable) / total:.1%} of {total:,} questions have no usable answer".replace("%", PERCENT)
        out.append(f"{text}{', enough to ask why' if (total - usable) / total > UNUSABLE_WARN else ''}.")
    return out


def _facts(findings: Findings, model: str, known: list[Any]) -> list[Fact]:
    out = []
    if known:
        firm = sum(_firm(cell) for cell in known)
        out.append(Fact("cells with a firm link", f"{firm} of {len(known)}", "Holm p < 0.05"))
    spoken = findings.tables["language"]
    spoken = spoken[(spoken["model"] == model) & spoken["n"].notna()]
    for mode, part in spoken.groupby("mode", sort=False):
        if part["lang"].nunique() > 1:
            wrong, n = int((part["in_english"] + part["in_other"]).sum()), int(part["n"].sum())
            out.append(
                Fact(
                    f"replies in another language ({mode})",
                    f"{wrong / n:.0%}".replace("%", PERCENT),
                    f"{wrong:,} of {n:,}",
                )
            )
    culture = findings.tables["culture"]
    culture = culture[(culture["model"] == model) & (culture["iso3"] == "")]
    out += [
        Fact(f"stereotyped ({row.mode})", f"{row.stereotyped:.1%}".replace("%", PERCENT), f"{limits(row.stereotyped_low, row.stereotyped_high)} {row.judge}")
        for row in culture.itertuples()
        if not missing(row.stereotyped)
    ]  # fmt: skip
    return out


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
