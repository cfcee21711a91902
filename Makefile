# What people and CI type. `make help` lists the targets; CONTRIBUTING.md says more.
#
# One environment, .venv: `make demo` puts the run-time lock into it, `make test` adds the test lock and `make check`
# the rest. A target's stamp makes the next call skip what is already there.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start hundreds of processes: without bytecode files, each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE
# mkdocs-material advertises the state of another project on every build; it concerns no reader of ours.
export NO_MKDOCS_2_WARNING := 1

# Interpreters are probed by running them: a pyenv shim exists for versions that do not.
supports = $(1) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' >/dev/null 2>&1
is_313 = $(1) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$(call supports,$$p) && { command -v $$p; break; }; done)
PYTHON313 ?= $(shell for p in python3.13 $$HOME/.pyenv/versions/3.13*/bin/python3.13 /usr/local/bin/python3.13 \
	/opt/python3.13/bin/python3.13; do $(call is_313,$$p) && { command -v $$p; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
VENV313 := .venv313
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
LOCAL := $(foreach distribution,. $(PLUGINS),-e ./$(distribution))
PROJECTS := pyproject.toml $(addsuffix /pyproject.toml,$(PLUGINS))
# Twice quiet: errors only.
INSTALL := -m pip install -qq --no-input
LOCKED := $(INSTALL) --require-hashes
UNLOCKED := $(INSTALL) --no-deps --no-build-isolation
# Three processes on two cores, as one of them often waits for a server; `make test WORKERS=0` runs in one.
WORKERS ?= 3
# Each takes half of the tests and then what the other has left, so that a file's tests share what the file sets up.
PYTEST := -m pytest -q -n $(WORKERS) --dist worksteal
SANDBOX := testing_env

.PHONY: help demo servers test test-all test-313 check bench docs dev format lint type-check imports-check dependencies-check \
	secrets-check generated-check house-check docs-check installs-check pre-commit lock coverage clean \
	chat chat-pro demo-local record-demo dump-prompts init validate run-sample

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- environments ---------------------------------------------------------------------------------------------------

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Osiris needs Python 3.11 or newer; none was found (make PYTHON=/path/to/python3)" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt $(PROJECTS) | $(BIN)/python
	@echo "installing what Osiris needs to run"
	@$(BIN)/python $(LOCKED) -r requirements/runtime.txt
	@$(BIN)/python $(UNLOCKED) $(LOCAL)
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.runtime
	@echo "installing what the tests need"
	@$(BIN)/python $(LOCKED) -r requirements/test.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.test
	@echo "installing what the checks need"
	@$(BIN)/python $(LOCKED) -r requirements/dev.txt
	@touch $@

$(VENV313)/.test: requirements/test.txt $(PROJECTS)
	@echo "making $(VENV313) with $$($(PYTHON313) --version) and what the tests need"
	@[ -x $(VENV313)/bin/python ] || $(PYTHON313) -m venv $(VENV313)
	@$(VENV313)/bin/python $(LOCKED) -r requirements/test.txt
	@$(VENV313)/bin/python $(UNLOCKED) $(LOCAL)
	@touch $@

# --- the two commands of the README ---------------------------------------------------------------------------------

demo: $(VENV)/.runtime ## A replayed conversation and a pipeline over real data (needs Python and a package index).
	@examples/flights/demo $(abspath $(BIN))/osiris

servers: ## Install the database servers and the browser that the tests start, where they are missing (Debian, as root).
	@tests/servers/install

test: servers test-313 $(VENV)/.test ## Run the tests of every package, on Python 3.13 too where there is one.
	@$(BIN)/python $(PYTEST) -m "not house"

test-all: servers $(VENV)/.test ## Run every test on the default Python, all cases of the large matrices among them.
	@$(BIN)/python $(PYTEST) --extras all

# The default interpreter runs everything but seven eighths of the cases marked 'extra', and the house, which is a part of
# `make check`. The other leg shows that the code works on another Python, by every sixth test: it leaves out what is
# slow, the matrices of types, queries, bytes and pages, the house, and what needs a database server, but for the golden
# path through all of them.
test-313: ; @$(if $(PYTHON313),$(MAKE) $(VENV313)/.test && $(VENV313)/bin/python $(PYTEST) --part 1/6 -m "not slow and not matrix and not house and not server",\
	echo "Python 3.13 was not found: its leg of the tests is skipped (make PYTHON313=/path/to/python3.13)")

# --- checks ---------------------------------------------------------------------------------------------------------

CHECKS := lint type-check imports-check dependencies-check secrets-check generated-check docs-check house-check installs-check
check: $(CHECKS) ## Everything that must hold beside the tests.
	@echo "all checks passed"

lint: $(VENV)/.dev ## Formatting and lint, as they must be.
	@$(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check . || true; echo "'make format' mends this"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@echo "lint: ok"

format: $(VENV)/.dev ## Format, and mend what lint can mend.
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

type-check: $(VENV)/.dev ## Types, strictly.
	@$(BIN)/mypy --no-error-summary
	@echo "types: ok"

imports-check: $(VENV)/.dev ## The layers of docs/architecture.md.
	@$(BIN)/lint-imports > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo "imports: ok"

dependencies-check: $(VENV)/.dev ## Each distribution declares what it imports, and imports what it declares.
	@$(BIN)/deptry osiris_core >$(VENV)/deptry.log 2>&1 || { cat $(VENV)/deptry.log; exit 1; }
	@for plugin in $(PLUGINS); do \
		(cd $$plugin && $(abspath $(BIN))/deptry src) >$(VENV)/deptry.log 2>&1 || { cat $(VENV)/deptry.log; exit 1; }; done
	@echo "dependencies: ok"

secrets-check: $(VENV)/.dev ## No secret stands in a tracked file.
	@git ls-files -z --cached --others --exclude-standard | xargs -0 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline
	@echo "secrets: ok"

generated-check: $(VENV)/.dev ## The generated reference pages are what the code says now.
	@$(BIN)/python docs/generate.py --check
	@echo "generated files: ok"

docs-check: $(VENV)/.dev ## The documentation builds without a warning and loads nothing from elsewhere.
	@$(BIN)/mkdocs build --strict --site-dir $(VENV)/site >$(VENV)/docs.log 2>&1 || { cat $(VENV)/docs.log; exit 1; }
	@! grep -rnE '<(script|link|img|iframe|source)[^>]*(src|href)="(https?:)?//' $(VENV)/site --include='*.html'
	@echo "docs: ok"

house-check: $(VENV)/.dev ## The rules of the house: no host, no path of a machine, links, README, locks.
	@$(BIN)/python -m pytest -q -m house tests/house

installs-check: $(VENV)/.dev ## Each wheel alone beside the core's in a clean environment: size, commands.
	@$(BIN)/python .ci/installs.py

coverage: $(VENV)/.test ## Line and branch coverage of the core and the plugins.
	@$(BIN)/python $(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html

# --- work -----------------------------------------------------------------------------------------------------------

dev: $(VENV)/.dev ## The whole development environment.
	@echo "ready: $(BIN)/osiris, $(BIN)/pytest, $(BIN)/ruff, $(BIN)/mypy"

bench: $(VENV)/.test ## Measure, and write benchmarks/RESULTS.md (minutes; wants a quiet machine).
	@$(BIN)/python benchmarks/run.py

docs: $(VENV)/.dev ## Rewrite the generated pages and build the site into ./site.
	@$(BIN)/python docs/generate.py
	@$(BIN)/mkdocs build --quiet --strict
	@echo "site/index.html"

pre-commit: $(VENV)/.dev ## Run the pre-commit hooks on every file.
	@$(BIN)/pre-commit run --all-files

lock: $(VENV)/.dev ## Write the locks anew from the project files.
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python requirements/lock.py

clean: ## Remove environments, caches and what runs have left.
	@rm -rf $(VENV) $(VENV313) $(SANDBOX) site dist build htmlcov .coverage .coverage.* benchmarks/.data
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@for made in build logs output .osiris; do rm -rf examples/*/$$made examples/*/conversation/$$made; done
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- trying it out --------------------------------------------------------------------------------------------------

init: $(VENV)/.runtime ## Make a sample project in ./testing_env.
	@mkdir -p $(SANDBOX)
	@cd $(SANDBOX) && $(abspath $(BIN))/osiris init

validate: $(VENV)/.runtime ## Check the sample project.
	@[ -e $(SANDBOX)/osiris.yaml ] || $(MAKE) init
	@cd $(SANDBOX) && $(abspath $(BIN))/osiris validate

run-sample: $(VENV)/.runtime ## Compile and run the sample project's pipeline.
	@[ -e $(SANDBOX)/osiris.yaml ] || $(MAKE) init
	@cd $(SANDBOX) && for pipeline in pipelines/*.yaml; do \
		$(abspath $(BIN))/osiris compile $$pipeline && $(abspath $(BIN))/osiris run --last-compile; done

CHAT := $(abspath $(BIN))/osiris chat

chat: $(VENV)/.test ## Talk about the flights example (needs a model: docs/how-to/chat.md).
	@cd examples/flights && $(CHAT)

demo-local: $(VENV)/.test ## The demo's wish to a small model on this machine (1.1 GB are fetched once; minutes).
	@$(BIN)/python scripts/fetch_model.py >/dev/null
	@cd examples/flights/conversation && $(CHAT) "$$(head -n 1 lines.txt)" --provider local --fast --run

record-demo: $(VENV)/.test ## Record the demo's conversation anew, after a change of a prompt.
	@$(BIN)/python scripts/record_demo.py

chat-pro: $(VENV)/.test dump-prompts ## The same with the prompts in testing_env/prompts, to be changed at will.
	@cd examples/flights && $(CHAT) --pro-mode $(abspath $(SANDBOX))/prompts

dump-prompts: $(VENV)/.runtime ## Write the prompts of the conversation into testing_env/prompts, unless they are there.
	@mkdir -p $(SANDBOX)
	@[ -e $(SANDBOX)/prompts ] || $(abspath $(BIN))/osiris dump-prompts --export $(SANDBOX)/prompts
	@echo "prompts: $(SANDBOX)/prompts"
