# make curate: set up and run the main job on raw/.   make test: set up and pass the tests.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: setup curate test lint bench serve clean
setup: .venv/runs

.venv/runs: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	@echo "compiling the kernels, once (a minute)"
	@home=$$(mktemp -d) && $(BIN)/copydesk run --workers 1 --curated $$home/curated >$$home/log 2>&1 || cat $$home/log; rm -rf $$home
	@touch $@

.venv/tests: .venv/runs
	$(INSTALL) --editable ".[dev]"
	@touch $@

curate: .venv/runs
	$(BIN)/copydesk run

test: .venv/tests
	$(BIN)/pytest

lint: .venv/tests
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/tests
	$(BIN)/python -m bench scale

serve: .venv/runs
	$(BIN)/copydesk serve

clean:
	rm -rf .venv curated/latest curated/snapshots curated/store curated/index curated/refused
