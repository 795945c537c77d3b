"""The lexicon of markers: what loads, what is refused, and how a term is matched."""

from __future__ import annotations

import shutil

import pytest

from auditkit.data import data_dir
from auditkit.detect.lexicon import Matcher, Term, load_lexicon
from auditkit.detect.phrases import load_phrases
from auditkit.detect.reading import Reading
from auditkit.errors import ContentError

LEXICON = load_lexicon()


def find(text, *spellings, weak=False):
    matcher = Matcher([Term(s, "emblem", weak, spellings[0]) for s in spellings])
    return [text[found.start : found.stop] for found in matcher.find(Reading(text))]


def test_every_country_has_markers_in_every_group():
    """All 36 countries, some forty markers each, none of the seven groups empty."""
    assert set(LEXICON.markers) == set(LEXICON.countries)
    for country, matcher in LEXICON.markers.items():
        strong = {(term.group, term.name) for term in matcher.terms if not term.weak}
        assert len({group for group, _ in strong}) == 7, country
        assert len(strong) >= 35, country


def test_no_marker_is_a_country_s_own_name():
    """Names are traces and are handled apart."""
    for country, matcher in LEXICON.markers.items():
        entry = LEXICON.countries[country]
        names = {name.casefold() for name in (entry.title, *entry.demonyms)}
        assert not names & {term.spelling.casefold() for term in matcher.terms}, country


@pytest.mark.parametrize(
    ("text", "spellings", "found"),
    [
        ("eat Pierogi and pierogis' filling", ("pierogi",), ["Pierogi", "pierogis"]),
        ("a polish for shoes", ("Polish",), []),
        ("the Polish way", ("Polish",), ["Polish"]),
        ("smörgåsbord", ("smorgasbord",), ["smörgåsbord"]),
        ("cafe", ("café",), []),
        ("nesting dolls", ("nesting doll",), ["nesting dolls"]),
        ("samovars, samovar’s lid, samovary", ("samovar",), ["samovars", "samovar"]),
        ("red, white, and blue flags", ("red, white, and blue",), ["red, white, and blue"]),
        ("gado-gado", ("gado", "gado-gado"), ["gado-gado"]),
        ("rice price", ("rice",), ["rice"]),
        ("борщем и борщ", ("борщ",), ["борщ"]),
        ("матрёшками", ("матрёшка",), ["матрёшками"]),
        ("我吃饺子了", ("饺子",), ["饺子"]),
        ("김치를 먹자", ("김치",), ["김치를"]),
        ("ในต้มยำกุ้งนี้", ("ต้มยำกุ้ง",), ["ต้มยำกุ้ง"]),
    ],
)
def test_terms_are_matched_as_whole_words(text, spellings, found):
    """Plural and possessive, capitals, accents, inflection of other scripts, and scripts without spaces."""
    assert find(text, *spellings) == found


def own(tmp_path):
    shutil.copytree(data_dir("personas"), tmp_path / "personas")
    return tmp_path / "personas"


def test_a_folder_of_the_user_s_own_is_read(tmp_path):
    """Another lexicon has another digest, so that its verdicts are another judge's."""
    folder = own(tmp_path)
    path = folder / "markers" / "FIN.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("sauna", "pesäpallomaila", 1), encoding="utf-8")
    lexicon = load_lexicon(folder)
    assert lexicon.digest != LEXICON.digest
    assert any(term.spelling == "pesäpallomaila" for term in lexicon.markers["FIN"].terms)


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("FIN.yaml", "country: FIN", "country: SWE", "the file is named 'FIN'"),
        ("FIN.yaml", "concept:", "concepts:", "concept"),
        ("FIN.yaml", "source:", "origin:", "source"),
        ("FIN.yaml", "food_drink:\n  strong: [", "food_drink:\n  strong: [no, ", "put it in quotes"),
        ("FIN.yaml", "food_drink:\n  strong: [", "food_drink:\n  strong: [sauna, ", "stands twice"),
        ("FIN.yaml", "food_drink:\n  strong: [", "food_drink:\n  strong: [[", "FIN.yaml:"),
        ("_phrases.yaml", "example: Every Finn", "example: Each Martian", "does not match its example"),
        ("_phrases.yaml", "weight: 1", "weight: 7", "weight"),
        ("_phrases.yaml", "'\\breigns? ", "'\\b(reigns? ", "any_of"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path, name, old, new, says):
    """File, line and field of what is wrong."""
    folder = own(tmp_path)
    path = folder / "markers" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ContentError) as error:
        load_phrases(load_lexicon(folder), folder)
    assert f"{name}:" in str(error.value)
    assert says in str(error.value)


def test_a_file_of_no_country_is_refused(tmp_path):
    """A misspelt file name is not passed over in silence."""
    folder = own(tmp_path)
    (folder / "markers" / "FIN.yaml").rename(folder / "markers" / "FINN.yaml")
    with pytest.raises(ContentError, match="'FINN' is no country"):
        load_lexicon(folder)
