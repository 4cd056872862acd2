"""How the objects of ``aecore`` appear in a published page: a Sphinx extension.

Figures, widgets and evidence display themselves with MIME types of their own, and MyST-NB asks
the renderers in ``widget``, ``figure`` and ``evidence`` (entry points of the package) for the
HTML. This module makes those types win over the pictures that the same objects carry for
everyone else.
"""

from typing import TYPE_CHECKING, Any

from aecore.sphinx import evidence, figure, widget

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

MIMES = (
    "application/vnd.aecore.widget+json",
    "application/vnd.aecore.figure+json",
    "application/vnd.aecore.evidence+json",
)
BUILDERS = ("html", "dirhtml")


def setup(app: "Sphinx") -> dict[str, Any]:
    """Register the extension."""
    app.connect("config-inited", _prefer_our_types)
    for part in (widget, figure, evidence):
        part.setup(app)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}


def _prefer_our_types(app: "Sphinx", config: "Config") -> None:
    # below 10 is before everything that MyST-NB knows by itself
    ours = [(builder, mime, 1) for builder in BUILDERS for mime in MIMES]
    config.nb_mime_priority_overrides = [*config.nb_mime_priority_overrides, *ours]
