r"""Drawn images whose causes are known: two data sets with ground truth for disentanglement.

``sprites``        one square or disc, anywhere, in any of four sizes
``three_sliders``  three strips, with one blob in each

Both hold *every* combination of their factors, once, and factors are whole numbers from 0. So they
are independent and uniform, as the measures of ``aecore.metrics.disentanglement`` assume, and
there is nothing to hold out: without some of the combinations the factors of the others would
depend on one another.
"""

from functools import cache

import torch
from torch import Tensor

from aecore.data.splits import Rendered

SIDE = 16  # pixels
PLACES = 8  # of a slider, and of a sprite along each axis
TALL = 5  # pixels, of a slider's strip
WIDTH, HEIGHT = 2.5, 1.2  # of a slider's blob, standard deviations in pixels
RADII = (1.6, 2.2, 2.8, 3.4)  # of a sprite, in pixels


@cache
def three_sliders() -> Rendered:
    """512 images of 16 × 16: in each of three strips a blob at one of eight places.

    Factors: ``top``, ``middle``, ``bottom``, each 0 to 7 from left to right. Each strip is five
    rows of pixels, which no other factor moves, and all three look the same: causes cannot be
    easier to tell apart. The last row is dark.
    """
    factors = _every(PLACES, PLACES, PLACES)  # (512, 3)
    across = 2.0 + factors * (SIDE - 4.0) / (PLACES - 1)  # (512, 3), centres of the blobs
    row = _bump(SIDE, across, WIDTH)  # (512, 3, 16)
    column = _bump(TALL, torch.tensor(TALL / 2), HEIGHT)  # (5,)
    strips = column[:, None] * row[:, :, None, :]  # (512, 3, 5, 16)
    images = torch.nn.functional.pad(strips.flatten(1, 2), (0, 0, 0, SIDE - 3 * TALL))
    return Rendered(images[:, None], factors.float(), ("top", "middle", "bottom"))


@cache
def sprites() -> Rendered:
    """512 images of 16 × 16: a disc or a square at one of 8 × 8 places, in one of four sizes.

    Factors: ``x`` and ``y``, 0 to 7 from left to right and from top to bottom, ``scale``, 0 to 3,
    and ``shape``, 0 a disc and 1 a square of the same area. Edges are soft: a pixel is as bright
    as it is covered.
    """
    factors = _every(PLACES, PLACES, len(RADII), 2)  # (512, 4)
    grain = 8  # points a pixel, along each axis
    point = (torch.arange(SIDE * grain) + 0.5) / grain
    x, y = (4.0 + factors[:, :2] * (SIDE - 8.0) / (PLACES - 1)).unbind(1)
    away_x = (point - x[:, None]).abs()[:, None, :]  # (512, 1, 128)
    away_y = (point - y[:, None]).abs()[:, :, None]  # (512, 128, 1)
    radius = torch.tensor(RADII)[factors[:, 2]][:, None, None]
    disc = away_x**2 + away_y**2 < radius**2
    half = radius * torch.pi**0.5 / 2  # of a square's side
    square = torch.maximum(away_x, away_y) < half
    drawn = torch.where((factors[:, 3] == 1)[:, None, None], square, disc).float()
    images = torch.nn.functional.avg_pool2d(drawn[:, None], grain)  # (512, 1, 16, 16)
    return Rendered(images, factors.float(), ("x", "y", "scale", "shape"))


def _every(*sizes: int) -> Tensor:
    """All combinations of values from 0 to each size less 1: (product, number of sizes)."""
    return torch.cartesian_prod(*(torch.arange(size) for size in sizes))


def _bump(pixels: int, centre: Tensor, width: float) -> Tensor:
    """A Gaussian bump around each centre, 1 at its top: (...) → (..., pixels)."""
    middle = torch.arange(pixels) + 0.5
    return torch.exp(-((middle - centre[..., None]) ** 2) / (2 * width**2))
