"""The picture of an autoencoder that every chapter varies: two trapezoids and a code between."""

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon
from torch import Tensor

from aecore import checks
from aecore.plots.images import draw_image, pixel_figure, set_pixel_size
from aecore.plots.palette import AMBER, INK, MUTED, PETROL, VIOLET

TALLEST = 150  # CSS pixels, of the largest layer
SHORTEST = 14
THICK = 9  # of a layer's bar
STEP = 96  # from one layer to the next
SIDE = 84  # of the pictures at both ends
MARGIN = 46


def bottleneck_diagram(
    sizes: Sequence[int], *, original: Tensor | None = None, reconstruction: Tensor | None = None
) -> Figure:
    """The layers of an autoencoder from input to output, the code in the middle.

    ``sizes`` are the widths of all layers, an odd number of them: ``[784, 256, 64, 256, 784]``.
    A bar's height grows with the square root of its layer's width. ``original`` and
    ``reconstruction``, of shape (1, H, W) with values in [0, 1], are shown at both ends.

    Raises ``TypeError`` or ``ValueError`` for an even number of sizes, fewer than three, a size
    below 1, and pictures of another shape.
    """
    if isinstance(sizes, str) or not isinstance(sizes, Sequence):
        raise TypeError(f"sizes must be a sequence of integers, got {type(sizes).__name__}")
    if len(sizes) < 3 or len(sizes) % 2 == 0:
        raise ValueError(f"sizes must be 3 or another odd number of layers, got {len(sizes)}")
    widths = [checks.integer(f"sizes[{i}]", size) for i, size in enumerate(sizes)]
    for name, image in (("original", original), ("reconstruction", reconstruction)):
        if image is not None:
            checks.tensor(name, image, (1, "H", "W"), low=0, high=1)

    figure, axes = pixel_figure()
    middle = 26 + TALLEST / 2
    left: float = MARGIN if original is None else SIDE + 64
    largest = max(widths)
    bars = [
        (left + i * STEP, max(SHORTEST, TALLEST * (width / largest) ** 0.5))
        for i, width in enumerate(widths)
    ]
    code = len(bars) // 2
    for i, ((x0, tall0), (x1, tall1)) in enumerate(pairwise(bars)):
        _band(axes, x0, tall0, x1, tall1, middle, PETROL if i < code else VIOLET)
    for i, (x, tall) in enumerate(bars):
        colour = AMBER if i == code else PETROL if i < code else VIOLET
        _bar(axes, x, tall, middle, colour)
        axes.text(x, middle + tall / 2 + 16, f"{widths[i]}", size=8.25, color=MUTED, ha="center")

    right = bars[-1][0]
    head = 12
    for x, name, symbol, colour in (
        ((bars[0][0] + bars[code][0]) / 2, "encoder", r"$\phi$", PETROL),
        ((bars[code][0] + right) / 2, "decoder", r"$\theta$", VIOLET),
    ):
        axes.text(x, head, f"{name} {symbol}", color=colour, weight=600, ha="center", va="center")
    axes.text(
        bars[code][0],
        middle - bars[code][1] / 2 - 12,
        r"code $z$",
        color=AMBER,
        weight=600,
        ha="center",
        va="center",
    )
    _end(axes, original, r"$x$", bars[0][0], middle, -1)
    _end(axes, reconstruction, r"$\hat{x}$", right, middle, 1)
    width = right + (MARGIN if reconstruction is None else SIDE + 64)
    set_pixel_size(figure, axes, width, middle + TALLEST / 2 + 26)
    return figure


def _band(
    axes: Axes, x0: float, tall0: float, x1: float, tall1: float, middle: float, colour: str
) -> None:
    corners = [
        (x0, middle - tall0 / 2),
        (x1, middle - tall1 / 2),
        (x1, middle + tall1 / 2),
        (x0, middle + tall0 / 2),
    ]
    axes.add_patch(Polygon(corners, facecolor=colour, alpha=0.2, linewidth=0))


def _bar(axes: Axes, x: float, tall: float, middle: float, colour: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - THICK / 2, middle - tall / 2),
            THICK,
            tall,
            boxstyle="round,pad=0,rounding_size=3",
            facecolor=colour,
            linewidth=0,
        )
    )


def _end(axes: Axes, image: Tensor | None, symbol: str, x: float, middle: float, side: int) -> None:
    """What enters (``side`` -1) or leaves (1) at the bar ``x``: an arrow, a picture, a symbol."""
    gap, arrow = THICK / 2 + 6, 24
    near, far = x + side * gap, x + side * (gap + arrow)
    start, stop = (far, near) if side < 0 else (near, far)
    if image is None:
        axes.text(x + side * 26, middle, symbol, size=11, color=INK, ha="center", va="center")
        return
    axes.add_patch(
        FancyArrowPatch(
            (start, middle), (stop, middle), arrowstyle="->", mutation_scale=9, color=MUTED
        )
    )
    scale = max(1, SIDE // image.shape[-1])
    wide, tall = scale * image.shape[-1], scale * image.shape[-2]
    corner = far + side * 6 - (wide if side < 0 else 0)
    draw_image(axes, image[0].detach().cpu().double().numpy(), corner, middle - tall / 2, scale)
    axes.text(corner + wide / 2, middle + tall / 2 + 16, symbol, size=10, color=INK, ha="center")
