# Set up, run, test and check drsim; each target does what it needs first.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/ready
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1 )))
# One more than there are processors: tests of real agents wait for disks.
# A worker that dies ends the run: its test would be given to the next worker, and that one would die too.
SHARED_OUT := -n $(WORKERS) --no-loadscope-reorder --max-worker-restart 0

.PHONY: run setup test coverage check format lint types contracts deep campaign bench bench-agent reality foreign gallery mutants soak soak-agent trace reference clean help

help:            ## what there is to make
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: setup       ## set up and run the main scenario
	$(BIN)/drsim run scenarios/three_site.yaml

setup: $(STAMP)  ## a virtual environment with drsim and its tools

# An interrupted set-up leaves no stamp, so the next one starts over. A virtual environment of another
# Python (after an upgrade, or a copied folder) is made anew.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "drsim needs Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 2; }
	@$(BIN)/python -c 'import sys' 2>/dev/null || rm -rf $(VENV)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	$(BIN)/python -m compileall -q drsim  # else, where PYTHONDONTWRITEBYTECODE is set, every start compiles anew
	@touch $@

test: setup      ## tests and doctests
	$(BIN)/python -m pytest -q $(SHARED_OUT)

coverage: setup  ## the same, told line by line which code they pass through (half as long again)
	$(BIN)/python -m pytest -q $(SHARED_OUT) --cov --cov-report=term:skip-covered

check: setup     ## everything that must hold before a commit
	$(MAKE) --no-print-directory format-check lint types contracts
	$(MAKE) --no-print-directory test

.PHONY: format-check
format-check: setup
	$(BIN)/ruff format --check .

format: setup    ## write the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup      ## ruff
	$(BIN)/ruff check .

types: setup     ## mypy --strict
	$(BIN)/mypy

contracts: setup ## who may import whom
	$(BIN)/lint-imports

deep: setup      ## the tests again, with many more examples
	DRSIM_HYPOTHESIS=deep $(BIN)/python -m pytest -q

campaign: setup  ## the engine's deep histories in chunks with seeds, until stopped: CAMPAIGN/summary
	$(BIN)/python -m tests.campaign $(or $(CAMPAIGN),campaign)

bench: setup     ## speed against naive programs, and that both agree; with numba, and without
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev,fast]'
	$(BIN)/python -m tests.bench

bench-agent: setup ## the real agent beside nbdkit and nbdcopy: ratios
	$(BIN)/python -m tests.bench.bench_agent

reality: setup   ## real agents over a shaped link beside the simulator (needs root, iproute2, libnbd)
	$(BIN)/python -m tests.reality

gallery: setup   ## every shipped scenario in full: docs/SCENARIOS.md and its pictures
	$(BIN)/python -m tests.gallery

foreign: setup   ## QEMU's mirror beside drsim's bitmap on the same link (needs root, qemu-storage-daemon, nbdkit)
	$(BIN)/python -m tests.reality.foreign

mutants: setup   ## planted bugs, each of which the tests must catch
	$(BIN)/python -m tests.mutants

soak: setup      ## random worlds for as long as SOAK_SECONDS says; then the real agents' rounds of harm
	$(BIN)/python -m tests.soak
	$(MAKE) --no-print-directory soak-agent

soak-agent: setup ## 208 rounds of kills, cuts, bit flips and bad disks on two real agents
	$(BIN)/python -m tests.agent.soak

reference: setup ## docs/REFERENCE.md, docs/SUMMARY.md and docs/schema/ from the code
	$(BIN)/python -m tests.reference

trace: setup     ## record the sample trace of PostgreSQL anew (needs root, postgresql, strace)
	$(BIN)/python scenarios/samples/record.py

clean:           ## remove what set-up and tests have made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
