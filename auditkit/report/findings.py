"""Everything that a report says, gathered from the database and computed once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditkit.data import Content
from auditkit.errors import AuditError, unknown
from auditkit.report import contrasts, culture, estimates, judges, outcomes
from auditkit.report.columns import TABLES, frame
from auditkit.report.counts import Cell, cells, counted
from auditkit.report.scope import Scope, read_scope
from auditkit.report.settings import MOST_FITS, Settings
from auditkit.store import Store

if TYPE_CHECKING:
    import pandas as pd

PIPELINE_ONLY = ("embedded", "mock/")  # models that show that the pipeline works; their advice is no result


_TRANSLATORS = """
select distinct translator from (select distinct translation_key from cells
  where run_id in (select run_id from report_groups) and translation_key is not null)
join translations using (translation_key) order by 1"""


@dataclass(frozen=True)
class RunInfo:
    """A run that the report speaks of. proves_pipeline: its models that are no result."""

    run_id: str
    command: str
    created_at: str
    kind: str
    manifest: Mapping[str, Any]
    proves_pipeline: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Findings:
    """What a report says. tables: by the names of `columns.TABLES`, all of them there. notes: what cannot be said, in sentences.

    family: over which cells Holm and Benjamini-Hochberg were taken. any_alignment_p: least maxT-adjusted p of the family, None where
    nothing could be tested. transcripts: request key -> prompt and reply, for `examples`. dimensions, countries: as the runs'
    manifests have them. n_items: dilemmas asked. translators: whose translations were sent.
    """

    runs: list[RunInfo]
    edition: str
    confidence: float
    family: str
    primary_judge: str
    tables: Mapping[str, pd.DataFrame]
    notes: list[str]
    any_alignment_p: float | None = None
    transcripts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dimensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    countries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    n_items: int = 0
    translators: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)


def gather(store: Store, run_ids: Sequence[str], content: Content, settings: Settings) -> Findings:
    """Count the runs and compute every table. Reads one moment of the database, and only reads.

    run_ids: of one or more runs, each once. content: for the names of countries and languages that a manifest does not have.
    Raises AuditError for a judge or country that the runs do not have, and for runs that contradict each other.
    """
    runs = [_run(store, run_id) for run_id in run_ids]
    scope = read_scope(store, run_ids, settings.edition)
    rows: dict[str, list[estimates.Row]] = {name: [] for name in TABLES}
    with counted(store, scope):
        every = cells(store, scope)
        rows["judges"] = judges.judge_rows(store, scope)
        primary = _primary(every, rows["judges"], settings)
        every.sort(key=lambda cell: cell.judge != primary)
        failed = [row["judge"] for row in rows["judges"] if row["standing"] == "failed"]
        gates = {cell: estimates.gate(cell, failed) for cell in every}
        abroad = [cell for cell in every if cell.mode != "baseline"]

        rows["language"] = list(outcomes.language_rows(store, scope, settings, _tags(content)))
        language_known = bool(rows["language"])
        rows["left_out"] = [estimates.left_out_row(cell, language_known=language_known) for cell in every]
        rows["alignment"], any_p = estimates.alignment_rows(abroad, scope, settings, gates)
        corrected = judges.corrector(store, scope, settings)
        for cell in every:
            rows["preference"].append(estimates.preference_row(cell, scope, settings, corrected))
        for cell in abroad:
            rows["countries"] += estimates.country_rows(cell, scope, settings)
            rows["sensitivity"].append(estimates.sensitivity_row(cell, settings, gates[cell]))
            rows["classification"].append(estimates.classification_row(cell, settings, gates[cell]))
            levels, tests = estimates.resource_rows(cell, scope, settings, gates[cell])
            rows["resource"] += levels
            rows["resource_tests"].append(tests)
            if settings.replicate:
                rows["replication"].append(estimates.replication_row(cell, settings))
        rows["contrasts"] = list(contrasts.contrast_rows(every, scope, settings, gates))
        rows["models"] = list(contrasts.model_rows(every, settings, gates))
        if settings.mixed or contrasts.n_fits(every) <= MOST_FITS:
            rows["mixed"] = list(contrasts.mixed_rows([cell for cell in every if cell.judge == primary], settings))
        rows["pairs"] = contrasts.pair_rows(abroad, settings)
        rows["position"] = list(outcomes.position_rows(store, scope, settings))
        rows["consistency"] = list(outcomes.consistency_rows(store, scope, settings))
        rows["agreement"] = list(judges.agreement_rows(store, scope, settings))
        named = culture.culture_judges(store, scope)
        texts: dict[str, estimates.Row] = {}
        if named:
            culture.read_replies(store, named)
            rows["culture"], rows["culture_kinds"] = culture.culture_rows(store, scope, named, settings)
            rows["examples"] = list(culture.example_rows(store, scope, named))
            texts = culture.transcripts(store, rows["examples"])
        translators = tuple(row[0] for row in store.rows(_TRANSLATORS))
    return Findings(
        runs=runs,
        edition=settings.edition,
        confidence=settings.confidence,
        family=_family(abroad, primary),
        primary_judge=primary,
        tables={name: frame(name, rows[name]) for name in TABLES},
        notes=_notes(runs, scope, every, rows, settings),
        any_alignment_p=any_p,
        transcripts=texts,
        dimensions=scope.dimensions,
        countries=scope.countries,
        n_items=len(scope.items),
        translators=translators,
        settings=settings,
    )


def _run(store: Store, run_id: str) -> RunInfo:
    row = next(store.rows("select * from runs where run_id = ?", (run_id,)))
    manifest = json.loads(row["manifest"])
    models = [m["name"] for m in manifest.get("spec", {}).get("models", [])]
    shown = tuple(name for name in models if name.startswith(PIPELINE_ONLY))
    return RunInfo(run_id, row["command"], row["created_at"], row["kind"], manifest, shown)


def _primary(every: Sequence[Cell], rows: list[estimates.Row], settings: Settings) -> str:
    names = sorted({cell.judge for cell in every} - {""})
    if settings.judge is None:
        return judges.primary(names, rows)
    if settings.judge not in names:
        raise (
            unknown("judge", settings.judge, names)
            if names
            else AuditError("no stance judge has been asked for; run `auditkit judge`, or leave --judge out")
        )
    return settings.judge


def _tags(content: Content) -> dict[str, str]:
    """FLORES-200 code -> BCP 47 tag of the languages known."""
    return {country.language: country.bcp47 for country in content.countries.values()}


def _family(abroad: Sequence[Cell], primary: str) -> str:
    n = sum(cell.judge == primary for cell in abroad)
    others = len({cell.judge for cell in abroad} - {primary})
    text = (
        f"Holm and Benjamini-Hochberg are taken over all {n} cells (model x mode x dimension, baseline apart) as read by "
        f"{primary or 'no judge'}, cells without an r included"
    )
    return text + (f"; the cells of each of the {others} other judges are a family of their own." if others else ".")


def _notes(
    runs: Sequence[RunInfo],
    scope: Scope,
    every: Sequence[Cell],
    rows: Mapping[str, list[estimates.Row]],
    settings: Settings,
) -> list[str]:
    """Plain sentences on what this report cannot say, the gravest first."""
    notes = []
    mocks = sorted({name for run in runs for name in run.proves_pipeline})
    if mocks:
        notes.append(f"{', '.join(mocks)}: shows that the pipeline works; the advice is no result.")
    if not every:
        notes.append("The runs hold no cells.")
    elif not any(cell.judged for cell in every):
        notes.append("Nothing has been judged yet, so there are no shares and no r: run `auditkit judge`.")
    waiting = sum(cell.states.get("not answered", 0) + cell.states.get("not judged", 0) for cell in every)
    if waiting and any(cell.judged for cell in every):
        notes.append(f"{waiting:,} readings are missing: the run is not finished, and every figure is of a part of it.")
    abroad = [cell for cell in every if cell.mode != "baseline"]
    countries = {name for cell in abroad for name, n in zip(cell.counts.countries, cell.asked, strict=True) if n}
    if every and not abroad:
        notes.append("Only baseline was asked, which knows no country: there is no alignment to speak of.")
    elif 0 < len(countries) < 4:
        names = ", ".join(str(scope.countries.get(name, {}).get("title", name)) for name in sorted(countries))
        notes.append(
            f"Only {len(countries)} {'country was' if len(countries) == 1 else 'countries were'} asked ({names}): r needs four."
        )
    closed = [row for row in rows["alignment"] if row["gate"]]
    if closed and any(cell.judged for cell in every):
        notes.append(
            f"{len(closed)} of {len(rows['alignment'])} cells have no r because the validity gate is closed; their rows say why."
        )
    for row in rows["judges"]:
        if row["task"] == "stance" and row["standing"] != "passed":
            why = f" ({row['note']})" if row["note"] else ""
            notes.append(
                f"The judge {row['judge']} is {'exploratory' if row['standing'] == 'exploratory' else 'below its bar'}{why}."
            )
    if len({cell.model for cell in every}) == 1:
        notes.append("One model: there is nothing to compare it with.")
    if "baseline" not in {cell.mode for cell in every} and every:
        notes.append(
            "No baseline was asked, so what persona or language add cannot be told from what the model says anyway."
        )
    if not rows["language"] and any(cell.judged for cell in every):
        notes.append("The language of the replies has not been identified: run `auditkit detect`.")
    if not rows["culture"] and any(cell.judged for cell in every):
        notes.append("No culture judge has read the replies: nothing is said of reasons, stereotypes or inventions.")
    notes += [
        f"Two runs asked {model} the same mode and dimension; its cells are kept apart by run." for model in scope.apart
    ]
    if any(cell.usable for cell in abroad) and not rows["mixed"]:
        notes.append(f"Mixed models were not fitted, since there are {contrasts.n_fits(every)} of them: add --mixed.")
    if settings.ci == "pigeonhole":
        notes.append(
            "Limits of r and of its differences are two-way bootstrap percentiles; p values are those of the default method."
        )
    if settings.replicate:
        notes.append(
            "The replication table repeats published computations; it carries no p of rows and is no evidence."
        )
    if scope.reworded:
        notes.append(
            f"The wording of {scope.reworded} dilemmas differs between the runs; they are counted as one by name."
        )
    return notes + _set_aside(runs)


def _set_aside(runs: Sequence[RunInfo]) -> list[str]:
    """What was asked for and could not be sent, by mode and reason."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for entry in run.manifest.get("set_aside", []):
            what = entry["what"] if entry.get("count", 1) == 1 else f"{entry['count']} of {entry['what']}"
            by_reason.setdefault((entry["mode"], entry["reason"]), []).append(what)
    return [
        f"Set aside in {mode} mode ({reason}): {', '.join(dict.fromkeys(what))}."
        for (mode, reason), what in by_reason.items()
    ]
