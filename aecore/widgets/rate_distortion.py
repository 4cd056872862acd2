"""Models of several β in the plane of rate and distortion, and what each makes of an image."""

import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from aecore import checks
from aecore.plots.palette import AMBER, GREY, PETROL
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.switcher import png

MOST = 12  # images in a row


class RateDistortion(Widget):
    r"""A slider over β: its models' rate R and distortion D, the line of its price, pictures.

    Trained on $D + \beta R$, a model is where no other does better at the price β for a nat of
    rate: no model lies below the line of slope $-\beta$ through it, which meets $R = 0$ at its
    $D + \beta R$. The page draws that line and counts the models that do lie below it
    [higgins2017beta] [alemi2018fixing].

    ``betas``: B increasing numbers. ``rates`` and ``distortions``: (S, B), in nats, one row for
    each seed; ``active``: (S, B), how many latents each model uses. ``pictures``: from the name of
    a row to K ≤ 12 images in [0, 1], either (K, 1, H, W), the same at every β, or (B, K, 1, H, W);
    every row has the same K, H and W.
    ``chosen``, the position of the slider, starts at the β nearest to 1; it can be set before the
    widget is displayed, and read and set from Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for numbers and images that do not fit each other.
    """

    kind = "rate_distortion"
    _esm = front_end(kind)

    betas: Any = traitlets.List().tag(sync=True)
    rates: Any = traitlets.List().tag(sync=True)  # [[nats of each β] of each seed]
    distortions: Any = traitlets.List().tag(sync=True)  # as the rates
    active: Any = traitlets.List().tag(sync=True)
    names: Any = traitlets.List().tag(sync=True)  # of the rows of pictures
    places: Any = traitlets.List().tag(sync=True)  # [[row of the sheet at each β] of each name]
    sheet = traitlets.Bytes().tag(sync=True)  # a PNG: K images across, a row below the other
    shape: Any = traitlets.List().tag(sync=True)  # [K, H, W]
    chosen = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        betas: Sequence[float],
        rates: Tensor,
        distortions: Tensor,
        active: Tensor,
        pictures: Mapping[str, Tensor],
        *,
        name: str,
        label: str,
    ) -> None:
        prices = _betas(betas)
        checks.tensor("rates", rates, ("seeds", len(prices)), low=-1e-3)  # 0, as a sum may round
        checks.tensor("distortions", distortions, (len(rates), len(prices)))
        if isinstance(active, Tensor) and not active.is_complex():
            active = active.double()  # whole numbers are welcome here
        checks.tensor("active", active, (len(rates), len(prices)), low=0)
        sheet, places, shape = _sheet(pictures, len(prices))
        numbers = {"rates": rates, "distortions": distortions, "active": active}
        super().__init__(
            name=name,
            label=label,
            betas=prices,
            **{field: _rounded(values) for field, values in numbers.items()},
            names=list(pictures),
            places=places,
            sheet=png(sheet),
            shape=shape,
            chosen=min(range(len(prices)), key=lambda b: abs(prices[b] - 1)),
        )

    @traitlets.validate("chosen")
    def _a_beta(self, proposal: Any) -> int:
        return checks.integer("chosen", proposal["value"], low=0, high=len(self.betas) - 1)

    @property
    def beta(self) -> float:
        """The chosen β."""
        return float(self.betas[self.chosen])

    @property
    def point(self) -> tuple[float, float]:
        """Rate and distortion at the chosen β, in nats: the means over the seeds."""
        rate, distortion = (np.mean(table, axis=0) for table in (self.rates, self.distortions))
        return float(rate[self.chosen]), float(distortion[self.chosen])

    @property
    def loss(self) -> float:
        r"""$D + \beta R$ at the chosen β, in nats: where the line meets R = 0."""
        rate, distortion = self.point
        return distortion + self.beta * rate

    @property
    def below(self) -> int:
        """How many models of another β lie below the line."""
        losses = np.asarray(self.distortions) + self.beta * np.asarray(self.rates)  # (S, B)
        others = np.delete(losses, self.chosen, axis=1)
        return int((others < self.loss).sum())

    def alt(self) -> str:
        """What the picture shows, in words."""
        rate, distortion = self.point
        others = len(self.rates) * (len(self.betas) - 1)
        return (
            f"{self.label}. Left: distortion against rate for {len(self.betas)} values of β from "
            f"{self.betas[0]:g} to {self.betas[-1]:g}. At β = {self.beta:g} the rate is "
            f"{_nats(rate)} nats and the distortion {_nats(distortion)} nats; {self.below} of the "
            f"other {others} models lie below the line of slope −β there. "
            f"Right, at this β: {', '.join(self.names)}."
        )

    def picture(self) -> bytes:
        """The plane with the chosen β and its line, and the pictures, on a transparent ground."""
        images, gap, chart = self._rows(), 0.26, 3.0  # inches: of a row's title, of the plane
        wide = 6.8
        tall = [wide * row.shape[0] / row.shape[1] for row in images]
        height = chart + sum(tall) + gap * len(images)
        figure = Figure(figsize=(6.9, height))
        figure.set_layout_engine("none")
        low, top = height - chart + 0.42, height - 0.25
        axes = figure.add_axes((0.065, low / height, 0.92, (top - low) / height))
        rates, distortions = np.asarray(self.rates), np.asarray(self.distortions)
        ends = np.array([0, 1.06 * max(rates.max(), 1e-9)])
        axes.plot(ends, self.loss - self.beta * ends, "-", color=AMBER, lw=1.6)
        axes.plot(rates.mean(0), distortions.mean(0), "-", color=PETROL, lw=1.4)
        axes.plot(rates, distortions, "o", color=PETROL, ms=4, mew=0)
        axes.plot(*self.point, "o", ms=9, color=AMBER)
        for b, beta in enumerate(self.betas):
            where = rates[:, b].mean(), distortions[:, b].mean()
            text: dict[str, Any] = {"textcoords": "offset points", "size": 8.5, "color": GREY}
            axes.annotate(f"{beta:g}", where, (6, 5), **text)
        axes.set_title("distortion, nats", size=8.5, color=GREY, pad=3, loc="left")
        axes.set_xlabel("rate, nats", size=8.5, color=GREY, labelpad=1)
        axes.tick_params(labelcolor=GREY, length=0)  # grey reads on paper and in the dark
        axes.spines[:].set_visible(False)
        axes.grid(color=GREY, alpha=0.3, lw=0.6)
        axes.set(xlim=ends, ylim=self._heights())

        top = height - chart
        for name, row, part in zip(self.names, images, tall, strict=True):
            top -= gap + part
            axes = figure.add_axes((0.05 / 6.9, top / height, wide / 6.9, part / height))
            axes.imshow(row)
            axes.set_axis_off()
            axes.set_title(name, size=8.5, color=GREY, pad=3, loc="left")
        return figure_png(figure)

    def _heights(self) -> tuple[float, float]:
        """The ends of the axis of distortion: with where each line meets it."""
        rates, distortions = np.asarray(self.rates), np.asarray(self.distortions)
        meets = distortions.mean(0) + np.asarray(self.betas) * rates.mean(0)  # (B,)
        low, high = float(distortions.min()), float(max(distortions.max(), meets.max()))
        room = 0.06 * max(high - low, 1e-9)
        return low - room, high + room

    def _rows(self) -> list[np.ndarray[Any, Any]]:
        """The rows of pictures at the chosen β, each (H, K·W, 3), 8 bits."""
        height = self.shape[1]
        sheet = np.asarray(Image.open(io.BytesIO(self.sheet)).convert("RGB"))
        starts = [height * places[self.chosen] for places in self.places]
        return [sheet[start : start + height] for start in starts]


def _betas(betas: Sequence[float]) -> list[float]:
    checks.instance("betas", betas, list, tuple)
    values = [checks.number(f"betas[{b}]", beta, low=0) for b, beta in enumerate(betas)]
    if len(values) < 2:
        raise ValueError(f"betas must be at least 2, got {len(values)}")
    if any(after <= before for before, after in pairwise(values)):
        raise ValueError(f"betas must increase, got {values}")
    return values


def _rounded(values: Tensor) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in values.detach().cpu().double().tolist()]


def _sheet(
    pictures: Mapping[str, Tensor], betas: int
) -> tuple[np.ndarray[Any, Any], list[list[int]], list[int]]:
    """All pictures below each other, which row of them is shown at each β, and [K, H, W]."""
    checks.instance("pictures", pictures, Mapping)
    if not pictures:
        raise ValueError("pictures must name at least one row of images, got none")
    rows: list[Tensor] = []  # (K, H, W) each
    places: list[list[int]] = []
    for name, images in pictures.items():
        checks.instance("the name of a row of pictures", name, str)
        field = f"pictures[{name!r}]"
        each = isinstance(images, Tensor) and images.ndim == 5
        shape = (betas, "K", 1, "H", "W") if each else ("K", 1, "H", "W")
        checks.tensor(field, images, shape, low=0, high=1)
        found = images.detach().cpu().float()[..., 0, :, :]  # (K, H, W) or (B, K, H, W)
        places.append([len(rows) + b if each else len(rows) for b in range(betas)])
        rows += list(found) if each else [found]
        if rows[-1].shape != rows[0].shape:
            raise ValueError(
                f"{field} must be as many and as large as the first row's, "
                f"{tuple(rows[0].shape)}, got {tuple(rows[-1].shape)}"
            )
    number, height, width = rows[0].shape
    if number > MOST:
        raise ValueError(f"pictures must be at most {MOST} in a row, got {number}")
    sheet = torch.stack(rows).permute(0, 2, 1, 3).reshape(len(rows) * height, number * width)
    return sheet.numpy(), places, [number, height, width]


def _nats(value: float) -> str:
    """As the page writes it: two decimals, one from 100 on."""
    return f"{value:.{2 if abs(value) < 100 else 1}f}".replace("-", "−")
