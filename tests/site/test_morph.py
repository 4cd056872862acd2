"""The morph on the published page: both ways against torch, playing, and every control."""

import re

import pytest

from aecore.widgets.portraits import between
from tests.test_morph import morph

from .test_face_sliders import Faces, choose, same
from .test_front_end import follows_its_model, frames_after_the_end, heights
from .test_widgets import content, first, frame, pixels, to_widget, with_widget

pytestmark = pytest.mark.site

KIND = "morph"
DECODED, FADED = (f".aew-pair .aew-figure:{which}-child canvas" for which in ("first", "last"))


@pytest.fixture
def morphing(visitor, site):
    page = visitor.open(first(KIND))
    return page, to_widget(page, KIND)


def move(page, widget, t):
    widget.locator("input[type=range]").fill(str(t))
    frame(page)


@pytest.mark.parametrize("path", ["line", "sphere"])
def test_both_ways_are_torchs(morphing, path):
    page, widget = morphing
    data = Faces(widget)
    choose(page, widget, {"line": "Straight line", "sphere": "Sphere"}[path])
    for a, b in ((0, 1), (1, 0)):
        choose(page, widget, f"From face {a + 1}")
        choose(page, widget, f"To face {b + 1}")
        first_face, last_face = data.draw(data.codes[[a, b]])
        for t in (0, 0.3, 1):
            move(page, widget, t)
            z = between(data.codes[a], data.codes[b], t, path)
            middle = data.draw(z[None])[0]
            faded = (1 - t) * first_face + t * last_face
            assert same(widget.locator(DECODED), middle)
            assert same(widget.locator(FADED), faded)
            text = widget.locator(".aew-words").inner_text()
            square = float(re.search(r"differ by ([\d.]+)", text)[1])
            expected = float((middle - faded).square().sum())
            assert square == pytest.approx(expected, abs=0.06, rel=0.002)
            norm = float(re.search(r"code is ([\d.]+) from", text)[1])
            assert norm == pytest.approx(float(z.norm()), abs=0.0051)


def test_both_weights_are_one_file(visitor, site):
    """Two widgets with one decoder load it once."""
    pages = set(with_widget("morph")) & set(with_widget("face_sliders"))
    assert pages
    for path in pages:
        page = visitor.open(path)
        kinds = ("morph", "face_sliders")
        states = [content(page.locator(f'aecore-widget[kind="{kind}"]').first) for kind in kinds]
        if states[0]["state"]["layers"] == states[1]["state"]["layers"]:
            files = [state["buffers"]["weights"].get("file") for state in states]
            assert files[0] == files[1]
            for kind in kinds:
                to_widget(page, kind)
            loaded = page.evaluate(
                "performance.getEntriesByType('resource').map((entry) => entry.name)"
            )
            assert sum(f"{files[0]}.js" in name for name in loaded) == 1


def test_a_face_to_itself_stays(morphing):
    page, widget = morphing
    choose(page, widget, "To face 1")
    seen = set()
    for t in (0, 0.5, 1):
        move(page, widget, t)
        seen.add(pixels(widget, DECODED))
        assert "Face 1 to itself" in widget.locator(".aew-words").inner_text()
    assert len(seen) == 1


def playing(page, widget, frames=12):
    """Where the slider is, in so many frames one after the other."""
    places = []
    for _ in range(frames):
        frame(page)
        places.append(float(widget.locator("input[type=range]").input_value()))
    return places


def test_plays_and_stops(morphing):
    page, widget = morphing
    move(page, widget, 0)
    before = pixels(widget, DECODED)
    widget.get_by_role("button", name="Play").click()
    places = playing(page, widget)
    assert places[-1] > places[0] >= 0  # there first, and then back
    assert len(set(places)) > 6
    assert pixels(widget, DECODED) != before
    widget.get_by_role("button", name="Stop").click()
    assert len(set(playing(page, widget, 4))) == 1
    assert widget.get_by_role("button", name="Play").is_visible()


def test_the_slider_stops_what_plays(morphing):
    page, widget = morphing
    widget.get_by_role("button", name="Play").click()
    frame(page)
    move(page, widget, 0.25)
    assert set(playing(page, widget, 4)) == {0.25}


def test_turns_at_the_end(morphing):
    page, widget = morphing
    move(page, widget, 0.99)
    widget.get_by_role("button", name="Play").click()
    page.wait_for_function(
        "w => w.querySelector('input[type=range]').value < 0.9", arg=widget.element_handle()
    )


def test_less_motion_is_a_few_pictures(visitor, site):
    page = visitor.open(first(KIND), reduced_motion="reduce")
    widget = to_widget(page, KIND)
    move(page, widget, 0)
    widget.get_by_role("button", name="Play").click()
    places = playing(page, widget, 30)
    assert places == pytest.approx([round(6 * place) / 6 for place in places], abs=0.006)
    assert 2 <= len(set(places)) <= 7


def test_every_control_answers_to_keys(morphing):
    page, widget = morphing
    scroll = page.evaluate("scrollY")
    seen = [pixels(widget, DECODED)]
    for control in ("From face 1", "To face 2", "Straight line"):
        widget.get_by_role("radio", name=control, exact=True).focus()
        page.keyboard.press("ArrowRight")
        frame(page)
        seen.append(pixels(widget, DECODED))
    slider = widget.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    frame(page)
    seen.append(pixels(widget, DECODED))
    assert len(set(seen)) == 5
    assert page.evaluate("scrollY") == scroll
    assert slider.get_attribute("aria-valuetext") == "0.51"


@pytest.mark.parametrize("width", [1280, 390])
def test_choosing_moves_nothing_on_the_page(browser, width):
    states = [
        {"start": 0, "end": end, "t": t, "path": path}
        for end in (0, 3)
        for t in (0.0, 0.5, 1.0)
        for path in ("line", "sphere")
    ]
    assert len(set(heights(browser, morph(), width, states))) == 1


def test_fits_a_phone_and_follows_a_finger(visitor, site):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visitor.open(first(KIND), **phone)
    widget = to_widget(page, KIND)
    assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
    before = pixels(widget, DECODED)
    widget.locator(".aew-faces label").nth(1).tap()
    frame(page)
    assert pixels(widget, DECODED) != before


@pytest.mark.parametrize("change", [("start", 2), ("end", 3), ("t", 0.75), ("path", "sphere")])
def test_runs_where_a_kernel_is(browser, change):
    assert follows_its_model(browser, morph(), DECODED, change)


def test_what_plays_ends_with_the_widget(browser):
    assert frames_after_the_end(browser, morph(), ".aew-play") == 0
