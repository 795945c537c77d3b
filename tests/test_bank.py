"""The bank: what the checks refuse, what they let pass, and what the card counts."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from auditkit import data
from auditkit.bank.check import COSINE_LIMIT, TRIGRAM_LIMIT, check
from auditkit.bank.figures import DOMAINS, Readings, facts
from auditkit.bank.overlap import similarities
from auditkit.bank.read import Bank, core_digest, read_bank
from auditkit.bank.text import Lexicon, keywords_in, reading_grade, syllables
from auditkit.cli.bank import bank as command
from auditkit.data import Content, Dilemma, load_content
from auditkit.errors import AuditError, ContentError

CODES = ("aa", "bb", "ab", "ba")
READER = "language model, fresh context"


def entry(number: int, *, core: bool = False) -> dict[str, Any]:
    """A dilemma that passes every check, with words of its own, so that no two are alike."""
    lead, mentions = CODES[number % 4]
    one, other, place = (f"{stem}{_letters(number)}" for stem in ("mol", "tav", "rug"))
    first, second = (one, other) if mentions == "a" else (other, one)
    return {
        "id": f"ind-{number:02d}",
        "domain": DOMAINS[number // 2 % 5],
        "core": core,
        "lead": lead,
        "mentions": mentions,
        "scenario": [  # never three words in a row that another dilemma has
            f"The {place} near {place}wick closed its {place}ards. So {place}ers and {place}ists in {place}ton ask {place}mates for it.",
            f"With {first} in the {first}ery, our {first}ists would see {first}ing. As {place}folk we {place} it, and {first}ers do.",
            f"With {second} in the {second}ery, our {second}ists would see {second}ing. As {place}folk we {place} it, and {second}ers do.",
        ],
        "a": f"carry {one} to our {one}ery",
        "b": f"carry {other} to our {other}ery",
        "rationale": "a: (first pole); b: (second pole).",
    }


def _letters(number: int) -> str:
    return "".join("bdfgklmnpr"[int(digit)] + "aeiou"[int(digit) % 5] for digit in f"{number:02d}")


def write(folder: Path, entries: list[dict[str, Any]], **top: Any) -> Path:
    """A prompts folder with these dilemmas of individualism."""
    (folder / "dilemmas").mkdir(parents=True, exist_ok=True)
    content = {"dimension": "individualism", **top, "dilemmas": entries}
    (folder / "dilemmas" / "mine.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


def read(folder: Path) -> Bank:
    return read_bank(load_content(prompts=folder), folder)


def reading(dilemma: Dilemma, **changes: Any) -> dict[str, Any]:
    usual = {
        "id": dilemma.id, "source": dilemma.text.key, "round": 1, "reader": READER, "date": "2026-11-22", "order": "ba",
        "first_pole": "a", "reasonable": "both", "doubt": False, "remark": "",
    }  # fmt: skip
    return {**usual, **changes}


def review(folder: Path, *lines: dict[str, Any]) -> Path:
    """Write the review file."""
    (folder / "review.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def review_all(folder: Path, *more: dict[str, Any], but: tuple[str, ...] = ()) -> Path:
    """A clean reading of every dilemma except those in `but`, and further lines."""
    dilemmas = load_content(prompts=folder).dilemmas.values()
    return review(folder, *(reading(d) for d in dilemmas if d.id not in but), *more)


def full(folder: Path) -> Path:
    """A bank of fifty dilemmas with a frozen core, read a second time: clean."""
    entries = [entry(n, core=n < 10) for n in range(50)]
    write(folder, entries, core_version=1)
    digest = core_digest(load_content(prompts=folder), "individualism")
    write(folder, entries, core_version=1, core_digest=digest)
    return review_all(folder)


def reasons(folder: Path, level: str = "finding") -> list[str]:
    return [f"{f.id}: {f.reason}" for f in check(read(folder)) if f.level == level]


def invoke(*arguments: str) -> Result:
    """The command as `auditkit bank ...` runs it; AuditError is left as it is."""
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


@pytest.fixture(scope="module", autouse=True)
def countries_once() -> Iterator[None]:
    """The country table is the same in every test here: it is read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load_countries", functools.cache(data.load_countries))
        yield


@pytest.fixture(scope="module")
def clean_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full(tmp_path_factory.mktemp("bank") / "prompts")


@pytest.fixture
def folder(clean_folder: Path, tmp_path: Path) -> Path:
    """A copy of the clean bank to spoil."""
    return shutil.copytree(clean_folder, tmp_path / "prompts")


