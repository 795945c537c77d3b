"""How fast to ask, when to ask again, when to give up, and how much to spend.

`drive` is the one owner of retries: libraries below it are told never to retry, so the number of calls is what the policy says.
The limiter grows by one a reply until the first push-back, then by one a round (TCP's slow start and congestion avoidance), and
halves once an episode of push-back, whatever the number of calls that saw it.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from auditkit.models.base import Failure, Reply

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed call is made again. Only transport failures and rate limits are; an unwelcome answer never is."""

    attempts: int = 6  # calls a request, the first one included
    base_s: float = 1.0
    cap_s: float = 60.0
    give_up_after: int = (
        3  # requests in a row that used up their attempts (or were refused) while the model answers nothing
    )

    def delay(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after the `attempt`-th call (1 is the first): full jitter, never less than Retry-After."""
        backoff = min(self.cap_s, self.base_s * 2 ** (attempt - 1))
        wait = random.uniform(backoff / 2, backoff)
        return wait if retry_after is None else max(retry_after, min(wait, retry_after + self.base_s))


class Limiter:
    """How many calls may be under way: additive growth, multiplicative cut, a pause that the server asks for."""

    def __init__(self, maximum: int, start: int = 4) -> None:
        self.maximum = max(1, maximum)
        self._window = float(min(start, self.maximum))
        self._slow_start = True
        self._last_cut = float("-inf")
        self.paused_until = float("-inf")

    @property
    def capacity(self) -> int:
        return int(self._window)

    def succeeded(self, in_flight: int) -> None:
        """Grow, but only if the window was what held us back."""
        if in_flight + 1 >= self.capacity and self._window < self.maximum:
            self._window = min(self.maximum, self._window + (1.0 if self._slow_start else 1.0 / self._window))

    def pushed_back(self, started: float, retry_after: float | None) -> None:
        """Halve, unless the call was sent before the last cut and so tells nothing about the new window."""
        now = time.monotonic()
        if retry_after is not None:
            self.paused_until = max(self.paused_until, now + retry_after)
        if started > self._last_cut:
            self._last_cut = now
            self._slow_start = False
            self._window = max(1.0, self._window / 2)


class Budget:
    """Dollars that may be spent: the worst case is reserved before a call, what it cost is settled after it."""

    def __init__(self, limit_usd: float | None = None, spent_usd: float = 0.0) -> None:
        self.limit = limit_usd
        self.spent = spent_usd
        self.reserved = 0.0
        self.open_calls = 0
        self.exhausted = False

    def reserve(self, worst_usd: float) -> bool:
        """Set the worst case aside. False if it does not fit beside what is spent and reserved."""
        if self.limit is not None and self.spent + self.reserved + worst_usd > self.limit + 1e-12:
            return False
        self.reserved += worst_usd
        self.open_calls += 1
        return True

    def settle(self, worst_usd: float, cost_usd: float | None) -> None:
        """Replace a reservation by what the call cost; an unknown cost counts as the worst case where there is a limit."""
        self.open_calls -= 1
        # sums of floats do not come back to nothing by themselves
        self.reserved = max(0.0, self.reserved - worst_usd) if self.open_calls else 0.0
        self.spent += worst_usd if cost_usd is None and self.limit is not None else (cost_usd or 0.0)


@dataclass
class Stop:
    """Asked for by Ctrl-C, by the budget, or by a model that does not answer: nothing new is sent, what is under way is kept."""

    requested: bool = False
    reason: str | None = None

    def request(self, reason: str) -> None:
        if not self.requested:
            self.requested, self.reason = True, reason


@dataclass(order=True)
class _Waiting(Generic[T]):
    due: float
    number: int
    item: T = field(compare=False)
    attempt: int = field(compare=False)


async def drive(
    items: Iterable[T],
    call: Callable[[T], Awaitable[Reply | Failure]],
    *,
    limiter: Limiter,
    policy: RetryPolicy,
    budget: Budget,
    worst_usd: Callable[[T], float] = lambda _: 0.0,
    stop: Stop,
    dead: Stop,
    proven: bool = False,
) -> AsyncIterator[tuple[T, Reply | Failure]]:
    """Make the calls, yield every attempt as it ends.

    The first request goes alone: until the model has answered once, calls are made one at a time, so a misnamed or dead model
    costs a handful of them. `stop` is the user's wish for all models, `dead` is set here, with the provider's message, when
    this model is given up. A 400 counts as this prompt's fault (status `blocked`) once the
    model has answered another, in this session or (`proven`) in an earlier one.
    """
    source = iter(items)
    waiting: list[_Waiting[T]] = []
    refused: deque[T] = deque()  # 400s that came before the first success: asked again once we know the set-up is right
    results: asyncio.Queue[tuple[T, int, float, float, Reply | Failure]] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()
    in_flight = 0
    number = 0
    answered = 0
    failed_in_a_row = 0
    drained = False
    held: T | None = None  # read from the source, and waiting for budget

    async def attempt(item: T, count: int, worst: float) -> None:
        started = time.monotonic()
        try:
            result = await call(item)
        except BaseException as error:
            # a backend's fault must not lose the others' replies, nor leave us waiting for it
            result = Failure("transient", f"{type(error).__name__}: {error}")
            if not isinstance(error, Exception):
                results.put_nowait((item, count, started, worst, result))
                raise
        results.put_nowait((item, count, started, worst, result))

    def launch(item: T, count: int, worst: float) -> None:
        nonlocal in_flight
        in_flight += 1
        task = asyncio.get_running_loop().create_task(attempt(item, count, worst))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        while True:
            now = time.monotonic()
            capacity = limiter.capacity if answered else 1
            while in_flight < capacity and not (stop.requested or dead.requested) and now >= limiter.paused_until:
                again: _Waiting[T] | None = None
                if waiting and waiting[0].due <= now:
                    again = heapq.heappop(waiting)
                    item, count = again.item, again.attempt
                elif waiting and not answered:
                    break  # the first request is tried to its end before another one is sent
                elif refused and (answered or proven):
                    item, count = refused.popleft(), 2
                elif held is not None:
                    item, count, held = held, 1, None
                elif not drained:
                    try:
                        item, count = next(source), 1
                    except StopIteration:
                        drained = True
                        continue
                else:
                    break
                worst = worst_usd(item)
                if not budget.reserve(worst):
                    if again is not None:  # back to where it came from, with the attempts it has had
                        heapq.heappush(waiting, again)
                    elif count > 1:
                        refused.appendleft(item)
                    else:
                        held = item
                    if in_flight == 0 and budget.open_calls == 0:
                        budget.exhausted = True
                        stop.request("the budget is used up")
                    break
                launch(item, count, worst)
            if in_flight == 0:
                if stop.requested or dead.requested:
                    return
                if not waiting and not (refused and (answered or proven)) and held is None and drained:
                    return
                await asyncio.sleep(_pause(waiting, limiter))
                continue
            try:
                timeout = _pause(waiting, limiter) if waiting or now < limiter.paused_until else None
                async with asyncio.timeout(timeout):
                    item, count, started, worst, result = await results.get()
            except TimeoutError:
                continue
            in_flight -= 1
            budget.settle(worst, result.cost_usd if isinstance(result, Reply) else 0.0)
            if isinstance(result, Reply):
                answered += 1
                failed_in_a_row = 0
                limiter.succeeded(in_flight)
                yield item, result
                continue
            if result.kind == "rejected" and (answered or proven) and count > 1:
                yield item, Reply("blocked", "", finish_reason="rejected", raw=result)
                continue
            if result.kind == "rejected" and (answered or proven):
                refused.append(item)  # asked once more: a 400 must come twice to count as the prompt's own
                yield item, result
                continue
            if result.kind in ("rate_limited", "transient") and count < policy.attempts:
                if result.kind == "rate_limited":
                    limiter.pushed_back(started, result.retry_after)
                number += 1
                due = time.monotonic() + policy.delay(count, result.retry_after)
                heapq.heappush(waiting, _Waiting(due, number, item, count + 1))
                yield item, result
                continue
            failed_in_a_row += 1
            if result.kind == "rejected":
                refused.append(item)
            unreachable = result.kind != "rejected" and result.http_status is None and not answered
            if result.kind == "fatal" or unreachable or failed_in_a_row >= policy.give_up_after:
                dead.request(result.message)
            yield item, replace(result, final=True)
    finally:
        for task in tasks:
            task.cancel()


def _pause(waiting: list[_Waiting[T]], limiter: Limiter) -> float:
    """Seconds until something may be sent again; short, so that a wish to stop is seen."""
    now = time.monotonic()
    due = waiting[0].due if waiting else now
    return min(0.2, max(0.005, max(due, limiter.paused_until) - now))
