"""The process that holds the inference engine. Started by `EmbeddedServer` as a script, never imported by the program.

llama.cpp gets a process of its own because of what xllamacpp 2026.10 was seen to do: its server holds the interpreter
lock while it loads and while it shuts down, and shutting down it waits for its clients to hang up. A client in the same
process can then never do so, and everything stands still. Besides, a failed assertion or too little memory ends a
process, and what the engine writes goes to file descriptors that the terminal shares.

The settings come as one JSON argument. The process writes one JSON line, {"url": ...} or {"error": ...}, and lives
until its standard input is closed, which happens too when its parent dies.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any

_SILENT = -1  # below every level of the engine's log, its plain output included
# A kept-alive connection occupies one of the engine's HTTP threads; with few of them, idle clients starve the others.
_HTTP_THREADS = 64


def parameters(engine: Any, settings: dict[str, Any]) -> Any:
    """The engine's `CommonParams` for settings path, model, parallel, threads, context and reproducible."""
    params = engine.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["model"]}  # else every reply carries the path
    params.offline = True
    params.port = 0
    params.n_parallel = settings["parallel"]
    params.n_ctx = settings["context"] * settings["parallel"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.n_threads_http = _HTTP_THREADS
    params.verbosity = _SILENT
    params.ui = False
    params.endpoint_slots = False  # it shows the prompts of all clients
    params.cors_origins = ""  # no web page has business here
    params.warmup = False
    params.cache_ram_mib = 0  # else up to 8 GB of earlier prompts
    params.cache_idle_slots = False
    if settings["reproducible"]:
        # What makes a reply independent of its neighbours and predecessors: see EmbeddedServer.
        params.flash_attn_type = engine.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cache_prompt = False
    return params


def main(settings: dict[str, Any]) -> None:
    """Load, tell the parent, and serve until standard input ends. Does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which still wants its last replies
    report = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        engine = importlib.import_module("xllamacpp")
        server = engine.Server(parameters(engine, settings))
        line = {"url": f"{server.listening_address}/v1"}
    except Exception as error:
        line = {"error": f"{type(error).__name__}: {error}"}
    os.write(report, (json.dumps(line) + "\n").encode())
    os.close(report)
    if "url" in line:
        sys.stdin.buffer.read()
    os._exit(0)  # the server's destructor would wait for its clients


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
