"""Chat models by transformers: a folder of weights or a hub id, on a GPU where there is one.

Nothing here imports torch or transformers before the first request: `local_revision` runs while a plan is made, and must be
quick where neither is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import logging
import os
import random
import re
import threading
import time
import warnings
from collections import deque
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.errors import AuditError, MissingExtra, unknown
from auditkit.identity import canonical_json, digest
from auditkit.limits import Stop
from auditkit.models.base import Failure, Reply, ReplyStatus, Request
from auditkit.models.weights import gguf_revision

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

DEFAULT_MAX_TOKENS = 512  # for a request that sets no limit: some models never stop by themselves
PARAMETERS = ("temperature", "top_p", "max_tokens", "stop", "seed")

_DTYPES = {
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "float16": "float16",
    "fp16": "float16",
    "float32": "float32",
    "fp32": "float32",
}
_BATCH_SIZES = {"cpu": 8, "mps": 16}  # any other device is a GPU of its own memory
_GPU_BATCH_SIZE = 64
_GIVE_UP_AFTER = 3  # batches in a row that fail for a reason that is not memory: the next one would fail too
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_FOLDER_TAG = "w1"
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")

Outcome = tuple[Request, Reply | Failure]


# ------------------------------------------------------------------------------------------------- which weights


def local_revision(model: str, revision: str | None = None) -> str | None:
    """The identity of a model's weights, tokenizer and chat template, without loading any of them.

    For a folder: a digest of the names and bytes of its files, hidden ones left out, whatever `revision` says. The hash of
    a file is kept in the user's cache and computed anew only when its size or time of change differs. For a hub id:
    `revision` if given, else the commit that the local hub cache holds as `main`, else None (nothing was fetched yet).

    Raises AuditError for what is written like a path and is no folder, or for a file that cannot be read.
    """
    folder = _folder(model)
    if folder is None:
        return revision or _cached_commit(model, "main")
    files: dict[str, str] = {}
    for parent, subfolders, names in os.walk(folder):
        # .git and a downloader's .cache stand beside the weights, and answer nothing
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in names:
            if not name.startswith("."):
                path = Path(parent, name)
                files[path.relative_to(folder).as_posix()] = gguf_revision(path)
    return digest(_FOLDER_TAG, files)


def hub_commit(model: str) -> str:
    """The commit that a hub id's default branch stands at now. Asks the hub, so only for a model that was never fetched.

    Without it the first run would plan without a revision and the second with one, and ask everything again.
    Raises AuditError if the hub does not know the model or cannot be reached, MissingExtra without the packages.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtra(f"local/{model}", "local") from None
    try:
        sha = HfApi().model_info(model, timeout=30).sha
    except Exception as error:
        raise AuditError(
            f"local/{model}: the hub does not give it ({one_line(error)}); name a folder, or a model that is in the local cache"
        ) from None
    if not sha:
        raise AuditError(f"local/{model}: the hub names no commit for it; give one with --revision")
    return str(sha)


def _folder(model: str) -> Path | None:
    """The folder that `model` names, or None for a hub id."""
    path = Path(model).expanduser() if model.startswith("~") else Path(model)
    if model and path.is_dir():
        return path
    if path.is_file():
        hint = "; a GGUF file is gguf:PATH" if path.suffix == ".gguf" else ""
        raise AuditError(f"local/{model} is a file; name the folder that holds the model{hint}")
    if model.startswith((".", "~")) or not _HUB_ID.fullmatch(model):
        raise AuditError(f"local/{model}: no such folder, and no hub id such as local/ORGANISATION/MODEL")
    return None


def _cached_commit(model: str, ref: str) -> str | None:
    """The commit that the local hub cache holds for a branch or tag."""
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    folder = Path(os.path.expandvars(cache or f"{home}/hub")).expanduser() / f"models--{model.replace('/', '--')}"
    try:
        commit = (folder / "refs" / ref).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return commit or None


# ------------------------------------------------------------------------------------------ what a request asks for


