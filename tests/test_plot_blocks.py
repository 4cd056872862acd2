"""The building blocks of the figures: what they draw, and what they refuse to draw."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aecore import plots
from aecore.plots.charts import _spread


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def codes(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 2, generator=generator), torch.arange(n) % 10


def test_labels_are_at_the_ends_and_do_not_overlap():
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.plot([0, 1, 2], [3, 1, 0.5], label="autoencoder")
    axes.plot([0, 1, 2], [3, 1, 0.6], label="PCA")
    axes.set(xlabel="codes", ylabel="nats")
    plots.label_lines(axes)
    figure.draw_without_rendering()
    names = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert set(names) == {"autoencoder", "PCA"}
    assert not names["autoencoder"].overlaps(names["PCA"])
    for name, box in names.items():
        assert box.x0 > axes.transData.transform((2, 0))[0], name
        assert box.y0 >= axes.bbox.y0 - 1
        assert box.x1 <= figure.bbox.x1


@settings(deadline=None)  # the first figure of a process loads fonts
@given(
    st.lists(st.floats(-200, 200), min_size=1, max_size=12),
    st.floats(1, 30),
)
def test_spread_keeps_order_distance_and_centre(heights, distance):
    heights = sorted(heights)
    placed = _spread(heights, distance)
    assert len(placed) == len(heights)
    assert all(b - a >= distance * (1 - 1e-9) - 1e-9 for a, b in itertools.pairwise(placed))
    assert np.mean(placed) == pytest.approx(np.mean(heights), abs=1e-6)
    if all(b - a >= distance for a, b in itertools.pairwise(heights)):
        assert placed == pytest.approx(heights)


def test_label_lines_refuses_axes_without_names():
    _, axes = plt.subplots()
    axes.plot([0, 1], [0, 1])
    with pytest.raises(ValueError, match="axes must have at least one line with a label"):
        plots.label_lines(axes)
    with pytest.raises(TypeError, match="axes"):
        plots.label_lines("axes")


def test_latent_map_puts_each_numeral_at_its_class():
    _, axes = plt.subplots()
    points, labels = codes()
    plots.latent_map(axes, points, labels)
    for text in axes.texts:
        own = points[labels == int(text.get_text())]
        assert torch.tensor(text.get_position()) == pytest.approx(own.median(dim=0).values)
    assert len(axes.texts) == 10


@pytest.mark.parametrize(
    ("points", "labels", "error", "name"),
    [
        (torch.zeros(5, 3), torch.zeros(5, dtype=torch.int64), ValueError, "codes"),
        (torch.full((5, 2), float("nan")), torch.zeros(5, dtype=torch.int64), ValueError, "codes"),
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), ValueError, "codes"),
        (torch.zeros(5, 2), torch.zeros(4, dtype=torch.int64), ValueError, "labels"),
        (torch.zeros(5, 2), torch.zeros(5), TypeError, "labels"),
        (torch.zeros(5, 2), torch.full((5,), 10), ValueError, "labels"),
        (torch.zeros(5, 2), torch.full((5,), -1), ValueError, "labels"),
        (torch.zeros(5, 2), [0] * 5, TypeError, "labels"),
        (np.zeros((5, 2)), torch.zeros(5, dtype=torch.int64), TypeError, "codes"),
    ],
)
def test_latent_map_refuses(points, labels, error, name):
    _, axes = plt.subplots()
    with pytest.raises(error, match=name):
        plots.latent_map(axes, points, labels)


@settings(deadline=None)  # the first figure of a process loads fonts
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    labels=st.integers(0, 5),
)
def test_grid_fits_its_labels_or_refuses(rows, columns, labels):
    images = torch.zeros(rows * columns, 1, 2, 2)
    names = [str(i) for i in range(labels)]
    if labels == columns:
        figure = plots.image_grid(images, columns=columns, column_labels=names)
        assert len(figure.axes[0].images) == rows * columns
        plt.close(figure)
    else:
        with pytest.raises(ValueError, match=f"column_labels must have {columns} entries"):
            plots.image_grid(images, columns=columns, column_labels=names)


@pytest.mark.parametrize(
    ("bad", "error", "name"),
    [
        ({"images": torch.zeros(3, 28, 28)}, ValueError, "images"),
        ({"images": torch.zeros(3, 2, 8, 8)}, ValueError, "images"),
        ({"images": torch.zeros(0, 1, 8, 8)}, ValueError, "images"),
        ({"images": torch.full((1, 1, 8, 8), float("inf"))}, ValueError, "images"),
        ({"images": torch.zeros(3, 1, 8, 8, dtype=torch.uint8)}, TypeError, "images"),
        ({"images": torch.zeros(4, 3, 8, 8), "signed": True}, ValueError, "images"),
        ({"columns": 0}, ValueError, "columns"),
        ({"columns": 5}, ValueError, "columns"),
        ({"columns": 2.0}, TypeError, "columns"),
        ({"row_labels": ["a", "b", "c"]}, ValueError, "row_labels"),
        ({"row_labels": []}, ValueError, "row_labels"),
        ({"row_labels": "ab"}, TypeError, "row_labels"),
        ({"titles": ["a"]}, ValueError, "titles"),
        ({"titles": [1, 2, 3, 4]}, TypeError, "titles"),
    ],
)
def test_image_grid_refuses(bad, error, name):
    with pytest.raises(error, match=name):
        plots.image_grid(**{"images": torch.zeros(4, 1, 8, 8), **bad})


@settings(deadline=None)  # the first figure of a process loads fonts
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=4), st.integers(1, 5000))
def test_diagram_has_a_bar_for_each_layer(half, code):
    sizes = [*half, code, *half[::-1]]
    figure = plots.bottleneck_diagram(sizes)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in written if text.isdecimal()] == [str(size) for size in sizes]
    plt.close(figure)


@pytest.mark.parametrize(
    ("bad", "error", "name"),
    [
        ({"sizes": [784, 64]}, ValueError, "sizes"),
        ({"sizes": [784]}, ValueError, "sizes"),
        ({"sizes": [784, 0, 784]}, ValueError, r"sizes\[1\]"),
        ({"sizes": [784, 2.0, 784]}, TypeError, r"sizes\[1\]"),
        ({"sizes": "784"}, TypeError, "sizes"),
        ({"sizes": 784}, TypeError, "sizes"),
        ({"original": torch.zeros(28, 28)}, ValueError, "original"),
        ({"reconstruction": torch.full((1, 28, 28), 1.5)}, ValueError, "reconstruction"),
    ],
)
def test_diagram_refuses(bad, error, name):
    with pytest.raises(error, match=name):
        plots.bottleneck_diagram(**{"sizes": [784, 64, 784], **bad})
