"""The translations that ship: complete, fresh, named for what they are, and passing their own checks."""

from __future__ import annotations

import functools

import pytest

from auditkit.data import ENGLISH, Content, DilemmaText, data_dir, load_content
from auditkit.translate.checks import CheckedLine, check_language

pytest.importorskip("py3langid")

NOTE = "No native speaker has reviewed this line."
MARKED_LINES = 3  # of a language, whose findings are false alarms that were read and marked; more would hide real ones


@functools.cache
def content() -> Content:
    return load_content()


LANGUAGES = sorted({country.language for country in content().countries.values()} - {ENGLISH})


@functools.cache
def lines(code: str) -> list[CheckedLine]:
    path = data_dir("translations") / f"{code}.jsonl"
    if not path.exists():
        pytest.fail(f"translations/{code}.jsonl is missing: every language needs its reference translations")
    return check_language(code, content())


def test_every_language_has_a_file():
    """There is one file for each of the 35 languages that are not English, and no other."""
    present = sorted(path.stem for path in data_dir("translations").glob("*.jsonl"))
    assert len(LANGUAGES) == 35
    assert present == LANGUAGES, (
        f"missing: {sorted(set(LANGUAGES) - set(present))}; no language: {sorted(set(present) - set(LANGUAGES))}"
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_core_dilemmas_instruction_and_personas(code: str):
    """A file holds the 50 core dilemmas, the instruction and the default persona sentence of every country, once each."""
    core = sorted(dilemma.id for dilemma in content().dilemmas.values() if dilemma.core)
    assert len(core) == 50
    assert sorted(c.line.id for c in lines(code) if c.line.kind == "dilemma") == core
    assert sum(c.line.kind == "instruction" for c in lines(code)) == 1
    speakers = [country.iso3 for country in content().countries.values() if country.language == code]
    default = content().default_template
    assert [c.line.country for c in lines(code) if c.line.kind == "persona" and c.line.id == default] == speakers


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_line_passes_its_checks(code: str):
    """No line has a finding, but for a few false alarms that are marked suspect; none is rejected, none is stale."""
    read = lines(code)
    assert [c.line.id for c in read if c.stale] == []
    assert [(c.line.id, str(f)) for c in read for f in c.open] == []
    assert [(c.line.id, str(f)) for c in read for f in c.findings if f.severity == "reject"] == []
    assert [c.line.id for c in read if c.line.status == "rejected"] == []
    assert sum(bool(c.findings) for c in read) <= MARKED_LINES, [str(f) for c in read for f in c.findings]


@pytest.mark.parametrize("code", LANGUAGES)
def test_lines_say_what_they_are(code: str):
    """Every line names its maker, and says that no native speaker has reviewed it."""
    for checked in lines(code):
        line = checked.line
        assert line.translator == "reference"
        assert line.status in ("ok", "suspect")
        assert line.note.startswith(NOTE)
        assert line.engine["made_by"] == "language model"
        assert isinstance(line.text, DilemmaText) == (line.kind == "dilemma")


@pytest.mark.parametrize("code", LANGUAGES)
def test_back_translations_are_whole(code: str):
    """A stored back-translation has as many sentences as the translation that it was made from."""
    for checked in lines(code):
        back, text = checked.line.back, checked.line.text
        if back is not None:
            assert isinstance(back, DilemmaText) and isinstance(text, DilemmaText)
            assert len(back.scenario) == len(text.scenario), checked.line.id
