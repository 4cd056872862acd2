"""The unit browser in Python: what the page gets, within which error, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aecore.widgets import UnitBrowser
from tests.widget_case import refuses

torch.set_num_threads(1)


def unit_browser(**changes):
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(12, 30, generator=generator).relu()
    codes[:, 7] = 0  # a dead unit
    arguments = {
        "atoms": torch.randn(30, 64, generator=generator),
        "bias": torch.randn(64, generator=generator),
        "images": torch.rand(12, 1, 8, 8, generator=generator),
        "activations": codes,
        "name": "units",
        "label": "Units",
    }
    return UnitBrowser(**arguments | changes)


def from_page(widget):
    """Atoms (units, H·W) and activations (M, units), as the page computes with them."""
    units = len(widget.scales) // 4
    atoms = np.frombuffer(widget.atoms, "i1").reshape(units, -1).astype("f8")
    codes = np.frombuffer(widget.activations, "u1").reshape(-1, units).astype("f8")
    scales, steps = (np.frombuffer(data, "<f4") for data in (widget.scales, widget.steps))
    return atoms * scales[:, None], codes * steps


def test_page_has_atoms_and_activations_within_half_a_step():
    generator = torch.Generator().manual_seed(1)
    atoms, codes = torch.randn(30, 64, generator=generator), torch.rand(12, 30, generator=generator)
    widget = unit_browser(atoms=atoms, activations=codes)
    found = from_page(widget)
    steps = atoms.abs().amax(1, keepdim=True) / 127, codes.amax(0) / 255
    codes = codes.clamp(min=steps[1])  # what is positive is at least one step
    for value, expected, step in zip(found, (atoms, codes), steps, strict=True):
        assert (np.abs(value - expected.numpy()) / step.numpy()).max() < 0.501


def test_counts_are_exact():
    codes = torch.zeros(12, 30)
    codes[0, 0], codes[1, 0], codes[2, 1] = 1e-9, 1e4, 1e-30
    found = np.frombuffer(unit_browser(activations=codes).activations, "u1").reshape(12, 30)
    assert np.array_equal(found > 0, codes.numpy() > 0)


def test_images_come_back_as_they_were():
    images = torch.arange(256).reshape(4, 1, 8, 8) / 255
    widget = unit_browser(images=images, activations=torch.ones(4, 30))
    assert widget.images == bytes(range(256))


def test_rebuild_by_hand():
    """Atoms and activations that 8 bits hold exactly: two units, an image of four pixels."""
    widget = UnitBrowser(
        torch.tensor([[1.0, 0.0, 0.0, -1.0], [0.0, 2.0, 0.0, 0.0]]),
        torch.tensor([0.0, 0.0, 0.5, 1.0]),
        torch.zeros(2, 1, 2, 2),
        torch.tensor([[1.0, 0.5], [0.0, 0.25]]),
        name="hand",
        label="By hand",
    )
    # half of the largest activation is no whole number of 255ths
    assert widget._rebuilt() == pytest.approx([1, 1, 0.5, 0], abs=1 / 255)
    widget.k = 1
    assert widget._rebuilt() == pytest.approx([1, 0, 0.5, 0], abs=1e-6)
    widget.image = 1
    assert widget._rebuilt() == pytest.approx([0, 0.5, 0.5, 1], abs=1 / 255)


@pytest.mark.parametrize("output", ["pixels", "logits"])
def test_rebuild_is_the_decoder_on_the_strongest_units(output):
    generator = torch.Generator().manual_seed(2)
    atoms = torch.randn(30, 64, generator=generator) / 8
    bias = torch.rand(64, generator=generator)
    codes = torch.randn(12, 30, generator=generator).relu()
    widget = unit_browser(atoms=atoms, bias=bias, activations=codes, output=output)
    for image in range(12):
        for k in (1, 5, widget.most):
            widget.image, widget.k = image, k
            kept, places = codes[image].topk(k)
            expected = kept @ atoms[places] + bias
            expected = expected.sigmoid() if output == "logits" else expected
            assert np.abs(widget._rebuilt() - expected.numpy()).max() < 0.02


def test_four_hundred_units_and_five_hundred_digits_are_less_than_a_megabyte():
    generator = torch.Generator().manual_seed(0)
    widget = unit_browser(
        atoms=torch.randn(400, 784, generator=generator),
        bias=torch.zeros(784),
        images=torch.rand(500, 1, 28, 28, generator=generator),
        activations=torch.rand(500, 400, generator=generator),
    )
    buffers = [value for value in widget.get_state().values() if isinstance(value, bytes)]
    assert sum(map(len, buffers)) < 1_000_000
    assert widget.most == 64


def test_keeps_what_it_was_given():
    atoms, codes = torch.ones(30, 64), torch.rand(12, 30)
    widget = unit_browser(atoms=atoms, activations=codes)
    before = widget.picture(), widget.bundle()
    atoms.zero_()
    codes.zero_()
    assert (widget.picture(), widget.bundle()) == before


def test_starts_with_the_strongest_unit_of_the_first_image_that_has_one():
    codes = torch.zeros(12, 30)
    codes[3, 4], codes[3, 5] = 1, 2
    widget = unit_browser(activations=codes)
    assert (widget.image, widget.unit, widget.k, widget.most) == (3, 5, 2, 2)


def test_survives_a_single_unit_and_images_without_any():
    widget = UnitBrowser(
        torch.ones(1, 6),
        torch.zeros(6),
        torch.zeros(2, 1, 2, 3),
        torch.tensor([[1.0], [0.0]]),
        name="one",
        label="One",
    )
    assert widget.shape == [2, 3]
    widget.image = 1  # no unit fires: the bias alone
    assert np.array_equal(widget._rebuilt(), np.zeros(6))
    assert widget.picture().startswith(b"\x89PNG")


def test_alt_says_what_is_chosen():
    widget = unit_browser()
    widget.unit, widget.image, widget.k = 7, 2, 3
    assert "unit 7, which fires on 0.0 % of 12 images" in widget.alt()
    assert "image 3, the same rebuilt from its 3 strongest units" in widget.alt()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("unit", -1, "unit must be at least 0"),
        ("unit", 30, "unit must be at least 0 and at most 29, got 30"),
        ("image", 12, "image must be at least 0 and at most 11, got 12"),
        ("k", 0, "k must be at least 1"),
        ("k", 31, "k must be at least 1 and at most"),
    ],
)
def test_choices_are_refused_beyond_what_is_there(field, value, words):
    assert refuses(unit_browser(), field, value, words)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"atoms": torch.ones(30, 63)}, ValueError, r"atoms must have shape \(units, 64\)"),
        ({"atoms": torch.ones(29, 64)}, ValueError, r"activations must have shape \(12, 29\)"),
        ({"atoms": torch.full((30, 64), torch.nan)}, ValueError, "atoms must be finite"),
        ({"atoms": [[0.0]]}, TypeError, "atoms must be a torch.Tensor, got list"),
        ({"atoms": torch.ones(30, 64).long()}, TypeError, "atoms must hold floating-point"),
        ({"bias": torch.ones(63)}, ValueError, r"bias must have shape \(64\)"),
        ({"bias": torch.full((64,), torch.inf)}, ValueError, "bias must be finite"),
        ({"images": torch.ones(12, 8, 8)}, ValueError, "images must have shape"),
        ({"images": torch.ones(12, 3, 8, 8)}, ValueError, "images must have shape"),
        ({"images": 2 * torch.ones(12, 1, 8, 8)}, ValueError, "images must be at most 1"),
        ({"images": -torch.ones(12, 1, 8, 8)}, ValueError, "images must be at least 0"),
        ({"images": torch.ones(0, 1, 8, 8)}, ValueError, "images must not be empty"),
        ({"activations": -torch.ones(12, 30)}, ValueError, "activations must be at least 0"),
        ({"activations": torch.ones(11, 30)}, ValueError, r"activations must have shape \(12, 30"),
        ({"activations": torch.zeros(12, 30)}, ValueError, "activations must be positive"),
        ({"activations": torch.ones(12, 30) * torch.nan}, ValueError, "activations must be finite"),
        ({"output": "mean"}, ValueError, "output must be one of logits, pixels, got 'mean'"),
        ({"name": "All units"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)  # fmt: skip
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        unit_browser(**changes)


@given(st.lists(st.integers(0, 4), max_size=4), st.sampled_from(["atoms", "bias", "activations"]))
def test_refuses_tensors_of_another_shape(shape, argument):
    with pytest.raises(ValueError, match=f"{argument} must have shape"):
        unit_browser(**{argument: torch.zeros(shape)})
