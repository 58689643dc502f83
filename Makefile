# Every target sets up what it needs by itself: uv, a virtual environment in .venv, the packages in constraints/.
# Needed beforehand: Python 3.10-3.12, make and a package registry.

ARGS  ?=
VENV  := .venv
# What is installed stays the choice until another one is named: make setup STACK=gpu.
STACK ?= $(or $(patsubst $(VENV)/.installed-%,%,$(firstword $(wildcard $(VENV)/.installed-*))),cpu)
READY := $(VENV)/.installed-$(STACK)
# 3.11 is the one that everything was run on.
PYTHONS := $(PYTHON) python3.11 python3.12 python3.10 python3 python
SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-slow lint format docs bench clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS='…' is passed on to pytest, ftrl quickstart or the benchmarks; PYTHON=… names another Python."

setup: $(READY)  ## install everything into .venv; STACK=cpu (unless said) or STACK=gpu for NVIDIA GPUs

quickstart: $(READY)  ## the whole loop on this machine, no GPU: environments, rollouts, training, evaluation
	@ftrl quickstart $(ARGS)

test: lint  ## lint, then all tests but the slow ones
	@pytest $(ARGS)

test-slow: $(READY)  ## all tests, also those that take minutes
	@pytest --slow $(ARGS)

lint: $(READY)  ## style, types and who may import whom
	@ruff check
	@ruff format --check
	@mypy
	@lint-imports

format: $(READY)  ## mend the style of all files
	@ruff check --fix
	@ruff format

docs: $(READY)  ## the site of docs/, with the reference made from the code, into build/site
	@python -m pip install --quiet --constraint constraints/$(STACK).txt --group docs
	@python docs/reference/generate.py
	@zensical build --clean --strict

bench: $(READY)  ## every benchmark, for an hour or two, and the page that they make: docs/benchmarks.md
	@python benchmarks/all.py $(ARGS)

clean:  ## remove the virtual environment, own tools and caches
	rm -rf $(VENV) .tools build/site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): pyproject.toml $(wildcard constraints/*)
	@for python in $(PYTHONS); do \
	  if "$$python" -c '$(SUPPORTED)' 2>/dev/null; then exec "$$python" constraints/install.py --stack $(STACK); fi; \
	done; echo "make: no Python 3.10, 3.11 or 3.12 found; install one, or name it: make PYTHON=/path/to/python" >&2; exit 1
