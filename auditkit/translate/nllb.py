"""NLLB-200 (NLLB Team 2022): where its weights are, its tokens, and the engine by transformers.

Any model of the family will do: a tokenizer that has FLORES-200 codes as tokens, and a decoder that is told the target language by
its first token.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from auditkit.errors import AuditError, MissingExtra
from auditkit.models.local import choose_device, hub_commit, is_out_of_memory, local_revision, one_line
from auditkit.translate.engines import CPU_MODEL, GPU_MODEL, Decoding, Translated

MAX_SOURCE = 512  # tokens of a sentence; NLLB has seen none that is longer
BATCH_SIZES = {"cpu": 16, "mps": 16, "cuda": 64}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ("*.json", "*.model", "*.safetensors", "pytorch_model*.bin")


# ------------------------------------------------------------------------------------------------------- weights


@dataclass(frozen=True)
class Weights:
    """A model's files. `name` and `revision` are what a line keeps: no path of this machine."""

    model: str  # as the user wrote it
    name: str
    revision: str  # commit of a hub id, digest of a folder's files
    local: Path | None  # the folder that the user named

    def folder(self) -> Path:
        """The folder with the files; those of a hub id are fetched at the first call. Raises AuditError."""
        if self.local is not None:
            return self.local
        try:
            from huggingface_hub import snapshot_download
        except ImportError:
            raise MissingExtra("translating with NLLB", "translate") from None
        try:
            return Path(snapshot_download(self.model, revision=self.revision, allow_patterns=list(_FILES)))
        except Exception as error:  # of dozens of kinds; each means that the files are not here
            raise missing(self.model, one_line(error)) from None


