"""Sparse autoencoders: a dictionary of many atoms, and codes that use few of them.

``SparseAutoencoder`` is one layer each way [ng2011sparse, bricken2023monosemanticity]. What leaves
few units on is a penalty on the code (``aecore.penalties.sparsity``) or one of two rules that stand
in the place of the activation: ``TopK`` [makhzani2014ksparse] and ``WinnerTakeAll``
[makhzani2015winner].
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecore import checks


class SparseAutoencoder(nn.Module):
    r"""$z = a(W(x - b) + c)$, $\hat x = b + \sum_j z_j d_j$ with atoms $\lVert d_j \rVert = 1$.

    ``activation`` is the module $a$: ``nn.ReLU()``, ``nn.Sigmoid()``, ``TopK(16)``, ... It gets and
    returns (B, units). The atoms $d_j$ are the columns of the decoder's weight, divided by their
    norms: a penalty on $z$ cannot be escaped by small codes and long atoms. With
    ``unit_norm=False`` they are the columns as they are, for codes that are bounded themselves.
    """

    def __init__(
        self, inputs: int, units: int, activation: nn.Module, *, unit_norm: bool = True
    ) -> None:
        super().__init__()
        self.inputs = checks.integer("inputs", inputs)
        self.units = checks.integer("units", units)
        checks.instance("activation", activation, nn.Module)
        checks.instance("unit_norm", unit_norm, bool)
        self.encoder = nn.Linear(inputs, units)  # W, c
        self.activation = activation
        self.decoder = nn.Linear(units, inputs)  # its bias is b
        self.unit_norm = unit_norm

    @torch.no_grad()
    def start_at(self, x: Tensor) -> "SparseAutoencoder":
        r"""Begin with $b$ = the mean of ``x`` (N, inputs), $W = D^\top$ and $c = 0$; return self.

        Encoder rows that begin along the atoms leave fewer units dead [gao2025scaling].
        """
        checks.tensor("x", x, ("N", self.inputs))
        self.decoder.bias.copy_(x.mean(0))
        self.encoder.weight.copy_(self.atoms)
        self.encoder.bias.zero_()
        return self

    @property
    def atoms(self) -> Tensor:
        """The atoms as rows: (units, inputs)."""
        return self.decoder.weight.t() / self._norms()[:, None]

    def preactivations(self, x: Tensor) -> Tensor:
        """$W(x - b) + c$: (B, inputs) → (B, units)."""
        # not finite=True: a diverging model is stopped by the training loop, which names the step
        checks.tensor("x", x, ("B", self.inputs), finite=False)
        drive: Tensor = self.encoder(x - self.decoder.bias)
        return drive  # (B, units)

    def encode(self, x: Tensor) -> Tensor:
        """The codes of a batch: (B, inputs) → (B, units)."""
        codes: Tensor = self.activation(self.preactivations(x))
        return codes  # (B, units)

    def decode(self, z: Tensor) -> Tensor:
        """The sums of atoms for a batch of codes: (B, units) → (B, inputs)."""
        checks.tensor("z", z, ("B", self.units), finite=False)
        # the few codes are divided by the norms, not the many weights
        return F.linear(z / self._norms(), self.decoder.weight, self.decoder.bias)

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of a batch: (B, inputs) → (B, inputs)."""
        return self.decode(self.encode(x))

    def _norms(self) -> Tensor:
        weight = self.decoder.weight  # (inputs, units)
        if not self.unit_norm:
            return weight.new_ones(self.units)
        lengths: Tensor = torch.linalg.vector_norm(weight, dim=0)
        return lengths.clamp_min(1e-12)  # (units,)


class TopK(nn.Module):
    r"""The ``k`` largest of $\max(0, a_j)$ in each row, the others 0 [makhzani2014ksparse]."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = checks.integer("k", k)

    def forward(self, a: Tensor) -> Tensor:
        """(B, units) → (B, units), at most ``k`` in a row greater than 0."""
        checks.tensor("a", a, ("B", "units"), finite=False)
        checks.integer("k", self.k, high=a.shape[1])
        values, places = a.relu().topk(self.k, dim=1)  # (B, k)
        return torch.zeros_like(a).scatter(1, places, values)


class WinnerTakeAll(nn.Module):
    r"""Of each unit's $\max(0, a_j)$ over the batch, the largest share stays [makhzani2015winner].

    So in training every unit fires on the same share of examples, ``rate``, rounded up to whole
    ones. In evaluation mode there is no batch to compete in, and it is a plain ReLU.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = checks.number("rate", rate, above=0, high=1)

    def forward(self, a: Tensor) -> Tensor:
        """(B, units) → (B, units)."""
        checks.tensor("a", a, ("B", "units"), finite=False)
        z = a.relu()
        if not self.training:
            return z
        winners = math.ceil(self.rate * len(z))
        values, places = z.topk(winners, dim=0)  # (winners, units)
        return torch.zeros_like(z).scatter(0, places, values)
