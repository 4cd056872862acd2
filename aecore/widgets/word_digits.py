"""Digits that words call out of noise: latent diffusion, run in the page."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor, nn

from aecore import checks
from aecore.models.denoisers import VectorDenoiser
from aecore.models.diffusion import convert
from aecore.plots.palette import BLACK, GREY, WHITE
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.draws import normal
from aecore.widgets.packing import pack, unpack

PREDICTIONS = ("epsilon", "x0", "v")
BOTH = ("x0", "epsilon")
COUNT = 8  # pictures at once
SIDE = 28
STEPS = 20
MOST = 4.0  # the largest weight


class WordDigits(Widget):
    r"""Words are said, and eight digits form out of noise in the latent space of a decoder.

    ``denoiser``: a ``VectorDenoiser`` of q latents divided by ``scale``, with a hint of W numbers:
    1 for a word that is said, 0 for one that is not. What it returns is ``prediction``:
    ``"epsilon"``, ``"x0"`` or ``"v"``. ``alpha_bars``: (T,), falling, T a multiple of 20.
    ``words``: groups of words that exclude each other, such as ``[("one", "two"), ("thin",
    "bold")]``, W in all, in the order of the hint. ``decoder``: ``nn.Sequential`` of the layers in
    ``packing.KINDS``, from q latents to the logits of 28 × 28 pixels.

    From $z_T \sim \mathcal N(0, I)$ in 20 steps without chance [song2021denoising], each with

    $$\hat v = v(z_t, t, \varnothing) + w\,\bigl(v(z_t, t, c) - v(z_t, t, \varnothing)\bigr)$$

    for the words c [ho2022classifier]: w = 0 does not listen, 1 listens as in training, and more
    goes further the same way. The page draws what each step expects of the end, $\hat z_0$.

    ``said`` (numbers of words, at most one a group), ``weight`` w from 0 to 4, ``step``, how many
    steps are shown, and ``seed`` can be set before the widget is displayed, and read and set from
    Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for what does not fit together, by name.
    """

    kind = "word_digits"
    _esm = front_end(kind)

    layers: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    denoiser_layers: Any = traitlets.List().tag(sync=True)
    denoiser_weights = traitlets.Bytes().tag(sync=True)
    rates = traitlets.Bytes().tag(sync=True)  # float32, (R,): ω
    alpha_bars = traitlets.Bytes().tag(sync=True)  # float64, (T,)
    scale = traitlets.Float().tag(sync=True)
    groups: Any = traitlets.List().tag(sync=True)  # of words
    prediction = traitlets.Unicode().tag(sync=True)
    tones = traitlets.List([BLACK, WHITE]).tag(sync=True)  # of a pixel's 0 and 1
    count = traitlets.Int(COUNT).tag(sync=True)
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
        decoder: nn.Module,
        *,
        name: str,
        label: str,
        scale: float,
        prediction: str = "v",
    ) -> None:
        checks.instance("denoiser", denoiser, VectorDenoiser)
        checks.choice("prediction", prediction, PREDICTIONS)
        checks.number("scale", scale, above=0)
        checks.tensor("alpha_bars", alpha_bars, ("T",))
        bars = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bars.detach().cpu().double()])
        if len(alpha_bars) % STEPS or not bool((bars.diff() < 0).all()) or bars[-1] <= 0:
            raise ValueError(
                f"alpha_bars must be a multiple of {STEPS} falling numbers between 1 and 0, got "
                f"{len(alpha_bars)} from {alpha_bars.max():.4g} to {alpha_bars.min():.4g}"
            )
        groups = _groups(words)
        self._words = [word for group in groups for word in group]
        if len(self._words) != denoiser.hints:
            raise ValueError(
                f"words must be as many as the denoiser's hints, {denoiser.hints}, "
                f"got {len(self._words)}"
            )
        drawn, packed = pack(decoder), pack(denoiser.layers)
        if (drawn.inputs, drawn.outputs) != (denoiser.size, SIDE**2):
            raise ValueError(
                f"decoder must read {denoiser.size} latents and return {SIDE**2} logits, "
                f"got {drawn.inputs} and {drawn.outputs}"
            )
        # as the page has them, whatever becomes of the models
        self._decoder, self._denoiser = unpack(drawn), unpack(packed)
        self._rates = denoiser.rates.detach().cpu().float().clone()
        self._bars = bars  # (T + 1,)
        self._latents = denoiser.size
        super().__init__(
            name=name,
            label=label,
            layers=drawn.layers,
            weights=drawn.data,
            denoiser_layers=packed.layers,
            denoiser_weights=packed.data,
            rates=self._rates.numpy().astype("<f4").tobytes(),
            alpha_bars=bars[1:].numpy().astype("<f8").tobytes(),
            scale=float(scale),
            groups=groups,
            prediction=prediction,
            said=[0],
        )

    @traitlets.validate("said", "weight", "step", "seed")
    def _check(self, proposal: Any) -> Any:
        field, value = proposal["trait"].name, proposal["value"]
        if field == "weight":
            return checks.number(field, value, low=0, high=MOST)
        if field != "said":
            most = STEPS if field == "step" else 2**32 - 1
            return checks.integer(field, value, low=0, high=most)
        rows = [checks.integer("said", row, low=0, high=len(self._words) - 1) for row in value]
        for group in self.groups:
            if sum(self._words[row] in group for row in rows) > 1:
                raise ValueError(f"said must be at most one of {', '.join(group)}, got {rows}")
        return rows

    def path(self) -> Tensor:
        """The noise, and what each of the 20 steps expects of the end: (21, 8, q)."""
        last = len(self._bars) - 1
        draws = normal(self.seed, COUNT * self._latents)
        z = torch.from_numpy(draws).float().reshape(COUNT, -1)  # (8, q)
        path = [z]
        for t, s in pairwise(range(last, -1, -last // STEPS)):
            output, at = self._ask(z, t / last), self._bars[t].expand(COUNT)
            clean, noise = (convert(output, z, at, self.prediction, kind) for kind in BOTH)
            z = (self._bars[s].sqrt() * clean + (1 - self._bars[s]).sqrt() * noise).float()
            path.append(clean)
        return torch.stack(path)

    @property
    def images(self) -> Tensor:
        """The eight pictures after ``step`` steps, (8, 1, 28, 28) in [0, 1]."""
        return self._draw(self.path()[self.step])

    def _ask(self, z: Tensor, time: float) -> Tensor:
        """What the network says, guided: (8, q)."""
        phases = time * self._rates  # (R,)
        known = torch.cat([phases.sin(), phases.cos()]).expand(COUNT, -1)
        hint = torch.zeros(COUNT, len(self._words))
        silent = self._denoiser(torch.cat([z, known, hint], 1))
        hint[:, self.said] = 1
        told = self._denoiser(torch.cat([z, known, hint], 1))
        guided: Tensor = silent + self.weight * (told - silent)
        return guided

    def _draw(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self._decoder(self.scale * z)).reshape(-1, 1, SIDE, SIDE)

    def _said(self) -> str:
        words = [self._words[row] for row in sorted(self.said)]
        if not words:
            return "no words"
        return f"the word{'s' if len(words) > 1 else ''} {', '.join(words)}"

    def alt(self) -> str:
        """What the picture shows, in words."""
        return (
            f"{self.label}. Two rows of {COUNT} pictures for {self._said()}, with the weight "
            f"{self.weight:g}. Above: what the first step out of the noise expects. Below: after "
            f"{self.step} of {STEPS} steps."
        )

    def picture(self) -> bytes:
        """The pictures, as they begin and as they are, on a transparent ground."""
        path = self.path()
        figure = Figure(figsize=(6.9, 2.3))
        figure.set_layout_engine("none")
        rows = ((1, "after the first step"), (self.step, f"after {self.step} steps"))
        for row, (step, title) in enumerate(rows):
            for i, image in enumerate(self._draw(path[step])):
                where = i * 0.87 / 6.9, 1.15 * (1 - row) / 2.3, 0.81 / 6.9, 0.81 / 2.3
                axes = figure.add_axes(where)
                axes.imshow(image[0].numpy(), "aecore.digit", vmin=0, vmax=1)
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
