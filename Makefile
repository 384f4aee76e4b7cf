# Each target does its own set-up in .venv; a second call installs nothing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SETUP := .venv/.installed
# Two processes, each file in one of them; more threads than that only wait for each other.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: demo test slow long bench rehearse lint docs format clean

demo: $(SETUP)           ## set up and run the main job: the whole method in the embedded world, offline
	$(BIN)/maxi plugins
	$(BIN)/maxi demo --out runs/demo
	$(BIN)/maxi stats runs/demo/bags/full --labels sandbox
	$(BIN)/maxi show runs/demo/bags/full 0002

test: $(SETUP)           ## set up and run the tests
	$(TEST)

slow: $(SETUP)           ## the tests that take minutes: long fuzzing, a full install into an empty environment
	$(TEST) -m slow

long: .venv/.installed-long   ## the tests that kill whole runs fifty times, and others that take long: tens of minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long

bench: $(SETUP)          ## the quick benchmarks: a minute or two each
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.loss
	$(BIN)/python -m benchmarks.decode_once --rounds 2
	$(BIN)/python -m benchmarks.prefetch --videos 24 --rounds 2

rehearse: $(SETUP)       ## the README's three commands at full size, offline, with random weights: ten minutes, 3 GB of disk
	$(BIN)/python -m tools.rehearse

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
	rm -rf .venv site runs/demo

$(SETUP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "maxi needs Python 3.11 or newer: make PYTHON=python3.12 test")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --editable '.[dev]'
	@touch $@

.venv/.installed-long: $(SETUP)
	$(PIP) install --editable '.[dev,long]'
	@touch $@

.venv/.installed-docs: $(SETUP)
	$(PIP) install --editable '.[dev,docs]'
	@touch $@
