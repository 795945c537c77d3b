"""Marked words and individuation: silent on a model that ignores the persona, loud on a caricature."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditkit.detect.individuation import individuation, pattern
from auditkit.detect.marked import MIN_Z, marked_words

COUNTRIES = [f"C{chr(97 + i)}" for i in range(20)]
ITEMS = [f"item-{i:02}" for i in range(40)]
WORDS = [f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(300)]


def replies(plant=None, rate=0.0, seed=0):
    """One reply a country and dilemma. What it says depends on the dilemma; a caricature adds its country's word at `rate`."""
    rng = random.Random(seed)
    topics = {item: rng.sample(WORDS, 40) for item in ITEMS}
    texts, countries, items = [], [], []
    for country in COUNTRIES:
        for item in ITEMS:
            said = rng.choices(topics[item], k=25)
            if plant and rng.random() < rate:
                said.append(plant(country))
            texts.append(" ".join(said))
            countries.append(country)
            items.append(item)
    return texts, countries, items


def test_a_model_that_ignores_the_persona_marks_almost_nothing():
    """Words follow the dilemma, not the country: at z >= 4 next to none is marked, and chance expects as few."""
    marking = marked_words(*replies())
    assert len(marking.words) <= 2
    assert marking.chance <= 2


def test_a_planted_word_is_found_at_its_rate():
    """A caricature that drops its country's emblem into six replies of ten is found in every country, and nothing else is."""
    marking = marked_words(*replies(lambda country: f"emblem{country}", 0.6))
    planted = [word for word in marking.words if word.word.startswith("emblem")]
    assert [(word.country, word.word) for word in planted] == [(c, f"emblem{c.lower()}") for c in COUNTRIES]
    assert 0.5 < sum(word.rate for word in planted) / len(planted) < 0.7
    assert all(word.z >= MIN_Z and word.rest < 0.1 and word.fdr < 0.05 for word in planted)


def test_a_looping_reply_counts_once():
    """A word said a thousand times in one reply marks nothing: replies are counted, not words."""
    texts, countries, items = replies()
    texts[0] += " balalaika" * 1000
    assert "balalaika" not in {word.word for word in marked_words(texts, countries, items).words}


def test_names_are_no_finding():
    """A country's name and its people are left out, with their possessive."""
    texts, countries, items = replies(lambda country: "Freedonia's" if country == "Ca" else "so", 1.0)
    assert marked_words(texts, countries, items).words
    assert not marked_words(texts, countries, items, names=["Freedonia"]).words


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_replies_does_not_matter(shuffle):
    """The same replies in another order mark the same words with the same z."""
    rows = list(zip(*replies(lambda country: f"sign{country}x" if country < "Cf" else "so", 0.5), strict=True))
    first = marked_words(*zip(*rows, strict=True), permutations=0)
    shuffle.shuffle(rows)
    second = marked_words(*zip(*rows, strict=True), permutations=0)
    assert [(w.country, w.word, round(w.z, 9)) for w in first.words] == [
        (w.country, w.word, round(w.z, 9)) for w in second.words
    ]


@pytest.mark.parametrize("texts", [[], [""], ["", "  "], ["a", "b"]])
def test_too_little_marks_nothing(texts):
    """No reply, no words, one country: an empty result, no error."""
    assert marked_words(texts, ["X"] * len(texts), ["i"] * len(texts)).words == ()
    assert marked_words(texts, [str(i) for i in range(len(texts))], ["i"] * len(texts)).words == ()


def test_individuation_of_a_model_that_ignores_the_persona_is_chance():
    """Nothing in the replies tells the country: the limits hold one in twenty."""
    pytest.importorskip("sklearn")
    found = individuation(*replies(), names=[])
    assert found.low <= 1 / len(COUNTRIES) <= found.high + 0.01
    assert (found.chance, found.n_replies, found.n_items) == (0.05, 800, 40)


def test_individuation_of_a_caricature_is_its_rate():
    """With a word of its own in six replies of ten, about six of ten are told, and hardly more by luck."""
    pytest.importorskip("sklearn")
    found = individuation(*replies(lambda country: f"sign{country}", 0.6), names=[])
    assert 0.45 < found.accuracy < 0.75
    assert found.low < found.accuracy < found.high


def test_masked_names_tell_nothing():
    """A model that only repeats the country's name is told by it, and by nothing once names are masked."""
    pytest.importorskip("sklearn")
    data = replies(lambda country: "Land" + country, 1.0)
    names = sorted({text.split()[-1] for text in data[0]})
    assert individuation(*data, names=[]).accuracy > 0.8
    assert individuation(*data, names=names).accuracy < 0.15


def test_names_are_masked_whole_and_longest_first():
    """Niger is not taken out of Nigeria; an ending is glued to a name in another script."""
    masked = pattern(["Niger", "Nigeria", "日本", "South Korea", "Korea"]).sub(
        "_", "Niger, Nigeria's, Nigerian; 日本人; South Korea"
    )
    assert masked == "_, _, Nigerian; _人; _"


def test_few_dilemmas_give_a_reason():
    """Fewer dilemmas than folds: no figure, and why."""
    pytest.importorskip("sklearn")
    found = individuation(["a b", "c d"], ["X", "Y"], ["i", "i"], names=[])
    assert (found.accuracy, found.reason) == (None, "fewer than 5 dilemmas")
