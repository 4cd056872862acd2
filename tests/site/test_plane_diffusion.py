"""The diffusion in the plane in a browser: its chain, its way back and counts against torch.

Most tests run twice: on the page of the site that shows it, and with the live module alone,
which needs no site. Where no page shows it the first are skipped.
"""

import re

import numpy as np
import pytest
import torch

from aecore.sphinx.widget import FRONT
from aecore.widgets import PlaneDiffusion
from aecore.widgets.base import LIBRARY
from aecore.widgets.packing import Packed, unpack
from aecore.widgets.plane_diffusion import STEPS
from tests.test_plane_diffusion import BARS, anything, constant, plane_diffusion

from .test_front_end import follows_its_model, heights, mount
from .test_widgets import buffer, content, frame, layout, pixels

pytestmark = pytest.mark.site

KIND = "plane_diffusion"
CANVAS = ".aew-cloud"
SOURCE = "\n".join((FRONT / name).read_text() for name in (*LIBRARY, "plane_diffusion.js"))
STILL = {"reduced_motion": "reduce"}


@pytest.fixture
def opened(opened):
    """The same, and the widget in Python."""

    def with_twin(**options):
        page, widget = opened(**options)
        on_page = widget.get_attribute("kind") == KIND
        return page, widget, python_of(widget) if on_page else plane_diffusion()

    return with_twin


@pytest.fixture
def still(opened):
    """Without motion every run is over at once."""
    return opened(**STILL)


def python_of(widget):
    state = content(widget)["state"]

    def array(field, dtype, *shape):
        return torch.from_numpy(np.frombuffer(buffer(widget, field), dtype).reshape(shape).copy())

    frequencies = array("frequencies", "<f4", -1, 3)
    inputs = 3 + 2 * len(frequencies)
    found = PlaneDiffusion(
        unpack(Packed(state["layers"], buffer(widget, "weights"), inputs, 2)),
        frequencies,
        array("alpha_bars", "<f8", -1),
        array("points", "<f4", -1, 2),
        array("centres", "<f4", -1, 2),
        state["scale"],
        prediction=state["prediction"],
        name="page",
        label=state["label"],
    )
    found.steps, found.stochastic, found.seed = (
        state[field] for field in ("steps", "stochastic", "seed")
    )
    return found


def words(widget):
    return widget.locator(".aew-words").inner_text()


def time_of(widget):
    """The time, and the last of all times."""
    texts = widget.locator(".aew-value").inner_text()
    return tuple(int(n) for n in re.fullmatch(r"(\d+) of (\d+)", texts).groups())


def press(widget, name):
    widget.get_by_role("button", name=name, exact=True).click()
    frame(widget.page)


def choose(widget, name):
    """A radio button; if it is on, by way of another."""
    radio = widget.get_by_role("radio", name=name).first
    if radio.is_checked():
        other = widget.get_by_role("radio", name="5 steps" if name != "5 steps" else "10 steps")
        other.first.check(force=True)
        frame(widget.page)
    radio.check(force=True)
    frame(widget.page)


def to_time(widget, percent):
    widget.locator("input[type=range]").fill(str(percent))
    frame(widget.page)


def says_what_python_counts(widget, model):
    """Whether the words are about this way back, and right but for a point on an edge."""
    found = re.fullmatch(
        r"Back from noise in (\d+) steps: (\d+) % near a centre, (\d+) of (\d+) reached\.",
        words(widget),
    )
    steps, share, modes, many = map(int, found.groups())
    near, reached = model.quality(model.sample()[-1])
    assert share == pytest.approx(100 * near, abs=0.51 + 100 / len(model._points))
    assert modes == pytest.approx(reached, abs=1)
    return steps == model.steps and many == len(model._centres)


