"""Reconstruction metrics against scikit-image and scikit-learn, and by their invariances."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.metrics import explained_variance_score, r2_score
from torch.testing import assert_close

from aecore.metrics.reconstruction import (
    explained_variance,
    psnr,
    squared_error_per_image,
    ssim,
)

SEEDS = st.integers(0, 2**20)


def images(seed: int, count: int = 5, channels: int = 1, side: int = 9) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))


# ---- against others


def test_squared_error_is_summed_over_pixels_and_averaged_over_images():
    original = torch.zeros(2, 1, 2, 2)
    copy = torch.tensor([[[[1.0, 1.0], [1.0, 1.0]]], [[[2.0, 0.0], [0.0, 0.0]]]])
    assert squared_error_per_image(copy, original) == 4.0
    assert isinstance(squared_error_per_image(copy, original), float)


@given(seed=SEEDS, channels=st.sampled_from([1, 3]))
def test_psnr_is_scikit_images(seed, channels):
    original, copy = images(seed, channels=channels), images(seed + 1, channels=channels)
    expected = [
        peak_signal_noise_ratio(x.numpy(), y.numpy(), data_range=1.0)
        for x, y in zip(original, copy, strict=True)
    ]
    assert_close(psnr(copy, original), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_scikit_images_on_each_image(channels):
    original, copy = images(0, channels=channels), images(1, channels=channels)
    expected = [
        structural_similarity(
            y.permute(1, 2, 0).numpy(), x.permute(1, 2, 0).numpy(), channel_axis=2, data_range=1.0
        )
        for x, y in zip(original, copy, strict=True)
    ]
    assert_close(ssim(copy, original), torch.tensor(expected, dtype=torch.float32))


@given(seed=SEEDS)
def test_explained_variance_is_scikit_learns_r2_weighted_by_variance(seed):
    original = images(seed)
    copy = 0.8 * original + 0.1 * images(seed + 1)
    expected = r2_score(original.flatten(1), copy.flatten(1), multioutput="variance_weighted")
    assert explained_variance(copy, original) == pytest.approx(expected, rel=1e-4)


def test_explained_variance_is_scikit_learns_where_the_mean_is_kept():
    """A shifted copy has a price here: scikit-learn's score of that name forgives it."""
    original = images(0).flatten(1)
    copy = 0.8 * original + 0.1 * images(1).flatten(1)
    copy += original.mean(0) - copy.mean(0)
    score = explained_variance_score(original, copy, multioutput="variance_weighted")
    assert explained_variance(copy, original) == pytest.approx(score, rel=1e-4)
    assert explained_variance(copy + 0.2, original) < score - 0.1


# ---- by construction


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_perfect_copy_has_the_best_of_every_number(dtype):
    original = images(0).to(dtype)
    assert squared_error_per_image(original.clone(), original) == 0
    assert psnr(original.clone(), original).tolist() == [math.inf] * 5
    assert_close(ssim(original.clone(), original), torch.ones(5))
    assert explained_variance(original.clone(), original) == 1


def test_the_mean_image_explains_nothing():
    original = images(0)
    mean = original.mean(0, keepdim=True).expand_as(original)
    assert explained_variance(mean, original) == pytest.approx(0, abs=1e-6)
    assert explained_variance(1 - original, original) < 0


def test_ten_times_the_error_costs_20_decibels():
    original = images(0) / 2
    assert_close(psnr(original + 0.01, original), torch.full((5,), 40.0), atol=1e-3, rtol=0)
    assert_close(psnr(original + 0.1, original), torch.full((5,), 20.0), atol=1e-3, rtol=0)


@given(seed=SEEDS, order=st.permutations(range(5)))
def test_the_order_of_the_images_does_not_matter(seed, order):
    original, copy = images(seed), images(seed + 1)
    mixed = copy[order], original[order]
    assert torch.equal(psnr(*mixed), psnr(copy, original)[order])
    assert torch.equal(ssim(*mixed), ssim(copy, original)[order])
    for metric in (squared_error_per_image, explained_variance):
        assert metric(*mixed) == pytest.approx(metric(copy, original), rel=1e-4)


@given(seed=SEEDS)
def test_images_and_their_vectors_have_the_same_numbers(seed):
    original, copy = images(seed), images(seed + 1)
    flat = copy.flatten(1), original.flatten(1)
    assert_close(psnr(*flat), psnr(copy, original))
    assert squared_error_per_image(*flat) == pytest.approx(squared_error_per_image(copy, original))
    assert explained_variance(*flat) == pytest.approx(explained_variance(copy, original))


def test_the_output_of_a_model_needs_no_detach():
    original = images(0)
    copy = images(1).requires_grad_()
    assert ssim(copy, original).shape == (5,)
    assert squared_error_per_image(copy, original) > 0
    assert explained_variance(copy, original) < 1


# ---- refused


@given(value=st.floats(0, 1, width=32), count=st.integers(1, 7))
def test_images_that_are_all_the_same_have_no_variance_to_explain(value, count):
    """Whatever the rounding of their mean."""
    original = torch.full((count, 1, 3, 3), value)
    with pytest.raises(ValueError, match=r"^original must vary between images"):
        explained_variance(torch.rand(count, 1, 3, 3), original)


def test_ssim_refuses_what_is_smaller_than_its_window():
    small = torch.rand(2, 1, 28, 6)
    with pytest.raises(ValueError, match=r"^original must be at least 7 pixels high and wide"):
        ssim(small, small)
    vectors = torch.rand(2, 784)
    with pytest.raises(ValueError, match=r"^original must have shape \(N, C, H, W\), got"):
        ssim(vectors, vectors)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_a_peak_of_255_is_refused(metric):
    with pytest.raises(ValueError, match=r"^original must be at most 1, got 255"):
        metric(images(0), images(0).round() * 255)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_a_reconstruction_may_leave_the_range(metric):
    assert metric(images(1) * 3 - 1, images(0)).isfinite().all()
