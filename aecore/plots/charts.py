"""What several chapters draw into their own axes: a map of codes, names at the ends of lines."""

import numpy as np
import torch
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from torch import Tensor

from aecore import checks
from aecore.plots.palette import CLASSES, INK, PAPER

VECTORS = 2000  # points: beyond, a picture of them is smaller than their list


def latent_map(axes: Axes, codes: Tensor, labels: Tensor) -> None:
    """Draw two-dimensional ``codes`` (N, 2) in the colour of their ``labels`` (N,), 0 to 9.

    A numeral stands at the median of each class. The axes get equal scales and no ticks: in a
    latent plane only neighbourhood means something.

    Raises ``TypeError`` or ``ValueError`` for codes that are not (N, 2) and finite, and for labels
    that are not N integers from 0 to 9.
    """
    checks.instance("axes", axes, Axes)
    checks.tensor("codes", codes, ("N", 2))
    checks.instance("labels", labels, Tensor)
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(f"labels must hold integers, got {labels.dtype}")
    if labels.shape != codes.shape[:1]:
        raise ValueError(f"labels must have shape ({len(codes)},), got {tuple(labels.shape)}")
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise ValueError(
            f"labels must be in [0, {len(CLASSES) - 1}], "
            f"got {int(labels.min())} to {int(labels.max())}"
        )
    points = codes.detach().cpu()
    classes = labels.cpu()
    # in the order given, not class by class: the last class would cover the others
    axes.scatter(
        points[:, 0].numpy(),
        points[:, 1].numpy(),
        s=8,
        c=[CLASSES[int(label)] for label in classes],
        alpha=0.85,
        linewidths=0,
        rasterized=len(points) > VECTORS,
    )
    for label in sorted(set(classes.tolist())):
        x, y = points[classes == label].median(dim=0).values.tolist()
        numeral = axes.text(
            x, y, str(label), size=13, weight=600, color=INK, ha="center", va="center"
        )
        numeral.set_path_effects([patheffects.withStroke(linewidth=3.5, foreground=PAPER)])
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)


def label_lines(axes: Axes) -> None:
    """Write each labelled line's name at its right end, in its colour, instead of a legend.

    Names that would overlap are moved apart. Call it last: it reads where the lines end.

    Raises ``TypeError`` if ``axes`` are no axes, ``ValueError`` if no line has a label.
    """
    checks.instance("axes", axes, Axes)
    lines = [line for line in axes.get_lines() if _named(line)]
    if not lines:
        raise ValueError("axes must have at least one line with a label, got none")
    figure = axes.figure.figure  # of a subfigure too
    figure.draw_without_rendering()
    points = 72 / figure.dpi
    ends = []
    for line in lines:
        x, y = np.asarray(line.get_xydata())[-1].tolist()
        height = float(axes.transData.transform((x, y))[1])
        ends.append((height * points, (x, y), line))
    ends.sort(key=lambda end: end[0])
    heights = _spread([height for height, _, _ in ends], distance=11)
    # not below the axis, where its own labels are
    lift = max(0, axes.bbox.y0 * points + 6 - heights[0])
    for placed, (height, end, line) in zip(heights, ends, strict=True):
        axes.annotate(
            str(line.get_label()),
            end,
            (6, placed + lift - height),
            textcoords="offset points",
            color=line.get_color(),
            size=8.25,
            weight=600,
            va="center",
            annotation_clip=False,
        )


def _named(line: Line2D) -> bool:
    # matplotlib names what nobody named "_child0", "_child1", ...
    return bool(line.get_label()) and not str(line.get_label()).startswith("_")


def _spread(heights: list[float], distance: float) -> list[float]:
    """Sorted heights, moved as little as this needs until neighbours are ``distance`` apart."""
    groups: list[tuple[float, int]] = []  # (centre, members)
    for height in heights:
        groups.append((height, 1))
        while len(groups) > 1:
            (lower, below), (upper, above) = groups[-2:]
            if upper - lower >= distance * (below + above) / 2:
                break
            groups[-2:] = [((lower * below + upper * above) / (below + above), below + above)]
    return [
        centre + distance * (i - (members - 1) / 2)
        for centre, members in groups
        for i in range(members)
    ]
