"""Tables as the page shows them: estimate and interval in one cell, numbers as text beside the exact value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditkit.report.charts_base import label, limits, missing, number
from auditkit.report.columns import TABLES

if TYPE_CHECKING:
    import pandas as pd

ROWS = 400  # shown on the page; the CSV file holds all
WITH_BARE_LIMITS = ("share", "difference", "agreement", "mismatch", "beta")  # whose limits are columns `low` and `high`
KEYS = ("dimension", "kind", "family")
HEADS = {
    "n_countries": "countries", "n_items": "dilemmas", "n_replies": "replies", "n_with": "with it", "n_verdicts": "verdicts",
    "n_high": "above 50", "n_low": "50 or below", "p_holm": "Holm p", "q_bh": "BH q", "rho": "Spearman's ρ",
    "p_permutation": "p, permutation", "p_region": "p, within regions", "alpha": "reliability α", "ceiling": "noise ceiling",
    "r_true": "r / √α", "q_stat": "Cochran's Q", "q_p": "p of Q", "gate": "validity gate", "iso3": "code", "f_p": "p of F",
    "f_p_adjusted": "p of F, score out", "r_chi2_p": "p, r differ", "auc": "AUC", "auc_p": "p of AUC", "p_mid": "mid-p",
    "threshold_accuracy": "best threshold", "null_mean": "chance alone, mean", "null_95": "chance alone, 95th percentile",
    "threshold_p": "p of threshold", "ac1": "Gwet's AC1", "kappa": "Cohen's κ", "alpha_k": "Krippendorff's α", "fdr": "FDR",
    "pole_first": "first pole", "pole_second": "second pole", "worst": "worst cases", "se": "s.e.", "df": "df",
    "table2_r": "Table 2: r", "table2_rho": "Table 2: ρ", "table3_accuracy": "Table 3: accuracy",
    "table3_null_mean": "Table 3: chance, mean", "table3_null_95": "Table 3: chance, 95th percentile", "table3_p": "Table 3: p",
    "detectable_r": "detectable r", "rate_r": "r of unusable share with score", "rate_p": "its p", "lang": "code",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """Text of a cell; `value` (and `low`, `high`) as in the CSV, for sorting and for machines that read the page."""

    text: str
    value: str = ""
    low: str = ""
    high: str = ""


@dataclass(frozen=True)
class Column:
    """`names`: the columns of the table behind it, in the order estimate, low, high; the estimate is '' for a bare interval."""

    names: tuple[str, str, str]
    head: str
    numeric: bool


@dataclass(frozen=True)
class TableView:
    """A table for the page. `total`: rows there are, of which `rows` holds the first ROWS."""

    name: str
    about: str
    columns: list[Column]
    rows: list[list[Cell]]
    total: int


def view(name: str, frame: pd.DataFrame, columns: tuple[str, ...] = (), about: str = "") -> TableView:
    """The table `name`, or only `columns` of it. Columns without a single value are left to the CSV file.

    One judge for all rows is named above the table instead of in each row.
    """
    wanted = [c for c in frame.columns if not columns or c in columns]
    kept = [c for c in wanted if any(not missing(v) and v != "" for v in frame[c])]
    about = about or TABLES[name].about
    if "judge" in kept and name != "judges" and frame["judge"].nunique() == 1:
        kept.remove("judge")
        about += f" Judge: {frame['judge'].iloc[0]}."
    shown = _columns(kept, frame)
    rows = [[_cell(column, row) for column in shown] for row in frame.head(ROWS).to_dict("records")]
    return TableView(name, about, shown, rows, len(frame))


def _columns(names: list[str], frame: pd.DataFrame) -> list[Column]:
    used: set[str] = set()
    counts = ("n_high", "n_low")  # of countries, no interval
    out = []
    for name in names:
        if name in used:
            continue
        ends = (f"{name}_low", f"{name}_high")
        if name in WITH_BARE_LIMITS and "low" in names and "low" not in used and f"{name}_low" not in names:
            ends = ("low", "high")
        stem = name.removesuffix("_low")
        if ends[0] in names and ends[1] in names:
            used |= set(ends)
            out.append(Column((name, *ends), _head(name), numeric=True))
        elif name.endswith("_low") and name not in counts and f"{stem}_high" in names and stem not in frame.columns:
            used.add(f"{stem}_high")
            out.append(Column(("", name, f"{stem}_high"), _head(stem), numeric=True))
        else:
            out.append(Column((name, "", ""), _head(name), numeric=frame[name].dtype.kind in "iuf"))
    return out


def _head(name: str) -> str:
    return HEADS.get(name, name.replace("_", " "))


def _cell(column: Column, row: dict[Any, Any]) -> Cell:
    name, low, high = column.names
    values = [row[c] if c else None for c in column.names]
    exact = ["" if missing(v) else str(v) for v in values]
    if not column.numeric:
        text = exact[0]
        if isinstance(values[0], bool):
            text = "yes" if values[0] else "no"
        return Cell(label(text) if name in KEYS and text else text, *exact)
    text = _text(name, values[0]) if name else ""
    return Cell(" ".join(part for part in (text, limits(values[1], values[2]) if low and high else "") if part), *exact)


def _text(name: str, value: Any) -> str:
    if missing(value):
        return ""
    if name == "p" or name.startswith("p_") or name.endswith("_p") or name in ("q_bh", "fdr"):
        return "< 0.001" if value < 0.001 else number(value, 3)
    if float(value).is_integer() and (isinstance(value, int) or name in ("score", "df", "severity")):
        return f"{int(value):,}"
    return number(
        value,
        1 if name in ("q_stat", "design_effect", "score", "z", "df", "mean_severity") else 4 if name == "rate" else 2,
    )
