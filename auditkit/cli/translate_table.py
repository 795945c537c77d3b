"""The quality table of translations, and the lists behind it: what `auditkit translate check` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditkit.errors import ContentError, MissingExtra

if TYPE_CHECKING:
    from auditkit.data import Content, Country
    from auditkit.translate.checks import CheckedLine
    from auditkit.translate.score import Scores

# Columns of the table: (head in text and Markdown, head in CSV, whether the narrow table for a terminal shows it)
_COLUMNS = (
    ("language", "language", True),
    ("autonym", "autonym", True),
    ("code", "code", True),
    ("script", "script", False),  # the code ends with it
    ("level", "resource_level", True),
    ("core", "core_dilemmas", True),
    ("all", "dilemmas", True),
    ("persona", "persona_sentences", True),
    ("suspect", "suspect", True),
    ("rejected", "rejected", True),
    ("stale", "stale", True),
    ("found", "findings", True),
    ("open", "open_findings", True),
    ("chrF++ median", "back_chrf_median", True),
    ("lowest", "back_chrf_lowest", True),
    ("BLEU", "back_bleu", False),
    ("chrF++ to reference", "reference_chrf", False),
)
_CSV_ONLY = ("core_total", "total", "instruction", "back_lines", "back_chrf", "chrf_signature", "bleu_signature")  # fmt: skip


@dataclass
class File:
    """A language's file: what was found, or why it cannot be read."""

    country: Country
    path: Path
    lines: list[CheckedLine]
    broken: str = ""
    faults: tuple[str, ...] = ()  # of the file as a whole
    scores: Scores | None = None
    scored: tuple[CheckedLine, ...] = ()  # the lines that `scores.lines` belongs to
    forward: Scores | None = None  # against the reference translations, of the lines that are none


def languages(content: Content, wanted: Sequence[str]) -> list[Country]:
    """A country for each language that is translated into, by resource level, then in the order of countries.yaml."""
    from auditkit.data import ENGLISH

    first: dict[str, Country] = {}
    for country in content.countries.values():
        if country.language != ENGLISH and (not wanted or country.language in wanted):
            first.setdefault(country.language, country)
    return sorted(first.values(), key=lambda country: ("high", "mid", "low").index(country.resource_level))


def read(country: Country, content: Content, translator: str | None = None) -> File:
    """A language's file, of one translator's lines or of all."""
    from auditkit.plan import SEND
    from auditkit.translate.checks import check_language

    path = content.translations_dir / f"{country.language}.jsonl"
    try:
        lines = check_language(country.language, content)
    except ContentError as error:  # the other languages are checked all the same
        return File(country, path, [], broken=str(error))
    if translator is not None:
        lines = [c for c in lines if c.line.translator.split(":")[0] == translator]
    faults = []
    usable = {c.line.kind for c in lines if c.line.status in SEND and not c.stale}
    if "dilemma" in usable and "instruction" not in usable:
        faults.append("no usable line of the instruction, so that no dilemma can be sent in this language")
    return File(country, path, lines, faults=tuple(faults))


def strangers(content: Content) -> list[str]:
    """Files that look like translations and belong to no language."""
    known = {country.language for country in content.countries.values()}
    return [
        f"{_shown(path)}: {path.stem!r} is no language of countries.yaml, so that nothing here is used"
        for path in sorted(content.translations_dir.glob("*.jsonl"))
        if path.stem not in known
    ]


def add_scores(files: Iterable[File], content: Content, *, needed: bool) -> bool:
    """Fill in the scores of the back-translations. False where there are some and sacrebleu is missing.

    Raises MissingExtra if it is missing and `needed`.
    """
    from auditkit.translate.score import REFERENCE, back_pair, reference_pair, references, score

    for file in files:
        others = any(c.line.translator != REFERENCE for c in file.lines)
        known = references(file.country.language, content) if others else {}
        forward = [pair for c in file.lines if not c.stale and (pair := reference_pair(c.line, known)) is not None]
        pairs = [(line, back_pair(line.line, content)) for line in file.lines if not line.stale]
        kept = [(line, pair) for line, pair in pairs if pair is not None]
        try:
            file.scores = score([pair for _, pair in kept]) if kept else None
            file.forward = score(forward) if forward else None
        except MissingExtra:
            if needed:
                raise
            return False
        file.scored = tuple(line for line, _ in kept)
    return True


