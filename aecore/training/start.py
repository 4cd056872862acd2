"""``fit``: refuses what cannot be trained, sets the rest up, and lets it run.

Devices, precision and processes are Lightning Fabric's. It is imported when ``fit`` is called: it
takes two seconds that a reader who only loads data should not wait for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from aecore import checks
from aecore.training.batches import FromLoader, InMemory, refuse_bad_tensors, steps_in_epoch
from aecore.training.history import History
from aecore.training.objective import Loss, Objective
from aecore.training.run import Run
from aecore.training.streams import Streams

SCHEDULES = ("constant", "cosine")
PRECISIONS = ("32-true", "64-true", "16-mixed", "bf16-mixed")
FUSED = ("cpu", "cuda", "mps", "xpu")  # devices on which Adam is one kernel

# Fabric sets this variable when it is imported. Every step of every optimiser would then ask the
# driver of the graphics card anew whether there is one, at the cost of a twentieth of a small step.
NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"


def fit(
    model: nn.Module,
    loss: Loss,
    data: Tensor | tuple[Tensor, ...] | DataLoader[Any],
    *,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int = 128,
    lr: float = 1e-3,
    schedule: str = "constant",
    seed: int,
    validation: Tensor | tuple[Tensor, ...] | None = None,
    device: str = "auto",
    precision: str = "32-true",
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Minimise the mean of ``loss`` over ``data`` with Adam [kingma2015adam], and say how it went.

    ``loss(model, batch)`` or ``loss(model, batch, generator)`` returns the losses of the examples,
    (B,), in nats or a unit of its own; the mean over them is taken here and only here. Noise that
    it draws, it draws from ``generator``. ``batch`` is a tensor if ``data`` is one, else a tuple.

    ``data`` is a tensor (N, …) or a tuple of tensors of one length N, copied to the device and
    indexed there in a new random order each epoch; or a ``DataLoader``, for what does not fit in
    memory, with a batch size of its own. Give either ``epochs`` or ``steps``.

    ``lr`` is the learning rate. With ``schedule="cosine"`` it falls to 0 along half a cosine, over
    the whole run [loshchilov2017sgdr].

    ``seed`` determines the run; the caller's random streams are left as they were. ``validation``
    is evaluated after each epoch, with the same noise each time; it has no influence on the
    weights. ``device`` is "auto", "cpu", "cuda" or "mps", ``precision`` one of ``PRECISIONS``.

    Afterwards the model is on the device where it was trained, and in evaluation mode. That holds
    after an interrupt too: Ctrl-C, or a notebook's stop button, ends the run after the current
    step, and the history says so.

    ``checkpoint`` names a file, written at the start, after each epoch, when interrupted and at
    the end. If it exists the run goes on from there: on a CPU to the very weights that it would
    have reached in one go. A finished run returns at once.

    Started by ``torchrun`` or ``fabric run``, many processes share each batch of ``batch_size``; a
    loader then needs a ``DistributedSampler``, and its batch size is that of one process.

    Raises ``NonFiniteLoss`` for a loss that is NaN or infinite, before the step that it would have
    spoilt, and ``TypeError`` or ``ValueError`` for bad input.
    """
    checks.instance("model", model, nn.Module)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError("model must have a parameter that requires a gradient, got none")
    if not callable(loss):
        raise TypeError(f"loss must be a function of model and batch, got {type(loss).__name__}")
    checks.instance("data", data, Tensor, tuple, DataLoader)
    if not isinstance(data, DataLoader):
        refuse_bad_tensors("data", data)
    if validation is not None:
        checks.instance("validation", validation, Tensor, tuple)
        refuse_bad_tensors("validation", validation)
    if (epochs is None) == (steps is None):
        raise ValueError(f"give either epochs or steps, got epochs={epochs} and steps={steps}")
    if epochs is not None:
        checks.integer("epochs", epochs)
    if steps is not None:
        checks.integer("steps", steps)
    checks.integer("batch_size", batch_size)
    checks.number("lr", lr, above=0)
    checks.choice("schedule", schedule, SCHEDULES)
    checks.integer("seed", seed, low=0)
    checks.choice("device", device, _devices())
    checks.choice("precision", precision, PRECISIONS)
    checks.instance("progress", progress, bool)
    path = None if checkpoint is None else _file(checkpoint, data)

    fabric = _fabric(device, precision)
    here = fabric.device, fabric.global_rank, fabric.world_size
    source: InMemory | FromLoader
    if isinstance(data, DataLoader):
        source = FromLoader(data, fabric.device, fabric.world_size)
    else:
        source = InMemory(data, batch_size, *here)
    total = steps
    if epochs is not None and (per_epoch := steps_in_epoch(source)) is not None:
        total = epochs * per_epoch
    if schedule == "cosine" and total is None:
        raise ValueError(
            "schedule must be 'constant' for a loader of unknown length trained for epochs, got "
            "'cosine': where the run ends is not known. Give steps"
        )
    adam = torch.optim.Adam(trained.values(), lr=lr, fused=fabric.device.type in FUSED)
    objective: nn.Module = Objective(model, loss)
    wrapped, optimizer = fabric.setup(objective, adam)
    if fabric.world_size > 1 or precision != "32-true":  # else there is nothing to share or cast
        objective = wrapped
    run = Run(
        fabric=fabric,
        model=model,
        objective=objective,
        optimizer=optimizer,
        trained=trained,
        data=source,
        validation=None if validation is None else InMemory(validation, batch_size, *here),
        streams=Streams(seed, fabric.device, fabric.global_rank),
        epochs=epochs,
        steps=steps,
        total=total,
        decay=lr if schedule == "cosine" else None,
        path=path,
        settings={
            "batch_size": batch_size,
            "lr": lr,
            # a cosine is another one if it ends elsewhere
            "schedule": schedule if schedule == "constant" else f"cosine over {total} steps",
            "seed": seed,
            "precision": precision,
            "data": repr(source),
            "validation": validation is not None,
            "weights": {
                name: f"{value.dtype} {tuple(value.shape)}{' trained' * (name in trained)}"
                for name, value in model.state_dict().items()
            },
        },
    )
    return run.to_the_end(progress)


def _devices() -> list[str]:
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return ["auto", "cpu", *(name for name, present in here.items() if present)]


def _file(checkpoint: object, data: object) -> Path:
    checks.instance("checkpoint", checkpoint, str, Path)
    path = Path(str(checkpoint))
    if path.is_dir():
        raise ValueError(f"checkpoint must name a file, got the folder {str(path)!r}")
    if isinstance(data, DataLoader) and data.generator is not None:
        raise ValueError(
            "data must be a DataLoader without a generator where a checkpoint is asked for, got "
            "one with: where that generator stands is not in the checkpoint. Leave it out, and "
            "the order follows from seed"
        )
    return path


def _fabric(device: str, precision: str) -> Any:
    with _environment_kept(NVML):
        from lightning_fabric import Fabric

    processes = {"LOCAL_WORLD_SIZE": 1, "WORLD_SIZE": 1}
    if torch.distributed.is_available() and torch.distributed.is_torchelastic_launched():
        processes = {name: int(os.environ[name]) for name in processes}
    here, everywhere = processes.values()
    fabric = Fabric(
        accelerator=device,
        devices=here,
        num_nodes=everywhere // here,
        precision=precision,  # type: ignore[arg-type]  # a str, checked to be one of PRECISIONS
    )
    if os.environ.get("LT_CLI_USED") != "1":  # "fabric run" has launched it
        fabric.launch()
    return fabric


@contextmanager
def _environment_kept(name: str) -> Iterator[None]:
    before = os.environ.get(name)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before
