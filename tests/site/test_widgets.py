"""What a reader can touch on the published page: mouse, finger, keys, no script, no weights."""

import base64
import json
import re

import pytest
import torch

from aecore.sphinx.widget import KINDS
from aecore.widgets.packing import Packed, unpack

from .conftest import SITE, pages

pytestmark = pytest.mark.site

READY = "aecore-widget[data-state=ready]"
PAD = f"{READY} .aew-pad"
IMAGE = f"{READY} .aew-image"


def with_widget(kind: str) -> list[str]:
    return [path for path in pages() if f'kind="{kind}"' in (SITE / path).read_text("utf-8")]


def first(kind: str) -> str:
    found = with_widget(kind)
    assert found, f"no page of the site has a {kind}"
    return found[0]


def to_widget(page, kind="latent_explorer"):
    """Scroll to the first widget of this kind and wait until it runs."""
    widget = page.locator(f'aecore-widget[kind="{kind}"]').first
    widget.scroll_into_view_if_needed()
    page.wait_for_selector(f'{READY}[kind="{kind}"]')
    frame(page)
    return widget


def frame(page):
    """Let the page draw what it was asked for, and what that made it ask for."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 60)))")


def pixels(widget, canvas):
    return widget.locator(canvas).first.evaluate("canvas => canvas.toDataURL()")


def layout(widget, parts=":is(canvas, button, input, p):visible", *, widths=True):
    """Where these parts are on the page and how large, in whole pixels, as one text.

    ``widths=False`` leaves out how wide they are: a text that changes may be longer.
    """
    return widget.locator(parts).evaluate_all(
        """(all, widths) => all.map((element) => {
          const box = element.getBoundingClientRect();
          const place = [box.x, box.y + scrollY, box.height, ...(widths ? [box.width] : [])];
          return place.map(Math.round).join(' ');
        }).join()""",
        widths,
    )


def content(widget):
    """The JSON of a widget: its kind, state and buffers."""
    return json.loads(widget.locator("script").text_content())


def buffer(widget, field):
    """The bytes of a buffer, from the page or from the file beside it."""
    held = content(widget)["buffers"][field]
    if "file" not in held:
        return base64.b64decode(held["data"])
    text = (SITE / "_static/aecore" / f"{held['file']}.js").read_text()
    return base64.b64decode(re.search(r'", "([^"]*)"', text).group(1))


def greens(canvas, side=28):
    """One colour channel of a small picture, at the middle of each of its pixels: (side²,)."""
    shown = canvas.evaluate(
        """(canvas, side) => {
          const step = canvas.width / side, pen = canvas.getContext('2d');
          const at = (i) => (i + 0.5) * step;
          const green = (y, x) => pen.getImageData(at(x), at(y), 1, 1).data[1];
          return Array.from({length: side * side}, (_, i) => green(Math.floor(i / side), i % side));
        }""",
        side,
    )
    return torch.tensor(shown)


def tones(widget, values):
    """The same channel, as values in [0, 1] should be drawn."""
    dark, light = (int(tone[3:5], 16) for tone in content(widget)["state"]["tones"])
    return dark + values.clamp(0, 1) * (light - dark)


def at(locator, x, y):
    """The place inside an element, as fractions of its size, in the page."""
    box = locator.bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


@pytest.fixture
def explorer(visitor, site):
    page = visitor.open(first("latent_explorer"))
    return page, to_widget(page)


def test_the_site_has_every_kind_of_widget(site):
    assert [kind for kind in KINDS if not with_widget(kind)] == []


def test_every_widget_of_every_page_becomes_ready(visitor, site):
    for path in {p for kind in KINDS for p in with_widget(kind)}:
        page = visitor.open(path)
        for widget in page.locator("aecore-widget").all():
            widget.scroll_into_view_if_needed()
        page.wait_for_function(
            "[...document.querySelectorAll('aecore-widget')].every(w => w.dataset.state=='ready')"
        )
        assert page.troubles == []


def test_landing_page_has_a_pad_that_works(visitor, site):
    page = visitor.open("index.html")
    drag_changes_the_image(page, to_widget(page))


def test_dragging_the_pad_changes_the_image(explorer):
    drag_changes_the_image(*explorer)


def drag_changes_the_image(page, widget):
    pad = widget.locator(".aew-pad")
    seen = {pixels(widget, ".aew-image")}
    page.mouse.move(*at(pad, 0.3, 0.3))
    page.mouse.down()
    for x in (0.4, 0.6, 0.8):
        page.mouse.move(*at(pad, x, 0.6))
        frame(page)
        seen.add(pixels(widget, ".aew-image"))
    page.mouse.up()
    assert len(seen) == 4
    page.mouse.move(*at(pad, 0.2, 0.2))  # without a button nothing follows
    frame(page)
    assert pixels(widget, ".aew-image") in seen


def test_dragging_beyond_the_pad_keeps_the_point_on_it(explorer):
    page, widget = explorer
    pad = widget.locator(".aew-pad")
    page.mouse.move(*at(pad, 0.5, 0.5))
    page.mouse.down()
    page.mouse.move(*at(pad, 1.6, 0.5), steps=4)
    page.mouse.up()
    frame(page)
    # the readout, because a range input would hide a value beyond its end
    text = widget.locator(".aew-readout").inner_text().replace("−", "-")
    place = float(re.search(r"\((.*),", text)[1])
    assert place == pytest.approx(
        float(widget.locator("input").first.get_attribute("max")), rel=0.02
    )


@pytest.mark.parametrize("key", ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"])
def test_arrow_keys_move_the_point_and_not_the_page(explorer, key):
    page, widget = explorer
    pad = widget.locator(".aew-pad")
    page.mouse.click(*at(pad, 0.5, 0.5))
    frame(page)

    def place():
        return widget.locator("input").evaluate_all("all => all.map(s => Number(s.value))")

    before, image, scroll = place(), pixels(widget, ".aew-image"), page.evaluate("scrollY")
    page.keyboard.press(key)
    frame(page)
    small = place()
    page.keyboard.press(f"Shift+{key}")
    frame(page)
    large = place()
    axis = 0 if key in ("ArrowLeft", "ArrowRight") else 1
    sign = 1 if key in ("ArrowRight", "ArrowUp") else -1
    assert 0 < sign * (small[axis] - before[axis]) < sign * (large[axis] - small[axis])
    assert small[1 - axis] == before[1 - axis]
    assert pixels(widget, ".aew-image") != image
    assert page.evaluate("scrollY") == scroll


def test_pad_is_reached_by_tab_and_shows_it(explorer):
    page, widget = explorer
    widget.locator("input").first.focus()
    page.keyboard.press("Shift+Tab")
    focused = page.evaluate_handle("document.activeElement").as_element()
    assert focused.get_attribute("class") == "aew-pad"
    assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_sliders_of_the_pad_change_image_and_readout(explorer):
    page, widget = explorer
    for slider in widget.locator("input").all():
        image, text = pixels(widget, ".aew-image"), widget.locator(".aew-readout").inner_text()
        low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
        slider.fill(str(low + 0.25 * (high - low)))
        frame(page)
        assert pixels(widget, ".aew-image") != image
        assert widget.locator(".aew-readout").inner_text() != text


@pytest.mark.parametrize("kind", KINDS)
def test_controls_have_names(visitor, site, kind):
    widget = to_widget(visitor.open(first(kind)), kind)
    named = "input, canvas:not([aria-hidden]), [role]:not([role=status])"
    for control in widget.locator(named).all():
        assert (control.get_attribute("aria-label") or "").strip()
    for control in widget.locator("button:visible").all():
        assert (control.get_attribute("aria-label") or control.inner_text()).strip()
    for slider in widget.locator("input[type=range]").all():
        assert slider.get_attribute("aria-valuetext")


def test_image_is_the_decoders(explorer):
    """The canvas holds what torch computes from the page's own weights, within a grey level."""
    _, widget = explorer
    state = content(widget)["state"]
    side = state["side"]
    decoder = unpack(Packed(state["layers"], buffer(widget, "weights"), 2, side * side))
    value = decoder(torch.tensor(state["position"]))
    value = value.sigmoid() if state["output"] == "logits" else value
    shown = greens(widget.locator(".aew-image"), side)
    assert (shown - tones(widget, value)).abs().max() <= 1


