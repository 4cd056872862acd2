"""Seeds and generators. ``AECORE_SEED`` (default 0) moves every random stream of a chapter.

A stream has a name, so that adding one leaves the others where they were, and two streams
never share numbers by accident:

    noise = torch.randn(8, 2, generator=generator("noise"))
    model = initialise(Autoencoder([784, 256, 64]), generator("model"))
"""

import hashlib
import math
import os
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

from aecore import checks

Module = TypeVar("Module", bound=nn.Module)


@runtime_checkable
class Redrawn(Protocol):
    """A layer with random numbers of another kind, which knows how to draw them."""

    def redraw(self, generator: torch.Generator) -> None:
        """Draw all random numbers of the layer anew."""


def base_seed() -> int:
    """The number in the environment variable ``AECORE_SEED``, 0 where it is not set."""
    text = os.environ.get("AECORE_SEED", "0")
    if not text.isdecimal():
        raise ValueError(f"AECORE_SEED must be a whole number, 0 or more, got {text!r}")
    return int(text)


def seed(stream: str) -> int:
    """A seed in [0, 2^31) for the stream of this name, a function of ``AECORE_SEED`` alone."""
    checks.instance("stream", stream, str)
    digest = hashlib.sha256(f"{base_seed()}/{stream}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 2**31


def generator(stream: str, device: str | torch.device = "cpu") -> torch.Generator:
    """A fresh generator for the stream of this name: the same name gives the same numbers."""
    return torch.Generator(device).manual_seed(seed(stream))


def initialise(module: Module, generator: torch.Generator) -> Module:
    """Redraw every layer of ``module`` from ``generator`` and return the module.

    Of linear and convolutional layers the distribution is PyTorch's own default, U(−1/√n, 1/√n)
    with n the number of inputs of a unit, for weights and biases; only the source of the numbers
    is now explicit. A layer that is ``Redrawn`` draws itself.
    """
    checks.instance("module", module, nn.Module)
    checks.instance("generator", generator, torch.Generator)
    for layer in module.modules():
        weight = getattr(layer, "weight", None)
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd) and weight is not None:
            bound = 1 / math.sqrt(weight[0].numel())
            for parameter in (layer.weight, layer.bias):
                if parameter is not None:
                    nn.init.uniform_(parameter, -bound, bound, generator=generator)
        elif isinstance(layer, Redrawn):
            layer.redraw(generator)
    return module
