"""Widgets on their way into pages: elements, files, pasting, warnings, in every kind of build."""

import io
import json
import re
import shutil

import nbformat
import pytest
import torch
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from torch import nn

from aecore.sphinx.widget import INLINE, KINDS
from aecore.widgets import LatentExplorer, Switcher
from aecore.widgets.live import _Note


@pytest.fixture(autouse=True)
def building(monkeypatch):
    monkeypatch.setenv("AECORE_BUILD", "1")


def explorer(hidden=16, label="Two latents", name="latent-map"):
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, 784))
    return LatentExplorer(
        decoder, torch.randn(20, 2), torch.arange(20) % 10, name=name, label=label
    )


class Book:
    """A chapter that displays a widget, and a page outside of the tree that pastes it."""

    def __init__(self, root):
        self.root, self.source = root, root / "source"
        (self.source / "chapters").mkdir(parents=True)
        self.write(explorer())
        (self.source / "index.md").write_text("# Book\n\n```{toctree}\nchapters/one\n```\n")
        self.front("latent-map")

    def front(self, name):
        # no part of the tree: Sphinx rewrites a page by itself when a page below it changes
        text = f"---\norphan: true\n---\n# Front\n\n```{{widget}} {name}\n```\n"
        (self.source / "front.md").write_text(text)

    def write(self, *objects, page="chapters/one"):
        cells = [nbformat.v4.new_markdown_cell("# One")]
        for thing in objects:
            output = nbformat.v4.new_output("display_data", thing._repr_mimebundle_())
            cells.append(nbformat.v4.new_code_cell("show", outputs=[output]))
        language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=language)
        nbformat.write(notebook, self.source / f"{page}.ipynb")

    def build(self, parallel=1, **theme):
        warnings = io.StringIO()
        settings = {
            "extensions": ["myst_nb", "aecore.sphinx"],
            "nb_execution_mode": "off",
            "html_theme": "basic",
            "suppress_warnings": ["mystnb.exec"],
            "html_context": {"header_buttons": theme.get("buttons", [])},
        }
        with docutils_namespace():
            app = Sphinx(
                self.source, None, self.root / "out", self.root / "tree", "html", settings,
                status=None, warning=warnings, parallel=parallel,
            )  # fmt: skip
            app.build()
        return re.sub(r"\x1b\[[\d;]*m", "", warnings.getvalue())

    def page(self, name):
        return (self.root / "out" / f"{name}.html").read_text()


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path / "book")


def elements(page):
    return re.findall(r"<aecore-widget.*?</aecore-widget>", page, re.DOTALL)


def content(element):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', element)[1])


def test_widget_becomes_an_element_with_its_picture(book):
    assert book.build() == ""
    [element] = elements(book.page("chapters/one"))
    bundle = explorer().bundle()
    data = content(element)
    assert data["state"] == bundle["state"]
    assert data["buffers"]["codes"] == {"data": bundle["buffers"]["codes"]}
    source = re.search(r'<img [^>]*src="([^"]*)"', element)[1]
    assert (book.root / "out/chapters" / source).read_bytes().startswith(b"\x89PNG")
    assert 'alt="Two latents. Left: 20 codes' in element


def test_pasted_widget_is_the_same_but_for_its_paths(book):
    book.build()
    [there], [here] = elements(book.page("chapters/one")), elements(book.page("front"))
    assert there.replace('src="../_static', 'src="_static') == here


def test_only_pages_with_a_widget_load_the_script(book):
    (book.source / "chapters/two.md").write_text("---\norphan: true\n---\n# Two\n")
    book.build()
    for name, has in (("front", True), ("chapters/one", True), ("chapters/two", False)):
        page = book.page(name)
        assert ("aecore/widgets.js" in page) == ("aecore/widgets.css" in page) == has
    script = (book.root / "out/_static/aecore/widgets.js").read_text()
    assert all(f'define("{kind}", render)' in script for kind in KINDS)


def test_large_buffer_becomes_a_file_that_hands_it_over(book):
    large = explorer(hidden=200)
    assert len(large.weights) > INLINE
    book.write(large)
    book.build()
    weights = content(elements(book.page("front"))[0])["buffers"]["weights"]
    file = (book.root / "out/_static/aecore" / f"{weights['file']}.js").read_text()
    text = large.bundle()["buffers"]["weights"]
    assert file == f'aecoreDeliver("{weights["file"]}", "{text}");\n'
    assert text not in book.page("front")


def test_label_cannot_leave_its_place(book):
    label = 'Two </script><b title="x">latents</b> & more'
    book.write(explorer(label=label))
    assert book.build() == ""
    [element] = elements(book.page("front"))
    assert content(element)["state"]["label"] == label
    assert element.count("</script>") == 1
    assert "<b " not in element


def test_unknown_name_is_a_warning(book):
    book.front("lost")
    warnings = book.build()
    assert "no widget is named 'lost'; known: latent-map" in warnings
    assert "front.md:6" in warnings


def test_two_widgets_of_one_name_are_a_warning(book):
    book.write(explorer(), page="chapters/two")
    assert "widget 'latent-map' is also in chapters/" in book.build()
    book.write(explorer(), explorer(), page="chapters/one")
    (book.source / "chapters/two.ipynb").unlink()
    assert "widget 'latent-map' is twice in chapters/one" in book.build()


def test_changed_widget_changes_where_it_is_pasted(book):
    book.build()
    book.write(explorer(label="Changed"))
    assert book.build() == ""
    assert "Changed" in elements(book.page("front"))[0]


def test_removed_widget_is_missed_where_it_is_pasted(book):
    book.build()
    book.write(Switcher(torch.rand(2, 8, 8), {"a": [1, 2]}, name="other", label="Other"))
    assert "no widget is named 'latent-map'; known: other" in book.build()
    assert elements(book.page("front")) == []


def test_front_end_is_written_again_when_nothing_changed(book):
    book.build()
    script = book.root / "out/_static/aecore/widgets.js"
    script.unlink()
    book.build()
    assert script.exists()


def test_parallel_build_gives_the_same_pages(book):
    for number in range(8):  # Sphinx reads fewer pages than these in one process
        book.write(explorer(name=f"map-{number}"), page=f"chapters/page{number}")
    found = []
    for processes in (1, 2):
        shutil.rmtree(book.root / "tree", ignore_errors=True)
        book.build(parallel=processes)
        found.append([elements(book.page(name)) for name in ("front", "chapters/page7")])
    assert found[0] == found[1]
    assert [len(page) for page in found[0]] == [1, 1]
    # what the processes found out survives: a later build knows which page pastes
    book.write(explorer(label="Changed"))
    book.build()
    assert "Changed" in elements(book.page("front"))[0]


def test_note_of_live_controls_links_to_where_they_run(book):
    book.write(explorer(), _Note({"code": 8, "loss": "<bce>"}))
    links = [{"type": "link", "text": "Colab", "url": "https://colab.test/one.ipynb"}]
    book.build(buttons=[{"label": "launch-buttons", "buttons": links}])
    page = book.page("chapters/one")
    assert "Shown for code = 8, loss = &lt;bce&gt;." in page
    assert '<a href="https://colab.test/one.ipynb">Colab</a>' in page


def test_note_without_launch_buttons_has_no_links(book):
    book.write(explorer(), _Note({"code": 8}))
    book.build()
    assert '<p class="aew-live">Shown for code = 8.</p>' in book.page("chapters/one")
