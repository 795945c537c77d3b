"""Looks through everything that is to be imported before any of it is written, so that a fault in the last row stores nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from auditkit.data import Content
from auditkit.errors import AuditError
from auditkit.importers.layout import Layout, Record, RowError, Table, listed
from auditkit.judge.gate import degenerate

_SHOWN = 3  # faults that an error message spells out
_SHORT = 120  # characters up to which the gate looks at a reply without searching it for loops


@dataclass
class Group:
    """What came in for one model, mode and dimension."""

    rows: int = 0
    countries: set[str] = field(default_factory=set)
    items: set[str] = field(default_factory=set)
    samples: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)  # first, second, unclear, unlabelled
    degenerate: Counter[str] = field(default_factory=Counter)


@dataclass
class Survey:
    """What there is to import: groups by (model, mode, dimension), and what is left out or not understood, by reason."""

    groups: dict[tuple[str, str, str], Group] = field(default_factory=dict)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)  # (file, reason)
    troubles: Counter[tuple[str, str]] = field(default_factory=Counter)  # (file, label that could not be read)
    rows: Counter[str] = field(default_factory=Counter)  # by a file's digest
    notes: list[str] = field(default_factory=list)

    @property
    def cells(self) -> int:
        return sum(group.rows for group in self.groups.values())


def survey(
    layout: Layout, content: Content, *, skip_unknown: bool = False, skip_bad: bool = False, strict: bool = False
) -> Survey:
    """Read every row. Raises AuditError for the first faults unless the user leaves such rows out, and if no row is left.

    A label that cannot be read is a fault too; with `skip_bad` its reply is kept and counted as unlabelled. strict: no row may be
    left out, and the error names no option for it.
    """
    found = Survey()
    faults: list[str] = []
    options: set[str] = set()
    n_faults = 0
    for table, number, record in numbered(layout):
        found.rows[table.digest] += 1
        place = f"{table.path.name} row {number}"
        fault = record if isinstance(record, RowError) else None
        trouble = "" if isinstance(record, RowError) else record.trouble
        if fault is not None and (skip_unknown if fault.country else skip_bad):
            found.left_out[table.path.name, fault.what] += 1
        elif fault is not None or (trouble and not skip_bad):
            n_faults += 1
            options.add("--skip-unknown" if fault is not None and fault.country else "--skip-bad")
            if len(faults) < _SHOWN:
                faults.append(f"{place}: {fault or trouble}")
        if isinstance(record, RowError):
            continue
        if trouble:
            found.troubles[table.path.name, trouble] += 1
        _count(found, record)
    if n_faults:
        more = f"; and {n_faults - len(faults):,} more rows" if n_faults > len(faults) else ""
        way_out = f"{' and '.join(sorted(options))} would leave such rows out, and count them"
        raise AuditError(f"{'; '.join(faults)}{more}. Nothing was imported; {'mend the table' if strict else way_out}")
    if not found.groups:
        raise AuditError("there is no row to import" + (": all were left out" if found.left_out else ""))
    found.notes = [*layout.notes(), *_doubts(found, content)]
    return found


def _count(found: Survey, record: Record) -> None:
    group = found.groups.setdefault((record.model, record.mode, record.dimension), Group())
    group.rows += 1
    if record.country is not None:
        group.countries.add(record.country)
    group.items.add(record.item_id)
    group.samples = max(group.samples, (record.sample or 0) + 1)
    if record.said is not None:
        name = {"a": "first", "b": "second"}.get(record.option_id or "", record.outcome or "unlabelled")
        group.outcomes[name] += 1
    if record.reply is not None and len(record.reply) <= _SHORT and (why := degenerate(record.reply)):
        group.degenerate[why] += 1


def _doubts(found: Survey, content: Content) -> list[str]:
    """Countries that do not come, and replies with no text to judge: what a reader must know before quoting a figure."""
    out = []
    for (model, mode, dimension), group in found.groups.items():
        where = f"{model} {mode} {dimension}"
        missing = [c.title for c in content.countries.values() if c.iso3 not in group.countries]
        if group.countries and missing:
            out.append(
                f"{where}: {len(group.countries)} of {len(content.countries)} countries; not there: {listed(missing)}"
            )
        if group.degenerate:
            n = group.degenerate.total()
            kinds = ", ".join(f"{kind} {k:,}" for kind, k in group.degenerate.items())
            out.append(
                f"{where}: {n:,} of {group.rows:,} replies hold no text to judge ({kinds}); a published label on them is no"
                " reading of the reply, and the gate sets them aside as soon as another judge is asked"
            )
    return out


def numbered(layout: Layout) -> Iterator[tuple[Table, int, Record | RowError]]:
    """Every row with its sample: as the table says, else the number of earlier rows that ask the same."""
    counts: Counter[tuple[str | None, ...]] = Counter()
    given: set[tuple[object, ...]] = set()
    for table in layout.tables:
        for number, record in layout.records(table):
            if isinstance(record, RowError):
                yield table, number, record
                continue
            spoilt = next(
                (name for name in (record.model, record.item_id, record.template) if not name.isprintable()), ""
            )
            if spoilt:  # names are printed wherever a figure is
                message = f"a name with line breaks or control characters: {spoilt!r}"
                yield table, number, RowError("name with control characters", message)
                continue
            key = (
                record.model,
                record.mode,
                record.dimension,
                record.country,
                record.lang,
                record.template,
                record.item_id,
            )
            if record.sample is None:
                yield table, number, replace(record, sample=counts[key])
                counts[key] += 1
            elif (*key, record.sample) in given:
                yield (
                    table,
                    number,
                    RowError("asked twice", f"another row has this question and sample {record.sample}"),
                )
            else:
                given.add((*key, record.sample))
                yield table, number, record
