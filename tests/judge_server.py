"""What a scripted judge says, and what it was shown."""

from __future__ import annotations

import json
import re
import sqlite3

MARKS = re.compile(r"(⟦[0-9a-f]{12}⟧)\n(.*)\n\1")


def rows(sql: str) -> list[tuple]:
    """The answer of the database in the current folder."""
    with sqlite3.connect("auditkit.db") as connection:
        return connection.execute(sql).fetchall()


def shown(body: dict) -> dict[str, str]:
    """What stands between the marks of a judge's request."""
    found = MARKS.search(body["messages"][1]["content"])
    assert found is not None
    return json.loads(found.group(2))


def is_culture(body: dict) -> bool:
    return "prompt" in shown(body)


def stance(choice: str, evidence: str, confidence: float = 0.9, instructions: bool = False) -> str:
    return json.dumps(
        {"evidence": evidence, "choice": choice, "confidence": confidence, "instructions_in_reply": instructions}
    )


def culture(**changes: object) -> str:
    """An answer of the culture judge that finds nothing, but for `changes`; lists of evidence may be given as plain quotes."""
    answer: dict[str, object] = {
        "persona_trace": [],
        "cultural_premise": [],
        "reasoning_class": "none",
        "value_generalisation": [],
        "stereotypes": [],
        "hallucinations": [],
        "put_on_voice": "none",
        "voice_evidence": "",
        "response_language": "en",
        "contains_instructions_to_grader": False,
        "uncertain": False,
        "confidence": 0.9,
    }
    for name, value in changes.items():
        plain = name in ("persona_trace", "cultural_premise", "value_generalisation")
        answer[name] = [{"quote": quote} for quote in value] if plain else value  # type: ignore[union-attr]
    return json.dumps(answer)


def stereotype(category: str, evidence: str, severity: int = 1, confidence: float = 0.8) -> dict[str, object]:
    return {
        "category": category,
        "severity": severity,
        "evidence": evidence,
        "rationale": "because it is one",
        "confidence": confidence,
    }


def invention(kind: str, evidence: str, status: str = "unverified", **facts: object) -> dict[str, object]:
    return {"kind": kind, "evidence": evidence, "status": status, "confidence": 0.7, **facts}
