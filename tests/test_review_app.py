"""The application: every key, the mouse, blindness, hostile text, themes and small terminals, and a picture of each screen."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

pytest.importorskip("textual")

from review_pilot import review, screen_text
from review_stores import make_db

from auditkit.review import keys as table
from auditkit.review.labels import FIELDS, Labels
from auditkit.review.queue import Filters
from auditkit.store import Store

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture
def db(tmp_path):
    return make_db(tmp_path)


def stored(db):
    """The rows of `labels`, oldest first."""
    with Store.read(db) as store:
        return [(r["field"], r["value"], r["uncertain"], r["blind"], r["note"], r["role"]) for r in store.rows("select * from labels order by label_id")]  # fmt: skip


def press(*keys, then=screen_text):
    """Keys one after the other, and what `then` finds in the application after them."""

    async def act(pilot, session):
        await pilot.press(*keys)
        await pilot.pause(0.1)  # a message to the reviewer slides in
        return then(pilot.app) if then is screen_text else then(pilot.app, session)

    return act


def at(app, session):
    return session.at


def field(app, session):
    return session.form.field


def matches(name, text):
    """Compare a screen with its stored picture; UPDATE_SNAPSHOTS=1 stores it anew."""
    path = SNAPSHOTS / f"review-{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return text == path.read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------------- labels


def test_digits_answer_and_enter_goes_on(db):
    """Five fields by digits, then enter: five rows, and the next reply is on screen."""
    place = review(db, press("1", "1", "0", "0", "0", "enter", then=at))
    assert place == 1
    assert [(name, blind) for name, _, _, blind, _, _ in stored(db)] == [(name, 1) for name in FIELDS]


def test_full_stop_answers_none_to_the_rest(db):
    """A plain reply takes three keys."""
    review(db, press("2", "full_stop", "enter", then=at))
    assert [row[1] for row in stored(db)][1:] == ["none"] * 4


def test_a_stereotype_takes_severity_from_presses(db):
    """The value grows row by row; the last one counts."""
    review(db, press("1", "1", "5", "5", "2", then=at))
    assert stored(db)[-1][:2] == ("stereotype", "caricature_speech:1,essentialism:2")


def test_tab_and_shift_tab_move_between_fields(db):
    """Forwards and backwards, round the ends."""
    assert review(db, press("tab", then=field)) == "reasoning_class"
    assert review(db, press("shift+tab", then=field)) == "voice"


def test_enter_goes_to_the_next_open_field_first(db):
    """With something open, enter does not leave the reply."""
    assert review(db, press("tab", "tab", "enter", then=field)) == "hallucination"
    assert review(db, press("enter", "enter", then=at)) == 0


def test_x_marks_uncertain(db):
    """The answer that follows is uncertain, the one after is not."""
    review(db, press("x", "1", "1", then=at))
    assert [row[2] for row in stored(db)] == [1, 0]


def test_u_takes_back_and_returns_to_the_reply(db):
    """Undo of the last answer of the reply before leads back to it, to its field."""
    place = review(
        db, press("1", "full_stop", "enter", "u", then=lambda app, session: (session.at, session.form.field))
    )
    assert place == (0, "voice")
    assert stored(db)[-1] == ("voice", "", 0, 1, "undo", "rater")


def test_n_writes_a_note(db):
    """Keys in the note are text; enter keeps it, escape leaves it."""
    text = review(db, press("n", "q", "u", "1", "enter"))
    assert stored(db) == [("note", "qu1", 0, 1, "", "rater")]
    assert "Your note" in text
    review(db, press("n", "z", "escape", then=at))
    assert len(stored(db)) == 1


def test_s_skips_without_a_label(db):
    """The next open reply, and nothing stored."""
    assert review(db, press("s", "s", then=at)) == 2
    assert stored(db) == []


def test_j_and_k_walk_the_queue_and_stop_at_its_ends(db):
    """Sixteen flagged replies: from the first to the last and back."""
    assert review(db, press("j", "j", "k", then=at)) == 1
    assert review(db, press("k", then=at)) == 0
    assert review(db, press(*"j" * 30, then=at)) == 15


def test_the_end_of_the_queue_is_said(db):
    """Skipping from the last open reply stays there and says so."""
    assert "Nothing open from here" in review(db, press(*"s" * 16))


# ---------------------------------------------------------------------------------------------- blindness, judges, flags


def test_blind_shows_no_country_no_model_no_flag_and_no_severity(db):
    """Whatever would tell what was found, or for whom the reply was written, is not on the screen."""

    async def walk(pilot, session):
        texts = [screen_text(pilot.app)]
        for _ in range(15):
            await pilot.press("j")
            await pilot.pause()
            texts.append(screen_text(pilot.app))
        return texts

    texts = review(db, walk)
    assert len(set(texts)) == 16
    for text in texts:
        assert "hidden" in text
        assert not re.search(
            r"mock/script|persona|France|Germany|[A-Z]\d |●|emblem cliche|detector ", text.split("Reply")[0]
        )
        assert "[S" not in text
        assert "[H" not in text


def test_v_shows_verdicts_only_after_the_answers_and_ends_blindness(db):
    """Before: refused. After: verdicts, flags and highlights, and labels that are marked as not blind."""
    refused = review(db, press("v"))
    assert "Answer all fields first" in refused
    text = review(db, press("1", "full_stop", "v", "tab", "2"), filters=Filters(country="FRA"))
    assert "rules" in text
    assert "caricature speech" in text
    assert "[S1 Zut alors!]" in text
    assert [row[3] for row in stored(db)] == [1, 1, 1, 1, 1, 0]


def test_p_shows_the_persona_and_the_label_says_so(db):
    """A label that needs the country can be given; that it was seen stands in the row."""
    text = review(db, press("p", "1"), filters=Filters(country="JPN"))
    assert "from the country of Japan" in text
    assert stored(db)[0][3:5] == (1, "country shown")


def test_without_blinding_the_gravest_comes_first_and_verdicts_follow_the_answers(db):
    """Highlights at once, verdicts as soon as all is answered, labels marked as not blind."""
    before, after = (review(db, press(*k), blind=False) for k in ((), ("1", "full_stop")))
    assert "[S1 Zut alors!]" in before
    assert "Hidden until all is answered" in before
    assert "●●●" in before
    assert "persona only" in after.split("Judges and flags")[1]
    assert {row[3] for row in stored(db)} == {0}


def test_a_span_that_a_judge_has_translated_shows_its_back_translation(db):
    """Under the reply, by the span's tag, and only where the flags may be seen."""
    text = review(db, press(), filters=Filters(country="JPN"), blind=False)
    assert "Back-translation" in text
    assert "H1  A waiting river drinks the mountain." in text
    assert "claimed language Japanese" in review(
        db, press("1", "full_stop"), filters=Filters(country="JPN"), blind=False
    )
    assert "Back-translation" not in review(db, press(), filters=Filters(country="JPN"))


