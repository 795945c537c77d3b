"""Draws docs/img/coverage.svg from docs/coverage.csv, which `benchmarks/coverage.py --to docs/coverage.csv` writes."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import pandas as pd

HERE = Path(__file__).parent
SOURCE, TARGET = HERE / "coverage.csv", HERE / "img" / "coverage.svg"
# Okabe and Ito's colours, which people of all colour vision tell apart; shapes say the same once more
METHODS = {
    "two-way": ("two-way (default)", "#0072B2", "circle"),
    "pigeonhole": ("pigeonhole", "#009E73", "triangle-up"),
    "fisher": ("Fisher, prompts fixed", "#E69F00", "square"),
    "countries": ("countries resampled", "#CC79A7", "diamond"),
    "rows": ("rows as units", "#D55E00", "cross"),
}
TESTS = {
    "two-way, .05": ("two-way, p < .05", "#0072B2", "circle"),
    "permutation, .05": ("permutation (these prompts), p < .05", "#56B4E9", "triangle-up"),
    "rows, .05": ("rows as units, p < .05", "#D55E00", "cross"),
    "rows, .001": ("rows as units, p < .001", "#7F3B00", "triangle-down"),
}


def panel(
    data: pd.DataFrame, names: dict[str, tuple[str, str, str]], domain: tuple[float, float], band: tuple[float, float], *,
    width: int, title: str, labels: bool,
) -> alt.LayerChart:  # fmt: skip
    """One dot a scenario and method, two Monte Carlo standard errors to each side, over the band that is asked for."""
    shown = data[data["method"].isin(names)].copy()
    shown["name"] = shown["method"].map({key: name for key, (name, _, _) in names.items()})
    shown["low"] = (shown["value"] - 2 * shown["mc_error"]).clip(*domain)
    shown["high"] = (shown["value"] + 2 * shown["mc_error"]).clip(*domain)
    order = list(data["scenario"].drop_duplicates())
    scale = alt.Scale(domain=list(domain), nice=False)
    used = [value for key, value in names.items() if key in set(shown["method"])]
    y = alt.Y("scenario:N", sort=order, title=None, axis=alt.Axis(labels=labels, ticks=labels, labelLimit=260))
    colour = alt.Color("name:N", title=None, scale=alt.Scale(domain=[u[0] for u in used], range=[u[1] for u in used]))
    shape = alt.Shape("name:N", title=None, scale=alt.Scale(domain=[u[0] for u in used], range=[u[2] for u in used]))
    x = alt.X("value:Q", scale=scale, title=title, axis=alt.Axis(format=".2f", tickCount=6))
    back = alt.Chart(pd.DataFrame({"low": [band[0]], "high": [band[1]]})).mark_rect(color="#9E9E9E", opacity=0.25)
    rules = (
        alt.Chart(shown)
        .mark_rule(strokeWidth=1.5)
        .encode(x=alt.X("low:Q", scale=scale), x2="high:Q", y=y, color=colour)
    )
    dots = alt.Chart(shown).mark_point(filled=True, size=55, opacity=1).encode(x=x, y=y, color=colour, shape=shape)
    layers = back.encode(x=alt.X("low:Q", scale=scale), x2="high:Q") + rules + dots
    return layers.properties(width=width, height=alt.Step(20))


def main() -> None:
    """Coverage of the intervals of r in every scenario, and what tests find where there is nothing to find."""
    data = pd.read_csv(SOURCE)
    runs = int(data["runs"].min())
    coverage, found = data[data["kind"] == "coverage"], data[data["kind"] == "found"]
    inner = {key: value for key, value in METHODS.items() if key != "rows"}
    lowest = min(0.7, float(coverage[coverage["method"].isin(inner)]["value"].min()) - 0.02)
    upper = alt.hconcat(
        panel(
            coverage,
            inner,
            (lowest, 1.0),
            (0.93, 0.97),
            width=430,
            title="coverage of 95 % intervals, band .93 to .97",
            labels=True,
        ),
        panel(
            coverage,
            {"rows": METHODS["rows"]},
            (0.0, 0.5),
            (0.5, 0.5),
            width=150,
            title="the same, rows as units",
            labels=False,
        ),
        spacing=14,
    ).resolve_scale(color="independent", shape="independent")
    lower = panel(
        found,
        TESTS,
        (0.0, 1.0),
        (0.03, 0.07),
        width=594,
        title="share of tests that find something, band .03 to .07",
        labels=True,
    )
    chart = (
        alt.vconcat(
            upper.properties(title="Do intervals of r hold the truth?"),
            lower.properties(title="Where there is nothing to find"),
            spacing=28,
        )
        .resolve_scale(color="independent", shape="independent")
        .properties(
            title=alt.Title(
                f"{runs:,} simulated audits a scenario; bars are two Monte Carlo standard errors",
                fontWeight="normal",
                anchor="start",
            )
        )
        .configure(background="white", padding=14, font="sans-serif")
        .configure_view(stroke="#CCCCCC")
        .configure_axis(grid=True, gridColor="#EEEEEE", labelFontSize=11, titleFontSize=11)
        .configure_legend(orient="bottom", labelFontSize=11, labelLimit=300, columns=4)
        .configure_title(anchor="start", fontSize=13)
    )
    TARGET.parent.mkdir(exist_ok=True)
    chart.save(str(TARGET))


if __name__ == "__main__":
    main()
