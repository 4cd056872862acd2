"""The Gaussian playground in a browser: its numbers and curves against torch, every control.

Most tests run twice: on the page of the site that shows it, and with the live module alone,
which needs no site. Where no page shows it the first are skipped.
"""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import norm

from aecore.sphinx.widget import FRONT
from aecore.widgets.draws import normal
from aecore.widgets.gaussian_playground import SAMPLES, SPAN
from tests.test_gaussian_playground import gaussian_playground

from .test_front_end import follows_its_model, heights, mount
from .test_widgets import at, frame, layout, pixels, swipe

pytestmark = pytest.mark.site

KIND = "gaussian_playground"
PAD = ".aew-densities"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
SETTINGS = [(1, 0.5), (0, 1), (-2, 0.2), (4, 3), (-4, 0.05), (0, 2), (0.35, 1)]


@pytest.fixture
def playing(opened):
    page, widget = opened()
    put(page, widget, 1, 0.5)
    return page, widget


def put(page, widget, mu, sigma):
    """Move the sliders; that of σ has steps of a twentieth in its logarithm."""
    sliders = widget.locator("input[type=range]")
    sliders.nth(0).fill(f"{mu:.2f}")
    sliders.nth(1).fill(f"{round(20 * math.log(sigma)) / 20:.2f}")
    frame(page)


def place(widget):
    """μ and σ as the page says them."""
    texts = widget.locator(".aew-value").all_inner_texts()
    return [float(text.replace("−", "-")) for text in texts]


def numbers(text):
    return [float(n) for n in re.findall(r"-?\d+\.\d+", text.replace("−", "-"))]


def model(mu, sigma, seed=1):
    """What Python says of the place where the sliders were put."""
    sigma = min(3.0, max(0.05, math.exp(round(20 * math.log(sigma)) / 20)))
    widget = gaussian_playground(mu=float(mu), sigma=sigma)
    widget.seed = seed
    return widget


def areas(mu, sigma):
    """The area of q log(q/p) above zero and below, in closed form."""
    # log(q/p) = a ε² + b ε + c, and the integral of φ(ε) times that from -∞ to e
    a, b, c = (sigma**2 - 1) / 2, mu * sigma, mu**2 / 2 - math.log(sigma)

    def until(e):
        at_e = norm.pdf(e) * (a * e + b) if math.isfinite(e) else 0.0
        return (a + c) * norm.cdf(e) - at_e

    roots = np.roots([a, b, c]) if a else np.array([-c / b])
    ends = [-math.inf, *sorted(roots[np.isreal(roots)].real), math.inf]
    parts = [until(high) - until(low) for low, high in pairwise(ends)]
    return sum(p for p in parts if p > 0), -sum(p for p in parts if p < 0)


# ---- its numbers are those of Python


@pytest.mark.parametrize(("mu", "sigma"), SETTINGS)
def test_divergences_are_torchs(playing, mu, sigma):
    page, widget = playing
    put(page, widget, mu, sigma)
    expected = model(mu, sigma)
    forward, reverse, estimate = map(numbers, widget.locator(".aew-sum").all_inner_texts())
    assert forward == pytest.approx([expected.kl, mu**2 / 2, expected.kl - mu**2 / 2], abs=0.00051)
    assert reverse[0] == pytest.approx(expected.reverse_kl, abs=0.051 if reverse[0] > 100 else 5e-4)
    ratios = expected.log_ratios
    error = ratios.std().item() / math.sqrt(SAMPLES)
    assert estimate == pytest.approx([ratios.mean().item(), error], abs=0.00051)


@pytest.mark.parametrize(("mu", "sigma"), [s for s in SETTINGS if s != (0, 1)])
def test_areas_above_and_below_make_the_divergence(playing, mu, sigma):
    page, widget = playing
    put(page, widget, mu, sigma)
    expected = model(mu, sigma)
    above, below = areas(expected.mu, expected.sigma)
    assert above - below == pytest.approx(expected.kl, abs=1e-9)
    words = widget.locator(".aew-equation").inner_text()
    found = numbers(words.replace("−", " "))
    assert found == pytest.approx([above, below, expected.kl], abs=0.00051)
    name = widget.locator(".aew-integrand").get_attribute("aria-label")
    assert numbers(name) == found[:2]


def test_a_posterior_like_the_prior_costs_nothing(playing):
    page, widget = playing
    put(page, widget, 0, 1)
    assert place(widget) == [0, 1]
    forward, reverse, estimate = map(numbers, widget.locator(".aew-sum").all_inner_texts())
    assert forward == [0, 0, 0]
    assert (reverse, estimate) == ([0], [0, 0])
    assert "−" not in widget.locator(".aew-sums").inner_text().replace("− 1 − log", "")


