"""The keys of the application, in one table: bindings, footer, help screen and command palette are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True)
class Key:
    """A key, its action, the word in the footer ('' keeps it out of there) and what the help screen says."""

    key: str
    action: str
    footer: str
    text: str
    shown: str = ""  # how the key is written, where its name is long

    @property
    def name(self) -> str:
        return self.shown or self.key


LABELLING = (
    Key(
        "0",
        "press('0')",
        "answer",
        "answer the field with the arrow; once more raises a stereotype's severity, then takes it off",
        "0-9",
    ),
    Key("enter", "proceed", "next", "to the next open field; when all is answered, to the next reply", "⏎"),
    Key("full_stop", "none_left", "rest none", "answer none to all that is open, except stance", "."),
    Key("x", "doubt", "uncertain", "mark the field uncertain: a careful second reader could differ"),
    Key("u", "undo", "undo", "take the last label back; again for the one before"),
    Key("n", "note", "note", "write a note on this reply"),
    Key("s", "skip", "skip", "go on, and leave the reply as it is"),
    Key("tab", "field(1)", "", "next field", "⇥"),
    Key("shift+tab", "field(-1)", "", "previous field", "⇧⇥"),
)
READING = (
    Key("j", "step(1)", "", "next reply in the queue"),
    Key("k", "step(-1)", "", "previous reply in the queue"),
    Key("down", "scroll(1)", "", "scroll the transcript down", "↓"),
    Key("up", "scroll(-1)", "", "scroll the transcript up", "↑"),
    Key("space", "page(1)", "", "a page down"),
    Key("b", "page(-1)", "", "a page up"),
    Key("t", "original", "", "the dilemma as it was sent, or in English"),
    Key("p", "country", "", "show persona, country, language and model (noted in the labels)"),
    Key("o", "browser", "html", "open the transcript as a page in the browser, with the direction of its script"),
)
JUDGING = (
    Key("v", "reveal", "verdicts", "once all is answered: what judges and detectors found"),
    Key("right_square_bracket", "flag(1)", "", "next flag", "]"),
    Key("left_square_bracket", "flag(-1)", "", "previous flag", "["),
    Key("c", "judge_flag('confirm')", "", "confirm the flag; again takes it back"),
    Key("r", "judge_flag('reject')", "", "reject the flag; again takes it back"),
)
AROUND = (
    Key("slash", "search", "search", "search in replies and dilemma ids; an empty search shows all", "/"),
    Key("f", "filters", "filter", "filter the queue"),
    Key("w", "queue", "", "show or hide the queue"),
    Key("l", "theme", "", "light or dark"),
    Key("question_mark", "help", "help", "this page", "?"),
    Key("q", "app.quit", "quit", "leave; all labels are stored already"),
)
TRANSLATING = (
    Key("a", "accept", "accept", "accept the translation as it is"),
    Key("e", "edit", "edit", "edit the translation and store it"),
    Key("r", "reject", "reject", "reject it: it is never sent"),
    Key("n", "note", "note", "a note that is stored with the next decision"),
    Key("u", "undo", "undo", "put the line back as it was"),
    Key("j", "step(1)", "next", "next line"),
    Key("k", "step(-1)", "previous", "previous line"),
    Key("down", "scroll(1)", "", "scroll down", "↓"),
    Key("up", "scroll(-1)", "", "scroll up", "↑"),
    Key("o", "browser", "html", "open it as a page in the browser, with the direction of its script"),
    *(key for key in AROUND if key.action in {"theme", "help", "app.quit"}),
)
REVIEW_HELP = {"Labelling": LABELLING, "Reading": READING, "Judges and flags": JUDGING, "The application": AROUND}
TRANSLATION_HELP = {"Translations": TRANSLATING}
REVIEW = tuple(key for keys in REVIEW_HELP.values() for key in keys)


# a narrow footer is cut at its end: what is needed most comes first
_FOOTER = ("0", "enter", "full_stop", "x", "u", "n", "s", "v", "question_mark", "slash", "f", "o", "q")


def bindings(keys: tuple[Key, ...]) -> list[Binding]:
    """The bindings of a screen, in the order of its footer."""
    if keys is REVIEW:
        keys = tuple(sorted(keys, key=lambda k: _FOOTER.index(k.key) if k.key in _FOOTER else len(_FOOTER)))
        more = [Binding(digit, f"press('{digit}')", "answer", show=False) for digit in "123456789"]
    else:
        more = []
    return more + [
        Binding(k.key, k.action, k.footer or k.text, show=bool(k.footer), key_display=k.shown or None) for k in keys
    ]
