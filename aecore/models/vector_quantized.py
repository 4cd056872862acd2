r"""The vector-quantised autoencoder: a code that is a grid of whole numbers [oord2017neural].

``VectorQuantizedAutoencoder`` has one grid, ``TwoLevelAutoencoder`` a coarse and a fine one
[razavi2019generating]. The bottleneck itself stands in ``aecore.models.quantizer``.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from aecore import checks
from aecore.models.quantizer import VectorQuantizer


class Reconstructed(NamedTuple):
    """What leaves a vector-quantised autoencoder in training."""

    outputs: Tensor  # (B, C, H, W), affine: logits or means, as the objective reads them
    codes: tuple[Tensor, ...]  # a grid each level, (B, h, w)
    codebook: Tensor  # (B,), summed over the levels
    commitment: Tensor  # (B,), summed over the levels


class VectorQuantizedAutoencoder(nn.Module):
    r"""$x \mapsto \mathrm{Enc}_\phi(x) = z \mapsto e_{k(z)} \mapsto \mathrm{Dec}_\theta(e)$.

    The loss of an example is $L(x, \mathrm{Dec}(e)) + \lVert\mathrm{sg}(z) - e\rVert^2
    + \beta\lVert z - \mathrm{sg}(e)\rVert^2$ with sg, the stop-gradient; the middle term only where
    the codebook is ``learned``. Terms are summed over dimensions and positions. ``halvings`` = 2
    turns an image of 28 × 28 into a grid of 7 × 7 codes.
    """

    def __init__(
        self,
        channels: int,
        quantizer: VectorQuantizer,
        *,
        width: int = 32,
        halvings: int = 2,
    ) -> None:
        super().__init__()
        self.channels = checks.integer("channels", channels)
        checks.instance("quantizer", quantizer, VectorQuantizer)
        self.halvings = checks.integer("halvings", halvings)
        self.encoder = _down(
            channels, checks.integer("width", width), quantizer.dimensions, halvings
        )
        self.quantizer = quantizer
        self.decoder = _up(quantizer.dimensions, width, channels, halvings)

    def encode(self, x: Tensor) -> Tensor:
        """The codes of images: (B, C, H, W) → (B, h, w), int64."""
        checks.tensor("x", x)
        z = self.vectors(x)
        rows = z.movedim(1, -1)
        return self.quantizer.nearest(rows.flatten(0, 2)).reshape(rows.shape[:3])

    def decode(self, codes: Tensor) -> Tensor:
        """The outputs for grids of codes: (B, h, w) → (B, C, H, W)."""
        outputs: Tensor = self.decoder(self.quantizer.look_up(codes))
        return outputs

    def vectors(self, x: Tensor) -> Tensor:
        """The encoder's vectors, before they are rounded to the codebook: (B, d, h, w)."""
        _images("x", x, self.channels, 2**self.halvings)
        z: Tensor = self.encoder(x)
        return z

    def start_at(self, x: Tensor, generator: torch.Generator) -> "VectorQuantizedAutoencoder":
        """Begin with a codebook of the encoder's vectors for ``x`` (B, C, H, W); return self."""
        self.quantizer.start_at(self.vectors(x), generator)
        return self

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Reconstructed:
        """A batch of images, (B, C, H, W); the ``generator`` restarts dead entries."""
        found = self.quantizer(self.vectors(x), generator)
        outputs = self.decoder(found.vectors)
        return Reconstructed(outputs, (found.codes,), found.codebook, found.commitment)


