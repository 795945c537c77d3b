"""The terminal application: themes, the command palette, the browser, and the screen it starts with."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.screen import Screen
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.binding import BindingType

# every colour has a mark, a letter or a number beside it; blue and orange stay apart under every kind of colour blindness
DARK = Theme(
    name="auditkit-dark", dark=True, primary="#56b4e9", secondary="#8ecae6", accent="#f2b134", warning="#f2b134",
    error="#ff8c69", success="#5fd3a5", foreground="#e6e6e6", background="#101317", surface="#101317", panel="#1c2128",
    variables={"quiet": "#98a2ad", "line": "#3a424d"},
)  # fmt: skip
LIGHT = Theme(
    name="auditkit-light", dark=False, primary="#0063a3", secondary="#00507f", accent="#8a4b00", warning="#8a4b00",
    error="#a8320a", success="#00684a", foreground="#1a1a1a", background="#fbfbf9", surface="#fbfbf9", panel="#e9e9e4",
    variables={"quiet": "#5c6166", "line": "#b9b9b2"},
)  # fmt: skip


class ReviewApp(App[None]):
    """Opens on a screen that `first` makes: of replies, or of translations."""

    CSS_PATH = "app.tcss"
    TITLE = "auditkit review"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (140, "-wide")]  # noqa: RUF012  (Textual declares it so)
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+c", "quit", "quit")]

    def __init__(self, first: Callable[[], Screen[None]]) -> None:
        super().__init__()
        self._first = first
        self._pages = tempfile.TemporaryDirectory(prefix="auditkit-review-")
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name

    def on_mount(self) -> None:
        self.push_screen(self._first())

    def on_unmount(self) -> None:
        self._pages.cleanup()

    def turn_theme(self) -> None:
        self.theme = LIGHT.name if self.theme != LIGHT.name else DARK.name

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key of the screen, by what it does; then Textual's own."""
        for key in getattr(screen, "KEYS", ()):
            if key.action != "press('0')":
                yield SystemCommand(key.text.capitalize(), f"key {key.name}", partial(screen.run_action, key.action))
        yield from super().get_system_commands(screen)

    def browse(self, page: str) -> None:
        """Show a page in the browser, or say where it lies where there is none that leaves the terminal alone."""
        path = Path(self._pages.name) / "transcript.html"
        path.write_text(page, encoding="utf-8")
        if graphical() and webbrowser.open(path.as_uri()):
            self.notify("Opened in the browser.", markup=False)
        else:
            self.notify(f"{path} (kept until you quit)", title="Open this page", timeout=20, markup=False)


def graphical() -> bool:
    """Whether a browser has a screen of its own; a text browser would write over the application."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
