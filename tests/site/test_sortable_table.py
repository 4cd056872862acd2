"""The sortable table in a browser: what stands in it, and every way to sort it.

Most tests run twice: on the page of the site that shows it, and with the live module alone,
which needs no site. Where no page shows it the first are skipped.
"""

import pytest

from tests.test_sortable_table import sortable_table

from .test_front_end import heights, mount
from .test_widgets import content, frame

pytestmark = pytest.mark.site

KIND = "sortable_table"
SCROLL = ".aew-scroll"


@pytest.fixture
def opened(opened):
    """The same, and the state of the widget."""

    def with_state(**options):
        page, widget = opened(**options)
        on_page = widget.get_attribute("kind") == KIND
        held = content(widget) if on_page else sortable_table().bundle()
        return page, widget, held["state"]

    return with_state


@pytest.fixture
def table(opened):
    return opened()


def shown(widget):
    """The names of the rows, from above."""
    return widget.locator("tbody th, tfoot th").all_inner_texts()


def heads(widget):
    """Their buttons; the first is that of the names."""
    return widget.locator("thead button")


def expected(state, by, descending):
    rows = state["rows"][:-1] if state["reference"] else state["rows"]
    rest = [row["name"] for row in state["rows"][len(rows) :]]

    def key(row):
        return row["name"] if by == -1 else row["cells"][by]["key"]

    known = sorted((r for r in rows if key(r) is not None), key=key, reverse=descending)
    missing = [row for row in rows if key(row) is None]
    return [row["name"] for row in known + missing] + rest


def starts_descending(state, by):
    column = state["columns"][by]
    return by >= 0 and column["numbers"] and column["better"] != "less"


# ---- what stands in it


def test_cells_hold_what_was_measured_and_said(table):
    _, widget, state = table
    assert shown(widget) == [row["name"] for row in state["rows"]]
    for line, row in zip(widget.locator("tbody tr, tfoot tr").all(), state["rows"], strict=True):
        for field, cell in zip(line.locator("td").all(), row["cells"], strict=True):
            text = field.inner_text()
            assert (cell["text"] or "not measured") in text
            assert ("●" in text) == ("the best" in text) == ("best" in cell)
            assert (cell.get("interval") or "") in text
            if "said" in cell:
                sign, words = ("✓", "agrees") if cell["agrees"] else ("×", "does not")
                assert f"“{cell['said']}” {sign}" in text
                assert f"the run {words}" in text
            else:
                assert "“" not in text


def test_heads_say_the_unit_and_what_is_better(table):
    _, widget, state = table
    for head, column in zip(widget.locator("thead th").all()[1:], state["columns"], strict=True):
        text = " ".join(head.inner_text().split())
        better = f"{column['better']} is better" if column["better"] else ""
        notes = " ".join(filter(None, [column["unit"], better]))
        assert text == " ".join(filter(None, [column["title"] + "↕", notes]))
        assert head.get_attribute("scope") == "col"


def test_bars_are_as_long_as_their_numbers(table):
    _, widget, state = table
    cells = [cell for row in state["rows"] for cell in row["cells"] if "bar" in cell]
    bars = widget.locator(".aew-bar")
    assert bars.count() == len(cells) > 0
    for bar, cell in zip(bars.all(), cells, strict=True):
        length, whole, ends = bar.evaluate(
            """bar => {
              const line = getComputedStyle(bar, '::after');
              const width = bar.getBoundingClientRect().width;
              const ends = line.content === 'none' ? null
                : [parseFloat(line.left), parseFloat(line.left) + parseFloat(line.width)];
              return [parseFloat(getComputedStyle(bar).backgroundSize) / 100, width, ends];
            }"""
        )
        assert length == pytest.approx(cell["bar"], abs=1e-3)
        assert (ends is None) == ("ends" not in cell)
        if ends:
            assert [end / whole for end in ends] == pytest.approx(cell["ends"], abs=0.02)


def test_numbers_stand_at_the_right_and_words_at_the_left(table):
    _, widget, state = table
    for line in widget.locator("tr").all():
        fields = line.locator("td, thead th:not(:first-child)").all()
        for field, column in zip(fields, state["columns"], strict=False):
            side = field.evaluate("e => getComputedStyle(e).textAlign")
            assert side == ("right" if column["numbers"] else "left")


# ---- sorting


