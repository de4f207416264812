# One command for each thing that a person or a CI machine wants; `make` alone lists them.
# All that is needed beforehand is make and a Python from 3.11 to 3.14 (and npm, for `test-servers`, `conformance` and `scorecard`).
# The first run downloads what requirements/ locks by hash; later runs need no network.

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
DEPENDENCIES := $(VENV)/.dependencies-installed
PROJECT := $(VENV)/.project-installed
SERVERS := .servers
NPM_SERVERS := $(SERVERS)/.npm-installed
PYPI_SERVERS := $(SERVERS)/.pypi-installed
PYPI_BEFORE := $(SERVERS)/.pypi-before-installed
COLLECTOR := .collector
COLLECTS := $(COLLECTOR)/.installed
ALIGNMENT := .alignment
TASKS := $(ALIGNMENT)/.installed
CONFORMANCE := .conformance
SUITE := $(CONFORMANCE)/.installed
CONSOLE := .console
PAGES := $(CONSOLE)/.installed
PEERS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mcp-guard/bench-peers
PYPI_PEERS := fastmcp mcp-proxy mcp-firewall mcp-gateway

# Wheels only: building a source distribution would fetch build tools that no hash covers.
INSTALL := -m pip install --quiet --no-input --disable-pip-version-check
LOCKED := $(INSTALL) --require-hashes --only-binary :all:

.DEFAULT_GOAL := help
.PHONY: help demo test test-servers test-collector test-console conformance scorecard bench bench-peers peers alignment alignment-subset format lock wheel clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

demo: $(PROJECT) ## see an agent attempt more than it was granted, and what the guard makes of it
	@$(BIN)/mcp-guard demo

test: $(PROJECT) ## check format, lint, types and behaviour; ARGS="-k name" narrows the last
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not servers and not console and not collector" -n auto --dist worksteal $(ARGS)

test-servers: $(PROJECT) $(NPM_SERVERS) $(PYPI_SERVERS) $(PYPI_BEFORE) ## run the guard in front of published tool servers (needs npm)
	$(BIN)/python -m pytest -m servers $(ARGS)

test-collector: $(PROJECT) $(COLLECTS) ## send spans to a published collector, and read them back from it (1 GB of packages)
	$(BIN)/python -m pytest -m collector $(ARGS)

test-console: $(PROJECT) $(PAGES) ## look at the console in the system's Chromium, and hold its pages to axe's rules (needs npm)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { echo 'no Chromium; on Debian: apt install chromium' >&2; exit 1; }
	$(BIN)/python -m pytest -m console $(ARGS)

conformance: $(PROJECT) $(SUITE) ## run the official MCP conformance suite with and without the guard, and compare (needs npm); ARGS=--json
	@$(BIN)/python -m tests.fidelity --suite $(CONFORMANCE) $(ARGS)

peers: $(PROJECT) ## install other people's proxies in locked versions, for `make scorecard` and `make bench-peers` (needs npm)
	@$(BIN)/python -m benchmarks.proxies --into $(PEERS)

scorecard: $(PROJECT) peers ## ask other people's proxies and the guard the same, write docs/fidelity.md (needs npm)
	@$(BIN)/python -m tests.fidelity.probe --peers $(PEERS) --write

bench: $(PROJECT) ## measure what the guard costs (22 min at most), write docs/performance.md; ARGS=--quick
	@$(BIN)/python -m benchmarks.speed --peers $(PEERS) $(if $(findstring --quick,$(ARGS)),,--write) $(ARGS)

bench-peers: peers bench ## the same, beside other people's proxies

# Its environment is one of its own: AgentDojo brings the clients of every model provider along.
alignment: $(TASKS) ## play AgentDojo's tasks and attacks behind the guard (about 10 min), write docs/alignment.md; ARGS="--suite banking"
	@$(ALIGNMENT)/bin/python -W ignore -m benchmarks.alignment $(ARGS)

alignment-subset: $(TASKS) ## a fixed part of it (under a minute), compared with the recorded run, and its tests
	@$(ALIGNMENT)/bin/python -W ignore -m benchmarks.alignment --subset
	$(ALIGNMENT)/bin/python -m pytest tests/alignment

format: $(PROJECT) ## put the code into the project's format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: $(PROJECT) ## build the wheel into dist/
	$(BIN)/hatchling build --target wheel

