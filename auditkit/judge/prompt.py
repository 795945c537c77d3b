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


def quoted(text: str, key: str = "reply") -> tuple[str, str]:
    """The text as a JSON string between two copies of a random mark, and the mark.

    The mark is drawn anew for every call, so nothing in the text can close the quotation.
    """
    while True:
        mark = f"⟦{secrets.token_hex(6)}⟧"
        if mark not in text:
            return f"{mark}\n{json.dumps({key: text}, ensure_ascii=False)}\n{mark}", mark
