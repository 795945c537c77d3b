"""Degenerate replies: what cannot be judged, and what only looks odd."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.judge.gate import degenerate


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \n\t\u200b", "empty"),
        ("\x00\x1b", "empty"),
        (">", "one_char"),
        ("x", "one_char"),
        ("!!!!!!!!", "one_char"),
        ("aaaaaaaaaaaaaaaaaaaa", "one_char"),
        ("the the " * 40, "loop"),
        ("I would go there. " * 12, "loop"),
        ("我会选择第一个。" * 30, "loop"),
        ("Take the first. " + "and then again and again you see " * 30, "loop"),
    ],
)
def test_unreadable_text_is_named_by_kind(text, kind):
    """Nothing, a single sign, or one thing over and over."""
    assert degenerate(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "No.",
        "Option B",
        "是",
        "はい。",
        "Choose the first one. Choose it today, and choose it gladly, since you like it.",
        "I would keep the money. It is yours. You earned it. Later you can still share it with the others, if they ask for it kindly.",
        "\x1b[31mI would go.\x1b[0m",
    ],
)
def test_short_and_odd_replies_are_readable(text):
    """A short answer is an answer; repetition of style is not a loop."""
    expected = "one_char" if len(text) == 1 else None
    assert degenerate(text) == expected


@given(st.text(max_size=400))
def test_any_text_gets_an_answer(text):
    """Never an exception, and always one of the kinds."""
    assert degenerate(text) in (None, "empty", "one_char", "loop")
