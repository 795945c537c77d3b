"""Is there a text to judge at all? Degenerate replies are counted, and never judged."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from auditkit.identity import digest

Degenerate = Literal["empty", "one_char", "loop"]

GATE_VERSION = 1
GATE_KEY = digest("j1", {"name": "gate", "version": GATE_VERSION})
GATE = {
    "judge_key": GATE_KEY,
    "name": "gate",
    "kind": "rules",
    "task": "gate",
    "model": None,
    "config": f'{{"version": {GATE_VERSION}}}',
}

_HEAD = 20_000  # a loop shows in the first pages; a 100 kB reply is not read to its end for it


def degenerate(text: str) -> Degenerate | None:
    """What makes a reply unreadable, None for a readable one.

    `empty`: nothing but space and control characters. `one_char`: fewer than two letters or digits, or one character over
    and over. `loop`: a unit of one to twelve words repeated over at least four fifths of a text of thirty words or more, or
    (scripts without spaces) a unit of up to forty characters likewise.
    """
    head = text[:_HEAD]
    visible = [c for c in head if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf", "Cs")]
    if not visible:
        return "empty"
    letters = [c for c in visible if c.isalnum()]
    if len(letters) < 2 or len(set(visible)) == 1:
        return "one_char"
    words = re.findall(r"\w+", head.casefold())
    if _repeats(words, 12, 30) or _repeats(letters, 40, 120):
        return "loop"
    return None


def _repeats(units: list[str], longest: int, least: int) -> bool:
    """Whether some period up to `longest` explains four fifths of at least `least` units."""
    n = len(units)
    if n < least:
        return False
    return any(
        sum(map(str.__eq__, units[period:], units[:-period])) >= 0.8 * (n - period)
        for period in range(1, longest + 1)
        if n > 2 * period
    )
