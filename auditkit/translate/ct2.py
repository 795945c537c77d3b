"""NLLB-200 by CTranslate2 (Klein et al. 2020): the same weights, converted once, several times as fast on a CPU."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from auditkit.errors import AuditError, MissingExtra
from auditkit.identity import digest
from auditkit.models.local import one_line
from auditkit.models.weights import cache_folder
from auditkit.translate.engines import CPU_MODEL, GPU_MODEL, Decoding
from auditkit.translate.nllb import BATCH_SIZES, NllbBase, Tokens, Weights, facts, find_weights, missing

AS_CONVERTED = "as converted"


class Ct2Engine(NllbBase):
    """NLLB by CTranslate2: int8 on a CPU, float16 on a GPU, unless `quantisation` says otherwise.

    `model` is a hub id, a folder in the format of transformers, or a folder that was converted elsewhere and holds the
    tokenizer's files too; without it the 3.3B model on a GPU, the distilled 600M model on a CPU.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        device: str | None = None,
        batch_size: int | None = None,
        decoding: Decoding | None = None,
        quantisation: str | None = None,
    ) -> None:
        """Converts and loads nothing. Raises AuditError for weights or a device that are not there, MissingExtra."""
        try:
            import ctranslate2
        except ImportError:
            raise MissingExtra("translating with CTranslate2", "translate") from None
        self._device, self._index = _choose(device, ctranslate2.get_cuda_device_count())
        self._weights = find_weights(model or (GPU_MODEL if self._device == "cuda" else CPU_MODEL))
        self._quantisation = quantisation or ("float16" if self._device == "cuda" else "int8")
        if _is_converted(self._weights):
            self._quantisation = AS_CONVERTED
        self.batch_size = batch_size or BATCH_SIZES[self._device]
        self.decoding = decoding or Decoding()

    @property
    def facts(self) -> dict[str, Any]:
        """See `Engine.facts`."""
        return facts("ctranslate2", self._weights, self.decoding, self._quantisation)

    @cached_property
    def _folder(self) -> Path:
        if self._quantisation == AS_CONVERTED:
            return self._weights.folder()
        return convert(self._weights, self._quantisation)

    @cached_property
    def tokens(self) -> Tokens:
        """See `NllbBase.tokens`."""
        return Tokens(self._folder, self._weights.name)

    @cached_property
    def _translator(self) -> Any:
        import ctranslate2

        try:
            return ctranslate2.Translator(
                str(self._folder), device=self._device, device_index=self._index, intra_threads=_threads()
            )
        except (RuntimeError, ValueError) as error:
            raise missing(self._weights.name, f"CTranslate2 cannot load it ({one_line(error)})") from None

    def generate(self, rows: Sequence[Sequence[int]], target: str) -> list[list[int]]:
        """See `NllbBase.generate`."""
        tokenizer = self.tokens.tokenizer
        try:
            results = self._translator.translate_batch(
                [tokenizer.convert_ids_to_tokens(list(row)) for row in rows],
                target_prefix=[[target]] * len(rows),
                beam_size=self.decoding.beam,
                no_repeat_ngram_size=self.decoding.no_repeat_ngram,
                max_input_length=0,  # else it cuts the source without a word
                max_decoding_length=self.decoding.max_tokens + 1,  # the language's token comes first
                return_end_token=True,
            )
        except RuntimeError as error:
            if "out of memory" in str(error).lower():
                raise AuditError(
                    f"{len(rows)} sentences at once do not fit in the memory of {self._device}; take a smaller --batch-size or model"
                ) from None
            raise
        return [tokenizer.convert_tokens_to_ids(result.hypotheses[0][1:]) for result in results]  # after the language

    def close(self) -> None:
        """Let go of the model."""
        self.__dict__.pop("_translator", None)


def _choose(device: str | None, gpus: int) -> tuple[str, int]:
    """CTranslate2's name of a device, and its number."""
    kind, _, number = (device or ("cuda" if gpus else "cpu")).partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise AuditError(f"CTranslate2 has no device {device!r}; it has cpu, cuda, and cuda:1 and so on")
    index = int(number or 0)
    if kind == "cuda" and index >= gpus:
        raise AuditError(f"device {device} is not usable here: CTranslate2 sees {gpus or 'no'} GPUs; take --device cpu")
    return kind, index


def _threads() -> int:
    """As many as this process has cores, where CTranslate2 takes four of any; 0 lets it read OMP_NUM_THREADS."""
    if os.environ.get("OMP_NUM_THREADS"):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0


def _is_converted(weights: Weights) -> bool:
    return weights.local is not None and (weights.local / "model.bin").is_file()


def convert(weights: Weights, quantisation: str) -> Path:
    """The folder of the weights in CTranslate2's format, with the tokenizer, made at first use in the user's cache.

    It appears there whole or not at all, and two processes that want it at once make it once. Raises AuditError for
    weights that cannot be read, MissingExtra without torch, which only the conversion needs.
    """
    import ctranslate2
    from filelock import FileLock

    parent = cache_folder() / "ctranslate2"
    key = digest("c2", [weights.revision, quantisation, ctranslate2.__version__]).removeprefix("c2:")[:16]
    made = parent / f"{weights.name.replace('/', '--')}-{quantisation}-{key}"
    if made.is_dir():
        return made
    try:
        import torch  # noqa: F401  (the converter's module loads without it and fails later)
        from ctranslate2.converters import TransformersConverter
    except ImportError:
        raise MissingExtra(f"converting {weights.name} for CTranslate2", "local,translate") from None
    source = weights.folder()
    tokens = Tokens(source, weights.name)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with FileLock(parent / f".{made.name}.lock"):
            for left in parent.glob(f".{made.name}-*"):  # of a conversion that was killed: we hold the lock
                shutil.rmtree(left, ignore_errors=True)
            if made.is_dir():
                return made
            with tempfile.TemporaryDirectory(prefix=f".{made.name}-", dir=parent, ignore_cleanup_errors=True) as work:
                part = Path(work) / "model"
                try:
                    TransformersConverter(str(source), low_cpu_mem_usage=True).convert(
                        str(part), quantization=quantisation
                    )
                    tokens.tokenizer.save_pretrained(part)
                except Exception as error:  # of dozens of kinds; each means that there is no conversion
                    raise missing(weights.name, f"it cannot be converted for CTranslate2 ({one_line(error)})") from None
                part.replace(made)
    except OSError as error:
        raise AuditError(
            f"cannot keep {weights.name} in {parent}: {error.strerror or error}; set XDG_CACHE_HOME to a folder with room"
        ) from None
    return made