def test_switcher_changes_picture_and_caption(visitor, site):
    page = visitor.open(first("switcher"))
    widget = to_widget(page, "switcher")
    picture = widget.locator(".aew-picture")
    for slider in widget.locator("input").all():
        image, name = pixels(widget, ".aew-picture"), picture.get_attribute("aria-label")
        slider.focus()
        page.keyboard.press("End")
        frame(page)
        assert pixels(widget, ".aew-picture") != image
        assert picture.get_attribute("aria-label") != name


@pytest.mark.parametrize("kind", KINDS)
def test_without_script_the_picture_stands(visitor, site, kind):
    page = visitor.open(first(kind), java_script_enabled=False)
    image = page.locator(f'aecore-widget[kind="{kind}"] img').first
    image.scroll_into_view_if_needed()
    assert image.is_visible()
    assert image.get_attribute("alt")
    box = image.bounding_box()
    assert box["width"] > 200
    assert box["height"] > 60


def test_missing_weights_leave_the_picture(visitor, site):
    page = visitor.open("about:blank")
    page.route(re.compile(r"/_static/aecore/[0-9a-f]{16}\.js"), lambda route: route.abort())
    page.goto(f"{visitor.server}/{first('latent_explorer')}")
    widget = page.locator('aecore-widget[kind="latent_explorer"]').first
    assert '"file"' in widget.locator("script").text_content(), "its weights are not in a file"
    widget.scroll_into_view_if_needed()
    page.wait_for_selector('aecore-widget[data-state="error"]')
    assert widget.locator("img").is_visible()
    assert widget.locator(".aew").count() == 0