Spoil = Callable[[list[dict[str, Any]]], None]


def spoil(folder: Path, change: Spoil) -> Path:
    """Change the entries of the bank in place."""
    path = folder / "dilemmas" / "mine.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content["dilemmas"])
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


# ----------------------------------------------------------------------------------------------------------- shipped


def test_the_shipped_bank_is_clean() -> None:
    """The bank that ships has no finding and nothing broken."""
    found = [f for f in check(read_bank(load_content())) if f.level != "note"]
    assert not found, "\n".join(f"{f.path.name}:{f.line}: {f.id}: {f.reason}" for f in found)


def test_the_shipped_bank_is_far_from_the_duplicate_thresholds() -> None:
    """No pair of shipped dilemmas comes near a threshold that hand-made near-duplicates exceed."""
    shipped = read_bank(load_content())
    assert max(p.cosine for p in shipped.pairs) < COSINE_LIMIT
    assert max(p.trigrams for p in shipped.pairs) < TRIGRAM_LIMIT


# ------------------------------------------------------------------------------------------------------------- checks


def test_a_good_bank_has_no_findings(clean_folder: Path) -> None:
    """Fifty balanced, distinct, frozen and well-read dilemmas give no finding at all, and no note."""
    assert check(read(clean_folder)) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scenario": ["Too short."]}, "scenario of 2 words, expected 40 to 90"),
        ({"a": "go there now"}, "option a of 3 words, expected 4 to 12"),
        ({"b": "carry it or leave it where it stands"}, "option b holds 'or'"),
        ({"a": "Carry the cup to the kitchen"}, "option a begins with a capital"),
        ({"b": "carry the cup to the kitchen."}, "option b ends with '.'"),
        ({"a": "carry the cup for my groups of friends"}, "option a holds the keyword 'group'"),
        (
            {"a": "carry it all alone", "b": "carry the cup to the very big kitchen"},
            "option b is 8 words long, the other 4",
        ),
        ({"a": "make the excellent and wonderful choice"}, "option a is put more kindly: 2 words"),
        ({"a": "pay the clerk in Dutch coins"}, "names a country, a people or a currency: 'Dutch'"),
        ({"a": "pay the clerk forty dollars now"}, "names a country, a people or a currency: 'dollars'"),
        ({"a": "tell my cousin Miriam about it"}, "a capital inside a sentence: 'Miriam'"),
    ],
)
def test_a_weak_text_is_found(folder: Path, changes: dict[str, Any], reason: str) -> None:
    """Each rule about the words of a dilemma gives a finding that names the dilemma and the reason."""
    spoil(folder, lambda entries: entries[20].update(changes))
    assert any(found.startswith("ind-20: ") and reason in found for found in reasons(folder)), reasons(folder)


def test_findings_name_the_line(folder: Path) -> None:
    """A finding gives the line on which the dilemma begins in its file."""
    spoil(folder, lambda entries: entries[7].update(a="go there now"))
    found = next(f for f in check(read(folder)) if "3 words" in f.reason)
    lines = (folder / "dilemmas" / "mine.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[found.line - 1].split() == ["-", "id:", "ind-07"]


def test_a_keyword_counts_only_at_the_start_of_a_word() -> None:
    """A keyword inside a word is another word: "risk" is no keyword in "brisk"."""
    content = load_content()
    assert keywords_in(content, "uncertainty_avoidance", "take a risky path") == ["risk"]
    assert keywords_in(content, "uncertainty_avoidance", "take a brisk walk") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e[20].update(lead="b"), "lead is a in 24 and b in 26 dilemmas"),
        (lambda e: e[3].update(lead="a"), "core: lead is a in 6 and b in 4 dilemmas"),
        (lambda e: [d.update(domain="work") for d in e if d["domain"] == "family"], "too few dilemmas of a domain, expected 6 or more: family 0"),
        (lambda e: e[30].update(core=True), "11 core dilemmas, expected 10"),
        (lambda e: [d.update(domain="work") for d in e if d["core"] and d["domain"] == "school"], "no core dilemma of school"),
        (lambda e: e[2].update(a="carry the whole lot to the mill"), "the core of individualism changed: raise core_version"),
        (lambda e: e[20].update(id="xyz-20"), "id begins with 'xyz', the others of this file with 'ind'"),
    ],
)  # fmt: skip
def test_a_bank_out_of_balance_is_found(folder: Path, change: Spoil, reason: str) -> None:
    """Balance of domains and orders, size and wording of the core, and ids are checked over the whole dimension."""
    assert any(reason in found for found in reasons(spoil(folder, change))), reasons(folder)


