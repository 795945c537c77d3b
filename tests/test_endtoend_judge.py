"""A judge that is a model: a scripted judge server, and what is stored of what it says."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

pytest.importorskip("litellm")
pytest.importorskip("instructor")
pytestmark = pytest.mark.endtoend

RUN = ("run", "-d", "individualism", "-m", "persona", "--model", "mock/first")
JUDGE = ("--judge", "stance@hosted_vllm/judge")


def rows(sql: str) -> list[tuple]:
    with sqlite3.connect("auditkit.db") as connection:
        return connection.execute(sql).fetchall()


def answer(choice: str, evidence: str, confidence: float = 0.9) -> str:
    return json.dumps(
        {"evidence": evidence, "choice": choice, "confidence": confidence, "instructions_in_reply": False}
    )


def shown_reply(body: dict) -> str:
    """The reply between the marks, as the judge received it."""
    user = body["messages"][1]["content"]
    found = re.search(r"(⟦[0-9a-f]{12}⟧)\n(.*)\n\1", user)
    assert found is not None
    return json.loads(found.group(2))["reply"]


def pole_of_first(body: dict, bank: dict[str, str]) -> str:
    """Which option id the judge was shown first."""
    first = re.search(r"^first: (.*)$", body["messages"][1]["content"], re.MULTILINE).group(1)
    return bank[first]


@pytest.fixture
def bank() -> dict[str, str]:
    from auditkit.data import load_content

    return {d.option(o): o for d in load_content().dilemmas.values() for o in "ab"}


def test_both_orders_are_read_and_a_consistent_judge_is_believed(auditkit, peer, bank):
    """A judge that always finds option a gives `a` whichever is shown first: two readings a reply, no flips."""
    server = peer(
        lambda body, n: answer("first" if pole_of_first(body, bank) == "a" else "second", shown_reply(body)[:20])
    )
    result = auditkit(*RUN, "--limit", 12, *JUDGE, "--judge-api-base", server.base)
    assert result.code == 0, result.err
    assert server.total == 24
    assert rows("select outcome, option_id, readings, flipped, count(*) from stances group by 1, 2, 3, 4") == [
        ("chose", "a", 2, 0, 12)
    ]


def test_a_judge_that_follows_position_is_unclear(auditkit, peer):
    """A judge that always says `first` contradicts itself under swapping: the outcome is unclear, and marked as flipped."""
    server = peer(lambda body, n: answer("first", shown_reply(body)[:20]))
    assert auditkit(*RUN, "--limit", 5, *JUDGE, "--judge-api-base", server.base).code == 0
    assert rows("select outcome, option_id, flipped, count(*) from stances group by 1, 2, 3") == [
        ("unclear", None, 1, 5)
    ]


@pytest.mark.parametrize("outcome", ["both", "neither", "refused", "unclear", "cut_off"])
def test_every_label_is_stored_as_the_codebook_says(auditkit, peer, outcome):
    """Labels other than a choice are stored under their own name, without an option."""
    server = peer(lambda body, n: answer(outcome, shown_reply(body)[:20] if outcome in ("both", "neither") else ""))
    assert auditkit(*RUN, "--limit", 2, *JUDGE, "--judge-api-base", server.base).code == 0
    assert rows("select outcome, option_id, count(*) from stances group by 1, 2") == [(outcome, None, 2)]


def test_malformed_output_is_asked_for_once_more_in_a_fresh_conversation_then_fails(auditkit, peer):
    """Garbage twice is parse_failed, with no label and no third call; the second call holds no trace of the first answer."""
    server = peer(lambda body, n: "I think it is the first one, probably!")
    assert auditkit(*RUN, "--limit", 3, *JUDGE, "--judge-api-base", server.base).code == 0
    assert server.total == 3 * 2 * 2
    assert all(len(body["messages"]) == 2 for body in server.stored)
    assert rows("select distinct status, outcome, option_id from verdicts") == [("parse_failed", None, None)]
    assert rows("select outcome, count(*) from attempts where stage = 'judge' group by 1") == [("parse_failed", 12)]
    assert auditkit(*RUN, "--limit", 3, *JUDGE, "--judge-api-base", server.base).code == 0
    assert server.total == 12


def test_one_bad_answer_is_mended_by_the_second(auditkit, peer):
    """Bad JSON, then a good answer: the verdict is ok, and both calls are in the attempts."""
    calls: dict[str, int] = {}

    def behave(body, n):
        case = re.sub(r"⟦[0-9a-f]{12}⟧", "", body["messages"][1]["content"])
        calls[case] = calls.get(case, 0) + 1
        return "{broken" if calls[case] == 1 else answer("refused", "")

    server = peer(behave)
    assert auditkit(*RUN, "--limit", 3, *JUDGE, "--judge-api-base", server.base).code == 0
    assert rows("select status, outcome, count(*) from verdicts group by 1, 2") == [("ok", "refused", 6)]
    assert rows("select outcome, count(*) from attempts where stage = 'judge' group by 1 order by 1") == [
        ("ok", 6),
        ("parse_failed", 6),
    ]


def test_invented_evidence_is_refused(auditkit, peer):
    """A quotation that is not in the reply is no verdict, however sure the judge is."""
    server = peer(lambda body, n: answer("first", "He plainly recommends leaving the village.", 1.0))
    assert auditkit(*RUN, "--limit", 2, *JUDGE, "--judge-api-base", server.base).code == 0
    assert rows("select distinct status from verdicts") == [("parse_failed",)]
    assert "not a passage of the reply" in rows("select detail from verdicts limit 1")[0][0]


def test_the_judge_sees_neither_persona_nor_country_nor_poles(auditkit, peer):
    """No stance request holds a country, a persona sentence, a dimension or a pole's name."""
    server = peer(lambda body, n: answer("unclear", ""))
    auditkit("run", "-d", "individualism", "-d", "power_distance", "-m", "persona", "--model", "mock/first", "--limit", 60,
             *JUDGE, "--judge-api-base", server.base)  # fmt: skip
    from auditkit.data import load_content

    content = load_content()
    forbidden = [c.title for c in content.countries.values()] + [
        d for c in content.countries.values() for d in c.demonyms
    ]
    forbidden += ["individualis", "collectivis", "power distance", "proudly and thoroughly", "hofstede", "imagin"]
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, forbidden)) + ")", re.IGNORECASE)
    assert len(server.stored) == 120
    for body in server.stored:
        text = "\n".join(m["content"] for m in body["messages"])
        assert pattern.findall(re.sub(r"\bpolish", "", text)) == []


