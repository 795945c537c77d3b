"""Draws the pictures of the report page from made-up findings: `python docs/make_report_screens.py`. Needs Chromium and aiohttp."""

from __future__ import annotations

import asyncio
import base64
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import browser  # noqa: E402
import report_fixture  # noqa: E402

from auditkit.report import bibliography, figures, page, prose, tables  # noqa: E402

# name, width, scheme, section, how far below its top, height
PICTURES = (
    ("found-desktop-light", 1400, "light", "found", 0, 1000),
    ("alignment-desktop-light", 1400, "light", "alignment", 0, 1700),
    ("culture-desktop-dark", 1400, "dark", "culture", 0, 1500),
    ("alignment-desktop-dark", 1400, "dark", "alignment", 0, 1700),
    ("found-phone-light", 390, "light", "found", 0, 1300),
    ("alignment-phone-light", 390, "light", "alignment", 700, 1700),
    ("validity-phone-dark", 390, "dark", "validity", 0, 1500),
)


async def photograph(path: Path, folder: Path) -> None:
    """One file docs/img/report-<name>.png a picture."""
    for name, width, scheme, section, below, height in PICTURES:
        async with browser.opened(path, folder / name, width, scheme, scale=1.5 if width < 600 else 1) as tab:
            where = f"document.getElementById({section!r}).getBoundingClientRect().top + window.scrollY"
            top = (await tab.ask("Runtime.evaluate", expression=where))["result"]["value"] - 12 + below
            clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
            shot = await tab.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        (HERE / "img" / f"report-{name}.png").write_bytes(base64.b64decode(shot["data"]))


def main() -> None:
    """A whole report of two models that do not exist, photographed."""
    found = report_fixture.made_up()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "tables").mkdir()
        tables.write(found, folder / "tables")
        bibliography.write(folder, found)
        drawn = figures.draw(found, folder / "figures")
        references = (folder / "references.bib").read_text(encoding="utf-8")
        page.write(found, drawn, folder / "index.html", prose.methods(found), references)
        asyncio.run(photograph(folder / "index.html", folder))


if __name__ == "__main__":
    main()