def test_orders_that_go_together_are_found_though_each_is_balanced(folder: Path) -> None:
    """Lead and mention may each be 25 to 25 and still always agree: the cross table shows it."""
    found = reasons(spoil(folder, lambda entries: [e.update(mentions=e["lead"]) for e in entries]))
    assert any("lead/mentions go together: a/a 25, a/b 0, b/a 0, b/b 25" in reason for reason in found), found


def test_a_wrong_order_of_mention_is_found(folder: Path) -> None:
    """`mentions` that contradicts the words of the scenario is a finding."""
    spoil(folder, lambda entries: entries[20].update(mentions="b"))
    assert any(
        "ind-20: mentions: b, but the scenario seems to take up option a first" in found for found in reasons(folder)
    )


def test_mention_order_that_words_cannot_tell_is_a_note(folder: Path) -> None:
    """Where scenario and option share no words, the check says so and blames nobody."""
    spoil(folder, lambda entries: entries[20].update(a="hand everything over quite quickly"))
    assert any(note.startswith("ind-20: shared words cannot tell") for note in reasons(folder, "note"))


@pytest.mark.parametrize(
    ("texts", "measure"),
    [
        (
            {
                "scenario": [
                    "Four of us recorded a radio play for our music class, and each person recorded a different scene.",
                    "Our teacher asks each of us what kind of mark we prefer.",
                    "A separate mark for my own scene would show what I did, and I would answer only for my own work.",
                    "One shared mark for our whole team would show what we did, and all of us would answer for each other.",
                ]
            },
            "trigrams",
        ),
        (
            {
                "scenario": [
                    "In history class I shot a film with three classmates, and everyone was responsible for one part of it.",
                    "Now the teacher lets us say how we want to be graded.",
                    "If each of us got their own grade, mine would reflect my part alone.",
                    "If the team got one grade together, we would stand or fall as one.",
                ]
            },
            "cosine",
        ),
    ],
)
def test_near_duplicates_exceed_a_threshold(texts: dict[str, Any], measure: str) -> None:
    """The same wording about another matter, and the same matter in other words, are both seen among 250 dilemmas."""
    original = {
        "id": "zz-01", "dimension": "individualism", "domain": "school", "lead": "a", "mentions": "a", "rationale": "",
        "question": "Should I {first} or {second}?",
        "scenario": [
            "Four of us made a film for our history class, and each person made a different part.",
            "Our teacher asks each of us what kind of grade we prefer.",
            "A separate grade for my own part would show what I did, and I would answer only for my own work.",
            "One shared grade for our whole team would show what we did, and all of us would answer for each other.",
        ],
        "a": "ask for a separate grade for my own part",
        "b": "ask for one shared grade for our whole team",
    }  # fmt: skip
    one = Dilemma.model_validate(original)
    other = Dilemma.model_validate(
        {**original, "id": "zz-02", **texts, "a": "ask for a mark of mine", "b": "ask for a mark of ours"}
    )
    pairs = similarities([*load_content().dilemmas.values(), one, other])
    pair = next(p for p in pairs if {p.first, p.second} == {"zz-01", "zz-02"})
    limit = {"cosine": COSINE_LIMIT, "trigrams": TRIGRAM_LIMIT}[measure]
    assert getattr(pair, measure) > limit


def test_a_near_duplicate_is_a_finding(folder: Path) -> None:
    """A dilemma that repeats another's text is named together with it."""
    spoil(folder, lambda entries: entries[20].update({k: entries[24][k] for k in ("scenario", "a", "b")}))
    assert any("ind-24: nearly the same as ind-20 (cosine 1.00" in found for found in reasons(folder))


def test_a_dilemma_is_as_similar_to_its_copy_as_can_be_and_to_a_stranger_not_at_all() -> None:
    """Similarity is 1 for the same text and 0 where no content word is shared."""
    one, two, three = (
        Dilemma.model_validate(
            {**entry(n), "dimension": "individualism", "question": "{first} {second}?", "scenario": [text]}
        )
        for n, text in ((1, "red apples"), (1, "red apples"), (2, "green pears"))
    )
    two, three = two.model_copy(update={"id": "copy"}), three.model_copy(update={"a": "x y", "b": "z w"})
    pairs = {frozenset((p.first, p.second)): p for p in similarities([one, two, three])}
    assert pairs[frozenset((one.id, "copy"))].cosine == pytest.approx(1.0)
    assert pairs[frozenset((one.id, "copy"))].trigrams == 1.0
    assert frozenset((one.id, three.id)) not in pairs


