"""`auditkit translate`: translate the bank, check translations, and print their quality table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import content_options, load, names
from auditkit.errors import AuditError

if TYPE_CHECKING:
    from auditkit.data import Content
    from auditkit.translate.engines import Engine
    from auditkit.translate.pipeline import Job, Lost

_SHOWN_LOST = 5  # of a language, by name


@click.group(invoke_without_command=True)
@click.option("--to", "languages", multiple=True, metavar="NAME", help="Translate into this language (code or name), or `all`; can be given again.")  # fmt: skip
@click.option("--engine", type=click.Choice(["nllb", "ctranslate2", "llm"]), default="nllb", show_default=True, help="NLLB by transformers, NLLB by CTranslate2 (fast on a CPU), or any model.")  # fmt: skip
@click.option("--model", help="For NLLB a hub id or a folder (default: 3.3B on a GPU, distilled 600M on a CPU); for llm PROVIDER/MODEL.")  # fmt: skip
@click.option("--device", help="cpu, cuda, cuda:1 or mps; default: a GPU if there is one.")
@click.option("--beam", type=click.IntRange(min=1), help="Beams of NLLB's search.  [default: 4]")
@click.option("--batch-size", type=click.IntRange(min=1), help="Sentences at once.  [default: by engine and device]")
@click.option("--max-tokens", type=click.IntRange(min=1), help="New tokens a sentence; one that does not end within is an error.  [default: 256]")  # fmt: skip
@click.option("--core/--all-items", help="Only the core dilemmas, or all.  [default: all]")
@click.option("--translator-name", "translator", metavar="NAME", help="What the lines are signed with; nllb:600M keeps beside nllb:3.3B.  [default: nllb, or llm]")  # fmt: skip
@click.option("--api-base", help="Address of an OpenAI-compatible server, for llm.")
@content_options
@click.pass_context
def translate(ctx: click.Context, /, **options: Any) -> int | None:
    """Translate the bank sentence by sentence, there and back, and check every line; `check` prints the quality table.

    Writes a language's file, CODE.jsonl, as it goes. The same command again does what is missing, stale, or was rejected under other
    settings. Lines of other translators and of people stay. NLLB needs its weights, which are CC BY-NC 4.0.

    Exit codes: 0 complete, 1 sentences that came to no end are left out, 2 something to mend, 130 interrupted.

    \b
      auditkit translate --to deu_Latn --to jpn_Jpan --translations my-translations
      auditkit translate --to all --core --engine ctranslate2 --translations my-translations
      auditkit translate check --translations my-translations
    """  # noqa: D301
    if ctx.invoked_subcommand is not None:
        if options["languages"]:
            raise AuditError("--to translates and check checks: give one of them at a time")
        return None
    if not options["languages"]:
        raise AuditError(
            "say into which language: --to deu_Latn, or --to all; `auditkit translate check` checks what is there"
        )
    return _translate(options)


@translate.command()
@click.option("--language", "languages", multiple=True, metavar="NAME", help="Only this language (code or name); can be given again.")  # fmt: skip
@click.option("--translator", metavar="NAME", help="Only lines of this translator, such as reference or nllb.")
@click.option("--lines", is_flag=True, help="List what was found as file:line: id: reason, instead of the table.")
@click.option("--weakest", type=click.IntRange(min=1), metavar="N", help="Show the N lines of each language whose back-translation is farthest from the source.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "markdown", "csv"]), default="text", show_default=True, help="For a terminal, for a paper's appendix, or for a program.")  # fmt: skip
@content_options
def check(**options: Any) -> int:
    """Check every translated line, and print a quality table, a row for each language.

    Exit codes: 0 clean, 1 findings that no status tells yet, or stale lines, 2 a file that cannot be read.

    \b
      auditkit translate check
      auditkit translate check --language deu_Latn --lines
      auditkit translate check --weakest 10 --format markdown
    """  # noqa: D301
    from auditkit.cli import translate_table as quality
    from auditkit.data import ENGLISH

    if options["lines"] and options["weakest"]:
        raise AuditError("choose --lines or --weakest, not both")
    content = load(options["prompts"], options["personas"], options["translations"])
    wanted = [content.language(name) for name in names(options["languages"])]
    if ENGLISH in wanted:
        raise AuditError("the bank is written in English; there is no translation to check")
    if not any(content.translations_dir.glob("*.jsonl")):
        raise AuditError(f"{content.translations_dir}: no translations (xxx_Yyyy.jsonl) here")
    for code in wanted:
        if not (content.translations_dir / f"{code}.jsonl").exists():
            raise AuditError(f"{content.translations_dir}: no {code}.jsonl here")
    files = [quality.read(country, content, options["translator"]) for country in quality.languages(content, wanted)]
    need_scores = options["weakest"] or not options["lines"]
    if need_scores and not quality.add_scores(files, content, needed=bool(options["weakest"])):
        click.echo('chrF++ is left out; it needs: pip install "auditkit[translate]"', err=True)
    strangers = [] if wanted else quality.strangers(content)
    if options["weakest"]:
        quality.print_weakest(files, content, options["weakest"], options["form"])
    elif options["lines"]:
        quality.print_lines(files, strangers, options["form"])
    else:
        quality.print_table(files, content, options["form"])
    return quality.verdict(files, strangers, quiet=options["form"] != "text")


# ------------------------------------------------------------------------------------------------------- translating


def _translate(options: dict[str, Any]) -> int:
    from auditkit.translate.pipeline import Job

    content = load(options["prompts"], options["personas"], None)
    if options["translations"] is not None:
        content.translations_dir = options["translations"]  # it may be new
    codes = _codes(options["languages"], content)
    _check_folder(content.translations_dir)
    translator = options["translator"] or ("llm" if options["engine"] == "llm" else "nllb")
    if not re.fullmatch(r"[a-z0-9][\w.:-]*", translator) or translator.partition(":")[0] == "reference":
        raise AuditError(
            f"--translator-name {translator!r}: small letters and digits, such as nllb:600M, and not reference"
        )
    _check_packages()
    engine = _engine(options, content)
    try:
        done = [_language(Job(code, content, engine, translator), core=options["core"]) for code in codes]
    finally:
        engine.close()
    _print_quality(done)
    return 1 if any(lost for _, lost in done) else 0


def _codes(wanted: tuple[str, ...], content: Content) -> list[str]:
    """The languages to translate into, in the order of the bank's countries for `all`."""
    from auditkit.data import ENGLISH

    every = list(dict.fromkeys(c.language for c in content.countries.values() if c.language != ENGLISH))
    codes: list[str] = []
    for name in names(wanted):
        codes += every if name == "all" else [content.language(name)]
    if ENGLISH in codes:
        raise AuditError("the bank is written in English: there is nothing to translate, and a run sends it as it is")
    return list(dict.fromkeys(codes))


