"""Widgets in Python: what is displayed when, what they hold, and what they refuse."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from myst_nb.core.render import get_mime_priority
from PIL import Image
from torch import nn

from aecore.sphinx.widget import KINDS, MIME, WidgetRenderer, page_script
from aecore.widgets import LatentExplorer, Switcher
from aecore.widgets.base import LIBRARY, STATIC, Widget
from tests.test_code_grid import code_grid
from tests.test_face_sliders import face_sliders
from tests.test_gaussian_playground import gaussian_playground
from tests.test_morph import morph
from tests.test_noise_pad import noise_pad
from tests.test_plane_diffusion import plane_diffusion
from tests.test_rate_distortion import rate_distortion
from tests.test_sortable_table import sortable_table
from tests.test_tangent_explorer import tangent_explorer
from tests.test_traversal_sliders import traversal_sliders
from tests.test_unit_browser import unit_browser
from tests.test_word_digits import word_digits

torch.set_num_threads(1)


def decoder(pixels=784, latents=2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(latents, 64), nn.ReLU(), nn.Linear(64, pixels))


def explorer(**changes):
    generator = torch.Generator().manual_seed(0)
    arguments = {
        "decoder": decoder(),
        "codes": torch.randn(50, 2, generator=generator),
        "labels": torch.arange(50) % 10,
        "name": "digits",
        "label": "Digits",
    }
    return LatentExplorer(**arguments | changes)


def switcher(**changes):
    arguments = {
        "pictures": torch.linspace(0, 1, 2 * 3 * 4 * 5).reshape(2, 3, 4, 5),
        "controls": {"code": [1, 2], "noise": ["none", "some", "much"]},
        "name": "noise",
        "label": "Noise",
    }
    return Switcher(**arguments | changes)


MAKERS = [
    code_grid,
    explorer,
    face_sliders,
    gaussian_playground,
    morph,
    noise_pad,
    plane_diffusion,
    rate_distortion,
    sortable_table,
    switcher,
    tangent_explorer,
    traversal_sliders,
    unit_browser,
    word_digits,
]
each = pytest.mark.parametrize("make", MAKERS)


# ---- what is displayed, with a kernel and in a build


@each
def test_build_displays_data_and_opens_no_comm(make, build, comms):
    widget = make()
    shown = widget._repr_mimebundle_()
    assert comms == []
    assert set(shown) == {MIME, "image/png", "text/plain"}
    assert shown["text/plain"] == repr(widget) == repr(make())
    bundle = shown[MIME]
    assert bundle["kind"] in KINDS
    assert bundle["alt"].startswith(bundle["label"])
    assert not set(bundle["state"]) & {"layout", "_esm", "_css", "_model_name", "tooltip"}
    assert json.loads(json.dumps(bundle)) == bundle
    picture = Image.open(io.BytesIO(base64.b64decode(shown["image/png"])))
    assert picture.width >= 600
    assert len(np.unique(np.asarray(picture))) > 4


@each
def test_same_widget_gives_same_bytes(make, build):
    assert make().bundle() == make().bundle()


@each
def test_kernel_gets_a_live_widget_and_the_picture(make, comms, monkeypatch):
    monkeypatch.delenv("AECORE_BUILD", raising=False)
    data, _ = make()._repr_mimebundle_()
    assert comms
    assert "application/vnd.jupyter.widget-view+json" in data
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert MIME not in data


@each
def test_live_module_and_page_script_have_the_same_source(make):
    widget = make()
    page = page_script()
    for part in (*LIBRARY, f"{widget.kind}.js"):
        source = (STATIC / part).read_text()
        assert source in widget._esm
        assert source in page
        assert not re.search(r"^\s*(import|export)\b", source, re.MULTILINE)


def test_page_script_knows_every_widget():
    assert set(KINDS) == {kind.kind for kind in Widget.__subclasses__()}


def test_mime_type_wins_on_the_page():
    assert WidgetRenderer.mime_priority_overrides
    order = get_mime_priority("html", [])
    assert order.index(MIME) < order.index("image/png")


# ---- the explorer


def test_explorer_holds_the_decoder_and_the_codes():
    codes = torch.randn(200, 2)
    widget = explorer(codes=codes, labels=torch.zeros(200, dtype=torch.int64))
    assert np.frombuffer(widget.codes, "<f4").reshape(-1, 2) == pytest.approx(codes.numpy())
    assert widget.side == 28
    spans = [high - low for low, high in widget.limits]
    assert spans[0] == pytest.approx(spans[1])  # distances look as long as they are
    inside = [
        ((codes[:, axis] >= low) & (codes[:, axis] <= high)).float().mean()
        for axis, (low, high) in enumerate(widget.limits)
    ]
    assert min(inside) > 0.98


def test_explorer_survives_a_single_code_and_an_outlier():
    one = explorer(codes=torch.tensor([[3.0, -1.0]]), labels=torch.tensor([5]))
    assert one.position == [3.0, -1.0]
    assert all(low < high for low, high in one.limits)
    codes = torch.randn(1000, 2)
    codes[0] = 1e6
    far = explorer(codes=codes, labels=torch.zeros(1000, dtype=torch.int64))
    assert all(high - low < 20 for low, high in far.limits)
    assert all(low <= v <= high for v, (low, high) in zip(far.position, far.limits, strict=True))


def test_explorer_keeps_the_weights_it_was_given():
    module = decoder()
    widget = explorer(decoder=module)
    before = widget.picture()
    with torch.no_grad():
        module[0].weight.zero_()
    assert widget.picture() == before


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"decoder": decoder(latents=3)}, ValueError, "decoder must read 2 latents, got 3"),
        ({"decoder": decoder(pixels=783)}, ValueError, "square image, got 783"),
        ({"decoder": torch.sigmoid}, TypeError, "decoder must be Module"),
        (
            {"decoder": nn.Sequential(decoder(), nn.Sigmoid())},
            ValueError,
            "output must be 'pixels'",
        ),
        ({"codes": torch.randn(50, 3)}, ValueError, r"codes must have shape \(N, 2\)"),
        ({"codes": torch.full((50, 2), torch.nan)}, ValueError, "codes must be finite"),
        ({"codes": torch.zeros(50, 2, dtype=torch.int64)}, TypeError, "codes"),
        ({"codes": torch.zeros(0, 2), "labels": torch.zeros(0).long()}, ValueError, "codes.*empty"),
        ({"labels": torch.arange(49)}, ValueError, r"labels must have shape \(50,\), got \(49,\)"),
        ({"labels": torch.zeros(50)}, TypeError, "labels must hold whole numbers"),
        ({"labels": torch.zeros(50, dtype=torch.bool)}, TypeError, "labels must hold whole"),
        ({"labels": [0] * 50}, TypeError, "labels must be Tensor, got list"),
        ({"output": "mean"}, ValueError, "output must be one of logits, pixels"),
        ({"name": "Latent map"}, ValueError, "name must be"),
        ({"name": None}, TypeError, "name must be str"),
        ({"label": " "}, ValueError, "label must say"),
        ({"label": 3}, TypeError, "label must be str"),
    ],
)
def test_explorer_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        explorer(**changes)


@given(st.integers(-(2**40), 2**40).filter(lambda label: not 0 <= label <= 9))
def test_explorer_refuses_labels_without_a_colour(label):
    with pytest.raises(ValueError, match="labels must be from 0 to 9"):
        explorer(labels=torch.full((50,), label))


@given(st.lists(st.integers(0, 4), max_size=4))
def test_explorer_refuses_codes_of_another_shape(shape):
    if len(shape) != 2 or shape[1] != 2 or shape[0] == 0:
        with pytest.raises(ValueError, match="codes must"):
            explorer(codes=torch.zeros(shape))


@given(st.text(max_size=6))
def test_names_are_safe_in_a_page(name):
    if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name):
        with pytest.raises(ValueError, match="name must be"):
            switcher(name=name)


# ---- the switcher


def pictures_of(widget):
    ends = np.cumsum(widget.sizes)
    files = [widget.images[end - size : end] for end, size in zip(ends, widget.sizes, strict=True)]
    return [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]


def test_switcher_orders_pictures_as_its_controls():
    pictures = torch.zeros(2, 3, 4, 5)
    pictures[1, 2] = 1
    found = pictures_of(switcher(pictures=pictures))
    assert [image.mean() > 200 for image in found] == [False] * 5 + [True]
    assert found[0].shape == (4, 5, 3)


def test_switcher_keeps_colour():
    pictures = torch.rand(2, 3, 4, 5, 3)
    for image, expected in zip(
        pictures_of(switcher(pictures=pictures)), pictures.flatten(0, 1), strict=True
    ):
        assert np.abs(image / 255 - expected.numpy()).max() <= 0.5 / 255 + 1e-6


def test_switcher_takes_arrays_and_says_its_caption():
    captions = [["a", "b", "c"], ["d", "e", "f"]]
    widget = switcher(pictures=np.zeros((2, 3, 4, 5)), captions=captions)
    assert widget.captions == list("abcdef")
    widget.chosen = [1, 0]
    assert widget.alt() == "Noise. code 2, noise none. d"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"pictures": torch.rand(2, 2, 4, 5)},
            ValueError,
            r"pictures must have shape \(2, 3, H, W",
        ),
        ({"pictures": torch.rand(2, 3, 4, 5, 4)}, ValueError, "pictures must have shape"),
        ({"pictures": torch.rand(2, 3)}, ValueError, "pictures must have shape"),
        ({"pictures": torch.zeros(2, 3, 0, 5)}, ValueError, "pictures must not be empty"),
        ({"pictures": torch.full((2, 3, 4, 5), 1.1)}, ValueError, "pictures must be in"),
        ({"pictures": torch.full((2, 3, 4, 5), torch.nan)}, ValueError, "pictures must be in"),
        ({"pictures": torch.zeros(2, 3, 4, 5).long()}, TypeError, "floating-point.*int64"),
        ({"pictures": [[0.0]]}, TypeError, "pictures must be Tensor or ndarray, got list"),
        ({"controls": {}}, ValueError, "controls must name at least one"),
        ({"controls": ["code"]}, TypeError, "controls must be Mapping, got list"),
        ({"controls": {"code": [1]}}, ValueError, r"controls\['code'\].*at least 2 values, got 1"),
        ({"controls": {"code": "ab"}}, TypeError, r"controls\['code'\] must be a list, got str"),
        ({"controls": {1: [1, 2]}}, TypeError, "the name of a control must be str, got int"),
        ({"captions": ["a", "b"]}, TypeError, r"captions\[0\] must be list or tuple, got str"),
        ({"captions": [["a"], ["b"]]}, ValueError, r"captions\[0\] must have 3 entries, got 1"),
        ({"captions": [[1, 2, 3]] * 2}, TypeError, r"captions\[0\]\[0\] must be str, got int"),
    ],
)
def test_switcher_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        switcher(**changes)


@given(st.lists(st.integers(0, 5), min_size=0, max_size=6))
def test_switcher_refuses_pictures_of_another_shape(shape):
    fits = shape[:2] == [2, 3] and (len(shape) == 4 or (len(shape) == 5 and shape[4] == 3))
    if not fits or 0 in shape:
        with pytest.raises(ValueError, match="pictures must"):
            switcher(pictures=torch.zeros(shape))
