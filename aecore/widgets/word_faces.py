"""Faces that words call out of noise: latent diffusion, run in the page."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from aecore import checks
from aecore.models.denoisers import VectorDenoiser
from aecore.models.diffusion import convert
from aecore.plots.palette import GREY
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.draws import normal
from aecore.widgets.packing import pack, unpack
from aecore.widgets.portraits import Portraits, PortraitState

PREDICTIONS = ("epsilon", "x0", "v")
KINDS = ("x0", "epsilon")
FACES = 4  # at once
STEPS = 20
MOST = 4  # the largest weight


class WordFaces(PortraitState, Widget):
    r"""Words are said, and four faces form out of noise in the latent space.

    ``denoiser``: a ``VectorDenoiser`` of the latents in units of ``spread`` (q,), told a hint;
    what it returns is ``prediction``: ``"epsilon"``, ``"x0"`` or ``"v"``. ``alpha_bars``: (T,),
    falling, T a multiple of 20. ``words``: groups of words that exclude each other, such as
    ``[("frowning", "smiling"), ("dark", "light")]``. ``embeddings``: (W, hints), a row for each
    word in that order; the hint of several words is the sum of theirs, and of none it is 0.
    ``decoder``, ``centre`` and ``scale``: what draws the latents, as ``portraits.Portraits`` says.

    From $z_T \sim \mathcal N(0, I)$ in 20 deterministic steps [song2021denoising], each with

    $$\hat v = v(z_t, t, \varnothing) + w\,\bigl(v(z_t, t, c) - v(z_t, t, \varnothing)\bigr)$$

    for the words c [ho2022classifier]: w = 0 does not listen, 1 listens as in training, and more
    goes further the same way. The page draws what each step expects of the end, $\hat z_0$.

    ``said`` (rows of ``embeddings``, at most one a group), ``weight`` w from 0 to 4, ``step``, how
    many steps are shown, and ``seed`` can be read and set from Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for what does not fit together, by name.
    """

    kind = "word_faces"
    _esm = front_end(kind)

    denoiser_layers: Any = traitlets.List().tag(sync=True)
    denoiser_weights = traitlets.Bytes().tag(sync=True)
    rates = traitlets.Bytes().tag(sync=True)  # float32, (R,): ω
    alpha_bars = traitlets.Bytes().tag(sync=True)  # float64, (T,)
    embeddings = traitlets.Bytes().tag(sync=True)  # float32, (W, hints)
    spread = traitlets.Bytes().tag(sync=True)  # float32, (q,)
    groups: Any = traitlets.List().tag(sync=True)  # of words
    prediction = traitlets.Unicode().tag(sync=True)
    steps = traitlets.Int(STEPS).tag(sync=True)
    most = traitlets.Float(MOST).tag(sync=True)
    said: Any = traitlets.List(traitlets.Int()).tag(sync=True)
    weight = traitlets.Float(2.0).tag(sync=True)
    step = traitlets.Int(STEPS).tag(sync=True)
    seed = traitlets.Int(1).tag(sync=True)

    def __init__(
        self,
        denoiser: VectorDenoiser,
        alpha_bars: Tensor,
        words: Sequence[Sequence[str]],
        embeddings: Tensor,
        decoder: nn.Module,
        *,
        name: str,
        label: str,
        spread: Tensor,
        centre: Tensor,
        scale: float,
        prediction: str = "v",
    ) -> None:
        checks.instance("denoiser", denoiser, VectorDenoiser)
        checks.choice("prediction", prediction, PREDICTIONS)
        checks.tensor("alpha_bars", alpha_bars, ("T",))
        bars = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bars.detach().cpu().double()])
        if len(alpha_bars) % STEPS or not bool((bars.diff() < 0).all()) or bars[-1] <= 0:
            raise ValueError(
                f"alpha_bars must be a multiple of {STEPS} falling numbers between 1 and 0, got "
                f"{len(alpha_bars)} from {alpha_bars.max():.4g} to {alpha_bars.min():.4g}"
            )
        groups = _groups(words)
        flat = [word for group in groups for word in group]
        checks.tensor("embeddings", embeddings, (len(flat), denoiser.hints))
        checks.tensor("spread", spread, (denoiser.size,))
        self._portraits = Portraits(decoder, None, centre, scale)
        reads = self._portraits.codes.shape[1]
        if reads != denoiser.size:
            raise ValueError(f"decoder must read {denoiser.size} latents, got {reads}")
        packed = pack(denoiser.layers)
        self._denoiser = unpack(packed)  # as the page has it, whatever becomes of the model
        self._rates, self._embeddings, self._spread = (
            value.detach().cpu().float().clone() for value in (denoiser.rates, embeddings, spread)
        )
        self._bars = bars  # (T + 1,)
        self._words = flat
        super().__init__(
            name=name,
            label=label,
            **self._portraits.state,
            denoiser_layers=packed.layers,
            denoiser_weights=packed.data,
            rates=_bytes(self._rates, "<f4"),
            alpha_bars=_bytes(bars[1:], "<f8"),
            embeddings=_bytes(self._embeddings, "<f4"),
            spread=_bytes(self._spread, "<f4"),
            groups=groups,
            prediction=prediction,
            said=[0],
        )

    @traitlets.validate("said", "weight", "step", "seed")
    def _check(self, proposal: Any) -> Any:
        field, value = proposal["trait"].name, proposal["value"]
        match field:
            case "weight":
                return checks.number(field, value, low=0, high=MOST)
            case "step" | "seed":
                most = STEPS if field == "step" else 2**32 - 1
                return checks.integer(field, value, low=0, high=most)
        rows = [checks.integer("said", row, low=0, high=len(self._words) - 1) for row in value]
        said = {self._words[row] for row in rows}
        for group in self.groups:
            if sum(self._words[row] in group for row in rows) > 1:
                raise ValueError(f"said must be at most one of {', '.join(group)}, got {said}")
        return rows

    def path(self) -> Tensor:
        r"""The noise, and what each of the 20 steps expects of the end: (21, 4, q)."""
        last = len(self._bars) - 1
        count = FACES * len(self._spread)
        z = torch.from_numpy(normal(self.seed, count)).float().reshape(FACES, -1)  # (4, q)
        path = [z]
        for t, s in pairwise(range(last, -1, -last // STEPS)):
            output, at = self._ask(z, t / last), self._bars[t].expand(FACES)
            clean, noise = (convert(output, z, at, self.prediction, kind) for kind in KINDS)
            z = (self._bars[s].sqrt() * clean + (1 - self._bars[s]).sqrt() * noise).float()
            path.append(clean)
        return torch.stack(path)

    @property
    def faces(self) -> Tensor:
        """The four faces after ``step`` steps, (4, 3, H, W) in [0, 1]."""
        return self._portraits.draw(self._spread * self.path()[self.step])

    def _ask(self, z: Tensor, time: float) -> Tensor:
        """What the network says, guided: (4, q)."""
        phases = time * self._rates  # (R,)
        known = torch.cat([phases.sin(), phases.cos()]).expand(FACES, -1)
        hint = self._embeddings[self.said].sum(0).expand(FACES, -1)
        told, untold = (
            self._denoiser(torch.cat([z, known, words], 1)) for words in (hint, 0 * hint)
        )
        guided: Tensor = untold + self.weight * (told - untold)
        return guided

    def _said(self) -> str:
        words = ", ".join(self._words[row] for row in sorted(self.said))
        return f"the words {words}" if words else "no words"

    def alt(self) -> str:
        """What the picture shows, in words."""
        return (
            f"{self.label}. Two rows of four faces for {self._said()}, with the weight "
            f"{self.weight:g}. Above: what the first step out of the noise expects. Below: after "
            f"{self.step} of {STEPS} steps."
        )

    def picture(self) -> bytes:
        """Four faces, as they begin and as they are, on a transparent ground."""
        path = self.path()
        figure = Figure(figsize=(6.9, 3.9))
        figure.set_layout_engine("none")
        rows = ((1, "after the first step"), (self.step, f"after {self.step} steps"))
        for row, (step, title) in enumerate(rows):
            for i, image in enumerate(self._portraits.draw(self._spread * path[step])):
                place = (i * 1.75 / 6.9, (1.95 * (1 - row)) / 3.9, 1.65 / 6.9, 1.65 / 3.9)
                axes = figure.add_axes(place)
                axes.imshow(image.permute(1, 2, 0).numpy(), interpolation="bicubic")
                axes.set_axis_off()
                if not i:  # grey reads on paper and in the dark
                    words = f"For {self._said()}: {title}"
                    axes.set_title(words, size=9, color=GREY, pad=4, loc="left")
        return figure_png(figure)


def _groups(words: Sequence[Sequence[str]]) -> list[list[str]]:
    """Groups of words, each said once."""
    checks.instance("words", words, list, tuple)
    for i, group in enumerate(words):
        checks.instance(f"words[{i}]", group, list, tuple)
        for word in group:
            checks.instance(f"a word of words[{i}]", word, str)
    flat = [word for group in words for word in group]
    if not flat or not all(words) or len(set(flat)) < len(flat) or not all(map(str.strip, flat)):
        raise ValueError(f"words must be groups of words that differ, got {words}")
    return [list(group) for group in words]


def _bytes(value: Tensor, dtype: str) -> bytes:
    return value.numpy().astype(np.dtype(dtype)).tobytes()
