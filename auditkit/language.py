"""Which language and script a text is in.

Scripts are read off the Unicode names of the letters; languages are told by py3langid, restricted to the languages that
can be meant, which is what makes it right on short texts (docs/detector.md).
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

from auditkit.errors import AuditError

SCRIPTS = {  # ISO 15924 -> beginnings of the Unicode names of its letters
    "Latn": ("LATIN",), "Cyrl": ("CYRILLIC",), "Arab": ("ARABIC",), "Hebr": ("HEBREW",), "Grek": ("GREEK",),
    "Thai": ("THAI",), "Deva": ("DEVANAGARI",), "Sinh": ("SINHALA",), "Armn": ("ARMENIAN",), "Geor": ("GEORGIAN",),
    "Hang": ("HANGUL",), "Jpan": ("CJK", "HIRAGANA", "KATAKANA"), "Hans": ("CJK",), "Hant": ("CJK",),
    "Beng": ("BENGALI",), "Taml": ("TAMIL",), "Telu": ("TELUGU",), "Ethi": ("ETHIOPIC",), "Khmr": ("KHMER",),
    "Laoo": ("LAO",), "Mymr": ("MYANMAR",),
}  # fmt: skip
SAME = ({"id", "ms"},)  # one language to any identifier: Indonesian and Malay share most of their words


def script_share(text: str, script: str) -> float:
    """The share of a text's letters that belong to a script (ISO 15924), 1.0 for a text without letters.

    Raises AuditError for a script that this module does not know.
    """
    if script not in SCRIPTS:
        raise AuditError(f"script {script!r} is not known to the checks; known are {', '.join(SCRIPTS)}")
    # Lm: marks of length and repetition, which several scripts share
    alphabetic = [c for c in text if c.isalpha() and unicodedata.category(c) != "Lm"]
    names = SCRIPTS[script]
    return sum(unicodedata.name(c, "").startswith(names) for c in alphabetic) / len(alphabetic) if alphabetic else 1.0


@cache
def _identifier() -> Any:
    """py3langid with all of its languages. Reading its model takes most of a second and 85 MB, so one serves every question."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@cache
def known_languages() -> frozenset[str]:
    """The ISO 639 codes of the languages that can be told."""
    return frozenset(_identifier().labels)


def chances(text: str, candidates: tuple[str, ...]) -> dict[str, float]:
    """The probability of each candidate language (ISO 639 codes) among the candidates that can be told.

    py3langid: naive Bayes over byte n-grams, after Lui and Baldwin (2012). Restricted to some languages, it is the share among
    those. A text that is like none of them has them all alike.
    """
    every = {str(code): float(chance) for code, chance in _identifier().rank(text)}
    wanted = [code for code in candidates if code in every]
    total = sum(every[code] for code in wanted)
    return {code: every[code] / total if total else 1 / len(wanted) for code in wanted}


def identify(text: str, candidates: tuple[str, ...]) -> tuple[str, float]:
    """The likeliest of the candidate languages (ISO 639 codes) and its probability among them."""
    return max(chances(text, candidates).items(), key=lambda pair: pair[1])


def same_language(a: str, b: str) -> bool:
    """Whether two ISO 639 codes are one language as far as an identifier can tell."""
    return a == b or {a, b} in SAME
