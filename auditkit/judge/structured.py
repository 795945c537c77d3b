"""What all judges that are models have in common: the call, its schema, and how an answer is read."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from auditkit.errors import MissingExtra
from auditkit.identity import digest, request_body, request_key
from auditkit.judge.prompt import JudgePrompt
from auditkit.judge.verdict import Verdict
from auditkit.models.base import Reply, Request
from auditkit.plan import ModelSpec, estimate_tokens
from auditkit.store import Store


class AnyCase(Protocol):
    """A reply to be judged, with all that the judge may see."""

    @property
    def request_key(self) -> str: ...
    @property
    def reply(self) -> str: ...


CaseT = TypeVar("CaseT", bound=AnyCase)
AnswerT = TypeVar("AnswerT", bound=BaseModel)


class StructuredJudge(ABC, Generic[CaseT, AnswerT]):
    """Builds the calls of a judge and reads its answers. A subclass says what the judge sees and what its answer means."""

    task: ClassVar[str]
    kind: ClassVar[str] = "llm"
    answer: ClassVar[type[BaseModel]]
    schema_version: ClassVar[int]
    answer_tokens: ClassVar[int]  # of a usual answer, for estimates

    def __init__(
        self, spec: ModelSpec, prompt: JudgePrompt, presentations: Sequence[str], mode: str | None = None
    ) -> None:
        self.spec = spec
        self.prompt = prompt
        self.presentations = tuple(presentations)
        self.mode = mode or structured_mode(spec)
        self.name = f"{prompt.name}@{spec.name}"
        self._system, self._user_suffix, self._extra = instructions(prompt.text, self.answer, self.mode)
        config = {
            "prompt": prompt.name,
            "prompt_version": prompt.version,
            "prompt_hash": digest("s1", prompt.text),
            "schema_version": self.schema_version,
            "mode": self.mode,
            "provider": spec.provider,
            "revision": spec.revision,
            "params": spec.params,
        }
        self.key: str = digest("j1", {"name": self.name, "model": spec.model, **config})
        self.row: dict[str, Any] = {
            "judge_key": self.key,
            "name": self.name,
            "kind": self.kind,
            "task": self.task,
            "model": spec.name,
            "config": json.dumps(config, ensure_ascii=False),
        }

    def frame_tokens(self) -> int:
        """Estimated tokens of instructions and schema, which every call carries."""
        return estimate_tokens(self._system + self._user_suffix + json.dumps(self._extra))

    @abstractmethod
    def cases(self, store: Store, run_id: str, keys: Sequence[str]) -> Iterator[CaseT]:
        """The cases of these requests, in that order."""

    @abstractmethod
    def user_message(self, case: CaseT, presentation: str) -> str:
        """What the judge reads of a case."""

    @abstractmethod
    def verdict(self, answer: AnswerT, case: CaseT, presentation: str) -> Verdict:
        """What an answer of the right form says. Raises ValueError where it does not hold together."""

    def request(self, case: CaseT, presentation: str, reading: int) -> Request:
        """The call for one reading of one case: a fresh conversation, whatever was asked before.

        `presentation` is the order in which options are shown (`ab`, `ba`, or `` for none); `reading` is 0, or 1 for the one re-ask.
        """
        user = self.user_message(case, presentation) + self._user_suffix
        messages = [{"role": "system", "content": self._system}, {"role": "user", "content": user}]
        return self.call(messages, self._extra, reading)

    def call(self, messages: list[dict[str, Any]], extra: dict[str, Any], sample: int) -> Request:
        """A request to this judge's model."""
        body = request_body(
            provider=self.spec.provider,
            model=self.spec.model,
            revision=self.spec.revision,
            messages=messages,
            params={**self.spec.params, **extra},
            sample=sample,
        )
        return Request(key=request_key(body), **body)

    def read(self, case: CaseT, presentation: str, reply: Reply) -> Verdict:
        """The verdict in a judge's answer; `parse_failed`, with the reason, for one that does not keep to the form."""
        from dataclasses import replace

        try:
            verdict = self.verdict(parse(reply.text, self.answer), case, presentation)  # type: ignore[arg-type]
        except (ValidationError, ValueError, TypeError, KeyError) as error:
            return Verdict("parse_failed", detail={"reason": reason(error)}, raw=reply.text)
        return replace(verdict, raw=reply.text)


def structured_mode(spec: ModelSpec) -> str:
    """How to ask this model for structured output: `json_schema`, `tools` or `md_json`, by what it supports."""
    if spec.provider == "gguf":
        return "json_schema"  # llama.cpp constrains decoding by the schema
    if spec.provider in ("local", "mock"):
        return "md_json"
    if spec.provider == "hosted_vllm":
        return "json_schema"
    from auditkit.models.api import litellm

    module = litellm()
    try:
        if module.supports_response_schema(model=spec.model, custom_llm_provider=spec.provider):
            return "json_schema"
        if module.supports_function_calling(model=f"{spec.provider}/{spec.model}"):
            return "tools"
    except Exception:
        return "md_json"
    return "md_json"


def instructions(system: str, answer: type[BaseModel], mode: str) -> tuple[str, str, dict[str, Any]]:
    """System text, what follows the user text, and extra parameters, as instructor writes them for this mode."""
    try:
        from instructor import Mode
        from instructor.processing.response import handle_response_model
    except ImportError:
        raise MissingExtra("a judge that is a model", "api") from None
    place = "\u241fUSER\u241f"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": place}]
    modes = {"json_schema": Mode.JSON_SCHEMA, "tools": Mode.TOOLS, "md_json": Mode.MD_JSON}
    _, prepared = handle_response_model(answer, mode=modes[mode], messages=messages)
    written = prepared.pop("messages")
    user = written[-1]["content"]
    if not isinstance(user, str) or not user.startswith(place):
        raise RuntimeError("instructor no longer leaves the user's text in front; see auditkit.judge.structured")
    return written[0]["content"], user.removeprefix(place), prepared


def parse(text: str, answer: type[BaseModel]) -> BaseModel:
    """The structured answer, by instructor's own extraction of JSON from text (code fences, text around it).

    Raises ValueError for an empty text, ValidationError for one that does not keep to the schema.
    """
    if not text.strip():
        raise ValueError("the judge said nothing")
    try:
        return answer.model_validate_json(text)
    except ValidationError:
        from instructor.utils import extract_json_from_codeblock

        return answer.model_validate_json(extract_json_from_codeblock(text))


def reason(error: Exception) -> str:
    """Why an answer was not accepted, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'answer'}: {first['msg']}"[:300]
    return str(error)[:300]