def test_a_small_bank_is_not_asked_for_balance(tmp_path: Path) -> None:
    """With fewer than ten dilemmas, balance, core and the missing second reading are notes, and the bank is clean."""
    folder = write(tmp_path / "prompts", [entry(0), entry(4)])
    assert reasons(folder) == []
    notes = " ".join(reasons(folder, "note"))
    assert "lead is a in 2 and b in 0" in notes
    assert "no core dilemmas" in notes
    assert "nobody but the writer has read" in notes
    assert invoke("check", "--prompts", str(folder)).return_value == 0


# ------------------------------------------------------------------------------------------------------------- broken


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e[3].pop("b"), "ind-03 b: Field required"),
        (lambda e: e[3].update(id="ind-02"), "dilemma 'ind-02' stands twice"),
        (lambda e: e[3].update(domain="home"), "ind-03 domain: Input should be 'family', 'work'"),
        (lambda e: e[3].update(lead="c"), "ind-03 lead: Input should be 'a' or 'b'"),
        (lambda e: e[3].update(b=e[3]["a"]), "ind-03: options a and b are the same"),
        (lambda e: e[3].update(coer=True), "ind-03 coer: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_broken_entry_is_refused_with_file_line_and_reason(folder: Path, change: Spoil, reason: str) -> None:
    """A missing option, a duplicate id, a bad code: refused before anything is checked."""
    spoil(folder, change)
    lines = (folder / "dilemmas" / "mine.yaml").read_text(encoding="utf-8").splitlines()
    begins = [number for number, line in enumerate(lines, 1) if line.startswith("- id:")]
    result = invoke("check", "--prompts", str(folder))
    assert isinstance(result.exception, ContentError)
    assert f"mine.yaml:{begins[3]}: " in str(result.exception)
    assert reason in str(result.exception)


def swap(entries: list[dict[str, Any]]) -> None:
    entries[20]["a"], entries[20]["b"] = entries[20]["b"], entries[20]["a"]


def test_swapped_poles_are_refused(folder: Path) -> None:
    """Exchanging a and b is seen, because that wording was read with the poles the other way round: exit code 2."""
    spoil(folder, swap)
    assert any("ind-20: poles swapped" in found for found in reasons(folder, "broken"))
    result = invoke("check", "--prompts", str(folder))
    assert result.return_value == 2
    assert "mine.yaml:" in result.output
    assert "1 broken" in result.output


def test_a_last_reading_that_takes_b_for_the_first_pole_is_refused(folder: Path) -> None:
    """A dilemma whose reader sees the poles the other way round is broken, whatever an earlier reading said."""
    dilemma = load_content(prompts=folder).dilemmas["ind-20"]
    review_all(folder, reading(dilemma, round=2, first_pole="b", remark="the other way"))
    assert reasons(folder, "broken") == [
        "ind-20: poles look swapped: its last reading took option b for the first pole (the other way)"
    ]


def test_the_same_words_in_both_options_are_broken(folder: Path) -> None:
    """Options that differ only in punctuation or capitals are no choice."""
    spoil(folder, lambda entries: entries[20].update(a="carry the cup up there", b="carry the cup, up there"))
    assert "ind-20: options a and b are the same words" in reasons(folder, "broken")


# ----------------------------------------------------------------------------------------------------- second reading


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"first_pole": "unclear"}, "last reading: poles unclear to the reader (why)"),
        ({"reasonable": "b"}, "last reading: only option b reasonable (why)"),
        ({"reasonable": "neither", "doubt": True}, "last reading: no option reasonable, doubted (why)"),
        ({"source": "s1:other"}, "reworded since it was last read (round 1): see `auditkit bank sheet`"),
        ({"round": 2}, "its first reading (round 1) is not in the review file"),
    ],
)
def test_a_reading_that_is_not_clean_is_found(folder: Path, changes: dict[str, Any], complaint: str) -> None:
    """Unclear poles, an unreasonable option, a doubt, another wording, a missing first pass: each is a finding."""
    dilemma = load_content(prompts=folder).dilemmas["ind-20"]
    review_all(folder, reading(dilemma, remark="why", **changes), but=("ind-20",))
    assert reasons(folder) == [f"ind-20: {complaint}"]


