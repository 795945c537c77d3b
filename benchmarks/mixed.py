"""Does the mixed model's test keep its size, and does the search end? Simulated audits in two modes without any relation to scores.

    python benchmarks/mixed.py --runs 400

50 prompts x 36 countries x 2 modes, one answer each, made with every random effect of the model; with and without prompts' own slopes.
`small` is the model with prompts and countries alone, which many would fit.
"""

from __future__ import annotations

import argparse
import math
import os
import time

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # systems of 400 unknowns gain nothing from threads that wait for each other

import numpy as np
from scipy.special import stdtr

from auditkit.stats.cells import CellCounts
from auditkit.stats.laplace import fit_laplace
from auditkit.stats.mixed import mixed_model

K, J = 50, 36
NAMES = tuple(f"p{k}" for k in range(K)), tuple(f"c{j}" for j in range(J))


def audit(rng: np.random.Generator, slope_sd: float) -> dict[str, CellCounts]:
    """Two modes with sd 1.1 (prompts), .4 (countries), .3 (countries by mode), .4 (prompts by mode), logits; no slope on the score."""
    x = rng.normal(50, 20, J)
    prompt, country = rng.normal(0, 1.1, (K, 1)), rng.normal(0, 0.4, J)
    made = {}
    for level, mode in ((0.2, "persona"), (0.7, "multilingual")):
        slopes = np.outer(rng.normal(0, slope_sd, K), (x - x.mean()) / x.std())
        logit = level + prompt + country + rng.normal(0, 0.3, J) + rng.normal(0, 0.4, (K, 1)) + slopes
        ones = np.ones((K, J))
        made[mode] = CellCounts(rng.binomial(1, 1 / (1 + np.exp(-logit))), ones, ones, x, *NAMES)
    return made


def small_model(cells: dict[str, CellCounts]) -> tuple[float, float]:
    """p of score and of score x mode with (1 | prompt) + (1 | country), t(J - 2)."""
    first, second = cells.values()
    z = (first.x - first.x.mean()) / first.x.std()
    prompt, country = (np.tile(a.ravel(), 2) for a in np.indices((K, J)))
    mode, score = np.repeat([0.0, 1.0], K * J), np.tile(np.tile(z, K), 2)
    fixed = np.column_stack([np.ones(2 * K * J), score, mode, score * mode])
    one = np.ones(2 * K * J)
    found = fit_laplace(
        fixed, np.concatenate([first.Y.ravel(), second.Y.ravel()]), one, {"p": (prompt, one), "c": (country, one)}
    )
    return tuple(2 * float(stdtr(J - 2, -abs(found.beta[i] / found.se[i]))) for i in (1, 3))


def main() -> None:
    """Print the share of tests below .05, with the Monte Carlo error, and what the search did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{options.runs} runs, seed {options.seed}: share of p < .05 where nothing is there (Monte Carlo s.e.)")
    for slope_sd in (0.0, 0.35):
        rng = np.random.default_rng([options.seed, round(100 * slope_sd)])
        hits, small, lost, seconds = np.zeros(2), np.zeros(2), 0, 0.0
        for _ in range(options.runs):
            cells = audit(rng, slope_sd)
            begun = time.perf_counter()
            result = mixed_model(cells)
            seconds += time.perf_counter() - begun
            lost += not (result.converged and result.estimable)
            if result.estimable:
                hits += [result.coefficients[i].p < 0.05 for i in (1, 3)]
            small += [p < 0.05 for p in small_model(cells)]
        for name, found in (("maximal", hits), ("small", small)):
            rate = found / options.runs
            error = [math.sqrt(max(r * (1 - r), 1e-9) / options.runs) for r in rate]
            shown = "  ".join(
                f"{t} {r:.3f} ({e:.3f})" for t, r, e in zip(("score", "score x mode"), rate, error, strict=True)
            )
            print(f"slopes {slope_sd:.2f}  {name:<8} {shown}", flush=True)
        print(
            f"slopes {slope_sd:.2f}  {lost} of {options.runs} fits lost, {seconds / options.runs:.2f} s a fit",
            flush=True,
        )


if __name__ == "__main__":
    main()
