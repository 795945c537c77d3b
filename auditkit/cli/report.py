"""`auditkit report`: a run as a page, figures, tables and text for a paper."""

from __future__ import annotations

import json
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit import __version__
from auditkit.cli.common import check_run_edition, content_options, db_option, edition_option, load, names
from auditkit.errors import AuditError, MissingExtra

if TYPE_CHECKING:
    from auditkit.data import Content
    from auditkit.report.findings import Findings

MARK = "auditkit_report"  # in manifest.json: says that a folder is a report of ours, and which files of it we wrote
VERSION = 1
FIGURES = ("svg", "pdf", "png")


@click.command()
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder to write into; made if need be.",
)
@click.option(
    "--run",
    "run_names",
    multiple=True,
    metavar="ID",
    help="A run, by the beginning of its id; can be repeated, and the runs are put together. Default: the latest.",
)
@click.option(
    "--judge",
    metavar="NAME",
    help="The stance judge whose readings are the headline; default: the one that can be trusted most.",
)
@click.option(
    "--confidence", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Level of all intervals."
)
@click.option(
    "--ci",
    type=click.Choice(["default", "pigeonhole"]),
    default="default",
    show_default=True,
    help="Limits of r: closed form, or the wider two-way bootstrap.",
)
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    metavar="A,B",
    help="Two countries to compare dilemma by dilemma, as JPN,USA. Can be repeated.",
)
@click.option(
    "--replicate",
    type=click.Choice(["kharchenko"]),
    help="Also compute the published figures in the published way, labelled so.",
)
@click.option(
    "--mixed", is_flag=True, help="Fit mixed models however many there are; by default up to ten (models x dimensions)."
)
@click.option(
    "--words/--no-words",
    default=None,
    help="Marked words of every country. They need all replies to a persona in memory: by default up to 40,000 of them.",
)
@click.option("--seed", type=int, help="Of resampling and permutations; default: 20240601.")
@click.option("--formats", multiple=True, metavar="NAME", help="Of figures: svg, pdf, png. Default: all three.")
@click.option("--no-figures", is_flag=True, help="Tables and text only.")
@click.option(
    "--force", is_flag=True, help="Write into a folder that holds other things; files of the same names are replaced."
)
@edition_option
@content_options
@db_option  # fmt: skip
def report(**options: Any) -> int:
    """Turn a run, or several, into an HTML page, figures, CSV and LaTeX tables, a methods paragraph and a bibliography.

    Reads only, so a run may go on meanwhile. Runs that asked different models or modes are put together; what two runs asked of
    the same model is kept apart by run.

    \b
      auditkit report --to out/
      auditkit report --to out/ --run 6ac5e62b --run 77d0c1aa --pair JPN,USA
      auditkit report --to out/ --edition 2015 --ci pigeonhole --no-figures
    """  # noqa: D301
    # NumPy reads it when it is imported: threads that spin over 36 x 36 matrices cost ten times what they save
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from auditkit.cli.render import console
    from auditkit.report.findings import gather
    from auditkit.report.settings import Settings
    from auditkit.report.words import add_words
    from auditkit.stats import DEFAULT_SEED
    from auditkit.store import Store

    if find_spec("pandas") is None:
        raise MissingExtra("a report", "report")
    formats = _formats(options["formats"])
    _check_place(options["to"], force=options["force"])
    content = load(options["prompts"], options["personas"], options["translations"])
    settings = Settings(
        edition=options["edition"],
        judge=options["judge"],
        confidence=options["confidence"],
        seed=DEFAULT_SEED if options["seed"] is None else options["seed"],
        ci=options["ci"],
        pairs=tuple(_pair(value, content) for value in options["pairs"]),
        replicate=options["replicate"] is not None,
        mixed=options["mixed"],
    )
    with Store.read(options["db"]) as store:
        runs = [store.latest_run(name) for name in options["run_names"] or [None]]
        for run in runs:
            check_run_edition(run, options["edition"])
        run_ids = list(dict.fromkeys(run["run_id"] for run in runs))
        findings = gather(store, run_ids, content, settings)
        add_words(store, findings, run_ids, content, wanted=options["words"])
    place = _write(findings, options["to"], formats=() if options["no_figures"] else formats)
    err = console(stderr=True)
    for note in findings.notes:
        err.print(f"! {note}", style="yellow", highlight=False, markup=False)
    console().print(str(place), highlight=False, markup=False, soft_wrap=True)
    return 0


