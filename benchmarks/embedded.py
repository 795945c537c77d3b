"""How fast the embedded model answers, and whether a reply depends on what is computed beside it.

    python benchmarks/embedded.py [--parallel 1 2 4 8] [--requests 16] [--tokens 64]

Prints the load time and, for each number of parallel requests, replies per second, their ratio to one at a time, and how
many replies at temperature 0 have the very text that they have one at a time; with the reproducible settings and with the
engine's own. All ratios are of one run: other work on the machine changes the absolute figures several-fold.
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from auditkit.models.embedded import EmbeddedServer, fetch_embedded_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

TOPICS = (
    "move abroad for work while my father is ill",
    "lend money to a brother who never pays back",
    "tell our manager that a colleague hides mistakes",
    "marry although my family is against it",
)


def prompt(number: int) -> str:
    """One of many questions of different lengths (in tokens about 50 to 130)."""
    padding = "My family says that I owe them this, and my friends say that it is my own life. " * (number % 4)
    return f"I am {20 + number} years old. {padding}Should I {TOPICS[number % len(TOPICS)]}? What would you advise?"


def ask(base_url: str, tokens: int, number: int) -> str:
    """The reply to one prompt at temperature 0."""
    body = {"messages": [{"role": "user", "content": prompt(number)}], "max_tokens": tokens, "temperature": 0}
    request = urllib.request.Request(
        f"{base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as response:
        text: str = json.load(response)["choices"][0]["message"]["content"]
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args(arguments)
    path = fetch_embedded_weights()
    for reproducible in (True, False):
        print("reproducible settings" if reproducible else "the engine's own settings")
        alone: list[str] = []
        base_rate = 0.0
        for parallel in sorted({1, *options.parallel}):
            server = EmbeddedServer(path, parallel=parallel, reproducible=reproducible)
            began = time.perf_counter()
            with server, ThreadPoolExecutor(parallel) as pool:
                loaded = time.perf_counter()
                replies = list(pool.map(partial(ask, server.base_url, options.tokens), range(options.requests)))
                rate = options.requests / (time.perf_counter() - loaded)
            if parallel == 1:
                alone, base_rate = replies, rate
            same = sum(a == b for a, b in zip(alone, replies, strict=True))
            print(
                f"  parallel {parallel}: load {loaded - began:.2f} s, {rate:.2f} replies/s, x{rate / base_rate:.2f}, "
                f"same text as one at a time {same}/{options.requests}",
                flush=True,
            )


if __name__ == "__main__":
    main()
