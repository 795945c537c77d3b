"""`auditkit import labels`: what reviewers said outside of the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditkit.cli.common import db_option


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reviewer", metavar="NAME", help="Whose labels they are; default: as the file says.")
@click.option("--adjudicator", is_flag=True, help="They settle what other reviewers differ in.")
@db_option
def labels(**options: Any) -> int:
    """Add the labels of a review sheet (`auditkit review --html`) to the database.

    All or none: a label that the codebook does not know, or of a reply that is not here, is named and nothing is written.
    The same file read twice adds nothing. A run may go on meanwhile.

    \b
      auditkit import labels labels-ann.json
      auditkit import labels labels.csv --reviewer ben
    """  # noqa: D301
    from rich.text import Text

    from auditkit.cli.render import console
    from auditkit.review.labels_file import import_labels
    from auditkit.store import Store

    with Store.annotate(options["db"]) as store:
        done = import_labels(
            store,
            options["file"],
            reviewer=options["reviewer"],
            role="adjudicator" if options["adjudicator"] else "rater",
        )
    known = f"; {done.known:,} were here already" if done.known else ""
    console().print(
        Text(f"{done.new:,} labels on {done.replies:,} replies by {', '.join(done.reviewers)}{known}"), highlight=False
    )
    return 0
