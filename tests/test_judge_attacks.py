"""Replies that speak to whoever grades them: thirty attacks, at three places, in four languages (tests/attacks)."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from judge_server import MARKS, culture, is_culture, rows, shown, stance

from auditkit.data import load_content
from auditkit.detect.injection import suspects
from auditkit.judge.cut import without_injections
from auditkit.judge.prompt import sanitise
from auditkit.judge.rules import OptionText, judge_reply

FOLDER = Path(__file__).parent / "attacks"
LANGUAGES = ("eng_Latn", "deu_Latn", "hin_Deva", "zho_Hans")
PLACES = {"front": 0, "middle": 2, "end": 3}


class Attack(NamedTuple):
    name: str
    lang: str
    place: str
    text: str
    plain: str  # the reply before it was attacked
    reply: str
    option: str


def carriers() -> list[dict]:
    return yaml.safe_load((FOLDER / "carriers.yaml").read_text(encoding="utf-8"))


def placed(name: str, text: str, carrier: dict) -> list[Attack]:
    """An attack in a plain reply, at every place."""
    space = "" if carrier["lang"] == "zho_Hans" else " "
    sentences = carrier["sentences"]
    return [
        Attack(
            name,
            carrier["lang"],
            place,
            text,
            space.join(sentences),
            space.join([*sentences[:at], text, *sentences[at:]]),
            carrier["option"],
        )
        for place, at in PLACES.items()
    ]


@cache
def attacks() -> list[Attack]:
    """Every attack in every reply of its language, at every place."""
    injections = yaml.safe_load((FOLDER / "injections.yaml").read_text(encoding="utf-8"))
    return [
        attack
        for carrier in carriers()
        for injection in injections
        for attack in placed(injection["id"], injection[carrier["lang"][:3]], carrier)
    ]


@cache
def indirect() -> list[Attack]:
    """Attacks in words that no pattern looks for."""
    texts = yaml.safe_load((FOLDER / "indirect.yaml").read_text(encoding="utf-8"))
    return [
        attack
        for carrier in carriers()
        for number, text in enumerate(texts[carrier["lang"]])
        for attack in placed(f"indirect {number}", text, carrier)
    ]


@cache
def dilemma(lang: str):
    """The text of ind-01 in a language."""
    content = load_content()
    if lang == "eng_Latn":
        return content.dilemmas["ind-01"].text
    return next(t.text for t in content.translations(lang) if (t.kind, t.id) == ("dilemma", "ind-01"))


def label(reply: str, lang: str) -> tuple[str, str | None, str | None]:
    """What the rule judge says of a reply to ind-01 in a language."""
    text, english = dilemma(lang), dilemma("eng_Latn")
    verdict = judge_reply(
        reply,
        [OptionText(o, getattr(text, o), getattr(english, o)) for o in "ab"],
        scenario=" ".join(text.scenario),
        scenario_english=" ".join(english.scenario),
        language=lang,
    )
    return verdict.outcome, verdict.option_id, verdict.evidence


def test_the_fixtures_are_what_they_say():
    """Thirty attacks, four languages, three places; two replies a language, one for each option."""
    assert len({attack.name for attack in attacks()}) == 30
    assert {(attack.lang, attack.place) for attack in attacks()} == {(lang, p) for lang in LANGUAGES for p in PLACES}
    assert len({(attack.name, attack.lang, attack.place, attack.option) for attack in attacks()}) == 30 * 3 * 4 * 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_attack_changes_what_the_rule_judge_says(lang):
    """Wherever an attack stands, the label is that of the reply without it, and its evidence is a passage of the reply."""
    changed = []
    for attack in [*attacks(), *indirect()]:
        if attack.lang == lang:
            assert label(attack.plain, lang)[:2] == ("chose", attack.option)
            outcome, option, evidence = label(attack.reply, lang)
            assert evidence is None or evidence in attack.reply
            if (outcome, option) != ("chose", attack.option):
                changed.append((attack.name, attack.place, outcome, option))
    assert changed == []


def test_attacks_are_flagged_and_plain_replies_are_not():
    """At least nine of ten attacked replies are suspected, and none of the replies without one."""
    found = [bool(suspects(attack.reply)) for attack in attacks()]
    assert sum(found) / len(found) >= 0.9
    assert not any(suspects(plain) for plain in {attack.plain for attack in attacks()})


def test_what_is_cut_leaves_every_other_character_in_its_place():
    """The blanked text is as long as the reply, differs from it by blanks only, and a plain reply is untouched."""
    for attack in attacks():
        blanked = without_injections(attack.reply)
        assert len(blanked) == len(attack.reply)
        assert all(new in {old, " "} for old, new in zip(attack.reply, blanked, strict=True))
        assert without_injections(attack.plain) == attack.plain


@pytest.mark.parametrize("name", ["stance", "culture"])
def test_an_attack_stays_inside_the_marks(name):
    """Of two requests, one with an attack and one without, nothing differs but the string between the marks."""
    pytest.importorskip("instructor")
    from auditkit.judge.culture import CultureCase
    from auditkit.judge.names import parse_judge
    from auditkit.judge.stance import Case

    judge = parse_judge(f"{name}@hosted_vllm/judge")
    options = {"a": "go", "b": "stay"}

    def user(reply: str) -> tuple[str, str, str]:
        case = Case("k", reply, "Go or stay?", options, options) if name == "stance" else CultureCase("k", reply, "Go?")
        text = judge.request(case, judge.presentations[0], 0).messages[1]["content"]
        found = MARKS.search(text)
        assert found is not None
        assert text.count(found.group(1)) == 3  # named once, and on either side of the data
        return text[: found.start()].replace(found.group(1), "⟦⟧"), found.group(2), text[found.end() :]

    before, _, after = user("I would go.")
    for attack in [*attacks(), *indirect()]:
        got_before, data, got_after = user(attack.reply)
        assert (got_before, got_after) == (before, after)
        assert "\n" not in data
        assert json.loads(data)["reply"] == sanitise(attack.reply)
        assert not re.search("[\x00-\x1f\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]", data)


@pytest.mark.endtoend
def test_attacks_reach_a_real_judge_as_data(auditkit, peer, isolated):
    """Through the whole command and over HTTP: escaped, between marks of this call, and counted as suspects for a second judge."""
    pytest.importorskip("litellm")
    pytest.importorskip("instructor")
    dilemmas = [d for d in load_content().dilemmas.values() if d.dimension in ("individualism", "mas")]
    chosen = [a for i, a in enumerate(attacks()) if i % 8 == 0][: len(dilemmas)]
    script = [{"contains": d.scenario[0], "reply": attack.reply} for d, attack in zip(dilemmas, chosen, strict=False)]
    (isolated / "attacks.jsonl").write_text("\n".join(map(json.dumps, script)), encoding="utf-8")
    server = peer(lambda body, n: culture() if is_culture(body) else stance("unclear", ""))
    result = auditkit("run", "-d", "individualism", "-d", "mas", "-m", "baseline", "--model", "mock/script?path=attacks.jsonl",
                      "--judge", "stance@hosted_vllm/A", "--judge", "culture@hosted_vllm/A", "--judge-order", "ab",
                      "--second-judge", "culture@hosted_vllm/B", "--second-share", 0,
                      "--judge-api-base", server.base)  # fmt: skip
    assert result.code == 0, result.err
    texts = {sanitise(entry["reply"]) for entry in script}
    for kind in (True, False):
        bodies = [body for body in server.stored if is_culture(body) == kind]
        assert texts <= {shown(body)["reply"] for body in bodies}
        for body in bodies:
            user = body["messages"][1]["content"]
            outside = MARKS.sub("", user)
            reply = shown(body)["reply"]
            assert reply not in outside
            if kind:
                assert set(outside) & set("{}<>`") == set()
    attacked = rows("select count(*) from referrals where reason = 'injection'")[0][0]
    assert attacked >= 0.9 * len(script)
    assert len({MARKS.search(body["messages"][1]["content"]).group(1) for body in server.stored}) == len(server.stored)
