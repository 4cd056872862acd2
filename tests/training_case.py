"""A small model, its data and its losses, for the tests of ``fit``."""

import torch
from torch import Tensor, nn

from aecore.objectives import squared_error
from aecore.training import History, fit

EXAMPLES = 50


class Small(nn.Module):
    """An autoencoder with everything that a checkpoint could forget: dropout, a buffer, a tie."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5), nn.Tanh())
        self.decoder = nn.Linear(5, 6)
        self.again = self.decoder  # one tensor under two names
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.dropout(self.encoder(x)))


def small(dropout: float = 0.0, seed: int = 0) -> Small:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Small(dropout)


def examples(seed: int = 0) -> Tensor:
    return torch.randn(EXAMPLES, 6, generator=torch.Generator().manual_seed(seed))


def reconstruction(model: nn.Module, x: Tensor) -> Tensor:
    return squared_error(model(x), x)


def denoising(model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return squared_error(model(x + 0.3 * noise), x)


def train(model: nn.Module, loss=reconstruction, data=None, **options) -> History:
    """``fit`` with what most tests share, on one thread: more would only wait for each other."""
    shared = {"epochs": 3, "batch_size": 16, "seed": 0, "device": "cpu", "progress": False}
    options = shared | options
    if "steps" in options:
        del options["epochs"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return fit(model, loss, examples() if data is None else data, **options)
    finally:
        torch.set_num_threads(threads)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def same(one: nn.Module, other: nn.Module) -> bool:
    return torch.equal(weights(one), weights(other))
