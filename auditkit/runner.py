"""Drives a stage over the rows that lack a result: generate, screen, judge.

Each stage asks the store what is pending, does the work, and writes a row as each piece is done. Resuming, retrying, adding a
model and adding a judge are therefore the same code: run the stage again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from auditkit.data import Country, DilemmaText, data_dir, load_countries
from auditkit.errors import AuditError
from auditkit.judge.gate import GATE, GATE_KEY, degenerate, iso_codes, reply_language
from auditkit.limits import Stop
from auditkit.models.base import Backend, Failure, Reply
from auditkit.plan import Cell, Plan
from auditkit.store import Store, now, redact

_BATCH = 500


@dataclass
class StageResult:
    """What a stage did in this session. `left` is what still lacks a result."""

    done: int = 0
    left: int = 0
    errors: dict[str, str] = field(default_factory=dict)  # model -> the provider's last final message

    def merge(self, other: StageResult) -> None:
        self.done += other.done
        self.left += other.left
        self.errors.update(other.errors)


Listener = Callable[[str, Reply | Failure], None]  # model, outcome: for the progress bar


def write_plan(store: Store, plan: Plan, command: str, manifest: dict[str, Any]) -> str:
    """Put a plan's cells and requests into the store, in batches; a finished plan is not written twice."""
    run_id = plan.run_id
    if not store.begin_run(run_id, command, manifest):
        return run_id
    batch: list[Cell] = []
    for cell in plan.cells():
        batch.append(cell)
        if len(batch) == _BATCH:
            _write_cells(store, run_id, batch)
            batch = []
    _write_cells(store, run_id, batch)
    store.finish_plan(run_id)
    return run_id


def _write_cells(store: Store, run_id: str, cells: Sequence[Cell]) -> None:
    dilemmas = {c.dilemma.key: c.dilemma for c in cells}
    translations = {c.translation.key(c.lang): c for c in cells if c.translation is not None}
    personas = {c.persona.key: c.persona for c in cells if c.persona is not None}
    store.insert(
        "items",
        [
            {
                "item_key": d.key,
                "item_id": d.id,
                "dimension": d.dimension,
                "domain": d.domain,
                "body": json.dumps(
                    d.text.model_dump() | {"lead": d.lead, "mentions": d.mentions, "core": d.core}, ensure_ascii=False
                ),
            }
            for d in dilemmas.values()
        ],
    )
    store.insert(
        "options",
        [
            {"item_key": d.key, "option_id": o, "position": i, "pole": pole, "text": d.option(o)}
            for d in dilemmas.values()
            for i, (o, pole) in enumerate((("a", "first"), ("b", "second")))
        ],
    )
    store.insert(
        "personas",
        [
            {
                "persona_key": p.key,
                "template_id": p.template.id,
                "country": p.country,
                "strength": p.template.strength,
                "lang": p.lang,
                "text": p.text,
                "translator": p.translator,
                "status": p.status,
            }
            for p in personas.values()
        ],
    )
    rows = []
    for key, cell in translations.items():
        line = cell.translation
        assert line is not None
        assert isinstance(line.text, DilemmaText)
        rows.append(
            {
                "translation_key": key,
                "item_key": cell.dilemma.key,
                "lang": cell.lang,
                "translator": line.translator,
                "engine": json.dumps(line.engine, ensure_ascii=False),
                "body": json.dumps(line.text.model_dump(), ensure_ascii=False),
                "source": line.source,
                "status": line.status,
            }
        )
    store.insert("translations", rows)
    requests = {c.request_key: c.body for c in cells}
    store.insert(
        "requests",
        [
            {
                "request_key": key,
                "provider": body["provider"],
                "model": body["model"],
                "revision": body["revision"],
                "messages": json.dumps(body["messages"], ensure_ascii=False),
                "params": json.dumps(body["params"], ensure_ascii=False),
                "sample": body["sample"],
            }
            for key, body in requests.items()
        ],
    )
    store.insert(
        "cells",
        [
            {
                "run_id": run_id,
                "position": c.position,
                "item_key": c.dilemma.key,
                "mode": c.mode,
                "country": c.country,
                "persona_key": c.persona.key if c.persona else None,
                "lang": c.lang,
                "translation_key": c.translation.key(c.lang) if c.translation else None,
                "model": c.model.name,
                "option_order": c.order,
                "sample": c.sample,
                "request_key": c.request_key,
            }
            for c in cells
        ],
    )


