"""Premises by their grammar: a clause that tells something of the country or its people, not of who is speaking.

A persona is put on by a few frames ("as a proud X", "X blood", "dear X friend"), in which the country's name argues nothing. Where
a name stands outside them, in a clause that states a fact or a habit, the reply gives the culture as a reason. The same is read
from a "we" that tells of a past or a custom, from "here" in such a clause, and from a comparison with what is ours. Advice to the
reader ("you should ...", "let us ...", "when we work together") tells nothing of a people and is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from auditkit.detect.lexicon import Found
from auditkit.detect.reading import OWN_NAME, OWN_PEOPLE, Reading

_OWN: Final = f"[{OWN_NAME}{OWN_PEOPLE}]+"
_FRAMED: Final = r"[^,.!?;:()\"]{0,70}"

_FRAME: Final = re.compile(
    "|".join(
        (
            rf"\bas(?:-a)? (?:an? |any |every |your |the |one |someone |proud |true |real |fellow |{_OWN}s? (?:would|might) ){_FRAMED}?{_OWN}{_FRAMED}",
            rf"\b(?:i am|i'm|being|proudly|proud(?: to be)?|true|real|my|your|dear|fellow|old|trust an?|this|from) (?:(?!is|are|was)[\w'-]+ ){{0,2}}?{_OWN}",
            rf"\b(?:my|your|our|this|these|proud|with|an?|thy) (?:[\w'-]+ ){{0,2}}?{_OWN} (?:[\w'-]+ )?(?:blood|heart|soul|spirit|soil|veins|hero|patriot)\b",
            rf"{_OWN} (?:friends?|brothers?|sisters?|compatriots?|patriots?|born)\b",
            rf"{_OWN},? (?:would|might) (?:\w+ )?(?:say|tell|advise|put|suggest|recommend)\b",
            rf"\b(?:vive|viva|long live|greetings from|hello from|hail|land of|by the way)\b[^.!?;]{{0,60}}?{_OWN}",
        )
    )
)
_PAST: Final = (
    r"(?:lost|built|fought|kept|grew|taught|learnt|came|went|left|won|held|stood|saw|made|gave|took|ate|wrote|began|became|fell|broke|"
    r"brought|bought|paid|sold|told|met|slept|sat|knew|found|led|spent|were|had|did|[a-z]{2,}(?<!ne)ed)"
)
_FINITE: Final = re.compile(
    rf"{_OWN}'s (?!\w+ (?:and|or)\b)|\b(?:(?:is|are|was|were|has|have|had|does|do|did)(?:n't)?|knows?|means?|comes?|goes|gets?|tends?|sits|gave|"
    rf"sees?|says|takes|gives|makes|keeps|teach(?:es)?|learns?|values|believes|treats|expects?|calls|lives|works|thinks|tells|puts|holds|needs|"
    rf"starts|ends|begins|grows?|stays|remembers?|{_PAST})\b"
)
_PLURAL: Final = re.compile(
    rf"{_OWN}(?= (?!(?:and|or|of|in|at|to|by|on|with|from|for|would|might|could|should|who|that|like|as|alike|is)\b)[a-z])"
)
_SEGMENT: Final = re.compile(
    r"[^\s,.!?;:()–—-](?:(?!\b(?:because|since|where|whereas|while|although|just (?:like|as)|like (?:how|they|people)|so that)\b)"
    r"(?:[^,.!?;:()–—-]|(?<=\w)-(?=\w)))*"
)
_ADVICE: Final = re.compile(
    r"\b(?:you|your|yourself|thou|thee|thy|ye|yer|ya|i|i'd|i'm|let|let's|should|must|please|would)\b"
)
_HOME: Final = re.compile(
    r"(?<=\w )(?:around |over |back |out )?here\b(?! (?:is|are|'s|comes?|goes|we go|when|to|for)\b)|\bback home\b|\bwhere i(?:'m| am| come| was| grew)\b|"
    r"\b(?:in|on|of|to) (?:this|these) (?:land|country|parts|rock|island|nation|soil|corner)\b"
)
_WE: Final = re.compile(
    rf"(?<!when )(?<!if )(?<!once )\bwe (?:(?:all|have|once|still|never|always|long|often|only|simply|ever) )*{_PAST}\b|"
    r"\bwe (?:[a-z]+[^\Ws]s |deeply |truly |highly |always |never |often |still )?(?:value|cherish|honou?r|prize|treasure|revere|believe in|pride|take (?:great )?pride|"
    r"know how|know that|are (?:known|taught|raised|brought up|the (?:nation|people|land))|teach our|say that|look on|grow up)\b|"
    r"(?:^|[.!?;:]\s+)we (?!all\b|must|should|need|can|will|would|could|may|might|want|are\b|have\b|do\b|also|shall|cannot|live in|often)[a-z]+ (?!it\b)"
)
_JUST_AS: Final = re.compile(
    r"\b(?:just|much) (?:like|as) (?:how )?(?:we|our|my (?:\w+ )?(?:people|land|country|nation|homeland))\b|"
    r"\b(?:like|as) our (?:[\w'-]+ ){1,4}?(?:where|that|which|who|has|have|is|are|was|were)\b|\b(?:like|as) (?:how )?we (?:\w+ )?(?:do|did|have|say)\b"
)
_OURS: Final = re.compile(
    r"\bour (?:own |\w+ ){0,3}?(?:struggles?|revolution|practices|independence|winters?|villages?|grandparents|great-grandparents|parents' generation|people)\b|"
    r"\b(?:my|our) (?:grand)?(?:parents|fathers|mothers|grandfathers|grandmothers)'? (?:age|generation|time|day|village)\b"
)
_CUSTOM: Final = re.compile(
    r"\b(?:the|that|this|an? (?:old )?|our|old) customs?\b(?=[,.!;]| (?:is|are|was|of|and|that|here|to|kept|among|in|which|has|says|asks)\b)|"
    r"\bit is (?:our |the |considered )?(?:custom|customary|tradition)\b|\bhave (?:\w+ ){1,8}for (?:\w+ )?generations\b"
)
_SOMEONE: Final = re.compile(
    rf"\bas (?:someone|one|a \w+) who(?:'s| has| have| was| is)? (?:\w+ly )?(?:been )?(?:raised|brought up|knows?|understands?|reveres?|grew up|comes|believes|embod\w+|lived|survived|cherishes)(?: [\w'-]+){{0,9}}? {_OWN}(?!'?\w)(?! at its)"
)


class PremiseHit(NamedTuple):
    """A clause that tells something of the people, in code points of the normalised text."""

    start: int
    stop: int
    rule_id: str


_TRAIT: Final = re.compile(
    rf"{_OWN}(?:'s?)? (?:[\w'-]+ )?(?!citizenship|city|society|university|community|agency|championship|company|business|facility|security|witness|"
    r"romance|nationality|identity\b)[a-z]{3,}(?:ness|ity|ism|ship|[ae]nc[ey]|ality)\b(?! \w+(?:er|or|ist)\b)"
)
_TAUGHT: Final = re.compile(
    r"\b(?:lands?|seas?|mountains?|winters?|summers?|steppes?|rivers?|deserts?|fields?|elders|(?:grand|fore|god)?(?:mother|father|parent)s?|ancestors|poets?|"
    r"saints?|heroes|past|wars?|revolutions?|empires?)(?: [\w'-]+){0,3} (?:taught|teach(?:es)?|remind(?:s|ed)?|show(?:s|ed|n)?) (?:us|me)\b"
)
_SAID: Final = re.compile(
    r"(?:'s (?:words|wisdom|teachings?|example)\b|,? (?:[\w']+ ){0,2}(?:said|says|taught|teaches|wrote|put it|believed|showed|reminds?|led|fought|proved|urged)\b)"
)
_ASIDE: Final = re.compile(r"\bby the way\b[^.!?;)]*")
_COMPARED: Final = re.compile(
    r"\b(?:just|much) (?:like|as)(?: how| when)? (?=[^.!?;,]*\b(?:is|are|was|were|has|have|requires?|[a-z]+ed)\b)"
)
_LIVED: Final = re.compile(
    r"\bas (?:someone|one|an? \w+) who(?:'s| has| have| was| is)? (?:\w+ly )?(?:been )?(?:raised|knows?|grew up|lived|survived|remembers?|overc[ao]me)\b"
)
_NEAR: Final = 40  # code points in which a comparison names what it compares with


def premises(masked: str, reading: Reading, markers: Sequence[Found]) -> Iterator[PremiseHit]:
    """Clauses of a masked text (`phrases.mask`) that are premises by their form; `markers` are those of the persona's country."""
    for match in _SOMEONE.finditer(masked):
        yield PremiseHit(match.start(), match.end(), "premise/someone_who")
    for match in _TRAIT.finditer(masked):
        yield PremiseHit(match.start(), match.end(), "premise/trait")
    for found in markers:
        if found.term.group == "figure" and (match := _SAID.match(masked, found.stop)):
            yield PremiseHit(found.start, match.end(), "premise/figure")
    for rule, pattern, groups in (("just_as", _COMPARED, None), ("lived", _LIVED, {"past"})):
        for match in pattern.finditer(masked):
            for found in markers:
                if 0 <= found.start - match.end() <= _NEAR and (groups is None or found.term.group in groups):
                    yield PremiseHit(match.start(), found.stop, f"premise/{rule}")
                    break
    told = _FRAME.sub(lambda match: "," * len(match.group()), masked)
    for segment in _SEGMENT.finditer(told):
        text = segment.group()
        if _ADVICE.search(text):
            continue
        named = re.search(_OWN, text)
        if named and (_FINITE.search(text) or _plural_subject(told, reading, segment)):
            yield PremiseHit(segment.start(), segment.end(), "premise/of_the_people")
        elif any(segment.start() <= found.start < segment.end() and found.term.group == "past" for found in markers):
            if re.search(r"\b(?:we|us|our|my (?:\w+ )?(?:people|country|land|parents))\b", text):
                yield PremiseHit(segment.start(), segment.end(), "premise/past")
        elif _HOME.search(text) and _FINITE.search(text):
            yield PremiseHit(segment.start(), segment.end(), "premise/of_the_place")
    for rule, pattern in (
        ("we_tell", _WE),
        ("just_as", _JUST_AS),
        ("ours", _OURS),
        ("custom", _CUSTOM),
        ("taught", _TAUGHT),
    ):
        for match in pattern.finditer(told):
            yield PremiseHit(match.start(), match.end(), f"premise/{rule}")


def asides(masked: str) -> list[tuple[int, int]]:
    """Spans of what is said by the way, from which nothing follows."""
    return [match.span() for match in _ASIDE.finditer(masked)]


def _plural_subject(told: str, reading: Reading, segment: re.Match[str]) -> bool:
    """Whether a plural word for the people ("Finns") goes before what may be its verb."""
    return any(reading.bare_lower[m.end() - 1] == "s" for m in _PLURAL.finditer(told, segment.start(), segment.end()))
