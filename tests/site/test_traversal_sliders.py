"""The traversal sliders in a browser: images and numbers against torch, every way to move."""

import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from aecore.widgets import TraversalSliders
from aecore.widgets.packing import Packed, unpack
from tests.test_traversal_sliders import traversal_sliders

from .test_front_end import follows_its_model, heights, mount
from .test_widgets import (
    at,
    buffer,
    content,
    first,
    frame,
    greens,
    layout,
    pixels,
    swipe,
    to_widget,
    tones,
)

pytestmark = pytest.mark.site

KIND = "traversal_sliders"
IMAGE = ".aew-decoding canvas"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def moving(visitor, site):
    page = visitor.open(first(KIND))
    return page, to_widget(page, KIND)


@pytest.fixture
def live(browser):
    """Opens a bare page with the live module of a widget."""
    pages = []

    def live(widget, **options):
        pages.append(mount(browser, widget, **options))
        return pages[-1], pages[-1].locator(".aew")

    yield live
    for page in pages:
        page.close()


def twin(widget):
    """The same widget in Python, made from what the page holds."""
    state = content(widget)["state"]
    latents = len(state["kl"])
    data = buffer(widget, "codes")
    codes = torch.from_numpy(np.frombuffer(data, "<f4").reshape(-1, latents).copy())
    packed = Packed(state["layers"], buffer(widget, "weights"), latents, state["side"] ** 2)
    return TraversalSliders(
        unpack(packed), codes, torch.tensor(state["kl"]), name="twin", label="Twin",
        output=state["output"],
    )  # fmt: skip


def order(kl):
    """Latents as the page lists them."""
    return sorted(range(len(kl)), key=lambda latent: -kl[latent])


def slider(widget, latent):
    return widget.get_by_role("slider", name=re.compile(rf"^Latent {latent + 1},"))


def put(page, widget, latent, value):
    slider(widget, latent).fill(f"{value:.2f}")
    frame(page)


def values(widget, latents):
    """Where the sliders are, in the order of the latents, as the page says it."""
    found = [slider(widget, latent).get_attribute("aria-valuetext") for latent in range(latents)]
    return [float(text.replace("−", "-")) for text in found]


def press(page, widget, name):
    widget.get_by_role("button", name=name).click()
    frame(page)


def change_of(widget):
    words = widget.locator(".aew-words").inner_text()
    return float(re.search(r"squared error of (\d+\.\d)", words)[1])


# ---- its numbers are torch's


def test_image_traversal_and_squared_error_are_torchs(moving):
    page, widget = moving
    expected = twin(widget)
    strip = widget.locator(".aew-tiles canvas")
    latents = order(expected.kl)
    for latent, value in zip((latents[0], latents[1], latents[-1]), (-2.5, 1.2, 3), strict=True):
        put(page, widget, latent, value)
        expected.position = [
            value if j == latent else v for j, v in enumerate(expected.position)
        ]  # fmt: skip
        expected.latent = latent
        shown = greens(widget.locator(IMAGE), expected.side)
        assert (shown - tones(widget, expected.image.flatten())).abs().max() <= 1
        for i, image in enumerate(expected.traversal):
            shown = greens(strip.nth(i), expected.side)
            assert (shown - tones(widget, image.flatten())).abs().max() <= 1
        assert change_of(widget) == pytest.approx(expected.change, abs=0.06)


def test_latents_stand_in_the_order_of_their_divergence(moving):
    _, widget = moving
    kl = content(widget)["state"]["kl"]
    names = widget.locator(".aew-latents input").evaluate_all("all => all.map(s => s.ariaLabel)")
    silent = {True: ", says nothing", False: ""}
    assert names == [
        f"Latent {j + 1}, KL {kl[j]:.2f} nats{silent[kl[j] < 0.01]}" for j in order(kl)
    ]
    bars = widget.locator(".aew-kl").evaluate_all("all => all.map(b => b.style.cssText)")
    parts = [float(re.search(r"--part: ([\d.e-]+)", bar)[1]) for bar in bars]
    assert parts == pytest.approx([kl[j] / max(kl) for j in order(kl) if kl[j] >= 0.01], abs=1e-5)


