"""The matrix: what is asked, in which order, and what is set aside by name."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditkit.data import load_content, text_key
from auditkit.errors import AuditError
from auditkit.plan import ModelSpec, PlanSpec, estimate_tokens, make_plan, render

MODEL = ModelSpec("mock/coin", "mock", "coin", None, {"temperature": 0.0})
CONTENT = load_content()


def spec(**changes):
    return replace(PlanSpec(dimensions=("individualism",), modes=("persona",), models=(MODEL,)), **changes)


def test_a_persona_run_holds_every_country_and_dilemma_once():
    """50 dilemmas x 36 countries are 1,800 cells, all with different requests."""
    cells = list(make_plan(spec(), CONTENT).cells())
    assert len(cells) == 1800
    assert len({(c.country, c.dilemma.id) for c in cells}) == 1800
    assert len({c.request_key for c in cells}) == 1800


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.sampled_from([("individualism",), ("individualism", "mas"), tuple(CONTENT.dimensions)]))
def test_a_limited_draw_is_even_over_countries_and_dilemmas(limit, dimensions):
    """Counts of countries, of dilemmas and of dimensions differ by at most one, whatever the limit."""
    cells = list(make_plan(spec(limit=limit, dimensions=dimensions), CONTENT).cells())
    assert len(cells) == limit
    for counts, groups in (
        (Counter(c.country for c in cells), 36),
        (Counter(c.dilemma.id for c in cells), 50 * len(dimensions)),
        (Counter(c.dilemma.dimension for c in cells), len(dimensions)),
    ):
        low = min(counts.values()) if len(counts) == groups else 0
        assert max(counts.values()) - low <= 1


def test_a_limited_draw_is_the_beginning_of_the_whole():
    """What a limited run asked, the whole run need not ask again."""
    whole = [c.request_key for c in make_plan(spec(), CONTENT).cells()]
    assert [c.request_key for c in make_plan(spec(limit=123), CONTENT).cells()] == whole[:123]


def test_two_models_get_the_same_draw():
    """A limit is shared out so that a comparison of models is paired."""
    other = replace(MODEL, name="mock/first", model="first")
    cells = list(make_plan(spec(limit=31, models=(MODEL, other)), CONTENT).cells())
    drawn = {m: {(c.country, c.dilemma.id) for c in cells if c.model.name == m} for m in ("mock/coin", "mock/first")}
    assert drawn["mock/coin"] == drawn["mock/first"]
    assert len(cells) == 30


def test_the_option_order_is_the_banks_and_the_same_for_every_country():
    """`lead` decides; 25 of 50 questions name option a first; flipping turns each one round."""
    for orders, turned in (("lead", False), ("flipped", True)):
        cells = list(make_plan(spec(orders=orders), CONTENT).cells())
        by_dilemma = {c.dilemma.id: set() for c in cells}
        for c in cells:
            by_dilemma[c.dilemma.id].add(c.order)
            assert c.order == (c.dilemma.lead_order[::-1] if turned else c.dilemma.lead_order)
        assert all(len(orders) == 1 for orders in by_dilemma.values())
        assert Counter(next(iter(o)) for o in by_dilemma.values()) == {"ab": 25, "ba": 25}
    assert len(make_plan(spec(orders="both"), CONTENT)) == 3600


def test_samples_multiply_and_differ_in_identity():
    """Sample numbers are part of the request, so samples are never the same reply twice."""
    warm = replace(MODEL, provider="openai", params={"temperature": 0.7})
    cells = list(make_plan(spec(samples=3, models=(warm,), countries=("JPN",)), CONTENT).cells())
    assert Counter(c.sample for c in cells) == {0: 50, 1: 50, 2: 50}
    assert len({c.request_key for c in cells}) == 150
    with pytest.raises(AuditError, match="temperature above 0"):
        make_plan(spec(samples=2, models=(replace(MODEL, provider="openai"),)), CONTENT)


def test_baseline_has_no_persona_and_is_the_united_states_multilingual_text():
    """The English multilingual request is the very same request as baseline: one shared reply."""
    baseline = {c.request_key for c in make_plan(spec(modes=("baseline",)), CONTENT).cells()}
    states = {c.request_key for c in make_plan(spec(modes=("multilingual",), countries=("USA",)), CONTENT).cells()}
    assert baseline == states


def test_the_message_holds_persona_scenario_question_and_instruction():
    """Each part is a paragraph, and the question names the options in the order asked for."""
    dilemma = next(iter(CONTENT.dilemmas.values()))
    (message,) = render(dilemma.text, "ba", "Choose.", "I live in Japan.")
    persona, scenario, ask = message["content"].split("\n\n")
    assert persona == "I live in Japan."
    assert scenario == " ".join(dilemma.scenario)
    assert ask.endswith("Choose.")
    assert ask.index(dilemma.b) < ask.index(dilemma.a)


def test_filters_combine():
    """Country, language and resource level narrow the countries together."""
    plan = make_plan(spec(resource_levels=("low",), languages=("hin_Deva", "deu_Latn")), CONTENT)
    assert {c.country for c in plan.cells()} == {"IND"}
    with pytest.raises(AuditError, match="nothing to ask"):
        make_plan(spec(resource_levels=("high",), countries=("IND",)), CONTENT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": ("individualsm",)}, "did you mean 'individualism'"),
        ({"modes": ("personna",)}, "did you mean 'persona'"),
        ({"templates": ("papr",)}, "did you mean 'paper'"),
        ({"limit": 0}, "at least 1"),
        ({"samples": 0}, "at least 1"),
    ],
)
def test_unknown_names_get_the_nearest_one(change, message):
    """A misspelt name is answered with the one that was meant."""
    with pytest.raises(AuditError, match=message):
        make_plan(spec(**change), CONTENT)


# ---- translations of our own, written to a folder


def line(dilemma, word, **changes):
    text = {
        "scenario": [f"{word} {i}" for i, _ in enumerate(dilemma.scenario)],
        "a": f"{word} a",
        "b": f"{word} b",
        "question_ab": f"{word} a {word} b?",
        "question_ba": f"{word} b {word} a?",
    }
    return {
        "kind": "dilemma", "id": dilemma.id, "source": dilemma.text.key, "translator": "reference", "status": "ok", "text": text, **changes,
    }  # fmt: skip


def folder(tmp_path, **files):
    for lang, lines in files.items():
        (tmp_path / f"{lang}.jsonl").write_text("\n".join(json.dumps(entry) for entry in lines), encoding="utf-8")
    return load_content(translations=tmp_path)


INSTRUCTION = {
    "kind": "instruction", "source": text_key(CONTENT.messages.instruction), "translator": "reference", "status": "ok", "text": "Wähle.",
}  # fmt: skip
DILEMMAS = [d for d in CONTENT.dilemmas.values() if d.dimension == "individualism"]


def test_only_dilemmas_that_every_language_has_are_sent_and_the_rest_is_counted(tmp_path):
    """Two languages with 3 and 2 dilemmas give 2; --incomplete keeps 3; languages without any are named with their count."""
    content = folder(
        tmp_path,
        deu_Latn=[INSTRUCTION, *(line(d, "wort") for d in DILEMMAS[:3])],
        ita_Latn=[INSTRUCTION, *(line(d, "parola") for d in DILEMMAS[1:3])],
    )
    wish = spec(modes=("multilingual",), countries=("DEU", "ITA", "JPN"))
    plan = make_plan(wish, content)
    assert {(c.country, c.dilemma.id) for c in plan.cells()} == {
        (k, d.id) for k in ("DEU", "ITA") for d in DILEMMAS[1:3]
    }
    aside = {(s.what, s.reason.split(";")[0]): s.count for s in plan.set_aside}
    assert aside == {("jpn_Jpan", "no translation"): 50, ("individualism", "dilemmas not in every language"): 48}
    assert len(make_plan(replace(wish, incomplete=True), content)) == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"source": "s1:old"}, "is stale"),
        ({"status": "rejected"}, "was rejected"),
        ({"translator": "nllb"}, "no usable"),
    ],
)
def test_stale_rejected_and_other_translators_lines_are_never_sent(tmp_path, change, reason):
    """A line whose source changed, or that its checks rejected, or that another translator made, is set aside by reason."""
    content = folder(tmp_path, deu_Latn=[INSTRUCTION, line(DILEMMAS[0], "gut"), line(DILEMMAS[1], "wort", **change)])
    plan = make_plan(spec(modes=("multilingual",), countries=("DEU",), translator="reference"), content)
    assert {c.dilemma.id for c in plan.cells()} == {DILEMMAS[0].id}
    if reason != "no usable":
        assert any(reason in s.reason for s in plan.set_aside)
    only_bad = folder(tmp_path, deu_Latn=[INSTRUCTION, line(DILEMMAS[1], "wort", **change)])
    with pytest.raises(AuditError, match=reason):
        make_plan(spec(modes=("multilingual",), countries=("DEU",), translator="reference"), only_bad)


def test_a_persons_edit_comes_before_the_reference_and_suspect_comes_last(tmp_path):
    """Of several usable lines the one that a person mended is sent."""
    lines = [
        line(DILEMMAS[0], status, status=status, translator=who)
        for status, who in (("suspect", "reference"), ("ok", "nllb"), ("edited", "nllb"))
    ]
    content = folder(tmp_path, deu_Latn=[INSTRUCTION, *lines])
    (cell,) = make_plan(spec(modes=("multilingual",), countries=("DEU",)), content).cells()
    assert cell.translation.status == "edited"
    assert "edited 0" in cell.body["messages"][0]["content"]


def test_crossed_mode_needs_the_persona_sentence_in_the_language(tmp_path):
    """Without it the country is refused by name; with it the message begins with it."""
    lines = [INSTRUCTION, line(DILEMMAS[0], "wort")]
    with pytest.raises(AuditError, match="DEU: persona sentence 'paper'"):
        make_plan(spec(modes=("crossed",), countries=("DEU",)), folder(tmp_path, deu_Latn=lines))
    english = CONTENT.templates["paper"].render(CONTENT.countries["DEU"])
    persona = {
        "kind": "persona", "id": "paper", "country": "DEU", "source": text_key(english), "translator": "reference", "status": "ok",
        "text": "Ich komme aus Deutschland.",
    }  # fmt: skip
    (cell,) = make_plan(
        spec(modes=("crossed",), countries=("DEU",)), folder(tmp_path, deu_Latn=[*lines, persona])
    ).cells()
    assert cell.body["messages"][0]["content"].startswith("Ich komme aus Deutschland.\n\nwort 0")


def test_the_run_id_depends_on_the_wish_and_on_the_wording(tmp_path):
    """The same wish on the same content is the same run; another translation of a dilemma makes another run."""
    wish = spec(modes=("multilingual",), countries=("DEU",))
    one = make_plan(wish, folder(tmp_path, deu_Latn=[INSTRUCTION, line(DILEMMAS[0], "eins")])).run_id
    assert make_plan(wish, folder(tmp_path, deu_Latn=[INSTRUCTION, line(DILEMMAS[0], "eins")])).run_id == one
    assert make_plan(wish, folder(tmp_path, deu_Latn=[INSTRUCTION, line(DILEMMAS[0], "zwei")])).run_id != one
    pair = [
        make_plan(spec(countries=c, modes=m), CONTENT).run_id
        for c, m in ((("JPN", "FRA"), ("persona", "baseline")), (("FRA", "JPN"), ("baseline", "persona")))
    ]
    assert pair[0] == pair[1]
    assert make_plan(spec(limit=1800), CONTENT).run_id == make_plan(spec(), CONTENT).run_id
    assert make_plan(spec(limit=5), CONTENT).run_id != make_plan(spec(limit=6), CONTENT).run_id


@given(st.text(max_size=200))
def test_a_token_estimate_is_positive_for_text_and_grows_with_it(text):
    """Longer text never costs fewer tokens."""
    assert estimate_tokens(text + "word") >= estimate_tokens(text) - len(text)
    assert estimate_tokens(text) >= (1 if text else 0)
