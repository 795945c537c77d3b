"""What a judge says of one reply, and the rows in which the store keeps it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from auditkit.store import now, storable

UNSURE = 0.6  # codebook: below this confidence a verdict counts as uncertain


@dataclass(frozen=True)
class Flag:
    """A passage of a reply and what is said of it; `start` and `stop` are code points of the reply as it came."""

    family: str
    kind: str
    start: int
    stop: int
    severity: int | None = None
    status: str | None = None
    source_id: str | None = None
    confidence: float | None = None
    rationale: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What the judge said, in the store's words: an outcome for stance, a reasoning class for culture, neither if unreadable."""

    status: Literal["ok", "parse_failed"]
    outcome: str | None = None
    option_id: str | None = None
    reasoning_class: str | None = None
    evidence: str | None = None
    confidence: float | None = None
    uncertain: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    raw: str = ""
    flags: Sequence[Flag] = ()


def verdict_row(request_key: str, judge_key: str, presentation: str, verdict: Verdict) -> dict[str, Any]:
    """A row of `verdicts`."""
    return {
        "request_key": request_key,
        "judge_key": judge_key,
        "presentation": presentation,
        "status": verdict.status,
        "outcome": verdict.outcome,
        "option_id": verdict.option_id,
        "reasoning_class": verdict.reasoning_class,
        "confidence": verdict.confidence,
        "uncertain": verdict.uncertain,
        "detail": storable(json.dumps(verdict.detail, ensure_ascii=False)),
        "evidence": None if verdict.evidence is None else storable(verdict.evidence),
        "raw": storable(verdict.raw),
        "created_at": now(),
    }


def flag_rows(request_key: str, judge_key: str, text: str, flags: Sequence[Flag]) -> list[dict[str, Any]]:
    """Rows of `flags`; `text` is the reply, from which each flag's evidence is cut."""
    return [
        {
            "request_key": request_key,
            "judge_key": judge_key,
            "family": flag.family,
            "kind": flag.kind,
            "start": flag.start,
            "stop": flag.stop,
            "evidence": text[flag.start : flag.stop],
            "severity": flag.severity,
            "status": flag.status,
            "source_id": flag.source_id,
            "confidence": flag.confidence,
            "rationale": None if flag.rationale is None else storable(flag.rationale),
        }
        for flag in flags
    ]