def test_works_from_disk(visitor, site):
    page = visitor.open((site / first("latent_explorer")).as_uri())
    drag_changes_the_image(page, to_widget(page))
    assert page.troubles == []


def test_a_finger_moves_the_point_and_not_the_page(visitor, site):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visitor.open(first("latent_explorer"), **phone)
    widget = to_widget(page)
    pad = widget.locator(".aew-pad")
    pad.evaluate("pad => pad.scrollIntoView({block: 'center', behavior: 'instant'})")
    image, scroll = pixels(widget, ".aew-image"), page.evaluate("scrollY")
    swipe(page, at(pad, 0.5, 0.8), at(pad, 0.5, 0.2))
    assert pixels(widget, ".aew-image") != image
    assert page.evaluate("scrollY") == scroll
    # the same gesture beside the pad scrolls: the page itself is not held
    below = widget.locator(".aew-image")
    swipe(page, at(below, 0.5, 0.9), at(below, 0.5, -1.0))
    assert page.evaluate("scrollY") != scroll


def swipe(page, start, end, steps=8):
    touch = page.context.new_cdp_session(page)
    for i in range(steps + 1):
        x, y = (a + (b - a) * i / steps for a, b in zip(start, end, strict=True))
        kind = "touchMove" if i else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        frame(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    frame(page)


def test_pad_is_redrawn_when_the_theme_changes(explorer):
    page, widget = explorer
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    frame(page)
    light = pixels(widget, ".aew-pad")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    frame(page)
    assert pixels(widget, ".aew-pad") != light


def test_canvas_has_the_pixels_of_the_screen(visitor, site):
    page = visitor.open(first("latent_explorer"), device_scale_factor=3)
    widget = to_widget(page)
    for canvas in (".aew-pad", ".aew-image"):
        ratio = widget.locator(canvas).evaluate("c => c.width / c.clientWidth")
        assert ratio >= 2.9


def test_pad_follows_the_window(explorer):
    page, widget = explorer
    before = widget.locator(".aew-pad").evaluate("c => c.width")
    page.set_viewport_size({"width": 500, "height": 900})
    frame(page)
    pad = widget.locator(".aew-pad")
    assert pad.evaluate("c => c.width") != before
    assert pad.evaluate("c => Math.abs(c.width - c.clientWidth * devicePixelRatio)") <= 1
