"""The traversal sliders in Python: what the page gets, what it shows, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aecore.widgets import TraversalSliders
from tests.widget_case import refuses

torch.set_num_threads(1)


def decoder(latents=4, pixels=64):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(latents, 16), nn.ReLU(), nn.Linear(16, pixels))


def traversal_sliders(**changes):
    generator = torch.Generator().manual_seed(0)
    arguments = {
        "decoder": decoder(),
        "codes": torch.randn(5, 4, generator=generator),
        "kl": torch.tensor([0.5, 2.25, 0.0, 1.0]),
        "name": "traversals",
        "label": "Four latents",
    }
    return TraversalSliders(**arguments | changes)


def by_hand():
    """Pixels that are exact: each of the first two latents moves one, the third moves none."""
    linear = nn.Linear(3, 4)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[0.125, 0, 0], [0, 0.25, 0], [0, 0, 0], [0, 0, 0]]))
        linear.bias.copy_(torch.tensor([0.5, 0.5, 0.0, 2.0]))
    codes = torch.tensor([[1.0, -1.0, 0.5], [0.0, 0.0, 0.0]])
    kl = torch.tensor([0.25, 1.0, 0.0])
    return TraversalSliders(
        linear, codes, kl, name="hand", label="By hand", output="pixels"
    )  # fmt: skip


def test_image_and_traversal_by_hand():
    widget = by_hand()
    assert widget.latent == 1
    assert widget.image.flatten().tolist() == [0.625, 0.25, 0, 1]  # and 2 is clipped
    moved = widget.traversal.flatten(1)
    assert moved.shape == (7, 4)
    assert moved[:, 1].tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 1]
    assert moved[:, 0].tolist() == [0.625] * 7
    assert widget.change == 1


def test_a_latent_that_says_nothing_changes_nothing():
    widget = by_hand()
    widget.latent = 2
    assert widget.change == 0
    assert "3 latents, 1 of which say nothing" in widget.alt()
    assert "latent 3 at -3 to 3" in widget.alt()
    assert "squared error of 0.0" in widget.alt()


@pytest.mark.parametrize("output", ["pixels", "logits"])
def test_traversal_is_the_decoder_at_seven_codes(output):
    module = decoder()
    codes = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    widget = traversal_sliders(decoder=module, codes=codes, output=output)
    for latent in range(4):
        widget.latent = latent
        z = codes[:1].repeat(7, 1)
        z[:, latent] = torch.linspace(-3, 3, 7)
        with torch.no_grad():
            pixels = module(z)
        expected = pixels.sigmoid() if output == "logits" else pixels.clamp(0, 1)
        # the page has half-precision weights
        assert (widget.traversal.flatten(1) - expected).abs().max() < 0.003
    assert (widget.image.flatten() - widget._decode(codes[:1]).flatten()).abs().max() == 0


def test_page_has_codes_and_divergences():
    codes = torch.randn(7, 4, generator=torch.Generator().manual_seed(2))
    widget = traversal_sliders(codes=codes, kl=torch.tensor([0.5, -1e-6, 1 / 3, 4.0]))
    assert np.array_equal(np.frombuffer(widget.codes, "<f4").reshape(7, 4), codes.numpy())
    assert widget.kl == [0.5, 0, 0.333333, 4]  # and what rounding left below zero is zero
    assert widget.position == codes[0].tolist()
    assert widget.latent == 3


def test_sliders_go_as_far_as_the_codes():
    assert traversal_sliders(codes=torch.zeros(2, 4)).reach == 3
    assert traversal_sliders(codes=torch.full((2, 4), -3.2)).reach == 3.5
    far = traversal_sliders(codes=torch.full((1, 4), 7.0))
    assert far.reach == 7
    assert far.position == [7.0] * 4


def test_keeps_what_it_was_given():
    module, codes, kl = decoder(), torch.ones(2, 4), torch.ones(4)
    widget = traversal_sliders(decoder=module, codes=codes, kl=kl)
    before = widget.picture(), widget.bundle()
    with torch.no_grad():
        module[0].weight.zero_()
    codes.zero_()
    kl.zero_()
    assert (widget.picture(), widget.bundle()) == before


def test_picture_follows_position_and_latent():
    widget = traversal_sliders()
    seen = {widget.picture()}
    widget.position = [0.0] * 4
    seen.add(widget.picture())
    widget.latent = 0
    seen.add(widget.picture())
    assert len(seen) == 3


@pytest.mark.parametrize(("latents", "divergence"), [(1, 0.0), (10, 0.0), (10, 3.0)])
def test_survives_one_latent_ten_and_none_that_says_anything(latents, divergence):
    widget = TraversalSliders(
        decoder(latents),
        torch.zeros(1, latents),
        torch.full((latents,), divergence),
        name="few",
        label="Few",
    )
    assert widget.picture().startswith(b"\x89PNG")
    assert widget.latent == 0


@pytest.mark.parametrize(
    ("field", "value", "error", "words"),
    [
        ("latent", 4, ValueError, "latent must be at least 0 and at most 3, got 4"),
        ("latent", -1, ValueError, "latent must be at least 0"),
        ("position", [0.0] * 3, ValueError, "position must have 4 values, got 3"),
        ("position", [0.0, 0.0, 3.5, 0.0], ValueError, r"position\[2\] must be in \[-3.0, 3.0\]"),
        ("position", [0.0, float("nan"), 0.0, 0.0], ValueError, r"position\[1\] must be finite"),
    ],
)
def test_choices_are_refused_beyond_what_is_there(field, value, error, words):
    assert refuses(traversal_sliders(), field, value, words, error)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"decoder": torch.sigmoid}, TypeError, "decoder must be Module"),
        ({"decoder": decoder(latents=11)}, ValueError, "at most 10 latents, got 11"),
        ({"decoder": decoder(pixels=63)}, ValueError, "square image, got 63 pixels"),
        (
            {"decoder": nn.Sequential(decoder(), nn.Sigmoid())},
            ValueError,
            "output must be 'pixels'",
        ),
        ({"codes": torch.zeros(5, 3)}, ValueError, r"codes must have shape \(N, 4\), got \(5, 3\)"),
        ({"codes": torch.zeros(21, 4)}, ValueError, "codes must be at most 20, got 21"),
        ({"codes": torch.full((5, 4), torch.nan)}, ValueError, "codes must be finite"),
        ({"codes": torch.zeros(5, 4).long()}, TypeError, "codes must hold floating-point"),
        ({"codes": [[0.0] * 4]}, TypeError, "codes must be a torch.Tensor, got list"),
        ({"kl": torch.zeros(3)}, ValueError, r"kl must have shape \(4\), got \(3,\)"),
        ({"kl": torch.full((4,), -0.1)}, ValueError, "kl must be at least"),
        ({"kl": torch.full((4,), torch.inf)}, ValueError, "kl must be finite"),
        ({"kl": [0.0] * 4}, TypeError, "kl must be a torch.Tensor, got list"),
        ({"output": "mean"}, ValueError, "output must be one of logits, pixels, got 'mean'"),
        ({"name": "All latents"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        traversal_sliders(**changes)


@given(st.lists(st.integers(0, 5), max_size=3), st.sampled_from(["codes", "kl"]))
def test_refuses_tensors_of_another_shape(shape, argument):
    fits = {"codes": len(shape) == 2 and shape[1] == 4 and shape[0] > 0, "kl": shape == [4]}
    if not fits[argument]:
        with pytest.raises(ValueError, match=f"{argument} must"):
            traversal_sliders(**{argument: torch.zeros(shape)})
