"""The report as one HTML file that draws at once from disk: no request, no library, drawings inline, a few lines of script.

The content security policy names the hashes of the page's own style and script and forbids every connection. Text of replies
reaches the page through autoescaping templates only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import auditkit
from auditkit.errors import MissingExtra
from auditkit.report import charts_base
from auditkit.report.columns import TABLES
from auditkit.report.figures import Drawing, Figure
from auditkit.report.page_tables import ROWS, TableView, view
from auditkit.report.transcripts import Transcript, transcripts
from auditkit.report.verdict import verdicts

if TYPE_CHECKING:
    from auditkit.report.findings import Findings

FOLDED = 40  # rows: longer tables start folded


@dataclass(frozen=True)
class Block:
    """A table, a figure, or both: the figure with the table of its numbers folded below. `columns`: of the table; none is all.

    `about` stands in for the table's own description where the block shows a part of it.
    """

    table: str
    figure: str = ""
    columns: tuple[str, ...] = ()
    title: str = ""
    about: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page. Its blocks are left out where they have neither a figure nor a row; `empty` is said if all are."""

    id: str
    title: str
    intro: str
    blocks: tuple[Block, ...]
    empty: str


DIFFERENTIATION = (
    *charts_base.CELL,
    "n_countries",
    "n_items",
    "share",
    "alpha",
    "alpha_low",
    "alpha_high",
    "ceiling",
    "q_stat",
    "q_p",
    "gate",
    "note",
)
ALIGNMENT = (
    *charts_base.CELL, "n_countries", "r", "r_low", "r_high", "p", "p_holm", "q_bh", "rho", "rho_low", "rho_high", "p_permutation",
    "p_region", "ceiling", "r_true", "r_true_low", "r_true_high", "gate", "note",
)  # fmt: skip

SECTIONS = (
    Section(
        "validity", "1. Can the answers be used?",
        "Before any correlation: how many answers take a side, in which language they are, and whether the place of an option decides.",
        (
            Block("left_out", "left-out"), Block("language", "language"), Block("position", title="Position of the options"),
            Block("consistency", title="Consistency"),
        ),
        "Nothing was asked, or nothing has been judged.",
    ),
    Section(
        "differentiation", "2. Do shares differ between countries at all?",
        "A model can differ strongly between countries without following Hofstede's scores. Reliability α says how much of the "
        "difference is not noise; its square root is the highest r that such shares can reach.",
        (Block("alignment", columns=DIFFERENTIATION, title="Reliability and Cochran's Q", about="Feldt's limits; Cochran's Q has prompts as blocks."),),
        "No cell has countries to compare.",
    ),
    Section(
        "alignment", "3. Do the differences follow Hofstede's scores?",
        "Pearson's r between a country's score and its share of answers for the first pole; n is countries, never replies. "
        "The first pole is the one that a high score stands for, in every dimension.",
        (
            Block("alignment", "heatmap", ALIGNMENT), Block("", "forest"), Block("countries", "scatter"), Block("", "map"),
        ),
        "No correlation can be given.",
    ),
    Section(
        "preference", "4. Which pole is preferred, and what changes it?",
        "Overall shares, then modes, models, countries and groups of countries compared. A share is a preference only where the order of options is balanced.",
        (
            Block("preference", title="Overall shares"), Block("contrasts", "contrasts"), Block("models", "models"),
            Block("pairs", title="Pairs of countries"), Block("resource", "resource-share"), Block("", "resource-r"),
            Block("resource_tests", title="Tests between resource levels"), Block("classification", title="Telling two classes of countries apart"),
            Block("sensitivity", title="Other treatments of unusable answers"), Block("mixed", title="Mixed model"),
        ),
        "No shares can be given.",
    ),
    Section(
        "culture", "5. Reasons, stereotypes and inventions",
        "What the culture judges and the rules flagged in the replies. Kinds are shares of replies, passages are shown as they came.",
        (Block("culture", "classes"), Block("", "flagged"), Block("culture_kinds", "kinds"), Block("examples", title="Flagged passages"), Block("words", title="Marked words")),
        "No judge has read the replies for stereotypes and inventions.",
    ),
    Section(
        "judges", "6. Who judged, and how well?",
        "An exploratory judge has not been checked against people. Its figures are for looking, not for quoting.",
        (Block("judges", title="Judges"), Block("agreement", title="Agreement between judges")),
        "No judge has read anything.",
    ),
    Section(
        "replication", "7. The published figures, computed the published way",
        "A replication of Kharchenko et al. (2024), to be set beside their tables. Not evidence: the unit there is the row, and the "
        "best threshold is sought in sample, so it stands beside what chance alone reaches.",
        (Block("replication", "density"),),
        "",
    ),
)  # fmt: skip