def test_the_page_draws_as_python_does(browser):
    page = browser.new_page()
    found = page.evaluate(
        f"""(seeds) => {{
          {(FRONT / "normal.js").read_text()}
          return seeds.map((seed) => normals(seed, 100));
        }}""",
        [0, 1, 2**32 - 1],
    )
    page.close()
    for seed, values in zip([0, 1, 2**32 - 1], found, strict=True):
        assert values == pytest.approx(normal(seed, 100), rel=1e-12)


def test_new_samples_are_new_and_change_the_estimate_alone(playing):
    page, widget = playing
    sums = widget.locator(".aew-sum")
    before, ticks = sums.all_inner_texts(), pixels(widget, ".aew-draws")
    curves = [pixels(widget, canvas) for canvas in (PAD, ".aew-integrand")]
    widget.get_by_role("button", name="New samples").click()
    frame(page)
    after = sums.all_inner_texts()
    assert before[:2] == after[:2]
    expected = model(1, 0.5, seed=2).log_ratios.mean().item()
    assert numbers(after[2])[0] == pytest.approx(expected, abs=0.00051)
    assert pixels(widget, ".aew-draws") != ticks
    assert [pixels(widget, canvas) for canvas in (PAD, ".aew-integrand")] == curves


# ---- its curves are where they belong


def column(widget, canvas, z):
    """The colours on white at a place of the axis, (height, 3), from the top of the canvas."""
    shown = widget.locator(canvas).evaluate(
        """(canvas, part) => {
          const ratio = canvas.width / canvas.clientWidth;
          const x = Math.round((38 + part * (canvas.clientWidth - 46)) * ratio);
          return [...canvas.getContext('2d').getImageData(x, 0, 1, canvas.height).data];
        }""",
        (z + SPAN) / (2 * SPAN),
    )
    colours, alpha = torch.tensor(shown).reshape(-1, 4).split([3, 1], dim=1)
    return 255 + (colours - 255) * alpha / 255


def amber(colours):
    return (colours - torch.tensor([199, 125, 10])).abs().amax(-1) < 30


@pytest.mark.parametrize(("mu", "sigma", "top"), [(-2, 1, 0.5), (1.4, 0.5, 1), (3, 2, 0.5)])
def test_the_curve_is_the_density(playing, mu, sigma, top):
    page, widget = playing
    put(page, widget, mu, sigma)
    widget_sigma = model(mu, sigma).sigma
    for e in (-1.7, 1.7, 2.5):  # beside the handles
        z = mu + e * widget_sigma
        if abs(z) < SPAN:
            colours = column(widget, PAD, z)
            rows = amber(colours).nonzero().flatten()
            line = rows[rows - rows[0] == torch.arange(len(rows))]  # not the axis below it
            height = 1 - (line.float().mean().item() + 0.5 - 8) / (len(colours) - 34)
            density = norm(mu, widget_sigma).pdf(z)
            assert height * top == pytest.approx(density, abs=0.02 * top)


def test_the_negative_part_hangs_below_zero(playing):
    page, widget = playing
    put(page, widget, 0, 2)  # q is below p around the mean
    middle, tail = (column(widget, ".aew-integrand", z).float() for z in (0.5, 4.3))
    blue, warm = middle[:, 2] - middle[:, 0] > 40, tail[:, 0] - tail[:, 2] > 40
    assert blue.sum() > 20
    assert warm.sum() > 20
    assert not (blue & warm).any()
    assert blue.nonzero().min() >= warm.nonzero().max()  # on either side of the zero line
    assert not (tail[:, 2] - tail[:, 0] > 40).any()


def test_ticks_stand_at_the_samples(playing):
    page, widget = playing
    for mu, sigma in ((1, 0.5), (-2, 0.2), (4, 3)):
        put(page, widget, mu, sigma)
        row = widget.locator(".aew-draws").evaluate(
            """c => [...c.getContext('2d').getImageData(0, c.height - 5, c.width, 1).data]"""
        )
        colours = torch.tensor(row).reshape(-1, 4)[:, :3]
        marked = (colours[:, 0] - colours[:, 2] > 30).nonzero().flatten() + 0.5
        samples = model(mu, sigma).samples
        inside = samples[samples.abs() < SPAN - 0.8]  # a number may cover those at the end
        places = 38 + (inside + SPAN) / (2 * SPAN) * (len(colours) - 46)
        gaps = (places[:, None] - marked).abs()
        assert gaps.amin(1).max() <= 1.5
        whole = 38 + (samples + SPAN) / (2 * SPAN) * (len(colours) - 46)
        assert (whole[:, None] - marked).abs().amin(0).max() <= 1.5


