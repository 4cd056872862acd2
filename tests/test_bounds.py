"""The bounds, where the truth is known: a linear-Gaussian model, and ``torch.distributions``."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import (
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    kl_divergence,
)
from torch.testing import assert_close

from aecore import bounds
from aecore.bounds import (
    effective_sample_size,
    importance_bound,
    kl_per_latent,
    log_weights,
    negative_elbo,
    reparameterise,
)
from aecore.likelihoods import Bernoulli, Gaussian
from aecore.models import VariationalAutoencoder
from aecore.randomness import generator, initialise

SEEDS = st.integers(0, 2**20)
DOUBLE = torch.float64


def normals(batch: int, latent: int, seed: int) -> Independent:
    draw = torch.Generator().manual_seed(seed)
    mu = torch.randn(batch, latent, generator=draw, dtype=DOUBLE)
    sigma = 0.1 + torch.rand(batch, latent, generator=draw, dtype=DOUBLE)
    return Independent(Normal(mu, sigma), 1)


def linear(inputs: int = 6, latent: int = 2, sigma: float = 0.5) -> VariationalAutoencoder:
    model = VariationalAutoencoder([inputs, latent], Gaussian(sigma)).double()
    return initialise(model, generator("linear"))


def truth(
    model: VariationalAutoencoder, x: torch.Tensor
) -> tuple[torch.Tensor, MultivariateNormal]:
    r"""$\log p(x)$ and $p(z|x)$ of a linear model, from the rules for Gaussians."""
    W, b = model.decoder[0].weight.detach(), model.decoder[0].bias.detach()
    variance = model.likelihood.sigma.detach() ** 2
    evidence = LowRankMultivariateNormal(b, W, variance.expand(len(b)))
    precision = torch.eye(W.shape[1], dtype=DOUBLE) + W.T @ W / variance
    mean = (x - b) @ W @ torch.linalg.inv(precision) / variance
    return evidence.log_prob(x), MultivariateNormal(mean, precision_matrix=precision)


DATA = torch.randn(3, 6, generator=generator("data"), dtype=DOUBLE)


# ---- the divergence


@given(seed=SEEDS, batch=st.integers(1, 3), latent=st.integers(1, 4))
def test_the_divergence_agrees_with_torch_distributions(seed, batch, latent):
    posterior = normals(batch, latent, seed)
    prior = Independent(Normal(torch.zeros(latent, dtype=DOUBLE), 1.0), 1)
    assert_close(bounds.kl_divergence(posterior), kl_divergence(posterior, prior))
    each = kl_per_latent(posterior)
    assert each.shape == (batch, latent)
    assert_close(each.sum(1), bounds.kl_divergence(posterior))


def test_the_divergence_by_hand():
    posterior = Independent(Normal(torch.tensor([[0.0, 3.0, 0.0]]), torch.tensor([[1.0, 1, 2]])), 1)
    assert_close(kl_per_latent(posterior), torch.tensor([[0.0, 4.5, 1.5 - math.log(2)]]))


@given(seed=SEEDS)
def test_the_divergence_is_never_below_0(seed):
    assert (kl_per_latent(normals(4, 3, seed)) >= 0).all()


# ---- draws


def test_draws_are_mu_plus_sigma_times_noise():
    posterior = normals(3, 2, 0)
    z = reparameterise(posterior, generator("draw"))
    noise = torch.randn(3, 2, generator=generator("draw"), dtype=DOUBLE)
    assert_close(z, posterior.mean + posterior.stddev * noise)
    assert reparameterise(posterior.expand((5, 3)), generator("draw")).shape == (5, 3, 2)


def test_draws_have_derivatives():
    mu, sigma = torch.zeros(1, 4, requires_grad=True), torch.ones(1, 4, requires_grad=True)
    z = reparameterise(Independent(Normal(mu, sigma), 1), generator("draw"))
    z.sum().backward()
    assert_close(mu.grad, torch.ones(1, 4))
    assert_close(sigma.grad, z.detach())  # at μ = 0, σ = 1 a draw is the noise


# ---- the ELBO


@pytest.mark.parametrize("beta", [0, 1, 2.5])
def test_the_loss_is_distortion_plus_beta_times_rate(beta):
    model = linear()
    posterior = model.encode(DATA)
    z = reparameterise(posterior, generator("draw"))
    distortion = -model.likelihood.log_likelihood(DATA, model.decode(z))
    expected = distortion + beta * bounds.kl_divergence(posterior)
    assert_close(negative_elbo(model, DATA, generator("draw"), beta=beta), expected)


def test_log_p_is_the_elbo_plus_the_divergence_from_the_posterior():
    model = linear()
    log_p, posterior = truth(model, DATA)
    guess = model.encode(DATA)
    W, variance = model.decoder[0].weight, model.likelihood.sigma**2
    # E_q log p(x|z) in closed form: the decoder is a matrix
    spread = (guess.variance * W.square().sum(0)).sum(1) / (2 * variance)
    likelihood = model.likelihood.log_likelihood(DATA, model(DATA)) - spread
    elbo = likelihood - bounds.kl_divergence(guess)
    full = MultivariateNormal(guess.mean, torch.diag_embed(guess.variance))
    assert_close(elbo + kl_divergence(full, posterior), log_p)

    draw = generator("many")
    many = torch.stack([negative_elbo(model, DATA, draw, beta=1) for _ in range(4000)])
    error = (many.mean(0) + elbo) / (many.std(0) / math.sqrt(4000))
    assert error.abs().max() < 4.5


# ---- importance weights


def test_weights_of_the_true_posterior_are_all_p_of_x():
    model = linear(latent=1)
    log_p, posterior = truth(model, DATA)
    deviation = posterior.variance.sqrt().expand(3, 1)
    proposal = Independent(Normal(posterior.mean, deviation), 1)
    weights = log_weights(model, DATA, proposal, generator("draw"), samples=7)
    assert_close(weights, log_p.expand(7, 3))
    assert_close(importance_bound(weights), log_p)
    assert_close(effective_sample_size(weights), torch.full((3,), 7.0, dtype=DOUBLE))


def test_the_mean_weight_is_p_of_x():
    model = linear()
    log_p, posterior = truth(model, DATA)
    proposal = Independent(Normal(posterior.mean + 0.1, torch.full((3, 2), 0.9, dtype=DOUBLE)), 1)
    weights = log_weights(model, DATA, proposal, generator("draw"), samples=40_000)
    assert_close(importance_bound(weights), log_p, atol=0.03, rtol=0)


def test_one_weight_is_one_sample_of_the_elbo():
    """Its divergence is sampled too, so the two agree in the mean only."""
    model = linear()
    weights = log_weights(model, DATA, model.encode(DATA), generator("draw"), samples=20_000)
    draw = generator("elbo")
    losses = torch.stack([negative_elbo(model, DATA, draw, beta=1) for _ in range(4000)])
    spread = (weights.var(0) / 20_000 + losses.var(0) / 4000).sqrt()
    assert ((weights.mean(0) + losses.mean(0)) / spread).abs().max() < 4.5


@given(seed=SEEDS, scale=st.floats(0, 20))
def test_more_weights_are_never_a_lower_bound_on_the_same_draws(seed, scale):
    draw = torch.Generator().manual_seed(seed)
    weights = scale * torch.randn(12, 4, generator=draw, dtype=DOUBLE)
    levels = [
        torch.stack([importance_bound(part) for part in weights.split(k)]).mean(0)
        for k in (1, 2, 4, 12)
    ]
    for lower, upper in pairwise(levels):
        assert (upper >= lower - 1e-12).all()
    assert_close(levels[0], weights.mean(0))


@given(shift=st.floats(-1e4, 1e4))
def test_a_common_factor_shifts_the_bound_and_leaves_the_sample_size(shift):
    weights = torch.randn(6, 2, generator=generator("weights"), dtype=DOUBLE)
    assert_close(importance_bound(weights + shift), importance_bound(weights) + shift)
    assert_close(effective_sample_size(weights + shift), effective_sample_size(weights))


def test_the_sample_size_runs_from_1_to_all():
    weights = torch.tensor([[0.0, 0.0], [0.0, -1e4], [0.0, -1e4]])
    assert_close(effective_sample_size(weights), torch.tensor([3.0, 1.0]))


def test_binary_images_and_grey_ones_give_finite_weights():
    model = initialise(VariationalAutoencoder([4, 2], Bernoulli()), generator("coins"))
    for x in (torch.eye(3, 4), torch.full((3, 4), 0.5)):
        weights = log_weights(model, x, model.encode(x), generator("draw"), samples=2)
        assert weights.shape == (2, 3)
        assert weights.isfinite().all()


# ---- refused


@pytest.mark.parametrize("beta", [-1, math.nan, math.inf])
def test_beta_must_be_a_number_from_0(beta):
    with pytest.raises(ValueError, match=r"^beta must be"):
        negative_elbo(linear(), DATA, generator("draw"), beta=beta)


def test_beta_must_be_written():
    with pytest.raises(TypeError, match="beta"):
        negative_elbo(linear(), DATA, generator("draw"))


@pytest.mark.parametrize(
    "posterior",
    [
        None,
        torch.zeros(2, 2),
        Normal(torch.zeros(2, 2), 1.0),
        MultivariateNormal(torch.zeros(2), torch.eye(2)),
        Independent(MultivariateNormal(torch.zeros(3, 2), torch.eye(2)), 1),
    ],
)
def test_a_posterior_must_have_independent_normal_dimensions(posterior):
    for function in (
        bounds.kl_divergence,
        kl_per_latent,
        lambda value: reparameterise(value, generator("draw")),
    ):
        with pytest.raises(TypeError, match=r"^posterior must be Independent\(Normal"):
            function(posterior)


def test_generators_are_passed_not_seeds():
    with pytest.raises(TypeError, match=r"^generator must be Generator, got int"):
        reparameterise(normals(2, 2, 0), 0)


def test_a_proposal_must_fit_the_batch():
    model = linear()
    for batch, latent in ((2, 2), (3, 1)):
        with pytest.raises(ValueError, match=r"^proposal must be over shape \(3, 2\), got"):
            log_weights(model, DATA, normals(batch, latent, 0), generator("draw"), samples=2)
    with pytest.raises(ValueError, match=r"^samples must be at least 1"):
        log_weights(model, DATA, normals(3, 2, 0), generator("draw"), samples=0)
