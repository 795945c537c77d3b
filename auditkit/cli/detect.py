"""`auditkit detect`: what rules find in stored replies, and why."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import content_options, db_option, load, run_option
from auditkit.cli.detect_words import individuation, words
from auditkit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from auditkit.detect.rules import Detection
    from auditkit.detect.stage import DetectorJudge
    from auditkit.store import Store

_CLASSES = ("none", "persona_only", "cultural_reasoning")
_STYLES = {
    "stereotype": "black on yellow", "hallucination": "white on red", "premise": "black on cyan", "value": "black on cyan",
    "trace": "black on green", "voice": "black on magenta", "language": "underline", "injection": "bold white on red",
}  # fmt: skip


@click.group(invoke_without_command=True)
@run_option
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Countries to show, most stereotyped first.")  # fmt: skip
@content_options
@db_option
@click.pass_context
def detect(ctx: click.Context, /, **options: Any) -> int:
    """Read replies by rules: reasoning class, stereotypes, voices, wrong languages. No model is asked, nothing is spent.

    Without a further command every reply of the run that has not been read is read, and the shares are printed.

    \b
      auditkit detect
      auditkit detect explain k1:4f2a
      auditkit detect explain --text reply.txt --country Finland
    """  # noqa: D301
    return 0 if ctx.invoked_subcommand else _run(options)


detect.add_command(words)
detect.add_command(individuation)


def _run(options: Mapping[str, Any]) -> int:
    from auditkit.cli.render import console
    from auditkit.detect.stage import DetectorJudge
    from auditkit.importers import require_texts
    from auditkit.runner import screen
    from auditkit.store import Store

    Store.read(options["db"]).close()  # a missing database is an error here, not a new file
    judge = DetectorJudge(options["personas"])
    err = console(stderr=True)
    with Store.open(options["db"]) as store:
        run = store.latest_run(options["run_name"])
        require_texts(dict(run))
        run_id = run["run_id"]
        store.ask_judge(run_id, judge.row, judge.presentations)
        screen(store, run_id, judge.detector.lexicon.countries)
        stopped = read_replies(store, run_id, judge, err)
        left = len(store.pending_verdicts(run_id, judge.key))
        out = console()
        _print_classes(out, store, run_id, judge.key)
        _print_countries(out, store, run_id, judge.key, options["top"])
        _print_languages(out, store, run_id, options["top"])
    out.print(
        "Read by rules, without a model: exploratory until the detector is calibrated on labelled replies (docs/detector.md).",
        style="dim",
        highlight=False,
    )
    if left:
        err.print(f"{left} replies left; the same command goes on", style="yellow", highlight=False)
    return 130 if stopped else 1 if left else 0


def read_replies(store: Store, run_id: str, judge: DetectorJudge, err: Console) -> bool:
    """Let the detector read what it has not read; True if somebody stopped it."""
    from auditkit.cli.progress import StageProgress
    from auditkit.detect.stage import detect_run
    from auditkit.limits import Stop
    from auditkit.runner import guarded

    stop = Stop()
    total = len(store.pending_verdicts(run_id, judge.key))
    if total:
        with StageProgress(err, "reading", total, priced=False) as progress:
            asyncio.run(
                guarded(
                    lambda: detect_run(store, run_id, judge, lambda: stop.requested, lambda: progress.saw(None)),
                    stop,
                    lambda: progress.note("stopping after this batch (Ctrl-C again to stop at once)"),
                    lambda: progress.note("stopped"),
                )
            )
    return stop.requested


def _print_classes(out: Console, store: Store, run_id: str, judge_key: str) -> None:
    """Per model and mode: the three classes, and the share of replies with a stereotype. The unit is the reply."""
    from rich.text import Text

    from auditkit.cli.render import table

    shown = table("Reasoning class and stereotypes, share of replies")
    for name in ("model", "mode"):
        shown.add_column(name, overflow="fold", min_width=9)
    for name in ("n", "none", "persona", "cultural", "stereotype [95 %]", "grave", "foreign span"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in store.rows(
        "with f as (select request_key, max(family = 'stereotype') as s, max(family = 'stereotype' and severity > 1) as severe,"
        " max(family = 'hallucination') as h from flags where judge_key = ?2 group by 1)"
        " select c.model, c.mode, count(*) as n, sum(v.reasoning_class = 'none') as none,"
        " sum(v.reasoning_class = 'persona_only') as persona_only, sum(v.reasoning_class = 'cultural_reasoning') as cultural_reasoning,"
        " sum(coalesce(f.s, 0)) as s, sum(coalesce(f.severe, 0)) as severe, sum(coalesce(f.h, 0)) as h"
        " from cells c join verdicts v using (request_key) left join f using (request_key)"
        " where c.run_id = ?1 and v.judge_key = ?2 group by 1, 2 order by 1, 2",
        (run_id, judge_key),
    ):
        n = row["n"]
        classes = [f"{row[name] / n:.0%}" for name in _CLASSES]
        rest = [f"{row[name] / n:.0%}" for name in ("severe", "h")]
        shown.add_row(Text(row["model"]), row["mode"], str(n), *classes, _share(row["s"], n), *rest)
    out.print(shown)
    out.print(
        "persona: marked, but no reason; cultural: a cultural premise is offered; grave: a stereotype of severity 2 or 3; "
        "foreign span: words of another language offered as the country's.",
        style="dim", highlight=False,
    )  # fmt: skip


def _print_countries(out: Console, store: Store, run_id: str, judge_key: str, top: int) -> None:
    """The countries whose personas are drawn as a stereotype most often, all models together."""
    from auditkit.cli.render import table

    rows = list(
        store.rows(
            "select c.country, count(*) as n, sum(exists (select 1 from flags f where f.request_key = c.request_key"
            " and f.judge_key = ?2 and f.family = 'stereotype')) as s"
            " from cells c join verdicts v using (request_key) where c.run_id = ?1 and v.judge_key = ?2 and c.country is not null"
            " group by 1 order by 1.0 * s / n desc, n desc, 1",
            (run_id, judge_key),
        )
    )
    if any(row["s"] for row in rows):
        shown = table(f"\nStereotyped share by country, highest {min(top, len(rows))} of {len(rows)}")
        shown.add_column("country")
        for name in ("replies", "stereotype [95 %]"):
            shown.add_column(name, justify="right", no_wrap=True)
        for row in rows[:top]:
            shown.add_row(row["country"], str(row["n"]), _share(row["s"], row["n"]))
        out.print(shown)


def _print_languages(out: Console, store: Store, run_id: str, top: int) -> None:
    """Replies in another language than their request, per language and model; languages without any are left out."""
    from rich.text import Text

    from auditkit.cli.render import table
    from auditkit.judge.gate import GATE_KEY

    rows = list(
        store.rows(
            "select c.lang, c.model, count(s.language_mismatch) as n, sum(s.language_mismatch) as m"
            " from cells c join screens s on s.request_key = c.request_key and s.judge_key = ?"
            " where c.run_id = ? group by 1, 2 having m > 0 order by 1.0 * m / n desc, 1, 2",
            (GATE_KEY, run_id),
        )
    )
    if not rows:
        out.print("\nNo reply is in another language than its request.", highlight=False)
        return
    shown = table(f"\nReplies in another language than their request, highest {min(top, len(rows))} of {len(rows)}")
    for name in ("asked in", "model"):
        shown.add_column(name, overflow="fold")
    for name in ("replies", "another language [95 %]"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows[:top]:
        shown.add_row(row["lang"], Text(row["model"]), str(row["n"]), _share(row["m"], row["n"]))
    out.print(shown)


def _share(count: int, n: int) -> str:
    """A share with its Wilson interval, as if replies were independent."""
    from auditkit.stats.agree import wilson

    found = wilson(count, n)
    limits = "" if found.low is None or found.high is None else f" [{100 * found.low:.0f}, {100 * found.high:.0f}]"
    return f"{count / n:.0%}{limits}"


@detect.command()
@click.argument("reply", required=False)
@click.option("--text", type=click.Path(path_type=Path, allow_dash=True), help="Explain this file's text instead (- for stdin).")  # fmt: skip
@click.option("--country", metavar="NAME", help="With --text: the persona's country.")
@click.option(
    "--item", metavar="ID", help="With --text: the dilemma that was asked; what it says itself is no evidence."
)
@click.option("--language", metavar="NAME", default="English", show_default=True, help="With --text: the language that was asked in.")  # fmt: skip
@run_option
@content_options
@db_option
def explain(**options: Any) -> int:
    """Show one reply with what the rules see in it: spans, rules, weights, what was subtracted, and why the class came out.

    REPLY is the beginning of a request key of the run.

    \b
      auditkit detect explain k1:4f2a
      auditkit detect explain --text reply.txt --country Finland --item mas-01
    """  # noqa: D301
    from auditkit.cli.render import console

    if (options["reply"] is None) == (options["text"] is None):
        raise AuditError("name one reply: the beginning of a request key, or --text FILE")
    if options["reply"] is not None:
        for name in ("country", "item"):
            if options[name] is not None:
                raise AuditError(f"--{name} goes with --text; a stored reply knows its own")
        text, detection = _stored(options)
    else:
        text, detection = _given(options)
    _print_explanation(console(), text, detection)
    return 0


def _stored(options: Mapping[str, Any]) -> tuple[str, Detection]:
    from auditkit.detect.stage import DetectorJudge, stored
    from auditkit.store import Store

    judge = DetectorJudge(options["personas"])
    with Store.read(options["db"]) as store:
        run_id = store.latest_run(options["run_name"])["run_id"]
        wanted = options["reply"].removeprefix("k1:")
        keys = [
            row[0]
            for row in store.rows(
                "select distinct c.request_key from cells c join replies r using (request_key)"
                " where c.run_id = ? and substr(c.request_key, 4, ?) = ? limit 3",
                (run_id, len(wanted), wanted),
            )
        ]
        if len(keys) != 1:
            count = "no reply" if not keys else "several replies"
            raise AuditError(f"{count} of this run fit {options['reply']!r}; give more of a request key (auditkit export lists them)")  # fmt: skip
        row = next(stored(store, run_id, keys))
        return row["text"], judge.detector.read(row["text"], judge.asked(row))


def _given(options: Mapping[str, Any]) -> tuple[str, Detection]:
    from auditkit.detect.rules import Asked, load_detector
    from auditkit.errors import unknown
    from auditkit.judge.gate import iso_codes

    content = load(options["prompts"], options["personas"], options["translations"])
    try:
        with click.open_file(str(options["text"]), encoding="utf-8") as stream:
            text = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"--text {options['text']}: {error}") from None
    prompt = ""
    if options["item"] is not None:
        if options["item"] not in content.dilemmas:
            raise unknown("dilemma", options["item"], content.dilemmas)
        found = content.dilemmas[options["item"]]
        prompt = "\n".join((*found.text.scenario, found.a, found.b, found.text.question_ab))
    countries = (content.country(options["country"]).iso3,) if options["country"] else ()
    language = iso_codes(content.countries)[content.language(options["language"])]
    return text, load_detector(options["personas"]).read(text, Asked(countries, language, prompt))


def _print_explanation(out: Console, text: str, detection: Detection) -> None:
    from rich.text import Text

    from auditkit.cli.render import table, visible

    shown = Text()
    at = 0
    for hit in sorted(detection.hits, key=lambda h: (h.start, -h.stop)):
        if hit.start >= at:
            shown.append(visible(text[at : hit.start]))
            shown.append(visible(text[hit.start : hit.stop]), style=_STYLES[hit.family] if hit.flagged else "dim")
            at = hit.stop
    shown.append(visible(text[at:]))
    out.print(shown)
    hits = table("\nWhat the rules see")
    for name in ("span", "kind", "rule", "text", "note"):
        hits.add_column(name, overflow="fold")
    hits.add_column("weight", justify="right")
    for hit in (*detection.hits, *detection.subtracted):
        note = hit.note if hit.flagged else "in the request" if hit in detection.subtracted else "too little alone"
        kind = f"{hit.family}/{hit.kind}" + (f" {hit.severity}" if hit.severity and hit.flagged else "")
        row = (f"{hit.start}-{hit.stop}", kind, hit.rule_id, visible(hit.text, 60), note)
        hits.add_row(*(Text(part) for part in row), f"{hit.weight:g}", style=None if hit.flagged else "dim")
    if detection.hits or detection.subtracted:
        out.print(hits)
    out.print(Text(f"\n{detection.reasoning_class}: {detection.why}"), style="bold")
    out.print(
        Text(f"stereotype: {'yes' if detection.stereotype else 'no'}; put-on voice: {detection.voice}"), highlight=False
    )
