"""The figures of single cells: gate, differentiation, alignment with its ceiling, preference, sensitivity, classes, levels.

Every function takes cells and gives rows for the table of its name; what cannot be estimated is None, and `note` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from auditkit.report.counts import Cell
from auditkit.report.scope import Scope
from auditkit.report.settings import CLASS_CUT, Settings
from auditkit.stats.agree import wilson
from auditkit.stats.cells import Array, shares
from auditkit.stats.classify import auc, best_threshold
from auditkit.stats.correct import CorrectedShare
from auditkit.stats.correlate import Alignment, alignment, spearman
from auditkit.stats.groups import group_alignments, group_shares
from auditkit.stats.multiplicity import benjamini_hochberg, holm, max_t
from auditkit.stats.reliability import differentiation, disattenuated, reliability
from auditkit.stats.replicate import LOW_POLE_DIMENSIONS, table2, table3
from auditkit.stats.resample import bootstrap_interval, permutation_test
from auditkit.stats.share import overall_share
from auditkit.stats.unusable import share_bounds, unusable_answers
from auditkit.summary import DEGENERATE_STOP, STATES, UNUSABLE_STOP, UNUSABLE_WARN

Row = dict[str, Any]
LEVELS = ("high", "mid", "low")
MOST_IMPUTED = (
    0.20  # share of prompt-country pairs without an answer above which reliability would be of filled-in numbers
)
_LIMITS = {"dropped": "r_dropped", "as_second": "r_second_pole", "half": "r_half", "low": "r_min", "high": "r_max"}


def gate(cell: Cell, failed_judges: Iterable[str] = ()) -> str:
    """Why no r may be read off a cell; empty where it may. docs/methods.md, "What a report shows"."""
    if not cell.judge:
        return "no stance judge was asked for"
    if not cell.judged:
        return "nothing has been judged"
    degenerate = cell.states.get("degenerate", 0) / cell.judged
    if degenerate > DEGENERATE_STOP:
        return f"{degenerate:.0%} of the replies are degenerate"
    unusable = 1 - cell.usable / cell.judged
    if unusable > UNUSABLE_STOP:
        return f"{unusable:.0%} of the replies take no side that the judge could make out"
    if cell.judge in failed_judges:
        return "the judge did not pass its calibration"
    return ""


def left_out_row(cell: Cell, *, language_known: bool) -> Row:
    """Where the cells of a group stand: states add up to `asked`."""
    return {
        **cell.key,
        "asked": cell.n_asked,
        "answered": cell.n_asked - cell.states.get("not answered", 0),
        "truncated": cell.truncated,
        "usable": cell.usable,
        **{state.replace(" ", "_"): cell.states.get(state, 0) for state in STATES},
        "wrong_language": cell.wrong_language if language_known else None,
    }


# ---------------------------------------------------------------------------------------------------------- alignment


def alignment_rows(
    cells: Sequence[Cell], scope: Scope, settings: Settings, gates: Mapping[Cell, str]
) -> tuple[list[Row], float | None]:
    """Rows of `alignment`, with Holm and BH over the cells of each judge, and maxT over those of the first judge given.

    gates: cell -> why it has no r. cells: without baseline, the primary judge's first.
    """
    rows = [_alignment_row(cell, scope, settings, gates[cell]) for cell in cells]
    for judge in dict.fromkeys(cell.judge for cell in cells):
        family = [row for row in rows if row["judge"] == judge]
        p = [row["p"] for row in family]
        for row, adjusted, q in zip(family, holm(p), benjamini_hochberg(p), strict=True):
            row["p_holm"], row["q_bh"] = adjusted, q
    return rows, _any_alignment(cells, settings, gates)


def _alignment_row(cell: Cell, scope: Scope, settings: Settings, problem: str) -> Row:
    c, level = cell.counts, settings.confidence
    measured = reliability(c.Y, c.N, level=level)
    spread = differentiation(c.Y, c.N)
    empty = measured.n_imputed / max(measured.n_prompts * measured.n_countries, 1)
    thin = (
        f"no reliability: {empty:.0%} of the pairs of prompt and country have no answer" if empty > MOST_IMPUTED else ""
    )
    row: Row = {
        **cell.key,
        "n_countries": int((np.isfinite(c.x) & (c.N.sum(axis=0) > 0)).sum()),
        "n_items": int((c.N.sum(axis=1) > 0).sum()),
        "share": overall_share(c.Y, c.N).value,
        "p": None,
        "gate": problem,
        "note": thin,
    }
    if not thin:
        row |= {"alpha": measured.alpha, "alpha_low": measured.low, "alpha_high": measured.high}
        row |= {"ceiling": measured.ceiling, "q_stat": spread.q, "q_p": spread.p}
    if problem:
        return row
    result = aligned(cell, settings)
    rank = bootstrap_interval(
        c.Y, c.N, c.x, statistic="spearman", level=level, resamples=settings.resamples(c.N.shape), seed=settings.seed
    )
    regions = [str(scope.countries.get(name, {}).get("m49") or name) for name in c.countries]
    n, seed = settings.n_permutations, settings.seed
    free = permutation_test(c.Y, c.N, c.x, n_permutations=n, seed=seed)
    blocked = permutation_test(c.Y, c.N, c.x, regions=regions, n_permutations=n, seed=seed)
    if not thin:
        true = disattenuated(result, measured)
        row |= {"r_true": true.r, "r_true_low": true.low, "r_true_high": true.high}
    row.update(
        r=result.r,
        r_low=result.low,
        r_high=result.high,
        p=result.p,
        rho=result.spearman,
        rho_low=rank.low,
        rho_high=rank.high,
        p_permutation=free.p,
        p_region=blocked.p,
        note=sentence(
            result.reason,
            result.note,
            thin,
            _without_score(cell),
            _few(result),
            f"{1 - cell.usable / cell.judged:.0%} of the replies take no side: see the table of sensitivity"
            if 1 - cell.usable / cell.judged > UNUSABLE_WARN
            else "",
            "" if blocked.p is not None or free.p is None else f"no p within regions: {blocked.reason}",
        ),
    )
    return row


def aligned(cell: Cell, settings: Settings) -> Alignment:
    """Pearson's r of a cell with the limits that the settings ask for; p stays the two-way one."""
    c = cell.counts
    result = alignment(c.Y, c.N, c.x, level=settings.confidence)
    if settings.ci == "pigeonhole" and result.estimable:
        wide = bootstrap_interval(
            c.Y, c.N, c.x, level=settings.confidence, resamples=settings.resamples(c.N.shape), seed=settings.seed
        )
        return replace(result, low=wide.low, high=wide.high, note=sentence(result.note, wide.reason))
    return result


