"""Tables for a paper, in LaTeX with booktabs: models and modes down, dimensions across, as readers of the source paper know them.

Only the primary judge's readings are shown. Nothing is computed here but sums of counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from auditkit.report.findings import Findings

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
_SPECIAL = re.compile("|".join(map(re.escape, _ESCAPES)))
_NONE = "--"
_OUTCOMES = ("both", "neither", "refused", "unclear", "cut_off", "parse_failed", "degenerate", "blocked")


def escape(text: str) -> str:
    r"""Text as LaTeX prints it.

    >>> escape("a_b & 5 %")
    'a\\_b \\& 5 \\%'
    """
    return _SPECIAL.sub(lambda match: _ESCAPES[match.group()], text)


def number(value: Any, digits: int = 2) -> str:
    """A figure with a real minus sign, `--` where there is none.

    >>> number(-0.126), number(float("nan"))
    ('$-$0.13', '--')
    """
    if value is None or not math.isfinite(value):
        return _NONE
    text = f"{value:.{digits}f}"
    text = f"{0:.{digits}f}" if float(text) == 0 else text
    return text.replace("-", "$-$")


def p_value(value: Any) -> str:
    """A p value to three decimals, without claiming to know it below .001."""
    if value is None or not math.isfinite(value):
        return _NONE
    return r"$<$.001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def write(findings: Findings, folder: Path) -> list[Path]:
    """`alignment.tex`, `preference.tex`, `classification.tex`, `left_out.tex` (and `replication.tex`) in a folder that is there.

    A document that inputs one needs the package booktabs. A table without rows is not written.
    """
    level = f"{100 * findings.confidence:g}\\,\\%"
    star = "* Holm-adjusted p below .05."
    no_r = f"{_NONE}: no $r$ is given, because the validity gate is closed or it is not defined."
    wanted: list[tuple[str, Callable[[pd.Series], list[str]], str]] = [
        ("alignment", _alignment, f"Correlation of the share of the first pole with the country scores, {level} intervals; n is countries. {star} {no_r}"),
        ("preference", _preference, f"Share of the first pole over all countries, {level} intervals over dilemmas and countries."),
        ("classification", _classification, "Countries with a score above 50 told from the others: area under the ROC curve and its permutation p."),
        ("replication", _replication, "Computed as by Kharchenko et al.: $r$ of Table 2, and best in-sample accuracy of Table 3 with the mean of its permutation null. Not evidence."),
    ]  # fmt: skip
    paths = []
    for name, cell, caption in wanted:
        table = _of_primary(findings, name)
        if len(table):
            paths.append(_save(folder / f"{name}.tex", _by_dimension(findings, table, cell), caption, name))
    counts = _of_primary(findings, "left_out")
    if len(counts):
        caption = "Where every cell stands. Shares of the answers; a truncated answer is judged all the same."
        paths.append(_save(folder / "left_out.tex", _left_out(counts), caption, "left-out"))
    return paths


def _of_primary(findings: Findings, name: str) -> pd.DataFrame:
    table = findings.tables[name]
    return table[table["judge"] == findings.primary_judge] if len(table) else table


def _alignment(row: pd.Series) -> list[str]:
    star = "*" if math.isfinite(row["p_holm"]) and row["p_holm"] < 0.05 else ""
    return [number(row["r"]) + star, _interval(row["r_low"], row["r_high"])]


def _preference(row: pd.Series) -> list[str]:
    return [number(row["share"]), _interval(row["low"], row["high"])]


def _classification(row: pd.Series) -> list[str]:
    return [number(row["auc"]), f"({p_value(row['auc_p'])})"]


def _replication(row: pd.Series) -> list[str]:
    accuracy = number(row["table3_accuracy"])
    return [number(row["table2_r"], 4), f"{accuracy} ({number(row['table3_null_mean'])})"]


def _interval(low: Any, high: Any) -> str:
    return "" if number(low) == _NONE else f"[{number(low)}, {number(high)}]"


def _by_dimension(findings: Findings, table: pd.DataFrame, cell: Callable[[pd.Series], list[str]]) -> list[str]:
    """A tabular with two lines a model and mode: the figure, and below it what says how sure it is."""
    dimensions = [d for d in findings.dimensions if d in set(table["dimension"])]
    titles = [escape(str(findings.dimensions[d].get("title", d))) for d in dimensions]
    lines = [
        r"\begin{tabular}{ll" + "r" * len(dimensions) + "}",
        r"\toprule",
        _row(["Model", "Mode", *titles]),
        r"\midrule",
    ]
    cells = {(row["model"], row["mode"], row["dimension"]): cell(row) for _, row in table.iterrows()}
    before = ""
    for model, mode in dict.fromkeys((m, mode) for m, mode, _ in cells):
        here = [cells.get((model, mode, d), [_NONE, ""]) for d in dimensions]
        if before and model != before:
            lines.append(r"\addlinespace")
        lines.append(_row([escape(model) if model != before else "", escape(mode), *(first for first, _ in here)]))
        lines.append(_row(["", "", *(second for _, second in here)]))
        before = model
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _left_out(counts: pd.DataFrame) -> list[str]:
    columns = [name for name in _OUTCOMES if counts[name].sum()]
    heads = [
        "Model",
        "Mode",
        "asked",
        "answered",
        "truncated",
        "usable",
        *(escape(name.replace("_", " ")) for name in columns),
    ]
    lines = [r"\begin{tabular}{ll" + "r" * (len(heads) - 2) + "}", r"\toprule", _row(heads), r"\midrule"]
    for (model, mode), rows in counts.groupby(["model", "mode"], sort=False):
        answered = int(rows["answered"].sum())
        shares = [_percent(int(rows[name].sum()), answered) for name in ("truncated", "usable", *columns)]
        lines.append(_row([escape(model), escape(mode), f"{int(rows['asked'].sum()):,}", f"{answered:,}", *shares]))
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _percent(n: int, of: int) -> str:
    return f"{100 * n / of:.1f}\\,\\%" if of else _NONE


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _save(path: Path, tabular: Sequence[str], caption: str, label: str) -> Path:
    lines = [
        "% made by auditkit report; needs \\usepackage{booktabs}",
        r"\begin{table}[t]",
        r"\centering\small",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:auditkit-{label}}}",
        *tabular,
        r"\end{table}",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
