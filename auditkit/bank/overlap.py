"""What texts share: a scenario with its options, which tells the one it takes up first, and dilemmas with each other."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING

from auditkit.bank.text import content_stems, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.data import Dilemma, OptionId


def sides(dilemma: Dilemma) -> list[tuple[float, float]]:
    """For each sentence of the scenario, the share (0 to 1) of the words peculiar to option a, and to b, that it holds."""
    in_a, in_b = set(content_stems(dilemma.a)), set(content_stems(dilemma.b))
    only_a, only_b = in_a - in_b, in_b - in_a
    found = [set(content_stems(sentence)) for sentence in dilemma.scenario]
    return [(len(s & only_a) / max(1, len(only_a)), len(s & only_b) / max(1, len(only_b))) for s in found]


def first_mentioned(dilemma: Dilemma) -> OptionId | None:
    """The option that the scenario takes up first, by the words it shares with each; None where they cannot tell.

    An option is taken up in the sentence that holds most of its peculiar words. Where several hold equally many, and they
    disagree about the order, nothing is said.
    """
    shares = sides(dilemma)
    best_a, best_b = max(a for a, _ in shares), max(b for _, b in shares)
    if not best_a or not best_b:
        return None
    in_a, in_b = set(content_stems(dilemma.a)), set(content_stems(dilemma.b))
    votes: set[OptionId | None] = set()
    for i in (i for i, (a, _) in enumerate(shares) if a == best_a):
        for j in (j for j, (_, b) in enumerate(shares) if b == best_b):
            if i != j:
                votes.add("a" if i < j else "b")
                continue
            sentence = content_stems(dilemma.scenario[i])
            at_a = fmean(k for k, word in enumerate(sentence) if word in in_a - in_b)
            at_b = fmean(k for k, word in enumerate(sentence) if word in in_b - in_a)
            votes.add(None if at_a == at_b else "a" if at_a < at_b else "b")
    return votes.pop() if len(votes) == 1 else None


@dataclass(frozen=True)
class Pair:
    """Two dilemmas and how alike they are, from 0 to 1."""

    first: str
    second: str
    cosine: float
    trigrams: float


def similarities(dilemmas: Sequence[Dilemma]) -> list[Pair]:
    """All pairs of dilemmas that share a content word or three words in a row, by falling cosine.

    `cosine`: of TF-IDF vectors of content-word stems, (1 + ln tf) (1 + ln((1 + N) / (1 + df))), after Salton and Buckley
    (1988): finds the same matter in other words. `trigrams`: Jaccard overlap of word 3-grams: finds the same wording
    about another matter.
    """
    bags = {d.id: Counter(content_stems(" ".join([*d.scenario, d.a, d.b]))) for d in dilemmas}
    frequency = Counter(term for bag in bags.values() for term in bag)
    postings: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for name, bag in bags.items():
        weights = {t: (1 + math.log(n)) * (1 + math.log((1 + len(bags)) / (1 + frequency[t]))) for t, n in bag.items()}
        norm = math.sqrt(sum(w * w for w in weights.values()))
        for term, weight in weights.items():
            postings[term].append((name, weight / norm))
    cosine: dict[tuple[str, str], float] = defaultdict(float)
    for entries in postings.values():
        for (one, x), (other, y) in combinations(entries, 2):
            cosine[one, other] += x * y
    grams: dict[str, set[tuple[str, ...]]] = {}
    holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for d in dilemmas:
        text = [w.lower() for part in (*d.scenario, d.a, d.b) for w in [*words(part), "."]]
        grams[d.id] = {g for g in zip(text, text[1:], text[2:], strict=False) if "." not in g}
        for gram in grams[d.id]:
            holders[gram].append(d.id)
    shared = Counter(pair for names in holders.values() for pair in combinations(names, 2))
    pairs = [
        Pair(a, b, cosine.get((a, b), 0.0), shared[a, b] / len(grams[a] | grams[b]) if shared[a, b] else 0.0)
        for a, b in {**cosine, **shared}
    ]
    return sorted(pairs, key=lambda p: (-p.cosine, -p.trigrams, p.first, p.second))
