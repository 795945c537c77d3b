"""What a report writes for papers: CSV that equals the frames, LaTeX that holds together, a paragraph with the runs' numbers."""

from __future__ import annotations

import csv
import json
import re

import pytest

pd = pytest.importorskip("pandas")

from report_stores import add_judge, answers, calibrate, found, run

from auditkit.export.files import unguard
from auditkit.report import bibliography, latex, prose, tables
from auditkit.report.columns import frame
from auditkit.report.findings import Findings, RunInfo
from auditkit.report.settings import Settings


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """Two models, three modes, two dimensions, one judge that failed on half of it."""
    db = tmp_path_factory.mktemp("tables") / "a.db"
    run_id = run(
        db, "-d", "individualism", "-d", "mas", "--core", "-m", "baseline", "-m", "persona", "-m", "multilingual",
        "--model", "mock/coin?p=0.6", "--model", "mock/second", "--limit", "1500",
    )  # fmt: skip
    readings = [(k, "", "refused", None) for (k,) in answers(db, run_id, "request_key", "mode = 'persona'")]
    add_judge(db, run_id, "=stance@x", dict.fromkeys(readings), orders=("",))
    return found(db, replicate=True)


def made_up(**changes) -> Findings:
    """Findings without a row, of one run of a model that is no mock."""
    from auditkit.report.columns import TABLES

    models = [{"name": "openai/gpt_x-1", "provider": "openai", "model": "gpt_x-1", "revision": "2026-05"}]
    manifest = {"spec": {"models": models, "samples": 1, "orders": "both"}, "editions": {"cf": "A tool."}}
    fields = {
        "runs": [RunInfo("r1:abc", "auditkit run", "2026-05-04T00:00:00.000+00:00", "audit", manifest, ())],
        "edition": "paper", "confidence": 0.95, "family": "All cells.", "primary_judge": "rules",
        "tables": {name: frame(name, []) for name in TABLES}, "notes": [],
    }  # fmt: skip
    return Findings(**{**fields, **changes})


# ---------------------------------------------------------------------------------------------------------------- CSV


def test_csv_equals_the_frames(findings, tmp_path):
    """Every table is a CSV file whose every cell reads back as the frame's, missing values as empty cells."""
    paths = tables.write(findings, tmp_path)
    assert [path.stem for path in paths] == list(findings.tables)
    for path in paths:
        table = findings.tables[path.stem]
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            head, *body = csv.reader(stream)
        assert head == list(table.columns)
        assert len(body) == len(table)
        for cells, (_, row) in zip(body, table.iterrows(), strict=True):
            for cell, value in zip(cells, row, strict=True):
                if isinstance(value, str):
                    assert unguard(cell) == value
                elif pd.isna(value):
                    assert not cell
                else:
                    assert cell == str(value) or float(cell) == value
        assert "nan" not in path.read_text(encoding="utf-8-sig").lower().replace("governance", "").split(",")


def test_csv_guards_against_formulas(findings, tmp_path):
    """Text that a spreadsheet would run is guarded, as in an export."""
    tables.write(findings, tmp_path)
    text = (tmp_path / "judges.csv").read_text(encoding="utf-8-sig")
    assert "'=stance@x" in text
    assert "\n=stance@x" not in text


# -------------------------------------------------------------------------------------------------------------- LaTeX


def check_latex(text: str) -> None:
    """Structure that pdflatex would refuse: braces, environments, cells a row, characters that need a backslash."""
    bare = re.sub(r"\\[\\{}&%$#_]", "", text)
    assert bare.count("{") == bare.count("}")
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        opened.append(name) if kind == "begin" else None
        assert kind == "begin" or opened.pop() == name
    assert not opened
    assert bare.count("$") % 2 == 0
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)
    if columns:
        body = text[columns.end() : text.index(r"\end{tabular}")]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert rows
        assert {re.sub(r"\\&", "", line).count("&") for line in rows} == {len(columns[1]) - 1}
        for line in rows:
            assert not re.search(r"(?<!\\)[%#_^~]", line), line


def test_latex_tables_hold_together(findings, tmp_path):
    """Each table is a booktabs table with as many cells a row as columns, and text escaped."""
    paths = latex.write(findings, tmp_path)
    assert [p.name for p in paths] == [
        "alignment.tex",
        "preference.tex",
        "classification.tex",
        "replication.tex",
        "left_out.tex",
    ]
    for path in paths:
        text = path.read_text(encoding="utf-8")
        check_latex(text)
        assert all(
            rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{", r"\label{tab:auditkit-")
        )
        assert "nan" not in text
    assert "mock/coin?p=0.6" in (tmp_path / "alignment.tex").read_text(encoding="utf-8")


def test_latex_figures_are_those_of_the_frames(findings, tmp_path):
    """The r, interval and dimension of a cell stand where a reader looks for them."""
    latex.write(findings, tmp_path)
    lines = (tmp_path / "alignment.tex").read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("mock/coin"))
    heads = next(line for line in lines if line.startswith("Model")).removesuffix(r" \\").split(" & ")
    table = findings.tables["alignment"]
    mine = table[(table["judge"] == findings.primary_judge) & (table["model"] == "mock/coin?p=0.6")]
    mode = lines[at].split(" & ")[1]
    for name, title in (("individualism", "Individualism"), ("mas", findings.dimensions["mas"]["title"])):
        row = mine[(mine["mode"] == mode) & (mine["dimension"] == name)].iloc[0]
        column = heads.index(title)
        assert lines[at].removesuffix(r" \\").split(" & ")[column].rstrip("*") == latex.number(row["r"])
        assert (
            lines[at + 1].removesuffix(r" \\").split(" & ")[column]
            == f"[{latex.number(row['r_low'])}, {latex.number(row['r_high'])}]"
        )


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.126, "0.13"), (-0.126, "$-$0.13"), (-0.001, "0.00"), (float("nan"), "--"), (None, "--"), (1.0, "1.00")],
)
def test_numbers(value, shown):
    """Numbers have two decimals and a real minus sign, never a negative zero, and a dash where there is none."""
    assert latex.number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.0004, r"$<$.001"), (0.0213, ".021"), (1.0, "1.000"), (None, "--")])
