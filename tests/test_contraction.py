"""The contractive penalty: hand-set weights, four ways that agree, moments of the estimate."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from aecore.models import Autoencoder
from aecore.objectives import bce_with_logits
from aecore.penalties.contraction import (
    hutchinson_norm,
    jacobian,
    jacobian_norm,
    sigmoid_jacobian_norm,
    two_layer_jacobian_norm,
)
from aecore.randomness import generator, initialise
from aecore.training import fit

DOUBLE = torch.float64
MATRIX = torch.tensor([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]], dtype=DOUBLE)  # (2, 3)
SEEDS = st.integers(0, 2**20)
SIZES = st.integers(1, 5)


def linear(x: torch.Tensor) -> torch.Tensor:
    return x @ MATRIX.T


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def deep(activation: str = "tanh") -> Autoencoder:
    return initialise(Autoencoder([6, 5, 4, 3], activation), generator("contraction")).double()


# ---- closed forms


def test_the_sigmoid_norm_of_weights_set_by_hand():
    weight = torch.tensor([[3.0, 4.0], [1.0, 0.0]])  # squared lengths 25 and 1
    h = torch.tensor([[0.5, 0.5], [0.2, 1.0]])  # slopes ¼ ¼, 0.16 0
    assert_close(sigmoid_jacobian_norm(h, weight), torch.tensor([26 / 16, 25 * 0.16**2]))


@given(seed=SEEDS, batch=SIZES, latent=SIZES, inputs=SIZES)
def test_the_sigmoid_norm_is_that_of_the_jacobian(seed, batch, latent, inputs):
    weight, bias, x = (
        normal(seed, latent, inputs),
        normal(seed + 1, latent),
        normal(2, batch, inputs),
    )

    def encode(rows: torch.Tensor) -> torch.Tensor:
        return (rows @ weight.T + bias).sigmoid()

    assert_close(sigmoid_jacobian_norm(encode(x), weight), jacobian_norm(encode, x))


def test_the_two_layer_norm_of_weights_set_by_hand():
    first = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    second = torch.tensor([[1.0, 1.0]])
    # J = (s₁, 2 s₂)
    slopes = torch.tensor([[1.0, 1.0], [0.5, 0.0]])
    assert two_layer_jacobian_norm(slopes, first, second).tolist() == [5.0, 0.25]


@given(seed=SEEDS, batch=SIZES, hidden=SIZES, latent=SIZES, inputs=SIZES)
def test_the_two_layer_norm_is_that_of_the_jacobian(seed, batch, hidden, latent, inputs):
    first, second = normal(seed, hidden, inputs), normal(seed + 1, latent, hidden)
    x = normal(seed + 2, batch, inputs)
    slopes = 1 - (x @ first.T).tanh().square()
    whole = jacobian_norm(lambda rows: (rows @ first.T).tanh() @ second.T, x)
    assert_close(two_layer_jacobian_norm(slopes, first, second), whole)


def test_a_code_that_was_not_put_through_the_sigmoid_is_told_so():
    with pytest.raises(ValueError, match=r"^h must be in \[0, 1\], got 1.5: .* after the sigmoid"):
        sigmoid_jacobian_norm(torch.tensor([[0.5, 1.5]]), torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"^h must be in \[0, 1\], got -0.5"):
        sigmoid_jacobian_norm(torch.tensor([[-0.5, 1.0]]), torch.ones(2, 3))


def test_a_unit_without_weights_has_a_gradient():
    weight = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    sigmoid_jacobian_norm(torch.full((1, 2), 0.5), weight).sum().backward()
    assert_close(weight.grad, torch.tensor([[0.0, 0.0], [6 / 16, 8 / 16]]))


# ---- any encoder


def test_the_jacobian_of_a_linear_map_is_its_matrix():
    x = normal(0, 4, 3)
    assert torch.equal(jacobian(linear, x), MATRIX.expand(4, 2, 3))
    assert jacobian_norm(linear, x).tolist() == [15.0] * 4


def test_the_jacobian_is_autograds_for_each_example():
    model, x = deep(), normal(1, 4, 6)
    rows = [
        torch.autograd.functional.jacobian(lambda v: model.encode(v[None])[0], row) for row in x
    ]
    assert_close(jacobian(model.encode, x), torch.stack(rows))


def test_images_are_flattened_in_the_jacobian():
    convolution = nn.Conv2d(1, 2, 3, dtype=DOUBLE)

    def encode(images: torch.Tensor) -> torch.Tensor:
        return convolution(images).flatten(1)

    x = normal(2, 3, 1, 3, 3)
    assert_close(jacobian(encode, x), convolution.weight.detach().flatten(1).expand(3, 2, 9))
    expected = convolution.weight.detach().square().sum().expand(3)
    assert_close(jacobian_norm(encode, x), expected)


@given(seed=SEEDS, scale=st.floats(0.1, 10))
def test_a_scaled_code_has_a_scaled_norm(seed, scale):
    model, x = deep(), normal(seed, 3, 6)
    scaled = jacobian_norm(lambda rows: scale * model.encode(rows), x)
    assert_close(scaled, scale**2 * jacobian_norm(model.encode, x))


def test_a_rotated_code_has_the_same_norm():
    model, x = deep(), normal(3, 3, 6)
    rotation, _ = torch.linalg.qr(normal(4, 3, 3))
    rotated = jacobian_norm(lambda rows: model.encode(rows) @ rotation, x)
    assert_close(rotated, jacobian_norm(model.encode, x))


# ---- one random probe


def test_an_estimate_is_the_pullback_of_the_signs_that_were_drawn():
    x, draw, twin = normal(0, 4, 3), generator("signs"), generator("signs")
    estimate = hutchinson_norm(linear, x, draw, probes=2)
    signs = 2 * torch.randint(0, 2, (2, 4, 2), generator=twin) - 1
    expected = (signs.to(DOUBLE) @ MATRIX).square().sum(2).mean(0)
    assert_close(estimate, expected)
    assert torch.equal(draw.get_state(), twin.get_state())


def test_mean_and_variance_are_those_of_the_docstring():
    # JJᵀ = (5, −2; −2, 10): the estimate is 15 ± 4, with equal chances
    x = torch.zeros(20_000, 3, dtype=DOUBLE)
    estimate = hutchinson_norm(linear, x, generator("moments"))
    assert set(estimate.tolist()) == {11.0, 19.0}
    assert estimate.mean().item() == pytest.approx(15, abs=5 * 4 / 20_000**0.5)
    assert estimate.var().item() == pytest.approx(2 * (4 + 4), rel=0.01)
    many = hutchinson_norm(linear, x[:2000], generator("moments"), probes=16)
    assert many.var().item() == pytest.approx(16 / 16, rel=0.15)


def test_one_probe_is_exact_where_the_rows_are_orthogonal():
    orthogonal, _ = torch.linalg.qr(normal(5, 4, 3))
    x = normal(6, 5, 4)
    estimate = hutchinson_norm(lambda rows: rows @ orthogonal, x, generator("orthogonal"))
    assert_close(estimate, torch.full((5,), 3.0, dtype=DOUBLE))


def test_the_same_generator_gives_the_same_estimate():
    model, x = deep(), normal(7, 4, 6)
    first, second = (hutchinson_norm(model.encode, x, generator("again")) for _ in range(2))
    other = hutchinson_norm(model.encode, x, generator("another"))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


# ---- gradients


def test_gradients_of_the_norm_agree_with_finite_differences():
    model, x = deep(), normal(8, 3, 6)
    weight = model.encoder[2].weight

    def total(value: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            weight.copy_(value)
        return jacobian_norm(model.encode, x).sum()

    start = weight.detach().clone()
    (gradient,) = torch.autograd.grad(total(start), weight)
    step = 1e-5 * normal(9, *start.shape)
    slope = (total(start + step) - total(start - step)).item() / 2
    assert slope == pytest.approx((gradient * step).sum().item(), rel=1e-6)


def test_closed_forms_and_pullbacks_have_the_same_gradients():
    weight = normal(10, 3, 6).requires_grad_()
    x = normal(11, 4, 6)

    def encode(rows: torch.Tensor) -> torch.Tensor:
        return (rows @ weight.T).sigmoid()

    closed = torch.autograd.grad(sigmoid_jacobian_norm(encode(x), weight).sum(), weight)
    pulled = torch.autograd.grad(jacobian_norm(encode, x).sum(), weight)
    assert_close(closed, pulled)

    model = initialise(Autoencoder([6, 5, 3], "tanh"), generator("gradients")).double()
    layers = model.encoder[0].weight, model.encoder[2].weight
    slopes = 1 - model.encoder[0](x).tanh().square()
    closed = torch.autograd.grad(two_layer_jacobian_norm(slopes, *layers).sum(), layers)
    pulled = torch.autograd.grad(jacobian_norm(model.encode, x).sum(), layers)
    assert_close(closed, pulled)


def test_fit_lowers_the_norm_by_each_way():
    x = torch.rand(64, 6, generator=generator("contraction data"))

    def by_pullbacks(model: Autoencoder, batch: torch.Tensor) -> torch.Tensor:
        return bce_with_logits(model(batch), batch) + 10 * jacobian_norm(model.encode, batch)

    def by_probe(
        model: Autoencoder, batch: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        estimate = hutchinson_norm(model.encode, batch, generator)
        return bce_with_logits(model(batch), batch) + 10 * estimate

    for loss in (by_pullbacks, by_probe):
        model = initialise(Autoencoder([6, 5, 3], "tanh"), generator("contraction"))
        before = jacobian_norm(model.encode, x).mean()
        fit(model, loss, x, steps=30, batch_size=32, lr=1e-2, seed=0, progress=False)
        assert jacobian_norm(model.cpu().encode, x).mean() < 0.2 * before


# ---- refused


@pytest.mark.parametrize("call", [jacobian, jacobian_norm])
def test_an_encoder_that_does_not_return_codes_is_refused(call):
    x = torch.rand(4, 3)
    with pytest.raises(TypeError, match=r"^encode must be a function of x, got Tensor"):
        call(x, x)
    for wrong, shape in [(lambda v: v.sum(1), r"\(4,\)"), (lambda v: v[:2], r"\(2, 3\)")]:
        with pytest.raises(ValueError, match=rf"^encode must return shape \(4, q\), got {shape}"):
            call(wrong, x)


def test_probes_and_generator_are_checked():
    x = torch.rand(4, 3)
    for probes, error in [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]:
        with pytest.raises(error, match=r"^probes must be"):
            hutchinson_norm(lambda v: v, x, generator("probes"), probes=probes)
    with pytest.raises(TypeError, match=r"^generator must be Generator, got int"):
        hutchinson_norm(lambda v: v, x, 0)
    with pytest.raises(TypeError, match=r"^encode must be a function of x, got None"):
        hutchinson_norm(None, x, generator("probes"))


def test_layers_that_do_not_fit_are_refused_by_name():
    slopes, first, second = torch.rand(3, 4), torch.rand(4, 6), torch.rand(2, 4)
    with pytest.raises(ValueError, match=r"^first must have a row for each of the 4 slopes, got"):
        two_layer_jacobian_norm(slopes, first.T, second)
    with pytest.raises(ValueError, match=r"^second must have a column for each of the 4 slopes, "):
        two_layer_jacobian_norm(slopes, first, second.T)
    with pytest.raises(ValueError, match=r"^weight must have a row for each of the 4 units of h, "):
        sigmoid_jacobian_norm(slopes, first.T)
