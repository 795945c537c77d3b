"""A reviewer's way through the queue: what is loaded, where the reviewer is, how fast it goes. Knows nothing of a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median

from auditkit.review.case import load_case
from auditkit.review.form import Form
from auditkit.review.labels import Labels, Undone
from auditkit.review.queue import Counts, Entry, Filters, Queue, Scope
from auditkit.store import Store

_PACE_OF = 20  # replies that the pace is taken over


class Session:
    """A walk through a queue. `entries` holds what has been loaded of it, `at` the place of the reply on screen."""

    def __init__(
        self, store: Store, scope: Scope, filters: Filters, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self.scope = scope
        self.queue = Queue(store, scope)
        self.labels = Labels(store, scope.reviewer, scope.role, scope.sample_id)
        self.form: Form | None = None
        self.at = -1
        self.entries: list[Entry] = []
        self.gained = 0  # replies completed, less those reopened, since the queue began
        self._clock = clock
        self._paces: list[float] = []
        self._opened = clock()
        self._pages: Iterator[list[Entry]] = iter(())
        self.narrow(filters)

    def narrow(self, filters: Filters) -> None:
        """Begin the queue anew under these filters, with its first page."""
        self.filters = filters
        self.entries = []
        self.form = None
        self.at = -1
        self.gained = 0
        self._pages = self.queue.pages(filters)
        self.load()

    def load(self) -> list[Entry]:
        """The next page of the queue, empty at its end."""
        page = next(self._pages, [])
        self.entries += page
        return page

    def open(self, place: int) -> Form | None:
        """Go to a reply by its place; None, and nothing changes, where there is none."""
        if not self.has(place):
            return None
        self.at = place
        case = load_case(self.store, self.scope.run_id, self.entries[place].request_key)
        self.form = Form(self.labels, case, self.scope.fields, blind=self.scope.blind, clock=self._clock)
        self._opened = self._clock()
        return self.form

    def next_open(self) -> Form | None:
        """Go on to the next reply with something left to answer; None where the queue has ended."""
        place = self.at + 1
        while self.has(place):
            if not self.entries[place].done:
                return self.open(place)
            place += 1
        return None

    def has(self, place: int) -> bool:
        """Whether the queue has a reply at this place; pages are loaded as far as it takes."""
        while place >= len(self.entries):
            if not self.load():
                return False
        return place >= 0

    def answered(self) -> None:
        """Note what the form holds now: the line of the queue, and the pace once all is answered."""
        if self.form is None:
            return
        entry = self.entries[self.at]
        self.entries[self.at] = replace(entry, answered=self.form.answered, done=self.form.complete)
        self.gained += self.form.complete - entry.done
        if self.form.complete and not entry.done:
            self._paces.append(self._clock() - self._opened)

    def undo(self) -> Undone | None:
        """Take back the last label and go to its reply. None where nothing is left to take back."""
        undone = self.labels.undo()
        if undone is not None:
            place = next((i for i, e in enumerate(self.entries) if e.request_key == undone.request_key), None)
            if place is not None:
                form = self.open(place)
                assert form is not None
                if undone.field in form.fields:
                    form.go(undone.field)
                self.answered()
        return undone

    @property
    def pace(self) -> float | None:
        """Median seconds that the last replies took; None before the first."""
        return median(self._paces[-_PACE_OF:]) if self._paces else None

    def counts(self) -> Counts:
        """Of the queue, over a connection of its own, so that it can be asked from another thread."""
        with Store.read(self.store.path) as store:
            return Queue(store, self.scope).counts(self.filters)
