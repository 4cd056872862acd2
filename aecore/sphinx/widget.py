"""Widgets in a published page: an element, its picture, its data, and one script.

A widget in a chapter's output becomes a ``<aecore-widget>`` there; the directive

    ```{widget} name
    ```

shows the same widget on another page. What is large (weights) goes into files named by their
hash, beside the script that loads them when the widget scrolls into view.
"""

import base64
import hashlib
import html
import json
import os
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

MIME = "application/vnd.aecore.widget+json"
FOLDER = "_static/aecore"
INLINE = 100_000  # bytes: a larger buffer becomes a file
FRONT = Path(__file__).parents[1] / "widgets" / "static"
KINDS = (
    "code_grid",
    "face_sliders",
    "gaussian_playground",
    "latent_explorer",
    "morph",
    "noise_pad",
    "plane_diffusion",
    "rate_distortion",
    "sortable_table",
    "switcher",
    "tangent_explorer",
    "traversal_sliders",
    "unit_browser",
    "word_digits",
)
LAUNCH = "<!--aecore-launch-->"  # where the links to Colab and Binder go

logger = logging.getLogger(__name__)


class Widget(nodes.General, nodes.Element):  # type: ignore[misc]
    """A widget's bundle, on its way to HTML."""


class Paste(nodes.General, nodes.Element):  # type: ignore[misc]
    """The wish to show the widget of this name here."""


class WidgetRenderer:
    """MyST-NB's way to a widget: from its bundle to a node."""

    mime_priority_overrides = (("html", MIME, 1),)

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[nodes.Element] | None:
        """Turn a widget's bundle into a node and remember where it stands."""
        if inline or data.mime_type != MIME:
            return None
        bundle = data.content
        name = bundle.get("name")
        if name is not None:
            env = renderer.renderer.sphinx_env
            home = _homes(env).get(name)
            if home is not None:
                where = "twice" if home == env.docname else "also"
                logger.warning("widget %r is %s in %s", name, where, home, location=env.docname)
            _homes(env)[name] = env.docname
        return [Widget(bundle=bundle)]


class WidgetDirective(SphinxDirective):
    """``{widget} name``: a widget that some chapter displays, shown here as well."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Leave a mark; the widget may be in a page that is not read yet."""
        paste = Paste(name=self.arguments[0])
        self.set_source_info(paste)
        _pastes(self.env).add(self.env.docname)
        return [paste]


def setup(app: "Sphinx") -> None:
    """Register node, directive and the events that keep them right in every kind of build."""
    app.add_node(Widget, html=(_visit_widget, None))
    app.add_node(Paste)
    app.add_directive("widget", WidgetDirective)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
    app.connect("env-updated", lambda app, env: sorted(_pastes(env)))
    app.connect("doctree-resolved", _paste)
    app.connect("html-page-context", _page, priority=900)  # after the theme's launch buttons
    # not static files of Sphinx, which copies none in a build where no page changed
    app.connect("builder-inited", _copy_front_end)


# ---- which page has which widget: name -> page, and the pages that paste


def _homes(env: "BuildEnvironment") -> dict[str, str]:
    homes: dict[str, str] = env.__dict__.setdefault("aecore_homes", {})
    return homes


def _pastes(env: "BuildEnvironment") -> set[str]:
    pastes: set[str] = env.__dict__.setdefault("aecore_pastes", set())
    return pastes


def _purge(app: "Sphinx", env: "BuildEnvironment", docname: str) -> None:
    for name in [name for name, home in _homes(env).items() if home == docname]:
        del _homes(env)[name]
    _pastes(env).discard(docname)


def _merge(
    app: "Sphinx", env: "BuildEnvironment", docnames: Iterable[str], other: "BuildEnvironment"
) -> None:
    read = set(docnames)
    _homes(env).update({name: home for name, home in _homes(other).items() if home in read})
    _pastes(env).update(_pastes(other) & read)


