# Everything works on a fresh Debian or Ubuntu machine; what is missing is installed first (.ci/install).
#   MEMOS_PG_BIN=/path/to/bin   use that server's programs (PostgreSQL 15 to 18) and install none
#   ARGS="..."                  passed on to pytest, the demo or the benchmarks
#   PEERS=1                     has the benchmarks install other packages, and compares with them
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint up down status clean

help: ## Show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "  MEMOS_PG_BIN=<folder> names another server's programs (15 to 18); ARGS=... is passed on."

setup: ## Install what is missing: packages, pgvector, .venv
	@.ci/install

demo: up ## Load a conversation into a private server, search it, explain each answer
	@.venv/bin/memos demo $(ARGS)

test: setup ## Run every test, on servers of their own
	@MEMOS_PG_BIN="$$(.ci/server bin)" .venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

bench: setup ## Run the benchmarks, with a table at the end (PEERS=1: against other packages)
	@MEMOS_PG_BIN="$$(.ci/server bin)" .venv/bin/python -m tests.benchmarks $(if $(filter 1,$(PEERS)),--peers) $(ARGS)

lint: setup ## Check style and formatting of the Python code
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

up: setup ## Start the private server in .memos/ and bring it up to date
	@.ci/server up
	@.venv/bin/memos migrate

down: ## Stop the private server; its data stays
	@.ci/server down

status: ## Say whether the private server runs, and how to reach it
	@.ci/server status

clean: ## Stop the private server and delete .memos/ (with its data) and .venv/
	@.ci/server clean
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis
