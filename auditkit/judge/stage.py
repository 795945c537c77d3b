"""The judging stage: every judge of a run reads every reply that it has not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from auditkit.data import ORDERS, data_dir
from auditkit.errors import AuditError
from auditkit.identity import digest
from auditkit.judge.prompt import load_judge_prompt
from auditkit.judge.stance import PRESENTATIONS, Case, StanceJudge, Verdict
from auditkit.models.base import Backend, Failure, Reply, Request
from auditkit.plan import ModelSpec
from auditkit.runner import StageResult, chunks
from auditkit.store import Store, now, redact, storable

RULES = "rules"
RULES_VERSION = (
    1  # raise it when `rules.py` comes to read a reply otherwise: stored verdicts then belong to another judge
)
_BATCH = 200

Listener = Callable[[str, Reply | Failure | None], None]  # judge, outcome of a call (None: a reading without a call)


@dataclass
class RulesJudge:
    """The rule judge as the stage sees it."""

    name: str = RULES
    presentations: Sequence[str] = ("",)

    def __post_init__(self) -> None:
        from auditkit.judge.rules import Settings

        words = (data_dir("prompts") / "judges" / "rules.yaml").read_text(encoding="utf-8")
        config = {"version": RULES_VERSION, "words": digest("s1", words), "settings": asdict(Settings())}
        self.key = digest("j1", {"name": RULES, **config})
        self.row = {
            "judge_key": self.key,
            "name": RULES,
            "kind": "rules",
            "task": "stance",
            "model": None,
            "config": json.dumps(config),
        }


@dataclass
class ModelJudge:
    """A judge that is a model, with the backend that reaches it."""

    stance: StanceJudge
    presentations: Sequence[str] = PRESENTATIONS

    def __post_init__(self) -> None:
        self.name, self.key, self.row = self.stance.name, self.stance.key, self.stance.row


def parse_judge(
    name: str, parse_model: Callable[[str], ModelSpec], prompts: Path | None = None, order: str = "both"
) -> RulesJudge | ModelJudge:
    """The judge that a name means: `rules`, or NAME@MODEL with NAME a file of `prompts/judges`.

    `order` says how the options are shown to a model judge: `both` (two readings), `ab` or `ba`.
    Raises AuditError for an unknown judge or model.
    """
    if name == RULES:
        return RulesJudge()
    kind, at, model = name.partition("@")
    if kind == RULES:
        raise AuditError(f"judge {name!r}: the rule judge needs no model; write it as rules")
    prompt = load_judge_prompt(kind, prompts)
    if not at or not model:
        raise AuditError(f"judge {name!r} needs a model; write it as {kind}@PROVIDER/MODEL")
    if prompt.task != "stance":
        raise AuditError(f"judge {name!r} has the task {prompt.task!r}; this version runs stance judges only")
    spec = parse_model(model)
    return ModelJudge(StanceJudge(spec, prompt), PRESENTATIONS if order == "both" else (order,))


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
            rows.append(
                _row(
                    row["request_key"],
                    judge.key,
                    "",
                    Verdict(
                        "ok",
                        verdict.outcome,
                        verdict.option_id,
                        verdict.evidence,
                        verdict.confidence,
                        None,
                        verdict.detail,
                        "",
                    ),
                )
            )
        store.insert("verdicts", rows)
        result.done += len(rows)
        result.left -= len(rows)
        if listen is not None:
            for _ in rows:
                listen(judge.name, None)
        await asyncio.sleep(0)  # lets Ctrl-C be seen
        if stopped():
            break
    return result


def _row(request_key: str, judge_key: str, presentation: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "request_key": request_key,
        "judge_key": judge_key,
        "presentation": presentation,
        "status": verdict.status,
        "outcome": verdict.outcome,
        "option_id": verdict.option_id,
        "confidence": verdict.confidence,
        "uncertain": verdict.uncertain,
        "detail": json.dumps(verdict.detail, ensure_ascii=False),
        "evidence": None if verdict.evidence is None else storable(verdict.evidence),
        "raw": storable(verdict.raw),
        "created_at": now(),
    }


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
        open_jobs: dict[str, tuple[Case, str]] = {}
        async with aclosing(backend.stream(_requests(store, run_id, judge, jobs, reading, open_jobs))) as stream:  # type: ignore[type-var]
            async for request, outcome in stream:
                case, presentation = open_jobs[request.key]
                kind: str | None = None
                row = None
                if isinstance(outcome, Reply):
                    del open_jobs[request.key]
                    verdict = judge.stance.read(case, presentation, outcome)
                    if verdict.status == "ok" or reading == 1:
                        row = _row(case.request_key, judge.key, presentation, verdict)
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
                )
                if listen is not None:
                    listen(judge.name, outcome)
    return result


def _requests(
    store: Store,
    run_id: str,
    judge: ModelJudge,
    jobs: Sequence[tuple[str, str]],
    reading: int,
    open_jobs: dict[str, tuple[Case, str]],
) -> Iterator[Request]:
    """The calls of a pass, built as they are wanted, so that a long run stays out of memory."""
    for batch in chunks(jobs, _BATCH):
        for (_, presentation), row in zip(batch, store.cases(run_id, [key for key, _ in batch]), strict=True):
            case = make_case(row)
            request = judge.stance.request(case, presentation, reading)
            open_jobs[request.key] = (case, presentation)
            yield request


def make_case(row: Any) -> Case:
    """A row of `Store.cases` as a judge sees it: the dilemma and the reply, and nothing of who asked."""
    item, here = json.loads(row["item"]), json.loads(row["translation"] or row["item"])
    return Case(
        request_key=row["request_key"],
        reply=row["text"],
        scenario=" ".join(item["scenario"]),
        options={o: here[o] for o in "ab"},
        english={o: item[o] for o in "ab"},
    )


async def judge_all(
    store: Store,
    run_id: str,
    judges: Sequence[RulesJudge | ModelJudge],
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
                total.merge(await judge_by_model(store, run_id, judge, backend, listen))
            finally:
                await backend.aclose()
        except AuditError as error:  # this judge cannot be used; the others can
            total.merge(
                StageResult(left=len(store.pending_verdicts(run_id, judge.key)), errors={judge.name: str(error)})
            )
    return total
