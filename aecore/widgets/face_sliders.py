"""Sliders that ask a latent space for a factor, and a judge that measures what comes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from aecore import checks
from aecore.plots.palette import AMBER, BLACK, GREY, INK, NEGATIVE, PAPER, PETROL, POSITIVE
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.packing import pack, unpack
from aecore.widgets.portraits import Portraits, PortraitState

REACH = 1.25  # of a slider: factors are in [-1, 1], and judges and sums go beyond
CONTRAST = 0.4  # a change of brightness drawn in full colour


class FaceSliders(PortraitState, Widget):
    r"""A face drawn at $z + \sum_k m_k\,\mathbf v_k$, one slider a factor, in the page.

    ``decoder``, ``centre``, ``scale`` and ``codes``: what draws the faces, and the codes of 2 to 8
    faces to start from, as ``portraits.Portraits`` says. ``judge``: ``nn.Sequential`` of the layers
    in ``packing.KINDS``, from images (B, 3, H, W) in [0, 1] to F factors. ``directions``: (F, q),
    row k is $\mathbf v_k$, the step in latent space that should raise factor k by one and leave the
    others. ``names``: the F factors, in the judge's order.

    A slider stands where its factor is asked to be: what the judge finds in the face at the start,
    plus $m_k$; a mark beside it stands where the judge finds the factor in the face as drawn.
    ``face`` (a row of ``codes``) and ``moves`` (F numbers $m_k$ from -2.5 to 2.5) can be read and
    set from Python while a kernel runs. Moves stay when another face is chosen: the same step,
    from another start.
    Raises ``TypeError`` or ``ValueError`` for what does not fit, by name.
    """

    kind = "face_sliders"
    _esm = front_end(kind)

    judge_layers: Any = traitlets.List().tag(sync=True)
    judge_weights = traitlets.Bytes().tag(sync=True)
    directions = traitlets.Bytes().tag(sync=True)  # float32, (F, q)
    names: Any = traitlets.List().tag(sync=True)
    reach = traitlets.Float(REACH).tag(sync=True)
    contrast = traitlets.Float(CONTRAST).tag(sync=True)
    signed = traitlets.List([NEGATIVE, PETROL, BLACK, AMBER, POSITIVE]).tag(sync=True)
    face = traitlets.Int(0).tag(sync=True)
    moves: Any = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(
        self,
        decoder: nn.Module,
        judge: nn.Module,
        codes: Tensor,
        directions: Tensor,
        names: Sequence[str],
        *,
        name: str,
        label: str,
        centre: Tensor,
        scale: float,
    ) -> None:
        self._portraits = Portraits(decoder, codes, centre, scale)
        shape, latents = self._portraits.shape, self._portraits.codes.shape[1]
        checks.instance("judge", judge, nn.Module)
        judging = pack(nn.Sequential(nn.Unflatten(1, shape), judge))
        checks.instance("names", names, list, tuple)
        for i, factor in enumerate(names):
            checks.instance(f"names[{i}]", factor, str)
        if len(set(names)) < len(names) or not all(factor.strip() for factor in names):
            raise ValueError(f"names must be different words, got {list(names)}")
        if judging.image is not None or judging.outputs != len(names):
            raise ValueError(f"judge must return {len(names)} factors, got {judging.outputs}")
        checks.tensor("directions", directions, (len(names), latents))

        self._judge = unpack(judging)
        self._directions = directions.detach().cpu().float().clone()  # (F, q)
        self._names = tuple(names)
        super().__init__(
            name=name,
            label=label,
            judge_layers=judging.layers,
            judge_weights=judging.data,
            directions=self._directions.numpy().astype("<f4").tobytes(),
            names=list(names),
            moves=[0.0] * len(names),
            **self._portraits.state,
        )

    @traitlets.validate("face")
    def _a_face(self, proposal: Any) -> int:
        most = len(self._portraits.codes) - 1
        return checks.integer("face", proposal["value"], low=0, high=most)

    @traitlets.validate("moves")
    def _all_moves(self, proposal: Any) -> list[float]:
        moves = proposal["value"]
        if len(moves) != len(self._names):
            raise ValueError(f"moves must be {len(self._names)} numbers, got {len(moves)}")
        return [
            checks.number(f"moves[{i}]", m, low=-2 * REACH, high=2 * REACH)
            for i, m in enumerate(moves)
        ]

    def image(self, moves: Sequence[float] | None = None) -> Tensor:
        """The face, (3, H, W) in [0, 1], with ``moves``; those of the sliders if left out."""
        wanted = torch.tensor(list(self.moves if moves is None else moves))  # (F,)
        code = self._portraits.codes[self.face] + wanted @ self._directions  # (q,)
        return self._portraits.draw(code[None])[0]

    def measured(self, image: Tensor) -> Tensor:
        """What the judge finds in an image, (3, H, W) → (F,)."""
        factors: Tensor = self._judge(image.reshape(1, -1))[0]
        return factors

    def alt(self) -> str:
        """What the picture shows, in words."""
        asked = [f"{n} by {m:+.2f}" for n, m in zip(self._names, self.moves, strict=True) if m]
        found = self.measured(self.image())
        factors = ", ".join(f"{n} {v:+.2f}" for n, v in zip(self._names, found, strict=True))
        return (
            f"{self.label}. Left: face {self.face + 1}, "
            f"{'as it is' if not asked else 'asked to move: ' + ', '.join(asked)}. "
            f"Right: a slider for each factor; a judge finds {factors}."
        )

    def picture(self) -> bytes:
        """The face, and the sliders with the judge's marks, on a transparent ground."""
        figure = Figure(figsize=(6.9, 3.0))
        figure.set_layout_engine("none")
        start = self.measured(self.image([0.0] * len(self._names)))
        found = self.measured(self.image())
        axes = figure.add_axes((0, 0.02, 2.88 / 6.9, 0.96))
        axes.imshow(self.image().permute(1, 2, 0).numpy(), interpolation="bicubic")
        axes.set_axis_off()
        axes = figure.add_axes((0.56, 0.1, 0.4, 0.86))
        for i, (factor, move) in enumerate(zip(self._names, self.moves, strict=True)):
            place = np.clip(float(start[i]) + move, -REACH, REACH)
            axes.plot([-REACH, REACH], [i, i], "-", color=GREY, lw=1.5, alpha=0.5)
            axes.plot(place, i, "o", ms=11, color=INK)
            axes.plot(place, i, "o", ms=9, color=AMBER, mec=PAPER, mew=2)
            axes.plot(np.clip(float(found[i]), -REACH, REACH), i + 0.32, "^", ms=6, color=PETROL)
            axes.text(-REACH - 0.12, i, factor, size=9, color=GREY, ha="right", va="center")
        axes.set(xlim=(-REACH - 0.05, REACH + 0.05), ylim=(len(self._names) - 0.3, -0.6))
        axes.set_xticks([-1, 0, 1], ["−1", "0", "1"])
        axes.set_yticks([])
        axes.tick_params(labelcolor=GREY, length=0)  # grey reads on paper and in the dark
        axes.spines[:].set_visible(False)
        return figure_png(figure)
