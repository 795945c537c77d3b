"""Files of translations: a translator's lines are added, and everybody else's stay as they are, to the byte."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.data import Content, Translation, load_translations
from auditkit.errors import AuditError
from auditkit.translate.checks import stale

if TYPE_CHECKING:
    from collections.abc import Callable

HUMAN = ("accepted", "edited")  # statuses that only a person sets
Name = tuple[str, str, str]


def name_of(line: Translation) -> Name:
    """What a line translates: (kind, id, country)."""
    return line.kind, line.id, line.country


def own(lines: Sequence[Translation], translator: str) -> list[Translation]:
    """The lines of one translator."""
    return [line for line in lines if line.translator == translator]


def write_lines(path: Path, new: Sequence[Translation], content: Content) -> None:
    """Put lines of one translator into a file, each in the place of its predecessor; the file is replaced in one step.

    The file is read anew before, so that what a person changed meanwhile stays: a fresh line that a person accepted or
    edited is never replaced, a stale one stays beside its successor. Other translators' lines come first, unchanged; then
    this one's: instruction, persona sentences, dilemmas as in the bank. Raises AuditError where the folder cannot be written.
    """
    if not new:
        return
    translator, replaced = new[0].translator, {name_of(made) for made in new}
    others: list[str] = []
    kept: dict[Name, list[str]] = {}
    by_person: set[Name] = set()
    for raw, line in zip(_raw(path), load_translations(path), strict=True):
        if line.translator != translator:
            others.append(raw)
            continue
        human = line.status in HUMAN
        if human and not stale(line, content):
            by_person.add(name_of(line))
        if human or name_of(line) not in replaced:
            kept.setdefault(name_of(line), []).append(raw)
    for made in new:
        if name_of(made) not in by_person:
            kept.setdefault(name_of(made), []).append(dump(made))
    rank = order(content)
    mine = [raw for name in sorted(kept, key=rank) for raw in kept[name]]
    _replace(path, [*others, *mine])


def order(content: Content) -> Callable[[Name], tuple[int, int, str]]:
    """The place of a line in a file: instruction, persona sentences by template, dilemmas as in the bank."""
    templates = {name: i for i, name in enumerate(content.templates)}
    dilemmas = {name: i for i, name in enumerate(content.dilemmas)}

    def rank(name: Name) -> tuple[int, int, str]:
        kind, id_, country = name
        place = {"persona": templates, "dilemma": dilemmas}.get(kind, {}).get(id_, len(dilemmas))
        return ("instruction", "persona", "dilemma").index(kind), place, country

    return rank


def dump(line: Translation) -> str:
    """A line as it stands in a file; fields that hold nothing are left out."""
    value = {k: v for k, v in line.model_dump(mode="json").items() if v not in ("", None, {})}
    return json.dumps(value, ensure_ascii=False)


def _raw(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _replace(path: Path, lines: Sequence[str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(line + "\n" for line in lines)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise AuditError(f"cannot write {path}: {error.strerror or error}; name another folder with --translations DIR") from None  # fmt: skip


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold a file for this process; another one that wants to translate into it is told so. Raises AuditError."""
    from filelock import FileLock, Timeout

    from auditkit.identity import digest
    from auditkit.models.weights import cache_folder

    folder = cache_folder() / "locks"  # not beside the file: the folder may be one that is published
    lock = FileLock(folder / (digest("f1", str(path.resolve())).removeprefix("f1:") + ".lock"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise AuditError(f"another process is translating into {path}; wait for it, or stop it") from None
    except OSError as error:
        raise AuditError(
            f"cannot write {folder}: {error.strerror or error}; set XDG_CACHE_HOME to another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()
