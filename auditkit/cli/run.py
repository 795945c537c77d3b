"""`auditkit run` and `auditkit plan`."""

from __future__ import annotations

import asyncio
import json
import platform
import shlex
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from auditkit import __version__
from auditkit.cli.common import (
    check_edition,
    content_options,
    db_option,
    edition_option,
    hold_budget,
    load,
    named,
    names,
    parameters,
)
from auditkit.cli.judge import (
    make_panel,
    panel_options,
    print_cultures,
    print_panel,
    run_judges,
    warn_of_own_family,
)
from auditkit.cli.power import power_options, power_wish
from auditkit.errors import AuditError

if TYPE_CHECKING:
    from auditkit.data import Content
    from auditkit.judge.panel import Panel
    from auditkit.models.registry import Connection
    from auditkit.plan import ModelSpec, Plan
    from auditkit.store import Store


def matrix_options(command: Any) -> Any:
    """What to ask, of whom, and how."""
    options = [
        click.option("--dimension", "-d", "dimensions", multiple=True, metavar="NAME", help="individualism, mas, uncertainty_avoidance, power_distance, orientation, or all. Can be repeated."),
        click.option("--mode", "-m", "modes", multiple=True, metavar="NAME", help="baseline (no persona), persona, multilingual, crossed (persona and language), or all. Can be repeated."),
        click.option("--model", "models", multiple=True, metavar="NAME", help="embedded (default), PROVIDER/MODEL, gguf:PATH, local/PATH-OR-HUB-ID, mock/NAME; see `auditkit models`. Can be repeated."),
        click.option("--judge", "-j", "judges", multiple=True, metavar="NAME", help="rules (default), stance@MODEL, culture@MODEL or investigator@MODEL. Can be repeated."),
        click.option("--country", "countries", multiple=True, metavar="NAME", help="Only these countries (name or ISO code)."),
        click.option("--language", "languages", multiple=True, metavar="NAME", help="Only countries with these languages (name or FLORES code)."),
        click.option("--resource-level", "levels", multiple=True, metavar="LEVEL", help="Only countries whose language is of this level: high, mid, low."),
        click.option("--persona-template", "templates", multiple=True, metavar="ID", help="Wording of the persona sentence; see personas/templates.yaml."),
        click.option("--core", is_flag=True, help="Only the ten core dilemmas of a dimension."),
        click.option("--order", type=click.Choice(["lead", "flipped", "both"]), default="lead", show_default=True, help="Which option the question names first: as the bank balances it, the other way round, or both ways."),
        click.option("--samples", type=int, default=1, show_default=True, help="Replies to every request; above 1 needs a temperature."),
        click.option("--limit", type=int, metavar="N", help="Ask N cells only: an even draw over countries and dilemmas, the same every time."),
        click.option("--translator", type=click.Choice(["reference", "nllb", "llm", "any"]), default="any", show_default=True, help="Whose translations to send."),
        click.option("--incomplete", is_flag=True, help="Keep dilemmas that only some of the languages have."),
        click.option("--param", "params", multiple=True, metavar="K=V", help="A parameter of the request, for example temperature=0.7; none leaves one out."),
        click.option("--revision", help="Revision of the model, where its name does not say it."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return panel_options(command)


def connection_options(command: Any) -> Any:
    """How to reach models; none of it changes what is asked."""
    options = [
        click.option("--api-base", metavar="URL", help="Address of an OpenAI-compatible server for --model (vLLM and the like)."),
        click.option("--judge-api-base", metavar="URL", help="The same for judges."),
        click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds a call may take."),
        click.option("--concurrency", type=click.IntRange(min=1), help="Most calls at once to a model; found out below that."),
        click.option("--retries", type=click.IntRange(min=0), default=5, show_default=True, help="Further calls after a rate limit or a transport failure."),
        click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="Stop before the run's cost, earlier sessions included, passes this."),
        click.option("--allow-unpriced", is_flag=True, help="Let a model of unknown price run under a budget."),
        click.option("--device", help="For local models: cuda, cuda:1, mps, cpu; default: the best there is."),
        click.option("--dtype", help="For local models: bfloat16, float16, float32; default by device."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@matrix_options
@connection_options
@content_options
@edition_option
@click.option("--retry-blocked", is_flag=True, help="Ask again what a content filter or a 400 had blocked.")
@click.option("--dry-run", is_flag=True, help="Print cells, requests, tokens and price; ask nothing.")
@db_option
def run(**options: Any) -> int:
    """Plan an audit, ask the model, judge the replies, and summarise.

    The same command goes on where it stopped: what was answered is kept the moment it is answered.

    \b
      auditkit run -d individualism -m multilingual --limit 70      the embedded model: no key, no GPU
      auditkit run -d all -m persona -m baseline --model openai/gpt-4.1-mini --judge stance@anthropic/claude-haiku-4-5
      auditkit run -d mas -m persona --model hosted_vllm/NAME --api-base http://127.0.0.1:8000/v1
      auditkit run -d mas -m persona --model mock/coin              a trial that costs nothing
    """  # noqa: D301
    session = Session(options)
    if options["dry_run"]:
        return session.dry_run()
    return session.run()


@click.command()
@matrix_options
@power_options
@connection_options
@content_options
@edition_option
@db_option
def plan(**options: Any) -> int:
    """What a run with these options would ask: cells, requests, what is answered already, tokens, price. Asks nothing.

    With --power it says how many dilemmas, samples and countries a true correlation needs to be found, and what they cost; without
    -d and -m for all dimensions in persona mode.

    \b
      auditkit plan -d all -m persona --model openai/gpt-4.1-mini                      the price of a run
      auditkit plan --power --target-r .4                                              36 countries are too few for that
      auditkit plan --power --countries 60 -d mas -m persona --model openai/gpt-4.1    with 60 countries
      auditkit plan --power --pilot 3f2a --family 10                                   the noise of a stored run, ten tests
    """  # noqa: D301
    wish = power_wish(options)
    session = Session({**options, "retry_blocked": False})
    check_edition((c.model_dump(include={"scores"}) for c in session.content.countries.values()), options["edition"])
    if wish is None:
        return session.dry_run()
    from auditkit.cli.power_grid import print_power

    return print_power(session, wish)


class Session:
    """One call of `run`: the wish, the plan, and what is needed to carry it out."""

    def __init__(self, options: dict[str, Any]) -> None:
        from auditkit.cli.render import console
        from auditkit.limits import RetryPolicy
        from auditkit.models.registry import Connection, parse_model
        from auditkit.plan import make_plan

        self.options = options
        self.err = console(stderr=True)
        self.out = console()
        self.content: Content = load(options["prompts"], options["personas"], options["translations"])
        params = parameters(options["params"])
        self.models: list[ModelSpec] = [
            parse_model(name, params, options["revision"])
            for name in dict.fromkeys(names(options["models"]) or ["embedded"])
        ]
        self.panel: Panel = make_panel(options, default=("rules",))
        self.plan: Plan = make_plan(self._wish(), self.content)
        policy = RetryPolicy(attempts=options["retries"] + 1)
        self.connection: Connection = Connection(
            api_base=options["api_base"],
            timeout_s=options["timeout"],
            concurrency=options["concurrency"],
            policy=policy,
            device=options["device"],
            dtype=options["dtype"],
        )

    def _wish(self) -> Any:
        from auditkit.plan import MODES, PlanSpec

        options = self.options
        dimensions = names(options["dimensions"])
        modes = names(options["modes"])
        if not dimensions:
            raise AuditError(f"which dimension? --dimension {' | '.join(self.content.dimensions)} | all")
        if not modes:
            raise AuditError(f"which mode? --mode {' | '.join(MODES)} | all")
        return PlanSpec(
            dimensions=tuple(self.content.dimensions if "all" in dimensions else dict.fromkeys(dimensions)),
            modes=tuple(MODES if "all" in modes else dict.fromkeys(modes)),
            models=tuple(self.models),
            countries=tuple(
                self.content.country(name).iso3 for name in named(options["countries"], self.content.country)
            ),
            languages=tuple(self.content.language(name) for name in named(options["languages"], self.content.language)),
            resource_levels=tuple(name.lower() for name in names(options["levels"])),
            templates=tuple(names(options["templates"])),
            core=options["core"],
            orders=options["order"],
            samples=options["samples"],
            limit=options["limit"],
            translator=options["translator"],
            incomplete=options["incomplete"],
        )

    # ---------------------------------------------------------------------------------------------------- dry run

    def dry_run(self) -> int:
        """Print what would be asked, on stdout."""
        from auditkit.cli.dry_run import print_dry_run

        self._announce()
        print_dry_run(self.out, self.plan, self.panel.first, self.options["db"])
        for judge in self.panel.second:
            self.out.print(
                f"{judge.name} reads what is referred to it besides: {self.panel.share:.0%} of the replies or more",
                highlight=False,
                markup=False,
            )
        return 0

    def _announce(self) -> None:
        from auditkit.cli.render import print_set_aside

        print_set_aside(self.err, self.plan)
        spec = self.plan.spec
        kinds = []
        for block in self.plan.blocks:
            languages = len({w.lang for w in block.who})
            countries = len({w.country for w in block.who if w.country})
            words = f"{block.mode}: {len(block.dilemmas)} dilemmas"
            if countries:
                words += f" x {countries} countries"
            if block.mode in ("multilingual", "crossed"):
                words += f" in {languages} languages"
            kinds.append(words)
        limit = f", an even draw of {spec.limit}" if spec.limit and spec.limit == len(self.plan) else ""
        self.err.print(
            f"{len(self.plan)} cells{limit}  ({'; '.join(kinds)})  {len(self.models)} model{'s' if len(self.models) > 1 else ''}",
            highlight=False,
        )
        if spec.limit and self.options["limit"] != spec.limit:
            self.err.print(
                f"--limit {self.options['limit']} became {spec.limit}: every model gets the same draw", highlight=False
            )

    # -------------------------------------------------------------------------------------------------------- run

    def run(self) -> int:
        """Ask, judge, summarise. Returns the exit code."""
        from auditkit.cli.render import print_summary
        from auditkit.judge.second import referred
        from auditkit.runner import screen, write_plan
        from auditkit.store import Store
        from auditkit.summary import cultures, summarise

        check_edition(
            (c.model_dump(include={"scores"}) for c in self.content.countries.values()), self.options["edition"]
        )
        self._announce()
        with Store.open(self.options["db"]) as store:
            self._preflight(store)
            run_id = write_plan(store, self.plan, "auditkit " + shlex.join(sys.argv[1:]), self._manifest())
            self.panel.ask(store, run_id)
            warn_of_own_family(store, run_id, self.panel, self.err)
            if self.options["retry_blocked"]:
                store.forget_blocked(run_id)
            specs = [*self.models, *self.panel.specs]
            allowed = self.options["allow_unpriced"]
            hold_budget(store, run_id, self.connection.budget, specs, self.options["budget"], allow_unpriced=allowed)
            errors = self._generate(store, run_id)
            screen(store, run_id, self.plan.content.countries)
            if not self._interrupted():
                errors |= self._judge(store, run_id)
            summary = summarise(store, run_id, self.options["edition"])
            unjudged = self.panel.left(store, run_id)
            reasons, culture = referred(store, run_id), cultures(store, run_id)
        if self._interrupted():
            self.err.print(
                f"interrupted: {summary.left} cells left, nothing answered is lost; the same command goes on",
                highlight=False,
            )
            return 130
        answered = sum(group.answered for group in summary.groups)
        if not answered and errors:
            model, message = next(iter(errors.items()))
            raise AuditError(f"{model} answered nothing: {message}")
        print_summary(self.out, summary)
        print_cultures(self.out, culture)
        print_panel(self.out, self.panel, reasons)
        for model, message in errors.items():
            from auditkit.cli.render import visible

            self.err.print(f"{model}: {visible(message, 500)}", style="red", highlight=False, markup=False)
        return self._close(summary.left, unjudged)

    def _close(self, left: int, unjudged: int) -> int:
        if self.connection.budget.exhausted:
            self.err.print(
                f"the budget of ${self.connection.budget.limit:g} is used up", style="yellow", highlight=False
            )
        if left or unjudged:
            parts = [f"{left} requests left"] * bool(left) + [f"{unjudged} readings left to judge"] * bool(unjudged)
            self.err.print(f"{' and '.join(parts)}; run the same command again", style="yellow", highlight=False)
            return 1
        where = "" if str(self.options["db"]) == "auditkit.db" else f" --db {shlex.quote(str(self.options['db']))}"
        where += f" --run {self.plan.run_id[3:11]}"
        self.out.print("\nNext:", style="bold")
        if self.plan.spec.limit:
            self.out.print(
                "  the same command without --limit   asks everything; these replies are kept",
                highlight=False,
            )
        for command, what in (
            (f"auditkit judge --judge stance@PROVIDER/MODEL{where}", "a second judge on the same replies"),
            (f"auditkit detect{where}", "stereotypes, reasoning and languages, by rules"),
            (f"auditkit report --to report/{where}", "a page with figures, tables and text for a paper"),
            (f"auditkit export --to out/{where}", "the tables behind this, as CSV and Parquet"),
        ):
            self.out.print(f"  {command}   {what}", highlight=False, markup=False, soft_wrap=True)
        return 0

    def _preflight(self, store: Store) -> None:
        """Find a missing key before anything is planned or paid for; a finished run needs none."""
        from dataclasses import replace

        from auditkit.models.registry import preflight

        run_id = self.plan.run_id
        planned = store.value("select planned_at from runs where run_id = ?", (run_id,)) is not None
        for spec in self.models:
            if not planned or store.pending_requests(run_id, spec.name):
                preflight(spec, self.connection)
        judged = replace(self.connection, api_base=self.options["judge_api_base"])
        for judge in self.panel.judges:
            if judge.spec is not None and (
                not planned or not store.has_judged(judge.key) or store.pending_verdicts(run_id, judge.key)
            ):
                preflight(judge.spec, judged)

    def _interrupted(self) -> bool:
        return self.connection.stop.requested and self.connection.stop.reason == "interrupted"

    def _manifest(self) -> dict[str, Any]:
        spec = self.plan.spec
        return {
            "auditkit": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": _versions(),
            "spec": asdict(spec),
            "run_id": self.plan.run_id,
            "cells": len(self.plan),
            "dimensions": {
                n: self.content.dimensions[n].model_dump(include={"title", "score", "first", "second"})
                for n in spec.dimensions
            },
            "countries": {
                c.iso3: c.model_dump(include={"title", "language", "language_name", "resource_level", "m49", "scores"})
                for c in self.content.countries.values()
            },
            "editions": self.content.editions,
            "messages": self.content.messages.model_dump(),
            "instructions": self.plan.instructions,
            "set_aside": [asdict(entry) for entry in self.plan.set_aside],
            "judges": [judge.row | {"config": json.loads(str(judge.row["config"]))} for judge in self.panel.judges],
            "temperature": {m.name: m.params.get("temperature", "not sent: the model takes none") for m in self.models},
        }

    def _generate(self, store: Store, run_id: str) -> dict[str, str]:
        """Ask every model what is pending; returns the last error of each model that was given up."""
        from dataclasses import replace

        from auditkit.cli.progress import StageProgress
        from auditkit.models.registry import make_backend
        from auditkit.runner import generate_all, guarded

        pending = {spec.name: len(store.pending_requests(run_id, spec.name)) for spec in self.models}
        total = store.value("select count(distinct request_key) from cells where run_id = ?", (run_id,))
        left = sum(pending.values())
        if total - left:
            self.err.print(f"{total - left} of {total} requests are answered already", highlight=False)
        if not left:
            return {}
        with ExitStack() as stack:
            self.connection.progress = self._fetch_progress(stack)
            backends = [
                (spec.name, make_backend(spec, replace(self.connection, proven=store.has_answered(run_id, spec.name))))
                for spec in self.models
                if pending[spec.name]
            ]
        with StageProgress(self.err, "asking", left) as progress:
            result = asyncio.run(
                guarded(
                    lambda: generate_all(store, run_id, backends, lambda _, outcome: progress.saw(outcome)),
                    self.connection.stop,
                    lambda: progress.note("stopping: waiting for the replies under way (Ctrl-C again to stop at once)"),
                    lambda: progress.note("stopped"),
                )
            )
        return dict(result.errors)

    def _judge(self, store: Store, run_id: str) -> dict[str, str]:
        from dataclasses import replace

        from auditkit.limits import Stop

        connection = replace(self.connection, api_base=self.options["judge_api_base"])
        if (
            connection.budget.exhausted
        ):  # what was paid for is judged by what costs nothing; other judges stop by themselves
            connection = replace(connection, stop=Stop())
        errors = run_judges(store, run_id, self.panel, connection, self.err)
        if connection.stop.reason == "interrupted":
            self.connection.stop.requested, self.connection.stop.reason = True, "interrupted"
        return errors

    def _fetch_progress(self, stack: ExitStack) -> Any:
        """Progress of fetching weights, made when the first bytes come."""
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        bar: dict[str, Any] = {}

        def saw(done: int, total: int | None) -> None:
            if not self.err.is_terminal:
                if not bar:
                    size = f" ({total / 1e6:.0f} MB)" if total else ""
                    self.err.print(f"fetching the embedded model{size}, once", highlight=False)
                    bar["seen"] = True
                return
            if not bar:
                columns = (
                    TextColumn("fetching the embedded model, once"),
                    BarColumn(bar_width=24),
                    DownloadColumn(),
                    TransferSpeedColumn(),
                )
                bar["progress"] = stack.enter_context(Progress(*columns, console=self.err))
                bar["task"] = bar["progress"].add_task("", total=total)
            bar["progress"].update(bar["task"], completed=done, total=total)

        return saw


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in (
        "litellm",
        "instructor",
        "openai",
        "xllamacpp",
        "torch",
        "transformers",
        "pydantic",
        "numpy",
        "scipy",
        "sqlite-utils",
    ):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
