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

from auditkit.detect.lexicon import MARKER_GROUPS, Found, Group
from auditkit.detect.reading import OWN_NAME, OWN_PEOPLE, Reading

_OWN: Final = f"[{OWN_NAME}{OWN_PEOPLE}]+"
_FRAMED: Final = r"[^,.!?;:()\"]{0,70}"

_FRAME: Final = re.compile(
    "|".join(
        (
            (
                rf"\bas(?:-a)? (?:an? |any |every |your |the |one |someone |proud |true |real |fellow |{_OWN}s? (?:would|"
                rf"might) ){_FRAMED}?{_OWN}{_FRAMED}"
            ),
            (
                rf"\b(?:i am|i'm|being|proudly|proud(?: to be)?|true|real|my|your|dear|fellow|old|trust an?|this|"
                rf"from) (?:(?!is|are|was)[\w'-]+ )?{_OWN}"
            ),
            (
                rf"\b(?:my|your|our|this|these|proud|with|an?|thy) (?:[\w'-]+ ){{0,2}}?{_OWN} (?:[\w'-]+ )?(?:blood|heart|"
                rf"soul|spirit|soil|veins|hero|patriot)\b"
            ),
            rf"{_OWN} (?:friends?|brothers?|sisters?|compatriots?|patriots?|born)\b",
            rf"{_OWN},? (?:would|might) (?:\w+ )?(?:say|tell|advise|put|suggest|recommend)\b",
            rf"\b(?:vive|viva|long live|greetings from|hello from|hail|land of|by the way)\b[^.!?;]{{0,60}}?{_OWN}",
        )
    )
)
_PAST: Final = (
    r"(?:lost|built|fought|kept|grew|taught|learnt|came|went|left|won|held|stood|saw|made|gave|took|ate|wrote|"
    r"began|became|fell|broke|"
    r"brought|bought|paid|sold|told|met|slept|sat|knew|found|led|spent|were|had|did|[a-z]{2,}(?<!ne)ed)"
)
_FINITE: Final = re.compile(
    rf"{_OWN}'s (?!\w+ (?:and|or)\b)|\b(?:(?:is|are|was|were|has|have|had|does|do|did)(?:n't)?|knows?|means?|"
    rf"comes?|goes|gets?|tends?|sits|"
    rf"sees?|says|takes|gives|makes|keeps|teach(?:es)?|learns?|values|believes|treats|expects?|calls|lives|"
    rf"works|thinks|tells|puts|holds|needs|"
    rf"starts|ends|begins|grows?|stays|remembers?|{_PAST})\b"
)
# a people in the plural may go before any verb ("Finns save"), which no list of verbs would hold; left out is what shows a noun or advice
_PLURAL: Final = re.compile(
    rf"{_OWN}(?= (?!(?:and|or|of|in|at|to|by|on|with|from|for|would|might|could|should|who|that|like|as|alike|"
    rf"is)\b)[a-z])"
)
# a clause, roughly: what punctuation, a dash or a conjunction parts
_SEGMENT: Final = re.compile(
    r"[^\s,.!?;:()–—-](?:(?!\b(?:because|since|where|whereas|while|although|just (?:like|as)|like (?:how|they|"
    r"people)|so that)\b)"
    r"(?:[^,.!?;:()–—-]|(?<=\w)-(?=\w)))*"
)
# a clause that speaks to the reader or of the speaker
_ADVICE: Final = re.compile(
    r"\b(?:you|your|yourself|thou|thee|thy|ye|yer|ya|i|i'd|i'm|let|let's|should|must|please|would)\b"
)
_HOME: Final = re.compile(
    r"(?<=\w )(?:around |over |back |out )?here\b(?! (?:is|are|'s|comes?|goes|we go|when|to|for)\b)|"
    r"\bback home\b|\bwhere i(?:'m| am| come| was| grew)\b|"
    r"\b(?:in|on|of|to) (?:this|these) (?:land|country|parts|rock|island|nation|soil|corner)\b"
)
# "we" in the past, with a verb of valuing, or at the head of a sentence; "when we work together" is advice
_WE: Final = re.compile(
    rf"(?<!when )(?<!if )(?<!once )\bwe (?:(?:all|have|once|still|never|always|long|often|only|simply|"
    rf"ever) )*{_PAST}\b|"
    r"\bwe (?:[a-z]+[^\Ws]s |deeply |truly |highly |always |never |often |still )?(?:value|cherish|honou?r|"
    r"prize|treasure|revere|believe in|pride|take (?:great )?pride|"
    r"know how|know that|are (?:known|taught|raised|brought up|the (?:nation|people|land))|(?:are|"
    r"may be) an? (?:\w+ ){0,3}?(?:nation|people|country|culture|society)|teach our|say that|look on|"
    r"grow up)\b|"
    r"(?:^|[.!?;:]\s+)we (?!all\b|must|should|need|can|will|would|could|may|might|want|are\b|have\b|do\b|also|"
    r"shall|cannot|live in|often|only|just|both|sometimes|wish|hope|say|think|recommend|suggest|advise|urge|go|"
    r"get|come|start|look forward)[a-z]+ (?!it\b)"
)
_JUST_AS: Final = re.compile(
    r"\b(?:just|much) (?:like|as) (?:how )?(?:we|our|my (?:\w+ )?(?:people|land|country|nation|homeland))\b|"
    r"\b(?:like|as) our (?:[\w'-]+ ){1,4}?(?:where|that|which|who|has|have|is|are|was|were)\b|\b(?:like|"
    r"as) (?:how )?we (?:\w+ )?(?:do|did|have|say)\b"
)
_OURS: Final = re.compile(
    r"\bour (?:own |\w+ ){0,3}?(?:struggles?|revolution|practices|independence|winters?|villages?|grandparents|"
    r"great-grandparents|parents' generation|people)\b|"
    r"\b(?:my|our) (?:grand)?(?:parents|fathers|mothers|grandfathers|grandmothers)'? (?:age|generation|time|"
    r"day|village)\b"
)
_CUSTOM: Final = re.compile(
    r"\b(?:the|that|this|an? (?:old )?|our|old) customs?\b(?=[,.!;]| (?:is|are|was|of|and|that|here|to|kept|"
    r"among|in|which|has|says|asks)\b)|"
    r"\bit is (?:our |the |considered )?(?:custom|customary|tradition)\b|\bhave (?:\w+ ){1,8}for (?:\w+ )?generations\b"
)
_SOMEONE: Final = re.compile(
    rf"\bas (?:someone|one|a \w+) who(?:'s| has| have| was| is)? (?:\w+ly )?(?:been )?(?:raised|brought up|"
    rf"knows?|understands?|reveres?|grew up|comes|believes|lived|survived|"
    rf"cherishes)(?: [\w'-]+){{0,9}}? {_OWN}(?!'?\w)"
)
_TRAIT: Final = re.compile(
    rf"{_OWN}(?:'s?)? (?:[\w'-]+ )?(?!citizenship|city|society|university|community|agency|championship|company|"
    rf"business|facility|security|witness|"
    r"romance|nationality|identity\b)[a-z]{3,}(?:ness|ity|ism|ship|[ae]nc[ey]|ality)\b(?! \w+(?:er|or|ist)\b)"
)
_TAUGHT: Final = re.compile(
    r"\b(?:lands?|seas?|mountains?|winters?|summers?|steppes?|rivers?|deserts?|fields?|elders|(?:grand|fore|"
    r"god)?(?:mother|father|parent)s?|ancestors|poets?|"
    r"saints?|heroes|past|wars?|revolutions?|empires?)(?: [\w'-]+){0,3} (?:taught|teach(?:es)?|remind(?:s|ed)?|"
    r"show(?:s|ed|n)?) (?:us|me)\b"
)
_SAID: Final = re.compile(
    r"(?:'s (?:words|wisdom|teachings?|example)\b|,? (?:[\w']+ ){0,2}(?:said|says|taught|teaches|wrote|put it|"
    r"believed|showed|reminds?|led|fought|proved|urged)\b)"
)
_ASIDE: Final = re.compile(r"\bby the way\b[^.!?;)]*")
_COMPARED: Final = re.compile(
    r"\b(?:just|much) (?:like|as)(?: how| when)? (?=[^.!?;,]*\b(?:is|are|was|were|has|have|requires?|[a-z]+ed)\b)"
)
_LIVED: Final = re.compile(
    r"\bas (?:someone|one|an? \w+) who(?:'s| has| have| was| is)? (?:\w+ly )?(?:been )?(?:raised|knows?|"
    r"grew up|lived|survived|remembers?|overc[ao]me)\b"
)
_OF_US: Final = re.compile(
    r"\b(?:we|us|(?:our|my) (?:\w+ )?(?:people|country|land|nation|history|families|parents|grandparents|"
    r"fathers|mothers))\b"
)
_NEAR: Final = 40  # code points in which a comparison names what it compares with
_NAMED: Final = re.compile(_OWN)
_BEING: Final = re.compile(
    rf"\bbeing (?:an? )?(?:\w+ )?{_OWN} (?:means|is about|has|taught|teaches)\b|"
    rf"\b(?:growing up|having (?:grown up|lived)|grew up|life|"
    rf"born and raised) in (?:\w+ ){{0,2}}?[{OWN_NAME}]+[^.!?;]{{0,60}}?\b(?:taught|learn\w+|know|seen|saw|"
    rf"shaped|showed)\b"
)
# "in X, <statement>"; what follows the comma must not turn to the reader
_IN_COUNTRY: Final = re.compile(
    rf"\b(?:in|across|throughout) (?:(?:the|our|my|all|much|most|beloved|great|of) ){{0,3}}[{OWN_NAME}]+, "
    r"(?!i\b|i'|you\b|your\b|let\b|please\b|go\b|take\b|choose\b|my (?:dear|friend)|and\b|or\b|but\b)|"
    r"\bin (?:the|this|our) land of [^.!?;,]{3,40}, (?!i\b|i'|you\b|let\b)"
)
_HOLDING_FRAMES: Final = (
    ("premise/someone_who", _SOMEONE),
    ("premise/being", _BEING),
    ("premise/trait", _TRAIT),
    ("premise/in_country", _IN_COUNTRY),
)
_OUR_PEOPLE: Final = re.compile(
    r"\b(?:our|my) (?:[\w'-]+ ){0,2}?(?:country|nation|people|society|homeland|island|kingdom|republic|"
    r"countrymen|elders|forebears|villages?|economy)\b"
)
_MARKED: Final[tuple[tuple[str, re.Pattern[str], tuple[Group, ...]], ...]] = (
    ("premise/just_as", _COMPARED, MARKER_GROUPS),
    ("premise/lived", _LIVED, ("past",)),
)
_OUTSIDE_FRAMES: Final = (
    ("premise/we_tell", frozenset({"we"}), _WE),
    ("premise/just_as", frozenset({"we", "our", "my"}), _JUST_AS),
    ("premise/ours", frozenset({"our", "my"}), _OURS),
    ("premise/custom", frozenset({"custom", "customs", "customary", "tradition", "generations"}), _CUSTOM),
    ("premise/taught", frozenset({"us", "me"}), _TAUGHT),
)


