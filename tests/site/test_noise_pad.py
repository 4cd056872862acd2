"""The noise pad on the published page: picked, drawn with whatever draws, spoilt, cleaned."""

import re

import pytest
import torch

from aecore.metrics.reconstruction import psnr
from aecore.sphinx.widget import FRONT
from aecore.widgets.base import front_end
from aecore.widgets.noise_pad import NOISES, spoil
from aecore.widgets.packing import Packed, unpack
from tests.test_noise_pad import noise_pad

from .test_widgets import at, buffer, content, first, frame, greens, layout, swipe, to_widget, tones

pytestmark = pytest.mark.site

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SETTLED = 2000  # ms: the pause before the ink moves, and its way


@pytest.fixture
def pad(visitor, site):
    page = visitor.open(first("noise_pad"))
    return page, to_widget(page, "noise_pad")


CLEAN = ".aew-pad"
NOISY = ".aew-panel:nth-child(2) canvas"
CLEANED = ".aew-panel:nth-child(3) canvas"


def shown(widget, canvas):
    """The picture on a canvas, (28, 28), 0 for paper and 1 for ink."""
    dark, light = tones(widget, torch.tensor([0.0, 1.0]))
    return ((greens(widget.locator(canvas)) - dark) / (light - dark)).reshape(28, 28)


def images_of(widget):
    held = torch.frombuffer(bytearray(buffer(widget, "images")), dtype=torch.uint8)
    return held.reshape(-1, 1, 28, 28) / 255


def choose(widget, name):
    widget.get_by_role("radio", name=name).first.check(force=True)
    frame(widget.page)


def empty(widget):
    widget.get_by_role("button", name="Empty the pad").click()
    frame(widget.page)


def line(page, pad, *places):
    page.mouse.move(*at(pad, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(pad, *place))
    frame(page)


def middle(ink):
    """Row and column of the centre of mass."""
    places = torch.arange(28.0)
    return (ink.sum(1) @ places / ink.sum()).item(), (ink.sum(0) @ places / ink.sum()).item()


# ---- what is shown is what Python computes


@pytest.mark.parametrize("noise", NOISES)
def test_images_and_decibels_are_those_of_python(pad, noise):
    page, widget = pad
    state = content(widget)["state"]
    network = unpack(Packed(state["layers"], buffer(widget, "weights"), 784, 784))
    images = images_of(widget)
    image = images[1]
    choose(widget, f"Image 2 of {len(images)}")
    widget.locator(".aew-noise").get_by_role("radio").nth(list(NOISES).index(noise)).check(
        force=True
    )
    widget.locator("input[type=range]").fill("0.4")
    widget.get_by_role("button", name="New noise").click()
    frame(page)

    noisy = spoil(image, noise, 0.4, state["seed"] + 1)
    cleaned = network(noisy.flatten()).reshape(1, 28, 28)
    cleaned = cleaned.sigmoid() if state["output"] == "logits" else cleaned.clamp(0, 1)
    for canvas, expected in ((CLEAN, image), (NOISY, noisy), (CLEANED, cleaned)):
        shades = greens(widget.locator(canvas)) - tones(widget, expected.flatten())
        assert shades.abs().max() <= 1
    texts = widget.locator(".aew-panel .aew-readout").all_inner_texts()
    for text, found in zip(texts, (noisy, cleaned), strict=True):
        assert float(re.fullmatch(r"PSNR (.*) dB", text)[1]) == pytest.approx(
            psnr(found, image).item(), abs=0.051
        )
    wrong, left = ((found - image).square().sum().item() for found in (noisy, cleaned))
    words = widget.locator(".aew-verdict").inner_text()
    assert f"{wrong:.1f} with noise, {left:.1f} cleaned" in words
    assert ("less" in words) == (left <= wrong)


def test_the_page_spoils_as_python_does(browser):
    source = "\n".join(
        (FRONT / name).read_text() for name in ("normal.js", "sketch.js", "noise_pad.js")
    )
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(0))
    cases = [
        (noise, level, seed)
        for noise in NOISES
        for level in (0, 0.01, 0.35, 0.5, 0.77, 1)
        for seed in (0, 1, 2**32 - 1)
    ]
    page = browser.new_page()
    found = page.evaluate(
        f"""([pixels, cases]) => {{
          {source}
          const clean = Float32Array.from(pixels);
          return cases.map((one) => Array.from(spoil(clean, ...one)));
        }}""",
        [image.flatten().tolist(), cases],
    )
    page.close()
    for case, pixels in zip(cases, found, strict=True):
        expected = spoil(image, *case).flatten()
        torch.testing.assert_close(
            torch.tensor(pixels, dtype=torch.float32), expected, msg=str(case)
        )


