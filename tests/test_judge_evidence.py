"""Quotations are found where they stand in the reply as it came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.judge.evidence import Passages
from auditkit.judge.prompt import quoted, sanitise


@given(st.text(alphabet="abé中ष \n\t.\u202e\u200b\u200d\x00", max_size=80), st.data())
def test_a_passage_that_the_judge_copies_is_found(reply, data):
    """Whatever stands in the reply as the judge saw it is found, and reads the same once hidden characters are left out."""
    seen = sanitise(reply)
    start = data.draw(st.integers(0, len(seen)))
    quote = seen[start : data.draw(st.integers(start, len(seen)))]
    visible = " ".join(quote.replace("\u200d", "").split())
    span = Passages(reply).find(quote)
    if not visible:
        assert span is None
    else:
        assert span is not None
        assert " ".join(sanitise(reply[slice(*span)]).replace("\u200d", "").split()) == visible


@pytest.mark.parametrize(
    ("reply", "quote", "passage"),
    [
        ("Go  to\nthe\tvillage.", "to the village", "to\nthe\tvillage"),
        ("Zis \u202eis\u202c fine", "Zis is fine", "Zis \u202eis\u202c fine"),
        ("au cafe\u0301 noir", "café", "cafe\u0301"),
        ("au café noir", "cafe\u0301 noir", "café noir"),
        ("می\u200cخواهم بروم", "میخواهم", "می\u200cخواهم"),
        ("say “yes” now", "“yes”", "yes"),
        ("a b a b", "a b", "a b"),
        ("क्षमा करें", "क्षमा", "क्षमा"),
    ],
)
def test_hidden_characters_white_space_and_composition_do_not_hide_a_passage(reply, quote, passage):
    """The passage is cut from the raw reply, its hidden characters included."""
    span = Passages(reply).find(quote)
    assert span is not None
    assert reply[slice(*span)] == passage


@pytest.mark.parametrize("quote", ["", "  ", "“”", "Village", "the city", "the vill age", "cafe"])
def test_what_is_not_there_to_the_letter_is_not_found(quote):
    """Other words, other capitals, other spelling and nothing at all are no passage."""
    assert Passages("Go to the village café.").find(quote) is None


def test_only_a_long_reply_can_be_quoted_too_far():
    """Three fifths is too much of more than a hundred characters, and nothing is of fewer."""
    long = Passages("word " * 40)
    assert long.too_long(0, 121)
    assert not long.too_long(0, 118)
    assert not Passages("word " * 19).too_long(0, 95)


@given(st.text(), st.text())
def test_the_mark_closes_nothing_early(prompt, reply):
    """What is shown is one line of JSON between two marks, whatever the texts hold, and its strings are the texts sanitised."""
    import json

    data, mark = quoted(prompt=prompt, reply=reply)
    first, body, last = data.split("\n")
    assert first == last == mark
    assert mark not in body
    assert len(body.splitlines()) == 1
    assert json.loads(body) == {"prompt": sanitise(prompt), "reply": sanitise(reply)}
