"""Writes what a survey has found in order as a run of the kind `import`.

A run's id follows from the files' content and how they were read, so the same files are the same run. Rows go in by batches, and
what is there already is left alone: cut off by Ctrl-C or a full disk, the same command goes on.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from typing import Any

from auditkit import __version__
from auditkit.data import Content
from auditkit.identity import digest, request_body, request_key
from auditkit.importers import NOT_PUBLISHED
from auditkit.importers.layout import Layout, Record, RowError, Table
from auditkit.importers.survey import Survey, numbered
from auditkit.importers.wordings import named_order
from auditkit.judge.gate import GATE, GATE_KEY
from auditkit.plan import MODES
from auditkit.store import Store, now, storable

VERSION = 1  # raise it when a row comes to be read otherwise: the same files are then another run
JUDGE = "published"
_BATCH = 500


def run_id(layout: Layout, found: Survey) -> str:
    """Identity of an import: the files by content, how they are read, and which of their rows are left out."""
    left_out = sorted([why, n] for (_, why), n in (found.left_out + found.troubles).items())
    return digest("r1", {"import": layout.source, "version": VERSION, "left_out": left_out, **layout.identity})


def judge_row(layout: Layout) -> dict[str, Any]:
    """The row of `judges` for whoever made the labels; labels that are taken to mean something else are another judge's."""
    config = {"source": layout.source, "version": VERSION, "labels": layout.meanings}
    return {
        "judge_key": digest("j1", {"name": JUDGE, **config}),
        "name": JUDGE,
        "kind": "published",
        "task": "stance",
        "model": None,
        "config": json.dumps(config),
    }


def write(
    store: Store, layout: Layout, found: Survey, content: Content, name: str, command: str, *, kind: str = "import"
) -> bool:
    """Write everything as the run `name` of this kind (import, calibration); False where that run is there already, and nothing was to do.

    `found` is the survey of this layout: rows that it left out are left out here.
    """
    judge = judge_row(layout) if layout.has_labels else None
    if not store.begin_run(name, command, _manifest(layout, found, content, name, judge), kind=kind):
        return False
    if judge is not None:
        store.ask_judge(name, judge, [""])
    if not layout.has_replies:
        store.ask_judge(name, GATE, [""])
    batch = _Batch(store, name, judge["judge_key"] if judge else None)
    position = 0
    for table, number, record in numbered(layout):
        if not isinstance(record, RowError):
            batch.add(table, number, record, position)
            position += 1
    batch.flush()
    store.finish_plan(name)
    return True


