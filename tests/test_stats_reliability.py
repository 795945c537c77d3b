"""Reliability and differentiation, against the textbook forms for one binary answer a pair."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from auditkit.stats.correlate import alignment
from auditkit.stats.reliability import (
    cell_means,
    differentiation,
    disattenuated,
    noise_ceiling,
    reliability,
    reliability_at,
)


def binary(seed, n_prompts=30, n_countries=15, spread=0.8):
    """One answer a pair; countries differ by `spread` on the logit scale."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1, (n_prompts, 1)) + rng.normal(0, spread, n_countries)
    return rng.binomial(1, 1 / (1 + np.exp(-logit))), np.ones((n_prompts, n_countries))


@pytest.mark.parametrize("seed", range(4))
def test_alpha_is_kuder_richardson_20(seed):
    """For binary answers alpha equals K/(K-1) (1 - sum p q / variance of totals)."""
    Y, N = binary(seed)
    K = len(Y)
    difficulty = Y.mean(axis=1)
    # population variances throughout: KR-20 needs both sides on the same footing
    kr20 = K / (K - 1) * (1 - (difficulty * (1 - difficulty)).sum() / Y.sum(axis=0).var())
    assert reliability(Y, N).alpha == pytest.approx(kr20)


def test_feldt_limits():
    """The limits are those of the F distribution with J-1 and (J-1)(K-1) degrees of freedom."""
    Y, N = binary(0)
    result = reliability(Y, N)
    f = stats.f(14, 14 * 29)
    assert result.low == pytest.approx(1 - (1 - result.alpha) * f.ppf(0.975))
    assert result.high == pytest.approx(1 - (1 - result.alpha) * f.ppf(0.025))
    assert result.ceiling == pytest.approx(math.sqrt(result.alpha))


def test_alpha_estimates_the_components_it_is_made_of():
    """With many prompts alpha is country variance over country variance plus residual variance / K."""
    rng = np.random.default_rng(1)
    means = 0.5 + rng.normal(0, 0.05, (80, 1)) + rng.normal(0, 0.04, 400) + rng.normal(0, 0.1, (80, 400))
    N = np.full(means.shape, 10_000)
    result = reliability(np.clip(means, 0, 1) * N, N)
    assert result.alpha == pytest.approx(0.04**2 / (0.04**2 + 0.1**2 / 80), abs=0.02)
    assert result.prompt_variance == pytest.approx(0.05**2, rel=0.4)
    assert result.residual_variance == pytest.approx(0.1**2, rel=0.05)


def test_empty_pairs_are_filled_additively():
    """An additive table is completed exactly, and the filled pairs are counted."""
    full = np.add.outer([0.1, 0.2, 0.3, 0.4], [0.0, 0.1, 0.3])
    N = np.full(full.shape, 10.0)
    N[1, 2] = 0
    filled = cell_means(full * N, N, iterations=200)
    np.testing.assert_allclose(filled, full, atol=1e-6)
    assert reliability(full * N, N).n_imputed == 1


def test_spearman_brown_doubles_and_returns():
    """Doubling the prompts gives 2a/(1+a), and going back gives a."""
    assert reliability_at(0.6, 50, 100) == pytest.approx(1.2 / 1.6)
    assert reliability_at(reliability_at(0.37, 50, 200), 200, 50) == pytest.approx(0.37)
    assert noise_ceiling(-0.2) == 0


def test_differentiation_is_cochrans_q():
    """For binary answers q equals Cochran's (J-1)(J sum C^2 - T^2)/(J T - sum R^2)."""
    Y, N = binary(3)
    J, columns, rows, total = Y.shape[1], Y.sum(axis=0), Y.sum(axis=1), Y.sum()
    q = (J - 1) * (J * (columns**2).sum() - total**2) / (J * total - (rows**2).sum())
    result = differentiation(Y, N)
    assert result.q == pytest.approx(q)
    assert result.p == pytest.approx(stats.chi2.sf(q, J - 1))


def test_r_is_divided_by_the_ceiling_only_above_three_tenths():
    """r / sqrt(alpha) with both limits, and a reason instead where alpha is .3 or less."""
    Y, N = binary(0)
    x = np.linspace(10, 90, 15)
    r, a = alignment(Y, N, x), reliability(Y, N)
    assert a.alpha > 0.3
    result = disattenuated(r, a)
    assert (result.r, result.low, result.high) == pytest.approx(
        tuple(v / math.sqrt(a.alpha) for v in (r.r, r.low, r.high))
    )
    Y, N = binary(0, spread=0.0)
    flat = disattenuated(alignment(Y, N, x), reliability(Y, N))
    assert flat.r is None
    assert "not above 0.3" in flat.reason
