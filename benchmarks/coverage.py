"""How often do 95 % intervals of r hold the truth, and how often does a test find what is not there? Simulated audits.

    python benchmarks/coverage.py --runs 2000 --to docs/coverage.csv

Answers come from a crossed logistic model: prompt levels, prompt slopes on the score, country effects of which the score explains a
part, independent answers, and a judge that reads some of them wrong. The truth of a scenario is the correlation over endless countries
between scores and the shares that K prompts and this judge give, found by simulation with many countries. Scenarios come in two
groups: ordinary ones, and ones that were kept aside while the methods were chosen. `rows` is the published practice (every answer a
unit), `fisher` takes prompts as fixed, `countries` resamples countries alone, `pigeonhole` countries and prompts, `two-way` is
auditkit's default. Every figure has its Monte Carlo standard error beside it.
"""
# ruff: noqa: N806  (the letters of the formulas)

from __future__ import annotations

import argparse
import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auditkit.data import load_content
from auditkit.stats.cells import shares
from auditkit.stats.contrast import overlapping_correlation, zou_interval
from auditkit.stats.correct_r import corrected_alignment
from auditkit.stats.correlate import alignment, pearson
from auditkit.stats.reliability import reliability
from auditkit.stats.resample import bootstrap_interval, draw_resamples, permutation_test, permuted_orders

Z95 = 1.959963984540054
COLUMNS = ("kind", "group", "scenario", "truth", "alpha", "method", "runs", "value", "mc_error", "width")
SCORES = np.array(
    [c.scores["paper"]["idv"] for c in load_content().countries.values()], dtype=float
)  # of the 36 countries


@dataclass(frozen=True)
class Scenario:
    """One kind of audit. Standard deviations are in logits; rho is the correlation of score and country effect.

    judge: how often the judge reads a first pole, and a second pole, as what it is.
    """

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
    judge: tuple[float, float] = (1.0, 1.0)


ORDINARY = [
    Scenario("multilingual-like, reliable", 0.45, 0.85),
    Scenario("persona-like, unreliable", 0.45, 0.18),
    Scenario("prompt slopes .35", 0.45, 0.45, slope_sd=0.35),
    Scenario("strong alignment", 0.90, 0.85),
    Scenario("share near its ceiling", 0.50, 0.60, mean=2.5),
    Scenario("no relation", 0.0, 0.45),
    Scenario("no relation, slopes .35", 0.0, 0.45, slope_sd=0.35),
    Scenario("no relation, slopes .8", 0.0, 0.45, slope_sd=0.8),
    Scenario("judge errs, one in seven", 0.50, 0.60, slope_sd=0.2, judge=(0.85, 0.85)),
    Scenario("no relation, judge errs, slopes .35", 0.0, 0.45, slope_sd=0.35, judge=(0.80, 0.90)),
]
HELD_OUT = [
    Scenario("25 prompts", 0.50, 0.45, slope_sd=0.35, n_prompts=25),
    Scenario("100 prompts", 0.50, 0.45, slope_sd=0.35, n_prompts=100),
    Scenario("5 samples", 0.50, 0.45, slope_sd=0.35, samples=5),
    Scenario("12 countries", 0.50, 0.60, n_countries=12),
    Scenario("60 countries", 0.50, 0.45, slope_sd=0.35, n_countries=60),
    Scenario("heavy tails", 0.50, 0.40, slope_sd=0.35, effects="heavy"),
    Scenario("real scores", 0.50, 0.45, slope_sd=0.35, scores="real"),
    Scenario("10 % missing", 0.50, 0.45, slope_sd=0.2, missing=0.1),
    Scenario("no relation, slopes .5", 0.0, 0.45, slope_sd=0.5),
    Scenario("no relation, 10 prompts, slopes .5", 0.0, 0.45, slope_sd=0.5, n_prompts=10),
    Scenario("no relation, deterministic prompts", 0.0, 0.45, prompt_sd=12.0),
]


