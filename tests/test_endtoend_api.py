"""The real command line against a server of our own that misbehaves."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from conftest import completion, free_port, spawn, wait_until

pytest.importorskip("litellm")
pytestmark = pytest.mark.endtoend

RUN = ("run", "-d", "individualism", "-m", "persona", "--model", "hosted_vllm/peer")


def rows(db: Path, sql: str) -> list[tuple]:
    with sqlite3.connect(db) as connection:
        return connection.execute(sql).fetchall()


def test_a_run_against_a_server_answers_judges_and_verifies(auditkit, peer, isolated):
    """Every cell is answered and judged, the summary shows the share, and the keys derive again."""
    server = peer()
    result = auditkit(*RUN, "--api-base", server.base, "--limit", 40)
    assert (result.code, server.total) == (0, 40), result.err
    assert "40/40" in result.out
    assert rows(isolated / "auditkit.db", "select count(*), min(outcome), max(outcome) from verdicts") == [
        (40, "chose", "chose")
    ]
    assert auditkit("verify").code == 0
    again = auditkit(*RUN, "--api-base", server.base, "--limit", 40)
    assert (again.code, server.total) == (0, 40)
    assert "40 of 40 requests are answered already" in again.err


def test_a_rate_limited_server_gets_exactly_the_calls_of_the_policy(auditkit, peer, isolated):
    """Always 429: one request is tried six times, three requests in all, then the model is given up; nothing is stored."""
    server = peer(lambda body, before: (429, {"Retry-After": "0"}, {"error": {"message": "slow down"}}))
    result = auditkit(*RUN, "--api-base", server.base, "--limit", 10, "--retries", 5)
    assert server.total == 3 * 6
    assert sorted(server.seen.values()) == [6, 6, 6]
    assert result.code == 2
    assert "slow down" in result.err
    assert rows(isolated / "auditkit.db", "select count(*) from replies") == [(0,)]
    assert rows(isolated / "auditkit.db", "select outcome, count(*) from attempts group by 1") == [("rate_limited", 18)]


def test_retry_after_is_waited_for(auditkit, peer):
    """A 429 with Retry-After: 1 is not followed by a call within that second, and then the run completes."""
    times = []

    def behave(body, before):
        times.append(time.monotonic())
        return (
            (429, {"Retry-After": "1"}, {"error": {"message": "slow down"}})
            if len(times) == 1
            else "The second option."
        )

    server = peer(behave)
    result = auditkit(*RUN, "--api-base", server.base, "--limit", 3)
    assert (result.code, server.total) == (0, 4)
    assert times[1] - times[0] >= 1.0


def test_every_kind_of_trouble_ends_complete_and_no_failure_is_a_reply(auditkit, peer, isolated):
    """500, dropped connections, empty bodies, bad JSON, no choices and a hang are tried again; what is stored is replies."""
    troubles = [
        (500, {}, {"error": {"message": "oops"}}),
        "drop",
        (200, {}, ""),
        (200, {}, "{not json"),
        (200, {}, {**completion(""), "choices": []}),
        30.0,
        (503, {}, "unavailable"),
    ]
    order = iter(range(10_000))

    def behave(body, before):
        if before == 0 and (n := next(order)) > 0:  # the first request of all proves that the model lives
            return troubles[n % len(troubles)]
        return "I recommend the first option."

    server = peer(behave)
    result = auditkit(*RUN, "--api-base", server.base, "--limit", 15, "--timeout", 2, "--concurrency", 8)
    assert result.code == 0, result.err
    assert rows(isolated / "auditkit.db", "select status, count(*) from replies group by 1") == [("ok", 15)]
    assert rows(isolated / "auditkit.db", "select count(distinct text) from replies") == [(1,)]
    assert server.total == 29
    assert rows(isolated / "auditkit.db", "select count(*) from attempts where outcome = 'transient'") == [(14,)]


def test_a_run_with_requests_left_says_so_and_the_same_command_finishes(auditkit, peer, isolated):
    """Prompts that keep failing stay pending with exit code 1; when the server is well again, the same command ends with 0."""
    ill = True

    def behave(body, before):
        return (500, {}, {"error": {"message": "oops"}}) if ill and len(server.seen) % 4 == 2 else "The first option."

    server = peer(behave)
    result = auditkit(*RUN, "--api-base", server.base, "--limit", 8, "--retries", 0, "--concurrency", 1)
    assert result.code == 1
    assert "left; run the same command again" in result.err
    ill = False
    assert auditkit(*RUN, "--api-base", server.base, "--limit", 8, "--retries", 0, "--concurrency", 1).code == 0
    assert rows(isolated / "auditkit.db", "select count(*) from replies") == [(8,)]


def test_a_dead_server_costs_a_handful_of_calls(auditkit, isolated):
    """Nobody listens: one request is tried, then the model is given up with the reason in one line."""
    result = auditkit(*RUN, "--api-base", f"http://127.0.0.1:{free_port()}/v1", "--limit", 50, "--retries", 1)
    assert result.code == 2
    assert result.err.strip().splitlines()[-1].startswith("auditkit: hosted_vllm/peer answered nothing:")
    assert rows(isolated / "auditkit.db", "select count(*) from attempts") == [(2,)]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_misnamed_model_or_wrong_key_stops_at_once_with_the_providers_message(auditkit, peer, status):
    """A fatal answer to the first request ends the run after that one call."""
    server = peer(lambda body, before: (status, {}, {"error": {"message": "no model of that name here"}}))
    result = auditkit(*RUN, "--api-base", server.base, "--limit", 50)
    assert (result.code, server.total) == (2, 1)
    assert "no model of that name here" in result.err


def test_a_400_for_one_prompt_is_blocked_and_a_400_for_all_is_the_set_up(auditkit, peer, isolated):
    """Once the model has answered others, a prompt refused twice is stored as blocked; if all are refused the run stops."""
    bad = {"error": {"message": "this prompt is not allowed"}}
    first = []

    def some(body, before):
        prompt = json.dumps(body["messages"])
        if not first:
            first.append(prompt)
        return (400, {}, bad) if "own judgement" in prompt else "The first option."

    server = peer(some)
    result = auditkit(*RUN, "--api-base", server.base, "--limit", 50)
    blocked = rows(isolated / "auditkit.db", "select count(*) from replies where status = 'blocked'")[0][0]
    assert result.code == 0, result.err
    assert blocked > 0
    assert "blocked" in result.out
    everything = peer(lambda body, before: (400, {}, bad))
    other = auditkit(*RUN, "--api-base", everything.base, "--limit", 50, "--db", "other.db")
    assert (other.code, everything.total) == (2, 3)
    assert rows(isolated / "other.db", "select count(*) from replies") == [(0,)]


def test_a_key_never_reaches_the_database(auditkit, peer, isolated, monkeypatch):
    """A provider that repeats the key in its message finds it removed from what is stored and printed."""
    key = "sk-verysecret1234567890"
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", key)
    server = peer(lambda body, before: (401, {}, {"error": {"message": f"Incorrect API key provided: {key}"}}))
    result = auditkit(*RUN, "--api-base", server.base, "--limit", 2)
    dump = "".join(sqlite3.connect(isolated / "auditkit.db").iterdump())
    assert key not in dump
    assert key not in result.err


def test_killed_twice_the_same_command_finishes_and_sends_nothing_twice(auditkit, peer, isolated):
    """kill -9 twice in 2,000 cells: all are answered in the end, and no prompt is sent again after its reply was stored."""
    stored_when_sent: list[str] = []
    db = isolated / "auditkit.db"

    def behave(body, before):
        if (
            before
            and rows(
                db,
                "select count(*) from replies join requests using (request_key) where messages = "
                + _quote(body["messages"]),
            )[0][0]
        ):
            stored_when_sent.append(json.dumps(body["messages"]))
        time.sleep(0.001)
        return "I would take the second option."

    server = peer(behave)
    command = (
        "run",
        "-d",
        "individualism",
        "-d",
        "mas",
        "-m",
        "persona",
        "--model",
        "hosted_vllm/peer",
        "--limit",
        2000,
    )
    for target in (300, 900):
        process = spawn(*command, "--api-base", server.base, cwd=isolated)
        wait_until(lambda target=target: db.exists() and _count(db) >= target, 120)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert _count(db) < 2000
    result = auditkit(*command, "--api-base", server.base)
    assert result.code == 0, result.err
    assert _count(db) == 2000
    assert stored_when_sent == []
    assert len(server.seen) == 2000
    assert auditkit("verify").code == 0


def _quote(messages: object) -> str:
    return "'" + json.dumps(messages, ensure_ascii=False).replace("'", "''") + "'"


def _count(db: Path) -> int:
    try:
        return rows(db, "select count(*) from replies")[0][0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.skipif(os.name == "nt", reason="signals are different there")
def test_ctrl_c_drains_keeps_what_was_answered_and_exits_with_130(auditkit, peer, isolated):
    """An interrupt lets the replies under way arrive, stores them, and says that the same command goes on."""
    server = peer(lambda body, before: (time.sleep(0.02), "The first option.")[1])
    command = (*RUN, "--limit", 400, "--api-base", server.base, "--concurrency", 4)
    process = spawn(*command, cwd=isolated)
    wait_until(lambda: _count(isolated / "auditkit.db") >= 20)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    kept = _count(isolated / "auditkit.db")
    assert process.returncode == 130, err
    assert "the same command goes on" in err
    assert server.total == kept
    assert "Traceback" not in err
    assert auditkit(*command).code == 0
    assert server.total == 400


def test_a_second_writer_is_told_and_a_reader_is_not_held_up(auditkit, peer, isolated):
    """While one run writes, another gets one clear line, and status can be read."""
    server = peer(lambda body, before: (time.sleep(0.05), "The first option.")[1])
    process = spawn(*RUN, "--limit", 400, "--api-base", server.base, "--concurrency", 2, cwd=isolated)
    wait_until(lambda: _count(isolated / "auditkit.db") >= 5)
    second = auditkit(*RUN, "--limit", 10, "--api-base", server.base)
    status = auditkit("status")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert second.code == 2
    assert "is being written by another auditkit" in second.err
    assert status.code == 1
    assert "individualism" in status.out


def test_a_budget_that_is_used_up_leaves_what_was_paid_for_judged(auditkit, peer, isolated):
    """The run stops asking in time, the rule judge reads what came, and the exit code says that something is left."""
    server = peer()
    command = (
        "run",
        "-d",
        "individualism",
        "-m",
        "baseline",
        "--model",
        "openai/gpt-4.1-mini",
        "--api-base",
        server.base,
    )
    result = auditkit(*command, "--budget", "0.0013")
    assert result.code == 1, result.err
    assert 0 < server.total < 50
    assert "is used up" in result.err
    assert rows(isolated / "auditkit.db", "select count(*) from stances") == [(server.total,)]
    assert rows(isolated / "auditkit.db", "select sum(cost_usd) <= 0.0013, min(cost_usd) > 0 from attempts") == [(1, 1)]


def test_strings_that_no_file_can_hold_do_not_stop_a_run(auditkit, peer, isolated):
    """A lone surrogate in a provider's reasoning is replaced; the reply is kept."""

    def behave(body, before):
        answer = completion("The first option.")
        answer["choices"][0]["message"]["reasoning_content"] = "thinking \ud83d"
        return answer

    server = peer(behave)
    assert auditkit(*RUN, "--api-base", server.base, "--limit", 2).code == 0
    assert rows(isolated / "auditkit.db", "select count(*), min(reasoning) from replies") == [(2, "thinking \ufffd")]


@pytest.mark.skipif(os.name == "nt", reason="signals are different there")
def test_a_second_ctrl_c_ends_at_once_without_a_traceback(auditkit, peer, isolated):
    """The replies under way are given up, what was stored stays, and the exit code is 130."""
    process = spawn("run", "-d", "mas", "-m", "baseline", "--model", "mock/coin?latency=30", "--core", cwd=isolated)
    wait_until(
        lambda: rows_or_none(isolated / "auditkit.db", "select count(*) from cells where run_id is not null") == [(10,)]
    )
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err


def rows_or_none(db: Path, sql: str):
    try:
        return rows(db, sql) if db.exists() else None
    except sqlite3.OperationalError:
        return None
