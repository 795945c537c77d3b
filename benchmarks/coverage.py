"""How often do 95 % intervals of r hold the truth? Simulated audits, ordinary ones and ones kept aside while methods were chosen.

    python benchmarks/coverage.py --runs 200

Answers come from a crossed logistic model: prompt levels, prompt slopes on the score, country effects of which the score explains a
part, and independent answers. The truth of a scenario is the correlation over endless countries between scores and the shares that K
prompts give, found by simulation with many countries. `pooled` is the published practice (rows as units), `fisher` takes prompts as
fixed, `two-way` is auditkit's default, `pigeonhole` its bootstrap. Every coverage has its Monte Carlo standard error beside it.
"""
# ruff: noqa: N806  (the letters of the formulas)

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np

from auditkit.stats.cells import shares
from auditkit.stats.contrast import overlapping_correlation, zou_interval
from auditkit.stats.correlate import alignment, pearson
from auditkit.stats.reliability import reliability
from auditkit.stats.resample import bootstrap_interval, draw_resamples

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Scenario:
    """One kind of audit. Standard deviations are in logits; rho is the correlation of score and country effect."""

    name: str
    rho: float
    country_sd: float
    slope_sd: float = 0.0
    prompt_sd: float = 1.2
    mean: float = 0.0
    n_prompts: int = 50
    n_countries: int = 36
    samples: int = 1
    missing: float = 0.0
    scores: str = "normal"
    effects: str = "normal"


ORDINARY = [
    Scenario("multilingual-like, reliable", 0.45, 0.85),
    Scenario("persona-like, unreliable", 0.45, 0.18),
    Scenario("prompt slopes .35", 0.45, 0.45, slope_sd=0.35),
    Scenario("strong alignment", 0.90, 0.85),
    Scenario("share near its ceiling", 0.50, 0.60, mean=2.5),
    Scenario("null", 0.0, 0.45),
    Scenario("null, slopes .35", 0.0, 0.45, slope_sd=0.35),
    Scenario("null, slopes .8", 0.0, 0.45, slope_sd=0.8),
]
HELD_OUT = [
    Scenario("25 prompts", 0.50, 0.45, slope_sd=0.35, n_prompts=25),
    Scenario("100 prompts", 0.50, 0.45, slope_sd=0.35, n_prompts=100),
    Scenario("5 samples", 0.50, 0.45, slope_sd=0.35, samples=5),
    Scenario("12 countries", 0.50, 0.60, n_countries=12),
    Scenario("60 countries", 0.50, 0.45, slope_sd=0.35, n_countries=60),
    Scenario("heavy tails", 0.50, 0.40, slope_sd=0.35, effects="heavy"),
    Scenario("clumped scores", 0.50, 0.45, slope_sd=0.35, scores="clumped"),
    Scenario("10 % missing", 0.50, 0.45, slope_sd=0.2, missing=0.1),
    Scenario("null, slopes .5", 0.0, 0.45, slope_sd=0.5),
    Scenario("null, 10 prompts, slopes .5", 0.0, 0.45, slope_sd=0.5, n_prompts=10),
    Scenario("null, deterministic prompts", 0.0, 0.45, prompt_sd=12.0),
]


