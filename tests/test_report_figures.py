from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import yaml

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

import report_fixture

from auditkit.data import data_dir
from auditkit.errors import AuditError
from auditkit.report import charts_base, charts_intervals, charts_parts, charts_scatter, charts_tiles, figures

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def found():
    return report_fixture.made_up(dimensions=1)


@pytest.fixture(scope="module")
def drawn(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return {figure.name: figure for figure in figures.draw(found, folder, figures.FORMATS)}


def test_every_kind_is_drawn_and_written_in_every_format(drawn):
    """Each figure is there as SVG, PDF, PNG and Vega-Lite, with alternative text on every panel."""
    assert list(drawn) == [kind.name for kind in figures.KINDS]
    for figure in drawn.values():
        assert set(figure.files) == set(figures.FORMATS)
        ET.parse(figure.files["svg"])
        assert figure.files["pdf"].read_bytes()[:5] == b"%PDF-"
        assert figure.files["png"].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert json.loads(figure.files["vl.json"].read_text(encoding="utf-8")) == figure.spec
        for panel in figure.panels:
            root = ET.fromstring(panel.svg)
            assert root.get("role") == "img"
            assert root.get("aria-label") == panel.alt
            assert len(panel.alt) > 30


@pytest.mark.parametrize("kind", figures.KINDS, ids=lambda kind: kind.name)
def test_charts_are_valid_vega_lite(kind, found):
    """Altair's schema accepts every panel; drawing skips that check for speed."""
    panels = kind.make(found)
    assert panels
    for panel in panels:
        panel.chart.to_dict(validate=True)


def test_no_id_is_used_twice(drawn):
    """Clip paths and gradients of different panels have different ids, for all stand on one page."""
    ids = [
        element.get("id")
        for figure in drawn.values()
        for panel in figure.panels
        for element in ET.fromstring(panel.svg).iter()
        if element.get("id")
    ]
    assert ids
    assert len(ids) == len(set(ids))


def test_panels_are_no_wider_than_a_phone_and_hold_no_small_text(drawn):
    """A panel fits 390 pixels with margins, and its smallest letters are 10 pixels."""
    for figure in drawn.values():
        for panel in figure.panels:
            assert panel.width <= charts_base.WIDTH + 20, figure.name
            sizes = [float(t.get("font-size").removesuffix("px")) for t in ET.fromstring(panel.svg).iter(f"{SVG}text")]
            assert min(sizes) >= 10, figure.name


def test_titles_are_not_cut_off(drawn):
    """Every panel leaves room above for its title: no text begins above the upper edge."""
    for figure in drawn.values():
        for panel in figure.panels:
            title = next(g for g in ET.fromstring(panel.svg).iter(f"{SVG}g") if "role-title" in (g.get("class") or ""))
            shift = next(g.get("transform") for g in title.iter(f"{SVG}g") if g.get("transform"))
            outer = ET.fromstring(panel.svg).find(f"{SVG}g").get("transform")
            top = sum(float(t.split(",")[1].rstrip(")")) for t in (shift, outer))
            assert top >= 0, (figure.name, panel.alt)


def test_scatter_says_n_and_interval_of_each_country(drawn, found):
    """Hover text of every dot holds the share, its interval and n as in the table; the title holds r and its interval."""
    table = found.tables["countries"]
    cells = table.groupby(["model", "mode", "dimension"], sort=False)
    for (_, rows), panel in zip(cells, drawn["scatter"].panels, strict=True):
        said = {
            e.get("aria-label") for e in ET.fromstring(panel.svg).iter() if e.get("aria-roledescription") == "circle"
        }
        assert said == {
            f"{r.country} ({r.iso3}): score {r.score:g}, share {r.share:.2f} [{r.low:.2f}, {r.high:.2f}], n = {r.usable} of {r.asked}"
            for r in rows.itertuples()
        }
        r = np.corrcoef(rows["score"], rows["share"])[0, 1]
        assert f"r = {charts_base.number(r)} [" in panel.svg
        codes = [e.text for e in ET.fromstring(panel.svg).iter(f"{SVG}text") if e.text in set(rows["iso3"])]
        assert sorted(codes) == sorted(rows["iso3"])


def test_line_and_band_are_those_of_least_squares():
    """The line is numpy's, the band at the mean is t times the residual error over root n, and it widens outwards."""
    from scipy.stats import t

    rng = np.random.default_rng(3)
    x = rng.uniform(0, 100, 20)
    y = 0.3 + 0.004 * x + rng.normal(0, 0.05, 20)
    at = np.array([x.mean() - 40, x.mean(), x.mean() + 40])
    line, low, high = charts_scatter.fit_line(x, y, 0.95, at)
    slope, intercept = np.polyfit(x, y, 1)
    assert line == pytest.approx(intercept + slope * at)
    error = np.sqrt(((y - intercept - slope * x) ** 2).sum() / 18)
    assert high[1] - line[1] == pytest.approx(t.ppf(0.975, 18) * error / np.sqrt(20))
    assert high[0] - low[0] == pytest.approx(high[2] - low[2])
    assert high[0] - low[0] > high[1] - low[1]


def test_codes_do_not_cover_each_other_where_there_is_room():
    """Labels of points at a distance keep apart, also where points are close neighbours."""
    points = np.array([[50.0, 50.0], [52.0, 50.0], [54.0, 51.0], [150.0, 100.0], [150.0, 103.0]])
    spots = charts_scatter.place_labels(points)
    for i in range(len(spots)):
        for j in range(i):
            assert abs(spots[i, 0] - spots[j, 0]) >= 21 or abs(spots[i, 1] - spots[j, 1]) >= 9


def test_cells_without_r_are_hatched_and_say_why():
    """A closed gate leaves a tile without a figure; its hover text is the reason, and no line is drawn in its scatter plot."""
    full = report_fixture.made_up(dimensions=4)
    gated = full.tables["alignment"].query("gate != ''")
    assert len(gated) == 1
    panel = charts_tiles.heatmap(full)[1]
    assert "1 of them not estimable" in panel.alt
    tiles = [charts_tiles._tile(row) for row in gated.itertuples()]
    assert tiles[0]["r"] is None
    assert gated["gate"].iloc[0] in tiles[0]["said"]
    scatter = [p for p in charts_scatter.scatter(full) if gated["gate"].iloc[0] in p.alt]
    assert len(scatter) == 1
    assert "line" not in [layer["mark"]["type"] for layer in scatter[0].chart.to_dict()["layer"]]


def test_holm_fills_the_marks(found):
    """In the forest a mark is hollow exactly where Holm's p is not below .05."""
    rows = found.tables["alignment"]
    for panel, (_, part) in zip(charts_intervals.alignment(found), rows.groupby("model", sort=False), strict=True):
        spec = panel.chart.to_dict()
        data = max(spec["datasets"].values(), key=len)
        assert [row["hollow"] for row in data] == list(part["p_holm"] >= 0.05)


def test_parts_of_a_bar_add_up_to_one(found):
    """Every question asked is in one part of its bar; every reply has one language."""
    for panel in [*charts_parts.left_out(found), *charts_parts.language(found)]:
        (data,) = panel.chart.to_dict()["datasets"].values()
        sums: dict[str, float] = {}
        for row in data:
            sums[row["line"]] = sums.get(row["line"], 0) + row["value"]
        assert list(sums.values()) == pytest.approx([1.0] * len(sums))


def test_every_country_has_a_tile_of_its_own():
    """The countries that ship have places in the layout, none twice; strangers get free tiles below."""
    text = (data_dir("personas") / "countries.yaml").read_text(encoding="utf-8")
    ours = list(yaml.safe_load(text)["countries"])
    assert set(ours) == set(charts_tiles.PLACES)
    strangers = [f"X{a}{b}" for a in "ABCD" for b in "ABCDEF"]
    tiles = charts_tiles.tiles_of(ours + strangers)
    assert len(set(tiles.values())) == len(tiles) == len(ours) + len(strangers)
    assert all(row > charts_tiles.DEPTH for code, (_, row) in tiles.items() if code in strangers)


def test_nothing_to_draw_draws_nothing(tmp_path):
    """Empty tables give no figure and no error."""
    assert figures.draw(report_fixture.empty_findings(), tmp_path) == []


def test_one_country_and_equal_scores_are_drawn_without_a_line(tmp_path):
    """With one country there are dots, tiles and bars, and neither line nor curve."""
    alone = report_fixture.made_up(dimensions=1, countries=1)
    drawn = {figure.name: figure for figure in figures.draw(alone, tmp_path, ["svg"])}
    assert "heatmap" in drawn
    assert "too few countries for a curve" in drawn["density"].panels[0].svg
    assert not any("NaN" in panel.svg or "null" in panel.svg for figure in drawn.values() for panel in figure.panels)


def test_estimates_without_limits_are_drawn(tmp_path):
    """Where limits, p or a ceiling are missing the estimate is drawn alone: no figure fails, and none says NaN."""
    whole = report_fixture.made_up(dimensions=1, countries=6)
    bare = {
        name: table.assign(**{c: np.nan for c in table if c.endswith(("low", "high", "p_holm", "ceiling", "p"))})
        for name, table in whole.tables.items()
    }
    drawn = figures.draw(report_fixture.findings(bare, []), tmp_path, ["svg"])
    assert {"forest", "contrasts", "resource-share", "kinds", "flagged", "scatter"} <= {figure.name for figure in drawn}
    assert not any(word in panel.svg for figure in drawn for panel in figure.panels for word in ("NaN", "null", "nan"))


def test_unknown_formats_are_refused(tmp_path):
    """A format that figures do not have is named, with those that they have."""
    with pytest.raises(AuditError, match=r"gif.*svg, pdf, png"):
        figures.draw(report_fixture.empty_findings(), tmp_path, ["gif"])


def test_model_names_stay_different_when_shortened():
    """Short names drop the provider, are cut in the middle, and never make two models one."""
    names = ["a/llama-3", "b/llama-3", "c/mistral", "x/" + "long" * 12 + "1", "x/" + "long" * 12 + "2"]
    short = charts_base.short_names(names)
    assert short["c/mistral"] == "mistral"
    assert short["a/llama-3"] == "a/llama-3"
    assert len(set(short.values())) == len(names)


def test_numbers_are_written_as_people_read_them():
    """A true minus, no minus before zero, nothing for a missing value, p without false precision."""
    assert [charts_base.number(v) for v in (-0.214, -0.001, float("nan"), None)] == ["−0.21", "0.00", "", ""]
    assert charts_base.limits(0.1, None) == ""
    assert [charts_base.p_value(p) for p in (0.00002, 0.0341, 1.0)] == ["p < 0.001", "p = 0.034", "p = 1"]
    assert charts_base.label("power_distance") == "Power distance"
    assert charts_base.label("mas") == "MAS"


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_stand_out(mode):
    """Writing has a contrast of 4.5 and marks of lines and points one of 3 against the ground, in both modes (WCAG 2.2)."""
    turn = (lambda c: c) if mode == "light" else charts_base.DARK.get
    ground = turn(charts_base.PAPER)
    assert min(contrast(turn(c), ground) for c in (charts_base.INK, charts_base.MUTED)) >= 4.5
    marks = {colour for table in (charts_base.MODES, charts_base.LEVELS) for colour, _ in table.values()}
    assert min(contrast(turn(c), ground) for c in marks) >= 3


def test_writing_on_tiles_stands_out():
    """Whatever its r, a tile's figures have a contrast of 4 or more."""
    steps = np.linspace(-1, 1, len(charts_tiles.DIVERGING))
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in charts_tiles.DIVERGING])
    for r in np.linspace(-1, 1, 81):
        tile = "#" + "".join(f"{round(np.interp(r, steps, rgb[:, i])):02x}" for i in range(3))
        ink = charts_tiles.TILE_LIGHT if r > 0.72 or r < -0.9 else charts_tiles.TILE_DARK
        assert contrast(ink, tile) >= 4, r
