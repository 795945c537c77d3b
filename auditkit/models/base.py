"""What a source of replies must do, and the three things that pass through it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

ReplyStatus = Literal["ok", "truncated", "blocked", "empty"]
FailureKind = Literal["rate_limited", "transient", "rejected", "fatal"]


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one model, with everything that changes the answer and nothing else."""

    key: str
    provider: str
    model: str
    messages: list[dict[str, str]]
    params: dict[str, Any]
    sample: int = 0
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's text and the facts of its transport. What the text says is for judges."""

    status: ReplyStatus
    text: str
    finish_reason: str | None = None
    reported_model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    cost_usd: float | None = None  # None means unknown, never free
    latency_s: float | None = None
    reasoning: str | None = None
    raw: Any = field(
        default=None, repr=False, compare=False
    )  # the provider's object, for structured output; never stored


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that brought no reply. The request stays pending, whatever the kind.

    `rate_limited` and `transient` are tried again; `rejected` is a 400 for this prompt (the caller decides whether the
    prompt or the set-up is at fault); `fatal` will not get better by trying (no key, no such model).
    """

    kind: FailureKind
    message: str
    retry_after: float | None = None  # seconds
    http_status: int | None = None
    final: bool = False  # no further attempt will be made in this session


class Backend(Protocol):
    """A source of replies. Pulls requests as it has room for them, yields outcomes in any order.

    Every attempt is yielded once, so a request that was tried three times comes out three times, the last time with a
    `Reply` or with a `Failure` whose `final` is true.
    """

    def stream(self, requests: Iterable[Request]) -> AsyncIterator[tuple[Request, Reply | Failure]]:
        """Answer every request of the iterable, which may be long and is read lazily."""
        ...

    async def aclose(self) -> None:
        """Release what the backend holds (connections, a model, a server)."""
        ...
