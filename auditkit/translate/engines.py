"""What translates sentences: one small interface, three engines behind it.

| engine        | what translates                                                                    |
|---------------|------------------------------------------------------------------------------------|
| `nllb`        | NLLB-200 by transformers                                                           |
| `ctranslate2` | the same weights by CTranslate2, converted once: int8 on a CPU, float16 on a GPU   |
| `llm`         | any model that `auditkit.models.registry` knows, one sentence a request            |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from auditkit.errors import AuditError, unknown

if TYPE_CHECKING:
    from auditkit.models.registry import Connection

ENGINES = ("nllb", "ctranslate2", "llm")
GPU_MODEL = "facebook/nllb-200-3.3B"
CPU_MODEL = "facebook/nllb-200-distilled-600M"

BEAM = 4
MAX_TOKENS = 256  # new tokens a sentence; the longest of the bank's has 37 words
# Tokens of the shortest run that is not repeated, for a decoder caught in a loop. A question repeats up to seven words in
# earnest ("tell my team that I prefer ..."), which most languages of NLLB's vocabulary write in fewer tokens than this.
NO_REPEAT_NGRAM = 20


@dataclass(frozen=True, slots=True)
class Translated:
    """One sentence's translation. If it is not `finished` there is none, and `why` says so in words."""

    text: str
    finished: bool
    tokens: int  # new ones, the end token included; 0 where nobody counts
    why: str = ""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How NLLB's decoder searches. Both of its engines are given the same."""

    beam: int = BEAM
    max_tokens: int = MAX_TOKENS
    no_repeat_ngram: int = NO_REPEAT_NGRAM


class Engine(Protocol):
    """Translates sentences between two languages, named by their FLORES-200 codes."""

    batch_size: int  # sentences that one call of `translate` is best given

    @property
    def facts(self) -> dict[str, Any]:
        """What made a line: engine, model, revision and settings. Known before anything is loaded."""
        ...

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[Translated]:
        """A result for each sentence, in their order.

        Raises AuditError where nothing can be translated: a model that does not load or answer, a language it has not.
        """
        ...

    def close(self) -> None:
        """Release what the engine holds."""
        ...


def make_engine(
    name: str,
    *,
    model: str | None,
    device: str | None = None,
    batch_size: int | None = None,
    beam: int | None = None,
    max_tokens: int | None = None,
    languages: Mapping[str, str],
    prompts: Path | None = None,
    connection: Connection | None = None,
) -> Engine:
    """The engine called `name`; `languages` gives the English name of each code, `prompts` a folder of the user's own.

    Nothing is loaded yet. Raises AuditError for an unknown name, a model that is not there, or an option that the engine
    has no use for; MissingExtra where a package is not installed.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    if name == "llm":
        from auditkit.models.registry import Connection, parse_model
        from auditkit.translate.llm import LlmEngine

        if model is None:
            raise AuditError("--engine llm needs --model PROVIDER/MODEL; see `auditkit models`")
        if beam is not None:
            raise AuditError("--beam is for NLLB; a model behind --engine llm searches as it likes")
        spec = parse_model(model, {"max_tokens": max_tokens} if max_tokens else None)
        return LlmEngine(spec, connection or Connection(device=device), languages, prompts, batch_size=batch_size)
    decoding = Decoding(beam=beam or BEAM, max_tokens=max_tokens or MAX_TOKENS)
    if name == "nllb":
        from auditkit.translate.nllb import NllbEngine

        return NllbEngine(model, device=device, batch_size=batch_size, decoding=decoding)
    from auditkit.translate.ct2 import Ct2Engine

    return Ct2Engine(model, device=device, batch_size=batch_size, decoding=decoding)
