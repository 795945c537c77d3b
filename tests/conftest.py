"""Fixtures: an isolated home, no keys, and a peer that speaks the OpenAI protocol on a loopback port."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # before any test imports litellm, which else asks the network


@pytest.fixture(autouse=True)
def isolated(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No key of the user's, no home of the user's, an empty current folder."""
    for name in list(os.environ):
        if name.startswith("AUDITKIT_") and name not in ("AUDITKIT_EMBEDDED_MODEL", "AUDITKIT_EMBEDDED_THREADS"):
            monkeypatch.delenv(name)
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    if "embedded" not in request.keywords:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@dataclass
class Peer:
    """An OpenAI-compatible server of our own. `behave` decides what each request gets; the default is a reply."""

    port: int
    seen: Counter[str] = field(default_factory=Counter)  # prompt -> times it was received
    stored: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


def completion(text: str, finish: str = "stop", model: str = "peer") -> dict[str, Any]:
    """A chat completion as OpenAI's API gives it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
    }


Behaviour = Callable[[dict[str, Any], int], Any]
"""(request body, how often this prompt has come before) -> text | dict (body) | (status, headers, body) | "drop" | seconds to hang."""


@pytest.fixture
def peer() -> Iterator[Callable[[Behaviour | None], Peer]]:
    """Start a server on a free loopback port; ends with the test."""
    from aiohttp import web

    stops: list[Callable[[], None]] = []

    def start(behave: Behaviour | None = None) -> Peer:
        loop = asyncio.new_event_loop()
        ready = threading.Event()
        server = Peer(0)

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            prompt = json.dumps(body["messages"])
            before = server.seen[prompt]
            server.seen[prompt] += 1
            server.total += 1
            server.stored.append(body)
            answer = behave(body, before) if behave else "I would go with the first option."
            if isinstance(answer, int | float):
                await asyncio.sleep(answer)
                answer = "too late"
            if answer == "drop":
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            if isinstance(answer, str):
                answer = completion(answer, model=body["model"])
            if isinstance(answer, tuple):
                status, headers, content = answer
                text = content if isinstance(content, str) else json.dumps(content)
                return web.Response(status=status, headers=headers, text=text, content_type="application/json")
            return web.json_response(answer)

        async def serve() -> None:
            app = web.Application()
            app.router.add_post("/v1/chat/completions", handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            server.port = site._server.sockets[0].getsockname()[1]
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.02)
            await runner.cleanup()

        done = threading.Event()
        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
        thread.start()
        assert ready.wait(10)

        def stop() -> None:
            done.set()
            thread.join(10)
            loop.close()

        stops.append(stop)
        return server

    yield start
    for stop in stops:
        stop()


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def auditkit(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run a command in this process."""

    def call(*arguments: object) -> Result:
        from auditkit.cli import main

        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        code = ended.value.code
        return Result(code if isinstance(code, int) else 0, captured.out, captured.err)

    return call


def spawn(*arguments: object, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the real command line as a process of its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("AUDITKIT_") or k.startswith("AUDITKIT_EMBEDDED")}
    env.update(environment, PYTHONPATH=str(ROOT))
    return subprocess.Popen(
        [sys.executable, "-m", "auditkit", *map(str, arguments)],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that another process does."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def embedded_weights() -> Path:
    """The embedded model's file; skips, with the reason, where it cannot be fetched."""
    from auditkit.errors import AuditError
    from auditkit.models.weights import fetch_embedded_weights

    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    try:
        return fetch_embedded_weights()
    except AuditError as error:
        if os.environ.get("AUDITKIT_TESTS_NEED_EMBEDDED"):
            raise
        pytest.skip(f"the embedded model cannot be fetched: {error}")
