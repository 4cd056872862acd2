"""The models: one file a family, plain ``nn.Module``s, the equation in the class docstring."""

from aecore.models.autoencoder import Autoencoder, LinearAutoencoder

__all__ = ["Autoencoder", "LinearAutoencoder"]
