"""The autoencoder and the classifier: exact outputs, ties that hold, sizes that are refused."""

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from aecore.models import Autoencoder, DigitClassifier, LinearAutoencoder
from aecore.models.autoencoder import ACTIVATIONS, TiedLinear

SIZES = st.lists(st.integers(1, 6), min_size=2, max_size=4)


def set_weights(layer: nn.Linear, weight: list[list[float]], bias: list[float]) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))


def by_hand(tied: bool) -> Autoencoder:
    """2 → 2 → 1 → 2 → 2 with ReLU."""
    model = Autoencoder([2, 2, 1], tied=tied)
    set_weights(model.encoder[0], [[1, 2], [-1, 1]], [0, 1])
    set_weights(model.encoder[2], [[1, -2]], [0.5])
    if not tied:
        set_weights(model.decoder[0], [[1], [-2]], [0, 0])
        set_weights(model.decoder[2], [[1, -1], [2, 1]], [0, 0])
    return model


# ---- what it computes


@pytest.mark.parametrize("tied", [False, True])
def test_outputs_of_weights_set_by_hand(tied):
    model = by_hand(tied)
    x = torch.tensor([[1.0, 1.0], [2.0, -1.0]])
    # h = relu((x₁ + 2x₂, x₂ − x₁ + 1)) = (3, 1), (0, 0);  z = h₁ − 2h₂ + ½
    assert model.encode(x).tolist() == [[1.5], [0.5]]
    # g = relu((z, −2z)) = (z, 0);  out = (g₁ − g₂, 2g₁ + g₂)
    assert model.decode(torch.tensor([[1.5], [0.5]])).tolist() == [[1.5, 3.0], [0.5, 1.0]]
    assert model(x).tolist() == [[1.5, 3.0], [0.5, 1.0]]


@given(sizes=SIZES, tied=st.booleans(), batch=st.integers(1, 3))
def test_shapes_follow_the_sizes(sizes, tied, batch):
    model = Autoencoder(sizes, tied=tied)
    x = torch.rand(batch, sizes[0])
    z = model.encode(x)
    assert (model.inputs, model.latent) == (sizes[0], sizes[-1])
    assert z.shape == (batch, sizes[-1])
    assert model.decode(z).shape == x.shape
    assert torch.equal(model(x), model.decode(z))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_stands_between_the_layers_only(activation):
    model = Autoencoder([4, 3, 2, 1], activation)
    linear = [type(step) is nn.Linear for step in (*model.encoder, *model.decoder)]
    assert linear == [True, False, True, False, True] * 2
    kinds = {type(step) for step in (*model.encoder, *model.decoder)}
    assert kinds == {nn.Linear, ACTIVATIONS[activation]}


@pytest.mark.parametrize("tied", [False, True])
def test_a_code_with_an_activation_by_hand(tied):
    model = Autoencoder([2, 2], code_activation="relu", tied=tied)
    set_weights(model.encoder[0], [[1, 2], [-1, 1]], [0, -1])
    if not tied:
        set_weights(model.decoder[0], [[1, 0], [3, 5]], [0, 0.5])
    x = torch.tensor([[1.0, 1.0], [-1.0, 2.0]])
    # relu((x₁ + 2x₂, x₂ − x₁ − 1)) = relu((3, −1), (3, 2))
    assert model.encode(x).tolist() == [[3.0, 0.0], [3.0, 2.0]]
    # untied (z₁, 3z₁ + 5z₂ + ½); tied (z₁ − z₂, 2z₁ + z₂): a code may be any number for a decoder
    out = [[3.0, 6.0], [1.0, 8.0]] if tied else [[3.0, 9.5], [3.0, 19.5]]
    assert model(x).tolist() == out


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_codes_activation_is_the_last_step_of_the_encoder_only(activation):
    model = Autoencoder([4, 3, 2], "tanh", code_activation=activation)
    kinds = [type(step) for step in (*model.encoder, *model.decoder)]
    affine = nn.Linear
    assert kinds == [affine, nn.Tanh, affine, ACTIVATIONS[activation], affine, nn.Tanh, affine]


@given(inputs=st.integers(1, 5), latent=st.integers(1, 5), seed=st.integers(0, 2**20))
def test_the_linear_autoencoder_is_affine(inputs, latent, seed):
    model = LinearAutoencoder(inputs, latent).double()
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, 3, inputs, generator=generator, dtype=torch.float64)
    assert_close(model(0.3 * x + 0.7 * y), 0.3 * model(x) + 0.7 * model(y))
    assert sum(1 for _ in model.parameters()) == 4


def test_the_deep_autoencoder_is_not_affine():
    model = by_hand(tied=False)
    x = torch.tensor([[1.0, 1.0], [2.0, -1.0]])
    assert not torch.allclose(model(x.mean(0, keepdim=True)), model(x).mean(0, keepdim=True))


# ---- tied weights


@given(sizes=SIZES)
def test_a_tied_model_has_each_weight_once(sizes):
    tied, free = Autoencoder(sizes, tied=True), Autoencoder(sizes)
    weights = sum(wide * narrow for wide, narrow in pairwise(sizes))
    biases = sum(sizes[1:]) + sum(sizes[:-1])
    assert sum(p.numel() for p in tied.parameters()) == weights + biases
    assert sum(p.numel() for p in free.parameters()) == 2 * weights + biases
    state = tied.state_dict()
    assert sum("weight" in name for name in state) == len(sizes) - 1
    assert len({value.data_ptr() for value in state.values()}) == len(state)


