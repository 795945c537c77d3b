"""The queue: orders, filters, counts, adjudication, what to say when it is empty; and the drawn samples."""

from __future__ import annotations

import random
from collections import Counter
from itertools import chain

import pytest
from review_stores import make_db

from auditkit.errors import AuditError
from auditkit.review.labels import FIELDS, Labels
from auditkit.review.queue import Counts, Filters, Queue, Scope
from auditkit.review.sampling import draw_sample, spread, systematic
from auditkit.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.annotate(make_db(tmp_path)) as opened:
        yield opened


def queue(store, reviewer="ann", **changes):
    return Queue(store, Scope(store.latest_run()["run_id"], reviewer, FIELDS, **changes))


def entries(made, filters=Filters(), size=3):  # noqa: B008
    return list(chain.from_iterable(made.pages(filters, size)))


def label_all(store, key, reviewer, stance="a", role="rater"):
    labels = Labels(store, reviewer, role)
    for name in FIELDS:
        labels.write(key, name, stance if name == "stance" else "none", blind=True)


def test_most_severe_first_page_by_page(store):
    """Not blind, the gravest come first and what has no severity last; pages neither repeat nor lose a reply."""
    found = entries(queue(store, blind=False))
    assert [entry.severity for entry in found] == [3] * 4 + [2] * 4 + [None] * 8
    assert len({entry.request_key for entry in found}) == 16
    assert found[0].kinds == ("caricature_speech", "mock_accent", "phonetic")
    assert found[0].families == ("stereotype", "voice")
    assert [e.request_key for e in entries(queue(store, blind=False), size=50)] == [e.request_key for e in found]


def test_traces_and_premises_alone_do_not_make_a_reply_flagged(store):
    """They describe a reply; asked for by name, they fill the queue all the same."""
    assert "IRN" not in {entry.country for entry in entries(queue(store))}
    asked = entries(queue(store, blind=False), Filters(category="premise"))
    assert {entry.country for entry in asked} == {"IRN"}


def test_blind_order_is_random_the_reviewers_own_and_the_same_tomorrow(store):
    """Two reviewers meet the same replies in different orders; the order does not follow severity."""
    ann, ben = (entries(queue(store, reviewer)) for reviewer in ("ann", "ben"))
    assert ann == entries(queue(store, "ann"))
    assert {e.request_key for e in ann} == {e.request_key for e in ben}
    assert [e.request_key for e in ann] != [e.request_key for e in ben]
    assert [e.severity for e in ann] != [e.severity for e in entries(queue(store, blind=False))]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters(country="FRA"), 4),
        (Filters(model="mock/script?path=script.jsonl"), 16),
        (Filters(model="gpt"), 0),
        (Filters(language="deu_Latn"), 0),
        (Filters(category="essentialism"), 4),
        (Filters(category="hallucination"), 4),
        (Filters(severity=2), 8),
        (Filters(severity=3, country="DEU"), 0),
        (Filters(text="own-02"), 4),
        (Filters(text="pretzel"), 4),
        (Filters(text="100%"), 0),
        (Filters(disagreement=True), 0),
    ],
)
@pytest.mark.parametrize("blind", [True, False])
def test_filters_narrow_the_queue_and_the_counts_agree(store, filters, count, blind):
    """Every filter, in both orders."""
    made = queue(store, blind=blind)
    assert len(entries(made, filters)) == count
    assert made.counts(filters) == Counts(count, 0)


def test_judges_that_differ_are_found(store):
    """A second stance judge that contradicts the first puts the reply into the filtered queue, and no other."""
    key = entries(queue(store))[0].request_key
    store.insert("judges", [{"judge_key": "j1:b", "name": "b", "kind": "llm", "task": "stance", "model": "b", "config": "{}"}])  # fmt: skip
    first = store.value("select option_id from verdicts where request_key = ? and option_id is not null", (key,))
    row = {"request_key": key, "judge_key": "j1:b", "status": "ok", "outcome": "chose", "raw": "", "created_at": ""}
    store.insert("verdicts", [row | {"option_id": "ab".replace(first, "")}])
    assert [e.request_key for e in entries(queue(store), Filters(disagreement=True))] == [key]


def test_unlabelled_leaves_out_what_is_answered_in_full(store):
    """A reply with one answer of five is open; one that others labelled is open too."""
    first, second, third = [entry.request_key for entry in entries(queue(store))[:3]]
    label_all(store, first, "ann")
    Labels(store, "ann").write(second, "stance", "a", blind=True)
    label_all(store, third, "ben")
    found = {entry.request_key: entry for entry in entries(queue(store))}
    assert (found[first].done, found[first].answered) == (True, 5)
    assert (found[second].done, found[second].answered) == (False, 1)
    left = {entry.request_key for entry in entries(queue(store), Filters(unlabelled=True))}
    assert first not in left
    assert {second, third} <= left
    assert queue(store).counts(Filters(unlabelled=True)) == Counts(16, 1)


def test_fewer_fields_make_a_reply_done_sooner(store):
    """Whoever is asked for the stance alone has finished with it."""
    key = entries(queue(store))[0].request_key
    Labels(store, "ann").write(key, "stance", "a", blind=True)
    only = Queue(store, Scope(store.latest_run()["run_id"], "ann", ("stance",)))
    assert [entry.done for entry in entries(only) if entry.request_key == key] == [True]


