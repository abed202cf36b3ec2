# Every target sets up what it needs, so each of them works on a fresh clone.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# neural-tangents imports with old versions only: it lives apart, under Python 3.11.
REFERENCE        ?= .venv-reference
REFERENCE_PYTHON ?= python3.11
# a single quote in a variable, for the shell's single quotes
quoted = '$(subst ','\'',$(1))'

.DEFAULT_GOAL := help
.PHONY: help setup test test-slow coverage lint format bench reference notebooks docs experiment list report clean

# One stamp per set of extras: make re-installs when pyproject.toml changes. An environment that was
# half made, or by a Python that is too old, is made anew.
$(VENV)/.core: pyproject.toml
	@$(BIN)/python -c 'import pip, sys; assert sys.version_info >= (3, 11)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.core
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/.core
	$(BIN)/python -m pip install --quiet --editable '.[test,bench]'
	@touch $@

$(VENV)/.docs: pyproject.toml | $(VENV)/.core
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.core $(VENV)/.dev ## virtual environment with jaxlab (editable), tests, linters, notebooks

test: $(VENV)/.dev ## the default test suite [PYTEST="options"]
	$(BIN)/python -m pytest -n auto $(PYTEST)

test-slow: $(VENV)/.dev ## the tests that take minutes
	$(BIN)/python -m pytest -n auto -m slow

coverage: $(VENV)/.dev ## branches and lines that the default suite runs, experiments left out
	$(BIN)/python -m pytest -n auto --ignore=tests/experiments --cov

lint: $(VENV)/.dev ## ruff, mypy on jaxlab/, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## rewrite the sources the way lint wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench ## jaxlab against its peers in one process: ratios printed and saved
	$(BIN)/python -m tests.benchmarks

$(REFERENCE)/.installed: tests/golden/ntk/reference_requirements.txt
	@$(REFERENCE)/bin/python -c 'import pip' 2>/dev/null || $(REFERENCE_PYTHON) -m venv --clear $(REFERENCE)
	$(REFERENCE)/bin/python -m pip install --quiet --requirement $<
	@touch $@

reference: $(REFERENCE)/.installed ## outputs and times of neural-tangents, into tests/golden and tests/benchmarks
	$(REFERENCE)/bin/python tests/golden/ntk/make_reference.py empirical predict analytic
	$(REFERENCE)/bin/python tests/golden/ntk/make_reference.py timings

notebooks: $(VENV)/.dev ## run every notebook from top to bottom
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=600 -n auto -m "" notebooks

docs: $(VENV)/.docs ## the documentation site, in docs/_build/html; broken links and failing notebooks stop it
	$(BIN)/python -m sphinx --builder html --jobs auto --fail-on-warning --keep-going docs docs/_build/html

experiment: $(VENV)/.core ## NAME=… [PRESET=smoke|default|paper] [SET="key=value …"] [RESUME=DIR|latest]
	@test -n "$(NAME)" || { echo 'make experiment needs NAME=…; the names:'; $(BIN)/jaxlab list; exit 2; }
	$(BIN)/jaxlab run $(call quoted,$(NAME)) $(if $(PRESET),--preset $(call quoted,$(PRESET))) \
	  $(if $(SET),--set $(call quoted,$(SET))) $(if $(RESUME),--resume $(call quoted,$(RESUME)))

list: $(VENV)/.core ## the experiments
	@$(BIN)/jaxlab list

report: $(VENV)/.core ## scoreboard of the newest run of every experiment
	$(BIN)/jaxlab report

clean: ## remove the environments and caches; runs/ stays
	rm -rf $(VENV) .venv-reference .venv-newest docs/_build docs/api docs/benchmarks docs/notebooks docs/*.md .cache .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
