"""Power of the country-level test, against the closed form's own table, simulation and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from auditkit.stats.correlate import alignment
from auditkit.stats.power import (
    Noise,
    PilotCell,
    binding_constraint,
    countries_needed,
    detectable_rho,
    pilot_cell,
    power,
    prompts_needed,
    summarise_pilot,
)
from auditkit.stats.reliability import reliability

# alpha50, rho -> power at K = 10, 25, 50, 100, 200, infinity; at K = 50 in Holm's first step of ten; K and J for .8
TABLE = [
    (0.30, 0.4, (0.10, 0.16, 0.25, 0.36, 0.47, 0.68), 0.06, None, 162),
    (0.30, 0.5, (0.13, 0.23, 0.37, 0.53, 0.68, 0.88), 0.12, 527, 103),
    (0.60, 0.4, (0.20, 0.34, 0.45, 0.55, 0.61, 0.68), 0.17, None, 80),
    (0.60, 0.5, (0.29, 0.50, 0.65, 0.76, 0.82, 0.88), 0.32, 151, 51),
    (0.60, 0.6, (0.40, 0.66, 0.82, 0.91, 0.95, 0.98), 0.53, 44, 34),
    (0.85, 0.4, (0.41, 0.54, 0.60, 0.64, 0.66, 0.68), 0.28, None, 56),
    (0.85, 0.5, (0.59, 0.75, 0.82, 0.85, 0.87, 0.88), 0.52, 40, 35),
]


@pytest.mark.parametrize(("alpha50", "rho", "by_prompts", "holm", "prompts", "countries"), TABLE)
def test_the_planning_table(alpha50, rho, by_prompts, holm, prompts, countries):
    """Power at 36 countries, the prompts and the countries for .8 are those of the table on which the methods rest."""
    noise = Noise(alpha50)
    found = [power(rho, noise, countries=36, prompts=k) for k in (10, 25, 50, 100, 200, math.inf)]
    assert found == pytest.approx(by_prompts, abs=0.0051)
    assert power(rho, noise, countries=36, prompts=50, level=0.005) == pytest.approx(holm, abs=0.0051)
    assert prompts_needed(rho, noise, countries=36) == prompts
    assert countries_needed(rho, noise, prompts=50) == countries


def test_what_36_countries_can_show():
    """With noiseless shares .45 is found in one test, .56 and .62 in Holm's first step of 10 and 50; .4 needs 47 countries."""
    found = [detectable_rho(Noise(), countries=36, prompts=math.inf, level=0.05 / m) for m in (1, 10, 50)]
    assert found == pytest.approx([0.45, 0.56, 0.62], abs=0.005)
    assert countries_needed(0.4, Noise(), prompts=math.inf) == 47


def test_prompts_before_samples_at_equal_calls():
    """The same number of calls buys more power as prompts than as samples."""
    found = [power(0.5, Noise(), countries=36, prompts=k, samples=s) for k, s in ((100, 1), (50, 2), (200, 1), (50, 4))]
    assert found == pytest.approx([0.76, 0.70, 0.82, 0.73], abs=0.0051)


@pytest.mark.parametrize("samples", [1, 4])
def test_the_formula_agrees_with_simulated_audits(samples):
    """Over simulated audits with known variances the two-way test rejects about as often as the formula says, or more."""
    rng = np.random.default_rng(5)
    rho, countries, prompts, hits, runs, alphas = 0.6, 36, 40, 0, 300, []
    for _ in range(runs):
        x = rng.normal(size=countries)
        effect = 0.45 * (rho * x + math.sqrt(1 - rho**2) * rng.normal(size=countries))
        p = 1 / (1 + np.exp(-rng.normal(size=(prompts, 1)) - effect))
        Y = rng.binomial(samples, p)
        N = np.full(Y.shape, samples)
        hits += alignment(Y, N, x).p < 0.05
        alphas.append(reliability(Y, N).alpha)
    alpha = float(np.mean(alphas))
    at_50 = 50 * alpha / (alpha * 50 + prompts * (1 - alpha))
    said = power(rho, Noise(at_50), countries=countries, prompts=prompts)
    assert said - 0.09 < hits / runs < said + 0.09


def test_reliability_adds_samples_to_spearman_brown():
    """With phi 1 ten samples are worth ten prompts, with phi 0 they are worth one; omega adds variance that prompts remove."""
    assert Noise(0.6, phi=1.0).reliability(5, 10) == pytest.approx(0.6)
    assert Noise(0.6, phi=0.0).reliability(50, 10) == pytest.approx(0.6)
    assert Noise(0.6).reliability(100) == pytest.approx(0.75)
    assert Noise(0.6, omega=0.5).variance(36, 50) == pytest.approx(1.5 / 33)
    assert Noise(0.6, omega=0.5).variance(36, 100) == pytest.approx(1.25 / 33)


@pytest.mark.parametrize(
    ("rho", "prompts", "samples", "lacks"),
    [(0.6, 50, 1, ""), (0.5, 100, 1, "samples"), (0.5, 50, 1, "dilemmas"), (0.4, 200, 5, "countries")],
)
def test_what_binds(rho, prompts, samples, lacks):
    """The constraint is the first of samples, dilemmas and countries that would be enough."""
    assert binding_constraint(rho, Noise(), countries=36, prompts=prompts, samples=samples) == lacks


