"""Mixtures in the plane: against torch.distributions, quadrature and autograd."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.testing import assert_close

from aecore.data.toy2d import GaussianMixture, spiral
from aecore.randomness import generator

SIGMAS = st.floats(0.0, 2.0)


def three() -> GaussianMixture:
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    means = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, 2.0]], dtype=torch.float64)
    return GaussianMixture(weights, means, 0.4)


def points(number: int = 20) -> torch.Tensor:
    draw = generator("toy2d points")
    return 2 * torch.randn(number, 2, generator=draw, dtype=torch.float64)


# ---- what it computes


@given(sigma=SIGMAS)
def test_the_density_is_that_of_torch_distributions(sigma):
    mixture = three()
    spread = torch.full_like(mixture.means, math.hypot(0.4, sigma))
    peer = MixtureSameFamily(
        Categorical(mixture.weights), Independent(Normal(mixture.means, spread), 1)
    )
    assert_close(mixture.log_density(points(), sigma), peer.log_prob(points()))


@given(sigma=SIGMAS)
def test_the_score_is_the_gradient_of_the_log_density(sigma):
    x = points().requires_grad_()
    (gradient,) = torch.autograd.grad(three().log_density(x, sigma).sum(), x)
    assert_close(three().score(x.detach(), sigma), gradient)


@given(sigma=st.floats(0.05, 2.0))
def test_the_denoiser_is_tweedies(sigma):
    mixture, x = three(), points()
    assert_close(mixture.denoise(x, sigma), x + sigma**2 * mixture.score(x, sigma))


def test_the_density_adds_up_to_one_and_the_denoiser_is_the_mean_of_what_was():
    """By quadrature over clean points, with the mixture's density and the noise's alone."""
    mixture, sigma, step = three(), 0.7, 0.02
    side = torch.arange(-4, 5, step, dtype=torch.float64)
    clean = torch.cartesian_prod(side, side)  # (M, 2)
    density = mixture.log_density(clean).exp()
    assert_close(density.sum().item() * step**2, 1.0, rtol=1e-6, atol=0)

    for noisy in points(5):
        weight = density * torch.exp(-(noisy - clean).square().sum(1) / (2 * sigma**2))
        mean = (weight[:, None] * clean).sum(0) / weight.sum()
        assert_close(mixture.denoise(noisy[None], sigma)[0], mean, rtol=1e-6, atol=1e-8)
        total = weight.sum() * step**2 / (2 * math.pi * sigma**2)
        assert_close(mixture.log_density(noisy[None], sigma)[0], total.log(), rtol=0, atol=1e-6)


def test_one_component_by_hand():
    mixture = GaussianMixture(torch.ones(1), torch.tensor([[1.0, 0.0]]), 1.0)
    x = torch.tensor([[3.0, 2.0]])
    # variance 1 + 3 = 4: a quarter of the way stays, three quarters go to the mean
    assert_close(mixture.denoise(x, 3**0.5), torch.tensor([[1.5, 0.5]]))
    assert_close(mixture.score(x, 3**0.5), torch.tensor([[-0.5, -0.5]]))
    assert_close(mixture.log_density(x), torch.tensor([-4 - math.log(2 * math.pi)]))


@given(sigma=SIGMAS, angle=st.floats(0, 2 * math.pi))
def test_turned_and_shifted_with_the_plane(sigma, angle):
    c, s = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    shift = torch.tensor([0.3, -1.2], dtype=torch.float64)
    mixture, x = three(), points()
    moved = GaussianMixture(mixture.weights, mixture.means @ turn.T + shift, mixture.scale)
    y = x @ turn.T + shift
    assert_close(moved.log_density(y, sigma), mixture.log_density(x, sigma))
    assert_close(moved.score(y, sigma), mixture.score(x, sigma) @ turn.T)
    assert_close(moved.denoise(y, sigma), mixture.denoise(x, sigma) @ turn.T + shift)


def test_far_away_nothing_overflows():
    far = torch.tensor([[1e6, -1e6]], dtype=torch.float64)
    assert three().score(far, 0.1).isfinite().all()
    assert three().denoise(far, 0.1).isfinite().all()


# ---- samples


def test_samples_have_the_mixtures_moments():
    mixture = three()
    x = mixture.sample(200_000, generator("moments"))
    mean = mixture.weights @ mixture.means
    centred = mixture.means - mean
    covariance = centred.T @ (mixture.weights[:, None] * centred) + 0.16 * torch.eye(2)
    assert_close(x.mean(0), mean, rtol=0, atol=0.01)
    assert_close(x.T.cov(), covariance, rtol=0, atol=0.02)
    # log p is a law of its own: its mean over samples is minus the entropy, by quadrature
    side = torch.arange(-4, 5, 0.02, dtype=torch.float64)
    log_p = mixture.log_density(torch.cartesian_prod(side, side))
    entropy = -(log_p.exp() * log_p).sum().item() * 0.02**2
    assert abs(-mixture.log_density(x).mean().item() - entropy) < 0.01


def test_noise_in_the_samples_is_noise_in_the_density():
    """The mean of log p_σ over noisy samples beats that of any other σ."""
    mixture = three()
    draw = generator("noisy samples")
    x = mixture.sample(50_000, draw)
    noisy = x + 0.5 * torch.randn(x.shape, generator=draw, dtype=x.dtype)
    fits = {s: mixture.log_density(noisy, s).mean().item() for s in (0.0, 0.4, 0.5, 0.6)}
    assert max(fits, key=fits.get) == 0.5


def test_the_generator_determines_the_samples():
    first, again = (three().sample(5, generator("same")) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, three().sample(5, generator("other")))


def test_the_spiral_is_as_described():
    mixture = spiral()
    radius = mixture.means.norm(dim=1)
    assert mixture.means.dtype == torch.float64
    assert_close(radius[[0, -1]], torch.tensor([0.5, 2.0], dtype=torch.float64), rtol=0, atol=0.01)
    assert (radius.diff() > 0).all()
    gaps = mixture.means.diff(dim=0).norm(dim=1)
    assert_close(gaps, gaps.mean().expand_as(gaps), rtol=0.15, atol=0)  # on a grid of 2,000 places
    angle = torch.atan2(mixture.means[:, 1], mixture.means[:, 0])
    turned = torch.diff(angle).remainder(2 * math.pi).sum()
    assert_close(turned.item(), 3 * math.pi, rtol=0.01, atol=0)


# ---- refused


@pytest.mark.parametrize(
    ("weights", "means", "scale", "error", "message"),
    [
        ([0.5, 0.6], [[0, 0], [1, 1]], 1, ValueError, "weights must be positive with sum 1"),
        ([1.5, -0.5], [[0, 0], [1, 1]], 1, ValueError, "weights must be positive with sum 1"),
        ([0.5, 0.5], [[0, 0]], 1, ValueError, r"means must have shape \(2, 2\)"),
        ([1.0], [[0, 0, 0]], 1, ValueError, r"means must have shape \(1, 2\)"),
        ([1.0], [[0, float("nan")]], 1, ValueError, "means must be finite"),
        ([1.0], [[0, 0]], 0, ValueError, "scale must be greater than 0"),
        ([1.0], [[0, 0]], "1", TypeError, "scale must be a number"),
    ],
)
def test_a_bad_mixture_is_refused_by_name(weights, means, scale, error, message):
    with pytest.raises(error, match=f"^{message}"):
        GaussianMixture(torch.tensor(weights), torch.tensor(means).float(), scale)


@pytest.mark.parametrize("method", ["log_density", "score", "denoise"])
def test_bad_noise_is_refused_by_name(method):
    with pytest.raises(ValueError, match=r"^sigma must be in \[0"):
        getattr(three(), method)(points(), -0.1)
    with pytest.raises(TypeError, match=r"^sigma must be a number"):
        getattr(three(), method)(points(), None)


def test_bad_numbers_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^number must be at least 1"):
        three().sample(0, generator("x"))
    with pytest.raises(TypeError, match=r"^generator must be Generator"):
        three().sample(1, 0)
