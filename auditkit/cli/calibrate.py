"""`auditkit judge calibrate`: how good a judge is on replies that people have labelled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import content_options, db_option, hold_budget, load, names, own_countries, run_option
from auditkit.cli.judge import call_options, connect, make_panel, run_judges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from auditkit.agreement.calibrate import Metric
    from auditkit.detect.stage import DetectorJudge
    from auditkit.judge.names import Judge
    from auditkit.store import Store


@click.command("calibrate")
@click.option(
    "--judge",
    "-j",
    "judges",
    multiple=True,
    required=True,
    metavar="NAME",
    help="rules, detector, stance@MODEL or culture@MODEL. Can be repeated.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A CSV table of labelled replies; default: what was labelled in `auditkit review`.",
)
@click.option("--sample", metavar="ID", help="Of the reviewed replies, only those of this sample.")
@click.option("--judge-param", "judge_params", multiple=True, metavar="K=V", help="A parameter of a judge's request.")
@click.option(
    "--judge-order",
    type=click.Choice(["both", "ab", "ba"]),
    default="both",
    show_default=True,
    help="How the options are shown to a stance judge; calibrate it as you use it.",
)
@call_options
@run_option
@content_options
@db_option
def calibrate(**options: Any) -> int:
    """How good a judge is on replies that people have labelled. The result is kept, and reports quote it.

    With --labels, a CSV table: dimension, country, language, item, prompt, option_a (first pole), option_b and reply, as
    `auditkit import csv` takes them, and one column or more of labels: stance (a, b, both, neither, refused, unclear,
    cut_off), reasoning_class (none, persona_only, cultural_reasoning), stereotype and hallucination (none, or what), voice.
    Without it, the replies of the run that were labelled in review; what the judge has read already is not read again.

    \b
      auditkit judge calibrate --judge rules --labels labelled.csv
      auditkit judge calibrate --judge stance@openai/gpt-4.1-mini --judge rules
    """  # noqa: D301
    import shlex
    import sys

    from auditkit.agreement.calibrate import from_file, from_review
    from auditkit.cli.agreement import find_sample
    from auditkit.cli.detect import read_replies
    from auditkit.cli.render import console, visible
    from auditkit.detect.stage import DETECTOR, DetectorJudge
    from auditkit.errors import AuditError
    from auditkit.models.registry import preflight
    from auditkit.runner import screen
    from auditkit.store import Store

    if options["labels"] and (options["sample"] or options["run_name"]):
        raise AuditError("--labels brings its own replies; leave --run and --sample out")
    err = console(stderr=True)
    wanted = names(options["judges"])
    panel = make_panel(
        {
            **options,
            "judges": [n for n in wanted if n != DETECTOR],
            "second_judges": (),
            "second_share": 0.0,
            "consensus": None,
        }
    )
    detector = DetectorJudge(options["personas"]) if DETECTOR in wanted else None
    judges: list[Judge | DetectorJudge] = [*panel.judges, *([detector] if detector else [])]
    connection = connect(options)
    if not options["labels"]:
        Store.read(options["db"]).close()  # a missing database is an error here, not a new file
    for spec in panel.specs:
        preflight(spec, connection)
    command = shlex.join(["auditkit", *sys.argv[1:]])
    with Store.open(options["db"]) as store:
        if options["labels"]:
            content = load(options["prompts"], options["personas"], options["translations"])
            run_id, label_set = from_file(store, options["labels"], content, command), options["labels"].name
        else:
            audit = store.latest_run(options["run_name"])["run_id"]
            sample = find_sample(store, options["sample"])
            run_id, label_set = (
                from_review(store, audit, sample),
                f"review of {audit[:11]}" + (f", {sample}" if sample else ""),
            )
        hold_budget(
            store, run_id, connection.budget, panel.specs, options["budget"], allow_unpriced=options["allow_unpriced"]
        )
        if panel.judges:
            panel.ask(store, run_id)
        screen(store, run_id, own_countries(options["personas"]))
        errors = run_judges(store, run_id, panel, connection, err)
        if detector and not connection.stop.requested:
            store.ask_judge(run_id, detector.row, detector.presentations)
            if read_replies(store, run_id, detector, err):
                connection.stop.request("interrupted")
        left = sum(len(store.pending_verdicts(run_id, judge.key)) for judge in judges)
        out = console()
        for judge in judges:
            if not store.pending_verdicts(run_id, judge.key):
                _report(store, out, run_id, judge, label_set)
    for name, message in errors.items():
        err.print(f"{name}: {visible(message, 500)}", style="red", highlight=False, markup=False)
    if connection.stop.reason == "interrupted":
        err.print(f"interrupted: {left} readings left; the same command goes on", highlight=False)
        return 130
    if left:
        err.print(f"{left} readings left; run the same command again", style="yellow", highlight=False)
    return 1 if left else 0


def _report(store: Store, out: Console, run_id: str, judge: Judge | DetectorJudge, label_set: str) -> None:
    """Measure a judge that has read everything, keep the figures and print those over all replies."""
    from rich.markup import escape
    from rich.text import Text

    from auditkit.agreement.calibrate import OF_JUDGE, keep, measure
    from auditkit.agreement.compare import pairs
    from auditkit.agreement.gate import gates
    from auditkit.agreement.ratings import read_ratings
    from auditkit.cli.agreement import STYLE
    from auditkit.cli.render import visible

    metrics = measure(store, run_id, judge.key, judge.task)
    keep(store, judge.key, label_set, metrics)
    out.print(
        _table(
            escape(f"{judge.name} on {visible(label_set)}"),
            [metric for metric in metrics if not metric.stratum and metric.n],
        )
    )
    for task in OF_JUDGE[judge.task]:
        ratings = read_ratings(store, run_id, task)
        for gate in gates(task, [ratings.name(judge.key)], pairs(ratings)):
            if gate.n:
                out.print(Text(f"{judge.name}, {task}: {gate.standing} ({gate.reason})", style=STYLE[gate.standing]))


def _table(title: str, metrics: Sequence[Metric]) -> Any:
    from auditkit.cli.render import interval, number, table

    grid = table(title)
    grid.add_column("measure")
    grid.add_column("value [95 %]", justify="right", no_wrap=True)
    grid.add_column("n", justify="right")
    for metric in metrics:
        grid.add_row(metric.name, number(metric.value) + interval(metric.low, metric.high), str(metric.n))
    return grid
