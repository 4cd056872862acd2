"""The code grid in Python: what the page gets, how far a code reaches, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aecore.models.quantizer import VectorQuantizer
from aecore.models.vector_quantized import VectorQuantizedAutoencoder
from aecore.randomness import initialise
from aecore.widgets import CodeGrid
from tests.widget_case import refuses

torch.set_num_threads(1)

CODES = 12
UNUSED = 7


def model(channels=1, size=CODES, halvings=2):
    rng = torch.Generator().manual_seed(0)
    quantizer = VectorQuantizer(size, 4)
    found = VectorQuantizedAutoencoder(channels, quantizer, width=8, halvings=halvings)
    initialise(found, rng)
    with torch.no_grad():
        quantizer.codebook.copy_(3 * torch.randn(size, 4, generator=rng))
    return found.eval()


def grids(number, side=7, seed=0):
    rng = torch.Generator().manual_seed(seed)
    found = torch.randint(CODES - 1, (number, side, side), generator=rng)
    return found + (found >= UNUSED)  # all but one


def code_grid(**changes):
    arguments = {
        "model": model(),
        "grids": {"Real": grids(5), "Drawn": grids(3, seed=1)},
        "name": "codes",
        "label": "Codes",
    }
    return CodeGrid(**arguments | changes)


def boxes(widget):
    side, _ = widget.shape
    return np.frombuffer(widget.reach, "<u2").reshape(side, side, 4)


@pytest.mark.parametrize("output", ["logits", "pixels"])
def test_image_is_the_models(output):
    widget = code_grid(output=output)
    every = torch.cat([grids(5), grids(3, seed=1)])
    for row in (0, 4, 5, 7):
        widget.chosen = row
        with torch.no_grad():
            expected = model().decode(every[row : row + 1])[0]
        expected = expected.sigmoid() if output == "logits" else expected.clamp(0, 1)
        assert expected.std() > 0.05
        torch.testing.assert_close(widget.image, expected, atol=0.005, rtol=0)


def test_page_gets_codes_and_codebook_as_they_are():
    widget = code_grid()
    every = torch.cat([grids(5), grids(3, seed=1)]).flatten(1).numpy()
    assert np.array_equal(np.frombuffer(widget.grids, "u1").reshape(8, 49), every)
    codebook = np.frombuffer(widget.codebook, "<f4").reshape(CODES, 4)
    assert np.array_equal(codebook, model().quantizer.codebook.detach().numpy())
    assert widget.sets == [["Real", 5], ["Drawn", 3]]
    assert widget.shape == [7, 28]


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_a_code_reaches_what_the_kernels_say(halvings):
    """A cell and two on each side; a doubling gives each pixel to the left and right one more."""
    widget = code_grid(model=model(halvings=halvings))
    side, size = widget.shape
    assert size == side * 2**halvings
    for row in range(side):
        for column in range(side):
            ends = []
            for place in (row, column):
                low, high = place - 1, place + 2  # after the first convolution
                for _ in range(halvings):
                    low, high = 2 * (low - 1), 2 * (high + 1)
                ends += [max(0, low), min(size, high)]
            assert boxes(widget)[row, column].tolist() == ends


def test_nothing_moves_beyond_the_reach_and_its_edges_do():
    """To the last digit; and over all codes some pixel of every edge of the reach moves."""
    widget = code_grid(output="pixels")
    for row, column in ((0, 0), (3, 3), (6, 2), (2, 6)):
        top, bottom, left, right = boxes(widget)[row, column]
        moved = torch.zeros(28, 28, dtype=torch.bool)
        start = widget._decoder(vectors(widget, widget.codes))[0, 0]
        for code in range(CODES):
            widget.put(row, column, code)
            moved |= widget._decoder(vectors(widget, widget.codes))[0, 0] != start
        inside = moved[top:bottom, left:right]
        assert moved.sum() == inside.sum()
        assert inside.any(0)[[0, -1]].all()
        assert inside.any(1)[[0, -1]].all()
        widget.chosen = 1
        widget.chosen = 0


def vectors(widget, codes):
    entries = widget._codebook[torch.tensor(list(codes))]
    return entries.t().flatten()[None]


def test_portraits_are_the_means_around_a_code():
    widget = code_grid()
    every = torch.cat([grids(5), grids(3, seed=1)])
    images = torch.stack([image_of(widget, row) for row in range(8)])
    found = np.frombuffer(widget.portraits, "u1").reshape(CODES, 12, 12)
    for code in (0, 3, CODES - 1):
        around = []
        for n, row, column in torch.nonzero(every == code).tolist():
            window = torch.zeros(12, 12)
            for y in range(12):
                for x in range(12):
                    at = 4 * row - 4 + y, 4 * column - 4 + x
                    if min(at) >= 0 and max(at) < 28:
                        window[y, x] = images[n][at]
            around.append(window)
        mean = 255 * torch.stack(around).mean(0)
        assert np.abs(found[code] - mean.numpy()).max() <= 0.51


def image_of(widget, row):
    widget.chosen = row
    return widget.image[0]


def test_a_code_that_is_never_used_is_shown_alone_and_comes_last():
    widget = code_grid()
    found = np.frombuffer(widget.portraits, "u1").reshape(CODES, 12, 12)
    widget.codes = bytes([UNUSED] * 49)
    middle = widget.image[0, 8:20, 8:20]
    inner = np.abs(found[UNUSED][4:8, 4:8] - 255 * middle[4:8, 4:8].numpy())
    assert inner.max() < 40  # the mean is over the edges of the grid too
    assert widget.order[-1] == UNUSED
    assert sorted(widget.order) == list(range(CODES))
    ink = found[:, 4:8, 4:8].sum((1, 2), dtype=int)[widget.order[:-1]]
    assert (np.diff(ink) >= 0).all()
    assert widget.code == widget.order[-2]  # it begins with ink
    assert "1 of them are in none of the 8 grids" in widget.alt()


def test_put_changes_one_code_and_keeps_the_grid_before():
    widget = code_grid()
    before = widget.codes
    widget.put(2, 5, 11 if before[19] != 11 else 10)
    changed = [i for i in range(49) if widget.codes[i] != before[i]]
    assert changed == [2 * 7 + 5]
    assert widget.before == before
    assert widget.moved_pixels() > 0
    after = widget.codes
    widget.put(2, 6, (after[20] + 1) % CODES)
    assert widget.before == after
    widget.codes = after
    assert f"1 of them changed. Right: the image that the decoder makes of them, with "\
        f"{widget.moved_pixels()} pixels moved" in widget.alt()  # fmt: skip
    widget.chosen = 6
    assert (
        widget.codes
        == widget.before
        == grids(3, seed=1)[1].flatten().numpy().astype("u1").tobytes()
    )
    assert widget.moved_pixels() == 0
    for row, words in ((4, "5 of the set 'Real'"), (5, "1 of the set 'Drawn'")):
        widget.chosen = row
        assert f"codes of grid {words}, 0 of them changed" in widget.alt()


def test_picture_follows_the_codes():
    widget = code_grid()
    before = widget.picture()
    widget.put(3, 3, (widget.codes[24] + 1) % CODES)
    assert widget.picture() != before


def test_keeps_what_it_was_given():
    given_model, given_grids = model(), {"Real": grids(2)}
    widget = code_grid(model=given_model, grids=given_grids)
    before = widget.picture(), widget.bundle()
    with torch.no_grad():
        for parameter in given_model.parameters():
            parameter.zero_()
    given_grids["Real"].zero_()
    assert (widget.picture(), widget.bundle()) == before


def test_survives_a_grid_of_one_code():
    widget = code_grid(grids={"One": torch.full((1, 2, 2), 3)})
    assert widget.shape == [2, 8]
    widget.put(1, 1, 0)
    assert widget.picture().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("chosen", 8, "chosen must be at least 0 and at most 7, got 8"),
        ("code", CODES, "code must be at least 0 and at most 11, got 12"),
        ("codes", bytes(48), "codes must be 49 bytes below 12, got 48 up to 0"),
        ("codes", bytes([12] * 49), "codes must be 49 bytes below 12, got 49 up to 12"),
        ("before", b"", "before must be 49 bytes below 12, got 0"),
    ],
)
def test_choices_are_refused_beyond_what_is_there(field, value, words):
    assert refuses(code_grid(), field, value, words)


@pytest.mark.parametrize("place", [(7, 0, 0), (0, -1, 0), (0, 0, CODES)])
def test_put_refuses_what_is_not_there(place):
    with pytest.raises(ValueError, match=r"(row|column|code) must be at least 0 and at most"):
        code_grid().put(*place)


BROKEN = model()
with torch.no_grad():
    BROKEN.quantizer.codebook[0, 0] = torch.nan


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"model": model().decoder}, TypeError, "model must be VectorQuantizedAutoencoder"),
        ({"model": model(channels=3)}, ValueError, "model must have one channel .* got 3 and 12"),
        ({"model": model(size=257)}, ValueError, "at most 256 codes, got 1 and 257"),
        ({"model": BROKEN}, ValueError, "the codebook of model must be finite"),
        ({"grids": grids(3)}, TypeError, "grids must be Mapping, got Tensor"),
        ({"grids": {}}, ValueError, "grids must name at least one set"),
        ({"grids": {3: grids(3)}}, TypeError, "the name of a set of grids must be str"),
        ({"grids": {"Real": [[0]]}}, TypeError, r"grids\['Real'\] must be Tensor, got list"),
        ({"grids": {"Real": grids(3).float()}}, TypeError, r"\['Real'\] must be int64, got torch"),
        ({"grids": {"Real": grids(3)[0]}}, ValueError, r"have shape \(N, 7, 7\), got \(7, 7\)"),
        ({"grids": {"Real": grids(3)[:, :6]}}, ValueError, r"\(N, 6, 6\), got \(3, 6, 7\)"),
        ({"grids": {"A": grids(1), "B": grids(1, 6)}}, ValueError, r"\['B'\].*\(N, 7, 7\)"),
        ({"grids": {"Real": grids(0)}}, ValueError, r"\(N, 7, 7\), got \(0, 7, 7\)"),
        ({"grids": {"Real": grids(3) + 6}}, ValueError, r"must be from 0 to 11, got 6 to 1[67]"),
        ({"grids": {"Real": grids(3) - 1}}, ValueError, r"must be from 0 to 11, got -1"),
        ({"grids": {"Real": grids(1001)}}, ValueError, "grids must be at most 1000, got 1001"),
        ({"output": "mean"}, ValueError, "output must be one of logits, pixels, got 'mean'"),
        ({"name": "All codes"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)  # fmt: skip
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        code_grid(**changes)


@given(st.lists(st.integers(0, 4), max_size=4))
def test_refuses_grids_of_another_shape(shape):
    if len(shape) != 3 or shape[1] != shape[2] or 0 in shape:
        with pytest.raises(ValueError, match=r"grids\['Real'\] must have shape"):
            code_grid(grids={"Real": torch.zeros(shape, dtype=torch.int64)})


def test_three_hundred_digits_are_small_enough_for_the_page():
    widget = code_grid(grids={"Real": grids(300)})
    buffers = [value for value in widget.get_state().values() if isinstance(value, bytes)]
    assert sum(map(len, buffers)) < 40_000
    assert isinstance(widget._decoder, nn.Sequential)
