"""Models behind an API, by litellm: the only file that imports it.

litellm is slow to import, prints, retries and fetches a price map unless told otherwise; all of that is settled here. It is
told never to retry (`max_retries=0`): `auditkit.limits.drive` owns retries.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from auditkit.errors import AuditError, MissingExtra, unknown
from auditkit.limits import Budget, Limiter, RetryPolicy, Stop, drive
from auditkit.models.base import Failure, Reply, Request


@cache
def litellm() -> Any:
    """litellm, imported once, silent, and without network."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches a price map at import
    os.environ.setdefault("LITELLM_LOG", "ERROR")
    try:
        import litellm as module
    except ImportError:
        raise MissingExtra("asking a model by API", "api") from None
    module.suppress_debug_info = True
    module.drop_params = False
    module.turn_off_message_logging = True
    module.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "openai"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return module


@dataclass
class ApiSettings:
    """How to reach a model; none of it is part of a request's identity."""

    api_base: str | None = None
    api_key: str | None = None
    timeout_s: float = 60.0
    concurrency: int = 32
    fixed_concurrency: bool = False  # a server in this process has a known number of slots: nothing to find out
    policy: RetryPolicy = field(default_factory=RetryPolicy)


def check_model(provider: str, name: str, settings: ApiSettings) -> None:
    """Raise AuditError for a provider that litellm does not know, or a key that is not set."""
    module = litellm()
    known = [getattr(p, "value", str(p)) for p in module.provider_list]
    if provider not in known:
        raise unknown("provider", provider, known)
    if settings.api_base or settings.api_key:
        return
    found = module.validate_environment(model=f"{provider}/{name}")
    missing = [key for key in found.get("missing_keys") or [] if key.endswith("_API_KEY")]
    if missing and not found.get(
        "keys_in_environment"
    ):  # other credentials (profiles, files) are the provider's own affair
        raise AuditError(f"{provider}/{name} needs a key: set {' or '.join(missing)} in the environment")


def prices(provider: str, name: str) -> tuple[float, float] | None:
    """Dollars a prompt token and a reply token, from litellm's table; None where it has no price."""
    try:
        info = litellm().get_model_info(f"{provider}/{name}")
    except Exception:
        return None
    tokens_in, tokens_out = info.get("input_cost_per_token"), info.get("output_cost_per_token")
    if not tokens_in and not tokens_out:
        return None  # a free entry in the table is one that nobody has filled in
    return float(tokens_in or 0.0), float(tokens_out or 0.0)


class ApiBackend:
    """Replies from one model by litellm."""

    def __init__(
        self, provider: str, name: str, settings: ApiSettings, budget: Budget, stop: Stop, *, proven: bool = False
    ) -> None:
        self.provider = provider
        self.name = name
        self.settings = settings
        self.budget = budget
        self.stop = stop
        self.dead = Stop()
        self.proven = proven
        start = settings.concurrency if settings.fixed_concurrency else 8
        self.limiter = Limiter(settings.concurrency, start)
        self._prices = prices(provider, name) if budget.limit is not None else None
        self._fixed: dict[str, Any] = {"timeout": settings.timeout_s, "max_retries": 0}
        if settings.api_base:
            self._fixed["api_base"] = settings.api_base
        if settings.api_key or settings.api_base:
            # a server of one's own often wants no key, but the client insists on one
            self._fixed["api_key"] = settings.api_key or os.environ.get(f"{provider.upper()}_API_KEY") or "none"

    async def stream(self, requests: Iterable[Request]) -> AsyncIterator[tuple[Request, Reply | Failure]]:
        """See `Backend.stream`."""
        async for outcome in drive(
            requests,
            self._call,
            limiter=self.limiter,
            policy=self.settings.policy,
            budget=self.budget,
            worst_usd=self._worst,
            stop=self.stop,
            dead=self.dead,
            proven=self.proven,
        ):
            yield outcome

    async def aclose(self) -> None:
        """Close litellm's connections, else their warnings end up on the user's terminal."""
        module = litellm()
        close = getattr(module, "close_litellm_async_clients", None)
        if close is not None:
            try:
                await close()
            except Exception:
                logging.getLogger(__name__).debug("closing litellm's clients failed", exc_info=True)

    def _worst(self, request: Request) -> float:
        if self._prices is None:
            return 0.0
        size = sum(len(message["content"].encode("utf-8", "replace")) for message in request.messages)
        limit = request.params.get("max_tokens") or request.params.get("max_completion_tokens") or 4_096
        return size / 2 * self._prices[0] + float(limit) * self._prices[1]

    async def _call(self, request: Request) -> Reply | Failure:
        module = litellm()
        params = {k: v for k, v in request.params.items() if v is not None}
        if request.sample and self.provider in _SEEDED:
            params.setdefault("seed", request.sample)  # providers that cache would answer every sample alike
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.settings.timeout_s + 5):
                response = await module.acompletion(
                    model=f"{self.provider}/{self.name}", messages=request.messages, **params, **self._fixed
                )
        except TimeoutError:
            return Failure("transient", f"no answer within {self.settings.timeout_s:g} s")
        except Exception as error:
            return classify(error)
        return to_reply(response, time.monotonic() - started)


