# make demo   follow the objects of a sample clip; make test   run all checks; make docs   the site
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test docs bench clean

setup: .venv/.ready

.venv/.ready: requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: setup
	$(BIN)/hodor demo --out demo-out

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

docs: setup
	$(BIN)/mkdocs build --strict

bench: setup
	$(BIN)/hodor bench

clean:
	rm -rf .venv demo-out site dist build
