"""The unit browser on the published page: its numbers against torch, and every way to choose."""

import re

import numpy as np
import pytest
import torch

from tests.test_unit_browser import unit_browser

from .test_front_end import follows_its_model, heights
from .test_widgets import at, buffer, content, first, frame, greens, pixels, swipe, to_widget, tones

pytestmark = pytest.mark.site

KIND = "unit_browser"


@pytest.fixture
def browsing(visitor, site):
    page = visitor.open(first(KIND))
    return page, to_widget(page, KIND)


class Data:
    """What the page has, as tensors."""

    def __init__(self, widget):
        state = content(widget)["state"]
        self.logits = state["output"] == "logits"
        height, width = state["shape"]
        read = {"scales": "<f4", "steps": "<f4", "bias": "<f4"}
        read |= {"atoms": "i1", "images": "u1", "activations": "u1"}
        arrays = {
            name: torch.from_numpy(np.frombuffer(buffer(widget, name), kind).astype("f8"))
            for name, kind in read.items()
        }
        self.atoms = arrays["atoms"].reshape(-1, height * width) * arrays["scales"][:, None]
        self.images = arrays["images"].reshape(-1, height * width) / 255
        self.codes = arrays["activations"].reshape(len(self.images), -1) * arrays["steps"]
        self.bias = arrays["bias"]

    def rebuilt(self, image, k):
        kept, units = self.codes[image].sort(descending=True, stable=True)
        total = kept[:k] @ self.atoms[units[:k]] + self.bias
        return total.sigmoid() if self.logits else total

    def order(self):
        """Units as the grid has them, the most used first."""
        return (self.codes > 0).sum(0).sort(descending=True, stable=True).indices.tolist()


def unit_of(widget):
    return int(re.fullmatch(r"Unit (\d+)", widget.locator(".aew-title").inner_text())[1])


def image_of(widget):
    return int(re.search(r"image (\d+) of", widget.locator(".aew-picker").inner_text())[1]) - 1


def choose_k(page, widget, k):
    widget.locator("input").fill(str(k))
    frame(page)


def test_squared_error_and_rebuilt_image_are_torchs(browsing):
    page, widget = browsing
    data = Data(widget)
    canvas = widget.locator(".aew-pair canvas").nth(1)
    most = int(widget.locator("input").get_attribute("max"))
    start = image_of(widget)
    for image in range(start, start + 3):
        assert image_of(widget) == image
        for k in sorted({1, min(7, most), most}):
            choose_k(page, widget, k)
            value = data.rebuilt(image, k)
            error = float((value - data.images[image]).square().sum())
            words = widget.locator(".aew-words").inner_text()
            assert float(re.search(r"error of ([\d.]+)\.$", words)[1]) == pytest.approx(
                error, abs=0.006
            )
            active = int((data.codes[image] > 0).sum())
            start = f"{k} of its {active} " if k < active else f"All its {active} "
            assert words.startswith(start)
            assert (greens(canvas) - tones(widget, value)).abs().max() <= 1
        widget.get_by_role("button", name="Next image").click()
        frame(page)


def test_unit_fires_as_often_as_torch_counts(browsing):
    page, widget = browsing
    data = Data(widget)
    widget.locator(".aew-units").focus()
    order = data.order()
    for key, place in (("Home", 0), ("ArrowRight", 1), ("End", -1), ("ArrowLeft", -2)):
        page.keyboard.press(key)
        frame(page)
        unit = order[place]
        assert unit_of(widget) == unit
        fires = int((data.codes[:, unit] > 0).sum())
        words = widget.locator(".aew-unit .aew-readout").inner_text()
        count = len(data.codes)
        share = f"fires on {100 * fires / count:.1f} % of" if fires else "never fires on"
        assert words == f"{share} these {count} images"
        values, found = data.codes[:, unit].sort(descending=True, stable=True)
        cards = widget.locator(".aew-fired .aew-card:visible")
        assert cards.count() == min(8, fires)
        for i, card in enumerate(cards.all()):
            assert float(card.inner_text()) == pytest.approx(float(values[i]), rel=0.02, abs=0.006)
            expected = tones(widget, data.images[found[i]])
            assert (greens(card.locator("canvas")) - expected).abs().max() <= 1


def test_atom_is_drawn_around_a_dark_zero(browsing):
    _, widget = browsing
    data = Data(widget)
    atom = data.atoms[unit_of(widget)]
    shown = greens(widget.locator(".aew-atom"))
    zero = int(content(widget)["state"]["signed"][2][3:5], 16)
    ends = [int(content(widget)["state"]["signed"][i][3:5], 16) for i in (0, 4)]
    relative = atom / atom.abs().max()
    assert (shown[relative.abs() < 0.004] - zero).abs().max() <= 1
    largest = int(relative.abs().argmax())
    assert abs(int(shown[largest]) - ends[int(relative[largest] > 0)]) <= 1


