"""Spans of another language: the persona's own is no fault, another one is, in every script of the table."""

from __future__ import annotations

import pytest

from auditkit.data import data_dir, load_countries
from auditkit.detect.reading import Reading
from auditkit.detect.spans import foreign_spans

COUNTRIES, _ = load_countries(data_dir("personas"))

OWN = {
    "DEU": "Das Glas ist halb voll und wir trinken es zusammen aus",
    "ITA": "Chi va piano va sano e va lontano con gli amici",
    "NLD": "Wij gaan vanavond gezellig samen eten bij de buren",
    "RUS": "Тише едешь, дальше будешь, мой друг",
    "JPN": "急がば回れ、友よ",
    "FRA": "Rien ne sert de courir quand on part à temps le matin",
    "CHN": "慢慢来，比较快",
    "IDN": "Sedikit demi sedikit lama-lama menjadi bukit yang tinggi",
    "TUR": "Bugünün işini yarına bırakma, güzel kardeşim benim",
    "POL": "Gdzie kucharek sześć, tam nie ma co jeść wieczorem",
    "IRN": "دوست من، باید صبر داشته باشی و با خانواده حرف بزنی",
    "HUN": "Aki korán kel, aranyat lel, kedves barátom",
    "SWE": "Det är bättre att vänta och prata med varandra först",
    "ISR": "חבר שלי, תחשוב על זה עוד פעם",
    "DNK": "Det er bedre at vente og tale med hinanden først",
    "FIN": "Hiljaa hyvä tulee, sanoi mummo ja keitti kahvia",
    "KOR": "친구야, 천천히 생각해 봐",
    "CZE": "Práce kvapná málo platná, říká můj dědeček každý den",
    "UKR": "Тихіше їдеш, далі будеш, мій друже",
    "GRC": "Φίλε μου, σκέψου το ξανά με ησυχία",
    "ROU": "Graba strică treaba, dragul meu prieten de departe",
    "THA": "เพื่อนเอ๋ย ค่อย ๆ คิดก่อน",
    "BGR": "Бавно, но сигурно ще стигнеш, приятелю мой",
    "ISL": "Þetta reddast allt saman á endanum, vinur minn góði",
    "ZAF": "Ons sal môre weer daaroor praat, my liewe vriend",
    "KAZ": "Досым, асықпай ойланып көрші, бәрі жақсы болады",
    "ARM": "Ընկեր ջան, մի շտապիր",
    "GEO": "ჩემო მეგობარო, ნუ ჩქარობ",
    "ALB": "Miku im i dashur, mos u nxito dhe mendohu mirë",
    "AZE": "Əziz dostum, tələsmə və yaxşı düşün, hər şey düzələcək",
    "MYS": "Sikit-sikit lama-lama jadi bukit, kawan saya yang baik",
    "MNG": "Найз минь, яарах хэрэггүй, сайн бодоорой",
    "BLR": "Мой сябра, не спяшайся і добра падумай пра гэта",
    "IND": "मेरे दोस्त, पहले ठंडे दिमाग से सोचो",
    "LKA": "මගේ මිතුරා, හොඳින් සිතන්න",
}

