"""The built site in a real browser: a static server on this machine and Chromium.

Without a browser or without a built site these tests skip and say so; with ``CI=true`` that is
an error, because a check that never runs must not look green.
"""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SITE = Path(os.environ.get("AECORE_SITE", "_build/html")).resolve()
# Chromium may reach this machine and nothing else, whatever a page asks for
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def pages() -> list[str]:
    """Every page of the site, as a path below its root."""
    found = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    return sorted(str(path) for path in found if not path.parts[0].startswith("_"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # a site that is not built gives one test, for the fixture to say so
    if "page_path" in metafunc.fixturenames:
        metafunc.parametrize("page_path", pages() or ["index.html"])


def missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and with CI=true that is an error", pytrace=False)
    pytest.skip(f"{reason}: the site tests did not run")


@pytest.fixture(scope="session")
def site() -> Path:
    if not (SITE / "index.html").exists():
        missing(f"no built site in {SITE}")
    return SITE


@pytest.fixture(scope="session")
def server(site: Path) -> Iterator[str]:
    """The address of the site, served from this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None: ...

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        missing(f"no browser ({', '.join(names)})")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


class Visitor:
    """Opens pages and writes down everything that went wrong on them."""

    def __init__(self, browser: Browser, server: str) -> None:
        self.browser, self.server = browser, server
        self.contexts: list[Any] = []

    def open(self, path: str, *, wait: str = "load", **options: Any) -> Page:
        """A page of the site, or of a full URL; ``options`` are those of a browser context."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.contexts.append(context)
        page = context.new_page()
        page.troubles = troubles = []
        page.on("pageerror", lambda error: troubles.append(f"page error: {error}"))
        page.on("console", lambda m: m.type == "error" and troubles.append(f"console: {m.text}"))

        def request(request: Any) -> None:
            if not request.url.startswith((self.server, "data:", "blob:", "file:")):
                troubles.append(f"another host: {request.url}")

        def response(response: Any) -> None:
            if response.status >= 400:
                troubles.append(f"{response.status}: {response.url}")

        page.on("request", request)
        page.on("response", response)
        url = path if "://" in path else f"{self.server}/{path}"
        page.goto(url, wait_until=wait)
        return page


@pytest.fixture
def visitor(browser: Browser, server: str) -> Iterator[Visitor]:
    visitor = Visitor(browser, server)
    yield visitor
    for context in visitor.contexts:
        context.close()


@pytest.fixture(params=["page", "live"])
def opened(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Any]:
    """Opens a widget with the options of a browser context: page, widget.

    On the page of the site that shows the module's ``KIND``, and skipped where none does; and live,
    which needs no site, as the module's function of that name makes it.
    """
    from .test_front_end import mount
    from .test_widgets import first, to_widget, with_widget

    module, mounted = request.module, []

    def opened(**options: Any) -> tuple[Page, Any]:
        if request.param == "page":
            visitor = request.getfixturevalue("visitor")
            if not with_widget(module.KIND):
                pytest.skip(f"no page of the site shows a {module.KIND}")
            page = visitor.open(first(module.KIND), **options)
            return page, to_widget(page, module.KIND)
        page = mount(browser, getattr(module, module.KIND)(), **options)
        mounted.append(page)
        return page, page.locator(".aew")

    yield opened
    for page in mounted:
        page.close()
