"""Agreement of judges, rules and people: what is compared with what, with which intervals, and who passes."""

from __future__ import annotations

import csv
import json
import random

import pytest

from auditkit.agreement.compare import pairs, together
from auditkit.agreement.gate import gates, standing
from auditkit.agreement.ratings import PEOPLE, read_ratings
from auditkit.errors import AuditError
from auditkit.judge.consensus import consensus_row, refresh_consensus
from auditkit.judge.second import in_random_share
from auditkit.store import Store

RUN = "r1:test"


def judge(store, name, task="stance", kind="llm"):
    store.ask_judge(
        RUN,
        {"judge_key": f"j1:{name}-{task}", "name": name, "kind": kind, "task": task, "model": None, "config": "{}"},
        ["ab"] if task == "stance" else [""],
    )
    return f"j1:{name}-{task}"


def verdict(store, key, judge_key, outcome=None, option=None, reasoning=None, presentation="ab", status="ok"):
    row = {
        "request_key": key,
        "judge_key": judge_key,
        "presentation": presentation if outcome or status != "ok" else "",
    }
    row |= {"status": status, "outcome": outcome, "option_id": option, "reasoning_class": reasoning}
    store.insert_verdicts([{**row, "raw": "", "created_at": "2026-01-01"}])


def label(store, key, reviewer, field, value, role="rater", sample=None):
    row = {"request_key": key, "reviewer": reviewer, "role": role, "field": field, "value": value, "sample_id": sample}
    store.insert("labels", [{**row, "blind": 1, "created_at": "2026-01-01"}])


@pytest.fixture
def replies(tmp_path):
    """A store with 400 replies to 50 dilemmas, in two languages; yields it and the replies' keys."""
    with Store.open(tmp_path / "auditkit.db") as store:
        store.begin_run(RUN, "auditkit run", {"countries": {}})
        store.finish_plan(RUN)
        body = json.dumps({"scenario": ["x"], "a": "x", "b": "y", "question_ab": "?", "question_ba": "?"})
        items = [
            {"item_key": f"i1:{i}", "item_id": f"mas-{i:02}", "dimension": "mas", "domain": "work", "body": body}
            for i in range(50)
        ]
        store.insert("items", items)
        for i in items:
            store.insert(
                "options",
                [
                    {"item_key": i["item_key"], "option_id": o, "position": p, "pole": pole, "text": o}
                    for p, (o, pole) in enumerate((("a", "first"), ("b", "second")))
                ],
            )
        keys = [f"k1:{n:03}" for n in range(400)]
        store.insert(
            "requests",
            [
                {
                    "request_key": k,
                    "provider": "x",
                    "model": "m",
                    "revision": None,
                    "messages": "[]",
                    "params": "{}",
                    "sample": 0,
                }
                for k in keys
            ],
        )
        store.insert(
            "replies", [{"request_key": k, "status": "ok", "text": "so " * 20, "created_at": "2026"} for k in keys]
        )
        store.insert(
            "cells",
            [
                {
                    "run_id": RUN,
                    "position": n,
                    "item_key": f"i1:{n % 50}",
                    "mode": "multilingual",
                    "country": "DEU" if n % 2 else "ITA",
                    "lang": "deu_Latn" if n % 2 else "ita_Latn",
                    "model": "m",
                    "option_order": "ab",
                    "sample": 0,
                    "request_key": k,
                }
                for n, k in enumerate(keys)
            ],
        )
        yield store, keys


def test_two_reviewers_with_known_error_agree_as_theory_says(replies):
    """Two people who each err one time in ten on an even split have kappa (1 - 2e)^2 = .64, inside the interval."""
    store, keys = replies
    rng = random.Random(3)
    for key in keys:
        truth = rng.random() < 0.5
        for name in ("ann", "bob"):
            label(store, key, name, "stance", "a" if truth != (rng.random() < 0.1) else "b")
    (pair,) = pairs(read_ratings(store, RUN, "stance"))
    assert (pair.first, pair.second, pair.found.n, pair.items) == ("ann", "bob", 400, 50)
    assert pair.found.kappa.low < 0.64 < pair.found.kappa.high
    (alpha,) = together(read_ratings(store, RUN, "stance"))
    assert alpha.alpha.low < 0.64 < alpha.alpha.high


