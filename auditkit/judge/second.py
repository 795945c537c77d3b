"""Which replies a second judge reads: those that the first judges leave in doubt, and a random share of all.

The random share makes it possible to say how often the two differ where nothing looked doubtful: it is drawn by the hash of
the request's key, so that it is the same whoever asks and whenever.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from auditkit.identity import digest
from auditkit.judge.names import Judge
from auditkit.judge.verdict import UNSURE
from auditkit.runner import chunks
from auditkit.store import Store

Reason = Literal["disagreement", "uncertain", "injection", "random"]
REASONS: tuple[Reason, ...] = ("disagreement", "uncertain", "injection", "random")
_BATCH = 200


def in_random_share(request_key: str, share: float) -> bool:
    """Whether a reply belongs to the random share (0 to 1) of all replies."""
    return int(digest("d1", request_key)[-8:], 16) < share * 16**8


def refer(store: Store, run_id: str, judge: Judge, first: Sequence[Judge], share: float) -> None:
    """Put before a second judge what it shall read, of the replies that all `first` judges (of its task) have read.

    A referral stays once it is made. Where several reasons hold, the first of REASONS is stored.
    """
    from auditkit.detect.injection import suspects

    marks = ",".join("?" * len(first))
    keys = [each.key for each in first]
    candidates = [
        row[0]
        for row in store.rows(
            "select request_key from verdicts v"
            f" where judge_key in ({marks}) and request_key in (select request_key from cells where run_id = ?)"
            " and not exists (select 1 from referrals r where r.run_id = ? and r.judge_key = ? and r.request_key = v.request_key)"
            f" group by request_key having count(distinct judge_key) = {len(first)}"
            " except select request_key from pending_judge"
            f" where run_id = ? and judge_key in ({marks})",
            (*keys, run_id, run_id, judge.key, run_id, *keys),
        )
    ]
    for batch in chunks(candidates, _BATCH):
        doubts = _doubts(store, keys, batch)
        rows = []
        for request, text in store.texts(batch):
            reason = doubts.get(request) or ("injection" if suspects(text) else None)
            if reason is None and in_random_share(request, share):
                reason = "random"
            if reason is not None:
                rows.append({"run_id": run_id, "judge_key": judge.key, "request_key": request, "reason": reason})
        store.insert("referrals", rows)


def _doubts(store: Store, judges: Sequence[str], requests: Sequence[str]) -> dict[str, Reason]:
    """Request key -> the reason that lies in the first judges' own verdicts."""
    judge_marks, marks = ",".join("?" * len(judges)), ",".join("?" * len(requests))
    readings: dict[str, dict[str, list[Any]]] = {}
    for row in store.rows(
        f"select * from verdicts where judge_key in ({judge_marks}) and request_key in ({marks})", (*judges, *requests)
    ):
        readings.setdefault(row["request_key"], {}).setdefault(row["judge_key"], []).append(row)
    return {request: reason for request, by_judge in readings.items() if (reason := _doubt(list(by_judge.values())))}


def _doubt(by_judge: Sequence[Sequence[Any]]) -> Reason | None:
    """Judges differ; or one is unsure, cannot be read, or contradicts itself; or one saw instructions in the reply."""
    rows = [row for readings in by_judge for row in readings]
    labels = [{_label(row) for row in readings} for readings in by_judge]
    settled = {label for found in labels if len(found) == 1 for label in found if label is not None}
    if len(settled) > 1:
        return "disagreement"
    if any(len(found) > 1 or None in found for found in labels):
        return "uncertain"
    if any(row["uncertain"] or (row["confidence"] is not None and row["confidence"] < UNSURE) for row in rows):
        return "uncertain"
    if any(json.loads(row["detail"] or "{}").get("instructions_in_reply") for row in rows):
        return "injection"
    return None


def _label(row: Any) -> str | None:
    """What a reading says; None for an unreadable or undecided one, which contradicts nobody."""
    if row["status"] != "ok" or row["outcome"] == "unclear":
        return None
    return str(row["reasoning_class"] or row["option_id"] or row["outcome"])


def referred(store: Store, run_id: str) -> dict[str, dict[str, int]]:
    """Second judge's name -> reason -> number of replies of the run."""
    found: dict[str, dict[str, int]] = {}
    for row in store.rows(
        "select j.name, r.reason, count(*) as n from referrals r join judges j using (judge_key) where run_id = ? group by 1, 2",
        (run_id,),
    ):
        found.setdefault(row["name"], {})[row["reason"]] = row["n"]
    return {name: {reason: counts[reason] for reason in REASONS if reason in counts} for name, counts in found.items()}
