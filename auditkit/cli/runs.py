"""`auditkit runs`: list, show and compare runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import db_option

if TYPE_CHECKING:
    import sqlite3

    from auditkit.store import Store

_NAMED = 40  # ids that a line of a comparison lists before it says how many more there are


@click.group(invoke_without_command=True)
@db_option
@click.pass_context
def runs(ctx: click.Context, /, **options: Any) -> int:
    """List the runs of the database; `show` one, `compare` two.

    \b
      auditkit runs
      auditkit runs show a16e
      auditkit runs compare a16e 77b0
    """  # noqa: D301
    if ctx.invoked_subcommand is not None:
        return 0
    from rich.text import Text

    from auditkit.cli.render import console, table, visible
    from auditkit.store import Store

    shown = table()
    for name, justify in (("run", "left"), ("when (UTC)", "left"), ("command", "left"), ("cells", "right"), ("answered", "right"), ("judges", "left"), ("cost", "right")):  # fmt: skip
        shown.add_column(name, justify=justify, overflow="fold", no_wrap=name in ("run", "when (UTC)"))  # type: ignore[arg-type]
    with Store.read(options["db"]) as store:
        rows = list(store.rows("select * from runs order by created_at desc, rowid desc"))
        for row in rows:
            cells, answered = _answered(store, row["run_id"])
            judges = ", ".join(j["name"] for j in _judges(store, row["run_id"]))
            shown.add_row(
                Text(short(row["run_id"])),
                row["created_at"][:16].replace("T", " "),
                Text(visible(row["command"]) + ("" if row["kind"] == "audit" else f" ({row['kind']})")),
                f"{cells:,}" + ("" if row["planned_at"] else " so far"),
                f"{answered:,}",
                Text(judges or "-"),
                _cost(_spend(store, row["run_id"])),
            )
    if not rows:
        console(stderr=True).print(f"{options['db']} holds no run yet; start with `auditkit run`", highlight=False)
        return 0
    console().print(shown)
    return 0


@runs.command()
@click.argument("name", metavar="ID")
@db_option
@click.pass_context
def show(ctx: click.Context, /, **options: Any) -> int:
    """What a run asked, of whom, with which content and versions, what was set aside, and what it cost.

    ID is the beginning of the run's id.
    """
    from rich.text import Text

    from auditkit.cli.render import console, table, visible
    from auditkit.store import Store

    with Store.read(_db(ctx)) as store:
        row = store.latest_run(options["name"])
        sections = list(_sections(store, row))
    out = console()
    out.print(Text(row["run_id"], style="bold"))
    for title, lines in sections:
        out.print(Text(f"\n{title}", style="bold"))  # not the table's title, which is folded to the table's width
        shown = table(show_header=False, show_edge=False)
        shown.add_column(style="dim", no_wrap=True)
        shown.add_column(overflow="fold")
        for name, value in lines:
            shown.add_row(Text(visible(name)), Text(visible(value)))
        out.print(shown)
    return 0


@runs.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@db_option
@click.pass_context
def compare(ctx: click.Context, /, **options: Any) -> int:
    """What differs between two runs in plan, content and versions. A and B are the beginnings of their ids."""
    from rich.text import Text

    from auditkit.cli.render import console, table, visible
    from auditkit.store import Store

    out = console()
    with Store.read(_db(ctx)) as store:
        one, other = store.latest_run(options["first"]), store.latest_run(options["second"])
        if one["run_id"] == other["run_id"]:
            out.print("the same run")
            return 0
        found = [
            *manifest_differences(json.loads(one["manifest"]), json.loads(other["manifest"])),
            *content_differences(store, one["run_id"], other["run_id"]),
        ]
        shared = store.value(
            "select count(*) from (select request_key from cells where run_id = ? intersect"
            " select request_key from cells where run_id = ?)",
            (one["run_id"], other["run_id"]),
        )
        sizes = [
            store.value("select count(distinct request_key) from cells where run_id = ?", (run["run_id"],))
            for run in (one, other)
        ]
    shown = table()
    shown.add_column("what", overflow="fold")
    shown.add_column("field", overflow="fold")
    for run in (one, other):
        shown.add_column(short(run["run_id"]), overflow="fold")
    before = ""
    for what, field, left, right in found:
        shown.add_row("" if what == before else what, *[Text(visible(v, 600)) for v in (field, left, right)])
        before = what
    out.print(shown)
    out.print(
        f"requests in common, which share their replies: {shared:,} (of {sizes[0]:,} and {sizes[1]:,})", highlight=False
    )
    return 0


def short(run_id: str) -> str:
    """The beginning of a run's id, as long as a person types it."""
    return run_id.removeprefix("r1:")[:8]


