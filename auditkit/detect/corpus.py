"""The replies of a model to personas, as the corpus figures (marked words, individuation) want them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from auditkit.data import Country
from auditkit.judge.gate import GATE_KEY
from auditkit.store import Store

MODES = ("persona", "crossed")  # words of multilingual replies differ because their languages do


@dataclass
class Corpus:
    """The English replies of one model in one mode, an entry a reply in each list."""

    model: str
    mode: str
    texts: list[str] = field(default_factory=list)
    countries: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    left_out: int = 0  # replies in another language, or with nothing to read


def read_corpora(store: Store, run_ids: Sequence[str]) -> list[Corpus]:
    """The runs' replies to personas by model and mode; every text is held in memory."""
    found: dict[tuple[str, str], Corpus] = {}
    marks = ", ".join("?" * len(run_ids))
    for row in store.rows(
        "select distinct c.model, c.mode, c.country, i.item_id, c.request_key, r.text, s.degenerate, s.reply_lang from cells c"
        " join items i using (item_key) join replies r using (request_key)"
        " left join screens s on s.request_key = c.request_key and s.judge_key = ?"
        f" where c.run_id in ({marks}) and c.mode in ('persona', 'crossed') order by c.model, c.mode",
        (GATE_KEY, *run_ids),
    ):
        corpus = found.setdefault((row["model"], row["mode"]), Corpus(row["model"], row["mode"]))
        if row["degenerate"] is not None or row["reply_lang"] not in {None, "en"} or not row["text"]:
            corpus.left_out += 1
            continue
        corpus.texts.append(row["text"])
        corpus.countries.append(row["country"])
        corpus.items.append(row["item_id"])
    return list(found.values())


def names_of(countries: Iterable[Country]) -> list[str]:
    """Every name of every country and its people."""
    out: list[str] = []
    for country in countries:
        out += [country.name, country.title, *country.aliases, *country.demonyms, *country.endonyms]
    return [name for name in out if name]