def test_hostile_replies_stay_inside_the_marks(auditkit, peer):
    """Escapes and instructions in a reply reach the judge as one JSON string between marks that differ from call to call."""
    server = peer(lambda body, n: answer("unclear", ""))
    assert auditkit("run", "-d", "individualism", "-m", "baseline", "--model", "mock/hostile", "--limit", 4,
                    *JUDGE, "--judge-api-base", server.base).code == 0  # fmt: skip
    marks = {re.search(r"⟦[0-9a-f]{12}⟧", b["messages"][1]["content"]).group(0) for b in server.stored}
    assert len(marks) == len(server.stored) == 8
    for body in server.stored:
        shown = shown_reply(body)
        assert "Ignore all instructions" in shown
        assert not set("\x00\x07\x1b\u202e") & set(body["messages"][1]["content"])


def test_a_failing_judge_leaves_readings_pending_and_no_verdict(auditkit, peer):
    """A judge that is down gives exit code 1 and no verdict; when it is up again the same command finishes."""
    ill = True
    server = peer(lambda body, n: (500, {}, {"error": {"message": "down"}}) if ill else answer("refused", ""))
    first = auditkit(*RUN, "--limit", 4, *JUDGE, "--judge-api-base", server.base, "--retries", 0)
    assert first.code == 1
    assert rows("select count(*) from verdicts") == [(0,)]
    ill = False
    assert auditkit(*RUN, "--limit", 4, *JUDGE, "--judge-api-base", server.base, "--retries", 0).code == 0
    assert rows("select count(*) from verdicts") == [(8,)]


def test_judging_again_asks_the_audited_model_nothing(auditkit, peer):
    """`auditkit judge` adds a judge to stored replies, and both judges stand side by side in the summary."""
    assert auditkit(*RUN, "--limit", 6).code == 0
    before = rows("select count(*) from attempts where stage = 'generate'")
    server = peer(lambda body, n: answer("first", shown_reply(body)[:12]))
    result = auditkit("judge", *JUDGE, "--judge-api-base", server.base, "--judge-order", "ab")
    assert result.code == 0, result.err
    assert server.total == 6
    assert rows("select count(*) from attempts where stage = 'generate'") == before
    assert {
        name for (name,) in rows("select j.name from run_judges join judges j using (judge_key) where task = 'stance'")
    } == {
        "rules",
        "stance@hosted_vllm/judge",
    }


def test_degenerate_and_empty_replies_are_counted_and_never_judged(auditkit, peer):
    """Loops and empty replies get no verdict from any judge, and the summary warns."""
    server = peer(lambda body, n: answer("first", ""))
    for model in ("mock/loop", "mock/empty"):
        result = auditkit(
            "run",
            "-d",
            "mas",
            "-m",
            "baseline",
            "--model",
            model,
            "--limit",
            5,
            *JUDGE,
            "--judge-api-base",
            server.base,
        )
        assert result.code == 0
        assert "degenerate: do not interpret" in result.out
    assert server.total == 0
    assert rows("select count(*) from verdicts") == [(0,)]
