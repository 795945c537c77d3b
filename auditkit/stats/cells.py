"""Counts of answers by prompt and country: what every estimate starts from."""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CellCounts:
    """Answers of one model, in one mode, on one dimension.

    Y: answers for the first pole, N: usable answers (either pole), T: all answers; each of shape (K, J), 0 <= Y <= N <= T.
    x: country scores (J,), in points of the scale; NaN where the edition has no score for the country.
    prompts: K names of rows. countries: J names of columns.
    Raises ValueError for shapes that do not fit or counts that are impossible.
    """

    Y: Array
    N: Array
    T: Array
    x: Array
    prompts: tuple[str, ...]
    countries: tuple[str, ...]

    def __post_init__(self) -> None:
        shape = (len(self.prompts), len(self.countries))
        for name in ("Y", "N", "T"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=np.float64))
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}, but there are {shape} prompts and countries"
                )
        object.__setattr__(self, "x", np.array(self.x, dtype=np.float64))
        if self.x.shape != shape[1:]:
            raise ValueError(f"x has shape {self.x.shape}, but there are {shape[1]} countries")
        check_counts(self.Y, self.N)
        if not np.all(self.N <= self.T):
            raise ValueError("more usable answers than answers")

    @classmethod
    def from_answers(
        cls,
        answers: Iterable[tuple[str, str, bool | int | None]],
        scores: Mapping[str, float],
        *,
        prompts: Sequence[str] | None = None,
        countries: Sequence[str] | None = None,
    ) -> CellCounts:
        """Count tidy answers (prompt, country, answer): answer is 1 (first pole), 0 (second pole) or None (unusable).

        prompts, countries: names and order of rows and columns; default: those that occur, sorted. Answers for others are left out.
        scores: country -> score; a country without one gets NaN.
        """
        return cls.from_counts(
            (
                (prompt, country, int(answer is not None and bool(answer)), int(answer is not None), 1)
                for prompt, country, answer in answers
            ),
            scores,
            prompts=prompts,
            countries=countries,
        )

    @classmethod
    def from_counts(
        cls,
        counts: Iterable[tuple[str, str, int, int, int]],
        scores: Mapping[str, float],
        *,
        prompts: Sequence[str] | None = None,
        countries: Sequence[str] | None = None,
    ) -> CellCounts:
        """Place counts (prompt, country, first pole, usable, all), such as a GROUP BY returns; repeated pairs are summed."""
        rows = list(counts)
        prompt_names = tuple(prompts) if prompts is not None else tuple(sorted({row[0] for row in rows}))
        country_names = tuple(countries) if countries is not None else tuple(sorted({row[1] for row in rows}))
        row_of = {name: k for k, name in enumerate(prompt_names)}
        column_of = {name: j for j, name in enumerate(country_names)}
        total = np.zeros((3, len(prompt_names), len(country_names)))
        for prompt, country, first, usable, answers in rows:
            if prompt in row_of and country in column_of:
                total[:, row_of[prompt], column_of[country]] += (first, usable, answers)
        x = np.array([scores.get(name, np.nan) for name in country_names], dtype=np.float64)
        return cls(total[0], total[1], total[2], x, prompt_names, country_names)

    def select(self, *, prompts: Sequence[str] | None = None, countries: Sequence[str] | None = None) -> CellCounts:
        """The same cell with these prompts and countries, in this order. Raises ValueError for a name that is not there."""
        rows = [self.prompts.index(name) for name in (self.prompts if prompts is None else prompts)]
        columns = [self.countries.index(name) for name in (self.countries if countries is None else countries)]
        at = np.ix_(rows, columns)
        return CellCounts(
            self.Y[at],
            self.N[at],
            self.T[at],
            self.x[columns],
            tuple(self.prompts[k] for k in rows),
            tuple(self.countries[j] for j in columns),
        )

    def matched(self, other: CellCounts) -> tuple[CellCounts, CellCounts]:
        """Both cells on the prompts and countries that both have, in this cell's order: what a paired contrast needs."""
        prompts = [name for name in self.prompts if name in set(other.prompts)]
        countries = [name for name in self.countries if name in set(other.countries)]
        return self.select(prompts=prompts, countries=countries), other.select(prompts=prompts, countries=countries)


@dataclass(frozen=True, eq=False)
class UsableCounts:
    """Counts without the prompts and countries that say nothing. Shapes as in CellCounts, with what was left out counted."""

    Y: Array
    N: Array
    x: Array
    countries_kept: npt.NDArray[np.bool_]  # (J,) over the countries given
    prompts_kept: npt.NDArray[np.bool_]  # (K,) over the prompts given
    n_answers: int

    @property
    def dropped_countries(self) -> int:
        return int((~self.countries_kept).sum())


def check_counts(Y: Array, N: Array) -> None:
    """Raise ValueError unless Y and N are matrices (K, J) of finite counts with 0 <= Y <= N."""
    if Y.ndim != 2 or Y.shape != N.shape:
        raise ValueError(f"Y and N must be matrices of one shape, not {Y.shape} and {N.shape}")
    if not (np.all(np.isfinite(Y)) and np.all(np.isfinite(N)) and np.all(Y >= 0) and np.all(Y <= N)):
        raise ValueError("counts must be finite with 0 <= Y <= N")


def usable_counts(Y: npt.ArrayLike, N: npt.ArrayLike, x: npt.ArrayLike | None = None) -> UsableCounts:
    """Drop countries without a usable answer or without a score, then prompts without a usable answer.

    Y, N: (K, J). x: (J,) with NaN for a missing score, or None where scores play no part.
    """
    y = np.asarray(Y, dtype=np.float64)
    n = np.asarray(N, dtype=np.float64)
    check_counts(y, n)
    scores = np.zeros(y.shape[1]) if x is None else np.asarray(x, dtype=np.float64)
    if scores.shape != y.shape[1:]:
        raise ValueError(f"x has shape {scores.shape}, but there are {y.shape[1]} countries")
    columns = (n.sum(axis=0) > 0) & np.isfinite(scores)
    rows = n[:, columns].sum(axis=1) > 0
    at = np.ix_(rows, columns)
    return UsableCounts(y[at], n[at], scores[columns], columns, rows, int(n[at].sum()))


def shares(Y: npt.ArrayLike, N: npt.ArrayLike) -> Array:
    """Share of the first pole by country, p_j = sum_k Y_kj / sum_k N_kj: (..., K, J) -> (..., J); NaN without answers."""
    first = np.asarray(Y, dtype=np.float64).sum(axis=-2)
    usable = np.asarray(N, dtype=np.float64).sum(axis=-2)
    share: Array = np.divide(first, usable, out=np.full(first.shape, np.nan), where=usable > 0)
    return share
