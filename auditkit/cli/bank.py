"""`auditkit bank`: check the dilemmas, print the bank's card, read a dilemma a second time, freeze the core."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import content_options, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from auditkit.bank.figures import Card, DimensionFacts, Spread
    from auditkit.bank.overlap import Pair
    from auditkit.bank.read import Bank
    from auditkit.bank.second_reading import Rewrite

SHORT_HISTORY = 3  # rewrites shown for a dimension unless --history is given

Row = tuple[str, "Callable[[DimensionFacts], str]"]


@click.group()
def bank() -> None:
    """Check the dilemmas, or print the bank's card. Works for your own bank too: --prompts DIR."""


def _read(options: dict[str, Any]) -> Bank:
    from auditkit.bank.read import read_bank

    content = load(options["prompts"], options["personas"], options["translations"])
    return read_bank(content, options["prompts"])


def _shown(path: Path) -> str:
    """The path from here if it lies below, else the whole path."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(path)


@bank.command()
@click.option("--notes", is_flag=True, help="Show notes as well: what the checks cannot tell, or only mention.")
@content_options
def check(**options: Any) -> int:
    """Check every dilemma, the balance of the bank, and its second readings.

    Exit codes: 0 clean, 1 findings, 2 broken entries. Every line names file, line, id and reason.
    """
    from auditkit.bank.check import check as run_checks
    from auditkit.bank.figures import facts
    from auditkit.cli.render import console, visible

    read = _read(options)
    found = run_checks(read)
    out = console()
    _print_table(out, facts(read))
    out.print()
    shown = [f for f in found if f.level != "note" or options["notes"]]
    for finding in shown:
        place = f"{_shown(finding.path)}:{finding.line}" if finding.line else _shown(finding.path)
        label = "" if finding.level == "finding" else f"{finding.level}: "
        text = ": ".join(part for part in (place, finding.id, label + finding.reason) if part)
        click.echo(visible(text))  # not through the console, which would break paths at its width
    counts = {level: sum(f.level == level for f in found) for level in ("broken", "finding", "note")}
    parts = [
        f"{counts[level]} {word}" for level, word in (("broken", "broken"), ("finding", "to mend")) if counts[level]
    ]
    notes = f" ({_many(counts['note'], 'note')}{'' if options['notes'] else ', see --notes'})" if counts["note"] else ""
    summary = f"{_many(len(read.content.dilemmas), 'dilemma')}: {', '.join(parts) or 'clean'}{notes}"
    out.print(summary, style="bold" if not parts else "bold yellow", highlight=False)
    return 2 if counts["broken"] else 1 if counts["finding"] else 0


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _print_table(out: Console, card: Card) -> None:
    from auditkit.cli.render import table

    figures = table(show_edge=False, collapse_padding=True)
    figures.add_column("dimension", no_wrap=True)
    heads = ("all", "core", "a domain", "lead", "mentions", "words", "grade", "read")
    for name in heads:
        figures.add_column(name, justify="right", no_wrap=True)
    for d in card.dimensions:
        domains = sorted(d.domains.values())
        figures.add_row(
            d.name,
            str(d.count),
            str(d.core),
            _range(domains[0], domains[-1]),
            _split(d.lead),
            _split(d.mentions),
            _range(d.scenario_words.low, d.scenario_words.high),
            f"{d.grade.middle:.1f}",
            f"{d.readings.accepted}/{d.count}",
        )
    out.print(figures)


def _range(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f}-{high:.0f}"


def _split(pair: tuple[int, int]) -> str:
    return f"{pair[0]}/{pair[1]}"


# --------------------------------------------------------------------------------------------------------------- card


@bank.command()
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), default="text", show_default=True, help="For a terminal, or for a paper's appendix.")  # fmt: skip
@click.option(
    "--history", is_flag=True, help="Show everything that was rewritten, not only the first of each dimension."
)
@content_options
def card(**options: Any) -> None:
    """Print the bank's card: counts, balance, readability, second readings, the version of the core."""
    from auditkit.bank.figures import facts

    made = facts(_read(options))
    if options["form"] == "markdown":
        click.echo(_markdown(made, whole=options["history"]))
    else:
        _print_card(made, whole=options["history"])


