"""`auditkit judge`: judge stored replies, again or by another judge."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import (
    check_run_edition,
    content_options,
    db_option,
    edition_option,
    hold_budget,
    names,
    parameters,
    run_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from auditkit.judge.stage import ModelJudge, RulesJudge
    from auditkit.models.registry import Connection
    from auditkit.store import Store


def run_judges(
    store: Store, run_id: str, judges: Sequence[RulesJudge | ModelJudge], connection: Connection, err: Console
) -> dict[str, str]:
    """Let every judge read what it has not read; returns the last error of each judge that was given up."""
    from dataclasses import replace

    from auditkit.cli.progress import StageProgress
    from auditkit.judge.stage import judge_all
    from auditkit.models.base import Failure
    from auditkit.models.registry import make_backend
    from auditkit.runner import guarded

    total = sum(len(store.pending_verdicts(run_id, judge.key)) for judge in judges)
    if not total:
        return {}
    stop = connection.stop
    with StageProgress(err, "judging", total) as progress:
        result = asyncio.run(
            guarded(
                lambda: judge_all(
                    store,
                    run_id,
                    judges,
                    lambda judge: make_backend(
                        judge.stance.spec, replace(connection, proven=store.has_judged(judge.key))
                    ),
                    lambda: stop.requested,
                    lambda _, outcome: progress.saw(outcome),
                ),
                stop,
                lambda: progress.note("stopping: waiting for the verdicts under way (Ctrl-C again to stop at once)"),
                lambda: progress.note("stopped"),
            )
        )
    assert not isinstance(result, Failure)
    return dict(result.errors)


@click.command()
@click.option(
    "--judge",
    "-j",
    "judges",
    multiple=True,
    required=True,
    metavar="NAME",
    help="rules, or stance@MODEL. Can be repeated.",
)
@click.option(
    "--judge-order",
    type=click.Choice(["both", "ab", "ba"]),
    default="both",
    show_default=True,
    help="Show the options to a model judge in both orders (disagreement is unclear), or in one.",
)
@click.option("--judge-param", "judge_params", multiple=True, metavar="K=V", help="A parameter of the judge's request.")
@click.option("--judge-api-base", metavar="URL", help="Address of an OpenAI-compatible server for the judge.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds a call may take."
)
@click.option("--concurrency", type=click.IntRange(min=1), help="Most calls at once.")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Further calls after a rate limit or a transport failure.",
)
@click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="Stop before the run's cost passes this.")
@click.option("--allow-unpriced", is_flag=True, help="Let a judge of unknown price run under a budget.")
@run_option
@content_options
@edition_option
@db_option
def judge(**options: Any) -> int:
    """Judge the stored replies of a run; nothing is asked of the audited model again.

    \b
      auditkit judge --judge rules
      auditkit judge --judge stance@openai/gpt-4.1-mini --budget 2
    """  # noqa: D301
    from auditkit.cli.render import console, print_summary, visible
    from auditkit.errors import AuditError
    from auditkit.judge.stage import ModelJudge, parse_judge
    from auditkit.limits import RetryPolicy
    from auditkit.models.registry import Connection, parse_model, preflight
    from auditkit.runner import screen
    from auditkit.store import Store
    from auditkit.summary import summarise

    err = console(stderr=True)
    judge_params = parameters(options["judge_params"])
    wanted = [
        parse_judge(
            name,
            lambda model: parse_model(model, judge_params, max_tokens=512),
            options["prompts"],
            options["judge_order"],
        )
        for name in dict.fromkeys(names(options["judges"]))
    ]
    connection = Connection(
        api_base=options["judge_api_base"],
        timeout_s=options["timeout"],
        concurrency=options["concurrency"],
        policy=RetryPolicy(attempts=options["retries"] + 1),
    )
    with Store.read(options["db"]) as reader:  # a missing database is an error here, not a new file
        check_run_edition(reader.latest_run(options["run_name"]), options["edition"])
    for each in wanted:
        if isinstance(each, ModelJudge):
            preflight(each.stance.spec, connection)
    with Store.open(options["db"]) as store:
        run_id = store.latest_run(options["run_name"])["run_id"]
        specs = [each.stance.spec for each in wanted if isinstance(each, ModelJudge)]
        hold_budget(
            store, run_id, connection.budget, specs, options["budget"], allow_unpriced=options["allow_unpriced"]
        )
        for each in wanted:
            store.ask_judge(run_id, each.row, each.presentations)
        screen(store, run_id)
        errors = run_judges(store, run_id, wanted, connection, err)
        summary = summarise(store, run_id, options["edition"])
        left = sum(len(store.pending_verdicts(run_id, each.key)) for each in wanted)
        done = store.value(
            f"select count(*) from verdicts where judge_key in ({','.join('?' * len(wanted))})",
            [each.key for each in wanted],
        )
    if connection.stop.reason == "interrupted":
        err.print(f"interrupted: {left} readings left; the same command goes on", highlight=False)
        return 130
    if errors and not done:
        name, message = next(iter(errors.items()))
        raise AuditError(f"{name} answered nothing: {message}")
    print_summary(console(), summary)
    for name, message in errors.items():
        err.print(f"{name}: {visible(message, 500)}", style="red", highlight=False, markup=False)
    if left:
        err.print(f"{left} readings left; run the same command again", style="yellow", highlight=False)
    return 1 if left else 0
