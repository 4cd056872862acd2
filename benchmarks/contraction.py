"""What does the contractive penalty cost?

    python benchmarks/contraction.py [repetitions]

A training step (forward, backward, fused Adam) on 128 digits, one thread, with each way to the
penalty of ``aecore.penalties.contraction``:

- a layer of q sigmoids with tied weights: no penalty, closed form, one random probe, and the whole
  Jacobian, q pullbacks in one batched product;
- 784 → 256 → q with a hidden layer and an affine code: the same four.

The bound is for the closed form of one layer: the median of its step over the plain one must be
at most 1.3 at every width. The ways take turns, so that a busy machine is busy for all of them,
and the ratios are taken between neighbours. Exit status 1 if a median misses the bound.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from aecore import data
from aecore.objectives import bce_with_logits
from aecore.penalties.contraction import (
    hutchinson_norm,
    jacobian_norm,
    sigmoid_jacobian_norm,
    two_layer_jacobian_norm,
)
from aecore.randomness import generator

BATCH, HIDDEN = 128, 256
WIDTHS, CODES = (64, 256, 1000), (8, 32)
CEILING = 1.3  # closed form of one layer / no penalty, at most
RARELY = 10  # the whole Jacobian is timed once in so many rounds
WIDEST = 256  # and up to this width: at 1000 it holds gigabytes

Steps = dict[str, Callable[[], None]]


def weight(outputs: int, inputs: int) -> Tensor:
    """A weight matrix as wide as it should be at the start: (outputs, inputs)."""
    draw = generator(f"benchmark, {outputs}, {inputs}")
    return (torch.randn(outputs, inputs, generator=draw) / inputs**0.5).requires_grad_()


def steps(
    weights: list[Tensor], copy_loss: Callable[[], Tensor], ways: dict[str, Callable[[], Tensor]]
) -> Steps:
    """One training step a way; each way has an optimiser of its own for the same weights."""

    def build(penalty: Callable[[], Tensor] | None) -> Callable[[], None]:
        optimizer = torch.optim.Adam(weights, lr=1e-6, fused=True)  # so small that all stay alike

        def step() -> None:
            loss = copy_loss() if penalty is None else copy_loss() + penalty()
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()

        return step

    return {"no penalty": build(None)} | {name: build(way) for name, way in ways.items()}


def one_layer(x: Tensor, q: int) -> Steps:
    """A layer of ``q`` sigmoids, and a decoder with its weights."""
    W, b, c = (
        weight(q, 784),
        torch.zeros(q, requires_grad=True),
        torch.zeros(784, requires_grad=True),
    )
    draw = generator("benchmark, signs")
    kept: list[Tensor] = []  # the code of this step, so that the closed form need not encode again

    def encode(rows: Tensor) -> Tensor:
        return torch.addmm(b, rows, W.T).sigmoid()

    def copy_loss() -> Tensor:
        kept[:] = [encode(x)]
        return bce_with_logits(torch.addmm(c, kept[0], W), x)

    ways = {
        "closed form": lambda: sigmoid_jacobian_norm(kept[0], W),
        "one probe": lambda: hutchinson_norm(encode, x, draw),
    }
    if q <= WIDEST:
        ways["whole Jacobian"] = lambda: jacobian_norm(encode, x)
    return steps([W, b, c], copy_loss, ways)


def two_layers(x: Tensor, q: int) -> Steps:
    """A hidden layer of sigmoids, an affine code of ``q`` numbers, and back."""
    A, B, C, D = weight(HIDDEN, 784), weight(q, HIDDEN), weight(HIDDEN, q), weight(784, HIDDEN)
    draw = generator("benchmark, signs")
    kept: list[Tensor] = []

    def encode(rows: Tensor) -> Tensor:
        kept[:] = [(rows @ A.T).sigmoid()]
        return kept[0] @ B.T

    def copy_loss() -> Tensor:
        return bce_with_logits((encode(x) @ C.T).sigmoid() @ D.T, x)

    ways = {
        "closed form": lambda: two_layer_jacobian_norm(kept[0] * (1 - kept[0]), A, B),
        "one probe": lambda: hutchinson_norm(encode, x, draw),
        "whole Jacobian": lambda: jacobian_norm(encode, x),
    }
    return steps([A, B, C, D], copy_loss, ways)


def rounds(todo: Steps, repetitions: int) -> dict[str, list[float]]:
    """The step of each way over the plain one beside it; the plain one in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in todo}
    for step in todo.values():
        step()
    for repetition in range(repetitions):
        plain = milliseconds(todo["no penalty"])
        times["no penalty"].append(plain)
        for name, step in todo.items():
            if name == "no penalty" or (name == "whole Jacobian" and repetition % RARELY):
                continue
            times[name].append(milliseconds(step) / plain)
    return times


def milliseconds(step: Callable[[], None]) -> float:
    """The time of one step."""
    start = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - start)


def main(repetitions: int) -> int:
    """Measure, print, and return the exit status."""
    torch.set_num_threads(1)
    x = data.digits().train.vectors[:BATCH].clone()  # (128, 784)
    held = True
    print(f"steps on {BATCH} digits, {repetitions} rounds, median (range)\n")
    for build, sizes in ((one_layer, WIDTHS), (two_layers, CODES)):
        for q in sizes:
            times = rounds(build(x, q), repetitions)
            plain = statistics.median(times.pop("no penalty"))
            print(f"{build.__name__.replace('_', ' ')}, q = {q}: no penalty {plain:.2f} ms")
            for name, ratios in times.items():
                median = statistics.median(ratios)
                bounded = build is one_layer and name == "closed form"
                held = held and not (bounded and median > CEILING)
                note = f"at most {CEILING}" if bounded else ""
                spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
                print(f"  {name:<16} {median:7.2f} plain steps  {spread}  {note}")
            print()
    print("the bound holds" if held else "MISSED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 101))
