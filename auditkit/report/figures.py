"""Every figure of a report, as panels for the page and as files: SVG, PDF, PNG, and the Vega-Lite specification.

Figures show what the tables hold. Nothing is estimated here but two drawings, both described where they are made: the line
with its band in the scatter plots and the densities.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.errors import AuditError, MissingExtra
from auditkit.report import charts_base, charts_intervals, charts_parts, charts_scatter, charts_tiles
from auditkit.report.charts_base import Panel

if TYPE_CHECKING:
    from auditkit.report.findings import Findings

FORMATS = ("svg", "pdf", "png", "vl.json")  # the last is the Vega-Lite specification
GAP = 16
PIXELS, WIDEST = 2.0, 2000  # of a PNG: pixels per CSS pixel, fewer where it would be wider than this
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')
_NAMED = re.compile(r'(\bid="|url\(#|href="#)([\w-]+)')


@dataclass(frozen=True)
class Drawing:
    """A panel as drawn: an `<svg>` element with a transparent background, its size in CSS pixels, and its words."""

    group: str
    alt: str
    svg: str
    width: float
    height: float


@dataclass(frozen=True)
class Figure:
    """A figure: `panels` for the page, `files` by format, and the name of the table that holds the same numbers.

    `spec` is one Vega-Lite specification of all panels, data included.
    """

    name: str
    title: str
    alt: str
    table: str
    spec: dict[str, Any]
    panels: tuple[Drawing, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class _Kind:
    name: str
    title: str
    table: str
    make: Callable[[Findings], list[Panel]]


KINDS = (
    _Kind("left-out", "What was left out", "left_out", charts_parts.left_out),
    _Kind("heatmap", "Alignment: r by dimension and mode", "alignment", charts_tiles.heatmap),
    _Kind("forest", "Alignment with intervals", "alignment", charts_intervals.alignment),
    _Kind("scatter", "Shares against Hofstede's scores", "countries", charts_scatter.scatter),
    _Kind("map", "Countries", "countries", charts_tiles.tile_map),
    _Kind("contrasts", "Modes compared", "contrasts", charts_intervals.contrasts),
    _Kind("models", "Models compared", "models", charts_intervals.models),
    _Kind("resource-share", "Shares by resource level", "resource", partial(charts_intervals.resource, figure="share")),
    _Kind("resource-r", "Alignment by resource level", "resource", partial(charts_intervals.resource, figure="r")),
    _Kind("language", "Language of the replies", "language", charts_parts.language),
    _Kind("classes", "Classes of reasoning", "culture", charts_parts.classes),
    _Kind("flagged", "Stereotyped and hallucinated replies", "culture", charts_intervals.flagged),
    _Kind("kinds", "Flags by kind", "culture_kinds", charts_intervals.kinds),
    _Kind("density", "Densities by class of score (replication)", "countries", charts_scatter.density),
)


def draw(findings: Findings, folder: Path, formats: Sequence[str] = ("svg", "pdf", "png")) -> list[Figure]:
    """Draws every figure that the tables have rows for, and writes `folder/<name>.<format>`.

    Raises AuditError for a format that is not one of FORMATS, MissingExtra where Altair or vl-convert is not installed.
    """
    for name in formats:
        if name not in FORMATS:
            raise AuditError(f"figures cannot be written as {name!r}: choose from {', '.join(FORMATS)}")
    try:
        import altair as alt
        import vl_convert  # noqa: F401
    except ImportError:
        raise MissingExtra("drawing figures", "report") from None
    folder.mkdir(parents=True, exist_ok=True)
    with alt.data_transformers.enable("default", max_rows=None):
        return [made for kind in KINDS if (made := _draw(kind, findings, folder, formats))]


def _draw(kind: _Kind, findings: Findings, folder: Path, formats: Sequence[str]) -> Figure | None:
    import vl_convert

    panels = kind.make(findings)
    if not panels:
        return None
    config = charts_base.config()
    specs = [panel.chart.to_dict(validate=False) for panel in panels]  # tests validate; it takes half the time
    drawings = []
    for number, (panel, spec) in enumerate(zip(panels, specs, strict=True)):
        svg = vl_convert.vegalite_to_svg({**spec, "config": config})
        drawings.append(_drawing(panel, svg, f"{kind.name}-{number}-"))
    said = f"{kind.title}. {len(drawings)} {'panel' if len(drawings) == 1 else 'panels'}. {drawings[0].alt}"
    spec = {
        "$schema": specs[0]["$schema"],
        "config": config,
        "columns": _columns(len(drawings)),
        "concat": [_bare(s) for s in specs],
    }
    files = {name: folder / f"{kind.name}.{name}" for name in formats}
    _write(files, compose(drawings), spec)
    return Figure(kind.name, kind.title, said, kind.table, spec, tuple(drawings), files)


def _bare(spec: dict[str, Any]) -> dict[str, Any]:
    """A panel inside a larger specification: data stays inline, schema and configuration stand outside."""
    sets = spec.get("datasets", {})

    def inline(part: Any) -> Any:
        if isinstance(part, dict):
            if set(part) == {"name"} and part["name"] in sets:
                return {"values": sets[part["name"]]}
            return {key: inline(value) for key, value in part.items() if key not in ("$schema", "config", "datasets")}
        return [inline(value) for value in part] if isinstance(part, list) else part

    bare: dict[str, Any] = inline(spec)
    return bare


def _drawing(panel: Panel, svg: str, prefix: str) -> Drawing:
    """Ids get a prefix, because many drawings share one page; the whole is one image with a description."""
    from xml.sax.saxutils import quoteattr

    size = _SIZE.search(svg)
    if size is None:
        raise AssertionError("vl-convert gave an SVG without a size")
    svg = _NAMED.sub(lambda found: f"{found[1]}{prefix}{found[2]}", svg)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label={quoteattr(panel.alt)} ', 1)
    return Drawing(panel.group, panel.alt, svg, float(size[1]), float(size[2]))


def _columns(count: int) -> int:
    """Panels side by side in a file: up to five, with as few gaps in the last row as can be."""
    return count if count < 5 else min((5, 4, 3), key=lambda n: -count % n)


def compose(drawings: Iterable[Drawing]) -> str:
    """All drawings in one SVG, row by row on white, each row as tall as its tallest."""
    pieces = list(drawings)
    columns = _columns(len(pieces))
    parts, top, wide = [], float(GAP), 0.0
    for start in range(0, len(pieces), columns):
        left = float(GAP)
        row = pieces[start : start + columns]
        for piece in row:
            parts.append(piece.svg.replace("<svg ", f'<svg x="{left:g}" y="{top:g}" ', 1))
            left += piece.width + GAP
        top += max(piece.height for piece in row) + GAP
        wide = max(wide, left)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{top:g}" viewBox="0 0 {wide:g} {top:g}">'
    return f'{head}<rect width="{wide:g}" height="{top:g}" fill="#ffffff"/>{"".join(parts)}</svg>'


def _write(files: dict[str, Path], svg: str, spec: dict[str, Any]) -> None:
    import vl_convert

    size = _SIZE.search(svg)
    width = float(size[1]) if size else WIDEST

    for name, path in files.items():
        if name == "svg":
            path.write_text(svg, encoding="utf-8")
        elif name == "pdf":
            path.write_bytes(vl_convert.svg_to_pdf(svg))
        elif name == "png":
            path.write_bytes(vl_convert.svg_to_png(svg, scale=min(PIXELS, WIDEST / width)))
        else:
            path.write_text(json.dumps(spec, ensure_ascii=False, allow_nan=False), encoding="utf-8")
