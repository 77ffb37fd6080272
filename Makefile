# Every target sets up what it needs; `make setup` alone does it ahead of time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup run test check bench clean
.DELETE_ON_ERROR:

setup: $(STAMP)

# uv reads the same lock and checks the same hashes as pip, in a tenth of the time; pip is the way without it.
$(STAMP): requirements.lock pyproject.toml $(wildcard package-lock.json)
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(0 if ok else "setup: Python 3.11 to 3.13 is needed, this is %d.%d; say make PYTHON=python3.12" % sys.version_info[:2])'
	@test -w . || { echo "setup: no permission to write in $$(pwd); clone into a folder of your own" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "setup: no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check "uv>=0.5,<1" || true
	@if [ -x $(BIN)/uv ]; then VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock; \
	else false; fi || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@if [ -f package-lock.json ]; then \
	  command -v npm >/dev/null || { echo "setup: npm is needed for the maps' assets; on Debian: apt-get install npm" >&2; exit 1; }; \
	  npm ci --silent && $(BIN)/python -m geo_policing.maps.build_assets; fi
	@$(BIN)/geo-policing warm-up
	@touch $@

# The sample city at work: the service on 127.0.0.1:8000 with a simulated fleet; Ctrl-C stops it.
run: setup
	@$(BIN)/geo-policing demo

# The browser tests want Debian's chromium: installed where this user may, asked for by name where not.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; } \
	  || echo "test: chromium is absent, browser tests are skipped; on Debian: apt-get install chromium fonts-noto-cjk" >&2

# A file a worker at a time: what a module sets up is set up once. In their order: sorted by the number of their tests,
# those with one that takes long would come last, and a worker would wait for the other.
test: setup browser
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup
	@for question in benchmarks/[a-z]*.py; do $(BIN)/python -m benchmarks.$$(basename $$question .py) || exit 1; done

clean:
	rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache
