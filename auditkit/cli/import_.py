"""`auditkit import`: replies and labels that were made elsewhere, into the same store."""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auditkit.cli.common import content_options, db_option, load
from auditkit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.importers.layout import Layout
    from auditkit.importers.survey import Survey

F = TypeVar("F", bound="Callable[..., Any]")

_LABELS = "auditkit.cli.import_labels"  # brings its own command object, `labels`


class _Group(click.Group):
    """A group with one command of another module, which is imported only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *(["labels"] if importlib.util.find_spec(_LABELS) else [])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "labels" and importlib.util.find_spec(_LABELS):
            command: click.Command = importlib.import_module(_LABELS).labels
            return command
        return super().get_command(ctx, cmd_name)


def _shared(command: F) -> F:
    """Options of every import of replies."""
    for option in (
        db_option,
        content_options,
        click.option("--skip-bad", is_flag=True, help="Leave out rows that cannot be read, and count them; a label that means nothing is kept as none."),
        click.option("--skip-unknown", is_flag=True, help="Leave out rows of countries that the country table does not have, and count them."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group(name="import", cls=_Group)
def import_() -> None:
    """Bring replies and labels that were made elsewhere into the database, where every other command works on them.

    An import is all or nothing: rows that cannot be taken are named, and stop it, unless you say that they may be left out.
    The same files again are the same run. docs/import.md has the details.
    """


@import_.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    metavar="NAME",
    help="The model of all these files; default: by path, as in results/MODEL/personas/FILE.csv.",
)
@click.option(
    "--mode",
    type=click.Choice(["baseline", "persona", "multilingual"]),
    help="How the country came in; default: by columns and path.",
)
@click.option("--dimension", metavar="NAME", help="The dimension; default: by the pair of Expected_ columns.")
@_shared
def kharchenko(**options: Any) -> int:
    """The tables published with Kharchenko, Roosta, Chadha and Shah (2024), plain or gzipped.

    The authors' labels become the judge `published`. Give all files of a study in one command: that joins their dilemmas.

    \b
      auditkit import kharchenko results/*/personas/*.csv results/*/multilingual/*.csv
      auditkit import kharchenko mas.csv --model llama3
    """  # noqa: D301
    from auditkit.importers.kharchenko import Kharchenko
    from auditkit.importers.layout import Table

    content = load(options["prompts"], options["personas"], options["translations"])
    tables = {table.digest: table for table in map(Table.open, options["files"])}
    layout = Kharchenko(content, list(tables.values()), options["model"], options["mode"], options["dimension"])
    twice = len(options["files"]) - len(tables)
    return _bring_in(
        layout, content, options, [f"{twice} of the files were given twice; each is read once"] if twice else []
    )


@import_.command(name="csv")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--map", "map_path", type=click.Path(path_type=Path), metavar="MAP.TOML", help="Which column holds what.")
@click.option("--example", is_flag=True, help="Print a map to start from.")
@_shared
def csv_(**options: Any) -> int:
    """Any long table, a row a reply or a label: a map says which column holds what.

    \b
      auditkit import csv --example > map.toml
      auditkit import csv replies.csv --map map.toml
    """  # noqa: D301
    from auditkit.importers.layout import Table
    from auditkit.importers.long_table import LongTable, Map, example

    if options["example"]:
        click.echo(example(), nl=False)
        return 0
    if options["file"] is None or options["map_path"] is None:
        raise AuditError("give a table and --map MAP.TOML; `auditkit import csv --example` prints a map to start from")
    content = load(options["prompts"], options["personas"], options["translations"])
    map_ = Map.read(options["map_path"])
    return _bring_in(LongTable(content, Table.open(options["file"]), map_), content, options, [])


def _bring_in(layout: Layout, content: Any, options: dict[str, Any], notes: list[str]) -> int:
    """Look through everything, write it, and say what came in."""
    from auditkit.cli.render import console
    from auditkit.importers.survey import survey
    from auditkit.importers.write import run_id, write
    from auditkit.store import Store

    skip = {"skip_unknown": options["skip_unknown"], "skip_bad": options["skip_bad"]}
    with console(stderr=True).status("looking through the rows"):
        found = survey(layout, content, **skip)
    found.notes[:0] = notes
    name = run_id(layout, found)
    with Store.open(options["db"]) as store, console(stderr=True).status("writing"):
        new = write(store, layout, found, content, name, "auditkit " + shlex.join(sys.argv[1:]))
    _report(layout, found, len(content.countries), name, new=new)
    return 0


def _report(layout: Layout, found: Survey, n_countries: int, name: str, *, new: bool) -> None:
    from rich.text import Text

    from auditkit.cli.render import console, table, visible

    out, err = console(), console(stderr=True)
    shown = table("What came in" if new else "Nothing new: these files, read in this way, are in the database")
    for column in ("model", "mode", "dimension"):
        shown.add_column(column, overflow="fold", no_wrap=column != "model")
    for column in ("replies" if layout.has_replies else "labels", "countries", "dilemmas", "samples", "1st pole", "2nd pole", "other", "unlabelled"):  # fmt: skip
        shown.add_column(column, justify="right")
    for (model, mode, dimension), group in sorted(found.groups.items()):
        labels = [group.outcomes["first"], group.outcomes["second"], 0, group.outcomes["unlabelled"]]
        labels[2] = group.outcomes.total() - sum(labels)
        shown.add_row(
            *[Text(visible(n)) for n in (model, mode, dimension)],
            f"{group.rows:,}",
            f"{len(group.countries)} of {n_countries}" if group.countries else "-",
            f"{len(group.items):,}",
            f"{group.samples:,}",
            *[f"{n:,}" if layout.has_labels else "-" for n in labels],
        )
    out.print(shown)
    read = sum(found.rows.values())
    files = f"{len(layout.tables)} files" if len(layout.tables) != 1 else "1 file"
    out.print(f"{read:,} rows of {files} read, {found.cells:,} cells", highlight=False)
    lines = [
        f"{t.path.name}: {t.mended:,} bytes are no UTF-8, and were read as Windows-1252"
        for t in layout.tables
        if t.mended
    ]
    lines += [f"left out of {file}: {n:,} rows, {why}" for (file, why), n in found.left_out.items()]
    lines += [f"kept without a label, {file}: {n:,} rows, {why}" for (file, why), n in found.troubles.items()]
    for line in [*lines, *found.notes]:
        err.print(Text(f"! {visible(line)}"), style="yellow")
    short = name.removeprefix("r1:")[:8]
    out.print(Text(f"\nrun {name}", style="dim"))
    steps = ["status", "report --to out/", "export --to out/"]
    if layout.has_replies:
        steps += ["judge --judge rules", "detect"]
    else:
        out.print("The replies were not published, so there is nothing for a judge or the detector to read.")
    for step in steps:
        out.print(Text(f"  auditkit {step} --run {short}"))