def _decimal(digits: int, *, sign: bool = False) -> Callable[[float], str]:
    return lambda value: f"{value:{'+' if sign else ''}.{digits}f}"


def _spread(name: str, pick: Callable[[DimensionFacts], Spread], digits: int = 0) -> list[Row]:
    number = _decimal(digits)
    return [
        (f"{name}, median", lambda d: f"{pick(d).middle:g}" if digits == 0 else number(pick(d).middle)),
        (f"{name}, range", lambda d: f"{number(pick(d).low)}-{number(pick(d).high)}"),
    ]


def _of_read(d: DimensionFacts, count: int) -> str:
    return str(count) if d.readings.read else "-"


def card_rows(made: Card) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """The card's table: sections of (label, one cell for each dimension)."""
    signed = _decimal(2, sign=True)
    domains: list[Row] = [(name, lambda d, name=name: str(d.domains[name])) for name in made.dimensions[0].domains]  # type: ignore[misc]
    sections: list[tuple[str, list[Row]]] = [
        ("Dilemmas", [("all", lambda d: str(d.count)), ("core", lambda d: str(d.core)), *domains]),
        (
            "Order (a = first pole / b)",
            [
                ("named first in the question", lambda d: _split(d.lead)),
                ("   of the core", lambda d: _split(d.core_lead)),
                ("first in the scenario", lambda d: _split(d.mentions)),
                ("   of the core", lambda d: _split(d.core_mentions)),
                ("   seen by shared words", lambda d: f"{d.mention_checked}/{d.count}"),
                ("both a / both b", lambda d: f"{d.cross['aa']}/{d.cross['bb']}"),
                ("a then b / b then a", lambda d: f"{d.cross['ab']}/{d.cross['ba']}"),
            ],
        ),
        (
            "Length and reading",
            [
                *_spread("scenario words", lambda d: d.scenario_words),
                *_spread("option words", lambda d: d.option_words),
                ("longer option: a / b", lambda d: f"{d.side.longer_a}/{d.side.longer_b}"),
                ("words, a minus b, mean", lambda d: signed(d.side.words)),
                ("longest / shortest, most", lambda d: f"{d.side.ratio:.2f}"),
                *_spread("reading grade", lambda d: d.grade, 1),
            ],
        ),
        (
            "Wording",
            [
                ("praise - blame, a minus b", lambda d: signed(d.side.sentiment)),
                ("   options that hold any", lambda d: str(d.side.sentiment_hits)),
                ("   the same, scenarios", lambda d: signed(d.side.scenario_sentiment)),
                ("pole keyword in options", lambda d: str(d.keywords)),
                ("   in scenarios", lambda d: str(d.scenario_keywords)),
                ("nearest pair, cosine", lambda d: f"{d.nearest.cosine:.2f}" if d.nearest else "-"),
            ],
        ),
        (
            "Second reading",
            [
                ("first pass: read", lambda d: str(d.readings.read)),
                ("   poles told right", lambda d: _of_read(d, d.readings.right)),
                ("   poles unclear", lambda d: _of_read(d, d.readings.unclear)),
                ("   not both reasonable", lambda d: _of_read(d, d.readings.unreasonable)),
                ("   doubted", lambda d: _of_read(d, d.readings.doubted)),
                ("rewritten", lambda d: str(d.readings.rewritten)),
                ("present wording passed", lambda d: f"{d.readings.accepted}/{d.count}"),
            ],
        ),
        (
            "Core",
            [
                ("version", lambda d: "-" if d.core_version is None else str(d.core_version)),
                ("digest", lambda d: d.core_digest.partition(":")[2][:8]),
                ("frozen", lambda d: "yes" if d.frozen else "no"),
            ],
        ),
    ]
    return [(title, [(label, [cell(d) for d in made.dimensions]) for label, cell in rows]) for title, rows in sections]


