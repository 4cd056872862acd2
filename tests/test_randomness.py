"""Seeds, generators and weights: everything moves with ``AECORE_SEED`` and nothing else."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aecore.models import Autoencoder, DigitClassifier
from aecore.randomness import base_seed, generator, initialise, seed

LAYERS = {
    "linear": lambda: nn.Linear(30, 200),
    "convolution": lambda: nn.Conv2d(6, 40, 3),
    "grouped convolution": lambda: nn.Conv2d(6, 42, 3, groups=3),
    "transposed convolution": lambda: nn.ConvTranspose2d(40, 6, 3),
    "grouped transposed convolution": lambda: nn.ConvTranspose2d(42, 6, 3, groups=3),
}


def same(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


def draw(stream: str) -> torch.Tensor:
    return torch.rand(8, generator=generator(stream))


# ---- seeds


def test_without_the_variable_the_seed_is_0(monkeypatch):
    monkeypatch.delenv("AECORE_SEED", raising=False)
    assert base_seed() == 0
    unset = draw("noise")
    monkeypatch.setenv("AECORE_SEED", "0")
    assert torch.equal(draw("noise"), unset)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "one", " 1", "1e3", "²"])
def test_a_bad_seed_is_refused_with_what_it_was(monkeypatch, text):
    monkeypatch.setenv("AECORE_SEED", text)
    with pytest.raises(ValueError, match=r"^AECORE_SEED must be a whole number") as refused:
        generator("noise")
    assert repr(text) in str(refused.value)


@given(stream=st.text())
def test_the_seed_moves_every_stream(stream):
    with pytest.MonkeyPatch.context() as patch:
        seeds = set()
        for number in ("0", "1", "2"):
            patch.setenv("AECORE_SEED", number)
            seeds.add(seed(stream))
    assert len(seeds) == 3
    assert all(0 <= number < 2**31 for number in seeds)


@given(names=st.lists(st.text(), min_size=2, max_size=20, unique=True))
def test_two_streams_share_no_seed(names):
    assert len({seed(name) for name in names}) == len(names)


def test_the_seed_and_the_name_of_a_stream_do_not_run_together(monkeypatch):
    monkeypatch.setenv("AECORE_SEED", "1")
    one = seed("2")
    monkeypatch.setenv("AECORE_SEED", "12")
    assert seed("") != one


def test_one_name_gives_the_same_numbers_every_time():
    assert torch.equal(draw("noise"), draw("noise"))
    assert not torch.equal(draw("noise"), draw("weights"))


def test_a_seed_outlives_the_version_of_the_book(monkeypatch):
    """A reader's numbers are ours: another hash would move them all."""
    monkeypatch.setenv("AECORE_SEED", "0")
    assert seed("noise") == 240382326


@pytest.mark.parametrize("stream", [None, 0, b"noise"])
def test_a_stream_has_a_name(stream):
    with pytest.raises(TypeError, match=r"^stream must be str"):
        generator(stream)


def test_no_global_random_state_is_touched():
    model = Autoencoder([6, 2])
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    initialise(model, generator("weights"))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert random.getstate() == states[2]


# ---- weights


@pytest.mark.parametrize("make", [lambda: Autoencoder([12, 7, 3]), DigitClassifier])
def test_the_same_generator_gives_the_same_weights(make):
    first = initialise(make(), generator("weights"))
    assert same(first, initialise(make(), generator("weights")))
    other = initialise(make(), generator("other weights"))
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    assert not any(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_weights_and_biases_are_drawn_from_pytorchs_default(make):
    """Uniform within the bounds that ``reset_parameters`` keeps, and up to them."""
    layer = make()
    theirs = layer.weight.detach().clone(), layer.bias.detach().clone()
    initialise(layer, generator("weights"))
    bound = 1 / nn.init._calculate_fan_in_and_fan_out(layer.weight)[0] ** 0.5
    assert layer.weight.abs().max() <= bound
    assert layer.bias.abs().max() <= bound
    torch.testing.assert_close(layer.weight.abs().max(), theirs[0].abs().max(), rtol=0.02, atol=0)
    # uniform on (−b, b): mean 0, standard deviation b/√3
    assert abs(layer.weight.mean()) < 0.06 * bound
    assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.06)
    assert not torch.equal(layer.weight, theirs[0])
    assert not torch.equal(layer.bias, theirs[1])


def test_the_module_comes_back_trainable():
    model = Autoencoder([6, 2])
    assert initialise(model, generator("weights")) is model
    assert all(p.requires_grad and p.grad_fn is None for p in model.parameters())


def test_a_layer_without_bias_is_drawn_too():
    layer = nn.Linear(4, 4, bias=False)
    before = layer.weight.detach().clone()
    initialise(layer, generator("weights"))
    assert not torch.equal(layer.weight, before)


def test_other_layers_keep_their_weights():
    norm = nn.BatchNorm1d(4)
    initialise(nn.Sequential(nn.Linear(4, 4), norm), generator("weights"))
    assert torch.equal(norm.weight, torch.ones(4))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((None, torch.Generator()), "module"), ((nn.Linear(1, 1), 0), "generator")],
)
def test_a_wrong_kind_is_refused_by_name(arguments, name):
    with pytest.raises(TypeError, match=f"^{name} must be"):
        initialise(*arguments)
