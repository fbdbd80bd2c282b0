# The verbs one must know: setup, packet, test, lint, bench, up, down, clean.
# Each sets up what it needs and says what it does.

IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(firstword $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(IN_RANGE)' 2>/dev/null && command -v $$p; done) python3)
BIN := .venv/bin
READY := .venv/.ready
SEED ?= 7
WEEKS ?= 13
REQUESTS ?= 1100
PORT ?= 8080
DEMO := run/demo

.PHONY: help setup packet test lint bench up down clean lock
help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make setup    build .venv from the hashed lock (about two minutes)
setup: $(READY)

$(READY): requirements.lock pyproject.toml dags/demo/system.sh
	@echo "setup: Python is $(PYTHON) ($$($(PYTHON) -c 'import platform; print(platform.python_version())'))"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "setup: Countersign needs Python 3.11, 3.12 or 3.13, this is %d.%d. Say PYTHON=/path/to/python3.12 make setup" % v)'
	@test -x $(BIN)/python || { echo "setup: creating .venv"; $(PYTHON) -m venv .venv; }
	@echo "setup: installing the locked packages (about two minutes, 1.3 GB)"
	@start=$$(date +%s); $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock 2>.venv/pip.log \
		|| { cat .venv/pip.log; exit 1; }; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . 2>.venv/pip.log || { cat .venv/pip.log; exit 1; }; \
		echo "setup: installed in $$(($$(date +%s) - start)) s"
	@sh dags/demo/system.sh pango
	@touch $@

#: make packet   thirteen simulated weeks become one signed packet in out/ (SEED=7 WEEKS=13 REQUESTS=1100)
packet: setup
	@$(BIN)/python dags/demo/packet.py --seed $(SEED) --weeks $(WEEKS) --requests-per-day $(REQUESTS) --folder $(DEMO) --out out

#: make test     every test; those that lack something on this machine say what
test: setup
	@sh dags/demo/system.sh tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile

#: make lint     ruff, mypy strict, import-linter
lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy plugins/countersign
	@$(BIN)/lint-imports

#: make bench    figures and ratios against a floor and a peer, in one run
bench: setup
	@for b in tests/bench/bench_*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

#: make up       Airflow's UI on http://127.0.0.1:8080 with the DAGs and a simulated installation (PORT=8080)
up: setup
	@$(BIN)/python dags/demo/airflow_up.py up --folder $(DEMO) --port $(PORT)

#: make down     end every process that make up started
down:
	@test -x $(BIN)/python && $(BIN)/python dags/demo/airflow_up.py down --folder $(DEMO) || echo "down: nothing to end"

#: make clean    remove what was made (the lock, sources and .venv stay)
clean: down
	rm -rf run out build dist .pytest_cache .mypy_cache .ruff_cache

#: make lock     resolve the dependencies again (needs uv)
lock:
	uv pip compile pyproject.toml --extra platform --extra test --generate-hashes --universal --no-strip-extras --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" -o requirements.lock
