"""The mixed model: its gradient, its likelihood, the parameters it recovers, and what it says where it cannot be fitted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from auditkit.stats.cells import CellCounts
from auditkit.stats.laplace import SD_CAP, Laplace, fit_laplace
from auditkit.stats.mixed import _fixed, _random, _Rows, mixed_model

MODES = ("persona", "multilingual")
SD = {"prompt": 1.1, "country": 0.4, "country x mode": 0.3, "prompt x mode": 0.4, "slope of prompt x mode": 0.3}


def audit(seed, *, prompts=50, countries=36, modes=MODES, score=0.3, interaction=0.3, samples=1, sd=SD):
    """Counts of several modes from the model itself; score per standard deviation, logits."""
    rng = np.random.default_rng(seed)
    x = rng.normal(50, 20, countries)
    z = (x - x.mean()) / x.std()
    prompt, country = rng.normal(0, sd["prompt"], (prompts, 1)), rng.normal(0, sd["country"], countries)
    made = {}
    for m, mode in enumerate(modes):
        logit = 0.2 + 0.5 * m + (score + interaction * m) * z + prompt + country
        logit = (
            logit + rng.normal(0, sd["country x mode"], countries) + rng.normal(0, sd["prompt x mode"], (prompts, 1))
        )
        logit = logit + rng.normal(0, sd["slope of prompt x mode"], (prompts, 1)) * z
        N = np.full(logit.shape, samples)
        made[mode] = CellCounts(
            rng.binomial(N, 1 / (1 + np.exp(-logit))), N, N, x,
            tuple(f"p{k}" for k in range(prompts)), tuple(f"c{j}" for j in range(countries)),
        )  # fmt: skip
    return made


def laplace(cells):
    rows = _Rows.of(cells)
    return Laplace(_fixed(rows)[1], rows.y, rows.n, list(_random(rows).values()))


@pytest.mark.parametrize("samples", [1, 4])
def test_the_gradient_is_the_slope_of_the_value(samples):
    """The exact gradient equals central differences in every log sd and coefficient."""
    made = laplace(audit(1, prompts=12, countries=9, samples=samples))
    at = np.array([*np.log([0.8, 0.4, 0.3, 0.2, 0.3]), 0.1, 0.2, 0.3, 0.1])
    _, gradient = made.value_and_gradient(at)
    steps = 1e-4 * np.eye(len(at))
    slopes = [(made.value_and_gradient(at + e)[0] - made.value_and_gradient(at - e)[0]) / 2e-4 for e in steps]
    np.testing.assert_allclose(gradient, slopes, atol=2e-5)


def test_the_likelihood_approaches_the_integral():
    """With one random intercept and 400 answers a level, the approximation is the integral over it, at two values of its sd."""
    rng = np.random.default_rng(2)
    groups, size, beta = 15, 400, 0.3
    y = rng.binomial(size, 1 / (1 + np.exp(-beta - 0.8 * rng.normal(size=groups)))).astype(float)
    n = np.full(groups, float(size))
    made = Laplace(np.ones((groups, 1)), y, n, [(np.arange(groups), np.ones(groups))])
    u = np.linspace(-8, 8, 8001)
    density = np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi) * (u[1] - u[0])
    for sd in (0.8, 1.6):
        logit = beta + sd * u
        fit = np.outer(y, logit) - np.outer(n, np.logaddexp(0, logit))
        peak = fit.max(axis=1, keepdims=True)
        exact = float((np.log(np.exp(fit - peak) @ density) + peak[:, 0]).sum())
        assert -made.value_and_gradient(np.array([math.log(sd), beta]))[0] == pytest.approx(exact, abs=0.015)


def test_it_agrees_with_gpboost():
    """Likelihood, coefficients and variances are those of gpboost's Laplace fit of the same model, where gpboost is installed."""
    gpboost = pytest.importorskip("gpboost")
    cells = audit(1)
    rows = _Rows.of(cells)
    groups = np.column_stack([rows.prompt, rows.country, 2 * rows.country + rows.mode, 2 * rows.prompt + rows.mode])
    model = gpboost.GPModel(
        group_data=groups, group_rand_coef_data=rows.score[:, None].copy(), ind_effect_group_rand_coef=[4],
        likelihood="bernoulli_logit", matrix_inversion_method="cholesky",
    )  # fmt: skip
    model.fit(y=rows.y.copy(), X=_fixed(rows)[1], params={"maxit": 2000, "delta_rel_conv": 1e-9})
    found = mixed_model(cells)
    assert found.log_likelihood >= -model.get_current_neg_log_likelihood() - 0.01
    np.testing.assert_allclose([c.beta for c in found.coefficients], np.ravel(model.get_coef())[:4], atol=0.005)
    np.testing.assert_allclose(list(found.sd.values()), np.sqrt(np.ravel(model.get_cov_pars())), atol=0.01)


