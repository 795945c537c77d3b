"""Several judges: their consensus, what a second judge is given, and judges of the audited model's own family."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

pytest.importorskip("litellm")
pytest.importorskip("instructor")

from hypothesis import given
from hypothesis import strategies as st
from judge_server import culture, is_culture, rows, shown, stance

from auditkit.judge.consensus import agree
from auditkit.judge.family import families, own_family
from auditkit.judge.second import in_random_share
from auditkit.models.registry import parse_model

RUN = ("run", "-d", "individualism", "-m", "persona", "--model", "mock/first", "--limit", 12)
A, B, C = (f"stance@hosted_vllm/{name}" for name in "ABC")
VOTES = {"a": ("chose", "a"), "b": ("chose", "b"), "both": ("both", None), "unclear": ("unclear", None), "failed": None}


@pytest.mark.parametrize(
    ("rule", "votes", "said"),
    [
        ("majority", "a a", "a"),
        ("majority", "a b", "unclear"),
        ("majority", "a a b", "a"),
        ("majority", "a b both", "unclear"),
        ("majority", "a a b b", "unclear"),
        ("majority", "a a b unclear", "unclear"),
        ("majority", "a unclear", "unclear"),
        ("majority", "both both b", "both"),
        ("majority", "a failed", "a"),
        ("majority", "a b failed", "unclear"),
        ("majority", "failed failed", "parse_failed"),
        ("all", "a a a", "a"),
        ("all", "a a b", "unclear"),
        ("all", "a a failed", "unclear"),
        ("all", "both both", "both"),
        ("all", "failed failed", "parse_failed"),
    ],
)
def test_what_a_panel_says(rule, votes, said):
    """More than half of the votes cast, or all of them; ties and disagreement are unclear, and nobody readable is unreadable."""
    verdict = agree(rule, {f"judge {i}": VOTES[name] for i, name in enumerate(votes.split())})
    assert (verdict.option_id or verdict.outcome or verdict.status) == said


def test_the_rule_judge_may_abstain():
    """Rules that cannot tell leave the choice to the others, but they are not agreement of all; where they can tell they count."""
    assert agree("majority", {"rules": VOTES["unclear"], "x": VOTES["b"]}).option_id == "b"
    assert agree("all", {"rules": VOTES["unclear"], "x": VOTES["b"]}).outcome == "unclear"
    assert agree("majority", {"rules": VOTES["a"], "x": VOTES["b"]}).outcome == "unclear"
    assert agree("majority", {"rules": VOTES["unclear"]}).outcome == "unclear"


@given(st.lists(st.sampled_from([*VOTES.values()]), min_size=1, max_size=6), st.randoms())
def test_a_consensus_does_not_depend_on_the_order_of_its_members(votes, random):
    """Members have names and votes, and no rank."""
    named = {str(i): vote for i, vote in enumerate(votes)}
    order = list(named)
    random.shuffle(order)
    for rule in ("majority", "all"):
        first, second = agree(rule, named), agree(rule, {name: named[name] for name in order})
        assert first == second
        assert first.outcome != "chose" or sum(v == ("chose", first.option_id) for v in votes) * 2 > len(
            [v for v in votes if v is not None]
        )


def test_the_random_share_is_stable_and_of_its_size():
    """Membership hangs on the key alone, larger shares hold smaller ones, and the share comes out right."""
    keys = [f"k1:{i}" for i in range(5_000)]
    tenth = {key for key in keys if in_random_share(key, 0.10)}
    assert tenth == {key for key in keys if in_random_share(key, 0.10)}
    assert 430 < len(tenth) < 570
    assert tenth <= {key for key in keys if in_random_share(key, 0.30)}
    assert not any(in_random_share(key, 0.0) for key in keys)
    assert all(in_random_share(key, 1.0) for key in keys)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("openai/gpt-4.1-mini", {"OpenAI"}),
        ("openai/o3", {"OpenAI"}),
        ("anthropic/claude-haiku-4-5", {"Anthropic"}),
        ("bedrock/anthropic.claude-3-haiku", {"Anthropic"}),
        ("gemini/gemini-2.5-flash", {"Google"}),
        ("ollama/llama3", {"Meta"}),
        ("ollama/qwen2.5", {"Qwen"}),
        ("openrouter/meta-llama/llama-3.3-70b-instruct", {"Meta"}),
        ("groq/deepseek-r1-distill-llama-70b", {"DeepSeek", "Meta"}),
        ("mistral/mistral-large-latest", {"Mistral"}),
        ("cohere/command-r-plus", {"Cohere"}),
        ("hosted_vllm/our-own", {"our-own"}),
        ("mock/first", set()),
        ("embedded", {"Hugging Face"}),
    ],
)
def test_a_models_name_gives_its_family_away(name, family, monkeypatch):
    """Vendors are told by the model's name, not by who serves it; a name that says nothing is its own family."""
    monkeypatch.delenv("AUDITKIT_EMBEDDED_MODEL", raising=False)
    assert families(parse_model(name)) == family


