"""`auditkit review`: people read transcripts and label them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import db_option, names, run_option
from auditkit.errors import AuditError, MissingExtra, unknown

if TYPE_CHECKING:
    from auditkit.review.queue import Filters, Scope
    from auditkit.store import Store

_SHEET = 200  # replies of a sheet, unless more are asked for: a browser has to hold them all


def _user() -> str:
    """The environment's user."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without an entry for its user
        return ""


@click.command()
@click.option("--reviewer", metavar="NAME", help="Who labels; default: the environment's user.")
@click.option("--blind/--no-blind", default=True, show_default=True, help="Hide country, language, model, highlights, severity and verdicts, and show a random order.")  # fmt: skip
@click.option("--sample", "size", type=click.IntRange(min=2), metavar="N", help="Review a drawn sample of N replies; the same command draws the same.")  # fmt: skip
@click.option("--stratify", multiple=True, metavar="NAMES", help="Of the sample: model, country, language, mode, dimension.")  # fmt: skip
@click.option("--seed", type=int, default=7, show_default=True, help="Of the sample.")
@click.option("--adjudicate", is_flag=True, help="Only what reviewers differ in, with what each said.")
@click.option("--fields", multiple=True, metavar="NAMES", help="Ask for these only: stance, reasoning_class, stereotype, hallucination, voice.")  # fmt: skip
@click.option("--model", metavar="NAME", help="Only replies of this model.")
@click.option("--country", metavar="NAME", help="Only replies for this country.")
@click.option("--language", metavar="NAME", help="Only replies in this language.")
@click.option("--category", metavar="NAME", help="Only with this kind or family of flag (needs --no-blind).")
@click.option("--severity", type=click.IntRange(1, 3), help="Only with a flag at least this severe (needs --no-blind).")
@click.option("--disagreement", is_flag=True, help="Only where judges differ (needs --no-blind).")
@click.option("--all", "every", is_flag=True, help="What is labelled already, too.")
@click.option("--list", "listed", is_flag=True, help="Print the queue as CSV instead.")
@click.option("--html", "sheet", type=click.Path(path_type=Path), metavar="FILE", help="Write a review sheet for a browser instead; `auditkit import labels` reads what comes back.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help=f"Of --list and --html: the first N; a sheet holds {_SHEET} by default.")  # fmt: skip
@click.option("--translations", "folder", is_flag=False, flag_value="", metavar="[DIR]", help="Review suspect translations instead, with --language one language, with --all every line.")  # fmt: skip
@run_option
@db_option
def review(**options: Any) -> int:
    """Label replies by single keys, in a terminal. Every label is stored at once; a run may go on meanwhile.

    Two people who give the same --sample get the same replies in another order, and do not see each other's labels.
    `auditkit agreement` compares them. Press ? for the keys.

    \b
      auditkit review                                              flagged replies, blind, in random order
      auditkit review --no-blind --category essentialism           most severe first, with highlights
      auditkit review --sample 200 --stratify model,country --seed 7 --reviewer ann
      auditkit review --sample 200 --stratify model,country --seed 7 --adjudicate
      auditkit review --sample 50 --html sheet.html                for people without a terminal
      auditkit review --translations my-translations --language sin_Sinh
    """  # noqa: D301
    reviewer = (options["reviewer"] or _user()).strip()
    if not reviewer and not options["listed"]:
        raise AuditError("nobody knows who labels; give a name with --reviewer")
    if options["folder"] is not None:
        return _translations(options, reviewer)
    filters = _filters(options)
    from auditkit.store import Store

    with Store.annotate(options["db"]) as store:
        scope = _scope(store, options, reviewer)
        if options["listed"]:
            return _list(store, scope, filters, options["limit"])
        if options["sheet"] is not None:
            return _sheet(store, scope, filters, options["sheet"], options["limit"] or _SHEET)
        _need_terminal()
        from auditkit.review.session import Session

        session = Session(store, scope, filters)
        if not session.entries:
            raise AuditError(session.queue.why_empty(filters))
        from auditkit.review.app import ReviewApp
        from auditkit.review.screens import ReviewScreen

        ReviewApp(lambda: ReviewScreen(session)).run()
    click.echo(f"{session.gained} replies completed; labels are in {options['db']}", err=True)
    return 0


def _filters(options: dict[str, Any]) -> Filters:
    from auditkit.data import load_content
    from auditkit.review.queue import Filters

    content = load_content() if options["country"] or options["language"] else None
    filters = Filters(
        model=options["model"],
        country=content.country(options["country"]).iso3 if content and options["country"] else None,
        language=content.language(options["language"]) if content and options["language"] else None,
        category=options["category"],
        severity=options["severity"] or 0,
        disagreement=options["disagreement"],
        unlabelled=not options["every"],
    )
    if filters.tell and options["blind"]:
        raise AuditError("--category, --severity and --disagreement tell what was found; add --no-blind to use them")
    return filters


def _scope(store: Store, options: dict[str, Any], reviewer: str) -> Scope:
    """Whose queue it is, with the sample drawn."""
    from auditkit.review.labels import FIELDS
    from auditkit.review.queue import Scope
    from auditkit.review.sampling import draw_sample

    fields = names(options["fields"]) or list(FIELDS)
    for name in fields:
        if name not in FIELDS:
            raise unknown("field", name, FIELDS)
    run_id = store.latest_run(options["run_name"])["run_id"]
    sample_id = None
    if options["size"] is None and options["stratify"]:
        raise AuditError("--stratify belongs to --sample N")
    if options["size"] is not None:
        sample = draw_sample(store, run_id, options["size"], stratify=names(options["stratify"]), seed=options["seed"])
        parts = ", ".join(f"{count} {name}" for name, count in sorted(sample.parts.items(), reverse=True))
        click.echo(f"sample {sample.sample_id[3:9]}{' drawn' if sample.new else ''}: {parts}", err=True)
        sample_id = sample.sample_id
    return Scope(
        run_id=run_id,
        reviewer=reviewer,
        fields=tuple(name for name in FIELDS if name in fields),
        role="adjudicator" if options["adjudicate"] else "rater",
        sample_id=sample_id,
        blind=options["blind"],
    )


def _list(store: Store, scope: Scope, filters: Filters, limit: int | None) -> int:
    """The queue in its order, as CSV; blind, without what would tell."""
    import csv
    import io
    from itertools import chain, islice

    from auditkit.cli.render import visible
    from auditkit.review.queue import Queue

    queue = Queue(store, scope)
    hidden = ("model", "country", "lang", "severity", "flags") if scope.blind else ()
    heads = [n for n in ("request_key", "item_id", "mode", "model", "country", "lang", "severity", "flags", "answered", "done") if n not in hidden]  # fmt: skip
    count = 0
    for entry in islice(chain.from_iterable(queue.pages(filters)), limit):
        row = {**vars(entry), "flags": " ".join(entry.kinds), "done": int(entry.done)}
        line = io.StringIO()
        writer = csv.writer(line, lineterminator="\n")
        if not count:
            writer.writerow(heads)
        writer.writerow(["" if row[n] is None else visible(str(row[n])) for n in heads])
        click.echo(line.getvalue(), nl=False)
        count += 1
    if not count:
        click.echo(queue.why_empty(filters), err=True)
    return 0


def _sheet(store: Store, scope: Scope, filters: Filters, path: Path, limit: int) -> int:
    from itertools import chain, islice

    from auditkit.review.queue import Queue
    from auditkit.review.sheet import review_sheet

    queue = Queue(store, scope)
    entries = list(islice(chain.from_iterable(queue.pages(filters)), limit + 1))
    if not entries:
        raise AuditError(queue.why_empty(filters))
    if len(entries) > limit:
        click.echo(f"more fits than the sheet holds: the first {limit} are in it; --limit N takes more", err=True)
    try:
        path.write_text(review_sheet(store, scope, entries[:limit]), encoding="utf-8")
    except OSError as error:
        raise AuditError(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"{path}: {min(len(entries), limit)} replies; what comes back: auditkit import labels FILE", err=True)
    return 0


def _need_terminal() -> None:
    """Raise MissingExtra without Textual, AuditError without a terminal."""
    from importlib.util import find_spec

    if find_spec("textual") is None:
        raise MissingExtra("auditkit review", "review")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise AuditError("review needs a terminal; --html FILE writes a sheet for a browser, --list prints the queue")


def _translations(options: dict[str, Any], reviewer: str) -> int:
    """Review the lines of translation files instead of replies."""
    from auditkit.data import load_content
    from auditkit.review.translations import lines_to_review, writable

    folder = options["folder"] or os.environ.get("AUDITKIT_TRANSLATIONS")
    content = load_content(translations=Path(folder) if folder else None)
    writable(content.translations_dir)
    languages = [content.language(options["language"])] if options["language"] else []
    lines = lines_to_review(content, languages, every=options["every"])
    if not lines:
        raise AuditError(f"{content.translations_dir}: no suspect line here; --all reviews the others too")
    _need_terminal()
    from auditkit.review.app import ReviewApp
    from auditkit.review.translation_screen import TranslationScreen

    ReviewApp(lambda: TranslationScreen(lines, content, reviewer)).run()
    return 0