def test_without_random_variance_it_is_logistic_regression():
    """With all sd at their floor the coefficients' errors are those of a plain logistic regression."""
    rows = _Rows.of(audit(3, prompts=10, countries=8))
    _, fixed = _fixed(rows)
    made = Laplace(fixed, rows.y, rows.n, list(_random(rows).values()))
    beta = np.zeros(4)
    for _ in range(30):
        mu = 1 / (1 + np.exp(-fixed @ beta))
        information = fixed.T @ (fixed * (rows.n * mu * (1 - mu))[:, None])
        beta = beta + np.linalg.solve(information, fixed.T @ (rows.y - rows.n * mu))
    at = np.concatenate([np.full(5, math.log(1e-3)), beta])
    _, gradient = made.value_and_gradient(at)
    np.testing.assert_allclose(gradient[5:], 0, atol=1e-2)
    np.testing.assert_allclose(made.standard_errors(at), np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-3)


def test_it_recovers_what_made_the_answers():
    """Over simulated audits estimates centre on the truth, limits hold it, and every search ends at a maximum."""
    truth = {"intercept": 0.2, "score": 0.3, "mode multilingual": 0.5, "score x multilingual": 0.3}
    found = [mixed_model(audit(seed, samples=2)) for seed in range(12)]
    assert all(result.converged and result.estimable for result in found)
    for i, (term, value) in enumerate(truth.items()):
        terms = [result.coefficients[i] for result in found]
        assert {c.term for c in terms} == {term}
        assert {c.df for c in terms} == {34}
        spread = np.std([c.beta for c in terms]) / math.sqrt(len(terms))
        assert np.mean([c.beta for c in terms]) == pytest.approx(value, abs=3.5 * spread)
        assert sum(c.low <= value <= c.high for c in terms) >= 9
        assert all((c.p < 0.05) == (not c.low <= 0 <= c.high) for c in terms)
    for name, value in SD.items():
        assert np.mean([result.sd[name] for result in found]) == pytest.approx(value, abs=0.08)


@pytest.mark.parametrize("seed", range(4))
def test_more_variances_never_fit_worse(seed):
    """Nested models have likelihood ratios of at least -0.01: a search that stuck at a variance of 0 would show here."""
    sd = dict(
        zip(
            SD,
            [(1.1, 0.4, 0, 0, 0), (0.5, 0, 0, 0.4, 0), (2, 0.1, 0.1, 0.1, 0.1), (1.1, 0.4, 0.3, 0.4, 0.3)][seed],
            strict=True,
        )
    )
    rows = _Rows.of(audit(3 + seed, prompts=30, countries=24, sd=sd))
    _, fixed = _fixed(rows)
    random = list(_random(rows).items())
    last = -math.inf
    for size in range(1, len(random) + 1):
        found = fit_laplace(fixed, rows.y, rows.n, dict(random[:size]))
        assert 2 * (found.log_likelihood - last) >= -0.01
        last = found.log_likelihood


def test_a_slope_of_prompts_widens_the_slope_on_the_score():
    """Leaving the prompts' own slopes out makes the error of the score too small, as does leaving out countries by mode."""
    rows = _Rows.of(audit(5, sd=SD | {"slope of prompt x mode": 0.8, "country x mode": 0.6}))
    names, fixed = _fixed(rows)
    random = _random(rows)
    small = fit_laplace(fixed, rows.y, rows.n, {name: random[name] for name in ("prompt", "country")})
    full = fit_laplace(fixed, rows.y, rows.n, random)
    at = names.index("score x multilingual")
    assert full.se[at] > 1.5 * small.se[at]