def test_an_unread_dilemma_is_found(folder: Path) -> None:
    """A dilemma without any reading is named."""
    assert reasons(review_all(folder, but=("ind-20",))) == [
        "ind-20: not read by a second reader: see `auditkit bank sheet`"
    ]


def test_a_wording_read_again_unchanged_is_noted(folder: Path) -> None:
    """Asking until the answer fits leaves a note, even where the last reading is clean."""
    dilemma = load_content(prompts=folder).dilemmas["ind-20"]
    review_all(folder, reading(dilemma, doubt=True), reading(dilemma, round=2), but=("ind-20",))
    assert reasons(folder) == []
    assert any("read again unchanged" in note for note in reasons(folder, "note"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "expected a reading or a rewrite"),
        ('{"id": "ind-00", "round": 1}', "source: Field required"),
        (
            '{"id": "ind-00", "round": 0, "rewritten": true, "why": "x"}',
            "round: Input should be greater than or equal to 1",
        ),
    ],
)
def test_a_broken_review_line_is_refused_with_its_number(folder: Path, line: str, reason: str) -> None:
    """The review file is data like the rest: file, line and reason."""
    path = folder / "review.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(ContentError, match=r"review\.jsonl:51: ") as caught:
        read(folder)
    assert reason in str(caught.value)


def test_the_card_counts_the_first_pass_and_not_the_later_ones(folder: Path) -> None:
    """First-pass agreement is of round 1 only, and stays what it was after a dilemma is rewritten and read again."""
    dilemmas = load_content(prompts=folder).dilemmas
    review_all(
        folder,
        reading(dilemmas["ind-20"], source="s1:old", first_pole="b"),
        reading(dilemmas["ind-21"], source="s1:old", first_pole="unclear", doubt=True),
        {"id": "ind-20", "round": 1, "rewritten": True, "why": "misread", "change": "option a says who decides"},
        {"id": "ind-21", "round": 1, "rewritten": True, "why": "doubted"},
        reading(dilemmas["ind-20"], round=2),
        reading(dilemmas["ind-21"], round=2),
        but=("ind-20", "ind-21"),
    )
    found = facts(read(folder)).dimensions[0].readings
    assert found == Readings(read=50, right=48, unclear=1, unreasonable=0, doubted=1, rewritten=2, accepted=50)
    assert reasons(folder) == []


def test_the_sheet_hides_the_poles_and_lists_what_is_unread(folder: Path) -> None:
    """The sheet shows options by place only; the lines to fill in hold the order and the key of the wording."""
    review_all(folder, but=("ind-20", "ind-21"))
    shown = invoke("sheet", "--prompts", str(folder))
    lines = [json.loads(line) for line in invoke("sheet", "--lines", "--prompts", str(folder)).output.splitlines()]
    dilemmas = load_content(prompts=folder).dilemmas
    assert shown.return_value == 1
    assert {line["id"] for line in lines} == {"ind-20", "ind-21"}
    for line in lines:
        dilemma = dilemmas[line["id"]]
        assert line["source"] == dilemma.text.key
        first, second = (dilemma.option(name) for name in line["order"])
        assert f"1. {first}\n2. {second}\n" in shown.output
    filled = [
        {**line, "reader": READER, "date": "2026-11-22", "first_pole": "a", "reasonable": "both", "doubt": False}
        for line in lines
    ]
    assert reasons(review_all(folder, *filled, but=("ind-20", "ind-21"))) == []
    assert invoke("sheet", "--prompts", str(folder)).return_value == 0


# --------------------------------------------------------------------------------------------------------------- core


def test_the_core_digest_follows_words_and_nothing_else(clean_folder: Path) -> None:
    """Notes about a dilemma, its order in the file and dilemmas outside the core leave the digest alone."""
    content: Content = load_content(prompts=clean_folder)
    before = core_digest(content, "individualism")
    core = content.dilemmas["ind-00"]
    content.dilemmas = dict(reversed(content.dilemmas.items()))
    content.dilemmas["ind-00"] = core.model_copy(update={"rationale": "other", "domain": "work"})
    content.dilemmas["ind-40"] = content.dilemmas["ind-40"].model_copy(update={"scenario": ("Other.",)})
    assert core_digest(content, "individualism") == before
    content.dilemmas["ind-00"] = Dilemma.model_validate({**core.model_dump(), "a": "carry something else altogether"})
    assert core_digest(content, "individualism") != before


