"""Seconds for the resampling of a whole report, beside the plain loop that does the same one resample at a time.

    python benchmarks/stats.py

Five models x ten cells (two modes, five dimensions), 50 prompts x 36 countries: 2,000 two-way resamples and 9,999 permutations,
Pearson and Spearman. The loop copies rows and columns for every resample and correlates with numpy; it is timed on a part of the work,
in the same process, and scaled up. The two are checked to give the same r and p on the same draws before any time is printed.
"""
# ruff: noqa: N806  (the letters of the formulas; numpy reads the number of threads when it is imported)

from __future__ import annotations

import argparse
import itertools
import os
import time

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # products of this size gain nothing from threads that wait for each other

import numpy as np
from scipy.stats import rankdata

from auditkit.stats.cells import shares
from auditkit.stats.correlate import alignment
from auditkit.stats.reliability import reliability
from auditkit.stats.resample import bootstrap_interval, bootstrap_r, draw_resamples, permutation_test, permuted_orders

K, J = 50, 36
STATISTICS = ("pearson", "spearman")


def cells(n: int, seed: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Y, N, x of n cells that share the countries; one answer in fifty is unusable."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        x = rng.integers(5, 100, J).astype(float)
        logit = rng.normal(0, 1.2, (K, 1)) + 0.4 * (x - 50) / 25 + rng.normal(0, 0.4, J)
        N = rng.binomial(1, 0.98, (K, J))
        made.append((rng.binomial(N, 1 / (1 + np.exp(-logit))), N, x))
    return made


def loop(
    cell: tuple[np.ndarray, np.ndarray, np.ndarray], rows: np.ndarray, columns: np.ndarray, statistic: str
) -> float:
    """One two-way resample the plain way: copy, sum, correlate."""
    Y, N, x = cell
    at = np.ix_(rows, columns)
    p = Y[at].sum(axis=0) / N[at].sum(axis=0)
    return plain_r(x[columns], p, statistic)


def plain_r(x: np.ndarray, p: np.ndarray, statistic: str) -> float:
    """One correlation of two vectors."""
    return float(np.corrcoef(x, p)[0, 1] if statistic == "pearson" else np.corrcoef(rankdata(x), rankdata(p))[0, 1])


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--permutations", type=int, default=9_999)
    parser.add_argument("--loop", type=int, default=400, help="resamples and permutations that the loop is timed on")
    options = parser.parse_args()
    work = cells(10 * options.models, seed=1)

    # the same figures first: every statistic of every tenth cell, on the same resamples and permutations
    drawn = draw_resamples(K, J, n_resamples=20, seed=2)
    order = permuted_orders(J, n_permutations=99, seed=2)
    for (Y, N, x), statistic in itertools.product(work[::10], STATISTICS):
        fast = bootstrap_r(Y, N, x, drawn, statistic=statistic)
        slow = [
            loop((Y, N, x), np.repeat(np.arange(K), a.astype(int)), np.repeat(np.arange(J), b.astype(int)), statistic)
            for a, b in zip(drawn.prompts, drawn.countries, strict=True)
        ]
        np.testing.assert_allclose(fast, slow, atol=1e-10)
        p = shares(Y, N)
        observed = abs(plain_r(x, p, statistic))
        extreme = sum(abs(plain_r(x[o], p, statistic)) >= observed - 1e-12 for o in order)
        assert permutation_test(Y, N, x, statistic=statistic, orders=order).p == (1 + extreme) / 100

    seconds: dict[str, float] = {}
    begun = time.perf_counter()
    resamples = draw_resamples(K, J, n_resamples=options.resamples)
    orders = permuted_orders(J, n_permutations=options.permutations)
    seconds["drawing, shared by all cells"] = time.perf_counter() - begun
    for statistic in STATISTICS:
        begun = time.perf_counter()
        for Y, N, x in work:
            bootstrap_interval(Y, N, x, statistic=statistic, resamples=resamples)
        seconds[f"two-way bootstrap, {statistic}"] = time.perf_counter() - begun
        begun = time.perf_counter()
        for Y, N, x in work:
            permutation_test(Y, N, x, statistic=statistic, orders=orders)
        seconds[f"permutations, {statistic}"] = time.perf_counter() - begun
    begun = time.perf_counter()
    for Y, N, x in work:
        alignment(Y, N, x)
        reliability(Y, N)
    seconds["closed-form intervals and reliability"] = time.perf_counter() - begun
    total = sum(seconds.values())

    rng = np.random.default_rng(3)
    slow_bootstrap = slow_permutation = 0.0
    for statistic in STATISTICS:
        begun = time.perf_counter()
        for i in range(options.loop):
            loop(work[i % len(work)], rng.integers(K, size=K), rng.integers(J, size=J), statistic)
        slow_bootstrap += (time.perf_counter() - begun) / options.loop
        begun = time.perf_counter()
        for i in range(options.loop):
            Y, N, x = work[i % len(work)]
            p = shares(Y, N)
            plain_r(rng.permutation(x), p, statistic)
        slow_permutation += (time.perf_counter() - begun) / options.loop
    plain = len(work) * (options.resamples * slow_bootstrap + options.permutations * slow_permutation)

    print(
        f"{len(work)} cells, {K} prompts x {J} countries, {options.resamples} resamples, {options.permutations} permutations"
    )
    for name, value in seconds.items():
        print(f"  {name:<40}{value:8.2f} s")
    print(f"  {'in all':<40}{total:8.2f} s")
    print(f"  {f'plain loop, scaled from {options.loop} rounds each':<40}{plain:8.0f} s")
    print(f"  ratio {plain / total:.0f} (same r and p on the same draws: checked)")


if __name__ == "__main__":
    main()
