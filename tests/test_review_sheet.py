"""Review outside of the terminal: the sheet, the labels that come back, the list, and the command's refusals."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from review_stores import make_db

from auditkit.cli.import_labels import labels as import_command
from auditkit.cli.review import review as review_command
from auditkit.errors import AuditError
from auditkit.review.labels import FIELDS
from auditkit.review.labels_file import import_labels
from auditkit.store import Store


@pytest.fixture
def db(tmp_path):
    return make_db(tmp_path)


def run(command, *arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def sheet(db, tmp_path, *more):
    path = tmp_path / "sheet.html"
    run(review_command, "--db", db, "--reviewer", "ann", "--html", path, *more)
    return path.read_text(encoding="utf-8")


def elements(page):
    """(tag, attributes) of every element that a browser would make of the page."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append((tag, dict(attrs)))
    parser.feed(page)
    return found


def browse(browser, tmp_path, page):
    """The page's elements after its scripts have run, as text."""
    path = tmp_path / "browsed.html"
    path.write_text(page, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]  # fmt: skip
    return subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, encoding="utf-8", timeout=120, check=True
    ).stdout


def keys_of(page):
    return re.findall(r'data-key="([^"]+)"', page)


def test_a_sheet_holds_a_form_for_each_reply_and_nothing_from_elsewhere(db, tmp_path):
    """One file: no address in it, no script but its own, which its policy names by hash."""
    page = sheet(db, tmp_path)
    parsed = elements(page)
    assert len(keys_of(page)) == 16
    fieldsets = [attrs["data-field"] for tag, attrs in parsed if tag == "fieldset"]
    assert fieldsets == list(FIELDS) * 16
    assert [tag for tag, _ in parsed].count("script") == 1
    assert not [attrs for _, attrs in parsed if {"src", "href"} & set(attrs) or any(a.startswith("on") for a in attrs)]
    policy = next(attrs["content"] for _, attrs in parsed if attrs.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_hostile_text_is_text_in_a_page(db, tmp_path):
    """Markup, escape sequences and direction marks of a reply reach neither the page's structure nor its direction."""
    page = sheet(db, tmp_path, "--country", "TUR")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "␛[31m" in page
    assert "‹202E›" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)


def test_every_text_has_its_direction(db, tmp_path):
    """Persian from the right, English from the left, in one page."""
    page = sheet(db, tmp_path, "--category", "premise", "--no-blind")
    assert re.search(r'dir="rtl" lang="eng-Latn">من', page)
    assert re.search(r'dir="ltr" lang="eng-Latn">I have a free week', page)
    assert page.startswith('<!doctype html><html lang="en" dir="ltr">')


def test_a_blind_sheet_tells_nothing_and_an_open_one_shows_the_spans(db, tmp_path):
    """Blind, no country, model, flag or severity is in the file at all, for a reader of its source either."""
    blind = sheet(db, tmp_path)
    assert not re.search(r"<mark|<table|mock/script|country of|emblem_cliche</td>|>detector<", blind)
    page = sheet(db, tmp_path, "--no-blind", "--country", "FRA")
    assert '<mark class="stereotype"><sup>S1</sup>Zut alors!</mark>' in page
    assert '<mark class="stereotype"><sup>V1</sup><sup>S2</sup>zis ees not so &#x27;ard</mark>' in page


def test_the_second_reviewer_gets_the_same_sample_in_another_order(db, tmp_path):
    """The same command, another name."""
    ann = keys_of(sheet(db, tmp_path, "--sample", 12, "--stratify", "model,country"))
    ben = keys_of(sheet(db, tmp_path, "--sample", 12, "--stratify", "model,country", "--reviewer", "ben"))
    assert sorted(ann) == sorted(ben)
    assert ann != ben


