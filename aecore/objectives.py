"""Losses and likelihoods: pure functions, one number an example, in nats, summed over dimensions.

Nothing here takes a mean. The mean over the batch is taken once, by ``training.fit``; so a weight
between two terms is the weight that was written.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from aecore import checks


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    r"""$\lVert \hat x - x \rVert^2$, summed over the dimensions of an example.

    ``prediction`` and ``target``: (B, …) of one shape. Returns (B,), in squared units of the data.
    It is the Gaussian negative log-likelihood at $\sigma^2 = 1/2$, less a constant.
    """
    _pair("prediction", prediction, "target", target)
    return (prediction - target).square().flatten(1).sum(1)  # (B,)


def bce_with_logits(logits: Tensor, target: Tensor) -> Tensor:
    r"""$-\sum_i [x_i \log p_i + (1 - x_i) \log(1 - p_i)]$ with $p$ = sigmoid(logits).

    ``logits`` and ``target``: (B, …) of one shape, ``target`` in [0, 1]. Returns (B,), in nats.
    On binary targets it is the Bernoulli negative log-likelihood. On grey targets it is no
    likelihood, and a perfect copy does not bring it to 0 but to ``binary_entropy(target)``.
    """
    _pair("logits", logits, "target", target, low=0, high=1)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return loss.flatten(1).sum(1)  # (B,)


def binary_entropy(target: Tensor) -> Tensor:
    r"""$-\sum_i [x_i \log x_i + (1 - x_i) \log(1 - x_i)]$: the floor of ``bce_with_logits``.

    ``target``: (B, …) in [0, 1]. Returns (B,), in nats; 0 where every value is 0 or 1.
    """
    checks.tensor("target", target, low=0, high=1)
    _batched("target", target)
    entropy = -torch.xlogy(target, target) - torch.xlogy(1 - target, 1 - target)
    return entropy.flatten(1).sum(1)  # (B,)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    r"""$\log p(x) = \sum_i \log \mathrm{Bernoulli}(x_i; \mathrm{sigmoid}(\mathrm{logits}_i))$.

    ``x`` and ``logits``: (B, …) of one shape, ``x`` binary: anything between 0 and 1 is refused,
    because the Bernoulli gives it no probability. Returns (B,), in nats.
    """
    _pair("logits", logits, "x", x, low=0, high=1)
    if not bool(((x == 0) | (x == 1)).all()):
        raise ValueError("x must be binary (0 or 1), got values between: binarise x first")
    return -bce_with_logits(logits, x)  # (B,)


def gaussian_log_likelihood(x: Tensor, mean: Tensor, sigma: float | Tensor) -> Tensor:
    r"""$\log \mathcal N(x; \mu, \sigma^2 I)$, with its constant $-\frac12 \log 2\pi$ a dimension.

    ``x`` and ``mean``: (B, …) of one shape. ``sigma``: a standard deviation, greater than 0: a
    number, or a tensor of the shape of ``x`` or with one element. Returns (B,), in nats.
    """
    _pair("mean", mean, "x", x)
    if isinstance(sigma, Tensor):
        checks.tensor("sigma", sigma, low=0)
        if sigma.numel() == 1:
            sigma = sigma.reshape(())  # (1, 1, 1) would broadcast the batch away
        else:
            checks.same_shape("sigma", sigma, "x", x)
        if not bool((sigma > 0).all()):
            raise ValueError("sigma must be greater than 0, got 0")
        log_sigma = sigma.log()
    else:
        checks.number("sigma", sigma, above=0)
        log_sigma = x.new_tensor(math.log(sigma))
    standard = (x - mean) / sigma
    density = -0.5 * standard.square() - log_sigma - 0.5 * math.log(2 * math.pi)
    return density.flatten(1).sum(1)  # (B,)


def _pair(
    name: str,
    value: Tensor,
    target_name: str,
    target: Tensor,
    low: float | None = None,
    high: float | None = None,
) -> None:
    # a model's output may be NaN: that is for the training loop to catch and to date
    checks.tensor(name, value, finite=False)
    checks.tensor(target_name, target, low=low, high=high)
    checks.same_shape(name, value, target_name, target)
    _batched(name, value)


def _batched(name: str, value: Tensor) -> None:
    if value.ndim < 2:
        raise ValueError(f"{name} must have shape (B, …), got {tuple(value.shape)}")
