"""Losses and likelihoods against closed forms and ``torch.distributions``."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Normal
from torch.testing import assert_close

from aecore.objectives import (
    bce_with_logits,
    bernoulli_log_likelihood,
    binary_entropy,
    gaussian_log_likelihood,
    squared_error,
)

SHAPES = st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple)
SEEDS = st.integers(0, 2**20)


def uniform(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---- one number an example, summed


@given(shape=SHAPES, seed=SEEDS)
def test_each_returns_one_number_an_example(shape, seed):
    x, logits = uniform(shape, seed), normal(shape, seed + 1)
    for value in (
        squared_error(logits, x),
        bce_with_logits(logits, x),
        binary_entropy(x),
        bernoulli_log_likelihood(x.round(), logits),
        gaussian_log_likelihood(x, logits, 0.5),
    ):
        assert value.shape == shape[:1]
        assert value.dtype == x.dtype


def test_dimensions_are_summed_not_averaged():
    """Twice the dimensions, twice the loss; and no example sees another."""
    x, logits = uniform((3, 5), 0), normal((3, 5), 1)
    wide, wide_logits = torch.cat([x, x], 1), torch.cat([logits, logits], 1)
    assert_close(squared_error(wide_logits, wide), 2 * squared_error(logits, x))
    assert_close(bce_with_logits(wide_logits, wide), 2 * bce_with_logits(logits, x))
    assert_close(binary_entropy(wide), 2 * binary_entropy(x))
    assert_close(
        bernoulli_log_likelihood(wide.round(), wide_logits),
        2 * bernoulli_log_likelihood(x.round(), logits),
    )
    assert_close(
        gaussian_log_likelihood(wide, wide_logits, 0.3), 2 * gaussian_log_likelihood(x, logits, 0.3)
    )
    assert_close(squared_error(logits, x)[1:2], squared_error(logits[1:2], x[1:2]))


def test_squared_error_by_hand():
    prediction = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 2.0]]])
    assert squared_error(prediction, torch.zeros(2, 2, 2)).tolist() == [30.0, 4.0]


# ---- cross-entropy


def test_cross_entropy_at_logit_0_is_log_2_a_dimension():
    assert_close(bce_with_logits(torch.zeros(2, 7), torch.rand(2, 7)), torch.full((2,), 4.8520303))


@given(shape=SHAPES, seed=SEEDS)
def test_cross_entropy_of_a_perfect_copy_is_the_entropy(shape, seed):
    x = uniform(shape, seed)
    assert_close(bce_with_logits(x.logit(), x), binary_entropy(x))


@given(shape=SHAPES, seed=SEEDS, scale=st.floats(1e-3, 10))
def test_cross_entropy_is_never_below_the_entropy(shape, seed, scale):
    x, logits = uniform(shape, seed), scale * normal(shape, seed + 1)
    assert (bce_with_logits(logits, x) >= binary_entropy(x) - 1e-12).all()


@given(shape=SHAPES, seed=SEEDS)
def test_cross_entropy_has_the_gradient_p_minus_x(shape, seed):
    x, logits = uniform(shape, seed), normal(shape, seed + 1).requires_grad_()
    bce_with_logits(logits, x).sum().backward()
    assert_close(logits.grad, logits.detach().sigmoid() - x)


def test_cross_entropy_is_finite_at_extreme_logits():
    logits = torch.tensor([[-1e4, 1e4]])
    assert bce_with_logits(logits, torch.tensor([[0.0, 1.0]])).item() == 0.0
    assert bce_with_logits(logits, torch.tensor([[1.0, 0.0]])).item() == 2e4


def test_entropy_by_hand():
    x = torch.tensor([[0.0, 1.0], [0.5, 0.5], [0.25, 0.0]], dtype=torch.float64)
    quarter = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    expected = torch.tensor([0.0, 2 * math.log(2), quarter], dtype=torch.float64)
    assert_close(binary_entropy(x), expected)


# ---- likelihoods


@given(shape=SHAPES, seed=SEEDS)
def test_bernoulli_agrees_with_torch_distributions(shape, seed):
    x, logits = uniform(shape, seed).round(), normal(shape, seed + 1)
    expected = Bernoulli(logits=logits).log_prob(x).flatten(1).sum(1)
    assert_close(bernoulli_log_likelihood(x, logits), expected)


def test_bernoulli_probabilities_of_all_images_sum_to_1():
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    logits = normal((1, 4), 0).expand(16, 4)
    assert bernoulli_log_likelihood(images, logits).exp().sum().item() == pytest.approx(1)


@given(shape=SHAPES, seed=SEEDS, sigma=st.floats(0.05, 20))
def test_gaussian_agrees_with_torch_distributions(shape, seed, sigma):
    x, mean = normal(shape, seed), normal(shape, seed + 1)
    expected = Normal(mean, sigma).log_prob(x).flatten(1).sum(1)
    assert_close(gaussian_log_likelihood(x, mean, sigma), expected)


@given(shape=SHAPES, seed=SEEDS)
def test_gaussian_takes_a_sigma_of_every_dimension(shape, seed):
    x, mean = normal(shape, seed), normal(shape, seed + 1)
    sigma = 0.1 + uniform(shape, seed + 2)
    expected = Normal(mean, sigma).log_prob(x).flatten(1).sum(1)
    assert_close(gaussian_log_likelihood(x, mean, sigma), expected)


@given(shape=SHAPES, ones=st.integers(0, 5))
def test_gaussian_takes_one_sigma_of_any_number_of_dimensions(shape, ones):
    x, mean = normal(shape, 0), normal(shape, 1)
    sigma = torch.full((1,) * ones, 0.7, dtype=torch.float64)
    assert_close(gaussian_log_likelihood(x, mean, sigma), gaussian_log_likelihood(x, mean, 0.7))


def test_gaussian_reaches_a_learned_sigma():
    """At its best, sigma² is the mean squared error: the derivative there is 0."""
    x, mean = normal((1, 50), 0), normal((1, 50), 1)
    sigma = (x - mean).square().mean().sqrt().requires_grad_()
    gaussian_log_likelihood(x, mean, sigma).sum().backward()
    assert abs(sigma.grad.item()) < 1e-10


def test_squared_error_is_the_gaussian_at_variance_one_half_less_a_constant():
    x, mean = normal((4, 6), 0), normal((4, 6), 1)
    constant = 6 * 0.5 * math.log(math.pi)
    log_likelihood = gaussian_log_likelihood(x, mean, math.sqrt(0.5))
    assert_close(squared_error(mean, x), -log_likelihood - constant)


# ---- refused


@pytest.mark.parametrize("sigma", [0, 0.0, -1.0, math.nan, math.inf, torch.tensor(0.0)])
def test_gaussian_refuses_a_sigma_that_is_not_positive(sigma):
    with pytest.raises(ValueError, match=r"^sigma must be"):
        gaussian_log_likelihood(torch.zeros(2, 3), torch.zeros(2, 3), sigma)


@pytest.mark.parametrize("shape", [(3,), (2, 1), (1, 3), (2,)])
def test_gaussian_refuses_a_sigma_that_would_broadcast(shape):
    with pytest.raises(ValueError, match=r"^sigma must have the shape of x, \(2, 3\), got"):
        gaussian_log_likelihood(torch.zeros(2, 3), torch.zeros(2, 3), torch.ones(shape))


@pytest.mark.parametrize("sigma", ["1", None, True, torch.ones(2, 3, dtype=torch.int64)])
def test_gaussian_refuses_a_sigma_that_is_no_number(sigma):
    with pytest.raises(TypeError, match=r"^sigma must"):
        gaussian_log_likelihood(torch.zeros(2, 3), torch.zeros(2, 3), sigma)


@given(value=st.floats(0, 1, exclude_min=True, exclude_max=True, width=32))
def test_bernoulli_refuses_grey(value):
    x = torch.zeros(2, 3)
    x[1, 2] = value
    with pytest.raises(ValueError, match=r"^x must be binary"):
        bernoulli_log_likelihood(x, torch.zeros(2, 3))


@given(value=st.one_of(st.floats(-1e6, -1e-6), st.floats(1.001, 1e6)))
def test_a_target_out_of_range_is_refused(value):
    x = torch.full((2, 3), value)
    for name, refused in (
        ("target", lambda: bce_with_logits(torch.zeros(2, 3), x)),
        ("target", lambda: binary_entropy(x)),
        ("x", lambda: bernoulli_log_likelihood(x, torch.zeros(2, 3))),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be at (least 0|most 1), got"):
            refused()


@pytest.mark.parametrize("function", [squared_error, bce_with_logits])
@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (2, 3, 1), (3, 2)])
def test_shapes_that_broadcast_are_refused(function, shape):
    with pytest.raises(ValueError, match=r"must have the shape of target, \(2, 3\), got"):
        function(torch.zeros(shape), torch.zeros(2, 3))
