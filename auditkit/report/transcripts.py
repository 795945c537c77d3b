"""Replies that hold flagged passages, cut where a passage begins and ends, so that a page can mark it without touching the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditkit.report.charts_base import missing

if TYPE_CHECKING:
    from auditkit.report.findings import Findings


@dataclass(frozen=True)
class Transcript:
    """A prompt and its reply. `pieces`: the reply in order, each with whether it is a flagged passage. `anchor`: its place on the page."""

    anchor: str
    model: str
    mode: str
    country: str
    lang: str
    item_id: str
    prompt: str
    pieces: list[tuple[str, bool]]


def pieces(text: str, passages: Iterable[str]) -> list[tuple[str, bool]]:
    """The text cut at the passages that it holds; passages that overlap or touch are one.

    >>> pieces("take tea, dear", ["tea"])
    [('take ', False), ('tea', True), (', dear', False)]
    """
    marked = bytearray(len(text))
    for passage in passages:
        start = text.find(passage) if passage else -1
        while start >= 0:
            marked[start : start + len(passage)] = b"\1" * len(passage)
            start = text.find(passage, start + len(passage))
    out: list[tuple[str, bool]] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or marked[end] != marked[start]:
            out.append((text[start:end], bool(marked[start])))
            start = end
    return out


def transcripts(findings: Findings) -> dict[str, Transcript]:
    """Request key -> transcript, for the examples whose reply the findings hold, in the order of the table."""
    passages: dict[str, list[str]] = {}
    for row in findings.tables["examples"].itertuples():
        passages.setdefault(row.request_key, []).append("" if missing(row.evidence) else row.evidence)
    out = {}
    for number, (key, marked) in enumerate(passages.items()):
        found = findings.transcripts.get(key)
        if found is None:
            continue
        words: dict[str, Any] = {
            name: found.get(name) or "" for name in ("model", "mode", "country", "lang", "item_id", "prompt")
        }
        out[key] = Transcript(anchor=f"reply-{number + 1}", pieces=pieces(found.get("reply") or "", marked), **words)
    return out