def test_both_orders_of_a_judge_are_one_label_and_a_flip_is_unclear(replies):
    """A judge is compared as the reports count it: two readings that differ are unclear, one unreadable one is no label."""
    store, keys = replies
    key = judge(store, "stance@x")
    for order, option in (("ab", "a"), ("ba", "a")):
        verdict(store, keys[0], key, "chose", option, presentation=order)
    for order, option in (("ab", "a"), ("ba", "b")):
        verdict(store, keys[1], key, "chose", option, presentation=order)
    verdict(store, keys[2], key, status="parse_failed")
    ratings = read_ratings(store, RUN, "stance")
    assert dict(ratings.by["stance@x"]) == {keys[0]: "a", keys[1]: "unclear"}
    assert ratings.invalid == {"stance@x": 1}


def test_people_are_the_adjudicator_else_the_majority(replies):
    """An adjudicated label stands; without one more than half of the raters decide, and a tie decides nothing."""
    store, keys = replies
    for name, values in {"ann": "aab", "bob": "aba", "cyd": "b"}.items():
        for key, value in zip(keys, values, strict=False):
            label(store, key, name, "stance", value)
    label(store, keys[1], "dan", "stance", "b", role="adjudicator")
    ratings = read_ratings(store, RUN, "stance")
    assert ratings.by[PEOPLE] == {keys[0]: "a", keys[1]: "b"}
    assert ratings.people == ["ann", "bob", "cyd"]


def test_a_label_taken_back_is_no_label(replies):
    """Undo writes an empty label; the one before it no longer counts."""
    store, keys = replies
    label(store, keys[0], "ann", "stance", "a")
    label(store, keys[0], "ann", "stance", "")
    label(store, keys[1], "ann", "stance", "a")
    label(store, keys[1], "ann", "stance", "b")
    assert dict(read_ratings(store, RUN, "stance").by["ann"]) == {keys[1]: "b"}


def test_flags_count_as_yes_and_a_read_reply_without_flags_as_no(replies):
    """Stereotypes are compared as any or none: categories and severities of a person, spans of a judge."""
    store, keys = replies
    key = judge(store, "culture@x", "culture")
    for each in keys[:2]:
        verdict(store, each, key, reasoning="none")
    store.insert(
        "flags",
        [
            {
                "request_key": keys[0],
                "judge_key": key,
                "family": "stereotype",
                "kind": "essentialism",
                "start": 0,
                "stop": 2,
                "evidence": "so",
            }
        ],
    )
    label(store, keys[0], "ann", "stereotype", "essentialism:2,role_cliche:1")
    label(store, keys[1], "ann", "stereotype", "none")
    ratings = read_ratings(store, RUN, "stereotype")
    assert dict(ratings.by["culture@x"]) == {keys[0]: "yes", keys[1]: "no"} == dict(ratings.by["ann"])
    assert read_ratings(store, RUN, "hallucination").by["culture@x"] == {keys[0]: "no", keys[1]: "no"}


def test_a_label_given_with_verdicts_in_view_is_no_evidence(replies):
    """What a reviewer says after seeing the judges echoes them: left out, and counted; an adjudicator's label stands."""
    store, keys = replies
    seen = {"reviewer": "ann", "field": "stance", "value": "a", "blind": 0, "created_at": "2026"}
    store.insert("labels", [{**seen, "request_key": keys[0], "role": "rater"}])
    store.insert("labels", [{**seen, "request_key": keys[1], "role": "adjudicator"}])
    ratings = read_ratings(store, RUN, "stance")
    assert (ratings.in_view, ratings.people, ratings.by[PEOPLE]) == (1, [], {keys[1]: "a"})


def test_the_parts_of_a_sample_are_its_strata(replies):
    """Replies drawn at random and those drawn for their flags can be told apart, whatever they were stratified by."""
    store, keys = replies
    store.insert("samples", [{"sample_id": "s1:y", "spec": "{}", "created_at": "2026"}])
    strata = ("random:m DEU", "random:m ITA", "enriched:essentialism")
    store.insert(
        "sample_items",
        [
            {"sample_id": "s1:y", "request_key": k, "stratum": s, "weight": 1.0}
            for k, s in zip(keys, strata, strict=False)
        ],
    )
    places = read_ratings(store, RUN, "stance", "s1:y").places
    assert [places[key].groups["stratum"] for key in keys[:3]] == ["random", "random", "enriched"]


def test_strata_hold_every_reply_once(replies):
    """Apart by language, the numbers of replies add up to all of them."""
    store, keys = replies
    rng = random.Random(1)
    for key in keys:
        for name in ("ann", "bob"):
            label(store, key, name, "reasoning_class", rng.choice(("none", "persona_only")))
    found = pairs(read_ratings(store, RUN, "reasoning_class"), "lang")
    sizes = {pair.stratum: pair.found.n for pair in found}
    assert sizes == {"": 400, "deu_Latn": 200, "ita_Latn": 200}
    with pytest.raises(AuditError, match="unknown grouping 'long'; did you mean 'lang'"):
        pairs(read_ratings(store, RUN, "reasoning_class"), "long")


