r"""What a decoder's outputs mean: the likelihood $p_\theta(x \mid z)$, by name.

- ``Bernoulli``  the outputs are logits of pixels that are 0 or 1
- ``Gaussian``   the outputs are means, and every pixel has the same standard deviation $\sigma$,
  fixed or learned

Each has two methods: ``log_likelihood(x, outputs)``, one number an example, in nats, and
``mean(outputs)``, the picture that a page shows. A likelihood belongs to a model and may have a
parameter of its own, so it is an ``nn.Module``.
"""

import math

import torch
from torch import Tensor, nn

from aecore import checks
from aecore.objectives import bce_with_logits, gaussian_log_likelihood


class Bernoulli(nn.Module):
    r"""$\log p(x \mid z) = \sum_i x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i)$.

    $\hat x$ = sigmoid(outputs). Binary ``x`` has this log-likelihood. For grey ``x`` the number is
    the mean log-likelihood of the binary images whose pixels are 1 with probability $x_i$: it is
    linear in $x$.
    """

    def log_likelihood(self, x: Tensor, outputs: Tensor) -> Tensor:
        """``x`` and ``outputs``: (B, …) of one shape, ``x`` in [0, 1]. Returns (B,), in nats."""
        checks.tensor("x", x, low=0, high=1)
        checks.tensor("outputs", outputs, finite=False)
        checks.same_shape("outputs", outputs, "x", x)
        return -bce_with_logits(outputs, x)  # (B,)

    def mean(self, outputs: Tensor) -> Tensor:
        r"""$\hat x$ = sigmoid(outputs), of the same shape."""
        return outputs.sigmoid()


class Gaussian(nn.Module):
    r"""$\log p(x \mid z) = -\lVert x - \hat x \rVert^2 / 2\sigma^2 - \frac d2 \log 2\pi\sigma^2$.

    $\hat x$ = outputs. ``sigma`` is one standard deviation for all pixels: fixed, or where
    training starts if ``learned``. Its best value is then the root of the mean squared error
    [rybkin2021simple].
    """

    def __init__(self, sigma: float, *, learned: bool = False) -> None:
        super().__init__()
        checks.number("sigma", sigma, above=0)
        checks.instance("learned", learned, bool)
        # the logarithm: any number that a step may reach is a valid one
        log_sigma = torch.tensor(math.log(sigma))
        self.log_sigma = nn.Parameter(log_sigma, requires_grad=learned)

    @property
    def sigma(self) -> Tensor:
        """The standard deviation, a tensor of one number."""
        return self.log_sigma.exp()

    def log_likelihood(self, x: Tensor, outputs: Tensor) -> Tensor:
        """``x`` and ``outputs``: (B, …) of one shape. Returns (B,), in nats."""
        checks.tensor("x", x)
        checks.tensor("outputs", outputs, finite=False)
        checks.same_shape("outputs", outputs, "x", x)
        return gaussian_log_likelihood(x, outputs, self.sigma)  # (B,)

    def mean(self, outputs: Tensor) -> Tensor:
        r"""$\hat x$ = outputs: they are means as they are."""
        return outputs
