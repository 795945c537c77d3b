"""`auditkit doctor`: what is installed, which keys are set, what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import content_options, db_option, load
from auditkit.errors import AuditError

if TYPE_CHECKING:
    from auditkit.data import Content

# The packages of each extra, as pyproject.toml lists them (a test holds the two equal).
EXTRAS = {
    "api": ("litellm", "instructor", "openai", "anthropic", "mcp"),
    "embedded": ("litellm", "instructor", "openai", "mcp", "xllamacpp"),
    "local": ("torch", "transformers", "litellm", "instructor", "openai", "anthropic", "mcp"),
    "export": ("pandas", "pyarrow"),
    "report": ("altair", "jinja2", "pandas", "scikit-learn", "vl-convert-python"),
    "review": ("textual",),
    "translate": ("ctranslate2", "pysbd", "sacrebleu", "transformers"),
}
_FOR = {
    "api": "models by API",
    "embedded": "the embedded model and GGUF files",
    "local": "transformers models",
    "export": "Parquet",
    "report": "reports with figures",
    "review": "the review application",
    "translate": "making and scoring translations",
}
# provider -> variables of which one holds its key
KEYS = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "mistral": ("MISTRAL_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "xai": ("XAI_API_KEY",),
    "together_ai": ("TOGETHERAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "cohere": ("COHERE_API_KEY",),
}

Line = tuple[bool | None, str, str]  # fine, missing, or neither; what; in words


@click.command()
@click.option("--deep", is_flag=True, help="Look for a GPU too: imports torch, which takes seconds.")
@content_options
@db_option
def doctor(**options: Any) -> int:
    """What is installed, which keys are set (never their values), what is missing and how to get it."""
    from rich.text import Text

    from auditkit.cli.render import console, visible

    out = console()
    sections = (
        ("Program", _program()),
        ("Extras", _extras()),
        ("Keys in the environment", _keys()),
        ("Embedded model", _embedded()),
        ("Database", _database(options["db"])),
        ("Content", _content(options)),
        ("GPU", _gpu(deep=options["deep"])),
    )
    for title, lines in sections:
        out.print(Text(f"\n{title}" if title != "Program" else title, style="bold"))
        for fine, what, words in lines:
            mark = ("  · ", "dim") if fine is None else ("  ok", "green") if fine else ("  --", "yellow")
            out.print(Text.assemble(mark, f" {visible(what)}  {visible(words)}"), soft_wrap=True)
    return 0


def _program() -> Iterator[Line]:
    import platform
    import sys

    from auditkit import __version__

    yield True, "auditkit", __version__
    yield True, "python", f"{platform.python_version()} at {sys.executable}"
    yield None, "platform", platform.platform()


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _extras() -> Iterator[Line]:
    for extra, packages in EXTRAS.items():
        found = {package: _version(package) for package in packages}
        missing = [package for package, version in found.items() if version is None]
        what = f"{extra} ({_FOR[extra]})"
        if missing:
            yield False, what, f'lacks {", ".join(missing)}: pip install "auditkit[{extra}]"'
        else:
            yield True, what, ", ".join(f"{package} {version}" for package, version in found.items())


def _keys() -> Iterator[Line]:
    try:
        from auditkit.models.api import litellm

        module = litellm()
    except AuditError:
        module = None
        yield None, "litellm", "is not installed, so what it makes of these keys is not known"
    for provider, variables in KEYS.items():
        filled = [name for name in variables if os.environ.get(name, "").strip()]
        hollow = [name for name in variables if name in os.environ and name not in filled]
        if hollow and not filled:
            yield False, provider, f"{hollow[0]} is set but empty"
        elif not filled:
            yield None, provider, f"not set: {' or '.join(variables)}"
        elif module is not None and not module.validate_environment(model=f"{provider}/any")["keys_in_environment"]:
            yield False, provider, f"{' and '.join(filled)} is set, but this litellm looks elsewhere"
        else:
            yield True, provider, f"{' and '.join(filled)} is set"


def _embedded() -> Iterator[Line]:
    from auditkit.cli.models import embedded_state

    state = embedded_state()
    yield state.ready or None, "weights", state.sentence


def _database(path: Path) -> Iterator[Line]:
    from auditkit.store import Store, migrations

    folder = path.absolute().parent
    if not path.exists():
        writable = folder.is_dir() and os.access(folder, os.W_OK)
        yield (
            None if writable else False,
            str(path),
            "not there yet; a run makes it"
            if writable
            else f"cannot be made: {folder} is no folder that can be written",
        )
        return
    try:
        with Store.read(path) as store:
            version = store.value("pragma user_version")
            count = store.value("select count(*) from runs")
            replies = store.value("select count(*) from replies")
    except AuditError as error:
        yield False, str(path), str(error)
        return
    yield True, str(path), f"readable: {count:,} runs, {replies:,} replies, {path.stat().st_size / 1e6:,.1f} MB"
    yield version == len(migrations()), "schema", f"version {version}, this auditkit knows {len(migrations())}"
    # SQLite writes a log beside the file, so the folder counts as well
    blocked = [str(place) for place in (path, folder) if not os.access(place, os.W_OK)]
    yield (
        not blocked,
        "writing",
        f"cannot write to {' and '.join(blocked)}" if blocked else "the file and its folder can be written",
    )


def _content(options: dict[str, Any]) -> Iterator[Line]:
    try:
        content = load(options["prompts"], options["personas"], options["translations"])
    except AuditError as error:
        yield False, "content", str(error)
        return
    yield (
        True,
        "dilemmas",
        ", ".join(
            f"{name} {sum(d.dimension == name for d in content.dilemmas.values())}" for name in content.dimensions
        ),
    )
    yield True, "countries", f"{len(content.countries)}; editions of scores: {', '.join(content.editions)}"
    yield from _translations(content)


def _translations(content: Content) -> Iterator[Line]:
    from auditkit.data import ENGLISH

    without = []
    alike: dict[str, list[str]] = {}  # languages with the same counts share a line
    for lang in dict.fromkeys(c.language for c in content.countries.values()):
        if lang == ENGLISH:
            continue
        try:
            lines = content.translations(lang)
        except AuditError as error:
            yield False, lang, str(error)
            continue
        if not lines:
            without.append(f"{content.language_name(lang)} ({lang})")
            continue
        dilemmas = len({line.id for line in lines if line.kind == "dilemma"})
        words = f"{len(lines)} lines, {dilemmas} of {len(content.dilemmas)} dilemmas"
        rejected = sum(line.status == "rejected" for line in lines)
        if rejected:
            words += f", {rejected} lines rejected"
        if not any(line.kind == "instruction" for line in lines):
            yield (
                False,
                f"{content.language_name(lang)} ({lang})",
                words + "; the instruction is missing, so nothing can be sent",
            )
        else:
            alike.setdefault(words, []).append(f"{content.language_name(lang)} ({lang})")
    for words, languages in alike.items():
        if len(languages) == 1:
            yield True, languages[0], words
        else:
            yield True, f"{len(languages)} languages", f"{words} each: {', '.join(languages)}"
    if without:
        yield None, f"no translation in {len(without)} languages", ", ".join(without)


def _gpu(*, deep: bool) -> Iterator[Line]:
    version = _version("torch")
    if version is None:
        yield None, "torch", 'is not installed; local models need it: pip install "auditkit[local]"'
        return
    if not deep:
        yield None, f"torch {version}", "not asked for a GPU; auditkit doctor --deep does"
        return
    try:
        import torch
    except (ImportError, OSError) as error:  # a torch that was built for another driver fails in either way
        yield False, f"torch {version}", f"cannot be imported: {error}"
        return
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(index).total_memory
            yield True, f"cuda:{index}", f"{torch.cuda.get_device_name(index)}, {memory / 2**30:.0f} GiB"
    elif torch.backends.mps.is_available():
        yield True, "mps", "the GPU of this Mac"
    else:
        yield None, f"torch {version}", "sees no GPU: local models run on the processor, slowly"
