"""Review beside a run that writes, the terminal that dies, and two reviewers of known error."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from itertools import chain

import pytest
from conftest import ROOT, wait_until
from review_stores import many

from auditkit.review.labels import FIELDS, Labels
from auditkit.review.queue import Filters, Queue, Scope
from auditkit.review.sampling import draw_sample
from auditkit.store import Store

WRITER = """
import sys, time
from pathlib import Path
from auditkit.models.base import Reply
from auditkit.store import Store
path, stop = Path(sys.argv[1]), Path(sys.argv[2])
written, begun = 0, time.monotonic()
with Store.open(path) as store:
    while not stop.exists():
        key = f"k1:live{written}"
        store.insert("requests", [{"request_key": key, "provider": "m", "model": "m", "revision": None, "messages": None, "params": "{}", "sample": 0}])
        store.record("r1:many", key, Reply(status="ok", text="word " * 60, finish_reason="stop", reported_model="m",
                     tokens_in=1, tokens_out=1, cost_usd=0.0, latency_s=0.0))
        written += 1
        time.sleep(max(0.0, begun + written / 100 - time.monotonic()))
print(written)
"""


def test_fifty_transcripts_are_labelled_while_a_run_writes_a_hundred_replies_a_second(tmp_path):
    """Nothing is locked and nothing is lost, on either side: five labels a transcript, and every reply of the writer."""
    pytest.importorskip("textual")
    from review_pilot import running

    from auditkit.review.screens import ReviewScreen
    from auditkit.review.session import Session

    path, stop = tmp_path / "many.db", tmp_path / "stop"
    many(path, 60)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(stop)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    live = "select count(*) from replies where request_key like 'k1:live%'"
    try:
        with Store.annotate(path) as store:
            wait_until(lambda: store.value(live) > 20)

            async def label():
                session = Session(store, Scope("r1:many", "ann", FIELDS), Filters())
                async with running(lambda: ReviewScreen(session), (100, 30)) as pilot:
                    for _ in range(50):
                        await pilot.press("1", "2", "1", "tab", "0", "0", "enter")
                    return session.at, [str(n) for n in pilot.app._notifications]

            before = store.value(live)
            place, messages = asyncio.run(label())
            during = store.value(live) - before
    finally:
        stop.touch()
        out, err = writer.communicate(timeout=60)
    assert err == ""
    assert (place, messages) == (50, [])
    assert during > 50
    with Store.read(path) as store:
        assert store.value(live) == int(out)
        assert store.value("select count(*) from labels") == 250
        assert store.value("select count(distinct request_key) from current_labels where value <> ''") == 50
        assert store.value("pragma integrity_check") == "ok"


def test_a_killed_reviewer_loses_nothing(tmp_path):
    """Each label is stored when its key is pressed: after a kill all of them are there, and no lock remains."""
    path = tmp_path / "many.db"
    many(path, 5)
    script = (
        "import sys, time; from pathlib import Path; from auditkit.store import Store; from auditkit.review.labels import Labels\n"
        "labels = Labels(Store.annotate(Path(sys.argv[1])), 'ann')\n"
        "key = labels.store.value('select min(request_key) from flags')\n"
        "for i in range(10**6): labels.write(key, 'note', str(i), blind=True); print(i, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        for _ in range(40):
            said = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split()
    said = max([said, *map(int, rest[:-1])])
    with Store.annotate(path) as store:
        assert store.value("select max(cast(value as integer)) from labels") >= said
        assert store.value("select count(*) from labels") > said
        Labels(store, "ben").write(store.value("select min(request_key) from flags"), "note", "free", blind=True)


def rate(store, key, reviewer, error, rng):
    """Label a reply with its true class, or, in a share of cases, with one of the others."""
    classes = ("none", "persona_only", "cultural_reasoning")
    truth = classes[int(key[-4:], 16) % 3]
    said = rng.choice([c for c in classes if c != truth]) if rng.random() < error else truth
    Labels(store, reviewer).write(key, "reasoning_class", said, blind=True, seconds=1.0)


def test_two_reviewers_of_known_error_agree_as_theory_says(tmp_path):
    """Each errs in a fifth of the replies, evenly over two wrong classes: kappa is .49, and lies in the interval that is found.

    Equal classes, so chance agreement is 1/3. They agree where both are right (.8²) or both give the same wrong one (2 · .1²):
    .66; kappa = (.66 - 1/3) / (2/3) = .49.
    """
    from auditkit.stats.agree import compare_raters

    path = tmp_path / "many.db"
    many(path, 300)
    with Store.annotate(path) as store:
        sample = draw_sample(store, "r1:many", 400, stratify=["model", "country"], seed=7)
        for reviewer, seed in (("ann", 1), ("ben", 2)):
            rng = random.Random(seed)
            queue = Queue(store, Scope("r1:many", reviewer, ("reasoning_class",), sample_id=sample.sample_id))
            for entry in chain.from_iterable(queue.pages(Filters())):
                rate(store, entry.request_key, reviewer, 0.2, rng)
            assert queue.counts(Filters()).done == 400
        said = {
            reviewer: dict(
                store.connection.execute(
                    "select request_key, value from current_labels where reviewer = ? order by 1", (reviewer,)
                )
            )
            for reviewer in ("ann", "ben")
        }
    found = compare_raters(list(said["ann"].values()), [said["ben"][key] for key in said["ann"]])
    assert found.n == 400
    assert found.kappa.low < 0.49 < found.kappa.high
    assert found.observed == pytest.approx(0.66, abs=0.07)