class TwoLevelAutoencoder(nn.Module):
    r"""A coarse grid of codes and a fine one, half as coarse [razavi2019generating].

    $h = \mathrm{Down}(x)$; the top quantises a further half of it, $e_t = Q_t(\mathrm{Down}_t(h))$;
    the bottom what the top leaves open, $e_b = Q_b(W[h, \mathrm{Up}_t(e_t)])$; the decoder sees
    both, $\mathrm{Dec}([e_b, \mathrm{Up}_t(e_t)])$.
    """

    def __init__(
        self,
        channels: int,
        top: VectorQuantizer,
        bottom: VectorQuantizer,
        *,
        width: int = 32,
        halvings: int = 2,
    ) -> None:
        super().__init__()
        self.channels = checks.integer("channels", channels)
        checks.instance("top", top, VectorQuantizer)
        checks.instance("bottom", bottom, VectorQuantizer)
        checks.integer("width", width)
        self.halvings = checks.integer("halvings", halvings)  # down to the bottom grid
        self.down = _down(channels, width, width, halvings)
        self.down_top = _down(width, width, top.dimensions, 1)
        self.up_top = _up(top.dimensions, width, width, 1)
        self.mix = nn.Conv2d(2 * width, bottom.dimensions, 1)  # W
        self.decoder = _up(bottom.dimensions + width, width, channels, halvings)
        self.top, self.bottom = top, bottom

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of images: (B, C, H, W) → top (B, h/2, w/2) and bottom (B, h, w), int64."""
        checks.tensor("x", x)
        training = self.training
        try:
            top, bottom = self.eval()(x).codes
        finally:
            self.train(training)
        return top, bottom

    def decode(self, top: Tensor, bottom: Tensor) -> Tensor:
        """The outputs for a pair of grids: (B, C, H, W)."""
        coarse, fine = self.top.look_up(top), self.bottom.look_up(bottom)
        if fine.shape[::2] != (len(coarse), 2 * coarse.shape[2]) or (
            fine.shape[3] != 2 * coarse.shape[3]
        ):
            raise ValueError(
                f"bottom must have twice the side of top, {tuple(top.shape)}, "
                f"got {tuple(bottom.shape)}"
            )
        outputs: Tensor = self.decoder(torch.cat([fine, self.up_top(coarse)], 1))
        return outputs

    @torch.no_grad()
    def start_at(self, x: Tensor, generator: torch.Generator) -> "TwoLevelAutoencoder":
        """Begin with codebooks of the encoder's vectors for ``x`` (B, C, H, W); return self."""
        _images("x", x, self.channels, 2 ** (self.halvings + 1))
        h = self.down(x)
        z = self.down_top(h)
        self.top.start_at(z, generator)
        codes = self.top.nearest(z.movedim(1, -1).flatten(0, 2)).reshape(len(z), *z.shape[2:])
        up = self.up_top(self.top.look_up(codes))
        self.bottom.start_at(self.mix(torch.cat([h, up], 1)), generator)
        return self

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Reconstructed:
        """A batch of images, (B, C, H, W); the ``generator`` restarts dead entries."""
        _images("x", x, self.channels, 2 ** (self.halvings + 1))
        h = self.down(x)  # (B, width, h, w)
        top = self.top(self.down_top(h), generator)
        up = self.up_top(top.vectors)  # (B, width, h, w)
        bottom = self.bottom(self.mix(torch.cat([h, up], 1)), generator)
        return Reconstructed(
            self.decoder(torch.cat([bottom.vectors, up], 1)),
            (top.codes, bottom.codes),
            top.codebook + bottom.codebook,
            top.commitment + bottom.commitment,
        )


def _down(inputs: int, width: int, outputs: int, halvings: int) -> nn.Sequential:
    steps: list[nn.Module] = []
    for _ in range(halvings):
        steps += [nn.Conv2d(inputs, width, 4, stride=2, padding=1), nn.ReLU()]
        inputs = width
    return nn.Sequential(*steps, nn.Conv2d(width, outputs, 3, padding=1))


def _up(inputs: int, width: int, outputs: int, doublings: int) -> nn.Sequential:
    # a convolution to four times the channels, shuffled into 2 × 2 pixels: fast on a CPU
    steps: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
    for left in reversed(range(doublings)):
        after = width if left else outputs
        steps += [nn.Conv2d(width, 4 * after, 3, padding=1), nn.PixelShuffle(2)]
        steps += [nn.ReLU()] if left else []
    return nn.Sequential(*steps)


def _images(name: str, value: Tensor, channels: int, side: int) -> None:
    checks.tensor(name, value, ("B", channels, "H", "W"), finite=False)
    if value.shape[2] % side or value.shape[3] % side:
        raise ValueError(
            f"{name} must have a height and a width that {side} divides, got {tuple(value.shape)}"
        )
