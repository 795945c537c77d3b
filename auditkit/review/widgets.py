"""Panels that take the mouse and leave the keys to their screen."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.widgets import OptionList


class Lines(OptionList, can_focus=False):
    """A list of lines."""


class Pane(VerticalScroll, can_focus=False):
    """A pane that scrolls."""
