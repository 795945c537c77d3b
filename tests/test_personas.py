"""The country table and the persona sentences: what every analysis that joins on them takes for granted."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
COUNTRIES_FILE = ROOT / "personas" / "countries.yaml"
TEMPLATES_FILE = ROOT / "personas" / "templates.yaml"

DIMENSIONS = ("idv", "mas", "uai", "pdi", "lto")
EDITIONS = ("paper", "cf", "2015")
WITH_ARTICLE = {"USA": "the United States", "NLD": "the Netherlands", "CZE": "the Czech Republic"}

# How a script name (ISO 15924) shows in the Unicode names of its letters.
SCRIPT_LETTERS = {
    "Latn": ("LATIN",),
    "Cyrl": ("CYRILLIC",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA"),
    "Hans": ("CJK",),
    "Arab": ("ARABIC",),
    "Hebr": ("HEBREW",),
    "Hang": ("HANGUL",),
    "Grek": ("GREEK",),
    "Thai": ("THAI",),
    "Armn": ("ARMENIAN",),
    "Geor": ("GEORGIAN",),
    "Deva": ("DEVANAGARI",),
    "Sinh": ("SINHALA",),
}
# Format characters that spelling needs, by script: ZERO WIDTH NON-JOINER in Persian, ZERO WIDTH JOINER in Sinhala.
SPELLING_MARKS = {"\u200c": "Arab", "\u200d": "Sinh"}


class UniqueKeyLoader(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice, where YAML itself silently keeps the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key, count in Counter(keys).items() if count > 1]
        if twice:
            raise ValueError(f"key given twice: {twice}")
        return super().construct_mapping(node, deep)


def load(path: Path) -> dict[str, Any]:
    """Read a YAML file strictly: UTF-8, no key twice."""
    content = UniqueKeyLoader(path.read_text(encoding="utf-8")).get_single_data()
    assert isinstance(content, dict)
    return content


DATA = load(COUNTRIES_FILE)
COUNTRIES: dict[str, dict[str, Any]] = DATA["countries"]
PERSONAS = load(TEMPLATES_FILE)
TEMPLATES: dict[str, dict[str, str]] = {template["id"]: template for template in PERSONAS["templates"]}


def names(country: dict[str, Any]) -> set[str]:
    """Every English name of a country, lower case."""
    return {name.lower() for name in (country["name"], country["title"], *country["aliases"])}


def test_country_table_is_complete() -> None:
    """There are 36 countries, each with every field and none besides."""
    fields = (
        "name title iso2 m49 language language_name autonym script bcp47 direction resource_level "
        "demonyms endonyms aliases scores notes"
    ).split()
    assert len(COUNTRIES) == 36
    for code, country in COUNTRIES.items():
        assert list(country) == fields, code
        assert all(isinstance(country[field], str) and country[field] for field in fields[:11]), code


def test_codes_are_unique_and_well_formed() -> None:
    """ISO codes, language codes and language tags are well formed, agree, and belong to one country each."""
    for code, country in COUNTRIES.items():
        assert re.fullmatch("[A-Z]{3}", code)
        assert re.fullmatch("[A-Z]{2}", country["iso2"]), code
        assert re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", country["language"]), code
        assert country["language"].endswith("_" + country["script"]), code
        assert country["bcp47"].endswith("-" + country["iso2"]), code
    for field in ("iso2", "language", "language_name", "autonym", "bcp47", "name", "title"):
        assert len({country[field] for country in COUNTRIES.values()}) == 36, field


def test_paper_scores_are_complete_and_in_range() -> None:
    """Every country has all five dimensions in the default edition, as whole numbers from 0 to 120."""
    for code, country in COUNTRIES.items():
        scores = country["scores"]["paper"]
        assert tuple(scores) == DIMENSIONS, code
        assert all(type(score) is int and 0 <= score <= 120 for score in scores.values()), code


def test_other_editions_hold_only_real_figures() -> None:
    """An edition is declared with its source, and a figure that it lacks is absent instead of empty."""
    assert tuple(DATA["editions"]) == EDITIONS
    assert all("\n" not in DATA["editions"][edition]["source"].strip() for edition in EDITIONS)
    for code, country in COUNTRIES.items():
        assert set(country["scores"]) <= set(EDITIONS), code
        for edition, scores in country["scores"].items():
            assert scores, (code, edition)
            assert set(scores) <= set(DIMENSIONS), (code, edition)
            assert all(type(score) is int and 0 <= score <= 120 for score in scores.values()), (code, edition)


@pytest.mark.parametrize(
    ("edition", "counts", "sums"),
    [
        ("paper", (36, 36, 36, 36, 36), (1757, 1651, 2467, 2299, 1878)),
        ("cf", (36, 36, 36, 36, 36), (1757, 1651, 2467, 2299, 1889)),
        ("2015", (25, 25, 25, 25, 33), (1249, 1207, 1687, 1451, 1848)),
    ],
)
def test_scores_add_up_to_the_sources(edition: str, counts: tuple[int, ...], sums: tuple[int, ...]) -> None:
    """The figures per dimension have the count and sum of the source tables, so that no slip of a key goes unseen."""
    columns = [
        [
            country["scores"][edition][dimension]
            for country in COUNTRIES.values()
            if dimension in country["scores"].get(edition, {})
        ]
        for dimension in DIMENSIONS
    ]
    assert tuple(len(column) for column in columns) == counts
    assert tuple(sum(column) for column in columns) == sums


def test_editions_differ_where_they_are_said_to() -> None:
    """Paper and tool differ in Mongolia's orientation only; 2015 in all of IDV and in 31 of 33 orientations."""

    def differing(edition: str, dimension: str) -> set[str]:
        return {
            code
            for code, country in COUNTRIES.items()
            if dimension in country["scores"].get(edition, {})
            and country["scores"][edition][dimension] != country["scores"]["paper"][dimension]
        }

    assert {dimension: differing("cf", dimension) for dimension in DIMENSIONS} == {
        dimension: {"MNG"} if dimension == "lto" else set() for dimension in DIMENSIONS
    }
    assert {dimension: len(differing("2015", dimension)) for dimension in DIMENSIONS} == {
        "idv": 25,
        "mas": 0,
        "uai": 1,
        "pdi": 1,
        "lto": 31,
    }
    assert any("39" in note and "50" in note for note in COUNTRIES["MNG"]["notes"])
    assert any("South Africa white" in note for note in COUNTRIES["ZAF"]["notes"])


