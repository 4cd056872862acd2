"""A small convolutional regressor of factors: the judge of the faces, not one of the subjects."""

from torch import Tensor, nn

from aecore import checks


class FactorRegressor(nn.Module):
    r"""$\hat f(x) = W\,\mathrm{relu}(V h(4x - 2) + a) + b$ with $h$ three convolutions.

    Images are (B, 3, 64, 64) in [0, 1]; the outputs estimate their ``factors``. ``features`` is
    $h$: its first layers serve as a space in which two images can be compared, besides pixels.
    They see a picture stretched to [-2, 2]: with inputs around 0 it learns several times faster.
    """

    def __init__(self, factors: int) -> None:
        super().__init__()
        self.factors = checks.integer("factors", factors)
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 4, stride=2, padding=1),  # (B, 16, 32, 32)
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),  # (B, 32, 16, 16)
            nn.ReLU(),
            nn.Conv2d(32, 32, 4, stride=2, padding=1),  # (B, 32, 8, 8)
            nn.ReLU(),
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(32 * 8 * 8, 64),  # (B, 64)
            nn.ReLU(),
            nn.Linear(64, factors),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The factors of a batch of images: (B, 3, 64, 64) → (B, factors)."""
        checks.tensor("x", x, ("B", 3, 64, 64), finite=False)
        estimates: Tensor = self.head(self.features(4 * x - 2))
        return estimates  # (B, factors)
