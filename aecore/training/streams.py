"""The random numbers of a training run, apart from those of its caller.

Three streams: the order of the examples, the generator that a loss draws its noise from, and the
global generator, which dropout and data loaders use without asking. All are seeded again at the
start of each epoch, from the run's seed and the epoch's number, so a resumed run needs no past to
draw what the uninterrupted one would have drawn.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


class Streams:
    """The generators of one process of a run.

    Processes that share a run (``rank``) agree on the order and draw different noise.
    """

    def __init__(self, seed: int, device: torch.device, rank: int) -> None:
        self.seed, self.rank = seed, rank
        self.noise = torch.Generator(device)
        self._globals: dict[str, Any] = {"cpu": torch}
        if device.type != "cpu":
            self._globals[device.type] = torch.get_device_module(device)

    def begin(self, chapter: str, number: int = 0) -> None:
        """Seed noise and global streams for an epoch, or whatever else has a name and a number."""
        self.noise.manual_seed(self._derived("noise", chapter, number, self.rank))
        seed = self._derived("global", chapter, number, self.rank)
        # not torch.manual_seed: it would seed the devices that the run leaves alone, too
        torch.default_generator.manual_seed(seed)
        for name, library in self._globals.items():
            if name != "cpu":
                library.manual_seed(seed)

    def order(self, epoch: int) -> int:
        """The seed of an epoch's order."""
        return self._derived("order", "epoch", epoch)

    def state(self) -> dict[str, Tensor]:
        """Where each stream stands, by name."""
        states = {name: library.get_rng_state() for name, library in self._globals.items()}
        return states | {f"noise.{self.noise.device.type}": self.noise.get_state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a ``state``; of one from another kind of device, to what this one has too."""
        for name, library in self._globals.items():
            if name in state:
                library.set_rng_state(state[name])
        noise = state.get(f"noise.{self.noise.device.type}")
        if noise is not None:
            self.noise.set_state(noise)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Whatever is drawn inside, every stream stands afterwards where it stood before."""
        state = self.state()
        try:
            yield
        finally:
            self.restore(state)

    def _derived(self, *name: str | int) -> int:
        text = "/".join(map(str, (self.seed, *name)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
