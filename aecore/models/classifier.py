"""A small convolutional classifier of digits: the book's judge, not one of its subjects."""

from torch import Tensor, nn

from aecore import checks


class DigitClassifier(nn.Module):
    r"""$p(y \mid x) = \mathrm{softmax}(W h(x) + b)$ with $h$ two convolutions and a linear layer.

    Images are (B, 1, 28, 28) in [0, 1]; the ten outputs are logits. The 64 features $h(x)$ serve
    to measure how far an image is from real digits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2),  # (B, 16, 14, 14)
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),  # (B, 32, 7, 7)
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(32 * 7 * 7, 64),  # (B, 64)
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """The logits of a batch of images: (B, 1, 28, 28) → (B, 10)."""
        checks.tensor("x", x, ("B", 1, 28, 28), finite=False)
        logits: Tensor = self.head(self.features(x))
        return logits  # (B, 10)
