"""Forget what a chapter printed when something that it depends on has changed.

The execution cache knows a notebook by its code cells alone: after a change in ``aecore`` it would
serve yesterday's figures. This keeps, for each chapter, a fingerprint of what else decides what it
prints: the modules of ``aecore`` that it imports, directly or through others, the style of the
figures, the locked versions, and ``AECORE_SEED``. Where that moved, the chapter's run is forgotten;
the other chapters keep theirs. Run before every build.
"""

import ast
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "aecore"


def forget_if_changed(root: Path = ROOT) -> list[str]:
    """Forget the runs whose fingerprint is not that of the last build; return their chapters."""
    build = root / "_build"
    stamp = build / "fingerprints.json"
    before = json.loads(stamp.read_text()) if stamp.is_file() else {}
    current = fingerprints(root)
    changed = [name for name, value in current.items() if before.get(name) != value]
    if not changed:
        return []
    for name in changed:
        forget(build, name)
    build.mkdir(exist_ok=True)
    # written last: a build that is interrupted here starts by forgetting again
    partial = stamp.with_suffix(".partial")
    partial.write_text(json.dumps(current, indent=1))
    partial.replace(stamp)
    return changed


def fingerprints(root: Path) -> dict[str, str]:
    """A hash for each chapter, and one for ``pages``: how runs become pages."""
    style = [root / "requirements.lock", *(root / PACKAGE).rglob("*.mplstyle")]
    pages = [*(root / PACKAGE / "sphinx").rglob("*.py"), *(root / "_extensions").glob("*.py")]
    found = {"pages": _hash(root, pages)}
    for path in sorted((root / "chapters").glob("*.ipynb")):
        found[path.relative_to(root).as_posix()] = _hash(root, [*style, *modules(root, path)])
    return found


def modules(root: Path, notebook: Path) -> set[Path]:
    """The files of the package that a notebook imports, directly or through others."""
    plain = TransformerManager()  # turns magics into Python
    cells = nbformat.read(notebook, as_version=4).cells
    code = "".join(plain.transform_cell(c.source) for c in cells if c.cell_type == "code")
    found: set[Path] = set()
    ahead = _imports(ast.parse(code))
    while ahead:
        path, more = _follow(root, *ahead.pop())
        ahead += more
        if path is not None and path not in found:
            found.add(path)
            ahead += _imports(ast.parse(path.read_text("utf-8")))
    return found


def forget(build: Path, name: str) -> None:
    """Drop the run of a chapter and the page made of it; for ``pages``, all pages."""
    trees = build / ".doctrees"
    if name == "pages":
        shutil.rmtree(trees, ignore_errors=True)
        return
    page = Path(name).with_suffix(".doctree")
    for file in (trees / page, build / "executed" / name):
        file.unlink(missing_ok=True)
    if (build / ".jupyter_cache").exists():
        from jupyter_cache import get_cache

        cache = get_cache(build / ".jupyter_cache")
        for record in cache.list_cache_records():
            if Path(record.uri) == build.parent / name:
                cache.remove_cache(record.pk)


Import = tuple[str, str | None]  # a module of the package, and the name taken from it


def _imports(tree: ast.AST) -> list[Import]:
    # anywhere, in a function too; the package writes absolute names only
    found: list[Import] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.module, alias.name) for alias in node.names]
    return [(module, name) for module, name in found if module.split(".")[0] == PACKAGE]


def _follow(root: Path, module: str, name: str | None) -> tuple[Path | None, list[Import]]:
    """The file behind an import; or, for what a package only hands on, where it comes from."""
    place = root.joinpath(*module.split("."))
    if place.with_suffix(".py").is_file():
        return place.with_suffix(".py"), []
    package = place / "__init__.py"
    if name is None or not package.is_file():
        return (package if package.is_file() else None), []
    if (place / name).is_dir() or (place / f"{name}.py").is_file():
        return None, [(f"{module}.{name}", None)]
    for node in ast.walk(ast.parse(package.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return None, [(str(node.module), name)]
    return package, []


def _hash(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256(os.environ.get("AECORE_SEED", "0").encode())
    for path in sorted(files):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    forget_if_changed()
