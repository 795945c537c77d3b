"""`auditkit import csv`: any long table, by a map of its columns."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditkit.cli.import_ import import_
from auditkit.errors import AuditError
from auditkit.importers.long_table import FIELDS, example

MAP = """
source = "study"
[columns]
country = "Country"
item = "q"
scenario = "dilemma"
prompt = "sent"
reply = "answer"
label = "said"
[constants]
model = "m"
mode = "persona"
dimension = "individualism"
option_a = "Go alone"
option_b = "Go together"
[label_values]
A = "first"
B = "second"
"?" = "unclear"
"""
TABLE = """Country,q,dilemma,sent,answer,said
Japan,q1,Go alone or together?,I live in Japan. Go alone or together?,Go together.,B
JP,q1,Go alone or together?,I live in Japan. Go alone or together?,Go alone.,A
Germany,q1,Go alone or together?,I live in Germany. Go alone or together?,Hm.,?
"""


def bring_in(table: str = TABLE, map_: str = MAP, *options: str) -> str:
    Path("t.csv").write_text(table, encoding="utf-8")
    Path("map.toml").write_text(map_, encoding="utf-8")
    result = CliRunner().invoke(import_, ["csv", "t.csv", "--map", "map.toml", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def stored(sql: str) -> list[tuple]:
    with sqlite3.connect("auditkit.db") as connection:
        return connection.execute(sql).fetchall()


def test_a_table_lands_by_its_map(auditkit):
    """Columns, constants and label values give cells, personas, options and published labels; the store stays clean."""
    assert "m persona individualism 3 2 of 36 1 2 1 1 1 0" in bring_in()
    assert stored("select country, sample, outcome, pole from answers order by position") == [
        ("JPN", 0, "chose", "second"),
        ("JPN", 1, "chose", "first"),
        ("DEU", 0, "unclear", None),
    ]
    assert stored("select text from personas order by 1") == [("I live in Germany.",), ("I live in Japan.",)]
    assert stored("select option_id, text from options") == [("a", "Go alone"), ("b", "Go together")]
    assert stored("select distinct name, kind, json_extract(config, '$.source') from judges") == [
        ("published", "published", "study")
    ]
    assert auditkit("verify").code == 0
    assert auditkit("judge", "--judge", "rules").code == 0
    assert "Nothing new" in bring_in()


def test_a_map_says_what_values_mean():
    """Values of any column can be renamed, samples can be given, and a template of ours brings its sentence."""
    map_ = MAP.replace('mode = "persona"\n', "").replace(
        'country = "Country"', 'country = "Country"\nmode = "how"\nsample = "n"\ntemplate = "t"'
    )
    table = (
        "Country,q,dilemma,sent,answer,said,how,n,t\nJapan,q1,One?,,Yes.,A,P,3,residence\n,q1,One?,One?,No.,B,none,0,\n"
    )
    bring_in(table, map_ + '[values.mode]\nP = "persona"\nnone = "baseline"\n')
    assert stored("select mode, country, sample from cells order by position") == [
        ("persona", "JPN", 3),
        ("baseline", None, 0),
    ]
    assert stored("select template_id, strength, text from personas") == [
        ("residence", "residence", "I live in Japan.")
    ]


def test_multilingual_rows_keep_the_english_wording_beside_the_translation(auditkit):
    """The language is the country's unless a column names it, and the prompt is a translation of the scenario."""
    map_ = MAP.replace('mode = "persona"', 'mode = "multilingual"')
    bring_in("Country,q,dilemma,sent,answer,said\nGermany,q1,Alone?,Allein?,Ja.,A\n", map_)
    assert stored("select lang, json_extract(t.body, '$.scenario[0]'), json_extract(i.body, '$.scenario[0]') from cells"
                  " join translations t using (translation_key, lang) join items i on i.item_key = t.item_key") == [("deu_Latn", "Allein?", "Alone?")]  # fmt: skip
    assert auditkit("verify").code == 0


