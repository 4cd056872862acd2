"""The book's own files: one address, notebooks as they are committed, citations that exist."""

import json
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import pydata_sphinx_theme
import pytest
import yaml
from pybtex.database import parse_file

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "_extensions"))

import book  # noqa: E402
import bootstrap  # noqa: E402

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
URL = CONFIG["repository"]["url"]
NOTEBOOKS = bootstrap.chapters()
PAGES = [ROOT / "index.md", *sorted((ROOT / "chapters").rglob("*.md"))]
KEYS = set(parse_file(ROOT / CONFIG["bibtex_bibfiles"][0]).entries)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def toc_files() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = (chapter["file"] for part in toc["parts"] for chapter in part["chapters"])
    return [toc["root"], *chapters]


# ---- one address


def test_no_page_and_no_module_repeats_the_address():
    """``_config.yml`` has it; a page writes ``{{ repository }}``."""
    own = URL.removeprefix("https://")
    modules = [*(ROOT / "aecore").rglob("*.py"), *(ROOT / "_extensions").glob("*.py")]
    assert [name(path) for path in PAGES + modules if own in path.read_text()] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_bootstrap_cell_is_generated(path):
    notebook = nbformat.read(path, as_version=4)
    assert bootstrap.is_current(notebook, bootstrap.source(CONFIG)), (
        "run python _extensions/bootstrap.py --write"
    )
    rest = [cell.source for cell in notebook.cells if cell.id != bootstrap.CELL_ID]
    assert not any(URL in source for source in rest)


def test_bootstrap_knows_every_requirement():
    """A new requirement of ``aecore`` is either on Colab already or installed there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert required <= {*bootstrap.ON_COLAB, *bootstrap.TO_INSTALL}
    assert not set(bootstrap.ON_COLAB) & set(bootstrap.TO_INSTALL)


def test_bootstrap_writes_its_cell_once():
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("1")]
    )
    for address in ("https://example.org/a", "https://example.org/b"):
        wanted = bootstrap.source({"repository": {"url": address, "branch": "main"}})
        assert not bootstrap.is_current(notebook, wanted)
        bootstrap.update(notebook, wanted)
        assert bootstrap.is_current(notebook, wanted)
        assert [cell.source for cell in notebook.cells] == ["# Title", wanted, "1"]
    nbformat.validate(notebook)


# ---- notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebook_is_stripped(path):
    """Outputs are made by the build; committed ones would be stale and swell the history."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebook_has_stable_cell_ids(path):
    """Without ids in the file every save would invent new ones, and every diff show them."""
    notebook = json.loads(path.read_text())  # nbformat would repair what is looked for here
    assert (notebook["nbformat"], notebook["nbformat_minor"]) >= (4, 5)
    ids = [cell.get("id") for cell in notebook["cells"]]
    assert None not in ids
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_cells_are_short(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if len(cell.source.splitlines()) > 25] == []


# ---- contents and citations


def test_contents_exist_and_are_complete():
    listed = toc_files()
    found = {name(path.with_suffix("")) for path in NOTEBOOKS + PAGES}
    assert len(set(listed)) == len(listed)
    assert set(listed) == found


def cited(text: str) -> set[str]:
    lists = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
    lists += re.findall(r"""\bsource\s*=\s*["']([^"']+)["']""", text)
    return {key.strip() for keys in lists for key in keys.split(",")}


@pytest.mark.parametrize("path", PAGES + NOTEBOOKS, ids=name)
def test_citations_are_in_the_bibliography(path):
    if path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    else:
        text = path.read_text()
    assert cited(text) - KEYS == set()


def test_citations_are_found():
    text = '{cite:t}`baldi1989neural, nobody1999` and Claim("…", measured=1, source="someone")'
    assert cited(text) == {"baldi1989neural", "nobody1999", "someone"}


# ---- the site's own files


def test_vendored_mathjax_has_what_the_configuration_loads():
    vendored = ROOT / "_vendor"
    sphinx = CONFIG["sphinx"]["config"]
    start = vendored / sphinx["mathjax_path"]
    assert start.exists()
    for component in sphinx["mathjax3_config"]["loader"]["load"]:
        assert (start.parent / f"{component}.js").exists(), component
    assert (start.parent / "LICENSE").exists()


def test_style_names_fonts_that_exist_with_their_licences():
    style = ROOT / "_static" / "book.css"
    fonts = set(re.findall(r'url\("([^"]+)"\)', style.read_text()))
    assert fonts
    for font in fonts:
        path = style.parent / font
        assert path.exists(), font
        family = re.match(r"(.+?)-(?:latin|greek)", path.name)[1]
        assert (path.parent / f"OFL-{family}.txt").exists()
    on_disk = {f"fonts/{path.name}" for path in (style.parent / "fonts").glob("*.woff2")}
    assert fonts == on_disk


def test_the_themes_icon_script_is_still_recognised():
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"
    head = (theme / "static" / "webpack-macros.html").read_text()
    shortened = book.ICON_SCRIPT.sub("", head)
    assert head.count("<script") - shortened.count("<script") == 1
    assert "fontawesome" not in shortened
