"""Three sliders and sprites: every combination once, and each factor does what its name says."""

import pytest
import torch
from torch.testing import assert_close

from aecore.data import sprites, three_sliders

BOTH = pytest.mark.parametrize("make", [sprites, three_sliders])
PIXEL = torch.arange(16) + 0.5


def images_by_factors(data, *sizes):
    """The images on a grid of their factors: (*sizes, 16, 16)."""
    return data.images[:, 0].reshape(*sizes, 16, 16)


@BOTH
def test_every_combination_is_there_once(make):
    data = make()
    assert len(data) == 512
    assert data.images.shape == (512, 1, 16, 16)
    assert data.images.min() == 0
    assert 0.9 < data.images.max() <= 1
    assert len(data.factors.unique(dim=0)) == 512
    assert len(data.vectors.unique(dim=0)) == 512
    assert (data.factors == data.factors.round()).all()
    assert data.factors.min() == 0


@BOTH
def test_factors_are_independent_and_uniform(make):
    factors = make().factors
    centred = factors - factors.mean(0)
    covariance = centred.T @ centred
    assert_close(covariance, torch.diag(covariance.diagonal()), atol=1e-3, rtol=0)
    for column in factors.T.long():
        assert column.bincount().unique().numel() == 1


@BOTH
def test_the_images_are_drawn_once_and_move_with_no_seed(make, monkeypatch):
    first = make()
    assert make() is first
    monkeypatch.setenv("AECORE_SEED", "5")
    torch.manual_seed(5)
    make.cache_clear()
    again = make()
    assert again is not first
    assert torch.equal(again.images, first.images)
    assert torch.equal(again.factors, first.factors)


def test_a_slider_moves_its_own_strip_and_no_other_pixel():
    images = images_by_factors(three_sliders(), 8, 8, 8)
    for k, rows in enumerate((slice(0, 5), slice(5, 10), slice(10, 15))):
        by_slider = images.movedim(k, 0)
        moves = (by_slider[0] != by_slider[7]).flatten(0, 1).any(0)  # (16, 16)
        assert moves[rows].any()
        moves[rows] = False
        assert not moves.any()


def test_the_strips_look_the_same_and_the_last_row_is_dark():
    images = images_by_factors(three_sliders(), 8, 8, 8)
    for place in range(8):
        top, middle, bottom = images[place, place, place, :15].reshape(3, 5, 16)
        assert torch.equal(top, middle)
        assert torch.equal(top, bottom)
    assert (images[..., 15, :] == 0).all()


def test_a_slider_goes_from_left_to_right_in_equal_steps():
    brightest = images_by_factors(three_sliders(), 8, 8, 8)[:, 0, 0, 2]  # (8, 16)
    # the bump of an outer place is cut off: fit the logarithm, a parabola with its top there
    left, right = brightest[:, 4:12].log()[:, :-1], brightest[:, 4:12].log()[:, 1:]
    between = PIXEL[4:11] + 0.5
    tops = between + (right - left) * 2.5**2
    assert_close(tops.mean(1), torch.linspace(2, 14, 8), atol=1e-3, rtol=0)


def test_a_sprite_is_where_its_factors_say():
    data = sprites()
    weight = data.images[:, 0]
    ink = weight.sum((1, 2))
    x = (weight * PIXEL).sum((1, 2)) / ink
    y = (weight * PIXEL[:, None]).sum((1, 2)) / ink
    assert_close(x, 4 + data.factors[:, 0] * 8 / 7, atol=0.06, rtol=0)
    assert_close(y, 4 + data.factors[:, 1] * 8 / 7, atol=0.06, rtol=0)


def test_scale_is_the_radius_and_a_square_has_the_area_of_its_disc():
    data = sprites()
    area = data.images.sum((1, 2, 3))
    radius = torch.tensor([1.6, 2.2, 2.8, 3.4])[data.factors[:, 2].long()]
    assert_close(area, torch.pi * radius**2, atol=0, rtol=0.09)
    for shape in (0, 1):
        mean = area[data.factors[:, 3] == shape].mean()
        assert mean == pytest.approx(float((torch.pi * radius**2).mean()), rel=0.01)


def test_a_square_has_corners_and_a_disc_has_none():
    images = images_by_factors(sprites(), 8, 8, 4, 2)
    disc, square = images[4, 4, 3].unbind(0)
    # the square's corner is at 8.57 - 3.01 = 5.56, so it covers a fifth of pixel 5
    assert square[5, 5] == pytest.approx(0.44**2, abs=0.07)
    assert disc[5, 5] == 0
    assert disc[8, 5] > square[8, 5] + 0.2
