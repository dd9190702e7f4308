# make curate: set up and run the main job on raw/.   make test: set up and pass the tests.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: setup curate test lint docs bench serve clean pins
setup: .venv/runs

# The lists of pins are whole, so no dependency is looked up (--no-deps): pip refuses those that ask for an extra when hashes are required.
.venv/runs: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --no-deps --require-hashes --requirement constraints.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@echo "compiling the kernels, once (a minute)"
	@home=$$(mktemp -d) && $(BIN)/copydesk run --workers 1 --curated $$home/curated >$$home/log 2>&1 || cat $$home/log; rm -rf $$home
	@touch $@

.venv/tests: .venv/runs constraints-dev.txt
	$(INSTALL) --no-deps --require-hashes --requirement constraints-dev.txt
	@touch $@

# For the test of PySpark, and beside the other packages: Great Expectations would import it at every start.
.spark: .venv/tests constraints-spark.txt
	$(INSTALL) --no-deps --require-hashes --target .spark --upgrade --requirement constraints-spark.txt
	@touch $@

curate: .venv/runs
	$(BIN)/copydesk run

test: .venv/tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/tests
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The reference pages from the code, then the site: open site/index.html, no network and no server needed.
docs: .venv/tests
	$(BIN)/python docs/reference.py
	$(BIN)/zensical build --clean --strict

bench: .venv/tests
	$(BIN)/python -m bench scale

serve: .venv/runs
	$(BIN)/copydesk serve

# Write both files of pins anew, with the hashes of every file of each version; a package moves only if its bound in pyproject.toml, or UPGRADE, asks for it.
PIN = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make pins" --no-emit-index-url $(UPGRADE) pyproject.toml --group build
pins: .venv/runs
	$(INSTALL) uv
	$(PIN) --output-file constraints.txt
	$(PIN) --extra dev --constraint constraints.txt --output-file constraints-dev.txt
	echo "pyspark>=4.3" | $(subst pyproject.toml --group build,-,$(PIN)) --output-file constraints-spark.txt

clean:
	rm -rf .venv site curated/latest curated/snapshots curated/store curated/index curated/refused
