"""The data sets: tensors in [0, 1], split once and for all, with labels.

``digits()`` is the default everywhere and needs no download; ``full(name)`` is for replications.
``faces()`` are drawn, from eight factors that are known; so are ``sprites()`` and
``three_sliders()``, from every combination of three or four. ``toy2d`` has densities in the plane,
known in closed form.
"""

from aecore.data.digits import digits
from aecore.data.faces import faces
from aecore.data.full import full
from aecore.data.splits import Labelled, Rendered, RenderedSplits, Splits
from aecore.data.sprites import sprites, three_sliders

__all__ = [
    "Labelled",
    "Rendered",
    "RenderedSplits",
    "Splits",
    "digits",
    "faces",
    "full",
    "sprites",
    "three_sliders",
]