# ---- every control


def handle(widget, side):
    """Where the peak (0) or a flank (-1, 1) is, as parts of the canvas."""
    mu, sigma = place(widget)
    needed = 1.08 * norm.pdf(0) / min(1, sigma)
    top = next(end for end in (0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10) if end >= needed)
    box = widget.locator(PAD).bounding_box()
    x = 38 + (mu + side * sigma + SPAN) / (2 * SPAN) * (box["width"] - 46)
    height = norm(0, sigma).pdf(side * sigma) / top
    return x / box["width"], (8 + (1 - height) * (box["height"] - 34)) / box["height"]


def unit(widget):
    """One unit of the axis, as a part of the canvas."""
    width = widget.locator(PAD).bounding_box()["width"]
    return (width - 46) / (2 * SPAN) / width


def drag(page, widget, start, by):
    pad = widget.locator(PAD)
    page.mouse.move(*at(pad, *start))
    page.mouse.down()
    page.mouse.move(*at(pad, start[0] + by * unit(widget), start[1]), steps=3)
    page.mouse.up()
    frame(page)


def test_the_peak_moves_the_mean(playing):
    page, widget = playing
    canvases = (PAD, ".aew-draws", ".aew-integrand")
    before = [pixels(widget, canvas) for canvas in canvases]
    drag(page, widget, handle(widget, 0), -2.5)
    assert place(widget) == pytest.approx([-1.5, 0.497], abs=0.051)
    assert place(widget)[1] == 0.497
    after = [pixels(widget, canvas) for canvas in canvases]
    assert all(a != b for a, b in zip(before, after, strict=True))
    page.mouse.move(*at(widget.locator(PAD), 0.8, 0.5))  # without a button nothing follows
    frame(page)
    assert pixels(widget, PAD) == after[0]


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("sigma", [0.5, 0.05])
def test_a_flank_changes_the_deviation(playing, side, sigma):
    page, widget = playing
    put(page, widget, 1, sigma)
    drag(page, widget, handle(widget, side), side * 1.2)
    assert place(widget) == pytest.approx([1, sigma + 1.2], abs=0.06)
    assert place(widget)[0] == 1
    drag(page, widget, handle(widget, side), -side * 1)
    assert place(widget) == pytest.approx([1, sigma + 0.2], abs=0.06)


def test_dragging_ends_where_the_sliders_end(playing):
    page, widget = playing
    drag(page, widget, handle(widget, 0), 9)
    assert place(widget)[0] == 4
    drag(page, widget, handle(widget, -1), -9)
    assert place(widget)[1] == 3
    put(page, widget, -1, 0.5)
    drag(page, widget, handle(widget, 1), -5)  # beyond the peak
    assert place(widget) == [-1, 0.05]


def test_a_click_moves_nothing(playing):
    page, widget = playing
    for x, y in ((0.1, 0.5), (0.9, 0.1), handle(widget, 0)):
        page.mouse.click(*at(widget.locator(PAD), x, y))
        frame(page)
        assert place(widget) == [1, 0.497]


KEYS = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowDown": (1, -1), "ArrowUp": (1, 1)}


@pytest.mark.parametrize("key", KEYS)
def test_arrow_keys_change_one_and_not_the_page(playing, key):
    page, widget = playing
    page.add_style_tag(content="body { padding-block: 1000px }")
    widget.locator("input").first.focus()
    page.keyboard.press("Shift+Tab")
    page.wait_for_timeout(300)
    focused = page.evaluate_handle("document.activeElement").as_element()
    assert focused.get_attribute("class") == "aew-densities"
    assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    axis, sign = KEYS[key]
    scroll = page.evaluate("scrollY")
    seen = [place(widget)]
    for press in (key, f"Shift+{key}"):
        page.keyboard.press(press)
        frame(page)
        seen.append(place(widget))
    of = np.array(seen).T
    small, large = np.diff(of[axis] if axis == 0 else np.log(of[axis]))
    assert sign * small == pytest.approx(0.05, abs=0.003)
    assert sign * large == pytest.approx(0.25, abs=0.003)
    assert np.ptp(of[1 - axis]) == 0
    assert page.evaluate("scrollY") == scroll


def test_keys_reach_the_prior(playing):
    page, widget = playing
    put(page, widget, 0.05, 1.05)
    widget.locator(PAD).focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    frame(page)
    assert place(widget) == [0, 1]
    assert widget.locator(".aew-number").first.inner_text() == "0.000"


