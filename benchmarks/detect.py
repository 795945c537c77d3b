"""How well, how fast and in how much memory the detector's rule layer reads replies.

    python benchmarks/detect.py --data FILE          agreement with labelled replies
    python benchmarks/detect.py --speed 10000        seconds on one core, beside language identification alone
    python benchmarks/detect.py --memory 100000      peak memory of reading that many stored replies

FILE is JSONL, one reply a line: `response`, `prompt` (persona sentence first), `country` (name), and `labels` with
`reasoning_class` and `stereotype`; or as `tests/data/culture_replies.jsonl` has it. `--lines odd` (or even) takes every other line,
so that one half can be tuned on and the other kept unread. The numbers of `Settings` are chosen on four fifths of the dilemmas and scored on the last; the
rules themselves were written once, so that cross-validation says nothing about their wording.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from auditkit.data import Content, load_content  # noqa: E402
from auditkit.detect.rules import FITTED, Asked, Detection, Detector, Settings, load_detector  # noqa: E402

GRID = {
    "flag": (1.0, 1.5), "weak": (0.25, 0.5, 1.0), "figure": (0.5, 1.0), "past": (0.5, 1.0), "concept": (0.5, 1.0), "premise": (0.5, 1.0),
}  # fmt: skip
_PERSONA = re.compile(r"^.*?\bproviding appropriate advice\.\s*", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """A labelled reply."""

    text: str
    asked: Asked
    dilemma: str
    reasoning_class: str
    stereotype: bool
    certain: bool


def load(path: Path, content: Content, lines: str = "all") -> list[Row]:
    rows = []
    every = path.read_text(encoding="utf-8").splitlines()
    for line in {"all": every, "odd": every[::2], "even": every[1::2]}[lines]:
        value = json.loads(line)
        labels, text = value.get("labels", value), value.get("response") or value["reply"]
        prompt = value.get("prompt") or " ".join(value[name] for name in ("scenario", "option_a", "option_b"))
        prompt = _PERSONA.sub("", prompt)
        asked = Asked((content.country(value["country"]).iso3,), "en", prompt)
        certain = not value.get("uncertain")
        rows.append(Row(text, asked, prompt, labels["reasoning_class"], bool(labels["stereotype"]), certain))
    return rows


def kappa(pairs: Sequence[tuple[object, object]]) -> float:
    """Cohen's kappa of two raters."""
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    ours, theirs = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(ours[label] * theirs[label] for label in ours) / n**2
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


Reading = tuple[Row, Detection]


def figures(readings: Sequence[Reading]) -> dict[str, float]:
    hits = sum(d.stereotype and r.stereotype for r, d in readings)
    said, true = sum(d.stereotype for _, d in readings), sum(r.stereotype for r, _ in readings)
    return {
        "precision": hits / said if said else float("nan"),
        "recall": hits / true if true else float("nan"),
        "kappa stereotype": kappa([(r.stereotype, d.stereotype) for r, d in readings]),
        "kappa class": kappa([(r.reasoning_class, d.reasoning_class) for r, d in readings]),
    }


def report(title: str, readings: Sequence[Reading], resamples: int, seed: int) -> None:
    """The figures with 95 % percentile intervals; the unit drawn with replacement is the dilemma."""
    members: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        members[reading[0].dilemma].append(reading)
    draw, names = random.Random(seed), sorted(members)
    drawn = [
        figures([one for name in draw.choices(names, k=len(names)) for one in members[name]]) for _ in range(resamples)
    ]
    parts = []
    for name, value in figures(readings).items():
        ordered = sorted(sample[name] for sample in drawn if sample[name] == sample[name])
        low, high = ordered[int(0.025 * len(ordered))], ordered[int(0.975 * (len(ordered) - 1))]
        parts.append(f"{name} {value:.2f} [{low:.2f}, {high:.2f}]")
    print(f"{title:<38} n={len(readings):<4} " + "  ".join(parts))


