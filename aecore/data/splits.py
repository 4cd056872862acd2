"""What a data set is here: images and labels, in three parts that never mix."""

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
