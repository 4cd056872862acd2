"""Corruption: the laws in the docstrings, what is kept, what the generator decides."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from aecore.corruption import gaussian, mask_patches, masking, salt_and_pepper
from aecore.randomness import generator

POINTWISE = {"gaussian": gaussian, "masking": masking, "salt_and_pepper": salt_and_pepper}
VALUES = torch.tensor([0.0, 0.25, 0.6, 1.0], dtype=torch.float64)

each = pytest.mark.parametrize("corrupt", POINTWISE.values(), ids=POINTWISE)


def draws(corrupt, level, number=200_000):
    return corrupt(VALUES.expand(number, -1), level, generator("law"))


# ---- the laws


def test_gaussian_noise_has_its_mean_and_variance():
    noisy = draws(gaussian, 0.5)
    assert_close(noisy.mean(0), VALUES, rtol=0, atol=0.005)
    assert_close(noisy.var(0), torch.full_like(VALUES, 0.25), rtol=0, atol=0.005)
    correlation = (noisy - VALUES).T.corrcoef()  # values are spoilt independently
    assert_close(correlation, torch.eye(4, dtype=torch.float64), rtol=0, atol=0.01)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_masking_has_its_mean_and_variance(share):
    masked = draws(masking, share)
    assert_close(masked.mean(0), (1 - share) * VALUES, rtol=0, atol=0.005)
    assert_close(masked.var(0), share * (1 - share) * VALUES**2, rtol=0, atol=0.005)
    assert ((masked == 0) | (masked == VALUES)).all()
    both = ((masked[:, 1] == 0) & (masked[:, 2] == 0)).double().mean().item()
    assert abs(both - share**2) < 0.005


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_salt_and_pepper_has_its_mean_and_variance(share):
    spoilt = draws(salt_and_pepper, share)
    mean = (1 - share) * VALUES + share / 2
    assert_close(spoilt.mean(0), mean, rtol=0, atol=0.005)
    variance = (1 - share) * VALUES**2 + share / 2 - mean**2
    assert_close(spoilt.var(0), variance, rtol=0, atol=0.005)
    assert ((spoilt == 0) | (spoilt == 1) | (spoilt == VALUES)).all()
    assert_close((spoilt[:, 2] == 0).double().mean().item(), share / 2, rtol=0, atol=0.005)
    assert_close((spoilt[:, 2] == 1).double().mean().item(), share / 2, rtol=0, atol=0.005)


@each
def test_no_noise_is_the_clean_input(corrupt):
    assert torch.equal(corrupt(VALUES, 0, generator("none")), VALUES)


def test_all_of_it():
    x = torch.rand(4, 5, generator=generator("all"))
    assert torch.equal(masking(x, 1, generator("all")), torch.zeros(4, 5))
    spoilt = salt_and_pepper(x, 1.0, generator("all"))
    assert ((spoilt == 0) | (spoilt == 1)).all()


def test_gaussian_noise_scales_with_sigma_and_is_not_clipped():
    x = torch.full((3, 50), 0.5, dtype=torch.float64)
    small, large = (gaussian(x, s, generator("scale")) - x for s in (0.1, 1.0))
    assert_close(large, 10 * small)
    assert (x + large).min() < 0
    assert (x + large).max() > 1


@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_what_a_small_share_hides_a_larger_one_hides_too(low, high):
    low, high = sorted((low, high))
    x = torch.ones(200)
    little, much = (masking(x, share, generator("nested")) for share in (low, high))
    assert (much <= little).all()


# ---- patches


@given(
    share=st.floats(0, 1), patch=st.sampled_from([1, 2, 4, 7, 14, 28]), channels=st.integers(1, 3)
)
def test_the_same_number_of_whole_patches_is_hidden_in_each_image(share, patch, channels):
    images = torch.rand(3, channels, 28, 56, generator=generator("patches")) + 0.1
    spoilt, hidden = mask_patches(images, share, patch, generator("hide"))
    assert spoilt.shape == images.shape
    assert hidden.shape == (3, 1, 28, 56)
    assert hidden.dtype == torch.bool
    across = (28 // patch) * (56 // patch)
    assert hidden.flatten(1).sum(1).tolist() == [round(share * across) * patch**2] * 3
    cells = hidden.unfold(2, patch, patch).unfold(3, patch, patch).flatten(4)
    assert (cells.all(4) | ~cells.any(4)).all()  # a patch is hidden whole, or not at all
    assert torch.equal(spoilt == 0, hidden.expand_as(spoilt))
    assert torch.equal(spoilt[~hidden.expand_as(spoilt)], images[~hidden.expand_as(images)])


def test_every_patch_is_hidden_as_often_and_images_differ():
    _, hidden = mask_patches(torch.ones(20_000, 1, 4, 4), 0.25, 2, generator("often"))
    corners = hidden[:, 0, ::2, ::2].flatten(1).double()
    assert_close(corners.mean(0), torch.full((4,), 0.25, dtype=torch.float64), rtol=0, atol=0.015)
    assert (corners.sum(1) == 1).all()


# ---- shapes, types, generators


@each
@pytest.mark.parametrize("shape", [(3,), (2, 784), (2, 1, 28, 28)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype_are_kept_and_the_input_too(corrupt, shape, dtype):
    x = torch.rand(shape, dtype=dtype, generator=generator("kept"))
    before = x.clone()
    spoilt = corrupt(x, 0.3, generator("kept"))
    assert spoilt.shape == x.shape
    assert spoilt.dtype == dtype
    assert torch.equal(x, before)


@each
def test_the_generator_decides(corrupt):
    x = torch.rand(20, 20, generator=generator("x"))
    first, again = (corrupt(x, 0.3, generator("same")) for _ in range(2))
    torch.manual_seed(3)  # the global stream has no say
    third = corrupt(x, 0.3, generator("same"))
    assert torch.equal(first, again)
    assert torch.equal(first, third)
    draw = generator("same")
    corrupt(x, 0.3, draw)
    assert not torch.equal(first, corrupt(x, 0.3, draw))


# ---- refused


@pytest.mark.parametrize("corrupt", [masking, salt_and_pepper])
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_bad_share_is_refused_by_name(corrupt, share):
    with pytest.raises(ValueError, match=r"^share must be"):
        corrupt(VALUES, share, generator("bad"))


def test_bad_numbers_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^sigma must be in \[0"):
        gaussian(VALUES, -1, generator("bad"))
    with pytest.raises(TypeError, match=r"^sigma must be a number, got str"):
        gaussian(VALUES, "1", generator("bad"))
    images = torch.zeros(2, 1, 28, 28)
    with pytest.raises(ValueError, match=r"^patch must divide the height 28 .*, got 5"):
        mask_patches(images, 0.5, 5, generator("bad"))
    with pytest.raises(ValueError, match=r"^patch must be at least 1, got 0"):
        mask_patches(images, 0.5, 0, generator("bad"))
    with pytest.raises(ValueError, match=r"^share must be in \[0"):
        mask_patches(images, 2, 7, generator("bad"))


def test_salt_and_pepper_needs_a_black_and_a_white():
    with pytest.raises(ValueError, match=r"^x must be at most 1, got 2"):
        salt_and_pepper(torch.tensor([2.0]), 0.1, generator("bad"))


@each
@pytest.mark.parametrize("bad", [None, 0, "cpu"])
def test_a_generator_is_asked_for(corrupt, bad):
    with pytest.raises(TypeError, match=r"^generator must be Generator, got"):
        corrupt(VALUES, 0.1, bad)


@each
def test_a_generator_of_another_device_is_refused(corrupt):
    with pytest.raises(ValueError, match=r"^generator must be on the device of x, meta, got cpu"):
        corrupt(torch.rand(2, 2, device="meta"), 0.1, generator("bad"))