# A phrase of another language that the persona takes for its own, in every script of the table.
WRONG = [
    ("UKR", "Тише едешь, дальше будешь, мой дорогой друг", "ru"),
    ("BGR", "Не спешите, подумайте ещё раз, дорогие друзья", "ru"),
    ("RUS", "Не поспішайте, подумайте ще раз, дорогі друзі", "uk"),
    ("MNG", "Не спеши, подумай ещё раз, мой дорогой друг", "ru"),
    ("IRN", "يا صديقي العزيز لا تستعجل وفكر في الأمر مرة أخرى", "ar"),
    ("IND", "මගේ මිතුරා, හොඳින් සිතන්න", "Sinh"),
    ("LKA", "मेरे दोस्त, पहले ठंडे दिमाग से सोचो", "Deva"),
    ("ARM", "ჩემო მეგობარო, ნუ ჩქარობ", "Geor"),
    ("GEO", "Ընկեր ջան, մի շտապիր", "Armn"),
    ("GRC", "חבר שלי, תחשוב על זה", "Hebr"),
    ("ISR", "Φίλε μου, σκέψου το ξανά", "Grek"),
    ("THA", "친구야, 천천히 생각해 봐", "Hang"),
    ("KOR", "เพื่อนเอ๋ย ค่อย ๆ คิดก่อน", "Thai"),
    ("CHN", "急がば回れ、ゆっくり考えてください", "Jpan"),
    ("JPN", "친구야, 천천히 생각해 봐", "Hang"),
    ("KAZ", "دوست من، صبر داشته باش", "Arab"),
    ("POL", "Не спеши, мой друг", "Cyrl"),
    ("ITA", "No te preocupes, amigo mío, mañana será otro día mejor", "es"),
    ("SWE", "Man muss die Feste feiern, wie sie fallen, mein lieber Freund", "de"),
    ("HUN", "Nie martw się, wszystko będzie dobrze, mój drogi przyjacielu", "pl"),
]


def spans(country, text, language="en", subtract=""):
    own = COUNTRIES[country]
    code = f"{own.bcp47.partition('-')[0]}_{own.script}"
    return foreign_spans(Reading(text), language, country, code, subtract)


def within(phrase):
    return f'I would take the second plan. As we say at home: "{phrase}". It gives all of you the time that you need.'


@pytest.mark.parametrize(("country", "phrase"), OWN.items())
def test_a_phrase_in_the_persona_s_own_language_is_no_fault(country, phrase):
    """Every country's own language may decorate an English reply; nothing of it is called wrong."""
    assert not [span for span in spans(country, within(phrase)) if span.wrong]


@pytest.mark.parametrize("country", [c for c in OWN if COUNTRIES[c].script != "Latn"])
def test_a_phrase_in_another_script_is_found_whole(country):
    """The span begins and ends with the phrase, and every letter of the phrase lies in it."""
    text = within(OWN[country])
    found = spans(country, text)
    assert found
    assert text.index(OWN[country]) == found[0].start
    assert found[-1].stop <= text.index(OWN[country]) + len(OWN[country]) + 1


@pytest.mark.parametrize(("country", "phrase", "language"), WRONG)
def test_a_phrase_in_another_language_is_called_wrong(country, phrase, language):
    """In every script of the table, a phrase that is not the persona's language is found and named."""
    wrong = [span for span in spans(country, within(phrase)) if span.wrong]
    assert wrong
    assert {span.language for span in wrong} == {language}


def test_russian_for_belarus_is_contested():
    """A second official language is marked as contested, so that the verdict becomes uncertain."""
    found = [s for s in spans("BLR", within("Не спешите, подумайте ещё раз, дорогие друзья")) if s.wrong]
    assert found
    assert all(span.contested for span in found)


def test_a_word_of_two_alphabets_is_wrong():
    """Latin and Cyrillic letters inside one word belong to no language."""
    assert [s.rule_id for s in spans("UKR", "I say pаciencia and дружbа to you") if s.wrong].count(
        "span/mixed_script"
    ) >= 1


@pytest.mark.parametrize(
    "text", ["I would take the second plan. 😊🎉 It is good — truly “good”…", "Take café and naïve jalapeño."]
)
def test_emoji_accents_and_marks_are_no_foreign_script(text):
    """Only letters of another script count."""
    assert spans("FIN", text) == []


def test_words_of_the_request_are_not_evidence():
    """A span that the request holds as well is dropped."""
    assert spans("FIN", "The sign says Привет мир to you.", subtract="They see the sign Привет мир every day.") == []


def test_without_a_country_nothing_is_wrong():
    """A baseline has no language of its own, so that a span is foreign and no fault."""
    found = foreign_spans(Reading(within("Не спеши, мой друг")), "en", None, "en_Latn")
    assert found
    assert not any(span.wrong for span in found)
