# Every target does its own set-up: apt packages that are missing, .venv, the Python package at pinned versions.
#   make demo    the lab, the example and what became of it      make shell   the shell
#   make test    lint, types, unit, transcript and system tests  make bench   the benchmarks beside their peers
#   make lint    lint and types alone                            make clean   take the lab down, remove what was made

SHELL := /bin/bash
BIN := .venv/bin
# Namespaces, Open vSwitch and packet capture need root; everything else runs as who you are.
ROOT := $(if $(filter 0,$(shell id -u)),,sudo -E)

.DEFAULT_GOAL := help
.PHONY: help packages bench-packages demo shell test lint bench clean

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
	$(ROOT) $(BIN)/python -m pytest

bench: bench-packages packages .venv/installed
	$(ROOT) $(BIN)/python -m tests.bench $(BENCH)

clean:
	@if [ -x $(BIN)/nshell ]; then $(ROOT) $(BIN)/nshell lab down; fi
	$(ROOT) rm -rf .venv build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache bench-results.json
	$(ROOT) find . -name __pycache__ -type d -prune -exec rm -rf {} +