def _db(ctx: click.Context) -> Any:
    """The database: named after the subcommand, else before it (`runs --db X show ID`), else as everywhere."""
    from click.core import ParameterSource

    assert ctx.parent is not None
    named = ctx.get_parameter_source("db") is ParameterSource.COMMANDLINE
    return (ctx if named else ctx.parent).params["db"]


# ------------------------------------------------------------------------------------------------------- one run


def _answered(store: Store, run_id: str) -> tuple[int, int]:
    row = next(
        store.rows(
            "select count(*) as cells, count(r.request_key) as answered from cells c left join replies r using (request_key)"
            " where c.run_id = ?",
            (run_id,),
        )
    )
    return row["cells"], row["answered"]


def _judges(store: Store, run_id: str) -> list[sqlite3.Row]:
    return list(
        store.rows(
            "select j.*, rj.presentations from run_judges rj join judges j using (judge_key)"
            " where rj.run_id = ? and j.task <> 'gate' order by j.name, j.judge_key",
            (run_id,),
        )
    )


def _spend(store: Store, run_id: str) -> list[sqlite3.Row]:
    return list(store.rows("select * from spend where run_id = ? order by stage", (run_id,)))


def _cost(spend: Iterable[sqlite3.Row]) -> str:
    """Dollars, and how many calls have no known price: unknown is never free."""
    spend = list(spend)
    usd = sum(row["usd"] or 0.0 for row in spend)
    unpriced = sum(row["unpriced_calls"] or 0 for row in spend)
    return f"${usd:,.4f}" + (f" + {unpriced:,} unpriced" if unpriced else "")


def _words(value: object) -> str:
    """A value of the manifest for people."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)


def _sections(store: Store, row: sqlite3.Row) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(title, lines of name and value) for everything that `show` prints."""
    run_id = row["run_id"]
    manifest = json.loads(row["manifest"])
    spec = manifest.get("spec") or {}
    cells, answered = _answered(store, run_id)
    planned = row["planned_at"]
    yield (
        "Plan",
        [
            ("command", row["command"]),
            ("made", row["created_at"] + ("" if row["kind"] == "audit" else f" ({row['kind']})")),
            ("cells", f"{cells:,}" + ("" if planned else ", planning was cut off: run the command again")),
            ("answered", f"{answered:,}"),
            *[
                (name, _words(value))
                for name, value in spec.items()
                if name != "models" and value not in (None, [], False, "")
            ],
        ],
    )
    models = []
    for model in spec.get("models") or []:
        revision = f"  revision {model['revision']}" if model.get("revision") else ""
        models.append((model["name"], f"{_words(model['params'])}{revision}"))
    temperature = [
        (f"temperature of {name}", _words(value)) for name, value in (manifest.get("temperature") or {}).items()
    ]
    yield "Models and their parameters", models + temperature
    yield "Content", list(_content(store, run_id, manifest))
    packages = manifest.get("packages") or {}
    versions = [(name, manifest[name]) for name in ("auditkit", "python", "platform") if manifest.get(name)]
    yield "Versions", versions + sorted(packages.items())
    aside = [
        (
            f"{entry['mode']}, {entry['what']}",
            entry["reason"] + (f" ({entry['count']} dilemmas)" if entry.get("count", 1) > 1 else ""),
        )
        for entry in manifest.get("set_aside") or []
    ]
    yield "Set aside", aside or [("nothing", "")]
    judges = []
    for judge in _judges(store, run_id):
        orders = [p or "as asked" for p in json.loads(judge["presentations"])]
        done = store.value(
            "select count(*) from verdicts where judge_key = ? and request_key in (select request_key from cells where run_id = ?)",
            (judge["judge_key"], run_id),
        )
        what = judge["kind"] + (f" {judge['model']}" if judge["model"] else "")
        judges.append(
            (judge["name"], f"{what}, option order {' and '.join(orders)}, {done:,} readings, {judge['judge_key']}")
        )
    yield "Judges", judges or [("none", "")]
    spend = _spend(store, run_id)
    lines = [(entry["stage"], f"{entry['calls']:,} calls, {_cost([entry])}") for entry in spend]
    if len(spend) > 1:
        lines.append(("in all", f"{sum(entry['calls'] for entry in spend):,} calls, {_cost(spend)}"))
    yield "Spend (a reply that an earlier run paid for costs this one nothing)", lines or [("nothing", "")]


