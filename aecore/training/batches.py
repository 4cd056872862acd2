"""Where ``training.fit`` takes its batches from: tensors in memory, or a loader.

Both give, for one epoch, the batches of this process, each with the number of examples of the
whole step and with a weight. Where several processes train, the gradients of their means are
averaged; the weight corrects for shares of unequal size, so that the result is the gradient of
the mean over the whole step, as in one process.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset
from torch.utils.data.distributed import DistributedSampler

from aecore import checks

Batch = Tensor | tuple[Tensor, ...]
Share = tuple[Batch, int, float]  # what the loss sees, examples in the whole step, weight


def refuse_bad_tensors(name: str, value: Batch) -> None:
    """Raise unless ``value`` is one or more non-empty, finite tensors of one length."""
    parts = value if isinstance(value, tuple) else (value,)
    if not parts:
        raise ValueError(f"{name} must hold at least one tensor, got an empty tuple")
    for part in parts:
        checks.instance(name, part, Tensor)
        if part.ndim == 0 or part.numel() == 0:
            raise ValueError(
                f"{name} must have at least one example along its first dimension, "
                f"got shape {tuple(part.shape)}"
            )
        if part.is_floating_point():
            checks.tensor(name, part)
    lengths = [len(part) for part in parts]
    if len(set(lengths)) > 1:
        raise ValueError(f"{name} must hold tensors of one length, got lengths {lengths}")


class InMemory:
    """Tensors on the device, indexed there: no worker processes, no Python for each example.

    Process ``rank`` of ``world`` gets its share of each batch of ``batch_size``.
    """

    def __init__(
        self, data: Batch, batch_size: int, device: torch.device, rank: int, world: int
    ) -> None:
        self.single = isinstance(data, Tensor)
        self.parts = tuple(
            part.to(device) for part in (data if isinstance(data, tuple) else (data,))
        )
        self.batch_size, self.rank, self.world = batch_size, rank, world

    def __repr__(self) -> str:
        return ", ".join(f"{part.dtype} {tuple(part.shape)}" for part in self.parts)

    def __len__(self) -> int:
        return -(-len(self.parts[0]) // self.batch_size)

    def shuffled(self, seed: int) -> Iterator[Share]:
        """Every example once, in an order that ``seed`` determines on every device."""
        order = torch.randperm(len(self.parts[0]), generator=torch.Generator().manual_seed(seed))
        return self._in(order)

    def in_order(self) -> Iterator[Share]:
        """Every example once, as they lie."""
        return self._in(torch.arange(len(self.parts[0])))

    def _in(self, order: Tensor) -> Iterator[Share]:
        for step in torch.split(order.to(self.parts[0].device), self.batch_size):
            share = step[self.rank :: self.world]
            weight = len(share) * self.world / len(step)
            if weight == 0:  # fewer examples than processes: this one computes, and adds nothing
                share = step[:1]
            batch = tuple(part.index_select(0, share) for part in self.parts)
            yield (batch[0] if self.single else batch), len(step), weight


class FromLoader:
    """The batches of a ``DataLoader``, moved to the device as they come.

    Where several processes train, each must have its own part of the data already.
    """

    def __init__(self, loader: DataLoader[object], device: torch.device, world: int) -> None:
        streamed = isinstance(loader.dataset, IterableDataset)
        divided = streamed or isinstance(loader.sampler, DistributedSampler)
        if world > 1 and not divided:
            sampler = type(loader.sampler).__name__
            raise ValueError(
                f"data must be a DataLoader with a DistributedSampler where {world} processes "
                f"train, got one with {sampler}: every process would see the same examples"
            )
        self.loader, self.device, self.world = loader, device, world

    def __repr__(self) -> str:
        return f"{steps_in_epoch(self)} batches of {self.loader.batch_size} from a DataLoader"

    def __len__(self) -> int:
        return len(self.loader)  # a TypeError where the data set is a stream

    def shuffled(self, seed: int) -> Iterator[Share]:
        """One pass. The order is the loader's: it draws it from the global random stream."""
        if isinstance(self.loader.sampler, DistributedSampler):
            self.loader.sampler.set_epoch(seed)  # or every epoch would have the same order
        for item in self.loader:
            batch = self._moved(item)
            first = batch if isinstance(batch, Tensor) else batch[0]
            yield batch, len(first) * self.world, 1.0

    def _moved(self, item: object) -> Batch:
        if isinstance(item, Tensor):
            return item.to(self.device, non_blocking=True)
        if isinstance(item, list | tuple) and item and all(isinstance(t, Tensor) for t in item):
            return tuple(t.to(self.device, non_blocking=True) for t in item)
        kind = type(item).__name__
        raise TypeError(f"data must yield a Tensor or a tuple of Tensors, got {kind}")


def steps_in_epoch(data: InMemory | FromLoader) -> int | None:
    """Batches in an epoch, or ``None`` where only the end of the data will tell."""
    try:
        return len(data)
    except TypeError:
        return None
