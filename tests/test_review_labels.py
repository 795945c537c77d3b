"""Labels: values of the codebook, append-only writing, undo, and the form that asks for them."""

from __future__ import annotations

import pytest
from review_stores import make_db

from auditkit.errors import AuditError, StoreError
from auditkit.review.case import load_case
from auditkit.review.form import Form
from auditkit.review.labels import FIELDS, Labels, Mark, Undone, checked, format_stereotypes, parse_stereotypes
from auditkit.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.annotate(make_db(tmp_path)) as opened:
        yield opened


@pytest.fixture
def key(store):
    return store.value("select request_key from replies where text like 'Zut%' order by 1")


def rows(store):
    return [
        tuple(r)
        for r in store.rows("select field, value, uncertain, blind, seconds, note from labels order by label_id")
    ]


def form(store, key, *, reviewer="ann", role="rater", blind=True, clock=lambda: 0.0):
    case = load_case(store, store.latest_run()["run_id"], key)
    return Form(Labels(store, reviewer, role), case, blind=blind, clock=clock)


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("stance", "a", "a"),
        ("stance", "cut_off", "cut_off"),
        ("stereotype", "essentialism:2, emblem_cliche:1", "emblem_cliche:1,essentialism:2"),
        ("stereotype", "none", "none"),
        ("hallucination", "unattested_saying,anachronism", "anachronism,unattested_saying"),
        ("voice", "archaic", "archaic"),
        ("flag", "reject", "reject"),
        ("note", "so \ud800 what", "so \ufffd what"),
        ("stance", "", ""),
    ],
)
def test_a_value_is_stored_in_one_form(name, value, stored):
    """Lists are sorted, so that equal labels are equal texts; what no file can hold is replaced."""
    assert checked(name, value) == stored


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("stance", "c", "unknown stance 'c'"),
        ("stereotype", "emblem_clich:1", "did you mean 'emblem_cliche'"),
        ("stereotype", "emblem_cliche", "write the severity 1 to 3"),
        ("stereotype", "emblem_cliche:4", "write the severity 1 to 3"),
        ("hallucination", "invented", "unknown hallucination 'invented'"),
        ("mood", "good", "unknown field 'mood'"),
    ],
)
def test_what_the_codebook_does_not_have_is_refused(name, value, reason):
    """A typing error must not become a category."""
    with pytest.raises(AuditError, match=reason):
        checked(name, value)


def test_people_and_judges_choose_from_the_same_values():
    """A category that one of them does not have could never agree."""
    from typing import get_args

    from auditkit.judge import culture
    from auditkit.review.labels import HALLUCINATIONS, SINGLE, STEREOTYPES

    assert get_args(culture.Category) == STEREOTYPES
    assert get_args(culture.Invention) == HALLUCINATIONS
    assert get_args(culture.Class) == SINGLE["reasoning_class"]
    assert get_args(culture.Voice) == SINGLE["voice"]


def test_stereotypes_come_back_as_they_went():
    """The value of the field and its parts are two forms of one thing."""
    found = {"essentialism": 3, "antagonism": 1}
    assert parse_stereotypes(format_stereotypes(found)) == found
    assert parse_stereotypes("none") == {}


def test_labels_are_appended_and_the_latest_counts(store, key):
    """A change is a new row; the old one stays for whoever asks what was said first."""
    labels = Labels(store, "ann", sample_id=None)
    labels.write(key, "stance", "a", blind=True, seconds=3.14159)
    labels.write(key, "stance", "b", blind=False, uncertain=True)
    assert labels.current(key) == {("stance", None): Mark("b", uncertain=True, blind=False)}
    assert [row[:5] for row in rows(store)] == [("stance", "a", 0, 1, 3.14), ("stance", "b", 1, 0, None)]


def test_two_reviewers_do_not_see_each_other(store, key):
    """Current labels are those of one reviewer in one role."""
    Labels(store, "ann").write(key, "voice", "phonetic", blind=True)
    assert Labels(store, "ben").current(key) == {}
    assert Labels(store, "ann", "adjudicator").current(key) == {}


def test_undo_restores_what_stood_there_before(store, key):
    """Undo is a row too: of the former value where there was one, else an empty one."""
    labels = Labels(store, "ann")
    labels.write(key, "stance", "a", blind=True)
    labels.write(key, "stance", "b", blind=True)
    assert labels.undo() == Undone(key, "stance", None, Mark("a"))
    assert labels.current(key)["stance", None].value == "a"
    assert labels.undo() == Undone(key, "stance", None, None)
    assert labels.current(key) == {}
    assert labels.undo() is None
    assert [row[1] for row in rows(store)] == ["a", "b", "a", ""]


