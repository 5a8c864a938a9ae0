# aoeha: make help
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= 10
JOBS ?= $(shell nproc)
DURATION ?= 45m

.DEFAULT_GOAL := help
PARTS := test-seeds test-beside test-simulator test-mutations test-devices test-units test-rack
.PHONY: help demo test $(PARTS) check bench torture exhaust drills setup clean clean-host

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: setup ## boot two gateways, two shelves and a client, pull the plug, see that nothing is lost
	@$(BIN)/aoeha rehearse demo

# The seeds want both processors, and the rack wants the machine for itself; in between, tests of devices mostly wait.
test: setup check ## everything: lint, types, unit, contract, command line, simulator, and the rack on real kernels
	@$(MAKE) --no-print-directory --keep-going test-seeds test-beside test-rack

test-beside:
	@echo "aoeha: devices, simulator, mutations and units side by side, about eight minutes; each is shown when it is done"
	@$(MAKE) --no-print-directory --keep-going --jobs=4 --output-sync=target \
		test-devices test-simulator test-mutations test-units

test-devices:
	@$(BIN)/pytest $(PYTEST_ARGUMENTS) $(wildcard tests/contract/test_fence_*.py)

test-seeds:
	@echo "aoeha: thousands of seeds, about four minutes"
	@$(BIN)/pytest $(PYTEST_ARGUMENTS) tests/sim/test_swarm.py

test-simulator:
	@chrt --idle 0 $(BIN)/pytest $(PYTEST_ARGUMENTS) tests/sim --ignore tests/sim/test_swarm.py \
		--ignore tests/sim/test_mutations.py

test-mutations:
	@chrt --idle 0 $(BIN)/pytest $(PYTEST_ARGUMENTS) tests/sim/test_mutations.py

test-units:
	@$(BIN)/pytest $(PYTEST_ARGUMENTS) tests --ignore tests/sim --ignore tests/rack \
		--ignore-glob '*/contract/test_fence_*.py'

test-rack:
	@echo "aoeha: the tests on real kernels, about ten minutes"
	@$(BIN)/pytest $(PYTEST_ARGUMENTS) tests/rack

check: $(VENV)/ready ## the fast part: format, lint, types, import contracts
	@echo "aoeha: checking format, lint, types and import contracts"
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }

bench: setup ## figures: start-up of the command line, kill to first beat, takeover with deadtime 1 s
	@$(BIN)/python tests/bench

torture: $(VENV)/ready ## seeds on all processors for DURATION (default 45m), or SEEDS=N of them
	@$(BIN)/aoeha simulate --jobs $$(nproc) --seed $$(date +%s) --figures --bench $(if $(SEEDS),--runs $(SEEDS),--duration $(DURATION))

exhaust: $(VENV)/ready ## every interleaving of two gateways and two shelves under a purse of faults, for ten minutes
	@$(BIN)/python -m aoeha.sim.exhaust --jobs $$(nproc) $(EXHAUST_ARGUMENTS)

drills: setup ## every drill until it has passed RUNS times in a row on this commit (default 10), JOBS side by side
	@$(BIN)/aoeha rehearse all --runs $(RUNS) --jobs $(JOBS) --resume --quiet

setup: $(VENV)/ready
	@PYTHONPATH=. $(PYTHON) -m aoeha.rack.machines.install

$(VENV)/ready: requirements.lock pyproject.toml
	@PYTHONPATH=. $(PYTHON) -m aoeha.rack.machines.install
	@echo "aoeha: making the virtual environment $(VENV) from requirements.lock"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean: ## remove the virtual environment and evidence of drills
	@rm -rf $(VENV) evidence .mypy_cache .ruff_cache .pytest_cache .hypothesis

clean-host: ## name what make installed on this machine and how to remove it
	@PYTHONPATH=. $(PYTHON) -m aoeha.rack.machines.install --name-what-to-remove