def test_what_the_page_gives_back_is_what_the_import_reads(db, tmp_path):
    """A browser fills the sheet, and the files that it would save are imported: both kinds give the same labels."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    page = sheet(db, tmp_path, "--sample", 6)
    assert '<span id="done">0 of 6</span>' in browse(
        browser, tmp_path, page
    )  # the policy lets the page's own script run
    clicks = """
      const form = document.querySelector("section.reply form");
      const pick = (field, value) => form.querySelector(`[data-field=${field}] input[value=${value}]`).click();
      pick("stance", "b"); pick("reasoning_class", "persona_only"); pick("stereotype", "none");
      const level = form.querySelector("[data-field=stereotype] input[value=essentialism]").closest("span").querySelector("select");
      level.value = "2"; level.dispatchEvent(new Event("change", { bubbles: true }));
      pick("stereotype", "antagonism"); pick("hallucination", "anachronism"); pick("voice", "none");
      form.querySelector("[data-field=voice] .uncertain").click();
      const note = form.querySelector("textarea");
      note.value = 'so, "fine"\\nالسلام'; note.dispatchEvent(new Event("change", { bubbles: true }));
      const saved = {}; save = (text, type, ending) => { saved[ending] = text; };
      document.getElementById("json").click(); document.getElementById("csv").click();
      document.body.innerHTML = ""; document.body.textContent = "SAVED" + encodeURIComponent(JSON.stringify(saved)) + "END";
    """
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    shown = browse(browser, tmp_path, page.replace("</body>", f"<script>{clicks}</script></body>"))
    saved = json.loads(unquote(re.search("SAVED(.*)END", shown, re.DOTALL)[1]))
    for ending, text in saved.items():
        (tmp_path / f"labels{ending}").write_text(text, encoding="utf-8", newline="")
    assert "6 labels on 1 replies by ann" in run(import_command, tmp_path / "labels.json", "--db", db).output
    again = run(import_command, tmp_path / "labels.csv", "--db", db).output
    assert "0 labels on 1 replies by ann; 6 were here already" in again
    with Store.read(db) as store:
        rows = {r["field"]: (r["value"], r["uncertain"], r["blind"], r["sample_id"] is not None) for r in store.rows("select * from current_labels")}  # fmt: skip
    assert rows == {
        "stance": ("b", 0, 1, True),
        "reasoning_class": ("persona_only", 0, 1, True),
        "stereotype": ("antagonism:1,essentialism:2", 0, 1, True),
        "hallucination": ("anachronism", 0, 1, True),
        "voice": ("none", 1, 1, True),
        "note": ('so, "fine"\nالسلام', 0, 1, True),
    }


# ------------------------------------------------------------------------------------------------------------- import


def labels_file(tmp_path, *entries, name="labels.json"):
    path = tmp_path / name
    path.write_text(json.dumps({"auditkit_labels": 1, "labels": list(entries)}), encoding="utf-8")
    return path


@pytest.fixture
def entry(db):
    with Store.read(db) as store:
        key = store.value("select min(request_key) from replies")
    return {"request_key": key, "field": "stance", "value": "a", "reviewer": "ann", "blind": True, "created_at": "2026-01-01T00:00:00"}  # fmt: skip


def test_a_file_read_twice_adds_nothing_the_second_time(db, tmp_path, entry):
    """A changed answer of a later file is a new row, and counts."""
    with Store.annotate(db) as store:
        assert import_labels(store, labels_file(tmp_path, entry)).new == 1
        done = import_labels(store, labels_file(tmp_path, entry, entry | {"value": "b", "created_at": "2026-01-02"}))
        assert (done.new, done.known, done.reviewers) == (1, 1, ("ann",))
        assert store.value("select value from current_labels") == "b"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": "c"}, "label 2: unknown stance 'c'"),
        ({"field": "stereotype", "value": "cliche:1"}, "label 2: unknown stereotype 'cliche'"),
        ({"field": "flag", "value": "confirm"}, "label 2: field 'flag' is none of"),
        ({"request_key": "k1:zzz"}, "label 2: reply 'k1:zzz' is not in"),
        ({"sample_id": "p1:zzz"}, "label 2: sample 'p1:zzz' is not in"),
        ({"reviewer": " "}, "label 2: no reviewer"),
        ({"value": ""}, "label 2: the label is empty"),
        ({"seconds": "soon"}, "label 2: could not convert"),
    ],
)
def test_a_file_with_one_wrong_label_is_refused_whole(db, tmp_path, entry, change, reason):
    """The place and the reason are named, and the good labels of the file are not written either."""
    with Store.annotate(db) as store:
        with pytest.raises(AuditError, match=re.escape(reason)):
            import_labels(store, labels_file(tmp_path, entry, entry | change))
        assert store.value("select count(*) from labels") == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ('{"labels": []}', "not a file of labels"),
        ('{"auditkit_labels": 1, "labels": []}', "no labels"),
    ],
)
def test_what_is_not_a_file_of_labels_is_refused(db, tmp_path, text, reason):
    """One line that says what is wrong."""
    path = tmp_path / "labels.json"
    path.write_text(text, encoding="utf-8")
    with Store.annotate(db) as store, pytest.raises(AuditError, match=reason):
        import_labels(store, path)


def test_an_adjudicators_file_and_another_name(db, tmp_path, entry):
    """Role and reviewer come from the command where they are given."""
    run(import_command, labels_file(tmp_path, entry), "--db", db, "--reviewer", "cleo", "--adjudicator")
    with Store.read(db) as store:
        assert [tuple(r) for r in store.rows("select reviewer, role from labels")] == [("cleo", "adjudicator")]


# ------------------------------------------------------------------------------------------------------------ command


def test_list_prints_the_queue_for_scripts(db):
    """CSV on stdout in the queue's order; blind, without the columns that tell."""
    open_rows = list(csv.DictReader(io.StringIO(run(review_command, "--db", db, "--list", "--no-blind").stdout)))
    assert [row["severity"] for row in open_rows] == ["3"] * 4 + ["2"] * 4 + [""] * 8
    assert open_rows[0]["flags"] == "caricature_speech mock_accent phonetic"
    blind = list(csv.DictReader(io.StringIO(run(review_command, "--db", db, "--list", "--limit", 3).stdout)))
    assert list(blind[0]) == ["request_key", "item_id", "mode", "answered", "done"]
    assert len(blind) == 3


