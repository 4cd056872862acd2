"""From one face to another, through the latent space and by a cross-fade of the pixels."""

from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from aecore import checks
from aecore.plots.palette import GREY
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.portraits import Portraits, PortraitState, between

PATHS = ("line", "sphere")


class Morph(PortraitState, Widget):
    r"""$\mathrm{Dec}(z_t)$ beside $(1-t)\,\mathrm{Dec}(a) + t\,\mathrm{Dec}(b)$, in the page.

    ``decoder``, ``centre``, ``scale`` and ``codes``: what draws the faces, and the codes of 2 to 8
    faces to choose from, as ``portraits.Portraits`` says. $z_t$ runs from one code to the other, on
    the straight line or on the sphere (``portraits.between``).
    ``start`` and ``end`` (rows of ``codes``), ``t`` from 0 to 1 and ``path`` (``"line"`` or
    ``"sphere"``) can be read and set from Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for what does not fit, by name.
    """

    kind = "morph"
    _esm = front_end(kind)

    start = traitlets.Int(0).tag(sync=True)
    end = traitlets.Int(1).tag(sync=True)
    t = traitlets.Float(0.5).tag(sync=True)
    path = traitlets.Unicode("line").tag(sync=True)

    def __init__(
        self,
        decoder: nn.Module,
        codes: Tensor,
        *,
        name: str,
        label: str,
        centre: Tensor,
        scale: float,
    ) -> None:
        self._portraits = Portraits(decoder, codes, centre, scale)
        super().__init__(name=name, label=label, **self._portraits.state)

    @traitlets.validate("start", "end")
    def _a_face(self, proposal: Any) -> int:
        most = len(self._portraits.codes) - 1
        return checks.integer(proposal["trait"].name, proposal["value"], low=0, high=most)

    @traitlets.validate("t")
    def _a_place(self, proposal: Any) -> float:
        return checks.number("t", proposal["value"], low=0, high=1)

    @traitlets.validate("path")
    def _a_path(self, proposal: Any) -> str:
        return checks.choice("path", proposal["value"], PATHS)

    @property
    def code(self) -> Tensor:
        """Where the morph is, (q,)."""
        a, b = self._portraits.codes[[self.start, self.end]]
        return between(a, b, self.t, self.path)

    @property
    def images(self) -> Tensor:
        """(4, 3, H, W) in [0, 1]: the start, the morph, the cross-fade, the end."""
        codes = self._portraits.codes
        first, last = self._portraits.draw(codes[[self.start, self.end]])
        faded = (1 - self.t) * first + self.t * last
        return torch.stack((first, self._portraits.draw(self.code[None])[0], faded, last))

    def alt(self) -> str:
        """What the picture shows, in words."""
        words = {"line": "on the straight line", "sphere": "on the sphere"}
        return (
            f"{self.label}. From face {self.start + 1} to face {self.end + 1} at t = {self.t:.2f}: "
            f"the first face, the face decoded {words[self.path]} between the two codes, "
            f"the cross-fade of the pixels, the last face."
        )

    def picture(self) -> bytes:
        """The four images side by side, on a transparent ground."""
        figure = Figure(figsize=(6.9, 2.0))
        figure.set_layout_engine("none")
        titles = (f"face {self.start + 1}", "decoded", "cross-fade", f"face {self.end + 1}")
        for i, (title, image) in enumerate(zip(titles, self.images, strict=True)):
            axes = figure.add_axes((i * 1.75 / 6.9, 0, 1.65 / 6.9, 1.65 / 2.0))
            axes.imshow(image.permute(1, 2, 0).numpy(), interpolation="bicubic")
            axes.set_axis_off()
            # grey reads on paper and in the dark
            axes.set_title(title, size=9, color=GREY, pad=4, loc="left")
        return figure_png(figure)
