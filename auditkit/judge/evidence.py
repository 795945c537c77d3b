"""Where in a reply a judge's quotation stands."""

from __future__ import annotations

import unicodedata

SHORT = 100  # characters: a reply that is no longer may be quoted whole
LONGEST_SHARE = 0.6  # of a longer reply, that one quotation may be
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")
_QUOTES = "\"'“”„«»"


class Passages:
    """A reply in which quotations are looked up.

    A judge sees the reply without hidden characters and writes composed letters, so hidden characters are skipped, letters are
    compared in NFC, and a run of white space counts as one space. Everything else must match to the letter.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain, self._places = _squash(text)

    def find(self, quote: str) -> tuple[int, int] | None:
        """Start and stop, in code points of the raw reply, of the first passage that the quotation copies; None if none does."""
        wanted = _squash(quote)[0].strip().strip(_QUOTES).strip()
        at = self._plain.find(wanted) if wanted else -1
        if at < 0:
            return None
        return self._places[at][0], self._places[at + len(wanted) - 1][1]

    def too_long(self, start: int, stop: int) -> bool:
        """Whether a passage is so much of a reply that quoting it shows nothing."""
        whole = len(self._plain.strip())
        return whole > SHORT and len(_squash(self.text[start:stop])[0]) >= LONGEST_SHARE * whole


def _squash(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text as it is compared, and for each of its characters where that comes from (start, stop)."""
    clusters: list[tuple[str, int, int]] = []
    for index, char in enumerate(text):
        if char.isspace():
            if not clusters or clusters[-1][0] != " ":
                clusters.append((" ", index, index + 1))
        elif unicodedata.category(char) in _HIDDEN:
            continue
        elif unicodedata.combining(char) and clusters:
            base, start, _ = clusters[-1]
            clusters[-1] = (base + char, start, index + 1)
        else:
            clusters.append((char, index, index + 1))
    out: list[str] = []
    places: list[tuple[int, int]] = []
    for cluster, start, stop in clusters:
        for char in unicodedata.normalize("NFC", cluster):
            out.append(char)
            places.append((start, stop))
    return "".join(out), places
