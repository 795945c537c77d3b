"""Degenerate replies, what only looks odd, and the language of a reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.data import data_dir, load_content, load_countries
from auditkit.judge.gate import degenerate, iso_codes, reply_language


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


ENGLISH = "I would take the second plan, since it leaves all of you more time to think it over."
GERMAN = "Ich würde den zweiten Plan nehmen, weil er euch allen mehr Zeit zum Nachdenken lässt."
INDONESIAN = "Saya akan memilih rencana kedua karena memberi kalian semua lebih banyak waktu untuk berpikir."


@pytest.fixture(scope="module")
def candidates():
    """The languages of the table and English."""
    return tuple(sorted(set(iso_codes(load_countries(data_dir("personas"))[0]).values())))


@pytest.mark.parametrize(
    ("text", "asked", "code", "mismatch"),
    [
        (ENGLISH, "en", "en", False),
        (ENGLISH, "de", "en", True),
        (GERMAN, "de", "de", False),
        (GERMAN, "en", "de", True),
        (INDONESIAN, "ms", None, False),
        ("Ja, klar.", "en", None, None),
        (ENGLISH, None, "en", None),
    ],
)
def test_a_reply_in_another_language_is_told(candidates, text, asked, code, mismatch):
    """A mismatch needs enough letters and certainty; Indonesian and Malay are one; an unknown request has none."""
    found = reply_language(text, asked, candidates)
    assert code is None or found.code == code
    assert found.mismatch is mismatch


def test_a_reply_without_letters_has_no_language(candidates):
    """Figures and signs are in no language."""
    assert reply_language("1 + 1 = 2 :-)", "en", candidates) is None


@pytest.mark.parametrize("lang", sorted(iso_codes(load_countries(data_dir("personas"))[0])))
def test_every_language_of_the_table_is_told_from_the_others(candidates, lang):
    """The scenario of a translated dilemma is in its own language, for every language that the bank is translated into."""
    code = iso_codes(load_countries(data_dir("personas"))[0])[lang]
    if lang == "eng_Latn":
        text = " ".join(next(iter(load_content().dilemmas.values())).scenario)
    else:
        lines = [line for line in load_content().translations(lang) if line.kind == "dilemma"]
        text = " ".join(lines[0].text.scenario)
    found = reply_language(text, code, candidates)
    assert found.mismatch is False
