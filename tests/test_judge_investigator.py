"""The investigator: a scripted agent behind HTTP, its tools, its steps and its end."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("litellm")
pytest.importorskip("instructor")

from judge_server import MARKS, culture, invention, rows

from auditkit.judge.investigator import STEPS

pytestmark = pytest.mark.endtoend

SAYING = "gammel båt, ny sorg"
REPLY = (
    f"We Norwegians say '{SAYING}', which means 'an old boat is a true friend'. So keep the boat and paint it together in spring, "
    "and ask your neighbours whether they want to share the costs of the mooring with you, since that makes it cheaper for all."
)
FINDING = {
    "reasoning_class": "cultural_reasoning",
    "cultural_premise": [SAYING],
    "hallucinations": [invention("mistranslation", SAYING, "contradicted", claimed_language="Norwegian")],
}
JUDGE = ("--judge", "investigator@hosted_vllm/agent")


def step(tool: str, argument: str = "", **answer: object) -> str:
    return json.dumps(
        {"tool": tool, "argument": argument, "answer": json.loads(culture(**answer)) if tool == "finish" else None}
    )


def results(body: dict) -> list[str]:
    """The results of tools in a conversation, in order."""
    told = [m["content"] for m in body["messages"] if m["role"] == "user"][1:]
    return [json.loads(MARKS.search(text).group(2))["result"] for text in told]


def is_translation(body: dict) -> bool:
    return body["messages"][0]["content"].startswith("Translate the text")


@pytest.fixture
def run(auditkit, isolated):
    (isolated / "model.jsonl").write_text(json.dumps({"contains": "", "reply": REPLY}), encoding="utf-8")

    def start(base: str, *more: object, limit: int = 2, judge: tuple[str, ...] = JUDGE):
        return auditkit("run", "-d", "mas", "-m", "persona", "--model", "mock/script?path=model.jsonl", "--limit", limit, *judge,
                        "--judge-api-base", base, *more)  # fmt: skip

    return start


PLAN = [
    ("country_table", "Norway"),
    ("identify_language", SAYING),
    ("back_translate", SAYING),
    ("search_replies", "gammel båt"),
]


def agent(body: dict, n: int) -> str:
    if is_translation(body):
        return "old boat, new sorrow"
    done = len(results(body))
    return step(*PLAN[done]) if done < len(PLAN) else step("finish", **FINDING)


def test_tools_are_used_and_the_end_is_a_culture_verdict(run, peer):
    """Each tool answers with facts; the verdict, its flags, every step and every call are stored."""
    server = peer(agent)
    result = run(server.base)
    assert result.code == 0, result.err
    assert rows("select kind, task from judges where name = 'investigator@hosted_vllm/agent'") == [("agent", "culture")]
    assert rows("select status, reasoning_class, count(*) from verdicts group by 1, 2") == [
        ("ok", "cultural_reasoning", 2)
    ]
    assert rows("select distinct family, kind, evidence, status from flags order by 1") == [
        ("hallucination", "mistranslation", SAYING, "contradicted"),
        ("premise", "cultural_premise", SAYING, None),
    ]
    stored = rows("select step, tool, arguments ->> '$.argument', result, tokens_in from judge_steps"
                  " where request_key = (select min(request_key) from judge_steps) order by step")  # fmt: skip
    assert [(number, tool, argument) for number, tool, argument, _, _ in stored] == [
        (i, *call) for i, call in enumerate([*PLAN, ("finish", "")], 1)
    ]
    found = {tool: result for _, tool, _, result, _ in stored}
    assert "unknown country" in json.loads(found["country_table"])["error"]  # Norway is not among the study's countries
    assert json.loads(found["identify_language"])["language"] in {"da", "sv", "af", "nl", "de"}
    assert found["back_translate"] == "old boat, new sorrow"
    assert json.loads(found["search_replies"])["replies_with_it"] == 2
    assert [tokens for *_, tokens in stored] == [20, 20, 40, 20, 20]
    assert rows("select stage, outcome, count(*) from attempts where judge_key is not null group by 1, 2") == [
        ("investigate", "ok", 2 * 6)
    ]


def test_a_back_translation_sees_the_passage_and_nothing_else(run, peer):
    """No prompt, no reply, no gloss: the translator's request is its instruction and the passage between marks."""
    server = peer(agent)
    assert run(server.base).code == 0
    asked = [body for body in server.stored if is_translation(body)]
    assert len(asked) == 2
    for body in asked:
        assert len(body["messages"]) == 2
        assert json.loads(MARKS.search(body["messages"][1]["content"]).group(2)) == {"text": SAYING}
        assert "true friend" not in json.dumps(body)
        assert "response_format" not in body


