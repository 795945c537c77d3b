"""Differences: between modes of a model, between models, between two countries. Always on what both sides answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from auditkit.data import ENGLISH
from auditkit.plan import MODES
from auditkit.report.counts import Cell
from auditkit.report.estimates import sentence
from auditkit.report.scope import Scope
from auditkit.report.settings import Settings
from auditkit.stats.cells import Array, CellCounts
from auditkit.stats.contrast import alignment_difference, share_difference
from auditkit.stats.mixed import mixed_model
from auditkit.stats.multiplicity import holm
from auditkit.stats.pairs import compare_pair

Row = dict[str, Any]

# the richer mode first; baseline knows no country and is set against every country's answers
CONTRASTS = (
    ("persona", "multilingual"),
    ("persona", "baseline"),
    ("multilingual", "baseline"),
    ("crossed", "persona"),
    ("crossed", "multilingual"),
    ("crossed", "baseline"),
)


def contrast_rows(cells: Sequence[Cell], scope: Scope, settings: Settings, gates: Mapping[Cell, str]) -> Iterator[Row]:
    """Rows of `contrasts`: every two modes that a model was asked in, for share and r."""
    by_key = {(c.model, c.dimension, c.judge, c.mode): c for c in cells}
    for model, dimension, judge in dict.fromkeys((c.model, c.dimension, c.judge) for c in cells):
        for first, second in CONTRASTS:
            a = by_key.get((model, dimension, judge, first))
            b = by_key.get((model, dimension, judge, second))
            if a is not None and b is not None:
                key = {"model": model, "dimension": dimension, "judge": judge, "contrast": f"{first}-{second}"}
                yield from difference_rows(key, a, b, settings, gates, note=_same_text(a, b, scope))


def model_rows(cells: Sequence[Cell], settings: Settings, gates: Mapping[Cell, str]) -> Iterator[Row]:
    """Rows of `models`: every two models that were asked the same mode and dimension."""
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.mode, cell.dimension, cell.judge), []).append(cell)
    for (mode, dimension, judge), members in groups.items():
        for a, b in combinations(members, 2):
            key = {"mode": mode, "dimension": dimension, "judge": judge, "model_a": a.model, "model_b": b.model}
            yield from difference_rows(key, a, b, settings, gates)


def difference_rows(
    key: Mapping[str, str], a: Cell, b: Cell, settings: Settings, gates: Mapping[Cell, str], note: str = ""
) -> Iterator[Row]:
    """The difference of shares, a less b, and that of r where both have countries."""
    y1, n1, y2, n2 = _same_columns(a, b)
    share = share_difference(y1, n1, y2, n2, level=settings.confidence)
    yield {
        **key,
        "estimand": "share",
        "difference": share.difference,
        "low": share.low,
        "high": share.high,
        "p": share.p,
        "n_countries": share.n_countries if share.n_pairs else 0,
        "note": sentence(share.reason, note),
    }
    if "baseline" in (a.mode, b.mode):
        return
    problem = sentence(*(gates[cell] for cell in (a, b)))
    row: Row = {**key, "estimand": "r", "n_countries": int((n1.sum(axis=0) * n2.sum(axis=0) > 0).sum())}
    if problem:
        yield row | {"note": problem}
        return
    r = alignment_difference(
        y1, n1, y2, n2, a.counts.x, level=settings.confidence, resamples=settings.resamples(n1.shape),
        n_permutations=settings.n_permutations, seed=settings.seed,
    )  # fmt: skip
    low, high = (r.bootstrap_low, r.bootstrap_high) if settings.ci == "pigeonhole" else (r.low, r.high)
    yield row | {
        "difference": r.difference,
        "low": low,
        "high": high,
        "p": r.swap_p,
        "n_countries": r.n_countries,
        "note": sentence(r.reason, note),
    }


def _same_columns(a: Cell, b: Cell) -> tuple[Array, Array, Array, Array]:
    """Counts of both with the same columns; baseline's one column is set against every country of the other."""
    columns = max(len(a.counts.countries), len(b.counts.countries))

    def wide(values: Array) -> Array:
        return np.repeat(values, columns, axis=1) if values.shape[1] == 1 else values

    return wide(a.counts.Y), wide(a.counts.N), wide(b.counts.Y), wide(b.counts.N)