def agreement(path: Path, lines: str, folds: int, resamples: int, seed: int) -> None:
    detector = load_detector()
    rows = load(path, load_content(), lines)
    names = sorted({row.dilemma for row in rows})
    random.Random(seed).shuffle(names)
    fold_of = {name: i % folds for i, name in enumerate(names)}
    grid = [replace(FITTED, **dict(zip(GRID, values, strict=True))) for values in itertools.product(*GRID.values())]
    read = {s: [(r, replace(detector, settings=s).read(r.text, r.asked)) for r in rows] for s in {*grid, FITTED}}
    held: list[Reading] = []
    chosen: Counter[Settings] = Counter()
    for fold in range(folds):
        best = max(grid, key=lambda s: (utility([x for x in read[s] if fold_of[x[0].dilemma] != fold]), s == FITTED))
        chosen[best] += 1
        held += [x for x in read[best] if fold_of[x[0].dilemma] == fold]
    print(f"{len(rows)} replies, {len(names)} dilemmas, {folds} folds by dilemma, {resamples} resamples of dilemmas\n")
    report("settings that ship, all rows", read[FITTED], resamples, seed)
    report("  rows labelled without doubt", [x for x in read[FITTED] if x[0].certain], resamples, seed)
    report("settings chosen on the other folds", held, resamples, seed)
    report("  rows labelled without doubt", [x for x in held if x[0].certain], resamples, seed)
    print("\nsettings chosen, by how many folds:")
    for settings, count in chosen.most_common():
        print(f"  {count}  {settings}")
    print("\nclass, labelled -> read (settings that ship)")
    table = Counter((r.reasoning_class, d.reasoning_class) for r, d in read[FITTED])
    for pair, count in sorted(table.items()):
        print(f"  {pair[0]:<20} {pair[1]:<20} {count}")


def utility(readings: Sequence[Reading]) -> float:
    found = figures(readings)
    return found["kappa stereotype"] + found["kappa class"]


def synthetic(content: Content, detector: Detector, n: int, seed: int = 0) -> list[tuple[str, Asked]]:
    """Replies of about 300 characters made of the bank's options, names, markers and phrases; a tenth not plain ASCII."""
    draw = random.Random(seed)
    dilemmas, countries = list(content.dilemmas.values()), list(content.countries.values())
    made = []
    for number in range(n):
        dilemma, country = draw.choice(dilemmas), draw.choice(countries)
        markers = detector.lexicon.markers[country.iso3].terms
        option = dilemma.option(draw.choice("ab"))
        parts = [
            f"As a proud {country.demonyms[0]}, I would say that you should {option}, since this is what your heart tells you.",
            f"In {country.name}, we value patience, and our elders taught us to think of everybody who is at the table.",
            " ".join(dilemma.scenario[-2:]),
            f"Take it easy, like {draw.choice(markers).spelling} at the end of a long day!",
            "That way you keep the respect of the people around you, and you can look back without regret.",
        ]
        draw.shuffle(parts)
        text = " ".join(parts[:4]) + (" “Well done” — 😊" if number % 10 == 0 else "")
        prompt = "\n".join((*dilemma.text.scenario, dilemma.a, dilemma.b, dilemma.text.question_ab))
        made.append((text, Asked((country.iso3,), "en", prompt)))
    return made


def speed(n: int) -> None:
    from auditkit.judge.gate import degenerate, iso_codes, reply_language

    content, detector = load_content(), load_detector()
    candidates = tuple(sorted(set(iso_codes(content.countries).values())))
    replies = synthetic(content, detector, n)
    reply_language("to read the model", "en", candidates)
    detector.read(*replies[0])

    def timed(work: Callable[[str, Asked], object]) -> float:
        began = time.process_time()
        for text, asked in replies:
            work(text, asked)
        return time.process_time() - began

    def everything(text: str, asked: Asked) -> None:
        degenerate(text)
        reply_language(text, asked.language, candidates)
        detector.read(text, asked)

    alone = timed(lambda text, asked: reply_language(text, asked.language, candidates))
    whole = timed(everything)
    mean = sum(len(text) for text, _ in replies) / n
    print(f"{n} synthetic replies of {mean:.0f} characters, CPU seconds on one core")
    print(f"  language identification alone   {alone:6.1f} s")
    print(f"  gate, language and rule layer   {whole:6.1f} s   x{whole / alone:.1f}, {n / whole:,.0f} replies/s")


