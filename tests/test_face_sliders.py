"""The face sliders in Python: what the page gets, what is drawn and measured, what is refused."""

import base64

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aecore.widgets import FaceSliders
from aecore.widgets.portraits import Portraits
from tests.widget_case import refuses

torch.set_num_threads(1)

NAMES = ["yaw", "smile", "hair"]


def decoder(latents=4):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(latents, 4 * 4 * 4),
        nn.Unflatten(1, (4, 4, 4)),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1),
    )


def judge(factors=3):
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, factors)
    )


def parts():
    """Centre and scale, as a model has them, and codes."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(5, 4, generator=generator)
    return codes, {"centre": torch.rand(3, 8, 8, generator=generator), "scale": 0.5}


def face_sliders(**changes):
    codes, drawing = parts()
    generator = torch.Generator().manual_seed(2)
    arguments = {
        "decoder": decoder(),
        "judge": judge(),
        "codes": codes,
        "directions": torch.randn(3, 4, generator=generator),
        "names": NAMES,
        "name": "face-sliders",
        "label": "Faces",
        **drawing,
    }
    return FaceSliders(**arguments | changes)


def test_page_has_codes_directions_and_centre():
    directions = torch.randn(3, 4)
    codes, drawing = parts()
    widget = face_sliders(directions=directions)
    assert np.array_equal(np.frombuffer(widget.directions, "<f4").reshape(3, 4), directions.numpy())
    assert np.array_equal(np.frombuffer(widget.codes, "<f4").reshape(5, 4), codes.numpy())
    centre = np.frombuffer(widget.centre, "<f2").reshape(3, 8, 8)
    assert np.abs(centre - drawing["centre"].numpy()).max() < 3e-4
    assert widget.shape == [3, 8, 8]
    assert widget.moves == [0, 0, 0]


def test_face_is_the_decoders_at_the_moved_code():
    module, (codes, drawing) = decoder(), parts()
    directions = torch.randn(3, 4)
    widget = face_sliders(decoder=module, directions=directions)
    widget.face, widget.moves = 2, [0.5, 0.0, -1.0]
    z = codes[2] + 0.5 * directions[0] - directions[2]
    with torch.no_grad():
        expected = drawing["centre"] + 0.5 * module(z[None])[0]
    # the page has half-precision weights and centre
    torch.testing.assert_close(widget.image(), expected.clamp(0, 1), atol=0.002, rtol=0)
    assert (expected < 0).any() | (expected > 1).any()  # the limits are tried


def test_judge_measures_the_image():
    module = judge()
    widget = face_sliders(judge=module)
    image = torch.rand(3, 8, 8)
    with torch.no_grad():
        expected = module(image[None])[0]
    torch.testing.assert_close(widget.measured(image), expected, atol=0.002, rtol=0)
    found = widget.measured(widget.image())
    assert f"yaw {found[0]:+.2f}" in widget.alt()


def test_with_no_moves_a_face_is_itself():
    codes, drawing = parts()
    portraits = Portraits(decoder(), codes, **drawing)
    widget = face_sliders()
    for face in range(5):
        widget.face = face
        torch.testing.assert_close(widget.image(), portraits.draw(codes)[face])


def test_moves_stay_when_another_face_is_chosen():
    widget = face_sliders()
    widget.moves = [0.25, 0.0, 0.0]
    widget.face = 3
    assert widget.moves == [0.25, 0, 0]
    assert "face 4, asked to move: yaw by +0.25" in widget.alt()


def test_one_decoder_is_one_file():
    """What two widgets share has the same bytes, and so the same name on the page."""
    from tests.test_morph import morph

    weights = [widget.bundle()["buffers"]["weights"] for widget in (face_sliders(), morph())]
    assert weights[0] == weights[1]
    assert len(base64.b64decode(weights[0])) > 100


def test_keeps_what_it_was_given():
    module, reader, directions = decoder(), judge(), torch.randn(3, 4)
    widget = face_sliders(decoder=module, judge=reader, directions=directions)
    before = widget.picture(), widget.bundle()
    with torch.no_grad():
        module[0].weight.zero_()
        reader[0].weight.zero_()
    directions.zero_()
    assert (widget.picture(), widget.bundle()) == before


@pytest.mark.parametrize(
    ("field", "value", "error", "words"),
    [
        ("face", 5, ValueError, "face must be at least 0 and at most 4, got 5"),
        ("moves", [0.0], ValueError, "moves must be 3 numbers, got 1"),
        ("moves", [0.0, 3.0, 0.0], ValueError, r"moves\[1\] must be in \[-2.5, 2.5\], got 3"),
        ("moves", [0.0, float("nan"), 0.0], ValueError, r"moves\[1\] must be finite"),
    ],
)
def test_choices_are_refused_beyond_what_is_there(field, value, error, words):
    assert refuses(face_sliders(), field, value, words, error)


GREY = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 1, 1))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"decoder": torch.sigmoid}, TypeError, "decoder must be Module"),
        ({"decoder": nn.Linear(4, 12)}, ValueError, "decoder must return images.*got 12 values"),
        ({"decoder": GREY}, ValueError, r"decoder must return images.*got images of shape \(1, 2"),
        ({"decoder": nn.Sequential(decoder(), nn.GELU())}, TypeError, "must be one of.*got GELU"),
        ({"judge": None}, TypeError, "judge must be Module, got None"),
        ({"judge": judge(2)}, ValueError, "judge must return 3 factors, got 2"),
        ({"judge": nn.Conv2d(3, 1, 8)}, ValueError, "judge must return 3 factors"),
        ({"judge": nn.Linear(64, 3)}, ValueError, "must be given 64 values, got images of shape"),
        ({"codes": torch.zeros(5, 3)}, ValueError, r"codes must have shape \(N, 4\)"),
        ({"codes": torch.zeros(1, 4)}, ValueError, "codes must be from 2 to 8, got 1"),
        ({"codes": torch.zeros(9, 4)}, ValueError, "codes must be from 2 to 8, got 9"),
        ({"codes": torch.full((5, 4), torch.nan)}, ValueError, "codes must be finite"),
        ({"directions": torch.zeros(3, 5)}, ValueError, r"directions must have shape \(3, 4\)"),
        ({"directions": [0.0]}, TypeError, "directions must be a torch.Tensor, got list"),
        ({"names": "yaw"}, TypeError, "names must be list or tuple, got str"),
        ({"names": ["yaw", "smile", 3]}, TypeError, r"names\[2\] must be str, got int"),
        ({"names": ["yaw", "smile", "yaw"]}, ValueError, "names must be different words"),
        ({"names": ["yaw", "smile", " "]}, ValueError, "names must be different words"),
        ({"centre": torch.zeros(3, 8, 7)}, ValueError, r"centre must have shape \(3, 8, 8\)"),
        ({"scale": 0.0}, ValueError, "scale must be greater than 0"),
        ({"scale": torch.tensor(0.5)}, TypeError, "scale must be a number, got Tensor"),
        ({"name": ""}, ValueError, "name must be"),
        ({"label": " "}, ValueError, "label must say"),
    ],
)
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        face_sliders(**changes)


@given(st.lists(st.integers(0, 5), max_size=3))
def test_refuses_directions_of_another_shape(shape):
    if shape != [3, 4]:
        with pytest.raises(ValueError, match="directions must"):
            face_sliders(directions=torch.zeros(shape))
