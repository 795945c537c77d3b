"""The replies that several people label: a random part for prevalence, an enriched part for what is rare.

The random part is a systematic sample with a random start from all replies of the run, listed stratum by stratum and shuffled
within (Madow & Madow 1944, Ann. Math. Stat. 15, 1-24): every reply has the same chance n/N, however many strata there are, and
each stratum gets its share to within one reply. Its weight is N/n, so that the weights of the part sum to the replies of the
run: prevalence is the share in this part alone.

The enriched part is drawn from the flagged replies that the random part left. A reply belongs to the rarest kind of flag it
has; kinds get equal numbers as far as they reach. Its weight is what is left of the kind over what was drawn of it: with the
flagged replies of the random part (weight 1 each in this use) it covers everything flagged, for the precision of a kind.
The two parts are never pooled for a prevalence: the enriched one was chosen by what the detector said.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from auditkit.errors import AuditError, unknown
from auditkit.identity import digest
from auditkit.review.queue import FAULTS
from auditkit.store import Store, now

Drawn = TypeVar("Drawn")

RANDOM, ENRICHED = "random", "enriched"
STRATIFY = {"model": "model", "country": "country", "language": "lang", "mode": "mode", "dimension": "dimension"}
DEFAULT_SEED = 7


@dataclass(frozen=True)
class Sample:
    """A stored sample. parts: replies in the random and in the enriched part."""

    sample_id: str
    spec: dict[str, object]
    parts: dict[str, int]
    new: bool


def draw_sample(
    store: Store,
    run_id: str,
    size: int,
    *,
    stratify: Sequence[str] = (),
    seed: int = DEFAULT_SEED,
) -> Sample:
    """Draw and store a sample of a run's replies, or find the one that these choices made before.

    size: replies in all; half of them are the enriched part as far as there are flagged ones. stratify: names of `STRATIFY`.
    Raises AuditError for an unknown name, and for a run without replies to draw from.
    """
    for name in stratify:
        if name not in STRATIFY:
            raise unknown("stratum", name, STRATIFY)
    spec: dict[str, object] = {"run": run_id, "size": size, "stratify": list(stratify), "seed": seed}
    sample_id = digest("p1", spec)
    new = store.value("select 1 from samples where sample_id = ?", (sample_id,)) is None
    if new:
        rows = _draw(store, run_id, size, stratify, seed)
        with store.transaction() as db:  # whoever draws it first has drawn it for all
            db.execute(
                "insert or ignore into samples (sample_id, spec, created_at) values (?, ?, ?)",
                (sample_id, json.dumps(spec), now()),
            )
            if db.execute("select 1 from sample_items where sample_id = ?", (sample_id,)).fetchone() is None:
                db.executemany("insert into sample_items values (?, ?, ?, ?)", [(sample_id, *row) for row in rows])
    parts = Counter(
        row["stratum"].partition(":")[0]
        for row in store.rows("select stratum from sample_items where sample_id = ?", (sample_id,))
    )
    return Sample(sample_id, spec, dict(parts), new)


def _draw(store: Store, run_id: str, size: int, stratify: Sequence[str], seed: int) -> list[tuple[str, str, float]]:
    """(request key, stratum, weight) of every drawn reply."""
    columns = ", ".join(["''", *(f"coalesce({STRATIFY[name]}, '-')" for name in stratify)])
    strata: dict[str, list[str]] = defaultdict(list)
    for row in store.rows(
        f"select c.request_key, {columns}, min(c.position) from cells c join items i using (item_key)"
        " join replies r using (request_key) where c.run_id = ? and r.status in ('ok', 'truncated')"
        " and not exists (select 1 from screens s where s.request_key = c.request_key and s.degenerate is not null)"
        " group by c.request_key order by c.request_key",
        (run_id,),
    ):
        strata[" ".join(row[1:-1]).strip()].append(row[0])
    total = sum(map(len, strata.values()))
    if not total:
        raise AuditError(f"run {run_id[3:11]} has no reply that could be sampled; start with `auditkit run`")
    kinds = _kinds(store, run_id)
    enriched = min(size // 2, len(kinds), max(0, total - (size - size // 2)))
    rng = random.Random(seed)
    frame = [(key, name) for name, keys in sorted(strata.items()) for key in rng.sample(keys, len(keys))]
    step = max(1.0, total / (size - enriched))
    drawn = [(key, f"{RANDOM}:{name}" if name else RANDOM, step) for key, name in systematic(frame, step, rng)]
    taken = {key for key, _, _ in drawn}
    left: dict[str, list[str]] = defaultdict(list)
    for key, kind in kinds.items():
        if key not in taken:
            left[kind].append(key)
    for kind, count in spread({kind: len(keys) for kind, keys in left.items()}, enriched).items():
        if count:
            weight = len(left[kind]) / count
            drawn += [(key, f"{ENRICHED}:{kind}", weight) for key in rng.sample(left[kind], count)]
    return drawn


def _kinds(store: Store, run_id: str) -> dict[str, str]:
    """The rarest kind of flag (faults only) of every flagged reply of the run, by request key in its order."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in store.rows(
        f"select distinct f.request_key, f.kind from flags f where f.family in {FAULTS} and exists"
        " (select 1 from cells c where c.request_key = f.request_key and c.run_id = ?) order by 1",
        (run_id,),
    ):
        found[row[0]].add(row[1])
    count = Counter(kind for kinds in found.values() for kind in kinds)
    return {key: min(kinds, key=lambda kind: (count[kind], kind)) for key, kinds in found.items()}


def systematic(frame: Sequence[Drawn], step: float, rng: random.Random) -> list[Drawn]:
    """Every `step`-th of a list from a random start: len(frame) / step of them."""
    start = rng.random() * step
    last = len(frame) - 1  # rounding may carry the last place to the end
    return [frame[min(int(start + step * i), last)] for i in range(round(len(frame) / step))]


def spread(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """A number over strata as equally as their sizes allow, the smallest first.

    >>> spread({"common": 100, "rare": 2}, 10)
    {'rare': 2, 'common': 8}
    """
    counts = {}
    for place, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: (item[1], item[0]))):
        counts[name] = min(size, n // (len(sizes) - place))
        n -= counts[name]
    return counts
