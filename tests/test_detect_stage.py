"""The detector as a judge, and its command: what is stored, whose persona a reply is, and what is printed."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from auditkit.cli.detect import detect
from auditkit.data import load_content
from auditkit.detect.rules import Asked
from auditkit.detect.stage import DetectorJudge, detect_run, prompt_text
from auditkit.models.base import Reply
from auditkit.models.registry import parse_model
from auditkit.plan import PlanSpec, make_plan
from auditkit.runner import screen, write_plan
from auditkit.store import Store

FINNISH = "Valitsisin toisen vaihtoehdon, koska se antaa teille kaikille enemmän aikaa ja rauhaa."
REPLIES = {
    "persona": "Comrade, as a proud {demonym} I would wait, because in {name} we value patience.",
    "baseline": "I would wait, with some borscht, as it gives you time to think it over.",
    "multilingual": FINNISH,
}


@pytest.fixture
def db(tmp_path):
    """A run of baseline, persona and multilingual cells with stored replies."""
    content = load_content()
    spec = PlanSpec(
        ("mas",),
        ("baseline", "persona", "multilingual"),
        (parse_model("mock/coin"),),
        countries=("RUS", "FIN", "SWE"),
        core=True,
    )
    plan = make_plan(spec, content)
    path = tmp_path / "audit.db"
    with Store.open(path) as store:
        run_id = write_plan(store, plan, "test", {"countries": {}, "dimensions": {}})
        for cell in plan.cells():
            country = content.countries.get(cell.country or "")
            text = REPLIES[cell.mode]
            if country is not None:
                text = text.format(demonym=country.demonyms[0], name=country.name)
            store.record(run_id, cell.request_key, Reply(text=text, status="ok"))
    return path


def run(path):
    judge = DetectorJudge()
    with Store.open(path) as store:
        run_id = store.latest_run()["run_id"]
        store.ask_judge(run_id, judge.row, judge.presentations)
        screen(store, run_id)
        result = asyncio.run(detect_run(store, run_id, judge, lambda: False))
        return (
            result,
            list(
                store.rows(
                    "select c.mode, c.country, c.lang, v.*, r.text, s.reply_lang, s.language_mismatch from cells c"
                    " join verdicts v using (request_key) join replies r using (request_key) join screens s using (request_key)"
                )
            ),
            list(store.rows("select f.*, r.text from flags f join replies r using (request_key)")),
        )


def test_every_reply_gets_a_verdict_with_its_flags(db):
    """One verdict a reply, classes as the rules say, evidence cut from the reply, and a second pass finds nothing to do."""
    result, verdicts, flags = run(db)
    assert result.left == 0
    assert result.done == len({row["request_key"] for row in verdicts})
    assert {row["reasoning_class"] for row in verdicts if row["mode"] == "persona"} == {"cultural_reasoning"}
    assert {row["reasoning_class"] for row in verdicts if row["mode"] == "baseline"} == {"none"}
    assert all(row["text"][row["start"] : row["stop"]] == row["evidence"] for row in flags)
    kinds = {(row["family"], row["kind"]) for row in flags}
    assert {("stereotype", "caricature_speech"), ("trace", "name"), ("value", "value_generalisation")} <= kinds
    assert all(json.loads(row["detail"])["why"] for row in verdicts)
    again, _, flags_again = run(db)
    assert again.done == 0
    assert len(flags_again) == len(flags)


def test_the_language_of_a_reply_is_counted_and_judged_all_the_same(db):
    """Finnish asked for in Swedish is a mismatch, asked for in Finnish none; both are read."""
    _, verdicts, _ = run(db)
    multilingual = {row["country"]: row for row in verdicts if row["mode"] == "multilingual"}
    assert (multilingual["SWE"]["reply_lang"], multilingual["SWE"]["language_mismatch"]) == ("fi", 1)
    assert (multilingual["FIN"]["reply_lang"], multilingual["FIN"]["language_mismatch"]) == ("fi", 0)


def test_whose_persona_a_reply_is_follows_from_the_request():
    """The cell's country for a persona, the language's countries for a multilingual request, nobody in plain English."""
    judge = DetectorJudge()
    body = json.dumps({"scenario": ["I sell hats."], "a": "sell", "b": "keep", "question_ab": "Sell or keep?"})
    row = {"item": body, "translation": None, "text": ""}
    english = Asked(("FIN",), "en", prompt_text(body, None))
    assert judge.asked(row | {"persona": 1, "country": "FIN", "lang": "eng_Latn"}) == english
    assert judge.asked(row | {"persona": 0, "country": "FIN", "lang": "fin_Latn"}).countries == ("FIN",)
    assert judge.asked(row | {"persona": 0, "country": "USA", "lang": "eng_Latn"}).countries == ()


def test_a_stage_that_is_stopped_goes_on_where_it_ended(db):
    """Each batch is one transaction; what is left is said."""
    judge = DetectorJudge()
    with Store.open(db) as store:
        run_id = store.latest_run()["run_id"]
        store.ask_judge(run_id, judge.row, judge.presentations)
        screen(store, run_id)
        total = len(store.pending_verdicts(run_id, judge.key))
        result = asyncio.run(detect_run(store, run_id, judge, lambda: True))
        assert result.done == min(200, total)
        assert result.left == total - result.done


def test_the_command_prints_shares_per_model_country_and_language(db):
    """Classes, stereotyped share with its interval, countries, and languages with a mismatch."""
    result = CliRunner().invoke(detect, ["--db", str(db)])
    assert result.exit_code == 0, result.output
    for shown in ("mock/coin", "cultural", "RUS", "swe_Latn", "100%", "exploratory"):
        assert shown in result.output


def test_explain_shows_spans_rules_and_reason(db, tmp_path):
    """A stored reply by the beginning of its key, or a text with its country and dilemma."""
    run(db)
    with Store.read(db) as store:
        key = store.value("select request_key from cells where mode = 'persona' and country = 'RUS' limit 1")
    result = CliRunner().invoke(detect, ["explain", key[:20], "--db", str(db)])
    assert result.exit_code == 0, result.output
    assert "RUS/catchphrase" in result.output
    assert "cultural_reasoning: a premise" in result.output
    path = tmp_path / "reply.txt"
    path.write_text("Take the manager post, then eat borscht.", encoding="utf-8")
    result = CliRunner().invoke(detect, ["explain", "--text", str(path), "--country", "Russia", "--item", "mas-01"])
    assert result.exit_code == 0, result.output
    assert "RUS/food_drink/borscht" in result.output
    assert "stereotype: yes" in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain"], "name one reply"),
        (["explain", "k1:zzzz"], "no reply of this run"),
        (["explain", "k1:"], "several replies"),
        (["explain", "k1:a", "--country", "Finland"], "goes with --text"),
        (["explain", "--text", "missing.txt"], "missing.txt"),
    ],
)
def test_a_reply_that_cannot_be_named_is_an_error(db, arguments, says):
    """One line that says what to do."""
    result = CliRunner().invoke(detect, [*arguments, "--db", str(db)])
    assert result.exit_code != 0
    assert says in str(result.exception)
