"""Draws the pictures of the README from a real database: `python docs/make_screens.py auditkit.db`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from auditkit.cli.render import print_summary
from auditkit.store import Store
from auditkit.summary import summarise

ROOT = Path(__file__).parent


def main() -> None:
    """The closing table of the latest run, as SVG."""
    drawn = Console(record=True, width=118, emoji=False, force_terminal=True)
    with Store.read(Path(sys.argv[1])) as store:
        print_summary(drawn, summarise(store, store.latest_run()["run_id"]))
    (ROOT / "img").mkdir(exist_ok=True)
    drawn.save_svg(
        str(ROOT / "img" / "run.svg"), title="auditkit run --dimension individualism --mode multilingual --limit 70"
    )


if __name__ == "__main__":
    main()
