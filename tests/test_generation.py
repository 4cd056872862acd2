"""Sharpness, variety, active units: numbers that can be worked out by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from aecore.metrics.generation import sharpness, variety
from aecore.metrics.latents import active_units


def test_sharpness_by_hand():
    image = torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])
    # across: 1, 3 → mean square 5;  down: 0, 2 → mean square 2
    assert sharpness(image).tolist() == [7.0]


def test_sharpness_of_an_even_image_is_0_and_of_an_edge_is_not_moved_by_it():
    assert sharpness(torch.full((2, 1, 5, 5), 0.7)).tolist() == [0.0, 0.0]
    edges = torch.zeros(2, 1, 8, 8)
    edges[0, :, :, 3:] = 1
    edges[1, :, :, 5:] = 1
    first, second = sharpness(edges)
    assert_close(first, second)


def test_blur_lowers_sharpness_and_noise_raises_it():
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 1
    blurred = torch.nn.functional.avg_pool2d(edge, 3, stride=1, padding=1)
    noisy = edge + 0.3 * torch.randn(edge.shape, generator=torch.Generator().manual_seed(0))
    assert sharpness(blurred) < sharpness(edge) < sharpness(noisy)


def test_variety_is_the_summed_variance():
    images = torch.randn(50, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert variety(images) == pytest.approx(images.var(0, correction=0).sum().item())
    assert variety(images[:1].expand(9, 3, 4)) == pytest.approx(0, abs=1e-12)
    assert variety(2 * images) == pytest.approx(4 * variety(images))


def test_active_units_are_those_whose_mean_moves():
    means = torch.tensor([[0.0, 1.0, 0.1], [0.0, -1.0, -0.1], [0.0, 1.0, 0.1], [0.0, -1.0, -0.1]])
    # variances 0, 1 and 0.01
    assert active_units(means, threshold=0.009).tolist() == [False, True, True]
    assert active_units(means, threshold=0.011).tolist() == [False, True, False]
    assert active_units(means + 5, threshold=0.011).tolist() == [False, True, False]


def test_a_single_example_has_no_variance():
    with pytest.raises(ValueError, match=r"^means must have at least 2 rows, got 1"):
        active_units(torch.ones(1, 3))


@pytest.mark.parametrize("threshold", [-1, math.nan, math.inf])
def test_a_threshold_is_a_number_from_0(threshold):
    with pytest.raises(ValueError, match=r"^threshold must be"):
        active_units(torch.ones(2, 3), threshold=threshold)


@pytest.mark.parametrize("shape", [(2, 1, 1, 5), (2, 1, 5, 1)])
def test_an_image_needs_a_next_pixel(shape):
    with pytest.raises(ValueError, match=r"^images must be at least 2 pixels high and wide"):
        sharpness(torch.ones(shape))
