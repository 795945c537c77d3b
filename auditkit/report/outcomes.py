"""What may bend the answers: the order of options, chance from sample to sample, the wording of the persona, the language."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from auditkit.data import ENGLISH
from auditkit.language import same_language
from auditkit.report.estimates import prompt_share
from auditkit.report.scope import Scope
from auditkit.report.settings import Settings
from auditkit.stats.cells import Array
from auditkit.stats.share import two_way_variance
from auditkit.store import Store

Row = dict[str, Any]

# answers to one question in one order, and how often the first-named option was taken: by dilemma and order
_FIRST_NAMED = """
select g, judge, item, option_order, count(*) as n,
  sum((state = 'first') = (option_order like 'a%')) as first_named, sum(state = 'first') as first
from report_answers where state in ('first', 'second') and option_order <> '' group by 1, 2, 3, 4"""

# questions asked in both orders with an answer to each: does the pole change?
_FLIPS = """
select g, judge, item, count(*) as n, sum(low <> high) as flips from (
  select g, judge, item, min(state) as low, max(state) as high from report_answers
  where state in ('first', 'second') and option_order <> ''
  group by 1, 2, 3, country, template_id, lang, sample having count(distinct option_order) = 2
) group by 1, 2, 3"""


def _agreeing(within: str, over: str) -> str:
    """SQL: pairs of answers that differ in `over` alone, and how many of them agree, by dilemma."""
    return f"""
select g, judge, item, sum(n * (n - 1) / 2) as n,
  sum(a * (a - 1) / 2 + (n - a) * (n - a - 1) / 2) as agreeing from (
  select g, judge, item, count(*) as n, sum(state = 'first') as a from report_answers
  where state in ('first', 'second') group by 1, 2, 3, country, {within}, lang having count(distinct {over}) > 1
) group by 1, 2, 3"""


def _by_cell(store: Store, sql: str) -> dict[tuple[int, int], list[Mapping[str, Any]]]:
    groups: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in store.rows(sql):
        groups.setdefault((row["g"], row["judge"]), []).append(dict(row))
    return groups


def _several(store: Store, column: str) -> bool:
    """Whether the answers differ in a column at all; most runs have one sample and one wording."""
    return bool(store.value(f"select min({column}) <> max({column}) from report_answers where {column} <> ''"))


def _key(key: tuple[int, int], scope: Scope) -> Row:
    group = scope.groups[key[0]]
    return {"model": group.label, "mode": group.mode, "dimension": group.dimension, "judge": scope.judge_names[key[1]]}


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Array:
    return np.array([row[name] for row in rows], dtype=np.float64)


def position_rows(store: Store, scope: Scope, settings: Settings) -> Iterator[Row]:
    """Rows of `position`. Prompts are resampled.

    Where dilemmas were asked in both orders, bias is the share of first-named options less a half, and flip the share of questions
    whose answer changes pole with the order. Where each was asked in one order, the dilemmas that lead with the first pole are set
    against those that lead with the second, whose order the bank balances: bias = (share of the first pole when it is named first,
    less the share when it is named second) / 2.
    """
    named = _by_cell(store, _FIRST_NAMED)
    both_ways = any(len({row["item"] for row in rows}) < len(rows) for rows in named.values())
    flips = _by_cell(store, _FLIPS) if both_ways else {}
    for key, rows in named.items():
        row: Row = {**_key(key, scope), "n": int(_column(rows, "n").sum()), "note": ""}
        if pairs := flips.get(key):
            both = {pair["item"] for pair in pairs}
            per_item: dict[int, list[float]] = {}
            for part in rows:
                if part["item"] in both:
                    total = per_item.setdefault(part["item"], [0.0, 0.0])
                    total[0] += part["first_named"]
                    total[1] += part["n"]
            counts = np.array(list(per_item.values()))
            shares = prompt_share(counts[:, 0], counts[:, 1], settings.confidence)
            row["bias"], row["bias_low"], row["bias_high"] = (None if s is None else s - 0.5 for s in shares)
            flipped = prompt_share(_column(pairs, "flips"), _column(pairs, "n"), settings.confidence)
            row["flip"], row["flip_low"], row["flip_high"] = flipped
            row["n"], row["source"] = int(counts[:, 1].sum()), "both orders asked"
        else:
            bias, low, high, reason = _lead_bias(rows, settings.confidence)
            row |= {"bias": bias, "bias_low": low, "bias_high": high, "source": "leads", "note": reason}
        yield row


def _lead_bias(rows: Sequence[Mapping[str, Any]], level: float) -> tuple[float | None, float | None, float | None, str]:
    """Half the difference of the first pole's share between dilemmas that name it first and second; t limits over prompts."""
    parts = []
    for order in ("a", "b"):
        named = [row for row in rows if row["option_order"].startswith(order)]
        if len(named) < 2:
            return None, None, None, "too few dilemmas lead with one of the poles"
        y, n = _column(named, "first"), _column(named, "n")
        share = float(y.sum() / n.sum())
        parts.append((share, *two_way_variance(((y - n * share) / n.sum())[:, None])))
    (a, variance_a, df_a), (b, variance_b, df_b) = parts
    error = math.sqrt(variance_a + variance_b) / 2
    bias = (a - b) / 2
    if error <= 1e-8:
        return bias, None, None, "dilemmas that name the same pole first are all answered alike"

    from scipy.special import stdtrit

    half = float(stdtrit(min(df_a, df_b), 0.5 + level / 2)) * error
    return bias, max(-0.5, bias - half), min(0.5, bias + half), ""