async def generate(
    store: Store, run_id: str, model: str, backend: Backend, listen: Listener | None = None
) -> StageResult:
    """Ask one model everything that has no reply yet; every reply is committed as it comes."""
    keys = store.pending_requests(run_id, model)
    result = StageResult()
    async with aclosing(backend.stream(store.requests(keys))) as stream:  # type: ignore[type-var]
        async for request, outcome in stream:
            store.record(run_id, request.key, outcome)
            if isinstance(outcome, Reply):
                result.done += 1
            elif outcome.final:
                result.errors[model] = redact(outcome.message)
            if listen is not None:
                listen(model, outcome)
    result.left = len(keys) - result.done
    return result


async def generate_all(
    store: Store, run_id: str, backends: Sequence[tuple[str, Backend]], listen: Listener | None = None
) -> StageResult:
    """Ask several models at once: each has its own limits, and one that is down holds up no other."""
    total = StageResult()
    try:
        results = await asyncio.gather(
            *(generate(store, run_id, model, backend, listen) for model, backend in backends),
            return_exceptions=True,
        )
    finally:
        for _, backend in backends:
            await backend.aclose()
    for (model, _), result in zip(backends, results, strict=True):
        if isinstance(result, AuditError):  # this model cannot be used; the others could
            total.merge(StageResult(left=len(store.pending_requests(run_id, model)), errors={model: str(result)}))
        elif isinstance(result, BaseException):
            raise result
        else:
            total.merge(result)
    return total


def screen(store: Store, run_id: str, countries: Mapping[str, Country] | None = None) -> int:
    """Look at every reply that the gate has not seen. Returns the number of replies looked at.

    The languages that a reply can be in are those of `countries` (by default of the table that ships) and English.
    """
    store.ask_judge(run_id, GATE, [""])
    keys = store.unscreened(run_id, GATE_KEY)
    codes = iso_codes(countries or load_countries(data_dir("personas"))[0]) if keys else {}
    candidates = tuple(sorted(set(codes.values())))
    for chunk in chunks(keys, _BATCH):
        asked = {row["request_key"]: row["lang"] for row in store.cases(run_id, chunk)}
        rows = []
        for key, text in store.texts(chunk):
            kind = degenerate(text)
            language = None if kind else reply_language(text, codes.get(asked[key]), candidates)
            rows.append(
                {
                    "request_key": key,
                    "judge_key": GATE_KEY,
                    "degenerate": kind,
                    "reply_lang": language.code if language else None,
                    "reply_lang_p": language.probability if language else None,
                    "language_mismatch": None
                    if language is None or language.mismatch is None
                    else int(language.mismatch),
                    "created_at": now(),
                }
            )
        store.insert("screens", rows)
    return len(keys)


def chunks(values: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """The values, `size` at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))


async def guarded(
    work: Callable[[], Any], stop: Stop, on_first: Callable[[], None], on_second: Callable[[], None]
) -> Any:
    """Await `work()`; the first Ctrl-C asks it to stop, the second one ends it at once.

    What was answered is in the store either way: a reply is committed before the next one is looked at.
    """
    import signal

    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    presses = 0

    def pressed() -> None:
        nonlocal presses
        presses += 1
        if presses == 1:
            stop.request("interrupted")
            on_first()
        else:
            on_second()
            task.cancel()

    handled = True
    try:
        loop.add_signal_handler(signal.SIGINT, pressed)
        loop.add_signal_handler(signal.SIGTERM, pressed)
    except (
        NotImplementedError,
        RuntimeError,
    ):  # Windows, or not the main thread: KeyboardInterrupt ends the program as usual
        handled = False
    try:
        return await task
    except asyncio.CancelledError:
        if presses > 1:
            raise KeyboardInterrupt from None
        raise
    finally:
        if handled:
            loop.remove_signal_handler(signal.SIGINT)
            loop.remove_signal_handler(signal.SIGTERM)