def test_sliders_say_the_values_and_reach_both_ends(playing):
    page, widget = playing
    sliders = widget.locator("input[type=range]")
    for i, ends in enumerate((("−4.00", "4.00"), ("0.0500", "3.00"))):
        slider = sliders.nth(i)
        for key, value in zip(("Home", "End"), ends, strict=True):
            slider.focus()
            page.keyboard.press(key)
            frame(page)
            assert slider.get_attribute("aria-valuetext") == value


def test_parts_have_names_and_the_result_is_spoken(playing):
    page, widget = playing
    named = widget.locator("input, canvas, button, [role]:not([role=status])")
    for part in named.all():
        assert (part.get_attribute("aria-label") or part.inner_text()).strip()
    put(page, widget, -1, 1)
    page.wait_for_timeout(700)
    words = widget.locator("[role=status]").inner_text()
    assert words == "μ −1.00, σ 1.00: KL of q from p 0.500 nats, of p from q 0.500"


def test_a_finger_drags_sideways_and_scrolls_up_and_down(opened):
    page, widget = opened(**PHONE)
    page.add_style_tag(content="body { padding-bottom: 1000px }")
    pad = widget.locator(PAD)
    pad.evaluate("pad => pad.scrollIntoView({block: 'center', behavior: 'instant'})")
    frame(page)
    before, scroll = place(widget), page.evaluate("scrollY")
    peak = handle(widget, 0)
    swipe(page, at(pad, *peak), at(pad, peak[0] - 2 * unit(widget), peak[1]))
    moved = place(widget)
    assert moved[0] == pytest.approx(before[0] - 2, abs=0.3)
    assert moved[1] == before[1]
    assert page.evaluate("scrollY") == scroll
    swipe(page, at(pad, 0.5, 0.9), at(pad, 0.5, -0.6))
    assert page.evaluate("scrollY") > scroll
    assert place(widget) == moved


@pytest.mark.parametrize("width", [1280, 600, 390, 320])
def test_nothing_moves_when_its_numbers_change(opened, width):
    page, widget = opened(viewport={"width": width, "height": 900})
    page.wait_for_function("document.fonts.ready.then(() => true)")
    seen = set()
    for mu, sigma in SETTINGS:
        put(page, widget, mu, sigma)
        seen.add(layout(widget, widths=False))
    assert len(seen) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_curves_follow_theme_and_window_and_stay_sharp(opened):
    page, widget = opened(device_scale_factor=3)
    for canvas in (PAD, ".aew-draws", ".aew-integrand"):
        page.set_viewport_size({"width": 1280, "height": 900})
        frame(page)
        sharp = "c => Math.abs(c.width - c.clientWidth * devicePixelRatio)"
        assert widget.locator(canvas).evaluate(sharp) <= 1
        seen = {pixels(widget, canvas)}
        page.set_viewport_size({"width": 500, "height": 900})
        frame(page)
        assert widget.locator(canvas).evaluate(sharp) <= 1
        seen.add(pixels(widget, canvas))
        page.evaluate("document.body.style.setProperty('--ae-paper', 'black')")
        page.evaluate("document.body.style.setProperty('--ae-muted', 'white')")
        page.evaluate("document.body.style.setProperty('--ae-ink', 'white')")
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        frame(page)
        seen.add(pixels(widget, canvas))
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        page.evaluate("document.body.removeAttribute('style')")
        assert len(seen) == 3


@pytest.mark.parametrize("change", [("mu", -1.0), ("sigma", 2.0), ("seed", 5)])
def test_runs_where_a_kernel_is(browser, change):
    assert follows_its_model(browser, gaussian_playground(), ".aew-draws", change)


def test_a_kernel_is_told_where_a_drag_ends(browser):
    page = mount(browser, gaussian_playground())
    page.evaluate("mounted.saved = 0; void (mounted.model.save_changes = () => mounted.saved++)")
    widget = page.locator(".aew")
    drag(page, widget, handle(widget, 0), 1)
    state = page.evaluate("['mu', 'sigma'].map(mounted.model.get)")
    assert state == pytest.approx([2, 0.5], abs=0.051)
    assert page.evaluate("mounted.saved") == 1
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_height_is_the_same_wherever_a_kernel_puts_it(browser, width):
    states = [{"mu": float(m), "sigma": float(s), "seed": n} for n, (m, s) in enumerate(SETTINGS)]
    assert len(set(heights(browser, gaussian_playground(), width, states))) == 1
