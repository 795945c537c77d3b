"""The tables of a report: their columns, in order, and what a row is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """Columns of a table and what one of its rows is. Shares are proportions of the first pole."""

    columns: tuple[str, ...]
    about: str


def _table(about: str, columns: str) -> Table:
    return Table(tuple(columns.split()), about)


_CELL = "model mode dimension judge"

TABLES: dict[str, Table] = {
    "left_out": _table(
        "Where every cell stands, before anything is left out: a row a model, mode, dimension and judge.",
        f"{_CELL} asked answered truncated usable first second both neither refused unclear cut_off parse_failed degenerate "
        "blocked not_judged not_answered wrong_language",
    ),
    "alignment": _table(
        "Does the share of the first pole follow the countries' scores? A row a model, mode, dimension and judge; n is countries.",
        f"{_CELL} n_countries n_items share r r_low r_high p p_holm q_bh rho rho_low rho_high p_permutation p_region "
        "alpha alpha_low alpha_high ceiling r_true r_true_low r_true_high q_stat q_p gate note",
    ),
    "countries": _table(
        "Share of the first pole in one country, prompts as the sample.",
        f"{_CELL} iso3 country region language resource score asked usable share low high",
    ),
    "preference": _table(
        "Share of the first pole over all countries, its worst-case bounds, and the share corrected for the judge's errors.",
        f"{_CELL} n share low high design_effect pole_first pole_second worst_low worst_high "
        "corrected corrected_low corrected_high correction note",
    ),
    "sensitivity": _table(
        "What r would be under other treatments of answers that take no side, up to the worst case.",
        f"{_CELL} unusable rate_r rate_p r_dropped r_second_pole r_half r_min r_max proved note",
    ),
    "contrasts": _table(
        "Two modes of one model, on the prompts and countries that both answered.",
        "model dimension judge contrast estimand difference low high p n_countries note",
    ),
    "models": _table(
        "Two models, on the prompts and countries that both answered: model_a less model_b.",
        "mode dimension judge model_a model_b estimand difference low high p n_countries note",
    ),
    "pairs": _table(
        "Two countries chosen beforehand, prompt by prompt: country_a less country_b.",
        f"{_CELL} country_a country_b share_a share_b difference low high p_mid p_holm n similar note",
    ),
    "resource": _table(
        "Countries by how much text the web holds in their language. Exploratory.",
        f"{_CELL} level n_countries share low high r r_low r_high detectable_r",
    ),
    "resource_tests": _table(
        "Do the levels differ in their shares (permutation F, plain and with the score taken out) or in their r?",
        f"{_CELL} f_p f_p_adjusted r_chi2_p note",
    ),
    "classification": _table(
        "Countries with a score above 50 told from the others by their shares; the best threshold stands beside its own null.",
        f"{_CELL} n_high n_low auc auc_p threshold_accuracy null_mean null_95 threshold_p note",
    ),
    "position": _table(
        "Is the option that the question names first chosen more often? bias: share of first-named options less a half.",
        f"{_CELL} n bias bias_low bias_high flip flip_low flip_high source note",
    ),
    "consistency": _table(
        "How often two answers to the same question agree, over repeated samples and over persona wordings.",
        f"{_CELL} kind n agreement low high note",
    ),
    "language": _table(
        "The language of replies, by the language of the question.",
        "model mode lang language country n in_language in_english in_other unsure mismatch low high",
    ),
    "judges": _table(
        "Who read the replies, and how far that can be trusted.",
        "judge kind task n_verdicts parse_failed flipped calibrated_on kappa kappa_low kappa_high alpha_k standing note",
    ),
    "agreement": _table(
        "Two stance judges on the replies that both read; limits from resampling prompts.",
        "judge_a judge_b n kappa kappa_low kappa_high ac1 ac1_low ac1_high",
    ),
    "culture": _table(
        "Reasons, stereotypes and inventions, as shares of the replies read; country '' is all of them.",
        "model mode judge iso3 n none persona_only cultural_reasoning stereotyped stereotyped_low stereotyped_high "
        "hallucinated hallucinated_low hallucinated_high mean_severity",
    ),
    "culture_kinds": _table(
        "Share of replies with at least one flag of a kind.",
        "model mode judge family kind n_replies n_with share low high",
    ),
    "examples": _table(
        "Flagged passages with their surroundings, the gravest of each kind.",
        "model mode country lang judge family kind severity before evidence after rule_id status source_id request_key item_id",
    ),
    "words": _table(
        "Words that mark a country's replies against all others.",
        "model mode iso3 word z rate fdr",
    ),
    "replication": _table(
        "Two figures computed as Kharchenko et al. (2024) did, to be compared with theirs. Not evidence.",
        f"{_CELL} table2_r table2_rho aligned_sign table3_accuracy table3_null_mean table3_null_95 table3_p note",
    ),
    "mixed": _table(
        "Mixed logistic model of single answers, in logits; the score in standard deviations, its slope that of the first mode. Primary judge.",
        "model dimension judge term beta se low high df p converged note",
    ),
}


def frame(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows as the table `name`, all columns there and in order.

    Whole numbers become Int64 and numbers float64, with missing values; text that is missing becomes ''. A number that is not
    finite counts as missing. Raises KeyError for a column that the table does not have.
    """
    import pandas as pd

    columns = TABLES[name].columns
    found = list(rows)
    for row in found:
        if strangers := set(row) - set(columns):
            raise KeyError(f"table {name} has no column {', '.join(sorted(strangers))}")
    return pd.DataFrame({column: _series([row.get(column) for row in found]) for column in columns})


def _series(values: list[Any]) -> pd.Series:
    import pandas as pd

    known = [v for v in values if v is not None]
    if any(isinstance(v, str) for v in known):
        return pd.Series(["" if v is None else v for v in values], dtype=object)
    if known and all(isinstance(v, bool) for v in known):
        return pd.Series(values, dtype="boolean")
    if known and all(isinstance(v, int) for v in known):
        return pd.Series(values, dtype="Int64")
    return pd.Series([math.nan if v is None or not math.isfinite(v) else float(v) for v in values], dtype="float64")
