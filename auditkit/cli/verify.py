"""`auditkit verify` and `auditkit why`: keys can be derived again."""

from __future__ import annotations

import json
from typing import Any

import click

from auditkit.cli.common import db_option


@click.command()
@db_option
def verify(**options: Any) -> int:
    """Derive every request key again, and check the file's integrity and references. Exit code 1 if something does not hold."""
    from auditkit.cli.render import console
    from auditkit.store import Store
    from auditkit.verify import check

    out = console()
    with Store.read(options["db"]) as store:
        faults = 0
        for name, count, wrong in check(store):
            faults += len(wrong)
            out.print(f"{'ok ' if not wrong else 'BAD'} {name}: {count:,}", highlight=False)
            for line in wrong[:10]:
                out.print(f"    {line}", highlight=False, markup=False)
    out.print("clean" if not faults else f"{faults} faults", style="bold")
    return 1 if faults else 0


@click.command()
@click.argument("first")
@click.argument("second")
@db_option
def why(**options: Any) -> int:
    """Why two requests (by their keys, or the beginnings of them) are not the same: prints the fields that differ."""
    from auditkit.cli.render import console, table, visible
    from auditkit.store import Store
    from auditkit.verify import differences

    out = console()
    with Store.read(options["db"]) as store:
        rows = differences(store, options["first"], options["second"])
    if not rows:
        out.print("the same request")
        return 0
    shown = table()
    for name in ("field", options["first"][:24], options["second"][:24]):
        shown.add_column(name, overflow="fold")
    from rich.text import Text

    for field, left, right in rows:
        shown.add_row(
            Text(field),
            Text(visible(json.dumps(left, ensure_ascii=False), 400)),
            Text(visible(json.dumps(right, ensure_ascii=False), 400)),
        )
    out.print(shown)
    return 0