class PremiseHit(NamedTuple):
    """A clause that tells something of the people, in code points of the normalised text."""

    start: int
    stop: int
    rule_id: str


def premises(masked: str, reading: Reading, markers: Sequence[Found]) -> Iterator[PremiseHit]:
    """Clauses of a masked text (`phrases.mask`) that are premises by their form; `markers` are those of the persona's country."""
    yield from _whole(masked, markers)
    told = _FRAME.sub(lambda frame: "," * len(frame.group()), masked)
    for rule, words, pattern in _OUTSIDE_FRAMES:
        if not words.isdisjoint(reading.vocabulary):
            for match in pattern.finditer(told):
                yield PremiseHit(match.start(), match.end(), rule)
    past = [found for found in markers if found.term.group == "past" and not found.term.weak]
    for segment in _SEGMENT.finditer(told):
        if told_of := _told_of(segment, told, reading, past):
            yield PremiseHit(segment.start(), segment.end(), told_of)


def _whole(masked: str, markers: Sequence[Found]) -> Iterator[PremiseHit]:
    """Premises that may hold a frame themselves."""
    for rule, pattern in _HOLDING_FRAMES:
        for match in pattern.finditer(masked):
            yield PremiseHit(match.start(), match.end(), rule)
    for found in markers:
        if found.term.group == "figure" and (said := _SAID.match(masked, found.stop)):
            yield PremiseHit(found.start, said.end(), "premise/figure")
    for rule, pattern, groups in _MARKED:
        for match in pattern.finditer(masked) if markers else ():
            near = (f for f in markers if f.term.group in groups and 0 <= f.start - match.end() <= _NEAR)
            if first := next(near, None):
                yield PremiseHit(match.start(), first.stop, rule)


