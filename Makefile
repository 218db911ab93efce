# Two commands do everything: `make demo` and `make test`. Only python3 (3.11 to 3.13) with venv, make and git are presumed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test lint format contracts docs lock bench chaos chaos-long chaos-outage chaos-sabotage \
	simulate simulate-exhaustive simulate-sabotage clean

help: ## what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## a .venv with everything in it (done by the others too)

$(READY): requirements/lock.txt requirements/bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 13); sys.exit(0 if ok else f"Rathaus needs Python 3.11, 3.12 or 3.13; {sys.executable} is {sys.version.split()[0]}. Choose one: make PYTHON=python3.12 ...")'
	@$(PYTHON) requirements/platform_check.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV): a minute or two, once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/lock.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## start everything, run the two journeys, stay up (ONCE=1: end afterwards)
	@$(BIN)/rathaus demo $(if $(ONCE),--once) $(ARGS)

up: $(READY) ## start engines, services and gateway
	@$(BIN)/rathaus up $(ARGS)

down: $(READY) ## end what `up` or `demo` started
	@$(BIN)/rathaus down

test: $(READY) ## all tests (ARGS="-k name" for some)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(READY) ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

contracts: $(READY) ## write the JSON Schemas and the AsyncAPI document from the models
	@$(BIN)/python -m contracts.generate

docs: $(READY) ## write docs/settings.md from the code
	@$(BIN)/python -m rathaus.settings_page

bench: $(READY) ## measure, and print tables
	@$(BIN)/python -m benchmarks $(ARGS)

simulate: $(READY) ## the chassis's own code on virtual time: thousands of schedules (SEEDS=500, FIRST=1, SEED=n for one)
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--first $(or $(FIRST),1) --seeds $(or $(SEEDS),500)) $(ARGS)

simulate-exhaustive: $(READY) ## each fault at each single operation of one journey
	@$(BIN)/python -m tests.simulation --exhaustive $(ARGS)

simulate-sabotage: $(READY) ## the chassis broken on purpose: the simulation must find each
	@$(BIN)/python -m pytest tests/simulation/sabotage_checks.py $(ARGS)

chaos: $(READY) ## faults of every kind under load, checked: five minutes (SEED=, ARGS="--rate 5")
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos-long: $(READY) ## the same for MINUTES=30 of load, with longer faults (BROKERS=3, SEED=)
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),30) --brokers $(or $(BROKERS),1) $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos-outage: $(READY) ## the broker away for five minutes at half the load it sustains: time to drain
	@$(BIN)/python -m tests.chaos.outage $(ARGS)

chaos-sabotage: $(READY) ## services broken on purpose: the checker must find each (ten minutes)
	@$(BIN)/python -m pytest tests/chaos/sabotage_checks.py -s $(ARGS)

lock: $(READY) ## resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 --extra embedded --extra dev pyproject.toml -o requirements/lock.txt
	@{ echo "# The one tool that sets up the rest; written by: make lock"; sed -n '/^uv==/,/^[a-z].*==/p' requirements/lock.txt | sed '$$d'; } > requirements/bootstrap.txt

clean: ## forget the environment and all state
	@rm -rf $(VENV) .rathaus
