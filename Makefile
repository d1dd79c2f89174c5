# `make help` lists the targets. Each has its plain spelling in docs/tutorial/digits.md, for people without make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help
.PHONY: help install repro test check format ui docs lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

install: $(ENVIRONMENT) ## Make .venv from the hash-pinned lock, with this package in it

$(ENVIRONMENT): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

repro: $(ENVIRONMENT) ## Run the whole comparison (dvc repro) and print its table
	dvc repro
	@python -m mobileyolo show

test: $(ENVIRONMENT) ## Run all tests
	python -m pytest

check: $(ENVIRONMENT) ## Lint, format check and strict types
	ruff check .
	ruff format --check .
	mypy

format: $(ENVIRONMENT) ## Sort imports, fix what can be fixed, and format
	ruff check --fix .
	ruff format .

ui: $(ENVIRONMENT) ## Show the runs in a browser (mlflow ui)
	mlflow ui

docs: $(ENVIRONMENT) ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

lock: ## Resolve requirements.lock anew (needs uv)
	UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile pyproject.toml --all-extras --universal \
		--python-version 3.11 --no-emit-index-url --generate-hashes --quiet -o requirements.lock

clean: ## Remove everything that the pipeline and the tools wrote, but not DVC's cache and MLflow's store
	rm -rf .mypy_cache .pytest_cache .ruff_cache .mobileyolo data/raw data/manifest data/dataset.yaml \
		data/checked.txt models reports
