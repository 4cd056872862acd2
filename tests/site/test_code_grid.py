"""The code grid on the published page: painted with whatever paints, and decoded as torch does."""

import re

import numpy as np
import pytest
import torch

from aecore.widgets.packing import Packed, unpack
from tests.test_code_grid import code_grid

from .test_front_end import follows_its_model, heights, mount
from .test_widgets import at, buffer, content, first, frame, greens, pixels, swipe, to_widget, tones

pytestmark = pytest.mark.site

KIND = "code_grid"
GRID = ".aew-cells"
DECODED, CHANGE = (f".aew-outcome .aew-figure:nth-child({i}) canvas" for i in (1, 2))


@pytest.fixture
def painting(visitor, site):
    page = visitor.open(first(KIND))
    return page, to_widget(page, KIND)


class Data:
    """What the page has, as tensors, and what it should make of a grid."""

    def __init__(self, widget):
        state = content(widget)["state"]
        self.side, self.size = state["shape"]
        self.order, self.sets, self.moved = state["order"], state["sets"], state["moved"]
        self.logits = state["output"] == "logits"
        book = np.frombuffer(buffer(widget, "codebook"), "<f4").reshape(len(self.order), -1)
        self.codebook = torch.from_numpy(book.copy())
        packed = Packed(state["layers"], buffer(widget, "weights"), 0, self.size**2)
        self.decoder = unpack(packed)
        self.grids = self.rows(buffer(widget, "grids"))
        self.reach = np.frombuffer(buffer(widget, "reach"), "<u2").reshape(-1, 4)
        self.start = self.rows(buffer(widget, "codes"))[0]

    def rows(self, data):
        held = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        return held.reshape(-1, self.side**2).long()

    def image(self, codes):
        values = self.decoder(self.codebook[codes].t().reshape(1, -1)).flatten()
        return values.sigmoid() if self.logits else values.clamp(0, 1)

    def far(self, a, b):
        return int(((self.image(a) - self.image(b)).abs() > self.moved).sum())

    def mask(self, places):
        found = torch.zeros(self.size, self.size, dtype=torch.bool)
        for place in places:
            top, bottom, left, right = self.reach[place]
            found[top:bottom, left:right] = True
        return found.flatten()


def move_to(page, widget, place, side=7):
    centre(widget.locator(GRID))
    page.mouse.move(*at(widget.locator(GRID), *middle(place, side)))
    frame(page)


def centre(grid):
    grid.evaluate("grid => grid.scrollIntoView({block: 'center', behavior: 'instant'})")


