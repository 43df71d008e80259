# `make demo` and `make test` need Python >= 3.11 and nothing else; everything is installed below this folder.

STORE ?= sqlite
ARGS ?=
COVERAGE :=
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# How many requests each of these tests makes in a soak.
FUZZ_EXAMPLES ?= 10000
# How many runs of a ladder are broken in a soak.
BROKEN_RUNS ?= 1000
FUZZ := tests/functional/test_fuzz.py tests/e2e/test_raw_bytes.py

BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# These would send an install, or an import, somewhere else than into .venv.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PYTHONHOME PYTHONPATH
# This would have each of the hundred processes that the tests start compile the code anew.
unexport PYTHONDONTWRITEBYTECODE

# What makes an environment: $(INSTALL) STAMP REQUIREMENTS. What it needs of the machine is said in a line.
INSTALL = @python="$(PYTHON)"; $${python:-false} -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "ttsprompt needs Python 3.11 or newer, and $${python:-python3} is none: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	$$python tools/install.py

.DEFAULT_GOAL := help
.PHONY: help setup demo run test quick claims mutants statements soak bench lint types imports check audit bootstrap deploy fmt screenshots lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: .venv/ready ## install everything into .venv

# What runs the service, the dev phone and the client.
.venv/running: requirements-running.txt
	$(INSTALL) $@ $< --editable client

# And what tests and checks them.
.venv/ready: requirements-dev.txt .venv/running
	$(INSTALL) $@ $< --onto .venv/running --editable client

# The tutorial's client, as it was.
.venv-nexmo/ready: tests/e2e/old_client/requirements.txt
	$(INSTALL) $@ $<

# What the functions have in the cloud.
.venv-uploaded/ready: requirements.txt
	$(INSTALL) $@ $<

demo: .venv/running ## place one call to a scripted callee and show what happens (STORE=sqlite, ARGS="--speed 1")
	@$(BIN)/python -m devphone demo --store $(STORE) $(ARGS)

run: .venv/running ## run the functions and the dev phone, a phone in the browser (STORE=sqlite, ARGS="--port 8081")
	@$(BIN)/python -m devphone run --store $(STORE) $(ARGS)

test: setup .venv-nexmo/ready .venv-uploaded/ready ## run the tests (ARGS="-k something")
	@echo "All tests, over both stores, with real processes, a browser and the deployment: about 5 minutes on 2 cores."
	@$(BIN)/python -m pytest -n 6 --dist loadfile --no-loadscope-reorder $(COVERAGE) $(ARGS)

quick: setup ## run the tests that need no other program, in about a minute
	@echo "Rules, use cases, stores (SQLite) and routes, in this process: about a minute on 2 cores."
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q tests/unit tests/service tests/functional tests/contract -k "not firestore" $(ARGS)

bootstrap: ## make what a deployment needs to exist in a Google Cloud project (ENV=prod PROJECT=…, DRY_RUN=1 shows it)
	@ENV="$(ENV)" PROJECT="$(PROJECT)" DRY_RUN="$(DRY_RUN)" bash deploy/bootstrap.sh

deploy: ## check the commit and deploy it to Google Cloud (ENV=prod PROJECT=…, DRY_RUN=1 shows it, CHECK=skip is faster)
	@ENV="$(ENV)" PROJECT="$(PROJECT)" DRY_RUN="$(DRY_RUN)" CHECK="$(CHECK)" bash deploy/deploy.sh

claims: setup ## break the code a line at a time and see the test fail that guards it, in minutes (ARGS="sweep")
	$(BIN)/python -m tests.tools.claims $(ARGS)

mutants: setup ## change the code in small ways and count what no test notices (ARGS="domain", ARGS=--changed)
	$(BIN)/python -m tests.tools.mutants $(ARGS)

statements: setup ## take the code's statements out one by one and tell which no test misses (ARGS="net")
	$(BIN)/python -m tests.tools.statements $(ARGS)

bench: setup ## measure speed against the floors (ARGS="--only hot-paths")
	$(BIN)/python -m benchmarks $(ARGS)

soak: setup ## minutes of kill -9 under load on both stores, and thousands of hostile requests (ARGS="--seconds 600")
	$(BIN)/python -m tests.soak $(ARGS)
	$(BIN)/python client/tests/broken_runs.py --runs $(BROKEN_RUNS)
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -q --timeout 3600 $(FUZZ)

lint: setup ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## types
	$(BIN)/mypy

imports: setup ## the direction of imports
	$(BIN)/lint-imports

check: COVERAGE = --cov --cov-report=term-missing
check: lint types imports test ## everything that CI runs: style, types, imports, tests with branch coverage

.venv-audit/ready: tests/tools/audit/requirements.txt
	$(INSTALL) $@ $<

audit: setup .venv-audit/ready ## licences and known vulnerabilities; asks the network
	$(BIN)/python -m tests.tools.audit .venv-audit/bin/pip-audit

fmt: setup ## format, and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: setup ## take pictures of the dev phone's page (needs Chromium; ARGS=--readme for the README's)
	$(BIN)/python -m tests.tools.screenshots $(ARGS)

lock: ## pin the newest releases that fit (needs uv)
	for f in requirements requirements-running requirements-dev tests/e2e/old_client/requirements tests/tools/audit/requirements; do \
		uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o $$f.txt $$f.in || exit 1; done

clean: ## remove what was installed and made
	rm -rf .venv .venv-* .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
