# Two commands do everything on a fresh Debian machine: `make run` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help run test setup setup-test check unit browser faults test-aws bench format clean
BIN := .venv/bin

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1mmake %-16s\033[0m %s\n", $$1, $$2}'

run: setup ## Install what is missing, start every fleet, import the sample album (ports: VITRINE_WEB_PORT=…)
	@infra/machine/run.sh

test: setup-test check ## Install what is missing, then lint, types, layers and every test
	$(BIN)/python -m pytest

setup: ## What the product needs: Debian packages, uv, Python and npm packages by lock file
	@infra/machine/setup.sh run

setup-test: ## That, and what the tests need
	@infra/machine/setup.sh test

check: ## ruff, mypy and the layers, without tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm run --silent check

unit: ## Fast tests only: no killed processes, no browser
	$(BIN)/python -m pytest -m "not faults and not browser"

browser: ## Tests in headless Chromium
	$(BIN)/python -m pytest -m browser

faults: ## Tests that kill processes
	$(BIN)/python -m pytest -m faults

test-aws: setup-test ## Contracts against AWS itself: its credentials, AWS_DEFAULT_REGION, VITRINE_TEST_ROLE (costs money)
	VITRINE_TEST_AWS=1 $(BIN)/python -m pytest tests/contracts -k AWS

bench: setup-test ## Compare with named peers side by side and print the ratios (some minutes)
	@tests/bench/run.sh

format: ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what was installed and built here; data in var/ stays
	rm -rf .venv .tools node_modules tests/bench/node_modules webapp/static/dist .mypy_cache .ruff_cache .pytest_cache
