"""The built HTML, read without a browser: links lead somewhere, nothing is loaded in vain."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

pytestmark = pytest.mark.site


class Reader(HTMLParser):
    """The targets of a page, and where its links, pictures, styles and scripts point."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.points: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {key: value or "" for key, value in attrs}
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") != "canonical":
            self.loads.append(given["href"])
        if tag == "a" and "href" in given:
            self.points.append(given["href"])


@cache
def read(path: Path) -> Reader:
    return Reader(path.read_text("utf-8"))


def broken(path: Path) -> list[str]:
    """What a page points to and is not there, or loads from elsewhere."""
    page, problems = read(path), []
    for url in page.loads:
        if urlsplit(url).scheme in ("http", "https") or url.startswith("//"):
            problems.append(f"loads {url}")
    for url in page.points + page.loads:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        address, anchor = urldefrag(url)
        target = path if not address else (path.parent / unquote(parts.path)).resolve()
        if not target.is_file():
            problems.append(f"{url} is not there")
        elif anchor and target.suffix == ".html" and unquote(anchor) not in read(target).anchors:
            problems.append(f"{url}: no such place on the page")
    return problems


def test_links(site, page_path):
    assert broken(site / page_path) == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.html"
    (tmp_path / "other.html").write_text("<p id='here'>")
    page.write_text(
        "<a href='other.html#here'></a><a href='#top'></a><a href='other.html#gone'></a>"
        "<a href='lost.html'></a><img src='lost.png'><h1 id='top'></h1><a href='https://a.org'></a>"
        "<script src='https://a.org/a.js'></script><link rel='preconnect' href='//a.org'>"
    )
    assert broken(page) == [
        "loads https://a.org/a.js",
        "loads //a.org",
        "other.html#gone: no such place on the page",
        "lost.html is not there",
        "lost.png is not there",
    ]


def test_only_what_the_page_needs_is_loaded(site, page_path):
    loads = read(site / page_path).loads
    has_formula = 'class="math ' in (site / page_path).read_text("utf-8")
    assert any("mathjax/" in url for url in loads) == has_formula
    assert not any("fontawesome" in url for url in loads)