def test_what_is_needed_is_the_fewest():
    """One prompt or one country fewer than needed falls short of the target."""
    k = prompts_needed(0.5, Noise(), countries=36)
    assert power(0.5, Noise(), countries=36, prompts=k) >= 0.8 > power(0.5, Noise(), countries=36, prompts=k - 1)
    j = countries_needed(0.3, Noise(), prompts=30, level=0.01, target=0.9)
    short = power(0.3, Noise(), countries=j - 1, prompts=30, level=0.01)
    assert power(0.3, Noise(), countries=j, prompts=30, level=0.01) >= 0.9 > short
    smallest = detectable_rho(Noise(), countries=36, prompts=50)
    assert power(smallest, Noise(), countries=36, prompts=50) == pytest.approx(0.8, abs=1e-4)


def test_hopeless_designs_have_no_answer():
    """Four countries find no correlation with ten noisy prompts, and nothing finds a correlation of 0."""
    assert detectable_rho(Noise(0.1), countries=4, prompts=10) is None
    assert countries_needed(0.0, Noise(), prompts=50) is None
    assert power(0.0, Noise(), countries=36, prompts=50) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "arguments",
    [
        {"rho": 1.0},
        {"rho": -0.1},
        {"countries": 3},
        {"prompts": 0},
        {"samples": 0.5},
        {"level": 0.0},
    ],
)
def test_impossible_designs_are_errors(arguments):
    """Arguments out of range raise ValueError and give no number."""
    design = {"rho": 0.4, "countries": 36, "prompts": 50} | arguments
    with pytest.raises(ValueError, match=r"between|at least"):
        power(design.pop("rho"), Noise(), **design)
    with pytest.raises(ValueError, match="not a noise"):
        Noise(0.0)
    with pytest.raises(ValueError, match="to be reached"):
        prompts_needed(0.4, Noise(), countries=36, target=0.01)


def pilot_data(rng, samples, *, prompts=400, countries=36, interaction=0.15, spread=0.10):
    """Shares with known variance of countries, of prompt x country and of samples; two levels each, so that all stay in (0, 1)."""
    level = np.where(rng.random((prompts, 1)) < 0.5, 0.4, 0.6)
    country = np.where(np.arange(countries) % 2 == 0, spread, -spread)
    p = level + country + np.where(rng.random((prompts, countries)) < 0.5, interaction, -interaction)
    Y = rng.binomial(samples, p)
    within = float((p * (1 - p)).mean())
    total = interaction**2 + within
    alpha50 = spread**2 / (spread**2 + total / 50)
    return Y, np.full(Y.shape, samples), np.linspace(10, 90, countries), alpha50, within / total


@pytest.mark.parametrize("samples", [1, 2, 3, 6])
def test_a_pilot_finds_the_noise_that_made_it(samples):
    """Reliability at 50 prompts and one sample, and phi where samples tell it, come back from simulated answers."""
    rng = np.random.default_rng(samples)
    Y, N, x, alpha50, phi = pilot_data(rng, samples)
    found = pilot_cell(Y, N, x, np.column_stack([Y.ravel(), N.ravel()]), phi=phi)
    assert found.alpha50 == pytest.approx(alpha50, abs=0.03)
    assert found.samples == samples
    assert found.phi == (pytest.approx(phi, abs=0.03) if samples >= 3 else None)


def test_wordings_are_no_samples():
    """Six answers to a pair in two option orders are three samples: designs planned from them ask both orders again."""
    rng = np.random.default_rng(3)
    Y, N, x, alpha50, phi = pilot_data(rng, 6)
    first_order = rng.hypergeometric(Y, 6 - Y, 3)
    requests = np.column_stack(
        [np.concatenate([first_order.ravel(), (Y - first_order).ravel()]), np.full(2 * Y.size, 3)]
    )
    found = pilot_cell(Y, N, x, requests)
    country_to_residual = alpha50 / (1 - alpha50)
    halved = 1 - phi / 2  # of the residual variance of one order, what is left with two
    assert found.samples == 3
    assert found.alpha50 == pytest.approx(1 / (1 + halved / country_to_residual), abs=0.03)
    assert found.phi == pytest.approx(phi / 2 / halved, abs=0.03)


def test_a_pilot_without_differences_says_so():
    """Countries that differ by no more than noise give reliability 0, flat ones none; the summary counts both."""
    rng = np.random.default_rng(1)
    Y = rng.binomial(1, 0.5, (30, 36))
    found = [pilot_cell(Y, np.ones(Y.shape), np.arange(36.0), [(1, 1)] * Y.size)]
    while found[-1].alpha50:
        Y = rng.binomial(1, 0.5, (30, 36))
        found.append(pilot_cell(Y, np.ones(Y.shape), np.arange(36.0), [(1, 1)] * Y.size))
    assert found[-1].alpha50 == 0.0
    assert found[-1].reason == "countries differ by no more than noise"
    flat = pilot_cell(np.ones((5, 6)), np.ones((5, 6)), np.arange(6.0), [(1, 1)] * 30)
    assert (flat.alpha50, flat.reason) == (None, "all countries have the same share")
    whole = summarise_pilot(
        [found[-1], flat, PilotCell(0.5, 0.4, 0.1, 50, 36, 3, ""), PilotCell(0.7, 0.2, 0.3, 50, 36, 3, "")]
    )
    assert (whole.alpha50, whole.lowest, whole.n_cells, whole.n_used) == (0.5, 0.0, 4, 3)
    assert whole.phi == pytest.approx(0.3)
    assert summarise_pilot([flat]).alpha50 is None