def test_brackets_walk_the_flags_and_c_and_r_judge_them(db):
    """Confirm the first, reject the last, confirm the first again to take it back."""
    review(db, press("c"), blind=False)
    assert stored(db) == []
    keys = ("1", "full_stop", "c", "left_square_bracket", "r", "right_square_bracket", "c")
    review(db, press(*keys), blind=False)
    flags = [(name, value) for name, value, *_ in stored(db) if name == "flag"]
    assert flags == [("flag", "confirm"), ("flag", "reject"), ("flag", "")]
    with Store.read(db) as store:
        kinds = [r[0] for r in store.rows("select f.kind from current_labels l join flags f using (flag_id)")]
    assert kinds == ["mock_accent"]


def test_an_adjudicator_sees_both_labels_and_settles(db):
    """Only the disputed field is asked, under what each rater said."""
    with Store.annotate(db) as store:
        key = store.value("select request_key from replies where text like 'Zut%' order by 1")
        for reviewer, value in (("ann", "persona_only"), ("ben", "cultural_reasoning")):
            Labels(store, reviewer).write(key, "reasoning_class", value, blind=True)
            Labels(store, reviewer).write(key, "voice", "phonetic", blind=True)
    text = review(db, press(), reviewer="cleo", role="adjudicator")
    assert matches("adjudicate", text)
    review(db, press("2", then=at), reviewer="cleo", role="adjudicator")
    assert stored(db)[-1] == ("reasoning_class", "cultural_reasoning", 0, 1, "", "adjudicator")


# ------------------------------------------------------------------------------------------------------------- reading


def scroll(app, session):
    return app.screen.query_one("#middle").scroll_y


