"""From a matplotlib figure to what a page shows: one SVG, one PNG, a text that describes it."""

import base64
import html
import io
import re
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure as MatplotlibFigure

from aecore import checks
from aecore.plots.style import STYLE

MIME = "application/vnd.aecore.figure+json"

_WIDTH = re.compile(r"\d+(\.\d+)?(px|rem|em|%)")
_PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)


@dataclass(frozen=True)
class Figure:
    """A finished figure. A notebook displays it; the published page makes it light and dark.

    ``svg`` and ``png`` are the picture, ``alt`` says what it shows to who cannot see it,
    ``caption`` what to see in it, ``width`` is a CSS width or ``None`` for the natural one.
    """

    svg: str = field(repr=False)
    png: bytes = field(repr=False)
    alt: str
    caption: str | None = None
    width: str | None = None

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        published = {"svg": self.svg, "alt": self.alt, "caption": self.caption, "width": self.width}
        return {
            MIME: published,
            "text/html": self._html(),
            "image/png": base64.b64encode(self.png).decode(),
            "text/plain": self.alt,
        }

    def _html(self) -> str:
        # what a live notebook shows: on paper, for its theme may be dark and the ink is not
        source = base64.b64encode(self.svg.encode()).decode()
        width = f"width: {self.width}; " if self.width else ""
        image = (
            f'<img src="data:image/svg+xml;base64,{source}" alt="{html.escape(self.alt)}" '
            f'style="{width}max-width: 100%; height: auto; background: white">'
        )
        caption = (
            f'<figcaption style="max-width: 42em; opacity: 0.8">{html.escape(self.caption)}'
            "</figcaption>"
            if self.caption
            else ""
        )
        return f'<figure style="margin: 0.5em 0">{image}{caption}</figure>'


def show(
    figure: MatplotlibFigure, *, alt: str, caption: str | None = None, width: str | None = None
) -> Figure:
    """Close ``figure`` and return it in the form that notebooks and the published page display.

    ``alt`` is required: one or two sentences with what the picture shows, for who cannot see it.
    ``caption`` states the figure's message; it is plain text, and ``$...$`` in it is typeset.
    ``width`` is a CSS width such as ``"60%"``; without it the figure has its natural size.

    The same figure gives the same bytes, so a rebuilt page differs only where its content does.

    Raises ``TypeError`` or ``ValueError`` for a value that is not a figure, an empty ``alt`` or
    ``caption``, and a ``width`` that CSS would not understand.
    """
    checks.instance("figure", figure, MatplotlibFigure)
    alt = _text("alt", alt)
    caption = None if caption is None else _text("caption", caption)
    if width is not None:
        checks.instance("width", width, str)
        if not _WIDTH.fullmatch(width):
            raise ValueError(f"width must be a CSS length in px, rem, em or %, got {width!r}")
    with plt.style.context(STYLE):
        svg = _svg(figure)
        png = _png(figure)
    plt.close(figure)
    return Figure(svg, png, alt, caption, width)


def _svg(figure: MatplotlibFigure) -> str:
    buffer = io.StringIO()
    # no date, no creator: the same figure is the same text
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(buffer, format="svg", facecolor="none", metadata=nothing)
    return _PROLOGUE.sub("", buffer.getvalue(), count=1)


def _png(figure: MatplotlibFigure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _text(name: str, value: object) -> str:
    checks.instance(name, value, str)
    text = " ".join(str(value).split())
    if not text:
        raise ValueError(f"{name} must say something, got an empty text")
    return text
