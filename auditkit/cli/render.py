"""Tables and lines for people. Text of a reply is data: it is escaped before it is shown."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditkit.plan import Plan
from auditkit.summary import STATES, Group, Summary

SHOWN_STATES = {
    "first": "1st pole",
    "second": "2nd pole",
    "cut_off": "cut off",
    "parse_failed": "unparsed",
}


def console(*, stderr: bool = False) -> Console:
    """A console that does not break tables when its output goes to a file."""
    made = Console(stderr=stderr, soft_wrap=False, emoji=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, width=118, emoji=False)
    return made


def visible(text: str, limit: int | None = None) -> str:
    """The text with control and direction characters shown as escapes, so that it cannot act on a terminal."""
    shortened = text if limit is None or len(text) <= limit else text[: limit - 1] + "…"
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") else f"\\u{ord(c):04x}"
        for c in shortened
    )


def table(title: str = "", **options: Any) -> Table:
    """A table in the house style: one rule under the head, numbers aligned by the caller."""
    from rich import box

    return Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, **options
    )


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    return "-" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    return "" if low is None or high is None else f" [{number(low, sign=sign)}, {number(high, sign=sign)}]"


def print_set_aside(out: Console, plan: Plan) -> None:
    """What was asked for and cannot be sent: by name and with its count, before anything is sent."""
    missing: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in plan.set_aside:
        place = entry.what
        for country in plan.content.countries.values():
            if country.language == entry.what:
                place = f"{country.language_name} ({country.title})"
            elif country.iso3 == entry.what:
                place = country.title
        if entry.what in plan.content.dimensions:
            place = f"{entry.count} of {entry.what}"
        elif entry.count > 1 and entry.reason != "no translation":
            place += f" ({entry.count} dilemmas)"
        missing[entry.mode, entry.reason].append(place)
    for (mode, reason), places in missing.items():
        count = f"{len(places)}: " if len(places) > 1 and not places[0][0].isdigit() else ""
        line = f"set aside in {mode} mode, {reason}: {count}{', '.join(places)}"
        out.print(line, style="yellow", highlight=False, markup=False)


def print_summary(out: Console, summary: Summary) -> None:
    """Figures with their intervals, the share of every outcome, and plain warnings."""
    figures = table("What was found")
    for name in ("model", "mode", "dimension"):
        figures.add_column(name, overflow="fold", min_width=9)
    for name in ("answered", "first pole [95 %]", "r with score [95 %]", "p", "n"):
        figures.add_column(name, justify="right", no_wrap=True)
    for group in summary.groups:
        figures.add_row(*_figures(group))
    out.print(figures)
    out.print(
        f"r: Pearson's correlation of the share with the countries' scores (edition {summary.edition}); n is countries, never replies. "
        "Interval and p count countries and dilemmas as sampled.",
        style="dim",
        highlight=False,
    )
    judges = {group.judge for group in summary.groups}
    outcomes = table("\nShare of every outcome")
    columns = [s for s in STATES if any(g.states.get(s) for g in summary.groups)]
    for name in ("model", "mode", "dimension", *(["judge"] if len(judges) > 1 else [])):
        outcomes.add_column(name, overflow="fold", min_width=9)
    outcomes.add_column("asked", justify="right")
    for state in columns:
        outcomes.add_column(SHOWN_STATES.get(state, state), justify="right")
    outcomes.add_column("truncated*", justify="right", no_wrap=True)
    for group in summary.groups:
        cells = [f"{group.states.get(s, 0) / group.asked:.0%}" if group.states.get(s) else "·" for s in columns]
        names = [group.model, group.mode, group.dimension, *([group.judge or "-"] if len(judges) > 1 else [])]
        share = f"{group.truncated / group.answered:.0%}" if group.answered else "·"
        outcomes.add_row(*[Text(n) for n in names], str(group.asked), *cells, share)
    out.print(outcomes)
    if any(group.truncated for group in summary.groups):
        out.print("* cut off by the token limit; such replies are judged all the same", style="dim", highlight=False)
    for group in summary.groups:
        for warning in group.warnings():
            where = " / ".join(part for part in (group.model, group.mode, group.dimension) if part)
            if len(judges) > 1 and group.judge:
                where += f" / {group.judge}"
            out.print(Text(f"! {where}: {warning}", style="bold yellow"))
    if "rules" in judges:
        out.print(
            Text(
                "The rule judge is exploratory: check it against --judge stance@MODEL, or people (docs/judges.md), before you quote a figure.",
                style="dim",
            )
        )
    if any(group.model == "embedded" for group in summary.groups):
        out.print(
            Text(
                "The embedded model shows that the pipeline works. Its advice is poor: this is no result.", style="bold"
            )
        )
    calls = sum(row["calls"] for row in summary.spend)
    usd = sum(row["usd"] or 0.0 for row in summary.spend)
    unpriced = sum(row["unpriced_calls"] or 0 for row in summary.spend)
    cost = f"${usd:.4f}".replace("$0.0000", "$0") + (f" and {unpriced} calls of unknown price" if unpriced else "")
    out.print(Text(f"\nrun {summary.run_id}  {calls} calls  {cost}", style="dim"))


def _figures(group: Group) -> list[Text | str]:
    share, found = group.share, group.alignment
    value = "not estimable"
    if share.value is not None:
        bounds = "" if share.low is None or share.high is None else f" [{100 * share.low:.0f}, {100 * share.high:.0f}]"
        value = f"{share.value:.0%}{bounds}"
    names = [Text(group.model), Text(group.mode), Text(group.dimension)]
    if found is None:
        return [*names, f"{group.answered}/{group.asked}", value, "no countries", "", ""]
    if not found.estimable:
        return [*names, f"{group.answered}/{group.asked}", value, "not estimable", "", str(found.n_countries)]
    r = f"{number(found.r, sign=True)}{interval(found.low, found.high, sign=True)}"
    p = "-" if found.p is None else "<.001" if found.p < 0.001 else f"{found.p:.3f}"
    return [*names, f"{group.answered}/{group.asked}", value, r, p, str(found.n_countries)]
