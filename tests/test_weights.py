"""Weight decay: exact values, what it counts and what it leaves alone, its optimum, refusals."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from aecore.models import Autoencoder, DigitClassifier, LinearAutoencoder
from aecore.objectives import squared_error
from aecore.penalties.weights import weight_decay


def filled(model, weight, bias=0.0):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(weight if parameter.ndim >= 2 else bias)
    return model


def test_a_sum_of_squares_by_hand():
    model = LinearAutoencoder(2, 1)
    with torch.no_grad():
        model.encoder[0].weight.copy_(torch.tensor([[1.0, -2.0]]))
        model.decoder[0].weight.copy_(torch.tensor([[3.0], [0.5]]))
    assert weight_decay(model).item() == 1 + 4 + 9 + 0.25


@given(bias=st.floats(-5, 5))
def test_biases_cost_nothing(bias):
    model = filled(Autoencoder([4, 3, 2]), 0.5, bias)
    assert weight_decay(model).item() == 0.25 * 2 * (4 * 3 + 3 * 2)


def test_a_shared_weight_counts_once():
    tied, free = Autoencoder([4, 3, 2], tied=True), Autoencoder([4, 3, 2])
    assert weight_decay(filled(free, 1.0)).item() == 2 * weight_decay(filled(tied, 1.0)).item()
    layer = filled(nn.Linear(3, 3), 1.0)
    assert weight_decay(nn.Sequential(layer, nn.ReLU(), layer)).item() == 9


def test_kernels_of_convolutions_count():
    model = filled(DigitClassifier(), 1.0, 7.0)
    weights = 16 * 25 + 32 * 16 * 9 + 64 * 32 * 49 + 10 * 64
    assert weight_decay(model).item() == weights


@given(scale=st.floats(0.1, 10))
def test_it_grows_with_the_square_of_the_weights(scale):
    one = weight_decay(filled(Autoencoder([5, 4]).double(), 1.0))
    assert_close(weight_decay(filled(Autoencoder([5, 4]).double(), scale)), scale**2 * one)


def test_its_gradient_is_twice_the_weight_and_spares_biases():
    model = Autoencoder([4, 3, 2]).double()
    weight_decay(model).backward()
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            assert torch.equal(parameter.grad, 2 * parameter)
        else:
            assert parameter.grad is None


def test_it_agrees_with_sgd_that_decays_by_twice_the_weight():
    """PyTorch's ``weight_decay=w`` adds w·W to a gradient, biases included: λ is half of it."""
    ours, theirs = (Autoencoder([4, 3, 2]).double() for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(6, 4, dtype=torch.float64)
    weights = [p for p in theirs.parameters() if p.ndim >= 2]
    biases = [p for p in theirs.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": 0.2}, {"params": biases}]
    runs = [
        (ours, torch.optim.SGD(ours.parameters(), lr=0.1), 0.1),
        (theirs, torch.optim.SGD(groups, lr=0.1), 0.0),
    ]
    for model, sgd, weight in runs:
        (squared_error(model(x), x) + weight * weight_decay(model)).mean().backward()
        sgd.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(a, b)


def test_the_closed_form_of_the_linear_autoencoder_is_stationary():
    """Gains 1 − λ/σ² along each component, none where σ² < λ [kunin2019loss]."""
    variances, weight = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64), 0.5
    gains = (1 - weight / variances).clamp(min=0)
    assert gains.tolist() == [0.875, 0.5, 0.0]
    model = LinearAutoencoder(3, 3).double()
    x = torch.diag((3 * variances).sqrt())  # its second moments are the variances
    with torch.no_grad():
        for layer in (model.encoder[0], model.decoder[0]):
            layer.weight.copy_(torch.diag(gains.sqrt()))
            layer.bias.zero_()
    (squared_error(model(x), x) + weight * weight_decay(model)).mean().backward()
    for layer in (model.encoder[0], model.decoder[0]):
        assert_close(layer.weight.grad, torch.zeros(3, 3, dtype=torch.float64))


def test_it_is_a_number_an_example_can_be_given():
    model = Autoencoder([4, 2])
    x = torch.rand(5, 4)
    assert weight_decay(model).shape == ()
    assert (squared_error(model(x), x) + 0.1 * weight_decay(model)).shape == (5,)


def test_what_has_no_weights_is_refused():
    with pytest.raises(ValueError, match=r"^model must have weights, .* got none"):
        weight_decay(nn.ReLU())
    with pytest.raises(ValueError, match=r"^model must have weights, .* got none"):
        weight_decay(nn.LayerNorm(4))


@pytest.mark.parametrize("bad", [None, 3, "model", torch.ones(2, 2), [nn.Linear(2, 2)]])
def test_what_is_no_model_is_refused(bad):
    with pytest.raises(TypeError, match=r"^model must be Module, got"):
        weight_decay(bad)
