r"""A prior over grids of codes, one code after the other: the chain rule and nothing else.

- ``CodePrior``  $p(c) = \prod_i p(c_i \mid c_{<i})$, exact, and easy to draw from
- ``code_loss``  $-\log p(c)$, for ``aecore.training.fit``

In the reading order of the places it is a PixelCNN [oord2016pixel] with one masked layer, and like
a VQ-VAE's prior it is trained on codes whose autoencoder stays as it is [oord2017neural].
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aecore import checks
from aecore.models.quantizer import check_codes


class CodePrior(nn.Module):
    r"""$p(c) = \prod_{i=1}^{HW} p(c_i \mid c_{<i})$ for grids (B, H, W) of codes from 0 to K − 1.

    The places are read row by row. What is known at a place is the window of codes before it:
    ``reach`` rows above, ``reach`` columns to either side, and what stands left of it in its own
    row. Each code is looked up in a table $E$, and an MLP that all places share, but for a bias
    $b_i$ of their own, says the next one:

    $$p(c_i \mid c_{<i}) = \mathrm{softmax}\bigl(\mathrm{MLP}(W[E_{c_j}]_{j \in \text{window}(i)}
    + b_i)\bigr).$$

    Beyond the border stands a code of its own, the K-th.
    """

    window: Tensor

    def __init__(
        self,
        size: int,
        height: int,
        width: int,
        *,
        reach: int = 2,
        features: int = 16,
        hidden: int = 256,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.size = checks.integer("size", size, low=2)  # K
        self.height, self.width = checks.integer("height", height), checks.integer("width", width)
        checks.integer("reach", reach)
        checks.integer("features", features)
        checks.integer("hidden", hidden)
        checks.number("dropout", dropout, low=0, high=1)
        self.register_buffer("window", _windows(height, width, reach))  # (HW, P)
        inputs = self.window.shape[1] * features
        self.table = nn.Parameter(torch.randn(size + 1, features))  # E
        self.place = nn.Parameter(torch.zeros(height * width, hidden))  # b
        self.first = nn.Linear(inputs, hidden)  # W
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, size)
        self.dropout = nn.Dropout(dropout)

    def redraw(self, generator: torch.Generator) -> None:
        """Begin anew with a table of standard normal numbers: ``initialise`` calls this."""
        nn.init.normal_(self.table, generator=generator)
        nn.init.zeros_(self.place)

    def forward(self, codes: Tensor) -> Tensor:
        r"""The logits of $p(c_i \mid c_{<i})$ at every place: (B, H, W) → (B, H, W, K)."""
        self._check(codes)
        return self._next(codes.flatten(1), slice(None)).reshape(*codes.shape, self.size)

    def log_prob(self, codes: Tensor) -> Tensor:
        r"""$\log p(c) = \sum_i \log p(c_i \mid c_{<i})$, in nats: (B, H, W) → (B,)."""
        log_shares = self.forward(codes).log_softmax(-1)  # (B, H, W, K)
        return log_shares.gather(-1, codes[..., None]).flatten(1).sum(1)

    @torch.no_grad()
    def sample(
        self, number: int, generator: torch.Generator, *, temperature: float = 1.0
    ) -> Tensor:
        r"""Draw grids, place by place: (number, H, W), int64. Call it in evaluation mode.

        The logits are divided by ``temperature``: at 1 the draws are the model's own, towards 0
        each place takes its likeliest code.
        """
        checks.integer("number", number)
        checks.instance("generator", generator, torch.Generator)
        checks.number("temperature", temperature, above=0)
        places = self.height * self.width
        flat = torch.zeros(number, places, dtype=torch.int64, device=self.table.device)
        for i in range(places):  # what is not yet drawn is in no window of i
            logits = self._next(flat, slice(i, i + 1))[:, 0] / temperature  # (number, K)
            flat[:, i] = logits.softmax(1).multinomial(1, generator=generator)[:, 0]
        return flat.reshape(number, self.height, self.width)

    def _next(self, flat: Tensor, places: slice) -> Tensor:
        """The logits at some places of flat grids: (B, HW) → (B, places, K)."""
        known = F.pad(flat, (0, 1), value=self.size)[:, self.window[places]]  # (B, places, P)
        read = F.embedding(known, self.table).flatten(2)
        h = self.dropout(F.relu(self.first(read) + self.place[places]))  # (B, places, hidden)
        h = self.dropout(h + F.relu(self.second(h)))
        logits: Tensor = self.last(h)
        return logits

    def _check(self, codes: Tensor) -> None:
        check_codes("codes", codes, self.size, ndim=3)
        if codes.shape[1:] != (self.height, self.width):
            raise ValueError(
                f"codes must have shape (B, {self.height}, {self.width}), got {tuple(codes.shape)}"
            )


def code_loss(model: CodePrior, codes: Tensor) -> Tensor:
    r"""$-\log p(c)$ of each grid, in nats, summed over its places: (B, H, W) → (B,)."""
    checks.instance("model", model, CodePrior)
    return -model.log_prob(codes)


def _windows(height: int, width: int, reach: int) -> Tensor:
    """For each place the places in its window, all before it; HW stands for beyond the border."""
    numbers = torch.arange(height * width).reshape(height, width)
    framed = F.pad(numbers, (reach, reach, reach, 0), value=height * width)
    squares = framed.unfold(0, reach + 1, 1).unfold(1, 2 * reach + 1, 1)  # (H, W, r + 1, 2r + 1)
    before = reach * (2 * reach + 1) + reach  # rows above, and what is left in the last one
    return squares.flatten(2)[..., :before].flatten(0, 1)  # (HW, P)
