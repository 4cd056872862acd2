"""Every unit of a sparse code: its atom, the digits that fire it, a digit rebuilt from a few."""

import io
from typing import Any

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.Image import Quantize
from torch import Tensor

from aecore import checks
from aecore.plots.palette import AMBER, BLACK, GREY, NEGATIVE, PETROL, POSITIVE, WHITE
from aecore.widgets.base import Widget, front_end

MOST = 64  # units that a digit is rebuilt from
STRIP = 12  # atoms shown in the order of their use
TOP = 8  # digits shown for a unit


class UnitBrowser(Widget):
    r"""All atoms of a sparse autoencoder, and $\hat x = b + \sum_{j\in S_k} h_j d_j$ in the page.

    ``atoms``: (units, H·W), row j is unit j's column $d_j$ of the decoder. ``bias``: (H·W,).
    ``images``: (M, 1, H, W) in [0, 1]. ``activations``: (M, units), the codes $h\ge 0$ of these
    images; where the page is to choose k, those from before all but the largest k are dropped.
    $S_k$ holds the k units of an image with the largest activations. ``output`` says what the
    sum is: ``"pixels"``, drawn clipped to [0, 1], or ``"logits"``, drawn through a sigmoid. The
    squared error is that of the unclipped pixels, summed over the image.

    The page has the atoms in 8 bits, on a scale for each atom, and the activations in 8 bits, on
    a scale for each unit; a positive activation stays positive, so that counts are exact. On 400
    units trained with an L1 penalty that moved the squared error, on average over 500 digits, by
    less than 0.01 at any k.
    ``unit``, ``image`` (a row of ``images``) and ``k`` are what is chosen; they can be read and
    set from Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for tensors that do not fit each other.
    """

    kind = "unit_browser"
    _esm = front_end(kind)

    atoms = traitlets.Bytes().tag(sync=True)  # int8, (units, H·W)
    scales = traitlets.Bytes().tag(sync=True)  # float32, (units,): of one step of an atom
    bias = traitlets.Bytes().tag(sync=True)  # float32, (H·W,)
    images = traitlets.Bytes().tag(sync=True)  # uint8, (M, H·W)
    activations = traitlets.Bytes().tag(sync=True)  # uint8, (M, units)
    steps = traitlets.Bytes().tag(sync=True)  # float32, (units,): of one step of an activation
    shape: Any = traitlets.List().tag(sync=True)  # [height, width]
    output = traitlets.Unicode().tag(sync=True)
    most = traitlets.Int().tag(sync=True)  # the largest k
    tones = traitlets.List([BLACK, WHITE]).tag(sync=True)  # of a pixel's 0 and 1
    signed = traitlets.List([NEGATIVE, PETROL, BLACK, AMBER, POSITIVE]).tag(sync=True)
    unit = traitlets.Int().tag(sync=True)
    image = traitlets.Int().tag(sync=True)
    k = traitlets.Int(1).tag(sync=True)

    def __init__(
        self,
        atoms: Tensor,
        bias: Tensor,
        images: Tensor,
        activations: Tensor,
        *,
        name: str,
        label: str,
        output: str = "pixels",
    ) -> None:
        checks.tensor("images", images, ("M", 1, "H", "W"), low=0, high=1)
        number, _, height, width = images.shape
        checks.tensor("atoms", atoms, ("units", height * width))
        checks.tensor("bias", bias, (height * width,))
        checks.tensor("activations", activations, (number, len(atoms)), low=0)
        checks.choice("output", output, ("pixels", "logits"))
        codes, steps = _bytes_per_unit(_array(activations))
        active = (codes > 0).sum(1)  # (M,)
        if not active.any():
            raise ValueError("activations must be positive somewhere, got zeros only")

        rows, scales = _signed_bytes(_array(atoms))
        self._rows, self._scales, self._codes, self._steps = rows, scales, codes, steps
        self._bias = _array(bias).ravel()
        self._images = np.rint(_array(images) * 255).astype("u1")  # (M, H·W)
        most = min(MOST, int(active.max()))
        first = int(active.argmax() if not active[0] else 0)
        super().__init__(
            name=name,
            label=label,
            atoms=rows.tobytes(),
            scales=scales.tobytes(),
            bias=self._bias.astype("<f4").tobytes(),
            images=self._images.tobytes(),
            activations=codes.tobytes(),
            steps=steps.tobytes(),
            shape=[height, width],
            output=output,
            most=most,
            image=first,
            unit=int((codes[first] * steps).argmax()),
            k=min(10, most),
        )

    @traitlets.validate("unit", "image", "k")
    def _inside(self, proposal: Any) -> int:
        field = proposal["trait"].name
        sizes = {"unit": (0, len(self._rows) - 1), "image": (0, len(self._codes) - 1)}
        low, high = sizes.get(field, (1, self.most))
        return checks.integer(field, proposal["value"], low=low, high=high)

    def alt(self) -> str:
        """What the picture shows, in words."""
        height, width = self.shape
        share = 100 * float((self._codes[:, self.unit] > 0).mean())
        return (
            f"{self.label}. Above: the atoms of {len(self._rows)} units as images of "
            f"{height} by {width} pixels, and unit {self.unit}, which fires on {share:.1f} % of "
            f"{len(self._codes)} images, with those that fire it most. Below: image "
            f"{self.image + 1}, the same rebuilt from its {len(self._strongest())} strongest "
            f"units, and their atoms."
        )

    def picture(self) -> bytes:
        """The atoms, the chosen unit, and the chosen digit rebuilt, on a transparent ground."""
        figure = Figure(figsize=(6.9, 6.35))
        figure.set_layout_engine("none")

        def place(x: float, y: float, side: float, title: str, size: float = 8.5) -> Axes:
            axes = figure.add_axes((x / 6.9, 1 - (y + side) / 6.35, side / 6.9, side / 6.35))
            axes.set_axis_off()
            # grey reads on paper and in the dark
            axes.set_title(title, size=size, color=GREY, pad=3, loc="left")
            return axes

        def atom(x: float, y: float, side: float, unit: int, title: str) -> None:
            axes = place(x, y, side, title)
            axes.imshow(self._rows[unit].reshape(self.shape), "aecore.signed", vmin=-127, vmax=127)

        def image(x: float, y: float, side: float, pixels: Any, title: str) -> None:
            axes = place(x, y, side, title)
            axes.imshow(pixels.reshape(self.shape), "aecore.digit", vmin=0, vmax=1)

        share = 100 * (self._codes > 0).mean(0)  # (units,)
        axes = place(0.05, 0.3, 4.1, f"{len(share)} units, the most used first")
        ordered = _mosaic(self._rows[np.argsort(-share, kind="stable")], self.shape)
        axes.imshow(ordered, "aecore.signed", vmin=-127, vmax=127)
        atom(4.45, 0.3, 1.35, self.unit, f"unit {self.unit}: on {share[self.unit]:.1f} % of images")
        values = self._codes[:, self.unit] * self._steps[self.unit]
        top = [row for row in np.argsort(-values, kind="stable")[:TOP] if values[row] > 0]
        for i, row in enumerate(top):
            x, y = 4.45 + 0.6 * (i % 4), 2.2 + 0.85 * (i // 4)
            image(x, y, 0.54, self._images[row] / 255, f"{values[row]:.2f}")
        used = self._strongest()
        image(0.05, 4.85, 1.35, self._images[self.image] / 255, f"image {self.image + 1}")
        image(1.55, 4.85, 1.35, self._rebuilt(), f"from {len(used)} units")
        for i, unit in enumerate(used[:STRIP]):
            x, y = 3.15 + 0.62 * (i % 6), 4.85 + 0.8 * (i // 6)
            value = self._codes[self.image, unit] * self._steps[unit]
            atom(x, y, 0.55, unit, f"{value:.2f}")
        drawn, file = io.BytesIO(), io.BytesIO()
        figure.savefig(drawn, dpi=144, transparent=True)
        # a palette: hundreds of atoms in full colour are five times as many bytes
        Image.open(drawn).quantize(256, Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
        return file.getvalue()

    def _strongest(self) -> Any:
        values = self._codes[self.image] * self._steps  # (units,)
        order = np.argsort(-values, kind="stable")[: self.k]
        return order[values[order] > 0]

    def _rebuilt(self) -> Any:
        used = self._strongest()
        values = self._codes[self.image, used] * self._steps[used]  # (k,)
        total = self._bias + (values * self._scales[used]) @ self._rows[used]
        return 1 / (1 + np.exp(-total)) if self.output == "logits" else total


def _array(value: Tensor) -> Any:
    return value.detach().cpu().double().reshape(len(value), -1).numpy()


def _signed_bytes(rows: Any) -> tuple[Any, Any]:
    """Each row as whole numbers from -127 to 127, and what one of them stands for."""
    scales = (np.maximum(np.abs(rows).max(axis=1), 1e-12) / 127).astype("<f4")  # (units,)
    return np.rint(rows / scales[:, None]).clip(-127, 127).astype("i1"), scales


def _bytes_per_unit(activations: Any) -> tuple[Any, Any]:
    """Each column as whole numbers from 0 to 255, and what one of them stands for."""
    steps = (np.maximum(activations.max(axis=0), 1e-12) / 255).astype("<f4")  # (units,)
    codes = np.rint(activations / steps).clip(0, 255)
    return np.where(activations > 0, codes.clip(1), 0).astype("u1"), steps


def _mosaic(rows: Any, shape: list[int]) -> Any:
    """The atoms in a square, row by row; places without one are masked."""
    height, width = shape
    across = int(np.ceil(np.sqrt(len(rows))))
    size = (across * (height + 2), across * (width + 2))
    mosaic = np.ma.masked_array(np.zeros(size), mask=True)
    for i, row in enumerate(rows):
        y, x = (height + 2) * (i // across), (width + 2) * (i % across)
        mosaic[y : y + height, x : x + width] = row.reshape(shape)
    return mosaic
