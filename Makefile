# Each target does its own set-up in .venv; a second call installs nothing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SETUP := .venv/.installed

.PHONY: demo test slow lint docs format clean

demo: $(SETUP)           ## set up and run the main job: text bags in the embedded world, offline
	$(BIN)/maxi plugins
	$(BIN)/maxi bags --config docs/examples/sandbox.toml
	$(BIN)/maxi stats runs/sandbox --labels sandbox
	$(BIN)/maxi show runs/sandbox 0002

test: $(SETUP)           ## set up and run the tests
	$(BIN)/python -m pytest

slow: $(SETUP)           ## the tests that take minutes: long fuzzing, a full install into an empty environment
	$(BIN)/python -m pytest -m slow

lint: $(SETUP)           ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(SETUP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.installed-docs   ## regenerate docs/cli.md and build the pages into site/
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv site runs/sandbox

$(SETUP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "maxi needs Python 3.11 or newer: make PYTHON=python3.12 test")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --editable '.[dev]'
	@touch $@

.venv/.installed-docs: $(SETUP)
	$(PIP) install --editable '.[dev,docs]'
	@touch $@
