"""Draws the picture of the README from a real database: `python docs/make_screens.py auditkit.db`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from auditkit.cli.render import print_summary
from auditkit.store import Store
from auditkit.summary import summarise

TARGET = Path(__file__).parent / "img" / "run.svg"


def main() -> None:
    """The closing table of the latest run, as SVG."""
    drawn = Console(record=True, width=118, emoji=False, force_terminal=True, file=io.StringIO())
    with Store.read(Path(sys.argv[1])) as store:
        print_summary(drawn, summarise(store, store.latest_run()["run_id"]))
    svg = drawn.export_svg(title="auditkit run --dimension individualism --mode multilingual --limit 70")
    # a web font would make a picture in a README ask the network; the reader's own monospace does
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(re.sub(r"<!--.*?-->", "", svg), encoding="utf-8")


if __name__ == "__main__":
    main()
