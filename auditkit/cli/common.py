"""Options and helpers that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auditkit.errors import AuditError, unknown

if TYPE_CHECKING:
    from auditkit.data import Content, Country
    from auditkit.limits import Budget
    from auditkit.plan import ModelSpec
    from auditkit.store import Store

F = TypeVar("F", bound=Callable[..., Any])

db_option = click.option(
    "--db", type=click.Path(path_type=Path), default=Path("auditkit.db"), envvar="AUDITKIT_DB", show_default=True,
    help="The SQLite file that holds everything.",
)  # fmt: skip
run_option = click.option(
    "--run", "run_name", metavar="ID", help="The run, by the beginning of its id; default: the latest."
)
edition_option = click.option(
    "--edition", default="paper", show_default=True, help="Edition of the scores: paper, cf or 2015."
)


def content_options(command: F) -> F:
    """--prompts, --personas, --translations: a user's own content."""
    folder = click.Path(path_type=Path)
    for name, what in (
        ("translations", "translation files (xxx_Yyyy.jsonl)"),
        ("personas", "countries.yaml and templates.yaml"),
        ("prompts", "dilemmas/*.yaml, judges/*.md"),
    ):
        command = click.option(
            f"--{name}", type=folder, envvar=f"AUDITKIT_{name.upper()}", help=f"Folder with your own {what}."
        )(command)
    return command


def load(prompts: Path | None, personas: Path | None, translations: Path | None) -> Content:
    from auditkit.data import load_content

    return load_content(prompts, personas, translations)


def own_countries(personas: Path | None) -> dict[str, Country] | None:
    """The countries of a user's own folder; None for those that ship."""
    from auditkit.data import load_countries

    return load_countries(personas)[0] if personas else None


def names(values: tuple[str, ...]) -> list[str]:
    """Values given several times or with commas, as one list."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def named(values: tuple[str, ...], find: Callable[[str], object]) -> list[str]:
    """Like `names`, for names that may hold a comma themselves ("Korea, South"): a whole value that is known stays whole."""
    out: list[str] = []
    for value in values:
        try:
            find(value)
            out.append(value)
        except AuditError:
            out += names((value,))
    return out


def parameters(values: tuple[str, ...]) -> dict[str, Any]:
    """`--param key=value` pairs. Numbers, true, false, null and none are read as such; anything else is text."""
    import json

    from auditkit.identity import canonical_json

    out: dict[str, Any] = {}
    for value in values:
        key, sign, text = value.partition("=")
        if not sign or not key:
            raise AuditError(f"--param {value!r}: write it as NAME=VALUE")
        try:
            out[key] = None if text.lower() == "none" else json.loads(text)
        except json.JSONDecodeError:
            out[key] = text
        try:
            canonical_json(out[key])
        except ValueError:
            raise AuditError(f"--param {value!r}: NaN and infinity are no values") from None
    return out


def check_edition(countries: Iterable[Mapping[str, Any]], edition: str) -> None:
    """Raise AuditError for an edition that none of the countries has scores of."""
    editions = {name for country in countries for name in country["scores"]}
    if edition not in editions:
        raise unknown("edition", edition, editions)


def check_run_edition(run: Any, edition: str) -> None:
    """The same for the countries of a stored run."""
    import json

    check_edition(json.loads(run["manifest"])["countries"].values(), edition)


def hold_budget(
    store: Store, run_id: str, budget: Budget, specs: Iterable[ModelSpec], limit: float | None, *, allow_unpriced: bool
) -> None:
    """Put a run under a budget, what earlier sessions spent included; None sets none.

    Raises AuditError for a model whose price nobody knows, unless the user allows it.
    """
    if limit is None:
        return
    from auditkit.models.registry import is_free

    budget.limit = limit
    budget.spent = store.value("select coalesce(sum(cost_usd), 0) from attempts where run_id = ?", (run_id,))
    for spec in specs:
        if is_free(spec) or allow_unpriced:
            continue
        from auditkit.models.api import prices

        if prices(spec.provider, spec.model) is None:
            raise AuditError(
                f"{spec.name} has no known price, so --budget cannot hold; add --allow-unpriced to run it all the same"
            )


def cut_off(run: Mapping[str, Any]) -> str | None:
    """What to tell of a run (a row of `runs`) whose cells are not all written; None for a whole one."""
    if run["planned_at"] is not None:
        return None
    what = "import" if run["kind"] == "import" else "plan"
    return (
        f"this {what} was cut off, or is under way: figures are of a part of it. If nothing writes it, run its command again "
        f"({run['command']})"
    )


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table that a command was asked to write beside what it prints: UTF-8 with the mark that Excel needs."""
    import csv

    try:
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(head)
            writer.writerows(rows)
    except OSError as error:
        raise AuditError(f"{path} cannot be written: {error.strerror or error}") from None
