"""Judge prompts: text files with front matter, and the safe way to show a reply to a judge."""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import yaml

from auditkit.data import data_dir
from auditkit.errors import ContentError, unknown


@dataclass(frozen=True)
class JudgePrompt:
    """A judge's instructions. Add one by writing `prompts/judges/NAME.md`."""

    name: str
    version: int
    task: str
    labels: tuple[str, ...]
    text: str
    kind: str  # llm, or agent for one that takes several steps
    max_tokens: int  # of an answer, unless the user says otherwise


def load_judge_prompt(name: str, folder: Path | None = None) -> JudgePrompt:
    """The prompt called `name`. Raises AuditError for an unknown one, ContentError for a broken file."""
    places = [place / "judges" for place in (folder, data_dir("prompts")) if place is not None]
    path = next((place / f"{name}.md" for place in places if (place / f"{name}.md").is_file()), None)
    if path is None:
        raise unknown("judge", name, {"rules", *(p.stem for place in places for p in place.glob("*.md"))})
    match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", path.read_text(encoding="utf-8"), re.DOTALL)
    if match is None:
        raise ContentError(f"{path}:1: a judge begins with front matter between two lines of ---")
    try:
        head = yaml.safe_load(match.group(1))
        return JudgePrompt(
            name=str(head["name"]),
            version=int(head["version"]),
            task=str(head["task"]),
            labels=tuple(head["labels"]),
            text=match.group(2).strip(),
            kind=str(head.get("kind", "llm")),
            max_tokens=int(head.get("max_tokens", 512)),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ContentError(f"{path}:2: front matter needs name, version, task and labels ({error})") from None


def sanitise(text: str) -> str:
    """Without control and format characters (bidirectional overrides, zero-width ones), which hide text from a reader.

    Line breaks and tabs stay. U+200C and U+200D stay too: Persian, Hindi and Sinhala are misspelt without them.
    """
    return "".join(
        c for c in text if c in "\n\t\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )


def quoted(**texts: str) -> tuple[str, str]:
    """Texts as the strings of one JSON object between two copies of a random mark, and the mark. Hidden characters are left out.

    The mark is drawn anew for every call, so nothing in a text can close the quotation.
    """
    shown = {name: sanitise(text) for name, text in texts.items()}
    while True:
        mark = f"⟦{secrets.token_hex(6)}⟧"
        if not any(mark in text for text in shown.values()):
            # JSON lets these two stand in a string, where they would look like the end of the line that is data
            data = json.dumps(shown, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
            return f"{mark}\n{data}\n{mark}", mark
