"""The colours of the book, by name. Data keep their colour in light and dark; only ink changes.

Every data colour stands out from both papers by a contrast of at least 3:1 (a test computes it),
so one figure serves both themes once ink, muted, line and paper are exchanged.
"""

from typing import Final

PETROL: Final = "#1b7f9c"  # encoders, the first series
AMBER: Final = "#c77d0a"  # the code, the latent space
VIOLET: Final = "#7d6bc4"  # decoders
ROSE: Final = "#cf4a63"  # failures, warnings
GREEN: Final = "#3f8f5b"
GREY: Final = "#7b8594"  # baselines, such as PCA

SERIES: Final = (PETROL, AMBER, VIOLET, ROSE, GREEN, GREY)

# One colour for each digit. Found by search: as far apart as ten colours can be for normal,
# deuteranopic and protanopic eyes inside the band of lightness that both papers leave, then
# dealt out so that digits which lie together in a latent space (4 and 9, 3, 5 and 8) differ most.
# Ten hues are still too many to name: a map of digits carries numerals too.
CLASSES: Final = (
    PETROL,
    "#a66bcf",
    "#c47c81",
    "#588bf7",
    AMBER,
    ROSE,
    "#8b8db2",
    "#1a8255",
    "#7b6801",
    "#685ccb",
)

PAPER: Final = "#fdfcf9"
INK: Final = "#1b2430"  # text
MUTED: Final = "#5b6675"  # axes, captions, second thoughts
LINE: Final = "#d9dce1"  # grids, frames

# what each of the four becomes on dark paper
DARK: Final = {PAPER: "#14181f", INK: "#e6e8ec", MUTED: "#9aa5b4", LINE: "#323a46"}

# An image's zero is dark on either paper. White strokes on a dark tile are how the digits were
# recorded, the same picture serves both themes, and no tile is brighter than the page around it.
BLACK: Final = INK
WHITE: Final = "#fbfaf6"
NEGATIVE: Final = "#8fd3e6"  # of signed images, whose zero is the same dark
POSITIVE: Final = "#ffce80"