# ---- its numbers are those of Python


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
@pytest.mark.parametrize("stochastic", [False, True])
def test_the_page_goes_back_as_python_does(browser, prediction, stochastic):
    page = browser.new_page()
    for steps in STEPS:
        widget = plane_diffusion(
            denoiser=anything(), prediction=prediction, stochastic=stochastic, steps=steps
        )
        bundle = widget.bundle()
        found = page.evaluate(
            f"""({{ state, buffers }}) => {{
              {SOURCE}
              for (const [field, text] of Object.entries(buffers)) {{
                const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
                state[field] = new DataView(bytes.buffer);
              }}
              const {{ last, data, back }} = diffusion({{ get: (field) => state[field] }});
              const noise = (draw) => normals(state.seed * STREAMS + draw, data.length);
              let x = Float32Array.from(noise(0)), t = last;
              const path = [Array.from(x)];
              timesBack(state.steps, last).reverse().forEach((s, i) => {{
                x = back(x, t, state.stochastic ? noise(i + 1) : null)(s);
                t = s;
                path.push(Array.from(x));
              }});
              return path;
            }}""",
            {"state": bundle["state"], "buffers": bundle["buffers"]},
        )
        expected = widget.sample()
        found = torch.tensor(found).reshape(expected.shape)
        scale = expected.abs().max().item()
        torch.testing.assert_close(found, expected, atol=1e-4 * scale, rtol=1e-3)
    page.close()


def test_the_chain_has_the_marginals_of_one_step(browser):
    bundle = plane_diffusion(denoiser=constant()).bundle()
    page = browser.new_page()
    signal, first, second = page.evaluate(
        f"""({{ state, buffers }}) => {{
          {SOURCE}
          for (const [field, text] of Object.entries(buffers)) {{
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            state[field] = new DataView(bytes.buffer);
          }}
          const {{ forth }} = diffusion({{ get: (field) => state[field] }});
          // what is left of a point, of the noise of its first leg, and of its second
          const go = (x, z, w) => forth(forth([x], 0, [z])(50), 50, [w])(90)[0];
          return [go(1, 0, 0), go(0, 1, 0), go(0, 0, 1)];
        }}""",
        {"state": bundle["state"], "buffers": bundle["buffers"]},
    )
    page.close()
    bar = BARS[89].item()
    assert signal**2 == pytest.approx(bar, rel=1e-12)
    assert first**2 + second**2 == pytest.approx(1 - bar, rel=1e-12)
    assert min(first, second) > 0.1


@pytest.mark.parametrize("rule", ["DDIM", "Ancestral"])
@pytest.mark.parametrize("steps", STEPS)
def test_counts_are_pythons(still, steps, rule):
    _, widget, model = still
    choose(widget, rule)
    choose(widget, f"{steps} steps")
    model.steps, model.stochastic = steps, rule == "Ancestral"
    assert says_what_python_counts(widget, model)
    result = widget.locator(".aew-result").nth(STEPS.index(steps)).inner_text()
    assert f"steps: {result} near" in words(widget)
    assert time_of(widget)[0] == 0


def test_points_are_drawn_where_they_are(still):
    _, widget, model = still
    press(widget, "New noise")
    model.seed += 1
    x = model.sample()[0]
    span = model._span()
    x = x[(x.abs() < 0.95 * span).all(1)]
    places = (1 + x * torch.tensor([1, -1]) / span) / 2
    shown = widget.locator(CANVAS).evaluate(
        """(canvas, places) => places.map(([x, y]) => [...canvas.getContext('2d')
          .getImageData(x * canvas.width, y * canvas.height, 1, 1).data])""",
        places.tolist(),
    )
    colours = torch.tensor(shown)[:, :3]
    assert ((colours - torch.tensor([199, 125, 10])).abs().amax(1) < 40).all()


def test_data_are_counted_at_the_start(still):
    _, widget, model = still
    near, modes = model.quality(model._points)
    of = f"{modes} of {len(model._centres)} reached"
    assert words(widget) == f"The data: {100 * near + 1e-9:.0f} % near a centre, {of}."
    assert widget.locator(".aew-result").all_inner_texts() == ["–"] * 4


