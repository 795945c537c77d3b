"""The columns of every exported table: the data dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auditkit.plan import MODES
from auditkit.summary import STATES


@dataclass(frozen=True)
class Column:
    """A column of an exported table, as the data dictionary tells it.

    `written_by` is "model" where the cell is text that a model or its server wrote: such text is guarded in CSV.
    """

    name: str
    type: Literal["text", "integer", "number"]
    meaning: str
    unit: str = ""
    values: str = ""
    written_by: Literal["auditkit", "model"] = "auditkit"


def state_column(state: str) -> str:
    return state.replace(" ", "_")


_RUN = Column("run_id", "text", "Identity of the run: a hash of its plan.", values="r1: and 32 hexadecimal digits")
_MODEL = Column("model", "text", "The audited model as the user named it.")
_MODE = Column(
    "mode",
    "text",
    "How the country comes in: baseline (English, no persona), persona (English with a persona sentence), multilingual "
    "(the country's language, no persona), crossed (both).",
    values=" | ".join(MODES),
)
_COUNTRY = Column("country", "text", "The country asked for; empty in baseline.", values="ISO 3166-1 alpha-3")
_TITLE = Column("country_title", "text", "The country's name as a heading; empty in baseline.")
_LANG = Column("lang", "text", "Language in which the question was sent.", values="FLORES-200 code, such as eng_Latn")
_ITEM = Column("item_id", "text", "The dilemma's name in the bank.")
_DIMENSION = Column("dimension", "text", "The dimension of culture that the dilemma's two options stand for.")
_DOMAIN = Column("domain", "text", "Field of life: family, work, school, community or society in the bank that ships.")
_LEVEL = Column(
    "resource_level",
    "text",
    "How much text the web holds in the country's own language (whatever language was asked in); empty in baseline.",
    values="high | mid | low",
)
_EDITION = Column(
    "edition", "text", "Edition of the scores that `score` is taken from. Never mix editions in one analysis."
)
_SCORE = Column(
    "score",
    "number",
    "The country's score on the dimension; high stands for the first pole. Empty in baseline and where the edition has none.",
    unit="points",
    values="0 to 120",
)
_JUDGE = Column("judge", "text", "The stance judge whose reading this is; empty where the run asked for none.")
_JUDGE_KEY = Column(
    "judge_key",
    "text",
    "Identity of the judge with its settings. Two versions of a judge share a name and differ here: then every cell has a "
    "row for each.",
)

ANSWERS: tuple[Column, ...] = (
    _RUN,
    Column(
        "position", "integer", "Place of the cell in the run's plan, from 0. With run_id and judge_key it names a row."
    ),
    _MODEL,
    _MODE,
    _COUNTRY,
    _LANG,
    _ITEM,
    _DIMENSION,
    _DOMAIN,
    Column("template_id", "text", "Wording of the persona sentence; empty where none was sent."),
    Column(
        "option_order",
        "text",
        "Option ids in the order in which the question names them; empty where it does not show (some imported replies).",
        values="ab | ba",
    ),
    Column("sample", "integer", "Number of the repetition, from 0."),
    Column(
        "request_key",
        "text",
        "Identity of what was sent. Cells with the same key share one reply, which then stands in several rows.",
        values="k1: and 32 hexadecimal digits",
    ),
    Column("item_key", "text", "Identity of the dilemma's wording.", values="i1: and 32 hexadecimal digits"),
    Column(
        "translation_key",
        "text",
        "Identity of the translated wording; empty where English was sent.",
        values="t1: and 32 hexadecimal digits",
    ),
    Column(
        "reply_status",
        "text",
        "How the reply came, before anybody read it: complete, cut at the length limit, blocked by a filter, without text. "
        "Empty where there is no reply yet.",
        values="ok | truncated | blocked | empty",
    ),
    Column("finish_reason", "text", "Why the model stopped, in its provider's words.", written_by="model"),
    Column(
        "text",
        "text",
        "The reply, byte for byte. Empty both for a reply without text and for no reply: reply_status tells them apart.",
        written_by="model",
    ),
    Column("reported_model", "text", "The model that the provider says answered.", written_by="model"),
    Column("tokens_in", "integer", "Length of the prompt as the provider counts it.", unit="tokens"),
    Column("tokens_out", "integer", "Length of the reply as the provider counts it.", unit="tokens"),
    Column(
        "cost_usd",
        "number",
        "Price of the call that brought this reply; empty is unknown, never free. Rows repeat shared replies: sum "
        "attempts.csv, not this, for what was spent.",
        unit="US dollars",
    ),
    Column("latency_s", "number", "Time from sending to the whole reply.", unit="seconds"),
    Column("created_at", "text", "When the reply was stored.", values="ISO 8601, UTC"),
    Column(
        "degenerate",
        "text",
        "Why there is nothing to judge in the reply; empty where there is something.",
        values="empty | one_char | loop | other",
    ),
    Column(
        "reply_lang",
        "text",
        "Language that the reply is in, as identified; empty where it was not looked at or the text is too short.",
        values="ISO 639 code, such as de",
    ),
    Column(
        "language_mismatch",
        "integer",
        "1 where the reply is surely in another language than the question; empty where it was not looked at.",
        values="0 | 1",
    ),
    _JUDGE_KEY,
    _JUDGE,
    Column("readings", "integer", "How many readings of the reply by this judge were combined.", unit="readings"),
    Column(
        "outcome",
        "text",
        "What the judge says; two readings that disagree are unclear. Empty where it has not read the reply.",
        values="chose | both | neither | refused | unclear | cut_off | parse_failed",
    ),
    Column(
        "option_id",
        "text",
        "The option chosen, only where outcome is chose. a stands for the first pole.",
        values="a | b",
    ),
    Column(
        "pole",
        "text",
        "The pole that the chosen option stands for: first is individualist, high MAS, high uncertainty avoidance, high "
        "power distance, long term.",
        values="first | second",
    ),
    Column("flipped", "integer", "1 where readings with the options in both orders disagree.", values="0 | 1"),
    Column("first_pole", "integer", "1 first pole, 0 second pole, empty where no side was taken.", values="0 | 1"),
    Column(
        "state",
        "text",
        "Where the cell stands, one for every row: the pole chosen, another outcome, or why there is none.",
        values=" | ".join(STATES),
    ),
    _TITLE,
    _LEVEL,
    Column("language_name", "text", "English name of the language in which the question was sent."),
    _EDITION,
    _SCORE,
)

ATTEMPTS: tuple[Column, ...] = (
    Column("attempt_id", "integer", "Number of the call in the database."),
    Column("run_id", "text", "The run that made (and paid for) the call.", values="r1: and 32 hexadecimal digits"),
    Column("stage", "text", "What the call was for.", values="generate | judge | investigate | translate"),
    Column("request_key", "text", "The request asked, or the one whose reply was judged."),
    Column("judge_key", "text", "Identity of the judge that called; empty for the audited model."),
    Column("judge", "text", "Name of the judge that called; empty for the audited model."),
    Column(
        "presentation",
        "text",
        "Order in which the options were shown to the judge; empty for the audited model.",
        values="ab | ba",
    ),
    Column(
        "outcome",
        "text",
        "How the call ended.",
        values="ok | rate_limited | transient | rejected | parse_failed | fatal",
    ),
    Column("http_status", "integer", "Status of a failed call, where there was one.", unit="HTTP status"),
    Column(
        "error", "text", "The provider's message for a failed call, without what looks like a key.", written_by="model"
    ),
    Column("tokens_in", "integer", "Length of the prompt as the provider counts it.", unit="tokens"),
    Column("tokens_out", "integer", "Length of the answer as the provider counts it.", unit="tokens"),
    Column("cost_usd", "number", "Price of the call; empty is unknown, never free.", unit="US dollars"),
    Column("ended_at", "text", "When the call ended.", values="ISO 8601, UTC"),
    Column("seconds", "number", "Time that a successful call took.", unit="seconds"),
)

_STATE_MEANING = {
    "first": "took the first pole",
    "second": "took the second pole",
    "both": "would do both",
    "neither": "took neither option",
    "refused": "declined to advise",
    "unclear": "could not be read as any of these, or was read differently in the two orders",
    "cut_off": "ended before the choice came",
    "parse_failed": "got an answer from the judge that could not be read",
    "degenerate": "held no text to judge",
    "blocked": "were withheld by a filter",
    "not judged": "have not been judged yet",
    "not answered": "have no reply yet",
}

COUNTS: tuple[Column, ...] = (
    _RUN,
    _MODEL,
    _MODE,
    _DIMENSION,
    _DOMAIN,
    _ITEM,
    _COUNTRY,
    _LANG,
    _JUDGE,
    _JUDGE_KEY,
    Column(
        "asked",
        "integer",
        "Cells: the sum of the states below, over option orders, samples and persona wordings.",
        "cells",
    ),
    Column(
        "truncated",
        "integer",
        "Of these, cells whose reply was cut at the length limit, whatever their state.",
        "cells",
    ),
    *(Column(state_column(s), "integer", f"Cells that {_STATE_MEANING[s]}.", "cells") for s in STATES),
    _TITLE,
    _LEVEL,
    _EDITION,
    _SCORE,
)

_REQUEST = Column(
    "request_key", "text", "The request whose reply this is about.", values="k1: and 32 hexadecimal digits"
)
_TASK_JUDGE = Column("judge", "text", "The judge whose reading this is.")
_CLASSES = "none | persona_only | cultural_reasoning"

CULTURES: tuple[Column, ...] = (
    _RUN,
    Column("position", "integer", "Place of the cell in the run's plan, from 0."),
    _MODEL,
    _MODE,
    _COUNTRY,
    _LANG,
    _ITEM,
    _DIMENSION,
    Column("sample", "integer", "Number of the repetition, from 0."),
    _REQUEST,
    _TASK_JUDGE,
    _JUDGE_KEY,
    Column("status", "text", "Empty where the judge has not read the reply.", values="ok | parse_failed"),
    Column("reasoning_class", "text", "How culture enters the advice (docs/detector.md).", values=_CLASSES),
    Column("stereotypes", "integer", "Spans flagged as a stereotype.", unit="spans"),
    Column("hallucinations", "integer", "Spans flagged as made up.", unit="spans"),
    Column(
        "severity",
        "integer",
        "The gravest flag: 1 friendly cliche, 2 caricature, 3 demeaning or hostile.",
        values="1 to 3",
    ),
    Column("confidence", "number", "How sure the judge says it is.", values="0 to 1"),
    Column("uncertain", "integer", "1 where the judge says that a careful second reader could differ.", values="0 | 1"),
)

FLAGS: tuple[Column, ...] = (
    Column("flag_id", "integer", "Number of the flag in the database."),
    _REQUEST,
    _TASK_JUDGE,
    _JUDGE_KEY,
    Column(
        "family",
        "text",
        "What sort of finding this is.",
        values="stereotype | hallucination | voice | value | trace | premise | language | injection",
    ),
    Column("kind", "text", "Category within the family (docs/detector.md)."),
    Column("rule_id", "text", "The rule that found it; empty where a model did."),
    Column("start", "integer", "Where the span begins in the reply, from 0.", unit="code points"),
    Column("stop", "integer", "Where the span ends: the first code point after it.", unit="code points"),
    Column("evidence", "text", "The span, verbatim.", written_by="model"),
    Column("severity", "integer", "1 friendly cliche, 2 caricature, 3 demeaning or hostile.", values="1 to 3"),
    Column(
        "status",
        "text",
        "Of a quoted saying: found in a named source, contradicted, or neither.",
        values="attested | contradicted | unverified",
    ),
    Column("source_id", "text", "Where an attested saying was found."),
    Column("weight", "number", "How much a rule counts; a stereotype by rules has 1 or more."),
    Column("confidence", "number", "How sure the judge says it is.", values="0 to 1"),
    Column("rationale", "text", "Why, in the judge's words.", written_by="model"),
)

VERDICTS: tuple[Column, ...] = (
    Column("verdict_id", "integer", "Number of the verdict in the database."),
    _REQUEST,
    _TASK_JUDGE,
    _JUDGE_KEY,
    Column("task", "text", "What the judge was asked.", values="stance | culture"),
    Column(
        "presentation",
        "text",
        "Order in which the options were shown; empty for rules and for culture.",
        values="ab | ba",
    ),
    Column("status", "text", "Whether the answer could be read.", values="ok | parse_failed"),
    Column(
        "outcome",
        "text",
        "Of a stance judge: what it says of this reading.",
        values="chose | both | neither | refused | unclear | cut_off",
    ),
    Column("option_id", "text", "The option chosen.", values="a | b"),
    Column("reasoning_class", "text", "Of a culture judge: how culture enters the advice.", values=_CLASSES),
    Column("confidence", "number", "How sure the judge says it is.", values="0 to 1"),
    Column("uncertain", "integer", "1 where a careful second reader could differ.", values="0 | 1"),
    Column("evidence", "text", "The words that the verdict rests on, verbatim.", written_by="model"),
    Column("created_at", "text", "When the verdict was stored.", values="ISO 8601, UTC"),
)

LABELS: tuple[Column, ...] = (
    Column(
        "label_id",
        "integer",
        "Number of the label in the database; of several by one reviewer for one field the highest counts.",
    ),
    _REQUEST,
    Column("flag_id", "integer", "The flag that was confirmed or rejected."),
    Column("sample_id", "text", "The sample in which the reply was shown; empty outside of one."),
    Column("stratum", "text", "Stratum of the sample that the reply was drawn from."),
    Column("weight", "number", "Replies of the run that this one stands for.", unit="replies"),
    Column("reviewer", "text", "Who said so."),
    Column("role", "text", "An adjudicator decides between raters.", values="rater | adjudicator"),
    Column(
        "field",
        "text",
        "What was labelled.",
        values="stance | reasoning_class | stereotype | hallucination | voice | flag | note",
    ),
    Column("value", "text", "The label; empty takes an earlier one back.", written_by="model"),
    Column("note", "text", "What the reviewer wrote beside it.", written_by="model"),
    Column("blind", "integer", "1 where verdicts and flags were hidden until the answer.", values="0 | 1"),
    Column("uncertain", "integer", "1 where the reviewer was not sure.", values="0 | 1"),
    Column("seconds", "number", "Time from showing the reply to the label.", unit="seconds"),
    Column("created_at", "text", "When the label was stored.", values="ISO 8601, UTC"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "answers": ANSWERS,
    "attempts": ATTEMPTS,
    "counts": COUNTS,
    "verdicts": VERDICTS,
    "cultures": CULTURES,
    "flags": FLAGS,
    "labels": LABELS,
}
DICTIONARY_HEAD = ("table", "column", "type", "unit", "meaning", "allowed_values", "guarded_in_csv")