def test_a_sample_is_compared_alone(replies):
    """With a sample named, replies and labels outside of it say nothing."""
    store, keys = replies
    store.insert("samples", [{"sample_id": "s1:x", "spec": "{}", "created_at": "2026"}])
    store.insert("sample_items", [{"sample_id": "s1:x", "request_key": keys[0], "stratum": "random", "weight": 400.0}])
    for name in ("ann", "bob"):
        label(store, keys[0], name, "stance", "a", sample="s1:x")
        label(store, keys[1], name, "stance", "a")
    (pair,) = pairs(read_ratings(store, RUN, "stance", "s1:x"), "stratum")[:1]
    assert (pair.found.n, set(read_ratings(store, RUN, "stance", "s1:x").places)) == (1, {keys[0]})


@pytest.mark.parametrize(
    ("value", "low", "rules", "expected"),
    [
        (0.75, 0.60, None, "passed"),
        (0.69, 0.60, None, "failed"),
        (0.75, 0.49, None, "failed"),
        (0.75, 0.60, 0.76, "failed"),
        (0.75, 0.60, 0.70, "passed"),
        (1.0, 0.80, None, "passed"),
        (0.75, None, None, "exploratory"),
        (None, None, None, "exploratory"),
    ],
)
def test_the_gate_is_the_codebooks(value, low, rules, expected):
    """A judge of stance needs kappa .70 with a lower limit of .50, and must beat the rules; without labels or limits it is exploratory."""
    assert standing("stance", value, low, rules)[0] == expected


def test_a_judge_that_costs_money_must_beat_the_rules(replies):
    """On the same labels, a model judge no better than the rules does not pass; the rules are held to the thresholds only."""
    store, keys = replies
    rng = random.Random(2)
    rules, model, late = judge(store, "rules", kind="rules"), judge(store, "stance@x"), judge(store, "stance@late")
    for key in keys:
        truth = rng.choice("ab")
        for name in ("ann", "bob"):
            label(store, key, name, "stance", truth)
        for each, error in ((rules, 0.05), (model, 0.12)):
            verdict(store, key, each, "chose", truth if rng.random() > error else "ab".replace(truth, ""))
    ratings = read_ratings(store, RUN, "stance")
    found = {gate.judge: gate for gate in gates("stance", ["rules", "stance@x", "stance@late"], pairs(ratings))}
    assert found["rules"].standing == "passed"
    assert (found["stance@x"].standing, "does not beat the rules" in found["stance@x"].reason) == ("failed", True)
    assert (found["stance@late"].standing, found["stance@late"].n, late) == ("exploratory", 0, "j1:stance@late-stance")


@pytest.mark.parametrize(("n", "expected"), [(2, "failed"), (8, "failed"), (40, "passed")])
def test_perfect_agreement_on_a_few_labels_is_not_enough(replies, n, expected):
    """Perfect agreement gets a lower limit by Wilson's interval over prompts: two labels pass no gate, forty do."""
    store, keys = replies
    model = judge(store, "stance@x")
    for i, key in enumerate(keys[:n]):
        label(store, key, "ann", "stance", "ab"[i % 2])
        verdict(store, key, model, "chose", "ab"[i % 2])
    (pair,) = pairs(read_ratings(store, RUN, "stance"))
    # Wilson's lower limit of n in n is n / (n + 1.96^2); chance is one half
    assert pair.found.kappa.low == pytest.approx(2 * n / (n + 1.959964**2) - 1, abs=1e-6)
    assert gates("stance", ["stance@x"], [pair])[0].standing == expected


def test_labels_of_one_prompt_pass_no_gate(replies):
    """Eight replies to one prompt are one observation: there is no interval, and the judge stays exploratory or fails."""
    store, keys = replies
    model, other = judge(store, "stance@x"), judge(store, "stance@y")
    for i, key in enumerate(keys[:400:50]):
        label(store, key, "ann", "stance", "ab"[i % 2])
        verdict(store, key, model, "chose", "ab"[i % 2])
        verdict(store, key, other, "chose", "a" if i == 1 else "ab"[i % 2])
    found = gates("stance", ["stance@x", "stance@y"], pairs(read_ratings(store, RUN, "stance")))
    assert [gate.standing for gate in found] == ["failed", "exploratory"]