def test_every_column_sorts_both_ways_and_back(table):
    _, widget, state = table
    given = [row["name"] for row in state["rows"]]
    for by in range(-1, len(state["columns"])):
        head = heads(widget).nth(by + 1)
        cell = widget.locator("thead th").nth(by + 1)
        down = starts_descending(state, by)
        for descending in (down, not down):
            head.click()
            assert shown(widget) == expected(state, by, descending)
            assert cell.get_attribute("aria-sort") == ("descending" if descending else "ascending")
            assert ("▼" if descending else "▲") in cell.inner_text()
        others = widget.locator("thead th[aria-sort=none]")
        assert others.count() == len(state["columns"])
        head.click()
        assert shown(widget) == given
        assert cell.get_attribute("aria-sort") == "none"


def test_the_best_come_first(table):
    _, widget, state = table
    ranked = state["rows"][:-1] if state["reference"] else state["rows"]
    for by, column in enumerate(state["columns"]):
        heads(widget).nth(by + 1).click()
        if column["better"] and column["numbers"]:
            best = [row["name"] for row in ranked if "best" in row["cells"][by]]
            assert sorted(shown(widget)[: len(best)]) == sorted(best)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_keys_sort_and_the_focus_stays(table, key):
    page, widget, state = table
    head = heads(widget).nth(1)
    head.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert head.evaluate("e => e === document.activeElement")
    assert head.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press(key)
    assert shown(widget) == expected(state, 0, starts_descending(state, 0))
    assert head.evaluate("e => e === document.activeElement")


def test_the_order_is_spoken(table):
    _, widget, state = table
    status = widget.locator("[role=status]")
    assert status.inner_text() == ""
    heads(widget).first.click()
    names = ", ".join(expected(state, -1, False))
    if state["reference"]:
        names = names.rsplit(", ", 1)[0]
    assert status.inner_text() == f"Sorted by Model, A to Z: {names}."


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_but_the_rows(opened, width):
    _, widget, state = opened(viewport={"width": width, "height": 900})
    places = set()
    for by in range(len(state["columns"]) + 1):
        heads(widget).nth(by).click()
        boxes = widget.locator("thead th").evaluate_all(
            "all => all.map(e => e.getBoundingClientRect()).map(b => [b.width, b.height].join())"
        )
        places.add((*boxes, widget.locator("table").evaluate("e => e.clientHeight")))
    assert len(places) == 1


# ---- on a phone


def test_it_scrolls_under_the_names_of_its_rows(opened):
    page, widget, _ = opened(viewport={"width": 320, "height": 800})
    names, region = widget.locator("tbody th").first, widget.locator(SCROLL)
    before = names.bounding_box()["x"], widget.locator("tbody td").first.bounding_box()["x"]
    region.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(200)
    after = names.bounding_box()["x"], widget.locator("tbody td").first.bounding_box()["x"]
    assert after[0] == before[0]
    assert after[1] < before[1] - 20
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    # nothing shines through
    paper = names.evaluate("e => getComputedStyle(e).backgroundColor")
    assert "rgba" not in paper
    assert paper != "transparent"


def test_parts_have_names(table):
    _, widget, _ = table
    for part in widget.locator("[role]:not([role=status])").all():
        assert part.get_attribute("aria-label").strip()
    assert all(text.strip() for text in widget.locator("button").all_inner_texts())
    assert widget.locator("tbody th[scope=row]").count() > 1


# ---- where a kernel is


def test_follows_its_model_and_ends(browser):
    page = mount(browser, sortable_table())
    page.evaluate("mounted.model.set('descending', true); mounted.model.set('by', 0)")
    widget = page.locator(".aew")
    assert shown(widget) == sortable_table(by=0, descending=True).order
    page.evaluate("mounted.end()")
    assert page.evaluate("mounted.listeners.size") == 0
    page.close()


def test_starts_as_it_was_set(browser):
    page = mount(browser, sortable_table(by=1, descending=True))
    assert shown(page.locator(".aew")) == sortable_table(by=1, descending=True).order
    page.close()


def test_a_kernel_is_told(browser):
    page = mount(browser, sortable_table())
    page.evaluate("mounted.saved = 0; void (mounted.model.save_changes = () => mounted.saved++)")
    head = heads(page.locator(".aew")).nth(2)
    for state in ([1, True], [1, False], [-2, False]):
        head.click()
        frame(page)
        assert page.evaluate("['by', 'descending'].map(mounted.model.get)") == state
    assert page.evaluate("mounted.saved") == 3
    page.close()


def test_without_folklore_and_reference_nothing_is_said_of_them(browser):
    page = mount(browser, sortable_table(folklore=None, reference=None))
    text = page.locator(".aew").inner_text()
    assert "commonly said" not in text
    assert "●" in text
    assert page.locator("tfoot tr").count() == 0
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_height_is_the_same_wherever_a_kernel_puts_it(browser, width):
    states = [{"by": by, "descending": by % 2 == 0} for by in range(-2, 4)]
    assert len(set(heights(browser, sortable_table(), width, states))) == 1
