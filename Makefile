# Two commands do everything on a fresh machine with Python 3.11+:  make demo   and   make test
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(wildcard libs/*) $(wildcard services/*) cli examples/storefront
READY := $(VENV)/.ready

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
	@.bootstrap/bin/uv pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	@.bootstrap/bin/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(addprefix ./,$(PACKAGES)))
	@touch $@

.PHONY: lock
lock: ## pin every dependency again, with hashes and without addresses
	@test -x .bootstrap/bin/uv || { $(PYTHON) -m venv .bootstrap && .bootstrap/bin/pip install -q uv; }
	.bootstrap/bin/uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" requirements.in -o requirements.lock
	.bootstrap/bin/uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" requirements-bootstrap.in -o requirements-bootstrap.lock
