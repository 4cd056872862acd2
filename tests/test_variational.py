"""The variational autoencoder and its likelihoods: exact outputs, and what they refuse."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Independent, Normal
from torch.testing import assert_close

from aecore.likelihoods import Bernoulli, Gaussian
from aecore.models import Autoencoder, VariationalAutoencoder
from aecore.models.autoencoder import ACTIVATIONS
from aecore.models.variational import normal_posterior
from aecore.objectives import bernoulli_log_likelihood
from aecore.randomness import generator, initialise

SIZES = st.lists(st.integers(1, 6), min_size=2, max_size=4)


def set_weights(layer: nn.Linear, weight: list[list[float]], bias: list[float]) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))


def by_hand() -> VariationalAutoencoder:
    """2 → 2 → 2·1, and 1 → 2 → 2, with ReLU."""
    model = VariationalAutoencoder([2, 2, 1], Gaussian(0.5))
    set_weights(model.encoder[0], [[1, 2], [-1, 1]], [0, 1])
    set_weights(model.encoder[2], [[1, -2], [0, 2]], [0.5, 0])
    set_weights(model.decoder[0], [[1], [-2]], [0, 0])
    set_weights(model.decoder[2], [[1, -1], [2, 1]], [0, 0])
    return model


# ---- what it computes


def test_outputs_of_weights_set_by_hand():
    model = by_hand()
    x = torch.tensor([[1.0, 1.0], [2.0, -1.0]])
    # h = relu((x₁ + 2x₂, x₂ − x₁ + 1)) = (3, 1), (0, 0);  μ = h₁ − 2h₂ + ½;  log σ² = 2h₂
    posterior = model.encode(x)
    assert posterior.mean.tolist() == [[1.5], [0.5]]
    assert_close(posterior.variance, torch.tensor([[math.exp(2)], [1.0]]))
    assert_close(posterior.stddev, torch.tensor([[math.e], [1.0]]))
    assert model.decode(torch.tensor([[1.5], [0.5]])).tolist() == [[1.5, 3.0], [0.5, 1.0]]
    assert model(x).tolist() == [[1.5, 3.0], [0.5, 1.0]]


def test_means_come_first_and_log_variances_after():
    posterior = normal_posterior(torch.tensor([[1.0, 2.0, 0.0, math.log(4)]]))
    assert posterior.mean.tolist() == [[1, 2]]
    assert_close(posterior.variance, torch.tensor([[1.0, 4.0]]))
    with pytest.raises(ValueError, match=r"^outputs must be means and log variances, got 3"):
        normal_posterior(torch.ones(2, 3))


@given(sizes=SIZES, batch=st.integers(1, 3))
def test_shapes_follow_the_sizes(sizes, batch):
    model = VariationalAutoencoder(sizes, Bernoulli())
    x = torch.rand(batch, sizes[0])
    posterior = model.encode(x)
    assert (model.inputs, model.latent) == (sizes[0], sizes[-1])
    assert isinstance(posterior, Independent)
    assert isinstance(posterior.base_dist, Normal)
    assert posterior.batch_shape == (batch,)
    assert posterior.event_shape == (sizes[-1],)
    assert model(x).shape == x.shape
    assert torch.equal(model(x), model.decode(posterior.mean))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_stands_between_the_layers_only(activation):
    model = VariationalAutoencoder([4, 3, 2, 1], Bernoulli(), activation)
    linear = [type(step) is nn.Linear for step in (*model.encoder, *model.decoder)]
    assert linear == [True, False, True, False, True] * 2
    kinds = {type(step) for step in (*model.encoder, *model.decoder)}
    assert kinds == {nn.Linear, ACTIVATIONS[activation]}


def test_its_decoder_is_that_of_the_autoencoder():
    shapes = [w.shape for w in Autoencoder([6, 5, 2]).decoder.parameters()]
    model = VariationalAutoencoder([6, 5, 2], Bernoulli())
    assert [w.shape for w in model.decoder.parameters()] == shapes


def test_generate_draws_from_the_prior_and_shows_means():
    model = initialise(VariationalAutoencoder([4, 3, 2], Bernoulli()), generator("generate"))
    images = model.generate(7, generator("draw"))
    z = torch.randn(7, 2, generator=generator("draw"))
    assert_close(images, model.decode(z).sigmoid())
    assert not images.requires_grad
    linear = VariationalAutoencoder([4, 2], Gaussian(1.0))
    assert_close(linear.generate(7, generator("draw")), linear.decode(z).detach())


def test_a_posterior_with_nan_can_be_made():
    """The training loop wants to see it, and to say at which step it came."""
    model = by_hand()
    assert model.encode(torch.full((1, 2), math.nan)).mean.isnan().all()


# ---- likelihoods


@given(seed=st.integers(0, 2**20))
def test_bernoulli_on_binary_images_is_the_log_likelihood(seed):
    draw = torch.Generator().manual_seed(seed)
    x = torch.rand(3, 5, generator=draw, dtype=torch.float64).round()
    logits = torch.randn(3, 5, generator=draw, dtype=torch.float64)
    assert_close(Bernoulli().log_likelihood(x, logits), bernoulli_log_likelihood(x, logits))
    assert_close(Bernoulli().mean(logits), logits.sigmoid())


def test_bernoulli_on_grey_images_is_the_mean_over_their_coins():
    """All 16 binary images of four pixels, each with its probability."""
    grey = torch.tensor([[0.1, 0.5, 0.9, 0.3]], dtype=torch.float64)
    logits = torch.tensor([[-1.0, 0.3, 2.0, 0.0]], dtype=torch.float64)
    coins = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    chance = bernoulli_log_likelihood(coins, grey.logit().expand(16, 4)).exp()
    each = bernoulli_log_likelihood(coins, logits.expand(16, 4))
    assert_close(Bernoulli().log_likelihood(grey, logits), (chance * each).sum()[None])


@given(sigma=st.floats(0.05, 5), seed=st.integers(0, 2**20))
def test_gaussian_agrees_with_torch_distributions(sigma, seed):
    draw = torch.Generator().manual_seed(seed)
    x, mean = torch.randn(2, 3, 5, generator=draw, dtype=torch.float64)
    likelihood = Gaussian(sigma).double()
    exact = Normal(mean, likelihood.sigma).log_prob(x).sum(1)
    assert_close(likelihood.log_likelihood(x, mean), exact)
    assert likelihood.sigma.item() == pytest.approx(sigma, rel=1e-6)
    assert likelihood.mean(mean) is mean


def test_only_a_learned_sigma_learns():
    x = torch.zeros(4, 3)
    for learned in (False, True):
        likelihood = Gaussian(0.5, learned=learned)
        assert likelihood.log_sigma.requires_grad is learned
        mean = torch.ones(4, 3, requires_grad=True)
        (-likelihood.log_likelihood(x, mean)).sum().backward()
        assert (likelihood.log_sigma.grad is not None) is learned


def test_a_learned_sigma_is_best_at_the_root_mean_square():
    """The residual is 2 everywhere: there the derivative vanishes."""
    likelihood = Gaussian(2.0, learned=True).double()
    x = torch.zeros(4, 3, dtype=torch.float64)
    likelihood.log_likelihood(x, x + 2).sum().backward()
    assert abs(likelihood.log_sigma.grad.item()) < 1e-5


def test_the_likelihood_is_part_of_the_model():
    model = VariationalAutoencoder([4, 2], Gaussian(0.3, learned=True))
    assert "likelihood.log_sigma" in dict(model.named_parameters())
    other = VariationalAutoencoder([4, 2], Gaussian(1.0, learned=True))
    other.load_state_dict(model.state_dict())
    assert other.likelihood.sigma.item() == pytest.approx(0.3)


# ---- refused


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ([], ValueError, "sizes must name at least an input and a latent"),
        ([784], ValueError, "sizes must name at least an input and a latent"),
        ([784, 0], ValueError, r"sizes\[1\] must be at least 1, got 0"),
        ([784, 2.0], TypeError, r"sizes\[1\] must be an integer, got float"),
        ("84", TypeError, "sizes must be list or tuple, got str"),
        (None, TypeError, "sizes must be list or tuple, got None"),
    ],
)
def test_bad_sizes_are_refused_by_name(sizes, error, message):
    with pytest.raises(error, match=f"^{message}"):
        VariationalAutoencoder(sizes, Bernoulli())


@pytest.mark.parametrize("likelihood", ["bernoulli", None, Bernoulli, Normal(0.0, 1.0)])
def test_a_likelihood_must_be_one(likelihood):
    with pytest.raises(TypeError, match=r"^likelihood must be Bernoulli or Gaussian, got"):
        VariationalAutoencoder([4, 2], likelihood)


def test_an_unknown_activation_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"^activation must be one of relu, .*, got 'ReLU'"):
        VariationalAutoencoder([2, 1], Bernoulli(), "ReLU")


@pytest.mark.parametrize("sigma", [0, -1.0, math.nan, math.inf])
def test_gaussian_refuses_a_sigma_that_is_not_positive(sigma):
    with pytest.raises(ValueError, match=r"^sigma must be"):
        Gaussian(sigma)


@pytest.mark.parametrize("sigma", ["1", None, True])
def test_gaussian_refuses_a_sigma_that_is_no_number(sigma):
    with pytest.raises(TypeError, match=r"^sigma must be a number"):
        Gaussian(sigma)


def test_learned_is_yes_or_no():
    with pytest.raises(TypeError, match=r"^learned must be bool, got int"):
        Gaussian(1.0, learned=1)


@pytest.mark.parametrize("number", [0, -1, 2.0, None])
def test_generate_refuses_no_number(number):
    with pytest.raises((TypeError, ValueError), match=r"^number must be"):
        by_hand().generate(number, generator("draw"))


def test_generate_refuses_a_seed_for_a_generator():
    with pytest.raises(TypeError, match=r"^generator must be Generator, got int"):
        by_hand().generate(1, 0)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(1.0)])
@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (2, 3, 1), (3, 2)])
def test_shapes_that_broadcast_are_refused(likelihood, shape):
    with pytest.raises(ValueError, match=r"^outputs must have the shape of x, \(2, 3\), got"):
        likelihood.log_likelihood(torch.zeros(2, 3), torch.zeros(shape))
