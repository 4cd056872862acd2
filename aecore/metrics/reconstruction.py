"""How close a reconstruction is: squared error an image, PSNR, SSIM, explained variance.

The first argument is the reconstruction, the second the original. Values are those of images in
[0, 1]; a reconstruction may leave the range.
"""

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from aecore import checks
from aecore.objectives import squared_error


def squared_error_per_image(reconstruction: Tensor, original: Tensor) -> float:
    r"""$\frac1N \sum_n \lVert \hat x_n - x_n \rVert^2$: summed over pixels, averaged over images.

    Both (N, …). The number that [hinton2006reducing] reports; divided by the number of pixels it
    is the mean squared error.
    """
    _images(reconstruction, original)
    return squared_error(reconstruction, original).mean().item()


def psnr(reconstruction: Tensor, original: Tensor) -> Tensor:
    r"""Peak signal-to-noise ratio of each image, $-10 \log_{10} \mathrm{MSE}$, in decibels.

    Both (N, …), peak 1. Returns (N,); infinite for a perfect copy.
    """
    _images(reconstruction, original)
    checks.tensor("original", original, low=0, high=1)
    return -10 * (squared_error(reconstruction, original) / original[0].numel()).log10()  # (N,)


def ssim(reconstruction: Tensor, original: Tensor) -> Tensor:
    """Structural similarity of each image [wang2004image], at most 1, by scikit-image.

    Both (N, C, H, W) with H and W at least 7, the side of the window. Returns (N,).
    """
    _images(reconstruction, original)
    checks.tensor("original", original, ("N", "C", "H", "W"), low=0, high=1)
    if min(original.shape[2:]) < 7:
        raise ValueError(
            f"original must be at least 7 pixels high and wide, got {tuple(original.shape)}"
        )
    pairs = zip(reconstruction.numpy(force=True), original.numpy(force=True), strict=True)
    values = [
        structural_similarity(a, b, channel_axis=0, data_range=1.0)  # type: ignore[no-untyped-call]
        for a, b in pairs
    ]
    return torch.from_numpy(np.array(values, dtype=np.float32))  # (N,)


def explained_variance(reconstruction: Tensor, original: Tensor) -> float:
    r"""$1 - \sum_n \lVert \hat x_n - x_n \rVert^2 / \sum_n \lVert x_n - \bar x \rVert^2$.

    Both (N, …). 1 for a perfect copy, 0 for the mean image, below 0 for worse than that.
    """
    _images(reconstruction, original)
    total = (original - original.mean(0)).square().sum()
    if bool((original == original[0]).all()):  # the mean is rounded, so total may not be 0
        raise ValueError("original must vary between images: all are the same, nothing to explain")
    return (1 - (reconstruction - original).square().sum() / total).item()


def _images(reconstruction: Tensor, original: Tensor) -> None:
    checks.tensor("reconstruction", reconstruction)
    checks.tensor("original", original)
    checks.same_shape("reconstruction", reconstruction, "original", original)
    if original.ndim < 2:
        raise ValueError(f"original must have shape (N, …), got {tuple(original.shape)}")
