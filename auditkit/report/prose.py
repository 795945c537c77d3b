"""A methods paragraph for a paper, with the numbers of these runs, as Markdown (pandoc citations) and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from auditkit import __version__
from auditkit.report.bibliography import EDITIONS, entries, model_key
from auditkit.report.latex import escape

if TYPE_CHECKING:
    import pandas as pd

    from auditkit.report.findings import Findings

_MODES = {
    "baseline": "in English without a persona (baseline)",
    "persona": "in English with a persona sentence that names the country (persona)",
    "multilingual": "in a language of the country without a persona (multilingual)",
    "crossed": "with the persona sentence in a language of the country (crossed)",
}
_OUTCOMES = {
    "both": "recommended both options", "neither": "neither", "refused": "refused", "unclear": "could not be read as a choice",
    "cut_off": "ended before a choice", "parse_failed": "got a judgement that could not be parsed", "degenerate": "held no readable text",
    "blocked": "were blocked by a content filter",
}  # fmt: skip
_KINDS = {
    "rules": "rules without a model",
    "llm": "a language model",
    "agent": "an agent",
    "published": "the published labels",
}
_CITATION = re.compile(r" ?\[(@[^\]]+)\]")


def methods(findings: Findings) -> str:
    """The paragraph in Markdown, one line; citations as `[@key]` with the keys of `references.bib`."""
    sentences = [
        *_design(findings),
        *_judging(findings),
        *_estimates(findings),
        *_left_out(findings),
        _closing(findings),
    ]
    return " ".join(part for part in sentences if part)


def methods_latex(findings: Findings) -> str:
    r"""The same paragraph in LaTeX, with \cite commands."""
    parts = _CITATION.split(methods(findings))
    text = ""
    for i, part in enumerate(parts):
        text += escape(part) if i % 2 == 0 else rf"~\cite{{{','.join(key.strip(' @') for key in part.split(';'))}}}"
    return text + "\n"


def listed(parts: Iterable[str]) -> str:
    """a, b and c."""
    names = list(parts)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


# ------------------------------------------------------------------------------------------------------------- design


def _design(findings: Findings) -> list[str]:
    left_out = findings.tables["left_out"]
    if not len(left_out):
        return ["The runs asked nothing."]
    cited = entries(findings)
    models = list(dict.fromkeys(left_out["model"]))
    names = [f"{name} [@{model_key(name)}]" if model_key(name) in cited else name for name in models]
    dimensions = [_title(findings, name) for name in dict.fromkeys(left_out["dimension"])]
    modes = [_MODES.get(mode, mode) for mode in dict.fromkeys(left_out["mode"])]
    countries = findings.tables["countries"]
    n_countries = countries["iso3"].nunique()
    primary = left_out[left_out["judge"] == findings.primary_judge]
    where = f" for {n_countries} {'country' if n_countries == 1 else 'countries'}" if n_countries else ""
    n_asked, n_answered = int(primary["asked"].sum()), int(primary["answered"].sum())
    what = f"each a choice between two options that stand for the poles of a dimension of Hofstede's model [@hofstede2011] ({listed(dimensions)})"
    dilemmas = count(findings.n_items, "dilemma")
    if all(run.kind == "import" for run in findings.runs):
        design = f"We analysed {count(n_answered, 'imported answer')} of {listed(names)} to {dilemmas}, {what}, {listed(modes)}{where}."
    else:
        design = (
            f"Following the design of Kharchenko et al. [@kharchenko2024], we asked {listed(names)} for advice on {dilemmas}, {what}, "
            f"{listed(modes)}{where}: {count(n_asked, 'request')}, of which {n_answered:,} were answered."
        )
    return [design, _settings(findings), _translation(findings, cited)]


def _title(findings: Findings, dimension: str) -> str:
    title = str(findings.dimensions.get(dimension, {}).get("title", dimension))
    return title[:1].lower() + title[1:]


def _settings(findings: Findings) -> str:
    """Samples, option order and temperature, as the audits say them; an import does not know."""
    specs = [run.manifest.get("spec", {}) for run in findings.runs if run.kind == "audit"]
    parts = []
    samples = {spec.get("samples") for spec in specs} - {None}
    if samples:
        parts.append("each request was sent " + listed("once" if n == 1 else f"{n} times" for n in sorted(samples)))
    orders = {spec.get("orders") for spec in specs} - {None}
    said = {
        "lead": "the option named first was balanced over dilemmas and the same for every country",
        "flipped": "the option named first was balanced over dilemmas, the other way round from the bank, and the same for every country",
        "both": "every dilemma was asked in both orders of its options",
    }
    parts += [said[name] for name in sorted(orders) if name in said]
    temperatures = {
        t
        for run in findings.runs
        for t in (run.manifest.get("temperature") or {}).values()
        if isinstance(t, int | float)
    }
    if temperatures:
        parts.append(f"the temperature was {listed(f'{t:g}' for t in sorted(temperatures))}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _translation(findings: Findings, cited: dict[str, Any]) -> str:
    if not findings.translators:
        return ""
    names = [
        f"{name} [@nllb2022]" if "nllb" in name.casefold() and "nllb2022" in cited else name
        for name in findings.translators
    ]
    return f"Translations are by: {listed(names)}."


# ------------------------------------------------------------------------------------------------ judging and figures


def _judging(findings: Findings) -> list[str]:
    judges = findings.tables["judges"]
    row = judges[judges["judge"] == findings.primary_judge] if len(judges) else judges
    if not len(row):
        return ["No judge has read the replies."]
    judge = row.iloc[0]
    what = (
        "the consensus of several judges"
        if judge["judge"] in ("majority", "all")
        else _KINDS.get(judge["kind"], judge["kind"])
    )
    text = f"Which option a reply recommends was read by {judge['judge']} ({what})"
    if judge["calibrated_on"] and judge[["kappa", "kappa_low", "kappa_high"]].notna().all():
        text += f", which on the labelled set {judge['calibrated_on']} reached a kappa of {judge['kappa']:.2f} [{judge['kappa_low']:.2f}, {judge['kappa_high']:.2f}]"
    text += {
        "passed": " and passed its gate.",
        "failed": " and did not pass its gate: its readings are not evidence.",
    }.get(judge["standing"], "; it has not been calibrated, so its readings are exploratory.")
    others = [
        name
        for name, task in zip(judges["judge"], judges["task"], strict=True)
        if task == "stance" and name != judge["judge"]
    ]
    return [text, f"The same replies were read by {listed(others)}." if others else ""]


def _estimates(findings: Findings) -> list[str]:
    alignment = findings.tables["alignment"]
    if not len(alignment):
        return ["No country was asked, so that no correlation with country scores is given."]
    level = f"{100 * findings.confidence:g} %"
    edition = next(
        (
            run.manifest["editions"][findings.edition]
            for run in findings.runs
            if findings.edition in run.manifest.get("editions", {})
        ),
        "",
    )
    scores = f"edition {findings.edition}" + (
        f" [@{EDITIONS[findings.edition][0]}]" if findings.edition in EDITIONS else f": {edition.rstrip('.')}"
    )
    limits = (
        "two-way (pigeonhole) bootstrap percentiles"
        if findings.settings.ci == "pigeonhole"
        else "a closed form that treats countries and dilemmas as samples"
    )
    texts = [
        (
            f"The unit of analysis is the country: for every model, mode and dimension, Pearson's r relates the countries' scores ({scores}) to the share "
            f"of answers that take the pole of a high score, with {level} intervals from {limits}, and Spearman's rho with a two-way bootstrap beside it."
        ),
        f"P values are two-sided. {findings.family}",
        (
            "KR-20 over dilemmas gives the reliability of the shares, whose square root is the ceiling of r; overall shares have two-way intervals on the "
            f"logit scale. Resampling and permutations use {findings.settings.n_resamples:,} and {findings.settings.n_permutations:,} draws, seed {findings.settings.seed}."
        ),
    ]
    closed = int((alignment["gate"] != "").sum())
    if closed:
        texts.append(f"{closed} of {len(alignment)} cells did not pass the validity gate, and no r is given for them.")
    return texts


def _left_out(findings: Findings) -> list[str]:
    table = findings.tables["left_out"]
    mine = table[table["judge"] == findings.primary_judge]
    if not len(mine) or not int(mine["answered"].sum()):
        return []
    n = {
        name: int(mine[name].sum())
        for name in mine.columns
        if name not in ("model", "mode", "dimension", "judge", "wrong_language")
    }
    parts = [f"{n[name]:,} {words}" for name, words in _OUTCOMES.items() if n[name]]
    text = f"Of {n['answered']:,} answers, {n['usable']:,} ({n['usable'] / n['answered']:.1%}) took a side"
    text += f"; left out of the shares: {listed(parts)}." if parts else "; none was left out of the shares."
    waiting = n["not_judged"] + n["not_answered"]
    texts = [text, _truncated(n), _wrong_language(mine)]
    if waiting:
        texts.append(f"{waiting:,} cells are not answered or not judged yet.")
    aside = [note for note in findings.notes if note.startswith("Set aside")]
    return [*texts, *aside]


def _truncated(n: dict[str, int]) -> str:
    return (
        f"{n['truncated']:,} answers were cut off at the length limit and judged all the same."
        if n["truncated"]
        else ""
    )


def _wrong_language(mine: pd.DataFrame) -> str:
    known = mine["wrong_language"].dropna()
    return (
        f"{int(known.sum()):,} answers were in another language than the question."
        if len(known) and known.sum()
        else ""
    )


def _closing(findings: Findings) -> str:
    shown: Sequence[str] = sorted({name for run in findings.runs for name in run.proves_pipeline})
    runs = listed(run.run_id for run in findings.runs)
    text = f"The analysis was made with auditkit {__version__} ({runs})."
    return text + (
        f" {listed(shown)} only {'shows' if len(shown) == 1 else 'show'} that the pipeline works." if shown else ""
    )
