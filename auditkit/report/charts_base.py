"""What all charts share: colours, labels, numbers as text, and the panel, the smallest piece that is drawn by itself.

A figure is a grid of panels no wider than a phone. The page lays panels out as the window allows; the files hold them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from auditkit.report.findings import Findings

WIDTH = 340  # of a panel in CSS pixels, axes included: it fits a phone of 390 with margins
FONT = "Arial, Liberation Sans, Helvetica, sans-serif"

INK, MUTED, GRID = "#1b1f24", "#57606a", "#d8dee4"
BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE = "#0072b2", "#d55e00", "#009e73", "#b5568e", "#56b4e9", "#e69f00"
GREY, PALE = "#6e7781", "#afb8c1"
PAPER = "#ffffff"  # what hollow marks are filled with
TILE_DARK, TILE_LIGHT = "#101010", "#fdfdfd"  # writing on coloured tiles, the same in dark mode
# Okabe and Ito's colours, told apart with every common colour vision; purple is darkened to stand out on white.
DARK = {  # what the page turns each colour into in dark mode
    INK: "#e6edf3", MUTED: "#a9b4c0", GRID: "#39424d", BLUE: "#4a9fe0", VERMILION: "#ff8b47", GREEN: "#3cc79d",
    PURPLE: "#e08abc", SKY: "#bfe3fb", ORANGE: "#f2b84b", GREY: "#9aa5b1", PALE: "#5b6672", PAPER: "#161b22",
}  # fmt: skip

MODES: dict[str, tuple[str, str]] = {  # colour, shape
    "persona": (BLUE, "circle"),
    "multilingual": (VERMILION, "square"),
    "crossed": (GREEN, "triangle-up"),
    "baseline": (GREY, "diamond"),
}
LEVELS: dict[str, tuple[str, str]] = {
    "high": (BLUE, "circle"),
    "mid": (GREEN, "square"),
    "low": (VERMILION, "triangle-up"),
}
SPARE = ((PURPLE, "cross"), (SKY, "triangle-down"), (ORANGE, "diamond"), (GREEN, "triangle-up"), (GREY, "square"))
CELL = ("model", "mode", "dimension", "judge")


@dataclass(frozen=True)
class Panel:
    """One drawing: `chart` is an Altair chart, `group` the heading it stands under, `alt` what it shows, in words."""

    group: str
    alt: str
    chart: Any


# ------------------------------------------------------------------------------------------------- words and numbers


def missing(value: object) -> bool:
    """Whether a table's cell holds nothing: None, NaN or pandas' NA."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return type(value).__name__ in ("NAType", "NaTType")


def number(value: Any, digits: int = 2, *, sign: bool = False) -> str:
    """The number with a true minus, or '' where there is none."""
    if missing(value):
        return ""
    text = f"{float(value):{'+' if sign else ''}.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-+")


def limits(low: Any, high: Any, digits: int = 2) -> str:
    """'[0.21, 0.60]', or '' where a limit is missing."""
    return "" if missing(low) or missing(high) else f"[{number(low, digits)}, {number(high, digits)}]"


def p_value(p: Any) -> str:
    """'p < 0.001' or 'p = 0.034'; '' where there is none."""
    if missing(p):
        return ""
    return "p < 0.001" if p < 0.001 else "p = 1" if p >= 0.9995 else f"p = {p:.3f}"


def label(key: str) -> str:
    """A key of ours as a word: 'power_distance' is 'Power distance', 'mas' is 'MAS'."""
    words = str(key).replace("_", " ")
    return words.upper() if len(words) <= 3 else words[:1].upper() + words[1:]


def short_names(models: Iterable[str], limit: int = 30) -> dict[str, str]:
    """Model names without their provider, cut in the middle where too long, and still different from each other."""
    names = list(dict.fromkeys(models))
    tails = [name.rsplit("/", 1)[-1] for name in names]
    chosen = [tail if tails.count(tail) == 1 else name for name, tail in zip(names, tails, strict=True)]
    cut = [c if len(c) <= limit else f"{c[: limit // 2]}…{c[-(limit // 2 - 1) :]}" for c in chosen]
    return {n: c if cut.count(c) == 1 else full for n, c, full in zip(names, cut, chosen, strict=True)}


def primary(findings: Findings, table: str) -> pd.DataFrame:
    """The rows of the judge whose figures are the headline; of all judges where a table has none of that judge."""
    frame = findings.tables[table]
    if "judge" not in frame:
        return frame
    own = frame[frame["judge"] == findings.primary_judge]
    return own if len(own) else frame


def cells(frame: pd.DataFrame, *keys: str) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    """The rows by key, keys in the order in which they first appear."""
    if frame.empty:
        return []
    return [(key, part) for key, part in frame.groupby(list(keys), sort=False)]


def styles(values: Iterable[str], known: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Colour and shape for each value: the known ones keep theirs, others take spare ones in turn."""
    found = dict.fromkeys(values)
    others = [value for value in found if value not in known]
    return {v: known[v] for v in known if v in found} | {v: SPARE[i % len(SPARE)] for i, v in enumerate(others)}


def legend_columns(names: Iterable[str]) -> int:
    """How many entries of a legend fit side by side below a panel's plot."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(3, 240 // (6 * longest + 22)))


# -------------------------------------------------------------------------------------------------------- look


def config() -> dict[str, Any]:
    """Vega-Lite's configuration of every chart. No text under 10 px."""
    axis = {
        "labelColor": MUTED, "titleColor": INK, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID,
        "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 150, "tickSize": 4, "labelFlush": False,
    }  # fmt: skip
    legend = {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
        "orient": "bottom", "symbolStrokeWidth": 2, "columnPadding": 10, "labelLimit": 200,
    }  # fmt: skip
    title = {
        "color": INK, "subtitleColor": MUTED, "fontSize": 13, "subtitleFontSize": 11, "anchor": "start",
        "frame": "bounds", "subtitlePadding": 3, "offset": 8, "fontWeight": "bold",
    }  # fmt: skip
    return {
        "background": "transparent", "font": FONT, "axis": axis, "legend": legend, "title": title,
        "view": {"stroke": None}, "autosize": {"type": "fit", "contains": "padding"}, "padding": 4,
    }  # fmt: skip


def heading(title: str, *lines: str) -> Any:
    """A panel's title with its smaller lines below."""
    import altair as alt

    return alt.Title(title, subtitle=[line for line in lines if line])