@dataclass(frozen=True)
class _Settings:
    """A request's parameters, checked."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = DEFAULT_MAX_TOKENS
    stop: tuple[str, ...] = ()
    seed: int | None = None

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> _Settings:
        """Raises ValueError for a parameter that is not known or has no sense."""
        values = {name: value for name, value in params.items() if value is not None}
        for name, value in values.items():
            if name not in PARAMETERS:
                raise ValueError(f"a local model has no parameter {name!r}; it has {', '.join(PARAMETERS)}")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            whole = number and isinstance(value, int)
            good = {
                "temperature": number and 0 <= value < float("inf"),
                "top_p": number and 0 < value <= 1,
                "max_tokens": whole and value >= 1,
                "seed": whole,
                "stop": isinstance(value, str | list | tuple) and all(value) and all(isinstance(s, str) for s in value),
            }[name]
            if not good:
                raise ValueError(f"{name}={value!r} has no sense for a local model")
        if "stop" in values:
            values["stop"] = (values["stop"],) if isinstance(values["stop"], str) else tuple(values["stop"])
        return cls(**values)


@dataclass(frozen=True)
class _Item:
    """A request that can be answered: its prompt as token ids, and how many new tokens fit."""

    request: Request
    settings: _Settings
    ids: list[int]
    limit: int
    thinking: bool  # the chat template has already opened the model's reasoning


@dataclass(frozen=True)
class _Loaded:
    model: Any
    tokenizer: Any
    device: Any
    batch_size: int
    name: str
    context: int | None
    ends: frozenset[int]
    pad: int


# ------------------------------------------------------------------------------------- what happens at every token


class _Choice:
    """Chooses the next token of every row, by a rule that depends on nothing but the row.

    `generate` itself would draw a batch from one stream of random numbers, so that a reply depends on its neighbours. Here
    each row has numbers of its own, in [0, 1), and the token is found by inverting the cumulated distribution in the order
    of the vocabulary: a change in the last bits of the scores then almost never changes the token.
    """

    def __init__(self, torch: Any, width: int, settings: _Settings, uniforms: Any) -> None:
        self.torch = torch
        self.width = width
        self.settings = settings
        self.uniforms = uniforms  # float32 (rows, new tokens), or None: the most likely token
        self.broken: Any = None  # bool (rows,): scores were not numbers at some token

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        torch = self.torch
        top = scores.max(-1, keepdim=True).values
        broken = ~torch.isfinite(top[:, 0])
        self.broken = broken if self.broken is None else self.broken | broken
        if self.uniforms is None:
            return scores
        probabilities = ((scores - top) / max(self.settings.temperature, 1e-6)).softmax(-1)
        if self.settings.top_p < 1:
            ordered, order = probabilities.sort(descending=True)
            drop = ordered.cumsum(-1) - ordered >= self.settings.top_p  # the token that crosses top_p stays
            probabilities = probabilities.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), 0.0)
        cumulated = probabilities.cumsum(-1)
        total = cumulated[:, -1:]
        step = input_ids.shape[1] - self.width
        # below the total, even where rounding brings the number to 1: the token found has a probability above 0
        point = torch.minimum(self.uniforms[:, step : step + 1] * total, total * (1 - 2**-23))
        token = torch.searchsorted(cumulated, point, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, float("-inf")).scatter(-1, token, 0.0)


class _Ends:
    """Ends a row at its own limit or at a stop text, and every row when nobody waits for the answer any more."""

    def __init__(
        self, torch: Any, loaded: _Loaded, width: int, items: Sequence[_Item], abandoned: threading.Event
    ) -> None:
        self.torch = torch
        self.tokenizer = loaded.tokenizer
        self.width = width
        self.limits = torch.tensor([item.limit for item in items], device=loaded.device)
        self.stop = items[0].settings.stop
        # a token that shows has at least a byte; a few more for those that do not show
        self.tail = max((len(text.encode("utf-8", "replace")) for text in self.stop), default=0) + 8
        self.stopped: dict[int, int] = {}  # row -> new tokens when the stop text was complete
        self.abandoned = abandoned

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        step = input_ids.shape[1] - self.width
        if self.abandoned.is_set():
            return self.torch.ones_like(self.limits, dtype=self.torch.bool)
        done = self.limits <= step
        if self.stop:
            for row, ids in enumerate(input_ids[:, self.width :][:, -self.tail :].tolist()):
                if row not in self.stopped and any(text in _decode(self.tokenizer, ids) for text in self.stop):
                    self.stopped[row] = step
            if self.stopped:
                done[list(self.stopped)] = True
        return done


def _decode(tokenizer: Any, ids: Sequence[int]) -> str:
    text: str = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


# ---------------------------------------------------------------------------------------------------- the backend


class LocalBackend:
    """Replies from one model by transformers.

    model       a folder in the format of transformers, or a hub id, which is fetched at the first request
    revision    branch, tag or commit of a hub id; for a folder what `local_revision` said when the requests were planned:
                if its files have changed since, nothing is asked and AuditError says so
    device      "cpu", "cuda", "cuda:1", "mps"; None takes the first of cuda, mps and cpu that works. On a machine with
                several GPUs the model is spread over them if the package accelerate is installed
    dtype       "bfloat16", "float16" or "float32"; None takes bfloat16 on GPUs that have it, float16 on others, float32 on CPU
    batch_size  prompts at once; None starts with 64 on a GPU, 16 on mps, 8 on CPU
    window      requests that are read ahead and sorted by length, so that a batch holds prompts of like length

    Parameters of a request: temperature (0 or absent: the most likely token, always), top_p, max_tokens (default 512),
    stop and seed, as in the common APIs. Any other one, or a value without sense, is that request's fatal failure. Of the
    maker's own generation settings nothing but the ids of special tokens is used: a repetition penalty or a top-k of 20
    that came with the weights would be a hidden part of the question.

    Prompt. The tokenizer's chat template, with the opening of the assistant's turn. A model without one (a base model)
    gets the messages' texts, a blank line apart, and no roles. Messages that a template refuses are that request's
    failure; they are never rewritten.

    Reply. Without special tokens and surrounding blanks, and without the stop text. What a reasoning model puts between
    <think> and </think> at the beginning is in `reasoning`. `truncated`: the limit was reached, or the context was full.
    Tokens are counted without padding, the end token included; latency is the batch's time by the number of its rows.

    Reproducibility. A greedy reply depends on the model and the prompt; a sampled one also on the request's key, sample
    and seed, from which its random numbers are drawn. It depends neither on the order of requests, nor on the neighbours
    in a batch, nor on where a run was interrupted, except by rounding: padding and batch size change the last bits of the
    scores, which seldom shows in float32, and can turn a near-tie of two tokens in half precision. Use one dtype and
    device throughout a comparison; replies that must not depend on batching at all want batch_size=1.

    Memory. A batch that does not fit is cut in half and asked again, and later batches keep below it.
    """

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        stop: Stop | None = None,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | None = None,
        window: int = 1024,
    ) -> None:
        """Loads nothing. Raises AuditError for settings or a folder that cannot work, MissingExtra without the packages."""
        if dtype not in (None, "auto") and dtype not in _DTYPES:
            raise unknown("dtype", str(dtype), _DTYPES)
        if window < 1 or (batch_size is not None and batch_size < 1):
            raise AuditError("a local model needs a window and a batch size of at least 1")
        if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
            raise MissingExtra(f"asking local/{model}", "local")
        self._folder = _folder(model)
        if self._folder is not None and not (self._folder / "config.json").is_file():
            raise AuditError(f"local/{model} has no config.json: it is no folder of a transformers model")
        self.model = model
        self.revision = revision
        self._stop = stop or Stop()
        self._device = None if device == "auto" else device
        self._dtype = _DTYPES.get(dtype or "")
        self._batch_size = batch_size
        self._window = window
        self._most_positions: int | None = None  # rows x tokens that a batch may have, once memory has run out
        self._loaded: _Loaded | None = None

    async def stream(self, requests: Iterable[Request]) -> AsyncIterator[Outcome]:
        """See `Backend.stream`. Every request comes out once; after a wish to stop, those of the batch under way.

        Raises AuditError, at the first request, if the model cannot be loaded or fetched.
        """
        source = iter(requests)
        abandoned = threading.Event()
        failed = 0
        try:
            while not self._stop.requested and (window := list(islice(source, self._window))):
                ready, refused = await asyncio.to_thread(self._prepare, window)
                for outcome in refused:
                    yield outcome
                while ready and not self._stop.requested:
                    batch = self._next_batch(ready)
                    answers = await asyncio.to_thread(self._answer, batch, abandoned)
                    if answers is None:  # out of memory
                        ready.extendleft(reversed(batch))
                        continue
                    for outcome in answers:
                        yield outcome
                    broken = all(isinstance(answer, Failure) and answer.kind == "fatal" for _, answer in answers)
                    failed = failed + 1 if broken else 0
                    if failed == _GIVE_UP_AFTER:
                        return
        finally:
            abandoned.set()  # a thread cannot be cancelled, but its generation ends at the next token

    async def aclose(self) -> None:
        """Give the model's memory back. The next `stream` would load it again."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            del loaded
            _free_memory()

    # ------------------------------------------------------------------------------------------------- in a thread

    def _prepare(self, window: Sequence[Request]) -> tuple[deque[_Item], list[Outcome]]:
        """The window in the order of asking, and what cannot be asked."""
        refused: list[Outcome] = []
        asked: list[tuple[Request, _Settings]] = []
        for request in window:
            try:
                asked.append((request, _Settings.read(request.params)))
            except ValueError as error:
                refused.append((request, Failure("fatal", str(error), final=True)))
        if not asked:
            return deque(), refused
        if self._loaded is None:
            self._loaded = self._load()
        items: list[_Item] = []
        for request, settings in asked:
            item = _encode(self._loaded, request, settings)
            if isinstance(item, Failure):
                refused.append((request, item))
            else:
                items.append(item)
        # the longest first: if memory is short, that shows at the beginning
        items.sort(key=lambda item: (canonical_json(item.request.params), -len(item.ids)))
        return deque(items), refused

    def _next_batch(self, ready: deque[_Item]) -> list[_Item]:
        """Take rows with the same parameters from the left, as many as may be asked at once."""
        assert self._loaded is not None
        first = ready[0]
        size = self._loaded.batch_size
        if self._most_positions is not None:
            size = max(1, min(size, self._most_positions // (len(first.ids) + first.limit)))
        batch: list[_Item] = []
        while ready and len(batch) < size and ready[0].settings == first.settings:
            batch.append(ready.popleft())
        return batch

    def _answer(self, batch: Sequence[_Item], abandoned: threading.Event) -> list[Outcome] | None:
        """The outcomes of a batch, or None if it was too large for the memory and has to be asked in smaller ones."""
        loaded = self._loaded
        assert loaded is not None
        started = time.monotonic()
        short = False
        message = ""
        try:
            rows = _generate(loaded, batch, abandoned)
        except Exception as error:  # one batch's fault must not lose the other replies
            message = one_line(error)
            short = is_out_of_memory(error)
        # Outside the handler: the exception keeps the tensors of every frame that it passed alive.
        if short:
            _free_memory()
            if len(batch) > 1:
                self._most_positions = len(batch) // 2 * (len(batch[0].ids) + batch[0].limit)
                return None
            tokens = len(batch[0].ids) + batch[0].limit
            failure = Failure("rejected", f"a prompt and reply of {tokens} tokens do not fit in the memory", final=True)
            return [(batch[0].request, failure)]
        if message:
            failure = Failure("fatal", f"local/{self.model} failed: {message}", final=True)
            return [(item.request, failure) for item in batch]
        latency_s = (time.monotonic() - started) / len(batch)
        return [(item.request, _outcome(loaded, item, row, latency_s)) for item, row in zip(batch, rows, strict=True)]

    def _load(self) -> _Loaded:
        """Load tokenizer and model. Raises AuditError in one line, MissingExtra where a package does not import."""
        where, revision = self.model, self.revision
        if self._folder is not None:
            where, revision = str(self._folder), None
            planned = self.revision or ""
            if planned.startswith(f"{_FOLDER_TAG}:") and local_revision(self.model) != planned:
                raise AuditError(f"the files of local/{self.model} are not those that were planned with; plan again")
        torch, transformers = _libraries(self.model)
        device = choose_device(torch, self._device)
        dtype = getattr(torch, self._dtype) if self._dtype else _choose_dtype(torch, device)
        options: dict[str, Any] = {"trust_remote_code": False}
        several = device.type == "cuda" and self._device in (None, "cuda") and torch.cuda.device_count() > 1
        if importlib.util.find_spec("accelerate") is not None and device.type != "cpu":
            options["device_map"] = "auto" if several else {"": str(device)}  # without a copy in the main memory
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(where, revision=revision, trust_remote_code=False)
            if self._folder is None:  # the branch may move between two downloads
                revision = _cached_commit(self.model, revision or "main") or revision
            model, found = transformers.AutoModelForCausalLM.from_pretrained(
                where, revision=revision, dtype=dtype, output_loading_info=True, **options
            )
            if "device_map" not in options:
                model = model.to(device)
        except Exception as error:  # of dozens of kinds; each means that this model cannot be used
            raise AuditError(self._why_not(error)) from None
        lacking = sorted({*found["missing_keys"], *(str(key[0]) for key in found["mismatched_keys"])})
        if lacking:  # transformers fills them with random numbers and goes on
            raise AuditError(f"the weights of local/{self.model} do not fit its config.json: no {_some(lacking)}")
        model.eval()
        ends, pad = _special_tokens(model, tokenizer)
        model.generation_config = transformers.GenerationConfig(eos_token_id=sorted(ends) or None, pad_token_id=pad)
        config = model.config.get_text_config()
        return _Loaded(
            model=model,
            tokenizer=tokenizer,
            device=model.device,
            batch_size=self._batch_size or _BATCH_SIZES.get(device.type, _GPU_BATCH_SIZE),
            name=self._folder.resolve().name
            if self._folder
            else f"{self.model}@{revision}"
            if revision
            else self.model,
            context=getattr(config, "max_position_embeddings", None),
            ends=ends,
            pad=pad,
        )

    def _why_not(self, error: Exception) -> str:
        if is_out_of_memory(error):
            return (
                f"local/{self.model} does not fit in the memory of the device; take a smaller model or another device"
            )
        help_ = "" if self._folder else "; check the name, the revision and the network, or name a folder"
        return f"local/{self.model} cannot be loaded: {one_line(error)}{help_}"


# -------------------------------------------------------------------------------------------------------- the parts


def _libraries(model: str) -> tuple[Any, Any]:
    """The two libraries, made to keep quiet on the user's terminal."""
    warnings.filterwarnings("ignore", module=r"(torch|transformers|huggingface_hub)(\.|$)")
    try:
        import torch
        import transformers
    except ImportError:
        raise MissingExtra(f"asking local/{model}", "local") from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in ("huggingface_hub", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return torch, transformers


def choose_device(torch: Any, wanted: str | None) -> Any:
    mps = getattr(torch.backends, "mps", None)
    has_mps = mps is not None and mps.is_available()
    if wanted is None:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise AuditError(f"unknown device {wanted!r}; such as cpu, cuda, cuda:1 or mps") from None
    count = torch.cuda.device_count() if device.type == "cuda" else int(has_mps) if device.type == "mps" else None
    if count is not None and (device.index or 0) >= count:
        raise AuditError(
            f"device {wanted} is not usable here: torch sees {count or 'none'} of this kind; take another or cpu"
        )
    return device


def _choose_dtype(torch: Any, device: Any) -> Any:
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda":  # older GPUs emulate bfloat16, slowly
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    try:
        torch.zeros(1, dtype=torch.bfloat16, device=device)
    except (RuntimeError, TypeError):
        return torch.float16
    return torch.bfloat16


def _special_tokens(model: Any, tokenizer: Any) -> tuple[frozenset[int], int]:
    """Ids that end a reply, and the id that fills a row.

    A fine-tuned model often keeps the end token of its base in one file and has that of its chat template in another: any
    of them ends a reply.
    """
    ends: set[int] = set()
    for source in (model.generation_config, model.config, model.config.get_text_config(), tokenizer):
        found = getattr(source, "eos_token_id", None)
        ends.update([found] if isinstance(found, int) else found or [])
    pad = tokenizer.pad_token_id
    if (
        pad is None or pad >= model.get_input_embeddings().weight.shape[0]
    ):  # added to the tokenizer, unknown to the model
        pad = min(ends, default=0)
    return frozenset(ends), pad


def _encode(loaded: _Loaded, request: Request, settings: _Settings) -> _Item | Failure:
    """The prompt's token ids, or why there are none."""
    tokenizer = loaded.tokenizer
    try:
        if tokenizer.chat_template:
            prompt = tokenizer.apply_chat_template(request.messages, tokenize=False, add_generation_prompt=True)
            ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]  # the template holds them
        else:
            prompt = "\n\n".join(message["content"] for message in request.messages)
            ids = tokenizer(prompt)["input_ids"]
    except Exception as error:  # templates are programs, and raise what they like
        return Failure("rejected", f"the model's chat template or tokenizer refuses: {one_line(error)}", final=True)
    if not ids and tokenizer.bos_token_id is not None:
        ids = [tokenizer.bos_token_id]
    if not ids:
        return Failure("rejected", "the prompt is empty", final=True)
    limit = settings.max_tokens
    if loaded.context is not None:
        if len(ids) >= loaded.context:
            message = f"the prompt has {len(ids)} tokens, and the model's context {loaded.context}"
            return Failure("rejected", message, final=True)
        limit = min(limit, loaded.context - len(ids))
    return _Item(request, settings, list(ids), limit, prompt.rstrip().endswith("<think>"))


@dataclass(frozen=True)
class _Row:
    """What the model wrote for one prompt."""

    ids: list[int]  # up to the end token, which is included
    finished: bool  # by an end token or a stop text
    broken: bool  # the scores were not numbers


def _generate(loaded: _Loaded, batch: Sequence[_Item], abandoned: threading.Event) -> list[_Row]:
    """Ask a batch with the same settings. Blocks; raises what torch raises."""
    import torch
    import transformers

    settings = batch[0].settings
    width = max(len(item.ids) for item in batch)
    longest = max(item.limit for item in batch)
    filled = [[loaded.pad] * (width - len(item.ids)) + item.ids for item in batch]
    mask = [[0] * (width - len(item.ids)) + [1] * len(item.ids) for item in batch]
    uniforms = None
    if settings.temperature > 0:
        uniforms = torch.tensor([_uniforms(item, longest) for item in batch], dtype=torch.float32, device=loaded.device)
    choice = _Choice(torch, width, settings, uniforms)
    ends = _Ends(torch, loaded, width, batch, abandoned)
    with torch.inference_mode():
        output = loaded.model.generate(
            input_ids=torch.tensor(filled, device=loaded.device),
            attention_mask=torch.tensor(mask, device=loaded.device),
            generation_config=transformers.GenerationConfig(
                max_new_tokens=longest,
                do_sample=False,  # `_Choice` draws
                eos_token_id=sorted(loaded.ends) or None,
                pad_token_id=loaded.pad,
            ),
            logits_processor=transformers.LogitsProcessorList([choice]),
            stopping_criteria=transformers.StoppingCriteriaList([ends]),
        )
    broken = choice.broken.tolist()
    rows: list[_Row] = []
    for number, (item, new) in enumerate(zip(batch, output[:, width:].tolist(), strict=True)):
        length = min(item.limit, len(new))
        ended = next((place for place, token in enumerate(new[:length], 1) if token in loaded.ends), None)
        ended = min((place for place in (ended, ends.stopped.get(number)) if place is not None), default=None)
        finished = ended is not None and ended <= length
        rows.append(_Row(new[: ended if finished else length], finished, broken[number]))
    return rows


def _uniforms(item: _Item, count: int) -> list[float]:
    """Numbers in [0, 1) that belong to a request and a sample: the same on every device and in every release of torch."""
    draw = random.Random(f"{item.settings.seed}:{item.request.key}:{item.request.sample}")
    return [draw.random() for _ in range(count)]


def _outcome(loaded: _Loaded, item: _Item, row: _Row, latency_s: float) -> Reply | Failure:
    if row.broken:
        kind = str(loaded.model.dtype).removeprefix("torch.")
        return Failure("fatal", f"the model's scores are not numbers in {kind}; try dtype float32", final=True)
    shown = row.ids[:-1] if row.ids and row.ids[-1] in loaded.ends else row.ids
    text = _decode(loaded.tokenizer, shown)
    cut = min((place for stop in item.settings.stop if (place := text.find(stop)) >= 0), default=len(text))
    text, reasoning = _without_reasoning(text[:cut], item.thinking)
    text = (text if row.finished else text.rstrip("\ufffd")).strip()  # the limit may cut a letter in half
    status: ReplyStatus = "truncated" if not row.finished else "ok" if text else "empty"
    return Reply(
        status=status,
        text=text,
        finish_reason="stop" if row.finished else "length",
        reported_model=loaded.name,
        tokens_in=len(item.ids),
        tokens_out=len(row.ids),
        cost_usd=0.0,
        latency_s=latency_s,
        reasoning=reasoning,
    )


def _without_reasoning(text: str, opened: bool) -> tuple[str, str | None]:
    """A reply and the reasoning before it; all is reasoning where the limit came first.

    >>> _without_reasoning("<think>Two ways.</think>Stay.", False)
    ('Stay.', 'Two ways.')
    """
    if not opened and not text.lstrip().startswith("<think>"):
        return text, None
    reasoning, _, answer = text.lstrip().removeprefix("<think>").partition("</think>")
    return answer, reasoning.strip() or None


def is_out_of_memory(error: Exception) -> bool:
    # torch.cuda.OutOfMemoryError is a RuntimeError, and so is what the CPU's and mps's allocators raise
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _NO_MEMORY)
    )


def _free_memory() -> None:
    """Collect what is garbage and hand the allocator's cache back to the device."""
    import torch

    gc.collect()
    with contextlib.suppress(RuntimeError):  # a device that has failed cannot be tidied
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()


def one_line(error: Exception) -> str:
    message = " ".join(str(error).split()) or type(error).__name__
    return message if len(message) <= 300 else message[:300] + " ..."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more
