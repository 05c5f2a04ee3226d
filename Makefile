# Bridge-Cart. A machine with python3 (3.11 or newer), pip and make is enough.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS_VENV := .venv-bench
# Bytecode is compiled once here: without it every process pays seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: audit sbom help install demo dev test lint unit test-slow test-long test-kills test-faults test-engines bench lock dictionary docs notebook screenshots clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/installed ## create .venv with the pinned packages and this one

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $$($(PYTHON) --version) is too old: python 3.11 or newer is needed (make PYTHON=...)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib bridge_cart_assets || true
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	@echo "installing the locked test tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib || true
	@$(BIN)/python -m pytest --collect-only -q >/dev/null || true
	@touch $@

demo: install ## generate a shop and run the whole pipeline in several increments
	@$(BIN)/python -m bridge_cart_assets.demo

dev: install ## Dagster UI on 127.0.0.1:3000 and the report page on 127.0.0.1:5010
	@$(BIN)/python -m bridge_cart_assets.dev

test: $(VENV)/installed-dev ## the test suite, in five minutes on two cores
	@$(MAKE) --no-print-directory --jobs 2 lint unit

lint: $(VENV)/installed-dev ## formatting, lint and types
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy

# Three processes of one thread each: on two cores more of either only wait for each other.
unit: export POLARS_MAX_THREADS := 1
unit: export OMP_NUM_THREADS := 1
unit: $(VENV)/installed-dev
	@$(BIN)/python -m pytest -n 3 --dist worksteal

test-slow: $(VENV)/installed-dev ## what costs much for what it can show: some minutes
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m slow

test-long: $(VENV)/installed-dev ## the tests that take minutes: 305 increments of real data, shuffled files
	@$(BIN)/python -m pytest bridge_cart_tests/e2e -m long -n 2

# How often something is tried; `make test-faults KILLS=12 EXAMPLES=10` is a short form.
KILLS ?= 200
EXAMPLES ?= 200
CONFLICTS ?= 50
FAULTS := bridge_cart_tests/faults
FUZZED := bridge_cart_tests/ingestion/test_fuzzed_files.py bridge_cart_tests/reports/test_fuzzed_parameters.py
# Those that measure time run alone.
TIMED := $(addprefix $(FAULTS)/,test_killed_command.py test_killed_dev.py)
test-faults test-kills: export BRIDGE_CART_TEST_COMMAND_KILLS := $(KILLS)
test-faults: export BRIDGE_CART_TEST_KILLS := $(KILLS)
test-faults: export BRIDGE_CART_TEST_EXAMPLES := $(EXAMPLES)
test-faults: export BRIDGE_CART_TEST_CONFLICTS := $(CONFLICTS)
test-kills: $(VENV)/installed-dev ## kills and signals of the real command and of make dev
	@$(BIN)/python -m pytest $(TIMED) -rP -m long

test-faults: test-kills ## 200 kills of the real command, kills at every point, 200 sequences of 30 events, all other faults
	@$(BIN)/python -m pytest $(FAULTS) $(FUZZED) $(addprefix --ignore=,$(TIMED)) -n 2 --dist worksteal -rP -m long

# Where to look for them: `make test-engines ENGINES=bridge_cart_tests/stores` is a part that takes minutes.
ENGINES ?= bridge_cart_tests
test-engines: $(VENV)/installed-dev ## Spark, object stores, Postgres, Kafka and compose, with real servers
	@$(BIN)/python -m pytest $(ENGINES) -m engines -rP

# What is measured: `make bench CUSTOMERS=100000 DAYS=90 GROWTH=30,365,730 REPEATS=3`; also PEERS=dbt,
# FORMAT=parquet, FOLDER=where, LARGE=1 (1 M customers, 20 M lines), UPDATE=1 (docs/performance.md).
BENCH := $(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(if $(DAYS),--days $(DAYS)) \
  $(if $(GROWTH),--growth $(GROWTH)) $(if $(REPEATS),--repeats $(REPEATS)) \
  $(if $(PEERS),--peers $(PEERS)) $(if $(FORMAT),--format $(FORMAT)) \
  $(if $(FOLDER),--folder $(FOLDER)) $(if $(LARGE),--large) $(if $(UPDATE),--update)
bench: $(VENV)/installed $(PEERS_VENV)/installed ## the product beside dbt-duckdb, pandas and Polars, as a table
	@$(BIN)/python -m bridge_cart_tests.benchmarks.side_by_side $(BENCH)

# The peers' packages are no dependencies of ours: an environment of their own.
$(PEERS_VENV)/installed: requirements-bench.lock
	@test -x $(PEERS_VENV)/bin/python || $(PYTHON) -m venv $(PEERS_VENV)
	@echo "installing the locked peers into $(PEERS_VENV)"
	@$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-bench.lock
	@$(PEERS_VENV)/bin/python -m compileall -q -j 0 $(PEERS_VENV)/lib || true
	@touch $@

# The audit's own packages are no dependencies of ours: an environment of its own.
AUDIT_VENV := .venv-audit
audit: ## known vulnerabilities of the locked packages (pip-audit, asks the package registry)
	@test -x $(AUDIT_VENV)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT_VENV) && \
	  $(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit~=2.10'; }
	@mkdir -p build
	@$(AUDIT_VENV)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
	  -r requirements.lock 2> build/audit.log || { \
	  grep -q '^Found ' build/audit.log || { echo "error: nothing was audited, the registry's list of" \
	    "vulnerabilities cannot be asked from here: $$(tail -n 1 build/audit.log)" >&2; exit 2; }; \
	  cat build/audit.log >&2; exit 1; }
	@cat build/audit.log

sbom: install ## what the lock pins, as CycloneDX JSON in build/sbom.json
	@mkdir -p build
	@$(BIN)/python -m bridge_cart_tests.sbom requirements.lock > build/sbom.json
	@echo build/sbom.json

lock: ## pin all packages again (needs uv)
	@echo 'setuptools>=77' | uv pip compile pyproject.toml - --extra kafka --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-strip-extras --quiet -o requirements.lock
	@echo 'setuptools>=77' | uv pip compile pyproject.toml - --extra kafka --extra spark --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-strip-extras --quiet -c requirements.lock -o requirements-dev.lock
	@printf '%s\n' 'dbt-core~=1.11.16' dbt-duckdb~=1.11.1 duckdb pandas~=3.1 polars 'pyarrow>=26' scikit-learn | \
	  uv pip compile - --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-strip-extras --quiet -c requirements.lock -o requirements-bench.lock

dictionary: install ## write docs/data_dictionary.md from the table declarations
	@$(BIN)/python -m bridge_cart_assets.dictionary > docs/data_dictionary.md

docs: $(VENV)/installed-dev ## build the documentation in build/site, and check its links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

notebook: $(VENV)/installed-dev ## run docs/notebooks over the data folder (make demo first) and keep its outputs
	@$(BIN)/python -m bridge_cart_tests.notebook

screenshots: $(VENV)/installed-dev ## write README's figures and the pictures in docs/images from a demo shop of its own (needs Chromium)
	@$(BIN)/python -m bridge_cart_tests.screenshots

clean: ## remove what runs have left in data/ (the lake too) and all caches
	@rm -rf data/landing data/truth data/lake data/copies data/dagster data/bridge_cart.duckdb .pytest_cache .mypy_cache .ruff_cache .hypothesis