def test_freeze_prints_what_mends_a_changed_core(folder: Path) -> None:
    """A changed core asks for the next version and its digest; written into the file, they satisfy the check."""
    assert invoke("freeze", "--prompts", str(folder)).return_value == 0
    spoil(folder, lambda entries: entries[2]["scenario"].append("The door is green."))
    result = invoke("freeze", "--prompts", str(folder))
    assert result.return_value == 1
    printed = yaml.safe_load(result.output)
    assert printed["core_version"] == 2
    path = folder / "dilemmas" / "mine.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text(encoding="utf-8")), **printed}), encoding="utf-8")
    assert not any("core" in found for found in reasons(folder))


# -------------------------------------------------------------------------------------------------- measures of text


@pytest.mark.parametrize(
    ("word", "count"),
    [("cat", 1), ("table", 2), ("make", 1), ("asked", 1), ("wanted", 2), ("houses", 2), ("being", 2), ("radio", 3), ("people", 2),
     ("mother-in-law", 4), ("neighbour's", 2), ("year", 1), ("situation", 4), ("the", 1), ("12", 1)],
)  # fmt: skip
def test_syllables(word: str, count: int) -> None:
    """Syllables are counted as they are spoken in plain English words."""
    assert syllables(word) == count


def test_reading_grade_follows_the_formula() -> None:
    """Ten words in two sentences with twelve syllables: 0.39 * 5 + 11.8 * 1.2 - 15.59 = 0.52."""
    assert reading_grade("The cat sat on mats. My garden has ten apples.") == pytest.approx(0.52)
    assert reading_grade("") == 0.0


def test_the_lexicon_prefers_whole_words_and_long_beginnings(tmp_path: Path) -> None:
    """A whole word wins over a beginning, and a longer beginning over a shorter one; others count nothing."""
    path = tmp_path / "words.txt"
    path.write_text("# remark\n+ hope*\n- hopeless*\n- hoper  # whole\n", encoding="utf-8")
    lexicon = Lexicon(path)
    assert [lexicon.value(w) for w in ("Hopeful", "hopelessly", "hoper", "shop")] == [1, -1, -1, 0]
    assert lexicon.score("hopeful, hope and hopeless") == 1
    path.write_text("good\n", encoding="utf-8")
    with pytest.raises(AuditError, match=r"words\.txt:1: expected"):
        Lexicon(path)


# -------------------------------------------------------------------------------------------------------------- output


def test_check_prints_a_table_and_says_clean(clean_folder: Path) -> None:
    """A clean bank prints one line a dimension and one line of result."""
    result = invoke("check", "--prompts", str(clean_folder))
    assert result.return_value == 0
    assert "25/25" in result.output
    assert "50 dilemmas: clean" in result.output
    assert "mine.yaml" not in result.output


def test_check_lists_findings_by_file_line_and_id(folder: Path) -> None:
    """A finding is one line that an editor can jump to, and the exit code is 1."""
    spoil(folder, lambda entries: entries[49].update(a="go there now"))
    result = invoke("check", "--prompts", str(folder))
    assert result.return_value == 1
    assert any("mine.yaml:" in line and ": ind-49: option a of 3 words" in line for line in result.output.splitlines())


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_the_card_says_who_read_and_what_was_rewritten(folder: Path, form: str) -> None:
    """Both forms show the counts, the first pass, the kind of reader with its limits, and the rewrites."""
    rewrites = [
        {"id": f"ind-{n}", "round": 1, "rewritten": True, "why": f"reason-{n}", "change": "new"} for n in range(20, 25)
    ]
    review_all(folder, *rewrites)
    short = " ".join(invoke("card", "--format", form, "--prompts", str(folder)).output.split())
    whole = invoke("card", "--format", form, "--history", "--prompts", str(folder)).output
    assert "50 dilemmas" in short
    assert "25/25" in short
    assert "50 of 50 readings" in short
    assert "not a panel of social scientists" in short
    assert "reason-22" in short
    assert "reason-23" not in short
    assert "and 2 more" in short
    assert "reason-24" in whole


def test_the_markdown_card_is_a_well_formed_table(clean_folder: Path) -> None:
    """Every row of the table has a cell for each dimension, and the whole digest of the core is given."""
    output = invoke("card", "--format", "markdown", "--prompts", str(clean_folder)).output
    rows = [line for line in output.splitlines() if line.startswith("|")]
    assert len(rows) > 30
    assert {row.count("|") for row in rows} == {3}
    assert core_digest(load_content(prompts=clean_folder), "individualism") in output
