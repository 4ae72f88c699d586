# Every target does its own set-up: apt packages that are missing, .venv, the Python package at pinned versions.
#   make demo    the lab, the example and what became of it      make shell   the shell
#   make test    lint, types, unit, transcript and system tests  make bench   the benchmarks beside their peers
#   make lint    lint and types alone                            make clean   take the lab down, remove what was made
#   make install the program, units and completion below PREFIX  make uninstall   remove those; docs/install.md

SHELL := /bin/bash
BIN := .venv/bin
# Namespaces, Open vSwitch and packet capture need root; everything else runs as who you are.
ROOT := $(if $(filter 0,$(shell id -u)),,sudo -E)
PREFIX := /usr/local
SYSCONFDIR := /etc
# With DESTDIR, as packages are made, nobody needs to be root.
AS_NEEDED = $(if $(DESTDIR),,$(ROOT))
INSTALL = packaging/install.py --prefix "$(PREFIX)" --sysconfdir "$(SYSCONFDIR)" --destdir "$(DESTDIR)"

.DEFAULT_GOAL := help
.PHONY: help packages bench-packages demo shell test lint bench install uninstall clean

help:
	@sed -n 's/^#  *\(make .*\)/\1/p' Makefile

packages:
	@./bootstrap.sh packages

bench-packages:
	@./bootstrap.sh packages bench

# Made again when a dependency changed.
.venv/installed: pyproject.toml constraints.txt bootstrap.sh | packages
	@./bootstrap.sh venv

demo: packages .venv/installed
	@$(ROOT) $(BIN)/python -m nshell.lab.demo

shell: packages .venv/installed
	@$(ROOT) $(BIN)/nshell

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: packages .venv/installed lint
	$(ROOT) $(BIN)/python -m tests.parallel
	$(ROOT) $(BIN)/python -m tests.parallel --quiet

bench: bench-packages packages .venv/installed
	$(ROOT) $(BIN)/python -m tests.bench $(BENCH)

# Not by way of .venv/installed, whose packages are for tests: a machine that serves needs none of them.
install:
	@[ .venv/installed -nt pyproject.toml -a .venv/installed -nt constraints.txt ] || ./bootstrap.sh runtime
	$(AS_NEEDED) $(BIN)/python $(INSTALL)

uninstall:
	$(AS_NEEDED) python3 $(INSTALL) --uninstall

clean:
	@if [ -x $(BIN)/nshell ]; then $(ROOT) $(BIN)/nshell lab down; fi
	$(ROOT) rm -rf .venv build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache bench-results.json
	$(ROOT) find . -name __pycache__ -type d -prune -exec rm -rf {} +