def test_answers_can_be_counts_or_rows():
    """Five samples in one count give the likelihood, up to its constant, and the estimates of the same answers as five prompts' rows."""
    made = audit(6, prompts=8, countries=10, modes=("persona",), samples=3)
    rows = _Rows.of(made)
    _, fixed = _fixed(rows)
    counts = fit_laplace(fixed, rows.y, rows.n, _random(rows))
    repeat = rows.n.astype(int)
    single = np.concatenate([np.r_[np.ones(int(y)), np.zeros(int(n - y))] for y, n in zip(rows.y, rows.n, strict=True)])
    random = {name: (np.repeat(c, repeat), np.repeat(v, repeat)) for name, (c, v) in _random(rows).items()}
    answers = fit_laplace(np.repeat(fixed, repeat, axis=0), single, np.ones(len(single)), random)
    assert counts.log_likelihood == pytest.approx(answers.log_likelihood, abs=1e-4)
    np.testing.assert_allclose(counts.beta, answers.beta, atol=1e-3)


def test_one_mode_has_no_mode_terms():
    """One mode gives intercept and score, with prompts, countries and the prompts' slopes as random effects."""
    result = mixed_model(audit(7, modes=("persona",)))
    assert [c.term for c in result.coefficients] == ["intercept", "score"]
    assert list(result.sd) == ["prompt", "country", "slope of the prompt"]
    assert (result.modes, result.n_prompts, result.n_countries, result.n_answers) == (("persona",), 50, 36, 1800)


def test_gaps_and_other_orders_are_matched_by_name():
    """Countries and prompts in another order give the same fit; those of one mode alone, and gaps, take part where they answered."""
    made = audit(8, prompts=12, countries=10)
    whole = mixed_model(made)
    other = made["multilingual"].select(
        prompts=made["persona"].prompts[::-1], countries=made["persona"].countries[::-1]
    )
    turned = mixed_model(made | {"multilingual": other})
    assert turned.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-3)
    part = mixed_model(made | {"multilingual": made["multilingual"].select(countries=made["persona"].countries[:8])})
    assert (part.n_countries, part.n_answers) == (10, whole.n_answers - 24)


def test_deterministic_prompts_are_not_estimable():
    """Where prompts are answered alike everywhere the sd of prompts hits its cap, and no coefficient is given."""
    result = mixed_model(audit(9, prompts=30, countries=20, sd=SD | {"prompt": 40.0}))
    assert not result.estimable
    assert not result.coefficients
    assert "prompt" in result.reason
    assert result.sd["prompt"] == pytest.approx(SD_CAP)


def test_components_without_variance_are_named():
    """A component that ends at 0 is reported as 0 and named in the note; the rest is estimated all the same."""
    found = [mixed_model(audit(seed, prompts=20, countries=12, sd=SD | {"country x mode": 0.0})) for seed in range(6)]
    none = [result for result in found if result.sd["country x mode"] == 0.0]
    assert none
    assert all("country x mode" in result.note and result.estimable for result in none)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda y, n, x: (y, 0 * n, x), "no usable answers"),
        (lambda y, n, x: (0 * y, n, x), "all answers alike in mode persona"),
        (lambda y, n, x: (y, n, 0 * x), "all countries have the same score"),
        (lambda y, n, x: (y, n, np.where(np.arange(len(x)) < 3, x, np.nan)), "3 of the 4 countries"),
        (lambda y, n, x: (y, n * (np.arange(len(n)) == 0)[:, None], x), "one prompt"),
    ],
)
def test_degenerate_input_is_named(change, reason):
    """What cannot be fitted gives a reason in words and no number."""
    cell = audit(10, prompts=6, countries=8, modes=("persona",))["persona"]
    Y, N, x = change(cell.Y, cell.N, cell.x)
    result = mixed_model({"persona": CellCounts(np.minimum(Y, N), N, N, x, cell.prompts, cell.countries)})
    assert not result.estimable
    assert not result.coefficients
    assert reason in result.reason


def test_a_mode_without_answers_is_named():
    """A second mode in which nothing usable came back stops the model, by name."""
    made = audit(11, prompts=6, countries=8)
    other = made["multilingual"]
    empty = CellCounts(0 * other.Y, 0 * other.N, other.T, other.x, other.prompts, other.countries)
    assert mixed_model(made | {"multilingual": empty}).reason == "no usable answers in mode multilingual"


def test_two_scores_of_one_country_are_an_error():
    """Modes that disagree on a country's score cannot be modelled together; no mode at all is an error as well."""
    made = audit(12, prompts=4, countries=5)
    other = made["multilingual"]
    moved = CellCounts(other.Y, other.N, other.T, other.x + 1, other.prompts, other.countries)
    with pytest.raises(ValueError, match="two scores"):
        mixed_model(made | {"multilingual": moved})
    with pytest.raises(ValueError, match="no mode"):
        mixed_model({})