def test_labels_alone_need_no_options():
    """Without a column of replies the poles' names stand for the options."""
    map_ = '[columns]\ncountry = "c"\nitem = "q"\nlabel = "l"\n[constants]\nmodel = "m"\nmode = "persona"\ndimension = "mas"\n'
    assert "The replies were not published" in bring_in("c,q,l\nJapan,1,first\nJapan,2,refused\n", map_)
    assert stored("select outcome, reply_status from answers order by 1") == [("chose", "ok"), ("refused", "ok")]
    assert stored("select text from options where option_id = 'a' limit 1") == [("high MAS",)]


def test_the_example_is_a_map():
    """What --example prints can be read, and names every field."""
    result = CliRunner().invoke(import_, ["csv", "--example"])
    assert (result.exit_code, result.output) == (0, example())
    assert {*tomllib.loads(example())["columns"], *tomllib.loads(example())["constants"]} <= set(FIELDS)
    assert all(name in example() for name in FIELDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("item =", "itme ="), r"\[columns\]: unknown field 'itme'; did you mean 'item'"),
        (('"answer"', '"answr"'), "no column 'answr'; did you mean 'answer'"),
        (('"first"', '"frist"'), "unknown outcome 'frist'; did you mean 'first'"),
        (('model = "m"', ""), "says nothing of 'model'"),
        (('option_b = "Go together"', ""), "says nothing of 'option_b'"),
        (("[constants]", '[constants]\nitem = "x"'), r"in \[columns\] and in \[constants\]"),
        (("[label_values]", "[labels"), "not TOML"),
        (("[label_values]", "[labels]"), "unknown table 'labels'; did you mean 'label_values'"),
    ],
)
def test_a_map_that_does_not_fit_is_explained(change, message):
    """Unknown fields, columns and outcomes are named with the nearest one that there is."""
    with pytest.raises(AuditError, match=message):
        bring_in(TABLE, MAP.replace(*change))
    assert not Path("auditkit.db").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("JP,", "Atlantis,"), r"t.csv row 3: column 'Country': unknown country 'Atlantis'"),
        (("Hm.,?", "Hm.,C"), r"t.csv row 4: column 'said': label 'C' is not in \[label_values\]"),
        (("q1,Go alone or together?,I live in Germany. Go alone or together?", ",,"), "t.csv row 4: no dilemma"),
        (("Hm.,?", "Hm."), "t.csv row 4: has 5 fields, the header 6"),
    ],
)
def test_a_row_that_does_not_fit_is_named(change, message):
    """File, row and column are said, the first faults are spelt out, and nothing is stored."""
    with pytest.raises(AuditError, match=message):
        bring_in(TABLE.replace(*change))
    assert not Path("auditkit.db").exists()


def test_many_faults_are_counted():
    """Three faults are spelt out and the others counted; the options that leave such rows out are named."""
    table = TABLE.replace("Japan,q1", "Atlantis,q1") + "Lemuria,q1,a,b,c,A\n" * 5 + "Japan,q1,a,b,c,nonsense\n"
    with pytest.raises(
        AuditError, match=r"and 4 more rows\. Nothing was imported; --skip-bad and --skip-unknown would"
    ):
        bring_in(table)
    assert "left out of t.csv: 5 rows, unknown country 'Lemuria'" in bring_in(
        table, MAP, "--skip-bad", "--skip-unknown"
    )


def test_given_samples_must_differ():
    """Two rows that ask the same under one sample number are a fault, since one of them must be wrong."""
    map_ = MAP.replace('item = "q"', 'item = "q"\nsample = "n"')
    table = "Country,q,dilemma,sent,answer,said,n\nJapan,q1,a,b,c,A,0\nJapan,q1,a,b,c,A,0\nJapan,q1,a,b,c,A,x\n"
    with pytest.raises(
        AuditError,
        match=r"row 3: another row has this question and sample 0; .*row 4: column 'n': 'x' is no whole number",
    ):
        bring_in(table, map_)


