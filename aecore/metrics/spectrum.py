"""How much of an image alternates from pixel to pixel: the power near the Nyquist frequency."""

import torch
from torch import Tensor

from aecore import checks

BAND = 0.875  # of the Nyquist frequency, half a cycle a pixel: what lies above counts


def near_nyquist_power(images: Tensor) -> Tensor:
    r"""The mean square of what an ideal filter leaves of an image: (N, C, H, W) → (N,).

    The filter passes the frequencies whose larger part, across or down, is at least 7/8 of half a
    cycle a pixel, the highest that pixels can show. So a checkerboard of ±1 has 1, and so have
    stripes one pixel wide; an even image has 0. In squared units of the data, the mean over
    channels. H and W must be at least 2.
    """
    checks.tensor("images", images, ("N", "C", "H", "W"))
    height, width = images.shape[2:]
    if min(height, width) < 2:
        raise ValueError(
            f"images must be at least 2 pixels high and wide, got {tuple(images.shape)}"
        )
    down, across = (2 * torch.fft.fftfreq(n, device=images.device).abs() for n in (height, width))
    passed = torch.maximum(down[:, None], across[None, :]) >= BAND  # (H, W)
    power = torch.fft.fft2(images, norm="forward").abs().square()  # sums to the mean square
    kept: Tensor = power * passed
    return kept.sum((2, 3)).mean(1)  # (N,)
