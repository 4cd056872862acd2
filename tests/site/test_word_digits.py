"""Digits from words on the published page: every step against torch, and every control."""

import re

import pytest
import torch

from aecore.sphinx.widget import FRONT
from tests.test_word_digits import word_digits

from .test_front_end import follows_its_model, frames_after_the_end, heights, mount
from .test_widgets import content, first, frame, greens, to_widget

pytestmark = pytest.mark.site

KIND = "word_digits"
CANVASES = ".aew-called canvas"
STILL = {"reduced_motion": "reduce"}
PARTS = ("matmul.js", "network.js", "stage.js", "normal.js", "diffusion.js", "word_digits.js")
SOURCE = "\n".join((FRONT / name).read_text() for name in PARTS)


@pytest.fixture
def calling(visitor, site):
    """Without motion: what is asked for is there at once."""
    page = visitor.open(first(KIND), **STILL)
    return page, to_widget(page, KIND)


def words_of(widget):
    return [word for group in content(widget)["state"]["groups"] for word in group]


def say(page, widget, word):
    widget.get_by_role("button", name=word, exact=True).click()
    frame(page)


def said(widget):
    pressed = widget.locator(".aew-chips button[aria-pressed=true]")
    return [name.strip() for name in pressed.all_inner_texts()]


def fill(page, widget, which, value):
    widget.locator("input[type=range]").nth(which).fill(str(value))
    frame(page)


def pictures(widget):
    return [canvas.evaluate("c => c.toDataURL()") for canvas in widget.locator(CANVASES).all()]


def readout(widget):
    return widget.locator(".aew-words").inner_text()


def heard(widget):
    return widget.locator(CANVASES).first.get_attribute("aria-label")


# ---- against Python


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_the_page_takes_the_steps_that_python_takes(browser, prediction):
    page = browser.new_page()
    widget = word_digits(prediction=prediction)
    for choice in (([1], 2.0, 1), ([], 3.0, 2), ([0, 3, 4], 0.75, 2**32 - 1)):
        widget.said, widget.weight, widget.seed = choice
        bundle = widget.bundle()
        found = page.evaluate(
            f"""({{ state, buffers }}) => {{
              {SOURCE}
              for (const [field, text] of Object.entries(buffers)) {{
                const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
                state[field] = new DataView(bytes.buffer);
              }}
              const sample = wordSampler({{ get: (field) => state[field] }});
              sample([2], 1, 5); // the path of other words is not kept
              return sample(state.said, state.weight, state.seed).map((z) => Array.from(z));
            }}""",
            {"state": bundle["state"], "buffers": bundle["buffers"]},
        )
        expected = widget.path()
        found = torch.tensor(found).reshape(expected.shape)
        scale = expected.abs().max().item()
        torch.testing.assert_close(found, expected, atol=1e-4 * scale, rtol=1e-3)
    page.close()


def test_pictures_are_drawn_as_python_draws_them(browser):
    widget = word_digits()
    page = mount(browser, widget, **STILL)
    dark, light = (int(tone[3:5], 16) for tone in widget.tones)
    for step, row in ((20, [0]), (0, [0]), (6, [1, 2])):
        widget.step, widget.said = step, row
        page.evaluate(
            """async ([step, said]) => {
              mounted.model.set('said', said);
              mounted.model.set('step', step);
              await mounted.frame();
            }""",
            [step, row],
        )
        images = widget.images
        for canvas, image in zip(page.locator(CANVASES).all(), images, strict=True):
            expected = dark + image.flatten() * (light - dark)
            assert (greens(canvas) - expected).abs().max() <= 1
        pairs = [(images[a] - images[b]).square().sum() for a in range(8) for b in range(a)]
        expected = torch.stack(pairs).mean().item()
        words = page.locator(".aew-words").inner_text()
        assert float(re.search(r"differ by ([\d.]+)", words)[1]) == pytest.approx(expected, abs=0.1)
    page.close()


# ---- words


def test_a_word_is_said_and_taken_back_and_excludes_its_opposite(calling):
    page, widget = calling
    groups = content(widget)["state"]["groups"]
    for word in said(widget):
        say(page, widget, word)
    assert said(widget) == []
    assert heard(widget).startswith("Picture 1 of 8, for no words. What step 20 of 20 expects")
    silent = pictures(widget)
    first_word, second_word = groups[0][:2]
    say(page, widget, first_word)
    assert said(widget) == [first_word]
    assert all(a != b for a, b in zip(pictures(widget), silent, strict=True))
    say(page, widget, second_word)
    assert said(widget) == [second_word]
    other = groups[1][0]
    say(page, widget, other)
    assert said(widget) == [second_word, other]
    assert heard(widget).startswith(f"Picture 1 of 8, for {second_word}, {other}. ")
    say(page, widget, second_word)
    say(page, widget, other)
    assert pictures(widget) == silent


