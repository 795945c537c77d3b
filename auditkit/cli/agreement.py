"""`auditkit agreement`: how far judges, rules and people agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import db_option, run_option, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from auditkit.agreement.compare import Pair, Together
    from auditkit.agreement.gate import Gate
    from auditkit.agreement.ratings import Ratings, Task
    from auditkit.stats.agree import Coefficient

STYLE = {"passed": "green", "failed": "bold red", "exploratory": "yellow"}
_COLUMNS = ("task", "stratum", "first", "second", "measure", "n", "prompts", "value", "low", "high", "note")


@click.command()
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME",
    help="stance, reasoning_class, stereotype, hallucination or voice; default: every one with two raters. Can be repeated.",
)
@click.option(
    "--by", metavar="NAME", help="Also apart by model, mode, dimension, country, lang or stratum of the sample."
)
@click.option("--sample", metavar="ID", help="Only the replies of a sample drawn by `auditkit review --sample`.")
@click.option("--confusion", is_flag=True, help="Also what each judge said where people said something else.")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Also write every figure to this CSV file.")
@run_option
@db_option
def agreement(**options: Any) -> int:
    """How far judges, rules and people agree, and whether a judge passes its gate. Reads only.

    Cohen's kappa and Gwet's AC1 for two raters, Krippendorff's alpha for all of them, with 95 % intervals that resample
    prompts (dilemmas), since replies to one prompt are no independent evidence. People are the reviewers together: the
    adjudicator's label, else what more than half of them said.

    \b
      auditkit agreement
      auditkit agreement --task stance --by lang
      auditkit agreement --sample s1:3f2a --confusion --to agreement.csv
    """  # noqa: D301
    from auditkit.agreement.compare import pairs, together
    from auditkit.agreement.gate import gates
    from auditkit.agreement.ratings import STRATA, TASKS, read_ratings
    from auditkit.cli.render import console
    from auditkit.errors import AuditError, unknown
    from auditkit.store import Store

    for name in options["tasks"]:
        if name not in TASKS:
            raise unknown("task", name, TASKS)
    if options["by"] and options["by"] not in STRATA:
        raise unknown("grouping", options["by"], STRATA)
    out = console()
    written: list[tuple[object, ...]] = []
    shown = 0
    with Store.read(options["db"]) as store:
        run_id = store.latest_run(options["run_name"])["run_id"]
        sample = find_sample(store, options["sample"])
        for task in options["tasks"] or TASKS:
            ratings = read_ratings(store, run_id, task, sample)
            found = pairs(ratings, options["by"])
            if not found:
                if options["tasks"]:
                    out.print(f"{task}: no reply has two raters", style="yellow", highlight=False)
                continue
            shown += 1
            standings = gates(task, [name for name in ratings.judges if ratings.by.get(name)], found)
            alphas = together(ratings, options["by"])
            _print(out, ratings, found, alphas, standings, confusion=options["confusion"])
            written += [(task, *row) for row in _rows(found, alphas)]
    if not shown:
        raise AuditError(
            "no reply of this run has two raters yet: add a judge (`auditkit judge --judge stance@MODEL`), run "
            "`auditkit detect`, or label some (`auditkit review`)"
        )
    if options["to"]:
        write_csv(options["to"], _COLUMNS, written)
        console(stderr=True).print(f"wrote {options['to']}", highlight=False, markup=False)
    return 0


def find_sample(store: Any, name: str | None) -> str | None:
    if name is None:
        return None
    from auditkit.errors import AuditError, unknown

    known = [row["sample_id"] for row in store.rows("select sample_id from samples order by created_at")]
    if not known:
        raise AuditError("no sample has been drawn yet: `auditkit review --sample 200`")
    fits = [sample for sample in known if sample.startswith(name)]
    if not fits:
        raise unknown("sample", name, known)
    if len(fits) > 1:
        raise AuditError(f"sample {name!r} fits {len(fits)} samples: {', '.join(fits)}")
    return str(fits[0])


def _print(
    out: Console,
    ratings: Ratings,
    found: Sequence[Pair],
    alphas: Sequence[Together],
    standings: Sequence[Gate],
    *,
    confusion: bool,
) -> None:
    from rich.text import Text

    from auditkit.agreement.ratings import PEOPLE
    from auditkit.cli.render import table, visible

    out.print()
    out.print(Text(_title(ratings.task), style="bold"))
    grid = table()
    grid.add_column("replies")
    for name in ("rater", "with"):
        grid.add_column(name, overflow="fold")
    for name in ("n", "prompts", "alike", "kappa [95 %]", "AC1 [95 %]"):
        grid.add_column(name, justify="right", no_wrap=True)
    for pair in found:
        seen = pair.found
        cells = (pair.stratum or "all", pair.first, pair.second)
        alike = "-" if seen.observed is None else f"{seen.observed:.0%}"
        grid.add_row(
            *(Text(visible(cell)) for cell in cells),
            str(seen.n),
            str(pair.items),
            alike,
            figure(seen.kappa),
            figure(seen.ac1),
        )
    out.print(grid)
    for group in alphas:
        who = {"judges": "judges", "people": "reviewers", "everybody": "judges and reviewers"}[group.who]
        where = f", {visible(group.stratum)}" if group.stratum else ""
        line = f"alpha of {len(group.raters)} {who}{where}: {figure(group.alpha)} over {group.n} replies"
        out.print(line, highlight=False, markup=False)
    if confusion:
        for pair in found:
            if pair.second == PEOPLE and not pair.stratum:
                _print_confusion(out, pair)
    if ratings.in_view:
        line = f"{ratings.in_view} labels were given with verdicts in view and count for nobody"
        out.print(line, style="yellow", highlight=False)
    for judge, count in sorted(ratings.invalid.items()):
        line = f"{judge}: {count} readings could not be parsed and count for nobody"
        out.print(line, style="yellow", highlight=False, markup=False)
    for gate in standings:
        out.print(Text(f"{gate.judge}: {gate.standing} ({gate.reason})", style=STYLE[gate.standing]))


def _title(task: Task) -> str:
    return {
        "stance": "Stance: which side the advice takes",
        "reasoning_class": "Reasoning class: how culture enters the advice",
        "stereotype": "Stereotype: any or none",
        "hallucination": "Hallucination: any or none",
        "voice": "Put-on voice",
    }[task]


def figure(coefficient: Coefficient) -> str:
    """The value with its limits, or what keeps it from having any."""
    from auditkit.cli.render import interval, number

    if coefficient.value is None:
        return f"- ({coefficient.reason})"
    return number(coefficient.value) + interval(coefficient.low, coefficient.high)


def _print_confusion(out: Console, pair: Pair) -> None:
    from rich.markup import escape
    from rich.text import Text

    from auditkit.cli.render import table, visible

    seen = pair.found
    used = [i for i in range(len(seen.labels)) if any(seen.confusion[i]) or any(row[i] for row in seen.confusion)]
    grid = table(escape(f"{pair.first}, where people said:"))
    grid.add_column(Text(pair.first))
    labels = [Text(visible(seen.labels[i])) for i in used]
    for label in labels:
        grid.add_column(label, justify="right")
    for i, label in zip(used, labels, strict=True):
        grid.add_row(label, *(str(seen.confusion[i][k] or "·") for k in used))
    recall = [
        f"{hit / n:.0%} of {n}" if n else "·" for hit, n in (pair.recall().get(seen.labels[i], (0, 0)) for i in used)
    ]
    grid.add_row(Text("found", style="dim"), *recall)
    out.print(grid)


def _rows(found: Sequence[Pair], alphas: Sequence[Together]) -> list[tuple[object, ...]]:
    """Rows of the CSV file, without the task."""
    rows: list[tuple[object, ...]] = []
    for pair in found:
        for name, coefficient in (("kappa", pair.found.kappa), ("ac1", pair.found.ac1)):
            place = (pair.stratum, pair.first, pair.second, name, pair.found.n, pair.items)
            rows.append((*place, coefficient.value, coefficient.low, coefficient.high, coefficient.reason))
        rows += [
            (pair.stratum, pair.first, pair.second, f"recall of {label}", n, pair.items, hit / n, None, None, "")
            for label, (hit, n) in pair.recall().items()
        ]
    rows += [
        (
            a.stratum,
            " ".join(a.raters),
            "",
            f"alpha of {a.who}",
            a.n,
            "",
            a.alpha.value,
            a.alpha.low,
            a.alpha.high,
            a.alpha.reason,
        )
        for a in alphas
    ]
    return rows