# ---- every control


def test_noise_is_added_and_removed_by_buttons(still):
    _, widget, _ = still
    press(widget, "Add noise")
    now, last = time_of(widget)
    assert now == last
    assert words(widget).startswith("Noise: ")
    press(widget, "Remove noise")
    assert time_of(widget) == (0, last)
    assert words(widget).startswith(f"Turned back at t = {last}: ")
    assert "at the one that they left" in words(widget)
    press(widget, "Remove noise")  # from the data there is no way back: from noise again
    assert words(widget).startswith("Back from noise in 20 steps: ")
    press(widget, "Data again")
    assert words(widget).startswith("The data: ")
    assert time_of(widget)[0] == 0


def test_a_little_noise_leaves_points_at_home_and_much_does_not(still):
    _, widget, _ = still
    home = []
    for percent in (10, 100):
        press(widget, "Data again")
        to_time(widget, percent)
        to_time(widget, 0)
        home.append(int(re.search(r"(\d+) % at the one that they left", words(widget))[1]))
    assert home[0] > 90
    assert home[1] < 60


def test_the_slider_goes_both_ways_and_says_the_time(still):
    page, widget, _ = still
    slider = widget.locator("input[type=range]")
    seen = {pixels(widget, CANVAS)}
    slider.focus()
    for key, value in (("End", 1), ("PageDown", 0.9), ("ArrowLeft", 0.89), ("Home", 0)):
        page.keyboard.press(key)
        frame(page)
        page.wait_for_timeout(100)
        now, last = time_of(widget)
        assert now == pytest.approx(value * last, abs=0.51)
        assert slider.get_attribute("aria-valuetext") == f"{now} of {last}"
        seen.add(pixels(widget, CANVAS))
    assert len(seen) == 5


def test_part_of_a_step_is_a_step_of_its_own(still):
    """The mixture that the page names is that of the time, wherever the slider stops."""
    _, widget, model = still
    last = len(model._alpha_bars) - 1
    for percent in (100, 73, 37, 50, 12):
        to_time(widget, percent)
        low = int(percent * last / 100)
        part = percent * last / 100 - low
        ends = model._alpha_bars[[low, min(low + 1, last)]].log()
        bar = ((1 - part) * ends[0] + part * ends[1]).exp().item()
        text = widget.locator(".aew-sliders .aew-hint").inner_text()
        found = [float(n) for n in re.findall(r"\d\.\d\d", text)]
        assert found == pytest.approx([bar**0.5, (1 - bar) ** 0.5], abs=0.0051)


def test_new_noise_forgets_what_ended_where(still):
    _, widget, model = still
    choose(widget, "5 steps")
    press(widget, "New noise")
    assert widget.locator(".aew-result").all_inner_texts() == ["–"] * 4
    assert words(widget).startswith("Noise: ")
    model.seed += 1
    model.steps = 5
    press(widget, "Remove noise")
    assert says_what_python_counts(widget, model)


def test_a_run_that_is_turned_round_is_no_result(still):
    _, widget, _ = still
    press(widget, "New noise")
    for percent in (40, 60, 0):
        to_time(widget, percent)
    assert widget.locator(".aew-result").all_inner_texts() == ["–"] * 4
    assert words(widget).startswith("Turned back")
    assert "left" not in words(widget)  # they come from nowhere


# ---- motion


def test_it_plays_pauses_and_arrives(opened):
    page, widget, _ = opened()
    _, last = time_of(widget)
    press(widget, "Add noise")
    page.wait_for_timeout(500)
    press(widget, "Pause")
    page.wait_for_timeout(700)  # until nothing trails
    before, picture = time_of(widget)[0], pixels(widget, CANVAS)
    assert 0 < before < last
    page.wait_for_timeout(300)
    assert time_of(widget)[0] == before
    assert pixels(widget, CANVAS) == picture
    press(widget, "Remove noise")
    text = "document.querySelector('.aew-diffusion .aew-words').textContent"
    page.wait_for_function(f"{text}.startsWith('Turned')", timeout=30000)
    assert time_of(widget)[0] == 0
    assert words(widget).startswith(f"Turned back at t = {before}: ")


