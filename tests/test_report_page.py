from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("jinja2")
pytest.importorskip("vl_convert")

import browser
import pandas as pd
import report_fixture

from auditkit.report import figures, page
from auditkit.report.columns import frame
from auditkit.report.transcripts import pieces, transcripts
from auditkit.report.verdict import verdicts

EVIL = '<img src=x onerror="alert(1)">'
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Words(HTMLParser):
    """What a reader sees or hears: text and labels, without style, script and the drawings' geometry."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.found: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.found += [value or "" for name, value in attrs if name in ("aria-label", "title", "alt")]
        if tag not in VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self.inside):
            self.found.append(data)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A report as the command lays it out: page, figures, tables."""
    found = report_fixture.made_up(dimensions=2)
    folder = tmp_path_factory.mktemp("report")
    drawn = figures.draw(found, folder / "figures", ["svg"])
    (folder / "tables").mkdir()
    for name, table in found.tables.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False, encoding="utf-8-sig")
    page.write(found, drawn, folder / "index.html", "One paragraph.\n\nAnother.", "@article{key, title = {A title}}")
    return folder


@pytest.fixture(scope="module")
def text(place):
    return (place / "index.html").read_text(encoding="utf-8")


def words(text: str) -> str:
    return " ".join(Words(text).found)


def assert_no_holes(text: str) -> None:
    assert not re.findall(r"\b(?:nan|NaN|None|NaT|undefined|inf)\b|<NA>|&lt;NA&gt;", words(text))


def test_page_asks_for_nothing(text):
    """No tag of the page loads anything, and its policy forbids connections and allows its own style and script only."""
    tags = Words(text).tags
    assert not [tag for tag, _ in tags if tag in {"link", "img", "iframe", "object", "embed", "form", "base"}]
    assert not [a for _, a in tags if {"src", "srcset", "background", "style", "onclick", "onload"} & set(a)]
    policy = next(a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for kind in ("style", "script"):
        content = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)[1]
        assert "http" not in content
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_links_lead_to_files_and_places_that_exist(place, text):
    """Every relative link is a file beside the page, every fragment an element of it."""
    tags = Words(text).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"] for tag, a in tags if tag == "a"]
    assert len(links) > 30
    for link in links:
        assert link[1:] in ids if link.startswith("#") else (place / link).is_file(), link


def test_sections_stand_in_the_order_of_the_methods(text):
    """Validity, differentiation, alignment, preference, then the rest; warnings come before all."""
    order = [a["id"] for tag, a in Words(text).tags if tag == "section"]
    assert order == [
        "found", "validity", "differentiation", "alignment", "preference", "culture", "judges", "replication", "about",
    ]  # fmt: skip
    assert text.index("Read this first") < text.index('class="cards"')


def test_text_of_replies_is_data(text):
    """Markup in a reply is shown as text, marked where it was flagged, with its own direction."""
    assert "<script>alert(1)" not in text
    assert "<mark>Opa! &lt;script&gt;alert(1)&lt;/script&gt;</mark>" in text
    assert '<blockquote dir="auto">مادربزرگم می‌گفت: <mark>«درخت صبر همیشه شیرین است»</mark>' in text


def test_names_are_data_too(tmp_path):
    """A model, country, note or command that holds markup does not become markup, in tables, drawings or headings."""
    found = report_fixture.made_up(dimensions=1, countries=5)
    tables = {
        name: table.replace({report_fixture.MODELS[0]: EVIL, "Germany": EVIL}) for name, table in found.tables.items()
    }
    evil = report_fixture.findings(tables, [EVIL])
    page.write(evil, figures.draw(evil, tmp_path, ["svg"]), tmp_path / "p.html", EVIL, EVIL)
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<img" not in text
    assert EVIL in words(text)


def test_a_whole_page_has_no_holes(text):
    """Missing values are empty: nowhere does the page say nan, None or undefined."""
    assert_no_holes(text)


DEGENERATE = {
    "nothing at all": report_fixture.empty_findings,
    "one country": lambda: report_fixture.made_up(dimensions=1, countries=1),
    "two countries": lambda: report_fixture.made_up(dimensions=1, countries=2),
}


