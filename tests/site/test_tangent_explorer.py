"""The tangent explorer on the published page: its numbers against torch, and every control."""

import re

import numpy as np
import pytest
import torch

from aecore.widgets.packing import Packed, unpack
from tests.test_tangent_explorer import encoder, tangent_explorer

from .test_front_end import follows_its_model, heights
from .test_widgets import buffer, content, first, frame, greens, pixels, to_widget, tones

pytestmark = pytest.mark.site

KIND = "tangent_explorer"


@pytest.fixture
def exploring(visitor, site):
    page = visitor.open(first(KIND))
    return page, to_widget(page, KIND)


class Data:
    """What the page has, as tensors."""

    def __init__(self, widget):
        state = content(widget)["state"]
        size = state["shape"][0] * state["shape"][1]
        self.images = torch.frombuffer(bytearray(buffer(widget, "images")), dtype=torch.uint8)
        self.images = self.images.reshape(-1, size) / 255
        self.directions = {
            along: torch.from_numpy(np.frombuffer(buffer(widget, field), "<f4").copy())
            for along, field in (("tangent", "tangents"), ("random", "others"))
        }
        self.directions = {k: v.reshape(-1, size) for k, v in self.directions.items()}
        self.encoder = unpack(Packed(state["layers"], buffer(widget, "weights"), size, 0))

    def moved(self, image, along, t):
        return self.images[image] + t * self.directions[along][image]

    def distance(self, image, along, t):
        codes = self.encoder(torch.stack([self.moved(image, along, t), self.images[image]]))
        return float((codes[0] - codes[1]).norm())


def move(page, widget, t):
    widget.locator("input[type=range]").fill(str(t))
    frame(page)


def choose(page, widget, name):
    widget.get_by_role("radio", name=name, exact=True).check(force=True)
    frame(page)


ALONG = {"tangent": "Along the tangent", "random": "Along the random direction"}


def test_distances_of_the_code_are_torchs(exploring):
    page, widget = exploring
    data = Data(widget)
    for image in range(2):
        choose(page, widget, f"Image {image + 1}")
        for t in (-4, -0.5, 1.5, 4):
            move(page, widget, t)
            words = widget.locator(".aew-words").inner_text()
            found = re.search(r"by (\S+) along the tangent, by (\S+) along the random", words)
            tangent, random = (data.distance(image, along, t) for along in ALONG)
            assert float(found[1]) == pytest.approx(tangent, rel=0.006)
            assert float(found[2]) == pytest.approx(random, rel=0.006)
            ratio = float(re.search(r"([\d.]+) times as far", words)[1])
            assert ratio == pytest.approx(tangent / random, abs=0.051)
    move(page, widget, 0)
    assert "Move the slider" in widget.locator(".aew-words").inner_text()


def test_moved_image_and_direction_are_torchs(exploring):
    page, widget = exploring
    data = Data(widget)
    moved, direction = widget.locator(".aew-pair canvas").all()
    signed = content(widget)["state"]["signed"]
    zero, ends = int(signed[2][3:5], 16), [int(signed[i][3:5], 16) for i in (0, 4)]
    for along, name in ALONG.items():
        choose(page, widget, name)
        for t in (-3, 0.5):
            move(page, widget, t)
            expected = tones(widget, data.moved(0, along, t))
            assert (greens(moved) - expected).abs().max() <= 1
        relative = data.directions[along][0] / data.directions[along][0].abs().max()
        shown = greens(direction)
        assert (shown[relative.abs() < 0.002] - zero).abs().sum() <= (relative.abs() < 0.002).sum()
        largest = int(relative.abs().argmax())
        assert abs(int(shown[largest]) - ends[int(relative[largest] > 0)]) <= 1


def test_the_curve_passes_through_the_distance(exploring):
    """The line of the tangent, found by its colour, is as high as torch's distance says."""
    page, widget = exploring
    data = Data(widget)
    image, t = 0, -2.0
    move(page, widget, 4)  # the marker is out of the way
    reach = content(widget)["state"]["reach"]
    places = np.linspace(-reach, reach, 81)
    top = 1.05 * max(data.distance(image, along, x) for along in ALONG for x in places)
    low, high = widget.locator(".aew-curves").evaluate(
        """(canvas, part) => {
          const ratio = canvas.width / canvas.clientWidth;
          const width = canvas.clientWidth - 46, height = canvas.clientHeight - 34;
          const x = Math.round((38 + part * width) * ratio);
          const column = canvas.getContext('2d').getImageData(x, 0, 1, canvas.height).data;
          const rows = [];
          for (let y = 0; y < canvas.height; y++) {
            const [r, g, b] = column.slice(4 * y, 4 * y + 3);
            if (r > 170 && g > 90 && g < 160 && b < 60) rows.push(y);
          }
          return [rows[0], rows.at(-1)].map((y) => 1 - ((y + 0.5) / ratio - 8) / height);
        }""",
        (t + reach) / (2 * reach),
    )
    expected = data.distance(image, "tangent", t) / top
    assert min(low, high) - 0.03 <= expected <= max(low, high) + 0.03


