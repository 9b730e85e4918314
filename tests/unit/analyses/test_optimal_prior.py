"""The prior that serves several posteriors best, against numerical minimisation of KLs computed by quadrature."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import norm

from pipeline_lib.analyses.optimal_prior import UnivariateGaussian, kl, optimal_prior
from pipeline_lib.figures.optimal_prior import POSTERIORS, cost, numbers

CASES = [
    [UnivariateGaussian(-2.0, 0.5), UnivariateGaussian(2.0, 0.8)],
    [UnivariateGaussian(0.3, 1.0), UnivariateGaussian(0.3, 2.0)],
    [UnivariateGaussian(-1.0, 0.4), UnivariateGaussian(0.5, 0.9), UnivariateGaussian(3.0, 0.7)],
]


def kl_by_quadrature(q: UnivariateGaussian, p: UnivariateGaussian) -> float:
    z = np.linspace(q.mean - 12 * q.sd, q.mean + 12 * q.sd, 2001)
    difference = norm.logpdf(z, *q) - norm.logpdf(z, *p)
    return float(np.trapezoid(np.exp(norm.logpdf(z, *q)) * difference, z))


@pytest.mark.parametrize("posteriors", CASES)
def test_the_optimum_is_where_numerical_minimisation_ends(posteriors):
    def total(parameters):
        mean, log_sd = parameters
        return sum(kl_by_quadrature(q, UnivariateGaussian(mean, np.exp(log_sd))) for q in posteriors)

    found = minimize(total, x0=[0.1, 0.1], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9})
    assert_allclose(optimal_prior(posteriors), (found.x[0], np.exp(found.x[1])), atol=1e-3)


@pytest.mark.parametrize(("first", "second"), [case for case in CASES if len(case) == 2])
def test_two_posteriors_have_the_optimum_that_the_paper_gives(first, second):
    mean, variance = (first.mean + second.mean) / 2, (first.sd**2 + second.sd**2) / 2
    variance += (first.mean - second.mean) ** 2 / 4
    assert_allclose(optimal_prior([first, second]), (mean, np.sqrt(variance)))


def test_the_kl_in_closed_form_is_the_integral():
    for q, p in [(CASES[0][0], CASES[0][1]), (CASES[1][1], CASES[1][0])]:
        assert_allclose(kl(q, p), kl_by_quadrature(q, p), rtol=1e-9)


def test_one_prior_per_group_costs_nothing_and_a_shared_one_more_the_further_apart_they_are():
    table = numbers().to_pandas()
    by_curve = {name: part["y"].to_numpy() for name, part in table[table["panel"] == "cost"].groupby("curve")}
    assert not by_curve["one prior per group"].any()
    assert (np.diff(by_curve["one prior"]) > 0).all()
    assert cost(POSTERIORS, [optimal_prior(POSTERIORS)] * 2) == pytest.approx(
        np.mean([kl_by_quadrature(q, optimal_prior(POSTERIORS)) for q in POSTERIORS])
    )


def test_every_density_that_is_drawn_integrates_to_one():
    table = numbers().to_pandas()
    for (panel, _), part in table.groupby(["panel", "curve"]):
        if panel != "cost":
            assert np.trapezoid(part["y"], part["x"]) == pytest.approx(1, abs=0.01)
