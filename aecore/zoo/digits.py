"""The classifier of digits: the judge of several chapters, and the features of their metrics."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecore.data.digits import digits
from aecore.models.classifier import DigitClassifier
from aecore.randomness import generator, initialise, seed
from aecore.training import History, fit
from aecore.zoo.train import trained


def digit_classifier() -> DigitClassifier:
    """A classifier of the training digits, the same in every chapter of one ``AECORE_SEED``.

    Trained for 12 epochs on digits that move by up to two pixels. Its ``features`` turn images
    (N, 1, 28, 28) into vectors (N, 64); call them under ``torch.no_grad()``.
    """
    model = trained("digit classifier", _make, _train, config={"epochs": 12}).model
    assert isinstance(model, DigitClassifier)
    return model


def _make(config: dict[str, Any]) -> nn.Module:
    return initialise(DigitClassifier(), generator("judge, weights"))


def _train(model: nn.Module, config: dict[str, Any]) -> History:
    train = digits().train
    return fit(
        model,
        _shifted_cross_entropy,
        (train.images, train.labels),
        epochs=config["epochs"],
        batch_size=64,
        lr=3e-3,
        schedule="cosine",
        seed=seed("judge"),
    )


def _shifted_cross_entropy(
    model: nn.Module, batch: tuple[Tensor, Tensor], generator: torch.Generator
) -> Tensor:
    images, labels = batch
    shift = torch.randint(-2, 3, (2,), generator=generator, device=generator.device)
    moved = images.roll(shift.tolist(), (2, 3))
    return F.cross_entropy(model(moved), labels, reduction="none")  # (B,)