def test_no_noise_is_said(pad):
    page, widget = pad
    widget.locator("input[type=range]").fill("0")
    frame(page)
    assert torch.equal(shown(widget, NOISY), shown(widget, CLEAN))
    assert widget.locator(".aew-readout").first.inner_text() == "PSNR ∞ dB"
    assert widget.locator(".aew-verdict").inner_text().startswith("No noise:")


def test_new_noise_is_new_and_the_level_keeps_it(pad):
    page, widget = pad
    choose(widget, "Your drawing")  # empty, so that salt shows alone
    choose(widget, "Salt and pepper")
    slider = widget.locator("input[type=range]")
    slider.fill("0.3")
    frame(page)
    clean, few = shown(widget, CLEAN), shown(widget, NOISY)
    slider.fill("0.5")
    frame(page)
    many = shown(widget, NOISY)
    assert few.sum() < many.sum()
    assert (many >= few).all()
    widget.get_by_role("button", name="New noise").click()
    frame(page)
    assert not (shown(widget, NOISY) >= few).all()
    assert torch.equal(shown(widget, CLEAN), clean)


# ---- picking


def test_arrow_keys_pick_an_image(pad):
    page, widget = pad
    images = images_of(widget)
    radios = widget.get_by_role("radiogroup", name="Image").get_by_role("radio")
    assert radios.count() == len(images) + 1
    radios.first.focus()
    for expected in (images[1], images[2]):
        page.keyboard.press("ArrowRight")
        frame(page)
        shades = greens(widget.locator(CLEAN)) - tones(widget, expected.flatten())
        assert shades.abs().max() <= 1
    outline = radios.nth(2).evaluate("e => getComputedStyle(e.parentElement).outlineStyle")
    assert outline == "solid"


def test_a_drawing_waits_while_a_digit_is_looked_at(pad):
    page, widget = pad
    empty(widget)
    line(page, widget.locator(CLEAN), (0.5, 0.25), (0.5, 0.75))
    page.mouse.up()
    choose(widget, "Image 1 of")
    digit = shown(widget, CLEAN)
    choose(widget, "Your drawing")
    drawn = shown(widget, CLEAN)
    assert not torch.equal(digit, drawn)
    assert middle(drawn) == pytest.approx((14, 14), abs=0.51)  # it was centred on leaving


# ---- drawing


def test_a_mouse_draws_without_gaps(pad):
    page, widget = pad
    empty(widget)
    assert widget.get_by_role("radio", name="Your drawing").is_checked()
    before = shown(widget, CLEANED)
    line(page, widget.locator(CLEAN), (0.3, 0.3), (0.7, 0.3), (0.7, 0.7))  # two leaps
    ink = shown(widget, CLEAN)
    row, column = round(0.3 * 28 - 0.5), round(0.7 * 28 - 0.5)
    assert (ink[row, 9:19] > 0.9).all()
    assert (ink[9:19, column] > 0.9).all()
    assert 1.5 < ink[row, 9:19].mean() + ink[row + 1, 9:19].mean() + ink[row - 1, 9:19].mean() < 3
    assert ink[:4].max() == ink[22:].max() == 0  # and nowhere else
    assert not torch.equal(shown(widget, CLEANED), before)
    page.mouse.up()
    page.mouse.move(*at(widget.locator(CLEAN), 0.2, 0.9))  # without a button nothing is drawn
    frame(page)
    assert torch.equal(shown(widget, CLEAN), ink)


