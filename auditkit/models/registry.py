"""Where replies come from: names of models, and the backends behind them.

| name                    | what answers                                            |
|-------------------------|---------------------------------------------------------|
| `embedded`              | a small model on this machine, fetched at first use     |
| `gguf:PATH`             | any GGUF file, by llama.cpp in this process             |
| `local/PATH-OR-HUB-ID`  | transformers, on a GPU where there is one               |
| `mock/NAME?key=value`   | a scripted, seeded model for trials and tests           |
| `PROVIDER/MODEL`        | anything litellm knows (openai, anthropic, gemini, ...) |

Another package adds a provider by the entry-point group `auditkit.backends`: a callable that takes the `ModelSpec` and the
`Connection` and returns a `Backend`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditkit.errors import AuditError
from auditkit.limits import Budget, RetryPolicy, Stop
from auditkit.models.base import Backend
from auditkit.plan import ModelSpec

EMBEDDED = "embedded"
_OURS = frozenset(
    ["model", "messages", "timeout", "api_base", "base_url", "api_key", "stream", "max_retries", "num_retries", "n"]
)
_NO_TEMPERATURE = re.compile(r"^(o[1-9]|gpt-5)")  # reasoning models that refuse the parameter


@dataclass
class Connection:
    """How to reach models in this session; none of it changes what is asked."""

    api_base: str | None = None
    timeout_s: float = 60.0
    concurrency: int | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    budget: Budget = field(default_factory=Budget)
    stop: Stop = field(default_factory=Stop)
    proven: bool = False  # the model has answered in an earlier session, so a 400 is the prompt's own fault
    device: str | None = None
    dtype: str | None = None
    progress: Callable[[int, int | None], None] | None = None  # bytes of weights fetched, and in all if known


def parse_model(
    name: str, params: Mapping[str, Any] | None = None, revision: str | None = None, *, max_tokens: int | None = None
) -> ModelSpec:
    """The model that a user's name means, with the parameters that go with it; `max_tokens` is a default of the caller's.

    Raises AuditError for a name without a provider, or a file that does not exist.
    """
    chosen: dict[str, Any] = {"temperature": 0.0, "max_tokens": max_tokens or (128 if name == EMBEDDED else 512)}
    if name == EMBEDDED:
        from auditkit.models.gguf import embedded_identity

        provider, name = "gguf", EMBEDDED
        model, revision = embedded_identity()
    elif name.startswith("gguf:"):
        path = Path(name.removeprefix("gguf:")).expanduser()
        if not path.is_file():
            raise AuditError(f"{name}: no such file")
        from auditkit.models.weights import gguf_revision

        provider, model, revision = "gguf", path.stem, gguf_revision(path)
    else:
        provider, _, model = name.partition("/")
        if not model:
            raise AuditError(
                f"model {name!r} has no provider; write it as PROVIDER/MODEL, for example openai/{name}, or local/{name}"
            )
        if provider == "local":
            from auditkit.models.local import hub_commit, local_revision

            revision = local_revision(model, revision) or hub_commit(model)
            if Path(model).expanduser().is_dir():
                model = Path(model).expanduser().resolve().name  # the revision identifies the files, wherever they lie
        if provider == "mock":
            from auditkit.models.mock import parse_mock

            parse_mock(model)  # a misspelt name is found before anything is planned
    if provider in ("openai", "azure") and _NO_TEMPERATURE.match(model.rsplit("/", 1)[-1]):
        del chosen["temperature"]
        chosen["max_tokens"] = 4_096  # reasoning is paid for out of the same allowance
    for key, value in (params or {}).items():
        if key in _OURS:
            raise AuditError(f"--param {key}=…: this is auditkit's own; see `auditkit run --help` for an option")
        if key in ("max_tokens", "max_completion_tokens") and not (
            value is None or (isinstance(value, int) and value > 0)
        ):
            raise AuditError(f"--param {key}={value}: it must be a whole number above 0")
        if value is None:
            chosen.pop(key, None)
        else:
            chosen[key] = value
    return ModelSpec(name=name, provider=provider, model=model, revision=revision, params=chosen)


def is_free(spec: ModelSpec) -> bool:
    """Whether nobody charges for this model: it runs here."""
    return spec.provider in ("gguf", "local", "mock")


def make_backend(spec: ModelSpec, connection: Connection) -> Backend:
    """The backend for a model. Raises AuditError where a key, an extra or a file is missing."""
    if spec.provider == "gguf":
        from auditkit.models.gguf import GgufBackend

        path = None if spec.name == EMBEDDED else Path(spec.name.removeprefix("gguf:")).expanduser()
        return GgufBackend(path, connection, connection.progress)
    if spec.provider == "local":
        from auditkit.models.local import LocalBackend

        return LocalBackend(
            spec.name.removeprefix("local/"),
            revision=spec.revision,
            stop=connection.stop,
            device=connection.device,
            dtype=connection.dtype,
        )
    if spec.provider == "mock":
        from auditkit.models.mock import MockBackend

        return MockBackend(spec.model, connection)
    from importlib.metadata import entry_points

    for entry in entry_points(group="auditkit.backends", name=spec.provider):
        backend: Backend = entry.load()(spec, connection)
        return backend
    from auditkit.models.api import ApiBackend, ApiSettings, check_model

    settings = ApiSettings(
        api_base=connection.api_base,
        timeout_s=connection.timeout_s,
        concurrency=connection.concurrency or 32,
        policy=connection.policy,
    )
    check_model(spec.provider, spec.model, settings)
    return ApiBackend(spec.provider, spec.model, settings, connection.budget, connection.stop, proven=connection.proven)


def preflight(spec: ModelSpec, connection: Connection) -> None:
    """What can be found out about a model by API before anything is planned. Raises AuditError (no key, no such provider)."""
    if is_free(spec):
        return
    from importlib.metadata import entry_points

    if not list(entry_points(group="auditkit.backends", name=spec.provider)):
        from auditkit.models.api import ApiSettings, check_model

        check_model(spec.provider, spec.model, ApiSettings(api_base=connection.api_base))