# The files say neither where packages come from nor on what machine they were resolved.
lock: export UV_CUSTOM_COMPILE_COMMAND = make lock
lock: ## resolve the dependencies anew into requirements/ (needs uv and npm)
	uv pip compile $(RESOLVE) pyproject.toml --output-file requirements/runtime.txt
	uv pip compile $(RESOLVE) pyproject.toml --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	uv pip compile $(RESOLVE) requirements/servers/requirements.in --output-file requirements/servers/requirements.txt
	uv pip compile $(RESOLVE) requirements/servers/before.in --output-file requirements/servers/before.txt
	uv pip compile $(RESOLVE) --no-strip-extras requirements/collector/requirements.in --output-file requirements/collector/requirements.txt
	uv pip compile $(RESOLVE) requirements/alignment/requirements.in --constraint requirements/dev.txt --output-file requirements/alignment/requirements.txt
	uv pip compile $(RESOLVE) pyproject.toml --group console --constraint requirements/dev.txt --output-file requirements/console/requirements.txt
	for peer in $(PYPI_PEERS); do \
	  uv pip compile $(RESOLVE) --no-strip-extras requirements/peers/$$peer.in --output-file requirements/peers/$$peer.txt || exit 1; \
	done
	for place in servers conformance peers console; do \
	  (cd requirements/$$place && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund) || exit 1; \
	done
RESOLVE := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links

clean: ## remove what these commands made
	rm -rf $(VENV) $(SERVERS) $(COLLECTOR) $(ALIGNMENT) $(CONFORMANCE) $(PEERS) $(CONSOLE) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# python3 comes first, so that the machine's own choice counts; a pyenv shim may exist and still not run.
$(DEPENDENCIES): requirements/dev.txt
	@set -e; found=; \
	for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; \
	  then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'mcp_guard needs a Python from 3.11 to 3.14, and none was found' >&2; \
	  echo 'install one, or name it: make PYTHON=/path/to/python3.12 ...' >&2; exit 1; \
	fi; \
	echo "setting up $(VENV) with $$($$found --version)"; \
	$$found -m venv --clear $(VENV) || { \
	  echo "$$found can't make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	}
	@$(BIN)/python $(LOCKED) --requirement requirements/dev.txt
	@touch $@

$(PROJECT): $(DEPENDENCIES) pyproject.toml
	@$(BIN)/python $(INSTALL) --no-build-isolation --no-deps --no-index --editable .
	@touch $@

$(NPM_SERVERS): requirements/servers/package.json requirements/servers/package-lock.json
	@command -v npm >/dev/null || { echo '`make test-servers` needs npm (Node 20 or later)' >&2; exit 1; }
	@mkdir -p $(SERVERS) && cp $^ $(SERVERS)
	cd $(SERVERS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The suite runs on Node 22 or later. On Linux with x86-64 its own Node is installed with it: the engine warning is moot.
$(SUITE): requirements/conformance/package.json requirements/conformance/package-lock.json
	@command -v npm >/dev/null || { echo '`make conformance` needs npm' >&2; exit 1; }
	@mkdir -p $(CONFORMANCE) && cp $^ $(CONFORMANCE)
	cd $(CONFORMANCE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Playwright drives the system's browser; its own is never fetched.
$(PAGES): requirements/console/package.json requirements/console/package-lock.json requirements/console/requirements.txt $(DEPENDENCIES)
	@command -v npm >/dev/null || { echo '`make test-console` needs npm' >&2; exit 1; }
	@mkdir -p $(CONSOLE) && cp requirements/console/package.json requirements/console/package-lock.json $(CONSOLE)
	cd $(CONSOLE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(BIN)/python $(LOCKED) --requirement requirements/console/requirements.txt
	@touch $@

$(PYPI_SERVERS): requirements/servers/requirements.txt $(DEPENDENCIES)
	@$(BIN)/python -m venv --clear $(SERVERS)/venv
	$(SERVERS)/venv/bin/python $(LOCKED) --requirement $<
	@touch $@

$(PYPI_BEFORE): requirements/servers/before.txt $(DEPENDENCIES)
	@$(BIN)/python -m venv --clear $(SERVERS)/venv-before
	$(SERVERS)/venv-before/bin/python $(LOCKED) --requirement $<
	@touch $@

# It brings its own versions of what the guard needs, too.
$(COLLECTS): requirements/collector/requirements.txt $(DEPENDENCIES)
	@$(BIN)/python -m venv --clear $(COLLECTOR)/venv
	$(COLLECTOR)/venv/bin/python $(LOCKED) --requirement $<
	@touch $@

$(TASKS): requirements/alignment/requirements.txt $(DEPENDENCIES) pyproject.toml
	@$(BIN)/python -m venv --clear $(ALIGNMENT)
	$(ALIGNMENT)/bin/python $(LOCKED) --requirement requirements/dev.txt
	$(ALIGNMENT)/bin/python $(LOCKED) --requirement $<
	@$(ALIGNMENT)/bin/python $(INSTALL) --no-build-isolation --no-deps --no-index --editable .
	@touch $@