def _check_folder(folder: Path) -> None:
    import auditkit

    if folder.resolve().is_relative_to(Path(auditkit.__file__).resolve().parent):
        raise AuditError(
            f"{folder} belongs to the installed package, which an update replaces: name a folder of your own with --translations DIR"
        )


def _check_packages() -> None:
    """Raise MissingExtra before anything is loaded for what would be missed after the first sentences."""
    from auditkit.translate.score import score
    from auditkit.translate.sentences import split

    split("A sentence.")
    score([("a", "a")])


def _engine(options: dict[str, Any], content: Content) -> Engine:
    from auditkit.data import ENGLISH
    from auditkit.translate.engines import make_engine

    connection = None
    if options["engine"] == "llm":
        from auditkit.models.registry import Connection

        connection = Connection(
            api_base=options["api_base"], device=options["device"], concurrency=options["batch_size"]
        )
    elif options["api_base"]:
        raise AuditError("--api-base is for --engine llm")
    return make_engine(
        options["engine"],
        **{name: options[name] for name in ("model", "device", "batch_size", "beam", "max_tokens", "prompts")},
        languages={country.language: country.language_name for country in content.countries.values()}
        | {ENGLISH: "English"},
        connection=connection,
    )


def _language(job: Job, *, core: bool) -> tuple[Job, list[Lost]]:
    """Translate what is to be done in one language; what was lost is named on stderr."""
    from auditkit.cli.progress import StageProgress
    from auditkit.cli.render import console, visible
    from auditkit.translate.file import only_writer
    from auditkit.translate.pipeline import items, pending, sentence_count, settle, translate_items

    err = console(stderr=True)
    lost: list[Lost] = []
    with only_writer(job.path):
        wanted = items(job.code, job.content, core=core)
        todo = pending(wanted, job)
        _say_what_is_there(job, len(wanted), len(todo))
        with StageProgress(err, f"{job.code}, sentences there and back", 2 * sentence_count(todo), priced=False) as bar:

            def advance(count: int) -> None:
                for _ in range(count):
                    bar.saw(None)

            for _, left_out in translate_items(todo, job, advance):
                lost += left_out
        settle(job)
    for one in lost[:_SHOWN_LOST]:
        click.echo(visible(f"{job.code}: left out: {one}"), err=True)
    if len(lost) > _SHOWN_LOST:
        click.echo(f"{job.code}: and {len(lost) - _SHOWN_LOST} more", err=True)
    return job, lost


