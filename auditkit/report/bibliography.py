"""`references.bib`: what a paper with these findings has to cite. Only facts that are known for sure; nothing is guessed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.report.latex import escape

if TYPE_CHECKING:
    from auditkit.report.findings import Findings, RunInfo

Entry = tuple[str, dict[str, str]]  # type, fields in order

KHARCHENKO: Entry = (
    "misc",
    {
        "author": "Kharchenko, Julia and Roosta, Tanya and Chadha, Aman and Shah, Chirag",
        "title": "{How Well Do LLMs Represent Values Across Cultures? Empirical Analysis of LLM Responses Based on Hofstede Cultural Dimensions}",
        "year": "2024",
        "eprint": "2406.14805",
        "archivePrefix": "arXiv",
    },
)
HOFSTEDE_MODEL: Entry = (
    "article",
    {
        "author": "Hofstede, Geert",
        "title": "{Dimensionalizing Cultures: The Hofstede Model in Context}",
        "journal": "Online Readings in Psychology and Culture",
        "volume": "2",
        "number": "1",
        "year": "2011",
    },
)
EDITIONS: dict[str, tuple[str, Entry]] = {
    "paper": (
        "hofstedeinsights2024",
        ("misc", {"author": "{Hofstede Insights}", "title": "{The Culture Factor}", "year": "2024", "note": "Accessed 2024-06-01; as printed in Table 4 of Kharchenko et al. (2024)"}),
    ),
    "cf": (
        "culturefactor",
        ("misc", {"author": "{The Culture Factor}", "title": "{Country comparison tool}", "note": "Formerly Hofstede Insights; the date of retrieval was not recorded"}),
    ),
    "2015": (
        "hofstede2015",
        ("misc", {"author": "Hofstede, Geert", "title": "{Dimension data matrix, version 2015-12-08}", "year": "2015", "howpublished": "geerthofstede.com"}),
    ),
}  # fmt: skip
NLLB: Entry = (
    "misc",
    {
        "author": "{NLLB Team} and Costa-juss{\\`a}, Marta R. and others",
        "title": "{No Language Left Behind: Scaling Human-Centered Machine Translation}",
        "year": "2022",
    },
)


def entries(findings: Findings) -> dict[str, Entry]:
    """Citation key -> entry: source paper, Hofstede's model and the edition of the scores, NLLB where it translated, the models."""
    found: dict[str, Entry] = {"kharchenko2024": KHARCHENKO, "hofstede2011": HOFSTEDE_MODEL}
    if findings.edition in EDITIONS:
        key, entry = EDITIONS[findings.edition]
        found[key] = entry
    if any("nllb" in name.casefold() for name in findings.translators):
        found["nllb2022"] = NLLB
    for run in findings.runs:
        for model in run.manifest.get("spec", {}).get("models", []):
            if model["name"] not in run.proves_pipeline:
                found.setdefault(model_key(model["name"]), _model(model, run))
    return found


def model_key(name: str) -> str:
    """The citation key of a model.

    >>> model_key("openai/gpt-4.1-mini")
    'model-openai-gpt-4.1-mini'
    """
    return "model-" + re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-").lower()


def _model(model: dict[str, str], run: RunInfo) -> Entry:
    """An entry by what the run knows; of imported replies it does not know when they were made."""
    title = {"title": f"{{{escape(str(model.get('model') or model['name']))}}}"}
    if run.kind == "import":
        return "misc", {**title, "note": "Language model; imported replies"}
    revision = model.get("revision")
    note = f"Replies generated from {run.created_at[:10]}" + (f", revision {revision}" if revision else "")
    fields = {**title, "year": run.created_at[:4], "note": escape(note)}
    if model.get("provider"):
        fields["howpublished"] = f"Language model, by way of {escape(model['provider'])}"
    return "misc", fields


def write(folder: Path, findings: Findings) -> Path:
    """`references.bib` in a folder that is there."""
    lines = ["% made by auditkit report; check the entries of models against their makers' own words"]
    for key, (kind, fields) in entries(findings).items():
        lines += ["", f"@{kind}{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"]
    path = folder / "references.bib"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
