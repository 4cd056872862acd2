"""The diffusion in the plane, in Python: its way back, what it counts, and what it refuses."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aecore.models.denoisers import PlaneDenoiser
from aecore.models.diffusion import Diffusion
from aecore.widgets import PlaneDiffusion
from aecore.widgets.draws import normal
from aecore.widgets.plane_diffusion import STEPS

torch.set_num_threads(1)

FREQUENCIES = torch.tensor([[3.0, 0, 0], [0, 3.0, 0], [0, 0, 6.0], [2.0, -2.0, 1.0]])
CENTRES = torch.cartesian_prod(torch.tensor([-1.0, 1.0]), torch.tensor([-1.0, 1.0]))
SCALE = 0.05
ANGLES = torch.linspace(0.02, 1.54, 120, dtype=torch.float64)
BARS = ANGLES.cos() ** 2  # so that √ᾱ and √(1 − ᾱ) are cosine and sine of an angle


def corners(sharpness=6.0):
    """Its clean point is tanh(sharpness x): near one of the four corners, whatever the time."""
    first, second = nn.Linear(3 + 2 * len(FREQUENCIES), 2), nn.Linear(2, 2)
    with torch.no_grad():
        for layer in (first, second):
            layer.weight.zero_()
            layer.bias.zero_()
        first.weight[:, :2] = sharpness * torch.eye(2)
        second.weight.copy_(torch.eye(2))
    return nn.Sequential(first, nn.Tanh(), second)


def constant(x=0.0, y=0.0):
    layer = nn.Linear(3 + 2 * len(FREQUENCIES), 2)
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([x, y]))
    return layer


def anything():
    """A network that has learned nothing and reads every feature."""
    generator = torch.Generator().manual_seed(1)
    network = nn.Sequential(nn.Linear(3 + 2 * len(FREQUENCIES), 16), nn.SiLU(), nn.Linear(16, 2))
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.4, generator=generator)
    return network


def points(count=80):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, 2, generator=generator)
    return CENTRES[torch.arange(count) % len(CENTRES)] + SCALE * noise


def plane_diffusion(**changes):
    arguments = {
        "denoiser": corners(),
        "frequencies": FREQUENCIES,
        "alpha_bars": BARS,
        "points": points(),
        "centres": CENTRES,
        "scale": SCALE,
        "name": "plane",
        "label": "Points of the plane",
        "prediction": "x0",
    } | changes
    steps, stochastic = arguments.pop("steps", 20), arguments.pop("stochastic", False)
    widget = PlaneDiffusion(**arguments)
    widget.steps, widget.stochastic = steps, stochastic
    return widget


def times(steps):
    return [math.floor(i * len(BARS) / steps + 0.5) for i in range(steps, -1, -1)]


# ---- the way back, where it is known


def test_it_starts_from_the_noise_of_its_seed():
    widget = plane_diffusion()
    for seed in (1, 2, 2**32 - 1):
        widget.seed = seed
        values = normal(seed * 2**16 % 2**32, 2 * 80).astype("f4").reshape(80, 2)
        assert np.array_equal(widget.sample()[0], values)
    assert widget.sample().shape == (21, 80, 2)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("stochastic", [False, True])
def test_one_clean_point_is_where_all_end(steps, stochastic):
    denoiser = constant(0.5, -0.25)
    path = plane_diffusion(denoiser=denoiser, steps=steps, stochastic=stochastic).sample()
    torch.testing.assert_close(path[-1], torch.tensor([0.5, -0.25]).expand(80, 2))
    assert path[0].std() > 0.8  # from anywhere


@pytest.mark.parametrize("steps", STEPS)
def test_a_noise_of_zero_only_scales(steps):
    path = plane_diffusion(denoiser=constant(), prediction="epsilon", steps=steps).sample()
    for x, t in zip(path, times(steps), strict=True):
        bar = BARS[t - 1] if t else 1.0
        torch.testing.assert_close(x, (path[0] * (bar / BARS[-1]) ** 0.5).float())


@pytest.mark.parametrize("steps", STEPS)
def test_a_velocity_of_zero_turns_by_the_angle_of_each_step(steps):
    # x̂ = cos θ x and ε̂ = sin θ x, so that a step from θ to ω leaves cos(θ − ω) of x
    path = plane_diffusion(denoiser=constant(), prediction="v", steps=steps).sample()
    angles = [float(ANGLES[t - 1]) if t else 0.0 for t in times(steps)]
    left = math.prod(math.cos(a - b) for a, b in itertools.pairwise(angles))
    torch.testing.assert_close(path[-1], path[0] * left, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("steps", STEPS)
def test_ancestral_sampling_keeps_the_marginal_that_ddim_keeps(steps):
    # all data at the origin: x_t is normal with variance 1 − ᾱ_t, whatever is added on the way
    cloud = torch.zeros(1000, 2)
    start = 1 - BARS[-1].item()
    for stochastic in (False, True):
        widget = plane_diffusion(
            denoiser=constant(), points=cloud, steps=steps, stochastic=stochastic
        )
        path = widget.sample() * start**0.5  # noise has variance 1, and all steps are linear
        for x, t in zip(path[1:-1], times(steps)[1:-1], strict=True):
            expected = 1 - BARS[t - 1].item()
            if not stochastic:
                torch.testing.assert_close(x, (path[0] * (expected / start) ** 0.5).float())
            error = expected * math.sqrt(2 / 2000)
            assert x.square().mean().item() == pytest.approx(expected, abs=5 * error)
        assert path[-1].abs().max() == 0


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_the_clean_point_and_the_noise_make_up_what_the_network_says(prediction):
    widget = plane_diffusion(prediction=prediction)
    x = points()
    for t in (1, 60, 120):
        clean, noise = widget._guess(x, t)
        a, b = BARS[t - 1].item() ** 0.5, (1 - BARS[t - 1].item()) ** 0.5
        torch.testing.assert_close(a * clean + b * noise, x)
        said = {"epsilon": noise, "x0": clean, "v": a * noise - b * clean}[prediction]
        torch.testing.assert_close(said, (6 * x).tanh(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_it_samples_as_the_model_does(steps, prediction):
    network = PlaneDenoiser(FREQUENCIES, width=16)
    network.layers = anything().half().float()  # weights that survive the packing
    model = Diffusion(network, BARS, prediction)
    path = plane_diffusion(denoiser=network.layers, prediction=prediction, steps=steps).sample()
    found = model.sample(path[0], steps)
    torch.testing.assert_close(path[-1], found, atol=1e-3 * found.abs().max().item(), rtol=1e-3)


def test_more_steps_end_nearer():
    shares = []
    for steps in STEPS:
        widget = plane_diffusion(denoiser=corners(3.0), steps=steps)
        shares.append(widget.quality(widget.sample()[-1])[0])
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_only_new_noise_depends_on_the_rule():
    still, moved = (plane_diffusion(stochastic=s).sample() for s in (False, True))
    assert torch.equal(still[0], moved[0])
    assert not torch.equal(still[1], moved[1])
    assert torch.equal(plane_diffusion(stochastic=True).sample(), moved)  # and is repeated


# ---- what is counted


def test_quality_counts_points_and_modes():
    widget = plane_diffusion()
    assert widget.quality(CENTRES) == (1, 4)
    assert widget.quality(CENTRES + 2.9 * SCALE * torch.tensor([1.0, 0])) == (1, 4)
    assert widget.quality(CENTRES + 3.1 * SCALE * torch.tensor([0.0, 1])) == (0, 0)
    # a fifth of an equal share is enough: one of twenty points, for four modes
    mixed = torch.cat([CENTRES[:1].repeat(19, 1), CENTRES[1:2]])
    assert widget.quality(mixed) == (1, 2)
    mixed = torch.cat([CENTRES[:1].repeat(20, 1), CENTRES[1:2]])
    assert widget.quality(mixed) == (1, 1)
    share, modes = widget.quality(torch.cat([mixed, torch.full((21, 2), 9.0)]))
    assert (share, modes) == (0.5, 1)


# ---- what it holds and says


def test_the_state_is_small_and_the_weights_are_bytes():
    bundle = plane_diffusion().bundle()
    assert set(bundle["buffers"]) == {
        "weights", "points", "centres", "frequencies", "alpha_bars"
    }  # fmt: skip
    assert len(json.dumps(bundle["state"])) < 800
    assert bundle["state"]["steps"] == 20


def test_it_keeps_the_weights_it_was_given():
    denoiser = corners()
    widget = plane_diffusion(denoiser=denoiser)
    before = widget.sample()
    with torch.no_grad():
        denoiser[0].weight.zero_()
    assert torch.equal(widget.sample(), before)


def test_alt_text_and_picture_follow_what_is_chosen():
    widget = plane_diffusion()
    near, modes = widget.quality(widget.sample()[-1])
    words = f"noise in 20 steps; {near:.0%} lie near a centre, and {modes} of 4 are reached."
    assert words in widget.alt()
    assert "80 data points around 4 centres" in widget.alt()
    pictures = {widget.picture()}
    for field, value in (("steps", 5), ("stochastic", True), ("seed", 2)):
        setattr(widget, field, value)
        pictures.add(widget.picture())
    assert len(pictures) == 4
    assert "in 5 steps" in widget.alt()


# ---- what it refuses


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"denoiser": torch.tanh}, TypeError, "denoiser must be Module"),
        ({"denoiser": nn.Linear(3, 2)}, ValueError, "denoiser must read 11 features.*got 3 and 2"),
        ({"denoiser": nn.Linear(11, 3)}, ValueError, "return 2 values, got 11 and 3"),
        ({"frequencies": torch.zeros(4, 2)}, ValueError, r"frequencies must have shape \(F, 3\)"),
        ({"frequencies": torch.full((4, 3), torch.inf)}, ValueError, "frequencies must be finite"),
        ({"alpha_bars": BARS[:49]}, ValueError, "alpha_bars must be at least 50 falling.*got 49"),
        ({"alpha_bars": BARS.flip(0)}, ValueError, "alpha_bars must be at least 50 falling"),
        ({"alpha_bars": torch.cat([torch.ones(1), BARS])}, ValueError, "falling.*from 1 to"),
        ({"alpha_bars": torch.cat([BARS, torch.zeros(1)])}, ValueError, "falling.*to 0"),
        ({"alpha_bars": BARS[:, None]}, ValueError, r"alpha_bars must have shape \(T\)"),
        ({"alpha_bars": list(BARS)}, TypeError, "alpha_bars must be a torch.Tensor, got list"),
        ({"points": torch.zeros(1001, 2)}, ValueError, "points must be at most 1000, got 1001"),
        ({"points": torch.zeros(0, 2)}, ValueError, "points must not be empty"),
        ({"points": torch.full((5, 2), torch.nan)}, ValueError, "points must be finite"),
        ({"points": torch.zeros(5, 3)}, ValueError, r"points must have shape \(N, 2\)"),
        ({"centres": torch.zeros(5, 2).long()}, TypeError, "centres must hold floating-point"),
        ({"scale": 0}, ValueError, "scale must be greater than 0"),
        ({"scale": None}, TypeError, "scale must be a number, got None"),
        ({"prediction": "score"}, ValueError, "prediction must be one of epsilon, v, x0"),
        ({"steps": 21}, ValueError, "steps must be one of 5, 10, 20, 50, got 21"),
        ({"name": "A plane"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)
def test_diffusion_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        plane_diffusion(**changes)


@given(value=st.integers(-(2**40), 2**40))
def test_seed_and_steps_refuse_and_stay(value):
    widget = plane_diffusion()
    if not 0 <= value < 2**32:
        with pytest.raises(ValueError, match="seed must be at"):
            widget.seed = value
        assert widget.seed == 1
    if value not in STEPS:
        with pytest.raises(ValueError, match=f"steps must be one of 5, 10, 20, 50, got {value}"):
            widget.steps = value
        assert widget.steps == 20


def test_quality_refuses_what_are_no_points():
    with pytest.raises(ValueError, match=r"x must have shape \(N, 2\), got \(80, 3\)"):
        plane_diffusion().quality(torch.zeros(80, 3))