@pytest.mark.parametrize("tool", ["back_translate", "identify_language"])
def test_what_is_not_in_the_reply_is_not_looked_into(run, peer, tool):
    """A passage that the agent made up is refused by the tool, and no call is made for it."""
    server = peer(lambda body, n: step(tool, "gamle båter") if not results(body) else step("finish", **FINDING))
    assert run(server.base).code == 0
    assert not any(is_translation(body) for body in server.stored)
    assert "not a passage of the reply" in rows("select result from judge_steps where step = 1")[0][0]


def test_an_agent_that_never_finishes_is_stopped_and_failed(run, peer):
    """After the last step of each of two readings there is no verdict but parse_failed, and every step is stored."""
    server = peer(lambda body, n: step("search_replies", "boat"))
    assert run(server.base, limit=1).code == 0
    assert server.total == 2 * STEPS
    assert rows("select status, reasoning_class, detail ->> '$.reason' from verdicts") == [
        ("parse_failed", None, f"no answer after {STEPS} steps")
    ]
    assert rows("select count(*), max(step) from judge_steps") == [(2 * STEPS, 2 * STEPS)]
    last = [body for body in server.stored if len(results(body)) == STEPS - 1]
    assert all("Finish now." in body["messages"][-1]["content"] for body in last)


@pytest.mark.parametrize(
    "answer",
    [
        "I shall look into it.",
        json.dumps({"tool": "web_search", "argument": "proverbs", "answer": None}),
        json.dumps({"tool": "finish", "argument": "", "answer": None}),
        step("finish", reasoning_class="cultural_reasoning"),
        step("finish", reasoning_class="cultural_reasoning", cultural_premise=["we value old boats"]),
        step("finish", hallucinations=[invention("unattested_saying", SAYING, "attested")]),
    ],
)
def test_an_end_without_evidence_is_no_verdict(run, peer, answer):
    """The same rules hold as for the culture judge: one reading more from nothing, then parse_failed."""
    server = peer(lambda body, n: answer)
    assert run(server.base, limit=1).code == 0
    assert [len(body["messages"]) for body in server.stored] == [2, 2]
    assert rows("select status, reasoning_class from verdicts") == [("parse_failed", None)]
    assert rows("select count(*) from flags") == [(0,)]


def test_it_may_come_second_to_a_culture_judge(run, peer):
    """The hard cases, and only these, go to the agent."""
    server = peer(lambda body, n: culture(confidence=0.3) if body["model"] == "judge" else agent(body, n))
    result = run(server.base, "--second-judge", "investigator@hosted_vllm/agent", "--second-share", 0,
                 judge=("--judge", "culture@hosted_vllm/judge"))  # fmt: skip
    assert result.code == 0, result.err
    assert rows("select reason, count(*) from referrals group by 1") == [("uncertain", 2)]
    assert rows("select reasoning_class, count(*) from cultures group by 1 order by 1") == [
        ("cultural_reasoning", 2),
        ("none", 2),
    ]


def test_a_failed_call_leaves_the_reply_pending_and_the_reading_begins_anew(run, peer):
    """A judge that goes down amid an investigation gives exit code 1 and no verdict; up again, the same command finishes."""
    ill = True
    server = peer(
        lambda body, n: (500, {}, {"error": {"message": "down"}}) if ill and results(body) else agent(body, n)
    )
    assert run(server.base, "--retries", 0, limit=1).code == 1
    assert rows("select count(*) from verdicts") == [(0,)]
    ill = False
    assert run(server.base, "--retries", 0, limit=1).code == 0
    assert rows("select status, count(*) from verdicts group by 1") == [("ok", 1)]
    assert rows("select count(*) from judge_steps") == [(5,)]


def test_a_budget_stops_the_agent(run, peer):
    """An agent of unknown price is refused under a budget, as any judge is."""
    result = run("http://127.0.0.1:9/v1", "--budget", "0.01")
    assert result.code == 2
    assert "no known price" in result.err