def middle(place, side=7):
    return (place % side + 0.5) / side, (place // side + 0.5) / side


def paint(page, widget, *places):
    move_to(page, widget, places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(widget.locator(GRID), *middle(place)))
    page.mouse.up()
    frame(page)


def choose(widget, code):
    widget.get_by_role("radio", name=f"Code {code}", exact=True).check(force=True)
    frame(widget.page)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    frame(page)


def click(widget, name):
    widget.get_by_role("button", name=name).click()
    frame(widget.page)


def here(widget):
    """The row, column and code under the pointer or the keys, counted from 1, 1 and 0."""
    words = widget.locator(".aew-painted .aew-hint").inner_text()
    return tuple(map(int, re.match(r"Row (\d+), column (\d+): code (\d+)\.", words).groups()))


def total(widget):
    """How many codes are changed, and how many pixels moved with them."""
    words = widget.locator(".aew-words").first.inner_text()
    return tuple(map(int, re.match(r"(\d+) of \d+ codes .*: (\d+) of", words).groups()))


def last(widget):
    return widget.locator(".aew-words").nth(1).inner_text()


def brush(widget):
    words = widget.locator(".aew-colours .aew-title").inner_text()
    return int(re.match(r"Paint with code (\d+),", words)[1])


def shown(widget, data, codes):
    """Whether the image in the page is the decoder's, within a grey level."""
    found = greens(widget.locator(DECODED), data.size)
    return (found - tones(widget, data.image(codes))).abs().max() <= 1


# ---- what is shown is what torch computes


def test_painted_codes_are_decoded_as_torch_does(painting):
    page, widget = painting
    data = Data(widget)
    codes = data.start.clone()
    assert shown(widget, data, codes)
    for code, place in ((data.order[0], 24), (data.order[-2], 0), (data.order[3], 33)):
        choose(widget, code)
        assert brush(widget) == code
        before = codes.clone()
        codes[place] = code
        paint(page, widget, place)
        assert here(widget) == (place // 7 + 1, place % 7 + 1, code)
        assert shown(widget, data, codes)
        changed = int((codes != data.start).sum())
        assert total(widget) == (changed, pytest.approx(data.far(codes, data.start), abs=1))
        if before[place] == code:
            continue
        open_ = int(data.mask([place]).sum())
        moved = re.search(r"one code, could reach (\d+) pixels and moved (\d+)\.", last(widget))
        assert int(moved[1]) == open_
        assert int(moved[2]) == pytest.approx(data.far(codes, before), abs=1)
        rest = data.size**2 - open_
        assert last(widget).endswith(f"Of the other {rest}, none changed at all.")


def test_a_change_is_drawn_where_it_reaches_and_nowhere_else(painting):
    page, widget = painting
    data = Data(widget)
    opaque = """(canvas, side) => {
      const step = canvas.width / side, pen = canvas.getContext('2d');
      const at = (i) => (i + 0.5) * step;
      return Array.from({length: side * side}, (_, i) =>
        pen.getImageData(at(i % side), at(Math.floor(i / side)), 1, 1).data[3] > 0);
    }"""

    def drawn():
        return torch.tensor(widget.locator(CHANGE).evaluate(opaque, data.size))

    assert not drawn().any()
    ink = data.order[-2]
    choose(widget, ink)
    changed = [place for place in (0, 1) if data.start[place] != ink]
    paint(page, widget, 0, 1)
    codes = data.start.clone()
    codes[changed] = ink
    mask = data.mask(changed)
    assert torch.equal(drawn(), mask)
    state = content(widget)["state"]
    stops = torch.tensor([int(tone[3:5], 16) for tone in state["signed"]], dtype=torch.float32)
    difference = (data.image(codes) - data.image(data.start)) / state["contrast"]
    place = (difference.clamp(-1, 1) + 1) * 2  # of four parts between five stops
    left = place.floor().clamp(max=3).long()
    expected = stops[left] + (place - left) * (stops[left + 1] - stops[left])
    found = greens(widget.locator(CHANGE), data.size)
    assert (found - expected)[mask].abs().max() <= 1.5
    assert "of 2 codes" in last(widget) if len(changed) == 2 else "of one code" in last(widget)


def test_tiles_are_the_portraits(painting):
    """Where the number is not: the left half, within what shrinking makes of it."""
    _, widget = painting
    data = Data(widget)
    across = 3 * data.size // data.side
    portraits = torch.frombuffer(bytearray(buffer(widget, "portraits")), dtype=torch.uint8)
    portraits = portraits.reshape(len(data.order), across, across) / 255
    off = []
    for i, code in enumerate(data.order):
        tile = greens(widget.locator(".aew-palette canvas").nth(i), across)
        expected = tones(widget, portraits[code])
        seen = tile.reshape(across, across)
        off.append((seen - expected)[:, : across // 2].abs().mean().item())
    assert max(off) < 12
    assert sum(off) / len(off) < 4


def test_portraits_show_the_code(painting):
    """A cell of the grid and a tile of the palette have the same picture and the same number."""
    page, widget = painting
    data = Data(widget)
    tiles = widget.locator(".aew-palette canvas")
    assert tiles.count() == len(data.order)
    faint = widget.locator(".aew-palette .aew-unused").count()
    unused = set(range(len(data.order))) - set(data.grids.unique().tolist())
    assert faint == len(unused)
    assert len(
        {tiles.nth(i).evaluate("c => c.toDataURL()") for i in range(len(data.order))}
    ) == len(data.order)
    move_to(page, widget, 48)
    before = pixels(widget, GRID)
    code = next(c for c in data.order if c != data.start[24])
    choose(widget, code)
    assert pixels(widget, GRID) == before  # the brush alone changes nothing
    paint(page, widget, 24)
    assert pixels(widget, GRID) != before


# ---- painting


def test_a_drag_paints_what_it_crosses_and_is_one_change(painting):
    page, widget = painting
    data = Data(widget)
    code = data.order[-2]
    choose(widget, code)
    paint(page, widget, 7, 8, 9, 16)
    codes = data.start.clone()
    codes[[7, 8, 9, 16]] = code
    assert shown(widget, data, codes)
    assert total(widget)[0] == int((codes != data.start).sum())
    move_to(page, widget, 40)  # without a button nothing is painted
    assert here(widget)[:2] == (6, 6)
    assert shown(widget, data, codes)
    click(widget, "Undo")
    assert shown(widget, data, data.start)
    assert total(widget) == (0, 0)
    assert widget.get_by_role("button", name="Undo").is_disabled()
    assert "could reach" in last(widget)  # what was taken back is the last change


def test_a_drag_beyond_the_edge_stays_on_it(painting):
    page, widget = painting
    data = Data(widget)
    choose(widget, data.order[-2])
    move_to(page, widget, 27)
    page.mouse.down()
    page.mouse.move(*at(widget.locator(GRID), 1.3, 0.5))
    page.mouse.move(*at(widget.locator(GRID), 1.3, 1.4))
    page.mouse.up()
    frame(page)
    assert here(widget) == (7, 7, data.order[-2])


def test_the_right_button_picks_a_code_up(painting):
    page, widget = painting
    data = Data(widget)
    place = next(p for p in range(49) if data.start[p] != brush(widget))
    page.mouse.click(*at(widget.locator(GRID), *middle(place)), button="right")
    frame(page)
    assert brush(widget) == int(data.start[place])
    assert widget.get_by_role("radio", name=f"Code {brush(widget)}", exact=True).is_checked()
    assert total(widget) == (0, 0)


def test_keys_move_paint_pick_step_and_bring_back(painting):
    page, widget = painting
    data = Data(widget)
    widget.locator(GRID).focus()
    scroll = page.evaluate("scrollY")
    code = next(c for c in data.order if c not in data.start)
    choose(widget, code)
    widget.locator(GRID).focus()
    press(page, *["ArrowUp"] * 8, *["ArrowLeft"] * 8)
    assert here(widget)[:2] == (1, 1)
    press(page, "ArrowRight", "ArrowDown", "Space")
    assert here(widget) == (2, 2, code)
    assert total(widget)[0] == 1
    press(page, "PageUp")
    index = data.order.index(code)
    assert here(widget)[2] == data.order[(index + 1) % len(data.order)]
    press(page, "PageDown", "PageDown")
    below = data.order[index - 1]
    assert here(widget)[2] == below
    press(page, "Enter")
    assert brush(widget) == below
    press(page, "Delete")
    assert here(widget)[2] == int(data.start[8])
    assert total(widget) == (0, 0)
    press(page, "Control+z", "Control+z")  # delete, then the second page down
    assert here(widget)[2] == code
    press(page, "PageDown")
    assert here(widget)[2] == below
    press(page, *["ArrowDown"] * 8, *["ArrowRight"] * 8)
    assert here(widget)[:2] == (7, 7)
    assert page.evaluate("scrollY") == scroll
    codes = data.start.clone()
    codes[8] = below
    assert shown(widget, data, codes)


def test_buttons_fill_and_start_again(painting):
    page, widget = painting
    data = Data(widget)
    again = widget.get_by_role("button", name="Back to the grid as it was")
    assert again.is_disabled()
    code = data.order[1]
    choose(widget, code)
    click(widget, "The chosen code in every place")
    assert here(widget)[2] == code
    assert shown(widget, data, torch.full((49,), code))
    assert total(widget)[0] == int((data.start != code).sum())
    choose(widget, data.order[2])
    paint(page, widget, 30)
    again.click()
    frame(page)
    assert shown(widget, data, data.start)
    click(widget, "Undo")  # starting again is a change too
    codes = torch.full((49,), code)
    codes[30] = data.order[2]
    assert shown(widget, data, codes)


# ---- choosing


def test_grids_of_each_set_in_turn_and_around(painting):
    page, widget = painting
    data = Data(widget)
    row = 0
    for words, count in data.sets:
        if len(data.sets) > 1:
            widget.get_by_role("radio", name=words, exact=True).check(force=True)
            frame(page)
        seen = widget.locator(".aew-turn .aew-value")
        assert seen.inner_text() == f"1 of {count}"
        assert shown(widget, data, data.grids[row])
        click(widget, "Previous grid")
        assert seen.inner_text() == f"{count} of {count}"
        assert shown(widget, data, data.grids[row + count - 1])
        click(widget, "Next grid")
        click(widget, "Next grid")
        assert shown(widget, data, data.grids[row + 1 % count])
        row += count


def test_another_grid_forgets_the_changes(painting):
    page, widget = painting
    data = Data(widget)
    choose(widget, next(c for c in data.order if c != data.start[0]))
    paint(page, widget, 0)
    assert total(widget)[0] == 1
    click(widget, "Next grid")
    assert total(widget) == (0, 0)
    assert last(widget).startswith("Choose a code")
    assert widget.get_by_role("button", name="Undo").is_disabled()
    click(widget, "Previous grid")
    assert shown(widget, data, data.grids[0])


# ---- on every screen


@pytest.mark.parametrize("width", [1280, 720, 600, 390, 320])
def test_painting_moves_nothing_on_the_page(browser, width):
    widget = code_grid()
    plain = [{"code": code} for code in range(12)] + [{"chosen": row} for row in range(8)]
    assert len(set(heights(browser, widget, width, plain))) == 1
    page = mount(browser, widget, width)
    found = page.evaluate(
        """async () => {
          const { model, el, frame } = mounted;
          const found = [];
          for (const count of [0, 1, 9, 49]) {
            const codes = new Uint8Array(49).map((_, i) => (i < count ? 5 : 6));
            model.set('codes', new DataView(codes.buffer));
            await frame();
            found.push([el.getBoundingClientRect().height, el.scrollWidth - el.clientWidth]);
          }
          return found;
        }"""
    )
    page.close()
    tall, wider = zip(*found, strict=True)
    assert len(set(tall)) == 1
    assert set(wider) == {0}


def test_a_finger_paints_and_the_page_stays(visitor, site):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visitor.open(first(KIND), **phone)
    widget = to_widget(page, KIND)
    data = Data(widget)
    grid = widget.locator(GRID)
    choose(widget, data.order[-2])
    centre(grid)
    scroll = page.evaluate("scrollY")
    swipe(page, at(grid, *middle(3)), at(grid, *middle(45)), steps=12)
    codes = data.start.clone()
    codes[3::7] = data.order[-2]
    assert shown_small(widget, data, codes)
    assert page.evaluate("scrollY") == scroll
    beside = widget.locator(DECODED)
    swipe(page, at(beside, 0.5, 0.9), at(beside, 0.5, -2.0))
    assert page.evaluate("scrollY") != scroll
    assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")


def shown_small(widget, data, codes):
    """As `shown`, where the frames on the image cover the middle of no pixel but few."""
    found = greens(widget.locator(DECODED), data.size)
    return ((found - tones(widget, data.image(codes))).abs() <= 1).float().mean() > 0.9


def test_follows_window_and_theme(painting):
    page, widget = painting
    seen = {pixels(widget, GRID)}
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    frame(page)
    seen.add(pixels(widget, GRID))
    page.set_viewport_size({"width": 500, "height": 900})
    frame(page)
    seen.add(pixels(widget, GRID))
    assert len(seen) == 3
    grid = widget.locator(GRID)
    assert grid.evaluate("c => Math.abs(c.width - c.clientWidth * devicePixelRatio)") <= 1


def test_runs_where_a_kernel_is(browser):
    page = mount(browser, code_grid())
    canvases = (GRID, DECODED, CHANGE)
    before = [pixels(page, canvas) for canvas in canvases]
    page.evaluate("mounted.model.set('codes', new DataView(new Uint8Array(49).fill(5).buffer))")
    frame(page)
    after = [pixels(page, canvas) for canvas in canvases]
    page.evaluate("mounted.end(); document.documentElement.dataset.theme = 'dark'")
    page.set_viewport_size({"width": 500, "height": 900})
    frame(page)
    assert pixels(page, GRID) == after[0]  # at its end it no longer follows the page
    page.close()
    assert all(a != b for a, b in zip(after, before, strict=True))
    # a grid alone, before its codes arrive: the changed ones are others
    assert follows_its_model(browser, code_grid(), GRID, ("chosen", 3))


def test_the_kernel_hears_where_every_change_came_to_rest(browser):
    """Once a stroke or a choice, and then of the grid before it too."""
    widget = code_grid()
    page = mount(browser, widget)
    page.evaluate(
        """() => {
          mounted.saved = [];
          mounted.model.save_changes = () => mounted.saved.push(1);
        }"""
    )

    def heard():
        frame(page)
        return page.evaluate("mounted.saved.splice(0).length")

    start = list(widget.codes)
    page.mouse.move(*at(page.locator(GRID), *middle(0)))
    page.mouse.down()
    page.mouse.move(*at(page.locator(GRID), *middle(2)), steps=5)
    assert heard() == 0
    page.mouse.up()
    assert heard() == 1
    codes, before = page.evaluate(
        """() => ['codes', 'before'].map((field) =>
          [...new Uint8Array(mounted.model.get(field).buffer)].slice(-49))"""
    )
    assert before == start
    assert codes == [*[widget.code] * 3, *start[3:]]
    page.get_by_role("button", name="Undo").click()
    assert heard() == 1
    page.get_by_role("button", name="The chosen code in every place").click()
    assert heard() == 1
    page.get_by_role("button", name="Next grid").click()
    assert heard() == 1
    page.get_by_role("radio", name="Code 3", exact=True).check(force=True)
    assert heard() == 1
    page.locator(GRID).focus()
    press(page, "PageUp")
    assert heard() == 1
    page.mouse.click(*at(page.locator(GRID), 0.1, 0.1), button="right")
    assert heard() == 1
    page.close()
