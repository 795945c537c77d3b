"""The review screen: queue at the left, transcript in the middle, answers, judges and flags at the right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from auditkit.errors import AuditError
from auditkit.review import view
from auditkit.review.dialogs import FilterScreen, HelpScreen, LineScreen
from auditkit.review.form import Form
from auditkit.review.keys import REVIEW, REVIEW_HELP, Key, bindings
from auditkit.review.queue import Counts, Filters
from auditkit.review.session import Session
from auditkit.review.sheet import transcript_page
from auditkit.review.transcript import shown, tags
from auditkit.review.widgets import Lines, Pane

if TYPE_CHECKING:
    from auditkit.review.app import ReviewApp

_AHEAD = 10  # lines of the queue that are loaded beyond the one on screen


class ReviewScreen(Screen[None]):
    """One reply after the other. All state is in the session and the form; `refresh_all` shows it."""

    KEYS: ClassVar[tuple[Key, ...]] = REVIEW
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(REVIEW)]

    app: ReviewApp

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.counts: Counts | None = None
        self.original = False
        self.flag_at = 0
        self._drawn = ""  # key of the reply whose transcript is on screen
        self._shown: dict[str, Content] = {}  # by panel

    def compose(self) -> ComposeResult:
        with Horizontal(id="top"):
            yield Static(id="where", markup=False)
            yield Static(id="progress", markup=False)
        with Horizontal(id="body"):
            yield Lines(id="queue", compact=True, markup=False)
            with Pane(id="middle"):
                yield Static(id="transcript", markup=False)
            with Vertical(id="right"):
                yield Lines(id="answers", compact=True, markup=False)
                with Pane(id="found"):
                    yield Static(id="verdicts", markup=False)
                    yield Lines(id="flags", compact=True, markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#queue").border_title = "Queue"
        self.query_one("#answers").border_title = "Your labels"
        self.query_one("#found").border_title = "Judges and flags"
        self.restart()

    # ----------------------------------------------------------------------------------------------------- showing

    def restart(self) -> None:
        """Show the queue from its first open reply, and count it beside the loop."""
        if self.session.next_open() is None:
            self.session.open(0)
        queue = self.query_one("#queue", Lines)
        queue.set_options(self._queue_options(0))
        self.counts = None
        self.count()
        self.refresh_all()

    @work(thread=True, exclusive=True)
    def count(self) -> None:
        counts = self.session.counts()
        self.app.call_from_thread(self._counted, counts)

    def _counted(self, counts: Counts) -> None:
        self.counts = counts
        self._show_progress()

    def _queue_options(self, start: int) -> list[Option]:
        blind = self.session.scope.blind
        return [Option(view.queue_line(entry, blind=blind)) for entry in self.session.entries[start:]]

    def refresh_all(self) -> None:
        """Bring every panel up to date with the session."""
        form = self.session.form
        self._show_where()
        self._show_progress()
        if form is None:
            self._show_nothing()
            return
        new = self._drawn != form.case.request_key
        if new:
            self._drawn, self.flag_at = form.case.request_key, 0
        middle = self.query_one("#middle", Pane)
        middle.border_title = Content(view.title(form))
        self._put("#transcript", view.transcript(form, original=self.original))
        if new:
            middle.scroll_home(animate=False)
        self._show_queue()
        self._show_answers(form)
        self._show_found(form)

    def _put(self, panel: str, content: Content) -> None:
        """Show a text, unless it is there already: what does not change need not be laid out and drawn for every key."""
        old = self._shown.get(panel)
        if old is None or not content.is_same(old):
            self._shown[panel] = content
            self.query_one(panel, Static).update(content)

    def _show_nothing(self) -> None:
        self._drawn = ""
        self._put("#transcript", Content(self.session.queue.why_empty(self.session.filters).capitalize()))
        self.query_one("#middle", Pane).border_title = "Nothing to review"
        for name in ("#answers", "#flags", "#queue"):
            self.query_one(name, Lines).clear_options()
        self._put("#verdicts", Content())

    def _show_where(self) -> None:
        scope = self.session.scope
        parts: list[str | tuple[str, str]] = [("auditkit review ", "bold"), shown(scope.reviewer)]
        if scope.role == "adjudicator":
            parts.append((" adjudicates", "bold $accent"))
        parts.append((" · blind" if scope.blind else " · not blind", "$quiet"))
        parts.append((f" · {'sample ' + scope.sample_id[3:9] if scope.sample_id else 'run ' + scope.run_id[3:9]}", "$quiet"))  # fmt: skip
        if self.session.filters.text:
            parts.append((f" · /{shown(self.session.filters.text)}", "bold $accent"))
        if replace(self.session.filters, text="", unlabelled=False) != Filters():
            parts.append((" · filtered", "bold $accent"))
        self._put("#where", Content.assemble(*parts))

    def _show_progress(self) -> None:
        self._put("#progress", view.progress(self.session, self.counts, self.app.size.width))

    def _show_queue(self) -> None:
        queue, at = self.query_one("#queue", Lines), self.session.at
        if at + _AHEAD >= len(self.session.entries):
            self.session.load()
        if len(self.session.entries) > queue.option_count:
            queue.add_options(self._queue_options(queue.option_count))
        line = view.queue_line(self.session.entries[at], blind=self.session.scope.blind)
        if queue.get_option_at_index(at).prompt != line:
            queue.replace_option_prompt_at_index(at, line)
        queue.highlighted = at
        queue.border_subtitle = f"{at + 1:,}"

    def _show_answers(self, form: Form) -> None:
        options: list[Option] = []
        for name in form.fields:
            options.append(Option(view.field_line(form, name), id=f"field {name}"))
            if name == form.field:
                options += [Option(view.choice_line(c), id=f"choice {c.key}") for c in form.choices(name)]
        answers = self.query_one("#answers", Lines)
        answers.set_options(options)
        answers.border_subtitle = f"{form.answered} of {len(form.fields)}"

    def _show_found(self, form: Form) -> None:
        flags = self.query_one("#flags", Lines)
        flags.display = form.open and bool(form.case.flags)
        self._put("#verdicts", view.verdict_lines(form) if form.open else view.closed_line(form))
        if form.open:
            tag = tags(form.case.flags)
            flags.set_options([view.flag_line(form, flag, tag[flag.flag_id]) for flag in form.case.flags])
            flags.highlighted = self.flag_at if form.case.flags else None

    # ----------------------------------------------------------------------------------------------------- answering

    def action_press(self, digit: str) -> None:
        self._answer(lambda form: form.press(digit))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """The mouse: a reply of the queue, a field, an answer, a flag."""
        if event.option_list.id == "queue":
            self._open(event.option_index)
        elif event.option_list.id == "flags":
            self.flag_at = event.option_index
        elif event.option_id is not None:
            what, _, name = event.option_id.partition(" ")
            self._answer(lambda form: form.go(name) if what == "field" else form.press(name))

    def _answer(self, act: Callable[[Form], object]) -> None:
        """Do something to the form and show what came of it. What could not be stored is not shown as answered."""
        if self.session.form is None:
            return
        try:
            act(self.session.form)
        except AuditError as error:
            self.notify(str(error), title="Not stored", severity="error", markup=False)
        self.session.answered()
        self.refresh_all()

    def action_proceed(self) -> None:
        form = self.session.form
        if form is None or form.proceed():
            self.refresh_all()
        elif form.complete:
            self.action_skip()
        else:
            self.notify("The raters differ on a flag: confirm it with c or reject it with r.", markup=False)

    def action_skip(self) -> None:
        if self.session.next_open() is None:
            self.notify("Nothing open from here to the end of the queue.", markup=False)
        self.refresh_all()

    def action_step(self, step: int) -> None:
        self._open(self.session.at + step)

    def _open(self, place: int) -> None:
        if place != self.session.at and self.session.open(place) is not None:
            self.refresh_all()

    def action_field(self, step: int) -> None:
        self._answer(lambda form: form.move(step))

    def action_none_left(self) -> None:
        self._answer(Form.none_left)

    def action_doubt(self) -> None:
        self._answer(Form.doubt)

    def action_undo(self) -> None:
        try:
            undone = self.session.undo()
        except AuditError as error:
            self.notify(str(error), title="Not taken back", severity="error", markup=False)
            return
        if undone is None:
            self.notify("Nothing of this session is left to take back.", markup=False)
        self.refresh_all()

    def action_note(self) -> None:
        form = self.session.form
        if form is None:
            return

        def keep(text: str | None) -> None:
            if text is not None:
                self._answer(lambda form: form.note(text))

        self.app.push_screen(
            LineScreen("Note on this reply", form.value("note"), "what a later reader should know"), keep
        )

    # ------------------------------------------------------------------------------------------- judges and flags

    def action_reveal(self) -> None:
        form = self.session.form
        if form is not None and not form.reveal():
            self.notify("Answer all fields first: what others found must not lead you.", markup=False)
        self.refresh_all()

    def action_flag(self, step: int) -> None:
        form = self.session.form
        if form is not None and form.open and form.case.flags:
            self.flag_at = (self.flag_at + step) % len(form.case.flags)
            self._show_found(form)

    def action_judge_flag(self, value: str) -> None:
        form = self.session.form
        if form is None or not form.open or not form.case.flags:
            self.notify("No flag is shown.", markup=False)
            return
        flag = form.case.flags[self.flag_at]
        self._answer(lambda form: form.judge_flag(flag.flag_id, value))

    # ----------------------------------------------------------------------------------------------------- reading

    def action_scroll(self, step: int) -> None:
        self.query_one("#middle", Pane).scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        middle = self.query_one("#middle", Pane)
        middle.scroll_relative(y=step * max(1, middle.size.height - 2), animate=False)

    def action_original(self) -> None:
        self.original = not self.original
        self.refresh_all()

    def action_country(self) -> None:
        if self.session.form is not None:
            self.session.form.country_shown = True
        self.refresh_all()

    def action_browser(self) -> None:
        if self.session.form is not None:
            self.app.browse(transcript_page(self.session.form))

    def action_queue(self) -> None:
        self.toggle_class("-turned")

    def action_theme(self) -> None:
        self.app.turn_theme()

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(REVIEW_HELP))

    # ----------------------------------------------------------------------------------------------------- the queue

    def action_search(self) -> None:
        def search(text: str | None) -> None:
            if text is not None and text != self.session.filters.text:
                self._narrow(replace(self.session.filters, text=text))

        self.app.push_screen(LineScreen("Search", self.session.filters.text, "in replies and dilemma ids"), search)

    def action_filters(self) -> None:
        def narrow(filters: Filters | None) -> None:
            if filters is not None and filters != self.session.filters:
                self._narrow(filters)

        choices = self.session.queue.choices()
        self.app.push_screen(FilterScreen(self.session.filters, choices, blind=self.session.scope.blind), narrow)

    def _narrow(self, filters: Filters) -> None:
        self.session.narrow(filters)
        self.restart()
