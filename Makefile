# The commands of this project; `make` alone lists them. Needs Python 3.11 or later and make, nothing else.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The demo and the development server use this folder alone, whatever the shell is set to.
OWN := env -u DAGSTER_HOME -u GRAFTPORT_STORE_URL -u GRAFTPORT_STATE -u GRAFTPORT_MIGRATIONS

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-fast lint format types check lock lock-check screenshots clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Make .venv with the exact versions of requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": run make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV) (some minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## Migrate the demo shop into the simulated store and print the run's report
	@$(OWN) PYTHONWARNINGS='ignore:Function `job_execute_command` is superseded' \
	  $(BIN)/dagster job execute -m graftport_dagster.definitions -j demo_migrate

# Two first commands at once spoil a new SQLite storage for good, so it is made by one command before the four
# processes of `dagster dev` start. Without `env --default-signal` they ignore Ctrl-C when make runs in the background.
dev: $(INSTALLED) ## Dagster's UI, daemon and code server on this folder (port 3000)
	@DAGSTER_HOME=$(CURDIR) $(BIN)/dagster instance info > /dev/null
	@$(OWN) $$(env --default-signal true 2>/dev/null && echo env --default-signal=INT,TERM) $(BIN)/dagster dev

test: $(INSTALLED) ## Run the whole test suite
	$(BIN)/pytest -n auto --dist loadgroup

test-fast: $(INSTALLED) ## Run the tests that take seconds
	$(BIN)/pytest -n auto --dist loadgroup -m "not slow"

lint: $(INSTALLED) ## Ruff, its format, and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(INSTALLED) ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(INSTALLED) ## mypy --strict on package, tests and benchmarks
	$(BIN)/mypy

check: lint types lock-check test ## All that CI runs

lock: ## Resolve requirements.lock anew from pyproject.toml (needs uv)
	$(UV) pip compile pyproject.toml --group dev --extra postgres --universal --python-version 3.11 \
	  --no-emit-index-url --no-header --upgrade --quiet --output-file requirements.lock

lock-check: $(INSTALLED) ## The lock satisfies pyproject.toml, and what is installed is what it says
	$(BIN)/python -m pip check
	$(BIN)/pytest --quiet tests/test_project.py -k lock

screenshots: $(INSTALLED) ## Make the pictures of docs/ui.md anew (needs chromium and chromium-driver)
	$(BIN)/python -m tests.browser.screenshots

clean: ## Remove .venv, the local storage and every cache
	rm -rf $(VENV) .dagster .tmp_dagster_home_* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf build dist *.egg-info
	find graftport_dagster tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
