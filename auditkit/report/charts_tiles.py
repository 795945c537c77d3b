"""Tiles: r by dimension and mode as a heat map with its figures written in, and countries as a map of equal squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit.report import charts_base as base
from auditkit.report.charts_base import GRID, INK, MODES, TILE_DARK, TILE_LIGHT, WIDTH, Panel
from auditkit.report.charts_intervals import LABEL, wrapped

if TYPE_CHECKING:
    import pandas as pd

    from auditkit.report.findings import Findings

DIVERGING = [
    "#b35806",
    "#e08214",
    "#fdb863",
    "#f0f0f0",
    "#9cc9e8",
    "#3288bd",
    "#0b4f8a",
]  # safe with red-green blindness
SEQUENTIAL = ["#fff7d6", "#a6dba0", "#35a79c", "#1f6f9f", "#1b2a6b"]  # light to dark, so that it survives grey print
EMPTY = "#c4cbd3"

# Column and row of each country: neighbours stay neighbours as far as squares allow.
PLACES: dict[str, tuple[int, int]] = {
    "ISL": (2, 0), "SWE": (5, 0), "FIN": (6, 0),
    "NLD": (3, 1), "DNK": (4, 1), "POL": (5, 1), "BLR": (6, 1), "RUS": (8, 1),
    "FRA": (3, 2), "DEU": (4, 2), "CZE": (5, 2), "UKR": (6, 2), "KAZ": (9, 2), "MNG": (11, 2),
    "USA": (0, 3), "ITA": (4, 3), "HUN": (5, 3), "ROU": (6, 3), "GEO": (8, 3), "AZE": (9, 3),
    "CHN": (11, 3), "KOR": (12, 3), "JPN": (13, 3),
    "ALB": (4, 4), "GRC": (5, 4), "BGR": (6, 4), "TUR": (7, 4), "ARM": (8, 4), "IRN": (9, 4),
    "ISR": (7, 5), "IND": (10, 5), "THA": (12, 5), "LKA": (10, 6), "MYS": (12, 6), "ZAF": (6, 7), "IDN": (13, 7),
}  # fmt: skip
COLUMNS, DEPTH = 14, 8


def heatmap(findings: Findings) -> list[Panel]:
    """A panel a model: dimensions down, modes across, r and its interval in each tile; hatched where there is no r."""
    rows = base.primary(findings, "alignment")
    names = base.short_names(rows["model"])
    out = []
    for (model,), part in base.cells(rows, "model"):
        tiles = [_tile(row) for row in part.itertuples()]
        gaps = sum(tile["r"] is None for tile in tiles)
        text = f"Heat map of {model}: r of {len(tiles)} cells with intervals, {gaps} of them not estimable."
        title = base.heading(names[model], "r [interval]; hatched: no r can be given")
        out.append(Panel("", text, _heat_chart(tiles).properties(title=title)))
    return out


def _tile(row: Any) -> dict[str, Any]:
    place = {"line": wrapped(base.label(row.dimension)), "mode": row.mode}
    where = f"{row.mode} · {base.label(row.dimension)}"
    if base.missing(row.r):
        reason = row.gate or row.note or "not estimable"
        return place | {"r": None, "top": "no r", "below": "", "ink": TILE_DARK, "said": f"{where}: no r, {reason}"}
    words = [
        f"{where}: r = {base.number(row.r)} {base.limits(row.r_low, row.r_high)}",
        f"n = {row.n_countries} countries",
    ]
    words += [f"Holm {base.p_value(row.p_holm)}"] if base.p_value(row.p_holm) else []
    return place | {
        "r": row.r, "top": base.number(row.r), "below": base.limits(row.r_low, row.r_high),
        "ink": TILE_LIGHT if row.r > 0.72 or row.r < -0.9 else TILE_DARK, "said": ", ".join(words),
    }  # fmt: skip


def _heat_chart(tiles: list[dict[str, Any]]) -> Any:
    import altair as alt
    import pandas as pd

    table = pd.DataFrame(tiles)
    table["r"] = table["r"].astype(float)
    lines = list(dict.fromkeys(table["line"]))
    modes = list(base.styles(table["mode"], MODES))
    x = alt.X(
        "mode:N",
        sort=modes,
        title=None,
        axis=alt.Axis(orient="top", labelAngle=0, labelColor=INK, ticks=False, domain=False),
    )
    y = alt.Y(
        "line:N", sort=lines, title=None, axis=alt.Axis(labelExpr=LABEL, labelColor=INK, ticks=False, domain=False)
    )
    color = alt.Color(
        "r:Q",
        scale=alt.Scale(domain=[-1, 1], range=DIVERGING, interpolate="lab"),
        legend=alt.Legend(title="r", gradientLength=200, values=[-1, -0.5, 0, 0.5, 1]),
    )
    hatches = 19 // len(modes)  # slashes that fill a tile
    source = alt.Chart(table).encode(x=x, y=y)
    known = source.transform_filter("isValid(datum.r)")
    empty = source.transform_filter("!isValid(datum.r)")
    layers = [
        known.mark_rect(stroke=base.PAPER, strokeWidth=2).encode(color=color, description=alt.Description("said:N")),
        empty.mark_rect(stroke=base.PAPER, strokeWidth=2, fill=EMPTY).encode(description=alt.Description("said:N")),
        empty.mark_text(text="/" * hatches, fontSize=38, fontWeight="lighter", color="#9aa3ad", aria=False),
        source.mark_text(fontSize=13, fontWeight="bold", dy=-6, aria=False).encode(text=alt.Text("top:N"), color=alt.Color("ink:N", scale=None)),
        source.mark_text(fontSize=10, dy=9, aria=False).encode(text=alt.Text("below:N"), color=alt.Color("ink:N", scale=None)),
    ]  # fmt: skip
    return alt.layer(*layers).resolve_scale(color="independent").properties(width=WIDTH, height=46 * len(lines) + 120)


# ------------------------------------------------------------------------------------------------------- map


def tiles_of(codes: list[str]) -> dict[str, tuple[int, int]]:
    """Column and row of each country; countries without a place of their own fill rows below the map, in alphabetical order."""
    known = {code: PLACES[code] for code in codes if code in PLACES}
    others = sorted(set(codes) - set(PLACES))
    return known | {code: (i % COLUMNS, DEPTH + 1 + i // COLUMNS) for i, code in enumerate(others)}


def tile_map(findings: Findings) -> list[Panel]:
    """For each dimension: Hofstede's scores, then the shares of every model and mode, to be compared by eye.

    Shares of one dimension have one scale, from the least to the greatest share of any panel.
    """
    rows = base.primary(findings, "countries")
    rows = rows[rows["share"].notna()]
    names = base.short_names(rows["model"])
    out = []
    for (dimension,), part in base.cells(rows, "dimension"):
        scored = part[part["score"].notna()].drop_duplicates("iso3")
        if len(scored):
            said = [f"{row.country} ({row.iso3}): score {row.score:g}" for row in scored.itertuples()]
            title = base.heading(base.label(dimension), f"Hofstede's score, edition {findings.edition}")
            chart = _map_chart(scored, "score", said, (float(scored["score"].min()), float(scored["score"].max())))
            alt_text = f"Tile map of Hofstede's scores for {base.label(dimension)}, {len(scored)} countries."
            out.append(Panel(base.label(dimension), alt_text, chart.properties(title=title)))
        ends = (float(part["share"].min()), float(part["share"].max()))
        for (model, mode), inside in base.cells(part, "model", "mode"):
            said = [
                f"{row.country} ({row.iso3}): share {base.number(row.share)} {base.limits(row.low, row.high)}, n = {row.usable}"
                for row in inside.itertuples()
            ]
            title = base.heading(base.label(dimension), f"share of the first pole, {mode}, {names[model]}")
            alt_text = f"Tile map of shares for {base.label(dimension)}, {model}, {mode}, {len(inside)} countries."
            chart = _map_chart(inside, "share", said, ends)
            out.append(Panel(base.label(dimension), alt_text, chart.properties(title=title)))
    return out


def _map_chart(rows: pd.DataFrame, column: str, said: list[str], ends: tuple[float, float]) -> Any:
    import altair as alt
    import pandas as pd

    places = tiles_of(rows["iso3"].tolist())
    low, high = ends if ends[1] > ends[0] else (ends[0] - 0.5, ends[0] + 0.5)
    table = pd.DataFrame({
        "code": rows["iso3"].tolist(), "value": rows[column].astype(float).tolist(), "said": said,
        "column": [places[code][0] for code in rows["iso3"]], "row": [places[code][1] for code in rows["iso3"]],
    })  # fmt: skip
    table["ink"] = [TILE_LIGHT if (value - low) / (high - low) > 0.68 else TILE_DARK for value in table["value"]]
    depth = max(int(table["row"].max()) + 1, DEPTH)
    x = alt.X("column:O", axis=None, scale=alt.Scale(domain=list(range(COLUMNS)), paddingInner=0.06, paddingOuter=0))
    y = alt.Y("row:O", axis=None, scale=alt.Scale(domain=list(range(depth)), paddingInner=0.06, paddingOuter=0))
    legend = alt.Legend(
        title=None, gradientLength=200, padding=10, format=".2f" if column == "share" else "d", tickCount=5
    )
    color = alt.Color(
        "value:Q", scale=alt.Scale(domain=[low, high], range=SEQUENTIAL, interpolate="lab"), legend=legend
    )
    source = alt.Chart(table).encode(x=x, y=y)
    return alt.layer(
        source.mark_rect(cornerRadius=2, stroke=GRID, strokeWidth=0.5).encode(color=color, description=alt.Description("said:N")),
        source.mark_text(fontSize=10, aria=False).encode(text=alt.Text("code:N"), color=alt.Color("ink:N", scale=None)),
    ).resolve_scale(color="independent").properties(width=WIDTH, height=24 * depth + 92)  # fmt: skip
