"""The look of the figures: type, axes and the two colour maps."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.colors import LinearSegmentedColormap

from aecore.plots.palette import AMBER, BLACK, NEGATIVE, PETROL, POSITIVE, WHITE

_ROOT = Path(__file__).parent.parent

STYLE = str(_ROOT / "aecore.mplstyle")

DIGIT = LinearSegmentedColormap.from_list("aecore.digit", [BLACK, WHITE])
SIGNED = LinearSegmentedColormap.from_list(
    "aecore.signed", [NEGATIVE, PETROL, BLACK, AMBER, POSITIVE], N=511
)  # an odd number of colours: zero has one of its own


def activate() -> None:
    """Register the fonts and the colour maps, and make the book's style matplotlib's default."""
    for font in sorted((_ROOT / "fonts").glob("*.ttf")):
        font_manager.fontManager.addfont(font)
    for colours in (DIGIT, SIGNED):
        mpl.colormaps.register(colours, force=True)
    plt.style.use(STYLE)
