"""A digit, picked or drawn, spoilt by noise and cleaned by a network in the page."""

import math
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from aecore import checks
from aecore.metrics.reconstruction import psnr
from aecore.plots.palette import BLACK, GREY, WHITE
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.draws import normal, uniform
from aecore.widgets.packing import pack, unpack

SIDE = 28  # pixels
PATCH = 4
MOST = 20  # images to pick from

# the kinds of noise, and what a level of each says
NOISES = {
    "gaussian": "Gaussian noise (σ = {:.2f})",
    "masking": "{:.0%} of its pixels hidden",
    "salt_and_pepper": "{:.0%} of its pixels black or white",
    "patches": "{:.0%} of its patches hidden",
}


class NoisePad(Widget):
    """A clean digit, the same with noise, and what a network makes of that, side by side.

    ``network``: ``nn.Sequential`` of Linear and activations (see ``packing.KINDS``), from the 784
    values of a spoilt image to those of a clean one. ``output`` says what it returns:
    ``"logits"``, drawn through a sigmoid, or ``"pixels"``, clipped to [0, 1]. ``images``:
    (M, 1, 28, 28) in [0, 1], at most 20 digits to pick from; the first is shown at the start.

    The reader picks a digit or draws one, and chooses the noise. Each field below can be set
    before the widget is displayed, and read and set at any time while a kernel runs.
    ``chosen``: a row of ``images``, or M for the drawing. ``drawing``: its 784 bytes, 255 for
    full ink. ``noise``: ``"gaussian"``, ``"masking"``, ``"salt_and_pepper"`` or ``"patches"``
    (squares of 4 pixels). ``level``: from 0 to 1, the standard deviation of Gaussian noise or
    the share of pixels or patches that are spoilt. ``seed``: of the noise; one seed gives one
    pattern, which the level scales.
    """

    kind = "noise_pad"
    _esm = front_end(kind)

    layers: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    images = traitlets.Bytes().tag(sync=True)  # uint8, (M, 784)
    tones = traitlets.List([BLACK, WHITE]).tag(sync=True)  # of a pixel's 0 and 1
    output = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.Int().tag(sync=True)
    drawing = traitlets.CBytes(bytes(SIDE * SIDE)).tag(sync=True)  # the page sends a memoryview
    noise = traitlets.Unicode("gaussian").tag(sync=True)
    level = traitlets.Float(0.5).tag(sync=True)
    seed = traitlets.Int(1).tag(sync=True)

    def __init__(
        self, network: nn.Module, images: Tensor, *, name: str, label: str, output: str = "logits"
    ) -> None:
        checks.instance("network", network, nn.Module)
        checks.tensor("images", images, ("M", 1, SIDE, SIDE), low=0, high=1)
        checks.choice("output", output, ("logits", "pixels"))
        if len(images) > MOST:
            raise ValueError(f"images must be at most {MOST}, got {len(images)}")
        packed = pack(network)
        if (packed.inputs, packed.outputs) != (SIDE * SIDE, SIDE * SIDE):
            raise ValueError(
                f"network must read and return {SIDE * SIDE} pixels, "
                f"got {packed.inputs} and {packed.outputs}"
            )
        if output == "logits" and packed.layers[-1]["kind"] == "sigmoid":
            raise ValueError(
                "output must be 'pixels' for a network ending in Sigmoid, got 'logits'"
            )
        self._network = unpack(packed)  # as the page has it, whatever becomes of the model
        super().__init__(
            name=name,
            label=label,
            layers=packed.layers,
            weights=packed.data,
            images=_bytes(images),
            output=output,
        )

    @traitlets.validate("chosen", "drawing", "noise", "level", "seed")
    def _check(self, proposal: Any) -> Any:
        field, value = proposal["trait"].name, proposal["value"]
        match field:
            case "chosen":
                checks.integer(field, value, low=0, high=len(self.images) // SIDE**2)
            case "noise":
                checks.choice(field, value, NOISES)
            case "level":
                checks.number(field, value, low=0, high=1)
            case "seed":
                checks.integer(field, value, low=0, high=2**32 - 1)
            case "drawing" if len(value) != SIDE**2:
                raise ValueError(f"drawing must be {SIDE**2} bytes, got {len(value)}")
        return value

    def draw(self, image: Tensor) -> None:
        """Put an image, (1, 28, 28) in [0, 1], on the pad, as if the reader had drawn it."""
        checks.tensor("image", image, (1, SIDE, SIDE), low=0, high=1)
        self.drawing = _bytes(image)
        self.chosen = len(self.images) // SIDE**2

    @property
    def clean(self) -> Tensor:
        """The image on the pad, (1, 28, 28)."""
        shown = (self.images + self.drawing)[self.chosen * SIDE**2 :][: SIDE**2]
        pixels = torch.from_numpy(np.frombuffer(shown, "u1").copy())
        return (pixels.float() / 255).reshape(1, SIDE, SIDE)

    @property
    def noisy(self) -> Tensor:
        """What the network reads, (1, 28, 28): Gaussian noise leaves [0, 1]."""
        return spoil(self.clean, self.noise, self.level, self.seed)

    @property
    def cleaned(self) -> Tensor:
        """What the network makes of it, (1, 28, 28) in [0, 1]."""
        pixels: Tensor = self._network(self.noisy.flatten())  # (784,)
        pixels = pixels.sigmoid() if self.output == "logits" else pixels.clamp(0, 1)
        return pixels.reshape(1, SIDE, SIDE)

    def alt(self) -> str:
        """What the picture shows, in words."""
        before, after = (_decibel(image, self.clean) for image in (self.noisy, self.cleaned))
        return (
            f"{self.label}. Left: a digit. Middle: the digit with "
            f"{NOISES[self.noise].format(self.level)}, {before}. "
            f"Right: what the network makes of that, {after}."
        )

    def picture(self) -> bytes:
        """The three images side by side, on a transparent ground."""
        figure = Figure(figsize=(6.9, 2.75))
        figure.set_layout_engine("none")
        side, gap = 2.16, 0.21  # inches
        titles = ("Clean", "With noise", "Cleaned")
        for i, image in enumerate((self.clean, self.noisy, self.cleaned)):
            where = (i * (side + gap) / 6.9, 0.29 / 2.75, side / 6.9, side / 2.75)
            axes = figure.add_axes(where)
            axes.imshow(image[0].numpy(), cmap="aecore.digit", vmin=0, vmax=1)
            axes.set_axis_off()
            # grey reads on paper and in the dark
            axes.set_title(titles[i], size=10, weight=600, color=GREY, loc="left", pad=5)
            if i > 0:
                text = _decibel(image, self.clean)
                axes.text(-0.5, SIDE + 0.3, text, size=9, color=GREY, va="top")
        return figure_png(figure)


def spoil(image: Tensor, noise: str, level: float, seed: int) -> Tensor:
    """The page's noise, number for number; (1, 28, 28) to the same.

    Two rows of uniform numbers from one seed serve every kind: a larger level spoils the same
    pixels more, or the same pixels and further ones.
    """
    first, second = uniform(seed, 2 * SIDE**2).reshape(2, SIDE**2)
    clean = image.flatten().double().numpy()
    if noise == "gaussian":
        pixels = clean + level * normal(seed, SIDE**2)  # made from the same two rows
    elif noise == "masking":
        pixels = np.where(first < level, 0, clean)
    elif noise == "salt_and_pepper":
        pixels = np.where(first < level, np.floor(2 * second), clean)
    else:
        across = SIDE // PATCH
        order = np.argsort(np.argsort(first[: across**2])).reshape(across, across)
        hidden = order < math.floor(level * across**2 + 0.5)
        pixels = np.where(np.kron(hidden, np.ones((PATCH, PATCH))).ravel(), 0, clean)
    return torch.from_numpy(pixels).float().reshape(image.shape)


def _bytes(images: Tensor) -> bytes:
    return (images.detach().cpu() * 255).round().to(torch.uint8).numpy().tobytes()


def _decibel(image: Tensor, clean: Tensor) -> str:
    return f"PSNR {psnr(image, clean).item():.1f} dB".replace("inf", "∞")
