# make help lists what there is. The environment is .venv; setup makes it when it is first needed.
PYTHON ?= python3
# newest: as pinned. oldest: the lower end of the ranges in pyproject.toml.
TORCH ?= newest
OLDEST := torch==2.4.0 torchvision==0.19.0

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

# Tests run on one core each; a file of tests stays in one process.
PROCESSES ?= 2
BESIDE := -n $(PROCESSES) --dist loadfile

PAGE := tools/page
TSC := $(PAGE)/node_modules/typescript/bin/tsc

.DEFAULT_GOAL := help
.PHONY: help setup demo lint format test test-fast fuzz docs pictures bench clean

help:  ## Show these lines.
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/\1	\2/p' Makefile | expand -t 12

setup: .venv/.ready $(PAGE)/node_modules/.ready  ## Make .venv with all that tests and docs need.

.venv/.ready: requirements-dev.txt pyproject.toml
	@echo "Installing what requirements-dev.txt pins into .venv: some minutes, and 7 GB on Linux with"
	@echo "PyTorch's CUDA libraries. README, Install, says how to do without these."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
ifeq ($(TORCH),oldest)
	$(BIN)/python -m pip install --disable-pip-version-check $(OLDEST)
endif
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# TypeScript, which checks the scripts of the studio's page. Nothing else needs it or npm.
$(PAGE)/node_modules/.ready: $(PAGE)/package-lock.json
	@if command -v npm >/dev/null; then \
		npm ci --silent --fetch-retries=0 --fetch-timeout=20000 --prefix $(PAGE) && touch $@ || \
		echo "npm could not get TypeScript: the scripts of the studio's page stay unchecked."; fi

demo: setup  ## Follow the objects of a sample clip, into demo-out/.
	$(BIN)/hodor demo --out demo-out

lint: setup  ## Check style, types and who imports whom.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if [ -f $(TSC) ] && command -v node >/dev/null; then echo "node $(TSC) -p $(PAGE)" && node $(TSC) -p $(PAGE); \
		else echo "The studio page's scripts were not checked: that needs node and npm."; fi

format: setup  ## Write code as ruff would, and mend what it can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint  ## Run every check and every test, in PROCESSES processes (2).
	$(BIN)/python -m pytest $(BESIDE)

test-fast: setup  ## Run the tests without the marker slow.
	$(BIN)/python -m pytest $(BESIDE) -m "not slow"

fuzz: setup  ## Read 20,000 damaged files of every kind, with little memory.
	$(BIN)/python tests/fuzz/run.py --inputs 20000

docs: setup  ## Build the site into site/, strictly.
	$(BIN)/mkdocs build --strict

# DAVIS=FOLDER adds the picture of small's failures.
pictures: setup  ## Make the docs' pictures of what models find anew, after the models changed.
	$(BIN)/python tools/renew_pictures.py $(if $(DAVIS),--davis $(DAVIS))

bench: setup  ## Measure the tracker on this machine.
	$(BIN)/hodor bench

clean:  ## Remove .venv and everything built.
	rm -rf .venv $(PAGE)/node_modules demo-out site dist build
