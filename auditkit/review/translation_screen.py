"""The screen for translations: the suspect lines, one beside its source and back-translation, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Label, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from auditkit.data import Content as Bank
from auditkit.data import Translation
from auditkit.errors import AuditError
from auditkit.review.dialogs import HelpScreen, LineScreen
from auditkit.review.keys import TRANSLATING, TRANSLATION_HELP, Key, bindings
from auditkit.review.sheet import translation_page
from auditkit.review.transcript import one_line, right_to_left, shown
from auditkit.review.translations import Decision, Line, decide, edited, findings, parts, replace_line, source_parts
from auditkit.review.widgets import Lines, Pane

if TYPE_CHECKING:
    from auditkit.review.app import ReviewApp

_MARKS = {"accepted": ("✓", "$success"), "edited": ("✎", "$success"), "rejected": ("✗", "$error")}


class TranslationScreen(Screen[None]):
    """One translated line after the other; a decision is in the file before the next line shows."""

    KEYS: ClassVar[tuple[Key, ...]] = TRANSLATING
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(TRANSLATING)]

    app: ReviewApp

    def __init__(self, lines: list[Line], bank: Bank, reviewer: str) -> None:
        super().__init__()
        self.lines, self.bank, self.reviewer = lines, bank, reviewer
        self.now = [line.made for line in lines]  # as each stands in its file
        self.at = 0
        self.note = ""
        self._done: list[tuple[int, Translation]] = []

    def compose(self) -> ComposeResult:
        with Horizontal(id="top"):
            yield Static(id="where", markup=False)
            yield Static(id="progress", markup=False)
        with Horizontal(id="body"):
            yield Lines(id="queue", compact=True, markup=False)
            with Pane(id="middle"):
                yield Static(id="transcript", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        queue = self.query_one("#queue", Lines)
        queue.border_title = "Lines"
        queue.set_options([Option(self._line(place)) for place in range(len(self.lines))])
        self._show()

    # ----------------------------------------------------------------------------------------------------- showing

    def _line(self, place: int) -> Content:
        line, made = self.lines[place], self.now[place]
        mark, style = _MARKS.get(made.status, ("·", "$quiet"))
        return Content.assemble((f"{mark} ", style), f"{line.name} ", (line.lang, "$quiet"))

    def _show(self) -> None:
        line, made = self.lines[self.at], self.now[self.at]
        queue, middle = self.query_one("#queue", Lines), self.query_one("#middle", Pane)
        queue.replace_option_prompt_at_index(self.at, self._line(self.at))
        queue.highlighted = self.at
        language = self.bank.language_name(line.lang)
        middle.border_title = Content(shown(f"{line.name} · {language} · {made.translator} · {made.status}"))
        self.query_one("#transcript", Static).update(self._text(line, made))
        self.query_one("#where", Static).update(
            Content.assemble(("auditkit review ", "bold"), shown(self.reviewer), (" · translations", "$quiet"))
        )
        done = sum(made.status in _MARKS for made in self.now)
        self.query_one("#progress", Static).update(Content.styled(f"{done} of {len(self.now)}", "bold"))

    def _text(self, line: Line, made: Translation) -> Content:
        """Every part under its English source and over its back-translation, then what the checks found."""
        here, back = parts(made.text), parts(made.back) if made.back is not None else {}
        out: list[str | tuple[str, str]] = []
        for name, english in source_parts(line, self.bank).items():
            out += [(f"{name.replace('_', ' ')}\n", "bold $secondary"), (f"  {shown(english)}\n", "$quiet")]
            out.append(f"  {shown(here.pop(name, '(nothing)'))}\n")
            if name in back:
                out.append((f"  ↩ {shown(back[name])}\n", "italic $quiet"))
            out.append("\n")
        for name, text in here.items():  # sentences that the source does not have
            out += [(f"{name}\n", "bold $warning"), f"  {shown(text)}\n\n"]
        found = findings(made, line.lang, self.bank)
        why = [f"{name}: {value}" for name, value in made.checks.items()] + found + ([made.note] if made.note else [])
        if why:
            out.append(("Checks and notes\n", "bold $secondary"))
            out += [(f"  ! {one_line(text, 300)}\n", "$warning") for text in why]
        if self.note:
            out.append((f"\nYour note: {shown(self.note)}\n", "bold"))
        if right_to_left("".join(parts(made.text).values())):
            out.append(("\nTerminals seldom order right-to-left text: o shows it in a browser.", "$quiet"))
        return Content.assemble(*out)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_step(event.option_index - self.at)

    # ---------------------------------------------------------------------------------------------------- deciding

    def action_accept(self) -> None:
        self._decide("accepted", lambda made: made)

    def action_reject(self) -> None:
        self._decide("rejected", lambda made: made)

    def action_edit(self) -> None:
        here = self.now[self.at]

        def keep(values: dict[str, str] | None) -> None:
            if values is not None and values != parts(here.text):
                self._decide("edited", lambda made: edited(made, values))

        source = source_parts(self.lines[self.at], self.bank)
        self.app.push_screen(EditScreen(parts(here.text), source), keep)

    def _decide(self, status: Decision, change: Callable[[Translation], Translation]) -> None:
        """Write a decision and go on to the next line. What could not be written stays as it was, and says why."""
        line, before = self.lines[self.at], self.now[self.at]
        try:
            made = decide(line, before, change(before), status, reviewer=self.reviewer, note=self.note)
        except (AuditError, OSError) as error:
            self.notify(str(error), title="Not stored", severity="error", markup=False)
            return
        self._done.append((self.at, before))
        self.now[self.at] = made
        self.note = ""
        self._show()
        self.action_step(1)

    def action_undo(self) -> None:
        if not self._done:
            self.notify("Nothing of this session is left to take back.", markup=False)
            return
        place, before = self._done[-1]
        try:
            replace_line(self.lines[place].path, self.now[place], before)
        except (AuditError, OSError) as error:
            self.notify(str(error), title="Not taken back", severity="error", markup=False)
            return
        self._done.pop()
        self.now[place], self.at = before, place
        self._show()

    def action_note(self) -> None:
        def keep(text: str | None) -> None:
            if text is not None:
                self.note = text
                self._show()

        self.app.push_screen(
            LineScreen("Note on this line", self.note, "such as: native speaker, changed the verb"), keep
        )

    # ------------------------------------------------------------------------------------------------------ around

    def action_step(self, step: int) -> None:
        if 0 <= self.at + step < len(self.lines):
            self.at += step
            self.query_one("#middle", Pane).scroll_home(animate=False)
        self._show()

    def action_scroll(self, step: int) -> None:
        self.query_one("#middle", Pane).scroll_relative(y=step, animate=False)

    def action_browser(self) -> None:
        line, made = self.lines[self.at], self.now[self.at]
        code, back = line.lang.replace("_", "-"), parts(made.back) if made.back is not None else {}
        texts = [(f"English: {name}", "en", text) for name, text in source_parts(line, self.bank).items()]
        texts += [(name, code, text) for name, text in parts(made.text).items()]
        texts += [(f"Back-translation: {name}", "en", text) for name, text in back.items()]
        self.app.browse(translation_page(f"{line.name} {line.lang}", texts))

    def action_theme(self) -> None:
        self.app.turn_theme()

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(TRANSLATION_HELP))


class EditScreen(ModalScreen[dict[str, str] | None]):
    """A box for every part of a translation, under its source. Gives None when it is left with escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "dismiss(None)", "leave"),
        ("ctrl+s", "keep", "store"),
    ]

    def __init__(self, values: dict[str, str], source: dict[str, str]) -> None:
        super().__init__()
        self.values, self.source = values, source

    def compose(self) -> ComposeResult:
        with Pane(classes="dialog", id="edit") as box:
            box.border_title = "Edit the translation"
            box.border_subtitle = "^s stores, ⇥ next part, esc leaves"
            for place, (name, text) in enumerate(self.values.items()):
                yield Label(Content.styled(f"{name.replace('_', ' ')}: {shown(self.source.get(name, ''))}", "$quiet"))
                yield TextArea(text, id=f"part-{place}", tab_behavior="focus", compact=True)

    def action_keep(self) -> None:
        boxes = [self.query_one(f"#part-{place}", TextArea).text for place in range(len(self.values))]
        self.dismiss(dict(zip(self.values, boxes, strict=True)))
