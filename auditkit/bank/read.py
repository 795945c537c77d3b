"""Reads the bank: the dilemmas with their places in the files, their second readings, and the lexicon of praise and blame."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from auditkit.bank.overlap import Pair, similarities
from auditkit.bank.second_reading import Reading, Rewrite, load_review
from auditkit.bank.text import Lexicon, place_names
from auditkit.data import Content, Dilemma, data_dir, load_yaml
from auditkit.errors import ContentError
from auditkit.identity import digest

if TYPE_CHECKING:
    import re
    from pathlib import Path


@dataclass(frozen=True)
class BankFile:
    """A file of dilemmas. `lines` gives the line that each dilemma begins on."""

    path: Path
    dimension: str
    core_version: int | None
    core_digest: str | None
    lines: dict[str, int]


@dataclass
class Bank:
    """The dilemmas with their places in the files, the second readings, and the lexicon of praise and blame."""

    content: Content
    files: list[BankFile]
    review_path: Path
    readings: list[Reading]
    rewrites: list[Rewrite]
    lexicon: Lexicon
    place: dict[str, tuple[Path, int]] = field(init=False)
    by_dimension: dict[str, list[Dilemma]] = field(init=False)

    def __post_init__(self) -> None:
        self.place = {name: (file.path, line) for file in self.files for name, line in file.lines.items()}
        self.by_dimension = {
            name: found
            for name in self.content.dimensions
            if (found := [d for d in self.content.dilemmas.values() if d.dimension == name])
        }

    @cached_property
    def pairs(self) -> list[Pair]:
        return similarities(list(self.content.dilemmas.values()))

    @cached_property
    def places(self) -> re.Pattern[str]:
        return place_names(self.content)

    def home(self, dimension: str) -> BankFile:
        """The file that holds a dimension's core, or its first file."""
        files = [file for file in self.files if file.dimension == dimension]
        cores = [f for f in files if any(self.content.dilemmas[name].core for name in f.lines)]
        return (cores or files)[0]

    def last_reading(self, dilemma: Dilemma) -> Reading | None:
        """The last reading of the present wording."""
        found = [r for r in self.readings if r.id == dilemma.id and r.source == dilemma.text.key]
        return max(found, key=lambda r: (r.round, r.line), default=None)


def read_bank(content: Content, prompts: Path | None = None) -> Bank:
    """The bank in `prompts` (default: the one that ships), of which `content` was loaded. Raises ContentError."""
    folder = prompts or data_dir("prompts")
    files = []
    for path in sorted((folder / "dilemmas").glob("*.yaml")):
        top = load_yaml(path)
        lines = {str(entry["id"]): int(getattr(entry, "line", 0)) for entry in top["dilemmas"]}
        version, stored = top.get("core_version"), top.get("core_digest")
        if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
            raise ContentError(f"{path}:{top.line}: core_version must be a whole number, found {version!r}")
        files.append(BankFile(path, str(top["dimension"]), version, None if stored is None else str(stored), lines))
    review = folder / "review.jsonl"
    readings, rewrites = load_review(review) if review.exists() else ([], [])
    words_path = folder / "sentiment.txt"
    lexicon = Lexicon(words_path if words_path.exists() else data_dir("prompts") / "sentiment.txt")
    return Bank(content, files, review, readings, rewrites, lexicon)


def core_digest(content: Content, dimension: str) -> str:
    """Identity of the wording of a dimension's core dilemmas, in whatever order they stand. Translations hang on it."""
    core = {d.id: d.text.key for d in content.dilemmas.values() if d.dimension == dimension and d.core}
    return digest("c1", core)