def test_a_stroke_over_a_digit_keeps_the_digit(pad):
    page, widget = pad
    choose(widget, "Image 2 of")
    digit = shown(widget, CLEAN)
    line(page, widget.locator(CLEAN), (0.1, 0.9), (0.9, 0.9))
    page.mouse.up()
    both = shown(widget, CLEAN)
    assert (both >= digit).all()
    assert (both > digit).any()
    choose(widget, "Image 2 of")
    assert torch.equal(shown(widget, CLEAN), digit)


def test_the_right_button_erases(pad):
    page, widget = pad
    canvas = widget.locator(CLEAN)
    empty(widget)
    line(page, canvas, (0.2, 0.5), (0.8, 0.5))
    page.mouse.up()
    drawn = shown(widget, CLEAN)
    page.mouse.move(*at(canvas, 0.5, 0.2))
    page.mouse.down(button="right")
    page.mouse.move(*at(canvas, 0.5, 0.8))
    page.mouse.up(button="right")
    frame(page)
    rest = shown(widget, CLEAN)
    assert rest[13:15, 13:15].max() < 0.05
    assert (rest <= drawn).all()
    assert rest.sum() > drawn.sum() / 2


def test_ink_moves_to_the_centre_after_a_pause(pad):
    page, widget = pad
    empty(widget)
    line(page, widget.locator(CLEAN), (0.2, 0.2), (0.4, 0.2), (0.4, 0.5))
    page.mouse.up()
    drawn = shown(widget, CLEAN)
    page.wait_for_timeout(400)
    assert torch.equal(shown(widget, CLEAN), drawn)  # time for a second stroke
    page.wait_for_timeout(SETTLED)
    ink = shown(widget, CLEAN)
    assert middle(drawn)[0] < 11
    assert middle(ink) == pytest.approx((14, 14), abs=0.51)
    assert ink.sum() == pytest.approx(drawn.sum().item())  # moved, not changed


def test_a_new_stroke_stops_the_ink_from_moving(pad):
    page, widget = pad
    empty(widget)
    for _ in range(3):
        line(page, widget.locator(CLEAN), (0.2, 0.2), (0.4, 0.2))
        page.mouse.up()
        page.wait_for_timeout(500)
    line(page, widget.locator(CLEAN), (0.2, 0.2), (0.4, 0.2))  # and stays down
    page.wait_for_timeout(SETTLED)
    assert middle(shown(widget, CLEAN))[0] == pytest.approx(0.2 * 28 - 0.5, abs=0.3)
    page.mouse.up()


def test_ink_never_leaves_the_image(pad):
    page, widget = pad
    empty(widget)
    # heavy on the left, and a line to the right edge that stops it
    line(page, widget.locator(CLEAN), (0.99, 0.4), (0.1, 0.4), (0.1, 0.2), (0.1, 0.7), (0.1, 0.2))
    page.mouse.up()
    drawn = shown(widget, CLEAN)
    page.wait_for_timeout(SETTLED)
    ink = shown(widget, CLEAN)
    assert middle(ink)[0] > middle(drawn)[0]
    torch.testing.assert_close(ink.sum(0), drawn.sum(0))


