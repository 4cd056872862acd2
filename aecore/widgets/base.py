"""What the book's widgets share: one front-end, shown by a kernel or by the published page.

With a kernel, a widget is an ``anywidget.AnyWidget``. During a build (``AECORE_BUILD=1``) it
opens no comm: it displays itself as data (``MIME``), which ``aecore.sphinx`` turns into an
element that needs no kernel, with a picture for where no script runs.
"""

import base64
import io
import os
import re
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from matplotlib.figure import Figure

from aecore import checks

MIME = "application/vnd.aecore.widget+json"
STATIC = Path(__file__).parent / "static"
LIBRARY = (  # what every front-end may use
    "matmul.js",
    "network.js",
    "stage.js",
    "normal.js",
    "behaviour.js",
    "sketch.js",
    "mosaic.js",
    "cells.js",
    "portraits.js",
    "diffusion.js",
)


def building() -> bool:
    """Whether the book is being built: then nothing may ask for a kernel later."""
    return os.environ.get("AECORE_BUILD") == "1"


def front_end(kind: str) -> str:
    """The module that anywidget loads: the very files of the page, and an export."""
    parts = [(STATIC / part).read_text("utf-8") for part in (*LIBRARY, f"{kind}.js")]
    return "\n".join([*parts, "export default { render };"])


class Widget(anywidget.AnyWidget):
    """A widget of the book. A subclass names its ``kind`` and draws its picture.

    ``name`` identifies it in the book (lower case, digits, hyphens); ``label`` is the line above
    it, and its name for those who do not see it.
    """

    kind: ClassVar[str]
    _css = (STATIC / "widgets.css").read_text("utf-8")

    label = traitlets.Unicode().tag(sync=True)

    def __init__(self, *, name: str, label: str, **state: Any) -> None:
        checks.instance("name", name, str)
        checks.instance("label", label, str)
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            raise ValueError(
                f"name must be lower-case letters, digits and hyphens, such as 'latent-digits', "
                f"got {name!r}"
            )
        if not label.strip():
            raise ValueError("label must say what the widget shows, got an empty string")
        self.name = name
        super().__init__(label=label, **state)

    def picture(self) -> bytes:
        """A PNG of the widget as it first appears, for where no script runs."""
        raise NotImplementedError

    def alt(self) -> str:
        """What the picture shows, in words."""
        raise NotImplementedError

    def open(self) -> None:
        """Open the comm to the front-end, unless the book is being built."""
        if not building():
            super().open()

    def bundle(self) -> dict[str, Any]:
        """The widget as JSON: kind, name, label, alternative text, state, buffers, picture."""
        synced = set(self.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names())
        state = {field: getattr(self, field) for field in sorted(synced) if field[0] != "_"}
        buffers = {field: value for field, value in state.items() if isinstance(value, bytes)}
        return {
            "kind": self.kind,
            "name": self.name,
            "label": self.label,
            "alt": self.alt(),
            "state": {field: value for field, value in state.items() if field not in buffers},
            "buffers": {field: _text(value) for field, value in buffers.items()},
            "picture": _text(self.picture()),
        }

    def __repr__(self) -> str:
        # no address and no id: the same run must print the same text
        return f"{type(self).__name__}({self.name!r})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if building():
            bundle = self.bundle()
            return {MIME: bundle, "image/png": bundle["picture"], "text/plain": repr(self)}
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is None:  # closed
            return None
        live, metadata = shown
        # the picture stays in a saved notebook, where the kernel is gone
        return {**live, "image/png": _text(self.picture())}, metadata


def figure_png(figure: Figure) -> bytes:
    """A widget's figure as a file: sharp, on a transparent ground, the same bytes each time."""
    file = io.BytesIO()
    figure.savefig(file, dpi=144, transparent=True, metadata={"Software": None})
    return file.getvalue()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
