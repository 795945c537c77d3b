"""The table of marked words: the one table that needs the replies themselves."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, cast

from auditkit.data import Content
from auditkit.report.columns import frame
from auditkit.report.findings import Findings
from auditkit.store import Store

if TYPE_CHECKING:
    import pandas as pd

MOST_REPLIES = 40_000  # replies to a persona up to which words are marked unasked: every text is held in memory


def add_words(
    store: Store, findings: Findings, run_ids: Sequence[str], content: Content, *, wanted: bool | None
) -> None:
    """Fill the table `words` of the findings, or say in a note why it stays empty. wanted: None leaves it to the number of replies."""
    from auditkit.detect.corpus import names_of, read_corpora
    from auditkit.detect.marked import marked_words

    marks = ", ".join("?" * len(run_ids))
    count = store.value(
        f"select count(*) from cells where run_id in ({marks}) and mode in ('persona', 'crossed')", tuple(run_ids)
    )
    if wanted is False or not count:
        return
    if wanted is None and count > MOST_REPLIES:
        findings.notes.append(
            f"Words were not marked in {count:,} replies to a persona: --words does, with all of them in memory."
        )
        return
    names = names_of(content.countries.values())
    rows = [
        {
            "model": corpus.model,
            "mode": corpus.mode,
            "iso3": w.country,
            "word": w.word,
            "z": w.z,
            "rate": w.rate,
            "fdr": w.fdr,
        }
        for corpus in read_corpora(store, run_ids)
        for w in marked_words(corpus.texts, corpus.countries, corpus.items, names=names).words
    ]
    tables = cast("MutableMapping[str, pd.DataFrame]", findings.tables)
    tables["words"] = frame("words", rows)
