r"""Small networks that denoise: what a ``Diffusion`` asks for its guess at $x_t$ and $t/T$.

- ``features``        what a denoiser of the plane reads
- ``PlaneDenoiser``   points of the plane
- ``VectorDenoiser``  vectors, such as the codes of an autoencoder, and what is said of them
- ``ImageDenoiser``   digits
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecore import checks


def features(x: Tensor, time: Tensor, frequencies: Tensor) -> Tensor:
    r"""$[u, \sin Wu, \cos Wu]$ with $u = (x_1, x_2, t/T)$: (B, 3 + 2F) [tancik2020fourier].

    ``x``: (B, 2). ``time``: (B,), in [0, 1]. ``frequencies``: W, (F, 3), in radians per unit. A
    network on bare coordinates learns smooth functions first.
    """
    checks.tensor("x", x, ("B", 2), finite=False)
    checks.tensor("time", time, (len(x),), low=0, high=1)
    checks.tensor("frequencies", frequencies, ("F", 3))
    u = torch.cat([x, time[:, None]], 1)  # (B, 3)
    phases = u @ frequencies.T  # (B, F)
    return torch.cat([u, phases.sin(), phases.cos()], 1)


class PlaneDenoiser(nn.Module):
    """An MLP with three hidden layers on ``features``: (B, 2), (B,) → (B, 2)."""

    frequencies: Tensor

    def __init__(self, frequencies: Tensor, width: int = 128) -> None:
        super().__init__()
        checks.tensor("frequencies", frequencies, ("F", 3))
        checks.integer("width", width)
        self.register_buffer("frequencies", frequencies)
        self.layers = nn.Sequential(
            nn.Linear(3 + 2 * len(frequencies), width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, 2),
        )

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """What the layers make of a point and a time: (B, 2), (B,) → (B, 2)."""
        said: Tensor = self.layers(features(x, time, self.frequencies))
        return said


class VectorDenoiser(nn.Module):
    r"""An MLP on $[x, \sin \omega t, \cos \omega t, \text{hint}]$: (B, size), (B,) → (B, size).

    ``hints``: how many numbers may be said of an example besides; a hint of zeros says nothing.
    """

    rates: Tensor

    def __init__(self, size: int, hints: int = 0, width: int = 256) -> None:
        super().__init__()
        self.size = checks.integer("size", size)
        self.hints = checks.integer("hints", hints, low=0)
        checks.integer("width", width)
        self.register_buffer("rates", torch.logspace(0, 2, 8))  # ω, in radians
        self.layers = nn.Sequential(
            nn.Linear(size + 16 + hints, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, size),
        )

    def forward(self, x: Tensor, time: Tensor, hint: Tensor | None = None) -> Tensor:
        """``hint``: (B, hints), or none, which is as good as zeros."""
        checks.tensor("x", x, ("B", self.size), finite=False)
        checks.tensor("time", time, (len(x),), low=0, high=1)
        if hint is None:
            hint = x.new_zeros(len(x), self.hints)
        else:
            checks.tensor("hint", hint, (len(x), self.hints), finite=False)
        phases = time[:, None] * self.rates  # (B, 8)
        said: Tensor = self.layers(torch.cat([x, phases.sin(), phases.cos(), hint], 1))
        return said


class ImageDenoiser(nn.Module):
    """Residual convolutions on a digit cut into 7 × 7 patches: (B, 784), (B,) → (B, 784).

    A patch of 4 × 4 pixels is 16 channels of one place. The time enters each block as a bias of
    its channels, and so may a ``hint``.
    """

    rates: Tensor

    def __init__(self, channels: int = 64, blocks: int = 3) -> None:
        super().__init__()
        checks.integer("channels", channels)
        checks.integer("blocks", blocks)
        self.register_buffer("rates", torch.logspace(0, 3, 32))
        self.time = nn.Linear(64, 64)
        self.first = nn.Conv2d(16, channels, 3, padding=1)
        self.place = nn.Parameter(torch.zeros(1, channels, 7, 7))
        self.blocks = nn.ModuleList(_Block(channels) for _ in range(blocks))
        self.last = nn.Conv2d(channels, 16, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor, hint: Tensor | None = None) -> Tensor:
        """``hint``: (B, 64), added to what the network knows of the time, or none."""
        checks.tensor("x", x, ("B", 784), finite=False)
        checks.tensor("time", time, (len(x),), low=0, high=1)
        phases = time[:, None] * self.rates  # (B, 32)
        known = self.time(torch.cat([phases.sin(), phases.cos()], 1))  # (B, 64)
        known = F.relu(known if hint is None else known + hint)
        maps = F.pixel_unshuffle(x.reshape(-1, 1, 28, 28), 4)  # (B, 16, 7, 7)
        maps = self.first(maps) + self.place
        for block in self.blocks:
            maps = block(maps, known)
        return F.pixel_shuffle(self.last(F.relu(maps)), 4).flatten(1)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.shift = nn.Linear(64, channels)

    def forward(self, maps: Tensor, known: Tensor) -> Tensor:
        shift = self.shift(known)[:, :, None, None]
        change: Tensor = self.second(F.relu(self.first(F.relu(maps)) + shift))
        return maps + change
