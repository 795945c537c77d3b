"""`auditkit judge`: judge stored replies, again or by another judge."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import (
    check_run_edition,
    content_options,
    cut_off,
    db_option,
    edition_option,
    hold_budget,
    names,
    own_countries,
    parameters,
    run_option,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from auditkit.judge.names import Judge, ModelJudge
    from auditkit.judge.panel import Panel
    from auditkit.models.base import Backend
    from auditkit.models.registry import Connection
    from auditkit.store import Store
    from auditkit.summary import Culture


class _Judge(click.Group):
    """`auditkit judge`, and its subcommand, which is imported only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["calibrate"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "calibrate":
            return None
        from auditkit.cli.calibrate import calibrate

        return calibrate


def panel_options(command: Any) -> Any:
    """Who else reads, and how several stance judges become one."""
    options = [
        click.option("--consensus", type=click.Choice(["majority", "all"]), help="How several stance judges become one: what more than half of them say (the default for two or more), or what all say; anything else is unclear."),
        click.option("--second-judge", "second_judges", multiple=True, metavar="NAME", help="A judge of what the others leave in doubt: disagreements, uncertain ones, suspected injections, and a random share."),
        click.option("--second-share", type=click.FloatRange(0, 1), default=0.10, show_default=True, help="That random share of the replies."),
        click.option("--judge-param", "judge_params", multiple=True, metavar="K=V", help="A parameter of a judge's request."),
        click.option("--judge-order", type=click.Choice(["both", "ab", "ba"]), default="both", show_default=True, help="Show the options to a stance judge in both orders (disagreement is unclear), or in one."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def call_options(command: Any) -> Any:
    """How a judge that is a model is called, and what that may cost."""
    options = [
        click.option("--judge-api-base", metavar="URL", help="Address of an OpenAI-compatible server for the judge."),
        click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds a call may take."),
        click.option("--concurrency", type=click.IntRange(min=1), help="Most calls at once."),
        click.option("--retries", type=click.IntRange(min=0), default=5, show_default=True, help="Further calls after a rate limit or a transport failure."),
        click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="Stop before the run's cost passes this."),
        click.option("--allow-unpriced", is_flag=True, help="Let a judge of unknown price run under a budget."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def connect(options: dict[str, Any]) -> Connection:
    """The connection that these options describe."""
    from auditkit.limits import RetryPolicy
    from auditkit.models.registry import Connection

    return Connection(
        api_base=options["judge_api_base"],
        timeout_s=options["timeout"],
        concurrency=options["concurrency"],
        policy=RetryPolicy(attempts=options["retries"] + 1),
    )


def make_panel(options: dict[str, Any], default: tuple[str, ...] = ()) -> Panel:
    """The panel that a command's options name."""
    from auditkit.judge.names import parse_judge
    from auditkit.judge.panel import Panel

    params = parameters(options["judge_params"])

    def judges(wanted: list[str]) -> list[Judge]:
        return [parse_judge(name, params, options["prompts"], options["judge_order"]) for name in dict.fromkeys(wanted)]

    return Panel(
        judges(names(options["judges"]) or list(default)),
        judges(names(options["second_judges"])),
        options["second_share"],
        options["consensus"],
    )


def run_judges(store: Store, run_id: str, panel: Panel, connection: Connection, err: Console) -> dict[str, str]:
    """Let every judge read what it has not read; returns the last error of each judge that was given up."""
    errors = _read(store, run_id, panel.first, connection, err, "judging")
    if panel.second:
        panel.refer(store, run_id)
        if not connection.stop.requested:
            errors |= _read(store, run_id, panel.second, connection, err, "second reading")
    panel.conclude(store, run_id)
    return errors


def _read(
    store: Store, run_id: str, judges: Sequence[Judge], connection: Connection, err: Console, what: str
) -> dict[str, str]:
    from dataclasses import replace

    from auditkit.cli.progress import StageProgress
    from auditkit.judge.stage import judge_all
    from auditkit.models.registry import make_backend
    from auditkit.runner import guarded

    total = sum(len(store.pending_verdicts(run_id, judge.key)) for judge in judges)
    if not total:
        return {}
    stop = connection.stop

    def reach(judge: ModelJudge) -> Backend:
        return make_backend(judge.spec, replace(connection, proven=store.has_judged(judge.key)))

    with StageProgress(err, what, total) as progress:
        result = asyncio.run(
            guarded(
                lambda: judge_all(
                    store,
                    run_id,
                    judges,
                    reach,
                    lambda: stop.requested,
                    lambda _, outcome: progress.saw(outcome),
                ),
                stop,
                lambda: progress.note("stopping: waiting for the verdicts under way (Ctrl-C again to stop at once)"),
                lambda: progress.note("stopped"),
            )
        )
    return dict(result.errors)


def warn_of_own_family(store: Store, run_id: str, panel: Panel, err: Console) -> None:
    """A line, and a note in the manifest, for every judge of an audited model's own family."""
    from auditkit.judge.family import note_own_family

    for judge, model, family in note_own_family(store, run_id, panel.specs):
        err.print(
            f"the judge {judge} is of the same family ({family}) as the audited model {model}, and models tend to favour their "
            "own kind: add a judge of another family",
            style="yellow",
            highlight=False,
            markup=False,
        )


def print_panel(out: Console, panel: Panel, referrals: Mapping[str, Mapping[str, int]]) -> None:
    """Whose figures were shown, and how many replies each second judge was given, and why."""
    lines = []
    if panel.consensus is not None:
        members = ", ".join(judge.name for judge in panel.judges if judge.task == "stance")
        lines.append(
            f"figures by the {panel.consensus['name']} of {members}; `auditkit status --judge NAME` shows one of them"
        )
    for name, reasons in referrals.items():
        parts = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        lines.append(f"{sum(reasons.values())} replies were referred to {name}: {parts}")
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def print_cultures(out: Console, found: Sequence[Culture]) -> None:
    """The shares that the culture judges found, of the replies that they could read."""
    from rich.text import Text

    from auditkit.cli.render import table

    if not found:
        return
    shares = table("\nHow the culture is spoken of")
    for name in ("model", "mode", "judge"):
        shares.add_column(name, overflow="fold")
    for name in ("read", "unparsed", "none", "persona only", "reasoning", "stereotype", "invention"):
        shares.add_column(name, justify="right")
    for each in found:
        counts = (*each.classes.values(), each.stereotyped, each.hallucinated)
        cells = [f"{count / each.read:.0%}" if each.read else "-" for count in counts]
        names = [Text(name) for name in (each.model, each.mode, each.judge)]
        shares.add_row(*names, str(each.read), str(each.unparsed), *cells)
    out.print(shares)


@click.group(cls=_Judge, invoke_without_command=True)
@click.option(
    "--judge",
    "-j",
    "judges",
    multiple=True,
    metavar="NAME",
    help="rules, stance@MODEL, culture@MODEL or investigator@MODEL. Can be repeated.",
)
@panel_options
@call_options
@run_option
@content_options
@edition_option
@db_option
@click.pass_context
def judge(ctx: click.Context, /, **options: Any) -> int:
    """Judge the stored replies of a run; nothing is asked of the audited model again.

    \b
      auditkit judge --judge rules
      auditkit judge --judge stance@openai/gpt-4.1-mini --judge culture@openai/gpt-4.1-mini --budget 2
      auditkit judge --judge stance@openai/gpt-4.1-mini --second-judge stance@anthropic/claude-haiku-4-5
    """  # noqa: D301
    from auditkit.cli.render import console, print_summary, visible
    from auditkit.errors import AuditError
    from auditkit.importers import require_texts
    from auditkit.judge.second import referred
    from auditkit.models.registry import preflight
    from auditkit.runner import screen
    from auditkit.store import Store
    from auditkit.summary import cultures, summarise

    if ctx.invoked_subcommand is not None:
        return 0
    if not options["judges"]:
        raise click.UsageError("Missing option '--judge' / '-j'.", ctx)
    err = console(stderr=True)
    panel = make_panel(options)
    connection = connect(options)
    with Store.read(options["db"]) as reader:  # a missing database is an error here, not a new file
        run = reader.latest_run(options["run_name"])
        check_run_edition(run, options["edition"])
        require_texts(dict(run))
    for spec in panel.specs:
        preflight(spec, connection)
    with Store.open(options["db"]) as store:
        run_id = store.latest_run(options["run_name"])["run_id"]
        hold_budget(
            store, run_id, connection.budget, panel.specs, options["budget"], allow_unpriced=options["allow_unpriced"]
        )
        panel.ask(store, run_id)
        warn_of_own_family(store, run_id, panel, err)
        screen(store, run_id, own_countries(options["personas"]))
        errors = run_judges(store, run_id, panel, connection, err)
        summary = summarise(store, run_id, options["edition"], panel.alone(store, run_id))
        left = panel.left(store, run_id)
        keys = [each.key for each in panel.judges]
        done = store.value(f"select count(*) from verdicts where judge_key in ({','.join('?' * len(keys))})", keys)
        reasons, culture = referred(store, run_id), cultures(store, run_id)
    if connection.stop.reason == "interrupted":
        err.print(f"interrupted: {left} readings left; the same command goes on", highlight=False)
        return 130
    if errors and not done:
        name, message = next(iter(errors.items()))
        raise AuditError(f"{name} answered nothing: {message}")
    print_summary(console(), summary)
    print_cultures(console(), culture)
    print_panel(console(), panel, reasons)
    for name, message in errors.items():
        err.print(f"{name}: {visible(message, 500)}", style="red", highlight=False, markup=False)
    if left:
        err.print(f"{left} readings left; run the same command again", style="yellow", highlight=False)
    part = cut_off(dict(run))
    if part:
        err.print(visible(part), style="yellow", highlight=False, markup=False)
    return 1 if left or part else 0
