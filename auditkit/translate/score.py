"""chrF++ and BLEU by sacrebleu, in per cent (0 to 100): of back-translations against the English source, and of translations
against the reference translations.

A back-translation is English made from the translation by somebody who did not see the source. Its score is about the pair of
translators: a low one points at a line worth reading, a high one does not prove that a line reads well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from auditkit.data import Content, DilemmaText, Translation, data_dir, load_translations
from auditkit.errors import MissingExtra
from auditkit.plan import SEND
from auditkit.translate.checks import source_of, stale

REFERENCE = "reference"  # the translator of the lines that ship


@dataclass(frozen=True)
class LineScore:
    """Scores of one line."""

    chrf: float
    bleu: float  # by effective order, as sacrebleu advises for single sentences


@dataclass(frozen=True)
class Scores:
    """Scores of a set of lines: corpus level, and line by line. The signatures name version and settings of the metrics."""

    chrf: float
    bleu: float
    lines: tuple[LineScore, ...]
    chrf_signature: str
    bleu_signature: str

    @property
    def median(self) -> float:
        """Of the lines' chrF++."""
        return median(line.chrf for line in self.lines)

    @property
    def lowest(self) -> float:
        """Of the lines' chrF++."""
        return min(line.chrf for line in self.lines)


def score(pairs: Sequence[tuple[str, str]]) -> Scores:
    """Scores of (hypothesis, reference) pairs, one or more. Raises MissingExtra without sacrebleu.

    chrF++ is the F2 score of character n-grams to order 6 and word n-grams to order 2 (Popovic 2017); BLEU (Papineni et al.
    2002) is counted by sacrebleu's default tokenizer (Post 2018).
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise MissingExtra("Scoring back-translations", "translate") from None
    if not pairs:
        raise ValueError("no pairs to score")
    chrf, bleu, single = CHRF(word_order=2), BLEU(), BLEU(effective_order=True)
    lines = tuple(
        LineScore(chrf.sentence_score(text, [reference]).score, single.sentence_score(text, [reference]).score)
        for text, reference in pairs
    )
    texts, references = [text for text, _ in pairs], [[reference for _, reference in pairs]]
    whole_chrf, whole_bleu = chrf.corpus_score(texts, references).score, bleu.corpus_score(texts, references).score
    return Scores(whole_chrf, whole_bleu, lines, str(chrf.get_signature()), str(bleu.get_signature()))


def running(text: DilemmaText | str) -> str:
    """A text as one segment: the scenario and both questions, in which both options stand."""
    if isinstance(text, str):
        return text
    return " ".join([*text.scenario, text.question_ab, text.question_ba])


def back_pair(line: Translation, content: Content) -> tuple[str, str] | None:
    """(back-translation, English source) of a line, None where one of them is missing."""
    source = source_of(line, content)
    if line.back is None or source is None:
        return None
    return running(line.back), running(source)


def references(code: str, content: Content) -> dict[tuple[str, str, str], DilemmaText | str]:
    """The reference translations of the present English text by (kind, id, country): the folder's own before those that ship."""
    found: dict[tuple[str, str, str], DilemmaText | str] = {}
    for folder in (data_dir("translations"), content.translations_dir):
        for line in load_translations(folder / f"{code}.jsonl"):
            if line.translator == REFERENCE and line.status in SEND and not stale(line, content):
                found[line.kind, line.id, line.country] = line.text
    return found


def reference_pair(
    line: Translation, known: Mapping[tuple[str, str, str], DilemmaText | str]
) -> tuple[str, str] | None:
    """(translation, reference translation) of a line, None where there is none, or the line is one itself."""
    reference = known.get((line.kind, line.id, line.country))
    if reference is None or line.translator == REFERENCE:
        return None
    return running(line.text), running(reference)
