"""The morph in Python: the way between two codes, the images on it, and what is refused."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aecore.widgets import Morph
from aecore.widgets.portraits import between
from tests.test_face_sliders import decoder, parts
from tests.widget_case import refuses

torch.set_num_threads(1)


def morph(**changes):
    codes, drawing = parts()
    arguments = {
        "decoder": decoder(),
        "codes": codes,
        "name": "face-morph",
        "label": "Morph",
        **drawing,
    }
    return Morph(**arguments | changes)


# ---- the way


def vectors(seed):
    return torch.randn(2, 6, generator=torch.Generator().manual_seed(seed)).double()


@given(st.integers(0, 10_000), st.sampled_from(["line", "sphere"]))
def test_the_way_ends_where_it_should(seed, path):
    a, b = vectors(seed)
    torch.testing.assert_close(between(a, b, 0, path), a)
    torch.testing.assert_close(between(a, b, 1, path), b)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_on_the_sphere_length_and_speed_are_kept(seed, t):
    a, b = (v / v.norm() for v in vectors(seed))
    z = between(a, b, t, "sphere")
    assert float(z.norm()) == pytest.approx(1, abs=1e-9)
    angle = math.acos(float(a @ b))
    assert float(z @ a) == pytest.approx(math.cos(t * angle), abs=1e-9)


def test_the_line_cuts_through_the_sphere():
    a, b = torch.eye(2, dtype=torch.float64)
    assert float(between(a, b, 0.5, "line").norm()) == pytest.approx(math.sqrt(0.5), rel=1e-12)
    assert float(between(a, b, 0.5, "sphere").norm()) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("factor", [0.0, 1.0, 2.0, -1.0])
def test_where_no_way_is_shown_it_is_the_line(factor):
    a = torch.tensor([1.0, 2.0, -3.0]).double()
    b = factor * a
    assert between(a, b, 0.25, "sphere").equal(between(a, b, 0.25, "line"))


# ---- the widget


def test_images_are_the_ends_and_what_lies_between():
    module, (codes, drawing) = decoder(), parts()
    widget = morph(decoder=module)
    widget.start, widget.end, widget.t = 1, 4, 0.25
    with torch.no_grad():
        z = torch.stack([codes[1], 0.75 * codes[1] + 0.25 * codes[4], codes[4]])
        first, middle, last = (drawing["centre"] + 0.5 * module(z)).clamp(0, 1)
    faded = 0.75 * first + 0.25 * last
    expected = torch.stack([first, middle, faded, last])
    # the page has half-precision weights and centre
    torch.testing.assert_close(widget.images, expected, atol=0.002, rtol=0)
    assert (middle - faded).abs().max() > 0.02  # the two ways differ


def test_at_the_ends_both_ways_agree():
    widget = morph()
    for t, end in ((0.0, 0), (1.0, 3)):
        for path in ("line", "sphere"):
            widget.t, widget.path = t, path
            images = widget.images
            torch.testing.assert_close(images[1], images[end], atol=1e-6, rtol=0)
            torch.testing.assert_close(images[2], images[end], atol=1e-6, rtol=0)


def test_keeps_what_it_was_given():
    module, (codes, _) = decoder(), parts()
    widget = morph(decoder=module, codes=codes)
    before = widget.picture(), widget.bundle()
    with torch.no_grad():
        module[0].weight.zero_()
        codes.zero_()
    assert (widget.picture(), widget.bundle()) == before


def test_alt_says_where_it_is():
    widget = morph()
    widget.start, widget.end, widget.t, widget.path = 2, 0, 0.75, "sphere"
    assert "From face 3 to face 1 at t = 0.75" in widget.alt()
    assert "on the sphere" in widget.alt()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("start", -1, "start must be at least 0 and at most 4, got -1"),
        ("end", 5, "end must be at least 0 and at most 4, got 5"),
        ("t", 1.5, r"t must be in \[0, 1\], got 1.5"),
        ("t", float("nan"), "t must be finite"),
        ("path", "curve", "path must be one of line, sphere, got 'curve'"),
    ],
)
def test_choices_are_refused_beyond_what_is_there(field, value, words):
    assert refuses(morph(), field, value, words)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"decoder": None}, TypeError, "decoder must be Module, got None"),
        ({"decoder": torch.nn.Linear(4, 12)}, ValueError, "decoder must return images in colour"),
        ({"codes": torch.zeros(5, 3)}, ValueError, r"codes must have shape \(N, 4\)"),
        ({"codes": torch.zeros(1, 4)}, ValueError, "codes must be from 2 to 8, got 1"),
        ({"codes": torch.zeros(5, 4).long()}, TypeError, "codes must hold floating-point"),
        ({"centre": torch.zeros(8, 8)}, ValueError, r"centre must have shape \(3, 8, 8\)"),
        ({"scale": -1.0}, ValueError, "scale must be greater than 0"),
        ({"name": "Face morph"}, ValueError, "name must be"),
        ({"label": " "}, ValueError, "label must say"),
    ],
)
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        morph(**changes)
