"""What this book asks of Sphinx beyond its theme.

- The vendored MathJax is served with the book, to the pages that have a formula.
- A page can link to the repository without repeating its address.
- A comma or full stop stays on the line of the formula before it.
- The theme's icon script, 1.5 MB that draw what its icon font has drawn, is left out.
- Notebooks run with ``AECORE_BUILD=1``, so that widgets show what a page without a kernel can.
"""

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.config import Config

ICON_SCRIPT = re.compile(r'<script[^>]*src="[^"]*/fontawesome\.js[^"]*"></script>')
# an inline formula, and the punctuation that must not begin the next line
FORMULA = re.compile(r'<span class="math notranslate nohighlight">[^<]*</span>[.,;:!?)\]]+')


def serve_vendored(app: Sphinx) -> None:
    """Add ``_vendor`` to the static files.

    Not in ``_config.yml``: Jupyter Book would put every script below it on every page.
    """
    app.config.html_static_path.append(str(Path(app.srcdir) / "_vendor"))


def name_repository(app: Sphinx, config: Config) -> None:
    """Let a page write ``{{ repository }}`` for a link to the address in ``_config.yml``."""
    url = config.html_theme_options["repository_url"]
    config.myst_substitutions["repository"] = f"[repository]({url})"


def prepare_page(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Leave out the theme's icon script, and MathJax if the page has no formula; hold lines."""
    context["body"] = FORMULA.sub(
        r'<span class="ae-together">\g<0></span>', context.get("body", "")
    )
    context["without_icon_script"] = lambda html: ICON_SCRIPT.sub("", html)
    # Sphinx counts the formulas of the pages below as well, and so all of them for the first page
    if not app.env.get_domain("math").data["has_equations"].get(pagename, False):
        context["script_files"] = [
            script for script in context["script_files"] if not is_mathjax(script)
        ]


def is_mathjax(script: Any) -> bool:
    """Whether a script of a page is MathJax or its configuration."""
    body = script.attributes.get("body") or ""
    return "mathjax/" in str(script.filename) or body.startswith("window.MathJax")


def recopy_static_files(app: Sphinx, exception: Exception | None) -> None:
    """Copy static files even if no page changed; Sphinx stops before it would."""
    builder = app.builder
    if exception is None and isinstance(builder, StandaloneHTMLBuilder):
        builder.copy_static_files()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the book to Sphinx."""
    os.environ.setdefault("AECORE_BUILD", "1")
    app.connect("config-inited", name_repository)
    app.connect("builder-inited", serve_vendored)
    app.connect("html-page-context", prepare_page, priority=900)  # when all scripts are known
    app.connect("build-finished", recopy_static_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