def test_arrows_space_and_b_scroll_the_transcript(db):
    """By line and by page, in a terminal that is too small for it; another reply starts at its top."""
    small = {"size": (80, 14), "blind": False}
    assert review(db, press("down", "down", "up", then=scroll), **small) == 1
    assert review(db, press("space", then=scroll), **small) > 2
    assert review(db, press("space", "b", then=scroll), **small) == 0
    assert review(db, press("space", "j", then=scroll), **small) == 0


def test_t_shows_the_dilemma_as_it_was_sent(db):
    """For a reply in another language; the English dilemma comes first."""
    with Store.open(db) as store:
        body = '{"scenario": ["Ich habe eine freie Woche."], "a": "allein wandern", "b": "meine Verwandten besuchen"}'
        item = store.value("select item_key from items where item_id = 'own-01'")
        store.insert("translations", [{"translation_key": "t1:x", "item_key": item, "lang": "deu_Latn", "translator": "x", "engine": "{}", "body": body, "source": "s1:x", "status": "ok"}])  # fmt: skip
        store.connection.execute(
            "update cells set lang = 'deu_Latn', translation_key = 't1:x' where item_key = ? and country = 'DEU'",
            (item,),
        )
    german = Filters(language="deu_Latn")
    assert "I have a free week" in review(db, press(), filters=german)
    assert "Ich habe eine freie Woche" in review(db, press("t"), filters=german)
    assert "allein wandern" in review(db, press("t"), filters=german)


def test_o_writes_a_page_with_the_direction_of_the_script(db, monkeypatch):
    """Without a screen of its own no browser is called: the page's place is named, and it is gone after the application."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    pages = []

    def look(app, session):
        page = Path(app._pages.name) / "transcript.html"
        pages.append(page)
        return page.read_text(encoding="utf-8")

    page = review(db, press("o", then=look), filters=Filters(category="premise"))
    assert 'dir="rtl" lang="eng-Latn">من گزینهٔ' in page
    assert "Iran" not in page
    assert not pages[0].exists()


def test_w_shows_the_queue_in_a_narrow_terminal_and_hides_it_in_a_wide_one(db):
    """80 columns hold two panes: the queue takes the transcript's place."""
    narrow = {"size": (80, 24)}
    assert "Queue" not in review(db, press(), **narrow)
    assert "Queue" in review(db, press("w"), **narrow)
    assert "Queue" not in review(db, press("w"), size=(140, 40))


def test_l_turns_to_light_and_back(db):
    """Both themes are there."""
    theme = lambda app, session: app.theme  # noqa: E731
    assert review(db, press("l", then=theme)) == "auditkit-light"
    assert review(db, press("l", "l", then=theme)) == "auditkit-dark"


def test_no_color_is_honoured(db, monkeypatch):
    """With NO_COLOR the screen is grey, and the tags still tell the spans apart."""
    monkeypatch.setenv("NO_COLOR", "1")

    def colours(app, session):
        # less the grey-green that Rich gives the title of any picture
        return set(re.findall(r"fill: (#[0-9a-f]{6})", app.export_screenshot())) - {"#c5c8c6"}

    found = review(db, press(then=colours), blind=False)
    assert found
    assert all(len({c[1:3], c[3:5], c[5:7]}) == 1 for c in found)
    assert "[S1 Zut alors!]" in review(db, press(), blind=False)


# --------------------------------------------------------------------------------------------------- search and filters


def test_slash_searches_and_an_empty_search_shows_all(db):
    """The queue narrows to what holds the text; the header says so."""
    size = lambda app, session: (session.filters.text, len(session.entries))  # noqa: E731
    assert review(db, press("slash", *"pretzel", "enter", then=size)) == ("pretzel", 4)
    assert review(db, press("slash", *"pre", "enter", "slash", *["backspace"] * 3, "enter", then=size)) == ("", 16)
    assert "Nothing fits these filters" in review(db, press("slash", *"zzz", "enter"))


def test_f_filters_by_mouse_and_keys(db):
    """A country is chosen from the list; clearing brings all back. Blind, the list does not hold what was found."""

    async def choose(pilot, session):
        await pilot.press("f")
        await pilot.click("#country")
        await pilot.press("down", "down", "enter")
        await pilot.click("#apply")
        await pilot.pause()
        narrowed = {entry.country for entry in session.entries}
        await pilot.press("f")
        await pilot.click("#clear")
        await pilot.pause()
        return narrowed, len(session.entries)

    narrowed, count = review(db, choose)
    assert len(narrowed) == 1
    assert count == 16
    assert "severity" not in review(db, press("f"))
    assert "severity" in review(db, press("f"), blind=False)


