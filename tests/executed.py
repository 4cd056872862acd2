"""A pytest plugin: what nbval executed is what the book shows, so a chapter trains once.

nbval keeps the outputs of every cell it ran. When all cells of a notebook have passed, this plugin
puts them into the execution cache of the book; the build that follows finds the chapter there and
executes nothing. The page that the browser tests open is then made of the very run that was tested.
"""

import time
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = ROOT / "_build" / "executed"
CACHE = ROOT / "_build" / ".jupyter_cache"

_seconds: dict[Path, float] = {}
_passed: dict[Path, int] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    started = time.perf_counter()
    outcome = yield
    path = Path(item.path)
    _seconds[path] = _seconds.get(path, 0.0) + time.perf_counter() - started
    if outcome.excinfo is None:
        _passed[path] = _passed.get(path, 0) + 1


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    path = Path(item.path)
    notebook = getattr(item.parent, "nb", None)
    if notebook is None:
        return
    # the collector's own cells: filled in as they pass, written after the last one
    item.cell["outputs"] = [nbformat.from_dict(output) for output in item.test_outputs or []]
    item.cell["execution_count"] = item.cell_num + 1
    last = nextitem is None or nextitem.path != item.path
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    if last and _passed.get(path, 0) == code_cells:
        notebook.metadata["aecore"] = {"seconds": _seconds[path]}
        target = EXECUTED / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        nbformat.write(notebook, partial)
        partial.replace(target)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        return  # the controlling process writes the cache, so that only one process does
    cache = get_cache(CACHE)
    for path in sorted(EXECUTED.rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        seconds = notebook.metadata.pop("aecore")["seconds"]
        cache.cache_notebook_bundle(
            CacheBundleIn(
                notebook,
                str(ROOT / path.relative_to(EXECUTED)),
                data={"execution_seconds": seconds},
            ),
            check_validity=False,
            overwrite=True,
        )
