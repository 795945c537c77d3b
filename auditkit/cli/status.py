"""`auditkit status`: where a run stands."""

from __future__ import annotations

from typing import Any

import click

from auditkit.cli.common import check_run_edition, cut_off, db_option, edition_option, run_option


@click.command()
@click.option("--judge", "judge_name", metavar="NAME", help="Show the figures by this judge only.")
@click.option("--upgrade", is_flag=True, help="Bring a database of an older auditkit up to date first.")
@run_option
@edition_option
@db_option
def status(**options: Any) -> int:
    """Where a run stands, and what it found so far. Reads only, so a run may go on meanwhile."""
    from auditkit.cli.render import console, print_summary, visible
    from auditkit.errors import AuditError, unknown
    from auditkit.store import Store
    from auditkit.summary import judge_names, summarise

    if options["upgrade"]:
        if not options["db"].is_file():
            raise AuditError(f"{options['db']}: no such database")
        Store.open(options["db"]).close()
    with Store.read(options["db"]) as store:
        found = store.latest_run(options["run_name"])
        run_id = found["run_id"]
        check_run_edition(found, options["edition"])
        known = judge_names(store, run_id)
        if options["judge_name"] and options["judge_name"] not in [
            *known,
            *known.values(),
            *(n.split(" (")[0] for n in known.values()),
        ]:
            raise unknown("judge", options["judge_name"], known.values())
        summary = summarise(store, run_id, options["edition"], options["judge_name"])
        pending = sum(
            row["n"] for row in store.rows("select count(*) as n from pending_judge where run_id = ?", (run_id,))
        )
    print_summary(console(), summary)
    if summary.left or pending:
        console().print(
            f"{summary.left} requests left to ask, {pending} readings left to judge", style="yellow", highlight=False
        )
    part = cut_off(dict(found))
    if part:
        console().print(visible(part), style="yellow", highlight=False, markup=False)
    return 1 if summary.left or pending or part else 0
