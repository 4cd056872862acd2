"""How sparse a code is, and what its units are: counts, places, classes, and whether they recur."""

import torch
from torch import Tensor
from torch.nn import functional as F

from aecore import checks


def l0(codes: Tensor) -> Tensor:
    r"""$\lVert z \rVert_0$, how many units are not exactly 0: (N, units) → (N,), whole numbers."""
    checks.tensor("codes", codes, ("N", "units"))
    return (codes != 0).sum(1)  # (N,)


def dead_units(codes: Tensor) -> Tensor:
    """Which units are 0 for every example: (N, units) → (units,), bool."""
    checks.tensor("codes", codes, ("N", "units"))
    return (codes == 0).all(0)  # (units,)


def energy_in_window(images: Tensor, side: int) -> Tensor:
    r"""The largest share of $\sum_i x_i^2$ that a square of ``side`` pixels can hold: (N,).

    ``images``: (N, 1, H, W), such as atoms. ``(side / H)²`` for an even image, 1 for one that fits
    into the square. ``ValueError`` for an image that is 0 everywhere.
    """
    checks.tensor("images", images, ("N", 1, "H", "W"))
    checks.integer("side", side, high=min(images.shape[2:]))
    energy = images.square()
    total = energy.sum((1, 2, 3))  # (N,)
    if not bool((total > 0).all()):
        raise ValueError("images must have a value other than 0 in each image, got an empty one")
    best = F.avg_pool2d(energy, side, stride=1).flatten(1).amax(1) * side**2
    return best / total  # (N,)


def top_purity(codes: Tensor, labels: Tensor, top: int) -> Tensor:
    """Of the ``top`` examples with the largest value of a unit, the share in the commonest class.

    ``codes``: (N, units), ``labels``: (N,), int64. Returns (units,); 1 for a unit whose strongest
    examples are all of one class, about 1 / classes for one that takes no notice of the class.
    """
    checks.tensor("codes", codes, ("N", "units"))
    checks.instance("labels", labels, Tensor)
    if labels.dtype != torch.int64 or labels.shape != codes.shape[:1]:
        raise ValueError(
            f"labels must be int64 of shape ({len(codes)},), one for each row of codes, "
            f"got {labels.dtype} {tuple(labels.shape)}"
        )
    checks.integer("top", top, high=len(codes))
    named = labels[codes.topk(top, dim=0).indices]  # (top, units)
    return F.one_hot(named).sum(0).amax(1) / top  # (units,)


def best_cosines(atoms: Tensor, others: Tensor) -> Tensor:
    r"""$\max_k \cos(d_j, d'_k)$: how closely each atom is found again among the ``others``.

    ``atoms``: (units, d), ``others``: (any number, d), none of them 0. Returns (units,), at most 1.
    """
    checks.tensor("atoms", atoms, ("units", "d"))
    checks.tensor("others", others, ("units", "d"))
    if atoms.shape[1] != others.shape[1]:
        raise ValueError(
            f"others must have the width of atoms, {atoms.shape[1]}, got {others.shape[1]}"
        )
    for name, rows in (("atoms", atoms), ("others", others)):
        if not bool((rows != 0).any(1).all()):
            raise ValueError(f"{name} must have a value other than 0 in each row, got a row of 0")
    return (F.normalize(atoms) @ F.normalize(others).t()).amax(1)  # (units,)