def test_p_values(value, shown):
    """A p value has three decimals and is never said to be 0."""
    assert latex.p_value(value) == shown


def test_escape_covers_every_special_character():
    """Text with every character that LaTeX takes for its own comes out with none of them bare."""
    escaped = latex.escape("\\ & % $ # _ { } ~ ^ < > |")
    assert not re.search(r"(?<!\\)[&%$#_]", escaped)
    check_latex(escaped)


def test_no_rows_no_table(tmp_path):
    """A table without rows is not written."""
    assert latex.write(made_up(), tmp_path) == []


# -------------------------------------------------------------------------------------------------------------- prose


def test_methods_have_the_numbers_of_the_runs(findings):
    """The paragraph counts models, dilemmas, countries, requests and what took a side, and names judge, standing and edition."""
    text = prose.methods(findings)
    table = findings.tables["left_out"]
    mine = table[table["judge"] == findings.primary_judge]
    for part in (
        "mock/coin?p=0.6 and mock/second", "20 dilemmas", "36 countries", f"{mine['asked'].sum():,} requests",
        f"Of {mine['answered'].sum():,} answers, {mine['usable'].sum():,} ", f"read by {findings.primary_judge} (", "exploratory",
        "edition paper [@hofstedeinsights2024]", findings.family, "seed 20240601", "95 %", "only show that the pipeline works",
        findings.runs[0].run_id,
    ):  # fmt: skip
        assert part in text, part
    assert "nan" not in text.split()
    assert "\n" not in text


def test_methods_quote_a_calibration(tmp_path):
    """A calibrated judge is quoted with its kappa and limits, and what was left out by outcome."""
    db = tmp_path / "a.db"
    run_id = run(db, "-d", "mas", "--core", "-m", "persona", "--model", "mock/coin", "--limit", "100")
    outcomes = [("chose", "a"), ("chose", "b"), ("refused", None), ("both", None)]
    readings = [(k, "", *outcomes[n % 4]) for n, (k,) in enumerate(answers(db, run_id, "request_key"))]
    key = add_judge(db, run_id, "stance@x/y", readings, orders=("",))
    calibrate(db, key, kappa=(0.81, 0.72, 0.9, 150))
    text = prose.methods(found(db))
    assert "kappa of 0.81 [0.72, 0.90] and passed its gate" in text
    assert (
        "Of 100 answers, 50 (50.0%) took a side; left out of the shares: 25 recommended both options and 25 refused."
        in text
    )
    assert "The same replies were read by rules." in text


def test_methods_without_anything_asked():
    """Runs that asked nothing give a paragraph that says so."""
    assert "asked nothing" in prose.methods(made_up())


def test_methods_in_latex(findings):
    """The LaTeX paragraph has citations as commands and everything else escaped."""
    text = prose.methods_latex(findings)
    assert r"~\cite{kharchenko2024}" in text
    assert "[@" not in text
    check_latex(text)


@pytest.mark.parametrize(
    ("parts", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_in_prose(parts, text):
    """One, two or more things are listed as in a sentence."""
    assert prose.listed(parts) == text


# ------------------------------------------------------------------------------------------------------- bibliography


def test_every_citation_has_an_entry(findings, tmp_path):
    """What the paragraph cites stands in references.bib, each entry once and with balanced braces."""
    text = bibliography.write(tmp_path, findings).read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),$", text, re.MULTILINE)
    assert len(keys) == len(set(keys))
    assert set(re.findall(r"@([\w.-]+)\]", prose.methods(findings))) <= set(keys)
    assert text.count("{") == text.count("}")
    assert "Kharchenko, Julia and Roosta, Tanya and Chadha, Aman and Shah, Chirag" in text


def test_mocks_are_not_cited_and_models_are(findings):
    """A scripted model is no source; a real one has an entry with its revision and the date of its replies."""
    assert not any(key.startswith("model-") for key in bibliography.entries(findings))
    kind, fields = bibliography.entries(made_up())["model-openai-gpt-x-1"]
    assert kind == "misc"
    assert (fields["year"], fields["title"]) == ("2026", r"{gpt\_x-1}")
    assert "2026-05-04, revision 2026-05" in fields["note"]


@pytest.mark.parametrize(
    ("changes", "key", "there"),
    [
        ({"edition": "cf"}, "culturefactor", True),
        ({"edition": "2015"}, "hofstede2015", True),
        ({"edition": "mine"}, "hofstedeinsights2024", False),
        ({"translators": ("nllb:facebook/nllb-200-3.3B",)}, "nllb2022", True),
        ({"translators": ("reference",)}, "nllb2022", False),
    ],
)
def test_what_was_used_is_cited(changes, key, there):
    """The edition of the scores and NLLB are cited where they were used, and only there."""
    assert (key in bibliography.entries(made_up(**changes))) is there


def test_transcripts_are_lines_of_json(tmp_path):
    """Every reply that an example comes from is one line with its request key."""
    path = tmp_path / "examples.jsonl"
    tables.write_transcripts(
        made_up(transcripts={"k1:a": {"reply": "Größe\n", "prompt": "?"}}, settings=Settings()), path
    )
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {"request_key": "k1:a", "reply": "Größe\n", "prompt": "?"}
    ]