_SEEDED = ("hosted_vllm",)


def to_reply(response: Any, latency_s: float) -> Reply | Failure:
    """A litellm response as a `Reply`; one without choices is a failure, since nothing was said."""
    if not getattr(response, "choices", None):
        return Failure("transient", "the answer held no choices")
    choice = response.choices[0]
    message = choice.message
    text = message.content or ""
    if not text and getattr(message, "tool_calls", None):
        text = message.tool_calls[0].function.arguments or ""
    finish = choice.finish_reason
    if finish == "content_filter":
        status = "blocked"
    elif not text.strip():
        status = "empty" if finish != "length" else "truncated"
    else:
        status = "truncated" if finish == "length" else "ok"
    usage = getattr(response, "usage", None)
    details = getattr(usage, "completion_tokens_details", None)
    return Reply(
        status=status,  # type: ignore[arg-type]
        text=text,
        finish_reason=finish,
        reported_model=getattr(response, "model", None),
        tokens_in=getattr(usage, "prompt_tokens", None),
        tokens_out=getattr(usage, "completion_tokens", None),
        tokens_reasoning=getattr(details, "reasoning_tokens", None),
        cost_usd=response._hidden_params.get("response_cost") if hasattr(response, "_hidden_params") else None,  # noqa: SLF001
        latency_s=latency_s,
        reasoning=getattr(message, "reasoning_content", None),
        raw=response,
    )


def classify(error: Exception) -> Failure | Reply:
    """What a litellm exception means for the request."""
    module = litellm()
    message = " ".join(str(getattr(error, "message", None) or error).split())
    status = getattr(error, "status_code", None)
    status = int(status) if isinstance(status, int | str) and str(status).isdigit() else None
    retry_after = _retry_after(error)
    if isinstance(error, module.ContentPolicyViolationError):
        return Reply("blocked", "", finish_reason="content_filter")
    if isinstance(error, module.RateLimitError):
        # out of money is not out of breath: trying again tomorrow is the user's decision
        kind = "fatal" if "insufficient_quota" in message or "billing" in message.lower() else "rate_limited"
        return Failure(kind, message, retry_after, 429)  # type: ignore[arg-type]
    if _unreachable(error):
        return Failure("transient", message, retry_after, None)  # litellm makes up a status for it
    fatal = module.AuthenticationError | module.NotFoundError | module.PermissionDeniedError
    if isinstance(error, fatal) or status in (401, 402, 403, 404):
        return Failure("fatal", message, None, status)
    if isinstance(error, module.Timeout):
        return Failure("transient", message, retry_after, 408)
    if isinstance(error, module.BadRequestError | module.UnprocessableEntityError):
        return Failure("rejected", message, None, status or 400)
    if isinstance(error, module.APIConnectionError):
        return Failure("transient", message, retry_after, None)
    return Failure("transient", message, retry_after, status)


_NO_CONNECTION = ("ConnectError", "ConnectTimeout", "ClientConnectorError", "ConnectionRefusedError", "gaierror")


def _unreachable(error: BaseException) -> bool:
    """Whether nobody was there to answer, by the chain of causes."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if any(kind.__name__ in _NO_CONNECTION for kind in type(link).__mro__):
            return True
        link = link.__cause__ or link.__context__
    return False


def _retry_after(error: Exception) -> float | None:
    """Seconds of a Retry-After header, at most ten minutes. litellm keeps headers where `response.headers` is empty."""
    headers = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", None
    )
    if not headers:
        return None
    value = next((headers[name] for name in headers if str(name).lower() == "retry-after"), None)
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(value)).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(max(0.0, seconds), 600.0)
