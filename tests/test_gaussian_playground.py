"""The Gaussian playground in Python: its divergences, its samples, and what it refuses."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from aecore.widgets import GaussianPlayground
from aecore.widgets.draws import normal, uniform
from aecore.widgets.gaussian_playground import MU, SAMPLES, SIGMA
from tests.widget_case import refuses

means, deviations = st.floats(*MU), st.floats(*SIGMA)


def gaussian_playground(**changes):
    return GaussianPlayground(**{"name": "playground", "label": "One latent"} | changes)


# ---- the random numbers


def test_normal_numbers_are_box_and_mullers():
    rows = uniform(7, 40).reshape(2, 20)
    for found, first, second in zip(normal(7, 20), *rows, strict=True):
        radius = math.sqrt(-2 * math.log(1 - first))
        assert found == pytest.approx(radius * math.cos(2 * math.pi * second), rel=1e-12)


def test_normal_numbers_are_normal():
    values = normal(3, 100_000)  # bounds of five standard errors
    assert abs(values.mean()) < 5 / math.sqrt(1e5)
    assert abs(values.var() - 1) < 5 * math.sqrt(2 / 1e5)
    for point in (-2, -1, 0, 1, 2):
        assert (values < point).mean() == pytest.approx(norm.cdf(point), abs=5 * 0.5 / 1e5**0.5)
    assert not set(normal(1, 50)) & set(normal(2, 50))


# ---- the divergences


@given(mu=means, sigma=deviations)
def test_divergences_are_the_closed_forms(mu, sigma):
    widget = gaussian_playground(mu=mu, sigma=sigma)
    forward = mu**2 / 2 + (sigma**2 - 1 - math.log(sigma**2)) / 2
    reverse = ((1 + mu**2) / sigma**2 - 1 + math.log(sigma**2)) / 2
    assert widget.kl == pytest.approx(forward, rel=1e-12, abs=1e-14)
    assert widget.reverse_kl == pytest.approx(reverse, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("mu", "sigma"), [(1, 0.5), (-3, 0.05), (4, 3), (0, 2), (0.5, 1)])
def test_divergence_is_the_signed_area(mu, sigma):
    q, p = norm(mu, sigma), norm()

    def integrand(z):
        return q.pdf(z) * (q.logpdf(z) - p.logpdf(z))

    ends = [mu - 12 * sigma, mu + 12 * sigma]
    area, _ = quad(integrand, *ends, limit=200, epsabs=1e-10)
    assert gaussian_playground(mu=mu, sigma=sigma).kl == pytest.approx(area, abs=1e-8)
    # pieces of it may be negative: q is smaller than p somewhere, unless it is p
    assert min(map(integrand, np.linspace(*ends, 2001))) < 0


def test_equal_distributions_do_not_diverge():
    widget = gaussian_playground(mu=0.0, sigma=1.0)
    assert widget.kl == widget.reverse_kl == 0
    assert (widget.log_ratios == 0).all()  # not only on average


# ---- the samples


@given(mu=means, sigma=deviations)
def test_the_draws_stay_while_mean_and_deviation_change(mu, sigma):
    widget = gaussian_playground(mu=mu, sigma=sigma)
    noise = torch.from_numpy(normal(1, SAMPLES))
    torch.testing.assert_close(widget.samples, mu + sigma * noise)


def test_samples_carry_the_gradients_that_the_page_states():
    mu, sigma = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.0, 0.5))
    noise = torch.from_numpy(normal(1, SAMPLES))
    z = mu + sigma * noise
    assert torch.equal(z.detach(), gaussian_playground().samples)
    for i in (0, 50):
        slopes = torch.autograd.grad(z[i], (mu, sigma), retain_graph=True)
        assert [s.item() for s in slopes] == [1, noise[i].item()]


@pytest.mark.parametrize(("mu", "sigma"), [(1, 0.5), (-2, 0.2), (0, 2)])
def test_the_estimate_has_the_divergence_as_its_mean(mu, sigma):
    widget = gaussian_playground(mu=mu, sigma=sigma)
    estimates = []
    for seed in range(300):
        widget.seed = seed
        estimates.append(widget.log_ratios.mean().item())
    error = np.std(estimates) / math.sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(widget.kl, abs=5 * error)
    assert np.std(estimates) > 0.01


# ---- what it shows


def test_alt_text_says_what_is_computed():
    text = gaussian_playground(mu=-2.0, sigma=0.05).alt()
    assert "mean −2.00 and standard deviation 0.0500" in text
    assert "KL(q‖p) = 4.497 nats" in text
    assert "KL(p‖q) is 996.5 nats" in text
    widget = gaussian_playground()
    assert f"100 samples of q is {widget.log_ratios.mean():.3f}." in widget.alt()
    assert "KL(q‖p) = 0.000 nats" in gaussian_playground(mu=-1e-9, sigma=1).alt()


def test_picture_follows_every_field():
    changes = [{}, {"mu": -4.0}, {"sigma": 0.05}, {"sigma": 3.0}]
    pictures = {gaussian_playground(**change).picture() for change in changes}
    other = gaussian_playground()
    other.seed = 2
    assert len(pictures | {other.picture()}) == 5


def test_it_brings_no_data_to_the_page():
    bundle = gaussian_playground().bundle()
    assert bundle["buffers"] == {}
    assert bundle["state"] == {"label": "One latent", "mu": 1, "sigma": 0.5, "seed": 1}
    assert len(json.dumps(bundle["state"])) < 100


# ---- what it refuses


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"mu": 4.1}, ValueError, r"mu must be in \[-4.0, 4.0\], got 4.1"),
        ({"mu": math.nan}, ValueError, "mu must be finite, got nan"),
        ({"mu": "1"}, TypeError, "mu must be a number, got str"),
        ({"mu": torch.tensor(1.0)}, TypeError, "mu must be a number, got Tensor"),
        ({"sigma": 0}, ValueError, r"sigma must be in \[0.05, 3.0\], got 0"),
        ({"sigma": -1.0}, ValueError, "sigma must be in"),
        ({"sigma": math.inf}, ValueError, "sigma must be finite, got inf"),
        ({"sigma": None}, TypeError, "sigma must be a number, got None"),
        ({"sigma": True}, TypeError, "sigma must be a number, got bool"),
        ({"name": "μ and σ"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)
def test_playground_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        gaussian_playground(**changes)


@given(value=st.floats())
def test_fields_refuse_what_the_page_cannot_show_and_stay(value):
    widget = gaussian_playground()
    for field, (low, high) in (("mu", MU), ("sigma", SIGMA)):
        if not low <= value <= high:
            assert refuses(widget, field, value, f"{field} must be")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_is_a_whole_number_of_32_bits(seed):
    widget = gaussian_playground()
    with pytest.raises(ValueError, match=f"seed must be at least 0.*got {seed}"):
        widget.seed = seed
    assert widget.seed == 1
