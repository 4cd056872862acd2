"""Rate and distortion in a browser: numbers, line and pictures, every way to choose."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from tests.test_rate_distortion import rate_distortion

from .test_front_end import follows_its_model, heights, mount
from .test_widgets import at, buffer, content, first, frame, layout, pixels, swipe, to_widget

pytestmark = pytest.mark.site

KIND = "rate_distortion"
PLANE = ".aew-tradeoff"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
AMBER = np.array([0xC7, 0x7D, 0x0A])


@pytest.fixture
def choosing(visitor, site):
    page = visitor.open(first(KIND))
    return page, to_widget(page, KIND)


class Data:
    """What the page has, as arrays, and what follows from it."""

    def __init__(self, widget):
        self.state = state = content(widget)["state"]
        self.betas = np.array(state["betas"])
        self.rates, self.distortions, self.active = (
            np.array(state[field]) for field in ("rates", "distortions", "active")
        )
        self.means = np.stack([self.rates.mean(0), self.distortions.mean(0)], 1)  # (B, 2)
        self.losses = self.means[:, 1] + self.betas * self.means[:, 0]
        low, high = self.distortions.min(), max(self.distortions.max(), self.losses.max())
        room = 0.06 * (high - low)
        self.limits = (0, 1.06 * self.rates.max()), (low - room, high + room)

    def below(self, b):
        losses = np.delete(self.distortions + self.betas[b] * self.rates, b, axis=1)
        return int((losses < self.losses[b]).sum())

    def place(self, canvas, rate, distortion):
        """Where a point of the plane lies on the canvas, in CSS pixels."""
        width, height = canvas.evaluate("c => [c.clientWidth, c.clientHeight]")
        (left, right), (low, high) = self.limits
        across, up = (rate - left) / (right - left), (distortion - low) / (high - low)
        return 38 + across * (width - 46), 8 + (1 - up) * (height - 34)


def choose(page, widget, b):
    widget.locator("input").fill(str(b))
    frame(page)


def chosen(widget):
    return int(widget.locator("input").input_value())


def said(text):
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-"))]


# ---- its numbers are Python's


def test_readouts_are_the_means_over_the_seeds_and_their_ends(choosing):
    page, widget = choosing
    data = Data(widget)
    tables = [data.rates, data.distortions, data.rates + data.distortions, data.active]
    for b, beta in enumerate(data.betas):
        choose(page, widget, b)
        assert widget.locator("input").get_attribute("aria-valuetext") == f"{beta:g}"
        rows = widget.locator(".aew-account p")
        for row, table in zip(rows.all(), tables, strict=True):
            [mean] = said(row.locator(".aew-nats").inner_text())
            ends = said(row.locator(".aew-range").inner_text())
            assert mean == pytest.approx(table[:, b].mean(), abs=0.051)
            if np.ptp(table[:, b]) > 0.11:
                assert ends == pytest.approx([table[:, b].min(), table[:, b].max()], abs=0.051)
            if np.ptp(table[:, b]) == 0:
                assert ends == []


def test_words_say_slope_loss_and_how_many_lie_below(choosing):
    page, widget = choosing
    data = Data(widget)
    others = data.rates.size - len(data.rates)
    for b, beta in enumerate(data.betas):
        choose(page, widget, b)
        words = widget.locator(".aew-words").inner_text().replace("\u00a0", " ")
        assert f"−β = −{beta:g}, " in words or (beta == 0 and "−β = 0, " in words)
        loss = float(re.search(r"D \+ βR = ([\d.−]+) nats", words)[1].replace("−", "-"))
        assert loss == pytest.approx(data.losses[b], abs=0.051)
        below = data.below(b) or "none"
        assert words.endswith(f"{below} of the other {others} models.")


def test_models_below_the_line_are_counted_as_in_python(browser):
    widget = rate_distortion(
        betas=[0.5, 1.0, 2.0],
        rates=torch.tensor([[6.0, 4.0, 1.0], [5.0, 6.0, 2.0]]),
        distortions=torch.tensor([[3.0, 6.0, 9.0], [4.5, 4.0, 8.5]]),
        active=torch.ones(2, 3),
        pictures={"one": torch.rand(2, 1, 4, 4)},
    )
    page = mount(browser, widget)
    for b in range(3):
        widget.chosen = b
        choose(page, page, b)
        words = page.locator(".aew-words").inner_text()
        assert words.endswith(f"{widget.below or 'none'} of the other 4 models.")
    page.close()


def amber_rows(canvas, x):
    """Which rows of the canvas are amber in the column x, in CSS pixels."""
    column = canvas.evaluate(
        """(canvas, x) => {
          const ratio = canvas.width / canvas.clientWidth;
          const pen = canvas.getContext('2d');
          return Array.from(pen.getImageData(Math.round(x * ratio), 0, 1, canvas.height).data);
        }""",
        x,
    )
    ratio = canvas.evaluate("c => c.width / c.clientWidth")
    rgb = np.array(column).reshape(-1, 4)[:, :3]
    return (np.flatnonzero(np.abs(rgb - AMBER).max(1) < 60) + 0.5) / ratio


def test_line_runs_through_the_mean_with_slope_minus_beta(choosing):
    page, widget = choosing
    data = Data(widget)
    canvas = widget.locator(PLANE)
    (_, right), (low, high) = data.limits
    for b, beta in enumerate(data.betas):
        choose(page, widget, b)
        mean = data.place(canvas, *data.means[b])
        crossed = 0
        for rate in np.linspace(0.03, 0.97, 24) * right:
            x, y = data.place(canvas, rate, data.losses[b] - beta * rate)
            steep = data.place(canvas, rate, data.losses[b] - beta * (rate + right / 1000))[1] - y
            inside = low < data.losses[b] - beta * rate < high
            if abs(x - mean[0]) < 16 or not inside or abs(steep) > 3:
                continue  # under the mark of the mean, beyond the plane, or too steep for a column
            rows = amber_rows(canvas, x)
            if len(rows):  # a word or a point of another model may lie above the line
                assert np.abs(rows - y).min() <= 2 + abs(steep)
                crossed += 1
        assert crossed >= 3 or beta * right > 2 * (high - low)
        rows = amber_rows(canvas, mean[0])
        assert rows.min() - 2 <= mean[1] <= rows.max() + 2


def shown_rows(widget):
    """What the canvases of pictures hold, one value a pixel of the images: (rows, H, K, W, 3)."""
    number, height, width = content(widget)["state"]["shape"]
    found = []
    for canvas in widget.locator(".aew-rows canvas").all():
        data = canvas.evaluate(
            """(canvas, [count, height, width]) => {
              const factor = canvas.height / height, pen = canvas.getContext('2d'), out = [];
              for (let y = 0; y < height; y++)
                for (let i = 0; i < count; i++)
                  for (let x = 0; x < width; x++)
                    out.push(...pen.getImageData((i * (width + 2) + x + 0.5) * factor,
                                                 (y + 0.5) * factor, 1, 1).data.slice(0, 3));
              return out;
            }""",
            [number, height, width],
        )
        found.append(np.array(data).reshape(height, number, width, 3))
    return np.stack(found)


def test_pictures_are_those_of_the_chosen_beta(choosing):
    page, widget = choosing
    state = content(widget)["state"]
    number, height, width = state["shape"]
    sheet = np.asarray(Image.open(io.BytesIO(buffer(widget, "sheet"))).convert("RGB"))
    rows = sheet.reshape(-1, height, number, width, 3)
    names = widget.locator(".aew-rows .aew-hint").all_inner_texts()
    assert names == state["names"]
    for b in (0, len(state["betas"]) - 1):
        choose(page, widget, b)
        shown = shown_rows(widget)
        for i, places in enumerate(state["places"]):
            assert np.abs(shown[i].astype(int) - rows[places[b]]).max() <= 1
        labels = widget.locator(".aew-rows canvas").evaluate_all("all => all.map(c => c.ariaLabel)")
        assert labels == [f"{name} at β = {state['betas'][b]:g}" for name in names]


# ---- choosing


def test_a_click_chooses_the_model_that_is_nearest(choosing):
    page, widget = choosing
    data = Data(widget)
    canvas = widget.locator(PLANE)
    for b in (len(data.betas) - 1, 0, len(data.betas) // 2):
        x, y = data.place(canvas, data.rates[0, b], data.distortions[0, b])
        canvas.click(position={"x": x, "y": y})
        frame(page)
        assert chosen(widget) == b


def test_dragging_along_the_curve_chooses_one_after_the_other(choosing):
    page, widget = choosing
    data = Data(widget)
    canvas = widget.locator(PLANE)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    seen = []
    for b in range(len(data.betas)):
        x, y = data.place(canvas, data.rates[0, b], data.distortions[0, b])
        page.mouse.move(box["x"] + x, box["y"] + y)
        if b == 0:
            start = box["x"] + x, box["y"] + y
            page.mouse.down()
            page.mouse.move(box["x"] + x + 1, box["y"] + y)
        frame(page)
        seen.append(chosen(widget))
    page.mouse.up()
    assert seen == list(range(len(data.betas)))
    page.mouse.move(*start)  # without a button nothing follows
    frame(page)
    assert chosen(widget) == seen[-1]


def test_slider_moves_by_keys(choosing):
    page, widget = choosing
    slider = widget.locator("input")
    slider.focus()
    page.keyboard.press("Home")
    frame(page)
    seen = [(pixels(widget, PLANE), pixels(widget, ".aew-rows > :last-child canvas"))]
    page.keyboard.press("ArrowRight")
    frame(page)
    seen.append((pixels(widget, PLANE), pixels(widget, ".aew-rows > :last-child canvas")))
    assert chosen(widget) == 1
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_a_finger_chooses_by_tapping_and_scrolls_by_swiping(visitor, site):
    page = visitor.open(first(KIND), **PHONE)
    widget = to_widget(page, KIND)
    data = Data(widget)
    canvas = widget.locator(PLANE)
    canvas.evaluate("c => c.scrollIntoView({block: 'center', behavior: 'instant'})")
    x, y = data.place(canvas, data.rates[0, 0], data.distortions[0, 0])
    canvas.tap(position={"x": x, "y": y})
    frame(page)
    assert chosen(widget) == 0
    scroll = page.evaluate("scrollY")
    swipe(page, at(canvas, 0.3, 0.8), at(canvas, 0.3, 0.1))
    assert page.evaluate("scrollY") > scroll
    assert chosen(widget) == 0


@pytest.mark.parametrize("width", [1280, 600, 390, 320])
def test_nothing_shifts_or_sticks_out(visitor, site, width):
    page = visitor.open(first(KIND), viewport={"width": width, "height": 900})
    widget = to_widget(page, KIND)
    page.wait_for_function("document.fonts.ready.then(() => true)")
    seen = set()
    for b in range(len(content(widget)["state"]["betas"])):
        choose(page, widget, b)
        seen.add(layout(widget))
    assert len(seen) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lines = widget.locator(".aew-account p")
    assert lines.evaluate_all("all => all.every(p => p.scrollWidth <= p.clientWidth + 1)")


@pytest.mark.parametrize("width", [1280, 390])
def test_height_is_the_same_wherever_a_kernel_puts_it(browser, width):
    states = [{"chosen": b} for b in range(4)]
    assert len(set(heights(browser, rate_distortion(), width, states))) == 1


def test_drawings_follow_theme_and_window_and_stay_sharp(visitor, site):
    page = visitor.open(first(KIND), device_scale_factor=3)
    widget = to_widget(page, KIND)
    sharp = "c => Math.abs(c.width - c.clientWidth * devicePixelRatio)"
    plane = widget.locator(PLANE)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    frame(page)
    seen = {pixels(widget, PLANE)}
    assert plane.evaluate(sharp) <= 1
    page.evaluate("document.body.style.setProperty('--ae-paper', 'black')")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    frame(page)
    seen.add(pixels(widget, PLANE))
    page.set_viewport_size({"width": 500, "height": 900})
    frame(page)
    seen.add(pixels(widget, PLANE))
    assert plane.evaluate(sharp) <= 1
    assert len(seen) == 3
    assert widget.locator(".aew-rows canvas").first.evaluate("c => c.width / c.clientWidth") >= 2.9


# ---- with a kernel


@pytest.mark.parametrize("canvas", [PLANE, ".aew-rows > :last-child canvas"])
def test_runs_where_a_kernel_is(browser, canvas):
    assert follows_its_model(browser, rate_distortion(), canvas, ("chosen", 3))


def test_a_kernel_is_told_of_every_choice_once(browser):
    page = mount(browser, rate_distortion())
    page.evaluate("mounted.saved = 0; void (mounted.model.save_changes = () => mounted.saved++)")
    choose(page, page, 3)
    assert page.evaluate("[mounted.model.get('chosen'), mounted.saved]") == [3, 1]
    page.locator(PLANE).click(position={"x": 60, "y": 20})  # far up: the dearest again
    frame(page)
    assert page.evaluate("[mounted.model.get('chosen'), mounted.saved]") == [3, 1]
    page.close()


def test_a_screen_reader_hears_where_the_choice_came_to_rest(browser):
    page = mount(browser, rate_distortion())
    choose(page, page, 3)
    page.wait_for_timeout(700)
    words = page.locator("[role=status]").text_content()
    assert words.startswith("β = 4: rate 1.41 nats, distortion 5.66 nats. The line")
    assert "β = 4: rate 1.41 nats" in page.locator(PLANE).get_attribute("aria-label")
    page.close()


def test_one_seed_says_no_range(browser):
    widget = rate_distortion(
        rates=torch.ones(1, 4), distortions=torch.ones(1, 4), active=torch.ones(1, 4)
    )
    page = mount(browser, widget)
    assert page.locator(".aew-range").all_inner_texts() == [""] * 4
    assert "one model a β" in page.locator(".aew").inner_text()
    page.close()
