"""A model that answers on a laptop, with no key, no GPU and no model hub.

`EmbeddedServer` runs any GGUF file with llama.cpp (package xllamacpp) and offers it on a loopback port as an
OpenAI-compatible endpoint. `fetch_embedded_weights` supplies the small model that comes with this program. That
model shows that the pipeline works; its advice is poor, and what it says is no finding about anything.

Environment variables
    AUDITKIT_EMBEDDED_MODEL    a GGUF file to use in place of the small model
    AUDITKIT_EMBEDDED_THREADS  threads that compute; default: the physical cores this process may use, at most 8
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from auditkit.errors import AuditError, MissingExtra
from auditkit.models.weights import fetch_embedded_weights, gguf_revision

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["EmbeddedServer", "default_threads", "fetch_embedded_weights", "gguf_revision"]

THREADS_VARIABLE = "AUDITKIT_EMBEDDED_THREADS"

_MOST_THREADS = 8  # decoding is bound by memory bandwidth, which eight cores exhaust


class EmbeddedServer:
    """An OpenAI-compatible server on 127.0.0.1 for one GGUF file, in a process of its own that ends with this one.

    parallel      requests that are computed at once; further ones wait in the engine's queue
    threads       threads that compute; None reads AUDITKIT_EMBEDDED_THREADS, else `default_threads()`
    context       tokens of prompt and reply for each request; a longer prompt is answered with HTTP 400. The default
                  holds 1,200 prompt tokens (a dilemma in Georgian, whose letters the small model's tokenizer spells
                  byte by byte) and 512 new ones, with room for a persona
    reproducible  False lets the engine use flash attention and reuse earlier prompts

    Reproducibility. At temperature 0, or with a seed, a request brings the same text whatever is computed beside it and
    was computed before it, on one machine with one version of the engine and as many threads: of 12 texts none
    differed at 2, 4 or 8 requests at once. By llama.cpp's own settings they do differ. With the small model, 64 new
    tokens and four requests at once, 9 of 24 texts at temperature 0 and 10 of 24 at 0.7 with a seed were not those of
    one request at a time; turning flash attention off ends that. And 1 of 24 differed between two runs of one at a
    time; turning the reuse of earlier prompts off ends that. `benchmarks/embedded.py` measures it again. Where layers
    run on a GPU it has not been measured.

    >>> with EmbeddedServer(fetch_embedded_weights()) as server:  # doctest: +SKIP
    ...     client = openai.OpenAI(base_url=server.base_url, api_key="none")
    """

    def __init__(
        self,
        path: Path,
        *,
        parallel: int = 4,
        threads: int | None = None,
        context: int = 3072,
        reproducible: bool = True,
    ) -> None:
        if parallel < 1 or context < 1 or (threads is not None and threads < 1):
            raise AuditError("an embedded model needs at least 1 parallel request, 1 thread and 1 token of context")
        self.path = path.expanduser()
        self.parallel = parallel
        self.threads = default_threads() if threads is None else threads
        self.context = context
        self.reproducible = reproducible
        self._process: subprocess.Popen[bytes] | None = None
        self._base_url: str | None = None

    @property
    def model(self) -> str:
        """The name under which the server reports the model: the file's, without folder and suffix."""
        return self.path.stem

    @property
    def base_url(self) -> str:
        """Such as http://127.0.0.1:40123/v1. Raises RuntimeError when the server was not started or was stopped."""
        if self._base_url is None:
            raise RuntimeError("the embedded server is not running")
        return self._base_url

    def start(self) -> str:
        """Load the file and listen on a free port; returns the base URL once requests are answered.

        Blocks while loading (about a second for the small model). Starting twice is the same as starting once.

        Raises AuditError if the file is missing, is no GGUF file or cannot be loaded, MissingExtra without the engine.
        """
        if self._base_url is not None:
            return self._base_url
        _check_magic(self.path)
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtra("running a GGUF file", "embedded")
        settings = {
            "path": str(self.path),
            "model": self.model,
            "parallel": self.parallel,
            "threads": self.threads,
            "context": self.context,
            "reproducible": self.reproducible,
        }
        # A script, not a module: the package need not be importable from the new process. -P keeps this folder's
        # files from being taken for modules of the standard library.
        command = [sys.executable, "-P", str(Path(__file__).with_name("engine.py")), json.dumps(settings)]
        # Threads that sleep while they wait for one another, where OpenMP would let them spin.
        environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        except BaseException:
            self.stop()
            raise
        report: dict[str, str] = json.loads(line) if line else {"error": "the engine ended without a word"}
        if "url" not in report:
            self.stop()
            raise AuditError(
                f"the engine cannot load {self.path}: the file is damaged or incomplete, holds a kind of model that it "
                f"does not know, or does not fit into memory ({report['error']})"
            )
        self._base_url = report["url"]
        return self._base_url

    def stop(self) -> None:
        """End the engine; requests in flight are cut off. Stopping twice is the same as stopping once."""
        self._base_url = None
        process, self._process = self._process, None
        if process is None:
            return
        # Nothing of the engine outlives its process, so it need not be asked politely.
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def default_threads() -> int:
    """The number of threads that compute: AUDITKIT_EMBEDDED_THREADS, else the physical cores at hand, at most 8.

    Cores at hand are those that exist, that this process may run on and that its control group grants. The engine's
    threads wait for one another at every layer, so one thread more than there are cores costs far more than it brings.

    Raises AuditError if the variable is no positive whole number.
    """
    wish = os.environ.get(THREADS_VARIABLE, "").strip()
    if wish:
        if not wish.isdecimal() or int(wish) < 1:
            raise AuditError(f"{THREADS_VARIABLE} is {wish!r}; it must be a whole number from 1 up")
        return int(wish)
    return max(1, min(_physical_cores(), _granted_cpus(), _MOST_THREADS))


def _physical_cores() -> int:
    logical = os.cpu_count() or 1
    if sys.platform == "linux":
        siblings = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
        try:
            return len({path.read_text() for path in siblings}) or logical
        except OSError:
            return logical
    # Half are the second threads of a core on most Intel and AMD machines and the slow cores on Apple's.
    return max(1, logical // 2)


def _granted_cpus() -> int:
    granted = os.cpu_count() or 1
    if sys.platform == "linux":
        granted = len(os.sched_getaffinity(0))
        try:
            quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
            granted = min(granted, max(1, int(quota) // int(period)))
        except (OSError, ValueError):  # no control group, or "max"
            pass
    return granted


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise AuditError(f"cannot read the model file {path}: {error.strerror or error}") from None
    if magic != b"GGUF":
        raise AuditError(f"{path} is not a GGUF file")