def test_weight_0_does_not_listen(calling):
    page, widget = calling
    before = pictures(widget)
    fill(page, widget, 1, 0)
    deaf = pictures(widget)
    assert deaf != before
    for word in [word for word in words_of(widget) if word not in said(widget)][:2]:
        say(page, widget, word)
    assert pictures(widget) == deaf


def test_steps_lead_from_the_noise_to_the_digits(calling):
    page, widget = calling
    end = pictures(widget)
    seen = []
    for step in (0, 1, 10, 20):
        fill(page, widget, 0, step)
        seen.append(pictures(widget))
        value = widget.locator("input[type=range]").first.get_attribute("aria-valuetext")
        assert value == f"{step} of 20"
    assert seen[-1] == end
    assert len({images[0] for images in seen}) == 4
    fill(page, widget, 0, 0)
    assert readout(widget).startswith("The noise itself, decoded. ")


def test_other_noise_gives_other_digits(calling):
    page, widget = calling
    seen = {tuple(pictures(widget))}
    for _ in range(2):
        widget.get_by_role("button", name="Other noise").click()
        frame(page)
        seen.add(tuple(pictures(widget)))
    assert len(seen) == 3


# ---- motion


def test_a_word_sets_the_steps_going_and_they_end(visitor, site):
    page = visitor.open(first(KIND))
    widget = to_widget(page, KIND)
    slider = widget.locator("input[type=range]").first
    widget.get_by_role("button", name="Form again").click()
    page.wait_for_function("input => +input.value < 20", arg=slider.element_handle())
    seen = set()
    for _ in range(200):
        seen.add(int(slider.input_value()))
        if 20 in seen and len(seen) > 3:
            break
        frame(page)
    assert len(seen) > 3
    assert 20 in seen
    frame(page)
    assert slider.input_value() == "20"
    words = [word for word in words_of(widget) if word not in said(widget)]
    say(page, widget, words[-1])
    page.wait_for_function("input => +input.value < 20", arg=slider.element_handle())
    fill(page, widget, 0, 7)  # the hand on the slider ends it
    frame(page)
    assert slider.input_value() == "7"


def test_less_motion_shows_the_end_at_once(calling):
    page, widget = calling
    slider = widget.locator("input[type=range]").first
    fill(page, widget, 0, 3)
    widget.get_by_role("button", name="Form again").click()
    frame(page)
    assert slider.input_value() == "20"


# ---- on every screen


@pytest.mark.parametrize("width", [1280, 600, 390, 320])
def test_choosing_moves_nothing_on_the_page(browser, width):
    states = [{"said": row, "step": step} for row in ([], [0], [1, 3, 4]) for step in (0, 1, 20)]
    assert len(set(heights(browser, word_digits(), width, states))) == 1


def test_fits_a_phone(visitor, site):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visitor.open(first(KIND), **phone | STILL)
    widget = to_widget(page, KIND)
    assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
    before = pictures(widget)
    word = next(word for word in words_of(widget) if word not in said(widget))
    widget.get_by_role("button", name=word, exact=True).tap()
    frame(page)
    assert pictures(widget) != before


@pytest.mark.parametrize("change", [("said", [1, 3]), ("weight", 0.5), ("step", 4), ("seed", 9)])
def test_runs_where_a_kernel_is(browser, change):
    assert follows_its_model(browser, word_digits(), CANVASES, change)


def test_what_moves_ends_with_the_widget(browser):
    assert frames_after_the_end(browser, word_digits(), ".aew-buttons button") == 0


def test_the_kernel_hears_where_every_choice_came_to_rest(browser):
    page = mount(browser, word_digits())
    page.evaluate(
        """() => {
          mounted.saved = [];
          const state = () => ['said', 'seed', 'step', 'weight'].map((f) => mounted.model.get(f));
          mounted.model.save_changes = () => mounted.saved.push(state());
        }"""
    )

    def heard():
        page.wait_for_function("mounted.saved.length")
        return page.evaluate("mounted.saved.splice(0)")

    say(page, page, "two")
    assert heard() == [[[1], 1, 20, 2]]  # at the end of the way
    page.get_by_role("button", name="Other noise").click()
    assert heard() == [[[1], 2, 20, 2]]
    fill(page, page, 1, 3)
    assert heard() == [[[1], 2, 20, 3]]
    fill(page, page, 0, 5)
    assert heard() == [[[1], 2, 5, 3]]
    page.close()
