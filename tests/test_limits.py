"""Concurrency, retries, giving up and budget, on calls that are scripted here."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditkit.limits import Budget, Limiter, RetryPolicy, Stop, drive
from auditkit.models.base import Failure, Reply

QUICK = RetryPolicy(attempts=3, base_s=0.001, cap_s=0.002)


def run(items, call, *, policy=QUICK, limiter=None, budget=None, worst=0.0, stop=None):
    """Everything that `drive` yields, and the state it leaves."""
    dead = Stop()
    stop = stop or Stop()
    budget = budget or Budget()

    async def collect():
        return [
            outcome
            async for outcome in drive(
                items,
                call,
                limiter=limiter or Limiter(8),
                policy=policy,
                budget=budget,
                worst_usd=lambda _: worst,
                stop=stop,
                dead=dead,
            )
        ]

    return asyncio.run(collect()), dead, stop


def replies(outcomes):
    return [item for item, result in outcomes if isinstance(result, Reply)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.integers(1, 20), st.integers(0, 10**6))
def test_every_item_comes_out_with_exactly_one_last_word(count, concurrency, seed):
    """Whatever fails for a while: each item ends in one reply or one final failure, and every attempt is seen."""
    calls = Counter()
    chance = random.Random(seed)

    async def call(item):
        calls[item] += 1
        if item and chance.random() < 0.3:
            return Failure(chance.choice(["rate_limited", "transient"]), "not now", 0.0, 500)
        return Reply("ok", str(item))

    outcomes, _, _ = run(
        range(count), call, limiter=Limiter(concurrency), policy=RetryPolicy(3, 0.001, 0.002, give_up_after=10**6)
    )
    assert Counter(item for item, _ in outcomes) == calls
    last = Counter(item for item, r in outcomes if isinstance(r, Reply) or r.final)
    assert last == Counter(range(count))


def test_concurrency_never_passes_the_window():
    """Calls under way never exceed what the limiter allows."""
    under_way = peak = 0

    async def call(item):
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return Reply("ok", "")

    run(range(300), call, limiter=Limiter(7))
    assert peak == 7


def test_the_window_is_halved_once_an_episode_and_grows_again():
    """Ten calls of one burst that are pushed back cut the window once, not ten times."""
    limiter = Limiter(64, start=16)
    started = 1.0
    for _ in range(10):
        limiter.pushed_back(started, None)
    assert limiter.capacity == 8
    for _ in range(8 * 3):
        limiter.succeeded(in_flight=limiter.capacity)
    assert 9 <= limiter.capacity <= 11


def test_an_idle_window_does_not_grow():
    """Success while only one call was under way tells nothing about a larger window."""
    limiter = Limiter(64, start=16)
    for _ in range(100):
        limiter.succeeded(in_flight=0)
    assert limiter.capacity == 16


@given(st.integers(1, 10), st.floats(0, 300))
def test_retry_after_is_never_undercut(attempt, seconds):
    """The wait is at least what the server asked for, and not much more."""
    delay = RetryPolicy().delay(attempt, seconds)
    assert seconds <= delay <= seconds + 1.0


def test_before_the_first_answer_calls_go_out_one_at_a_time():
    """A model that is down is asked one thing at a time, and given up after three requests."""
    under_way = 0
    calls = []

    async def call(item):
        nonlocal under_way
        under_way += 1
        assert under_way == 1
        await asyncio.sleep(0)
        under_way -= 1
        calls.append(item)
        return Failure("transient", "down", None, 503)

    outcomes, dead, _ = run(range(100), call)
    assert calls == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert dead.reason == "down"
    assert replies(outcomes) == []


def test_a_fatal_failure_after_answers_stops_the_model_and_keeps_what_came():
    """A key that is revoked in mid-run ends the run; replies under way still arrive."""

    async def call(item):
        await asyncio.sleep(0.001)
        return Failure("fatal", "key revoked", None, 401) if item >= 20 else Reply("ok", "")

    outcomes, dead, _ = run(range(1000), call)
    assert sorted(replies(outcomes)) == list(range(20))
    assert dead.reason == "key revoked"
    assert len(outcomes) < 60


def test_an_exception_in_a_backend_is_a_failure_of_that_call():
    """One broken call does not lose the others' replies."""

    async def call(item):
        if item == 3:
            raise RuntimeError("a bug")
        return Reply("ok", "")

    outcomes, _, _ = run(range(10), call)
    assert sorted(replies(outcomes)) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert {r.message for i, r in outcomes if isinstance(r, Failure)} == {"RuntimeError: a bug"}


