"""The only place that hashes.

A key is a tag and the BLAKE2b-128 digest of canonical JSON: keys sorted, no spaces, UTF-8 as it is, no NaN. The tag names what
was hashed and by which rule (`k1` for requests), so that a later rule can live beside this one. Changing what
`canonical_json` writes changes every key in every database: golden values in the tests hold it still.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def canonical_json(value: object) -> str:
    """The one text of a JSON value. Raises ValueError for NaN and infinities, TypeError for what JSON cannot hold."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(tag: str, value: object) -> str:
    """`tag:` and 32 hexadecimal digits."""
    # surrogatepass: a lone surrogate in a user's file must give a key, not a crash
    data = canonical_json(value).encode("utf-8", "surrogatepass")
    return f"{tag}:{hashlib.blake2b(data, digest_size=16).hexdigest()}"


def request_body(
    *,
    provider: str,
    model: str,
    revision: str | None,
    messages: list[dict[str, str]],
    params: Mapping[str, Any],
    sample: int,
) -> dict[str, Any]:
    """Everything that changes a reply, and nothing else: no key, address, timeout or concurrency."""
    return {
        "provider": provider,
        "model": model,
        "revision": revision,
        "messages": messages,
        "params": dict(params),
        "sample": sample,
    }


def request_key(body: Mapping[str, Any]) -> str:
    """The identity of a request, from `request_body`."""
    return digest("k1", body)


def file_digest(path: Path) -> str:
    """`sha256:` and the hexadecimal digest of a file's bytes. Raises OSError where it cannot be read."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
