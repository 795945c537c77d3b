"""Repairs a reply's encoding for reading, and leads every span of the repaired text back to the text as it came.

Broken encodings (a curly quote that became three Latin letters), HTML entities and terminal sequences are mended by ftfy (Speer
2019), and letters are composed (NFC). Quotation marks keep their form. Replies are stored and quoted as they came.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Any, NamedTuple

_PLAIN = re.compile(r"[\n\t -%'-~]*")  # ASCII without "&", which may begin an entity
# What ftfy mends whatever stands around it: controls, entities, odd line ends, lone surrogates, marks of byte order.
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f&\u2028\u2029\u206a-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]")
_PIECE = re.compile(r"[^\n]{0,1000}\S{0,200}\n?")  # a line; of a longer one some 1,000 characters
_WORD_OR_SPACE = re.compile(r"\s+|\S+")
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]+")


class Block(NamedTuple):
    """A piece of a repaired text and where it came from. Unless it is the same text, only the whole is known to be the whole."""

    start: int
    raw_start: int
    length: int
    raw_length: int
    same: bool


@dataclass(frozen=True, slots=True)
class Normal:
    """A repaired text with its pieces in order; no pieces where nothing was repaired."""

    text: str
    blocks: tuple[Block, ...] = ()

    def raw(self, start: int, stop: int) -> tuple[int, int]:
        """The smallest known span of the text as it came that holds [start, stop) of the repaired text, in code points."""
        if not self.blocks:
            return start, stop
        starts = [block.start for block in self.blocks]
        first = self.blocks[max(0, bisect_right(starts, start) - 1)]
        last = self.blocks[max(0, bisect_left(starts, stop) - 1)]
        begin = first.raw_start + (start - first.start if first.same else 0)
        end = last.raw_start + (stop - last.start if last.same else last.raw_length)
        return begin, max(begin, end)


@cache
def _config() -> Any:
    from ftfy import TextFixerConfig

    # Width and ligatures carry no meaning that a rule reads, and curly quotes are quotes: the text stays close to what came.
    return TextFixerConfig(uncurl_quotes=False, fix_character_width=False, fix_latin_ligatures=False, explain=False)


def normalise(text: str) -> Normal:
    """The text with its encoding mended and its letters composed. Plain text costs a look at its characters."""
    if _PLAIN.fullmatch(text):
        return Normal(text)
    from ftfy.badness import is_bad

    if not _ODD.search(text) and unicodedata.is_normalized("NFC", text) and not is_bad(text):
        return Normal(text)
    parts: list[str] = []
    blocks: list[Block] = []
    at = raw_at = 0
    changed = False
    for match in _PIECE.finditer(text):
        raw = match.group()
        mended = _mend(raw)
        if mended == raw:
            blocks.append(Block(at, raw_at, len(raw), len(raw), same=True))
        else:
            changed = True
            blocks += _align(mended, raw, at, raw_at)
        parts.append(mended)
        at, raw_at = at + len(mended), raw_at + len(raw)
    return Normal("".join(parts), tuple(blocks)) if changed else Normal(text)


def _mend(raw: str) -> str:
    from ftfy import fix_text

    return unicodedata.normalize("NFC", fix_text(raw, _config()))


def _align(mended: str, raw: str, at: int, raw_at: int) -> list[Block]:
    """The blocks of a mended piece, word by word; a word that was mended is one block with what it was mended from.

    Nearly always a piece mended as a whole is its words mended one by one, and then each word's place is known. Where it is not
    (a broken character that holds a space), the longest runs of equal words are taken for the same.
    """
    theirs = _WORD_OR_SPACE.findall(raw)
    pairs = [(_mend(word), word) for word in theirs]
    if "".join(one for one, _ in pairs) != mended:
        ours, theirs = _TOKEN.findall(mended), _TOKEN.findall(raw)
        codes = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
        pairs = [("".join(ours[a0:a1]), "".join(theirs[b0:b1])) for _, a0, a1, b0, b1 in codes]
    blocks = []
    for one, other in pairs:
        head = _alike(one, other)
        tail = _alike(one[head:][::-1], other[head:][::-1])
        middle, raw_middle = len(one) - head - tail, len(other) - head - tail
        # what a mended word keeps at its ends is the same there: the comma behind it does not belong to what was mended
        for n, m, same in ((head, head, True), (middle, raw_middle, False), (tail, tail, True)):
            if n or m:
                blocks.append(Block(at, raw_at, n, m, same))
                at, raw_at = at + n, raw_at + m
    return blocks


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin alike with."""
    n = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        n += 1
    return n
