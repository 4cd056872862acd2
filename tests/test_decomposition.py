"""The rate in three parts, against closed forms; the aggregate posterior, against integrals."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from aecore.bounds import kl_divergence
from aecore.decomposition import (
    log_aggregate,
    minibatch_total_correlation,
    rate_terms,
)


def draw():
    return torch.Generator().manual_seed(0)


def gaussians(mu, sigma):
    return Independent(Normal(mu.double(), sigma.double()), 1)


def some(examples=40, latents=3):
    noise = torch.randn(2, examples, latents, generator=draw())
    return gaussians(noise[0], 0.2 + noise[1].sigmoid())


# ---- the aggregate


def test_the_aggregate_of_one_is_that_one():
    one = gaussians(torch.tensor([[0.3, -1.0]]), torch.tensor([[0.5, 2.0]]))
    z = torch.randn(7, 2, generator=draw()).double()
    joint, each = log_aggregate(z, one)
    assert_close(joint, one.log_prob(z))
    assert_close(each, Normal(one.mean, one.stddev).log_prob(z))


def test_the_aggregate_is_the_mean_of_the_densities():
    posterior = some()
    z = torch.randn(9, 3, generator=draw()).double()
    joint, each = log_aggregate(z, posterior)
    densities = Normal(posterior.mean, posterior.stddev).log_prob(z[:, None]).exp()  # (9, 40, 3)
    assert_close(joint.exp(), densities.prod(2).mean(1))
    assert_close(each.exp(), densities.mean(1))


def test_the_aggregate_integrates_to_1():
    posterior = some(latents=2)
    side = torch.linspace(-15, 15, 401, dtype=torch.float64)
    joint, each = log_aggregate(torch.cartesian_prod(side, side), posterior)
    step = side[1] - side[0]
    assert joint.exp().sum() * step**2 == pytest.approx(1, abs=1e-9)
    along = each[:401, 1]  # the second latent along its axis
    assert along.exp().sum() * step == pytest.approx(1, abs=1e-9)


def test_many_points_are_taken_in_parts(monkeypatch):
    posterior, z = some(), torch.randn(50, 3, generator=draw()).double()
    joint, each = log_aggregate(z, posterior)
    monkeypatch.setattr("aecore.decomposition.CHUNK", 1)
    again = log_aggregate(z, posterior)
    assert_close(again, (joint, each))


# ---- the terms


def test_the_terms_add_up_to_the_rate():
    posterior = some()
    terms = rate_terms(posterior, draw(), samples=400)
    rate = kl_divergence(posterior).mean().item()
    assert abs(terms.total - rate) < 4 * terms.error
    assert terms.error < 0.03
    assert terms.total == terms.information + terms.total_correlation + terms.dimension_wise


def test_a_collapsed_posterior_has_no_term():
    terms = rate_terms(gaussians(torch.zeros(20, 3), torch.ones(20, 3)), draw(), samples=4)
    assert terms.information == pytest.approx(0, abs=1e-9)
    assert terms.total_correlation == pytest.approx(0, abs=1e-9)
    assert terms.dimension_wise == pytest.approx(0, abs=1e-9)


def test_far_apart_information_is_log_n():
    posterior = gaussians(10 * torch.arange(16).float()[:, None].expand(16, 2), torch.ones(16, 2))
    terms = rate_terms(posterior, draw(), samples=50)
    assert terms.information == pytest.approx(math.log(16), abs=1e-4)
    # two latents that say the same: one of them would do
    assert terms.total_correlation == pytest.approx(math.log(16), abs=0.01)


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.95])
def test_a_gaussian_aggregate_has_the_total_correlation_of_its_closed_form(rho):
    r"""$-\frac12 \log(1 - \rho^2)$; the marginals are standard normal and cost nothing."""
    covariance = torch.tensor([[1, rho], [rho, 1]]).double()
    width = 0.2
    root = torch.linalg.cholesky(covariance - width**2 * torch.eye(2))
    means = torch.randn(2000, 2, generator=draw()).double() @ root.T
    terms = rate_terms(gaussians(means, torch.full((2000, 2), width)), draw(), samples=2)
    assert terms.total_correlation == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.06)
    assert terms.dimension_wise == pytest.approx(0, abs=0.02)


def test_independent_latents_have_no_total_correlation():
    places = torch.cartesian_prod(torch.arange(6), torch.arange(6)).float() - 2.5
    terms = rate_terms(gaussians(places, torch.full((36, 2), 0.3)), draw(), samples=200)
    assert terms.total_correlation == pytest.approx(0, abs=1e-9)
    assert terms.information > math.log(36) - 0.6


def test_dimension_wise_kl_of_one_gaussian_is_the_closed_form():
    one = gaussians(torch.tensor([[0.7, -2.0]] * 2), torch.tensor([[0.01, 1.7]] * 2))
    terms = rate_terms(one, draw(), samples=1)
    assert terms.dimension_wise == pytest.approx(kl_divergence(one)[0].item(), abs=1e-6)
    assert terms.information == pytest.approx(0, abs=1e-9)


def test_a_rotation_moves_the_chorus_and_not_the_information():
    posterior = gaussians(some().mean, torch.full((40, 3), 0.4))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=draw()).double())[0]
    turned = gaussians(posterior.mean @ turn.T, posterior.stddev)
    first, second = (rate_terms(p, draw(), samples=400) for p in (posterior, turned))
    assert first.information == pytest.approx(second.information, abs=0.04)
    assert first.total == pytest.approx(second.total, abs=0.1)


# ---- the minibatch


def test_the_minibatch_estimate_by_hand():
    posterior = some(examples=5, latents=2)
    z = torch.randn(5, 2, generator=draw()).double()
    found = minibatch_total_correlation(z, posterior, 100)
    densities = Normal(posterior.mean, posterior.stddev).log_prob(z[:, None]).exp()  # (5, 5, 2)
    joint = (densities.prod(2).sum(1) / 500).log()
    each = (densities.sum(1) / 500).log()
    assert_close(found, joint - each.sum(1))


def test_many_models_at_once_are_each_by_itself():
    mu, sigma = some().mean.reshape(4, 10, 3), some().stddev.reshape(4, 10, 3)
    z = torch.randn(4, 10, 3, generator=draw()).double()
    together = minibatch_total_correlation(z, gaussians(mu, sigma), 50)
    alone = [minibatch_total_correlation(z[k], gaussians(mu[k], sigma[k]), 50) for k in range(4)]
    assert_close(together, torch.stack(alone))


def test_of_the_whole_data_set_it_is_the_aggregate_less_a_constant():
    posterior = some()
    z = torch.randn(40, 3, generator=draw()).double()
    joint, each = log_aggregate(z, posterior)
    found = minibatch_total_correlation(z, posterior, 1000)
    assert_close(found, joint - each.sum(1) + 2 * math.log(1000))


def test_its_gradient_pulls_latents_apart():
    mu = torch.randn(64, 1, generator=draw()).double().expand(64, 2) + 0.0
    mu.requires_grad_()
    minibatch_total_correlation(
        mu * 1.0, gaussians(mu, torch.full((64, 2), 0.5)), 64
    ).mean().backward()
    assert mu.grad is not None
    assert mu.grad.isfinite().all()
    assert mu.grad.abs().max() > 0


# ---- bad input


@pytest.mark.parametrize("bad", [None, Normal(torch.zeros(3, 2), 1.0), torch.zeros(3, 2)])
def test_a_posterior_is_independent_normal(bad):
    for call in (
        lambda: log_aggregate(torch.zeros(3, 2), bad),
        lambda: rate_terms(bad, draw(), samples=1),
        lambda: minibatch_total_correlation(torch.zeros(3, 2), bad, 3),
    ):
        with pytest.raises(TypeError, match=r"^posterior must be Independent"):
            call()


@pytest.mark.parametrize(("samples", "error"), [(0, ValueError), (1.5, TypeError)])
def test_samples_are_at_least_1(samples, error):
    with pytest.raises(error, match=r"^samples must be"):
        rate_terms(some(), draw(), samples=samples)


def test_one_example_has_no_aggregate_worth_the_name():
    with pytest.raises(ValueError, match=r"^posterior must be of at least 2 examples, got 1"):
        rate_terms(some(examples=1), draw(), samples=1)


def test_the_generator_is_one():
    with pytest.raises(TypeError, match=r"^generator must be Generator"):
        rate_terms(some(), 0, samples=1)


@pytest.mark.parametrize("size", [0, -1])
def test_the_size_of_a_data_set_is_at_least_1(size):
    with pytest.raises(ValueError, match=r"^size must be at least 1"):
        minibatch_total_correlation(torch.zeros(40, 3), some(), size)