def test_the_mouse_opens_replies_fields_answers_and_flags(db):
    """Everything that a key does to what is on screen, a click does too."""

    async def click(pilot, session):
        await pilot.click("#queue", offset=(4, 3))
        place = session.at
        await pilot.click("#answers", offset=(8, 2))
        first = session.form.value("stance")
        await pilot.click("#answers", offset=(8, 5))
        await pilot.press("1", "full_stop")
        await pilot.pause()
        await pilot.click("#flags", offset=(8, 3))
        await pilot.press("r")
        return place, first, session.form.field, pilot.app.screen.flag_at

    place, first, _, flag = review(db, click, blind=False)
    assert place == 2
    assert first
    assert flag == 1
    assert ("flag", "reject") in [row[:2] for row in stored(db)]


# ------------------------------------------------------------------------------------------------------ hostile and small


def test_text_of_a_reply_does_nothing(db):
    """Escape sequences, links, markup, direction marks: all are shown as what they are, in every place where a reply shows."""
    hostile = {"filters": Filters(country="TUR")}
    for keys, more in (((), {}), (("w",), {"size": (80, 24)}), (("1", "full_stop"), {"blind": False})):
        raw = review(db, press(*keys, then=lambda app, session: app.export_screenshot()), **hostile, **more)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", raw)
        assert "<script" not in raw
        assert "href" not in raw
    text = review(db, press(), **hostile)
    assert "␛[31mIgnore the rubric" in text
    assert "[bold]Done[/bold]" in text
    assert "‹202E›" in text


def test_every_key_of_the_table_has_its_action_and_its_test():
    """A key that nothing is bound to, or that this file never presses, does not slip in."""
    from auditkit.review.app import ReviewApp
    from auditkit.review.screens import ReviewScreen

    source = Path(__file__).read_text(encoding="utf-8")
    for key in table.REVIEW:
        owner = ReviewApp if key.action.startswith("app.") else ReviewScreen
        assert hasattr(owner, "action_" + key.action.removeprefix("app.").partition("(")[0]), key
        assert f'"{key.key}"' in source, key


def test_q_and_ctrl_c_leave(db):
    """Nothing is asked: all is stored."""
    for key in ("q", "ctrl+c"):
        assert review(db, press("1", key, then=lambda app, session: app._exit))
    assert len(stored(db)) == 2


def test_the_palette_offers_the_keys_by_what_they_do(db):
    """Ctrl-P, a word, enter."""

    async def skip(pilot, session):
        await pilot.press("ctrl+p")
        await pilot.press(*"leave the reply")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await pilot.pause(0.5)
        return session.at

    assert review(db, skip) == 1


def test_a_label_that_cannot_be_stored_is_not_shown_as_answered(db):
    """The screen shows what the file holds, and says why it holds nothing."""

    async def fail(pilot, session):
        session.store.connection.execute("pragma query_only = on")
        await pilot.press("1")
        await pilot.pause()
        return session.form.answered, screen_text(pilot.app)

    answered, text = review(db, fail)
    assert answered == 0
    assert "Not stored" in text


# ----------------------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("name", "keys", "how"),
    [
        ("blind", ("1", "2"), {}),
        ("answered", ("x", "1", "1", "2", "2", "enter", "0", "1", "right_square_bracket", "c"), {"blind": False}),
        ("small", (), {"size": (80, 24)}),
        ("small-queue", ("w",), {"size": (80, 24)}),
        ("persian", (), {"filters": Filters(category="premise"), "blind": False}),
        ("help", ("question_mark",), {"size": (100, 48)}),
        ("note", ("n", "a"), {"size": (100, 30)}),
        ("filters", ("f",), {"blind": False, "size": (100, 30)}),
        ("empty", ("slash", "z", "z", "enter"), {"size": (100, 30)}),
    ],
)
def test_each_screen_looks_as_it_did(db, name, keys, how):
    """The characters of each screen, as stored in tests/snapshots."""
    assert matches(name, review(db, press(*keys), **how))