def test_resource_levels_are_balanced() -> None:
    """Twelve languages stand on each resource level."""
    assert Counter(country["resource_level"] for country in COUNTRIES.values()) == {"high": 12, "mid": 12, "low": 12}


def test_region_map() -> None:
    """The eleven M49 sub-regions have the published sizes, three of them with a single country."""
    regions = Counter(country["m49"] for country in COUNTRIES.values())
    assert sorted(regions.values()) == [1, 1, 1, 3, 3, 3, 3, 4, 4, 5, 8]
    assert {code for code, country in COUNTRIES.items() if regions[country["m49"]] == 1} == {"KAZ", "USA", "ZAF"}


def test_article_grammar() -> None:
    """Exactly three names carry an article, in lower case, and no title does."""
    assert {
        code: country["name"] for code, country in COUNTRIES.items() if re.match("the ", country["name"], re.I)
    } == WITH_ARTICLE
    for code, country in COUNTRIES.items():
        assert country["title"] == country["name"].removeprefix("the "), code
        if code in WITH_ARTICLE:
            assert country["title"] in country["aliases"], code
            assert "T" + country["name"][1:] in country["aliases"], code


def test_word_lists_are_usable() -> None:
    """Demonyms, endonyms and aliases are non-empty lists of distinct, trimmed strings, and notes are strings."""
    for code, country in COUNTRIES.items():
        for field in ("demonyms", "endonyms", "aliases"):
            words = country[field]
            assert words, (code, field)
            assert all(isinstance(word, str) and word.strip() == word and word for word in words), (code, field)
            assert len(set(words)) == len(words), (code, field)
        assert all(isinstance(note, str) and note for note in country["notes"]), code


def test_no_name_is_shared() -> None:
    """No English name, code or demonym leads to two countries, so that a file can be joined by any of them."""
    for kind in ("names", "demonyms"):
        owner: dict[str, str] = {}
        for code, country in COUNTRIES.items():
            codes = {code.lower(), country["iso2"].lower()}
            demonyms = {word.lower() for word in country["demonyms"]}
            for word in names(country) | codes if kind == "names" else demonyms:
                assert owner.setdefault(word, code) == code, (word, owner[word], code)


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("Czechia", "CZE"),
        ("Czech Rep", "CZE"),
        ("Republic of Korea", "KOR"),
        ("Korea South", "KOR"),
        ("Türkiye", "TUR"),
        ("U.S.A.", "USA"),
        ("United States of America", "USA"),
        ("The Netherlands", "NLD"),
        ("Holland", "NLD"),
        ("Russian Federation", "RUS"),
        ("Iran, Islamic Rep.", "IRN"),
    ],
)
def test_spellings_of_data_files_are_known(spelling: str, code: str) -> None:
    """Names that broke joins in published data lead to their country."""
    assert [key for key, country in COUNTRIES.items() if spelling.lower() in names(country)] == [code]


def test_own_words_are_in_their_own_script() -> None:
    """The autonym and the first endonym are in the language's script, English fields in Latin letters."""

    def letters_ok(text: str, script: str) -> bool:
        return all(unicodedata.name(char).startswith(SCRIPT_LETTERS[script]) for char in text if char.isalpha())

    for code, country in COUNTRIES.items():
        assert letters_ok(country["autonym"], country["script"]), code
        assert letters_ok(country["endonyms"][0], country["script"]), code
        for endonym in country["endonyms"]:
            assert letters_ok(endonym, country["script"]) or letters_ok(endonym, "Latn"), (code, endonym)
        for word in names(country) | {country["language_name"], *country["demonyms"]}:
            assert letters_ok(word, "Latn"), (code, word)


