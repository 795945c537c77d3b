"""Any model as a translator, one sentence a request, for users who have no NLLB (prompts/translate.md)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from auditkit.data import data_dir
from auditkit.errors import AuditError, ContentError
from auditkit.identity import digest, request_body, request_key
from auditkit.models.base import Failure, Reply, Request
from auditkit.models.registry import Connection, make_backend
from auditkit.plan import ModelSpec
from auditkit.translate.engines import Translated

BATCH_SIZE = 64  # under way at once are as many as the connection allows
_WHY = {"truncated": "no end within the token limit (--max-tokens)", "empty": "an empty reply", "blocked": "refused by the provider"}  # fmt: skip


@dataclass(frozen=True)
class TranslatorPrompt:
    """The instructions; `hash` tells apart two texts of one version."""

    version: int
    text: str

    @property
    def hash(self) -> str:
        return digest("s1", self.text)

    def fill(self, source: str, target: str, languages: Mapping[str, str]) -> str:
        """The instructions for a pair of FLORES-200 codes, by the languages' English names."""
        places = {
            "source": languages.get(source, source),
            "target": languages.get(target, target),
            "code": target,
            "script": target.partition("_")[2],
        }
        return re.sub(r"\{(source|target|code|script)\}", lambda match: places[match.group(1)], self.text)


def load_prompt(folder: Path | None = None) -> TranslatorPrompt:
    """`translate.md` of the user's prompts if it is there, else ours. Raises ContentError for a broken file."""
    own = folder / "translate.md" if folder is not None else None
    path = own if own is not None and own.is_file() else data_dir("prompts") / "translate.md"
    try:
        match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", path.read_text(encoding="utf-8"), re.DOTALL)
        if match is None:
            raise ContentError(f"{path}:1: it begins with front matter between two lines of ---")
        return TranslatorPrompt(int(yaml.safe_load(match.group(1))["version"]), match.group(2).strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path}: cannot be read: {error}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ContentError(f"{path}:2: front matter needs a version ({error})") from None


class LlmEngine:
    """Translates by asking a model. See `Engine`."""

    def __init__(
        self,
        spec: ModelSpec,
        connection: Connection,
        languages: Mapping[str, str],
        prompts: Path | None = None,
        *,
        batch_size: int | None = None,
    ) -> None:
        """Raises AuditError where a key, an extra or a file is missing."""
        self.spec = spec
        self.prompt = load_prompt(prompts)
        self.languages = languages
        self.batch_size = batch_size or BATCH_SIZE
        self._backend = make_backend(spec, connection)
        self._runner = asyncio.Runner()  # one loop for all calls: connections belong to the loop that opened them

    @property
    def facts(self) -> dict[str, Any]:
        """See `Engine.facts`."""
        return {
            "engine": "llm",
            "model": self.spec.name if self.spec.provider not in ("local", "gguf") else self.spec.model,
            "revision": self.spec.revision,
            "params": dict(self.spec.params),
            "prompt_version": self.prompt.version,
            "prompt_hash": self.prompt.hash,
        }

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[Translated]:
        """See `Engine.translate`."""
        system = self.prompt.fill(source, target, self.languages)
        requests = [self._request(system, sentence) for sentence in sentences]
        outcomes, failure = self._runner.run(self._ask(requests))
        if requests and not outcomes:
            raise AuditError(f"{self.spec.name} answered nothing: {failure or 'no reason was given'}")
        lost = Translated("", False, 0, failure)
        return [read(outcomes[request.key]) if request.key in outcomes else lost for request in requests]

    def _request(self, system: str, sentence: str) -> Request:
        body = request_body(
            provider=self.spec.provider,
            model=self.spec.model,
            revision=self.spec.revision,
            messages=[
                {"role": "system", "content": system},
                {"role": "user", "content": json.dumps({"text": sentence}, ensure_ascii=False)},
            ],
            params=self.spec.params,
            sample=0,
        )
        return Request(key=request_key(body), **body)

    async def _ask(self, requests: Sequence[Request]) -> tuple[dict[str, Reply], str]:
        """The replies by request, and why the last request without one has none."""
        replies: dict[str, Reply] = {}
        failure = ""
        async for request, outcome in self._backend.stream(requests):
            if isinstance(outcome, Failure):
                failure = outcome.message
            else:
                replies[request.key] = outcome
        return replies, failure

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._backend.aclose())
        self._runner.close()


def read(reply: Reply) -> Translated:
    """The translation in a reply: the first JSON object in it, code fences and words around it aside."""
    tokens = reply.tokens_out or 0
    if reply.status != "ok":
        return Translated("", False, tokens, _WHY[reply.status])
    try:
        value = json.JSONDecoder(strict=False).raw_decode(reply.text[reply.text.index("{") :])[0]
        text = value["translation"]
    except (ValueError, KeyError):
        text = None
    if not isinstance(text, str):
        return Translated("", False, tokens, "the reply is not the JSON that was asked for")
    return Translated(" ".join(text.split()), True, tokens)