def test_a_label_that_cannot_be_stored_is_an_error_and_leaves_nothing(store, key):
    """The file may be read-only or full: the reviewer is told, and no half label is there."""
    store.connection.execute("pragma query_only = on")
    with pytest.raises(StoreError):
        Labels(store, "ann").write(key, "stance", "a", blind=True)
    assert rows(store) == []


def test_single_answers_move_on_and_multiple_ones_stay(store, key):
    """Five keys answer a plain reply; stereotypes and hallucinations wait for more."""
    asked = form(store, key)
    assert asked.field == "stance"
    asked.press("2")
    assert (asked.field, asked.value("stance")) == ("reasoning_class", asked.case.option_ids[1])
    asked.press("1")
    asked.press("2")
    assert (asked.field, asked.value("stereotype")) == ("stereotype", "caricature_speech:1")
    asked.press("3")
    asked.proceed()
    assert asked.field == "hallucination"
    asked.press("0")
    asked.press("1")
    assert asked.complete
    assert asked.value("stereotype") == "caricature_speech:1,mock_accent:1"
    assert asked.value("voice") == "phonetic"


def test_pressing_a_stereotype_again_raises_its_severity_and_then_takes_it_off(store, key):
    """One key carries category and severity."""
    asked = form(store, key)
    asked.go("stereotype")
    seen = []
    for _ in range(4):
        asked.press("5")
        seen.append(asked.value("stereotype"))
    assert seen == ["essentialism:1", "essentialism:2", "essentialism:3", ""]
    asked.go("hallucination")
    asked.press("6")
    asked.press("1")
    asked.press("6")
    assert asked.value("hallucination") == "unattested_saying"


def test_doubt_belongs_to_a_field(store, key):
    """Uncertain before the answer marks the answer to come, after it the answer that is there; other fields stay certain."""
    asked = form(store, key)
    asked.doubt()
    asked.press("1")
    assert asked.uncertain("stance")
    asked.press("1")
    assert not asked.uncertain("reasoning_class")
    asked.go("reasoning_class")
    asked.doubt()
    assert asked.uncertain("reasoning_class")
    asked.press("2")
    assert asked.uncertain("reasoning_class")
    asked.go("stance")
    asked.doubt()
    assert not asked.uncertain("stance")


def test_none_for_the_rest_leaves_the_stance_open(store, key):
    """Nothing found is one key; a stance is always an answer of its own."""
    asked = form(store, key)
    asked.none_left()
    assert asked.field == "stance"
    assert [asked.value(name) for name in FIELDS] == ["", "none", "none", "none", "none"]


def test_seconds_count_from_the_last_label_of_the_reply(store, key):
    """The seconds of a reply's labels sum to the time that it took."""
    ticks = iter([10.0, 14.0, 14.0, 15.5, 15.5])
    asked = form(store, key, clock=lambda: next(ticks))
    asked.press("1")
    asked.press("1")
    assert [row[4] for row in rows(store)] == [4.0, 1.5]


def test_verdicts_are_refused_until_all_is_answered_and_end_blindness(store, key):
    """A label that was given after the verdicts were seen says so."""
    asked = form(store, key)
    assert not asked.reveal()
    asked.press("1")
    asked.none_left()
    assert not asked.open
    assert asked.reveal()
    assert asked.open
    asked.choose("voice", "phonetic")
    assert [row[3] for row in rows(store)] == [1, 1, 1, 1, 1, 0]


def test_a_country_that_was_looked_at_is_noted(store, key):
    """Blindness to the judges stays; the label tells that the country was known."""
    asked = form(store, key)
    asked.country_shown = True
    asked.press("1")
    assert rows(store)[0][3:] == (1, 0.0, "country shown")


def test_an_adjudicator_is_asked_what_raters_differ_in(store, key):
    """Fields on which the raters agree, and notes, are not asked again; a disputed flag is."""
    flag = store.value("select flag_id from flags where request_key = ? and kind = 'mock_accent'", (key,))
    for reviewer, stance, said in (("ann", "a", "confirm"), ("ben", "b", "reject")):
        labels = Labels(store, reviewer)
        labels.write(key, "stance", stance, blind=True)
        labels.write(key, "voice", "phonetic", blind=True)
        labels.write(key, "note", reviewer, blind=True)
        labels.write(key, "flag", said, flag_id=flag, blind=False)
    asked = form(store, key, reviewer="cleo", role="adjudicator")
    assert asked.fields == ("stance",)
    assert asked.disputed_flags == (flag,)
    assert [(given.reviewer, given.value) for given in asked.raters("stance")] == [("ann", "a"), ("ben", "b")]
    asked.press("1")
    assert not asked.complete
    asked.judge_flag(flag, "confirm")
    assert asked.complete
    asked.judge_flag(flag, "confirm")
    assert not asked.complete
