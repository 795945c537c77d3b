"""What the harness costs: CPU milliseconds a litellm call, beside bare `litellm.acompletion` calls in the same run.

A loopback server in a process of its own answers after 50 ms. Three measurements at concurrency 100, each with its own
database where it needs one: bare calls; generating (plan read from the store, limits, every reply and attempt committed);
generating and judging by a model (structured output parsed, evidence checked, both option orders). Then: memory from 1,000 to
50,000 cells, and the rerun of a finished 9,000-cell run beside `--help`.

    python benchmarks/harness.py [--calls 2000] [--skip-memory]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

SERVER = """
import asyncio, json, re, sys
from aiohttp import web
reply = "I would go with the first option, since it suits what you describe and leaves you room."
async def handle(request):
    body = await request.json()
    await asyncio.sleep(0.05)
    text = reply
    if body["messages"][0]["role"] == "system":
        text = json.dumps({"evidence": "I would go with the first option", "choice": "first", "confidence": 0.9, "instructions_in_reply": False})
    return web.json_response({"id": "x", "object": "chat.completion", "created": 1, "model": body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 150, "completion_tokens": 20, "total_tokens": 170}})
async def main():
    app = web.Application(); app.router.add_post("/v1/chat/completions", handle)
    runner = web.AppRunner(app, access_log=None); await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024); await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


def connection(base: str):
    from auditkit.models.registry import Connection

    return Connection(api_base=base, concurrency=100)


def planned(folder: Path, calls: int, judge: bool):
    """A store with `calls` persona cells of one model planned, and its run."""
    from auditkit.data import load_content
    from auditkit.judge.names import parse_judge
    from auditkit.models.registry import parse_model
    from auditkit.plan import PlanSpec, make_plan
    from auditkit.runner import write_plan
    from auditkit.store import Store

    content = load_content()
    spec = PlanSpec(tuple(content.dimensions), ("persona",), (parse_model("hosted_vllm/peer"),), limit=calls)
    store = Store.open(folder / f"{calls}-{judge}.db")
    plan = make_plan(spec, content)
    manifest = {"countries": {}, "dimensions": {}}
    run_id = write_plan(store, plan, "benchmark", manifest)
    one = parse_judge("stance@hosted_vllm/judge")
    if judge:
        store.ask_judge(run_id, one.row, one.presentations)
    return store, run_id, one


async def bare(base: str, messages: list, calls: int, extra: dict) -> float:
    from auditkit.models.api import litellm

    module = litellm()
    gate = asyncio.Semaphore(100)

    async def one(index: int) -> None:
        async with gate:
            await module.acompletion(
                model="hosted_vllm/peer", messages=messages[index % len(messages)], temperature=0.0, max_tokens=512,
                api_base=base, api_key="none", timeout=60.0, max_retries=0, **extra,
            )  # fmt: skip

    await asyncio.gather(*(one(i) for i in range(100)))  # connections and caches warm, as they are in a long run
    started = time.process_time()
    await asyncio.gather(*(one(i) for i in range(calls)))
    return (time.process_time() - started) / calls * 1000


def generating(base: str, folder: Path, calls: int) -> float:
    from auditkit.models.registry import make_backend, parse_model
    from auditkit.runner import generate_all

    store, run_id, _ = planned(folder, calls, judge=False)

    async def work() -> float:
        backend = make_backend(parse_model("hosted_vllm/peer"), connection(base))
        started = time.process_time()
        await generate_all(store, run_id, [("hosted_vllm/peer", backend)])
        return (time.process_time() - started) / calls * 1000

    cost = asyncio.run(work())
    assert store.value("select count(*) from replies") == calls
    store.close()
    return cost


def generating_and_judging(base: str, folder: Path, calls: int) -> float:
    from auditkit.judge.stage import judge_all
    from auditkit.models.registry import make_backend, parse_model
    from auditkit.runner import generate_all, screen

    store, run_id, judge = planned(folder, calls, judge=True)

    async def work() -> float:
        backend = make_backend(parse_model("hosted_vllm/peer"), connection(base))
        started = time.process_time()
        await generate_all(store, run_id, [("hosted_vllm/peer", backend)])
        screen(store, run_id)
        await judge_all(store, run_id, [judge], lambda one: make_backend(one.spec, connection(base)), lambda: False)
        return (time.process_time() - started) / (3 * calls) * 1000

    cost = asyncio.run(work())
    assert store.value("select count(*) from verdicts where status = 'ok'") == 2 * calls
    store.close()
    return cost


def memory(cells: int, folder: Path) -> float:
    """Peak resident megabytes of a whole `auditkit run` on the mock, in a process of its own."""
    code = (
        "import sys; sys.argv = ['auditkit']\n"
        "from auditkit.cli import main\n"
        "try:\n    main(sys.stdin.read().split())\nexcept SystemExit:\n    pass\n"
        "peak = [l for l in open('/proc/self/status') if l.startswith('VmHWM')]\n"  # ru_maxrss would count the parent's pages
        "print(int(peak[0].split()[1]) / 1024, file=sys.stderr)"
    )
    arguments = (
        "run -d all -m persona --persona-template paper,paraphrase-1,paraphrase-2,paraphrase-3,residence,nationality "
        f"--model mock/coin --limit {cells} --db {folder / f'memory-{cells}.db'}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=arguments,
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return float(done.stderr.strip().splitlines()[-1])


def seconds(*arguments: str, cwd: Path) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "auditkit", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--skip-memory", action="store_true")
    options = parser.parse_args()
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    base = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store, _, _ = planned(folder, 100, judge=True)
            messages = [json.loads(row[0]) for row in store.rows("select messages from requests")]
            store.close()
            rounds = []
            for number in range(3):
                place = folder / str(number)
                place.mkdir()
                plain = asyncio.run(bare(base, messages, options.calls, {}))
                rounds.append(
                    (plain, generating(base, place, options.calls), generating_and_judging(base, place, options.calls))
                )
            plain, asking, judging = (sorted(column)[1] for column in zip(*rounds, strict=True))
            print(f"CPU a litellm call, {options.calls} calls, concurrency 100, median of 3 rounds")
            print(f"  bare litellm.acompletion   {plain:6.2f} ms")
            print(f"  generating                 {asking:6.2f} ms   x{asking / plain:.2f}")
            print(f"  generating and judging     {judging:6.2f} ms   x{judging / plain:.2f}")
            if not options.skip_memory:
                small, large = memory(1_000, folder), memory(50_000, folder)
                print(
                    f"peak memory: 1,000 cells {small:.0f} MB, 50,000 cells {large:.0f} MB, growth {large - small:.0f} MB"
                )
            run = ("run", "-d", "all", "-m", "persona", "--model", "mock/coin")
            seconds(*run, cwd=folder)
            again = min(seconds(*run, cwd=folder) for _ in range(3))
            helped = min(seconds("--help", cwd=folder) for _ in range(3))
            print(f"rerun of a finished 9,000-cell run: {again:.2f} s; --help: {helped * 1000:.0f} ms")
    finally:
        server.kill()
    print(f"peak memory of this benchmark: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