def find_weights(model: str) -> Weights:
    """The weights that a folder or a hub id names. Raises AuditError where there are none, with what to do."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise missing(model, "the folder has no config.json, so it holds no model")
        return Weights(model, folder.resolve().name, str(local_revision(str(folder))), folder)
    if not _HUB_ID.fullmatch(model):
        raise missing(model, "no such folder, and no hub id such as facebook/nllb-200-3.3B")
    try:
        revision = local_revision(model) or hub_commit(model)
    except MissingExtra:
        raise MissingExtra("translating with NLLB", "translate") from None
    except AuditError:
        raise missing(model, "it is not in the cache of Hugging Face, and its hub does not give it") from None
    return Weights(model, model, revision, None)


def missing(model: str, reason: str) -> AuditError:
    """The error for weights that cannot be had."""
    return AuditError(
        f"{model}: {reason}. Where there is a network, `hf download {CPU_MODEL}` fetches a model (2.5 GB; {GPU_MODEL} is larger "
        "and better); else put its folder anywhere and name it with --model FOLDER. Mind the licence: NLLB's weights are "
        "CC BY-NC 4.0, not for commercial use"
    )


# -------------------------------------------------------------------------------------------------------- tokens


class Tokens:
    """Sentences as the model's tokens and back; the same for both engines."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises AuditError for a tokenizer that does not load or knows no text, MissingExtra without transformers."""
        try:
            import transformers
        except ImportError:
            raise MissingExtra("translating with NLLB", "translate") from None
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
        except Exception as error:  # of dozens of kinds; each means that there is no tokenizer
            raise missing(name, f"its tokenizer cannot be loaded ({one_line(error)})") from None
        self.name = name
        self.end: int = self.tokenizer.eos_token_id
        self.unknown: int = self.tokenizer.unk_token_id
        # transformers fills a tokenizer whose files it misreads with nothing, and goes on
        if set(self.tokenizer("a", add_special_tokens=False)["input_ids"]) <= {self.unknown}:
            raise missing(name, "its tokenizer knows not even the letter a; are its files complete?")
        self._hidden = set(self.tokenizer.all_special_ids) - {self.unknown}

    def language(self, code: str) -> int:
        """The id of the token that stands for a language. Raises AuditError if the model has none."""
        found: int = self.tokenizer.convert_tokens_to_ids(code)
        if found == self.unknown:
            raise AuditError(f"{self.name} has no token for {code}; it does not translate this language")
        return found

    def encode(self, sentences: Sequence[str], source: str) -> list[list[int]]:
        """The ids of each sentence, with what the model expects around them."""
        self.language(source)
        self.tokenizer.src_lang = source
        return [list(ids) for ids in self.tokenizer(list(sentences))["input_ids"]] if sentences else []

    def decode(self, ids: Sequence[int]) -> str:
        """The text of new tokens. Unknown ones stay visible as <unk>, for the checks to find."""
        shown = [i for i in ids if i not in self._hidden]
        text: str = self.tokenizer.decode(shown, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text.strip()


class NllbBase(abc.ABC):
    """What both engines share: from sentences to ids, and from new ids to results."""

    batch_size: int
    decoding: Decoding

    @cached_property
    @abc.abstractmethod
    def tokens(self) -> Tokens:
        """The tokenizer, loaded at first use."""

    @abc.abstractmethod
    def generate(self, rows: Sequence[Sequence[int]], target: str) -> list[list[int]]:
        """New ids for each row of source ids: without the language's token, with the end token if it was reached."""

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[Translated]:
        """See `Engine.translate`."""
        self.tokens.language(target)
        rows = self.tokens.encode(sentences, source)
        short = [row for row in rows if len(row) <= MAX_SOURCE]
        made = iter(self.generate(short, target)) if short else iter(())
        results = []
        for row in rows:
            if len(row) > MAX_SOURCE:
                results.append(Translated("", False, 0, f"{len(row)} tokens, more than NLLB's {MAX_SOURCE}"))
                continue
            new = next(made)
            if new and new[-1] == self.tokens.end:
                results.append(Translated(self.tokens.decode(new[:-1]), True, len(new)))
            else:
                why = f"no end within {self.decoding.max_tokens} tokens (--max-tokens)"
                results.append(Translated("", False, len(new), why))
        return results


# -------------------------------------------------------------------------------------------------- transformers


class NllbEngine(NllbBase):
    """NLLB by transformers: float32 on a CPU, float16 on anything else.

    `model` is a folder or a hub id; without it the 3.3B model on a CUDA GPU, the distilled 600M model elsewhere.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        device: str | None = None,
        batch_size: int | None = None,
        decoding: Decoding | None = None,
    ) -> None:
        """Loads nothing. Raises AuditError for weights or a device that are not there, MissingExtra without torch."""
        try:
            import torch
        except ImportError:
            raise MissingExtra("translating with NLLB by transformers", "local,translate") from None
        self._device = choose_device(torch, device)
        self._dtype = "float32" if self._device.type == "cpu" else "float16"
        self._weights = find_weights(model or (GPU_MODEL if self._device.type == "cuda" else CPU_MODEL))
        self.batch_size = batch_size or BATCH_SIZES[self._device.type]
        self.decoding = decoding or Decoding()

    @property
    def facts(self) -> dict[str, Any]:
        """See `Engine.facts`."""
        return facts("nllb", self._weights, self.decoding, self._dtype)

    @cached_property
    def tokens(self) -> Tokens:
        """See `NllbBase.tokens`."""
        return Tokens(self._weights.folder(), self._weights.name)

    @cached_property
    def _model(self) -> Any:
        import torch
        import transformers

        try:
            model, found = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                str(self._weights.folder()), dtype=getattr(torch, self._dtype), output_loading_info=True
            )
            model = model.to(self._device)
        except AuditError:
            raise
        except Exception as error:  # of dozens of kinds; each means that this model cannot be used
            raise missing(self._weights.name, f"it cannot be loaded ({one_line(error)})") from None
        if found["missing_keys"] or found["mismatched_keys"]:  # transformers fills them with random numbers and goes on
            raise missing(self._weights.name, "its weights do not fit its config.json")
        return model.eval()

    def generate(self, rows: Sequence[Sequence[int]], target: str) -> list[list[int]]:
        """See `NllbBase.generate`."""
        import torch
        import transformers

        model, tokenizer = self._model, self.tokens.tokenizer
        batch = tokenizer.pad({"input_ids": [list(row) for row in rows]}, return_tensors="pt").to(self._device)
        config = transformers.GenerationConfig(
            max_new_tokens=self.decoding.max_tokens + 1,  # the language's token comes first
            num_beams=self.decoding.beam,
            no_repeat_ngram_size=self.decoding.no_repeat_ngram,
            early_stopping=True,  # as CTranslate2: when as many sentences are finished as there are beams
            do_sample=False,
            forced_bos_token_id=self.tokens.language(target),
            decoder_start_token_id=model.config.decoder_start_token_id,
            eos_token_id=self.tokens.end,
            pad_token_id=tokenizer.pad_token_id,
        )
        try:
            with torch.inference_mode():
                made = model.generate(
                    input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], generation_config=config
                ).tolist()
        except Exception as error:
            if is_out_of_memory(error):
                raise AuditError(
                    f"{len(rows)} sentences at once do not fit in the memory of {self._device}; take a smaller --batch-size or model"
                ) from None
            raise
        return [_until(row[2:], self.tokens.end) for row in made]  # after the start and the language

    def close(self) -> None:
        """Let go of the model."""
        self.__dict__.pop("_model", None)


def _until(row: list[int], end: int) -> list[int]:
    """A row up to its end token, that included; what follows is padding."""
    return row[: row.index(end) + 1] if end in row else row


def facts(engine: str, weights: Weights, decoding: Decoding, quantisation: str) -> dict[str, Any]:
    """What a line keeps about the engine that made it."""
    return {
        "engine": engine,
        "model": weights.name,
        "revision": weights.revision,
        "quantisation": quantisation,
        "beam": decoding.beam,
        "max_tokens": decoding.max_tokens,
        "no_repeat_ngram": decoding.no_repeat_ngram,
    }
