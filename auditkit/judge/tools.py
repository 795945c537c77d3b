"""What an investigator may look up: a country's names, the language of a passage, and the run's other replies."""

from __future__ import annotations

import json
from collections.abc import Callable

from auditkit.data import Content, load_content
from auditkit.errors import AuditError
from auditkit.judge.gate import iso_codes
from auditkit.language import identify
from auditkit.store import Store

_SHOWN = 5  # countries that are named for a phrase


class Tools:
    """The tools that need no model. Each takes a text and returns one line of JSON; what cannot be done is an `error` there."""

    def __init__(self, store: Store, run_id: str, content: Content | None = None) -> None:
        self._store = store
        self._run_id = run_id
        self._content = content or load_content()
        self._languages = tuple(sorted(set(iso_codes(self._content.countries).values())))
        self._tools: dict[str, Callable[[str], dict[str, object]]] = {
            "country_table": self.country_table,
            "identify_language": self.identify_language,
            "search_replies": self.search_replies,
        }

    def use(self, tool: str, argument: str) -> str:
        """The result of a tool as JSON."""
        try:
            result = self._tools[tool](argument)
        except AuditError as error:
            result = {"error": str(error)}
        return json.dumps(result, ensure_ascii=False)

    def country_table(self, name: str) -> dict[str, object]:
        """Names and language of a country. No scores: an investigator that knew them would find what they predict."""
        country = self._content.country(name)
        return {
            "country": country.title,
            "language": country.language_name,
            "language_own_name": country.autonym,
            "people": list(country.demonyms),
            "own_names": list(country.endonyms),
        }

    def identify_language(self, text: str) -> dict[str, object]:
        """The likeliest language of a passage among those of the study, with its probability."""
        code, probability = identify(text, self._languages)
        return {"language": code, "probability": round(probability, 3), "among": list(self._languages)}

    def search_replies(self, phrase: str) -> dict[str, object]:
        """How many replies of the run hold a phrase, to the letter, and for which countries."""
        if not phrase.strip():
            raise AuditError("an empty phrase is in every reply")
        found = {
            row["country"] or "no country": row["n"]
            for row in self._store.rows(
                "select c.country, count(distinct c.request_key) as n from cells c join replies r using (request_key)"
                " where c.run_id = ? and instr(r.text, ?) group by 1 order by n desc, 1",
                (self._run_id, phrase),
            )
        }
        replies = self._store.value("select count(distinct request_key) from cells where run_id = ?", (self._run_id,))
        shown = dict(list(found.items())[:_SHOWN])
        return {"replies_with_it": sum(found.values()), "of": replies, "countries": len(found), "most_often": shown}
