"""Agreement of raters, overall and in strata, with intervals over prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from auditkit.agreement.ratings import LABELS, PEOPLE, Ratings
from auditkit.errors import unknown
from auditkit.stats.agree import Coefficient, RaterAgreement, compare_raters, krippendorff_alpha, wilson


@dataclass(frozen=True)
class Pair:
    """Two raters in one stratum ('' for all replies). Where `second` is `people`, they are taken for the truth."""

    stratum: str
    first: str
    second: str
    found: RaterAgreement
    items: int  # prompts behind it: the unit of the intervals

    def recall(self) -> dict[str, tuple[int, int]]:
        """Of the replies with each label by the second rater: (how many the first labelled alike, how many)."""
        table = self.found.confusion
        return {
            label: (table[i][i], sum(row[i] for row in table))
            for i, label in enumerate(self.found.labels)
            if any(row[i] for row in table)
        }


@dataclass(frozen=True)
class Together:
    """Krippendorff's alpha of several raters in one stratum."""

    stratum: str
    raters: tuple[str, ...]
    who: str  # 'judges', 'people' or 'everybody'
    n: int  # replies with two ratings or more
    alpha: Coefficient


def strata(ratings: Ratings, by: str | None) -> Iterator[tuple[str, list[str]]]:
    """(stratum, its replies): all replies first, as '', then each value of `by`. Raises AuditError for an unknown `by`."""
    yield "", list(ratings.places)
    if by is None:
        return
    groups: dict[str, list[str]] = {}
    for key, place in ratings.places.items():
        if by not in place.groups:
            raise unknown("grouping", by, place.groups)
        groups.setdefault(place.groups[by], []).append(key)
    yield from sorted(groups.items())


def pairs(ratings: Ratings, by: str | None = None) -> list[Pair]:
    """Every two raters that share a reply: judges with judges, judges with the people, people with people.

    A consensus is not compared with what it was made of.
    """
    judges = [name for name in ratings.judges if ratings.by.get(name)]
    wanted = [pair for pair in combinations(judges, 2) if not ratings.related(*pair)]
    wanted += combinations(ratings.people, 2)
    if PEOPLE in ratings.by:
        wanted += [(judge, PEOPLE) for judge in judges]
    out = []
    for stratum, keys in strata(ratings, by):
        for first, second in wanted:
            both = [key for key in keys if key in ratings.by[first] and key in ratings.by[second]]
            if not both:
                continue
            items = [ratings.places[key].item for key in both]
            found = compare_raters(
                [ratings.by[first][key] for key in both],
                [ratings.by[second][key] for key in both],
                labels=offered(ratings, (first, second)),
                clusters=items if len(set(items)) < len(items) else None,
            )
            units = len(set(items))
            out.append(Pair(stratum, first, second, replace(found, kappa=_limited(found, units)), units))
    return out


def _limited(found: RaterAgreement, units: int) -> Coefficient:
    """Kappa, with a lower limit where agreement is perfect and so leaves nothing for an interval to vary.

    The share of labels alike is then held to Wilson's lower limit over `units` prompts (or replies, where each has a prompt of
    its own), and the agreement by chance to what was found.
    """
    kappa = found.kappa
    if kappa.value is None or kappa.low is not None or kappa.value < 1 - 1e-12:
        return kappa
    chance = sum(row[i] ** 2 for i, row in enumerate(found.confusion)) / found.n**2
    alike = wilson(units, units).low or 0.0
    return Coefficient(kappa.value, None, (alike - chance) / (1 - chance), 1.0, estimable=True, reason="")


def offered(ratings: Ratings, raters: Sequence[str]) -> tuple[str, ...]:
    """The task's labels, and whatever else these raters used (a judge of one's own may have labels of its own)."""
    used = {label for rater in raters for label in ratings.by[rater].values()}
    return (*LABELS[ratings.task], *sorted(used - set(LABELS[ratings.task])))


def together(ratings: Ratings, by: str | None = None) -> list[Together]:
    """Alpha of all judges (a consensus of them is no further one), of all reviewers and of both, where there are at least two."""
    judges = tuple(name for name in ratings.judges if ratings.by.get(name) and name not in ratings.members)
    people = tuple(ratings.people)
    wanted = [(judges, "judges"), (people, "people")]
    if judges and people:
        wanted.append(((*judges, *people), "everybody"))
    out = []
    for stratum, keys in strata(ratings, by):
        for raters, who in wanted:
            if len(raters) < 2:
                continue
            table = [[ratings.by[rater].get(key) for rater in raters] for key in keys]
            rated = [i for i, row in enumerate(table) if sum(label is not None for label in row) >= 2]
            if rated:
                items = [ratings.places[keys[i]].item for i in rated]
                alpha = krippendorff_alpha(
                    [table[i] for i in rated], clusters=items if len(set(items)) < len(items) else None
                )
                out.append(Together(stratum, raters, who, len(rated), alpha))
    return out
