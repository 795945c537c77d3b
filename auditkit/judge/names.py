"""What stands behind the name of a judge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from auditkit.data import data_dir
from auditkit.errors import AuditError, unknown
from auditkit.identity import digest
from auditkit.judge.prompt import load_judge_prompt
from auditkit.judge.structured import StructuredJudge
from auditkit.plan import ModelSpec

RULES = "rules"
RULES_VERSION = (
    2  # raise it when `rules.py` comes to read a reply otherwise: stored verdicts then belong to another judge
)
ModelJudge = StructuredJudge[Any, Any]


@dataclass
class RulesJudge:
    """The rule judge as a stage sees it."""

    name: str = RULES
    task: str = "stance"
    presentations: Sequence[str] = ("",)
    spec: ModelSpec | None = None

    def __post_init__(self) -> None:
        from auditkit.judge.rules import Settings

        words = (data_dir("prompts") / "judges" / "rules.yaml").read_text(encoding="utf-8")
        config = {"version": RULES_VERSION, "words": digest("s1", words), "settings": asdict(Settings())}
        self.key = digest("j1", {"name": RULES, **config})
        self.row = {
            "judge_key": self.key,
            "name": RULES,
            "kind": "rules",
            "task": self.task,
            "model": None,
            "config": json.dumps(config),
        }


Judge = RulesJudge | ModelJudge


def parse_judge(
    name: str, params: Mapping[str, Any] | None = None, prompts: Path | None = None, order: str = "both"
) -> Judge:
    """The judge that a name means: `rules`, or NAME@MODEL with NAME a file of `prompts/judges` (`stance`, `culture`, `investigator`, your own).

    `params` are parameters of a model judge's requests; `order` says how options are shown to a stance judge: `both`
    (two readings), `ab` or `ba`. Raises AuditError for an unknown judge, task or model.
    """
    if name == RULES:
        return RulesJudge()
    kind, at, model = name.partition("@")
    if kind == RULES:
        raise AuditError(f"judge {name!r}: the rule judge needs no model; write it as rules")
    prompt = load_judge_prompt(kind, prompts)
    if not at or not model:
        raise AuditError(f"judge {name!r} needs a model; write it as {kind}@PROVIDER/MODEL")
    from auditkit.models.registry import parse_model

    spec = parse_model(model, params, max_tokens=prompt.max_tokens)
    if prompt.task == "stance":
        from auditkit.judge.stance import PRESENTATIONS, StanceJudge

        return StanceJudge(spec, prompt, PRESENTATIONS if order == "both" else (order,))
    if prompt.task == "culture" and prompt.kind == "agent":
        from auditkit.judge.investigator import InvestigatorJudge

        return InvestigatorJudge(spec, prompt, ("",))
    if prompt.task == "culture":
        from auditkit.judge.culture import CultureJudge

        return CultureJudge(spec, prompt, ("",))
    raise unknown(f"task of the judge {name!r}", prompt.task, ("stance", "culture"))
