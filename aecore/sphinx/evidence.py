"""Claims in the published book: a table where they are verified, one page and one file for all.

- ``EvidenceRenderer`` turns what ``verify`` returns into a table.
- The directive ``{evidence}`` shows the claims of every page of the book.
- ``evidence.json``, beside the HTML, lists them with the seconds that each page took to run.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from myst_nb.core.render import MimeData, NbElementRenderer
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from aecore.evidence import MIME, figures

COLUMNS = (("Claim", 46), ("Measured", 12), ("Bound", 16), ("Holds", 8), ("Source", 18))
FIELDS = ("statement", "measured", "bound", "holds", "exact", "source")


class EvidenceRenderer:
    """The MyST-NB renderer of verified claims."""

    mime_priority_overrides: ClassVar = [("*", MIME, 1)]

    @staticmethod
    def handle_mime(
        renderer: NbElementRenderer, data: MimeData, inline: bool
    ) -> list[nodes.Element] | None:
        """Return the table of the claims in ``data``; ``None`` if it holds something else."""
        if inline or data.mime_type != MIME:
            return None
        content = json.loads(data.content) if isinstance(data.content, str) else data.content
        claims = [{field: claim[field] for field in FIELDS} for claim in content["claims"]]

        def prose(text: str) -> list[nodes.Node]:
            holder = nodes.Element()
            with renderer.renderer.current_node_context(holder):
                renderer.renderer.nested_render_text(text, data.line or 0, inline=True)
            return list(holder.children)

        rows = []
        for claim in claims:
            bound: list[nodes.Node] = [nodes.Text(claim["bound"])]
            if claim["exact"]:
                bound += [nodes.Text(" "), nodes.inline("", "exact", classes=["ae-exact"])]
            holds = "holds" if claim["holds"] else "fails"
            rows.append(
                [
                    prose(claim["statement"]),
                    [nodes.Text(figures(claim["measured"]))],
                    bound,
                    [nodes.inline("", holds, classes=[f"ae-{holds}"])],
                    prose(f"{{cite:t}}`{claim['source']}`") if claim["source"] else [],
                ]
            )
        table = _table(rows)
        table["claims"] = claims
        return [table]


def _table(rows: list[list[list[nodes.Node]]]) -> nodes.table:
    """A docutils table of cells, each a list of inline nodes."""
    group = nodes.tgroup("", cols=len(COLUMNS))
    group += [nodes.colspec("", colwidth=width) for _, width in COLUMNS]
    header: list[list[nodes.Node]] = [[nodes.Text(title)] for title, _ in COLUMNS]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *(_row(cells) for cells in rows))
    return nodes.table("", group, classes=["ae-evidence"])


def _row(cells: list[list[nodes.Node]]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))


class EvidenceDirective(SphinxDirective):
    """The directive ``{evidence}``: every claim of the book, page by page."""

    def run(self) -> list[nodes.Node]:
        """Return the placeholder that ``FillEvidence`` fills when all pages have been read."""
        return [nodes.container("", all_evidence=True)]


def _placeholders(document: nodes.document) -> list[nodes.container]:
    return [node for node in document.findall(nodes.container) if "all_evidence" in node]


class FillEvidence(SphinxPostTransform):
    """Fills the placeholders: before references are resolved, so that sources are links."""

    default_priority = 5

    def run(self, **kwargs: Any) -> None:
        """Fill this page."""
        for placeholder in _placeholders(self.document):
            placeholder.replace_self(list(self.content()) or [_nothing()])

    def content(self) -> Iterator[nodes.Element]:
        """Yield, for each page with claims, a heading that links to it, and one table."""
        collected = _collected(self.env)
        for page in sorted(collected):
            uri = self.app.builder.get_relative_uri(self.env.docname, page)
            link = nodes.reference("", self.env.titles[page].astext(), refuri=uri, internal=True)
            claims = [claim for table in collected[page] for claim in table["claims"]]
            summary = f"{len(claims)} claim{'s' * (len(claims) != 1)}"
            if exact := sum(claim["exact"] for claim in claims):
                summary += f", {exact} exact"
            if (seconds := _seconds(self.env, page)) is not None:
                summary += f", run in {seconds:.0f} s"
            yield nodes.rubric("", "", link, classes=["ae-evidence-page"])
            yield nodes.paragraph("", summary, classes=["ae-evidence-summary"])
            whole = collected[page][0].deepcopy()
            rows = next(whole.findall(nodes.tbody))
            for table in collected[page][1:]:
                rows += next(table.findall(nodes.tbody)).deepcopy().children
            for node in whole.findall(nodes.Element):
                node["ids"] = []
                if "refdoc" in node:  # links start from this page now
                    node["refdoc"] = self.env.docname
            yield whole


def _nothing() -> nodes.paragraph:
    return nodes.paragraph("", "No chapter has verified a claim yet.")


def _collected(env: BuildEnvironment) -> dict[str, list[nodes.table]]:
    """The tables of claims in the book, by page."""
    tables: dict[str, list[nodes.table]] = vars(env).setdefault("aecore_evidence", {})
    return tables


def _pages(env: BuildEnvironment) -> set[str]:
    """The pages that show all claims."""
    pages: set[str] = vars(env).setdefault("aecore_evidence_pages", set())
    return pages


def _seconds(env: BuildEnvironment, page: str) -> float | None:
    """How long the page's notebook ran, as MyST-NB noted it."""
    execution = getattr(env, "nb_metadata", {}).get(page, {}).get("exec_data") or {}
    runtime = execution.get("runtime")
    return None if runtime is None else round(float(runtime), 1)


def collect(app: Sphinx, document: nodes.document) -> None:
    """Note the claims of a page that has just been read."""
    tables = [table for table in document.findall(nodes.table) if "claims" in table]
    if tables:
        _collected(app.env)[app.env.docname] = [table.deepcopy() for table in tables]
    if _placeholders(document):
        _pages(app.env).add(app.env.docname)


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget a page that is about to be read again, or is gone."""
    _collected(env).pop(docname, None)
    _pages(env).discard(docname)


def merge(app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment) -> None:
    """Take over what another reading process found."""
    _collected(env).update({k: v for k, v in _collected(other).items() if k in docnames})
    _pages(env).update(_pages(other) & set(docnames))


def refresh(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have the pages that show all claims written again, with MathJax if a claim has a formula."""
    tables = [table for tables in _collected(env).values() for table in tables]
    if any(True for table in tables for _ in table.findall(nodes.math)):
        for page in _pages(env):
            env.get_domain("math").data["has_equations"][page] = True
    return sorted(_pages(env))


def write_json(app: Sphinx, exception: Exception | None) -> None:
    """Write ``evidence.json``: claims in the order of pages, and within a page as they stand."""
    if exception is not None or app.builder.format != "html":
        return
    entries = [
        {"chapter": page, **claim, "seconds": _seconds(app.env, page)}
        for page, tables in sorted(_collected(app.env).items())
        for table in tables
        for claim in table["claims"]
    ]
    path = Path(app.outdir) / "evidence.json"
    temporary = path.with_suffix(".json.tmp")
    temporary.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", "utf-8")
    temporary.replace(path)


def setup(app: Sphinx) -> None:
    """Connect claims to Sphinx."""
    app.add_directive("evidence", EvidenceDirective)
    app.add_post_transform(FillEvidence)
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", refresh)
    app.connect("build-finished", write_json)