def test_with_motion_it_ends_where_it_ends_without(opened):
    page, widget, model = opened()
    choose(widget, "10 steps")
    assert time_of(widget)[0] > 0  # on its way
    assert widget.get_by_role("button", name="Pause").count() == 1
    text = "document.querySelector('.aew-diffusion .aew-words').textContent"
    page.wait_for_function(f"{text}.startsWith('Back from')", timeout=30000)
    model.steps = 10
    assert says_what_python_counts(widget, model)
    assert widget.get_by_role("button", name="Pause").count() == 0


# ---- how it stands


def test_parts_have_names_and_the_result_is_spoken(still):
    page, widget, _ = still
    for part in widget.locator("input, canvas, [role]:not([role=status])").all():
        assert part.get_attribute("aria-label").strip()
    for part in widget.locator("button").all():
        assert (part.get_attribute("aria-label") or part.inner_text()).strip()
    choose(widget, "50 steps")
    page.wait_for_timeout(700)
    assert widget.locator("[role=status]").inner_text() == words(widget)
    assert words(widget).split(": ")[1].split(",")[0] in widget.locator(CANVAS).get_attribute(
        "aria-label"
    )


@pytest.mark.parametrize("width", [1280, 600, 390, 320])
def test_nothing_moves_when_its_words_change(opened, width):
    page, widget, _ = opened(viewport={"width": width, "height": 900}, **STILL)
    page.wait_for_function("document.fonts.ready.then(() => true)")
    seen = {layout(widget, widths=False)}
    for percent in (50, 0, 100):
        to_time(widget, percent)
        seen.add(layout(widget, widths=False))
    for name in ("5 steps", "Ancestral"):
        choose(widget, name)
        seen.add(layout(widget, widths=False))
    assert len(seen) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_follows_theme_and_window_and_stays_sharp(opened):
    page, widget, _ = opened(device_scale_factor=3)
    sharp = "c => Math.abs(c.width - c.clientWidth * devicePixelRatio)"
    square = "c => Math.abs(c.clientWidth - c.clientHeight)"
    seen = set()
    for width in (1280, 500):
        page.set_viewport_size({"width": width, "height": 900})
        frame(page)
        assert widget.locator(CANVAS).evaluate(sharp) <= 1
        assert widget.locator(CANVAS).evaluate(square) <= 1
        seen.add(pixels(widget, CANVAS))
    page.evaluate("document.body.style.setProperty('--ae-grey', 'red')")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    frame(page)
    frame(page)
    seen.add(pixels(widget, CANVAS))
    assert len(seen) == 3


@pytest.mark.parametrize("change", [("steps", 5), ("stochastic", True), ("seed", 5)])
def test_runs_where_a_kernel_is(browser, change):
    assert follows_its_model(browser, plane_diffusion(), CANVAS, change)


def test_a_kernel_is_told_what_is_chosen(browser):
    page = mount(browser, plane_diffusion(), **STILL)
    page.evaluate("mounted.saved = 0; void (mounted.model.save_changes = () => mounted.saved++)")
    widget = page.locator(".aew")
    choose(widget, "50 steps")
    choose(widget, "Ancestral")
    press(widget, "New noise")
    state = page.evaluate("['steps', 'stochastic', 'seed'].map(mounted.model.get)")
    assert state == [50, True, 2]
    assert page.evaluate("mounted.saved") == 3
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_height_is_the_same_wherever_a_kernel_puts_it(browser, width):
    states = [{"steps": 5}, {"steps": 50, "stochastic": True}, {"seed": 3}]
    assert len(set(heights(browser, plane_diffusion(), width, states))) == 1