def test_a_pen_draws_as_wide_as_it_is_pressed(pad):
    page, widget = pad
    device = page.context.new_cdp_session(page)
    canvas = widget.locator(CLEAN)
    widths = []
    for force in (0.2, 0.5, 1.0):
        empty(widget)
        for i in range(9):
            x, y = at(canvas, 0.2 + 0.075 * i, 0.5)
            event = {
                "type": "mouseMoved" if i else "mousePressed", "x": x, "y": y, "button": "left",
                "buttons": 1, "clickCount": 1, "pointerType": "pen", "force": force,
            }  # fmt: skip
            device.send("Input.dispatchMouseEvent", event)
        frame(page)
        widths.append(shown(widget, CLEAN)[:, 14].sum().item())
        device.send("Input.dispatchMouseEvent", event | {"type": "mouseReleased", "buttons": 0})
        frame(page)
    assert widths[0] < widths[1] < widths[2]
    assert widths[1] == pytest.approx(2.7, abs=0.4)  # as a mouse: half of the brush is soft


def test_a_finger_draws_and_the_page_stays(visitor, site):
    page = visitor.open(first("noise_pad"), **PHONE)
    widget = to_widget(page, "noise_pad")
    canvas = widget.locator(CLEAN)
    empty(widget)
    canvas.evaluate("pad => pad.scrollIntoView({block: 'center', behavior: 'instant'})")
    scroll = page.evaluate("scrollY")
    swipe(page, at(canvas, 0.5, 0.8), at(canvas, 0.5, 0.2))
    assert (shown(widget, CLEAN)[7:21, 13:15].amax(1) > 0.9).all()
    assert page.evaluate("scrollY") == scroll
    # the same gesture beside the pad scrolls: the page itself is not held
    beside = widget.locator(CLEANED)
    swipe(page, at(beside, 0.5, 0.9), at(beside, 0.5, -2.0))
    assert page.evaluate("scrollY") != scroll
    assert page.troubles == []


def test_a_second_finger_does_not_draw(visitor, site):
    page = visitor.open(first("noise_pad"), **PHONE)
    widget = to_widget(page, "noise_pad")
    canvas = widget.locator(CLEAN)
    canvas.evaluate("pad => pad.scrollIntoView({block: 'center', behavior: 'instant'})")
    empty(widget)
    touch = page.context.new_cdp_session(page)

    def fingers(kind, *places):
        points = [
            dict(zip("xy", at(canvas, *place), strict=True), id=i) for i, place in enumerate(places)
        ]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        frame(page)

    fingers("touchStart", (0.2, 0.3))
    fingers("touchStart", (0.2, 0.3), (0.8, 0.7))
    for x in (0.3, 0.4, 0.5):
        fingers("touchMove", (x, 0.3), (x + 0.4, 0.7))
    ink = shown(widget, CLEAN)
    fingers("touchEnd")
    assert ink[7:10].max() > 0.9
    assert ink[16:].max() == 0


def test_the_keyboard_draws(pad):
    page, widget = pad
    widget.get_by_role("radio", name="Image 1 of").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "aew-pad"
    digit, scroll = shown(widget, CLEAN), page.evaluate("scrollY")
    page.keyboard.press("Delete")
    frame(page)
    for _ in range(4):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    frame(page)
    blank = widget.locator(CLEANED).evaluate("canvas => canvas.toDataURL()")
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowDown")
    frame(page)
    assert widget.locator(CLEANED).evaluate("canvas => canvas.toDataURL()") != blank
    page.wait_for_timeout(SETTLED)  # with keys a pause means nothing
    page.wait_for_function(
        "document.querySelector('[kind=noise_pad] [role=status]').textContent.includes('Squared')"
    )
    page.keyboard.press("Tab")
    frame(page)
    ink = shown(widget, CLEAN)
    assert middle(ink) == pytest.approx((14, 14), abs=0.51)  # by leaving the pad
    assert ink.amax(1).gt(0.9).sum() == 6
    assert ink.amax(0).gt(0.9).sum() == 1
    assert not torch.equal(ink, digit)
    assert page.evaluate("scrollY") == scroll


# ---- the whole


