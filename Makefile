# `make help` lists the targets. docs/tutorial/digits.md has the plain spelling of those that users need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help
.PHONY: help install repro show table test coverage check format bench ui docs lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

install: $(ENVIRONMENT) ## Make .venv from the hash-pinned lock, with this package in it

$(ENVIRONMENT): requirements-build.lock requirements.lock pyproject.toml
	@echo "Making $(VENV): $$(grep -c '==' requirements.lock) packages, about 3 GB to download and 7 GB on disk."
	@echo "That took 2 minutes where the packages lay on the disk; else it takes as long as the download."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements-build.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --require-hashes \
		-r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@du -sh $(VENV) | awk '{print "Installed: " $$1 " in $(VENV)"}'
	@touch $@

repro: $(ENVIRONMENT) ## Run the whole comparison (dvc repro), which ends with its tables
	@python -m stages.check
	dvc repro

show: $(ENVIRONMENT) ## Print the last comparison again
	@mobileyolo show

table: $(ENVIRONMENT) ## List experiments side by side: what differs, without hashes of code and files
	@dvc exp show --only-changed --no-pager --precision 3 --keep 'verdict|delta|low|high' \
		--drop '.*/.*|params.yaml|Created|.*\.(map50|precision|recall)'

test: $(ENVIRONMENT) ## Run the tests, but for those that take minutes
	python -m pytest

coverage: $(ENVIRONMENT) ## Run the tests and show the branches that they reach; slower than test
	python -m pytest --cov --cov-report=term-missing

check: $(ENVIRONMENT) ## Lint, format check and strict types
	ruff check .
	ruff format --check .
	mypy

format: $(ENVIRONMENT) ## Sort imports, fix what can be fixed, and format
	ruff check --fix .
	ruff format .

bench: $(ENVIRONMENT) ## Measure it beside its peers, for hours; make bench QUICK=1 tries all of it in minutes
	python -m benchmarks $(if $(QUICK),--quick)

ui: $(ENVIRONMENT) ## Show the runs in a browser (mlflow ui)
	mlflow ui

docs: $(ENVIRONMENT) ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

lock: ## Resolve both locks anew (needs uv)
	UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile pyproject.toml --all-extras --universal \
		--python-version 3.11 --no-emit-index-url --generate-hashes --quiet -o requirements.lock
	echo setuptools | UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile - --constraints requirements.lock --universal \
		--python-version 3.11 --no-emit-index-url --no-annotate --generate-hashes --quiet -o requirements-build.lock

clean: ## Remove what the pipeline and the tools wrote, but not DVC's cache, MLflow's store and reports/benchmarks.json
	rm -rf .mypy_cache .pytest_cache .ruff_cache .coverage* .mobileyolo data/raw data/manifest data/dataset.yaml \
		data/scenes.parquet data/checked.txt models exports site dvc_plots runs
	find reports -mindepth 1 -maxdepth 1 ! -name benchmarks.json -exec rm -rf {} +
