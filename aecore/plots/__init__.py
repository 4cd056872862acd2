"""The figures of the book: one family, light and dark, vector where lines, sharp where images.

    from aecore import plots

    figure, axes = plt.subplots()
    axes.plot(steps, loss, label="autoencoder")
    plots.label_lines(axes)
    plots.show(figure, alt="...", caption="...")

- ``palette``  the colours, by name
- ``style``    type, axes, colour maps (``aecore.mplstyle`` holds the numbers)
- ``display``  ``show``: what turns a figure into something that a page displays
- ``images``   ``image_grid``: rows and columns of small images, every pixel a square
- ``charts``   ``latent_map``, ``label_lines``: what several chapters draw into their own axes
- ``diagrams`` ``bottleneck_diagram``: the picture of an autoencoder

Importing this package makes the style matplotlib's default. A figure takes its style while it is
drawn, and a chapter that forgot to ask for it would look like another book.
"""

from aecore.plots.charts import label_lines, latent_map
from aecore.plots.diagrams import bottleneck_diagram
from aecore.plots.display import Figure, show
from aecore.plots.images import image_grid
from aecore.plots.palette import (
    AMBER,
    CLASSES,
    DARK,
    GREEN,
    GREY,
    INK,
    LINE,
    MUTED,
    PAPER,
    PETROL,
    ROSE,
    SERIES,
    VIOLET,
)
from aecore.plots.style import activate

__all__ = [
    "AMBER",
    "CLASSES",
    "DARK",
    "GREEN",
    "GREY",
    "INK",
    "LINE",
    "MUTED",
    "PAPER",
    "PETROL",
    "ROSE",
    "SERIES",
    "VIOLET",
    "Figure",
    "bottleneck_diagram",
    "image_grid",
    "label_lines",
    "latent_map",
    "show",
]

activate()
