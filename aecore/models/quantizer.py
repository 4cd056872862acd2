r"""The vector quantiser: the nearest of K vectors in the place of a vector [oord2017neural].

``VectorQuantizer`` is the bottleneck of ``aecore.models.vector_quantized``; ``perplexity`` says how
much of its codebook is in use.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecore import checks


class Quantized(NamedTuple):
    """What leaves a quantiser."""

    vectors: Tensor  # (B, d, H, W), entries of the codebook; its gradient goes to the input
    codes: Tensor  # (B, H, W), which entries, int64
    codebook: Tensor  # (B,) ‖sg(z) - e‖², summed: pulls the codebook to the vectors
    commitment: Tensor  # (B,) ‖z - sg(e)‖², summed: pulls the vectors to the codebook


class VectorQuantizer(nn.Module):
    r"""$z \mapsto e_k$ with $k = \arg\min_j \lVert z - e_j\rVert$, for each of a grid of vectors.

    Forwards the value is $e_k$; backwards the step from $z$ to it is taken as the identity,
    *straight through*: its true gradient is 0 almost everywhere.

    In training mode the codebook follows the vectors. With $\gamma$ = ``decay``, in each batch

    $$n_k \leftarrow \gamma n_k + (1 - \gamma)\,\#\{z \mapsto e_k\},\qquad
    m_k \leftarrow \gamma m_k + (1 - \gamma)\sum_{z \mapsto e_k} z,\qquad
    e_k = m_k / n_k .$$

    Both begin at 0, so $e_k$ is at any time the mean of the vectors that were nearest to it, the
    older ones with weight $\gamma^{\text{age}}$. With ``learned=True`` the codebook is a parameter
    instead, and the loss has to contain ``codebook``.
    """

    def __init__(
        self, size: int, dimensions: int, *, decay: float = 0.99, learned: bool = False
    ) -> None:
        super().__init__()
        self.size = checks.integer("size", size, low=2)
        self.dimensions = checks.integer("dimensions", dimensions)
        self.decay = checks.number("decay", decay, low=0)
        if decay >= 1:
            raise ValueError(f"decay must be below 1, got {decay}")
        checks.instance("learned", learned, bool)
        self.codebook = nn.Parameter(torch.empty(size, dimensions), requires_grad=learned)  # e
        self.counts: Tensor
        self.sums: Tensor
        self.register_buffer("counts", torch.zeros(size))  # n
        self.register_buffer("sums", torch.zeros(size, dimensions))  # m
        self.redraw()

    @torch.no_grad()
    def redraw(self, generator: torch.Generator | None = None) -> None:
        """Begin anew with entries drawn from U(-1/K, 1/K), as ``aecore.randomness`` asks."""
        self.codebook.uniform_(-1 / self.size, 1 / self.size, generator=generator)
        self.counts.zero_()
        self.sums.zero_()

    @torch.no_grad()
    def start_at(self, z: Tensor, generator: torch.Generator) -> "VectorQuantizer":
        """Begin with entries that are random vectors of ``z`` (B, d, H, W); return self."""
        rows = self._rows(z)
        self.codebook.copy_(_drawn(rows, self.size, generator))
        self.counts.zero_()
        self.sums.zero_()
        return self

    def forward(self, z: Tensor, generator: torch.Generator | None = None) -> Quantized:
        r"""(B, d, H, W) → the nearest entries.

        With a ``generator``, in training mode, entries that died are *restarted*: those with
        $n_k$ under a tenth of the mean of all $n$ become random vectors of the batch, with the
        $n_k$ of an average entry.
        """
        rows = self._rows(z)  # (N, d)
        codes = self._nearest(rows)  # (N,)
        if self.training and rows.isfinite().all():  # else the loop stops at the loss
            self._follow(rows.detach(), codes, generator)
        entries = self.codebook[codes].reshape(len(z), *z.shape[2:], -1).movedim(-1, 1)
        return Quantized(
            entries.detach() + (z - z.detach()),  # the value of e to the last digit
            codes.reshape(len(z), *z.shape[2:]),
            (z.detach() - entries).square().flatten(1).sum(1),
            (z - entries.detach()).square().flatten(1).sum(1),
        )

    def nearest(self, rows: Tensor) -> Tensor:
        r"""The nearest entries of vectors, by $\lVert e\rVert^2 - 2\,z\cdot e$: (N, d) → (N,)."""
        checks.tensor("rows", rows, ("N", self.dimensions))
        return self._nearest(rows)

    @torch.no_grad()
    def _nearest(self, rows: Tensor) -> Tensor:
        scores = self.codebook.square().sum(1) - 2 * rows @ self.codebook.t()  # (N, K)
        return scores.argmin(1)

    def look_up(self, codes: Tensor) -> Tensor:
        """The entries of a grid of codes: (B, H, W) → (B, d, H, W)."""
        check_codes("codes", codes, self.size, ndim=3)
        return self.codebook[codes].movedim(-1, 1)

    @torch.no_grad()
    def _follow(self, rows: Tensor, codes: Tensor, generator: torch.Generator | None) -> None:
        chosen = F.one_hot(codes, self.size).to(rows.dtype)  # (N, K)
        self.counts.lerp_(chosen.sum(0), 1 - self.decay)
        self.sums.lerp_(chosen.t() @ rows, 1 - self.decay)
        if not self.codebook.requires_grad:
            # an entry that nothing has been near to for long stays where it is
            used = self.counts > torch.finfo(rows.dtype).tiny
            self.codebook[used] = self.sums[used] / self.counts[used, None]
        if generator is None:
            return
        mean = self.counts.mean()
        dead = torch.nonzero(self.counts < 0.1 * mean).flatten()
        self.codebook[dead] = _drawn(rows, len(dead), generator)
        self.counts[dead] = mean
        self.sums[dead] = mean * self.codebook[dead]

    def _rows(self, z: Tensor) -> Tensor:
        # not finite=True: a diverging model is stopped by the training loop, which names the step
        checks.tensor("z", z, ("B", self.dimensions, "H", "W"), finite=False)
        return z.movedim(1, -1).flatten(0, 2)  # (B·H·W, d)


def perplexity(codes: Tensor, size: int) -> float:
    r"""$\exp\bigl(-\sum_k p_k \log p_k\bigr)$ with $p_k$ the share of ``codes`` that are $k$.

    How many of the ``size`` entries are in use, as if equally: ``size`` if all are, 1 if one is.
    Of few codes it is too low, and at most their number: compare at one number of them.
    """
    checks.integer("size", size)
    check_codes("codes", codes, size)
    shares = codes.flatten().bincount(minlength=size).double() / codes.numel()
    return math.exp(torch.special.entr(shares).sum().item())


def _drawn(rows: Tensor, number: int, generator: torch.Generator) -> Tensor:
    checks.instance("generator", generator, torch.Generator)
    chosen = torch.randint(len(rows), (number,), generator=generator, device=generator.device)
    return rows[chosen.to(rows.device)]


def check_codes(name: str, value: Tensor, size: int, ndim: int | None = None) -> None:
    """Refuse what is not int64, empty, or not from 0 to ``size`` - 1; if 3, not (B, H, W)."""
    checks.instance(name, value, Tensor)
    if value.dtype != torch.int64:
        raise TypeError(f"{name} must be int64, got {value.dtype}")
    if ndim is not None and value.ndim != ndim:
        raise ValueError(f"{name} must have shape (B, H, W), got {tuple(value.shape)}")
    if not value.numel():
        raise ValueError(f"{name} must not be empty, got shape {tuple(value.shape)}")
    low, high = (int(v) for v in value.aminmax())
    if low < 0 or high >= size:
        raise ValueError(f"{name} must be from 0 to {size - 1}, got {low} to {high}")
