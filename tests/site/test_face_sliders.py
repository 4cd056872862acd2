"""The face sliders on the published page: pictures and measures against torch, every control."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from aecore.widgets.packing import Packed, unpack
from tests.test_face_sliders import face_sliders

from .test_front_end import follows_its_model, heights
from .test_widgets import buffer, content, first, frame, pixels, to_widget

pytestmark = pytest.mark.site

KIND = "face_sliders"
FACE = ".aew-drawn canvas"


@pytest.fixture
def asking(visitor, site):
    page = visitor.open(first(KIND))
    return page, to_widget(page, KIND)


class Faces:
    """What the page has, as tensors: of the face sliders and of the morph."""

    def __init__(self, widget):
        self.state = state = content(widget)["state"]
        inputs = next(layer["inputs"] for layer in state["layers"] if "inputs" in layer)
        self.network = unpack(Packed(state["layers"], buffer(widget, "weights"), inputs, 0))
        self.codes = self.numbers(widget, "codes", "<f4", -1, inputs)
        self.centre = self.numbers(widget, "centre", "<f2", *state["shape"])

    @staticmethod
    def numbers(widget, field, dtype, *shape):
        array = np.frombuffer(buffer(widget, field), dtype).astype("f4")
        return torch.from_numpy(array).reshape(shape)

    def draw(self, codes):
        return (self.centre + self.state["scale"] * self.network(codes)).clamp(0, 1)


class Asked(Faces):
    def __init__(self, widget):
        super().__init__(widget)
        state = self.state
        weights = buffer(widget, "judge_weights")
        self.judge = unpack(Packed(state["judge_layers"], weights, 0, 0))
        self.directions = self.numbers(widget, "directions", "<f4", -1, self.codes.shape[1])

    def drawn(self, face, moves):
        code = self.codes[face] + torch.tensor(moves) @ self.directions
        return self.draw(code[None])  # (1, 3, H, W)

    def found(self, face, moves):
        return self.judge(self.drawn(face, moves).flatten(1))[0]


def shown(canvas):
    """A picture as it is on the canvas, (3, H, W), in whole numbers from 0 to 255."""
    url = canvas.evaluate("canvas => canvas.toDataURL()")
    picture = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB")
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()


def same(canvas, image):
    """Whether a canvas shows an image in [0, 1], up to one of 255 steps."""
    return bool((shown(canvas) - 255 * image).abs().max() <= 1)


def sliders(widget):
    return widget.locator("input[type=range]").all()


def says(slider):
    """What a slider says: where its factor is asked to be, and where it is found."""
    asked, found = re.findall(r"[+−][\d.]+", slider.get_attribute("aria-valuetext"))
    return tuple(float(value.replace("−", "-")) for value in (asked, found))


def choose(page, widget, name):
    widget.get_by_role("radio", name=name, exact=True).check(force=True)
    frame(page)


def ask(page, slider, value):
    slider.fill(f"{value:.2f}")
    frame(page)


def test_face_and_measures_are_torchs(asking):
    page, widget = asking
    data = Asked(widget)
    names = data.state["names"]
    rows = sliders(widget)
    assert len(rows) == len(names)
    none = [0.0] * len(names)
    for face in range(2):
        widget.get_by_role("button").click()
        choose(page, widget, f"Face {face + 1}")
        start = data.found(face, none)
        assert same(widget.locator(FACE), data.drawn(face, none)[0])
        assert [says(row)[1] for row in rows] == pytest.approx(start.tolist(), abs=0.0051)
        moves = list(none)
        for factor, value in ((0, -0.5), (len(names) - 1, 0.75)):
            ask(page, rows[factor], value)
            moves[factor] = value - float(start[factor])
            found = data.found(face, moves)
            assert same(widget.locator(FACE), data.drawn(face, moves)[0])
            assert [says(row)[1] for row in rows] == pytest.approx(found.tolist(), abs=0.0051)
            assert says(rows[factor])[0] == pytest.approx(value, abs=0.0051)


def test_marks_stand_where_the_judge_finds_the_factor(asking):
    page, widget = asking
    ask(page, sliders(widget)[1], 0.6)
    reach = content(widget)["state"]["reach"]
    for row in widget.locator(".aew-factors .aew-slider").all():
        _, found = says(row.locator("input"))
        box, mark = row.bounding_box(), row.locator(".aew-mark").bounding_box()
        part = (max(-reach, min(reach, found)) + reach) / (2 * reach)
        place = box["x"] + 10 + (box["width"] - 20) * part
        assert mark["x"] + mark["width"] / 2 == pytest.approx(place, abs=1.5)


def test_words_say_what_was_asked_and_what_came(asking):
    page, widget = asking
    data = Asked(widget)
    names, words = data.state["names"], widget.locator(".aew-words")
    assert "Move a slider" in words.inner_text()
    start = data.found(0, [0.0] * len(names))
    ask(page, sliders(widget)[0], 0.25)
    move = 0.25 - float(start[0])
    gains = data.found(0, [move] + [0.0] * (len(names) - 1)) - start
    text = words.inner_text().replace("−", "-")
    asked, came, other = (float(v) for v in re.findall(r"by ([+-][\d.]+\d)", text))
    assert (asked, came) == pytest.approx((move, float(gains[0])), abs=0.0051)
    most = 1 + int(gains[1:].abs().argmax())
    assert f"{names[most]} moved most" in text
    assert other == pytest.approx(float(gains[most]), abs=0.0051)
    ask(page, sliders(widget)[1], 0.5)
    assert "You asked to move 2 factors" in words.inner_text()


def test_what_changed_is_dark_at_first_and_again_after_the_way_back(asking):
    page, widget = asking
    change = widget.locator(".aew-changed canvas")
    nothing = shown(change)
    assert len(nothing.flatten(1).unique(dim=1).T) == 1
    ask(page, sliders(widget)[0], -1.0)
    assert not shown(change).equal(nothing)
    widget.get_by_role("button").click()
    frame(page)
    assert shown(change).equal(nothing)
    assert "Move a slider" in widget.locator(".aew-words").inner_text()


def test_moves_go_with_the_reader_to_another_face(asking):
    page, widget = asking
    data = Asked(widget)
    move = 0.4 - float(data.found(0, [0.0] * len(data.directions))[0])
    ask(page, sliders(widget)[0], 0.4)
    choose(page, widget, "Face 2")
    expected = data.drawn(1, [move] + [0.0] * (len(data.directions) - 1))[0]
    assert same(widget.locator(FACE), expected)


def test_small_faces_are_the_decoders(asking):
    _, widget = asking
    data = Faces(widget)
    small = widget.locator(".aew-faces canvas").all()
    assert len(small) == len(data.codes)
    for canvas, image in zip(small, data.draw(data.codes), strict=True):
        assert same(canvas, image)


def test_arrow_keys_choose_faces_and_move_sliders(asking):
    page, widget = asking
    seen = {pixels(widget, FACE)}
    scroll = page.evaluate("scrollY")
    widget.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowRight")
    frame(page)
    seen.add(pixels(widget, FACE))
    slider = sliders(widget)[0]
    slider.focus()
    page.keyboard.press("Home")
    frame(page)
    seen.add(pixels(widget, FACE))
    assert len(seen) == 3
    low = says(slider)[0]
    page.keyboard.press("ArrowRight")
    frame(page)
    assert says(slider)[0] == pytest.approx(low + 0.01, abs=1e-6)
    assert page.evaluate("scrollY") == scroll
    outline = "e => getComputedStyle(e).outlineStyle"
    assert slider.evaluate(outline) == "solid"


def test_face_is_redrawn_while_the_slider_moves(asking):
    """Frame by frame, before the slider is let go."""
    page, widget = asking
    box = sliders(widget)[2].bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.1 * box["width"], y)
    page.mouse.down()
    seen = set()
    for part in (0.3, 0.5, 0.7, 0.9):
        page.mouse.move(box["x"] + part * box["width"], y)
        frame(page)
        seen.add(pixels(widget, FACE))
    page.mouse.up()
    assert len(seen) == 4


@pytest.mark.parametrize("width", [1280, 390])
def test_choosing_moves_nothing_on_the_page(browser, width):
    states = [
        {"face": face, "moves": moves}
        for face in (0, 3)
        for moves in ([0.0] * 3, [0.5, 0.0, 0.0], [1.0, -2.5, 0.0], [-1.0, 2.0, 0.5])
    ]
    assert len(set(heights(browser, face_sliders(), width, states))) == 1


def test_fits_a_phone_and_follows_a_finger(visitor, site):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visitor.open(first(KIND), **phone)
    widget = to_widget(page, KIND)
    assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
    seen = {pixels(widget, FACE)}
    widget.locator(".aew-faces label").nth(1).tap()
    frame(page)
    seen.add(pixels(widget, FACE))
    box = sliders(widget)[0].bounding_box()
    page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    frame(page)
    seen.add(pixels(widget, FACE))
    assert len(seen) == 3


@pytest.mark.parametrize("change", [("face", 1), ("moves", [0.0, 1.0, 0.0])])
def test_runs_where_a_kernel_is(browser, change):
    assert follows_its_model(browser, face_sliders(), FACE, change)