def test_a_sample_is_announced_once(db):
    """Drawn the first time, found the second."""
    command = ("--db", db, "--sample", 10, "--stratify", "country", "--list", "--reviewer")
    assert "drawn: 5 random, 5 enriched" in run(review_command, *command, "ann").stderr
    assert "drawn" not in run(review_command, *command, "ben").stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--category", "essentialism"), "add --no-blind"),
        (("--severity", "2"), "add --no-blind"),
        (("--stratify", "model"), "--stratify belongs to --sample"),
        (("--sample", "5", "--stratify", "contry"), "did you mean 'country'"),
        (("--fields", "stanc"), "did you mean 'stance'"),
        (("--country", "Atlantis"), "unknown country"),
        (("--run", "zz"), "unknown run"),
        (("--reviewer", "ann"), "review needs a terminal"),
        (("--html", "/nowhere/sheet.html"), "cannot be written"),
        (("--adjudicate", "--html", "x.html"), "nothing to adjudicate"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(db, arguments, reason):
    """The line says what to do instead."""
    with pytest.raises(AuditError, match=reason):
        run(review_command, "--db", db, *arguments)


def test_a_run_that_no_detector_has_read_says_so(db, tmp_path):
    """The first thing to do is named."""
    with Store.open(db) as store:
        store.connection.execute("delete from flags")
        store.connection.execute("delete from verdicts")
    with pytest.raises(AuditError, match="run `auditkit detect`"):
        run(review_command, "--db", db, "--html", tmp_path / "s.html")
    assert "run `auditkit detect`" in run(review_command, "--db", db, "--list").stderr
