# `make run` and `make test` do everything on a fresh machine; see CONTRIBUTING.md.
# `make test PYTHON=python3.13` makes the environment anew with that Python, which later commands then keep.
PYTHON ?= $(or $(wildcard .venv/bin/python),python3)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
BIN := .venv/bin
INSTALLED := .venv/installed-$(VERSION)
INSTALLED_TESTS := .venv/installed-tests-$(VERSION)
UV_VERSION := 0.13.9
# As pip does: where Python keeps no bytecode of its own (PYTHONDONTWRITEBYTECODE), each start would compile for seconds.
export UV_COMPILE_BYTECODE := 1
# Neo4j is fetched while the tests' packages are installed; `make test` runs two halves.
MAKEFLAGS += -j2

.PHONY: run test test-others test-own-servers test-slow bench screenshots setup setup-tests lock check clean

run: setup
	@$(BIN)/python -m scripts.run

# Two halves at a time, each with compiled kernels of its own; what the one has printed is shown after the other.
test: test-others test-own-servers
	@cat .cache/test-own-servers.txt; exit $$(cat .cache/test-own-servers.status)

test-others: setup-tests check
	@$(BIN)/python -m pytest -m "not slow and not own_servers"

test-own-servers: setup-tests check
	@NUMBA_CACHE_DIR=$(CURDIR)/.cache/numba $(BIN)/python -m pytest -m "not slow and own_servers" > .cache/$@.txt 2>&1; \
	  echo $$? > .cache/$@.status

test-slow: setup-tests
	@$(BIN)/python -m pytest -m slow

bench: setup
	@$(BIN)/python -m scripts.bench

screenshots: setup-tests
	@$(BIN)/python -m scripts.screenshots
	@$(BIN)/python -m scripts.browser_screenshots

check: $(INSTALLED_TESTS)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

setup: $(INSTALLED) .cache/jars.stamp

.cache/jars.stamp: pom.xml | $(INSTALLED)
	@echo "Fetching Neo4j …" >&2
	@$(BIN)/python -m graph fetch >&2
	@touch $@

# $(call install,programs,Debian's package,what it is for,how else)
define install
	@for program in $(1); do PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null && exit; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing $(2), for the tests of $(3) …" >&2; \
	  apt-get update -qq && apt-get install -qq -y --no-install-recommends $(2) >/dev/null; \
	else \
	  echo "The tests of $(3) need $(2): apt-get install $(2), or $(4)" >&2; exit 1; \
	fi
endef

setup-tests: setup $(INSTALLED_TESTS)
	$(call install,chromium google-chrome,chromium,the pages,Google Chrome)
	$(call install,nginx,nginx,the proxy,brew install nginx)

.venv/bin/python$(VERSION):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@$(PYTHON) -m venv --clear .venv || { echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(INSTALLED): .venv/bin/python$(VERSION) requirements.txt
	@echo "Installing Python packages …" >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	@touch $@

$(INSTALLED_TESTS): $(INSTALLED) requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-dev.txt
	@touch $@

# With UPGRADE=--upgrade the newest of everything, else only what the .in files changed.
PIN := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
	  --no-emit-index-url --no-emit-find-links $(UPGRADE)
lock: .venv/bin/python$(VERSION)
	@$(PIN) requirements.in -o requirements.txt
	@$(PIN) --constraint requirements.txt requirements-dev.in -o requirements-dev.txt
	@$(PIN) --constraint requirements-dev.txt requirements-evaluation.in -o requirements-evaluation.txt

clean:
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m graph down; fi
	rm -rf .venv .cache .neo4j .data