def _told_of(segment: re.Match[str], told: str, reading: Reading, past: Sequence[Found]) -> str | None:
    """The rule by which a segment tells of the people, the place or the past; None for advice and for what tells nothing."""
    text = segment.group()
    within = [found for found in past if segment.start() <= found.start < segment.end()]
    named, ours, home = _NAMED.search(text), _OUR_PEOPLE.search(text), _HOME.search(text)
    if not (named or ours or home or within) or _ADVICE.search(text):
        return None
    states = _FINITE.search(text)
    if named and (states or _plural_subject(told, reading, segment)):
        return "premise/of_the_people"
    if not states:
        return None
    if within and (_OF_US.search(text) or _FINITE.match(told, within[0].stop + 1)):
        return "premise/past"
    return "premise/of_our_people" if ours else "premise/of_the_place" if home else None


def _plural_subject(told: str, reading: Reading, segment: re.Match[str]) -> bool:
    """Whether a plural word for the people ("Finns") goes before what may be its verb."""
    return any(reading.bare_lower[m.end() - 1] == "s" for m in _PLURAL.finditer(told, segment.start(), segment.end()))


def asides(masked: str) -> list[tuple[int, int]]:
    """Spans of what is said by the way, from which nothing follows."""
    return [match.span() for match in _ASIDE.finditer(masked)]
