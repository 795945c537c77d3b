"""What a run would ask and cost, before anything is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from auditkit.cli.render import table
from auditkit.plan import estimate_tokens

if TYPE_CHECKING:
    from auditkit.judge.names import Judge
    from auditkit.plan import ModelSpec, Plan

REPLY = 120  # tokens of a reply of two or three sentences, where none is stored yet


def print_dry_run(out: Console, plan: Plan, judges: Sequence[Judge], db: Path) -> None:
    """Cells, requests, answered already, tokens and price by model; the judges' readings likewise."""
    per_language: dict[tuple[str, str], set[str]] = {}
    cells: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    keys: dict[str, set[str]] = {}
    for cell in plan.cells():
        cells[cell.model.name] += 1
        per_language.setdefault((cell.mode, cell.lang), set()).add(cell.dilemma.id)
        mine = keys.setdefault(cell.model.name, set())
        if cell.request_key not in mine:
            mine.add(cell.request_key)
            tokens[cell.model.name] += sum(estimate_tokens(m["content"]) + 8 for m in cell.body["messages"])
    answered = _answered(db, keys)
    asking = table("What would be asked")
    for name, justify in (("model", "left"), ("cells", "right"), ("requests", "right"), ("answered already", "right"), ("to ask", "right"), ("tokens in", "right"), ("tokens out, at most", "right"), ("price, at most", "right")):  # fmt: skip
        asking.add_column(name, justify=justify)  # type: ignore[arg-type]
    for spec in plan.spec.models:
        total = len(keys[spec.name])
        left = total - answered[spec.name]
        part = left / total
        tokens_in = round(tokens[spec.name] * part)
        tokens_out = left * int(spec.params.get("max_tokens") or 4_096)
        asking.add_row(
            Text(spec.name), f"{cells[spec.name]:,}", f"{total:,}", f"{answered[spec.name]:,}", f"{left:,}", f"{tokens_in:,}",
            f"{tokens_out:,}", _price(spec, tokens_in, tokens_out),
        )  # fmt: skip
    out.print(asking)
    if judges:
        judging = table("What would be judged")
        for name, justify in (("judge", "left"), ("readings", "right"), ("calls, at most", "right"), ("tokens in", "right"), ("tokens out", "right"), ("price", "right")):  # fmt: skip
            judging.add_column(name, justify=justify)  # type: ignore[arg-type]
        from auditkit.judge.names import RulesJudge

        replies = sum(len(mine) for mine in keys.values())
        for judge in judges:
            readings = replies * len(judge.presentations)
            if isinstance(judge, RulesJudge):
                judging.add_row(judge.name, f"{readings:,}", "0", "0", "0", "free")
                continue
            tokens_in = readings * (judge.frame_tokens() + REPLY) + sum(tokens.values()) * len(judge.presentations)
            tokens_out = readings * judge.answer_tokens
            judging.add_row(
                Text(judge.name), f"{readings:,}", f"{2 * readings:,}", f"{tokens_in:,}", f"{tokens_out:,}",
                _price(judge.spec, tokens_in, tokens_out),
            )  # fmt: skip
        out.print(judging)
    languages = {key: ids for key, ids in per_language.items() if key[0] in ("multilingual", "crossed")}
    if languages:
        sent = table("Dilemmas by language")
        for name in ("mode", "languages", "dilemmas each", "which"):
            sent.add_column(name, overflow="fold")
        groups: dict[tuple[str, int], list[str]] = {}
        for (mode, lang), ids in languages.items():
            groups.setdefault((mode, len(ids)), []).append(lang)
        for (mode, count), codes in sorted(groups.items(), key=lambda entry: (entry[0][0], -entry[0][1])):
            sent.add_row(mode, str(len(codes)), str(count), ", ".join(sorted(codes)))
        out.print(sent)
    out.print("Tokens are estimated from the length of the texts. Nothing was asked.", style="dim", highlight=False)


def _answered(db: Path, keys: dict[str, set[str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    if not db.is_file():
        return found
    from auditkit.store import Store

    with Store.read(db) as store:
        for model, mine in keys.items():
            found[model] = store.value(
                "select count(*) from replies where request_key in (select value from json_each(?))",
                (json.dumps(list(mine)),),
            )
    return found


def _price(spec: ModelSpec, tokens_in: float, tokens_out: float) -> str:
    from auditkit.models.registry import is_free

    if is_free(spec):
        return "free"
    cost = dollars(spec, tokens_in, tokens_out)
    return "unpriced" if cost is None else f"${cost:,.2f}"


def dollars(spec: ModelSpec, tokens_in: float, tokens_out: float) -> float | None:
    """What these tokens cost: 0 for a model that runs here, None where the price is not known."""
    from auditkit.models.registry import is_free

    if is_free(spec):
        return 0.0
    from auditkit.models.api import prices

    price = prices(spec.provider, spec.model)
    return None if price is None else tokens_in * price[0] + tokens_out * price[1]