def simulate(
    scenario: Scenario, rng: np.random.Generator, n_countries: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, N (K, J) and x (J,) of one audit."""
    j, k = n_countries or scenario.n_countries, scenario.n_prompts
    if scenario.scores == "clumped":  # many middling scores, a few extremes, as in the 36-country table
        x = np.where(rng.random(j) < 0.75, rng.normal(-0.3, 0.6, j), rng.normal(1.2, 1.0, j)).round(1)
    else:
        x = rng.normal(0, 1, j)
    x_unit = (x - 0.075) / 1.05 if scenario.scores == "clumped" else x
    other = rng.standard_t(3, j) / math.sqrt(3) if scenario.effects == "heavy" else rng.normal(0, 1, j)
    country = scenario.country_sd * (scenario.rho * x_unit + math.sqrt(1 - scenario.rho**2) * other)
    prompt = rng.normal(0, scenario.prompt_sd, k) + scenario.mean
    logit = prompt[:, None] + country + np.outer(rng.normal(0, scenario.slope_sd, k), x_unit)
    answers = rng.binomial(scenario.samples, 1 - scenario.missing, (k, j))
    return rng.binomial(answers, 1 / (1 + np.exp(-logit))), answers, 50 + 20 * x


def truth(scenario: Scenario, rng: np.random.Generator, rounds: int = 60, n_countries: int = 1_500) -> float:
    """Population correlation of scores and K-prompt shares: mean covariance over mean variances, many countries a round."""
    if scenario.rho == 0:
        return 0.0
    moments = np.zeros(3)
    for _ in range(rounds):
        Y, N, x = simulate(scenario, rng, n_countries)
        p, kept = shares(Y, N), N.sum(axis=0) > 0
        moments += np.cov(x[kept], p[kept])[[0, 0, 1], [1, 0, 1]]
    return float(moments[0] / math.sqrt(moments[1] * moments[2]))


def two_modes(
    rng: np.random.Generator, slope_sd: float, n_countries: int, *, same_slopes: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y of two modes (K, J), one answer a pair, and x (J,): the first follows the scores, the second does not; 50 prompts."""
    x, common = rng.normal(0, 1, (2, n_countries))
    level, slopes = rng.normal(0, 1, (50, 1)), rng.normal(0, slope_sd, (2, 50))
    made = []
    for mode, rho in enumerate((0.5, 0.0)):
        own = 0.6 * common + 0.8 * rng.normal(0, 1, n_countries)
        country = 0.5 * (rho * x + math.sqrt(1 - rho**2) * own)
        logit = level + country + np.outer(slopes[0 if same_slopes else mode], x)
        made.append(rng.binomial(1, 1 / (1 + np.exp(-logit))))
    return made[0], made[1], x


def contrasts(runs: int, seed: int) -> None:
    """Coverage of Zou's interval for the difference of two r, from Fisher limits and from two-way limits."""
    print(f"-- difference of two r, {runs} runs each: Zou's interval from Fisher limits, from two-way limits (default)")
    for i, (slope_sd, same) in enumerate((s, m) for s in (0.0, 0.35, 0.6) for m in (False, True)):
        rng = np.random.default_rng([seed, 99, i])
        moments = np.zeros((2, 3))
        for _ in range(60):
            *both, x = two_modes(rng, slope_sd, 1_500, same_slopes=same)
            moments += [np.cov(x, Y.mean(axis=0))[[0, 0, 1], [1, 0, 1]] for Y in both]
        true_r = moments[:, 0] / np.sqrt(moments[:, 1] * moments[:, 2])
        hits = np.zeros(2)
        for _ in range(runs):
            first, second, x = two_modes(rng, slope_sd, 36, same_slopes=same)
            a, b = (alignment(Y, np.ones(Y.shape), x) for Y in (first, second))
            between = overlapping_correlation(a.r, b.r, float(pearson(first.mean(axis=0), second.mean(axis=0))))
            half = Z95 / math.sqrt(33)
            fisher = [(math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)) for r in (a.r, b.r)]
            for which, limits in enumerate((fisher, [(a.low, a.high), (b.low, b.high)])):
                low, high = zou_interval(a.r, limits[0], b.r, limits[1], between)
                hits[which] += low <= true_r[0] - true_r[1] <= high
        cover = hits / runs
        error = np.sqrt(np.maximum(cover * (1 - cover), 1e-9) / runs)
        name = f"slopes {slope_sd:.2f}, {'shared' if same else 'own'} by mode"
        print(f"{name:<30}{cover[0]:>8.3f} ({error[0]:.3f}){cover[1]:>8.3f} ({error[1]:.3f})", flush=True)


def main() -> None:
    """Print one line a scenario."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000, help="simulated audits a scenario (default: 1000)")
    parser.add_argument("--resamples", type=int, default=400, help="bootstrap resamples a run; 0 leaves pigeonhole out")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    methods = ["pooled", "fisher", "two-way", *(["pigeonhole"] if options.resamples else [])]
    print(
        f"{options.runs} runs a scenario, seed {options.seed}; coverage of nominal .95 (Monte Carlo s.e.), mean width of two-way"
    )
    print(f"{'scenario':<30}{'truth':>6}{'alpha':>7}" + "".join(f"{m:>15}" for m in methods) + f"{'width':>8}")
    for group, scenarios in (("ordinary", ORDINARY), ("held out", HELD_OUT)):
        print(f"-- {group}")
        for i, scenario in enumerate(scenarios):
            rng = np.random.default_rng([options.seed, len(group), i])
            target = truth(scenario, rng)
            hits = dict.fromkeys(methods, 0)
            widths, alphas = [], []
            drawn = draw_resamples(scenario.n_prompts, scenario.n_countries, n_resamples=max(options.resamples, 1))
            counted = 0
            for _ in range(options.runs):
                Y, N, x = simulate(scenario, rng)
                result = alignment(Y, N, x)
                if not result.estimable:
                    continue
                counted += 1
                z = math.atanh(float(pearson(x, shares(Y, N))))
                for method, n in (("pooled", N.sum()), ("fisher", scenario.n_countries)):
                    hits[method] += abs(z - math.atanh(target)) <= Z95 / math.sqrt(n - 3)
                hits["two-way"] += result.low <= target <= result.high
                widths.append(result.high - result.low)
                if options.resamples:
                    limits = bootstrap_interval(Y, N, x, resamples=drawn)
                    hits["pigeonhole"] += limits.estimable and limits.low <= target <= limits.high
                alphas.append(reliability(Y, N).alpha or 0.0)
            line = f"{scenario.name:<30}{target:>6.2f}{np.mean(alphas):>7.2f}"
            for method in methods:
                coverage = hits[method] / counted
                error = math.sqrt(max(coverage * (1 - coverage), 1e-9) / counted)
                line += f"{coverage:>8.3f} ({error:.3f})"
            print(
                line
                + f"{np.mean(widths):>8.2f}"
                + (f"  {options.runs - counted} not estimable" if counted < options.runs else ""),
                flush=True,
            )
    contrasts(options.runs, options.seed)


if __name__ == "__main__":
    main()