def _same_text(a: Cell, b: Cell, scope: Scope) -> str:
    """Countries where two modes send one and the same English text, so that their difference is 0 by design."""
    if {a.mode, b.mode} != {"multilingual", "baseline"} and {a.mode, b.mode} != {"crossed", "persona"}:
        return ""
    asked = next(c for c in (a, b) if c.mode != "baseline")
    english = [
        name
        for name, n in zip(asked.counts.countries, asked.asked, strict=True)
        if n and scope.countries.get(name, {}).get("language") == ENGLISH
    ]
    return f"the same text in both modes, hence 0: {', '.join(english)}" if english else ""


def n_fits(cells: Sequence[Cell]) -> int:
    """How many mixed models one judge's readings call for: a model and dimension each."""
    return len({(cell.model, cell.dimension) for cell in cells if cell.mode != "baseline"})


def mixed_rows(cells: Sequence[Cell], settings: Settings) -> Iterator[Row]:
    """Rows of `mixed`: one model a model, dimension and judge, over the modes that know countries, persona the reference if there."""
    groups: dict[tuple[str, str, str], dict[str, CellCounts]] = {}
    for cell in sorted(cells, key=lambda cell: MODES.index(cell.mode)):
        if cell.mode != "baseline" and cell.usable:
            groups.setdefault((cell.model, cell.dimension, cell.judge), {})[cell.mode] = cell.counts
    for (model, dimension, judge), modes in groups.items():
        key = {"model": model, "dimension": dimension, "judge": judge}
        fitted = mixed_model(modes, level=settings.confidence)
        if not fitted.estimable:
            yield {**key, "term": "", "converged": False, "note": f"not estimable: {fitted.reason}"}
        for c in fitted.coefficients if fitted.estimable else ():
            yield {
                **key, "term": c.term, "beta": c.beta, "se": c.se, "low": c.low, "high": c.high, "df": c.df, "p": c.p,
                "converged": fitted.converged, "note": fitted.note,
            }  # fmt: skip


def pair_rows(cells: Sequence[Cell], settings: Settings) -> list[Row]:
    """Rows of `pairs` for the countries that the settings name; Holm over all rows of one judge."""
    rows = [
        _pair_row(cell, first, second, settings)
        for cell in cells
        for first, second in settings.pairs
        if {first, second} <= set(cell.counts.countries)
    ]
    for judge in {row["judge"] for row in rows}:
        family = [row for row in rows if row["judge"] == judge]
        for row, adjusted in zip(family, holm([row["p_mid"] for row in family]), strict=True):
            row["p_holm"] = adjusted
    return rows


def _pair_row(cell: Cell, first: str, second: str, settings: Settings) -> Row:
    c = cell.counts
    a, b = (_majority(c.Y[:, j], c.N[:, j]) for j in (c.countries.index(first), c.countries.index(second)))
    found = compare_pair(a, b, level=settings.confidence)
    several = bool((c.N[:, [c.countries.index(first), c.countries.index(second)]] > 1).any())
    return {
        **cell.key,
        "country_a": first,
        "country_b": second,
        "share_a": found.first,
        "share_b": found.second,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p_mid": found.p,
        "n": found.n_prompts,
        "similar": found.similar,
        "note": sentence(found.reason, "several answers to a prompt: its majority, ties left out" if several else ""),
    }


def _majority(y: Array, n: Array) -> Array:
    """One answer a prompt, (K,): 1 or 0 by majority, NaN for a tie or no answer."""
    return np.where(2 * y == n, np.nan, (2 * y > n).astype(np.float64))