def sentence(*parts: str) -> str:
    """The parts that say something, in one line."""
    return "; ".join(dict.fromkeys(part for part in parts if part))


def _without_score(cell: Cell) -> str:
    without = [
        name
        for name, x, n in zip(cell.counts.countries, cell.counts.x, cell.counts.N.sum(axis=0), strict=True)
        if n > 0 and not np.isfinite(x)
    ]
    return f"no score in this edition: {', '.join(without)}" if without else ""


def _few(result: Alignment) -> str:
    return f"only {result.n_countries} countries" if result.estimable and result.n_countries < 12 else ""


def _any_alignment(cells: Sequence[Cell], settings: Settings, gates: Mapping[Cell, str]) -> float | None:
    """The least step-down maxT p over the cells of the first judge: is there any alignment at all?"""
    tested = [cell for cell in cells if cell.judge == cells[0].judge and not gates[cell]]
    countries = sorted({name for cell in tested for name in cell.counts.countries})
    scores = np.full((len(tested), len(countries)), np.nan)
    share = scores.copy()
    for i, cell in enumerate(tested):
        at = [countries.index(name) for name in cell.counts.countries]
        scores[i, at], share[i, at] = cell.counts.x, shares(cell.counts.Y, cell.counts.N)
    if not tested:
        return None
    return max_t(scores, share, n_permutations=settings.n_permutations, seed=settings.seed).smallest


def country_rows(cell: Cell, scope: Scope, settings: Settings) -> Iterator[Row]:
    """Rows of `countries`: the share of each country that was asked, with limits over prompts."""
    c = cell.counts
    for j, name in enumerate(c.countries):
        if not cell.asked[j]:
            continue
        known = scope.countries.get(name, {})
        share, low, high = prompt_share(c.Y[:, j], c.N[:, j], settings.confidence)
        yield {
            **cell.key,
            "iso3": name,
            "country": known.get("title", name),
            "region": known.get("m49", ""),
            "language": known.get("language_name", ""),
            "resource": known.get("resource_level", ""),
            "score": None if np.isnan(c.x[j]) else float(c.x[j]),
            "asked": int(cell.asked[j]),
            "usable": int(c.N[:, j].sum()),
            "share": share,
            "low": low,
            "high": high,
        }


def prompt_share(y: Array, n: Array, level: float) -> tuple[float | None, float | None, float | None]:
    """A share with limits over prompts, (K,) counts each: two-way limits of one column; Wilson's, each prompt once, where all agree."""
    found = overall_share(y[:, None], n[:, None], level=level)
    if found.value in (0.0, 1.0):
        k = int((n > 0).sum())
        alike = wilson(k if found.value else 0, k, level=level)
        return found.value, alike.low, alike.high
    return found.value, found.low, found.high


# --------------------------------------------------------------------------------------------------------- preference


def preference_row(
    cell: Cell, scope: Scope, settings: Settings, corrected: Callable[[Cell], tuple[CorrectedShare, str] | None]
) -> Row:
    """A row of `preference`. corrected: the share of a cell after correction and the method, None where nothing allows one."""
    c = cell.counts
    share = overall_share(c.Y, c.N, level=settings.confidence)
    bounds = share_bounds(c.Y, c.N, c.T)
    better, method = corrected(cell) or (None, "")
    poles = scope.dimensions.get(cell.dimension, {})
    return {
        **cell.key,
        "n": share.n,
        "share": share.value,
        "low": share.low,
        "high": share.high,
        "design_effect": share.design_effect,
        "pole_first": poles.get("first", "first"),
        "pole_second": poles.get("second", "second"),
        "worst_low": bounds.low,
        "worst_high": bounds.high,
        "corrected": better.value if better else None,
        "corrected_low": better.low if better else None,
        "corrected_high": better.high if better else None,
        "correction": method,
        "note": sentence(
            share.reason,
            "" if cell.mode == "baseline" else share.note,
            f"not corrected: {better.reason}" if better and better.reason else "",
        ),
    }


