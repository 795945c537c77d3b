"""Several stance judges as one: the label that most of them, or all of them, give a reply.

A consensus is a judge of its own. It asks nothing: its verdicts are derived from its members' and are written again whenever
those change.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from auditkit.identity import digest
from auditkit.judge.names import RULES
from auditkit.judge.verdict import Verdict, verdict_row
from auditkit.store import Store

Rule = Literal["majority", "all"]
CONSENSUS: tuple[Rule, ...] = ("majority", "all")
_VERSION = 1
Vote = tuple[str, str | None]  # outcome, option id
_UNCLEAR: Vote = ("unclear", None)


def consensus_row(rule: Rule, members: Mapping[str, str]) -> dict[str, Any]:
    """The row of `judges` for a rule over members (judge key -> name)."""
    panel = [{"judge_key": key, "name": members[key]} for key in sorted(members)]
    config = {"version": _VERSION, "rule": rule, "members": panel}
    return {
        "judge_key": digest("j1", {"name": rule, **config}),
        "name": rule,
        "kind": "rules",
        "task": "stance",
        "model": None,
        "config": json.dumps(config, ensure_ascii=False),
    }


def agree(rule: Rule, votes: Mapping[str, Vote | None]) -> Verdict:
    """What the members (name -> vote; None for an answer that could not be read) say together.

    `majority`: what more than half of the votes cast say, else `unclear`. The rule judge's `unclear` is an abstention, no vote.
    `all`: what every member says, else `unclear`; an abstention or an unreadable answer is no agreement.
    Where no member could be read at all, neither can the consensus (`parse_failed`).
    """
    detail = {"votes": {name: _word(vote) for name, vote in sorted(votes.items())}}
    readable = {name: vote for name, vote in votes.items() if vote is not None}
    if not readable:
        return Verdict("parse_failed", detail=detail)
    cast = Counter(vote for name, vote in readable.items() if rule == "all" or name != RULES or vote != _UNCLEAR)
    best, count = cast.most_common(1)[0] if cast else (_UNCLEAR, 0)
    needed = len(votes) if rule == "all" else sum(cast.values()) // 2 + 1
    outcome, option = best if count >= needed else _UNCLEAR
    return Verdict(
        "ok",
        outcome=outcome,
        option_id=option,
        confidence=round(count / sum(cast.values()), 4) if cast else 0.0,
        uncertain=int(len(set(votes.values())) > 1),
        detail=detail,
    )


def _word(vote: Vote | None) -> str:
    if vote is None:
        return "parse_failed"
    return vote[1] or vote[0]


def refresh_consensus(store: Store, run_id: str) -> int:
    """Bring the verdicts of every consensus of a run up to date with its members'. Returns how many changed.

    A reply gets a verdict when every member that is to read it has done so.
    """
    return sum(
        _refresh(store, run_id, key, json.loads(store.value("select config from judges where judge_key = ?", (key,))))
        for key in consensus_keys(store, run_id)
    )


def consensus_keys(store: Store, run_id: str) -> list[str]:
    """Keys of the consensus judges that a run has."""
    marks = ",".join("?" * len(CONSENSUS))
    found = store.rows(
        "select judge_key from run_judges join judges j using (judge_key)"
        f" where run_id = ? and j.kind = 'rules' and j.name in ({marks})",
        (run_id, *CONSENSUS),
    )
    return [row[0] for row in found]


def _refresh(store: Store, run_id: str, key: str, config: Mapping[str, Any]) -> int:
    names = {member["judge_key"]: member["name"] for member in config["members"]}
    votes = _votes(store, run_id, names)
    wanted = {request: verdict_row(request, key, "", agree(config["rule"], cast)) for request, cast in votes.items()}
    compared = ("status", "outcome", "option_id", "confidence", "uncertain", "detail")
    stored = {
        row["request_key"]: row
        for row in store.rows(
            "select * from verdicts where judge_key = ? and request_key in (select request_key from cells where run_id = ?)",
            (key, run_id),
        )
    }
    stale = {
        request
        for request, row in stored.items()
        if request not in wanted or any(row[name] != wanted[request][name] for name in compared)
    }
    new = [row for request, row in wanted.items() if request not in stored or request in stale]
    if stale or new:
        _replace(store, key, stale, new)
    return len(stale | {row["request_key"] for row in new})


def _replace(store: Store, key: str, stale: Iterable[str], new: Sequence[Mapping[str, Any]]) -> None:
    """Take verdicts out and put others in, all or nothing."""
    with store.transaction() as db:
        db.executemany(
            "delete from verdicts where judge_key = ? and request_key = ?", [(key, request) for request in stale]
        )
        if new:
            columns = list(new[0])
            db.executemany(
                f"insert into verdicts ({', '.join(columns)}) values ({', '.join(':' + c for c in columns)})", new
            )


def _votes(store: Store, run_id: str, names: Mapping[str, str]) -> dict[str, dict[str, Vote | None]]:
    """Request key -> member's name -> vote, for the replies that no member has still to read."""
    marks = ",".join("?" * len(names))
    votes: dict[str, dict[str, Vote | None]] = {}
    for row in store.rows(
        f"select request_key, judge_key, outcome, option_id from stances where judge_key in ({marks})"
        " and request_key in (select request_key from cells where run_id = ?)",
        (*names, run_id),
    ):
        vote = None if row["outcome"] == "parse_failed" else (row["outcome"], row["option_id"])
        votes.setdefault(row["request_key"], {})[_label(names, row["judge_key"])] = vote
    for row in store.rows(
        f"select distinct request_key from pending_judge where run_id = ? and judge_key in ({marks})", (run_id, *names)
    ):
        votes.pop(row["request_key"], None)
    return votes


def _label(names: Mapping[str, str], key: str) -> str:
    """A member's name, with the beginning of its key where two members share one (another prompt or parameter)."""
    name = names[key]
    return name if Counter(names.values())[name] == 1 else f"{name} ({key[3:9]})"
