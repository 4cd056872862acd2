"""Densities in the plane that are known in closed form, so that a model can be marked against them.

Mixtures of round Gaussians: with noise added they stay mixtures, so the density of the noisy
points, its gradient and the best denoiser are known as well.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from aecore import checks


@dataclass(frozen=True)
class GaussianMixture:
    r"""$p(x) = \sum_k w_k\, \mathcal N(x; \mu_k, s^2 I)$ in the plane.

    ``weights``: (K,), positive, with sum 1. ``means``: (K, 2). ``scale``: $s > 0$, shared.
    Wherever a ``sigma`` is given, Gaussian noise of that standard deviation has been added:
    $p_\sigma$ is the same mixture with $s^2 + \sigma^2$ in place of $s^2$.
    """

    weights: Tensor
    means: Tensor
    scale: float

    def __post_init__(self) -> None:
        checks.tensor("weights", self.weights, ("K",))
        checks.tensor("means", self.means, (len(self.weights), 2))
        checks.number("scale", self.scale, above=0)
        total = float(self.weights.sum())
        if not bool((self.weights > 0).all()) or abs(total - 1) > 1e-5:
            raise ValueError(f"weights must be positive with sum 1, got sum {total:g}")

    def sample(self, number: int, generator: torch.Generator) -> Tensor:
        """Points of the mixture: (number, 2)."""
        checks.integer("number", number)
        checks.instance("generator", generator, torch.Generator)
        chosen = torch.multinomial(self.weights, number, replacement=True, generator=generator)
        noise = torch.randn(number, 2, generator=generator, dtype=self.means.dtype)
        return self.means[chosen] + self.scale * noise

    def log_density(self, x: Tensor, sigma: float = 0.0) -> Tensor:
        r"""$\log p_\sigma(x)$ at points (B, 2): (B,), in nats."""
        variance = self._variance(x, sigma)
        return self._log_joint(x, variance).logsumexp(1)  # (B,)

    def score(self, x: Tensor, sigma: float = 0.0) -> Tensor:
        r"""$\nabla_x \log p_\sigma(x) = \sum_k p(k \mid x)\,(\mu_k - x) / (s^2 + \sigma^2)$.

        At points (B, 2): (B, 2), towards where the density grows.
        """
        variance = self._variance(x, sigma)
        shares = self._log_joint(x, variance).softmax(1)  # (B, K)
        return (shares @ self.means - x) / variance

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        r"""$E[x \mid \tilde x]$, by Bayes' rule: no denoiser has a smaller squared error.

        Given its component, a point has a Gaussian prior and Gaussian noise, so its mean is
        $(s^2 \tilde x + \sigma^2 \mu_k) / (s^2 + \sigma^2)$; these are averaged with the weights
        $p(k \mid \tilde x)$. Noisy points (B, 2) → (B, 2).
        """
        variance = self._variance(x, sigma)
        shares = self._log_joint(x, variance).softmax(1)  # (B, K)
        prior = self.scale**2 / variance
        given = prior * x[:, None] + (1 - prior) * self.means  # (B, K, 2)
        return (shares[..., None] * given).sum(1)  # (B, 2)

    def _variance(self, x: Tensor, sigma: float) -> float:
        checks.tensor("x", x, ("B", 2))
        checks.number("sigma", sigma, low=0)
        return self.scale**2 + sigma**2

    def _log_joint(self, x: Tensor, variance: float) -> Tensor:
        # log w_k + log N(x; mu_k, variance I); direct differences, as cdist is rounded more
        squared = (x[:, None] - self.means).square().sum(2)  # (B, K)
        constant = math.log(2 * math.pi * variance)  # of two dimensions
        return self.weights.log() - squared / (2 * variance) - constant


def spiral() -> GaussianMixture:
    """A spiral around the origin as 200 equal Gaussians of scale 0.05, equally far apart, float64.

    Its radius grows from 0.5 to 2 over one turn and a half.
    """
    components, turns = 200, 1.5
    angle = torch.linspace(0, 1, 2000, dtype=torch.float64)
    radius = 0.5 + 1.5 * angle
    angle = 2 * math.pi * turns * angle
    curve = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)  # (2000, 2)
    length = curve.diff(dim=0).norm(dim=1).cumsum(0)
    places = torch.linspace(0, 1, components, dtype=torch.float64) * length[-1]
    nearest = torch.searchsorted(length, places).clamp(max=len(curve) - 1)
    weights = torch.full((components,), 1 / components, dtype=torch.float64)
    return GaussianMixture(weights, curve[nearest], 0.05)
