"""`auditkit detect words` and `auditkit detect individuation`: what a corpus of replies shows and no single reply does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditkit.cli.common import db_option, run_option, write_csv

if TYPE_CHECKING:
    from auditkit.detect.corpus import Corpus
    from auditkit.store import Store

_COLUMNS = ("model", "mode", "country", "word", "z", "replies", "rate", "rest", "fdr")


def _corpora(store: Store, run_id: str, model: str | None, mode: str | None) -> list[Corpus]:
    """The run's replies to personas, model by model. Raises AuditError where there is none, or a name is unknown."""
    from auditkit.detect.corpus import read_corpora
    from auditkit.errors import AuditError, unknown

    found = read_corpora(store, [run_id])
    if not found:
        raise AuditError(
            "this run has no replies to a persona; words of multilingual replies differ because their languages do"
        )
    for name, given, known in (("model", model, {c.model for c in found}), ("mode", mode, {c.mode for c in found})):
        if given is not None and given not in known:
            raise unknown(name, given, known)
    return [c for c in found if model in {None, c.model} and mode in {None, c.mode}]


@click.command("words")
@click.option(
    "--country", "countries", multiple=True, metavar="NAME", help="Only this country's words. Can be repeated."
)
@click.option("--model", metavar="NAME", help="Only this model.")
@click.option("--mode", type=click.Choice(["persona", "crossed"]), help="Only this mode.")
@click.option("--top", type=click.IntRange(min=1), default=15, show_default=True, help="Words shown a country.")
@click.option(
    "--permutations",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Draws behind the false discovery rate.",
)
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), help="Also write every marked word to this CSV file."
)
@run_option
@db_option
def words(**options: Any) -> int:
    """Words that a model says to one country and hardly to the others, though the dilemmas are the same.

    Log-odds with an informative Dirichlet prior; a word counts once a reply, is marked at z of 4 or more, and the false
    discovery rate is measured by exchanging countries among the replies to each dilemma. A model that ignores the persona has
    next to none. English replies to personas only.

    \b
      auditkit detect words --country RUS
      auditkit detect words --top 5 --to words.csv
    """  # noqa: D301
    from rich.text import Text

    from auditkit.cli.render import console, table
    from auditkit.data import load_content
    from auditkit.detect.corpus import names_of
    from auditkit.detect.marked import MIN_Z, marked_words
    from auditkit.store import Store

    content = load_content()
    wanted = {content.country(name).iso3 for name in options["countries"]}
    with Store.read(options["db"]) as store:
        corpora = _corpora(store, store.latest_run(options["run_name"])["run_id"], options["model"], options["mode"])
    out = console()
    rows: list[tuple[object, ...]] = []
    for corpus in corpora:
        marking = marked_words(
            corpus.texts, corpus.countries, corpus.items, names=names_of(content.countries.values()),
            permutations=options["permutations"],
        )  # fmt: skip
        grid = table(f"{corpus.model}, {corpus.mode}: words marked at z >= {MIN_Z:g}")
        grid.add_column("country")
        grid.add_column("words (z, share of the country's replies)", overflow="fold")
        by_country: dict[str, list[str]] = {}
        for word in marking.words:
            rows.append(
                (
                    corpus.model,
                    corpus.mode,
                    word.country,
                    word.word,
                    word.z,
                    word.replies,
                    word.rate,
                    word.rest,
                    word.fdr,
                )
            )
            if not wanted or word.country in wanted:
                by_country.setdefault(word.country, []).append(f"{word.word} ({word.z:.1f}, {word.rate:.0%})")
        for code, shown in by_country.items():
            more = f" and {len(shown) - options['top']} more" if len(shown) > options["top"] else ""
            title = content.countries[code].title if code in content.countries else code
            grid.add_row(Text(title), Text(", ".join(shown[: options["top"]]) + more))
        if by_country:
            out.print(grid)
        else:
            which = " for these countries" if wanted else ""
            out.print(f"{corpus.model}, {corpus.mode}: no word is marked{which}", highlight=False, markup=False)
        chance = "" if marking.chance is None else f"; chance alone marks {marking.chance:.1f}"
        left = f"; left out: {corpus.left_out} replies in another language or without text" if corpus.left_out else ""
        out.print(
            f"{len(marking.words)} words of {marking.n_countries} countries over {marking.n_replies} replies to "
            f"{marking.n_items} dilemmas{chance}{left}",
            style="dim", highlight=False, markup=False,
        )  # fmt: skip
    if options["to"]:
        write_csv(options["to"], _COLUMNS, rows)
    return 0


@click.command("individuation")
@click.option("--model", metavar="NAME", help="Only this model.")
@click.option("--mode", type=click.Choice(["persona", "crossed"]), help="Only this mode.")
@run_option
@db_option
def individuation(**options: Any) -> int:
    """Can the country be told from the advice once every name is masked?

    The share of replies whose country a classifier tells (TF-IDF, logistic regression), learned on replies to other dilemmas;
    the interval resamples dilemmas. Chance is one in as many countries as there are: a model that ignores the persona stays
    there. A high figure says that replies differ by country, not that they fit.
    """
    from rich.text import Text

    from auditkit.cli.render import console, table
    from auditkit.data import load_content
    from auditkit.detect.corpus import names_of
    from auditkit.detect.individuation import individuation as guess
    from auditkit.store import Store

    content = load_content()
    with Store.read(options["db"]) as store:
        corpora = _corpora(store, store.latest_run(options["run_name"])["run_id"], options["model"], options["mode"])
    grid = table("Individuation: countries told from masked replies")
    for name in ("model", "mode"):
        grid.add_column(name, overflow="fold")
    for name in ("told [95 %]", "chance", "replies", "dilemmas", "left out"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("most told", overflow="fold")
    for corpus in corpora:
        found = guess(corpus.texts, corpus.countries, corpus.items, names=names_of(content.countries.values()))
        told, chance, best = f"- ({found.reason})", "-", ""
        if found.accuracy is not None:
            told, chance = f"{found.accuracy:.0%} [{found.low:.0%}, {found.high:.0%}]", f"{found.chance:.1%}"
            top = sorted(found.by_country.items(), key=lambda pair: -pair[1])[:3]
            best = ", ".join(f"{code} {share:.0%}" for code, share in top)
        numbers = (str(found.n_replies), str(found.n_items), str(corpus.left_out))
        grid.add_row(Text(corpus.model), corpus.mode, told, chance, *numbers, best)
    console().print(grid)
    return 0
