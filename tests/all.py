"""Everything that `make test` runs, part by part, with the seconds of each.

A part that fails does not hide the next one; only the site needs the chapters that it is made of.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SITE = ROOT / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

PYTEST = [sys.executable, "-m", "pytest", "-q"]
# two notebooks side by side, one thread each, are faster than one after the other with two
NBVAL = [
    *PYTEST, "-p", "tests.executed", "--nbval-lax", "--nbval-current-env",
    "--nbval-cell-timeout=600", "-n", "2", "--dist", "loadscope", "chapters",
]  # fmt: skip
PARTS = {
    "lint": [
        [BIN / "ruff", "check", "."],
        [BIN / "ruff", "format", "--check", "."],
        [BIN / "mypy"],
    ],
    "unit": [[*PYTEST, "-m", "not site", "-n", "2", "tests"]],
    "chapters": [[sys.executable, "_extensions/freshness.py"], NBVAL],
    "book": [["make", "--no-print-directory", "book"]],
    "site": [[*PYTEST, "-m", "site", "tests"]],
}
NEEDS = {"book": "chapters", "site": "book"}


def run(name: str) -> bool:
    """Run the commands of a part, all of them, and say whether all succeeded."""
    print(f"\n== {name} ==", flush=True)
    environment = dict(os.environ)
    if name == "chapters" and len(list((ROOT / "chapters").glob("*.ipynb"))) > 1:
        environment["OMP_NUM_THREADS"] = "1"
    codes = [subprocess.run(c, cwd=ROOT, env=environment).returncode for c in PARTS[name]]
    return not any(codes)


def main(names: list[str]) -> int:
    """Run the named parts, or all of them, and close with a table."""
    unknown = set(names) - set(PARTS)
    if unknown:
        print(f"unknown part {', '.join(sorted(unknown))}: expected {', '.join(PARTS)}")
        return 2
    no_browser = not any(map(shutil.which, BROWSERS))
    verdicts: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for name in names or list(PARTS):
        started = time.perf_counter()
        if NEEDS.get(name) in verdicts and verdicts[NEEDS[name]] != "passed":
            verdicts[name] = f"FAILED: it needs {NEEDS[name]}"
        elif name == "site" and no_browser and os.environ.get("CI") != "true":
            verdicts[name] = "NOT RUN: no browser on this machine (install Chromium)"
        else:
            verdicts[name] = "passed" if run(name) else "FAILED"
        seconds[name] = time.perf_counter() - started
    print()
    for name, verdict in verdicts.items():
        print(f"{name:<10}{seconds[name]:7.1f} s   {verdict}")
    print(f"{'together':<10}{sum(seconds.values()):7.1f} s")
    return int(any(verdict.startswith("FAILED") for verdict in verdicts.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
