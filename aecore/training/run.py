"""The loop: what happens to a batch, at the end of an epoch, and when a run stops early."""

import math
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aecore.training import checkpoint
from aecore.training.batches import Batch, FromLoader, InMemory
from aecore.training.history import History
from aecore.training.interrupt import AfterTheStep
from aecore.training.objective import NonFiniteLoss, diagnosis
from aecore.training.streams import Streams


@dataclass(kw_only=True)
class Place:
    """How far a run has come."""

    epoch: int = 0  # finished epochs
    batch: int = 0  # finished steps of the epoch after them
    total: float = 0.0  # the losses in these, summed over examples
    seen: int = 0  # the examples in these


@dataclass(kw_only=True)
class Run:
    """One training run: what it works with, how far it has come, and the way from there."""

    fabric: Any
    model: nn.Module
    objective: nn.Module  # the model and its loss
    optimizer: Any
    trained: dict[str, nn.Parameter]  # in the optimiser's order
    data: InMemory | FromLoader
    validation: InMemory | None
    streams: Streams
    epochs: int | None
    steps: int | None
    total: int | None  # steps of the whole run, where that is known
    decay: float | None  # the learning rate that falls along half a cosine, or none
    path: Path | None
    settings: dict[str, Any]

    history: History = field(default_factory=History)
    place: Place = field(default_factory=Place)
    midway: dict[str, Tensor] = field(default_factory=dict)  # streams, if resumed inside an epoch

    @property
    def finished(self) -> bool:
        """Whether as many steps or epochs lie behind as were asked for."""
        if self.steps is not None:
            return self.history.steps >= self.steps
        return self.epochs is not None and self.place.epoch >= self.epochs

    def to_the_end(self, progress: bool) -> History:
        """Resume, train, and leave the model ready for use, however it ends."""
        alone = self.fabric.world_size == 1  # of many processes, none can stop without the others
        with self.streams.aside(), AfterTheStep(enabled=alone) as interrupt:
            self.started = time.perf_counter()
            try:
                self._resume()
                self.started -= self.history.seconds
                with self._bar(progress) as self.bar:
                    while not self.finished and not interrupt.asked:
                        self._epoch(interrupt)
            except KeyboardInterrupt:
                if not alone:
                    raise
            finally:
                self.history.seconds = time.perf_counter() - self.started
                self._drop_gradients()
                self.objective.eval()
        self.history.interrupted = not self.finished
        if self.history.interrupted:
            print(
                f"Interrupted in epoch {self.place.epoch + 1}, after step {self.history.steps}: "
                "the model keeps what it has learned."
            )
        return self.history

    def _epoch(self, interrupt: AfterTheStep) -> None:
        place = self.place
        # a run that ended inside this epoch, and now goes on, has recorded a part of it
        del self.history.train[place.epoch :], self.history.validation[place.epoch :]
        self.objective.train()
        self.streams.begin("epoch", place.epoch)
        shares = self.data.shuffled(self.streams.order(place.epoch))
        if place.batch:
            for _ in islice(shares, place.batch):
                pass
            self.streams.restore(self.midway)
        for batch, size, weight in shares:
            self._step(batch, size, weight)
            if self.finished or interrupt.asked:
                break
        else:
            if not place.seen:
                raise ValueError("data must yield at least one batch, got none")
            self._record()
            self.place = Place(epoch=place.epoch + 1)
        if self.place.batch and self.finished:
            self._record()
        self.history.seconds = time.perf_counter() - self.started
        self._save()

    def _step(self, batch: Batch, size: int, weight: float) -> None:
        mean = self._mean(batch, weight)
        value = self._over_processes(mean)
        if not math.isfinite(value):
            step, epoch = self.history.steps + 1, self.place.epoch + 1
            raise NonFiniteLoss(diagnosis(value, step, epoch, self.model))
        if self.decay is not None and self.total is not None:
            angle = math.pi * self.history.steps / self.total
            self.optimizer.param_groups[0]["lr"] = self.decay * (1 + math.cos(angle)) / 2
        self._drop_gradients()
        self.fabric.backward(mean)
        self.optimizer.step()
        self.history.steps += 1
        self.place.batch += 1
        self.place.total += value * size
        self.place.seen += size
        self.bar.set_postfix_str(f"epoch {self.place.epoch + 1}, loss {value:.4g}", refresh=False)
        self.bar.update()

    def _drop_gradients(self) -> None:
        for parameter in self.trained.values():  # a fifth of the time that zero_grad takes
            parameter.grad = None

    def _record(self) -> None:
        self.history.train.append(self.place.total / self.place.seen)
        if self.validation is None:
            return
        total, seen = 0.0, 0
        self.objective.eval()
        with torch.no_grad(), self.streams.aside():
            self.streams.begin("validation")
            for batch, size, weight in self.validation.in_order():
                total += self._over_processes(self._mean(batch, weight)) * size
                seen += size
        self.history.validation.append(total / seen)

    def _mean(self, batch: Batch, weight: float) -> Tensor:
        mean: Tensor = self.objective(batch, self.streams.noise).mean()
        return mean if weight == 1 else mean * weight

    def _over_processes(self, mean: Tensor) -> float:
        mean = mean.detach()
        if self.fabric.world_size > 1:
            mean = self.fabric.all_reduce(mean.clone(), reduce_op="mean")
        return float(mean)

    def _save(self) -> None:
        if self.path is None or self.fabric.global_rank > 0:
            return
        names = list(self.trained)
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            for moment, tensor in moments.items():
                tensors[f"optimizer.{moment}.{names[index]}"] = tensor
        tensors |= {f"stream.{name}": tensor for name, tensor in self.streams.state().items()}
        state = {
            "settings": self.settings,
            "history": asdict(self.history),
            "place": asdict(self.place),
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        checkpoint.save(self.path, tensors, state)

    def _resume(self) -> None:
        if self.path is None:
            return
        # the first process looks for all: it may write the file before another has looked
        if not self.fabric.broadcast(self.path.exists()):
            self._save()
            return
        tensors, state = checkpoint.load(self.path)
        checkpoint.refuse_other_settings(self.path, state["settings"], self.settings)
        self.history, self.place = History(**state["history"]), Place(**state["place"])
        self._refuse_overshoot()
        self.model.load_state_dict(_part(tensors, "model."))
        names = list(self.trained)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimizer.").items():
            moment, parameter = name.split(".", 1)
            moments.setdefault(names.index(parameter), {})[moment] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.fabric.global_rank == 0:  # the streams in the file are those of this process
            self.midway = _part(tensors, "stream.")

    def _refuse_overshoot(self) -> None:
        done = {"steps": self.history.steps, "epochs": self.place.epoch + bool(self.place.batch)}
        for name, asked in [("steps", self.steps), ("epochs", self.epochs)]:
            if asked is not None and done[name] > asked:
                raise ValueError(
                    f"{name} must be at least the {done[name]} that checkpoint {str(self.path)!r} "
                    f"has behind it, got {asked}: training cannot be taken back"
                )

    def _bar(self, progress: bool) -> Any:
        from tqdm.auto import tqdm  # type: ignore[import-untyped]

        watched = progress and self.fabric.global_rank == 0 and _someone_looks()
        return tqdm(
            total=self.total,
            initial=self.history.steps,
            unit="step",
            leave=False,
            disable=not watched,
        )


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _someone_looks() -> bool:
    if os.environ.get("AECORE_BUILD") == "1":
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return sys.stderr.isatty() or (shell is not None and "IPKernelApp" in shell.config)