def simulate(
    scenario: Scenario, rng: np.random.Generator, n_countries: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, N (K, J) and x (J,) of one audit."""
    j, k = n_countries or scenario.n_countries, scenario.n_prompts
    # real: the individualism scores of the paper, drawn with replacement
    x = (rng.choice(SCORES, j) - SCORES.mean()) / SCORES.std() if scenario.scores == "real" else rng.normal(0, 1, j)
    other = rng.standard_t(3, j) / math.sqrt(3) if scenario.effects == "heavy" else rng.normal(0, 1, j)
    country = scenario.country_sd * (scenario.rho * x + math.sqrt(1 - scenario.rho**2) * other)
    prompt = rng.normal(0, scenario.prompt_sd, k) + scenario.mean
    logit = prompt[:, None] + country + np.outer(rng.normal(0, scenario.slope_sd, k), x)
    answers = rng.binomial(scenario.samples, 1 - scenario.missing, (k, j))
    sensitivity, specificity = scenario.judge
    read_as_first = 1 - specificity + (sensitivity + specificity - 1) / (1 + np.exp(-logit))
    return rng.binomial(answers, read_as_first), answers, 50 + 20 * x


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


def row(
    kind: str,
    group: str,
    scenario: str,
    method: str,
    hits: float,
    runs: int,
    *,
    truth: float,
    alpha: float | None = None,
    width: float | None = None,
) -> dict[str, object]:
    """A line of the table: hits of runs as a rate with its Monte Carlo standard error."""
    rate = hits / runs
    error = math.sqrt(max(rate * (1 - rate), 1e-9) / runs)
    return {
        "kind": kind, "group": group, "scenario": scenario, "truth": round(truth, 3), "alpha": "" if alpha is None else round(alpha, 3),
        "method": method, "runs": runs, "value": round(rate, 4), "mc_error": round(error, 4),
        "width": "" if width is None else round(width, 3),
    }  # fmt: skip


def cover(
    scenario: Scenario, group: str, runs: int, resamples: int, rng: np.random.Generator
) -> list[dict[str, object]]:
    """Coverage of every interval in one scenario and, where there is nothing to find, how often every test finds it."""
    target = truth(scenario, rng)
    drawn = draw_resamples(scenario.n_prompts, scenario.n_countries, n_resamples=max(resamples, 1))
    orders = permuted_orders(scenario.n_countries, n_permutations=999)
    hits = dict.fromkeys(("rows", "fisher", *(("countries", "pigeonhole") if resamples else ()), "two-way"), 0)
    widths = dict.fromkeys(hits, 0.0)
    found = dict.fromkeys(("rows, .05", "rows, .001", "permutation, .05", "two-way, .05"), 0)
    alphas, counted = [], 0
    for _ in range(runs):
        Y, N, x = simulate(scenario, rng)
        result = alignment(Y, N, x)
        if not result.estimable:
            continue
        counted += 1
        alphas.append(reliability(Y, N).alpha or 0.0)
        z = math.atanh(result.r)
        limits = {"two-way": (result.low, result.high)}
        for method, n in (("rows", float(N.sum())), ("fisher", scenario.n_countries)):
            half = Z95 / math.sqrt(n - 3)
            limits[method] = (math.tanh(z - half), math.tanh(z + half))
        for method, units in (("countries", "countries"), ("pigeonhole", "both")):
            if method in hits:
                interval = bootstrap_interval(Y, N, x, resamples=drawn, units=units)
                limits[method] = (interval.low, interval.high) if interval.estimable else (1.0, -1.0)
        for method, (low, high) in limits.items():
            hits[method] += low <= target <= high
            widths[method] += max(0.0, high - low)
        if scenario.rho == 0:
            rows_p = math.erfc(abs(z) * math.sqrt(N.sum() - 3) / math.sqrt(2))
            found["rows, .05"] += rows_p < 0.05
            found["rows, .001"] += rows_p < 0.001
            found["two-way, .05"] += result.p < 0.05
            found["permutation, .05"] += permutation_test(Y, N, x, orders=orders).p <= 0.05
    facts = {"truth": target, "alpha": float(np.mean(alphas))}
    made = [
        row("coverage", group, scenario.name, m, h, counted, width=widths[m] / counted, **facts)
        for m, h in hits.items()
    ]
    if scenario.rho == 0:
        made += [row("found", group, scenario.name, m, h, counted, **facts) for m, h in found.items()]
    return made


def contrasts(runs: int, seed: int) -> list[dict[str, object]]:
    """Coverage of Zou's interval for the difference of two r, from Fisher limits and from two-way limits."""
    made = []
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
        name = f"slopes {slope_sd:.2f}, {'shared' if same else 'own'} by mode"
        made += [
            row("difference", "two modes", name, method, hits[which], runs, truth=true_r[0] - true_r[1])
            for which, method in enumerate(("fisher", "two-way"))
        ]
    return made


def level_judge(
    rng: np.random.Generator, rho: float, sensitivity: tuple[float, float, float], n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y (50, n) as a judge reads it that misses first poles by resource level, x (n,) related to level, and level 0, 1, 2 (n,)."""
    level = np.arange(n) % 3
    x = -0.6 * (level - 1) + rng.normal(0, 0.85, n)
    country = 0.45 * (rho * x / math.sqrt(0.24 + 0.85**2) + math.sqrt(1 - rho**2) * rng.normal(0, 1, n))
    p = 1 / (1 + np.exp(-(0.4 + rng.normal(0, 1.2, (50, 1)) + country)))
    return rng.binomial(1, 0.05 + (np.array(sensitivity)[level] - 0.05) * p), x, level


def judges(runs: int, seed: int, labels: int = 150) -> list[dict[str, object]]:
    """A judge that errs by resource level: coverage of the raw and of the corrected r, 150 human labels a level.

    The truth is the correlation over endless countries with the shares that a judge without faults would give.
    """
    made = []
    for i, (rho, worst) in enumerate(((0.0, 0.95), (0.0, 0.75), (0.0, 0.65), (0.5, 0.65))):
        rng = np.random.default_rng([seed, 77, i])
        sensitivity = (0.95, (0.95 + worst) / 2, worst)
        moments = np.zeros(3)
        for _ in range(
            60
        ):  # corrected with the true rates: a judge without faults, and with the noise that correcting adds
            Y, x, level = level_judge(rng, rho, sensitivity, 1_500)
            p = (Y.mean(axis=0) - 0.05) / (np.array(sensitivity)[level] - 0.05)
            moments += np.cov(x, p)[[0, 0, 1], [1, 0, 1]]
        target = float(moments[0] / math.sqrt(moments[1] * moments[2])) if rho else 0.0
        hits, widths = np.zeros(2), np.zeros(2)
        for _ in range(runs):
            Y, x, level = level_judge(rng, rho, sensitivity, 36)
            confusion = {}
            for which, se in enumerate(sensitivity):
                first = rng.binomial(labels, 0.58)
                right, false = rng.binomial(first, se), rng.binomial(labels - first, 0.05)
                confusion[str(which)] = (right, first - right, false, labels - first - false)
            raw = alignment(Y, np.ones(Y.shape), x)
            fixed = corrected_alignment(Y, np.ones(Y.shape), x, level.astype(str), confusion, n_resamples=400)
            for which, found in enumerate((raw, fixed)):
                hits[which] += found.low <= target <= found.high
                widths[which] += found.high - found.low
        name = f"rho {rho:.1f}, sensitivity .95 to {worst:.2f}"
        made += [
            row(
                "judge",
                "errors by resource level",
                name,
                method,
                hits[which],
                runs,
                truth=target,
                width=widths[which] / runs,
            )
            for which, method in enumerate(("raw", "corrected"))
        ]
    return made


def show(rows: list[dict[str, object]]) -> None:
    """One line a scenario, every method with its Monte Carlo error."""
    for name in dict.fromkeys((r["kind"], r["group"], r["scenario"]) for r in rows):
        mine = [r for r in rows if (r["kind"], r["group"], r["scenario"]) == name]
        figures = "  ".join(f"{r['method']} {r['value']:.3f} ({r['mc_error']:.3f})" for r in mine)
        alpha = f" alpha {mine[0]['alpha']:.2f}" if mine[0]["alpha"] != "" else ""
        width = next((f"  width {r['width']:.2f}" for r in mine if r["method"] == "two-way" and r["width"] != ""), "")
        print(f"{name[0]:<10} {name[2]:<33} truth {mine[0]['truth']:.2f}{alpha}  {figures}{width}", flush=True)


def main() -> None:
    """Print one line a scenario, and write the table where it is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2_000, help="simulated audits a scenario (default: 2000)")
    parser.add_argument(
        "--resamples", type=int, default=400, help="bootstrap resamples a run; 0 leaves the bootstraps out"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path, help="write the table as CSV, too")
    options = parser.parse_args()
    print(
        f"{options.runs} runs a scenario, seed {options.seed}; rates with their Monte Carlo standard error, nominal .95 and .05"
    )
    rows: list[dict[str, object]] = []
    for group, scenarios in (("ordinary", ORDINARY), ("held out", HELD_OUT)):
        print(f"-- {group}")
        for i, scenario in enumerate(scenarios):
            rng = np.random.default_rng([options.seed, len(group), i])
            made = cover(scenario, group, options.runs, options.resamples, rng)
            show(made)
            rows += made
    for title, simulated in (
        ("difference of two r: Zou's interval", contrasts),
        ("a judge that errs by resource level", judges),
    ):
        print(f"-- {title}")
        made = simulated(options.runs, options.seed)
        show(made)
        rows += made
    if options.to is not None:
        with options.to.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