def test_a_latent_that_says_nothing_is_marked(live):
    page, widget = live(traversal_sliders())  # the third
    marked = widget.locator(".aew-says-nothing")
    assert marked.count() == 1
    assert marked.locator("input").get_attribute("aria-label") == (
        "Latent 3, KL 0.00 nats, says nothing"
    )
    assert "<0.01" in marked.inner_text()
    assert "says nothing" in marked.inner_text()
    slider(widget, 2).focus()
    frame(page)
    assert "this latent says nothing" in widget.locator(".aew-words").inner_text()
    slider(widget, 1).focus()
    frame(page)
    assert "nothing" not in widget.locator(".aew-words").inner_text()


# ---- moving


def test_buttons_show_the_prior_and_the_codes_one_after_the_other(moving):
    page, widget = moving
    expected = twin(widget)
    latents = len(expected.kl)
    codes = np.frombuffer(expected.codes, "<f4").reshape(-1, latents)
    readout = widget.locator(".aew-decoding .aew-readout")
    for index in [*range(len(codes)), 0]:
        assert readout.inner_text() == f"The code of image {index + 1} of {len(codes)}"
        assert values(widget, latents) == pytest.approx(codes[index].tolist(), abs=0.0051)
        press(page, widget, "An image’s code")
    press(page, widget, "All to zero")
    assert values(widget, latents) == [0] * latents
    assert readout.inner_text() == "z = 0, the mean of the prior"
    put(page, widget, 0, -1.5)
    assert readout.inner_text() == "‖z‖ = 1.50, a code of your own"
    press(page, widget, "An image’s code")  # the code after the last that was shown
    assert readout.inner_text().startswith("The code of image 3 of" if len(codes) > 2 else "The")