def test_an_adjudicator_sees_disagreements_only_and_each_once(store):
    """Agreed replies, and those that one rater labelled, are not shown; a settled one is no longer open."""
    agreed, disputed, single = [entry.request_key for entry in entries(queue(store))[:3]]
    for reviewer, stance in (("ann", "a"), ("ben", "b")):
        label_all(store, agreed, reviewer)
        label_all(store, disputed, reviewer, stance)
    label_all(store, single, "ann")
    made = queue(store, "cleo", role="adjudicator")
    assert [entry.request_key for entry in entries(made)] == [disputed]
    Labels(store, "cleo", "adjudicator").write(disputed, "stance", "b", blind=True)
    assert entries(made, Filters(unlabelled=True)) == []
    assert made.counts(Filters()) == Counts(1, 1)


def test_an_empty_queue_says_what_to_do(store):
    """No detector yet, nothing found, everything labelled, filters too narrow: each has its line."""
    assert "nothing fits" in queue(store).why_empty(Filters(country="ISL"))
    for entry in entries(queue(store)):
        label_all(store, entry.request_key, "ann")
    assert "all of it is labelled" in queue(store).why_empty(Filters(unlabelled=True))
    assert "nothing to adjudicate" in queue(store, role="adjudicator").why_empty(Filters())
    store.connection.execute("pragma foreign_keys = off")
    store.connection.execute("delete from flags")
    assert "nothing is flagged" in queue(store).why_empty(Filters())
    store.connection.execute("delete from verdicts")
    assert "run `auditkit detect`" in queue(store).why_empty(Filters(unlabelled=True))


# --------------------------------------------------------------------------------------------------------- samples


def items(store, sample):
    return list(store.rows("select request_key, stratum, weight from sample_items where sample_id = ?", (sample.sample_id,)))  # fmt: skip


def test_a_sample_has_a_random_and_an_enriched_part_with_their_weights(store):
    """The weights of the random part sum to the replies of the run, those of the enriched part to the flagged ones it left."""
    run_id = store.latest_run()["run_id"]
    sample = draw_sample(store, run_id, 12, stratify=["country"], seed=7)
    rows = items(store, sample)
    drawn = {part: [row for row in rows if row["stratum"].startswith(part)] for part in ("random", "enriched")}
    assert (len(drawn["random"]), len(drawn["enriched"])) == (6, 6)
    assert sum(row["weight"] for row in drawn["random"]) == pytest.approx(28)
    flagged = {entry.request_key for entry in entries(queue(store))}
    left = flagged - {row["request_key"] for row in drawn["random"]}
    assert sum(row["weight"] for row in drawn["enriched"]) == pytest.approx(len(left))
    assert {row["request_key"] for row in drawn["enriched"]} <= left
    assert len({row["stratum"] for row in drawn["random"]}) == 6  # six of the seven countries, one reply each


def test_the_same_command_is_the_same_sample(store):
    """The second reviewer draws nothing new, though flags have come in between; another seed is another sample."""
    run_id = store.latest_run()["run_id"]
    first = draw_sample(store, run_id, 10, stratify=["model", "country"], seed=7)
    before = items(store, first)
    store.connection.execute("delete from flags where kind = 'phonetic'")
    second = draw_sample(store, run_id, 10, stratify=["model", "country"], seed=7)
    assert (first.new, second.new) == (True, False)
    assert items(store, second) == before
    assert draw_sample(store, run_id, 10, stratify=["model", "country"], seed=8).sample_id != first.sample_id


def test_the_queue_of_a_sample_is_the_sample_in_the_reviewers_order(store):
    """All of it, unflagged replies too, each once; the order of what is left does not change as labels come in."""
    run_id = store.latest_run()["run_id"]
    sample = draw_sample(store, run_id, 14, seed=1)
    ann, ben = ([e.request_key for e in entries(queue(store, r, sample_id=sample.sample_id))] for r in ("ann", "ben"))
    assert sorted(ann) == sorted(ben) == sorted(row["request_key"] for row in items(store, sample))
    assert ann != ben
    label_all(store, ann[3], "ann")
    left = entries(queue(store, sample_id=sample.sample_id), Filters(unlabelled=True))
    assert [entry.request_key for entry in left] == ann[:3] + ann[4:]


def test_a_sample_larger_than_the_run_is_the_run(store):
    """Every reply once, with the weight 1."""
    rows = items(store, draw_sample(store, store.latest_run()["run_id"], 500))
    assert Counter(row["request_key"] for row in rows).most_common(1)[0][1] == 1
    assert {row["weight"] for row in rows if row["stratum"].startswith("random")} == {1.0}
    assert len(rows) == 28


def test_a_stratum_that_does_not_exist_is_named(store):
    """A typing error gets the nearest name."""
    with pytest.raises(AuditError, match="did you mean 'country'"):
        draw_sample(store, store.latest_run()["run_id"], 10, stratify=["contry"])


def test_every_reply_has_the_same_chance_to_be_drawn():
    """The systematic draw over strata is unbiased: 40 replies in 7 unequal strata, 10 drawn, 4,000 times."""
    frame = [(stratum, i) for stratum, size in enumerate((1, 1, 2, 3, 5, 8, 20)) for i in range(size)]
    counted = Counter(
        reply for seed in range(4_000) for reply in systematic(frame, len(frame) / 10, random.Random(seed))
    )
    assert sum(counted.values()) == 40_000
    worst = max(abs(counted[reply] / 4_000 - 0.25) for reply in frame)
    assert worst < 4.5 * (0.25 * 0.75 / 4_000) ** 0.5


def test_rare_kinds_are_taken_whole_before_common_ones_share_the_rest():
    """Equal numbers as far as they reach."""
    assert spread({"a": 100, "b": 3, "c": 100}, 23) == {"b": 3, "a": 10, "c": 10}
    assert spread({}, 5) == {}