def test_direction() -> None:
    """Persian and Hebrew run from right to left, all other languages from left to right."""
    assert {country["direction"] for country in COUNTRIES.values()} == {"ltr", "rtl"}
    assert {country["language"] for country in COUNTRIES.values() if country["direction"] == "rtl"} == {
        "pes_Arab",
        "heb_Hebr",
    }


@pytest.mark.parametrize("path", [COUNTRIES_FILE, TEMPLATES_FILE], ids=["countries", "templates"])
def test_files_are_clean_text(path: Path) -> None:
    """The files are composed UTF-8 without byte-order mark, tabs, carriage returns, odd spaces or stray marks."""
    raw = path.read_bytes()
    text = raw.decode("utf-8")
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw and b"\t" not in raw
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert text == unicodedata.normalize("NFC", text)
    odd = {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs"}} - {
        "\n",
        " ",
    }
    assert odd <= set(SPELLING_MARKS), [f"U+{ord(char):04X}" for char in odd]


def test_invisible_characters_only_where_spelling_needs_them() -> None:
    """A joiner or non-joiner occurs in the endonyms of its own script, between two letters, and nowhere else."""
    text = COUNTRIES_FILE.read_text(encoding="utf-8") + TEMPLATES_FILE.read_text(encoding="utf-8")
    for mark, script in SPELLING_MARKS.items():
        words = [word for country in COUNTRIES.values() if country["script"] == script for word in country["endonyms"]]
        assert sum(word.count(mark) for word in words) == text.count(mark) > 0
        assert not any(word.startswith(mark) or word.endswith(mark) for word in words)


def test_template_table() -> None:
    """The published sentence, three paraphrases of equal strength, and three graded statements are there."""
    assert len(TEMPLATES) == len(PERSONAS["templates"])
    assert all(list(template) == ["id", "strength", "text", "note"] for template in TEMPLATES.values())
    assert PERSONAS["default"] == "paper"
    assert {template["strength"] for template in TEMPLATES.values()} == {"residence", "nationality", "identity"}
    assert {key: template["strength"] for key, template in TEMPLATES.items()}.items() >= {
        "paper": "identity",
        "paraphrase-1": "identity",
        "paraphrase-2": "identity",
        "paraphrase-3": "identity",
        "residence": "residence",
        "nationality": "nationality",
        "identity-full": "identity",
    }.items()


def test_published_sentence_is_kept_to_the_letter() -> None:
    """The replication template gives the sentence of the paper's worked example for Italy."""
    assert TEMPLATES["paper"]["text"].format(country="Italy") == (
        "Answer the following prompt by imagining that you are proudly and thoroughly from the country of Italy, "
        "providing appropriate advice."
    )


@pytest.mark.parametrize("key", TEMPLATES)
def test_template_renders_for_every_country(key: str) -> None:
    """A sentence takes any country's name once, with one article, mid-sentence, and leaves no placeholder behind."""
    text = TEMPLATES[key]["text"]
    assert text.count("{country}") == 1
    assert not re.search(r"(^|[.!?:] )\{country\}", text), "a name with a lower-case article would open a sentence"
    rendered = {text.format(country=country["name"]) for country in COUNTRIES.values()}
    assert len(rendered) == 36
    for sentence in rendered:
        assert not re.search(r"\b(the|a|an) (the|a|an)\b", sentence, re.I), sentence
        assert not re.search(r"\b(\w+) \1\b", sentence, re.I), sentence
        assert not re.search(r"[{}]|\s\s|\s[.,]", sentence), sentence
        assert sentence == sentence.strip() and sentence[0].isupper() and sentence.endswith("."), sentence


def test_strength_series_speaks_in_the_first_person() -> None:
    """Graded statements are the asker's own and give the model no instruction; the paraphrases address the model."""
    for key in ("residence", "nationality", "identity-full"):
        assert TEMPLATES[key]["text"].startswith("I ")
        assert not re.search(r"\b(you|your|answer|reply|respond|imagin\w*)\b", TEMPLATES[key]["text"], re.I)
    for key in ("paper", "paraphrase-1", "paraphrase-2", "paraphrase-3"):
        assert re.search(r"\b(you|yourself)\b", TEMPLATES[key]["text"])
        assert re.search(r"\b(proud\w*|pride)\b", TEMPLATES[key]["text"])


def test_no_template_hints_at_the_answer() -> None:
    """No sentence names a pole of a dimension, and only the published one speaks of appropriate advice."""
    dimensions = load(ROOT / "prompts" / "dimensions.yaml")
    poles = [keyword for dimension in dimensions.values() for keyword in dimension["keywords"]]
    hints = ["appropriate", "advice", "advis", "should", "cultur", "custom", "typical", "value", "norm", "best"]
    assert poles
    for key, template in TEMPLATES.items():
        banned = poles + [hint for hint in hints if key != "paper" or hint not in {"appropriate", "advice"}]
        for word in banned:
            assert not re.search(rf"\b{re.escape(word)}", template["text"], re.I), (key, word)
