"""The noise pad in Python: its noise, what it holds and computes, and what it refuses."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aecore.metrics.reconstruction import psnr
from aecore.widgets import NoisePad
from aecore.widgets.draws import uniform
from aecore.widgets.noise_pad import NOISES, spoil
from tests.widget_case import refuses

torch.set_num_threads(1)

IMAGES = torch.randint(0, 256, (3, 1, 28, 28), generator=torch.Generator().manual_seed(0)) / 255
GREY = torch.full((1, 28, 28), 0.5)


def network(inputs=784, outputs=784):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs))


def noise_pad(**changes):
    arguments = {"network": network(), "images": IMAGES, "name": "noise-pad", "label": "Noise"}
    return NoisePad(**arguments | changes)


def identity(output="pixels"):
    """A pad whose network hands on what it reads."""
    layer = nn.Linear(784, 784)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(784))
        layer.bias.zero_()
    return noise_pad(network=layer, output=output)


# ---- the noise


def test_the_generator_is_mulberry32():
    """The first numbers of seed 1, from the arithmetic written out for whole numbers."""

    def by_hand(seed, count):
        state = seed
        for _ in range(count):
            state = (state + 0x6D2B79F5) % 2**32
            r = ((state ^ state >> 15) * (state | 1)) % 2**32
            r ^= (r + (r ^ r >> 7) * (r | 61)) % 2**32
            yield (r ^ r >> 14) / 2**32

    for seed in (0, 1, 2**32 - 1):
        assert uniform(seed, 50).tolist() == list(by_hand(seed, 50))


def samples(noise, level, image=GREY, seeds=200):
    return torch.stack([spoil(image, noise, level, seed) for seed in range(seeds)])


def test_gaussian_noise_has_its_mean_and_deviation():
    noise = (samples("gaussian", 0.7) - GREY) / 0.7
    count = noise.numel()  # 156,800 normal numbers: bounds of five standard errors
    assert abs(noise.mean()) < 5 / math.sqrt(count)
    assert abs(noise.var() - 1) < 5 * math.sqrt(2 / count)
    assert (noise.abs() < 1).float().mean() == pytest.approx(0.6827, abs=5 * 0.466 / count**0.5)


@pytest.mark.parametrize("noise", ["masking", "salt_and_pepper", "patches"])
@pytest.mark.parametrize("level", [0.2, 0.5, 0.9])
def test_the_level_is_the_share_of_pixels_spoilt(noise, level):
    found = samples(noise, level)
    assert (found != GREY).float().mean() == pytest.approx(level, abs=0.011)  # half a patch
    kept = found[found != GREY].unique().tolist()
    assert kept == ([0, 1] if noise == "salt_and_pepper" else [0])
    if noise == "salt_and_pepper":
        assert (found == 1).float().mean() == pytest.approx(level / 2, abs=0.01)


def test_patches_are_whole_squares():
    hidden = spoil(GREY, "patches", 0.5, 3) == 0
    squares = hidden.reshape(7, 4, 7, 4).permute(0, 2, 1, 3).reshape(49, 16)
    assert (squares.all(1) == squares.any(1)).all()
    assert squares.all(1).sum() == 25  # half of 49, rounded up


@pytest.mark.parametrize("noise", NOISES)
def test_no_level_leaves_the_image_and_a_full_one_does_not(noise):
    assert torch.equal(spoil(IMAGES[0], noise, 0, 5), IMAGES[0])
    full = spoil(IMAGES[0], noise, 1, 5)
    assert (full != IMAGES[0]).float().mean() > 0.99
    if noise in ("masking", "patches"):
        assert (full == 0).all()


@given(noise=st.sampled_from(list(NOISES)), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_level_spoils_the_same_pixels_and_more(noise, low, high):
    low, high = sorted((low, high))
    less, more = (spoil(GREY, noise, level, 1) - GREY for level in (low, high))
    assert (more.abs() >= less.abs() - 1e-6).all()
    assert (more * less >= 0).all()  # and in the same direction


@pytest.mark.parametrize("noise", NOISES)
def test_another_seed_is_another_pattern(noise):
    one, other = (spoil(GREY, noise, 0.5, seed) - GREY for seed in (1, 2))
    assert torch.equal(one, spoil(GREY, noise, 0.5, 1) - GREY)
    together = torch.stack([one.flatten(), other.flatten()])
    assert abs(torch.corrcoef(together)[0, 1]) < 0.3  # 49 patches may well overlap by chance


# ---- what it holds and computes


def test_pad_holds_the_images():
    widget = noise_pad()
    assert torch.equal(widget.clean, IMAGES[0])
    widget.chosen = 2
    assert torch.equal(widget.clean, IMAGES[2])
    widget.chosen = 3  # nothing drawn yet
    assert (widget.clean == 0).all()


def test_what_is_drawn_is_what_is_shown():
    widget = noise_pad()
    widget.draw(IMAGES[1])
    assert widget.chosen == 3
    assert torch.equal(widget.clean, IMAGES[1])
    assert len(widget.drawing) == 784


def test_pad_takes_a_drawing_as_the_page_sends_it():
    widget = noise_pad()
    drawn = np.arange(784, dtype="u1")
    widget.set_state({"drawing": memoryview(drawn.tobytes()), "chosen": 3})
    assert widget.drawing == drawn.tobytes()
    assert widget.clean.flatten() == pytest.approx(drawn / 255)


def test_the_noisy_image_is_what_the_network_reads():
    widget = identity()
    widget.level = 0.6
    assert widget.noisy.min() < 0  # not clipped before the network
    assert torch.equal(widget.noisy, spoil(IMAGES[0], "gaussian", 0.6, 1))
    assert torch.equal(widget.cleaned, widget.noisy.clamp(0, 1))
    assert torch.equal(identity("logits").cleaned, identity().noisy.sigmoid())


@pytest.mark.parametrize("noise", NOISES)
def test_alt_text_says_noise_and_decibels(noise):
    widget = noise_pad()
    widget.noise, widget.level = noise, 0.25
    before, after = (psnr(image, widget.clean).item() for image in (widget.noisy, widget.cleaned))
    text = widget.alt()
    assert text.startswith("Noise. Left: a digit.")
    assert f"PSNR {before:.1f} dB. Right" in text
    assert text.endswith(f"PSNR {after:.1f} dB.")
    assert ("σ = 0.25" if noise == "gaussian" else "25%") in text


def test_picture_follows_every_field():
    pictures = {noise_pad().picture()}
    changes = {"chosen": 1, "noise": "patches", "level": 0.1, "seed": 2}
    for field, value in changes.items():
        widget = noise_pad()
        setattr(widget, field, value)
        pictures.add(widget.picture())
    assert len(pictures) == 5


def test_no_noise_is_a_perfect_copy():
    widget = noise_pad()
    widget.level = 0
    assert "PSNR ∞ dB. Right" in widget.alt()
    widget.picture()


def test_pad_keeps_the_weights_it_was_given():
    module = network()
    widget = noise_pad(network=module)
    before = widget.cleaned
    with torch.no_grad():
        module[0].weight.zero_()
    assert torch.equal(widget.cleaned, before)


# ---- what it refuses


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"network": network(inputs=783)}, ValueError, "network must read.*784.*783 and 784"),
        ({"network": network(outputs=10)}, ValueError, "network must.*got 784 and 10"),
        ({"network": torch.sigmoid}, TypeError, "network must be Module"),
        ({"network": nn.MaxPool2d(2)}, TypeError, "must be one of Linear.*MaxPool2d"),
        ({"network": nn.Sequential(network(), nn.Sigmoid())}, ValueError, "must be 'pixels'"),
        ({"images": IMAGES[:0]}, ValueError, "images must not be empty"),
        ({"images": IMAGES[0]}, ValueError, r"images must have shape \(M, 1, 28, 28\)"),
        ({"images": IMAGES.flatten(1)}, ValueError, r"images must have shape \(M, 1, 28, 28\)"),
        ({"images": IMAGES * 255}, ValueError, "images must be at most 1"),
        ({"images": IMAGES - 1}, ValueError, "images must be at least 0"),
        ({"images": IMAGES * torch.nan}, ValueError, "images must be finite"),
        ({"images": IMAGES.numpy()}, TypeError, "images must be a torch.Tensor, got ndarray"),
        ({"images": (IMAGES * 255).byte()}, TypeError, "images must hold floating-point"),
        ({"images": IMAGES[:1].repeat(21, 1, 1, 1)}, ValueError, "at most 20, got 21"),
        ({"output": "mean"}, ValueError, "output must be one of logits, pixels"),
        ({"name": "Noise pad"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)  # fmt: skip
def test_pad_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        noise_pad(**changes)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("chosen", 4, "chosen must be at least 0 and at most 3, got 4"),
        ("chosen", -1, "chosen must be at least 0"),
        ("noise", "blur", "noise must be one of .*, got 'blur'"),
        ("level", 1.1, r"level must be in \[0, 1\], got 1.1"),
        ("level", math.nan, "level must be finite"),
        ("seed", -1, "seed must be at least 0"),
        ("seed", 2**32, "seed must be at least 0 and at most 4294967295"),
        ("drawing", bytes(783), "drawing must be 784 bytes, got 783"),
    ],
)
def test_a_field_refuses_and_stays(field, value, words):
    assert refuses(noise_pad(), field, value, words)


@given(shape=st.lists(st.integers(0, 29), max_size=4))
def test_draw_refuses_another_shape_by_name(shape):
    if shape != [1, 28, 28]:
        with pytest.raises(ValueError, match="image must"):
            noise_pad().draw(torch.zeros(shape))


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (GREY * 3, ValueError, "image must be at most 1"),
        (GREY - 1, ValueError, "image must be at least 0"),
        (GREY * torch.nan, ValueError, "image must be finite"),
        (GREY.numpy(), TypeError, "image must be a torch.Tensor"),
    ],
)
def test_draw_refuses_by_name(image, error, words):
    with pytest.raises(error, match=words):
        noise_pad().draw(image)
