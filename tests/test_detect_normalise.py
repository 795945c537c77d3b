"""The normaliser: what it mends, and that every span of the mended text leads back to what came."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.detect.normalise import normalise

_BROKEN = "Chef’s “señor” – naïve".encode().decode("cp1252", "replace")


@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        ("plain words, as they are", "plain words, as they are"),
        ("curly “quotes” stay", "curly “quotes” stay"),
        ("cafÃ© and naÃ¯ve", "café and naïve"),
        ("cafe\u0301", "café"),
        ("this &amp; that", "this & that"),
        ("a\r\nb", "a\nb"),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_broken_text_is_mended_and_other_text_is_left(raw, mended):
    """Encodings, entities, line ends and composition are repaired; quotation marks keep their form."""
    assert normalise(raw).text == mended


def test_a_mended_word_leads_back_to_the_broken_one():
    """The span of a word in the mended text is the whole broken word in the text as it came."""
    raw = "I say cafÃ© today, cafÃ© tomorrow"
    normal = normalise(raw)
    start = normal.text.rindex("café")
    begin, end = normal.raw(start, start + 4)
    assert raw[begin:end] == "cafÃ©"
    start = normal.text.index("today")
    assert raw[slice(*normal.raw(start, start + 5))] == "today"


_TEXT = st.lists(
    st.one_of(
        st.text(max_size=12), st.sampled_from([_BROKEN, "cafÃ©", "e\u0301", "&lt;", "\r\n", "borscht ", "Привіт "])
    ),
    max_size=8,
).map("".join)


@given(_TEXT)
def test_text_is_composed_and_the_whole_leads_to_the_whole(text):
    """Whatever comes in, each line comes out in NFC, and the full span is the full text."""
    normal = normalise(text)
    assert all(unicodedata.is_normalized("NFC", line) for line in normal.text.split("\n") if len(line) < 500)
    if normal.text:
        begin, end = normal.raw(0, len(normal.text))
        assert 0 <= begin <= end <= len(text)


def test_a_word_that_stands_twice_leads_to_its_own_place():
    """Two equal words that were both mended are not taken for each other."""
    text = "0\x08borscht \x1bborscht "
    normal = normalise(text)
    assert normal.text == "0borscht borscht "
    assert [text[slice(*normal.raw(i, i + 7))] for i in (1, 9)] == ["borscht", "borscht"]


@given(_TEXT, st.data())
def test_every_span_leads_to_a_raw_span_that_contains_it(text, data):
    """Spans map in order and inside the text, and the raw span, mended, holds the words of the span."""
    normal = normalise(text)
    words = [(i, i + 7) for i in range(len(normal.text)) if normal.text.startswith("borscht", i)]
    for start, stop in words:
        begin, end = normal.raw(start, stop)
        assert "borscht" in normalise(text[begin:end]).text
    if normal.text:
        start = data.draw(st.integers(0, len(normal.text) - 1))
        stop = data.draw(st.integers(start + 1, len(normal.text)))
        begin, end = normal.raw(start, stop)
        assert 0 <= begin <= end <= len(text)
        wider_begin, wider_end = normal.raw(max(0, start - 1), min(len(normal.text), stop + 1))
        assert wider_begin <= begin
        assert wider_end >= end