def _say_what_is_there(job: Job, wanted: int, todo: int) -> None:
    """A line about what is done already, and whether other settings did it."""
    from auditkit.data import load_translations
    from auditkit.translate.file import own
    from auditkit.translate.pipeline import same_settings

    mine = own(load_translations(job.path), job.translator)
    others = sum(not same_settings(line, job.engine.facts) for line in mine)
    told = f", {others} of them by another model or other settings, which each line names" if others else ""
    click.echo(f"{job.code}: {wanted - todo} of {wanted} lines are there already{told}", err=True)


def _print_quality(done: Sequence[tuple[Job, list[Lost]]]) -> None:
    """A row for each language: this translator's lines that are not stale, by status, and their scores."""
    from auditkit.cli.render import console, number, table
    from auditkit.data import load_translations
    from auditkit.translate.checks import stale
    from auditkit.translate.file import own
    from auditkit.translate.score import back_pair, reference_pair, score

    translator, content = done[0][0].translator, done[0][0].content
    figures = table(f"Translations by {translator}")
    for heading in ("language", "code"):
        figures.add_column(heading, no_wrap=True)
    for heading in ("lines", "suspect", "rejected", "left out", "chrF++ back", "lowest", "BLEU back", "chrF++ ref."):
        figures.add_column(heading, justify="right")
    signatures: tuple[str, ...] = ()
    all_suspect = all_rejected = 0
    for job, lost in done:
        lines = [line for line in own(load_translations(job.path), translator) if not stale(line, content)]
        suspect, rejected = (sum(line.status == status for line in lines) for status in ("suspect", "rejected"))
        all_suspect, all_rejected = all_suspect + suspect, all_rejected + rejected
        row = [content.language_name(job.code), job.code, *map(str, (len(lines), suspect, rejected, len(lost)))]
        pairs = [pair for line in lines if (pair := back_pair(line, content)) is not None]
        if pairs:
            back = score(pairs)
            row += [number(back.chrf, 1), number(back.lowest, 1), number(back.bleu, 1)]
            signatures = (f"chrF++: {back.chrf_signature}", f"BLEU: {back.bleu_signature}")
        else:
            row += ["-"] * 3
        forward = [pair for line in lines if (pair := reference_pair(line, job.references)) is not None]
        figures.add_row(*row, number(score(forward).chrf, 1) if forward else "-")
    out = console()
    out.print(figures)
    about = "back: the back-translations against the English; ref.: the translations against the references"
    out.print(". ".join([about, *signatures]), style="dim", highlight=False, soft_wrap=True)
    if all_suspect or all_rejected:
        which = f"--translator {translator.split(':')[0]} --translations {content.translations_dir}"
        click.echo(
            f"{all_suspect} suspect (sent, and marked), {all_rejected} rejected (never sent); "
            f"to list them: auditkit translate check --lines {which}",
            err=True,
        )
