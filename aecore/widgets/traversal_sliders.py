"""A slider for each latent, the image that they decode to, and what one of them does alone."""

import math
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from aecore import checks
from aecore.plots.palette import AMBER, BLACK, GREY, PETROL, WHITE
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.packing import pack, unpack

MOST = 10  # latents: a column of sliders that a reader can take in
CODES = 20
REACH = 3  # standard deviations of the prior, either way
LEAST = 0.01  # nats: a latent with less says nothing
STRIP = torch.arange(-REACH, REACH + 1).float()  # where the chosen latent is put: (7,)


class TraversalSliders(Widget):
    r"""The decoder in the page, at a code $\mathbf z$ that the reader sets latent by latent.

    ``decoder``: ``nn.Sequential`` of Linear and activations (see ``packing.KINDS``), from q ≤ 10
    latents to the pixels of a square image. ``output`` says what it returns: ``"logits"``, drawn
    through a sigmoid, or ``"pixels"``, clipped to [0, 1]. ``codes``: (N, q), the codes of at most
    20 images, which a button shows one after the other. ``kl``: (q,), the mean over the data of
    $D_{\mathrm{KL}}(q_\phi(z_j \mid \mathbf x) \Vert p(z_j))$, in nats; the latents stand in its
    order, the largest first, and one below 0.01 nats is marked as saying nothing.

    The sliders run from -3 to 3 standard deviations of the prior, or as far as ``codes`` go. Below
    them is the traversal of one latent: seven images from -3 to 3, the others held as they are.
    The first of ``codes`` is shown at the start. ``position``, the q values of $\mathbf z$, and
    ``latent``, the one that is traversed, can be read and set from Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for tensors that do not fit the decoder.
    """

    kind = "traversal_sliders"
    _esm = front_end(kind)

    layers: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    codes = traitlets.Bytes().tag(sync=True)  # float32, (N, q)
    kl: Any = traitlets.List().tag(sync=True)  # nats
    least = traitlets.Float(LEAST).tag(sync=True)
    reach = traitlets.Float().tag(sync=True)  # of the sliders
    tones = traitlets.List([BLACK, WHITE]).tag(sync=True)  # of a pixel's 0 and 1
    side = traitlets.Int().tag(sync=True)  # pixels
    output = traitlets.Unicode().tag(sync=True)
    position = traitlets.List(traitlets.Float()).tag(sync=True)
    latent = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        decoder: nn.Module,
        codes: Tensor,
        kl: Tensor,
        *,
        name: str,
        label: str,
        output: str = "logits",
    ) -> None:
        checks.instance("decoder", decoder, nn.Module)
        checks.choice("output", output, ("logits", "pixels"))
        packed = pack(decoder)
        side = math.isqrt(packed.outputs)
        if packed.inputs > MOST:
            raise ValueError(f"decoder must read at most {MOST} latents, got {packed.inputs}")
        if side * side != packed.outputs:
            raise ValueError(f"decoder must return a square image, got {packed.outputs} pixels")
        if output == "logits" and packed.layers[-1]["kind"] == "sigmoid":
            raise ValueError(
                "output must be 'pixels' for a decoder ending in Sigmoid, got 'logits'"
            )
        checks.tensor("codes", codes, ("N", packed.inputs))
        if len(codes) > CODES:
            raise ValueError(f"codes must be at most {CODES}, got {len(codes)}")
        # a closed form that rounds may fall a little below zero where nothing is said
        checks.tensor("kl", kl, (packed.inputs,), low=-1e-5)

        self._decoder = unpack(packed)  # as the page has it, whatever becomes of the model
        points = codes.detach().cpu().float()  # (N, q)
        divergences = kl.detach().cpu().double().clamp(min=0)  # (q,)
        super().__init__(
            name=name,
            label=label,
            layers=packed.layers,
            weights=packed.data,
            codes=points.numpy().astype("<f4").tobytes(),
            kl=[round(value, 6) for value in divergences.tolist()],
            reach=max(float(REACH), math.ceil(2 * float(points.abs().max())) / 2),
            side=side,
            output=output,
            position=points[0].tolist(),
            latent=int(divergences.argmax()),
        )

    @traitlets.validate("position")
    def _a_position(self, proposal: Any) -> list[float]:
        values = proposal["value"]
        if len(values) != len(self.kl):
            raise ValueError(f"position must have {len(self.kl)} values, got {len(values)}")
        return [
            checks.number(f"position[{j}]", value, low=-self.reach, high=self.reach)
            for j, value in enumerate(values)
        ]

    @traitlets.validate("latent")
    def _a_latent(self, proposal: Any) -> int:
        return checks.integer("latent", proposal["value"], low=0, high=len(self.kl) - 1)

    @property
    def image(self) -> Tensor:
        """What the page shows: (1, H, W) in [0, 1]."""
        return self._decode(torch.tensor([self.position]))[0]

    @property
    def traversal(self) -> Tensor:
        """The chosen latent at -3, -2, ..., 3, the others as they are: (7, 1, H, W) in [0, 1]."""
        z = torch.tensor(self.position).repeat(len(STRIP), 1)  # (7, q)
        z[:, self.latent] = STRIP
        return self._decode(z)

    @property
    def change(self) -> float:
        """Squared error between the two ends of the traversal, summed over the pixels."""
        strip = self.traversal
        return float((strip[-1] - strip[0]).square().sum())

    def _decode(self, z: Tensor) -> Tensor:
        pixels: Tensor = self._decoder(z)  # (B, H·W)
        pixels = pixels.sigmoid() if self.output == "logits" else pixels.clamp(0, 1)
        return pixels.reshape(-1, 1, self.side, self.side)

    def alt(self) -> str:
        """What the picture shows, in words."""
        silent = sum(value < self.least for value in self.kl)
        words = f", {silent} of which say nothing" if silent else ""
        return (
            f"{self.label}. Left: a decoded image. Right: sliders for {len(self.kl)} latents"
            f"{words}, in the order of their KL, from {max(self.kl):.2f} to {min(self.kl):.2f} "
            f"nats. Below: the image with latent {self.latent + 1} at -{REACH} to {REACH}, the "
            f"others held; its ends differ by a squared error of {self.change:.1f}."
        )

    def picture(self) -> bytes:
        """The image, the sliders and the traversal, on a transparent ground."""
        figure = Figure(figsize=(6.9, 4.0))
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.008, 0.36, 0.35, 0.35 * 6.9 / 4.0))
        self._draw(axes, self.image)

        axes = figure.add_axes((0.40, 0.34, 0.60, 0.63))
        order = sorted(range(len(self.kl)), key=lambda j: -self.kl[j])
        most = max(*self.kl, self.least)
        for row, j in enumerate(order):
            silent = self.kl[j] < self.least
            weight = 600 if j == self.latent else 400
            # grey reads on paper and in the dark
            text: dict[str, Any] = {"va": "center", "size": 8.5, "color": GREY}
            text["alpha"] = 0.6 if silent else 1.0
            axes.text(0.05, row, f"$z_{{{j + 1}}}$", ha="right", weight=weight, **text)
            axes.plot([0.1, 0.6], [row, row], "-", lw=2, color=GREY, alpha=0.35)
            place = 0.35 + 0.25 * self.position[j] / self.reach
            axes.plot(place, row, "o", ms=8, color=GREY if silent else AMBER)
            axes.text(0.71, row, f"{self.kl[j]:.2f}", ha="right", **text)
            axes.barh(row, 0.26 * self.kl[j] / most, 0.5, 0.73, color=PETROL)
            if silent:
                axes.text(0.73, row, "says nothing", ha="left", **text)
        axes.text(0.73, -1, "KL, nats", size=8.5, color=GREY, va="center")
        axes.set(xlim=(0, 1), ylim=(max(len(order), 6) - 0.4, -1.5))
        axes.set_axis_off()

        width, step = 0.128, 0.1427
        for i, (image, value) in enumerate(zip(self.traversal, STRIP.tolist(), strict=True)):
            axes = figure.add_axes((0.008 + i * step, 0.055, width, width * 6.9 / 4.0))
            self._draw(axes, image)
            words = f"{value:.0f}".replace("-", "−")
            axes.set_title(words, size=8.5, color=GREY, y=-0.24, loc="center")
        return figure_png(figure)

    def _draw(self, axes: Any, image: Tensor) -> None:
        axes.imshow(image[0].numpy(), cmap="aecore.digit", vmin=0, vmax=1)
        axes.set_axis_off()
