# Everything below needs python3 (3.11 or newer, with venv), make and git.

PYTHON ?= python3
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint types layers golden docs bench bench-rivals fuzz lab lab-loss merges influence vpp-campaign wheel lock clean .venv

help: ## print this list
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/.runtime ## show the whole line at work; needs no server
	@$(BIN)/python -m intentc.demo

test: check ## everything that must pass: the checks below, then the tests
	$(BIN)/python -m pytest -n auto

check: lint types layers ## lint, types and layers

lint: .venv/.dev ## style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev ## static types, strict
	$(BIN)/mypy

layers: .venv/.dev ## which package may import which
	PYTHONPATH=. $(BIN)/lint-imports

golden: .venv/.dev ## write the golden files anew; look at the diff afterwards
	$(BIN)/python -m pytest --update-golden

docs: .venv/.runtime ## write the generated pages of docs/ anew
	$(BIN)/python -m intentc.reference

bench: .venv/.runtime ## measure
	$(BIN)/python -m bench

bench-rivals: .venv/.runtime .venv-rivals/.done ## measure beside neighbours that can be installed
	$(BIN)/python -m bench --only rivals

FUZZ_SECONDS ?= 300
FUZZ_TARGETS ?= loader ledger plan journal

fuzz: .venv-fuzz/.done ## fuzz every reader of files, FUZZ_SECONDS each; see docs/testing.md
	@for target in $(FUZZ_TARGETS); do \
		.venv-fuzz/bin/python -m fuzz $$target $(FUZZ_SECONDS) .fuzz || exit 1; \
	done

lab: .venv/.runtime ## two data centres in network namespaces, with real packets; needs root (docs/lab.md)
	@$(BIN)/python -m lab

lab-loss: .venv/.runtime ## change a policy 100 times under a million numbered packets, on Linux and on VPP; needs root
	@$(BIN)/python -m lab loss
	@$(BIN)/python -m lab loss-vpp

merges: .venv/.dev ## merge 1,000 random pairs of branches, and count what became of the ledger
	INTENTC_MERGES=1000 $(BIN)/python -m pytest -q tests/properties/test_merge.py

influence: .venv/.dev ## mutate every field of intent, and look up the origins of what changes
	INTENTC_INFLUENCE=1 $(BIN)/python -m pytest -q -s tests/properties/test_influence.py

VPP_OPERATIONS ?= 100000

vpp-campaign: .venv/.dev ## random worlds on the stand-in VPP, and where there is one, a tenth as many on a real VPP
	INTENTC_VPP_OPERATIONS=$(VPP_OPERATIONS) $(BIN)/python -m pytest -q -s -rs tests/properties/test_vpp_machine.py
	INTENTC_VPP_REQUESTS=$$(($(VPP_OPERATIONS) / 10)) $(BIN)/python -m pytest -q -s -rs tests/real/test_vppd_at_random.py

wheel: .venv/.dev ## build dist/intentc-*.whl
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

.venv: .venv/.dev ## the development environment

clean: ## remove the environment and everything that is built or cached
	rm -rf .venv .venv-lock .venv-rivals .venv-fuzz .fuzz build dist htmlcov .coverage .coverage.*
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

# One environment in two steps, so that the demo does not wait for the tools.

.venv/.runtime: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo >&2 "intentc needs Python 3.11 or newer; \"$(PYTHON)\" is: $$($(PYTHON) --version 2>&1)"; \
		echo >&2 "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo >&2 "\"$(PYTHON)\" has no venv module; on Debian or Ubuntu: apt install python3-venv"; \
		exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml .venv/.runtime
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv-rivals/.done:
	$(PYTHON) -m venv .venv-rivals
	.venv-rivals/bin/python -m pip --disable-pip-version-check --quiet install rjsonnet==0.5.6 pyavd==6.4.0
	@touch $@

# atheris has wheels for a few versions of Python only, so it is no part of the development environment.
.venv-fuzz/.done: requirements.lock
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements.lock
	.venv-fuzz/bin/python -m pip --disable-pip-version-check --quiet install --only-binary :all: atheris==3.0.0
	@touch $@

# Both locks hold for Python 3.11 and newer on every platform. The second one
# takes the versions of the first.

LOCK := .venv-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: ## renew requirements.lock and requirements-dev.lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip --disable-pip-version-check --quiet install 'uv>=0.9'
	$(LOCK) pyproject.toml --output-file .venv-lock/runtime
	$(LOCK) pyproject.toml --group dev --constraints .venv-lock/runtime --output-file .venv-lock/dev
	{ echo '# What intentc runs on. Renew with: make lock'; cat .venv-lock/runtime; } > requirements.lock
	{ echo '# What intentc is developed with. Renew with: make lock'; cat .venv-lock/dev; } > requirements-dev.lock
	rm -rf .venv-lock
