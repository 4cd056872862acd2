"""How good generated images are, beside what a judge says: sharpness and variety."""

from torch import Tensor

from aecore import checks


def sharpness(images: Tensor) -> Tensor:
    r"""The mean squared step to the next pixel, across and down, added: (N, C, H, W) → (N,).

    In squared units of the data; 0 for an even image. H and W must be at least 2. Noise
    raises it as edges do, so it compares images that are free of noise.
    """
    checks.tensor("images", images, ("N", "C", "H", "W"))
    if min(images.shape[2:]) < 2:
        raise ValueError(
            f"images must be at least 2 pixels high and wide, got {tuple(images.shape)}"
        )
    across, down = images.diff(dim=3), images.diff(dim=2)
    return across.square().mean((1, 2, 3)) + down.square().mean((1, 2, 3))  # (N,)


def variety(images: Tensor) -> float:
    r"""$\frac1N \sum_n \lVert x_n - \bar x \rVert^2$: the variance of images, summed over pixels.

    ``images``: (N, …), in squared units of the data. 0 if all are the same: a model that has
    learned one good image has none, whatever a judge says of that image.
    """
    checks.tensor("images", images)
    if images.ndim < 2:
        raise ValueError(f"images must have shape (N, …), got {tuple(images.shape)}")
    return (images - images.mean(0)).square().flatten(1).sum(1).mean().item()