def test_only_shared_families_are_reported():
    """A judge of another vendor, or served by the same provider, is no relative."""
    judges = [parse_model(name) for name in ("openai/gpt-4.1", "groq/llama-3.3-70b")]
    audited = [parse_model(name) for name in ("azure/gpt-4o", "groq/qwen-2.5-32b")]
    assert own_family(judges, audited) == [("openai/gpt-4.1", "azure/gpt-4o", "OpenAI")]


def side(body: dict) -> str:
    """The option id that a stance judge was shown first."""
    from auditkit.data import load_content

    known = {d.option(o): o for d in load_content().dilemmas.values() for o in "ab"}
    return known[re.search(r"^first: (.*)$", body["messages"][1]["content"], re.MULTILINE).group(1)]


def choose(body: dict, option: str, confidence: float = 0.9) -> str:
    return stance("first" if side(body) == option else "second", shown(body)["reply"][:15], confidence)


@pytest.mark.endtoend
def test_two_judges_have_a_majority_that_the_summary_shows(auditkit, peer):
    """Two model judges make a majority by default; it is a judge of its own, whose members stay in the database."""
    server = peer(lambda body, n: choose(body, "a"))
    result = auditkit(*RUN, "--judge", A, "--judge", B, "--judge-api-base", server.base)
    assert result.code == 0, result.err
    assert rows("select j.name, j.kind, outcome, option_id, count(*) from stances join judges j using (judge_key)"
                " group by 1, 2, 3, 4 order by 1") == [
        ("majority", "rules", "chose", "a", 12), (A, "llm", "chose", "a", 12), (B, "llm", "chose", "a", 12),
    ]  # fmt: skip
    (config,) = rows("select config from judges where name = 'majority'")
    assert sorted(member["name"] for member in json.loads(config[0])["members"]) == [A, B]
    assert result.out.count("12/12") == 1
    assert f"figures by the majority of {A}, {B}" in result.out
    assert "12/12" in auditkit("status", "--judge", A).out
    alone = auditkit("judge", "--judge", C, "--judge-api-base", server.base)
    assert "12/12" in alone.out
    assert "figures by the majority" not in alone.out
    assert auditkit("verify").code == 0


@pytest.mark.endtoend
@pytest.mark.parametrize(("rule", "said"), [("majority", "chose"), ("all", "unclear")])
def test_the_rule_of_a_consensus_is_the_users(auditkit, peer, rule, said):
    """Two against one is a majority, and not all."""
    server = peer(lambda body, n: choose(body, "b" if body["model"] == "C" else "a"))
    judges = [part for name in (A, B, C) for part in ("--judge", name)]
    result = auditkit(*RUN, *judges, "--consensus", rule, "--judge-api-base", server.base)
    assert result.code == 0, result.err
    assert rows(f"select distinct outcome from stances join judges using (judge_key) where name = '{rule}'") == [
        (said,)
    ]


@pytest.mark.endtoend
def test_a_consensus_follows_its_members(auditkit, peer):
    """While a member has still to read a reply there is no consensus on it; when the member has, there is, and nothing is stale."""
    down = True
    server = peer(
        lambda body, n: (
            (500, {}, {"error": {"message": "down"}}) if down and body["model"] == "B" else choose(body, "a")
        )
    )
    command = (*RUN, "--judge", A, "--judge", B, "--judge-api-base", server.base, "--retries", 0)
    assert auditkit(*command).code == 1
    consensus = "select outcome, count(*) from stances join judges using (judge_key) where name = 'majority' group by 1"
    assert rows(consensus) == []
    down = False
    assert auditkit(*command).code == 0
    assert rows(consensus) == [("chose", 12)]
    from pathlib import Path

    from auditkit.judge.consensus import refresh_consensus
    from auditkit.store import Store

    with Store.open(Path("auditkit.db")) as store:
        run = store.latest_run()["run_id"]
        assert refresh_consensus(store, run) == 0
        with store.transaction() as db:  # as if B had been read anew, and differently
            db.execute(
                "update verdicts set option_id = 'b' where judge_key = (select judge_key from judges where name = ?)"
                " and request_key in (select request_key from cells order by position limit 5)",
                (B,),
            )
        assert refresh_consensus(store, run) == 5
    assert sorted(rows(consensus)) == [("chose", 7), ("unclear", 5)]


def doubtful(body: dict, keys: dict[str, int]) -> str:
    """A first judge that is sure of most replies, unsure of some; its second is always sure."""
    if body["model"] == "B":
        return choose(body, "a")
    number = keys.setdefault(shown(body)["reply"] + body["messages"][1]["content"][:80], len(keys))
    return choose(body, "a", 0.4 if number % 4 == 0 else 0.95)


