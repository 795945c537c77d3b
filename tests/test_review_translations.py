"""Translations under review: decisions in the file, in one step, and the screen that makes them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("textual")

from review_pilot import running, screen_text

from auditkit.cli.review import review as review_command
from auditkit.data import load_content, load_translations
from auditkit.errors import AuditError
from auditkit.review import keys as table
from auditkit.review import translations as made
from auditkit.review.translation_screen import TranslationScreen

BANK = """dimension: individualism
dilemmas:
- {id: own-01, domain: family, core: true, lead: a, mentions: a, rationale: test, scenario: [I have a free week., My cousins live far away.],
   a: hike alone, b: visit my cousins}
"""
GERMAN = {
    "scenario": ["Ich habe eine freie Woche.", "Meine Verwandten wohnen weit weg."],
    "a": "allein wandern",
    "b": "meine Verwandten besuchen",
    "question_ab": "Soll ich allein wandern oder meine Verwandten besuchen?",
    "question_ba": "Soll ich meine Verwandten besuchen oder allein wandern?",
}
SNAPSHOT = Path(__file__).parent / "snapshots" / "review-translations.txt"


@pytest.fixture
def content(tmp_path):
    """A bank of one dilemma and a German file: one suspect dilemma between a comment-like line and an instruction."""
    (tmp_path / "bank" / "dilemmas").mkdir(parents=True)
    (tmp_path / "bank" / "dilemmas" / "own.yaml").write_text(BANK, encoding="utf-8")
    (tmp_path / "translations").mkdir()
    loaded = load_content(prompts=tmp_path / "bank", translations=tmp_path / "translations")
    from auditkit.data import text_key

    lines = [
        {
            "kind": "instruction",
            "source": text_key(loaded.messages.instruction),
            "translator": "x",
            "status": "ok",
            "text": "Bitte empfehlen Sie eine der beiden.",
        },
        {
            "kind": "dilemma",
            "id": "own-01",
            "source": loaded.dilemmas["own-01"].text.key,
            "translator": "x",
            "status": "suspect",
            "text": GERMAN,
            "back": GERMAN | {"a": "hike by myself"},
            "engine": {"beam": None},
            "checks": {"why": "a pronoun is doubted"},
            "note": "made by a machine\u2028in two lines",
        },
        {"kind": "dilemma", "id": "own-01", "source": "s1:old", "translator": "y", "status": "suspect", "text": GERMAN},
    ]
    text = json.dumps(lines[0]) + "\n" + "\n".join(json.dumps(line, ensure_ascii=False) for line in lines[1:]) + "\n"
    (tmp_path / "translations" / "deu_Latn.jsonl").write_text(text, encoding="utf-8")
    return load_content(prompts=tmp_path / "bank", translations=tmp_path / "translations")


def raw(content):
    return (content.translations_dir / "deu_Latn.jsonl").read_text(encoding="utf-8").split("\n")


def drive(content, *keys, size=(120, 44)):
    """Keys on the translation screen; gives its picture."""

    async def act():
        lines = made.lines_to_review(content, [])
        async with running(lambda: TranslationScreen(lines, content, "ann"), size) as pilot:
            await pilot.press(*keys)
            await pilot.pause(0.1)
            return screen_text(pilot.app)

    return asyncio.run(act())


def test_suspect_lines_are_reviewed_and_stale_ones_are_not(content):
    """A line whose English text is gone cannot be judged; with `every`, sound lines come too."""
    assert [(line.name, line.made.translator) for line in made.lines_to_review(content, [])] == [("own-01", "x")]
    assert len(made.lines_to_review(content, ["deu_Latn"], every=True)) == 2
    assert made.lines_to_review(content, ["fra_Latn"]) == []


def test_a_accepts_and_leaves_every_other_byte_alone(content):
    """Status, reviewer, day and note change on one line; the others stay as they were, odd spacing and all."""
    before = raw(content)
    drive(content, "a")
    after = raw(content)
    assert [i for i, (x, y) in enumerate(zip(before, after, strict=True)) if x != y] == [1]
    line = json.loads(after[1])
    assert line["status"] == "accepted"
    assert line["checks"]["reviewer"] == "ann"
    assert line["note"].startswith("Accepted by ann, ")
    assert (line["text"], line["back"], line["engine"]) == (GERMAN, GERMAN | {"a": "hike by myself"}, {"beam": None})
    assert list(line) == list(json.loads(before[1]))


def test_r_rejects_with_a_note_and_u_puts_the_line_back(content):
    """The note goes with the decision; undo gives the line that was there, byte for byte but for spacing."""
    before = json.loads(raw(content)[1])
    drive(content, "n", *"false friend", "enter", "r")
    line = json.loads(raw(content)[1])
    assert (line["status"], line["note"]) == ("rejected", "false friend")

    async def act():
        lines = made.lines_to_review(load_content(prompts=content.translations_dir.parent / "bank", translations=content.translations_dir), [], every=True)  # fmt: skip
        async with running(lambda: TranslationScreen(lines, content, "ben"), (100, 30)) as pilot:
            await pilot.press("j", "a", "u", "u")
            await pilot.pause(0.1)
            return screen_text(pilot.app)

    assert "Nothing of this session" in asyncio.run(act())
    assert json.loads(raw(content)[1]) == line
    assert line | {"status": before["status"], "note": before["note"], "checks": before["checks"]} == before


def test_e_edits_and_drops_the_back_translation_of_the_old_words(content):
    """The edited text is stored with its status; the checks read it anew on screen."""
    text = drive(content, "e", "end", *" Ja.", "ctrl+s")
    line = json.loads(raw(content)[1])
    assert line["status"] == "edited"
    assert line["text"]["scenario"][0] == "Ich habe eine freie Woche. Ja."
    assert "back" not in line
    assert "Ich habe eine freie Woche. Ja." in text
    assert load_translations(content.translations_dir / "deu_Latn.jsonl")[1].status == "edited"


def test_an_edit_that_cannot_stand_is_refused(content):
    """An option without words is no translation; escape leaves everything as it is."""
    before = raw(content)
    text = drive(content, "e", "tab", "tab", "home", *["delete"] * 20, "ctrl+s")
    assert "Not stored" in text
    drive(content, "e", *"abc", "escape")
    assert raw(content) == before


def test_a_line_that_somebody_else_has_changed_is_not_overwritten(content):
    """The decision is refused with the reason; the other's work stays."""
    line = made.lines_to_review(content, [])[0]
    path = content.translations_dir / "deu_Latn.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("suspect", "accepted"), encoding="utf-8")
    before = raw(content)
    with pytest.raises(AuditError, match="changed by somebody else"):
        made.decide(line, line.made, line.made, "rejected", reviewer="ann")
    assert raw(content) == before