@dataclass
class Shown:
    """A block as the page shows it."""

    title: str
    figure: Figure | None = None
    groups: list[tuple[str, list[Drawing]]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    table: TableView | None = None
    csv: str = ""
    folded: bool = False
    hidden: int = 0  # rows that are only in the CSV file


def write(findings: Findings, figures: Sequence[Figure], path: Path, methods: str = "", references: str = "") -> None:
    """Writes the page to `path`. Figures and tables (`tables/<name>.csv`) that exist beside it are linked.

    methods: the methods paragraph; blank lines part paragraphs. references: BibTeX. Raises MissingExtra without Jinja2.
    """
    path.write_text(render(findings, figures, path.parent, methods, references), encoding="utf-8")


def render(findings: Findings, figures: Sequence[Figure], folder: Path, methods: str = "", references: str = "") -> str:
    """The page as text; links are relative to `folder`."""
    try:
        import jinja2
    except ImportError:
        raise MissingExtra("writing the page", "report") from None
    assets = resources.files("auditkit.report") / "assets"
    style = (assets / "page.css").read_text(encoding="utf-8") + _dark()
    script = (assets / "page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((assets / "page.html.j2").read_text(encoding="utf-8"))
    replies = transcripts(findings)
    sections = [
        (section, shown)
        for section in SECTIONS
        if (shown := _shown(section, findings, figures, folder)) or section.empty
    ]
    return template.render(
        findings=findings, verdicts=verdicts(findings), sections=sections, replies=replies, examples=_examples(findings, replies),
        methods=[part.strip() for part in methods.split("\n\n") if part.strip()], references=references.strip(), rows=ROWS,
        runs=[(run, json.dumps(run.manifest, ensure_ascii=False, indent=1, default=str)) for run in findings.runs],
        version=auditkit.__version__, level=f"{findings.confidence * 100:g} %", style=style, script=script,
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'",
    )  # fmt: skip


def _shown(section: Section, findings: Findings, figures: Sequence[Figure], folder: Path) -> list[Shown]:
    by_name = {figure.name: figure for figure in figures}
    out = []
    for block in section.blocks:
        figure = by_name.get(block.figure)
        frame = findings.tables[block.table] if block.table else None
        if figure is None and (frame is None or frame.empty):
            continue
        shown = Shown(figure.title if figure else block.title or charts_base.label(block.table), figure)
        if figure:
            groups: dict[str, list[Drawing]] = {}
            for drawing in figure.panels:
                groups.setdefault(drawing.group, []).append(drawing)
            shown.groups = list(groups.items())
            shown.files = {name: _link(path, folder) for name, path in figure.files.items()}
        table = block.table or (figure.table if figure else "")
        csv = folder / "tables" / f"{table}.csv"
        shown.csv = _link(csv, folder) if csv.is_file() else ""
        if frame is not None and not frame.empty and block.table != "examples":
            shown.table = view(block.table, frame, block.columns, block.about)
            shown.hidden = shown.table.total - len(shown.table.rows)
            shown.folded = figure is not None or len(shown.table.rows) > FOLDED
        elif block.table == "examples":
            shown.table = TableView("examples", TABLES["examples"].about, [], [], len(findings.tables["examples"]))
        out.append(shown)
    return out


def _link(path: Path, folder: Path) -> str:
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return path.resolve().as_uri()


def _examples(findings: Findings, replies: dict[str, Transcript]) -> list[dict[str, Any]]:
    """The flagged passages as text, each with the transcript that it is from, if the page has it."""
    rows = findings.tables["examples"].head(ROWS).to_dict("records")
    out = []
    for row in rows:
        clean = {key: "" if charts_base.missing(value) else value for key, value in row.items()}
        out.append({**clean, "kind": charts_base.label(clean["kind"]), "reply": replies.get(row["request_key"])})
    return out


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _dark() -> str:
    """Rules that turn the drawings' colours, which the files keep, into those of dark mode on a screen."""
    rules = "".join(
        f'.chart [{what}="{light}"]{{{what}:{dark}}}'
        for light, dark in charts_base.DARK.items()
        for what in ("fill", "stroke")
    )
    return f"\n@media screen and (prefers-color-scheme: dark){{{rules}}}\n"
