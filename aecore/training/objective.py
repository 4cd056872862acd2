"""The loss as a module, and the error that stops a run when it is no number."""

import inspect
from collections.abc import Callable

import torch
from torch import Tensor, nn

from aecore.training.batches import Batch

Loss = Callable[..., Tensor]


class NonFiniteLoss(RuntimeError):
    """The loss became NaN or infinite; the message says at which step."""


class Objective(nn.Module):
    """``loss`` around ``model``: (B,) losses of a batch.

    Whatever the loss calls, ``encode``, ``decode``, one of them twice, then happens inside one
    forward pass. That is where Fabric casts to the precision and ties gradients of processes.
    """

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        self.draws = "generator" in inspect.signature(loss).parameters

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The losses of the examples of a batch: (B,)."""
        noise = {"generator": generator} if self.draws else {}
        losses = self.loss(self.model, batch, **noise)
        size = len(batch if isinstance(batch, Tensor) else batch[0])
        if not isinstance(losses, Tensor) or losses.shape != (size,):
            came = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
            raise ValueError(
                f"loss must return one number for each example, of shape ({size},), got {came}: "
                "sum over dimensions, and leave the mean over examples to fit"
            )
        if torch.is_grad_enabled() and not losses.requires_grad:
            raise ValueError("loss must depend on the model's parameters, got one that does not")
        return losses  # (B,)


def diagnosis(value: float, step: int, epoch: int, model: nn.Module) -> str:
    """What to tell about a loss that is not finite, and where to look."""
    text = f"the loss is {value} at step {step}, in epoch {epoch}. "
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            return text + (
                f"Nor is the parameter {name} finite: an earlier step had a finite loss with a "
                "gradient that was not, such as that of a root at 0."
            )
    return text + (
        "The step was not taken, and the weights are finite. Usual causes: a learning rate that "
        "is too high, the logarithm of 0, the exponential of something large."
    )
