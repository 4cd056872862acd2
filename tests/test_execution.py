"""What was executed: when it is forgotten, and what of a test run the book may show."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parent.parent


# ---- freshness


@pytest.fixture
def freshness(monkeypatch, tmp_path):
    """The module, on a small package instead of this one."""
    spec = importlib.util.spec_from_file_location("f", ROOT / "_extensions" / "freshness.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build = tmp_path / "_build"
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "BUILD", build)
    monkeypatch.setattr(module, "STAMP", build / "fingerprint")
    monkeypatch.setenv("AECORE_SEED", "0")
    (tmp_path / "requirements.lock").write_text("torch==2\n")
    (tmp_path / "aecore" / "deep").mkdir(parents=True)
    for name in ("__init__.py", "deep/model.py", "book.mplstyle", "deep/widget.js"):
        (tmp_path / "aecore" / name).write_text("first\n")
    return module


def executed(freshness) -> list[Path]:
    """Something in each place that a build keeps what it executed."""
    files = [freshness.BUILD / name / "kept" for name in (*freshness.STALE, "html")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return files


def test_nothing_is_forgotten_where_nothing_changed(freshness):
    freshness.forget_if_changed()
    files = executed(freshness)
    freshness.forget_if_changed()
    assert all(file.exists() for file in files)


@pytest.mark.parametrize(
    "changed", ["requirements.lock", "aecore/__init__.py", "aecore/deep/model.py",
                "aecore/book.mplstyle"]
)  # fmt: skip
def test_a_change_that_moves_outputs_forgets_them_once(freshness, changed):
    freshness.forget_if_changed()
    files = executed(freshness)
    (freshness.ROOT / changed).write_text("second\n")
    freshness.forget_if_changed()
    assert [file.exists() for file in files] == [False, False, False, True]
    files = executed(freshness)
    freshness.forget_if_changed()
    assert all(file.exists() for file in files)


def test_a_seed_a_new_file_and_a_new_name_forget_too(freshness, monkeypatch):
    prints = [freshness.fingerprint()]
    (freshness.ROOT / "aecore" / "new.py").touch()
    prints.append(freshness.fingerprint())
    (freshness.ROOT / "aecore" / "new.py").rename(freshness.ROOT / "aecore" / "newer.py")
    prints.append(freshness.fingerprint())
    monkeypatch.setenv("AECORE_SEED", "1")
    prints.append(freshness.fingerprint())
    assert len(set(prints)) == 4


def test_what_only_the_page_loads_forgets_nothing(freshness):
    before = freshness.fingerprint()
    (freshness.ROOT / "aecore" / "deep" / "widget.js").write_text("second\n")
    assert freshness.fingerprint() == before


def test_an_interrupted_clearing_is_done_again(freshness, monkeypatch):
    freshness.forget_if_changed()
    files = executed(freshness)
    (freshness.ROOT / "requirements.lock").write_text("torch==3\n")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(freshness.shutil, "rmtree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            freshness.forget_if_changed()
    freshness.forget_if_changed()
    assert not files[0].exists()


# ---- what nbval executed


class Project:
    """A folder with the plugin and two chapters, one of which fails, after a run under nbval."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("tests", "chapters"):
            (root / folder).mkdir()
        (root / "pytest.ini").write_text("[pytest]\n")
        (root / "tests" / "__init__.py").touch()
        shutil.copy(ROOT / "tests" / "executed.py", root / "tests")
        nap = "import time; time.sleep(0.3); x = 20"
        self.good = self.write("good", nap, "print('hello'); x + 1")
        self.bad = self.write("bad", "x = 1", "assert x == 2, 'no'", "x")
        self.half = self.write("half", "x = 1", "# NBVAL_SKIP\nx")
        self.run = subprocess.run(
            [
                sys.executable, "-m", "pytest", "-q", "-p", "tests.executed", "-p", "no:randomly",
                "--nbval-lax", "--nbval-current-env", "-n", "1", "--dist", "loadscope", "chapters",
            ],
            cwd=root, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        self.cache = get_cache(root / "_build" / ".jupyter_cache")

    def write(self, name: str, *cells: str) -> nbformat.NotebookNode:
        head = new_markdown_cell(f"# {name}", id="head")
        code = [new_code_cell(text, id=f"{name}-{i}") for i, text in enumerate(cells)]
        notebook = new_notebook(cells=[head, *code])
        nbformat.write(notebook, self.root / "chapters" / f"{name}.ipynb")
        return notebook


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


def test_the_run_is_what_the_tests_below_suppose(project):
    assert "1 failed" in project.run.stdout, project.run.stdout + project.run.stderr
    assert project.run.returncode == 1


def test_a_chapter_that_passed_is_in_the_cache_with_its_outputs_and_seconds(project):
    record = project.cache.match_cache_notebook(project.good)
    assert Path(record.uri).name == "good.ipynb"
    assert record.data["execution_seconds"] >= 0.3
    first, second = project.cache.get_cache_bundle(record.pk).nb.cells  # code only
    assert first.outputs == []
    assert [first.execution_count, second.execution_count] == [1, 2]
    stream, result = second.outputs
    assert stream.text == "hello\n"
    assert result.data == {"text/plain": "21"}


@pytest.mark.parametrize("name", ["bad", "half"])
def test_a_chapter_with_a_cell_that_failed_or_did_not_run_is_not_in_the_cache(project, name):
    with pytest.raises(KeyError):
        project.cache.match_cache_notebook(getattr(project, name))
    assert [record.uri.rsplit("/", 1)[-1] for record in project.cache.list_cache_records()] == [
        "good.ipynb"
    ]


def test_the_chapters_themselves_stay_as_they_were(project):
    for name in ("good", "bad"):
        notebook = json.loads((project.root / "chapters" / f"{name}.ipynb").read_text())
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_nothing_half_written_is_left(project):
    assert [path.name for path in (project.root / "_build").rglob("*.partial")] == []
