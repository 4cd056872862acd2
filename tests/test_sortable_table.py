"""The sortable table in Python: what its cells say, how it sorts, and what it refuses."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aecore.widgets import SortableTable
from aecore.widgets.sortable_table import Column

COLUMNS = [
    Column("Fréchet distance", digits=1, better="less"),
    Column("Recall", better="more"),
    Column("Change", unit="dB", digits=0),
    Column("Encoder"),
]
ROWS = {
    "VAE": [(140.2, 131.0, 151.1), 0.542, -3, "yes"],
    "GAN": [72.4, 0.771, None, "no"],
    "VAE-GAN": [(56.1, 50.25, 61.0), 0.894, 2.6, "yes"],
    "Diffusion": [61.3, 0.893, -0.2, None],
    "Real": [4.0, 1, 0, None],
}
FOLKLORE = {
    ("VAE", "Fréchet distance"): ("medium", True),
    ("GAN", "Recall"): ("poor", False),
    ("Diffusion", "Encoder"): ("none", True),
}


def sortable_table(**changes):
    arguments = {
        "columns": COLUMNS,
        "rows": ROWS,
        "name": "table",
        "label": "Models, measured",
        "folklore": FOLKLORE,
        "reference": "Real",
    } | changes
    by, descending = arguments.pop("by", -2), arguments.pop("descending", False)
    widget = SortableTable(**arguments)
    widget.by, widget.descending = by, descending
    return widget


def cell(widget, row, column):
    place = [entry["title"] for entry in widget.columns].index(column)
    return {entry["name"]: entry["cells"][place] for entry in widget.rows}[row]


# ---- what its cells say


def test_numbers_are_written_with_their_decimals():
    widget = sortable_table()
    assert [cell(widget, row, "Fréchet distance")["text"] for row in ROWS] == [
        "140.2", "72.4", "56.1", "61.3", "4.0"
    ]  # fmt: skip
    # a true minus, no sign on zero, nothing for what was not measured
    assert [cell(widget, row, "Change")["text"] for row in ROWS] == ["−3", "", "3", "0", "0"]
    assert [cell(widget, row, "Encoder")["text"] for row in ROWS] == ["yes", "no", "yes", "", ""]
    assert [column["numbers"] for column in widget.columns] == [True, True, True, False]


def test_large_numbers_are_grouped():
    widget = SortableTable(
        [Column("Weights", digits=0)], {"A": [1234567.0], "B": [-4000]}, name="a", label="A"
    )
    assert [row["cells"][0]["text"] for row in widget.rows] == ["1,234,567", "−4,000"]


def test_intervals_are_written_beside_their_number():
    widget = sortable_table()
    assert cell(widget, "VAE-GAN", "Fréchet distance")["interval"] == "50.2–61.0"
    assert "interval" not in cell(widget, "GAN", "Fréchet distance")
    below = SortableTable([Column("Gain", digits=1)], {"A": [(0, -1, 2)]}, name="a", label="A")
    assert below.rows[0]["cells"][0]["interval"] == "−1.0 to 2.0"


def test_bars_start_at_zero_and_end_at_the_largest():
    widget = sortable_table()
    for row, values in ROWS.items():
        distance = values[0]
        value, low, high = distance if isinstance(distance, tuple) else (distance, None, None)
        shown = cell(widget, row, "Fréchet distance")
        assert shown["bar"] == pytest.approx(value / 151.1, abs=1e-4)
        if low is not None:
            assert shown["ends"] == pytest.approx([low / 151.1, high / 151.1], abs=1e-4)
        assert "bar" not in cell(widget, row, "Change")  # it has negative numbers
        assert "bar" not in cell(widget, row, "Encoder")
    zeros = SortableTable([Column("Zero")], {"A": [0], "B": [0]}, name="a", label="A")
    assert "bar" not in zeros.rows[0]["cells"][0]


@pytest.mark.parametrize("reference", ["Real", None])
def test_the_best_of_a_column_is_marked_and_never_the_reference(reference):
    widget = sortable_table(reference=reference)

    def best(column):
        return [row for row in ROWS if cell(widget, row, column).get("best")]

    # what is written alike is equally good
    assert best("Recall") == (["VAE-GAN", "Diffusion"] if reference else ["Real"])
    assert best("Fréchet distance") == (["VAE-GAN"] if reference else ["Real"])
    assert best("Change") == best("Encoder") == []


def test_a_reference_as_good_as_the_best_is_not_marked():
    rows = {"A": [1], "B": [2], "C": [1]}
    columns = [Column("Cost", better="less")]
    widget = SortableTable(columns, rows, name="a", label="A", reference="C")
    assert ["best" in row["cells"][0] for row in widget.rows] == [True, False, False]


def test_folklore_stands_in_its_cell():
    widget = sortable_table()
    assert cell(widget, "VAE", "Fréchet distance")["said"] == "medium"
    assert cell(widget, "VAE", "Fréchet distance")["agrees"] is True
    assert cell(widget, "GAN", "Recall")["agrees"] is False
    assert cell(widget, "Diffusion", "Encoder")["said"] == "none"
    said = [c for row in widget.rows for c in row["cells"] if "said" in c]
    assert len(said) == 3


# ---- how it sorts


def test_rows_stand_as_given_with_the_reference_last():
    rows = {"Real": ROWS["Real"]} | {row: ROWS[row] for row in list(ROWS)[:-1]}
    assert sortable_table(rows=rows).order == list(ROWS)
    assert sortable_table(rows=rows, reference=None).order == list(rows)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (-1, ["Diffusion", "GAN", "VAE", "VAE-GAN"]),
        (0, ["VAE-GAN", "Diffusion", "GAN", "VAE"]),
        (1, ["VAE", "GAN", "Diffusion", "VAE-GAN"]),
        (2, ["VAE", "Diffusion", "VAE-GAN", "GAN"]),  # not measured: last
        (3, ["GAN", "VAE", "VAE-GAN", "Diffusion"]),
    ],
)
def test_it_sorts_by_any_column(by, expected):
    assert sortable_table(by=by).order == [*expected, "Real"]
    empty = {2: ["GAN"], 3: ["Diffusion"]}.get(by, [])
    known = [row for row in expected if row not in empty]
    if by == 3:  # equal cells keep the order given
        assert sortable_table(by=by, descending=True).order[:3] == ["VAE", "VAE-GAN", "GAN"]
    else:
        assert sortable_table(by=by, descending=True).order == [*known[::-1], *empty, "Real"]


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=8), st.booleans())
def test_sorting_is_pythons(values, descending):
    rows = {f"row {i}": [value] for i, value in enumerate(values)}
    widget = SortableTable([Column("A")], rows, name="a", label="A")
    widget.by, widget.descending = 0, descending
    found = [rows[row][0] for row in widget.order]
    known = sorted((v for v in values if v is not None), reverse=descending)
    assert found == known + [None] * (len(values) - len(known))


# ---- what it shows where no script runs


def test_alt_text_is_the_table_as_it_is_sorted():
    text = sortable_table(by=0).alt()
    assert text.startswith("Models, measured. VAE-GAN: Fréchet distance 56.1 (50.2–61.0) the best,")
    assert "Recall 0.77 against “poor”, Change not measured, Encoder no." in text
    assert "VAE: Fréchet distance 140.2 (131.0–151.1) as “medium”" in text
    assert "Change −3 dB" in text
    assert text.index("VAE-GAN:") < text.index("GAN: F") < text.index("Real:")


def test_picture_follows_the_order():
    pictures = {sortable_table(by=by).picture() for by in (-2, -1, 0)}
    assert len(pictures) == 3


def test_state_is_small_and_json():
    bundle = sortable_table().bundle()
    assert bundle["buffers"] == {}
    assert len(json.dumps(bundle["state"])) < 2500


# ---- what it refuses


def with_cell(value, row="GAN", place=0):
    return {"rows": ROWS | {row: [*ROWS[row][:place], value, *ROWS[row][place + 1 :]]}}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"columns": []}, ValueError, "columns must have at least one entry"),
        ({"columns": "abcd"}, TypeError, "columns must be list or tuple, got str"),
        ({"columns": ["A", "B", "C", "D"]}, TypeError, r"columns\[0\] must be Column, got str"),
        ({"columns": [COLUMNS[0]] * 4}, ValueError, "different titles, got 'Fréchet.*' twice"),
        ({"rows": {}}, ValueError, "rows must have at least one entry"),
        ({"rows": [[1, 2, 3, 4]]}, TypeError, "rows must be Mapping, got list"),
        ({"rows": {1: [1, 2, 3, "a"]}}, TypeError, "the name of a row must be str, got int"),
        ({"rows": {" ": [1, 2, 3, "a"]}}, ValueError, "the name of a row must say something"),
        ({"rows": ROWS | {"GAN": [1, 2, 3]}}, ValueError, r"\['GAN'\] must have 4 cells, got 3"),
        ({"rows": ROWS | {"GAN": "abcd"}}, TypeError, r"rows\['GAN'\] must be list or tuple"),
        ({"rows": {"Real": ROWS["Real"]}, "folklore": None}, ValueError, "beside the reference"),
        (with_cell(math.nan), ValueError, "Fréchet distance of GAN must be finite, got nan"),
        (with_cell(True), TypeError, "Fréchet distance of GAN must be a number, got bool"),
        (with_cell([1.0]), TypeError, "Fréchet distance of GAN must be a number, got list"),
        (with_cell((1.0, 0.0)), ValueError, r"must be \(value, low, high\), got 2 numbers"),
        (with_cell((3.0, 0.0, 2.0)), ValueError, "GAN must be between its ends, got"),
        (with_cell((1.0, 0.0, math.inf)), ValueError, "of GAN must be finite"),
        (with_cell("many"), TypeError, "Fréchet distance must have numbers or words, got both"),
        (with_cell("", place=3), ValueError, "Encoder of GAN must say something"),
        ({"folklore": {"VAE": ("good", True)}}, TypeError, "keyed by .row, title.*got 'VAE'"),
        ({"folklore": {("VAE", "Cost"): ("low", True)}}, ValueError, "the column of folklore"),
        ({"folklore": {("AE", "Recall"): ("low", True)}}, ValueError, "the row of folklore"),
        ({"folklore": {("VAE", "Recall"): "low"}}, TypeError, "must be .what is said, whether"),
        ({"folklore": {("VAE", "Recall"): ("low", 1)}}, TypeError, "agreement.* must be bool"),
        ({"folklore": {("VAE", "Recall"): ("", True)}}, ValueError, "must say something"),
        ({"folklore": [("VAE", "Recall")]}, TypeError, "folklore must be Mapping, got list"),
        ({"reference": "Fake"}, ValueError, "reference must be one of.*got 'Fake'"),
        ({"by": 4}, ValueError, "by must be at least -2 and at most 3, got 4"),
        ({"by": -3}, ValueError, "by must be at least -2"),
        ({"name": "A table"}, ValueError, "name must be"),
        ({"label": " "}, ValueError, "label must say"),
    ],
)
def test_table_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        sortable_table(**changes)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"title": ""}, ValueError, "title must say something"),
        ({"title": 3}, TypeError, "title must be str, got int"),
        ({"title": "A", "unit": None}, TypeError, "unit must be str, got None"),
        ({"title": "A", "digits": -1}, ValueError, "digits must be at least 0"),
        ({"title": "A", "digits": 1.0}, TypeError, "digits must be an integer, got float"),
        ({"title": "A", "better": "lower"}, ValueError, "better must be one of less, more"),
        ({"title": "A", "better": True}, TypeError, "better must be a string, got bool"),
    ],
)
def test_column_refuses(arguments, error, words):
    with pytest.raises(error, match=words):
        Column(**arguments)
