"""The detector as a judge: reads the replies of a run by rules and stores its verdicts with their flags.

Whose persona a reply speaks for follows from the request, so that it is the same in every run: the country of a persona or
crossed cell; in a multilingual request the countries that have its language in the table; nobody in English without a persona
(a baseline, which is also the multilingual request of the United States).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from auditkit.data import ENGLISH
from auditkit.detect.rules import Asked, Detection, Detector, load_detector
from auditkit.identity import digest
from auditkit.judge.gate import iso_codes
from auditkit.runner import StageResult, chunks
from auditkit.store import Store, now, storable

DETECTOR = "detector"
DETECTOR_VERSION = (
    2  # raise it when the rules come to read a reply otherwise: stored verdicts then belong to another judge
)
_BATCH = 200
_SHOWN = 12  # hits that do not count, kept in a verdict's detail

_SQL = """
select c.request_key, min(c.country) as country, min(c.mode in ('persona', 'crossed')) as persona, min(c.lang) as lang,
       i.body as item, t.body as translation, r.text
from cells c join items i using (item_key) join replies r using (request_key) left join translations t using (translation_key)
where c.run_id = ? and c.request_key in ({}) group by c.request_key
"""


@dataclass
class DetectorJudge:
    """The rule layer as the stage sees it. Its key changes with the lexicon, the phrases and the settings."""

    personas: Path | None = None
    name: str = DETECTOR
    task: str = "culture"
    presentations: Sequence[str] = ("",)

    def __post_init__(self) -> None:
        self.detector: Detector = load_detector(self.personas)
        config = {"version": DETECTOR_VERSION, **self.detector.digest, "settings": asdict(self.detector.settings)}
        self.key = digest("j1", {"name": DETECTOR, **config})
        self.row = {
            "judge_key": self.key,
            "name": DETECTOR,
            "kind": "rules",
            "task": self.task,
            "model": None,
            "config": json.dumps(config),
        }

    @cached_property
    def codes(self) -> dict[str, str]:
        """ISO 639 code by FLORES-200 code."""
        return iso_codes(self.detector.lexicon.countries)

    def asked(self, row: Mapping[str, Any]) -> Asked:
        """What a stored reply answers: see the head of this module for whose persona it is."""
        lexicon = self.detector.lexicon.countries
        countries: tuple[str, ...]
        if row["persona"]:
            countries = (row["country"],) if row["country"] in lexicon else ()
        elif row["lang"] == ENGLISH:
            countries = ()
        else:
            countries = tuple(iso3 for iso3, country in lexicon.items() if country.language == row["lang"])
        return Asked(countries, self.codes.get(row["lang"], "en"), prompt_text(row["item"], row["translation"]))


def prompt_text(item: str, translation: str | None) -> str:
    """What a request says without its persona sentence: scenario, options and question, in its language and in English."""
    parts: list[str] = []
    for body in (item, translation):
        if body is not None:
            text = json.loads(body)
            parts += [*text.get("scenario", ()), *(text.get(part, "") for part in ("a", "b", "question_ab"))]
    return "\n".join(parts)


def stored(store: Store, run_id: str, keys: Sequence[str]) -> Iterator[Any]:
    """What the detector needs of the replies to these requests (a few hundred at most)."""
    return store.rows(_SQL.format(",".join("?" * len(keys))), (run_id, *keys))


async def detect_run(
    store: Store,
    run_id: str,
    judge: DetectorJudge,
    stopped: Callable[[], bool],
    listen: Callable[[], None] | None = None,
) -> StageResult:
    """Read every pending reply of a run, a few hundred a transaction; `listen` is called for each reply read."""
    pending = [key for key, _ in store.pending_verdicts(run_id, judge.key)]
    result = StageResult(left=len(pending))
    for batch in chunks(pending, _BATCH):
        verdicts: list[dict[str, Any]] = []
        flags: list[dict[str, Any]] = []
        for row in stored(store, run_id, batch):
            detection = judge.detector.read(row["text"], judge.asked(row))
            verdicts.append(_verdict(row["request_key"], judge.key, detection))
            flags += _flags(row["request_key"], judge.key, detection)
            if listen is not None:
                listen()
        store.insert_verdicts(verdicts, flags)
        result.done += len(verdicts)
        result.left -= len(verdicts)
        await asyncio.sleep(0)  # lets Ctrl-C be seen
        if stopped():
            break
    return result


def _verdict(request_key: str, judge_key: str, detection: Detection) -> dict[str, Any]:
    below = [[hit.rule_id, hit.text[:80], hit.weight] for hit in detection.hits if not hit.flagged]
    sayings = [hit.text[:200] for hit in detection.hits if hit.kind == "saying"]
    detail = {
        "voice": detection.voice,
        "why": detection.why,
        "below": below[:_SHOWN],
        "subtracted": [[hit.rule_id, hit.text[:80]] for hit in detection.subtracted[:_SHOWN]],
        "sayings": sayings[:_SHOWN],
    }
    return {
        "request_key": request_key,
        "judge_key": judge_key,
        "presentation": "",
        "status": "ok",
        "outcome": None,
        "option_id": None,
        "reasoning_class": detection.reasoning_class,
        "confidence": None,
        "uncertain": int(detection.uncertain),
        "detail": storable(json.dumps(detail, ensure_ascii=False)),
        "evidence": next((hit.text for hit in detection.flagged("premise")), None),
        "raw": "",
        "created_at": now(),
    }


def _flags(request_key: str, judge_key: str, detection: Detection) -> Iterator[dict[str, Any]]:
    for hit in detection.hits:
        if hit.flagged and hit.stop > hit.start:
            yield {
                "request_key": request_key,
                "judge_key": judge_key,
                "family": hit.family,
                "kind": hit.kind,
                "rule_id": hit.rule_id,
                "start": hit.start,
                "stop": hit.stop,
                "evidence": hit.text,
                "severity": hit.severity,
                "weight": hit.weight,
                "rationale": hit.note or None,
            }
