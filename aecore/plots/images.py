"""Rows and columns of small images. Every pixel of an image is a square of whole CSS pixels."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from numpy.typing import NDArray
from torch import Tensor

from aecore import checks
from aecore.plots.palette import INK, MUTED

COLUMN = 680  # CSS pixels: the width of a page's text, and of a figure of the default size
GAP = 2  # between cells
LARGEST = 96  # of a cell's side: beyond, small images only look coarse
LINE_HEIGHT = 16  # of a label of 8.25 points


def image_grid(
    images: Tensor,
    *,
    columns: int | None = None,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    signed: bool = False,
) -> Figure:
    """A figure with ``images``, of shape (N, 1 or 3, H, W), row by row.

    The number of columns is ``columns``, or follows from the labels; without any, all are in one
    row. ``row_labels`` stand at the left, ``column_labels`` on top, ``titles`` over each image.

    An image is enlarged by the largest whole number that fits: digits of 28 pixels in ten columns
    beside short labels are doubled, in twelve they are not.

    Values are brightness in [0, 1], whatever lies outside is shown as 0 or 1 (a linear model's
    output may). With ``signed``, images of one channel are shown around a dark zero, amber above
    and petrol below, on one scale for the whole grid: for weights, components and differences.

    Raises ``TypeError`` or ``ValueError`` for images of another shape or with NaN, and for labels
    whose number does not fit.
    """
    checks.tensor("images", images, ("N", "C", "H", "W"))
    number, channels, height, width = images.shape
    if channels not in (1, 3) or (signed and channels == 3):
        expected = "1 channel" if signed else "1 or 3 channels"
        raise ValueError(f"images must have {expected}, got shape {tuple(images.shape)}")
    columns = _columns(number, columns, row_labels, column_labels)
    rows = -(-number // columns)
    _count("row_labels", row_labels, rows)
    _count("column_labels", column_labels, columns)
    _count("titles", titles, number)

    # a layout in pixels, by hand: only whole multiples keep the pixels equal
    figure, axes = pixel_figure()
    labels = [axes.text(0, 0, label, size=8.25, color=INK) for label in row_labels or ()]
    left = max((label.get_window_extent().width for label in labels), default=-12) + 12
    top = LINE_HEIGHT * max(label.count("\n") + 1 for label in column_labels or [""])
    top = top + 4 if column_labels else 0
    head = LINE_HEIGHT if titles else 0
    room = (COLUMN - left + GAP) / columns - GAP
    scale = max(1, int(min(room, LARGEST) / width))
    across, down = scale * width + GAP, scale * height + GAP + head

    for i, pixels in enumerate(_pixels(images, signed)):
        x, y = left + i % columns * across, top + i // columns * down + head
        draw_image(axes, pixels, x, y, scale, signed=signed)
        if titles:
            axes.text(x + scale * width / 2, y - 4, titles[i], size=8.25, color=MUTED, ha="center")
    for row, label in enumerate(labels):
        label.set(y=top + row * down + head + scale * height / 2, va="center")
    for column, text in enumerate(column_labels or ()):
        x = left + column * across + scale * width / 2
        axes.text(x, top - 7, text, size=8.25, color=INK, ha="center")
    set_pixel_size(figure, axes, left + columns * across - GAP, top + rows * down - GAP)
    return figure


def pixel_figure() -> tuple[Figure, Axes]:
    """A figure filled by axes without a frame; call ``set_pixel_size`` when all is drawn."""
    # not layout="none": saving such a figure would give it the style's constrained layout
    figure = plt.figure(layout=PlaceHolderLayoutEngine(True, True))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def set_pixel_size(figure: Figure, axes: Axes, width: float, height: float) -> None:
    """Make ``figure`` that many CSS pixels large, and one unit of its axes one of them."""
    figure.set_size_inches(np.ceil(width) / 96, np.ceil(height) / 96)
    axes.set(xlim=(0, np.ceil(width)), ylim=(np.ceil(height), 0), aspect="auto")


def draw_image(
    axes: Axes, pixels: NDArray[np.float64], x: float, y: float, scale: int, *, signed: bool = False
) -> None:
    """Draw ``pixels``, (H, W) or (H, W, 3), with the upper left corner at (x, y)."""
    height, width = pixels.shape[:2]
    axes.imshow(
        pixels,
        extent=(round(x), round(x) + scale * width, round(y) + scale * height, round(y)),
        cmap="aecore.signed" if signed else "aecore.digit",
        vmin=-1 if signed else 0,
        vmax=1,
        interpolation="none",
        aspect="auto",
    )


def _pixels(images: Tensor, signed: bool) -> NDArray[np.float64]:
    values = images.detach().cpu().double().permute(0, 2, 3, 1).numpy()
    values = values[..., 0] if values.shape[-1] == 1 else values
    largest = np.abs(values).max()
    return values / largest if signed and largest > 0 else values.clip(-1 if signed else 0, 1)


def _columns(
    number: int,
    columns: int | None,
    row_labels: Sequence[str] | None,
    column_labels: Sequence[str] | None,
) -> int:
    if columns is not None:
        return checks.integer("columns", columns, high=number)
    if column_labels:
        return len(column_labels)
    if row_labels:
        if number % len(row_labels):
            raise ValueError(
                f"row_labels must divide the {number} images into equal rows, "
                f"got {len(row_labels)} labels"
            )
        return number // len(row_labels)
    return number


def _count(name: str, labels: Sequence[str] | None, expected: int) -> None:
    if labels is None:
        return
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"{name} must be a sequence of strings")
    if len(labels) != expected:
        raise ValueError(f"{name} must have {expected} entries, got {len(labels)}")