def _pair(pair: Pair) -> str:
    return f"{pair.first} and {pair.second}"


def card_texts(made: Card) -> list[str]:
    """What the figures mean, a paragraph each."""
    from auditkit.bank.check import COSINE_LIMIT, TRIGRAM_LIMIT

    texts = []
    if made.nearest and made.nearest_trigrams:
        texts.append(
            f"Nearest pairs of all {made.count} dilemmas: {_pair(made.nearest)} by TF-IDF cosine of content words "
            f"({made.nearest.cosine:.2f}, flagged above {COSINE_LIMIT:.2f}); {_pair(made.nearest_trigrams)} by shared runs of three "
            f"words ({made.nearest_trigrams.trigrams:.2f}, flagged above {TRIGRAM_LIMIT:.2f})."
        )
    texts.append(
        "Reading grade: Flesch-Kincaid, of scenarios. Praise: words of praise minus words of blame by this project's list of "
        f"{made.lexicon_size}, the mean of option a minus option b; in scenarios, of the sentences that clearly speak for one option."
    )
    read = sum(d.readings.read for d in made.dimensions)
    if not made.readers:
        texts.append("Second reading: none. Nobody but the writer has said which option stands for which pole.")
        return texts
    right = sum(d.readings.right for d in made.dimensions)
    since, until = made.dates or ("", "")
    when = f"{since}" if since == until else f"{since} to {until}"
    texts.append(
        f"Second reading, {when}: the first pass told the poles right in {right} of {read} readings, before any rewriting. The reader "
        f"saw scenario, options in mixed order and the definition of the dimension; not which option was meant for which pole. "
        f"Reader: {'; '.join(made.readers)}."
    )
    if any("language model" in reader.lower() for reader in made.readers):
        texts.append(
            "A language model in a fresh context is not a panel of social scientists: it may share blind spots with the "
            "models under audit and with whoever wrote the dilemmas. The agreement says that the poles can be told apart from "
            "the text; it does not validate the dilemmas as measures of a culture."
        )
    return texts


def card_history(made: Card, *, whole: bool) -> list[tuple[str, list[Rewrite], int]]:
    """(dimension, rewrites shown, rewrites left out), dimensions without any left out."""
    history = []
    for d in made.dimensions:
        rewrites = made.rewrites[d.name]
        kept = rewrites if whole else rewrites[:SHORT_HISTORY]
        if rewrites:
            history.append((d.name, kept, len(rewrites) - len(kept)))
    return history


