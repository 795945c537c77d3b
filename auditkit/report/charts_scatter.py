"""Share against score, country by country: the scatter plots with their line, and the density plots by class of score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from auditkit.report import charts_base as base
from auditkit.report.charts_base import BLUE, INK, MUTED, PALE, VERMILION, WIDTH, Panel

if TYPE_CHECKING:
    import pandas as pd

    from auditkit.report.findings import Findings

HEIGHT = 330
PLOT = (290.0, 215.0)  # roughly what axes and title leave of WIDTH x HEIGHT; only labels are placed by it
DENSITY_HEIGHT = 215
Floats = NDArray[np.float64]


def fit_line(x: Floats, y: Floats, confidence: float, at: Floats) -> tuple[Floats, Floats, Floats]:
    """Least-squares line with its pointwise confidence band at the points `at`: line, low, high.

    The textbook band for independent points of equal variance with t(n - 2). It shows where the line runs; whether there is a
    relation is said by the interval of r, which also counts the prompts as a sample. Needs 3 points and scores that differ.
    """
    from scipy.stats import t

    n, centre = len(x), x.mean()
    spread = float(((x - centre) ** 2).sum())
    slope = float(((x - centre) * (y - y.mean())).sum()) / spread
    line = y.mean() + slope * (at - centre)
    residual = y - y.mean() - slope * (x - centre)
    error = np.sqrt((residual**2).sum() / (n - 2) * (1 / n + (at - centre) ** 2 / spread))
    half = t.ppf(0.5 + confidence / 2, n - 2) * error
    return line, line - half, line + half


SPOTS = np.array(
    [(0, -8), (0, 8), (15, 0), (-15, 0), (13, -7), (-13, -7), (13, 7), (-13, 7)]
    + [(dx, dy) for dy in (-16, 16, -24, 24) for dx in (0, 14, -14)]
    + [(26, 0), (-26, 0), (24, -10), (-24, 10)],
    dtype=float,
)  # of a code's centre from its point, the nearest first


def place_labels(points: Floats, size: tuple[float, float] = (21.0, 9.0)) -> Floats:
    """Where each point's code is written: centres, shape (n, 2) like `points`, in pixels from the top left of the plot.

    The nearest of SPOTS that covers no code and no point, else the one that covers least. Greedy, the loneliest point first.
    """
    wide, tall = size
    placed = np.empty((0, 2))
    out = np.empty_like(points)
    apart = np.abs(points[:, None] - points[None])
    crowd = ((apart[..., 0] < 30) & (apart[..., 1] < 16)).sum(axis=1)
    for own in np.argsort(crowd, kind="stable"):
        tried = points[own] + SPOTS
        gaps = np.abs(tried[:, None] - placed[None])
        covered = (np.clip(wide - gaps[..., 0], 0, None) * np.clip(tall - gaps[..., 1], 0, None)).sum(axis=1)
        dots = np.abs(tried[:, None] - np.delete(points, own, axis=0)[None])
        hit = ((dots[..., 0] < wide / 2 + 2) & (dots[..., 1] < tall / 2 + 2)).sum(axis=1)
        edge = np.array([wide, tall]) / 2
        outside = ((tried < edge) | (tried > np.array(PLOT) - edge)).any(axis=1)
        out[own] = tried[np.argmin(covered + 12 * hit + 200 * outside)]
        placed = np.vstack([placed, out[own]])
    return out


def _said(row: Any) -> str:
    return (
        f"{row.country} ({row.iso3}): score {row.score:g}, share {base.number(row.share)} "
        f"{base.limits(row.low, row.high)}, n = {row.usable} of {row.asked}"
    )


def r_line(row: Any) -> str:
    """'r = 0.52 [0.21, 0.73], Holm p = 0.034', or why there is none; '' without a row."""
    if row is None:
        return ""
    if base.missing(row.r):
        return f"no r: {row.gate or row.note or 'not estimable'}"
    holm = base.p_value(row.p_holm)
    return f"r = {base.number(row.r)} {base.limits(row.r_low, row.r_high)}" + (f", Holm {holm}" if holm else "")


def _alignment_rows(findings: Findings) -> dict[tuple[str, ...], Any]:
    rows = findings.tables["alignment"].itertuples(index=False)
    return {(row.model, row.mode, row.dimension, row.judge): row for row in rows}


def _usable(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["score"].notna() & rows["share"].notna()]


def scatter(findings: Findings) -> list[Panel]:
    """A panel a model, mode and dimension: dots with country codes, thin bars for the interval of each share.

    The line and its band are drawn where an r is given. All panels share one scale of shares, so that slopes compare.
    """
    rows = _usable(base.primary(findings, "countries"))
    if rows.empty:
        return []
    aligned = _alignment_rows(findings)
    names = base.short_names(rows["model"])
    domain = (float(rows["share"].min()) - 0.04, float(rows["share"].max()) + 0.04)
    right = 100.0 if rows["score"].max() <= 100 else 120.0
    out = []
    for key, part in base.cells(rows, *base.CELL):
        model, mode, dimension, _ = key
        row = aligned.get(key)
        line = r_line(row)
        title = base.heading(base.label(dimension), f"{mode} · {names[model]}", line, f"n = {len(part)} countries")
        drawn = row is not None and not base.missing(row.r) and len(part) > 2 and part["score"].nunique() > 1
        alt_text = (
            f"Scatter plot for {model}, {mode}, {base.label(dimension)}: share of the first pole against Hofstede's score "
            f"for {len(part)} countries. {line or 'No correlation is given'}."
        )
        chart = _scatter_chart(part, domain, right, findings.confidence if drawn else None)
        out.append(Panel(f"{model} · {mode}", alt_text, chart.properties(title=title, width=WIDTH, height=HEIGHT)))
    return out


def _scatter_chart(part: pd.DataFrame, domain: tuple[float, float], right: float, confidence: float | None) -> Any:
    import altair as alt
    import pandas as pd

    across, up = PLOT[0] / right, PLOT[1] / (domain[1] - domain[0])
    score, share = (part[name].to_numpy(dtype=float) for name in ("score", "share"))
    spots = place_labels(np.column_stack([score * across, (domain[1] - share) * up]))
    frame = pd.DataFrame({
        "score": score, "share": share,
        "low": part["low"].astype(float).tolist(), "high": part["high"].astype(float).tolist(),
        "code": part["iso3"].tolist(), "said": [_said(row) for row in part.itertuples()],
        "at_x": spots[:, 0] / across, "at_y": domain[1] - spots[:, 1] / up,
    })  # fmt: skip
    x = alt.X(
        "score:Q",
        title="Hofstede score",
        scale=alt.Scale(domain=[0, right], nice=False),
        axis=alt.Axis(values=list(range(0, int(right) + 1, 20))),
    )
    scale = alt.Scale(domain=list(domain), nice=False, zero=False)

    def y_at(column: str) -> Any:
        return alt.Y(
            f"{column}:Q", title="share of the first pole", scale=scale, axis=alt.Axis(tickCount=5, format=".1f")
        )

    source = alt.Chart(frame)
    layers = [
        source.mark_rule(color=PALE, opacity=0.45, clip=True, aria=False).encode(x=x, y=y_at("low"), y2=alt.Y2("high"))
    ]
    if confidence is not None:
        grid = np.linspace(score.min(), score.max(), 25)
        line, low, high = fit_line(score, share, confidence, grid)
        fitted = alt.Chart(pd.DataFrame({"score": grid, "line": line, "from": low, "to": high}))
        layers += [
            fitted.mark_area(color=BLUE, opacity=0.15, clip=True, aria=False).encode(
                x=x, y=y_at("from"), y2=alt.Y2("to")
            ),
            fitted.mark_line(color=BLUE, strokeWidth=2, clip=True, aria=False).encode(x=x, y=y_at("line")),
        ]
    layers += [
        source.mark_circle(color=INK, size=16, opacity=1).encode(
            x=x, y=y_at("share"), description=alt.Description("said:N")
        ),
        source.mark_text(color=INK, fontSize=10, baseline="middle", aria=False).encode(
            x=alt.X("at_x:Q"), y=y_at("at_y"), text=alt.Text("code:N")
        ),
    ]
    return alt.layer(*layers)


# ------------------------------------------------------------------------------------------------- density plots


def density(findings: Findings) -> list[Panel]:
    """As in the paper: kernel densities of the countries' shares, by class of score (above 50 or not). A replication.

    Gaussian kernel with Scott's bandwidth, scaled to the highest point of the panel; ticks below are the countries. A class
    of fewer than three countries, or with one share only, has ticks and no curve. Drawn where the replication was asked for.
    """
    if findings.tables["replication"].empty:
        return []
    rows = _usable(base.primary(findings, "countries"))
    names = base.short_names(rows["model"])
    out = []
    for (model, mode, dimension, _), part in base.cells(rows, *base.CELL):
        above = int((part["score"] > 50).sum())
        title = base.heading(
            base.label(dimension), f"{mode} · {names[model]}", f"{above} countries above 50, {len(part) - above} not"
        )
        alt_text = (
            f"Density plot for {model}, {mode}, {base.label(dimension)}: shares of the first pole of {above} countries with a "
            f"score above 50 and of {len(part) - above} others. Replication of the published figure, not evidence."
        )
        chart = _density_chart(part).properties(title=title, width=WIDTH, height=DENSITY_HEIGHT)
        out.append(Panel(f"{model} · {mode}", alt_text, chart))
    return out


def _density_chart(part: pd.DataFrame) -> Any:
    import altair as alt
    import pandas as pd
    from scipy.stats import gaussian_kde

    grid = np.linspace(0, 1, 121)
    curves, ticks = [], []
    for name, level, inside in (
        ("score above 50", -0.06, part["score"] > 50),
        ("score 50 or below", -0.15, part["score"] <= 50),
    ):
        shares = part.loc[inside, "share"].to_numpy(dtype=float)
        if len(shares) > 2 and np.ptp(shares) > 0:
            heights = gaussian_kde(shares)(grid)
            curves += [{"share": x, "height": h, "class": name} for x, h in zip(grid, heights, strict=True)]
        ticks += [{"share": r.share, "at": level, "class": name, "said": _said(r)} for r in part[inside].itertuples()]
    top = max((curve["height"] for curve in curves), default=1.0)
    for curve in curves:
        curve["height"] /= top
    order = ["score above 50", "score 50 or below"]
    color = alt.Color(
        "class:N",
        scale=alt.Scale(domain=order, range=[BLUE, VERMILION]),
        legend=alt.Legend(title=None, symbolType="square", symbolOpacity=1),
    )
    x = alt.X(
        "share:Q",
        title="share of the first pole",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(format=".1f", tickCount=6),
    )
    scale = alt.Scale(domain=[-0.2, 1.05], nice=False)
    layers = [
        alt.Chart(pd.DataFrame(ticks)).mark_tick(thickness=1.5, height=9, orient="vertical").encode(
            x=x, y=alt.Y("at:Q", scale=scale, axis=None), color=color, description=alt.Description("said:N")
        )
    ]  # fmt: skip
    if curves:
        source = alt.Chart(pd.DataFrame(curves)).encode(
            x=x, y=alt.Y("height:Q", scale=scale, axis=None, stack=None), color=color
        )
        layers += [
            source.mark_area(opacity=0.18, aria=False),
            source.mark_line(strokeWidth=2, aria=False).encode(
                strokeDash=alt.StrokeDash("class:N", scale=alt.Scale(domain=order, range=[[1, 0], [6, 3]]), legend=None)
            ),
        ]
    else:
        layers.append(alt.Chart(pd.DataFrame([{"share": 0.5, "at": 0.5}])).mark_text(
            text="too few countries for a curve", color=MUTED, fontSize=11, aria=False
        ).encode(x=alt.X("share:Q"), y=alt.Y("at:Q", scale=scale, axis=None)))  # fmt: skip
    return alt.layer(*layers)
