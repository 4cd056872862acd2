"""Claims in a published book: the table, the page of all claims, the file; in every kind of build.

The book is a small one: notebooks that carry what ``verify`` displayed, and are not executed.
"""

import io
import json
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from aecore.evidence import Claim, verify

CONFIG = """
extensions = ["myst_nb", "sphinxcontrib.bibtex", "aecore.sphinx"]
bibtex_bibfiles = ["all.bib"]
bibtex_reference_style = "author_year"
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
nitpicky = True
"""
BIBLIOGRAPHY = "@misc{first1900, author = {First, Ada}, title = {On Claims}, year = {1900}}"
PLAIN = Claim("Four codes beat one", measured=0.31, at_least=0.25)
EXACT = Claim(
    "The floor is $H(x)$", measured=1.0, expected=1.0, within=1e-6, exact=True, source="first1900"
)


class Book:
    def __init__(self, folder: Path) -> None:
        self.source, self.site = folder / "source", folder / "site"
        (self.source / "chapters").mkdir(parents=True)
        self.write("conf.py", CONFIG)
        self.write("all.bib", BIBLIOGRAPHY)
        self.write("evidence.md", "# Evidence\n\n```{evidence}\n```\n")
        self.write("bibliography.md", "# Bibliography\n\n```{bibliography}\n```\n")
        self.write("index.md", "# Book\n\n```{toctree}\n:glob:\n**\n```\n")

    def write(self, name: str, text: str) -> None:
        (self.source / name).write_text(text)

    def chapter(self, name: str, *claims: Claim) -> None:
        output = nbformat.v4.new_output("display_data", verify(*claims)._repr_mimebundle_())
        cells = [
            nbformat.v4.new_markdown_cell(f"# Chapter {name}", id="title"),
            nbformat.v4.new_code_cell("verify(...)", id="claims", outputs=[output]),
        ]
        metadata = {"language_info": {"name": "python", "pygments_lexer": "python"}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
        self.write(f"chapters/{name}.ipynb", nbformat.writes(notebook))

    def build(self, processes: int = 1) -> None:
        warnings = io.StringIO()
        with docutils_namespace(), patch_docutils(self.source):
            app = Sphinx(
                self.source,
                self.source,
                self.site,
                self.site.with_name("doctrees"),
                "html",
                status=None,
                warning=warnings,
                parallel=processes,
            )
            app.build()
        assert warnings.getvalue() == ""

    def html(self, name: str) -> str:
        return (self.site / f"{name}.html").read_text()

    def entries(self) -> list[dict]:
        return json.loads((self.site / "evidence.json").read_text())


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_a_claim_in_its_chapter_on_the_page_and_in_the_file(book):
    book.chapter("01", PLAIN, EXACT)
    book.build()
    for name, bibliography in (
        ("chapters/01", "../bibliography.html"),
        ("evidence", "bibliography.html"),
    ):
        html = book.html(name)
        assert "Four codes beat one" in html
        assert "≥ 0.25" in html
        assert html.count('class="ae-holds"') == 2
        assert html.count('class="ae-exact"') == 1
        assert r"\(H(x)\)" in html
        assert "tex-mml-chtml.js" in html  # MathJax
        assert f'href="{bibliography}#' in html
    assert '<a class="reference internal" href="chapters/01.html">Chapter 01</a>' in book.html(
        "evidence"
    )
    assert "2 claims, 1 exact" in book.html("evidence")
    assert book.entries() == [
        {
            "chapter": "chapters/01",
            "statement": "Four codes beat one",
            "measured": 0.31,
            "bound": "≥ 0.25",
            "holds": True,
            "exact": False,
            "source": None,
            "seconds": None,
        },
        {
            "chapter": "chapters/01",
            "statement": "The floor is $H(x)$",
            "measured": 1.0,
            "bound": "1 ± 1e-06",
            "holds": True,
            "exact": True,
            "source": "first1900",
            "seconds": None,
        },
    ]


def test_a_book_without_claims_says_so(book):
    book.build()
    assert "No chapter has verified a claim yet." in book.html("evidence")
    assert book.entries() == []


def test_pages_that_change_or_go_leave_nothing_behind(book):
    book.chapter("01", PLAIN)
    book.chapter("02", EXACT)
    book.build()
    book.chapter("01", Claim("Eight codes beat four", measured=2.0, at_most=3.0))
    (book.source / "chapters" / "02.ipynb").unlink()
    book.write("bibliography.md", "# Bibliography\n")
    book.build()
    assert [entry["statement"] for entry in book.entries()] == ["Eight codes beat four"]
    html = book.html("evidence")
    assert "Eight codes beat four" in html
    assert "Four codes" not in html
    assert "The floor" not in html


def test_several_reading_processes_find_the_same(book):
    # Sphinx reads in parallel only when there are more than five pages
    for number in range(1, 8):
        book.chapter(f"{number:02}", Claim("As numbered", measured=float(number), at_least=1.0))
    book.build(processes=2)
    assert [entry["measured"] for entry in book.entries()] == [1, 2, 3, 4, 5, 6, 7]
    assert book.html("evidence").count("As numbered") == 7
