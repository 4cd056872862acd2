"""Models of digits that several chapters share: a judge, a VAE, and a diffusion of pixels."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecore.data.digits import digits
from aecore.models.adversarial import VAEGAN, ImageDiscriminator, ImageGenerator, vae_gan_loss
from aecore.models.classifier import DigitClassifier
from aecore.models.denoisers import ImageDenoiser
from aecore.models.diffusion import Diffusion, cosine_schedule, diffusion_loss
from aecore.randomness import generator, initialise, seed
from aecore.training import History, fit
from aecore.zoo.train import Trained, trained


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


def digit_vae() -> Trained:
    """A VAE of the training digits with 16 latents, the same in every chapter of one seed.

    The model is a ``VAEGAN`` whose opponent is still untrained: an MLP encoder, 784 → 256 → 32, a
    small convolutional decoder, and the bound with the Bernoulli likelihood. 1000 steps of 64
    digits.
    """
    config = {"steps": 1000, "batch_size": 64, "lr": 2e-3, "latent": 16}
    return trained("vae digits", _make_vae, _train_vae, config=config)


def _make_vae(config: dict[str, Any]) -> nn.Module:
    latent = config["latent"]
    encoder = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 2 * latent))
    opponent = ImageDiscriminator(16, dropout=0.3)
    model = VAEGAN(encoder, ImageGenerator(latent), opponent, latent)
    return initialise(model, generator("VAE, weights"))


def _train_vae(model: nn.Module, config: dict[str, Any]) -> History:
    return fit(
        model,
        partial(vae_gan_loss, weight=0),
        digits().train.vectors,
        steps=config["steps"],
        batch_size=config["batch_size"],
        lr=config["lr"],
        schedule="cosine",
        seed=seed("VAE"),
    )


def digit_diffusion() -> Trained:
    """A ``Diffusion`` of the training digits' pixels, scaled to [−1, 1]: the same likewise.

    An ``ImageDenoiser`` of two blocks of 64 channels that says v, over 1000 steps of noise. 4000
    steps of 16 digits.
    """
    config = {"steps": 4000, "batch_size": 16, "lr": 1e-3, "channels": 64, "blocks": 2}
    return trained("diffusion digits", _make_diffusion, _train_diffusion, config=config)


def _make_diffusion(config: dict[str, Any]) -> nn.Module:
    network = ImageDenoiser(config["channels"], config["blocks"])
    model = Diffusion(network, cosine_schedule(1000), "v")
    return initialise(model, generator("diffusion, weights"))


def _train_diffusion(model: nn.Module, config: dict[str, Any]) -> History:
    return fit(
        model,
        diffusion_loss,
        2 * digits().train.vectors - 1,
        steps=config["steps"],
        batch_size=config["batch_size"],
        lr=config["lr"],
        schedule="cosine",
        seed=seed("diffusion"),
    )