def _print_card(made: Card, *, whole: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from auditkit.cli.render import console, table, visible

    out = console()
    figures = table(f"The bank: {made.count} dilemmas", show_edge=False, collapse_padding=True)
    figures.add_column("", no_wrap=True)
    for d in made.dimensions:
        figures.add_column(d.short, justify="right", no_wrap=True)
    for index, (title, rows) in enumerate(card_rows(made)):
        if index:
            figures.add_row("")
        figures.add_row(Text(title, style="bold"))
        for label, cells in rows:
            figures.add_row(f"  {label}", *cells)
    out.print(figures)
    out.print(Text("\n" + ", ".join(f"{d.short} {d.title}" for d in made.dimensions) + "."))
    for text in card_texts(made):
        out.print(Text("\n" + visible(text)))
    for name, rewrites, left in card_history(made, whole=whole):
        out.print(Text(f"\nRewritten in {name}", style="bold"))
        for entry in rewrites:
            change = f" -> {entry.change}" if entry.change else ""
            out.print(
                Padding(Text(visible(f"{entry.id}, after round {entry.round}: {entry.why}{change}")), (0, 0, 0, 2))
            )
        if left:
            out.print(Text(f"  and {left} more (--history)", style="dim"))


def _markdown(made: Card, *, whole: bool) -> str:
    from auditkit.cli.render import visible

    def cell(text: str) -> str:
        return " ".join(visible(text).split()).replace("|", "\\|")

    lines = [f"# The bank: {made.count} dilemmas", ""]
    lines.append("| | " + " | ".join(cell(d.title) for d in made.dimensions) + " |")
    lines.append("|---|" + "---:|" * len(made.dimensions))
    for title, rows in card_rows(made):
        lines.append(f"| **{title}** |" + " |" * len(made.dimensions))
        for label, cells in rows:
            indented = "&emsp;" + cell(label) if label.startswith(" ") else cell(label)
            lines.append(f"| {indented} | " + " | ".join(map(cell, cells)) + " |")
    for text in card_texts(made):
        lines += ["", cell(text).replace("*", "\\*")]
    lines += ["", "## Core digests", ""]
    lines += [f"- {d.name}, version {d.core_version or '-'}: `{d.core_digest}`" for d in made.dimensions]
    history = card_history(made, whole=whole)
    if history:
        lines += ["", "## Rewritten after a reading"]
    for name, rewrites, left in history:
        lines += ["", f"### {name}", ""]
        for entry in rewrites:
            change = f". Changed: {cell(entry.change)}" if entry.change else ""
            lines.append(f"- {entry.id}, after round {entry.round}: {cell(entry.why).rstrip('.')}{change}")
        if left:
            lines.append(f"- and {left} more (`auditkit bank card --history`)")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------- reading, freezing


@bank.command()
@click.option(
    "--lines",
    is_flag=True,
    help="Print the lines to fill in for prompts/review.jsonl instead; keep them from the reader.",
)
@content_options
def sheet(**options: Any) -> int:
    """Print what a second reader needs: every dilemma whose present wording nobody has read, poles hidden, order mixed.

    Exit codes: 0 nothing to read, 1 something to read.
    """
    import json

    from auditkit.bank.second_reading import sheet as entries_of

    read = _read(options)
    entries = entries_of(read)
    if options["lines"]:
        for entry in entries:
            click.echo(json.dumps(entry.line, ensure_ascii=False))
        return 1 if entries else 0
    dimension = ""
    for entry in entries:
        d = entry.dilemma
        if d.dimension != dimension:
            dimension = d.dimension
            about = read.content.dimensions[dimension]
            click.echo(f"# {about.title}\n")
            click.echo(f"The first pole is this: {about.definition.first}")
            click.echo(f"The second pole is this: {about.definition.second}\n")
            click.echo(
                "Of each dilemma: which option takes the first pole (1, 2, unclear)? Which could a decent, sensible person"
            )
            click.echo("choose (both, 1, 2, neither)? Is anything doubtful (yes, no), and what?\n")
        click.echo(f"## {d.id}\n\n{' '.join(d.scenario)}")
        click.echo(f"1. {d.option(entry.order[0])}\n2. {d.option(entry.order[1])}\n")
    if not entries:
        click.echo("the present wording of every dilemma has been read", err=True)
    return 1 if entries else 0


@bank.command()
@content_options
def freeze(**options: Any) -> int:
    """Print core_version and core_digest for every file whose core is new or changed. Writes nothing.

    Exit codes: 0 all frozen, 1 something to write.
    """
    from auditkit.bank.read import core_digest

    read = _read(options)
    changed = False
    for name, found in read.by_dimension.items():
        file = read.home(name)
        now = core_digest(read.content, name)
        if not any(d.core for d in found) or (file.core_digest == now and file.core_version is not None):
            continue
        changed = True
        raised = (file.core_version or 0) + (1 if file.core_digest is not None or file.core_version is None else 0)
        click.echo(f"# {_shown(file.path)}\ncore_version: {raised}\ncore_digest: {now}")
    if not changed:
        click.echo("every core is frozen", err=True)
    return 1 if changed else 0
