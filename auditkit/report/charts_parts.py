"""Parts of a whole, stacked: what became of every question, the language of replies, classes of reasoning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from auditkit.report import charts_base as base
from auditkit.report.charts_base import BLUE, GREEN, GREY, INK, ORANGE, PALE, PURPLE, SKY, VERMILION, WIDTH, Panel
from auditkit.report.charts_intervals import LABEL, wrapped

if TYPE_CHECKING:
    from auditkit.report.findings import Findings

OUTCOMES = {  # every question ends in one of these; the states of the table `left_out` that each holds
    "first": ("first pole", BLUE, ("first",)),
    "second": ("second pole", SKY, ("second",)),
    "both": ("both or neither", GREEN, ("both", "neither")),
    "unclear": ("unclear", ORANGE, ("unclear",)),
    "refused": ("refused or blocked", VERMILION, ("refused", "blocked")),
    "degenerate": ("cut off or degenerate", PURPLE, ("cut_off", "degenerate")),
    "parse_failed": ("judge unreadable", INK, ("parse_failed",)),
    "not_judged": ("not judged", GREY, ("not_judged",)),
    "not_answered": ("not answered", PALE, ("not_answered",)),
}
LANGUAGES = {
    "in_english": ("English instead", VERMILION),
    "in_other": ("another language", PURPLE),
    "unsure": ("unsure", PALE),
    "in_language": ("language of the question", BLUE),
}
CLASSES = {
    "none": ("no culture", PALE),
    "persona_only": ("persona only", SKY),
    "cultural_reasoning": ("cultural reasoning", BLUE),
}


def stacked(
    rows: Iterable[Mapping[str, Any]], parts: Mapping[str, tuple[str, str]], axis: str, line_height: int = 24
) -> Any:
    """Bars of length one, a line each. A row has `line`, `part` (a key of `parts`), `value` (its share) and `said`.

    Parts always stand in the order of the legend, with a line between them, and hover names them.
    """
    import altair as alt
    import pandas as pd

    table = pd.DataFrame(
        [{**row, "name": parts[row["part"]][0], "place": list(parts).index(row["part"])} for row in rows]
    )
    shown = [parts[key] for key in parts if key in set(table["part"])]
    lines = list(dict.fromkeys(table["line"]))
    beside = base.legend_columns(name for name, _ in shown)
    chart = (
        alt.Chart(table)
        .mark_bar(stroke=base.PAPER, strokeWidth=0.6)
        .encode(
            x=alt.X("value:Q", title=axis, stack="zero", scale=alt.Scale(domain=[0, 1], nice=False), axis=alt.Axis(format="%", tickCount=5)),
            y=alt.Y("line:N", sort=lines, title=None, axis=alt.Axis(
                labelExpr=LABEL, labelColor=INK, ticks=False, domain=False, labelPadding=6, labelOverlap=False,
            ), scale=alt.Scale(paddingInner=0.2, paddingOuter=0.1)),
            color=alt.Color("name:N", scale=alt.Scale(domain=[n for n, _ in shown], range=[c for _, c in shown]),
                            legend=alt.Legend(title=None, columns=beside, symbolType="square", symbolStrokeWidth=0)),
            order=alt.Order("place:Q"), description=alt.Description("said:N"),
        )
    )  # fmt: skip
    height = len(lines) * line_height + 116 + 17 * -(-len(shown) // beside)
    return chart.properties(width=WIDTH, height=height)


def left_out(findings: Findings) -> list[Panel]:
    """Where every question ended: usable for a pole, or why not. A panel a model and mode, a bar a dimension."""
    rows = base.primary(findings, "left_out")
    rows = rows[rows["asked"].fillna(0) > 0]
    names = base.short_names(rows["model"])
    out = []
    for (model, mode), part in base.cells(rows, "model", "mode"):
        bars = []
        for row in part.to_dict("records"):
            for key, (words, _, states) in OUTCOMES.items():
                count = sum(int(row[state]) for state in states if not base.missing(row[state]))
                said = f"{base.label(row['dimension'])}: {words}, {count} of {row['asked']} asked"
                if count:
                    line = wrapped(base.label(row["dimension"]))
                    bars.append({"line": line, "part": key, "value": count / row["asked"], "said": said})
        asked, usable = int(part["asked"].sum()), int(part["usable"].fillna(0).sum())
        text = f"{model}, {mode}: {usable} of {asked} questions have an answer that takes a side; the rest by reason."
        chart = stacked(
            bars, {key: (words, color) for key, (words, color, _) in OUTCOMES.items()}, "share of questions asked"
        )
        out.append(
            Panel("", text, chart.properties(title=base.heading(names[model], mode, f"{usable:,} of {asked:,} usable")))
        )
    return out


def language(findings: Findings) -> list[Panel]:
    """The language of replies by language of the question, the worst mismatch on top; modes that have one language only are left out."""
    rows = findings.tables["language"]
    rows = rows[(rows["n"].fillna(0) > 0)]
    names = base.short_names(rows["model"])
    out = []
    for (model, mode), part in base.cells(rows, "model", "mode"):
        if part["lang"].nunique() < 2:
            continue
        ordered = part.sort_values(["mismatch", "language"], ascending=[False, True])
        bars = [
            {
                "line": row["language"].replace("|", "/"), "part": key, "value": row[key] / row["n"],
                "said": f"{row['language']}: {words}, {row[key]} of {row['n']} replies; mismatch {base.number(row['mismatch'])} "
                        f"{base.limits(row['low'], row['high'])}",
            }
            for row in ordered.to_dict("records")
            for key, (words, _) in LANGUAGES.items()
            if not base.missing(row[key]) and row[key]
        ]  # fmt: skip
        worst = ordered.iloc[0]
        text = f"{model}, {mode}: language of the replies for {len(ordered)} languages; most mismatch in {worst['language']} ({base.number(worst['mismatch'])})."
        chart = stacked(bars, LANGUAGES, "share of replies", 16)
        out.append(Panel("", text, chart.properties(title=base.heading(names[model], mode))))
    return out


def classes(findings: Findings) -> list[Panel]:
    """Classes of reasoning over all countries, a panel a model and judge, a bar a mode."""
    rows = findings.tables["culture"]
    rows = rows[(rows["iso3"] == "") & rows["none"].notna()]
    names = base.short_names(rows["model"])
    out = []
    for (model, judge), part in base.cells(rows, "model", "judge"):
        bars = [
            {
                "line": row["mode"], "part": key, "value": row[key],
                "said": f"{row['mode']}: {words}, {base.number(row[key])} of {row['n']} replies",
            }
            for row in part.to_dict("records")
            for key, (words, _) in CLASSES.items()
            if not base.missing(row[key]) and row[key]
        ]  # fmt: skip
        if not bars:
            continue
        text = f"{model}, read by {judge}: share of replies with no trace of culture, a persona only, and cultural reasoning."
        chart = stacked(bars, CLASSES, "share of replies")
        out.append(Panel("", text, chart.properties(title=base.heading(names[model], judge))))
    return out
