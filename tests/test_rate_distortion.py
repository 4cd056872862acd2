"""The plane of rate and distortion in Python: its numbers, its pictures, what is refused."""

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aecore.plots.style import DIGIT
from aecore.widgets import RateDistortion

torch.set_num_threads(1)

BETAS = [0.5, 1.0, 2.0, 4.0]


def rate_distortion(**changes):
    """On the curve D = 8 / R, whose slope at R is -8 / R²: β is the price where R = √(8 / β)."""
    generator = torch.Generator().manual_seed(0)
    rates = torch.tensor([[math.sqrt(8 / beta) for beta in BETAS]] * 2)
    arguments = {
        "betas": BETAS,
        "rates": rates,
        "distortions": 8 / rates,
        "active": torch.tensor([[4, 4, 3, 1], [4, 4, 2, 1]]),
        "pictures": {
            "originals": torch.rand(3, 1, 6, 5, generator=generator),
            "reconstructions": torch.rand(4, 3, 1, 6, 5, generator=generator),
        },
        "name": "beta-switch",
        "label": "The price of a nat",
    }
    return RateDistortion(**arguments | changes)


@pytest.mark.parametrize("chosen", range(4))
def test_no_model_lies_below_the_tangent_of_a_convex_curve(chosen):
    widget = rate_distortion()
    widget.chosen = chosen
    beta = BETAS[chosen]
    assert widget.beta == beta
    assert widget.point == pytest.approx((math.sqrt(8 / beta), math.sqrt(8 * beta)), abs=1e-4)
    assert widget.loss == pytest.approx(2 * math.sqrt(8 * beta), abs=5e-4)
    assert widget.below == 0


def test_models_below_the_line_are_counted_by_hand():
    """Three prices, two seeds; of the line D + R = 10 the points lie above, on and below."""
    widget = rate_distortion(
        betas=[0.5, 1.0, 2.0],
        rates=torch.tensor([[6.0, 4.0, 1.0], [5.0, 6.0, 2.0]]),
        distortions=torch.tensor([[3.0, 6.0, 9.0], [4.5, 4.0, 8.5]]),
        active=torch.ones(2, 3),
        pictures={"one": torch.rand(2, 1, 4, 4)},
    )
    assert widget.point == (5, 5)
    assert widget.loss == 10
    assert widget.below == 2  # 9, 9.5; not 10 and 10.5
    widget.chosen = 2  # D + 2R = 11.75 through the mean; 15, 14.5, 14, 16
    assert widget.loss == 11.75
    assert widget.below == 0
    assert "0 of the other 4 models lie below" in widget.alt()


def test_starts_at_the_price_nearest_to_one():
    assert rate_distortion().beta == 1
    assert rate_distortion(betas=[2.0, 4.0, 8.0, 16.0]).chosen == 0
    assert rate_distortion(betas=(0, 0.1, 0.25, 0.9)).chosen == 3


def test_one_seed_and_whole_numbers_are_welcome():
    widget = rate_distortion(
        betas=[1, 2],
        rates=torch.ones(1, 2),
        distortions=-torch.ones(1, 2),  # a density may be over 1
        active=torch.tensor([[True, False]]),
        pictures={"one": torch.rand(1, 1, 4, 4)},
    )
    assert widget.active == [[1, 0]]
    assert widget.point == (1, -1)
    assert widget.picture().startswith(b"\x89PNG")


def test_a_model_that_says_nothing_and_one_alone_are_drawn():
    zeros = torch.zeros(1, 4)
    widget = rate_distortion(rates=zeros, distortions=zeros, active=zeros)
    assert widget.picture().startswith(b"\x89PNG")
    low, high = widget._heights()
    assert low < 0 < high


def sheet_of(widget):
    """The rows of the sheet as the tones that the figures give to [0, 1]."""
    number, height, width = widget.shape
    sheet = np.asarray(Image.open(io.BytesIO(widget.sheet)).convert("RGB"))
    return sheet.reshape(-1, height, number, width, 3).transpose(0, 2, 1, 3, 4)


def test_every_picture_is_where_the_page_looks_for_it():
    generator = torch.Generator().manual_seed(3)
    fixed = torch.rand(3, 1, 6, 5, generator=generator)
    varying = torch.rand(4, 3, 1, 6, 5, generator=generator)
    widget = rate_distortion(pictures={"fixed": fixed, "varying": varying})
    assert widget.names == ["fixed", "varying"]
    assert widget.shape == [3, 6, 5]
    assert widget.places == [[0, 0, 0, 0], [1, 2, 3, 4]]  # what is the same is there once
    sheet = sheet_of(widget)
    assert len(sheet) == 5

    def tones(images):  # in the colours of the figures
        return DIGIT((images[..., 0, :, :] * 255).round().int().numpy(), bytes=True)[..., :3]

    for b in range(4):
        assert np.array_equal(sheet[widget.places[0][b]], tones(fixed))
        assert np.array_equal(sheet[widget.places[1][b]], tones(varying[b]))
    widget.chosen = 2
    rows = widget._rows()
    assert np.array_equal(rows[1], sheet[3].transpose(1, 0, 2, 3).reshape(6, 15, 3))


