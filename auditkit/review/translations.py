"""Suspect translations under review: which lines, and how a decision gets back into the file.

A file is `translations/<language>.jsonl`. A decision changes one line of it and leaves every other byte alone; the new file is written beside
the old one and takes its place in one step, so that a crash leaves the one or the other.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from auditkit.data import Content, DilemmaText, Translation
from auditkit.errors import AuditError
from auditkit.translate.checks import FIELDS, CheckedLine, check_language, check_line, source_of, target

Decision = Literal["accepted", "edited", "rejected"]
_DECIDED = ("status", "text", "back", "checks", "note")  # what a decision may change


@dataclass(frozen=True)
class Line:
    """A translated line under review, where it stands, and what the checks find in it."""

    path: Path
    lang: str
    checked: CheckedLine

    @property
    def made(self) -> Translation:
        return self.checked.line

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.made.id, self.made.country) if part) or self.made.kind


def writable(folder: Path) -> Path:
    """The folder, if decisions may be written there. Raises AuditError for an installed package's own files."""
    if "site-packages" in folder.resolve().parts or "_data" in folder.resolve().parts:
        raise AuditError(
            f"{folder} belongs to the installed package, and an update would overwrite it: copy it and name your copy,"
            " as in --translations my-translations"
        )
    return folder


def lines_to_review(content: Content, languages: list[str], *, every: bool = False) -> list[Line]:
    """The suspect lines of these languages (empty: of all that have a file), or every fresh line, in the order of the files."""
    found = []
    for path in sorted(content.translations_dir.glob("*.jsonl")):
        if path.stem in {c.language for c in content.countries.values()} and path.stem in (languages or [path.stem]):
            found += [
                Line(path, path.stem, checked)
                for checked in check_language(path.stem, content)
                if not checked.stale and (every or checked.line.status == "suspect")
            ]
    return found


def parts(text: DilemmaText | str | None) -> dict[str, str]:
    """A text by its parts: sentence 1 to n, a, b, question_ab, question_ba; or `text` for one running text."""
    if not isinstance(text, DilemmaText):
        return {"text": text or ""}
    sentences = {f"sentence {i}": sentence for i, sentence in enumerate(text.scenario, 1)}
    return sentences | {name: getattr(text, name) for name in FIELDS}


def source_parts(line: Line, content: Content) -> dict[str, str]:
    """The English text by the same parts."""
    return parts(source_of(line.made, content))


def edited(line: Translation, values: Mapping[str, str]) -> Translation:
    """The line with other words by part, without the back-translation of the old ones. Raises AuditError for an empty part."""
    clean = {name: value.strip() for name, value in values.items()}
    text: dict[str, Any] | str = clean.get("text", "")
    if line.kind == "dilemma":
        sentences = [value for name, value in clean.items() if name.startswith("sentence ") and value]
        text = {"scenario": sentences, **{name: clean[name] for name in FIELDS}}
    if not all(clean[name] for name in clean if not name.startswith("sentence ")):
        raise AuditError("only a sentence may be empty, which takes it out; options, questions and texts need words")
    try:
        return Translation.model_validate(line.model_dump(exclude={"text", "back"}) | {"text": text})
    except ValidationError as error:
        raise AuditError(f"this cannot be stored: {error.errors(include_url=False)[0]['msg']}") from None


def findings(line: Translation, lang: str, content: Content) -> list[str]:
    """What the automatic checks find in a line, in words."""
    made = target(lang, content, content.translations(lang))
    return [str(finding) for finding in check_line(line, made, content)]


def decide(
    line: Line, old: Translation, made: Translation, status: Decision, *, reviewer: str, note: str = ""
) -> Translation:
    """Write a decision on a line into its file and return the line as it now stands.

    old: the line as it stands in the file. made: the same, with other words if it was edited. Raises AuditError if the line has
    changed in the file meanwhile.
    """
    today = datetime.now(UTC).date().isoformat()
    checks = {**made.checks, "reviewer": reviewer, "reviewed": today}
    said = note or f"{status.capitalize()} by {reviewer}, {today}."
    new = Translation.model_validate(made.model_dump() | {"status": status, "checks": checks, "note": said})
    replace_line(line.path, old, new)
    return new


def replace_line(path: Path, old: Translation, new: Translation) -> None:
    """Put a line in the place of another one, in one step. Raises AuditError where the old one is not there any more."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = stream.read().split("\n")  # not splitlines: a text may hold other line separators
    wanted = old.model_dump()
    place = next((i for i, row in enumerate(rows) if row.strip() and _same(row, wanted)), None)
    if place is None:
        raise AuditError(f"{path}: this line has been changed by somebody else; leave and start again to see it")
    stored, dumped = json.loads(rows[place]), new.model_dump(mode="json")
    for name in _DECIDED:
        stored.pop(name, None) if dumped[name] in (None, "", {}) else stored.update({name: dumped[name]})
    rows[place] = json.dumps(stored, ensure_ascii=False)
    mode = path.stat().st_mode
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write("\n".join(rows))
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _same(row: str, wanted: dict[str, Any]) -> bool:
    try:
        return Translation.model_validate_json(row).model_dump() == wanted
    except ValidationError:
        return False
