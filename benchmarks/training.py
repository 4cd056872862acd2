"""How much does ``fit`` cost, and what does it save?

    python benchmarks/training.py [repetitions]

One epoch over 20,000 images, for a variational autoencoder 784-400-20-400-784 with batches of 128,
on two cores, in ways that differ in everything but the network and its loss:

- steps on one fixed batch, bare PyTorch, fused Adam: what the arithmetic costs;
- ``fit``, the whole call: checks, Fabric, order, batches, history;
- the usual script: a ``Dataset`` that makes a picture of each image, ``ToTensor``, a
  ``DataLoader``, Adam as it comes.

The usual script is timed with the loader as it comes, which the bound is for, and once more with
two worker processes, which many scripts ask for. All take turns, so that a busy machine is busy
for all of them, and the ratios are taken between neighbours. Exit status 1 if a median misses its
bound.

The images are MNIST if ``AECORE_DATA`` names a folder that has it, else the book's 5,000 digits,
four times each; the time does not depend on what they show.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from aecore import data
from aecore.training import fit

EXAMPLES, BATCH = 20_000, 128
EPOCHS = 3  # of each call of fit, whose time is divided by it
CEILING, FLOOR = 1.25, 2.2  # fit / fixed batch at most, usual script / fit at least


class Network(nn.Module):
    """A variational autoencoder, all of it: (B, 784) to logits, mean and log-variance."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 2 * 20))
        self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One sample of the latent for each image."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)  # (B, 20), (B, 20)
        z = mu + (logvar / 2).exp() * torch.randn_like(mu)
        return self.decoder(z), mu, logvar


def loss(network: nn.Module, x: Tensor) -> Tensor:
    """The negative ELBO of each image, in nats."""
    x = x.flatten(1)
    logits, mu, logvar = network(x)
    distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    rate = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
    return distortion + rate  # (B,)


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images with labels, one at a time and by way of PIL, as torchvision's data sets give them."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels, self.transform = pixels, ToTensor()
        self.labels = torch.zeros(len(pixels), dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.pixels[index].numpy(), mode="L")
        return self.transform(picture), int(self.labels[index])


def fixed_batch(images: Tensor) -> None:
    """As many steps as an epoch has, on its first batch."""
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    batch = images[:BATCH].clone()
    for _ in range(-(-EXAMPLES // BATCH)):
        optimizer.zero_grad()
        loss(network, batch).mean().backward()
        optimizer.step()


def by_fit(images: Tensor) -> None:
    """As many epochs as ``EPOCHS`` says, the whole call."""
    run = {"epochs": EPOCHS, "batch_size": BATCH, "seed": 0}
    fit(Network(), loss, images, **run, device="cpu", progress=False)


def usual_script(pixels: Tensor, workers: int = 0) -> None:
    """One epoch as tutorials write it, the loader as it comes or with worker processes."""
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    total = 0.0
    pictures = Pictures(pixels)
    for batch, _ in DataLoader(pictures, batch_size=BATCH, shuffle=True, num_workers=workers):
        optimizer.zero_grad()
        mean = loss(network, batch).mean()
        mean.backward()
        optimizer.step()
        total += mean.item()


def load() -> tuple[Tensor, str]:
    """20,000 images (N, 1, 28, 28) in [0, 1], and where they are from."""
    if os.environ.get("AECORE_DATA"):
        return data.full("mnist").train.images[:EXAMPLES], "MNIST"
    digits = data.digits()
    every = [split.images for split in (digits.train, digits.validation, digits.test)]
    return torch.cat(every).repeat(4, 1, 1, 1), "the book's 5,000 digits, four times"


def seconds(task: Callable[..., None], images: Tensor, **options: int) -> float:
    """The time of one call."""
    start = time.perf_counter()
    task(images, **options)
    return time.perf_counter() - start


def main(repetitions: int) -> int:
    """Measure, print, and return the exit status."""
    torch.set_num_threads(2)
    images, source = load()
    pixels = (images.squeeze(1) * 255).round().to(torch.uint8)
    fit(Network(), loss, images[:BATCH], steps=3, seed=0, device="cpu", progress=False)  # imports

    rounds = []
    for _ in range(repetitions):
        rounds.append(
            (
                seconds(fixed_batch, images),
                seconds(by_fit, images) / EPOCHS,
                seconds(usual_script, pixels),
                seconds(usual_script, pixels, workers=2),
            )
        )
    print(f"one epoch of {len(images):,} images ({source}), {repetitions} rounds\n")
    names = [
        "the same steps on a fixed batch",
        "fit",
        "Dataset, ToTensor, DataLoader",
        "the same with two workers",
    ]
    for name, times in zip(names, zip(*rounds, strict=True), strict=True):
        report(name, times, "s")
    print()
    overhead = report("fit / fixed batch", [b / a for a, b, *_ in rounds], f"at most {CEILING}")
    saving = report("usual script / fit", [c / b for _, b, c, _ in rounds], f"at least {FLOOR}")
    report("the same with two workers / fit", [d / b for _, b, _, d in rounds], "")
    held = overhead <= CEILING and saving >= FLOOR
    print("\nboth hold" if held else "\nMISSED")
    return 0 if held else 1


def report(name: str, values: "list[float] | tuple[float, ...]", note: str) -> float:
    """Print the median and the range, and return the median."""
    median = statistics.median(values)
    print(f"{name:<32} {median:6.3f}  ({min(values):.3f} to {max(values):.3f})  {note}")
    return median


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 9))
