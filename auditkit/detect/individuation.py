"""Individuation: can the country be told from the advice once every name is masked?

A model that ignores the persona leaves chance (one in as many countries as there are). A high figure says that replies differ
by country, in content or in decoration; it does not say that they fit.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from auditkit.errors import MissingExtra

FOLDS: Final = 5
RESAMPLES: Final = 2_000


@dataclass(frozen=True)
class Individuation:
    """Share of replies whose country was told right, with limits over dilemmas. `reason` says why there is none."""

    accuracy: float | None
    low: float | None
    high: float | None
    chance: float | None  # always guessing the most frequent country
    n_replies: int
    n_countries: int
    n_items: int
    by_country: dict[str, float]
    reason: str = ""


def pattern(names: Sequence[str]) -> re.Pattern[str]:
    """What finds the names of countries and peoples: whole words in any case, the longest first; in other scripts than the
    Latin, where endings and particles are glued on, anywhere.
    """
    parts = []
    for name in sorted(set(names), key=len, reverse=True):
        ends = ("\\b", "(?:'s|’s|s)?\\b") if "LATIN" in unicodedata.name(name[0], "") else ("", "")
        parts.append(ends[0] + re.escape(name) + ends[1])
    return re.compile("|".join(parts), re.IGNORECASE)


def individuation(
    texts: Sequence[str], countries: Sequence[str], items: Sequence[str], *, names: Sequence[str], seed: int = 20240601
) -> Individuation:
    """Guess the country of every reply from its words, learned on replies to other dilemmas.

    texts, countries, items: n replies, whom each was for, the dilemma that it answers. names: what is masked. TF-IDF of words
    and logistic regression (scikit-learn), FOLDS folds by dilemma, so that no dilemma is both learned from and asked about.
    Unit of resampling: dilemmas. Raises MissingExtra without scikit-learn.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GroupKFold
    except ImportError:
        raise MissingExtra("individuation", "report") from None
    n_countries, n_items = len(set(countries)), len(set(items))
    if n_countries < 2 or n_items < FOLDS:
        reason = "fewer than two countries" if n_countries < 2 else f"fewer than {FOLDS} dilemmas"
        return Individuation(None, None, None, None, len(texts), n_countries, n_items, {}, reason)
    masking = pattern(names) if names else None
    bare = np.asarray([masking.sub(" ", text) if masking else text for text in texts], dtype=object)
    truth, groups = np.asarray(countries, dtype=object).astype(str), np.asarray(items, dtype=object).astype(str)
    right = np.zeros(len(bare), dtype=bool)
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(bare, groups=groups):
        vectoriser = TfidfVectorizer(min_df=2, sublinear_tf=True)
        try:
            seen = vectoriser.fit_transform(bare[train])
        except ValueError:  # no word occurs twice: nothing to learn from
            continue
        model = LogisticRegression(C=10.0, max_iter=300).fit(seen, truth[train])
        right[test] = model.predict(vectoriser.transform(bare[test])) == truth[test]
    low, high = _limits(right, groups, seed)
    by_country = {str(code): float(right[truth == code].mean()) for code in np.unique(truth)}
    chance = max(Counter(truth.tolist()).values()) / len(truth)
    return Individuation(float(right.mean()), low, high, chance, len(texts), n_countries, n_items, by_country)


def _limits(right: np.ndarray, groups: np.ndarray, seed: int) -> tuple[float, float]:
    """Percentile limits from drawing dilemmas with replacement."""
    _, at = np.unique(groups, return_inverse=True)
    size = np.bincount(at).astype(np.float64)
    hits = np.bincount(at, weights=right).astype(np.float64)
    weights = np.random.default_rng(seed).multinomial(len(size), np.full(len(size), 1 / len(size)), size=RESAMPLES)
    low, high = np.quantile((weights @ hits) / (weights @ size), [0.025, 0.975])
    return float(low), float(high)