@pytest.mark.parametrize("width", [1280, 600, 480, 390, 320])
def test_nothing_moves_when_its_texts_change(visitor, site, width):
    page = visitor.open(first("noise_pad"), viewport={"width": width, "height": 900})
    widget = to_widget(page, "noise_pad")
    page.wait_for_function("document.fonts.ready.then(() => true)")
    seen = set()
    for noise in range(len(NOISES)):
        widget.locator(".aew-noise").get_by_role("radio").nth(noise).check(force=True)
        for level in ("0", "0.01", "0.5", "1"):
            widget.locator("input[type=range]").fill(level)
            frame(page)
            seen.add(layout(widget, widths=False))
    assert len(seen) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_images_are_named_by_what_they_show(pad):
    _, widget = pad
    assert widget.locator("input[type=range]").get_attribute("aria-label") == "Noise level σ"
    names = [image.get_attribute("aria-label") for image in widget.get_by_role("img").all()]
    assert re.match(r"Gaussian noise, 0.50: PSNR \d", names[0])
    assert re.match(r"Cleaned: PSNR \d", names[1])


def test_canvases_have_the_pixels_of_the_screen(visitor, site):
    page = visitor.open(first("noise_pad"), device_scale_factor=3)
    widget = to_widget(page, "noise_pad")
    for canvas in (CLEAN, NOISY, CLEANED):
        assert widget.locator(canvas).evaluate("c => c.width / c.clientWidth") >= 2.9


def test_a_kernel_reads_and_sets_the_drawing(browser):
    """The live module: a stroke reaches the model's bytes, and the model's fields the page."""
    corner = torch.zeros(3, 1, 28, 28)
    corner[..., :5, :5] = 1
    bundle = noise_pad(images=corner).bundle()
    page = browser.new_page()
    seen = page.evaluate(
        """async ([source, state, buffers]) => {
          for (const [field, text] of Object.entries(buffers)) {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            state[field] = new DataView(Uint8Array.of(0, ...bytes).buffer, 1); // unaligned
          }
          const listeners = new Map();
          let saved = 0;
          const model = {
            get: (field) => state[field],
            set: (field, value) => { state[field] = value; listeners.get(`change:${field}`)?.(); },
            on: (event, listener) => listeners.set(event, listener),
            off: (event) => listeners.delete(event),
            save_changes: () => { saved += 1; },
          };
          const file = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
          const front = (await import(file)).default;
          const el = document.body.appendChild(document.createElement('div'));
          const end = front.render({ model, el });
          const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          await frame(); await frame();
          const pad = el.querySelector('.aew-pad');
          const empty = pad.toDataURL();
          const key = (key) => pad.dispatchEvent(new KeyboardEvent('keydown', { key }));
          pad.dispatchEvent(new FocusEvent('blur')); // nothing was drawn, nothing is centred
          const kept = state.chosen;
          key('Delete'); key(' ');
          pad.dispatchEvent(new KeyboardEvent('keyup'));
          const drawn = [...new Uint8Array(state.drawing.buffer)];
          const { chosen } = state, asked = saved;
          await frame(); await frame();
          const dab = pad.toDataURL();
          model.set('drawing', new DataView(new Uint8Array(784).fill(255).buffer)); // as Python
          await frame(); await frame();
          const full = pad.toDataURL();
          const texts = [];
          for (const noise of ['patches', 'gaussian']) {
            model.set('noise', noise);
            await frame(); await frame();
            texts.push(el.querySelector('.aew-noise .aew-name').textContent);
          }
          end();
          const pictures = new Set([empty, dab, full]).size;
          return [drawn, kept, chosen, asked, pictures, texts, listeners.size];
        }""",
        [front_end("noise_pad"), bundle["state"], bundle["buffers"]],
    )
    page.close()
    drawn, kept, chosen, saved, pictures, texts, listeners = seen
    image = torch.tensor(drawn).reshape(28, 28)
    assert image[14, 14] == image.max() == 255
    assert (image > 0).sum() == 9  # a dab reaches less than two pixels
    assert (kept, chosen) == (0, 3)
    assert saved >= 1
    assert pictures == 3
    assert texts == ["Patches hidden", "Noise level σ"]
    assert listeners == 0