def _formats(values: tuple[str, ...]) -> tuple[str, ...]:
    from auditkit.errors import unknown

    chosen = tuple(dict.fromkeys(name.lower() for name in names(values))) or FIGURES
    for name in chosen:
        if name not in FIGURES:
            raise unknown("format of figures", name, FIGURES)
    return chosen


def _pair(value: str, content: Content) -> tuple[str, str]:
    parts = value.split(",")
    if len(parts) != 2:
        raise AuditError(f"--pair {value!r}: give two countries with a comma between them, such as JPN,USA")
    first, second = (content.country(part).iso3 for part in parts)
    if first == second:
        raise AuditError(f"--pair {value!r}: that is one country twice")
    return first, second


# ------------------------------------------------------------------------------------------------------------ writing


def _files_of(folder: Path) -> list[str] | None:
    """The files that an earlier report wrote into a folder, None where it holds no report of ours."""
    try:
        found = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    files = found.get("files") if isinstance(found, dict) and found.get(MARK) else None
    return [str(name) for name in files] if isinstance(files, list) else None


def _check_place(to: Path, *, force: bool) -> None:
    if to.exists() and not to.is_dir():
        raise AuditError(f"{to} is a file; --to wants a folder")
    if not force and to.is_dir() and _files_of(to) is None and any(to.iterdir()):
        raise AuditError(
            f"{to} holds something that is no report; choose another folder, or add --force to write into it"
        )


def _write(findings: Findings, to: Path, *, formats: tuple[str, ...]) -> Path:
    """Write all files beside their final places, then move them in; an earlier report's files that are not made again go.

    Returns the path of the page.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
        earlier = _files_of(to) or []
        with tempfile.TemporaryDirectory(prefix=".report-", dir=to, ignore_cleanup_errors=True) as temporary:
            work = Path(temporary)
            _fill(findings, work, formats)
            files = sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file())
            _write_manifest(findings, work / "manifest.json", files)
            for name in [*files, "manifest.json"]:  # the manifest last: it vouches for the others
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                (work / name).replace(to / name)
        for name in set(earlier) - set(files):
            path = to / name
            if path.resolve().is_relative_to(to.resolve()):  # a manifest is a file that anybody may have edited
                path.unlink(missing_ok=True)
    except OSError as error:
        raise AuditError(f"{to} cannot be written: {error.strerror or error}") from None
    return to / "index.html"


def _fill(findings: Findings, work: Path, formats: tuple[str, ...]) -> None:
    from auditkit.report import bibliography, figures, latex, page, prose, tables

    (work / "tables").mkdir()
    tables.write(findings, work / "tables")
    latex.write(findings, work / "tables")
    references = bibliography.write(work, findings).read_text(encoding="utf-8")
    methods = prose.methods(findings)
    (work / "methods.md").write_text(methods + "\n", encoding="utf-8")
    (work / "methods.tex").write_text(prose.methods_latex(findings), encoding="utf-8")
    if findings.transcripts:
        (work / "transcripts").mkdir()
        tables.write_transcripts(findings, work / "transcripts" / "examples.jsonl")
    drawn = figures.draw(findings, work / "figures", formats) if formats else []
    page.write(findings, drawn, work / "index.html", methods=methods, references=references)


def _write_manifest(findings: Findings, path: Path, files: list[str]) -> None:
    from dataclasses import asdict

    from auditkit.store import now

    manifest = {
        MARK: VERSION,
        "auditkit": __version__,
        "written": now(),
        "settings": asdict(findings.settings),
        "primary_judge": findings.primary_judge,
        "family": findings.family,
        "notes": findings.notes,
        "files": files,
        "runs": {
            run.run_id: {
                "kind": run.kind,
                "created_at": run.created_at,
                "command": run.command,
                "manifest": run.manifest,
            }
            for run in findings.runs
        },
    }
    path.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
