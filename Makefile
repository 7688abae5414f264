# Everything happens in .venv; `make PYTHON=python3.13` picks the interpreter it is made from.
# The versions are those of constraints.txt; edit pyproject.toml or constraints.txt and the next
# command installs again.

PYTHON ?= python3
# As `python -m`, because the scripts in .venv/bin break when the checkout moves.
VENV := .venv/bin/python
PIP := $(VENV) -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt

.PHONY: setup train check lint format test demo bench pictures wheel clean

setup: .venv/dev.stamp

# TRL, torch, verifiers and mlcroissant, to run the tests of what they read too: 1.4 GB more. Where there is no CPU build, pip takes one of several GB.
train: setup .venv/train.stamp

check: lint
	@$(MAKE) --no-print-directory test

lint: setup
	@$(VENV) -m ruff format --quiet --check .
	@$(VENV) -m ruff check --quiet .
	@$(VENV) -m mypy --no-error-summary

format: setup
	@$(VENV) -m ruff format --quiet .
	@$(VENV) -m ruff check --quiet --fix .

test: setup
	@$(VENV) -m pytest -n 2

demo: .venv/run.stamp
	@.venv/bin/synthetic demo
	@command -v synthetic >/dev/null || echo 'These commands are in .venv: . .venv/bin/activate' >&2

# make bench SIZES='25000 100000' ROUNDS=3 GB=5 SCRATCH=DIR KEEP=DIR; each may be left out.
bench: setup
	@$(VENV) -m benchmarks $(if $(SIZES),--sizes $(SIZES)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(GB),--gb $(GB)) \
	  $(if $(SCRATCH),--scratch $(SCRATCH)) $(if $(KEEP),--keep $(KEEP))

# Those of README: after a change to what the demo prints or to the top of a card.
pictures: setup
	@$(VENV) docs/pictures.py

wheel: setup
	@$(VENV) -m hatchling build -d dist

clean:
	@rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's python3 comes without ensurepip; its pip can fill a venv from outside.
.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=/path/to/python" >&2; exit 1; }
	@rm -rf .venv
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv .venv; else \
	  $(PYTHON) -m venv --without-pip .venv && \
	  $(PYTHON) -m pip --python $(VENV) install --quiet --disable-pip-version-check --no-input pip; fi

# The build backend first, so that it is pinned too instead of fetched in a newer version.
.venv/run.stamp: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'Installing into .venv; the first time takes about a minute.' >&2
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

.venv/train.stamp: .venv/dev.stamp
	@$(PIP) setuptools # jsonpath-rw, which mlcroissant needs, comes as its source
	@$(PIP) --no-build-isolation -e '.[dev,train]'
	@touch $@
