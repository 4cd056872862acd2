"""Forget what was executed when something that a chapter depends on has changed.

The execution cache knows a notebook by its code cells alone: after a change in ``aecore`` it would
serve yesterday's figures. This keeps a fingerprint of everything else that decides what a chapter
prints, and clears the cache and Sphinx's pickles when it moves. Run before every build.
"""

import hashlib
import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
STAMP = BUILD / "fingerprint"
STALE = (".jupyter_cache", ".doctrees", "executed")


def fingerprint() -> str:
    """A hash of the package's Python and style, the locked versions, and ``AECORE_SEED``."""
    digest = hashlib.sha256(os.environ.get("AECORE_SEED", "0").encode())
    sources = (path for path in (ROOT / "aecore").rglob("*") if path.suffix in (".py", ".mplstyle"))
    for path in [ROOT / "requirements.lock", *sorted(sources)]:
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def forget_if_changed() -> None:
    """Clear the caches if the fingerprint is not the one of the last build."""
    current = fingerprint()
    if STAMP.is_file() and STAMP.read_text() == current:
        return
    for name in STALE:
        shutil.rmtree(BUILD / name, ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    # written last: a build that is interrupted here starts by clearing again
    partial = STAMP.with_suffix(".partial")
    partial.write_text(current)
    partial.replace(STAMP)


if __name__ == "__main__":
    forget_if_changed()