def test_the_shared_weight_learns_from_both_uses():
    """Its gradient is the sum of what an untied copy sends to its two weights."""
    tied, free = by_hand(tied=True).double(), by_hand(tied=False).double()
    x = torch.tensor([[1.0, 1.0], [2.0, 0.5]], dtype=torch.float64)
    for model in (tied, free):
        model(x).square().sum().backward()
    for down, up in ((0, 2), (2, 0)):
        from_encoder, from_decoder = free.encoder[down].weight.grad, free.decoder[up].weight.grad
        assert from_encoder.abs().sum() > 0
        assert from_decoder.abs().sum() > 0
        assert_close(tied.encoder[down].weight.grad, from_encoder + from_decoder.t())


def test_a_tied_state_dict_restores_the_model():
    model, other = by_hand(tied=True), Autoencoder([2, 2, 1], tied=True)
    other.load_state_dict(model.state_dict())
    x = torch.rand(3, 2)
    assert torch.equal(other(x), model(x))


def test_a_copy_is_tied_to_itself_and_not_to_the_original():
    model = by_hand(tied=True)
    twin = copy.deepcopy(model)
    z = torch.tensor([[1.0]])
    before = model.decode(z)
    with torch.no_grad():
        for layer in (twin.encoder[0], twin.encoder[2]):
            layer.weight.mul_(2)
    assert torch.equal(model.decode(z), before)
    assert torch.equal(twin.decode(z), 4 * before)


def test_a_tie_survives_a_change_of_dtype():
    model = by_hand(tied=True).to(torch.float64)
    x = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    assert model(x).tolist() == [[1.5, 3.0]]
    with torch.no_grad():
        model.encoder[2].weight.zero_()
    assert model(x).tolist() == [[0.0, 0.0]]


def test_tied_biases_are_the_decoders_own():
    layer = nn.Linear(3, 2)
    tied = TiedLinear(layer)
    assert [name for name, _ in tied.named_parameters()] == ["bias"]
    assert tied.bias.shape == (3,)
    with pytest.raises(TypeError, match=r"^layer must be Linear, got Conv2d"):
        TiedLinear(nn.Conv2d(1, 1, 1))


# ---- refused


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ([], ValueError, "sizes must name at least an input and a code"),
        ([784], ValueError, "sizes must name at least an input and a code"),
        ([784, 0], ValueError, r"sizes\[1\] must be at least 1, got 0"),
        ([-1, 2], ValueError, r"sizes\[0\] must be at least 1, got -1"),
        ([784, 2.0], TypeError, r"sizes\[1\] must be an integer, got float"),
        ([True, 2], TypeError, r"sizes\[0\] must be an integer, got bool"),
        (["784", 2], TypeError, r"sizes\[0\] must be an integer, got str"),
        ("84", TypeError, "sizes must be list or tuple, got str"),
        (784, TypeError, "sizes must be list or tuple, got int"),
        (None, TypeError, "sizes must be list or tuple, got None"),
    ],
)
def test_bad_sizes_are_refused_by_name(sizes, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Autoencoder(sizes)


def test_an_unknown_activation_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"^activation must be one of relu, .*, got 'ReLU'"):
        Autoencoder([2, 1], "ReLU")
    with pytest.raises(TypeError, match=r"^activation must be a string, got type"):
        Autoencoder([2, 1], nn.ReLU)


def test_the_codes_activation_has_a_known_name():
    with pytest.raises(ValueError, match=r"^code_activation must be one of relu, .*, got 'ReLU'"):
        Autoencoder([2, 1], code_activation="ReLU")
    with pytest.raises(TypeError, match=r"^code_activation must be a string, got bool"):
        Autoencoder([2, 1], code_activation=True)


def test_tied_is_yes_or_no():
    with pytest.raises(TypeError, match=r"^tied must be bool, got int"):
        Autoencoder([2, 1], tied=1)


@pytest.mark.parametrize("bad", [0, -3, True, 2.0, "2", None])
@pytest.mark.parametrize("name", ["inputs", "latent"])
def test_the_linear_autoencoder_refuses_bad_sizes_by_name(name, bad):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
        LinearAutoencoder(**{"inputs": 4, "latent": 2, name: bad})


@pytest.mark.parametrize("shape", [(2, 3), (4,), (2, 1, 4), (2, 0)])
def test_a_wrong_width_is_refused_by_name(shape):
    model = Autoencoder([4, 5])
    wrong = torch.rand(shape)
    with pytest.raises(ValueError, match=r"^x must have shape \(B, 4\), got"):
        model.encode(wrong)
    with pytest.raises(ValueError, match=r"^x must have shape \(B, 4\), got"):
        model(wrong)
    with pytest.raises(ValueError, match=r"^z must have shape \(B, 5\), got"):
        model.decode(wrong)


# ---- the classifier


def test_the_classifier_reads_images_as_ten_logits():
    model = DigitClassifier().eval()
    x = torch.rand(3, 1, 28, 28)
    assert model(x).shape == (3, 10)
    assert model.features(x).shape == (3, 64)
    assert torch.equal(model(x), model.head(model.features(x)))


@pytest.mark.parametrize("shape", [(2, 784), (2, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32)])
def test_the_classifier_refuses_other_images(shape):
    with pytest.raises(ValueError, match=r"^x must have shape \(B, 1, 28, 28\), got"):
        DigitClassifier()(torch.rand(shape))
