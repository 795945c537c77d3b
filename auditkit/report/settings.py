"""What a user can choose about a report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from auditkit.stats import BOOTSTRAP_RESAMPLES, DEFAULT_SEED, PERMUTATIONS
from auditkit.stats.classify import CLASS_PERMUTATIONS
from auditkit.stats.resample import Resamples, draw_resamples

MOST_FITS = (
    10  # mixed models that are fitted unasked; each takes about as long as all other figures of its cells together
)
CLASS_CUT = 50.0  # a score above it makes a country one of the high class


@dataclass(frozen=True)
class Settings:
    """edition: of the scores. judge: the primary stance judge by name, None for the best there is. pairs: countries by ISO3.

    replicate: also compute the published figures in the published way. mixed: fit mixed models, however many there are.
    """

    edition: str = "paper"
    judge: str | None = None
    confidence: float = 0.95
    seed: int = DEFAULT_SEED
    ci: Literal["default", "pigeonhole"] = "default"
    pairs: tuple[tuple[str, str], ...] = ()
    replicate: bool = False
    mixed: bool = False
    n_permutations: int = PERMUTATIONS
    n_class_permutations: int = CLASS_PERMUTATIONS
    n_resamples: int = BOOTSTRAP_RESAMPLES

    def resamples(self, shape: tuple[int, int]) -> Resamples:
        """The draws for cells of this many prompts and countries: the same for all of them, so that differences are paired."""
        return _drawn(shape, self.n_resamples, self.seed)


@cache
def _drawn(shape: tuple[int, int], n_resamples: int, seed: int) -> Resamples:
    return draw_resamples(*shape, n_resamples=n_resamples, seed=seed)