def test_a_slider_in_focus_is_the_one_that_is_traversed(moving):
    page, widget = moving
    kl = content(widget)["state"]["kl"]
    for latent in order(kl)[-2:]:
        slider(widget, latent).focus()
        frame(page)
        digits = str(latent + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
        assert widget.locator(".aew-current .aew-name").inner_text() == f"z{digits}"
        assert f"z{digits} from −3 to 3" in widget.locator(".aew-traversal").inner_text()
        assert widget.get_by_role("button", name=f"Sweep z{digits}").count() == 1


def test_arrow_keys_move_a_slider_by_a_step(moving):
    page, widget = moving
    press(page, widget, "All to zero")
    slider(widget, 0).focus()
    image = pixels(widget, IMAGE)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    frame(page)
    assert slider(widget, 0).get_attribute("aria-valuetext") == "0.10"
    page.keyboard.press("End")
    frame(page)
    assert float(slider(widget, 0).get_attribute("aria-valuetext")) >= 3
    assert pixels(widget, IMAGE) != image


def test_a_picture_of_the_traversal_puts_the_latent_there(moving):
    page, widget = moving
    latent = order(content(widget)["state"]["kl"])[0]
    tiles = widget.locator(".aew-tiles button")
    assert tiles.count() == 7
    for i, value in ((0, -3), (5, 2)):
        before = pixels(widget, ".aew-tiles canvas")
        tiles.nth(i).click()
        frame(page)
        assert slider(widget, latent).input_value() == str(value)
        pressed = [t.get_attribute("aria-pressed") == "true" for t in tiles.all()]
        assert pressed == [j == i for j in range(7)]
        assert pixels(widget, ".aew-tiles canvas") == before  # the strip is of the others
        shown = greens(tiles.nth(i).locator("canvas"))
        assert greens(widget.locator(IMAGE)).equal(shown)


# ---- a sweep


def sweep_values(page, latent, times):
    """The swept latent after so many milliseconds of a clock that only the test moves."""
    found = []
    for before, now in zip([0, *times], times, strict=False):
        page.clock.run_for(now - before)
        found.append(page.evaluate("mounted.model.get('position')")[latent])
    return found


@pytest.mark.parametrize("start", [0, 1.5, -3])
def test_a_sweep_goes_through_both_ends_and_comes_back(live, start):
    page, widget = live(traversal_sliders())
    put(page, widget, 1, start)
    others = page.evaluate("mounted.model.get('position')")
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    widget.get_by_role("button", name="Sweep z₂").click()
    found = sweep_values(page, 1, range(100, 5901, 100))
    assert min(found) == pytest.approx(-3, abs=0.02)
    assert max(found) == pytest.approx(3, abs=0.02)
    assert max(abs(a - b) for a, b in pairwise(found)) < 0.37
    assert widget.get_by_role("button", name="Stop").count() == 1
    page.clock.run_for(300)
    assert page.evaluate("mounted.model.get('position')") == others
    assert widget.get_by_role("button", name="Sweep z₂").count() == 1


def test_who_wants_less_motion_gets_whole_numbers(live):
    page, widget = live(traversal_sliders(), reduced_motion="reduce")
    put(page, widget, 1, 0.3)
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    widget.get_by_role("button", name="Sweep z₂").click()
    assert set(sweep_values(page, 1, range(100, 5901, 100))) == set(range(-3, 4))


def test_space_starts_and_stops_a_sweep_and_does_not_scroll(live):
    page, widget = live(traversal_sliders())
    page.set_viewport_size({"width": 800, "height": 300})
    slider(widget, 1).focus()
    scroll = page.evaluate("scrollY")
    page.keyboard.press("Space")
    frame(page)
    assert widget.get_by_role("button", name="Stop").count() == 1
    page.keyboard.press("Space")
    frame(page)
    assert widget.get_by_role("button", name="Sweep z₂").count() == 1
    image = pixels(widget, IMAGE)
    frame(page)
    assert pixels(widget, IMAGE) == image
    assert page.evaluate("scrollY") == scroll


@pytest.mark.parametrize("stop", ["slider", "other", "tile", "zero"])
def test_whatever_the_reader_moves_ends_a_sweep(live, stop):
    page, widget = live(traversal_sliders())
    press(page, widget, "Sweep z₂")
    assert widget.get_by_role("button", name="Stop").count() == 1
    if stop == "slider":
        put(page, widget, 1, 1)
    elif stop == "other":
        slider(widget, 3).focus()
    elif stop == "tile":
        widget.locator(".aew-tiles button").first.click()
    else:
        press(page, widget, "All to zero")
    frame(page)
    assert widget.get_by_role("button", name="Stop").count() == 0
    before = page.evaluate("mounted.model.get('position')")
    frame(page)
    assert page.evaluate("mounted.model.get('position')") == before


# ---- fingers, sizes, colours


def test_a_finger_moves_a_slider_and_still_scrolls_the_page(visitor, site):
    page = visitor.open(first(KIND), **PHONE)
    widget = to_widget(page, KIND)
    latent = order(content(widget)["state"]["kl"])[1]
    one = slider(widget, latent)
    one.evaluate("s => s.scrollIntoView({block: 'center', behavior: 'instant'})")
    frame(page)
    image, scroll = pixels(widget, IMAGE), page.evaluate("scrollY")
    start, end = ((box := one.bounding_box())["x"] + part * box["width"] for part in (0.3, 0.9))
    height = box["y"] + box["height"] / 2
    swipe(page, (start, height), (end, height))
    assert float(one.input_value()) > 1.5
    assert pixels(widget, IMAGE) != image
    assert page.evaluate("scrollY") == scroll
    before = one.input_value()
    swipe(page, (end, height), (end, height - 200))
    assert page.evaluate("scrollY") > scroll
    assert one.input_value() == before
    widget.locator(".aew-tiles button").first.tap()
    frame(page)
    assert one.input_value() == "-3"


STATES = [
    {"position": position, "latent": latent}
    for position in ([0.0] * 4, [-3.0] * 4, [0.25, 1.0, -1.75, 3.0]) for latent in range(4)
]  # fmt: skip


@pytest.mark.parametrize("width", [1280, 600, 390, 320])
def test_moving_moves_nothing_on_the_page(browser, width):
    assert len(set(heights(browser, traversal_sliders(), width, STATES))) == 1


@pytest.mark.parametrize("width", [1280, 600, 390, 320])
def test_nothing_shifts_or_sticks_out(visitor, site, width):
    page = visitor.open(first(KIND), viewport={"width": width, "height": 900})
    widget = to_widget(page, KIND)
    page.wait_for_function("document.fonts.ready.then(() => true)")
    latents = order(content(widget)["state"]["kl"])
    seen = set()
    for latent in (latents[0], latents[-1]):
        for value in (-3, 0, 0.05):
            put(page, widget, latent, value)
            seen.add(layout(widget))
    assert len(seen) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_words_fit_their_rows_and_stay_beside_each_other(live):
    for width in (1280, 390, 320):
        kl = torch.tensor([12.345, 0.0, 0.02, 0.001])
        _, widget = live(traversal_sliders(kl=kl, codes=torch.full((1, 4), -3.0)), width=width)
        cells = widget.locator(".aew-latents .aew-slider > *")
        assert cells.evaluate_all("all => all.every(c => c.scrollWidth <= c.clientWidth + 1)")
        rows = widget.locator(".aew-slider").evaluate_all("all => all.map(r => r.clientHeight)")
        assert max(rows) <= 36


def test_images_have_the_pixels_of_the_screen(visitor, site):
    page = visitor.open(first(KIND), device_scale_factor=3)
    widget = to_widget(page, KIND)
    for canvas in (IMAGE, ".aew-tiles canvas"):
        assert widget.locator(canvas).first.evaluate("c => c.width / c.clientWidth") >= 2.9


# ---- with a kernel


@pytest.mark.parametrize("change", [("position", [0.0, -2.0, 1.0, 0.0]), ("latent", 0)])
def test_runs_where_a_kernel_is(browser, change):
    canvas = IMAGE if change[0] == "position" else ".aew-tiles canvas"
    assert follows_its_model(browser, traversal_sliders(), canvas, change)


def test_a_kernel_is_told_where_things_come_to_rest(live):
    page, widget = live(traversal_sliders())
    page.evaluate("mounted.saved = 0; void (mounted.model.save_changes = () => mounted.saved++)")
    start, end = (at(slider(widget, 1), part, 0.5) for part in (0.5, 0.8))
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    frame(page)
    position = page.evaluate("mounted.model.get('position')")
    assert position[1] == pytest.approx(1.9, abs=0.3)
    assert page.evaluate("mounted.saved") == 1
    page.keyboard.press("Space")
    for _ in range(3):
        frame(page)
    assert page.evaluate("mounted.saved") == 1  # not at every step of a sweep
    page.keyboard.press("Space")
    assert page.evaluate("mounted.saved") == 2


def test_the_end_of_a_widget_ends_its_sweep(live):
    page, widget = live(traversal_sliders())
    press(page, widget, "Sweep z₂")
    page.evaluate("mounted.end()")
    before = page.evaluate("mounted.model.get('position')")
    frame(page)
    assert page.evaluate("mounted.model.get('position')") == before


def test_a_screen_reader_hears_where_the_code_came_to_rest(live):
    page, widget = live(traversal_sliders())
    put(page, widget, 1, 2)
    page.wait_for_timeout(700)
    words = widget.locator("[role=status]").text_content()
    assert "Latent 2 at 2.00" in words
    assert "squared error" in words


def test_one_latent_fills_its_place(live):
    torch.manual_seed(0)
    linear = nn.Linear(1, 16)
    widget = TraversalSliders(
        linear, torch.zeros(1, 1), torch.ones(1), name="one", label="One latent"
    )  # fmt: skip
    page, shown = live(widget)
    put(page, shown, 0, 3)
    assert greens(shown.locator(IMAGE), 4).equal(greens(shown.locator(".aew-tiles canvas").last, 4))
