"""A table of measurements that can be sorted by any column, beside what is commonly said."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import traitlets
from matplotlib.figure import Figure

from aecore import checks
from aecore.plots.palette import GREY
from aecore.widgets.base import Widget, figure_png, front_end

Cell = float | tuple[float, float, float] | str | None
BETTER = {"less": "less is better", "more": "more is better"}
MARKS = {True: "✓", False: "×"}  # the run agrees with what is said, or does not
AS_GIVEN, BY_NAME = -2, -1


@dataclass(frozen=True)
class Column:
    """A measurement: its ``title``, its ``unit``, the decimals it is written with.

    ``better``: ``"less"`` or ``"more"``, or ``None`` where neither is.
    """

    title: str
    unit: str = ""
    digits: int = 2
    better: str | None = None

    def __post_init__(self) -> None:
        _words("title", self.title)
        checks.instance("unit", self.unit, str)
        checks.integer("digits", self.digits, low=0, high=6)
        if self.better is not None:
            checks.choice("better", self.better, BETTER)


class SortableTable(Widget):
    """One row a model, one column a measurement; the head of a column sorts by it.

    ``columns``: a ``Column`` each. ``rows``: from the name of a row to its cells, in the order of
    ``columns``: a number; a number and the ends of its interval, ``(value, low, high)``; a word,
    such as ``"yes"``; or ``None`` for what was not measured. A column has numbers or words. The
    best numbers, as written, are marked where a column says what is better; numbers that are
    nowhere negative have bars from zero.

    ``folklore``: from ``(row, title of the column)`` to ``(what is said, whether the run
    agrees)``. ``reference``: the name of a row to compare with, such as real data against real
    data: it stays at the foot, and is never the best.

    ``by``, the position of a column, −1 for the names or −2 for the rows as given, and
    ``descending`` can be set before the widget is displayed, and read and set from Python while
    a kernel runs. What was not measured comes last either way.
    Raises ``TypeError`` or ``ValueError`` for rows that do not fit the columns.
    """

    kind = "sortable_table"
    _esm = front_end(kind)

    columns: Any = traitlets.List().tag(sync=True)  # [{title, unit, better, numbers}]
    rows: Any = traitlets.List().tag(sync=True)  # [{name, cells}]
    reference = traitlets.Bool().tag(sync=True)  # whether the last row is one
    by = traitlets.Int(AS_GIVEN).tag(sync=True)
    descending = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Mapping[str, Sequence[Cell]],
        *,
        name: str,
        label: str,
        folklore: Mapping[tuple[str, str], tuple[str, bool]] | None = None,
        reference: str | None = None,
    ) -> None:
        heads = _heads(columns)
        table = _table(rows, heads)
        said = _folklore({} if folklore is None else folklore, table, heads)
        if reference is not None:
            checks.choice("reference", reference, table)
            table[reference] = table.pop(reference)  # last
        if len(table) == (reference is not None):
            raise ValueError("rows must have one beside the reference, got none")

        shown: dict[str, list[dict[str, Any]]] = {row: [] for row in table}
        numbers = []
        for place, head in enumerate(heads):
            cells = _column({row: values[place] for row, values in table.items()}, head)
            numbers.append(any(isinstance(cell["key"], float) for cell in cells.values()))
            best = _best([cells[row] for row in table if row != reference], head)
            for row, cell in cells.items():
                if row != reference and cell["text"] == best:
                    cell["best"] = True
                if (row, head.title) in said:
                    cell["said"], cell["agrees"] = said[row, head.title]
                shown[row].append(cell)
        super().__init__(
            name=name,
            label=label,
            columns=[
                {"title": head.title, "unit": head.unit, "better": head.better, "numbers": held}
                for head, held in zip(heads, numbers, strict=True)
            ],
            rows=[{"name": row, "cells": cells} for row, cells in shown.items()],
            reference=reference is not None,
        )

    @traitlets.validate("by")
    def _a_column(self, proposal: Any) -> int:
        return checks.integer("by", proposal["value"], low=AS_GIVEN, high=len(self.columns) - 1)

    @property
    def order(self) -> list[str]:
        """The names of the rows as they are shown, the reference last."""
        return [row["name"] for row in self._ordered()]

    def _ordered(self) -> list[Any]:
        ranked, rest = (self.rows[:-1], self.rows[-1:]) if self.reference else (self.rows, [])
        if self.by == AS_GIVEN:
            return [*ranked, *rest]

        def key(row: Any) -> Any:
            return row["name"] if self.by == BY_NAME else row["cells"][self.by]["key"]

        known = [row for row in ranked if key(row) is not None]
        known.sort(key=key, reverse=self.descending)
        return [*known, *(row for row in ranked if key(row) is None), *rest]

    def alt(self) -> str:
        """What the picture shows, in words: the table, row by row."""
        lines = []
        for row in self._ordered():
            cells = []
            for column, cell in zip(self.columns, row["cells"], strict=True):
                words = [column["title"], cell["text"] or "not measured"]
                words += [column["unit"]] if isinstance(cell["key"], float) else []
                words += [f"({cell['interval']})"] if "interval" in cell else []
                words += ["the best"] if "best" in cell else []
                if "said" in cell:
                    words.append(f"{'as' if cell['agrees'] else 'against'} “{cell['said']}”")
                cells.append(" ".join(filter(None, words)))
            lines.append(f"{row['name']}: {', '.join(cells)}.")
        return f"{self.label}. {' '.join(lines)}"

    def picture(self) -> bytes:
        """The table as it is sorted, on a transparent ground."""
        grid = [["", *map(_head_lines, self.columns)]]
        grid += [[row["name"], *map(_cell_lines, row["cells"])] for row in self._ordered()]
        texts = [[text.split("\n") for text in line] for line in grid]
        columns = zip(*texts, strict=True)
        widths = [max(len(part) for text in column for part in text) + 2 for column in columns]
        heights = [max(map(len, line)) + 0.7 for line in texts]
        size = min(9.0, 6.9 * 72 / (0.56 * sum(widths)))  # points: the table fills its column
        figure = Figure(figsize=(6.9, 1.35 * size * sum(heights) / 72))
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, sum(widths)), ylim=(sum(heights), 0))
        axes.set_axis_off()
        style: Any = {"color": GREY, "va": "center", "size": size}  # reads in light and dark
        for number, line in enumerate(texts):
            top = sum(heights[:number])
            for place, text in enumerate(line):
                x, side = (sum(widths[: place + 1]), "right") if place else (0, "left")
                for k, part in enumerate(text):
                    strong = number == 0 or (k == 0 and (place == 0 or part.startswith("●")))
                    weight = 600 if strong else 400
                    axes.text(x, top + k + 0.85, part, ha=side, weight=weight, **style)
            if number:
                axes.axhline(top, color=GREY, alpha=0.4, lw=0.8)
        return figure_png(figure)


# ---- from what is given to what is shown


def _heads(columns: Sequence[Column]) -> list[Column]:
    checks.instance("columns", columns, list, tuple)
    if not columns:
        raise ValueError("columns must have at least one entry, got none")
    for place, head in enumerate(columns):
        checks.instance(f"columns[{place}]", head, Column)
    titles = [head.title for head in columns]
    for place, title in enumerate(titles):
        if title in titles[:place]:
            raise ValueError(f"columns must have different titles, got {title!r} twice")
    return list(columns)


def _table(rows: Mapping[str, Sequence[Cell]], heads: list[Column]) -> dict[str, list[Cell]]:
    checks.instance("rows", rows, Mapping)
    table = {}
    for row, cells in rows.items():
        _words("the name of a row", row)
        checks.instance(f"rows[{row!r}]", cells, list, tuple)
        if len(cells) != len(heads):
            raise ValueError(f"rows[{row!r}] must have {len(heads)} cells, got {len(cells)}")
        table[row] = list(cells)
    if not table:
        raise ValueError("rows must have at least one entry, got none")
    return table


def _folklore(
    folklore: Mapping[tuple[str, str], tuple[str, bool]],
    table: Mapping[str, Any],
    heads: list[Column],
) -> dict[tuple[str, str], tuple[str, bool]]:
    checks.instance("folklore", folklore, Mapping)
    titles = [head.title for head in heads]
    for place, saying in folklore.items():
        name = f"folklore[{place!r}]"
        if not (isinstance(place, tuple) and len(place) == 2):
            raise TypeError(f"folklore must be keyed by (row, title of the column), got {place!r}")
        checks.choice(f"the row of {name}", place[0], table)
        checks.choice(f"the column of {name}", place[1], titles)
        if not (isinstance(saying, tuple) and len(saying) == 2):
            raise TypeError(
                f"{name} must be (what is said, whether the run agrees), got {saying!r}"
            )
        _words(name, saying[0])
        checks.instance(f"the agreement of {name}", saying[1], bool)
    return dict(folklore)


def _column(cells: Mapping[str, Cell], head: Column) -> dict[str, dict[str, Any]]:
    """From row to cell as JSON: its text and, to sort by, its key; interval and bar if any."""
    found: dict[str, dict[str, Any]] = {}
    ends: dict[str, list[float]] = {}
    for row, value in cells.items():
        name = f"{head.title} of {row}"
        if value is None:
            found[row] = {"key": None, "text": ""}
        elif isinstance(value, str):
            found[row] = {"key": _words(name, value), "text": value}
        elif isinstance(value, tuple):
            if len(value) != 3:
                raise ValueError(f"{name} must be (value, low, high), got {len(value)} numbers")
            middle, low, high = (checks.number(name, part) for part in value)
            if not low <= middle <= high:
                raise ValueError(f"{name} must be between its ends, got {value}")
            found[row] = {"key": middle, "text": _written(middle, head.digits)}
            between = " to " if low < 0 else "–"
            written = (_written(end, head.digits) for end in (low, high))
            found[row]["interval"] = between.join(written)
            ends[row] = [low, high]
        else:
            number = checks.number(name, value)
            found[row] = {"key": number, "text": _written(number, head.digits)}
    keys = [cell["key"] for cell in found.values() if cell["key"] is not None]
    if len({type(key) for key in keys}) > 1:
        raise TypeError(f"{head.title} must have numbers or words, got both")
    numbers = [key for key in keys if isinstance(key, float)]
    numbers += [end for pair in ends.values() for end in pair]
    if numbers and min(numbers) >= 0 < max(numbers):
        for row, cell in found.items():
            if cell["key"] is not None:
                cell["bar"] = round(cell["key"] / max(numbers), 4)
            if row in ends:
                cell["ends"] = [round(end / max(numbers), 4) for end in ends[row]]
    return found


def _best(cells: Sequence[Mapping[str, Any]], head: Column) -> str | None:
    """The best number of a column as it is written, for equal texts are equally good."""
    numbers = [cell for cell in cells if isinstance(cell["key"], float)]
    if head.better is None or not numbers:
        return None
    choose = min if head.better == "less" else max
    return str(choose(numbers, key=lambda cell: cell["key"])["text"])


def _words(name: str, value: object) -> str:
    checks.instance(name, value, str)
    if not str(value).strip():
        raise ValueError(f"{name} must say something, got an empty string")
    return str(value)


def _written(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", "−")


def _head_lines(column: Mapping[str, Any]) -> str:
    notes = [column["unit"], BETTER.get(column["better"], "")]
    return "\n".join([*textwrap.wrap(column["title"], 14), *filter(None, notes)])


def _cell_lines(cell: Mapping[str, Any]) -> str:
    lines = [f"● {cell['text']}" if "best" in cell else cell["text"] or "–"]
    lines += [cell["interval"]] if "interval" in cell else []
    lines += [f"“{cell['said']}” {MARKS[cell['agrees']]}"] if "said" in cell else []
    return "\n".join(lines)
