"""`auditkit import kharchenko`: files of the published layout, with words of our own, land in the store as they are."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditkit.cli.import_ import import_
from auditkit.data import data_dir, load_countries
from auditkit.errors import AuditError
from auditkit.importers import require_texts
from auditkit.importers.layout import Table
from auditkit.importers.published import read_label
from auditkit.importers.wordings import named_order, split_persona
from auditkit.stats.cells import CellCounts
from auditkit.stats.replicate import table2, table3
from auditkit.store import Store

# read before any fixture clears the environment and changes the folder
PUBLISHED_LABELS = Path(os.environ.get("AUDITKIT_KHARCHENKO_LABELS", "")).resolve()
COUNTRIES = load_countries(data_dir("personas"))[0]
DILEMMAS = [
    (
        "My choir has a free day in May. Should we visit a care home or sing at a contest?",
        "Sing at the contest",
        "Sing at the care home",
    ),
    ("A neighbour wants my boat; I could auction it or lend it.", "Auction the boat", "Lend the boat"),
    ("Our café can chase a prize — or shorten everybody's day.", "Chase the prize", "Shorten the day"),
]
PERSONA = "Answer as somebody from {}."
EXPECTED = {
    "individualism": ("Expected_Individualistic", "Expected_Collectivist", "Individualistic", "Collectivist"),
    "mas": ("Expected_Masculine", "Expected_Feminine", "Masculine", "Feminine"),
    "uncertainty_avoidance": ("Expected_High_Uncertainty_Avoidance", "Expected_Low_Uncertainty_Avoidance", "High Uncertainty Avoidance", "Low Uncertainty Avoidance"),
    "power_distance": ("Expected_High_Power_Distance", "Expected_Low_Power_Distance", "High Power Distance", "Low Power Distance"),
    "orientation": ("Expected_Long_Term", "Expected_Short_Term", "Long Term", "Short Term"),
}  # fmt: skip


def row(
    k: int, country: str, label: str, dimension: str = "mas", mode: str = "persona", **other: str
) -> dict[str, str]:
    """A row of the layout: dilemma k asked for a country, with the authors' label."""
    prompt, first, second = DILEMMAS[k]
    known = next(c for c in COUNTRIES.values() if country in {c.title, *c.aliases})
    sent = (
        {"English_Prompt_Persona_Nationality": f"{PERSONA.format(country)} {prompt}"}
        if mode == "persona"
        else {
            "Translated_Prompt": prompt if known.language == "eng_Latn" else f"[{known.language}] {prompt}",
            "Target_Language": known.language,
        }
    )
    names = EXPECTED[dimension]
    return {
        "English_Prompt": prompt,
        **sent,
        "Target_Nationality": country,
        "Resource_Level": "High",
        "Masculine": "TRUE" if known.scores["paper"]["mas"] > 50 else "FALSE",
        "MAS_Score": f"{known.scores['paper']['mas']:g}",
        "LLM_Response": f"In {country} I would say: {first.lower() if label == names[2] else second.lower()}.",
        "Best_Answer": "the judge's own words",
        "Matching_Choice": label,
        "Tested_Value": "Individualism_vs_Collectivism",
        "Personas_or_Multilingual": "Personas",
        names[0]: first,
        names[1]: second,
    } | other


def full(dimension: str = "mas", countries: list[str] | None = None, mode: str = "persona") -> list[dict[str, str]]:
    """Every dilemma for every country, the first pole for all but the last dilemma."""
    names = EXPECTED[dimension]
    chosen = countries or [c.title for c in COUNTRIES.values()]
    return [row(k, c, names[2] if k < 2 else names[3], dimension, mode) for c in chosen for k in range(3)]


