"""The convolutional VAE and what belongs to it: shapes, symmetries, the power near Nyquist."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Independent, Normal
from torch.nn import functional as F
from torch.testing import assert_close

from aecore.bounds import kl_divergence, negative_elbo, reparameterise
from aecore.likelihoods import Bernoulli, Gaussian
from aecore.metrics.spectrum import near_nyquist_power
from aecore.models import ConvolutionalVAE, FactorRegressor
from aecore.models.convolutional import UPSAMPLING
from aecore.objectives import gaussian_log_likelihood
from aecore.randomness import generator, initialise

SEEDS = st.integers(0, 2**20)
DOUBLE = torch.float64
each_way = pytest.mark.parametrize("upsampling", UPSAMPLING)


def small(upsampling: str = "transposed") -> ConvolutionalVAE:
    """2 × 8 × 8 → 3 × 4 × 4 → 4 × 2 × 2 → 3."""
    model = ConvolutionalVAE([2, 3, 4], 8, 3, Gaussian(0.5), upsampling=upsampling)
    return initialise(model, generator("small")).double()


def images(number: int, *shape: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(number, *shape, generator=draw, dtype=DOUBLE)


# ---- the architecture


def test_the_encoder_and_the_decoder_are_those_of_the_sources():
    model = ConvolutionalVAE([3, 32, 64, 128], 64, 16, Gaussian(0.1))
    x, seen = torch.rand(2, 3, 64, 64), []
    for step in model.encoder:
        x = step(x)
        seen.append((type(step), tuple(x.shape[1:])))
    assert seen == [
        (nn.Conv2d, (32, 32, 32)), (nn.ReLU, (32, 32, 32)),
        (nn.Conv2d, (64, 16, 16)), (nn.ReLU, (64, 16, 16)),
        (nn.Conv2d, (128, 8, 8)), (nn.ReLU, (128, 8, 8)),
        (nn.Flatten, (8192,)), (nn.Linear, (32,)),
    ]  # fmt: skip
    z, seen = torch.randn(2, 16), []
    for step in model.decoder:
        z = step(z)
        seen.append((type(step), tuple(z.shape[1:])))
    assert seen == [
        (nn.Linear, (8192,)), (nn.Unflatten, (128, 8, 8)), (nn.ReLU, (128, 8, 8)),
        (nn.ConvTranspose2d, (64, 16, 16)), (nn.ReLU, (64, 16, 16)),
        (nn.ConvTranspose2d, (32, 32, 32)), (nn.ReLU, (32, 32, 32)),
        (nn.ConvTranspose2d, (3, 64, 64)),
    ]  # fmt: skip
    kernels = {s.kernel_size for s in model.modules() if hasattr(s, "kernel_size")}
    assert kernels == {(4, 4)}


@each_way
@given(
    channels=st.lists(st.integers(1, 3), min_size=2, max_size=4),
    inner=st.integers(1, 3),
    latent=st.integers(1, 3),
    batch=st.integers(1, 2),
)
def test_shapes_follow_channels_and_side(upsampling, channels, inner, latent, batch):
    side = inner * 2 ** (len(channels) - 1)
    model = ConvolutionalVAE(channels, side, latent, Bernoulli(), upsampling=upsampling)
    x = torch.rand(batch, channels[0], side, side)
    posterior = model.encode(x)
    assert (model.image, model.latent) == (x.shape[1:], latent)
    assert isinstance(posterior, Independent)
    assert isinstance(posterior.base_dist, Normal)
    assert (posterior.batch_shape, posterior.event_shape) == ((batch,), (latent,))
    assert model(x).shape == x.shape
    assert torch.equal(model(x), model.decode(posterior.mean))


@each_way
def test_every_layer_is_affine_between_its_activations(upsampling):
    steps = [type(step) for step in small(upsampling).decoder]
    double = [nn.Upsample, nn.Conv2d] if upsampling == "resize" else [nn.ConvTranspose2d]
    assert steps == [nn.Linear, nn.Unflatten, nn.ReLU, *double, nn.ReLU, *double]


def test_mean_and_log_variance_are_the_halves_of_the_encoders_output():
    model, x = small(), images(5, 2, 8, 8)
    out = model.encoder(x)
    posterior = model.encode(x)
    assert_close(posterior.mean, out[:, :3])
    assert_close(posterior.variance, out[:, 3:].exp())


# ---- the mean image


def test_centred_on_data_it_sees_and_draws_deviations():
    model, x = small(), 5 + 3 * images(50, 2, 8, 8)
    assert model.centre_on(x) is model
    deviations = (x - model.centre) / model.scale
    assert_close(deviations.mean(0), torch.zeros(2, 8, 8, dtype=DOUBLE))
    assert_close(deviations.square().mean(), torch.ones((), dtype=DOUBLE))
    assert_close(model.encode(x).mean, model.encoder(deviations)[:, :3])
    z = torch.randn(4, 3, dtype=DOUBLE, generator=generator("z"))
    assert_close(model.decode(z), model.centre + model.scale * model.decoder(z))
    assert not any(p.requires_grad for p in (model.centre, model.scale))


@given(shift=st.floats(-3, 3), factor=st.floats(0.1, 9))
def test_the_units_of_the_images_do_not_matter(shift, factor):
    x = images(6, 2, 8, 8)
    here, there = small().centre_on(x), small().centre_on(shift + factor * x)
    assert_close(there(shift + factor * x), shift + factor * here(x))


def test_the_mean_image_is_saved_with_the_weights():
    model, other = small().centre_on(images(9, 2, 8, 8)), small()
    assert {"centre", "scale"} <= set(model.state_dict())
    other.load_state_dict(model.state_dict())
    x = images(2, 2, 8, 8, seed=1)
    assert torch.equal(model(x), other(x))


# ---- what a convolution knows


def test_the_maps_move_with_the_image():
    """By 8 pixels, the product of the strides: each map then moves by 4, 2, 1 of its own."""
    model = ConvolutionalVAE([1, 2, 3, 4], 64, 2, Gaussian(1.0)).double()
    initialise(model, generator("maps"))
    x = images(1, 1, 64, 64)
    maps = model.encoder[:-2]
    moved = maps(x.roll(8, 3))
    assert_close(moved[..., 2:-2], maps(x).roll(1, 3)[..., 2:-2])
    assert not torch.allclose(maps(x.roll(4, 3))[..., 2:-2], maps(x)[..., 2:-2])


def test_a_resize_convolution_is_a_transposed_convolution():
    """Its kernel is the 3 × 3 kernel, spread over 2 × 2."""
    up, convolution = UPSAMPLING["resize"](2, 3)
    (transposed,) = UPSAMPLING["transposed"](2, 3)
    for layer in (convolution, transposed):
        layer.double()
    ones = torch.ones(1, 1, 2, 2, dtype=DOUBLE)
    flipped = convolution.weight.detach().flip(2, 3).reshape(6, 1, 3, 3)
    spread = F.conv2d(flipped, ones, padding=1).reshape(3, 2, 4, 4).transpose(0, 1)
    with torch.no_grad():
        transposed.weight.copy_(spread)
        transposed.bias.copy_(convolution.bias)
    x = images(2, 2, 5, 6)
    assert_close(convolution(up(x)), transposed(x))


@each_way
@given(seed=SEEDS)
def test_every_way_doubles_the_sides(upsampling, seed):
    draw = torch.Generator().manual_seed(seed)
    inputs, outputs, height, width = torch.randint(1, 6, (4,), generator=draw).tolist()
    up = nn.Sequential(*UPSAMPLING[upsampling](inputs, outputs))
    assert up(torch.rand(2, inputs, height, width)).shape == (2, outputs, 2 * height, 2 * width)


# ---- the bound, and samples


def test_the_negative_elbo_of_images():
    model, x = small().centre_on(images(9, 2, 8, 8)), images(4, 2, 8, 8)
    posterior = model.encode(x)
    z = reparameterise(posterior, generator("noise"))
    mean = model.centre + model.scale * model.decoder(z)
    expected = -gaussian_log_likelihood(x, mean, 0.5) + 0.7 * kl_divergence(posterior)
    assert_close(negative_elbo(model, x, generator("noise"), beta=0.7), expected)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(1.0)])
def test_generate_draws_from_the_prior_and_shows_means(likelihood):
    model = initialise(ConvolutionalVAE([1, 2], 4, 2, likelihood), generator("generate"))
    pictures = model.generate(5, generator("draw"))
    z = torch.randn(5, 2, generator=generator("draw"))
    assert_close(pictures, likelihood.mean(model.decode(z)))
    assert pictures.shape == (5, 1, 4, 4)
    assert not pictures.requires_grad


def test_a_posterior_with_nan_can_be_made():
    """The training loop wants to see it, and to say at which step it came."""
    assert small().encode(images(1, 2, 8, 8) * math.nan).mean.isnan().all()


# ---- the regressor


def test_the_regressor_reads_images_as_factors():
    model, x = FactorRegressor(5), torch.rand(3, 3, 64, 64)
    assert model(x).shape == (3, 5)
    assert [tuple(model.features[: 2 * i](x).shape[1:]) for i in (1, 2, 3)] == [
        (16, 32, 32), (32, 16, 16), (32, 8, 8),
    ]  # fmt: skip
    assert torch.equal(model(x), model.head(model.features(4 * x - 2)))


# ---- the power near the Nyquist frequency


def waves(across: float, down: float, height: int, width: int) -> torch.Tensor:
    """A cosine with that many cycles in the image."""
    rows = torch.arange(height, dtype=DOUBLE)[:, None] * down / height
    columns = torch.arange(width, dtype=DOUBLE) * across / width
    return (2 * math.pi * (rows + columns)).cos()[None, None]


@pytest.mark.parametrize(
    ("across", "down", "power"),
    [
        (16, 12, 1.0), (16, 0, 1.0), (0, 12, 1.0),  # checkerboard, stripes: ±1
        (14, 0, 0.5), (13, 0, 0.0), (0, 11, 0.5), (0, 10, 0.0),  # 7/8 of 16 is 14, of 12 10.5
        (0, 0, 0.0), (5, 3, 0.0), (15, 1, 0.5),
    ],
)  # fmt: skip
def test_the_filter_passes_what_alternates(across, down, power):
    measured = near_nyquist_power(waves(across, down, 24, 32))
    assert_close(measured, torch.tensor([power], dtype=DOUBLE), atol=1e-12, rtol=0)


def test_the_filter_begins_at_seven_eighths():
    for across, power in ((19, 0.0), (20, 0.5)):  # of 22: 0.864 and 0.909
        measured = near_nyquist_power(waves(across, 0, 24, 44)).item()
        assert measured == pytest.approx(power, abs=1e-12)


@given(seed=SEEDS, factor=st.floats(0.1, 5), shift=st.floats(-3, 3))
def test_the_power_is_that_of_one_image_and_scales_as_a_square(seed, factor, shift):
    x = images(3, 2, 8, 10, seed=seed)
    power = near_nyquist_power(x)
    assert_close(near_nyquist_power(shift + factor * x.flip(0)), factor**2 * power.flip(0))
    assert_close(near_nyquist_power(x.roll((1, 3), (2, 3))), power)
    assert_close(near_nyquist_power(x.transpose(2, 3)), power)
    assert_close(power, torch.stack([near_nyquist_power(x[:, i : i + 1]) for i in (0, 1)]).mean(0))


def test_white_noise_has_the_share_of_its_band():
    """Of 64 × 64 frequencies 55 × 55 lie below 7/8 in both directions."""
    noise = torch.randn(200, 1, 64, 64, generator=generator("white"), dtype=DOUBLE)
    assert near_nyquist_power(noise).mean().item() == pytest.approx(1 - (55 / 64) ** 2, rel=0.02)


# ---- refused


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"channels": [3]}, ValueError, "channels must name at least an image and a map"),
        ({"channels": [3, 0]}, ValueError, r"channels\[1\] must be at least 1, got 0"),
        ({"channels": [3, 2.0]}, TypeError, r"channels\[1\] must be an integer, got float"),
        ({"channels": 3}, TypeError, "channels must be list or tuple, got int"),
        ({"side": 0}, ValueError, "side must be at least 1, got 0"),
        ({"side": 6}, ValueError, "side must be a multiple of 4, got 6"),
        ({"side": 8.0}, TypeError, "side must be an integer, got float"),
        ({"latent": 0}, ValueError, "latent must be at least 1, got 0"),
        ({"likelihood": "gaussian"}, TypeError, "likelihood must be Bernoulli or Gaussian"),
        ({"upsampling": "bilinear"}, ValueError, "upsampling must be one of resize, transposed"),
        ({"upsampling": None}, TypeError, "upsampling must be a string, got None"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, error, message):
    good = {"channels": [3, 4, 5], "side": 8, "latent": 2, "likelihood": Bernoulli()}
    with pytest.raises(error, match=f"^{message}"):
        ConvolutionalVAE(**(good | arguments))


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 2, 8, 4), (2, 128), (2, 8, 8)])
def test_other_images_are_refused_by_name(shape):
    model = small()
    for call in (model, model.encode, model.centre_on):
        with pytest.raises(ValueError, match=r"^x must have shape \(\w, 2, 8, 8\), got"):
            call(torch.rand(shape))


def test_images_that_are_all_the_same_have_no_scale():
    with pytest.raises(ValueError, match=r"^x must vary between images, got one image"):
        small().centre_on(torch.full((3, 2, 8, 8), 0.1, dtype=DOUBLE))


@pytest.mark.parametrize("shape", [(2, 4), (3,), (2, 3, 1)])
def test_other_codes_are_refused_by_name(shape):
    with pytest.raises(ValueError, match=r"^z must have shape \(B, 3\), got"):
        small().decode(torch.rand(shape))


@pytest.mark.parametrize("number", [0, -1, 2.0, None])
def test_generate_refuses_no_number(number):
    with pytest.raises((TypeError, ValueError), match=r"^number must be"):
        small().generate(number, generator("draw"))


def test_generate_refuses_a_seed_for_a_generator():
    with pytest.raises(TypeError, match=r"^generator must be Generator, got int"):
        small().generate(1, 0)


@pytest.mark.parametrize("bad", [0, -3, True, 2.0, None])
def test_the_regressor_refuses_bad_factors(bad):
    with pytest.raises((TypeError, ValueError), match=r"^factors must be"):
        FactorRegressor(bad)


@pytest.mark.parametrize("shape", [(2, 1, 64, 64), (2, 3, 32, 32), (3, 64, 64)])
def test_the_regressor_refuses_other_images(shape):
    with pytest.raises(ValueError, match=r"^x must have shape \(B, 3, 64, 64\), got"):
        FactorRegressor(2)(torch.rand(shape))


@pytest.mark.parametrize("shape", [(1, 1, 1, 5), (1, 1, 5, 1)])
def test_one_row_of_pixels_has_no_alternation(shape):
    with pytest.raises(ValueError, match=r"^images must be at least 2 pixels high and wide"):
        near_nyquist_power(torch.rand(shape))