def test_a_click_chooses_the_unit_under_it(browsing):
    page, widget = browsing
    grid = widget.locator(".aew-units")
    order = Data(widget).order()
    page.mouse.click(*at(grid, 0.001, 0.001))
    frame(page)
    assert unit_of(widget) == order[0]
    atom = pixels(widget, ".aew-atom")
    page.mouse.click(*at(grid, 0.999, 0.001))
    frame(page)
    across = order.index(unit_of(widget)) + 1
    assert 8 <= across <= len(order)
    assert pixels(widget, ".aew-atom") != atom
    page.mouse.click(*at(grid, 0.001, 0.2))
    frame(page)
    assert order.index(unit_of(widget)) % across == 0
    page.mouse.down()  # and a drag goes on choosing
    page.mouse.move(*at(grid, 0.5, 0.3), steps=3)
    frame(page)
    dragged = unit_of(widget)
    page.mouse.up()
    assert dragged != order[0]
    page.mouse.move(*at(grid, 0.9, 0.9))
    frame(page)
    assert unit_of(widget) == dragged


def test_arrow_keys_walk_the_grid_and_not_the_page(browsing):
    page, widget = browsing
    order = Data(widget).order()
    widget.locator(".aew-units").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")  # nowhere to go
    page.keyboard.press("ArrowLeft")
    frame(page)
    scroll = page.evaluate("scrollY")
    assert unit_of(widget) == order[0]
    page.keyboard.press("ArrowDown")
    frame(page)
    across = order.index(unit_of(widget))
    assert across >= 2
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    frame(page)
    assert unit_of(widget) == order[1]
    assert page.evaluate("scrollY") == scroll


def test_cards_lead_from_unit_to_image_and_back(browsing):
    page, widget = browsing
    data = Data(widget)
    card = widget.locator(".aew-fired .aew-card:visible").last
    card.click()
    frame(page)
    assert card.get_attribute("aria-pressed") == "true"
    assert greens(widget.locator(".aew-pair canvas").first).equal(greens(card.locator("canvas")))
    second = widget.locator(".aew-used .aew-card").nth(1)
    second.focus()
    page.keyboard.press("Enter")
    frame(page)
    expected = data.codes[image_of(widget)].sort(descending=True, stable=True).indices[1]
    assert unit_of(widget) == int(expected)
    assert second.get_attribute("aria-pressed") == "true"


def test_atoms_beyond_k_are_faint(browsing):
    page, widget = browsing
    for k in (1, 4):
        choose_k(page, widget, k)
        faint = widget.locator(".aew-used .aew-card").evaluate_all(
            "all => all.map((card) => card.classList.contains('aew-unused'))"
        )
        assert faint == [i >= k for i in range(12)]


def test_images_turn_around(browsing):
    page, widget = browsing
    count = len(Data(widget).images)
    for _ in range(image_of(widget) + 1):
        widget.get_by_role("button", name="Previous image").click()
        frame(page)
    assert image_of(widget) == count - 1
    widget.get_by_role("button", name="Next image").click()
    frame(page)
    assert image_of(widget) == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_choosing_moves_nothing_on_the_page(browser, width):
    states = [{"unit": unit, "image": unit % 12, "k": 1 + unit % 9} for unit in range(30)]
    assert len(set(heights(browser, unit_browser(), width, states))) == 1


def test_a_finger_chooses_by_tapping_and_scrolls_by_swiping(visitor, site):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visitor.open(first(KIND), **phone)
    widget = to_widget(page, KIND)
    grid = widget.locator(".aew-units")
    grid.evaluate("grid => grid.scrollIntoView({block: 'center', behavior: 'instant'})")
    unit, scroll = unit_of(widget), page.evaluate("scrollY")
    order = Data(widget).order()
    away = 0.001 if order.index(unit) else 0.999
    page.touchscreen.tap(*at(grid, away, away / 2))
    frame(page)
    tapped = unit_of(widget)
    assert tapped != unit
    swipe(page, at(grid, 0.5, 0.8), at(grid, 0.5, 0.2))
    assert page.evaluate("scrollY") != scroll
    assert unit_of(widget) == tapped
    assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")


def test_follows_window_and_theme(browsing):
    page, widget = browsing
    seen = {pixels(widget, ".aew-units")}
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    frame(page)
    seen.add(pixels(widget, ".aew-units"))
    page.set_viewport_size({"width": 500, "height": 900})
    frame(page)
    seen.add(pixels(widget, ".aew-units"))
    assert len(seen) == 3
    grid = widget.locator(".aew-units")
    assert grid.evaluate("c => Math.abs(c.width - c.clientWidth * devicePixelRatio)") <= 1


@pytest.mark.parametrize("change", [("unit", 3), ("image", 1), ("k", 1)])
def test_runs_where_a_kernel_is(browser, change):
    canvas = ".aew-atom" if change[0] == "unit" else ".aew-pair .aew-figure:last-child canvas"
    assert follows_its_model(browser, unit_browser(), canvas, change)
