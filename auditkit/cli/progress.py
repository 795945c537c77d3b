"""Progress on stderr: a live bar for a terminal, a line now and then for a log."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from auditkit.models.base import Failure, Reply

_EVERY_S = 30.0  # between lines of a log
_WINDOW = 60  # seconds over which the rate is taken


class StageProgress:
    """Done of total, rate, time left, cost so far and retries of one stage."""

    def __init__(self, console: Console, what: str, total: int, *, priced: bool = True) -> None:
        self.console = console
        self.what = what
        self.total = total
        self.done = 0
        self.retries = 0
        self.failed = 0
        self.cost = 0.0
        self.unpriced = False
        self.priced = priced
        self._times: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._started = time.monotonic()
        self._last_line = self._started
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> StageProgress:
        self._times.append((time.monotonic(), 0))
        if self.console.is_terminal:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[facts]}", style="dim"),
                console=self.console,
                transient=False,
            )
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=self.total, facts="")
        elif self.total:
            self.console.print(f"{self.what}: {self.total} to do", highlight=False, markup=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, facts=self.facts())
            self._bar.stop()
        elif self.total:
            self.console.print(
                f"{self.what}: {self.done} of {self.total}, {self.facts()}", highlight=False, markup=False
            )

    def note(self, text: str) -> None:
        """A line above the bar."""
        self.console.print(text, style="yellow", highlight=False, markup=False)

    def saw(self, outcome: Reply | Failure | None) -> None:
        """Count one outcome: a reply, a failed attempt, or (None) a piece of work that needed no call."""
        if isinstance(outcome, Failure):
            if outcome.final:
                self.failed += 1
            else:
                self.retries += 1
        else:
            self.done += 1
            if time.monotonic() - self._times[-1][0] > 1.0:
                self._times.append((time.monotonic(), self.done))
            if outcome is not None:
                self.cost += outcome.cost_usd or 0.0
                self.unpriced |= outcome.cost_usd is None
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, facts=self.facts())
        elif time.monotonic() - self._last_line > _EVERY_S:
            self._last_line = time.monotonic()
            self.console.print(
                f"{self.what}: {self.done} of {self.total}, {self.facts()}", highlight=False, markup=False
            )

    def facts(self) -> str:
        """Rate, time left, cost and retries, in words."""
        parts = []
        rate = self.rate()
        if rate:
            parts.append(f"{rate:.1f}/s" if rate < 100 else f"{rate:.0f}/s")
            left = self.total - self.done
            if left > 0:
                parts.append(f"ETA {duration(left / rate)}")
            else:
                parts.append(duration(time.monotonic() - self._started))
        if self.priced:
            if self.unpriced:
                parts.append("unpriced" if not self.cost else f"${self.cost:.4f} + unpriced")
            elif self.cost:
                parts.append(f"${self.cost:.4f}")
        if self.retries:
            parts.append(f"{self.retries} retries")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return "  ".join(parts)

    def rate(self) -> float:
        """Pieces a second over the last minute or so of work; 0 before there is anything to say."""
        now = time.monotonic()
        recent = now - self._times[0][0]
        if self.done < 2 or recent <= 0:
            return 0.0
        return (self.done - self._times[0][1]) / recent


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60:02d} min"