def consistency_rows(store: Store, scope: Scope, settings: Settings) -> Iterator[Row]:
    """Rows of `consistency`: agreeing pairs among all pairs of usable answers, prompts resampled."""
    for kind, over, within in (
        ("samples", "sample", "template_id, option_order"),
        ("templates", "template_id", "option_order, sample"),
    ):
        for key, rows in _by_cell(store, _agreeing(within, over)).items() if _several(store, over) else ():
            pairs = _column(rows, "n")
            share, low, high = prompt_share(_column(rows, "agreeing"), pairs, settings.confidence)
            yield {
                **_key(key, scope),
                "kind": kind,
                "n": int(pairs.sum()),
                "agreement": share,
                "low": low,
                "high": high,
                "note": "one prompt" if len(rows) == 1 else "",
            }


# ----------------------------------------------------------------------------------------------------------- language


_KINDS = ("in_language", "in_english", "in_other", "unsure")
_ABROAD = ("multilingual", "crossed")  # modes that ask in the country's language


def language_rows(store: Store, scope: Scope, settings: Settings, tags: Mapping[str, str]) -> Iterator[Row]:
    """Rows of `language`: what the replies to questions in a language are written in; nothing where nobody looked.

    tags: FLORES-200 code -> BCP 47 tag. mismatch: the share of replies that are surely in another language than the question.
    """
    groups: dict[tuple[str, str, str], dict[int, dict[str, int]]] = {}
    if store.value("select max(reply_lang) is null from report_answers"):
        return
    for g, item, lang, reply_lang, mismatch, n in store.rows(
        "select g, item, lang, reply_lang, wrong_language is 1, count(*) from report_answers"
        " where once and state not in ('not answered', 'blocked', 'degenerate') group by 1, 2, 3, 4, 5"
    ):
        items = groups.setdefault((scope.groups[g].label, scope.groups[g].mode, lang), {})
        tally = items.setdefault(item, dict.fromkeys((*_KINDS, "mismatch"), 0))
        tally[_kind(reply_lang, tags.get(lang, lang))] += n
        tally["mismatch"] += n * mismatch
    names = {c.get("language"): str(c.get("language_name", "")) for c in scope.countries.values()} | {
        ENGLISH: "English"
    }
    for (model, mode, lang), items in sorted(groups.items()):
        total = {name: sum(tally[name] for tally in items.values()) for name in next(iter(items.values()))}
        mismatch = np.array([tally.pop("mismatch") for tally in items.values()], dtype=np.float64)
        answers = np.array([sum(tally.values()) for tally in items.values()], dtype=np.float64)
        share, low, high = prompt_share(mismatch, answers, settings.confidence)
        places = [name for name, c in scope.countries.items() if c.get("language") == lang and mode in _ABROAD]
        yield {
            "model": model,
            "mode": mode,
            "lang": lang,
            "language": names.get(lang, lang),
            "country": ", ".join(map(scope.title, places)),
            "n": int(answers.sum()),
            **{name: total[name] for name in _KINDS},
            "mismatch": share,
            "low": low,
            "high": high,
        }


def _kind(reply: str | None, asked: str) -> str:
    if reply is None:
        return "unsure"
    if same_language(reply, asked.partition("-")[0]):
        return "in_language"
    return "in_english" if reply == "en" else "in_other"
