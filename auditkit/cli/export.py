"""`auditkit export`: the tables behind a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditkit.cli.common import db_option, edition_option, names, run_option


@click.command()
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder to write into; made if need be.",
)
@click.option("--all", "every", is_flag=True, help="Every run of the database, in the same files.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    help="Of the answers: csv, parquet, jsonl. Can be repeated; default: csv, and parquet where pyarrow is installed.",
)
@click.option("--judge", "judge_name", metavar="NAME", help="Rows by this stance judge only (its name, or its key).")
@run_option
@edition_option
@db_option
def export(**options: Any) -> int:
    """Write a run as tables: answers (a row a cell and judge), counts, every call, a data dictionary and the manifest.

    Reads only, so a run may go on meanwhile: all files show the same moment.

    \b
      auditkit export --to out/
      auditkit export --to out/ --format jsonl --judge rules
      auditkit export --to out/ --all
    """  # noqa: D301
    from rich.text import Text

    from auditkit.cli.render import console, table
    from auditkit.errors import AuditError
    from auditkit.export.write import export as write
    from auditkit.export.write import has_pyarrow
    from auditkit.store import Store

    if options["every"] and options["run_name"]:
        raise AuditError("--run and --all contradict each other; give one of them")
    err = console(stderr=True)
    formats = [name.lower() for name in names(options["formats"])]
    if not formats:
        formats = ["csv", "parquet"] if has_pyarrow() else ["csv"]
        if len(formats) == 1:
            err.print(Text('no Parquet without pyarrow: pip install "auditkit[export]"'), style="yellow")
    with Store.read(options["db"]) as store:
        done = write(
            store,
            options["to"],
            run=options["run_name"],
            every=options["every"],
            formats=formats,
            judge=options["judge_name"],
            edition=options["edition"],
        )
    shown = table()
    shown.add_column("file", overflow="fold")
    shown.add_column("rows", justify="right")
    shown.add_column("bytes", justify="right")
    for file in done.files:
        shown.add_row(Text(str(file.path)), "" if file.rows is None else f"{file.rows:,}", f"{file.size:,}")
    console().print(shown)
    waiting = sum(total["not answered"] for total in done.states.values())
    if waiting:
        err.print(f"{waiting:,} rows have no reply yet: the run is not finished", style="yellow", highlight=False)
    for name in done.stale:
        err.print(Text(f"{name} there is of an earlier export, not of this one"), style="yellow")
    return 0
