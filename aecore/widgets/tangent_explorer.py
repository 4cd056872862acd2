"""A digit moved along one of two directions, and how far its code moves with it."""

from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from aecore import checks
from aecore.plots.palette import AMBER, BLACK, GREY, NEGATIVE, PETROL, POSITIVE, WHITE
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.packing import pack, unpack

REACH = 4.0  # of the slider; two digits of a class are about twice as far apart
MOST = 20  # images: a row of buttons, and what is loaded with the page


class TangentExplorer(Widget):
    r"""$\mathbf x + t\,\mathbf u$ and its code, for a tangent and for another direction.

    ``encoder``: ``nn.Sequential`` of Linear and activations (see ``packing.KINDS``), from H·W
    pixels to q numbers. ``images``: (M, 1, H, W) in [0, 1], at most 20. ``tangents`` and
    ``others``: (M, H·W), for each image a unit vector along which the code should move far, such
    as the first right singular vector of the encoder's Jacobian, and a random one.
    The page draws $\lVert f(\mathbf x + t\mathbf u) - f(\mathbf x)\rVert$ against t for both; the
    encoder sees the moved image as it is, and only the drawing is clipped to [0, 1].
    ``image`` (a row of ``images``), ``along`` (``"tangent"`` or ``"random"``) and ``t``, from -4
    to 4, can be read and set from Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for tensors that do not fit each other.
    """

    kind = "tangent_explorer"
    _esm = front_end(kind)

    layers: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    images = traitlets.Bytes().tag(sync=True)  # uint8, (M, H·W)
    tangents = traitlets.Bytes().tag(sync=True)  # float32, (M, H·W)
    others = traitlets.Bytes().tag(sync=True)  # float32, (M, H·W)
    shape: Any = traitlets.List().tag(sync=True)  # [height, width]
    reach = traitlets.Float(REACH).tag(sync=True)
    tones = traitlets.List([BLACK, WHITE]).tag(sync=True)  # of a pixel's 0 and 1
    signed = traitlets.List([NEGATIVE, PETROL, BLACK, AMBER, POSITIVE]).tag(sync=True)
    image = traitlets.Int(0).tag(sync=True)
    along = traitlets.Unicode("tangent").tag(sync=True)
    t = traitlets.Float(REACH / 2).tag(sync=True)

    def __init__(
        self,
        encoder: nn.Module,
        images: Tensor,
        tangents: Tensor,
        others: Tensor,
        *,
        name: str,
        label: str,
    ) -> None:
        checks.instance("encoder", encoder, nn.Module)
        checks.tensor("images", images, ("M", 1, "H", "W"), low=0, high=1)
        number, _, height, width = images.shape
        if number > MOST:
            raise ValueError(f"images must be at most {MOST}, got {number}")
        for field, vectors in (("tangents", tangents), ("others", others)):
            checks.tensor(field, vectors, (number, height * width))
            norms = vectors.detach().double().norm(dim=1)  # (M,)
            if (norms - 1).abs().max() > 1e-3:
                raise ValueError(
                    f"{field} must hold unit vectors, got norms from "
                    f"{float(norms.min()):.4g} to {float(norms.max()):.4g}"
                )
        packed = pack(encoder)
        if packed.inputs != height * width:
            raise ValueError(f"encoder must read {height * width} pixels, got {packed.inputs}")

        self._encoder = unpack(packed)  # as the page has it, whatever becomes of the model
        pixels = (images.detach().cpu().reshape(number, -1) * 255).round().to(torch.uint8)
        self._pixels = pixels.float() / 255  # (M, H·W)
        self._directions = {
            "tangent": tangents.detach().cpu().float().clone(),
            "random": others.detach().cpu().float().clone(),
        }
        super().__init__(
            name=name,
            label=label,
            layers=packed.layers,
            weights=packed.data,
            images=pixels.numpy().tobytes(),
            tangents=self._directions["tangent"].numpy().astype("<f4").tobytes(),
            others=self._directions["random"].numpy().astype("<f4").tobytes(),
            shape=[height, width],
        )

    @traitlets.validate("image")
    def _an_image(self, proposal: Any) -> int:
        return checks.integer("image", proposal["value"], low=0, high=len(self._pixels) - 1)

    @traitlets.validate("along")
    def _a_direction(self, proposal: Any) -> str:
        return checks.choice("along", proposal["value"], ("tangent", "random"))

    @traitlets.validate("t")
    def _a_distance(self, proposal: Any) -> float:
        return checks.number("t", proposal["value"], low=-REACH, high=REACH)

    def alt(self) -> str:
        """What the picture shows, in words."""
        tangent, random = (float(self._moved(along, [self.t])[0]) for along in self._directions)
        return (
            f"{self.label}. Left: image {self.image + 1} moved by {self.t:.2f} along the "
            f"{self.along} direction, and that direction. Right: how far the code moves, against "
            f"the distance: here {tangent:.3g} along the tangent and {random:.3g} along the "
            f"random direction."
        )

    def picture(self) -> bytes:
        """The moved digit, the direction and the two curves, on a transparent ground."""
        figure = Figure(figsize=(6.9, 2.6))
        figure.set_layout_engine("none")
        direction = self._directions[self.along][self.image]  # (H·W,)
        moved = self._pixels[self.image] + self.t * direction
        largest = float(direction.abs().max())
        for i, (title, image, colours, low, high) in enumerate(
            (
                (f"moved by {self.t:.2f}", moved, "aecore.digit", 0.0, 1.0),
                (f"the {self.along} direction", direction, "aecore.signed", -largest, largest),
            )
        ):
            axes = figure.add_axes((0.007 + 0.235 * i, 0.22, 0.225, 0.225 * 6.9 / 2.6))
            axes.imshow(image.reshape(self.shape).numpy(), cmap=colours, vmin=low, vmax=high)
            axes.set_title(title, size=8.5, color=GREY, pad=3, loc="left")
            axes.set_axis_off()
        axes = figure.add_axes((0.56, 0.22, 0.42, 0.6))
        places = np.linspace(-REACH, REACH, 81)
        for along, colour in (("random", GREY), ("tangent", AMBER)):
            axes.plot(places, self._moved(along, places), "-", color=colour, lw=1.8)
            axes.plot(self.t, self._moved(along, [self.t]), "o", ms=7, color=colour)
        axes.set_title("how far the code moves", size=8.5, color=GREY, pad=3, loc="left")
        axes.set_xlabel("t: amber the tangent, grey random", size=8.5, color=GREY)
        axes.tick_params(labelcolor=GREY, length=0)  # grey reads on paper and in the dark
        axes.spines[:].set_visible(False)
        axes.grid(color=GREY, alpha=0.3, lw=0.6)
        axes.set(xlim=(-REACH, REACH), ylim=(0, None))
        return figure_png(figure)

    def _moved(self, along: str, places: Any) -> Any:
        """How far the code is from its start, for each distance: (T,)."""
        x, u = self._pixels[self.image], self._directions[along][self.image]
        t = torch.as_tensor(np.asarray(places, dtype="f4"))
        codes = self._encoder(x + t[:, None] * u) - self._encoder(x)  # (T, q)
        return codes.norm(dim=1).numpy()