def test_the_file_is_replaced_in_one_step(content, monkeypatch):
    """A crash while writing leaves the old file and no litter."""
    line = made.lines_to_review(content, [])[0]
    before = raw(content)

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(made.os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        made.decide(line, line.made, line.made, "accepted", reviewer="ann")
    assert raw(content) == before
    assert [path.name for path in content.translations_dir.iterdir()] == ["deu_Latn.jsonl"]


def test_the_installed_packages_own_files_are_never_written(tmp_path):
    """An update would take the work away: the line says to copy the folder."""
    installed = tmp_path / "site-packages" / "auditkit" / "_data" / "translations"
    installed.mkdir(parents=True)
    with pytest.raises(AuditError, match="copy it"):
        made.writable(installed)
    assert made.writable(tmp_path) == tmp_path


def test_the_command_says_when_nothing_is_suspect(tmp_path):
    """The shipped files are clean: --all reviews them too."""
    (tmp_path / "none").mkdir()
    result = CliRunner().invoke(review_command, ["--translations", str(tmp_path / "none")], standalone_mode=False)
    assert "no suspect line here; --all" in str(result.exception)


def test_each_key_has_an_action_and_the_screen_looks_as_it_did(content):
    """Source, translation and back-translation part by part, then what is doubted; help, theme and page open."""
    import os

    text = drive(content)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8")
    for key in table.TRANSLATING:
        assert key.action.startswith("app.") or hasattr(TranslationScreen, f"action_{key.action.partition('(')[0]}")
    assert "accept the translation as it is" in drive(content, "question_mark")
    assert "transcript.html" in drive(content, "l", "down", "up", "j", "k", "o") or "browser" in drive(content, "o")
