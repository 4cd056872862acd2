"""Figures in the published page: two files, one for each theme, and the caption as text.

``aecore.plots.show`` puts the SVG into the notebook. Here it becomes a light and a dark file; the
theme shows one of them. Builders other than HTML take the PNG that the notebook carries as well.
"""

import hashlib
import posixpath
import re
from typing import Any, ClassVar
from urllib.parse import quote

from docutils import nodes
from myst_nb.core.render import MimeData, NbElementRenderer
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from aecore.plots.display import MIME
from aecore.plots.palette import DARK

_SIZE = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)pt" height="([\d.]+)pt"')
_INK = re.compile("|".join(DARK), re.IGNORECASE)


class figure_image(nodes.image):  # type: ignore[misc]
    """One file of a figure. An ``image``, so that Sphinx copies the file to the page."""


class FigureRenderer:
    """Turns the output of ``aecore.plots.show`` into nodes; found by MyST-NB as an entry point."""

    mime_priority_overrides: ClassVar = [
        (builder, MIME, 1) for builder in ("html", "dirhtml", "singlehtml")
    ]

    @staticmethod
    def handle_mime(
        renderer: NbElementRenderer, data: MimeData, inline: bool
    ) -> list[nodes.Element] | None:
        """The figure's nodes, or ``None`` for data that is no figure."""
        if inline or data.mime_type != MIME:
            return None
        figure: dict[str, Any] = data.content
        width, height = natural_size(figure["svg"])
        # a container: the theme hides a caption that stands beside the image of the other theme
        images = nodes.container(classes=["ae-figure-images"])
        for theme, svg in (("light", figure["svg"]), ("dark", dark(figure["svg"]))):
            content = svg.encode()
            name = f"figure-{hashlib.sha256(content).hexdigest()[:20]}-{theme}.svg"
            images += figure_image(
                uri=renderer.write_file([name], content, exists_ok=True),
                alt=figure["alt"],
                classes=[f"only-{theme}"],
                pixels=(width, height),
                css_width=figure["width"],
            )
        box = nodes.figure("", images, classes=["ae-figure"])
        if figure["caption"]:
            caption = nodes.caption()
            # through the page's own Markdown, which is how its formulas reach MathJax
            with renderer.renderer.current_node_context(caption):
                renderer.renderer.nested_render_text(figure["caption"], data.line or 0, inline=True)
            box += caption
        return [box]


def dark(svg: str) -> str:
    """The same SVG with ink, muted, line and paper exchanged for their colours on dark paper."""
    return _INK.sub(lambda found: DARK[found[0].lower()], svg)


def natural_size(svg: str) -> tuple[int, int]:
    """Width and height of a matplotlib SVG in CSS pixels; a point is 4/3 of one."""
    found = _SIZE.search(svg)
    if found is None:
        raise ValueError("svg must begin with an <svg> element that has its size in points")
    width, height = (round(float(points) * 4 / 3) for points in found.groups())
    return width, height


def setup(app: Sphinx) -> None:
    """Tell Sphinx how a figure's image looks in HTML."""
    app.add_node(figure_image, html=(_visit_image, _depart_image))


def _visit_image(self: HTML5Translator, node: figure_image) -> None:
    uri = posixpath.join(self.builder.imgpath, quote(self.builder.images[node["uri"]]))
    width, height = node["pixels"]
    css_width = f"width: {node['css_width']}; " if node["css_width"] else ""
    attributes = {
        "src": uri,
        "alt": node["alt"],
        # the size in pixels reserves the room before the file is there
        "width": str(width),
        "height": str(height),
        "style": f"{css_width}max-width: 100%; height: auto",
        "loading": "lazy",
    }
    self.body.append(self.emptytag(node, "img", "\n", **attributes))


def _depart_image(self: HTML5Translator, node: figure_image) -> None:
    pass
