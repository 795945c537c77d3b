"""How fast `auditkit review` is as the number of flagged replies grows: time to first paint, and from key to paint.

    python benchmarks/review.py [--replies 1000 10000 50000] [--keys 300]

A database with so many flagged replies and as many clean ones, one in a thousand of severity 3, is made for each size. First
paint: from opening the file to the first reply drawn on a screen of 140 x 40, imports not counted. Key to paint: from the key
to the screen drawn after it, over labelling, walking the queue (new pages come in) and undo. Counting goes on beside, in its own thread.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from review_stores import many  # noqa: E402

from auditkit.review.app import ReviewApp  # noqa: E402
from auditkit.review.labels import FIELDS  # noqa: E402
from auditkit.review.queue import Filters, Scope  # noqa: E402
from auditkit.review.screens import ReviewScreen  # noqa: E402
from auditkit.review.session import Session  # noqa: E402
from auditkit.store import Store  # noqa: E402

KEYS = ("1", "2", "1", "tab", "full_stop", "enter", "j", "j", "k", "u", "j", "j", "j")


class Timed(ReviewScreen):
    """Tells when what it shows has been drawn."""

    def __init__(self, session):
        super().__init__(session)
        self.drawn = asyncio.Event()
        self.at = 0.0

    def refresh_all(self):
        super().refresh_all()
        self.call_after_refresh(self._drawn_now)

    def _drawn_now(self):
        self.at = time.perf_counter()  # here, since Textual's test driver goes on only once the whole process is idle
        self.drawn.set()


async def measure(path: Path, blind: bool, keys: int) -> tuple[float, list[float], float]:
    """Seconds to the first paint, seconds from each key to its paint, and seconds until the queue was counted."""
    begun = time.perf_counter()
    with Store.annotate(path) as store:
        session = Session(store, Scope("r1:many", f"ann{blind}", FIELDS, blind=blind), Filters(unlabelled=True))
        screen = Timed(session)
        app = ReviewApp(lambda: screen)
        async with app.run_test(size=(140, 40)):
            await screen.drawn.wait()
            first = screen.at - begun
            await app.workers.wait_for_complete()
            counted = time.perf_counter() - begun
            times = []
            for key in islice(cycle(KEYS), keys):
                screen.drawn.clear()
                pressed = time.perf_counter()
                app.simulate_key(key)
                await screen.drawn.wait()
                times.append(screen.at - pressed)
    return first, times, counted


def main() -> None:
    """Print a table, a row for each size and order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replies", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(
        f"{'flagged':>8}  {'order':<12} {'first paint':>11} {'key median':>10} {'key p95':>8} {'counted after':>13}   ms"
    )
    for n in options.replies:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "many.db"
            many(path, n)
            for blind in (True, False):
                runs = [asyncio.run(measure(path, blind, options.keys)) for _ in range(options.repeats)]
                times = sorted(t for _, run, _ in runs for t in run)
                figures = (
                    statistics.median(first for first, _, _ in runs),
                    statistics.median(times),
                    times[int(0.95 * len(times))],
                    statistics.median(counted for _, _, counted in runs),
                )
                cells = "".join(f"{1000 * f:{w}.0f}" for f, w in zip(figures, (12, 11, 9, 14), strict=True))
                print(f"{n:8,}  {'blind' if blind else 'severest':<12}{cells}", flush=True)


if __name__ == "__main__":
    main()
