"""English texts as sentences, and texts put together again.

Only English is split, because only English is translated from a running text: a back-translation gets the sentences as they were
made.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from auditkit.data import DilemmaText
from auditkit.errors import MissingExtra

OPTIONS = (-4, -3)  # places of the options among the passages of a dilemma


def passages(text: DilemmaText | str) -> tuple[str, ...]:
    """The parts that are translated on their own: every entry of the scenario, both options, both questions."""
    if isinstance(text, str):
        return (text,)
    return (*text.scenario, text.a, text.b, text.question_ab, text.question_ba)


def from_passages(parts: tuple[str, ...], like: DilemmaText | str) -> DilemmaText | str:
    """The text that `passages` would take apart into these parts."""
    if isinstance(like, str):
        return parts[0]
    *scenario, a, b, question_ab, question_ba = parts
    return DilemmaText(scenario=tuple(scenario), a=a, b=b, question_ab=question_ab, question_ba=question_ba)


@cache
def _segmenter() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its regular expressions have escapes that newer Pythons complain of
        try:
            import pysbd
        except ImportError:
            raise MissingExtra("splitting English into sentences", "translate") from None
    return pysbd.Segmenter(language="en", clean=False)


def split(text: str) -> tuple[str, ...]:
    """The sentences of an English text, by pysbd (Sadvilkar and Neumann 2020). Raises MissingExtra without it."""
    found = tuple(sentence.strip() for sentence in _segmenter().segment(text) if sentence.strip())
    return found or (text,)
