# Everything from a bare checkout: `make help`. Needs make and a Python of 3.11 or newer; the rest is made in .venv/.

PYTHON ?= python3
export CUSTOM_COMPILE_COMMAND := make lock
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: help demo test check audit sbom lock influxd clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  More words for a command: make demo ARGS='--seed 2', make test ARGS='-k spool'"

demo: $(VENV)/demo.stamp ## a synthetic works' month, from the meters to the CO2 report, in under a minute
	$(BIN)/seiren demo $(ARGS)

test: $(VENV)/dev.stamp ## the whole test suite; says what is missing for the tests that it skips
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/dev.stamp audit ## lint, format, types, import contracts, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	$(BIN)/hadolint deploy/docker/Dockerfile

audit: $(VENV)/dev.stamp ## ask for known vulnerabilities of all that is locked, where the registry tells of any
	$(BIN)/python deploy/audit.py

sbom: $(VENV)/dev.stamp ## a bill of materials of each layer, in build/
	@mkdir -p build
	@for layer in edge collector hq demo; do \
	    $(BIN)/cyclonedx-py requirements lock/$$layer.txt --pyproject pyproject.toml --output-reproducible \
	        --of JSON -o build/sbom-$$layer.json || exit; echo "build/sbom-$$layer.json"; \
	done

influxd: ## build InfluxDB 2.7.12 into ~/.cache/seiren, for the tests and `seiren demo --store influxdb`
	deploy/influxd/build.sh

lock: $(VENV)/dev.stamp ## write lock/*.txt again from pyproject.toml; newer versions with ARGS=--upgrade
	$(BIN)/pip-compile --quiet $(ARGS) --extra dev --output-file lock/dev.txt pyproject.toml
	@for layer in edge collector hq demo; do \
	    cp lock/dev.txt lock/$$layer.txt; \
	    extra=$$([ $$layer = edge ] || echo "--extra $$layer"); \
	    $(BIN)/pip-compile --quiet $$extra --output-file lock/$$layer.txt pyproject.toml || exit; \
	done
	@for file in lock/*.txt; do \
	    sed '/^# WARNING: .* not pinned/,$$d' $$file >$$file.new && mv $$file.new $$file || exit; \
	done

clean: ## remove .venv/, caches and the demo's folder
	rm -rf $(VENV) demo-out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: one lock file per layer, each with the hash of everything down to the build backend.
# dev holds all of demo, so whoever can test need not install again to see the demo. The smaller layers are resolved
# from dev's versions, so that all agree; the project itself, which an extra names, is no line of a lock.

$(VENV)/demo.stamp: lock/demo.txt pyproject.toml | $(VENV)
	$(call install,demo)

$(VENV)/dev.stamp: lock/dev.txt pyproject.toml | $(VENV)
	$(call install,dev)
	@touch $(VENV)/demo.stamp

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "ERROR Python 3.11 or newer is needed, and '$(PYTHON)' is not one."; \
	    echo "next  apt-get install python3 python3-venv   or name one: make PYTHON=/path/to/python3.12"; exit 2; } >&2
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	    echo "ERROR '$(PYTHON)' cannot make virtual environments: its module ensurepip is missing."; \
	    echo "next  apt-get install python3-venv"; exit 2; } >&2
	$(PYTHON) -m venv $(VENV)

define install
@echo "installing lock/$(1).txt into $(VENV)/"
@$(INSTALL) --require-hashes --requirement lock/$(1).txt
@PYTHONWARNINGS=ignore $(INSTALL) --no-build-isolation --editable .
@touch $@
endef