@pytest.mark.parametrize("make", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_findings_give_a_page_that_says_so(make, tmp_path):
    """Where nothing can be said the page says that nothing can be said, without holes."""
    found = make()
    page.write(found, figures.draw(found, tmp_path, ["svg"]), tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert_no_holes(text)
    assert "No verdict" in text or "there is nothing to say" in text
    if not len(found.tables["alignment"]):
        assert "No correlation can be given." in text


def test_nothing_judged_is_said(tmp_path):
    """A run that was asked and answered, but not judged, has no verdict and says why."""
    row = dict.fromkeys(page.TABLES["left_out"].columns, 0)
    row |= {
        "model": "m",
        "mode": "persona",
        "dimension": "mas",
        "judge": "",
        "asked": 40,
        "answered": 40,
        "not_judged": 40,
    }
    tables = dict(report_fixture.empty_findings().tables) | {"left_out": frame("left_out", [row])}
    found = report_fixture.findings(tables, [])
    (verdict,) = verdicts(found)
    assert verdict.headline == "No verdict: no answer has been judged usable."
    assert_no_holes(page.render(found, [], tmp_path))


# ------------------------------------------------------------------------------------------------- the verdict


def verdict_of(*cells: dict[str, float | str | None]):
    """The verdict on one model with these cells; what a cell does not say is made up."""
    rows = []
    for number, cell in enumerate(cells):
        usual = {
            "model": "m", "mode": "persona", "dimension": f"trait_{number}", "judge": "j", "n_countries": 36, "gate": "", "note": "",
            "alpha": 0.7, "q_p": 0.01,
        }  # fmt: skip
        rows.append(usual | cell)
    tables = dict(report_fixture.empty_findings().tables) | {"alignment": frame("alignment", rows)}
    (verdict,) = verdicts(report_fixture.findings(tables, []))
    return verdict


def cell(r: float, low: float, high: float, holm: float) -> dict[str, float]:
    return {"r": r, "r_low": low, "r_high": high, "p_holm": holm}


def test_a_wide_interval_is_no_evidence_not_evidence_of_no():
    """Where no cell is firm and intervals are wide, the verdict claims neither a link nor that there is none."""
    verdict = verdict_of(cell(0.2, -0.15, 0.5, 0.6), cell(0.0, -0.33, 0.33, 1.0))
    assert verdict.tone == "open"
    assert verdict.headline.startswith("No evidence that differences between countries follow")
    assert any(line.startswith("This is not evidence of no link") and "−0.33 to 0.50" in line for line in verdict.sure)


def test_narrow_intervals_round_zero_are_evidence_of_weakness():
    """Only where every interval lies within .3 of zero is a link called weak."""
    assert verdict_of(cell(0.02, -0.2, 0.22, 1.0), cell(0.05, -0.1, 0.29, 1.0)).tone == "weak"
    assert verdict_of(cell(0.02, -0.2, 0.22, 1.0), cell(0.05, -0.1, 0.31, 1.0)).tone == "open"


@pytest.mark.parametrize(
    ("cells", "tone", "said"),
    [
        ([cell(0.6, 0.4, 0.8, 0.01)], "follows", "follow Hofstede's scores in the only cell (trait 0, persona)"),
        ([cell(0.6, 0.4, 0.8, 0.01), cell(0.3, 0.01, 0.5, 0.2)], "follows", "in 1 of 2 cells"),
        (
            [cell(-0.6, -0.8, -0.4, 0.01), cell(0.1, -0.2, 0.4, 1.0)],
            "against",
            "run against Hofstede's scores in 1 of 2",
        ),
        ([cell(0.6, 0.4, 0.8, 0.01), cell(-0.6, -0.8, -0.4, 0.01)], "both", "run against them in 1 (trait 1, persona)"),
        ([{"gate": "too many refusals"}], "none", "none allows a correlation"),
    ],
)
def test_the_headline_follows_holm(cells, tone, said):
    """A claim is made where Holm's p is below .05, in the direction of r, and nowhere else."""
    verdict = verdict_of(*cells)
    assert verdict.tone == tone
    assert said in verdict.headline


def test_what_is_missing_is_said():
    """A cell without r is named with its reason; a reliability below .3 is called noise."""
    verdict = verdict_of({"gate": "too many refusals"}, cell(0.2, -0.1, 0.5, 0.4) | {"alpha": 0.1})
    assert verdict.missing == ["No r for 1 cell (trait 0, persona): too many refusals."]
    assert any("mostly noise" in line for line in verdict.sure)


def test_models_that_prove_the_pipeline_are_no_result(text):
    """The card of a mock or embedded model says so before any figure; the other card does not."""
    found = report_fixture.made_up(dimensions=1)
    assert [verdict.pipeline for verdict in verdicts(found)] == [False, True]
    assert text.count("No result: a mock or embedded model") == 1


# ------------------------------------------------------------------------------------------------- transcripts


def test_replies_are_cut_without_loss():
    """The pieces of a reply are the reply; overlapping passages become one, repeated ones are all marked."""
    text = "tea and tea with honey"
    cut = pieces(text, ["tea", "a with ho", ""])
    assert "".join(part for part, _ in cut) == text
    assert [part for part, marked in cut if marked] == ["tea", "tea with ho"]
    assert pieces("", ["x"]) == []


def test_a_reply_is_shown_once_however_many_passages_it_holds():
    """Examples of one reply share its transcript; an example whose reply is not there has none."""
    found = report_fixture.made_up(dimensions=1, countries=2)
    rows = found.tables["examples"]
    doubled = pd.concat([rows, rows.head(1).assign(evidence="family")], ignore_index=True)
    more = pd.concat([doubled, rows.head(1).assign(request_key="elsewhere")], ignore_index=True)
    found = report_fixture.findings(dict(found.tables) | {"examples": more}, [], transcripts=dict(found.transcripts))
    replies = transcripts(found)
    assert len(replies) == 4
    assert [part for part, marked in replies["made-up-0"].pieces if marked] == ["a cup of masala chai", "family"]


# --------------------------------------------------------------------------------------------- a real browser

PROBE = """(() => {
  const tables = [...document.querySelectorAll("table")].map((table) => ({
    name: table.dataset.table,
    columns: [...table.tHead.rows[0].cells].map((cell) => (cell.dataset.columns || "").split(" ")),
    rows: [...table.tBodies[0].rows].map((row) =>
      [...row.cells].map((cell) => [cell.dataset.value ?? null, cell.dataset.low ?? null, cell.dataset.high ?? null])),
  }));
  const charts = [...document.querySelectorAll(".chart svg")].map((svg) => {
    for (let up = svg; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
    const box = svg.getBoundingClientRect();
    return { width: box.width, height: box.height, marks: svg.querySelectorAll(".role-mark > *").length };
  });
  document.querySelector('table[data-table="preference"] th[data-columns^="share"] button').click();
  const sorted = [...document.querySelectorAll('table[data-table="preference"] tbody tr')].map((row) => Number(
    row.querySelector("td[data-low]").dataset.value));
  return { tables, charts, sorted, wide: document.documentElement.scrollWidth, view: window.innerWidth,
    ground: getComputedStyle(document.body).backgroundColor };
})()"""


async def look(path: Path, profile: Path, width: int, scheme: str) -> tuple[dict, list[str], list[dict]]:
    """What PROBE says of a page opened from disk, what the page asked for, and what the browser complained about."""
    async with browser.opened(path, profile, width, scheme) as tab:
        result = await tab.ask("Runtime.evaluate", expression=PROBE, returnByValue=True)
        return result["result"]["value"], tab.requests(), tab.complaints()


@pytest.mark.skipif(browser.CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1400, "dark")])
def test_a_browser_draws_the_page_from_disk(place, tmp_path, width, scheme):
    """In Chromium: no complaint, no request, every chart drawn, no sideways scrolling, tables equal to the CSV files, sorting."""
    pytest.importorskip("aiohttp")
    path = place / "index.html"
    seen, requests, complaints = asyncio.run(look(path, tmp_path / "profile", width, scheme))
    assert complaints == []
    assert requests == [path.as_uri()]
    assert seen["wide"] <= seen["view"] == width
    assert (seen["ground"] == "rgb(13, 17, 23)") == (scheme == "dark")
    assert len(seen["charts"]) > 20
    assert all(min(chart["width"], chart["height"]) > 80 and chart["marks"] > 0 for chart in seen["charts"])
    assert all(chart["width"] <= width - 20 for chart in seen["charts"])
    assert seen["sorted"] == sorted(seen["sorted"])
    compared = 0
    for table in seen["tables"]:
        csv = pd.read_csv(place / "tables" / f"{table['name']}.csv", encoding="utf-8-sig")
        for place_in_row, names in enumerate(table["columns"]):
            for which, name in enumerate(names):
                shown = [row[place_in_row][which] for row in table["rows"]]
                if not name or any(value is None for value in shown) or not pd.api.types.is_numeric_dtype(csv[name]):
                    continue
                exact = [float(value) if value else None for value in shown]
                assert exact == [None if pd.isna(v) else v for v in csv[name].head(len(shown))], (table["name"], name)
                compared += len(shown)
    assert compared > 1000
