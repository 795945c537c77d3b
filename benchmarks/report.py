"""Seconds and memory of `auditkit report` on a database of a million verdicts, made up by direct inserts.

Five models, persona and multilingual mode, five dimensions of 50 dilemmas in 36 countries, as many samples as it takes; one judge that
reads every reply once (rules) or, with --orders, one that reads it in both orders. The report runs as a process of its own.

    python benchmarks/report.py [--verdicts 1000000] [--orders] [--figures] [--keep FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
STAMP = "2026-01-01T00:00:00.000+00:00"
RUN = "r1:" + "0" * 32
REPLY = "I would take the option that suits what you describe, since it leaves you room to change your mind later. " * 4


def build(path: Path, verdicts: int, *, both_orders: bool) -> int:
    """A finished run with that many verdicts, and a lean towards the scores, so that there is something to find. Returns its replies."""
    from auditkit.data import load_content
    from auditkit.store import Store

    content = load_content()
    models = [f"made/up-{i}" for i in range(5)]
    presentations = ["ab", "ba"] if both_orders else [""]
    judge = "j1:" + "1" * 32
    countries = list(content.countries.values())
    cells = len(models) * 2 * len(content.dilemmas) * len(countries)
    samples = -(-verdicts // (cells * len(presentations)))
    manifest = {
        "auditkit": "0", "spec": {"models": [{"name": m} for m in models], "samples": samples}, "set_aside": [], "judges": [],
        "dimensions": {d.name: {"title": d.title, "score": d.score, "first": d.first, "second": d.second} for d in content.dimensions.values()},
        "countries": {c.iso3: c.model_dump(include={"title", "m49", "language", "language_name", "resource_level", "scores"}) for c in countries},
        "editions": content.editions,
    }  # fmt: skip
    rng = random.Random(7)
    made = 0
    with Store.open(path) as store:
        db = store.connection
        db.execute("pragma synchronous = off")
        db.execute("pragma foreign_keys = off")
        db.execute("begin")
        db.execute(
            "insert into runs values (?, 'audit', ?, ?, 'auditkit run (made up)', ?, ?)",
            (RUN, STAMP, STAMP, json.dumps(manifest), STAMP),
        )
        db.execute("insert into judges values (?, 'rules', 'rules', 'stance', null, '{}')", (judge,))
        db.execute("insert into judges values ('j1:gate', 'gate', 'rules', 'gate', null, '{}')")
        db.execute("insert into run_judges values (?, ?, ?)", (RUN, judge, json.dumps(presentations)))
        for dilemma in content.dilemmas.values():
            db.execute(
                "insert into items values (?, ?, ?, ?, 'dilemma', '{}')",
                (dilemma.key, dilemma.id, dilemma.dimension, dilemma.domain),
            )
            for place, (option, pole) in enumerate((("a", "first"), ("b", "second"))):
                db.execute(
                    "insert into options values (?, ?, ?, ?, null, ?)",
                    (dilemma.key, option, place, pole, dilemma.option(option)),
                )
        for country in countries:
            db.execute(
                "insert into personas values (?, 'plain', ?, 'residence', 'eng_Latn', '', null, null)",
                (country.iso3, country.iso3),
            )
        for model in models:
            for mode in ("persona", "multilingual"):
                for dilemma in content.dilemmas.values():
                    level = rng.gauss(0.55, 0.15)
                    for country in countries:
                        score = country.scores["paper"][content.dimensions[dilemma.dimension].score]
                        p = min(0.97, max(0.03, level + 0.002 * (score - 50) + rng.gauss(0, 0.1)))
                        for sample in range(samples):
                            key = f"k1:{rng.getrandbits(128):032x}"
                            persona = country.iso3 if mode == "persona" else None
                            lang = "eng_Latn" if mode == "persona" else country.language
                            db.execute(
                                "insert into requests values (?, 'made', ?, null, '[]', '{}', ?)", (key, model, sample)
                            )
                            db.execute(
                                "insert into cells values (?, ?, ?, ?, ?, ?, ?, null, ?, ?, ?, ?)",
                                (
                                    RUN,
                                    made,
                                    dilemma.key,
                                    mode,
                                    country.iso3,
                                    persona,
                                    lang,
                                    model,
                                    dilemma.lead_order,
                                    sample,
                                    key,
                                ),
                            )
                            db.execute(
                                "insert into replies values (?, 'ok', ?, 'stop', ?, null, 90, 80, null, 0, 1, ?)",
                                (key, REPLY, model, STAMP),
                            )
                            db.execute(
                                "insert into screens values (?, 'j1:gate', null, ?, .99, 0, ?)",
                                (key, country.bcp47[:2] if mode == "multilingual" else "en", STAMP),
                            )
                            option = "a" if rng.random() < p else "b"
                            chose = ("chose", option) if rng.random() < 0.96 else ("refused", None)
                            db.executemany(
                                "insert into verdicts (request_key, judge_key, presentation, status, outcome, option_id, raw, created_at) values (?, ?, ?, 'ok', ?, ?, '', ?)",
                                [(key, judge, order, *chose, STAMP) for order in presentations],
                            )
                            made += 1
        db.execute("commit")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=1_000_000)
    parser.add_argument("--orders", action="store_true", help="one judge that reads every reply in both orders")
    parser.add_argument("--figures", action="store_true", help="draw the figures too")
    parser.add_argument("--keep", type=Path, help="make the database here, or use the one that is here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = options.keep or Path(temporary) / "big.db"
        if not path.exists():
            begun = time.perf_counter()
            made = build(path, options.verdicts, both_orders=options.orders)
            print(f"made {made:,} replies in {time.perf_counter() - begun:.0f} s")
        size = path.stat().st_size / 1e6
        print(f"{path.name}: {size:,.0f} MB")
        command = [sys.executable, "-m", "auditkit", "report", "--db", str(path), "--to", f"{temporary}/out"]
        command += [] if options.figures else ["--no-figures"]
        begun = time.perf_counter()
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"report: {seconds:.1f} s, peak {peak:,.0f} MB")


if __name__ == "__main__":
    main()
