"""What a data set is here: images and labels, or factors, in three parts that never mix."""

from dataclasses import dataclass

import torch
from torch import Tensor

from aecore import checks


@dataclass(frozen=True)
class Labelled:
    """Images with labels.

    ``images``: float32, shape (N, C, H, W), values in [0, 1]. ``labels``: int64, shape (N,).
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        checks.tensor("images", self.images, ("N", "C", "H", "W"), low=0, high=1)
        if self.images.dtype != torch.float32:
            raise TypeError(f"images must be float32, got {self.images.dtype}")
        checks.instance("labels", self.labels, Tensor)
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels must be int64 of shape ({len(self.images)},), "
                f"got {self.labels.dtype} of shape {tuple(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Labelled({len(self)} images of shape {tuple(self.images.shape[1:])})"

    @property
    def vectors(self) -> Tensor:
        """The images as rows of pixels, shape (N, C·H·W)."""
        return self.images.flatten(1)  # (N, d)


@dataclass(frozen=True)
class Splits:
    """Train to fit, validation to choose, test to report: once."""

    train: Labelled
    validation: Labelled
    test: Labelled

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            checks.instance(name, getattr(self, name), Labelled)


@dataclass(frozen=True)
class Rendered:
    """Images that were drawn from factors: numbers that say all that an image shows.

    ``images``: float32, shape (N, C, H, W), values in [0, 1]. ``factors``: float32, shape (N, K),
    one column for each of the ``names``.
    """

    images: Tensor
    factors: Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        checks.tensor("images", self.images, ("N", "C", "H", "W"), low=0, high=1)
        checks.instance("names", self.names, tuple)
        checks.tensor("factors", self.factors, (len(self.images), len(self.names)))
        for name in ("images", "factors"):
            if getattr(self, name).dtype != torch.float32:
                raise TypeError(f"{name} must be float32, got {getattr(self, name).dtype}")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = tuple(self.images.shape[1:])
        return f"Rendered({len(self)} images of shape {shape}: {', '.join(self.names)})"

    @property
    def vectors(self) -> Tensor:
        """The images as rows of pixels, shape (N, C·H·W)."""
        return self.images.flatten(1)  # (N, d)


@dataclass(frozen=True)
class RenderedSplits:
    """Train to fit, validation to choose, test to report: once."""

    train: Rendered
    validation: Rendered
    test: Rendered

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            checks.instance(name, getattr(self, name), Rendered)