def test_a_consensus_is_no_further_judge(replies):
    """What was made of the others is compared with people, not with its members, and raises no alpha."""
    store, keys = replies
    rng = random.Random(5)
    members = {judge(store, name): name for name in ("stance@x", "stance@y")}
    for key in keys[:100]:
        for each in members:
            verdict(store, key, each, "chose", rng.choice("ab"))
        label(store, key, "ann", "stance", "a")
    (before,) = together(read_ratings(store, RUN, "stance"))[:1]
    store.ask_judge(RUN, consensus_row("majority", members), [])
    store.ask_judge(RUN, consensus_row("all", members), [])
    assert refresh_consensus(store, RUN) == 200
    ratings = read_ratings(store, RUN, "stance")
    assert together(ratings)[0] == before and abs(before.alpha.value) < 0.3
    assert {(p.first, p.second) for p in pairs(ratings)} == {
        ("stance@x", "stance@y"),
        *((name, PEOPLE) for name in ("all", "majority", "stance@x", "stance@y")),
    }


def test_a_second_judge_is_compared_on_the_random_share(replies):
    """What was referred for being doubtful says nothing of the rest: only the share drawn by chance counts."""
    store, keys = replies
    first, second = judge(store, "rules", kind="rules"), judge(store, "stance@x")
    store.insert("second_judges", [{"run_id": RUN, "judge_key": second, "random_share": 0.25}])
    share = {key for key in keys if in_random_share(key, 0.25)}
    for i, key in enumerate(keys):
        verdict(store, key, first, "chose", "ab"[i % 2])
        if key in share:
            verdict(store, key, second, "chose", "ab"[i % 2])
        elif i % 3 == 0:
            verdict(store, key, second, "chose", "ba"[i % 2])
    (pair,) = pairs(read_ratings(store, RUN, "stance"))
    assert (pair.found.n, pair.found.observed) == (len(share), 1.0)


def test_the_command_prints_and_writes_the_same_figures(replies, auditkit, monkeypatch):
    """The table on the screen, the standing in words, and a CSV file with every figure and its interval."""
    store, keys = replies
    rng = random.Random(4)
    rules = judge(store, "rules", kind="rules")
    for key in keys:
        truth = rng.choice("ab")
        verdict(store, key, rules, "chose", truth)
        for name in ("ann", "bob"):
            label(store, key, name, "stance", truth if rng.random() > 0.05 else "refused")
    label(store, keys[0], "dan", "stance", "refused", role="adjudicator")
    store.close()
    monkeypatch.chdir(store.path.parent)
    done = auditkit("agreement", "--by", "lang", "--confusion", "--to", "out.csv")
    assert done.code == 0
    for text in ("Stance: which side", "ann", "people", "deu_Latn", "rules: passed", "alpha of 2 reviewers", "refused"):
        assert text in done.out, text
    with (store.path.parent / "out.csv").open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    kappa = next(
        r for r in rows if (r["first"], r["second"], r["measure"], r["stratum"]) == ("rules", "people", "kappa", "")
    )
    assert f"{float(kappa['value']):.2f} [{float(kappa['low']):.2f}, {float(kappa['high']):.2f}]" in done.out


def test_a_reviewers_name_does_not_act_on_the_terminal(replies, auditkit, monkeypatch):
    """Names come in label files of others, and a judge's from a path: escapes are shown as such, and brackets are no markup."""
    store, keys = replies
    model = judge(store, "stance@gguf:/a/[b][/x]/m.gguf")
    for i, key in enumerate(keys[:20]):
        for name in ("ann\x1b[2J", "bob"):
            label(store, key, name, "stance", "ab"[i % 2])
        verdict(store, key, model, "chose", "ab"[i % 3 % 2])
    verdict(store, keys[30], model, status="parse_failed")
    store.close()
    monkeypatch.setenv("AUDITKIT_DB", str(store.path))
    done = auditkit("agreement", "--confusion")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert "\\u001b[2J" in "".join(done.out.split()) and "[b][/x]" in done.out


def test_nothing_to_compare_says_what_to_do(replies, auditkit, monkeypatch):
    """One rater alone is no agreement: one line, exit code 2. Unknown names are told with the nearest one."""
    store, keys = replies
    label(store, keys[0], "ann", "stance", "a")
    store.close()
    monkeypatch.chdir(store.path.parent)
    nothing = auditkit("agreement")
    assert (nothing.code, "has two raters yet" in nothing.err) == (2, True)
    assert "did you mean 'stance'" in auditkit("agreement", "--task", "stanse").err
    assert "no sample has been drawn" in auditkit("agreement", "--sample", "s1").err
