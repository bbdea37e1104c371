# The index of commands. `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK ?= requirements.txt
STAMP := $(VENV)/.installed-$(shell cat $(LOCK) pyproject.toml requirements-bootstrap.txt | sha256sum | cut -c1-16)

ONLY ?=
ARTICLES ?= 20000
FAULTS ?= kill:10,killboth:2
SEED ?= 1
RATE ?= 250

.PHONY: setup demo test check bench chaos chromium clean help

help: ## List the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

setup: $(STAMP) ## Virtual environment, locked dependencies, assets; idempotent
	@$(BIN)/python -m infra.assets

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) --version)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "The venv module is missing: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-bootstrap.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --require-hashes requirements-bootstrap.txt $(LOCK)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --no-deps --no-build-isolation --offline -e .
	@rm -f $(VENV)/.installed-*; touch $@

demo: setup ## The whole system on this machine, with a newswire flowing; Ctrl-C stops it
	@exec $(BIN)/wireroom up

test: setup chromium ## All checks and every test
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m tests

check: $(STAMP) ## ruff, mypy strict, import-linter; no services
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup ## tests/bench; ONLY=group
	@$(BIN)/python -m tests.bench $(ONLY)

chaos: setup ## The long fault run; ARTICLES= FAULTS= SEED= RATE=
	@$(BIN)/python -m tests.chaos --articles $(ARTICLES) --faults $(FAULTS) --seed $(SEED) --rate $(RATE)

# The browser test needs Debian's Chromium.
chromium:
	@command -v chromium >/dev/null || { \
		if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq chromium; \
		else echo "The browser test needs Chromium: sudo apt-get install chromium"; exit 1; fi; }

clean: ## Remove the virtual environment, the assets and the demo's state
	rm -rf $(VENV) .venv-peers .assets .wireroom