def sensitivity_row(cell: Cell, settings: Settings, problem: str) -> Row:
    """A row of `sensitivity`; r under other rules is no r to be read where the gate is closed, but its rates are."""
    c = cell.counts
    result = unusable_answers(c.Y, c.N, c.T, c.x, n_permutations=settings.n_permutations, seed=settings.seed)
    row: Row = {
        **cell.key,
        "unusable": result.unusable,
        "rate_r": result.rate_r,
        "rate_p": result.rate_p,
        "proved": None
        if problem or not result.estimable
        else not result.unusable or (result.low_certain and result.high_certain),
        "note": sentence(problem, result.reason),
    }
    if not problem:
        row |= {column: getattr(result, name) for name, column in _LIMITS.items()}
    return row


# ------------------------------------------------------------------------------------------------- classes and levels


def classification_row(cell: Cell, settings: Settings, problem: str) -> Row:
    """A row of `classification`."""
    c = cell.counts
    p = np.where(np.isfinite(c.x), shares(c.Y, c.N), np.nan)
    high = c.x > CLASS_CUT
    area = auc(p, high, n_permutations=settings.n_class_permutations, seed=settings.seed)
    row: Row = {**cell.key, "n_high": area.n_high, "n_low": area.n_low, "note": sentence(problem, area.reason)}
    if problem or not area.estimable:
        return row
    best = best_threshold(p, high, n_permutations=settings.n_class_permutations, seed=settings.seed)
    return row | {
        "auc": area.auc,
        "auc_p": area.p,
        "threshold_accuracy": best.accuracy,
        "null_mean": best.null_mean,
        "null_95": best.null_95,
        "threshold_p": best.p,
    }


def resource_rows(cell: Cell, scope: Scope, settings: Settings, problem: str) -> tuple[list[Row], Row]:
    """Rows of `resource` for the levels that were asked, and the row of `resource_tests`."""
    c = cell.counts
    level_of = np.array([str(scope.countries.get(name, {}).get("resource_level") or "") for name in c.countries])
    kept = np.flatnonzero((level_of != "") & (cell.asked > 0))
    y, n, x, levels = c.Y[:, kept], c.N[:, kept], c.x[kept], list(level_of[kept])
    within = group_alignments(y, n, x, levels, level=settings.confidence)
    between = group_shares(y, n, levels, x, n_permutations=settings.n_permutations, seed=settings.seed)
    pairs = [(a, b) for i, a in enumerate(within.names) for b in within.names[i + 1 :]]
    reach = dict(zip(pairs, within.detectable, strict=True))
    rows = []
    for level in sorted(within.names, key=lambda name: LEVELS.index(name) if name in LEVELS else len(LEVELS)):
        here = [j for j, name in enumerate(levels) if name == level]
        share = overall_share(y[:, here], n[:, here], level=settings.confidence)
        result = within.alignments[within.names.index(level)]
        detectable = [z for pair, z in reach.items() if level in pair and z is not None]
        row = {**cell.key, "level": level, "n_countries": result.n_countries, "share": share.value, "low": share.low}
        row |= {"high": share.high, "detectable_r": float(np.tanh(max(detectable))) if detectable else None}
        if not problem and result.estimable:
            row |= {"r": result.r, "r_low": result.low, "r_high": result.high}
        rows.append(row)
    tests = {**cell.key, "f_p": between.p, "f_p_adjusted": between.adjusted_p}
    tests["r_chi2_p"] = None if problem else within.p
    tests["note"] = sentence(problem, between.reason, "" if problem else within.reason)
    return rows, tests


def replication_row(cell: Cell, settings: Settings) -> Row:
    """A row of `replication`: Tables 2 and 3 of the source paper in its own way."""
    c = cell.counts
    low_pole = cell.dimension in LOW_POLE_DIMENSIONS
    second = table2(c.Y, c.N, c.T, c.x, low_pole=low_pole)
    third = table3(c.Y, c.N, c.x, low_pole=low_pole, n_permutations=settings.n_class_permutations, seed=settings.seed)
    target, kept = (c.N - c.Y if low_pole else c.Y), np.isfinite(c.x) & (c.T.sum(axis=0) > 0)
    rho = float(spearman(c.x[kept], shares(target, c.T)[kept])) if second.estimable else None
    return {
        **cell.key,
        "table2_r": second.r,
        "table2_rho": rho,
        "aligned_sign": second.aligned_sign,
        "table3_accuracy": third.accuracy,
        "table3_null_mean": third.null_mean,
        "table3_null_95": third.null_95,
        "table3_p": third.p,
        "note": sentence(second.reason, third.reason),
    }
