r"""The rate of a VAE, taken apart [hoffman2016elbo, chen2018isolating]. In nats.

With $q(z) = \frac1N \sum_n q(z \mid x_n)$, the aggregate posterior of a data set,

$$\frac1N \sum_n D_{\mathrm{KL}}\bigl(q(z \mid x_n) \Vert p(z)\bigr)
  = I(n; z) + D_{\mathrm{KL}}\bigl(q(z) \Vert \textstyle\prod_j q(z_j)\bigr)
  + \textstyle\sum_j D_{\mathrm{KL}}\bigl(q(z_j) \Vert p(z_j)\bigr):$$

information, total correlation, dimension-wise KL.

- ``log_aggregate``                $\log q(z)$ and $\log q(z_j)$, exactly: all N Gaussians
- ``rate_terms``                   the three terms, each by a route of its own
- ``minibatch_total_correlation``  the estimate that a $\beta$-TCVAE is trained with
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from aecore import checks
from aecore.bounds import reparameterise

CHUNK = 2**20  # numbers held at a time
POINTS = 2048  # of a grid along a latent
REACH = 8  # standard deviations that the grid goes beyond the outermost mean


def log_aggregate(z: Tensor, posterior: Distribution) -> tuple[Tensor, Tensor]:
    r"""$\log q(z) = \log \frac1N \sum_n q(z \mid x_n)$ and $\log q(z_j)$: (M, q) → (M,), (M, q).

    ``posterior``: the Gaussians of all N examples, as ``encode`` returns them. It takes
    M · N · q exponentials.
    """
    joint, each, _ = _mixture(z, posterior)
    return joint, each


@dataclass(frozen=True)
class RateTerms:
    """The parts of a rate, in nats; the last is the standard error of their sum."""

    information: float
    total_correlation: float
    dimension_wise: float
    error: float

    @property
    def total(self) -> float:
        """Their sum: the rate, if the identity holds, without its closed form."""
        return self.information + self.total_correlation + self.dimension_wise


@torch.no_grad()
def rate_terms(posterior: Distribution, generator: torch.Generator, *, samples: int) -> RateTerms:
    r"""The mean rate of N posteriors as information + total correlation + dimension-wise KL.

    - information: $\log N - \mathbb E_{q(z)}[H(n \mid z)]$, what is left of the doubt about
      which image it was, subtracted; never more than $\log N$
    - total correlation: the mean of $\log q(z) - \sum_j \log q(z_j)$ over draws of $q(z)$
    - dimension-wise KL: $\sum_j \int q(z_j) \log \frac{q(z_j)}{p(z_j)}\, dz_j$ on a grid

    with ``samples`` draws of each posterior, fresh ones for each of the first two. The routes
    differ on purpose. As means of $\log q(z \mid x) - \log q(z)$, $\log q(z) - \sum_j \log q(z_j)$
    and $\sum_j \log q(z_j) - \log p(z_j)$ the terms would add up to the rate whatever is put for
    $q(z)$, and their sum would test nothing.
    """
    mu, _ = _normal(posterior)
    checks.integer("samples", samples)
    if len(mu) < 2:
        raise ValueError(f"posterior must be of at least 2 examples, got {len(mu)}")
    many = posterior.expand((samples, len(mu)))
    doubt = _mixture(reparameterise(many, generator).flatten(0, 1), posterior)[2]  # (S·N,)
    joint, each = log_aggregate(reparameterise(many, generator).flatten(0, 1), posterior)
    correlation = joint - each.sum(1)  # (S·N,)
    variance = doubt.var() + correlation.var()
    return RateTerms(
        information=math.log(len(mu)) - float(doubt.mean()),
        total_correlation=float(correlation.mean()),
        dimension_wise=float(_divergence_by_grid(posterior).sum()),
        error=float((variance / len(doubt)).sqrt()),
    )


def minibatch_total_correlation(z: Tensor, posterior: Distribution, size: int) -> Tensor:
    r"""$\log q(z_i) - \sum_j \log q(z_{ij})$ with the Gaussians of the batch alone: (…, B).

    ``z``: (…, B, q), a draw from each of the batch's posteriors (…, B); ``size``: N, of the data
    set. $\log q(z_i) \approx \log \frac1{NB} \sum_n q(z_i \mid x_n)$, and so for each dimension
    [chen2018isolating]. It is trained by its gradient. Its value is no estimate of the total
    correlation: the constants alone are $(q - 1) \log NB$.
    """
    mu, sigma = _normal(posterior)
    checks.tensor("z", z, finite=False)
    checks.same_shape("z", z, "posterior", mu)
    checks.integer("size", size)
    log_q = _log_normal(z.unsqueeze(-2), mu.unsqueeze(-3), sigma.unsqueeze(-3))  # (…, B, B, q)
    constant = math.log(size * z.shape[-2])
    joint = log_q.sum(-1).logsumexp(-1) - constant  # (…, B)
    each = log_q.logsumexp(-2) - constant  # (…, B, q)
    return joint - each.sum(-1)


def _mixture(z: Tensor, posterior: Distribution) -> tuple[Tensor, Tensor, Tensor]:
    """log q(z), (M,), log q(z_j), (M, q), and the entropy of p(n|z), (M,)."""
    mu, sigma = _normal(posterior)
    checks.tensor("z", z, ("M", mu.shape[1]))
    joint, each, doubt = [], [], []
    for part in torch.split(z, max(1, CHUNK // mu.numel())):
        log_q = _log_normal(part[:, None], mu, sigma)  # (m, N, q)
        scores = log_q.sum(2)  # (m, N)
        joint.append(scores.logsumexp(1))
        each.append(log_q.logsumexp(1))
        doubt.append(torch.special.entr(scores.softmax(1)).sum(1))
    size = math.log(len(mu))
    return torch.cat(joint) - size, torch.cat(each) - size, torch.cat(doubt)


def _divergence_by_grid(posterior: Distribution) -> Tensor:
    """KL of each q(z_j) from N(0, 1), by the trapezium rule: (q,)."""
    mu, sigma = (values.double() for values in _normal(posterior))
    found = []
    for j in range(mu.shape[1]):
        low = float((mu[:, j] - REACH * sigma[:, j]).min())
        high = float((mu[:, j] + REACH * sigma[:, j]).max())
        line = torch.linspace(low, high, POINTS, dtype=torch.float64, device=mu.device)
        log_q = _log_normal(line[:, None], mu[:, j], sigma[:, j]).logsumexp(1) - math.log(len(mu))
        log_p = -0.5 * (line.square() + math.log(2 * math.pi))
        found.append(torch.trapezoid(log_q.exp() * (log_q - log_p), line))
    return torch.stack(found)


def _log_normal(z: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    return -0.5 * ((z - mu) / sigma).square() - sigma.log() - 0.5 * math.log(2 * math.pi)


def _normal(posterior: Distribution) -> tuple[Tensor, Tensor]:
    if not isinstance(posterior, Independent) or not isinstance(posterior.base_dist, Normal):
        raise TypeError(
            f"posterior must be Independent(Normal(mu, sigma), 1), got {type(posterior).__name__}"
        )
    return posterior.mean, posterior.stddev
