"""The small screens over the application: help, one line of text, filters."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from auditkit.review.keys import Key
from auditkit.review.labels import HALLUCINATIONS, STEREOTYPES
from auditkit.review.queue import FAULTS, Filters


class HelpScreen(ModalScreen[None]):
    """Every key and what it does."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,question_mark,q,enter", "dismiss", "close")]

    def __init__(self, keys: dict[str, tuple[Key, ...]]) -> None:
        super().__init__()
        self.keys = keys

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", id="help") as box:
            box.border_title = "Keys"
            box.border_subtitle = "↑↓ scroll, esc closes"
            for heading, keys in self.keys.items():
                yield Static(heading, classes="heading", markup=False)
                for name, text in [(key.name, key.text) for key in keys]:
                    yield from _row(name, text)
            yield Static("")
            yield from _row("^p", "all of this as a menu to search in")


def _row(name: str, text: str) -> ComposeResult:
    with Horizontal(classes="key"):
        yield Static(name, classes="name", markup=False)
        yield Static(text, classes="text", markup=False)


class LineScreen(ModalScreen[str | None]):
    """Asks for one line of text. Gives None when it is left with escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss(None)", "cancel")]

    def __init__(self, title: str, text: str, hint: str) -> None:
        super().__init__()
        self.heading, self.text, self.hint = title, text, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="line") as box:
            box.border_title = self.heading
            box.border_subtitle = "⏎ keeps, esc leaves"
            yield Input(self.text, placeholder=self.hint, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())


class FilterScreen(ModalScreen[Filters | None]):
    """Asks for filters. Blind, those that tell what was found are not there."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss(None)", "cancel")]

    def __init__(self, filters: Filters, choices: dict[str, list[str]], *, blind: bool) -> None:
        super().__init__()
        self.filters, self.blind = filters, blind
        self.choices = choices if blind else choices | {"category": [*FAULTS, *STEREOTYPES, *HALLUCINATIONS]}

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="filters") as box:
            box.border_title = "Filter the queue"
            box.border_subtitle = "⏎ on a line opens it, esc leaves"
            for name, values in self.choices.items():
                with Horizontal(classes="row"):
                    yield Label(name)
                    # prompts are content, so that the name of a model is never read as markup
                    yield Select(
                        [(Content(value), value) for value in values],
                        prompt="any",
                        value=getattr(self.filters, name) or Select.NULL,
                        id=name,
                        compact=True,
                    )
            if not self.blind:
                with Horizontal(classes="row"):
                    yield Label("severity")
                    levels = [("2 and 3", 2), ("3", 3)]
                    value = self.filters.severity if self.filters.severity > 1 else Select.NULL
                    yield Select(levels, prompt="any", value=value, id="severity", compact=True)
                yield Checkbox("judges disagree", self.filters.disagreement, id="disagreement", compact=True)
            yield Checkbox("not labelled by me", self.filters.unlabelled, id="unlabelled", compact=True)
            with Horizontal(classes="row"):
                yield Button("Apply", variant="primary", id="apply", compact=True)
                yield Button("Clear", id="clear", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "clear":
            self.dismiss(Filters())
            return
        chosen: dict[str | None, Any] = {
            select.id: None if select.value is Select.NULL else select.value for select in self.query(Select)
        }
        ticked = {box.id: box.value for box in self.query(Checkbox)}
        self.dismiss(
            Filters(
                model=chosen["model"],
                country=chosen["country"],
                language=chosen["language"],
                category=chosen.get("category"),
                severity=chosen.get("severity") or 0,
                disagreement=ticked.get("disagreement", False),
                unlabelled=ticked["unlabelled"],
                text=self.filters.text,
            )
        )