def test_ten_digits_in_three_rows_for_eight_prices_are_small():
    """Grey noise, the worst for a PNG, is about a byte a pixel; digits are about half of that."""
    betas = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16]
    widget = rate_distortion(
        betas=betas,
        rates=torch.ones(3, 8),
        distortions=torch.ones(3, 8),
        active=torch.ones(3, 8),
        pictures={"a": torch.rand(10, 1, 28, 28), "b": torch.rand(8, 10, 1, 28, 28)},
    )
    assert len(widget.sheet) < 1.1 * 9 * 7840
    assert len(str(widget.bundle()["state"])) < 3000


def test_keeps_what_it_was_given():
    rates, images = torch.ones(2, 4), torch.rand(3, 1, 6, 5)
    widget = rate_distortion(rates=rates, pictures={"one": images})
    before = widget.picture(), widget.bundle()
    rates.zero_()
    images.zero_()
    assert (widget.picture(), widget.bundle()) == before


def test_picture_and_words_follow_the_choice():
    widget = rate_distortion()
    before = widget.picture(), widget.alt()
    widget.chosen = 3
    assert widget.picture() != before[0]
    assert "At β = 4 the rate is 1.41 nats and the distortion 5.66 nats" in widget.alt()


@pytest.mark.parametrize("value", [-1, 4])
def test_a_choice_is_refused_beyond_the_betas(value):
    widget = rate_distortion()
    with pytest.raises(ValueError, match="chosen must be at least 0 and at most 3"):
        widget.chosen = value
    assert widget.chosen == 1


FINE = torch.ones(2, 4)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"betas": torch.ones(4)}, TypeError, "betas must be list or tuple, got Tensor"),
        ({"betas": [1.0]}, ValueError, "betas must be at least 2, got 1"),
        ({"betas": [1, 2, 2, 4]}, ValueError, "betas must increase"),
        ({"betas": [-1, 1, 2, 4]}, ValueError, r"betas\[0\] must be in"),
        ({"betas": [1, 2, "3", 4]}, TypeError, r"betas\[2\] must be a number, got str"),
        ({"betas": [1, 2, 4, math.inf]}, ValueError, r"betas\[3\] must be finite"),
        ({"betas": [1, 2, 4]}, ValueError, r"rates must have shape \(seeds, 3\), got \(2, 4\)"),
        ({"rates": torch.ones(4)}, ValueError, "rates must have shape"),
        ({"rates": -FINE}, ValueError, "rates must be at least"),
        ({"rates": FINE * torch.nan}, ValueError, "rates must be finite"),
        ({"rates": [[1.0] * 4]}, TypeError, "rates must be a torch.Tensor, got list"),
        ({"rates": FINE.long()}, TypeError, "rates must hold floating-point"),
        ({"rates": torch.ones(3, 4)}, ValueError, r"distortions must have shape \(3, 4\)"),
        ({"distortions": FINE * torch.inf}, ValueError, "distortions must be finite"),
        ({"active": torch.ones(2, 3)}, ValueError, r"active must have shape \(2, 4\)"),
        ({"active": -FINE}, ValueError, "active must be at least 0"),
        ({"active": [[1] * 4]}, TypeError, "active must be a torch.Tensor, got list"),
        ({"pictures": torch.rand(3, 1, 6, 5)}, TypeError, "pictures must be Mapping, got Tensor"),
        ({"pictures": {}}, ValueError, "pictures must name at least one row"),
        ({"pictures": {1: torch.rand(3, 1, 6, 5)}}, TypeError, "name of a row.*must be str"),
        ({"pictures": {"a": torch.rand(3, 6, 5)}}, ValueError, r"pictures\['a'\] must have shape"),
        ({"pictures": {"a": torch.rand(3, 3, 6, 5)}}, ValueError, r"\['a'\] must have shape \(K"),
        (
            {"pictures": {"a": torch.rand(3, 3, 1, 6, 5)}},
            ValueError,
            r"\['a'\] must have shape \(4, K, 1, H, W\), got \(3, 3, 1, 6, 5\)",
        ),
        ({"pictures": {"a": 2 * torch.ones(3, 1, 6, 5)}}, ValueError, r"\['a'\] must be at most 1"),
        ({"pictures": {"a": torch.rand(13, 1, 6, 5)}}, ValueError, "at most 12 in a row, got 13"),
        (
            {"pictures": {"a": torch.rand(3, 1, 6, 5), "b": torch.rand(3, 1, 6, 6)}},
            ValueError,
            r"\['b'\] must be as many and as large as the first row's, \(3, 6, 5\), got",
        ),
        ({"name": "Beta"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)  # fmt: skip
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        rate_distortion(**changes)


@given(st.lists(st.integers(0, 4), max_size=3), st.sampled_from(["rates", "distortions", "active"]))
def test_refuses_tensors_of_another_shape(shape, argument):
    if shape != [2, 4] and not (argument == "rates" and len(shape) == 2 and shape[1:] == [4]):
        with pytest.raises(ValueError, match=f"{argument} must"):
            rate_distortion(**{argument: torch.ones(shape)})