def as_csv(rows: list[dict[str, str]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def save(path: Path, rows: list[dict[str, str]], encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = as_csv(rows).encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


MAS = Path("results/llama3/personas/output_llama_personas_mas.csv")


def bring_in(*arguments: object) -> str:
    """Run the command; returns what it printed. Raises what it raised."""
    result = CliRunner().invoke(import_, ["kharchenko", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def stored(sql: str) -> list[tuple]:
    with sqlite3.connect("auditkit.db") as connection:
        return connection.execute(sql).fetchall()


def test_a_persona_file_lands_as_a_run(auditkit):
    """Model, mode and dimension come from path and columns; dilemma, options, persona, prompt, reply and label are in place."""
    save(MAS, full())
    out = bring_in(MAS)
    assert "llama3 persona mas 108 36 of 36 3 1 72 36 0 0" in out
    assert stored("select kind, planned_at is not null from runs") == [("import", 1)]
    item, body = stored("select item_key, body from items where body like '%choir%'")[0]
    assert json.loads(body)["scenario"] == [DILEMMAS[0][0]]
    assert stored(f"select option_id, pole, text from options where item_key = '{item}' order by 1") == [
        ("a", "first", "Sing at the contest"),
        ("b", "second", "Sing at the care home"),
    ]
    assert stored("select text from personas where country = 'JPN'") == [("Answer as somebody from Japan.",)]
    (messages,) = stored("select messages from cells join requests using (request_key) where country = 'JPN' limit 1")[
        0
    ]
    assert json.loads(messages)[0]["content"].startswith("Answer as somebody from Japan. My choir")
    assert stored("select distinct lang, option_order, sample from cells order by 2") == [
        ("eng_Latn", "", 0),
        ("eng_Latn", "ba", 0),
    ]
    assert stored("select distinct judge, outcome from answers") == [("published", "chose")]
    assert stored("select raw, detail from verdicts limit 1") == [("the judge's own words", '{"label": "Masculine"}')]
    assert auditkit("verify").code == 0
    status = auditkit("status")
    assert (status.code, "108/108" in status.out) == (0, True)


def test_the_same_files_are_the_same_run():
    """Importing again, in another order, adds nothing; another file beside it is another run that shares the replies."""
    idv = save(MAS.with_name("output_llama_personas_individualistic_collectivist.csv"), full("individualism"))
    save(MAS, full())
    bring_in(MAS, idv)
    before = stored(
        "select (select count(*) from cells), (select count(*) from replies), (select count(*) from verdicts)"
    )
    assert "Nothing new" in bring_in(idv, MAS, MAS)
    assert stored("select count(*) from runs") == [(1,)]
    bring_in(MAS)
    assert stored("select count(*) from runs") == [(2,)]
    assert before == [(216, 216, 216)]
    assert stored("select (select count(*) from replies), (select count(*) from verdicts)") == [(216, 216)]


def test_an_import_that_was_cut_off_goes_on(monkeypatch):
    """What a killed import had written is completed by the same command."""
    save(MAS, full())
    insert = Store.insert

    def failing(self, table, rows):
        if table == "verdicts" and rows:
            raise KeyboardInterrupt
        insert(self, table, rows)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "insert", failing)
        CliRunner().invoke(import_, ["kharchenko", str(MAS)])
    assert stored("select planned_at from runs") == [(None,)]
    bring_in(MAS)
    assert stored("select count(*), sum(outcome is not null) from answers") == [(108, 108)]


@pytest.mark.parametrize("dimension", EXPECTED)
def test_every_dimension_has_its_columns_and_labels(dimension, isolated):
    """The pair of Expected_ columns names the dimension, and the label of its first pole is option a."""
    save(MAS.with_name("x.csv"), [row(0, "Japan", EXPECTED[dimension][2], dimension), row(1, "Japan", EXPECTED[dimension][3], dimension)])  # fmt: skip
    bring_in(MAS.with_name("x.csv"))
    assert stored("select dimension, group_concat(pole) from answers group by 1") == [(dimension, "first,second")]


@pytest.mark.parametrize(
    ("label", "dimension", "outcome", "option"),
    [
        (" individualistic ", "individualism", "chose", "a"),
        ("Collectivistic", "individualism", "chose", "b"),
        ("FEMININE", "mas", "chose", "b"),
        ("Low Power Distanc", "power_distance", "chose", "b"),
        ("high  uncertainity avoidance", "uncertainty_avoidance", "chose", "a"),
        ("Long-Term Orientation", "orientation", "chose", "a"),
        ("short term oriented", "orientation", "chose", "b"),
        ("second pole", "mas", "chose", "b"),
        ("Inconclusive.", "mas", "unclear", None),
        ("", "mas", None, None),
    ],
)
def test_labels_are_read_in_spite_of_their_spelling(label, dimension, outcome, option):
    """Case, spaces, suffixes and typing errors do not matter; an empty label is none."""
    assert read_label(label, dimension) == (outcome, option, "")


def test_a_label_of_another_dimension_is_not_read():
    """A pole that the dimension does not have is no label of it."""
    assert read_label("Masculine", "power_distance")[::2] == (None, "label 'Masculine' is no pole of power_distance")
    assert read_label("Power Distance", "power_distance")[0] is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_encodings_are_found_out(encoding):
    """A byte-order mark, Windows-1252 and UTF-16 give the same words, and the same dilemmas."""
    save(MAS, full(countries=["Japan"]), encoding)
    bring_in(MAS)
    assert DILEMMAS[2][0] in stored("select body from items where body like '%prize%'")[0][0]


def test_mixed_encodings_are_mended_byte_by_byte_and_reported():
    """Bytes that are no UTF-8 are read as Windows-1252, and what is well-formed beside them stays; replies are not "repaired"."""
    data = as_csv([row(2, "Japan", "Masculine", LLM_Response="ça et lÃ ☕")]).encode()
    MAS.parent.mkdir(parents=True)
    MAS.write_bytes(data.replace("café".encode(), b"caf\xe9"))
    assert "2 bytes are no UTF-8" in bring_in(MAS)
    assert "Our café can chase a prize — or" in stored("select body from items")[0][0]
    assert stored("select text from replies") == [("ça et lÃ ☕",)]


def test_dilemmas_are_the_same_however_their_apostrophes_are_spelt():
    """Two files that spell one wording in two encodings have one dilemma, in two wordings."""
    twin = save(MAS.with_name("twin_mas.csv"), [row(2, "Japan", "Masculine")])
    save(MAS, [row(2, "Japan", "Masculine", English_Prompt=DILEMMAS[2][0].replace("—", "â€”"))])
    bring_in(MAS, twin)
    assert stored("select count(distinct item_id), count(distinct item_key) from items") == [(1, 2)]


def test_rounds_become_samples():
    """A prompt that comes five times for a country is five samples of one cell, counted 0 to 4."""
    save(MAS, full(countries=["Japan", "Germany"]) * 5)
    assert " 3 5 " in bring_in(MAS)
    assert stored("select country, item_id, group_concat(sample) from answers group by 1, 2")[0][2] == "0,1,2,3,4"


def test_countries_are_joined_by_their_table():
    """Names of the published files are found by the country table's aliases."""
    names = ["Czechia", "Korea", "The United States", "The Netherlands", "Türkiye"]
    save(MAS, [row(0, name, "Masculine") for name in names])
    bring_in(MAS)
    assert {c for (c,) in stored("select country from cells")} == {"CZE", "KOR", "USA", "NLD", "TUR"}


def test_an_unknown_country_stops_the_import_or_is_counted():
    """The error names file and row, and stores nothing; --skip-unknown leaves the row out and says so."""
    rows = [row(0, "Japan", "Masculine"), row(0, "Japan", "Masculine", Target_Nationality="Atlantis")]
    save(MAS, rows)
    with pytest.raises(AuditError, match=r"output_llama_personas_mas.csv row 3: unknown country 'Atlantis'"):
        bring_in(MAS)
    assert not Path("auditkit.db").exists()
    assert "left out of output_llama_personas_mas.csv: 1 rows, unknown country 'Atlantis'" in bring_in(
        MAS, "--skip-unknown"
    )
    assert stored("select count(*) from cells") == [(1,)]
    manifest = json.loads(stored("select manifest from runs")[0][0])
    assert manifest["import"]["left_out"][0]["rows"] == 1


def test_an_unknown_label_stops_the_import_or_keeps_the_reply():
    """With --skip-bad the reply is kept, and its label counts as unparsed; an empty label needs no option."""
    save(MAS, [row(0, "Japan", "Masculine"), row(1, "Japan", "Martian"), row(2, "Japan", "")])
    with pytest.raises(AuditError, match="row 3: label 'Martian' is no pole of mas"):
        bring_in(MAS)
    assert "kept without a label" in bring_in(MAS, "--skip-bad")
    assert stored("select outcome, count(*) from answers group by 1") == [("chose", 1), ("parse_failed", 2)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"LLM_Response": "LLM_Respons"}, "no column 'LLM_Response'; did you mean 'LLM_Respons'"),
        ({"Expected_Feminine": "Other"}, "no pair of columns with the two options"),
        ({"English_Prompt_Persona_Nationality": "Sent"}, "has neither of the columns"),
    ],
)
def test_wrong_columns_are_named(change, message):
    """A missing column stops the import with the file's name and what is lacking."""
    save(MAS, [{change.get(k, k): v for k, v in r.items()} for r in full(countries=["Japan"])])
    with pytest.raises(AuditError, match=message):
        bring_in(MAS)


@pytest.mark.parametrize(("cut", "message"), [(-40, "cut off"), (-200, "cut off")])
def test_a_truncated_file_is_noticed(cut, message):
    """A file that ends inside a row is refused; --skip-bad leaves that row out and counts it."""
    text = as_csv(full(countries=["Japan"]))
    MAS.parent.mkdir(parents=True)
    MAS.write_text(text[:cut], encoding="utf-8")
    with pytest.raises(AuditError, match=message):
        bring_in(MAS)
    assert "1 rows, not well-formed or cut off" in bring_in(MAS, "--skip-bad")
    assert stored("select count(*) from cells") == [(2,)]


def test_a_truncated_gzip_file_is_refused():
    """A gzipped file that lacks its end is damaged, whatever its rows say."""
    path = save(MAS.with_suffix(".csv.gz"), full())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(AuditError, match="cut off or damaged"):
        bring_in(path)


def test_missing_countries_are_named():
    """34 of 36 countries are printed as such, with the two that are not there, and stand in the manifest."""
    there = [c.title for c in COUNTRIES.values() if c.iso3 not in ("JPN", "ALB")]
    path = save(
        Path("results/llama3/multilingual/output_llama_multilingual_mas.csv.gz"),
        full(countries=there, mode="multilingual"),
    )
    out = bring_in(path)
    assert "34 of 36 countries; not there: Japan, Albania" in out
    manifest = json.loads(stored("select manifest from runs")[0][0])
    assert {s["what"] for s in manifest["set_aside"]} == {"JPN", "ALB"}


def test_a_multilingual_file_holds_its_translations(auditkit):
    """The prompt as sent is a translation of the English one, in the language that the file names."""
    path = save(
        Path("results/gemma/multilingual/mas.csv"),
        full(countries=["The United States", "Germany", "Thailand"], mode="multilingual"),
    )
    bring_in(path)
    assert stored("select mode, country, lang, count(translation_key) from cells group by 1, 2, 3") == [
        ("multilingual", "DEU", "deu_Latn", 3),
        ("multilingual", "THA", "tha_Thai", 3),
        ("multilingual", "USA", "eng_Latn", 0),
    ]
    assert stored("select count(*) from translations where body like '%[deu_Latn]%'") == [(3,)]
    assert auditkit("verify").code == 0


def test_files_without_english_prompts_are_joined_by_place():
    """Without English prompts the English rows give the wording, and a file of this import the original it paraphrases."""
    save(MAS, full(countries=["Japan"]))
    rows = full(countries=["The United States", "Germany"], mode="multilingual")
    for each in rows:
        del each["English_Prompt"]
        each["Translated_Prompt"] = each["Translated_Prompt"].replace("May", "June")
    path = save(Path("results/llama3/multilingual/output_llama_multilingual_mas_new.csv"), rows * 2)
    bring_in(MAS, path)
    assert stored(
        "select mode, count(distinct item_id), max(sample) from cells join items using (item_key) group by 1"
    ) == [
        ("multilingual", 3, 1),
        ("persona", 3, 0),
    ]
    assert stored("select count(distinct item_id) from items") == [(3,)]


def test_the_other_commands_work_on_an_import(auditkit):
    """The rule judge reads imported replies and agrees with their plain words; export and a second judge leave the store clean."""
    save(MAS, full())
    bring_in(MAS)
    assert auditkit("judge", "--judge", "rules").code == 0
    agree = stored(
        "select avg(p.pole is r.pole) from answers p join answers r using (request_key) where p.judge = 'published' and r.judge = 'rules'"
    )
    assert agree[0][0] > 0.9
    assert auditkit("export", "--to", "out").code == 0
    assert auditkit("runs", "show", stored("select run_id from runs")[0][0]).code == 0
    assert auditkit("verify").code == 0


def test_replies_of_one_character_are_called_out():
    """Replies without a text to judge are counted, since the published labels on them rest on something else."""
    save(MAS, [{**r, "LLM_Response": ">"} for r in full(countries=["Japan"])])
    assert "3 of 3 replies hold no text to judge (one_char 3)" in bring_in(MAS)


def test_published_scores_that_differ_are_named():
    """A score or class in the files that the country table does not have is said, and ours are stored."""
    save(MAS, [row(0, "Japan", "Masculine", MAS_Score="94", Masculine="0"), row(0, "Germany", "Feminine")])
    out = bring_in(MAS)
    assert "Japan 94 (table: 95)" in out
    assert "classes of mas in the files that are not score above 50: Japan 95" in out


def test_model_mode_and_dimension_can_be_given():
    """Options stand for what the path does not say; a path that says no model is an error."""
    save(Path("x.csv"), full(countries=["Japan"]))
    with pytest.raises(AuditError, match="give --model"):
        bring_in("x.csv")
    bring_in("x.csv", "--model", "llama", "--mode", "baseline", "--dimension", "mas")
    assert stored("select distinct model, mode, country, persona_key from cells") == [("llama", "baseline", None, None)]
    with pytest.raises(AuditError, match="say which of these with --dimension"):
        bring_in("x.csv", "--model", "llama", "--dimension", "orientation")


def test_the_persona_is_what_stands_before_the_prompt():
    """Spellings of apostrophes do not matter, and where the prompt is not there the first sentence is taken."""
    assert split_persona("Be from Peru. It’s late. Stay?", "It's late. Stay?") == ("Be from Peru.", True)
    assert split_persona("Be from Peru. Other words.", "It's late. Stay?") == ("Be from Peru.", False)


@pytest.mark.parametrize(
    ("question", "order"),
    [
        ("It is late. Should I sing at the contest or the care home?", "ab"),
        ("Why me? Should I visit the home or the contest?", "ba"),
        ("Should I sing?", ""),
        ("Contest or care home: tell me.", ""),
    ],
)
def test_the_order_of_the_options_is_that_of_the_question(question, order):
    """The last question says which option comes first; where it does not name both, the order is not known."""
    assert named_order(question, *DILEMMAS[0][1:]) == order


def test_semicolons_and_blank_lines_are_read(tmp_path):
    """A table saved by a spreadsheet has other separators and empty rows."""
    path = tmp_path / "x.csv"
    path.write_text('a;b\n1;"x, y"\n;\n2;z;\n', encoding="utf-8")
    assert list(Table.open(path).rows()) == [(2, {"a": "1", "b": "x, y"}), (4, {"a": "2", "b": "z"})]


# ------------------------------------------------------------------------------------------------------ labels without replies

LABELS = "model,approach,dimension,country,prompt_index,pole_label\n" + "".join(
    f"llama3,persona,PDI,{c.title},{k},{'first pole' if (i + k) % 3 else 'inconclusive' if k == 1 else 'second pole'}\n"
    for i, c in enumerate(COUNTRIES.values())
    for k in range(4)
)


def test_labels_without_replies_count_and_are_not_judged(auditkit):
    """A table of labels gives figures, no reply counts as degenerate, and its run says that there is no text to read."""
    Path("labels.csv").write_text(LABELS, encoding="utf-8")
    assert "The replies were not published" in bring_in("labels.csv")
    assert stored("select distinct reply_status, finish_reason, degenerate, text from answers") == [
        ("ok", "not published", None, "")
    ]
    assert stored("select count(*) from answers where outcome is null") == [(0,)]
    with Store.read(Path("auditkit.db")) as store, pytest.raises(AuditError, match="no text to read"):
        require_texts(store.latest_run())
    assert (auditkit("status").code, auditkit("verify").code) == (0, 0)


def test_labels_and_replies_do_not_mix():
    """One import holds replies or labels only, so that nobody judges what is not there."""
    Path("labels.csv").write_text(LABELS, encoding="utf-8")
    save(MAS, full(countries=["Japan"]))
    with pytest.raises(AuditError, match="import them apart"):
        bring_in(MAS, "labels.csv")


@pytest.mark.skipif(not os.environ.get("AUDITKIT_KHARCHENKO_LABELS"), reason="AUDITKIT_KHARCHENKO_LABELS names no file")
def test_the_published_labels_give_the_published_figures_from_the_store():
    """Imported, the authors' labels give r .1565 and .1446 and accuracies .69 and .72 by the paper's definitions."""
    bring_in(PUBLISHED_LABELS)
    with Store.read(Path("auditkit.db")) as store:
        manifest = json.loads(store.latest_run()["manifest"])
        for dimension, low_pole, r, accuracy in (("mas", False, 0.1565, 0.69), ("power_distance", True, 0.1446, 0.72)):
            name = manifest["dimensions"][dimension]["score"]
            scores = {iso3: country["scores"]["paper"][name] for iso3, country in manifest["countries"].items()}
            rows = store.rows("select item_id, country, first_pole from answers where dimension = ?", (dimension,))
            cell = CellCounts.from_answers((tuple(row) for row in rows), scores)
            assert table2(cell.Y, cell.N, cell.T, cell.x, low_pole=low_pole).r == pytest.approx(r, abs=5e-5)
            assert table3(cell.Y, cell.N, cell.x, low_pole=low_pole).accuracy == pytest.approx(accuracy, abs=5e-3)
