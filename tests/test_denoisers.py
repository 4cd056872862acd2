"""The networks that denoise: what they read, in which order, and the shape that they return."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from aecore.models.denoisers import ImageDenoiser, PlaneDenoiser, VectorDenoiser, features
from aecore.models.diffusion import Diffusion, cosine_schedule
from aecore.randomness import generator, initialise


def draw() -> torch.Generator:
    return generator("denoisers")


def test_features_in_their_order():
    x, time = torch.tensor([[1.0, 2.0]]), torch.tensor([0.5])
    waves = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 2.0]])
    phases = [1.0, 2.0]
    expected = [1, 2, 0.5, *map(math.sin, phases), *map(math.cos, phases)]
    assert_close(features(x, time, waves), torch.tensor([expected]))


def test_the_plane():
    plane = initialise(PlaneDenoiser(torch.rand(5, 3), 8), draw())
    x, time = torch.rand(4, 2), torch.rand(4)
    assert plane(x, time).shape == (4, 2)
    assert torch.equal(plane(x, time), plane.layers(features(x, time, plane.frequencies)))


def test_digits():
    image = initialise(ImageDenoiser(8, 1), draw())
    x, time = torch.rand(3, 784), torch.rand(3)
    assert image(x, time).shape == (3, 784)
    assert torch.equal(image(x, time, torch.zeros(3, 64)), image(x, time))
    assert not torch.equal(image(x, time, torch.ones(3, 64)), image(x, time))


def test_what_the_layers_of_a_vector_are_given():
    network = VectorDenoiser(2, hints=3, width=4)
    seen = []
    network.layers = nn.Sequential(nn.Identity())
    network.layers.register_forward_hook(lambda layer, given, said: seen.append(given[0]))
    x, time, hint = torch.tensor([[3.0, 4.0]]), torch.tensor([0.25]), torch.tensor([[1.0, 0.0, 1]])
    network(x, time, hint)
    network(x, time)
    rates = [10 ** (2 * i / 7) for i in range(8)]
    waves = [wave(0.25 * rate) for wave in (math.sin, math.cos) for rate in rates]
    assert_close(seen[0], torch.tensor([[3, 4, *waves, 1, 0, 1]]))
    assert_close(seen[1], torch.tensor([[3, 4, *waves, 0, 0, 0]]))


def test_vectors_each_for_itself():
    """What is said of a vector depends on its own time and hint, and on no other's."""
    network = initialise(VectorDenoiser(5, hints=2, width=8), draw())
    x, time, hint = (torch.rand(6, *shape, generator=draw()) for shape in ((5,), (), (2,)))
    together = network(x, time, hint)
    assert together.shape == (6, 5)
    alone = [network(*(part[i : i + 1] for part in (x, time, hint))) for i in range(6)]
    assert_close(together, torch.cat(alone))
    assert_close(network(x, time), network(x, time, torch.zeros(6, 2)))


def test_a_vector_without_hints_denoises_in_a_chain():
    network = initialise(VectorDenoiser(5, width=8), draw())
    made = Diffusion(network, cosine_schedule(20)).sample(torch.rand(3, 5), 4)
    assert made.shape == (3, 5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ImageDenoiser(0), ValueError, "channels must be at least 1"),
        (lambda: ImageDenoiser(4, 0), ValueError, "blocks must be at least 1"),
        (lambda: PlaneDenoiser(torch.rand(5, 2)), ValueError, "frequencies must have shape"),
        (lambda: PlaneDenoiser(torch.rand(5, 3), 0), ValueError, "width must be at least 1"),
        (lambda: VectorDenoiser(0), ValueError, "size must be at least 1"),
        (lambda: VectorDenoiser(2, -1), ValueError, "hints must be at least 0"),
        (lambda: VectorDenoiser(2, 1, 2.5), TypeError, "width must be an integer"),
        (
            lambda: VectorDenoiser(2, 3)(torch.rand(4, 2), torch.rand(4), torch.rand(4, 2)),
            ValueError, r"hint must have shape \(4, 3\), got \(4, 2\)",
        ),
        (
            lambda: VectorDenoiser(2, 1)(torch.rand(4, 2), torch.rand(4), ["smiling"]),
            TypeError, "hint must be a torch.Tensor, got list",
        ),
        (
            lambda: VectorDenoiser(2)(torch.rand(4, 2), torch.rand(3)),
            ValueError, r"time must have shape \(4\), got \(3,\)",
        ),
        (
            lambda: VectorDenoiser(2)(torch.rand(4, 2), 3 * torch.ones(4)),
            ValueError, "time must be at most 1",
        ),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
