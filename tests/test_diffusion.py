"""Diffusion: the chain composes, the forms convert, the bound is one, sampling is what it says."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions as D
from torch import nn
from torch.testing import assert_close

from aecore.models.diffusion import (
    PREDICTIONS,
    Diffusion,
    convert,
    cosine_schedule,
    diffusion_loss,
)
from aecore.randomness import generator

BARS = cosine_schedule(50)


class Known(nn.Module):
    """The best guess of x0 ~ N(m, s² I): what a perfectly trained network would say."""

    def __init__(self, bars=BARS, mean=0.5, scale=0.7):
        super().__init__()
        self.bars, self.mean, self.scale = bars, mean, scale

    def forward(self, x, time):
        a = self.bars[(time * len(self.bars)).round().long() - 1][:, None]
        keep = a.sqrt() * self.scale**2 / (a * self.scale**2 + 1 - a)
        return self.mean + keep * (x - a.sqrt() * self.mean)


def draw() -> torch.Generator:
    return generator("diffusion")


def normal(*shape):
    return torch.randn(*shape, generator=draw(), dtype=torch.float64)


# ---- the schedule


@given(steps=st.integers(1, 400))
def test_the_schedule_falls_from_one_to_zero(steps):
    bars = torch.cat([torch.ones(1, dtype=torch.float64), cosine_schedule(steps)])
    assert len(bars) == steps + 1
    assert (bars.diff() < 0).all()
    assert bars[-1] > 0
    assert bars[-1] <= 1e-3


def test_the_schedule_by_its_formula():
    f = lambda t: math.cos((t / 100 + 0.008) / 1.008 * math.pi / 2) ** 2  # noqa: E731
    assert_close(
        cosine_schedule(100)[:90], torch.tensor([f(t) / f(0) for t in range(1, 91)]).double()
    )


# ---- the forms


@given(source=st.sampled_from(PREDICTIONS), target=st.sampled_from(PREDICTIONS))
def test_forms_convert_into_one_another(source, target):
    x0, noise = normal(2, 9, 3)
    a = torch.linspace(0.05, 0.95, 9, dtype=torch.float64)
    signal, spread = a.sqrt()[:, None], (1 - a).sqrt()[:, None]
    x_t = signal * x0 + spread * noise
    true = {
        "x0": x0, "epsilon": noise, "v": signal * noise - spread * x0, "score": -noise / spread,
    }  # fmt: skip
    assert_close(convert(true[source], x_t, a, source, target), true[target])


def test_the_score_is_the_gradient_of_a_known_density():
    model = Diffusion(Known(), BARS, "x0")
    x_t, t = normal(5, 2).requires_grad_(), torch.full((5,), 20)
    a = BARS[19]
    law = D.Normal(0.5 * a.sqrt(), (a * 0.49 + 1 - a).sqrt())
    (gradient,) = torch.autograd.grad(law.log_prob(x_t).sum(), x_t)
    score = convert(model.denoise(x_t, t), x_t, a.expand(5), "x0", "score")
    assert_close(score, gradient)


# ---- the model


def test_noisy_has_the_mean_and_variance_of_the_chain():
    model = Diffusion(Known(), BARS, "x0")
    x, noise = normal(2, 4, 3)
    t = torch.tensor([1, 10, 30, 50])
    mean, variance = torch.ones(50).double(), torch.zeros(50).double()
    kept, added = 1.0, 0.0
    alphas = BARS / torch.cat([torch.ones(1).double(), BARS[:-1]])
    for i, alpha in enumerate(alphas):
        kept, added = kept * alpha.sqrt(), alpha * added + 1 - alpha
        mean[i], variance[i] = kept, added
    expected = mean[t - 1, None] * x + variance[t - 1, None].sqrt() * noise
    assert_close(model.noisy(x, t, noise), expected)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_loss_is_the_squared_error_of_the_form(prediction):
    class Says(nn.Module):
        def forward(self, x, time):
            return torch.zeros_like(x)

    model = Diffusion(Says(), BARS, prediction)
    x = normal(7, 2)
    g = draw()
    t = torch.randint(1, 51, (7,), generator=g)
    noise = torch.randn(7, 2, generator=g, dtype=torch.float64)
    target = convert(noise, model.noisy(x, t, noise), BARS[t - 1], "epsilon", prediction)
    assert_close(diffusion_loss(model, x, draw()), target.square().sum(1))


def test_the_bound_has_the_value_that_a_gaussian_gives_it():
    bars = cosine_schedule(100)
    model = Diffusion(Known(bars), bars, "x0")
    x = 0.5 + 0.7 * torch.randn(40_000, 2, generator=draw(), dtype=torch.float64)
    parts = model.bound(x, generator("bound"))
    snr = bars / (1 - bars)
    left = 1 / (1 / 0.49 + snr)  # the variance of x0, given x_t
    chain = ((snr[:-1] - snr[1:]) * left[1:]).sum()
    last = snr[0] * left[0] + (2 * math.pi / snr[0]).log()
    for part, expected in [(parts.chain, chain), (parts.reconstruction, last)]:
        error = part.std().item() / 200
        assert part.mean().item() == pytest.approx(expected.item(), abs=4 * error)
    assert parts.prior.abs().max() < 1e-2
    entropy = -D.Normal(0.5, 0.7).log_prob(x).sum(1).mean()
    assert chain + last > entropy


def test_a_step_of_the_chain_against_torch():
    a, b = BARS[29], BARS[28]
    alpha = a / b
    x0, guess, x_t = normal(3, 6, 2)
    precision = alpha / (1 - alpha) + 1 / (1 - b)

    def back(origin):
        mean = (alpha.sqrt() / (1 - alpha) * x_t + b.sqrt() / (1 - b) * origin) / precision
        return D.Independent(D.Normal(mean, precision.rsqrt().expand_as(mean)), 1)

    snr = BARS / (1 - BARS)
    closed = 0.5 * (snr[28] - snr[29]) * (x0 - guess).square().sum(1)
    assert_close(D.kl_divergence(back(x0), back(guess)), closed, rtol=1e-9, atol=1e-9)


# ---- sampling


@pytest.mark.parametrize("chance", [False, True])
def test_sampling_a_known_gaussian(chance):
    bars = cosine_schedule(500)
    model = Diffusion(Known(bars), bars, "x0")
    start = torch.randn(20_000, 2, generator=draw(), dtype=torch.float64)
    made = model.sample(start, 100, generator=generator("chance") if chance else None)
    assert_close(made.mean(0), torch.full((2,), 0.5).double(), atol=0.02, rtol=0)
    assert_close(made.std(0), torch.full((2,), 0.7).double(), atol=0.03, rtol=0)


def test_a_step_by_chance_has_the_variance_of_the_posterior():
    a, b = 0.3, 0.8  # two steps; the last one is certain, and shrinks what the first one drew
    bars = torch.tensor([b, a], dtype=torch.float64)
    model = Diffusion(Known(bars), bars, "x0")
    made = model.sample(torch.ones(40_000, 1).double(), 2, generator=draw())
    keep = b**0.5 * 0.49 / (b * 0.49 + 1 - b)
    expected = keep * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
    assert made.std().item() == pytest.approx(expected, rel=0.02)


def test_without_chance_the_way_is_fixed_and_with_it_is_the_generators():
    model = Diffusion(Known(), BARS, "x0")
    start = normal(8, 2)
    assert torch.equal(model.sample(start, 5), model.sample(start, 5))
    one, same, other = (
        model.sample(start, 5, generator=generator(name)) for name in ("a", "a", "b")
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert model.sample(start, 5, limit=0.1).abs().max() <= 0.1 + 1e-9


# ---- bad settings


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: Diffusion(Known(), BARS, "x"), ValueError, "prediction must be one of"),
        (lambda m: Diffusion(Known(), BARS.flip(0), "v"), ValueError, "alpha_bars must fall"),
        (lambda m: cosine_schedule(0), ValueError, "steps must be at least 1"),
        (lambda m: m.sample(normal(2, 2), 51), ValueError, "steps must be at least 1 and at most"),
        (lambda m: m.sample(normal(2, 2), 5, limit=0), ValueError, "limit must be greater than 0"),
        (lambda m: m(normal(2, 2), torch.tensor([0, 1])), ValueError, "t must be from 1 to 50"),
        (lambda m: m(normal(2, 2), torch.tensor([1])), ValueError, "t must be of 2 integers"),
        (lambda m: m(normal(2, 2), 3), TypeError, "t must be Tensor"),
    ],
)
def test_bad_settings_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call(Diffusion(Known(), BARS, "x0"))