def _content(store: Store, run_id: str, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for row in store.rows(
        "select i.dimension, count(distinct c.item_key) as n, min(i.item_id) as first, max(i.item_id) as last"
        " from cells c join items i using (item_key) where c.run_id = ? group by 1 order by 1",
        (run_id,),
    ):
        yield f"dilemmas of {row['dimension']}", f"{row['n']} ({row['first']} to {row['last']})"
    for row in store.rows(
        "select mode, count(distinct country) as countries, count(distinct lang) as languages, count(*) as cells"
        " from cells where run_id = ? group by 1 order by min(position)",
        (run_id,),
    ):
        yield (
            f"{row['mode']} mode",
            f"{row['cells']:,} cells; countries: {row['countries']}; languages: {row['languages']}",
        )
    for row in store.rows(
        "select p.template_id, p.lang, count(distinct p.persona_key) as n, min(p.text) as example"
        " from personas p where p.persona_key in (select persona_key from cells where run_id = ?) group by 1, 2 order by 1, 2",
        (run_id,),
    ):
        yield f"persona {row['template_id']}, {row['lang']}", f"{row['n']} sentences, such as: {row['example']}"
    for row in store.rows(
        "select t.lang, t.translator, t.status, count(distinct t.translation_key) as n from translations t"
        " where t.translation_key in (select translation_key from cells where run_id = ?) group by 1, 2, 3 order by 1, 2, 3",
        (run_id,),
    ):
        yield f"translations, {row['lang']}", f"{row['n']} by {row['translator']}, {row['status']}"
    instructions = manifest.get("instructions") or {}
    if instructions:
        yield "instruction", next(iter(instructions.values()))


# ------------------------------------------------------------------------------------------------------ two runs

_PLAN = ("spec", "cells", "judges", "temperature")
_VERSIONS = ("auditkit", "python", "platform", "packages")

Difference = tuple[str, str, str, str]


def _by_name(entries: object, *names: str) -> object:
    """A list of named things as a mapping, so that a comparison pairs what belongs together."""
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        return entries
    return {" ".join(str(e.get(name)) for name in names): e for e in entries}


def manifest_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    """(plan, content or versions; field; value in one; value in the other) for every field that differs."""
    from auditkit.verify import compare as fields

    def paired(manifest: Mapping[str, Any]) -> dict[str, Any]:
        spec = dict(manifest.get("spec") or {})
        spec["models"] = _by_name(spec.get("models"), "name")
        return {
            **{name: value for name, value in manifest.items() if name != "run_id"},
            "spec": spec,
            "judges": _by_name(manifest.get("judges"), "name"),
            "set_aside": _by_name(manifest.get("set_aside"), "mode", "what", "reason"),
        }

    found: list[Difference] = []
    for field, left, right in fields("", paired(one), paired(other)):
        top = field.partition(".")[0].partition("[")[0]
        what = "plan" if top in _PLAN else "versions" if top in _VERSIONS else "content"
        found.append((what, field.removeprefix("spec."), _shown(left), _shown(right)))
    order = {"plan": 0, "content": 1, "versions": 2}
    return sorted(found, key=lambda difference: order[difference[0]])


def _shown(value: object) -> str:
    return "-" if value is None else _words(value)


_SENT = (
    (
        "dilemmas",
        "select distinct i.item_id as name, i.item_key as key, i.body from cells c join items i using (item_key) where c.run_id = ?",
    ),
    (
        "personas",
        (
            "select distinct p.template_id || ' ' || p.country || ' ' || p.lang as name, p.persona_key as key,"
            " json_object('text', p.text) as body from cells c join personas p using (persona_key) where c.run_id = ?"
        ),
    ),
    (
        "translations",
        (
            "select distinct i.item_id || ' ' || t.lang as name, t.translation_key as key, t.body from cells c"
            " join translations t using (translation_key) join items i on i.item_key = t.item_key where c.run_id = ?"
        ),
    ),
)


def content_differences(store: Store, one: str, other: str) -> list[Difference]:
    """What was sent by only one of two runs, by name, and the fields in which one name stands for two wordings."""
    from auditkit.verify import compare as fields

    found: list[Difference] = []
    for what, sql in _SENT:
        left, right = (
            {row["name"]: (row["key"], row["body"]) for row in store.rows(sql, (run,))} for run in (one, other)
        )
        alone = sorted(left.keys() - right.keys()), sorted(right.keys() - left.keys())
        if any(alone):
            found.append((what, "only here", _listed(alone[0]), _listed(alone[1])))
        for name in sorted(left.keys() & right.keys()):
            if left[name][0] != right[name][0]:
                for field, mine, theirs in fields("", json.loads(left[name][1]), json.loads(right[name][1])):
                    found.append((what, f"{name}: {field}", _shown(mine), _shown(theirs)))
    return found


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "-"
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{len(names):,}: " + ", ".join(names[:_NAMED]) + more