def _paste(app: "Sphinx", doctree: nodes.document, docname: str) -> None:
    for paste in list(doctree.findall(Paste)):
        name = paste["name"]
        home = _homes(app.env).get(name)
        found = app.env.get_doctree(home).findall(Widget) if home else ()
        widget = next((node for node in found if node["bundle"].get("name") == name), None)
        if widget is None:
            known = ", ".join(sorted(_homes(app.env))) or "none"
            logger.warning("no widget is named %r; known: %s", name, known, location=paste)
        paste.parent.replace(paste, [] if widget is None else [widget.deepcopy()])


# ---- HTML


def _visit_widget(self: Any, node: Widget) -> None:
    bundle = node["bundle"]
    self.body.append(_note(bundle) if bundle["kind"] == "live" else _element(self.builder, bundle))
    raise nodes.SkipNode


def _element(builder: Any, bundle: dict[str, Any]) -> str:
    folder = Path(builder.outdir) / FOLDER
    picture = base64.b64decode(bundle["picture"])
    width, height = struct.unpack(">II", picture[16:24])  # of the PNG's header
    image = _hash(picture) + ".png"
    _write(folder / image, picture)

    buffers: dict[str, dict[str, str]] = {}
    for field, text in bundle["buffers"].items():
        if len(text) * 3 // 4 <= INLINE:
            buffers[field] = {"data": text}
            continue
        name = _hash(text.encode())
        _write(folder / f"{name}.js", f'aecoreDeliver("{name}", "{text}");\n'.encode())
        buffers[field] = {"file": name}
    content = {"kind": bundle["kind"], "state": bundle["state"], "buffers": buffers}
    # "<" would let a label end the script element
    data = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")

    here = builder.get_target_uri(builder.current_docname)
    source = relative_uri(here, f"{FOLDER}/{image}")
    return (
        f'<aecore-widget name="{html.escape(bundle["name"])}" kind="{bundle["kind"]}">\n'
        f'<div class="aew-fallback"><p class="aew-label">{html.escape(bundle["label"])}</p>\n'
        f'<img class="dark-light" src="{source}" alt="{html.escape(bundle["alt"])}" '
        f'width="{width}" height="{height}" loading="lazy"></div>\n'
        f'<script type="application/json">{data}</script>\n</aecore-widget>\n'
    )


def _note(bundle: dict[str, Any]) -> str:
    setting = ", ".join(
        f"{html.escape(name)} = {html.escape(value)}" for name, value in bundle["setting"].items()
    )
    return f'<p class="aew-live">Shown for {setting}.{LAUNCH}</p>\n'


def _page(
    app: "Sphinx", pagename: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if doctree is None or not any(doctree.findall(Widget)):
        return
    app.add_js_file("aecore/widgets.js", loading_method="defer")
    app.add_css_file("aecore/widgets.css")
    buttons = [
        button
        for group in context.get("header_buttons", [])
        if group.get("label") == "launch-buttons"
        for button in group["buttons"]
        if button["type"] == "link"
    ]
    links = " or ".join(f'<a href="{b["url"]}">{b["text"]}</a>' for b in buttons)
    note = f" Run this chapter live in {links} to choose other values." if links else ""
    context["body"] = context["body"].replace(LAUNCH, note)


# ---- files


def page_script() -> str:
    """The one script of the page: host, library, every kind of widget, and the start."""

    def read(name: str) -> str:
        return (FRONT / name).read_text("utf-8")

    kinds = [f'{{\n{read(f"{kind}.js")}\ndefine("{kind}", render);\n}}' for kind in KINDS]
    parts = (
        "host.js", "matmul.js", "network.js", "stage.js", "normal.js", "behaviour.js",
        "sketch.js", "mosaic.js", "cells.js", "diffusion.js", "portraits.js",
    )  # fmt: skip
    library = [read(name) for name in parts]
    start = 'customElements.define("aecore-widget", AecoreWidget);'
    return "\n".join(['(() => {\n"use strict";', *library, *kinds, start, "})();\n"])


def _copy_front_end(app: "Sphinx") -> None:
    """Write the script and the style where the pages look for them."""
    if app.builder.format != "html":
        return
    folder = Path(app.outdir) / FOLDER
    _write(folder / "widgets.js", page_script().encode())
    _write(folder / "widgets.css", (FRONT / "widgets.css").read_bytes())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _write(path: Path, data: bytes) -> None:
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)