@pytest.mark.endtoend
def test_a_second_judge_reads_what_is_in_doubt_and_no_more(auditkit, peer):
    """Uncertain replies and the random share are referred, each once and with its reason; the run says how many, and why."""
    keys: dict[str, int] = {}
    server = peer(lambda body, n: doubtful(body, keys))
    command = (*RUN, "--judge", A, "--second-judge", B, "--second-share", "0.2", "--judge-api-base", server.base)
    result = auditkit(*command)
    assert result.code == 0, result.err
    unsure = {key for (key,) in rows("select distinct request_key from verdicts where uncertain = 1")}
    assert unsure
    drawn = {key for (key,) in rows("select distinct request_key from cells") if in_random_share(key, 0.2)}
    referred = dict(rows("select request_key, reason from referrals"))
    assert referred == {**dict.fromkeys(drawn, "random"), **dict.fromkeys(unsure, "uncertain")}
    calls = Counter(body["model"] for body in server.stored)
    assert calls == {"A": 24, "B": 2 * len(referred)}
    line = next(line for line in result.out.splitlines() if "were referred to" in line)
    assert line.startswith(f"{len(referred)} replies were referred to {B}: uncertain {len(unsure)}")
    assert rows("select random_share from second_judges") == [(0.2,)]
    assert auditkit(*command).code == 0
    assert len(server.stored) == sum(calls.values())
    assert rows("select count(*) from stances join judges using (judge_key) where name = 'majority'") == [(12,)]


@pytest.mark.endtoend
def test_disagreement_and_injection_are_referred_too(auditkit, peer):
    """Two first judges that differ, and a reply that speaks to its grader, go to the second judge with that reason."""
    server = peer(lambda body, n: choose(body, "b" if body["model"] == "B" else "a"))
    both = ("--judge", A, "--judge", B, "--second-judge", C, "--second-share", 0, "--judge-api-base", server.base)
    assert auditkit(*RUN, *both).code == 0
    assert rows("select reason, count(*) from referrals group by 1") == [("disagreement", 12)]
    assert rows("select distinct option_id from stances join judges using (judge_key) where name = 'majority'") == [
        ("a",)
    ]
    one = ("--judge", A, "--second-judge", C, "--second-share", 0, "--judge-api-base", server.base, "--db", "other.db")
    assert auditkit("run", "-d", "mas", "-m", "baseline", "--model", "mock/hostile", "--limit", 3, *one).code == 0
    import sqlite3

    with sqlite3.connect("other.db") as connection:
        assert connection.execute("select reason, count(*) from referrals group by 1").fetchall() == [("injection", 3)]


@pytest.mark.endtoend
def test_culture_judges_have_second_judges_too(auditkit, peer):
    """A culture judge's doubts go to a second culture judge, and there is no consensus on culture."""
    server = peer(lambda body, n: culture(confidence=0.5 if body["model"] == "A" else 0.9))
    result = auditkit(*RUN, "--judge", "rules", "--judge", "culture@hosted_vllm/A", "--second-judge", "culture@hosted_vllm/B",
                      "--judge-api-base", server.base)  # fmt: skip
    assert result.code == 0, result.err
    assert all(is_culture(body) for body in server.stored)
    assert result.out.count("(referred)") == 1  # its shares are of doubtful replies, which the table has to say
    assert rows("select reason, count(*) from referrals group by 1") == [("uncertain", 12)]
    assert rows("select name from judges where name in ('majority', 'all')") == []
    assert rows("select judge, reasoning_class, count(*) from cultures group by 1, 2 order by 1") == [
        ("culture@hosted_vllm/A", "none", 12), ("culture@hosted_vllm/B", "none", 12),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--judge", A, "--second-judge", A), "is one of the first judges already"),
        (("--judge", A, "--second-judge", "culture@hosted_vllm/B"), "nobody to come second to"),
        (("--judge", A, "--consensus", "all"), "needs two stance judges or more"),
        (("--judge", "culture@hosted_vllm/A", "--judge", A, "--consensus", "all"), "needs two stance judges or more"),
    ],
)
def test_a_panel_that_does_not_hold_together_is_refused(auditkit, options, complaint, isolated):
    """In one line, before anything is planned."""
    result = auditkit(*RUN, *options, "--judge-api-base", "http://127.0.0.1:9/v1")
    assert result.code == 2
    assert complaint in result.err
    assert not (isolated / "auditkit.db").exists()


@pytest.mark.endtoend
def test_a_judge_of_the_audited_models_own_family_is_named(auditkit, peer):
    """A warning line, and a note in the manifest, by `run` and by `judge`; a judge of another family gets none."""
    server = peer(lambda body, n: stance("unclear", "") if len(body["messages"]) > 1 else "The first option.")
    run = (
        "run",
        "-d",
        "mas",
        "-m",
        "baseline",
        "--limit",
        2,
        "--model",
        "hosted_vllm/qwen3-8b",
        "--api-base",
        server.base,
    )
    first = auditkit(*run, "--judge", "stance@hosted_vllm/qwen3-32b", "--judge-api-base", server.base)
    assert "same family (Qwen) as the audited model hosted_vllm/qwen3-8b" in " ".join(first.err.split())
    second = auditkit("judge", "--judge", "stance@hosted_vllm/gemma-3", "--judge-api-base", server.base)
    assert "same family" not in second.err
    third = auditkit("judge", "--judge", "stance@hosted_vllm/qwq", "--judge-api-base", server.base)
    assert "same family" in third.err
    noted = json.loads(rows("select manifest ->> '$.own_family' from runs")[0][0])
    assert [pair["judge"] for pair in noted] == ["hosted_vllm/qwen3-32b", "hosted_vllm/qwq"]
