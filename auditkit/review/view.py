"""What the panels of the application show, as styled text. Nothing here reads markup: every piece is text and a style."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from auditkit.data import ENGLISH
from auditkit.review.case import Case, Flag, Wording
from auditkit.review.form import TITLES, Choice, Form
from auditkit.review.queue import Counts, Entry
from auditkit.review.session import Session
from auditkit.review.transcript import LETTERS, one_line, right_to_left, segments, shown, tags

# Okabe & Ito's palette, which stays apart under every kind of colour blindness; each span has its letter besides
SPAN = {
    "stereotype": "black on #e69f00", "hallucination": "black on #56b4e9", "voice": "black on #cc79a7",
    "language": "black on #f0e442", "injection": "black on #d55e00",
    "value": "underline", "trace": "underline", "premise": "underline",
}  # fmt: skip
_HEAD = "bold $secondary"
_DIM = "$quiet"
_KEY = "bold $accent"


def severity(level: int | None) -> str:
    """Severity 1 to 3 as filled dots."""
    return "" if level is None else "●" * level + "○" * (3 - level)


def queue_line(entry: Entry, *, blind: bool) -> Content:
    """A line of the queue. Blind, it tells the dilemma and how the reply begins, and nothing else."""
    mark, style = ("✓", "$success") if entry.done else ("◐", "$warning") if entry.answered else ("·", _DIM)
    parts: list[str | Content | tuple[str, str]] = [(f"{mark} ", style), f"{entry.item_id:<8} "]
    if blind:
        parts.append((one_line(entry.opening, 40), _DIM))
    else:
        letters = sorted({LETTERS[family] for family in entry.families})
        parts += [(f"{entry.country or '---'} ", _DIM), (f"{severity(entry.severity):<3} ", "bold"), "".join(letters)]
    return Content.assemble(*parts)


def transcript(form: Form, *, original: bool) -> Content:
    """The dilemma, the reply with its spans, its back-translation and the note. original: the dilemma as it was sent."""
    case = form.case
    parts: list[str | Content | tuple[str, str]] = []
    if form.country_shown and case.persona:
        parts += [("Persona\n", _HEAD), (f"{shown(case.persona)}\n\n", "italic")]
    in_language = original and case.translated
    language = f", as sent in {case.language}" if in_language and form.country_shown else ", as sent" * in_language
    parts += [(f"Dilemma{language}\n", _HEAD), *_dilemma(case.asked if in_language else case.english)]
    cut = "  (cut off by the token limit)" if case.truncated else ""
    parts.append((f"\nReply{cut}\n", _HEAD))
    if not case.reply.strip():
        parts.append(("(empty)", _DIM))
    flags = () if form.unseen else case.flags
    parts += reply(case, flags)
    if any(flag.back for flag in flags):
        tag = tags(flags)
        parts.append(("\n\nBack-translation\n", _HEAD))
        parts += ["\n".join(f"{tag[flag.flag_id]}  {shown(flag.back)}" for flag in flags if flag.back)]
    if note := form.value("note"):
        parts += [("\n\nYour note\n", _HEAD), shown(note)]
    if right_to_left(case.reply):
        parts.append(("\n\nTerminals seldom order right-to-left text: o shows it in a browser.", _DIM))
    return Content.assemble(*parts)


def _dilemma(wording: Wording) -> Iterable[tuple[str, str] | str]:
    yield shown(" ".join(wording.scenario)) + "\n"
    for number, (_, text) in enumerate(wording.options, 1):
        yield (f" {number} ", _KEY)
        yield f"{shown(text)}\n"


def reply(case: Case, flags: tuple[Flag, ...]) -> list[str | Content | tuple[str, str]]:
    """The reply, spans in brackets that open with their tag: `[S1 text]`."""
    tag = tags(flags)
    parts: list[str | Content | tuple[str, str]] = []
    for segment in segments(case.reply, flags):
        parts += [(f"[{tag[flag.flag_id]} ", f"bold {SPAN.get(flag.family, '')}") for flag in segment.opening]
        parts.append((segment.text, SPAN.get(segment.flags[-1].family, "") if segment.flags else ""))
        parts += [("]", f"bold {SPAN.get(flag.family, '')}") for flag in reversed(segment.closing)]
    return parts


# ------------------------------------------------------------------------------------------------------------- answers


def field_line(form: Form, name: str) -> Content:
    """A field with its current value, and what the raters said where somebody adjudicates."""
    here = name == form.field
    value = form.value(name)
    uncertain = form.doubted if here else form.uncertain(name)
    parts: list[str | Content | tuple[str, str]] = [
        ("▸ " if here else "  ", _KEY),
        (f"{TITLES[name]:<14}", "bold" if here else ""),
        ("? " if uncertain else "", "bold $warning"),
        (_told(form, name, value), "$success" if value else _DIM),
    ]
    if form.labels.role == "adjudicator":
        for given in form.raters(name):
            doubt = "? " if given.uncertain else ""
            told = _told(form, name, given.value).replace(", ", ",\n      ")  # all of it, in a narrow panel too
            parts += [(f"\n    {shown(given.reviewer)}: ", _DIM), f"{doubt}{told}"]
    return Content.assemble(*parts)


def _told(form: Form, name: str, value: str) -> str:
    """A value for people; an option by the number that it has on screen, since its id tells the pole."""
    if not value:
        return "…"
    if name == "stance" and value in form.case.option_ids:
        return f"option {form.case.option_ids.index(value) + 1}"
    return shown(value).replace("_", " ").replace(",", ", ")


def choice_line(choice: Choice) -> Content:
    dots = f" {severity(choice.severity)}" if choice.severity else ""
    mark = "●" if choice.chosen else "○"
    return Content.assemble(
        "    ",
        (choice.key, _KEY),
        (f" {mark} ", "$success" if choice.chosen else _DIM),
        (one_line(choice.text, 200), "bold" if choice.chosen else ""),
        (dots, "bold"),
    )


# ------------------------------------------------------------------------------------------------- judges and flags


def closed_line(form: Form) -> Content:
    """Why nothing is shown yet."""
    if form.blind:
        text = "Hidden. When all is answered, v shows what judges and detectors found; labels given after that are not blind."
    else:
        text = "Hidden until all is answered."
    return Content.styled(text, _DIM)


def flag_line(form: Form, flag: Flag, tag: str) -> Content:
    """A flag with its tag, what it is, who found it, and what the reviewer says of it."""
    mark = form.marks.get(("flag", flag.flag_id))
    said = {"confirm": ("✓ ", "$success"), "reject": ("✗ ", "$error")}.get(mark.value if mark else "", ("  ", ""))
    parts: list[str | Content | tuple[str, str]] = [
        said,
        (f" {tag} ", f"bold {SPAN.get(flag.family, '')}"),
        f" {flag.kind.replace('_', ' ')} ",
        (severity(flag.severity), "bold"),
        (f"\n    {shown(flag.judge)}", _DIM),
    ]
    if flag.note:
        parts.append((f": {one_line(flag.note, 200)}", _DIM))
    if form.labels.role == "adjudicator":
        parts += [(f"\n    {shown(g.reviewer)}: {g.value}", "") for g in form.raters("flag", flag.flag_id)]
    return Content.assemble(*parts)


def verdict_lines(form: Form) -> Content:
    """What each judge says of stance and reasoning."""
    parts: list[str | Content | tuple[str, str]] = []
    for verdict in form.case.verdicts:
        told = _told(form, verdict.task, verdict.value)
        doubt = "? " if verdict.uncertain else ""
        parts += [(f"{shown(verdict.judge)}  ", _DIM), f"{doubt}{told}\n"]
    return Content.assemble(*parts) if parts else Content.styled("no judge has read this reply", _DIM)


# -------------------------------------------------------------------------------------------------------------- frame


def title(form: Form) -> str:
    """What stands over the transcript: country and language only where they may be seen."""
    case = form.case
    if not form.country_shown:
        return shown(f"{case.item_id} · country, language and model hidden")
    place = " · ".join(part for part in (case.country, case.language if case.lang != ENGLISH else "") if part)
    return shown(" · ".join(part for part in (case.item_id, case.mode, place, case.model) if part))


def progress(session: Session, counts: Counts | None, width: int) -> Content:
    """How far the reviewer is and how fast: `███░░ 12 of 200 · 38 s each · 2 h left`."""
    if counts is None:
        return Content.styled("counting…", _DIM)
    done = counts.done + session.gained
    share = done / counts.total if counts.total else 0.0
    filled = round(share * 10)
    parts: list[str | Content | tuple[str, str]] = []
    if width >= 110:
        parts += [("█" * filled, "$success"), ("░" * (10 - filled), _DIM), " "]
    parts.append((f"{done:,} of {counts.total:,}", "bold"))
    if session.pace is not None:
        left = session.pace * (counts.total - done)
        parts.append((f" · {session.pace:.0f} s each · {duration(left)} left", _DIM))
    return Content.assemble(*parts)


def duration(seconds: float) -> str:
    """A length of time in two units at most.

    >>> duration(45), duration(150), duration(8000)
    ('45 s', '2 min', '2 h 13 min')
    """
    minutes = int(seconds // 60)
    if not minutes:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