def test_a_table_without_rows_is_an_error():
    """A header alone, an empty file and a missing one are said to be that."""
    with pytest.raises(AuditError, match="no row to import"):
        bring_in("Country,q,dilemma,sent,answer,said\n")
    with pytest.raises(AuditError, match="is empty"):
        bring_in("")
    with pytest.raises(AuditError, match="no such file"):
        CliRunner().invoke(import_, ["csv", "no.csv", "--map", "map.toml"], catch_exceptions=False)


def test_the_manifest_says_where_the_rows_came_from():
    """Files with their digest and rows, countries with scores, and the dimension stand in the manifest."""
    bring_in()
    manifest = json.loads(stored("select manifest from runs")[0][0])
    assert manifest["import"]["files"][0] | {"sha256": ""} == {
        "name": "t.csv", "sha256": "", "rows": 3, "encoding": "utf-8-sig", "bytes_read_as_cp1252": 0,
    }  # fmt: skip
    assert len(manifest["import"]["files"][0]["sha256"]) == 64
    assert (manifest["cells"], manifest["import"]["source"], list(manifest["dimensions"])) == (
        3,
        "study",
        ["individualism"],
    )
    assert manifest["countries"]["JPN"]["scores"]["paper"]["idv"] == 62


SETTLED = """select pole, count(*) from answers where judge = 'rules' and run_id = (select run_id from runs order by rowid desc limit 1)
group by 1"""


def test_labels_read_otherwise_are_not_those_of_the_import_before():
    """A map mended after a first import gives its own labels: none of the wrong ones is taken over."""
    bring_in(map_=MAP.replace('A = "first"\nB = "second"', 'A = "second"\nB = "first"').replace('"?" =', '"q" =') + '"?" = "both"\n')  # fmt: skip
    bring_in()
    assert stored("select count(*) from runs") == [(2,)]
    assert stored(
        "select text, outcome, pole from answers where run_id = (select run_id from runs order by rowid desc limit 1) order by 1"
    ) == [("Go alone.", "chose", "first"), ("Go together.", "chose", "second"), ("Hm.", "unclear", None)]


def test_options_the_other_way_round_are_judged_again(auditkit):
    """A judge's reading of a row belongs to the options it read: with the map's poles swapped, it reads anew."""
    swapped = MAP.replace('option_a = "Go alone"', 'option_b = "Go alone"').replace(
        'option_b = "Go together"', 'option_a = "Go together"'
    )
    found = []
    for map_ in (swapped, MAP):
        bring_in(TABLE.replace("Hm.", "Go alone."), map_)
        auditkit("judge", "--judge", "rules")
        found.append(dict(stored(SETTLED)))
    assert found == [{"first": 1, "second": 2}, {"first": 2, "second": 1}]


def test_a_name_that_would_act_on_a_terminal_is_a_fault():
    """Names of models, dilemmas and templates are printed everywhere: control characters and line breaks in one stop the import."""
    map_ = MAP.replace('model = "m"\n', "").replace('item = "q"', 'item = "q"\nmodel = "q"')
    with pytest.raises(AuditError, match=r"t.csv row 2: a name with .*'q1\\x1b\[2J'"):
        bring_in(TABLE.replace("Japan,q1", "Japan,q1\x1b[2J"), map_)


def test_an_import_that_was_cut_off_is_not_taken_for_a_whole_one(auditkit):
    """Status and judge say that it has to be finished, and with which command; their exit code is 1 until it is."""
    bring_in()
    with sqlite3.connect("auditkit.db") as connection:  # as a kill between two batches leaves it
        connection.execute("update runs set planned_at = null")
        connection.execute("delete from cells where position = 2")
    for command in (("status",), ("judge", "--judge", "rules")):
        result = auditkit(*command)
        assert (result.code, "this import was cut off" in result.out + result.err) == (1, True)
    bring_in()
    assert stored("select count(*) from cells") == [(3,)]
    assert auditkit("judge", "--judge", "rules").code == 0
    assert auditkit("status").code == 0
