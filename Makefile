# Two commands do everything: `make book` and `make test`. Each sets up what it needs.

PYTHON   ?= python3
PORT     ?= 8000
BIN      := .venv/bin
PACKAGES := .venv/.packages
READY    := .venv/.ready

# a chapter that is being built or tested opens no comm and shows no progress bar;
# headless Matplotlib, and the kernels of this environment only
export AECORE_BUILD := 1
export MPLBACKEND := agg
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: book test lint serve clean help

help:
	@echo "make book    execute the chapters and build the site into _build/html"
	@echo "make test    lint, unit tests, the chapters under nbval, the site in a browser"
	@echo "make lint    ruff on code and notebooks, a strict type check of aecore"
	@echo "make serve   serve _build/html on http://localhost:$(PORT)"
	@echo "make clean   remove everything that was built (_build); 'rm -r .venv' removes the rest"

$(PACKAGES): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	@echo "Setting up .venv from requirements.lock (a few minutes, once)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

$(READY): $(PACKAGES) pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

book: $(READY)
	@$(BIN)/python _extensions/freshness.py
	@$(BIN)/jupyter-book build . --nitpick --warningiserror --keep-going --quiet
	@echo
	@echo "The book: $(CURDIR)/_build/html/index.html"
	@echo "Open that file, or serve it with 'make serve'."

test: $(READY)
	@$(BIN)/python tests/all.py

lint: $(READY)
	@$(BIN)/python tests/all.py lint

serve: $(READY)
	@test -f _build/html/index.html || { echo "Nothing to serve yet: run 'make book' first." >&2; exit 1; }
	@echo "Serving on http://localhost:$(PORT) (stop with Ctrl-C)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

clean:
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis
