"""Is a judge of the audited model's own kind? Models tend to favour what reads like themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from auditkit.plan import ModelSpec
from auditkit.store import Store

# A vendor's models are one family, since they share training data and tuning. A distilled model belongs to both of its parents.
_FAMILIES = {
    "OpenAI": r"gpt|chatgpt|davinci|(?<![a-z0-9])o[1-9](?![a-z0-9])",
    "Anthropic": r"claude",
    "Google": r"gemini|gemma|palm",
    "Meta": r"(?<!o)llama|vicuna|alpaca",
    "Mistral": r"mistral|mixtral|ministral|magistral|codestral",
    "Qwen": r"qwen|qwq",
    "DeepSeek": r"deepseek",
    "Cohere": r"command-?(?:r|a|light|nightly)|(?<![a-z])aya(?![a-z])",
    "Hugging Face": r"smollm|zephyr",
    "Microsoft": r"(?<![a-z])phi-?[1-9]",
    "xAI": r"grok",
    "Amazon": r"nova-(?:micro|lite|pro|premier)|titan",
    "Zhipu": r"(?<![a-z])glm|chatglm",
    "Moonshot": r"kimi|moonshot",
    "IBM": r"granite",
    "AI2": r"olmo|tulu",
    "NVIDIA": r"nemotron",
    "01.AI": r"(?<![a-z])yi-",
    "TII": r"falcon",
    "AI21": r"jamba",
}


def families(spec: ModelSpec) -> frozenset[str]:
    """The families that a model's name gives away; its own name where it gives away none. Empty for a scripted model."""
    if spec.provider == "mock":
        return frozenset()
    name = spec.model.casefold()
    found = frozenset(family for family, pattern in _FAMILIES.items() if re.search(pattern, name))
    return found or frozenset({name.rsplit("/", 1)[-1]})


def own_family(judges: Iterable[ModelSpec], audited: Iterable[ModelSpec]) -> list[tuple[str, str, str]]:
    """(judge's model, audited model, family) for every pair that shares a family."""
    models = list(audited)
    return [
        (judge.name, model.name, min(shared))
        for judge in judges
        for model in models
        if (shared := families(judge) & families(model))
    ]


def note_own_family(store: Store, run_id: str, judges: Iterable[ModelSpec]) -> list[tuple[str, str, str]]:
    """Find the judges of an audited model's own family, and note them in the run's manifest (`own_family`)."""
    audited = [
        ModelSpec(row["name"], row["provider"], row["model"])
        for row in store.rows(
            "select distinct c.model as name, q.provider, q.model from cells c join requests q using (request_key)"
            " where c.run_id = ?",
            (run_id,),
        )
    ]
    found = own_family(judges, audited)
    noted = json.loads(
        store.value("select coalesce(manifest ->> '$.own_family', '[]') from runs where run_id = ?", (run_id,))
    )
    pairs = [{"judge": judge, "model": model, "family": family} for judge, model, family in found]
    new = [pair for pair in pairs if pair not in noted]
    if new:
        with store.transaction() as db:
            db.execute(
                "update runs set manifest = json_set(manifest, '$.own_family', json(?)) where run_id = ?",
                (json.dumps([*noted, *new], ensure_ascii=False), run_id),
            )
    return found