@pytest.mark.parametrize("group", ["Image", "Direction"])
def test_arrow_keys_choose(exploring, group):
    page, widget = exploring
    radios = widget.get_by_role("radiogroup", name=group).get_by_role("radio")
    canvas = ".aew-pair .aew-figure:last-child canvas"
    radios.first.focus()
    seen = {pixels(widget, canvas)}
    scroll = page.evaluate("scrollY")
    page.keyboard.press("ArrowRight")
    frame(page)
    seen.add(pixels(widget, canvas))
    assert len(seen) == 2
    assert radios.nth(1).is_checked()
    assert not radios.nth(0).is_checked()
    assert page.evaluate("scrollY") == scroll
    outline = "e => getComputedStyle(e.parentElement).outlineStyle"
    assert radios.nth(1).evaluate(outline) == "solid"


def test_radio_buttons_of_two_groups_do_not_meet(exploring):
    page, widget = exploring
    choose(page, widget, "Image 3")
    choose(page, widget, "Along the random direction")
    names = widget.locator("input:checked").evaluate_all(
        "all => all.map((input) => input.ariaLabel)"
    )
    assert names == ["Image 3", "Along the random direction"]


def test_a_click_on_a_small_picture_chooses_it(exploring):
    page, widget = exploring
    face = widget.locator(".aew-thumbs label").nth(2)
    face.click()
    frame(page)
    assert widget.get_by_role("radio", name="Image 3", exact=True).is_checked()
    move(page, widget, 0)
    assert greens(widget.locator(".aew-pair canvas").first).equal(greens(face.locator("canvas")))


def test_slider_moves_by_keys_and_says_where(exploring):
    page, widget = exploring
    slider = widget.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    frame(page)
    assert slider.get_attribute("aria-valuetext") == "−4.00"
    code, curves = pixels(widget, ".aew-code"), pixels(widget, ".aew-curves")
    page.keyboard.press("ArrowRight")
    frame(page)
    assert slider.get_attribute("aria-valuetext") == "−3.95"
    assert pixels(widget, ".aew-code") != code
    assert pixels(widget, ".aew-curves") != curves


@pytest.mark.parametrize("width", [1280, 390])
def test_choosing_moves_nothing_on_the_page(browser, width):
    states = [
        {"image": image, "along": along, "t": t}
        for image in range(3) for along in ("tangent", "random") for t in (-4, 0, 0.5, 4)
    ]  # fmt: skip
    assert len(set(heights(browser, tangent_explorer(), width, states))) == 1


def test_fits_a_phone_and_follows_a_finger(visitor, site):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visitor.open(first(KIND), **phone)
    widget = to_widget(page, KIND)
    assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
    moved = ".aew-pair canvas"
    before = pixels(widget, moved)
    widget.locator(".aew-thumbs label").nth(1).tap()
    frame(page)
    assert pixels(widget, moved) != before


def test_follows_window_and_theme(exploring):
    page, widget = exploring
    for canvas in (".aew-curves", ".aew-code"):
        page.set_viewport_size({"width": 1280, "height": 900})
        seen = set()
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            frame(page)
            seen.add(pixels(widget, canvas))
        page.set_viewport_size({"width": 500, "height": 900})
        frame(page)
        seen.add(pixels(widget, canvas))
        assert len(seen) == 3
        sharp = "c => Math.abs(c.width - c.clientWidth * devicePixelRatio)"
        assert widget.locator(canvas).evaluate(sharp) <= 1


@pytest.mark.parametrize("latents", [5, 200])  # drawn as bars, as strips
@pytest.mark.parametrize("change", [("image", 1), ("along", "random"), ("t", -1.0)])
def test_runs_where_a_kernel_is(browser, latents, change):
    widget = tangent_explorer(encoder=encoder(latents=latents))
    assert follows_its_model(browser, widget, ".aew-code", change)
