"""Checks what a database says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from auditkit.errors import AuditError, unknown
from auditkit.identity import digest, request_body, request_key
from auditkit.store import Store

Check = tuple[str, int, list[str]]


def check(store: Store) -> Iterator[Check]:
    """(what, how many were looked at, what is wrong) for every check."""
    yield _requests(store)
    yield _translations(store)
    yield _pragma(store, "integrity of the file", "pragma integrity_check", lambda row: row[0] != "ok")
    yield _pragma(store, "references between tables", "pragma foreign_key_check", lambda _: True)
    for name, sql in (
        (
            "replies that nothing asked for",
            "select request_key from replies where request_key not in (select request_key from cells)",
        ),
        (
            "runs whose plan was cut off (run the command again)",
            "select run_id from runs where planned_at is null",
        ),
        (
            "verdicts on degenerate replies",
            # the authors of imported data judged what they judged
            (
                "select v.request_key from verdicts v join screens using (request_key) join judges j on j.judge_key = v.judge_key"
                " where degenerate is not null and j.kind <> 'published'"
            ),
        ),
    ):
        wrong = [str(row[0]) for row in store.rows(sql)]
        yield name, len(wrong), wrong


def _requests(store: Store) -> Check:
    wrong = []
    count = 0
    for row in store.rows("select * from requests where messages is not null"):
        count += 1
        derived = request_key(_body(row))
        if derived != row["request_key"]:
            wrong.append(f"{row['request_key']} derives as {derived}")
    return "request keys derived again", count, wrong


def _translations(store: Store) -> Check:
    wrong = []
    count = 0
    for row in store.rows("select t.*, i.item_id from translations t join items i using (item_key)"):
        count += 1
        body = {
            "lang": row["lang"],
            "kind": "dilemma",
            "id": row["item_id"],
            "country": "",
            "text": json.loads(row["body"]),
        }
        derived = digest("t1", body)
        if derived != row["translation_key"]:
            wrong.append(f"{row['translation_key']} derives as {derived}")
    return "translation keys derived again", count, wrong


def _pragma(store: Store, name: str, sql: str, is_wrong: Any) -> Check:
    rows = list(store.rows(sql))
    return name, len(rows), [" ".join(map(str, tuple(row))) for row in rows if is_wrong(row)]


def _body(row: Any) -> dict[str, Any]:
    return request_body(
        provider=row["provider"],
        model=row["model"],
        revision=row["revision"],
        messages=json.loads(row["messages"]),
        params=json.loads(row["params"]),
        sample=row["sample"],
    )


def differences(store: Store, first: str, second: str) -> list[tuple[str, Any, Any]]:
    """The fields in which two requests differ, with both values; nested fields by their path."""
    return list(compare("", _body(_find(store, first)), _body(_find(store, second))))


def _find(store: Store, name: str) -> Any:
    prefix = name if ":" in name else f"k1:{name}"
    rows = list(
        store.rows("select * from requests where request_key >= ? and request_key < ? limit 3", (prefix, prefix + "~"))
    )
    if not rows:
        raise unknown("request", name, [row[0] for row in store.rows("select request_key from requests limit 20")])
    if len(rows) > 1:
        raise AuditError(f"request {name!r} fits several keys; give more of it")
    if rows[0]["messages"] is None:
        raise AuditError(f"request {name!r} was imported: what was sent is not known")
    return rows[0]


def compare(path: str, left: Any, right: Any) -> Iterator[tuple[str, Any, Any]]:
    """(path of the field, left, right) for every field in which two JSON values differ; None where one lacks it."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right}):
            yield from compare(f"{path}.{key}" if path else key, left.get(key), right.get(key))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from compare(f"{path}[{index}]", one, other)
    elif left != right:
        yield path, left, right
