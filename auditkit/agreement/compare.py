"""Agreement of raters, overall and in strata, with intervals over prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from auditkit.agreement.ratings import LABELS, PEOPLE, Ratings
from auditkit.errors import unknown
from auditkit.stats.agree import Coefficient, RaterAgreement, compare_raters, krippendorff_alpha


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
    """Every two raters that share a reply: judges with judges, judges with the people, people with people."""
    judges = [name for name in ratings.judges if ratings.by.get(name)]
    wanted = [*combinations(judges, 2), *combinations(ratings.people, 2)]
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
            out.append(Pair(stratum, first, second, found, len(set(items))))
    return out


def offered(ratings: Ratings, raters: Sequence[str]) -> tuple[str, ...]:
    """The task's labels, and whatever else these raters used (a judge of one's own may have labels of its own)."""
    used = {label for rater in raters for label in ratings.by[rater].values()}
    return (*LABELS[ratings.task], *sorted(used - set(LABELS[ratings.task])))


def together(ratings: Ratings, by: str | None = None) -> list[Together]:
    """Alpha of all judges, of all reviewers and of both, where there are at least two."""
    judges = tuple(name for name in ratings.judges if ratings.by.get(name))
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
