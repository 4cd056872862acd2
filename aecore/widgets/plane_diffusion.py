"""A diffusion in the plane: data dissolve into noise, and a network brings them back."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from aecore import checks
from aecore.models.denoisers import features
from aecore.models.diffusion import convert
from aecore.plots.palette import AMBER, GREY
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.draws import normal
from aecore.widgets.packing import pack, unpack

MOST = 1000  # points
STEPS = (5, 10, 20, 50)
PREDICTIONS = ("epsilon", "x0", "v")
REACH = 3  # a point is near a centre within so many of its standard deviations
SHARE = 0.2  # a centre is reached by this part of an equal share of the points
STREAMS = 2**16  # draws of one seed


class PlaneDiffusion(Widget):
    r"""Points of the plane under $q(x_t \mid x_0) = \mathcal N(\sqrt{\bar\alpha_t}\, x_0,
    (1 - \bar\alpha_t) I)$, and back by a trained network in few or many steps.

    ``denoiser``: ``nn.Sequential`` of Linear and activations (see ``packing.KINDS``). It reads
    ``features(x, t / T, frequencies)`` of ``aecore.models.denoisers``, (B, 3 + 2F), and returns
    (B, 2): what ``prediction`` says, ``"epsilon"``, the noise; ``"x0"``, the clean point; or
    ``"v"``, $\sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1 - \bar\alpha_t}\, x_0$
    [salimans2022progressive].
    ``frequencies``: (F, 3). ``alpha_bars``: (T,), $\bar\alpha_1 \dots \bar\alpha_T$, falling,
    in (0, 1). ``points``: (N, 2), at most 1000 data points in the coordinates of the network:
    they stay behind in grey, and as many move. ``centres``: (K, 2) and ``scale``: the modes of
    the data, equally likely Gaussians, and their standard deviation.

    The reader drags the time t or lets it run. To the right the points get noise, as the chain
    $q(x_t \mid x_s)$ adds it. To the left the network removes it, in steps of T / ``steps``: with
    $\hat x_0$ and $\hat\varepsilon$ from the network at $(x_t, t)$,

    $$x_s = \sqrt{\bar\alpha_s}\, \hat x_0 + \sqrt{1 - \bar\alpha_s - \sigma^2}\, \hat\varepsilon
      + \sigma z, \quad
      \sigma^2 = \eta\, \frac{1 - \bar\alpha_s}{1 - \bar\alpha_t}
      \left(1 - \frac{\bar\alpha_t}{\bar\alpha_s}\right),$$

    with $\eta = 0$ [song2021denoising] or, if ``stochastic``, $\eta = 1$ [ho2020denoising]. A new
    number of steps, or new noise, starts again from $x_T \sim \mathcal N(0, I)$.

    ``steps`` (5, 10, 20 or 50), ``stochastic`` and ``seed`` can be set before the widget is
    displayed, and read and set from Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for what does not fit together.
    """

    kind = "plane_diffusion"
    _esm = front_end(kind)

    layers: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    frequencies = traitlets.Bytes().tag(sync=True)  # float32, (F, 3)
    alpha_bars = traitlets.Bytes().tag(sync=True)  # float64, (T,)
    points = traitlets.Bytes().tag(sync=True)  # float32, (N, 2)
    centres = traitlets.Bytes().tag(sync=True)  # float32, (K, 2)
    scale = traitlets.Float().tag(sync=True)
    prediction = traitlets.Unicode().tag(sync=True)
    steps = traitlets.Int(20).tag(sync=True)
    stochastic = traitlets.Bool(False).tag(sync=True)
    seed = traitlets.Int(1).tag(sync=True)

    def __init__(
        self,
        denoiser: nn.Module,
        frequencies: Tensor,
        alpha_bars: Tensor,
        points: Tensor,
        centres: Tensor,
        scale: float,
        *,
        name: str,
        label: str,
        prediction: str = "epsilon",
    ) -> None:
        checks.instance("denoiser", denoiser, nn.Module)
        checks.tensor("frequencies", frequencies, ("F", 3))
        checks.tensor("alpha_bars", alpha_bars, ("T",))
        checks.tensor("points", points, ("N", 2))
        checks.tensor("centres", centres, ("K", 2))
        checks.number("scale", scale, above=0)
        checks.choice("prediction", prediction, PREDICTIONS)
        if len(points) > MOST:
            raise ValueError(f"points must be at most {MOST}, got {len(points)}")
        bars = alpha_bars.detach().cpu().double()
        steps_down = torch.cat([torch.ones(1, dtype=bars.dtype), bars, torch.zeros(1)]).diff()
        if len(bars) < max(STEPS) or not bool((steps_down < 0).all()):
            raise ValueError(
                f"alpha_bars must be at least {max(STEPS)} falling numbers between 1 and 0, "
                f"got {len(bars)} from {bars.max():.4g} to {bars.min():.4g}"
            )
        packed = pack(denoiser)
        wanted = 3 + 2 * len(frequencies)
        if (packed.inputs, packed.outputs) != (wanted, 2):
            raise ValueError(
                f"denoiser must read {wanted} features and return 2 values, "
                f"got {packed.inputs} and {packed.outputs}"
            )
        self._denoiser = unpack(packed)  # as the page has it, whatever becomes of the model
        self._frequencies, self._points, self._centres = (
            value.detach().cpu().float() for value in (frequencies, points, centres)
        )
        self._alpha_bars = torch.cat([torch.ones(1, dtype=bars.dtype), bars])  # (T + 1,)
        super().__init__(
            name=name,
            label=label,
            layers=packed.layers,
            weights=packed.data,
            frequencies=_bytes(self._frequencies, "<f4"),
            alpha_bars=_bytes(bars, "<f8"),
            points=_bytes(self._points, "<f4"),
            centres=_bytes(self._centres, "<f4"),
            scale=float(scale),
            prediction=prediction,
        )

    @traitlets.validate("steps", "seed")
    def _check(self, proposal: Any) -> int:
        field, value = proposal["trait"].name, proposal["value"]
        if field == "seed":
            return checks.integer("seed", value, low=0, high=2**32 - 1)
        if value not in STEPS:
            raise ValueError(f"steps must be one of {', '.join(map(str, STEPS))}, got {value}")
        return int(value)

    def sample(self) -> Tensor:
        r"""The way back from the seed's noise in ``steps`` steps, as the page goes it.

        (steps + 1, N, 2): from $x_T$ to $x_0$.
        """
        last = len(self._alpha_bars) - 1
        times = [int(i * last / self.steps + 0.5) for i in range(self.steps, -1, -1)]
        path = [self._noise(0)]
        for draw, (t, s) in enumerate(pairwise(times), start=1):
            path.append(self._back(path[-1], t, s, draw))
        return torch.stack(path)

    def quality(self, x: Tensor) -> tuple[float, int]:
        """The share of points (N, 2) within three ``scale`` of a centre; the centres they reach.

        A centre is reached where at least a fifth of an equal share, N / K, lies near it.
        """
        checks.tensor("x", x, ("N", 2))
        distance, nearest = torch.cdist(x.detach().cpu().float(), self._centres).min(1)
        near = distance < REACH * self.scale  # (N,)
        found = torch.bincount(nearest[near], minlength=len(self._centres))  # (K,)
        reached = found >= SHARE * len(x) / len(self._centres)
        return near.double().mean().item(), int(reached.sum())

    def _noise(self, draw: int) -> Tensor:
        values = normal((self.seed * STREAMS + draw) % 2**32, self._points.numel())
        return torch.from_numpy(values).float().reshape(-1, 2)  # (N, 2)

    def _back(self, x: Tensor, t: int, s: int, draw: int) -> Tensor:
        clean, noise = self._guess(x, t)
        a, b = (float(self._alpha_bars[i]) for i in (t, s))
        variance = (1 - b) / (1 - a) * (1 - a / b) if self.stochastic else 0.0
        x = b**0.5 * clean + max(0.0, 1 - b - variance) ** 0.5 * noise
        return x + variance**0.5 * self._noise(draw) if variance else x

    def _guess(self, x: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """The clean points and the noise, as the network sees them: (N, 2) each."""
        time = torch.full((len(x),), t / (len(self._alpha_bars) - 1))
        out: Tensor = self._denoiser(features(x, time, self._frequencies))
        bar = self._alpha_bars[t].expand(len(x))  # (N,)
        clean, noise = (convert(out, x, bar, self.prediction, kind) for kind in ("x0", "epsilon"))
        return clean, noise

    def alt(self) -> str:
        """What the picture shows, in words."""
        near, modes = self.quality(self.sample()[-1])
        many = len(self._centres)
        return (
            f"{self.label}. Left: {len(self._points)} data points around {many} centres. Middle: "
            f"as many points of normal noise. Right: what the network makes of the noise in "
            f"{self.steps} steps; {near:.0%} lie near a centre, and {modes} of {many} are reached."
        )

    def picture(self) -> bytes:
        """Data, noise and what becomes of it, side by side on a transparent ground."""
        path = self.sample()
        figure = Figure(figsize=(6.9, 2.6))
        figure.set_layout_engine("none")
        near, _ = self.quality(path[-1])
        shown = (
            (self._points, "Data"),
            (path[0], "Noise"),
            (path[-1], f"Back in {self.steps} steps: {near:.0%} near a centre"),
        )
        for i, (x, title) in enumerate(shown):
            axes: Axes = figure.add_axes(((0.02 + 2.32 * i) / 6.9, 0.01, 2.22 / 6.9, 2.22 / 2.6))
            for values, colour, size in ((self._points, GREY, 3), (x, AMBER, 4)):
                across, up = values.numpy().T
                axes.scatter(across, up, s=size, color=colour, alpha=0.8, linewidths=0)
            span = self._span()
            axes.set(xlim=(-span, span), ylim=(-span, span), xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color=GREY, alpha=0.4)
            # grey reads on paper and in the dark
            axes.set_title(title, size=8.5, color=GREY, loc="left", pad=4)
        return figure_png(figure)

    def _span(self) -> float:
        """Half the side of what is seen: room for the noise, and for all centres."""
        return max(2.9, 1.1 * float(self._points.abs().max()))


def _bytes(value: Tensor, dtype: str) -> bytes:
    return value.numpy().astype(np.dtype(dtype)).tobytes()
