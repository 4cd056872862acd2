"""A pad over a 2-D latent space: drag a point, and the decoder draws what stands there."""

import math
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor, nn

from aecore import checks
from aecore.plots.palette import AMBER, BLACK, CLASSES, GREY, INK, PAPER, WHITE
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.packing import pack, unpack


class LatentExplorer(Widget):
    """The codes of real digits as coloured points, a handle, and the decoder in the page.

    ``decoder``: ``nn.Sequential`` of Linear and activations (see ``packing.KINDS``), from two
    latents to the pixels of a square image. ``output`` says what it returns: ``"logits"``, drawn
    through a sigmoid, or ``"pixels"``, clipped to [0, 1]. ``codes``: (N, 2), ``labels``: (N,),
    whole numbers from 0 to 9.
    The handle starts on the first code; ``position`` is where it is, in latent units, and can be
    read and set from Python while a kernel runs.
    """

    kind = "latent_explorer"
    _esm = front_end(kind)

    layers: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    codes = traitlets.Bytes().tag(sync=True)  # float32, (N, 2)
    classes = traitlets.Bytes().tag(sync=True)  # uint8, (N,)
    colours = traitlets.List(list(CLASSES)).tag(sync=True)
    tones = traitlets.List([BLACK, WHITE]).tag(sync=True)  # of a pixel's 0 and 1
    limits: Any = traitlets.List().tag(sync=True)  # [[low, high] of each latent]
    side = traitlets.Int().tag(sync=True)  # pixels
    output = traitlets.Unicode().tag(sync=True)
    position = traitlets.List(traitlets.Float(), minlen=2, maxlen=2).tag(sync=True)

    def __init__(
        self,
        decoder: nn.Module,
        codes: Tensor,
        labels: Tensor,
        *,
        name: str,
        label: str,
        output: str = "logits",
    ) -> None:
        checks.instance("decoder", decoder, nn.Module)
        checks.tensor("codes", codes, ("N", 2))
        checks.instance("labels", labels, Tensor)
        checks.choice("output", output, ("logits", "pixels"))
        if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
            raise TypeError(f"labels must hold whole numbers, got {labels.dtype}")
        if labels.shape != codes.shape[:1]:
            raise ValueError(f"labels must have shape ({len(codes)},), got {tuple(labels.shape)}")
        if not 0 <= int(labels.min()) <= int(labels.max()) < len(CLASSES):
            raise ValueError(
                f"labels must be from 0 to {len(CLASSES) - 1}, "
                f"got {int(labels.min())} to {int(labels.max())}"
            )
        packed = pack(decoder)
        side = math.isqrt(packed.outputs)
        if packed.inputs != 2:
            raise ValueError(f"decoder must read 2 latents, got {packed.inputs}")
        if side * side != packed.outputs:
            raise ValueError(f"decoder must return a square image, got {packed.outputs} pixels")
        if output == "logits" and packed.layers[-1]["kind"] == "sigmoid":
            raise ValueError(
                "output must be 'pixels' for a decoder ending in Sigmoid, got 'logits'"
            )

        self._decoder = unpack(packed)  # as the page has it, whatever becomes of the model
        points = codes.detach().cpu().float()  # (N, 2)
        limits = _limits(points)
        super().__init__(
            name=name,
            label=label,
            layers=packed.layers,
            weights=packed.data,
            codes=points.numpy().astype("<f4").tobytes(),
            classes=labels.cpu().to(torch.uint8).numpy().tobytes(),
            limits=limits,
            side=side,
            output=output,
            position=[
                min(max(float(value), low), high)
                for value, (low, high) in zip(points[0], limits, strict=True)
            ],
        )

    def alt(self) -> str:
        """What the picture shows, in words."""
        where = ", ".join(f"{value:.2f}" for value in self.position)
        return (
            f"{self.label}. Left: {len(self.classes)} codes in the latent plane, coloured and "
            f"numbered by class, and a handle at ({where}). Right: the image decoded there."
        )

    def picture(self) -> bytes:
        """The plane and the decoded image, side by side, on a transparent ground."""
        points = np.frombuffer(self.codes, "<f4").reshape(-1, 2)
        classes = np.frombuffer(self.classes, "u1")
        figure = Figure(figsize=(6.9, 4.1))
        figure.set_layout_engine("none")
        plane = figure.add_axes((0.055, 0.07, 0.52, 0.52 * 6.9 / 4.1))
        colours = [self.colours[value] for value in classes]
        plane.scatter(points[:, 0], points[:, 1], s=7, c=colours, alpha=0.7, linewidths=0)
        halo = [withStroke(linewidth=3.5, foreground=PAPER)]
        for value in np.unique(classes):
            x, y = np.median(points[classes == value], axis=0)
            numeral = plane.text(x, y, str(value), size=12, weight=600, ha="center", va="center")
            numeral.set(color=INK, path_effects=halo)
        plane.plot(*self.position, "o", ms=17, color=INK)
        plane.plot(*self.position, "o", ms=13, color=AMBER, mec=PAPER, mew=2.5)
        plane.set(xlim=self.limits[0], ylim=self.limits[1])
        plane.tick_params(labelcolor=GREY, length=0)  # grey reads on paper and in the dark
        plane.spines[:].set_color(GREY)
        image = figure.add_axes((0.63, 0.388, 0.335, 0.335 * 6.9 / 4.1))
        image.imshow(self._decode(), cmap="aecore.digit", vmin=0, vmax=1)
        image.set_axis_off()
        return figure_png(figure)

    def _decode(self) -> Any:
        pixels = self._decoder(torch.tensor(self.position))
        pixels = pixels.sigmoid() if self.output == "logits" else pixels.clamp(0, 1)
        return pixels.reshape(self.side, self.side).numpy()


def _limits(points: Tensor) -> list[list[float]]:
    """The range of the pad: nearly all codes, so that a few outliers do not shrink the rest.

    The same span for both latents: what looks near on the pad is near for the decoder.
    """
    low, high = torch.quantile(points, torch.tensor([0.005, 0.995]), dim=0)  # (2,) each
    middle = ((low + high) / 2).tolist()
    half = 0.56 * float((high - low).max()) or 1.0  # a single code has no spread
    return [[centre - half, centre + half] for centre in middle]
