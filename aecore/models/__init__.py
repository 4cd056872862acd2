"""The models: one file a family, plain ``nn.Module``s, the equation in the class docstring."""

from aecore.models.autoencoder import Autoencoder, LinearAutoencoder
from aecore.models.classifier import DigitClassifier

__all__ = ["Autoencoder", "DigitClassifier", "LinearAutoencoder"]
