"""GGUF models: llama.cpp's server in this process, reached by the same litellm path as any API."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.errors import AuditError
from auditkit.models.base import Failure, Reply, Request
from auditkit.models.embedded import EmbeddedServer
from auditkit.models.weights import EMBEDDED, MODEL_VARIABLE, fetch_embedded_weights, gguf_revision

if TYPE_CHECKING:
    from auditkit.models.registry import Connection

PARALLEL = 4
DEFAULT_NAME = "SmolLM2-135M-Instruct.Q4_1"


def embedded_identity() -> tuple[str, str]:
    """Model name and revision of `--model embedded`, known before the file is fetched."""
    override = os.environ.get(MODEL_VARIABLE)
    if not override:
        return DEFAULT_NAME, f"sha256:{EMBEDDED.sha256}"
    path = Path(override).expanduser()
    if not path.is_file():
        raise AuditError(f"{MODEL_VARIABLE} names {override}, which is no file")
    return path.stem, gguf_revision(path)


class GgufBackend:
    """Replies from a GGUF file; without a path, from the small model that is fetched at first use."""

    def __init__(
        self, path: Path | None, connection: Connection, progress: Callable[[int, int | None], None] | None = None
    ) -> None:
        from auditkit.models.api import litellm

        litellm()  # a missing extra is named before anything is fetched
        try:
            import xllamacpp  # noqa: F401
        except ImportError:
            from auditkit.errors import MissingExtra

            raise MissingExtra("a model on this machine", "embedded") from None
        weights = path or fetch_embedded_weights(progress)
        self._connection = connection
        self._server = EmbeddedServer(weights, parallel=connection.concurrency or PARALLEL)

    async def stream(self, requests: Iterable[Request]) -> AsyncIterator[tuple[Request, Reply | Failure]]:
        """See `Backend.stream`."""
        from auditkit.models.api import ApiBackend, ApiSettings

        settings = ApiSettings(
            api_base=self._server.start(),
            api_key="none",
            timeout_s=max(600.0, self._connection.timeout_s),  # a slow machine is no dead server
            concurrency=self._server.parallel,
            fixed_concurrency=True,
            policy=self._connection.policy,
        )
        api = ApiBackend(
            "hosted_vllm",
            self._server.model,
            settings,
            self._connection.budget,
            self._connection.stop,
            proven=self._connection.proven,
        )
        try:
            async for request, outcome in api.stream(requests):
                yield request, replace(outcome, cost_usd=0.0) if isinstance(outcome, Reply) else outcome
        finally:
            await api.aclose()  # before the server stops, or its clients see a broken connection

    async def aclose(self) -> None:
        self._server.stop()
