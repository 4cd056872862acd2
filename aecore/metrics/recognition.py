"""What passes for a digit: a judge that can say no.

A classifier's certainty is not enough: it names a class for uniform noise, and often with
confidence. So an image has to be near the real digits too, in the classifier's own features.
"""

import torch
from torch import Tensor

from aecore import checks
from aecore.data.splits import Labelled
from aecore.models.classifier import DigitClassifier

REAL = 0.95  # of real digits pass each of the two tests


class Judge:
    r"""An image is a digit if $\max_y p(y \mid x) \ge \tau$ and $\min_n \lVert h(x) - h(x_n) \rVert
    \le \delta$.

    The minimum runs over the ``reference`` digits. $\tau$ and $\delta$ are set on the ``held_out``
    digits so that 95 % of them pass each test; a judge of these two tests therefore lets about
    nine in ten real digits pass, and a rate has to be read beside that of real digits.
    """

    def __init__(
        self, classifier: DigitClassifier, reference: Labelled, held_out: Labelled
    ) -> None:
        checks.instance("classifier", classifier, DigitClassifier)
        checks.instance("reference", reference, Labelled)
        checks.instance("held_out", held_out, Labelled)
        checks.tensor("reference", reference.images, ("N", 1, 28, 28))
        checks.tensor("held_out", held_out.images, ("N", 1, 28, 28))
        self.classifier = classifier.eval()
        self._reference = self._look(reference.images)[0]
        features, certainty, _ = self._look(held_out.images)
        self.certainty = certainty.quantile(1 - REAL).item()
        self.distance = self._nearest(features).quantile(REAL).item()

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """For images (N, 1, 28, 28): whether each is a digit, (N,) bool, and its class, (N,)."""
        checks.tensor("images", images, ("N", 1, 28, 28))
        features, certainty, classes = self._look(images)
        near = self._nearest(features) <= self.distance
        return near & (certainty >= self.certainty), classes

    @torch.no_grad()
    def _look(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.classifier.features(images)  # (N, 64)
        certainty, classes = self.classifier.head(features).softmax(1).max(1)
        return features, certainty, classes

    def _nearest(self, features: Tensor) -> Tensor:
        return torch.cdist(features, self._reference).amin(1)  # (N,)
