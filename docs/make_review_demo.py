"""Draws the pictures of `auditkit review` from a real session: `python docs/make_review_demo.py`.

A scripted model answers four dilemmas for seven countries; two reviewers label, one settles what they differ in, and a doubted
translation is mended. Keys go to the real application; each picture is the screen after them. With --play the same is typed into
tmux, in a terminal, to be watched.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from review_pilot import running  # noqa: E402
from review_stores import make_db  # noqa: E402

from auditkit.data import load_content  # noqa: E402
from auditkit.review.app import ReviewApp  # noqa: E402
from auditkit.review.labels import FIELDS, Labels  # noqa: E402
from auditkit.review.queue import Filters, Scope  # noqa: E402
from auditkit.review.screens import ReviewScreen  # noqa: E402
from auditkit.review.session import Session  # noqa: E402
from auditkit.review.translation_screen import TranslationScreen  # noqa: E402
from auditkit.review.translations import lines_to_review  # noqa: E402
from auditkit.store import Store  # noqa: E402

IMAGES = ROOT / "docs" / "img"
PLAIN = ("1", "full_stop", "enter")  # a reply with nothing to mark
PLAY = ("2", "1", "1", "5", "5", "Tab", "0", "0", "v", "]", "c", "Enter", "?", "Escape", "l", "l", "q")


def picture(app: ReviewApp, name: str) -> None:
    """The screen as SVG; a web font would make a picture in a README ask the network."""
    svg = re.sub(r"@font-face \{.*?\}", "", app.export_screenshot(simplify=True), flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "monospace").replace("font-family: Fira Code", "font-family: monospace")
    (IMAGES / f"review-{name}.svg").write_text(re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL), encoding="utf-8")


async def replies(db: Path, name: str, *keys: str, size: tuple[int, int] = (128, 34), **scope: Any) -> None:
    """Keys on the review screen, then its picture."""
    ticks = iter(range(0, 10**6, 3))
    with Store.annotate(db) as store:
        scope = {"reviewer": "ann", "fields": FIELDS, **scope}
        made = Scope(store.latest_run()["run_id"], **scope)
        session = Session(store, made, Filters(), clock=lambda: float(next(ticks)))
        async with running(lambda: ReviewScreen(session), size) as pilot:
            await pilot.press(*keys)
            await pilot.pause(0.2)
            picture(pilot.app, name)


async def translations(folder: Path) -> None:
    """A doubted German line of the shipped translations, under review."""
    target = folder / "translations"
    target.mkdir()
    rows = [
        json.loads(row) for row in (ROOT / "translations" / "deu_Latn.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for row in rows:
        if row.get("id") in {"ind-01", "ind-02", "ind-03"}:
            row.update(
                status="suspect", checks={"why": "one reading found the second sentence harder than the English"}
            )
    (target / "deu_Latn.jsonl").write_text(
        "\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8"
    )
    content = load_content(translations=target)
    lines = lines_to_review(content, [])
    async with running(lambda: TranslationScreen(lines, content, "ann"), (128, 34)) as pilot:
        await pilot.press("a")
        await pilot.pause(0.2)
        picture(pilot.app, "translations")


def disagree(db: Path) -> None:
    """A second reviewer who reads three replies otherwise."""
    with Store.annotate(db) as store:
        keys = [row[0] for row in store.rows("select request_key from replies where text like 'Zut%' order by 1")]
        for key in keys[:3]:
            for reviewer, value in (("ann", "caricature_speech:2,mock_accent:3"), ("ben", "mock_accent:2")):
                Labels(store, reviewer).write(key, "stereotype", value, blind=True)


def draw() -> None:
    """Every picture of the README and of docs/review.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = make_db(folder)
        asyncio.run(replies(db, "blind", *PLAIN * 3, "2", "1", "1"))
        asyncio.run(replies(db, "open", "2", "1", "2", "2", "3", "3", "3", "tab", "0", "1", "c", "]", blind=False))
        asyncio.run(replies(db, "light", "l", "j", "1", "full_stop", blind=False, reviewer="dee"))
        asyncio.run(replies(db, "small", "2", size=(80, 24), reviewer="eve"))
        asyncio.run(replies(db, "help", "question_mark", size=(100, 40), reviewer="eve"))
        disagree(db)
        asyncio.run(replies(db, "adjudicate", reviewer="cleo", role="adjudicator"))
        asyncio.run(translations(folder))


def play() -> None:
    """Type the keys into the real command in tmux, a second apart; `tmux attach -t auditkit-review` shows it."""
    with tempfile.TemporaryDirectory() as name:
        db = make_db(Path(name))
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from auditkit.cli.review import review; review()"
        command = [sys.executable, "-c", code, "--db", str(db), "--reviewer", "ann"]
        session = ["tmux", "new-session", "-d", "-s", "auditkit-review", "-x", "128", "-y", "34"]
        subprocess.run([*session, *command], check=True)
        time.sleep(4)
        for key in PLAY:
            subprocess.run(["tmux", "send-keys", "-t", "auditkit-review", key], check=True)
            time.sleep(1)
            shown = subprocess.run(
                ["tmux", "capture-pane", "-p", "-t", "auditkit-review"], check=False, capture_output=True
            )
            sys.stdout.buffer.write(b"\f" + shown.stdout)
        with Store.read(db) as store:
            print(f"{store.value('select count(*) from labels')} labels stored")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--play", action="store_true", help="type into tmux instead of drawing")
    play() if parser.parse_args().play else draw()
