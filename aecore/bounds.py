r"""Lower bounds on $\log p_\theta(x)$: the ELBO and its relative with many samples. In nats.

Here $q$ is a posterior as ``VariationalAutoencoder.encode`` returns it, a normal distribution with
independent dimensions, and the prior is $\mathcal N(0, I)$.

- ``kl_per_latent``, ``kl_divergence``  $D_{\mathrm{KL}}(q \Vert p)$ in closed form
- ``reparameterise``                    draws from $q$ that its parameters can be trained through
- ``negative_elbo``                     the loss of a VAE, with its $\beta$
- ``log_weights``                       $\log p(x, z) - \log q(z)$ for many draws
- ``importance_bound``                  the bound that such weights give
- ``effective_sample_size``             how many of the draws count
"""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from aecore import checks
from aecore.likelihoods import Bernoulli, Gaussian
from aecore.models.variational import VariationalAutoencoder


class Variational(Protocol):
    """What a loss asks of a VAE: an encoder, a decoder, and a likelihood that reads its outputs."""

    likelihood: Bernoulli | Gaussian

    def encode(self, x: Tensor) -> Distribution:
        """The posterior of a batch: (B, …) → a distribution over (B, q)."""

    def decode(self, z: Tensor) -> Tensor:
        """What the likelihood reads: (B, q) → (B, …)."""


def kl_per_latent(posterior: Distribution) -> Tensor:
    r"""$\frac12 (\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1)$ of each latent: (B, q), in nats.

    $D_{\mathrm{KL}}(q_j \Vert \mathcal N(0, 1))$, 0 where the latent says nothing [kingma2014auto].
    """
    mu, sigma = _normal(posterior)
    return 0.5 * (mu.square() + sigma.square() - 2 * sigma.log() - 1)  # (B, q)


def kl_divergence(posterior: Distribution) -> Tensor:
    r"""$D_{\mathrm{KL}}(q \Vert p) = \mathbb E_q[\log q(z) - \log p(z)] \ge 0$: (B,), in nats."""
    return kl_per_latent(posterior).sum(1)  # (B,)


def reparameterise(posterior: Distribution, generator: torch.Generator) -> Tensor:
    r"""$z = \mu + \sigma \odot \varepsilon$, $\varepsilon \sim \mathcal N(0, I)$: (…, q).

    One draw for each distribution in the batch; ``posterior.expand((K, B))`` gives K of each. The
    noise has no parameters, so $\partial z / \partial\mu = 1$ and $\partial z / \partial\sigma =
    \varepsilon$ [kingma2014auto, rezende2014stochastic].
    """
    checks.instance("generator", generator, torch.Generator)
    mu, sigma = _normal(posterior)
    noise = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + sigma * noise


def negative_elbo(
    model: Variational, x: Tensor, generator: torch.Generator, *, beta: float
) -> Tensor:
    r"""$-\log p_\theta(x \mid z) + \beta\, D_{\mathrm{KL}}(q_\phi(z \mid x) \Vert p(z))$, one z.

    ``x``: (B, …), what the model encodes; $z \sim q$. Returns (B,), in nats: at $\beta = 1$ an
    unbiased estimate of the negative evidence lower bound, whose mean is at least
    $-\log p_\theta(x)$.
    """
    checks.number("beta", beta, low=0)
    posterior = model.encode(x)
    outputs = model.decode(reparameterise(posterior, generator))
    distortion = -model.likelihood.log_likelihood(x, outputs)  # (B,)
    return distortion + beta * kl_divergence(posterior)  # (B,)


def log_weights(
    model: VariationalAutoencoder,
    x: Tensor,
    proposal: Distribution,
    generator: torch.Generator,
    *,
    samples: int,
) -> Tensor:
    r"""$\log p_\theta(x \mid z_k) + \log p(z_k) - \log q(z_k)$ with $z_k \sim q$: (samples, B).

    ``x``: (B, inputs). ``proposal``: any $q$ of batch shape (B,) over the latents, such as
    ``model.encode(x)``. The mean of a weight is $p_\theta(x)$, that of its logarithm the ELBO. It
    holds samples · B · inputs numbers at a time, several times over.
    """
    checks.tensor("x", x, ("B", model.inputs))
    checks.integer("samples", samples)
    shape = tuple(_normal(proposal, "proposal")[0].shape)
    if shape != (len(x), model.latent):
        raise ValueError(f"proposal must be over shape ({len(x)}, {model.latent}), got {shape}")
    many = proposal.expand((samples, len(x)))
    z = reparameterise(many, generator)  # (K, B, q)
    outputs = model.decode(z.flatten(0, 1))  # (K·B, inputs)
    likelihood = model.likelihood.log_likelihood(x.repeat(samples, 1), outputs)  # (K·B,)
    prior = -0.5 * (z.square() + math.log(2 * math.pi)).sum(2)  # (K, B)
    guess: Tensor = many.log_prob(z)  # (K, B)
    return likelihood.reshape(samples, -1) + prior - guess


def importance_bound(log_weights: Tensor) -> Tensor:
    r"""$\log \frac1K \sum_k w_k$: (K, B) → (B,), in nats.

    Its mean $\mathcal L_K$ is at most $\log p(x)$ and grows with K; $\mathcal L_1$ is the ELBO
    [burda2016importance].
    """
    checks.tensor("log_weights", log_weights, ("K", "B"))
    return log_weights.logsumexp(0) - math.log(len(log_weights))  # (B,)


def effective_sample_size(log_weights: Tensor) -> Tensor:
    r"""$(\sum_k w_k)^2 / \sum_k w_k^2$: (K, B) → (B,), from 1 (one counts) to K (all do)."""
    checks.tensor("log_weights", log_weights, ("K", "B"))
    return (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp()  # (B,)


def _normal(posterior: Distribution, name: str = "posterior") -> tuple[Tensor, Tensor]:
    if not isinstance(posterior, Independent) or not isinstance(posterior.base_dist, Normal):
        raise TypeError(
            f"{name} must be Independent(Normal(mu, sigma), 1), got {type(posterior).__name__}"
        )
    return posterior.mean, posterior.stddev
