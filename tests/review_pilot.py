"""Driving the application in tests and in the recorded demonstration, and reading what is on its screen."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from auditkit.review.app import ReviewApp
from auditkit.review.labels import FIELDS
from auditkit.review.queue import Filters, Scope
from auditkit.review.screens import ReviewScreen
from auditkit.review.session import Session
from auditkit.store import Store

_TEXT = re.compile(r'<text [^>]*?x="([\d.]+)"[^>]*?clip-path="url\(#[^)]*?-line-(\d+)\)"[^>]*>(.*?)</text>', re.DOTALL)
_CELL = 12.2  # width of a cell in the exported picture


def screen_text(app: ReviewApp) -> str:
    """The characters on the screen, line by line: what a picture shows, less its colours."""
    lines: dict[int, str] = {}
    for x, line, text in _TEXT.findall(app.export_screenshot()):
        before = lines.get(int(line), "")
        column = round(float(x) / _CELL)
        lines[int(line)] = before.ljust(column) + html.unescape(text).replace("\xa0", " ")
    return "\n".join(lines[line].rstrip() for line in sorted(lines)) + "\n"


@contextlib.asynccontextmanager
async def running(first: Callable[[], Screen[None]], size: tuple[int, int]) -> AsyncIterator[Pilot[None]]:
    """The application on a screen of this size, with its first picture drawn and its workers done."""
    async with ReviewApp(first).run_test(size=size, notifications=True) as pilot:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        yield pilot


def review(
    db: Path,
    act: Callable[[Pilot[None], Session], Awaitable[Any]],
    *,
    size: tuple[int, int] = (140, 40),
    filters: Filters = Filters(),  # noqa: B008
    **scope: Any,
) -> Any:
    """Open the review screen on a database, let `act` press keys, and give back what it returns. Time stands still."""

    async def drive() -> Any:
        with Store.annotate(db) as store:
            made = Scope(
                store.latest_run()["run_id"], scope.pop("reviewer", "ann"), scope.pop("fields", FIELDS), **scope
            )
            session = Session(store, made, filters, clock=lambda: 0.0)
            async with running(lambda: ReviewScreen(session), size) as pilot:
                return await act(pilot, session)

    return asyncio.run(drive())
