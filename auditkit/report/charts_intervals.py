"""Estimates with their intervals, one line each: alignment, contrasts, models, resource levels, kinds of stereotypes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from auditkit.report import charts_base as base
from auditkit.report.charts_base import GREY, INK, LEVELS, MODES, WIDTH, Panel

if TYPE_CHECKING:
    import pandas as pd

    from auditkit.report.findings import Findings

LINE = 15  # pixels an interval takes
LABEL = "split(datum.label, '|')"  # Vega: an array is a label of several lines
FIRM = 0.05  # Holm's adjusted p below it fills a mark


def wrapped(text: str, width: int = 22) -> str:
    """The words in lines of at most `width` letters, '|' between lines (see LABEL); a longer word stands alone."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "|".join(line.replace("|", "/") for line in lines)


def forest(
    rows: Iterable[Mapping[str, Any]], known: Mapping[str, tuple[str, str]], axis: str, *,
    domain: tuple[float, float], line: bool = True, legend: str | None = None, ticks: bool = False,
) -> Any:  # fmt: skip
    """Points with intervals. Each row has `line` (label on the left), `series` (colour and shape), `value`, `low`, `high`, `said`.

    Optional in a row: `hollow` (drawn without filling), `tick` (a short grey mark, say a ceiling). `line`: one at zero.
    """
    import altair as alt
    import pandas as pd

    table = pd.DataFrame(list(rows))
    lines = list(dict.fromkeys(table["line"]))
    series = base.styles(table["series"], known)
    if "hollow" not in table:
        table["hollow"] = False
    y = alt.Y("line:N", sort=lines, title=None, axis=alt.Axis(
        labelExpr=LABEL, labelColor=INK, ticks=False, domain=False, labelPadding=6,
    ), scale=alt.Scale(paddingInner=0.25, paddingOuter=0.15))  # fmt: skip
    offset = alt.YOffset("series:N", sort=list(series), scale=alt.Scale(paddingInner=0.2, paddingOuter=0.2))
    x = alt.X(
        "value:Q", title=axis, scale=alt.Scale(domain=list(domain), nice=False, zero=False), axis=alt.Axis(tickCount=4)
    )
    show = alt.Legend(title=legend, symbolSize=70, columns=base.legend_columns(series)) if len(series) > 1 else None
    colors = alt.Scale(domain=list(series), range=[c for c, _ in series.values()])
    color = alt.Color("series:N", scale=colors, legend=show)
    shape = alt.Shape(
        "series:N", scale=alt.Scale(domain=list(series), range=[s for _, s in series.values()]), legend=show
    )
    source = alt.Chart(table)
    layers = []
    if line:
        layers.append(
            alt.Chart(pd.DataFrame([{"value": 0}]))
            .mark_rule(color=GREY, aria=False)
            .encode(x=alt.X("value:Q", title=axis))
        )
    if ticks:
        layers.append(
            source.mark_tick(color=GREY, thickness=2, size=11, aria=False).encode(
                x=alt.X("tick:Q"), y=y, yOffset=offset
            )
        )
    layers += [
        source.mark_rule(strokeWidth=2, clip=True, aria=False).encode(x=alt.X("low:Q", title=axis), x2=alt.X2("high"), y=y, yOffset=offset, color=color),
        source.transform_filter("!datum.hollow").mark_point(size=55, filled=True, opacity=1).encode(
            x=x, y=y, yOffset=offset, color=color, shape=shape, description=alt.Description("said:N")
        ),
        source.transform_filter("datum.hollow").mark_point(size=50, filled=True, opacity=1, strokeWidth=2, fill=base.PAPER).encode(
            x=x, y=y, yOffset=offset, stroke=alt.Stroke("series:N", scale=colors, legend=None), shape=shape, description=alt.Description("said:N")
        ),
    ]  # fmt: skip
    rows_below = -(-len(series) // base.legend_columns(series)) if show else 0
    height = len(lines) * max(26, LINE * len(series) + 8) + 92 + 17 * rows_below + (16 if legend else 0)
    return alt.layer(*layers).properties(width=WIDTH, height=height)


def _ends(rows: pd.DataFrame, *columns: str) -> tuple[float, float]:
    """Limits of an axis that hold everything in `columns`, with a little room, on even steps; shared by a figure's panels.

    An estimate may be there without its limits; a column without any number counts for nothing.
    """
    known = rows[list(columns)].to_numpy(dtype=float, na_value=math.nan)
    known = known[~np.isnan(known)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    steps = 20 if high - low < 1 else 10
    return math.floor(low * steps - 0.2) / steps, math.ceil(high * steps + 0.2) / steps


def _said(row: Any, value: float, low: float, high: float, *more: str) -> str:
    where = " · ".join(str(part) for part in row if part)
    return ", ".join([f"{where}: {base.number(value)} {base.limits(low, high)}", *[m for m in more if m]])


def alignment(findings: Findings) -> list[Panel]:
    """Correlations of all cells, each with its two-way interval; filled where Holm's p is below .05; a tick at the noise ceiling."""
    rows = base.primary(findings, "alignment")
    rows = rows[rows["r"].notna()]
    names = base.short_names(rows["model"])
    out = []
    for (model,), part in base.cells(rows, "model"):
        marks = [
            {
                "line": wrapped(base.label(row.dimension)), "series": row.mode, "value": row.r, "low": row.r_low,
                "high": row.r_high, "hollow": base.missing(row.p_holm) or row.p_holm >= FIRM, "tick": row.ceiling,
                "said": _said((row.mode, base.label(row.dimension)), row.r, row.r_low, row.r_high,
                              f"Holm {base.p_value(row.p_holm)}" if base.p_value(row.p_holm) else "",
                              f"n = {row.n_countries} countries", f"ceiling {base.number(row.ceiling)}" if base.number(row.ceiling) else ""),
            }
            for row in part.itertuples()
        ]  # fmt: skip
        firm = sum(not mark["hollow"] for mark in marks)
        chart = forest(marks, MODES, "r with Hofstede's score", domain=(-1, 1), ticks=True)
        title = base.heading(names[model], "filled: Holm p < 0.05; grey tick: noise ceiling")
        text = (
            f"Alignment of {model}: {len(marks)} correlations with intervals, {firm} with a Holm-adjusted p below 0.05."
        )
        out.append(Panel("", text, chart.properties(title=title)))
    return out


def _differences(rows: pd.DataFrame, group: str, series: str, known: Mapping[str, tuple[str, str]]) -> list[Panel]:
    """Forests of differences: a panel a group and estimand, a line a dimension."""
    rows = rows[rows["difference"].notna()].sort_values("estimand", ascending=False, kind="stable")  # shares, then r
    names = base.short_names(rows[group])
    ends = {key: _ends(part, "difference", "low", "high") for (key,), part in base.cells(rows, "estimand")}
    out = []
    for (one, estimand), part in base.cells(rows, group, "estimand"):
        marks = [
            {
                "line": wrapped(base.label(row.dimension)), "series": getattr(row, series), "value": row.difference,
                "low": row.low, "high": row.high, "said": _said(
                    (getattr(row, series), base.label(row.dimension)), row.difference, row.low, row.high,
                    base.p_value(row.p), "" if base.missing(row.n_countries) else f"n = {row.n_countries} countries",
                ),
            }
            for row in part.itertuples()
        ]  # fmt: skip
        what = "difference of r" if estimand == "r" else "difference of shares of the first pole"
        text = f"{one}: {len(marks)} differences ({what}) with intervals."
        chart = forest(marks, known, what, domain=ends[estimand])
        out.append(Panel(base.label(what), text, chart.properties(title=base.heading(names[one]))))
    return out


def contrasts(findings: Findings) -> list[Panel]:
    """Modes of one model against each other, paired by prompt and country."""
    return _differences(base.primary(findings, "contrasts"), "model", "contrast", {})


def models(findings: Findings) -> list[Panel]:
    """Two models against each other, on the prompts and countries that both answered."""
    rows = base.primary(findings, "models")
    names = base.short_names([*rows["model_a"], *rows["model_b"]])
    pair = [f"{names[a]} − {names[b]}" for a, b in zip(rows["model_a"], rows["model_b"], strict=True)]
    return _differences(rows.assign(pair=pair), "pair", "mode", MODES)


def resource(findings: Findings, figure: str) -> list[Panel]:
    """Shares (`figure` "share") or r ("r") of countries by resource level of their language. Exploratory."""
    rows = base.primary(findings, "resource")
    rows = rows[rows[figure].notna()]
    low, high = ("low", "high") if figure == "share" else ("r_low", "r_high")
    names = base.short_names(rows["model"])
    out = []
    for (model, mode), part in base.cells(rows, "model", "mode"):
        marks = [
            {
                "line": wrapped(base.label(row["dimension"])), "series": row["level"], "value": row[figure],
                "low": row[low], "high": row[high], "said": _said(
                    (f"{row['level']} resource", base.label(row["dimension"])), row[figure], row[low], row[high],
                    f"n = {row['n_countries']} countries",
                ),
            }
            for row in part.to_dict("records")
        ]  # fmt: skip
        what, domain = (
            ("share of the first pole", _ends(rows, "share", "low", "high"))
            if figure == "share"
            else ("r with Hofstede's score", (-1.0, 1.0))
        )
        chart = forest(marks, LEVELS, what, domain=domain, line=figure == "r", legend="text on the web in the language")
        text = f"{model}, {mode}: {what} with intervals for languages with much, some and little text on the web."
        out.append(Panel("", text, chart.properties(title=base.heading(names[model], mode))))
    return out


def kinds(findings: Findings) -> list[Panel]:
    """Share of replies with a flag of each kind, a panel a model and judge."""
    rows = findings.tables["culture_kinds"]
    rows = rows[rows["share"].notna()]
    names = base.short_names(rows["model"])
    out = []
    for (model, judge), part in base.cells(rows, "model", "judge"):
        marks = [
            {
                "line": wrapped(base.label(row.kind), 20), "series": row.mode, "value": row.share, "low": row.low, "high": row.high,
                "said": _said((row.mode, row.family, base.label(row.kind)), row.share, row.low, row.high, f"{row.n_with} of {row.n_replies} replies"),
            }
            for row in part.itertuples()
        ]  # fmt: skip
        text = (
            f"{model}, read by {judge}: share of replies with each of {len({m['line'] for m in marks})} kinds of flags."
        )
        chart = forest(marks, MODES, "share of replies", domain=(0.0, _ends(rows, "share", "high")[1]), line=False)
        out.append(Panel("", text, chart.properties(title=base.heading(names[model], judge))))
    return out


def flagged(findings: Findings) -> list[Panel]:
    """Share of replies with a stereotype and with an invention over all countries, a panel a model and judge."""
    rows = findings.tables["culture"]
    rows = rows[(rows["iso3"] == "") & (rows["stereotyped"].notna() | rows["hallucinated"].notna())]
    names = base.short_names(rows["model"])
    end = _ends(rows, "stereotyped", "stereotyped_high", "hallucinated", "hallucinated_high")[1]
    out = []
    for (model, judge), part in base.cells(rows, "model", "judge"):
        marks = [
            {
                "line": base.label(what), "series": row["mode"], "value": row[what], "low": row[f"{what}_low"],
                "high": row[f"{what}_high"], "said": _said(
                    (row["mode"], what), row[what], row[f"{what}_low"], row[f"{what}_high"], f"n = {row['n']} replies"
                ),
            }
            for row in part.to_dict("records")
            for what in ("stereotyped", "hallucinated")
            if not base.missing(row[what])
        ]  # fmt: skip
        text = (
            f"{model}, read by {judge}: share of replies that are stereotyped and that hold inventions, with intervals."
        )
        chart = forest(marks, MODES, "share of replies", domain=(0.0, end), line=False)
        out.append(Panel("", text, chart.properties(title=base.heading(names[model], judge))))
    return out
