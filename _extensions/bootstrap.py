"""The first code cell of every chapter: on Colab it installs what is missing, elsewhere nothing.

    python _extensions/bootstrap.py            names the chapters whose cell is not up to date
    python _extensions/bootstrap.py --write    writes it

The address comes from ``_config.yml``. Everything is installed with ``--no-deps``: to resolve
torch or numpy again would break a kernel that has already loaded them.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
CELL_ID = "bootstrap"

# aecore's requirements that Colab has, and keeps working with its other packages
ON_COLAB = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "matplotlib",
    "tqdm",
    "ipywidgets",
)
# the others, each followed by what it needs that Colab may lack
TO_INSTALL = (
    "anywidget",
    "psygnal",
    "jaxtyping",
    "wadler-lindig",
    "lightning-fabric",
    "lightning-utilities",
    "mlxtend",
    "safetensors",
)


def source(config: dict[str, Any]) -> str:
    """Return the source of the cell for the repository that ``config`` names."""
    address = f"git+{config['repository']['url']}@{config['repository']['branch']}"
    return "\n".join(
        (
            "import importlib.util",
            "",
            'if importlib.util.find_spec("aecore") is None:  # on Colab',
            f"    %pip install -q --no-deps {' '.join(TO_INSTALL)}",
            f'    %pip install -q --no-deps "aecore @ {address}"',
        )
    )


def chapters(root: Path = ROOT) -> list[Path]:
    """Return the notebooks of the book, in reading order."""
    return sorted((root / "chapters").glob("*.ipynb"))


def first_code_cell(notebook: Any) -> Any | None:
    """Return the first code cell of a notebook, or ``None``."""
    return next((cell for cell in notebook.cells if cell.cell_type == "code"), None)


def is_current(notebook: Any, wanted: str) -> bool:
    """Whether the first code cell is the wanted one, hidden from the page."""
    cell = first_code_cell(notebook)
    return (
        cell is not None
        and cell.source == wanted
        and "remove-cell" in cell.metadata.get("tags", [])
    )


def update(notebook: Any, wanted: str) -> None:
    """Replace the bootstrap cell, or insert it after the title."""
    cell = nbformat.v4.new_code_cell(wanted, id=CELL_ID, metadata={"tags": ["remove-cell"]})
    places = [i for i, other in enumerate(notebook.cells) if other.get("id") == CELL_ID]
    for place in reversed(places):
        del notebook.cells[place]
    has_title = bool(notebook.cells) and notebook.cells[0].cell_type == "markdown"
    notebook.cells.insert(places[0] if places else int(has_title), cell)


def main() -> int:
    """Check or write every chapter; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the cell where it is not")
    write = parser.parse_args().write
    wanted = source(yaml.safe_load((ROOT / "_config.yml").read_text()))
    stale = False
    for path in chapters():
        notebook = nbformat.read(path, as_version=4)
        if is_current(notebook, wanted):
            continue
        stale = True
        name = path.relative_to(ROOT)
        if not write:
            print(f"{name}: the bootstrap cell is not up to date; run with --write")
            continue
        update(notebook, wanted)
        temporary = path.with_suffix(".ipynb.tmp")
        nbformat.write(notebook, temporary)
        temporary.replace(path)
        print(f"{name}: bootstrap cell written")
    return int(stale and not write)


if __name__ == "__main__":
    sys.exit(main())
