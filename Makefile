# aoeha: make help
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= 10
JOBS ?= $(shell nproc)
# Processes for tests that mostly wait for a device.
WAITING ?= 4
SHORT_SEEDS ?= 200
# What `make test` plays is the same each time, so that a change is judged by its own doing. Fresh seeds: make seeds.
FIRST_SEED ?= 1796060000
SHORT_MUTATIONS ?= 8
SHORT_MUTANTS ?= 40
INCIDENTS := $(wildcard tests/scenarios/*.txt)

.DEFAULT_GOAL := help
PARTS := test-beside test-seeds test-simulator test-mutations test-mutants test-contract test-units test-core test-rack
.PHONY: help demo fast incidents test $(PARTS) check bench torture fuzz soak seeds mutations mutants exhaust verdicts drills goldens readme setup \
	clean clean-host

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: setup ## boot two gateways, two shelves and a client, pull the plug, see that nothing is lost
	@$(BIN)/aoeha rehearse demo

fast: $(VENV)/ready ## after each change, within a minute: lint, types, the core's unit tests, all incidents
	@$(MAKE) --no-print-directory --keep-going --jobs=3 --output-sync=target incidents check test-core

incidents: $(VENV)/ready ## play every incident (tests/scenarios/*.txt) and name those that go otherwise than recorded
	@$(BIN)/aoeha simulate --check --jobs $(JOBS) $(INCIDENTS)

# The rack wants the machine for itself; before it, tests of devices mostly wait while the simulator computes.
test: setup check ## everything within a quarter of an hour: samples of what has a target of its own, and the rack
	@$(MAKE) --no-print-directory --keep-going test-beside test-rack

test-beside:
	@echo "aoeha: incidents, simulator, devices and units side by side; each is shown when it is done"
	@$(MAKE) --no-print-directory --keep-going --jobs=4 --output-sync=target \
		test-contract test-simulator test-mutations test-mutants test-seeds test-units

test-contract:
	@$(BIN)/pytest $(PYTEST_ARGUMENTS) --numprocesses=$(WAITING) tests/contract

test-seeds:
	@chrt --idle 0 env AOEHA_SEED=$(FIRST_SEED) AOEHA_SEEDS=$(SHORT_SEEDS) AOEHA_JOBS=$(JOBS) $(BIN)/pytest $(PYTEST_ARGUMENTS) tests/sim/test_swarm.py

test-simulator:
	@chrt --idle 0 $(BIN)/pytest $(PYTEST_ARGUMENTS) tests/sim --ignore tests/sim/test_swarm.py \
		--ignore tests/sim/test_mutations.py

test-mutations:
	@chrt --idle 0 env AOEHA_SEED=$(FIRST_SEED) AOEHA_MUTATIONS=$(SHORT_MUTATIONS) $(BIN)/pytest $(PYTEST_ARGUMENTS) tests/sim/test_mutations.py

test-mutants:
	@chrt --idle 0 env AOEHA_SEED=$(FIRST_SEED) AOEHA_MUTANTS=$(SHORT_MUTANTS) $(BIN)/python tests/mutants --jobs 1

test-units:
	@$(BIN)/pytest $(PYTEST_ARGUMENTS) tests/unit tests/cli

test-core:
	@$(BIN)/pytest -q $(PYTEST_ARGUMENTS) $(wildcard tests/unit/test_core_*.py tests/unit/test_tidy.py tests/unit/test_rules.py)

test-rack:
	@echo "aoeha: the tests on real kernels"
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
	@$(BIN)/aoeha simulate --jobs $(JOBS) --seed $$(date +%s) --figures --bench $(if $(SEEDS),--runs $(SEEDS),--duration $(or $(DURATION),45m))

fuzz: $(VENV)/ready ## every fuzz test of a parser with fresh examples, for DURATION in all (default 30m), on one processor
	@$(BIN)/python tests/fuzz --duration $(or $(DURATION),30m)

soak: $(VENV)/ready ## two real daemons, killed and restarted at random while old beats are played, for DURATION (default 30m)
	@$(BIN)/python tests/soak --duration $(or $(DURATION),30m)

seeds: $(VENV)/ready ## two thousand fresh seeds and those that failed once; everything must have occurred in them
	@AOEHA_SEEDS=2000 AOEHA_JOBS=$(JOBS) $(BIN)/pytest $(PYTEST_ARGUMENTS) tests/sim/test_swarm.py

mutations: $(VENV)/ready ## every planted bug must be named by the simulator's oracle; a few minutes
	@$(BIN)/pytest $(PYTEST_ARGUMENTS) --numprocesses=$(JOBS) tests/sim/test_mutations.py

mutants: $(VENV)/ready ## hundreds of bugs, planted one at a time in every file of the core: each must be named; 90 minutes at most
	@$(BIN)/python tests/mutants --jobs $(JOBS) $(MUTANTS_ARGUMENTS)

exhaust: $(VENV)/ready ## every interleaving of two gateways and two shelves under a purse of faults, for ten minutes
	@$(BIN)/python -m aoeha.sim.exhaust --jobs $(JOBS) $(EXHAUST_ARGUMENTS)

verdicts: $(VENV)/ready ## the owner dies at the end of each incident and of SEEDS=N seeds (500): does what status said come true?
	@$(BIN)/python -m aoeha.sim.stories.ready --jobs $(JOBS) --seeds $(or $(SEEDS),500) --first $$(date +%s) tests/scenarios/*.txt

drills: setup ## every drill until it has passed RUNS times in a row on this commit (default 10), JOBS side by side
	@$(BIN)/aoeha rehearse all --runs $(RUNS) --jobs $(JOBS) --resume --quiet

goldens: $(VENV)/ready ## render the screens of `aoeha status` anew from simulated pairs; read what changed
	@$(BIN)/python tests/cli/goldens.py

readme: ## type README's installation, line by line, in a bare Debian 12 made by debootstrap (README_ROOT: where it is kept)
	@$(PYTHON) tests/readme

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