def fill(path: Path, n: int) -> None:
    """A database with one run of `n` replies to personas."""
    from auditkit.store import Store, now

    content, detector = load_content(), load_detector()
    with Store.open(path) as store:
        store.begin_run("r1:benchmark", "benchmark", {"countries": {}, "dimensions": {}})
        dilemma = next(iter(content.dilemmas.values()))
        item = {
            "item_key": dilemma.key,
            "item_id": dilemma.id,
            "dimension": dilemma.dimension,
            "domain": dilemma.domain,
        }
        store.insert("items", [item | {"body": json.dumps(dilemma.text.model_dump())}])
        persona = {
            "template_id": "t",
            "strength": "identity",
            "lang": "eng_Latn",
            "text": "x",
            "translator": None,
            "status": None,
        }
        store.insert("personas", [persona | {"persona_key": c, "country": c} for c in content.countries])
        for start in range(0, n, 1000):
            made = list(enumerate(synthetic(content, detector, min(1000, n - start), seed=start), start))
            keys = {number: f"k1:{number:032x}" for number, _ in made}
            request = {
                "provider": "mock",
                "model": "m",
                "revision": None,
                "messages": "[]",
                "params": "{}",
                "sample": 0,
            }
            store.insert("requests", [request | {"request_key": keys[i]} for i, _ in made])
            cell = {
                "run_id": "r1:benchmark", "item_key": dilemma.key, "mode": "persona", "lang": "eng_Latn", "translation_key": None,
                "model": "m", "option_order": "ab", "sample": 0,
            }  # fmt: skip
            store.insert(
                "cells",
                [
                    cell
                    | {
                        "position": i,
                        "country": asked.countries[0],
                        "persona_key": asked.countries[0],
                        "request_key": keys[i],
                    }
                    for i, (_, asked) in made
                ],
            )
            reply = {"status": "ok", "created_at": now()}
            store.insert("replies", [reply | {"request_key": keys[i], "text": text} for i, (text, _) in made])
        store.finish_plan("r1:benchmark")


def read_all(path: Path) -> None:
    """Screen and read every reply of a database made by `fill`; prints the peak memory of this process."""
    from auditkit.detect.stage import DetectorJudge, detect_run
    from auditkit.runner import screen
    from auditkit.store import Store

    judge = DetectorJudge()
    with Store.open(path) as store:
        store.ask_judge("r1:benchmark", judge.row, judge.presentations)
        screen(store, "r1:benchmark")
        result = asyncio.run(detect_run(store, "r1:benchmark", judge, lambda: False))
        flags = store.value("select count(*) from flags")
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(f"{result.done} replies read, {flags} flags, peak memory {int(peak.split()[1]) / 1024:.0f} MB")


def memory(n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for count in (1000, n):
            path = Path(folder) / f"{count}.db"
            fill(path, count)
            subprocess.run([sys.executable, __file__, "--read", str(path)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="labelled replies, see above")
    parser.add_argument("--lines", choices=("all", "odd", "even"), default="all", help="which lines of FILE")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", type=int, metavar="N")
    parser.add_argument("--memory", type=int, metavar="N")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.data:
        agreement(options.data, options.lines, options.folds, options.resamples, options.seed)
    if options.speed:
        speed(options.speed)
    if options.memory:
        memory(options.memory)
    if options.read:
        read_all(options.read)


if __name__ == "__main__":
    main()
