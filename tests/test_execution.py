"""What was executed: when it is forgotten, and what of a test run the book may show."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "_extensions"))

import freshness  # noqa: E402

# ---- freshness

SOURCES = {
    "requirements.lock": "torch==2\n",
    "_extensions/book.py": "1\n",
    "aecore/__init__.py": "",
    "aecore/book.mplstyle": "font.size: 9\n",
    "aecore/checks.py": "1\n",
    "aecore/models/__init__.py": "from aecore.models.deep import Deep\n"
    "from aecore.models.sparse import Sparse\n",
    "aecore/models/deep.py": "def late():\n    from aecore import checks\nDeep = 1\n",
    "aecore/models/sparse.py": "Sparse = 1\n",
    "aecore/sphinx/page.py": "1\n",
    "aecore/widgets/pad.js": "1\n",
}
CHAPTERS = {
    "chapters/deep.ipynb": "%matplotlib inline\nfrom aecore.models import Deep",
    "chapters/sparse.ipynb": "import numpy\nfrom aecore.models import Sparse",
}


class Small:
    """A small book in a folder, with something in each place where a build keeps what it ran."""

    def __init__(self, root: Path) -> None:
        self.root, self.build = root, root / "_build"
        for name, text in SOURCES.items():
            self.write(name, text)
        for name, code in CHAPTERS.items():
            self.write(name, nbformat.writes(new_notebook(cells=[new_code_cell(code)])))
        self.forget()
        self.run()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self) -> None:
        cache = get_cache(self.build / ".jupyter_cache")
        for name in CHAPTERS:
            for file in self.kept(name):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            path = self.root / name
            notebook = nbformat.read(path, as_version=4)
            cache.cache_notebook_bundle(
                CacheBundleIn(notebook, str(path)), check_validity=False, overwrite=True
            )

    def kept(self, name: str) -> list[Path]:
        tree = self.build / ".doctrees" / Path(name).with_suffix(".doctree")
        return [tree, self.build / "executed" / name]

    def cached(self) -> set[str]:
        records = get_cache(self.build / ".jupyter_cache").list_cache_records()
        return {Path(record.uri).relative_to(self.root).as_posix() for record in records}

    def forget(self) -> set[str]:
        return set(freshness.forget_if_changed(self.root))


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("AECORE_SEED", "0")
    return Small(tmp_path)


BOTH = set(CHAPTERS)
DEEP, SPARSE = ({name} for name in CHAPTERS)


def test_nothing_is_forgotten_where_nothing_changed(small):
    assert small.forget() == set()
    assert small.cached() == BOTH
    assert all(file.exists() for name in BOTH for file in small.kept(name))


@pytest.mark.parametrize(
    ("changed", "forgotten"),
    [
        ("requirements.lock", BOTH),
        ("aecore/book.mplstyle", BOTH),
        ("aecore/models/deep.py", DEEP),
        ("aecore/models/sparse.py", SPARSE),
        ("aecore/checks.py", DEEP),  # imported in a function of a module that is imported
        ("aecore/widgets/pad.js", set()),  # only the page loads it
        ("aecore/new.py", set()),
    ],
)
def test_a_change_forgets_the_chapters_that_depend_on_it_once(small, changed, forgotten):
    small.write(changed, "font.size: 7\n" if changed.endswith("style") else "2\n")
    assert small.forget() == forgotten
    assert small.cached() == BOTH - forgotten
    for name in BOTH:
        assert all(file.exists() == (name not in forgotten) for file in small.kept(name))
    small.run()
    assert small.forget() == set()
    assert small.cached() == BOTH


@pytest.mark.parametrize("changed", ["aecore/sphinx/page.py", "_extensions/book.py"])
def test_what_makes_pages_of_runs_forgets_the_pages_and_no_run(small, changed):
    small.write(changed, "2\n")
    assert small.forget() == {"pages"}
    assert small.cached() == BOTH
    assert not (small.build / ".doctrees").exists()
    assert all(small.kept(name)[1].exists() for name in BOTH)


def test_a_new_line_in_a_package_that_hands_names_on_forgets_nothing(small):
    more = SOURCES["aecore/models/__init__.py"] + "from aecore.models.new import New\n"
    small.write("aecore/models/new.py", "New = 1\n")
    small.write("aecore/models/__init__.py", more)
    assert small.forget() == set()


def test_another_seed_forgets_every_run(small, monkeypatch):
    monkeypatch.setenv("AECORE_SEED", "1")
    assert small.forget() == BOTH | {"pages"}


def test_an_interrupted_clearing_is_done_again(small, monkeypatch):
    small.write("requirements.lock", "torch==3\n")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(freshness, "forget", interrupt)
        with pytest.raises(KeyboardInterrupt):
            small.forget()
    assert small.forget() == BOTH


def test_the_chapters_of_this_book_are_followed_into_the_package():
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        names = {file.relative_to(ROOT).as_posix() for file in freshness.modules(ROOT, path)}
        assert {"aecore/checks.py", "aecore/evidence.py", "aecore/training/run.py"} <= names


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
