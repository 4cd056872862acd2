"""The models: one file a family, plain ``nn.Module``s, the equation in the class docstring."""

from aecore.models.autoencoder import Autoencoder, LinearAutoencoder
from aecore.models.classifier import DigitClassifier
from aecore.models.convolutional import ConvolutionalVAE
from aecore.models.quantizer import VectorQuantizer
from aecore.models.regressor import FactorRegressor
from aecore.models.sparse import SparseAutoencoder, TopK, WinnerTakeAll
from aecore.models.variational import VariationalAutoencoder
from aecore.models.vector_quantized import TwoLevelAutoencoder, VectorQuantizedAutoencoder

__all__ = [
    "Autoencoder",
    "ConvolutionalVAE",
    "DigitClassifier",
    "FactorRegressor",
    "LinearAutoencoder",
    "SparseAutoencoder",
    "TopK",
    "TwoLevelAutoencoder",
    "VariationalAutoencoder",
    "VectorQuantizedAutoencoder",
    "VectorQuantizer",
    "WinnerTakeAll",
]
