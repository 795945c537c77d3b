"""The judging stage: every judge of a run reads every reply that it has not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from auditkit.data import ORDERS
from auditkit.errors import AuditError
from auditkit.judge.investigator import InvestigatorJudge, Listener, investigate
from auditkit.judge.names import Judge, ModelJudge, RulesJudge
from auditkit.judge.structured import AnyCase
from auditkit.judge.verdict import Verdict, flag_rows, verdict_row
from auditkit.models.base import Backend, Reply, Request
from auditkit.runner import StageResult, chunks
from auditkit.store import Store, redact

_BATCH = 200


async def judge_by_rules(
    store: Store, run_id: str, judge: RulesJudge, stopped: Callable[[], bool], listen: Listener | None = None
) -> StageResult:
    """Read every pending reply by rules, a few hundred a transaction."""
    from auditkit.judge.rules import OptionText, judge_reply

    pending = [key for key, _ in store.pending_verdicts(run_id, judge.key)]
    result = StageResult(left=len(pending))
    for batch in chunks(pending, _BATCH):
        rows = []
        for row in store.cases(run_id, batch):
            item, here = json.loads(row["item"]), json.loads(row["translation"] or row["item"])
            order = row["option_order"] if row["option_order"] in ORDERS else "ab"
            verdict = judge_reply(
                row["text"],
                [OptionText(id=o, text=here[o], english=item[o]) for o in order],
                scenario=" ".join(here["scenario"]),
                scenario_english=" ".join(item["scenario"]),
                language=row["lang"],
                truncated=row["status"] == "truncated",
            )
            read = Verdict(
                status="ok",
                outcome=verdict.outcome,
                option_id=verdict.option_id,
                evidence=verdict.evidence,
                confidence=verdict.confidence,
                detail=verdict.detail,
            )
            rows.append(verdict_row(row["request_key"], judge.key, "", read))
        store.insert_verdicts(rows)
        result.done += len(rows)
        result.left -= len(rows)
        if listen is not None:
            for _ in rows:
                listen(judge.name, None)
        await asyncio.sleep(0)  # lets Ctrl-C be seen
        if stopped():
            break
    return result


async def judge_by_model(
    store: Store, run_id: str, judge: ModelJudge, backend: Backend, listen: Listener | None = None
) -> StageResult:
    """Read every pending reply by a model, in each presentation.

    An answer that does not keep to the form is asked for once more, in a fresh conversation; a second such answer is the
    verdict `parse_failed`. Which readings have had their first try is in the attempts, so an interrupted stage goes on there.
    """
    result = StageResult(left=len(store.pending_verdicts(run_id, judge.key)))
    for reading in (0, 1):
        failed = store.asked_again(run_id, judge.key)
        jobs = [job for job in store.pending_verdicts(run_id, judge.key) if (job in failed) == (reading == 1)]
        open_jobs: dict[str, tuple[AnyCase, str]] = {}
        async with aclosing(backend.stream(_requests(store, run_id, judge, jobs, reading, open_jobs))) as stream:  # type: ignore[type-var]
            async for request, outcome in stream:
                case, presentation = open_jobs[request.key]
                kind: str | None = None
                row = None
                flags: list[dict[str, Any]] = []
                if isinstance(outcome, Reply):
                    del open_jobs[request.key]
                    verdict = judge.read(case, presentation, outcome)
                    if verdict.status == "ok" or reading == 1:
                        row = verdict_row(case.request_key, judge.key, presentation, verdict)
                        flags = flag_rows(case.request_key, judge.key, case.reply, verdict.flags)
                        result.done += 1
                        result.left -= 1
                    kind = "ok" if verdict.status == "ok" else "parse_failed"
                elif outcome.final:
                    result.errors[judge.name] = redact(outcome.message)
                    if outcome.kind != "rejected":  # one that was comes back once the judge has answered something else
                        del open_jobs[request.key]
                store.record(
                    run_id,
                    case.request_key,
                    outcome,
                    store_reply=False,
                    judge_key=judge.key,
                    presentation=presentation,
                    outcome=kind,
                    verdict=row,
                    flags=flags,
                )
                if listen is not None and (
                    row is not None or not isinstance(outcome, Reply)
                ):  # a reply to be asked again is no work done
                    listen(judge.name, outcome)
    return result


def _requests(
    store: Store,
    run_id: str,
    judge: ModelJudge,
    jobs: Sequence[tuple[str, str]],
    reading: int,
    open_jobs: dict[str, tuple[AnyCase, str]],
) -> Iterator[Request]:
    """The calls of a pass, built as they are wanted, so that a long run stays out of memory."""
    for batch in chunks(jobs, _BATCH):
        for (_, presentation), case in zip(batch, judge.cases(store, run_id, [key for key, _ in batch]), strict=True):
            request = judge.request(case, presentation, reading)
            open_jobs[request.key] = (case, presentation)
            yield request


async def judge_all(
    store: Store,
    run_id: str,
    judges: Sequence[Judge],
    backend_for: Callable[[ModelJudge], Backend],
    stopped: Callable[[], bool],
    listen: Listener | None = None,
) -> StageResult:
    """Every judge in turn: one after the other, so that one GPU is enough for several local judges. Rules cost nothing and go first."""
    total = StageResult()
    for judge in sorted(judges, key=lambda each: not isinstance(each, RulesJudge)):
        if stopped():
            total.left += len(store.pending_verdicts(run_id, judge.key))
            continue
        if isinstance(judge, RulesJudge):
            total.merge(await judge_by_rules(store, run_id, judge, stopped, listen))
            continue
        if not store.pending_verdicts(run_id, judge.key):
            continue
        try:
            backend = backend_for(judge)
            try:
                if isinstance(judge, InvestigatorJudge):
                    total.merge(await investigate(store, run_id, judge, backend, listen))
                else:
                    total.merge(await judge_by_model(store, run_id, judge, backend, listen))
            finally:
                await backend.aclose()
        except AuditError as error:  # this judge cannot be used; the others can
            total.merge(
                StageResult(left=len(store.pending_verdicts(run_id, judge.key)), errors={judge.name: str(error)})
            )
    return total
