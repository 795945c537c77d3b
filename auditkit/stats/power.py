"""How many countries, prompts and samples a correlation needs: power of the country-level test, before anything is asked.

Countries are the units, so that power is bounded by their number: prompts and samples only make shares reliable.
"""
# ruff: noqa: N803  (the letters of the formulas)

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auditkit.stats.cells import usable_counts
from auditkit.stats.correlate import alignment
from auditkit.stats.reliability import reliability

if TYPE_CHECKING:
    import numpy.typing as npt

REFERENCE_PROMPTS = 50  # reliability and omega are stated for this many prompts, one sample
REFERENCE_COUNTRIES = 36
MIN_SAMPLES = 3  # answers to one and the same request that tell sampling noise from the rest
MAX_PROMPTS = 100_000
MAX_COUNTRIES = 10_000


@dataclass(frozen=True)
class Noise:
    """What blurs country shares. alpha50: reliability of 50 prompts with one sample each, above 0 and at most 1.

    phi: part of the variance within a prompt-country pair that further samples of the same request average out (0 at temperature
    0, 1 if prompts and countries had no interaction). omega: variance of atanh r by the prompts' own slopes with 50 prompts, in
    units of 1/33, the variance that 36 countries give. Raises ValueError outside these ranges.
    """

    alpha50: float = 0.6
    phi: float = 0.5
    omega: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.alpha50 <= 1 and 0 <= self.phi <= 1 and 0 <= self.omega < math.inf):
            raise ValueError(f"not a noise: {self}")

    def reliability(self, n_prompts: float, n_samples: float = 1) -> float:
        """alpha(K, S) = 1 / (1 + c ((1 - phi) + phi/S) / K), c = 50 (1 - alpha50) / alpha50. Spearman-Brown, samples added.

        Brennan 2001, "Generalizability Theory", ch. 4: a crossed design with replications in the cells. Infinite K or S are allowed.
        """
        residual = REFERENCE_PROMPTS * (1 - self.alpha50) / self.alpha50
        return 1 / (1 + residual * ((1 - self.phi) + self.phi / n_samples) / n_prompts)

    def variance(self, n_countries: int, n_prompts: float) -> float:
        """Variance of atanh r: 1/(J-3) for sampled countries, and the prompts' slopes, which fall with 1/K."""
        slopes = self.omega / (REFERENCE_COUNTRIES - 3) * REFERENCE_PROMPTS / n_prompts
        return 1 / (n_countries - 3) + slopes


@dataclass(frozen=True)
class PilotCell:
    """Noise of one cell of a pilot run; None where it cannot be told, with the reason in words.

    alpha50 is 0 where countries differ by no more than noise. samples: usable answers to one and the same request (the median);
    phi needs three.
    """

    alpha50: float | None
    phi: float | None
    omega: float | None
    n_prompts: int
    n_countries: int
    samples: int
    reason: str


@dataclass(frozen=True)
class Pilot:
    """What a pilot says of all its cells: medians of alpha50 and phi, and the mean of omega, half of whose estimates are 0 by nature.

    None where no cell tells; phi likewise. lowest: the least alpha50 of a cell.
    """

    alpha50: float | None
    phi: float | None
    omega: float | None
    lowest: float | None
    n_cells: int
    n_used: int


# --------------------------------------------------------------------------------------------------------------- power


def power(
    rho: float, noise: Noise, *, countries: int, prompts: float, samples: float = 1, level: float = 0.05
) -> float:
    """Probability that the two-sided test at `level` finds a true correlation rho (of shares without noise), 0 <= rho < 1.

    Unit: countries. m = atanh(rho sqrt(alpha)) / sqrt v, power = Phi(m - c) + Phi(-m - c), c the normal quantile of level/2.
    docs/methods.md, "Power". Raises ValueError for fewer than four countries, less than one prompt or sample, rho or level out of range.
    """
    _check(rho, countries, prompts, samples, level)
    from scipy.special import ndtr, ndtri

    c = -float(ndtri(level / 2))
    attenuated = rho * math.sqrt(noise.reliability(prompts, samples))
    m = math.atanh(attenuated) / math.sqrt(noise.variance(countries, prompts))
    return float(ndtr(m - c) + ndtr(-m - c))


def detectable_rho(
    noise: Noise, *, countries: int, prompts: float, samples: float = 1, level: float = 0.05, target: float = 0.8
) -> float | None:
    """The smallest true correlation that is found with probability `target`, to three decimals' accuracy; None if none below 1 is.

    Arguments as for `power`, with level < target < 1.
    """
    _check(0.0, countries, prompts, samples, level, target)

    def short_of(rho: float) -> float:
        found = power(rho, noise, countries=countries, prompts=prompts, samples=samples, level=level)
        return found - target

    largest = 1 - 1e-9
    if short_of(largest) < 0:
        return None
    from scipy.optimize import brentq

    return float(brentq(short_of, 0.0, largest, xtol=1e-6))


