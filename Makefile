PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

SHELL := /bin/bash
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
LINT := $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --cache-dir .mypy_cache/imports
# Run commands, say how long they took, and end as they ended.
timed = @SECONDS=0; { $(2); }; status=$$?; echo "make $(1): $$((SECONDS / 60)) min $$((SECONDS % 60)) s"; exit $$status

.PHONY: run check test test-all lint docs screenshots clean

run: $(VENV)/.installed
	$(BIN)/python app.py $(ARGS)

check: $(VENV)/.installed-dev
	$(call timed,check,$(LINT) && $(PYTEST) --light $(ARGS))

test: $(VENV)/.installed-dev
	$(call timed,test,$(LINT) && $(PYTEST) $(ARGS))

test-all: test
	$(call timed,test-all,$(PYTEST) -m full $(ARGS))

lint: $(VENV)/.installed-dev
	$(LINT)

docs: $(VENV)/.installed
	$(BIN)/python scripts/generate_docs.py

screenshots: $(VENV)/.installed-dev
	$(BIN)/python scripts/screenshots.py $(ARGS)

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Comparer needs Python 3.11 or newer: make run PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .ruff_cache .mypy_cache
