"""The tangent explorer in Python: what the page gets, what the numbers are, what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import normalize

from aecore.widgets import TangentExplorer
from tests.widget_case import refuses

torch.set_num_threads(1)


def encoder(pixels=64, latents=5):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(pixels, 16), nn.Sigmoid(), nn.Linear(16, latents))


def tangent_explorer(**changes):
    generator = torch.Generator().manual_seed(0)
    arguments = {
        "encoder": encoder(),
        "images": torch.rand(3, 1, 8, 8, generator=generator),
        "tangents": normalize(torch.randn(3, 64, generator=generator)),
        "others": normalize(torch.randn(3, 64, generator=generator)),
        "name": "tangent",
        "label": "Tangent",
    }
    return TangentExplorer(**arguments | changes)


def test_page_has_images_and_directions():
    generator = torch.Generator().manual_seed(1)
    tangents = normalize(torch.randn(4, 64, generator=generator))
    others = normalize(torch.randn(4, 64, generator=generator))
    images = torch.arange(256).reshape(4, 1, 8, 8) / 255
    widget = tangent_explorer(images=images, tangents=tangents, others=others)
    assert widget.images == bytes(range(256))
    assert np.array_equal(np.frombuffer(widget.tangents, "<f4").reshape(4, 64), tangents.numpy())
    assert np.array_equal(np.frombuffer(widget.others, "<f4").reshape(4, 64), others.numpy())


def test_a_linear_code_moves_by_the_length_of_its_column():
    """f(x) = Wx: the code moves by |t| times the norm of W u, whatever x is; exact weights."""
    linear = nn.Linear(4, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[3.0, 0.0, 0.0, 0.0], [4.0, 0.0, 0.5, 0.0]]))
    widget = TangentExplorer(
        linear,
        torch.zeros(1, 1, 2, 2),
        torch.eye(4)[:1],
        torch.eye(4)[2:3],
        name="line",
        label="A line",
    )
    places = [-4.0, 0.0, 1.0, 2.5]
    assert widget._moved("tangent", places) == pytest.approx([20, 0, 5, 12.5], rel=1e-6)
    assert widget._moved("random", places) == pytest.approx([2, 0, 0.5, 1.25], rel=1e-6)


def test_distance_is_the_encoders():
    module = encoder()
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(3, 1, 8, 8, generator=generator)
    tangents = normalize(torch.randn(3, 64, generator=generator))
    widget = tangent_explorer(encoder=module, images=images, tangents=tangents)
    for image in range(3):
        widget.image = image
        x = images[image].flatten()
        with torch.no_grad():
            expected = (module(x + 3 * tangents[image]) - module(x)).norm()
        # the page has half-precision weights and 8-bit pixels
        assert widget._moved("tangent", [3.0])[0] == pytest.approx(float(expected), rel=0.02)


def test_keeps_what_it_was_given():
    module, tangents = encoder(), normalize(torch.randn(3, 64))
    widget = tangent_explorer(encoder=module, tangents=tangents)
    before = widget.picture(), widget.bundle()
    with torch.no_grad():
        module[0].weight.zero_()
    tangents.zero_()
    assert (widget.picture(), widget.bundle()) == before


def test_alt_says_what_is_chosen():
    widget = tangent_explorer()
    widget.image, widget.along, widget.t = 2, "random", -1.5
    assert "image 3 moved by -1.50 along the random direction" in widget.alt()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("image", 3, "image must be at least 0 and at most 2, got 3"),
        ("along", "normal", "along must be one of random, tangent, got 'normal'"),
        ("t", 4.5, r"t must be in \[-4.0, 4.0\], got 4.5"),
        ("t", float("nan"), "t must be finite"),
    ],
)
def test_choices_are_refused_beyond_what_is_there(field, value, words):
    assert refuses(tangent_explorer(), field, value, words)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"encoder": encoder(pixels=63)}, ValueError, "encoder must read 64 pixels, got 63"),
        ({"encoder": torch.sigmoid}, TypeError, "encoder must be Module"),
        ({"encoder": nn.Sequential(encoder(), nn.GELU())}, TypeError, "must be one of.*got GELU"),
        ({"images": torch.ones(3, 8, 8)}, ValueError, "images must have shape"),
        ({"images": 2 * torch.ones(3, 1, 8, 8)}, ValueError, "images must be at most 1"),
        ({"images": torch.ones(0, 1, 8, 8)}, ValueError, "images must not be empty"),
        ({"images": torch.ones(21, 1, 8, 8)}, ValueError, "images must be at most 20, got 21"),
        ({"tangents": torch.ones(3, 64)}, ValueError, "tangents must hold unit vectors.* 8 to 8"),
        ({"others": torch.zeros(3, 64)}, ValueError, "others must hold unit vectors"),
        ({"others": torch.ones(2, 64)}, ValueError, r"others must have shape \(3, 64\)"),
        ({"tangents": torch.full((3, 64), torch.nan)}, ValueError, "tangents must be finite"),
        ({"tangents": [0.0]}, TypeError, "tangents must be a torch.Tensor, got list"),
        ({"name": ""}, ValueError, "name must be"),
        ({"label": " "}, ValueError, "label must say"),
    ],
)
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        tangent_explorer(**changes)


@given(st.lists(st.integers(0, 4), max_size=4), st.sampled_from(["tangents", "others"]))
def test_refuses_directions_of_another_shape(shape, argument):
    with pytest.raises(ValueError, match=f"{argument} must have shape"):
        tangent_explorer(**{argument: torch.zeros(shape)})


@given(st.floats(0, 10).filter(lambda norm: abs(norm - 1) > 0.01))
def test_refuses_directions_of_another_length(norm):
    with pytest.raises(ValueError, match="others must hold unit vectors"):
        tangent_explorer(others=norm * torch.eye(3, 64))
