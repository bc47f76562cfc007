# Every command a developer or CI needs. All of them work from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
# Two stages of one environment: what running needs, and all that development needs.
RUN := $(VENV)/.run
READY := $(VENV)/.ready
# A process for each processor, and each file of tests in one of them, so that it sets up once.
SIDE_BY_SIDE := --numprocesses logical --dist loadfile
# Those that measure the server need the processors to themselves.
ALONE := tests/faults/load tests/faults/soak tests/faults/uploads/test_memory.py \
    $(addprefix tests/faults/durability/,test_stop.py test_stop_runner.py) tests/faults/page/test_untrusted.py
CODE := server tests benchmarks
CHECKS := governance format lint types imports unit

.DEFAULT_GOAL := help
.PHONY: help demo serve test $(CHECKS) fix faults coverage smoke bench install lock clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(RUN) ## submit a video to a temporary server and print its results (VIDEO=… PIPELINE=…)
	@$(BIN)/python server/tools/demo.py $(if $(VIDEO),--video "$(VIDEO)") $(if $(PIPELINE),--pipeline "$(PIPELINE)")

serve: $(RUN) ## run the server on data/
	@exec $(BIN)/python -m app

test: $(READY) ## run the six checks below, all of them, and say at the end which failed
	@failed=; for check in $(CHECKS); do $(MAKE) --no-print-directory $$check || failed="$$failed $$check"; done; \
	test -z "$$failed" || { echo "Failed:$$failed"; exit 1; }

governance: $(READY) ## judge the tree against the rules of its scope
	$(BIN)/python server/tools/validate_phase16_path.py

format: $(READY) ## check that ruff would format nothing otherwise
	$(BIN)/ruff format --check $(CODE)

lint: $(READY) ## check the rules of ruff
	$(BIN)/ruff check $(CODE)

types: $(READY) ## check the types with mypy
	$(BIN)/mypy

imports: $(READY) ## check the direction of imports
	$(BIN)/lint-imports

unit: $(READY) ## run the tests
	$(BIN)/pytest $(SIDE_BY_SIDE)

fix: $(READY) ## format the code, and mend what ruff can mend of its rules
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

faults: $(READY) ## break the running server on purpose and check what it promises (ROUNDS=… kills; SOAK=1 for an hour more)
	FAULT_ROUNDS=$(ROUNDS) $(BIN)/pytest $(SIDE_BY_SIDE) $(ALONE:%=--ignore %) tests/faults
	$(BIN)/pytest $(ALONE)

coverage: $(READY) ## run the tests, and report the lines and branches that nothing ran
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

smoke: $(RUN) ## submit, status, results against the real server
	$(BIN)/python server/tools/smoke_test.py

bench: $(READY) ## measure, side by side with simpler designs
	$(BIN)/python -m benchmarks

install: $(READY) ## make the virtual environment, with all that development needs

lock: ## pin the newest versions allowed in requirements.txt and requirements-dev.txt
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip --quiet --disable-pip-version-check install uv==0.13.9
	$(VENV)/lock/bin/uv pip compile --quiet --upgrade requirements.in --output-file requirements.txt
	$(VENV)/lock/bin/uv pip compile --quiet --upgrade requirements-dev.in --output-file requirements-dev.txt

clean: ## remove the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*

# The locks name everything, so nothing is left for pip to resolve or to build elsewhere.
$(RUN): pyproject.toml requirements.txt
	@echo "Installing in $(VENV) what running needs."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --requirement requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(READY): $(RUN) requirements-dev.txt
	@echo "Installing in $(VENV) what development needs besides."
	@$(PIP) install --no-deps --requirement requirements-dev.txt
	@touch $@