def _shown(path: Path) -> str:
    """The path from here if it lies below, else the whole path."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(path)


def _name(line: CheckedLine) -> str:
    """What a line translates, in a word or two."""
    made = line.line
    return " ".join(part for part in (made.id, made.country) if part) or made.kind


# ----------------------------------------------------------------------------------------------------------- printing


def print_table(files: Sequence[File], content: Content, form: str) -> None:
    rows = [_row(file, content) for file in files]
    if form == "csv":
        head = [*(name for _, name, _ in _COLUMNS), *_CSV_ONLY]
        _print_csv([head, *([row[name] for name in head] for row in rows)])
        return
    core, total = rows[0]["core_total"], rows[0]["total"]
    shown = [(head, name) for head, name, narrow in _COLUMNS if narrow or form == "markdown"]
    heads = [{"core": f"of {core} core", "all": f"of {total}"}.get(head, head) for head, _ in shown]
    cells = [
        [row[name] or "-" if name.startswith(("back", "reference")) else row[name] for _, name in shown] for row in rows
    ]
    if form == "markdown":
        left = shown.index(("level", "resource_level"))
        _print_markdown([heads, *cells], right_from=left + 1)
        signature = next((row["chrf_signature"] for row in rows if row["chrf_signature"]), "")
        click.echo(f"\n{_legend(signature)}")
        return
    from auditkit.cli.render import console, table, visible

    out = console()
    figures = table(show_edge=False, collapse_padding=True)
    short = {
        f"of {core} core": "core",
        f"of {total}": "all",
        "persona": "pers.",
        "suspect": "susp.",
        "rejected": "rej.",
        "chrF++ median": "chrF++",
        "lowest": "low",
    }
    for heading, (_, name) in zip(heads, shown, strict=True):
        text = name in ("language", "autonym", "code", "resource_level")
        figures.add_column(short.get(heading, heading), justify="left" if text else "right", no_wrap=True)
    for row in cells:
        figures.add_row(*(visible(cell) for cell in row))
    out.print(figures)
    out.print(
        f"core, all: dilemmas that can be sent, of {core} and {total}; pers.: persona sentences",
        style="dim",
        highlight=False,
    )


def _legend(signature: str) -> str:
    """What the figures of the table count."""
    text = (
        "Dilemmas and persona sentences: those that can be sent. Suspect, rejected: lines by their stored status. Found: what the "
        "automatic checks find in lines that are not stale; open: of these, what the status does not tell yet. "
        "chrF++ median, lowest: of the stored back-translations against the English source, line by line; BLEU: of all of them "
        "together. chrF++ to reference: of the translations against the reference translations, all together."
    )
    return f"{text} Signature: `{signature}`." if signature else text


def _row(file: File, content: Content) -> dict[str, str]:
    """The figures of a language by their names in CSV; a score that is missing is empty."""
    from auditkit.plan import SEND

    lines, country, scores = file.lines, file.country, file.scores
    usable = [c.line for c in lines if c.line.status in SEND and not c.stale]
    dilemmas = {line.id for line in usable if line.kind == "dilemma"}
    core = {d.id for d in content.dilemmas.values() if d.core}
    figures: dict[str, object] = {
        "language": country.language_name,
        "autonym": country.autonym,
        "code": country.language,
        "script": country.script,
        "resource_level": country.resource_level,
        "core_dilemmas": len(dilemmas & core),
        "dilemmas": len(dilemmas),
        "persona_sentences": len({(line.id, line.country) for line in usable if line.kind == "persona"}),
        "suspect": sum(c.line.status == "suspect" for c in lines),
        "rejected": sum(c.line.status == "rejected" for c in lines),
        "stale": sum(c.stale for c in lines),
        "findings": sum(len(c.findings) for c in lines) + len(file.faults) + bool(file.broken),
        "open_findings": sum(len(c.open) for c in lines) + len(file.faults) + bool(file.broken),
        "core_total": len(core),
        "total": len(content.dilemmas),
        "instruction": "yes" if any(line.kind == "instruction" for line in usable) else "no",
        "back_lines": len(file.scored),
        "back_chrf_median": f"{scores.median:.1f}" if scores else "",
        "back_chrf_lowest": f"{scores.lowest:.1f}" if scores else "",
        "back_chrf": f"{scores.chrf:.1f}" if scores else "",
        "back_bleu": f"{scores.bleu:.1f}" if scores else "",
        "reference_chrf": f"{file.forward.chrf:.1f}" if file.forward else "",
        "chrf_signature": scores.chrf_signature if scores else "",
        "bleu_signature": scores.bleu_signature if scores else "",
    }
    return {name: str(value) for name, value in figures.items()}


def print_lines(files: Sequence[File], strangers: Sequence[str], form: str) -> None:
    """Every finding, its place and its reason; what the status tells already is named as known."""
    from auditkit.cli.render import visible

    rows: list[tuple[str, str, str, str, str]] = []  # file, line, id, severity, reason
    for file in files:
        path = _shown(file.path)
        if file.broken:
            rows.append((path, "", "", "broken", file.broken.removeprefix(f"{file.path}:")))
        rows.extend((path, "", "", "fault", fault) for fault in file.faults)
        for line in file.lines:
            if line.stale:
                reason = "stale: the English text has changed or is gone since this was translated"
                rows.append((path, str(line.number), _name(line), "stale", reason))
            for finding in line.findings:
                known = "" if finding in line.open else f" (known: status {line.line.status})"
                rows.append((path, str(line.number), _name(line), finding.severity, f"{finding}{known}"))
    if form == "text":
        for path, number, name, _, reason in rows:
            place = f"{path}:{number}" if number else path
            click.echo(visible(": ".join(part for part in (place, name, reason) if part)))
        for stranger in strangers:
            click.echo(visible(stranger))
        return
    rows += [(stranger.partition(": ")[0], "", "", "fault", stranger.partition(": ")[2]) for stranger in strangers]
    whole = [("file", "line", "id", "severity", "reason"), *rows]
    _print_csv(whole) if form == "csv" else _print_markdown(whole)


def print_weakest(files: Sequence[File], content: Content, count: int, form: str) -> None:
    """The lines of each language with the lowest chrF++, source and back-translation side by side."""
    from auditkit.translate.score import back_pair

    rows: list[tuple[str, str, str, str, str, str, str]] = []
    for file in files:
        if file.scores is None:
            continue
        ranked = sorted(zip(file.scores.lines, file.scored, strict=True), key=lambda pair: pair[0].chrf)
        for found, line in ranked[:count]:
            pair = back_pair(line.line, content)
            assert pair is not None
            place = str(line.number)
            rows.append(
                (file.country.language, place, _name(line), line.line.status, f"{found.chrf:.1f}", pair[1], pair[0])
            )
    if not rows:
        click.echo("no line with a back-translation", err=True)
        return
    heads = ("code", "line", "id", "status", "chrF++", "source", "back-translation")
    if form == "csv":
        _print_csv([heads, *rows])
    elif form == "markdown":
        _print_markdown([heads, *rows])
    else:
        _print_weakest_text(rows)


def _print_weakest_text(rows: Sequence[tuple[str, str, str, str, str, str, str]]) -> None:
    from rich.text import Text

    from auditkit.cli.render import console, table, visible

    out = console()
    for code in dict.fromkeys(row[0] for row in rows):
        shown = table(f"{code}.jsonl", show_lines=True, expand=True)
        shown.add_column("id, line", no_wrap=True)
        shown.add_column("chrF++", justify="right", no_wrap=True)
        shown.add_column("source", ratio=1, overflow="fold")
        shown.add_column("back-translation", ratio=1, overflow="fold")
        for _, number, name, status, chrf, source, back in (row for row in rows if row[0] == code):
            shown.add_row(f"{name}\nline {number}\n{status}", chrf, Text(visible(source)), Text(visible(back)))
        out.print(shown)


def _print_csv(rows: Iterable[Sequence[str]]) -> None:
    import csv
    import io

    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    click.echo(stream.getvalue(), nl=False)


def _print_markdown(rows: Sequence[Sequence[str]], right_from: int | None = None) -> None:
    """A table whose first row is its head; columns from `right_from` on are numbers."""
    from auditkit.cli.render import visible

    width = len(rows[0])
    rule = ["---:" if right_from is not None and i >= right_from else "---" for i in range(width)]
    for row in (rows[0], rule, *rows[1:]):
        cells = (visible(cell).replace("|", "\\|").replace("\n", " ") for cell in row)
        click.echo(f"| {' | '.join(cells)} |")


def verdict(files: Sequence[File], strangers: Sequence[str], *, quiet: bool) -> int:
    """The exit code, and the closing line: on stderr if stdout is for a program or a paper."""
    broken = [file for file in files if file.broken]
    stale = sum(line.stale for file in files for line in file.lines)
    found = sum(len(file.faults) + sum(len(c.open) for c in file.lines) for file in files) + len(strangers)
    known = sum(len(c.findings) - len(c.open) for file in files for c in file.lines)
    present = sum(bool(file.lines) for file in files)
    count = sum(len(file.lines) for file in files)
    parts = [
        f"{number} {word}"
        for number, word in ((len(broken), "broken"), (found, "to mend or to mark (see --lines)"), (stale, "stale"))
        if number
    ]
    noted = f" ({known} known by status)" if known else ""
    for file in broken:
        click.echo(f"auditkit: {file.broken}", err=True)
    for file in files:
        for fault in file.faults:
            click.echo(f"auditkit: {_shown(file.path)}: {fault}", err=True)
    for stranger in strangers:
        click.echo(f"auditkit: {stranger}", err=True)
    summary = (
        f"{_many(count, 'line')} in {_many(present, 'language')} of {len(files)}: {', '.join(parts) or 'clean'}{noted}"
    )
    click.secho(summary, bold=True, fg="yellow" if parts else None, err=quiet)
    return 2 if broken else 1 if parts else 0


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
