"""The colours: readable on both papers, told apart by every eye, the same in style and palette."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex

from aecore.plots import palette


def linear_light(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear_light(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


@pytest.mark.parametrize("paper", [palette.PAPER, palette.DARK[palette.PAPER]])
@pytest.mark.parametrize("colour", sorted({*palette.SERIES, *palette.CLASSES}))
def test_data_colours_stand_out_from_both_papers(colour, paper):
    assert contrast(colour, paper) >= 3


def test_text_is_readable_on_both_papers():
    for text in (palette.INK, palette.MUTED):
        assert contrast(text, palette.PAPER) >= 4.5
        assert contrast(palette.DARK[text], palette.DARK[palette.PAPER]) >= 4.5


# what a deuteranope and a protanope see of linear light: Machado, Oliveira and Fernandes (2009)
EYES = {
    "normal": np.eye(3),
    "deuteranopic": np.array(
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    ),
    "protanopic": np.array(
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    ),
}


def oklab(light: np.ndarray) -> np.ndarray:
    cones = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
    opponents = np.array(
        [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    )
    return opponents @ np.cbrt(cones @ np.clip(light, 0, 1))


@pytest.mark.parametrize(("eye", "least"), [("normal", 9), ("deuteranopic", 6), ("protanopic", 6)])
def test_the_ten_classes_are_told_apart(eye, least):
    seen = [oklab(EYES[eye] @ linear_light(colour)) for colour in palette.CLASSES]
    distances = [100 * np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert min(distances) >= least  # 2 is about a just noticeable difference


def test_series_are_told_apart_in_grey():
    # 3:1 on both papers leaves no room for six greys, so the dash must tell what grey cannot
    cycle = mpl.rcParams["axes.prop_cycle"].by_key()
    assert tuple(to_hex(colour) for colour in cycle["color"]) == palette.SERIES
    assert len({str(dash) for dash in cycle["linestyle"]}) == len(palette.SERIES)


def test_the_style_has_the_colours_of_the_palette():
    for key, colour in [
        ("text.color", palette.INK),
        ("axes.labelcolor", palette.INK),
        ("axes.edgecolor", palette.MUTED),
        ("xtick.color", palette.MUTED),
        ("grid.color", palette.LINE),
        ("figure.facecolor", palette.PAPER),
    ]:
        assert to_hex(mpl.rcParams[key]) == colour, key
