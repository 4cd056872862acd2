"""``fit``: the one training loop, for every model of the book.

    from aecore.training import fit

    history = fit(model, loss, images, epochs=10, seed=seed("fit"))

- ``start``       ``fit``: refuses what cannot be trained, sets the rest up, lets it run
- ``run``         the loop: what happens to a batch, after an epoch, and when a run stops early
- ``objective``   the loss as a module, and the error that stops a run when it is no number
- ``batches``     where the batches come from: tensors in memory, or a loader
- ``streams``     the random numbers of a run, apart from those of its caller
- ``checkpoint``  a run in one file, so that it can go on where it stopped
- ``interrupt``   Ctrl-C, answered between two steps
- ``history``     what a run leaves behind besides the weights
"""

from aecore.training.history import History
from aecore.training.objective import NonFiniteLoss
from aecore.training.start import fit

__all__ = ["History", "NonFiniteLoss", "fit"]
