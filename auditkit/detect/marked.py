"""Marked words: what a model says to one country and hardly to the others, though the question is the same.

Log-odds with an informative Dirichlet prior (Monroe, Colaresi & Quinn 2008, Political Analysis 16, 372-403, equations 16, 19
and 22). The unit is the reply: a word counts once in it, so that one looping reply marks nothing. How often chance alone would
mark a word is measured, not assumed: countries are exchanged among the replies to one dilemma.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MIN_Z: Final = (
    4.0  # docs/detector.md: at 2 every fourth marked word is chance, at 3 every sixteenth, at 4 one in a hundred
)
MIN_RATE: Final = 0.02  # of the country's replies
MIN_REPLIES: Final = 5  # of the country that hold the word
PRIOR: Final = 500.0  # strength of the prior, in words
PERMUTATIONS: Final = 20
COMMON: Final = 0.25  # a word in more than this share of all replies is style, and is not shown
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


@dataclass(frozen=True)
class MarkedWord:
    """A word of one country. `fdr`: share of words at least as marked that chance alone would give; `None` without permutations."""

    country: str
    word: str
    z: float
    replies: int  # of the country with the word
    rate: float  # of the country's replies
    rest: float  # of the other countries' replies
    fdr: float | None


@dataclass(frozen=True)
class Marking:
    """Words by country, the most marked first. `chance`: words that a permutation marked, on average, all countries together."""

    words: tuple[MarkedWord, ...]
    n_replies: int
    n_countries: int
    n_items: int
    chance: float | None


def words_of(text: str) -> Iterator[str]:
    """The words of a text in lower case: runs of letters, with an apostrophe inside."""
    for match in _WORD.finditer(text):
        yield match.group().lower().replace("’", "'")


def marked_words(
    texts: Sequence[str],
    countries: Sequence[str],
    items: Sequence[str],
    *,
    names: Sequence[str] = (),
    min_z: float = MIN_Z,
    permutations: int = PERMUTATIONS,
    seed: int = 20240601,
) -> Marking:
    """The marked words of every country.

    texts, countries, items: n replies, whom each was for, and the dilemma that it answers. names: words that are no finding
    (of countries and their people). A word is marked where z >= min_z, MIN_REPLIES of the country's replies hold it, and at
    least MIN_RATE of them. Unit of permutation: replies within a dilemma. With fewer than two countries nothing is marked.
    Raises ValueError for lengths that differ.
    """
    if not len(texts) == len(countries) == len(items):
        raise ValueError("texts, countries and items must have one entry a reply")
    codes, country_of = np.unique(np.asarray(countries, dtype=object).astype(str), return_inverse=True)
    item_names, item_of = np.unique(np.asarray(items, dtype=object).astype(str), return_inverse=True)
    empty = Marking((), len(texts), len(codes), len(item_names), None)
    if len(codes) < 2:
        return empty
    matrix, vocabulary = _matrix(texts, {part for name in names for part in words_of(name)})
    if not vocabulary:
        return empty
    per_country = np.bincount(country_of, minlength=len(codes)).astype(np.float64)
    z, counts = _scores(matrix, country_of, len(codes))
    passed = _passing(z, counts, per_country)
    null = np.empty(0)
    if permutations:
        rng = np.random.default_rng(seed)
        drawn = []
        for _ in range(permutations):
            other, other_counts = _scores(matrix, _shuffled(country_of, item_of, rng), len(codes))
            drawn.append(other[_passing(other, other_counts, per_country)])
        null = np.sort(np.concatenate(drawn))
    rates = _false_discovery(np.sort(z[passed]), null, permutations) if permutations else None
    total = np.asarray(matrix.sum(axis=0)).ravel()
    words = []
    for c, w in np.argwhere(passed & (z >= min_z)):
        fdr = None if rates is None else float(rates[np.searchsorted(np.sort(z[passed]), z[c, w])])
        rest = (total[w] - counts[c, w]) / max(1.0, len(texts) - per_country[c])
        words.append(
            MarkedWord(
                str(codes[c]), vocabulary[w], float(z[c, w]), int(counts[c, w]), float(counts[c, w] / per_country[c]),
                float(rest), fdr,
            )
        )  # fmt: skip
    chance = float((null >= min_z).sum() / permutations) if permutations else None
    ordered = sorted(words, key=lambda word: (word.country, -word.z, word.word))
    return Marking(tuple(ordered), len(texts), len(codes), len(item_names), chance)


def _matrix(texts: Sequence[str], names: set[str]) -> tuple[Any, list[str]]:
    """Replies by words, 1 where the reply holds the word: (scipy.sparse matrix (n, W), the W words).

    Words that are rarer than a country's least, that most replies share, or that are names are left out.
    """
    from scipy import sparse

    index: dict[str, int] = {}
    columns: list[npt.NDArray[np.int64]] = []
    ends = [0]
    for text in texts:
        found = {index.setdefault(word, len(index)) for word in words_of(text)}
        columns.append(np.fromiter(found, dtype=np.int64, count=len(found)))
        ends.append(ends[-1] + len(found))
    where = np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)
    matrix = sparse.csr_matrix((np.ones(len(where)), where, ends), shape=(len(texts), len(index)))
    total = np.asarray(matrix.sum(axis=0)).ravel()
    vocabulary = list(index)
    kept = [
        i
        for i, word in enumerate(vocabulary)
        if MIN_REPLIES <= total[i] <= COMMON * len(texts) and word not in names and word.removesuffix("'s") not in names
    ]
    return matrix.tocsc()[:, kept].tocsr(), [vocabulary[i] for i in kept]


def _scores(matrix: Any, country_of: npt.NDArray[np.int64], n_countries: int) -> tuple[Array, Array]:
    """(z, replies with the word), both (countries, words). Monroe et al., equations 16 (delta), 19 (variance) and 22 (z)."""
    from scipy import sparse

    n = matrix.shape[0]
    belongs = sparse.csr_matrix((np.ones(n), (country_of, np.arange(n))), shape=(n_countries, n))
    y = np.asarray((belongs @ matrix).todense())
    word, size = y.sum(axis=0), y.sum(axis=1, keepdims=True)
    prior = PRIOR * word / word.sum()
    rest, rest_size = word - y, size.sum() - size
    delta = np.log((y + prior) / (size + PRIOR - y - prior)) - np.log(
        (rest + prior) / (rest_size + PRIOR - rest - prior)
    )
    z: Array = delta / np.sqrt(1 / (y + prior) + 1 / (rest + prior))
    return z, y


def _passing(z: Array, counts: Array, per_country: Array) -> npt.NDArray[np.bool_]:
    enough = (counts >= MIN_REPLIES) & (counts >= MIN_RATE * per_country[:, None])
    passed: npt.NDArray[np.bool_] = enough & (z > 0)
    return passed


def _shuffled(
    country_of: npt.NDArray[np.int64], item_of: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """The countries exchanged among the replies to each item."""
    order = np.lexsort((rng.random(len(item_of)), item_of))
    out = np.empty_like(country_of)
    out[np.argsort(item_of, kind="stable")] = country_of[order]
    return out


def _false_discovery(found: Array, null: Array, permutations: int) -> Array:
    """For every z of `found` (ascending): words that chance marks as far, over words found as far; never rising with z."""
    expected = (len(null) - np.searchsorted(null, found)) / permutations
    rate = np.minimum(1.0, expected / (len(found) - np.arange(len(found))))
    falling: Array = np.minimum.accumulate(rate)
    return falling