def _manifest(
    layout: Layout, found: Survey, content: Content, name: str, judge: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What an audit's manifest says, and where the rows came from."""
    models = sorted({model for model, _, _ in found.groups})
    modes = {mode for _, mode, _ in found.groups}
    dimensions = {dimension for _, _, dimension in found.groups}
    set_aside = []
    for (model, mode, dimension), group in found.groups.items():
        for country in content.countries.values() if group.countries else ():
            if country.iso3 not in group.countries:
                why = f"not in the imported data of {model}, {dimension}"
                set_aside.append({"mode": mode, "what": country.iso3, "reason": why, "count": 1})
    for (file, why), n in found.left_out.items():
        set_aside.append({"mode": "import", "what": file, "reason": f"{why}, {n:,} rows", "count": 1})
    return {
        "auditkit": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "spec": {
            "dimensions": [d for d in content.dimensions if d in dimensions],
            "modes": [m for m in MODES if m in modes],
            "models": [{"name": model, "provider": "import", "model": model, "params": {}} for model in models],
            "samples": max(group.samples for group in found.groups.values()),
        },
        "run_id": name,
        "cells": found.cells,
        "import": {
            "source": layout.source,
            "version": VERSION,
            "texts": "published" if layout.has_replies else NOT_PUBLISHED,
            "files": [
                {
                    "name": t.path.name,
                    "sha256": t.digest.removeprefix("sha256:"),
                    "rows": found.rows[t.digest],
                    "encoding": t.encoding,
                    "bytes_read_as_cp1252": t.mended,
                }
                for t in layout.tables
            ],
            "left_out": [{"file": f, "reason": why, "rows": n} for (f, why), n in found.left_out.items()],
            "labels_not_understood": [{"file": f, "why": why, "rows": n} for (f, why), n in found.troubles.items()],
            "notes": found.notes,
        },
        "dimensions": {
            d: content.dimensions[d].model_dump(include={"title", "score", "first", "second"})
            for d in content.dimensions
            if d in dimensions
        },
        "countries": {
            c.iso3: c.model_dump(include={"title", "language", "language_name", "resource_level", "m49", "scores"})
            for c in content.countries.values()
        },
        "editions": content.editions,
        "set_aside": set_aside,
        "judges": [{**judge, "config": json.loads(judge["config"])}] if judge else [],
        "temperature": dict.fromkeys(models, "not known: imported"),
    }


class _Batch:
    """Rows for every table, written some hundred records at a time."""

    _TABLES = ("items", "options", "personas", "translations", "requests", "cells", "replies", "screens", "verdicts")

    def __init__(self, store: Store, run: str, judge_key: str | None) -> None:
        self.store = store
        self.run = run
        self.judge_key = judge_key
        self.stamp = now()
        self.size = 0
        self.rows: dict[str, list[dict[str, Any]]] = {table: [] for table in self._TABLES}
        self._known: set[str] = set()  # keys of items, personas and translations that need no second insert

    def add(self, table: Table, number: int, record: Record, position: int) -> None:
        item_key = self._item(record)
        persona_key = self._persona(record) if record.mode in {"persona", "crossed"} else None
        translation_key = self._translation(record, item_key) if record.translated is not None else None
        # One reply a row, whoever else asked the same. A row that is read otherwise (options the other way round, another country
        # or language) is another request, so that no verdict or label is taken over that was given of something else.
        read_as = [item_key, record.mode, record.country, record.lang, persona_key, translation_key]
        body = request_body(
            provider="import",
            model=record.model,
            revision=None,
            messages=[] if record.sent is None else [{"role": "user", "content": record.sent}],
            params={"file": table.digest, "row": number, "read_as": digest("s1", read_as)},
            sample=record.sample or 0,
        )
        key = request_key(body)
        self.rows["requests"].append(
            {
                **body,
                "request_key": key,
                "messages": None if record.sent is None else _json(body["messages"]),
                "params": _json(body["params"]),
            }
        )
        self.rows["cells"].append(
            {
                "run_id": self.run,
                "position": position,
                "item_key": item_key,
                "mode": record.mode,
                "country": record.country,
                "persona_key": persona_key,
                "lang": record.lang,
                "translation_key": translation_key,
                "model": record.model,
                "option_order": named_order(record.scenario, record.a, record.b),
                "sample": record.sample or 0,
                "request_key": key,
            }
        )
        text = record.reply or ""
        self.rows["replies"].append(
            {
                "request_key": key,
                "status": "ok" if text.strip() or record.reply is None else "empty",
                "text": storable(text),
                "finish_reason": NOT_PUBLISHED if record.reply is None else None,
                "created_at": self.stamp,
            }
        )
        if record.reply is None:  # the gate must not take a text that was never published for an empty reply
            self.rows["screens"].append({"request_key": key, "judge_key": GATE_KEY, "created_at": self.stamp})
        if record.said is not None and self.judge_key is not None:
            self.rows["verdicts"].append(
                {
                    "request_key": key,
                    "judge_key": self.judge_key,
                    "presentation": "",
                    "status": "ok" if record.outcome else "parse_failed",
                    "outcome": record.outcome,
                    "option_id": record.option_id,
                    "detail": _json({"label": record.label}),
                    "raw": storable(record.said),
                    "created_at": self.stamp,
                }
            )
        self.size += 1
        if self.size == _BATCH:
            self.flush()

    def flush(self) -> None:
        for table, rows in self.rows.items():
            self.store.insert(table, rows)
            rows.clear()
        self.size = 0

    def _new(self, key: str) -> bool:
        if key in self._known:
            return False
        self._known.add(key)
        return True

    def _item(self, record: Record) -> str:
        body = _text([record.scenario] if record.scenario else [], record)
        key = digest("i1", {"id": record.item_id, "dimension": record.dimension, **body})
        if self._new(key):
            self.rows["items"].append(
                {
                    "item_key": key,
                    "item_id": record.item_id,
                    "dimension": record.dimension,
                    "domain": "imported",
                    "body": _json(body),
                }
            )
            self.rows["options"] += [
                {"item_key": key, "option_id": "a", "position": 0, "pole": "first", "text": record.a},
                {"item_key": key, "option_id": "b", "position": 1, "pole": "second", "text": record.b},
            ]
        return key

    def _persona(self, record: Record) -> str:
        template = record.template or JUDGE
        identity = {"template": template, "country": record.country, "lang": record.lang, "text": record.persona}
        key = digest("p1", identity)
        if self._new(key):
            self.rows["personas"].append(
                {
                    "persona_key": key,
                    "template_id": template,
                    "country": record.country,
                    "strength": record.strength or "unknown",
                    "lang": record.lang,
                    "text": record.persona,
                }
            )
        return key

    def _translation(self, record: Record, item_key: str) -> str:
        body = _text([record.translated or ""], record)
        identity = {"lang": record.lang, "kind": "dilemma", "id": record.item_id, "country": "", "text": body}
        key = digest("t1", identity)
        if self._new(key):
            self.rows["translations"].append(
                {
                    "translation_key": key,
                    "item_key": item_key,
                    "lang": record.lang,
                    "translator": JUDGE,
                    "engine": "{}",
                    "body": _json(body),
                    "source": digest("s1", _text([record.scenario], record)),
                    "status": "ok",
                }
            )
        return key


def _text(scenario: list[str], record: Record) -> dict[str, Any]:
    """A dilemma's words as an item or a translation holds them: imported ones have no question apart from the scenario."""
    return {"scenario": scenario, "a": record.a, "b": record.b, "question_ab": "", "question_ba": ""}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
