"""Options that are worded alike wherever they stand.

A translator who sees one sentence at a time words an option in the question otherwise than alone, and in the second question otherwise
than in the first. What a judge compares with a reply must be what the reply's author read, so the wording of the questions rules.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from auditkit.data import DilemmaText
from auditkit.translate.checks import UNSPACED, letters, options_agree

_STOPS = ".。।։"


def bare_option(text: str, source: str) -> str:
    """A translated option without a full stop that its source has not: translators of sentences add one to a phrase."""
    return text if source.rstrip()[-1:] in _STOPS else text.rstrip(_STOPS + " ") or text


def agree(text: DilemmaText, script: str) -> DilemmaText:
    """The same dilemma with its options worded alike in both questions where that can be had, else as it came.

    In this order: as it came; both options taken out of the two questions, where these are the same but for the options'
    places; the second question made from the first by exchanging the options that it holds, or the first from the second.
    """
    return next((made for made in _ways(text, script) if options_agree(made)), text)


def _ways(text: DilemmaText, script: str) -> Iterator[DilemmaText]:
    yield text
    questions = (text.question_ab, text.question_ba)
    for one, two in (questions, tuple(q[:1].lower() + q[1:] for q in questions)):  # an option may open its question
        taken = exchanged(one, two, spaced=script not in UNSPACED)
        if taken is not None:
            yield text.model_copy(update={"a": taken[0], "b": taken[1]})
    yield text.model_copy(update={"question_ba": _swap(text.question_ab, text.a, text.b)})
    yield text.model_copy(update={"question_ab": _swap(text.question_ba, text.b, text.a)})


def _swap(question: str, first: str, second: str) -> str:
    """A question with two passages exchanged, the earlier one being `first`; unchanged where it does not hold them so."""
    at = question.find(first)
    after = question.find(second, at + len(first))
    if at < 0 or after < 0:
        return question
    end = at + len(first)
    return question[:at] + second + question[end:after] + first + question[after + len(second) :]


def exchanged(one: str, two: str, *, spaced: bool) -> tuple[str, str] | None:
    """The two passages that stand in one order in `one` and in the other order in `two`, with all else equal.

    `one` is P A M B S and `two` is P B M A S; words that both passages begin or end with belong to the passages. With
    `spaced` they begin and end at spaces or signs. None where there are no such passages.

    >>> exchanged("Should I go home or go out?", "Should I go out or go home?", spaced=True)
    ('go home', 'go out')
    """
    head = _common(one, two, spaced=spaced)
    tail = _common(one[head:][::-1], two[head:][::-1], spaced=spaced)
    left, right = one[head : len(one) - tail], two[head : len(two) - tail]
    for a, b in _rotations(left, right):
        middle = left[len(a) : len(left) - len(b)]
        before, after = _shared(one[:head], middle, one[len(one) - tail :], spaced=spaced)
        first, second = before + a + after, before + b + after
        if all(letters(passage) for passage in (first, second)) and first != second:
            return first.strip(), second.strip()
    return None


def _rotations(left: str, right: str) -> Iterator[tuple[str, str]]:
    """Every (a, b) with left = a m b and right = b m a for some m that is not empty; the shortest passages first.

    A comma before m may be in one of them only: it closes a subordinate clause, which goes with its passage.
    """
    begins = [left[:i] for i in range(1, len(left)) if right.endswith(left[:i])]
    ends = [left[i:] for i in range(len(left) - 1, 0, -1) if right.startswith(left[i:])]
    for a, b in sorted(itertools.product(begins, ends), key=lambda pair: len(pair[0]) + len(pair[1])):
        one, two = left[len(a) : len(left) - len(b)], right[len(b) : len(right) - len(a)]
        if one and one.removeprefix(",") == two.removeprefix(","):
            yield a, b


def _shared(head: str, middle: str, tail: str, *, spaced: bool) -> tuple[str, str]:
    """What comes right before both passages, and what comes right after both."""
    before, after = _common(head[::-1], middle[::-1], spaced=spaced), _common(middle, tail, spaced=spaced)
    if before + after >= len(middle):  # nothing would be left between the passages
        return "", ""
    return head[len(head) - before :], tail[:after]


def _common(one: str, two: str, *, spaced: bool) -> int:
    """Length of what two texts begin with alike; with `spaced`, of whole words."""
    pairs = zip(one, two, strict=False)
    size = next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(one), len(two)))
    while spaced and size and letters(one[size - 1]) and (letters(one[size : size + 1]) or letters(two[size : size + 1])):  # fmt: skip
        size -= 1
    return size