def test_a_prompt_refused_twice_is_blocked_once_the_model_lives():
    """The 400 of one prompt is that prompt's; it is asked twice and then counted."""
    calls = Counter()

    async def call(item):
        calls[item] += 1
        return Failure("rejected", "not this", None, 400) if item == 0 else Reply("ok", "")

    outcomes, dead, _ = run(range(5), call)
    assert [r.status for i, r in outcomes if i == 0 and isinstance(r, Reply)] == ["blocked"]
    assert calls[0] == 2
    assert not dead.requested


def test_a_stop_sends_nothing_new_and_keeps_what_is_under_way():
    """After a stop no further item is taken, and every call that was sent is yielded."""
    stop = Stop()
    sent = []

    async def call(item):
        sent.append(item)
        if len(sent) == 10:
            stop.request("interrupted")
        await asyncio.sleep(0.001)
        return Reply("ok", "")

    outcomes, _, _ = run(range(1000), call, stop=stop)
    assert sorted(replies(outcomes)) == sorted(sent)
    assert len(sent) < 30


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 1.0), st.floats(0.0, 1.0))
def test_a_budget_is_never_passed(limit, share):
    """With a worst case reserved before each call, what is spent stays within the limit, and the rest is left."""
    budget = Budget(limit)
    worst = 0.05

    async def call(item):
        await asyncio.sleep(0)
        return Reply("ok", "", cost_usd=worst * share)

    outcomes, _, stop = run(range(60), call, budget=budget, worst=worst)
    assert budget.spent <= limit + 1e-9
    assert budget.reserved == pytest.approx(0.0)
    assert (len(outcomes) == 60) != stop.requested


def test_an_unknown_price_counts_as_the_worst_case_under_a_budget():
    """A call whose cost nobody knows is not free."""
    budget = Budget(1.0)
    assert budget.reserve(0.4)
    budget.settle(0.4, None)
    assert budget.spent == 0.4


def test_items_are_read_only_as_there_is_room():
    """A long plan is not pulled into memory: the source is read no further than the calls under way."""
    read = 0
    answered = 0
    ahead = []

    def source():
        nonlocal read
        for item in range(500):
            read += 1
            yield item

    async def call(item):
        nonlocal answered
        ahead.append(read - answered)
        await asyncio.sleep(0)
        answered += 1
        return Reply("ok", "")

    run(source(), call, limiter=Limiter(4))
    assert max(ahead) <= 6


def test_a_retry_that_does_not_fit_the_budget_loses_no_other_item():
    """Whatever waits for money keeps its place and its attempts; nothing is dropped without a word."""
    failed = []

    async def call(item):
        await asyncio.sleep(0.03 if item == "a" else 0.002)
        if item == "c" and not failed:
            failed.append(item)
            return Failure("transient", "once", None, 500)
        return Reply("ok", "", cost_usd=0.1)

    outcomes, _, stop = run("abcdef", call, budget=Budget(8.0), worst=4.0)
    assert sorted(replies(outcomes)) == list("abcdef")
    assert not stop.requested


def test_a_400_after_earlier_answers_is_the_prompts_own_from_the_start():
    """A resumed run whose last prompts are all refused ends: each is asked twice and counted as blocked."""

    async def call(item):
        return Failure("rejected", "not this", None, 400)

    async def collect():
        return [
            r
            async for _, r in drive(
                range(5), call, limiter=Limiter(4), policy=QUICK, budget=Budget(), stop=Stop(), dead=Stop(), proven=True
            )
        ]

    outcomes = asyncio.run(collect())
    assert [r.status for r in outcomes if isinstance(r, Reply)] == ["blocked"] * 5
    assert len(outcomes) == 10