def prompts_needed(
    rho: float, noise: Noise, *, countries: int, samples: float = 1, level: float = 0.05, target: float = 0.8
) -> int | None:
    """The fewest prompts that reach `target`; None where endless prompts do not (or more than 100,000 are needed)."""
    _check(rho, countries, 1, samples, level, target)

    def enough(prompts: int) -> bool:
        return power(rho, noise, countries=countries, prompts=prompts, samples=samples, level=level) >= target

    return _fewest(enough, 1, MAX_PROMPTS)


def countries_needed(
    rho: float, noise: Noise, *, prompts: float, samples: float = 1, level: float = 0.05, target: float = 0.8
) -> int | None:
    """The fewest countries that reach `target`; None where more than 10,000 are needed. Infinite prompts: noiseless shares."""
    _check(rho, 4, prompts, samples, level, target)

    def enough(countries: int) -> bool:
        return power(rho, noise, countries=countries, prompts=prompts, samples=samples, level=level) >= target

    return _fewest(enough, 4, MAX_COUNTRIES)


def _fewest(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The first number in low..high that is enough; power grows with each of the quantities."""
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def binding_constraint(
    rho: float, noise: Noise, *, countries: int, prompts: int, samples: int, level: float = 0.05, target: float = 0.8
) -> str:
    """What a design lacks for `target`, the cheapest remedy first: '' (nothing), 'samples', 'dilemmas' or 'countries'.

    'samples': endless samples of the same dilemmas would do; 'dilemmas': endless dilemmas would; 'countries': neither would.
    """
    _check(rho, countries, prompts, samples, level, target)
    for word, k, s in (("", prompts, samples), ("samples", prompts, math.inf), ("dilemmas", math.inf, math.inf)):
        if power(rho, noise, countries=countries, prompts=k, samples=s, level=level) >= target:
            return word
    return "countries"


def _check(
    rho: float, countries: int, prompts: float, samples: float, level: float, target: float | None = None
) -> None:
    if not 0 <= rho < 1:
        raise ValueError(f"a correlation to be found lies between 0 and 1, not at {rho:g}")
    if countries < 4 or prompts < 1 or samples < 1:
        raise ValueError("power needs four countries, one prompt and one sample at least")
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not at {level:g}")
    if target is not None and not level < target < 1:
        raise ValueError(f"a power to be reached lies between the level {level:g} and 1, not at {target:g}")


# --------------------------------------------------------------------------------------------------------------- pilot


def pilot_cell(
    Y: npt.ArrayLike, N: npt.ArrayLike, x: npt.ArrayLike, requests: npt.ArrayLike, *, phi: float = 0.5
) -> PilotCell:
    """The noise of one model, mode and dimension, from its answers.

    Y, N: (K, J) first-pole and usable answers, x: (J,) scores. requests: (R, 2), the same answers by request (same prompt, country,
    wording, option order and language): first-pole and usable ones, so that a row holds the samples of one request.
    MS_residual of the table of means is I + e m, with I the interaction, e the variance between samples and m the mean of 1/N; with
    one sample it would be I + e m S. phi is used where e cannot be told (S < 3). docs/methods.md, "Power".
    """
    counts = usable_counts(Y, N, x)
    n_prompts, n_countries = counts.N.shape
    by_request = np.asarray(requests, dtype=np.float64).reshape(-1, 2)
    by_request = by_request[by_request[:, 1] > 0]
    samples = int(np.median(by_request[:, 1])) if len(by_request) else 0
    measured = reliability(counts.Y, counts.N)
    if measured.country_variance is None or measured.residual_variance is None:
        return PilotCell(None, None, None, n_prompts, n_countries, samples, measured.reason)
    residual = measured.residual_variance
    if samples >= MIN_SAMPLES:
        first, usable = by_request.T
        between = float((first * (usable - first) / usable).sum() / (usable - 1).sum())
        per_mean = float((1 / counts.N[counts.N > 0]).mean())
        residual += between * per_mean * (samples - 1)
        found_phi = min(1.0, between * per_mean * samples / residual) if residual > 0 else 0.0
    else:
        residual /= (1 - phi) + phi / samples
        found_phi = None
    slopes = alignment(counts.Y, counts.N, counts.x).prompt_variance
    omega = None if slopes is None else slopes * (REFERENCE_COUNTRIES - 3) * n_prompts / REFERENCE_PROMPTS
    between_countries = max(0.0, measured.country_variance)
    alpha50 = between_countries / (between_countries + residual / REFERENCE_PROMPTS) if between_countries else 0.0
    reason = "" if between_countries else "countries differ by no more than noise"
    return PilotCell(alpha50, found_phi, omega, n_prompts, n_countries, samples, reason)


def summarise_pilot(cells: Sequence[PilotCell]) -> Pilot:
    """One noise for a whole run. Cells whose countries differ by no more than noise count, with a reliability of 0."""
    alphas = [cell.alpha50 for cell in cells if cell.alpha50 is not None]
    phis = [cell.phi for cell in cells if cell.phi is not None]
    omegas = [cell.omega for cell in cells if cell.omega is not None]
    return Pilot(
        alpha50=statistics.median(alphas) if alphas else None,
        phi=statistics.median(phis) if phis else None,
        omega=statistics.fmean(omegas) if omegas else None,
        lowest=min(alphas, default=None),
        n_cells=len(cells),
        n_used=len(alphas),
    )
