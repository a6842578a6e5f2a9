# Two commands do everything on a fresh machine with Python 3.11+:  make demo   and   make test
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(wildcard libs/*) $(wildcard services/*) cli examples/storefront
READY := $(VENV)/.ready

# Tests start hundreds of processes: none of them shall compile our modules anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

# --- set-up -----------------------------------------------------------------------------------------------------

.PHONY: setup
setup: $(READY) ## the virtual environment with every pinned dependency

$(READY): requirements.lock requirements-bootstrap.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	@echo "==> Setting up $(VENV) (pinned and hash-checked)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x .bootstrap/bin/uv || { $(PYTHON) -m venv .bootstrap && .bootstrap/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock; }
	@.bootstrap/bin/uv pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@.bootstrap/bin/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(addprefix ./,$(PACKAGES)))
	@touch $@

.PHONY: lock
lock: ## pin every dependency again, with hashes and without addresses
	@test -x .bootstrap/bin/uv || { $(PYTHON) -m venv .bootstrap && .bootstrap/bin/pip install -q uv; }
	.bootstrap/bin/uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" requirements.in -o requirements.lock
	.bootstrap/bin/uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" requirements-bootstrap.in -o requirements-bootstrap.lock

# --- what it is for ---------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(READY) ## a real incident from beginning to end, in under a minute
	@$(BIN)/tocsin demo $(ARGS)

# --- checks -----------------------------------------------------------------------------------------------------

WORKERS ?= 4

.PHONY: test
test: $(READY) peers ## everything that must hold, in a few minutes
	@$(MAKE) --no-print-directory -j 2 lint types imports docs-check compose-check
	@echo "==> Tests"
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not long" $(ARGS)

.PHONY: test-long
test-long: $(READY) peers ## chaos and simulation, for as long as it takes
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "long" --timeout 3600 $(ARGS)

.PHONY: lint
lint: $(READY)
	@echo "==> Lint and format"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }

.PHONY: format
format: $(READY) ## mend what a formatter can
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

TYPED := $(wildcard libs/*/tocsin_*) $(wildcard services/*/tocsin_*) cli/tocsin examples/storefront/storefront deploy/check_containers.py

.PHONY: types
types: $(READY)
	@echo "==> Types"
	@$(BIN)/mypy --no-error-summary $(TYPED)

.PHONY: imports
imports: $(READY)
	@echo "==> Import rules"
	@$(BIN)/lint-imports --no-cache > .import-linter.log 2>&1 || { cat .import-linter.log; rm -f .import-linter.log; exit 1; }; rm -f .import-linter.log

.PHONY: docs
docs: $(READY) ## write the generated references
	@$(BIN)/python -m tocsin.reference docs

.PHONY: docs-check
docs-check: $(READY)
	@echo "==> Generated documents are current"
	@$(BIN)/python -m tocsin.reference docs --check

.PHONY: compose-check
compose-check: $(READY)
	@echo "==> Container files"
	@$(BIN)/python deploy/check_containers.py

.PHONY: peers
peers: ## Debian's prometheus, promtool and amtool, where they can be had
	@command -v promtool >/dev/null && command -v amtool >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "==> Installing Debian's prometheus and alertmanager (real senders for the tests)"; \
	    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager) >/dev/null 2>&1 \
	      || echo "    not to be had here: tests against real Prometheus are skipped"; \
	  else echo "==> No prometheus or amtool here: tests against real Prometheus are skipped"; fi; }

.PHONY: bench
bench: $(READY) ## every figure, written to bench/results/
	@$(BIN)/python -m bench $(ARGS)

.PHONY: fresh
fresh: ## clone into an empty folder and run both README commands there
	@folder=$$(mktemp -d) && git clone -q . $$folder/tocsin && cd $$folder/tocsin && $(MAKE) demo && $(MAKE) test && rm -rf $$folder

.PHONY: clean
clean: ## remove what was set up
	rm -rf $(VENV) .bootstrap .mypy_cache .ruff_cache .hypothesis
