"""The data sets: tensors in [0, 1], split once and for all, with labels.

``digits()`` is the default everywhere and needs no download; ``full(name)`` is for replications.
``toy2d`` has densities in the plane, known in closed form.
"""

from aecore.data.digits import digits
from aecore.data.full import full
from aecore.data.splits import Labelled, Splits

__all__ = ["Labelled", "Splits", "digits", "full"]
