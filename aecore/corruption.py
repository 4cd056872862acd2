"""Ways to spoil an example: the input of a denoising autoencoder [vincent2008extracting].

Pure functions. The numbers come from ``generator``, which lives on the device of the data, as the
one does that ``training.fit`` hands to a loss. Each docstring gives the law of a spoilt value
x̃ whose clean value is x; values are spoilt independently, except for those of one patch.
"""

import torch
from torch import Tensor

from aecore import checks


def gaussian(x: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    r"""$\tilde x = x + \sigma\varepsilon$, $\varepsilon \sim \mathcal N(0, 1)$.

    Mean $x$, variance $\sigma^2$. ``x``: of any shape, which is kept. The result is not clipped:
    it leaves the range of the data.
    """
    _data("x", x, generator)
    checks.number("sigma", sigma, low=0)
    noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return x + sigma * noise


def masking(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    r"""$\tilde x = 0$ with probability ``share``, else $x$.

    Mean $(1-s)\,x$, variance $s(1-s)\,x^2$ for a share $s$ in [0, 1]. ``x``: of any shape, which is
    kept. It is dropout [srivastava2014dropout] without the division by $1-s$.
    """
    _data("x", x, generator)
    checks.number("share", share, low=0, high=1)
    return x * (_uniform(x, generator) >= share)


def salt_and_pepper(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    r"""$\tilde x = 0$ or $1$, each with probability ``share`` / 2, else $x$.

    Mean $(1-s)\,x + s/2$ for a share $s$ in [0, 1]; variance $(1-s)\,x^2 + s/2$ less its square.
    ``x``: of any shape, which is kept, in [0, 1].
    """
    _data("x", x, generator)
    checks.tensor("x", x, low=0, high=1)
    checks.number("share", share, low=0, high=1)
    draw = _uniform(x, generator)
    spoilt = torch.where(draw < share, 1.0, x)
    return torch.where(draw < share / 2, 0.0, spoilt)


def mask_patches(
    images: Tensor, share: float, patch: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Hide whole squares: the images with 0 there, and a mask that is true where 0 was put.

    ``images``: (B, C, H, W), cut into squares of ``patch`` pixels, which must divide H and W. In
    each image the same number of squares is hidden, ``share`` of all, rounded; which ones is drawn
    anew for each. Returns (B, C, H, W) and (B, 1, H, W) bool.
    """
    _data("images", images, generator)
    checks.tensor("images", images, ("B", "C", "H", "W"))
    checks.number("share", share, low=0, high=1)
    checks.integer("patch", patch)
    batch, _, height, width = images.shape
    if height % patch or width % patch:
        raise ValueError(
            f"patch must divide the height {height} and width {width} of images, got {patch}"
        )
    down, across = height // patch, width // patch
    places = torch.rand((batch, down * across), generator=generator, device=images.device)
    hidden = places.argsort(1) < round(share * down * across)  # as many in each row
    hidden = hidden.reshape(batch, 1, down, across)
    hidden = hidden.repeat_interleave(patch, 2).repeat_interleave(patch, 3)  # (B, 1, H, W)
    return images.masked_fill(hidden, 0), hidden


def _uniform(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def _data(name: str, value: Tensor, generator: torch.Generator) -> None:
    checks.instance(name, value, Tensor)
    checks.instance("generator", generator, torch.Generator)
    if generator.device.type != value.device.type:
        raise ValueError(
            f"generator must be on the device of {name}, {value.device.type}, "
            f"got {generator.device.type}"
        )
    checks.tensor(name, value)
