"""r corrected for a judge whose errors differ between strata, by algebra, by limits and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from auditkit.stats.cells import shares
from auditkit.stats.correct_r import corrected_alignment
from auditkit.stats.correlate import alignment

LEVELS = np.repeat(["high", "low", "mid"], 12)


def judged(seed, *, sensitivity=None, slope=0.0, prompts=60):
    """Answers of 36 countries whose scores follow resource level, read by a judge that misses first poles by level."""
    rng = np.random.default_rng(seed)
    x = np.select([LEVELS == "high", LEVELS == "mid"], [60.0, 50.0], 40.0) + rng.normal(0, 10, 36)
    logit = 0.4 + rng.normal(0, 1, (prompts, 1)) + slope * (x - 50) / 15 + rng.normal(0, 0.3, 36)
    true = rng.random((prompts, 36)) < 1 / (1 + np.exp(-logit))
    se = np.array([(sensitivity or {}).get(level, 0.95) for level in LEVELS])
    return np.where(true, rng.random(true.shape) < se, rng.random(true.shape) < 0.05).astype(float), x


def test_shares_are_corrected_stratum_by_stratum():
    """The corrected r is the correlation with (p + Sp - 1) / (Se + Sp - 1), each country with its stratum's rates."""
    Y, x = judged(1)
    labels = {"high": (90, 10, 5, 95), "mid": (80, 20, 10, 90), "low": (60, 40, 5, 45)}
    found = corrected_alignment(Y, np.ones(Y.shape), x, LEVELS, labels)
    p = shares(Y, np.ones(Y.shape))
    rates = {"high": (0.9, 0.95), "mid": (0.8, 0.9), "low": (0.6, 0.9)}
    star = [(p[j] + rates[s][1] - 1) / (sum(rates[s]) - 1) for j, s in enumerate(LEVELS)]
    assert found.r == pytest.approx(np.corrcoef(x, star)[0, 1])
    assert found.raw == pytest.approx(np.corrcoef(x, p)[0, 1])
    assert found.low < found.r < found.high
    assert found.gap == pytest.approx(0.85 - 0.5)
    assert found.gap_low < found.gap < found.gap_high
    assert (found.n_labels, found.n_countries, found.validated) == (550, 36, False)


def test_a_judge_that_errs_alike_everywhere_moves_nothing():
    """Equal rates in all strata leave r as it is, whatever they are; endless labels leave the interval as it is, too."""
    Y, x = judged(2, slope=0.6)
    same = corrected_alignment(Y, np.ones(Y.shape), x, LEVELS, dict.fromkeys(("high", "mid", "low"), (70, 30, 10, 90)))
    assert same.r == pytest.approx(same.raw)
    plain = alignment(Y, np.ones(Y.shape), x)
    many = dict.fromkeys(("high", "mid", "low"), (7_000_000, 3_000_000, 1_000_000, 9_000_000))
    sure = corrected_alignment(Y, np.ones(Y.shape), x, LEVELS, many)
    assert (sure.low, sure.high) == (pytest.approx(plain.low, abs=2e-3), pytest.approx(plain.high, abs=2e-3))
    assert sure.validated
    assert same.label_variance > 100 * sure.label_variance


def test_fewer_labels_widen_the_interval():
    """A tenth of the labels gives the same r and a wider interval; a judge without a miss still has width."""
    Y, x = judged(3, slope=0.4)
    found = [
        corrected_alignment(
            Y, np.ones(Y.shape), x, LEVELS, dict.fromkeys(("high", "mid", "low"), (19 * n, n, n, 19 * n))
        )
        for n in (1, 10)
    ]
    assert found[0].r == pytest.approx(found[1].r)
    assert found[0].high - found[0].low > found[1].high - found[1].low
    perfect = corrected_alignment(Y, np.ones(Y.shape), x, LEVELS, dict.fromkeys(("high", "mid", "low"), (40, 0, 0, 40)))
    assert perfect.r == pytest.approx(perfect.raw)
    assert perfect.label_variance > 0


def test_correction_removes_an_r_that_the_judge_made():
    """With no association but a judge that misses first poles in low-resource countries, raw r is off 0 and the corrected one is not."""
    rates = {"high": 0.95, "mid": 0.90, "low": 0.60}
    labels = {level: (round(150 * se), 150 - round(150 * se), 8, 142) for level, se in rates.items()}
    raw, corrected, missed = [], [], 0
    for seed in range(60):
        Y, x = judged(100 + seed, sensitivity=rates)
        found = corrected_alignment(Y, np.ones(Y.shape), x, LEVELS, labels, n_resamples=300)
        raw.append(found.raw)
        corrected.append(found.r)
        missed += not found.low <= 0 <= found.high
    assert np.mean(raw) > 0.3
    assert abs(np.mean(corrected)) < 0.08
    assert missed <= 9


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"high": (90, 10, 5, 95), "mid": (90, 10, 5, 95)}, "labels of no answer in stratum low"),
        (
            dict.fromkeys(("high", "mid"), (90, 10, 5, 95)) | {"low": (10, 2, 0, 0)},
            "labels of one pole only in stratum low",
        ),
        (
            dict.fromkeys(("high", "mid"), (90, 10, 5, 95)) | {"low": (5, 5, 5, 5)},
            "labels of stratum low do not tell the judge from chance",
        ),
    ],
)
def test_strata_without_enough_labels_are_named(labels, reason):
    """Without labels of both poles, or with a judge near chance, there is no corrected r; the raw one is kept."""
    Y, x = judged(4)
    found = corrected_alignment(Y, np.ones(Y.shape), x, LEVELS, labels)
    assert not found.estimable
    assert found.r is None
    assert reason in found.reason
    assert found.raw is not None


def test_degenerate_shares_and_misfits():
    """Shares that do not vary give a reason; strata that do not fit the countries are an error; one stratum has no gap."""
    labels = dict.fromkeys(("high", "mid", "low"), (90, 10, 5, 95))
    flat = corrected_alignment(np.ones((5, 36)), np.ones((5, 36)), np.arange(36.0), LEVELS, labels)
    assert (flat.estimable, flat.reason) == (False, "all countries have the same share")
    Y, x = judged(5)
    with pytest.raises(ValueError, match="35 strata"):
        corrected_alignment(Y, np.ones(Y.shape), x, LEVELS[1:], labels)
    one = corrected_alignment(Y, np.ones(Y.shape), x, ["high"] * 36, labels)
    assert (one.gap, one.validated) == (0.0, True)
