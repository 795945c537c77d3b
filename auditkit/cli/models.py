"""`auditkit models`: what can be named after `--model`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

_TEXT_MODES = ("chat", "completion", "responses")  # the rest of litellm's table makes pictures, speech, vectors, ...
_KINDS = (
    ("embedded", "a small model on this machine, fetched at first use; the default", "embedded"),
    ("gguf:PATH", "any GGUF file, by llama.cpp on this machine", "embedded"),
    ("local/PATH-OR-HUB-ID", "transformers, on a GPU where there is one", "local"),
    ("mock/NAME?key=value", "a scripted, seeded model for trials and tests", ""),
    (
        "PROVIDER/MODEL",
        "anything litellm knows: openai/..., anthropic/..., gemini/..., hosted_vllm/... with --api-base",
        "api",
    ),
)


@click.command()
@click.argument("search", required=False)
def models(**options: Any) -> int:
    """What can be named after --model; with SEARCH, the API models whose name contains it, with their price.

    \b
      auditkit models
      auditkit models gpt-4.1
    """  # noqa: D301
    from rich.text import Text

    from auditkit.cli.render import console, table

    out = console()
    if options["search"]:
        return _search(options["search"])
    kinds = table("What can be named after --model")
    for name in ("name", "what answers", "extra to install"):
        kinds.add_column(name, overflow="fold", no_wrap=name == "name")
    for name, what, extra in _KINDS:
        kinds.add_row(Text(name), Text(what), Text(f'pip install "auditkit[{extra}]"' if extra else "none"))
    for name, where in _plugins():
        kinds.add_row(Text(f"{name}/..."), Text(f"a backend of another package: {where}"), Text("none"))
    out.print(kinds)
    from auditkit.models.mock import NAMES

    state = embedded_state()
    out.print(Text.assemble(("embedded  ", "bold"), state.sentence))
    out.print(Text.assemble(("mock      ", "bold"), ", ".join(f"mock/{name}" for name in NAMES)))
    out.print(
        Text.assemble(
            ("by API    ", "bold"), "auditkit models SEARCH lists names and prices, auditkit doctor which keys are set"
        )
    )
    return 0


def _plugins() -> Iterator[tuple[str, str]]:
    from importlib.metadata import entry_points

    for entry in sorted(entry_points(group="auditkit.backends"), key=lambda e: e.name):
        yield entry.name, entry.value


# ------------------------------------------------------------------------------------------------ embedded model


@dataclass(frozen=True)
class EmbeddedState:
    """Where the embedded model's weights are. `ready` says whether a run can start without fetching them."""

    ready: bool
    sentence: str
    path: Path | None = None
    size: int | None = None  # bytes


def embedded_state() -> EmbeddedState:
    """Whether the embedded model's weights are here, without fetching them."""
    from auditkit.errors import AuditError
    from auditkit.models.weights import EMBEDDED, MODEL_VARIABLE, cache_folder, gguf_revision

    override = os.environ.get(MODEL_VARIABLE, "").strip()
    if override:
        path = Path(override).expanduser()
        if not path.is_file():
            return EmbeddedState(False, f"{MODEL_VARIABLE} names {override!r}, which is not a file")
        size = path.stat().st_size
        return EmbeddedState(True, f"{path} ({_megabytes(size)}), as {MODEL_VARIABLE} says", path, size)
    name = Path(EMBEDDED.member).name
    download = f"{EMBEDDED.wheel_size / 1e6:.0f} MB"
    try:
        path = cache_folder() / "models" / name
        if not path.is_file():
            return EmbeddedState(False, f"{name}: not here yet; the first run fetches it ({download})")
        if gguf_revision(path) != f"sha256:{EMBEDDED.sha256}":
            return EmbeddedState(
                False, f"{path}: not the file that is expected; the next run fetches it again ({download})", path
            )
    except AuditError as error:
        return EmbeddedState(False, str(error))
    size = path.stat().st_size
    return EmbeddedState(True, f"{path} ({_megabytes(size)}), checked", path, size)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


# ------------------------------------------------------------------------------------------------ models by API


def _search(text: str) -> int:
    from rich.text import Text

    from auditkit.cli.render import console, table, visible
    from auditkit.errors import unknown
    from auditkit.models.api import litellm

    module = litellm()
    providers = {getattr(p, "value", str(p)) for p in module.provider_list}
    offered: dict[str, tuple[float, float] | None] = {}
    for name, price in api_models(module.model_cost, providers):  # some stand twice, with and without their provider
        offered[name] = price or offered.get(name)
    found = {name: offered[name] for name in sorted(offered) if text.casefold() in name.casefold()}
    if not found:
        raise unknown("model", text, {name.rpartition("/")[2] for name in offered})  # the bare name fits every provider
    shown = table()
    shown.add_column("name after --model", overflow="fold")
    for name in ("in, $ a million tokens", "out, $ a million tokens"):
        shown.add_column(name, justify="right")
    for name, price in found.items():
        cells = ("unpriced", "unpriced") if price is None else tuple(f"{p * 1e6:,.3f}" for p in price)
        shown.add_row(Text(visible(name)), *cells)
    out = console()
    out.print(shown)
    out.print(
        f"{len(found)} of {len(offered)} models, from litellm's own table; a name that is not in it can be asked too, unpriced",
        style="dim",
        highlight=False,
    )
    return 0


def api_models(
    table: Mapping[str, Mapping[str, Any]], providers: set[str]
) -> Iterator[tuple[str, tuple[float, float] | None]]:
    """(name as `--model` takes it, dollars a token in and out, None where unknown) for litellm's models that write text.

    `table` is `litellm.model_cost`. Entries of providers that litellm can only price, not ask, are passed over.
    """
    for key, entry in table.items():
        if entry.get("mode") not in _TEXT_MODES:
            continue
        name = _full_name(key, str(entry.get("litellm_provider")), providers)
        if name is None:
            continue
        tokens_in, tokens_out = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
        # as in `auditkit.models.api.prices`: a free entry is one that nobody has filled in
        price = (float(tokens_in or 0.0), float(tokens_out or 0.0)) if tokens_in or tokens_out else None
        yield name, price


def _full_name(key: str, provider: str, providers: set[str]) -> str | None:
    """The key with its provider in front, as litellm's table leaves it out for some."""
    if "/" in key and key.partition("/")[0] in providers:
        return key
    if provider in providers:
        return f"{provider}/{key}"
    for family in ("bedrock", "vertex_ai"):  # their entries are filed under kinds of model, such as bedrock_converse
        if provider.startswith(family):
            return f"{family}/{key}"
    return None
