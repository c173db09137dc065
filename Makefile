# Two commands do everything on a fresh Debian machine: `make run` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help run test setup setup-test translations check unit screenshots api-fuzz api-client simulate cost hosts-check hosts-rehearsal browser faults test-aws test-stripe infra deploy-check bench format clean
BIN := .venv/bin
# Where images of containers set this, each of the hundreds of processes that tests start compiled every library anew: 9
# seconds of CPU to import the web fleet in place of 4.
export PYTHONDONTWRITEBYTECODE :=
# What marks a sentence beside gettext's own names; of a Problem the second argument is one.
KEYWORDS := -k lazy -k N_ -k NN_:1,2 -k Problem:2 -k Rejected:1 -k _Refused:1

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1mmake %-16s\033[0m %s\n", $$1, $$2}'

run: setup ## Install what is missing, start every fleet, import the sample album (ports: VITRINE_WEB_PORT=…)
	@infra/machine/run.sh

# Many tests wait for processes that they have started, so three at a time keep two cores busy. Browsers come after the
# rest: beside tests that start and end processes by the hundred, Chromium and the kernel were seen to stand still.
TEST_PROCESSES ?= 3
# Real processes on a machine of unknown pace: what fails is tried once more, and the summary says so ("rerun").
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder --reruns 1 -r fER --durations 20

test: setup-test check ## Install what is missing, then lint, types, layers and every test (TEST_PROCESSES=3 at a time)
	$(PYTEST) -n $(TEST_PROCESSES) -m "not browser"
	$(PYTEST) -n 2 -m browser

setup: ## What the product needs: Debian packages, uv, Python and npm packages by lock file
	@infra/machine/setup.sh run

setup-test: ## That, and what the tests need
	@infra/machine/setup.sh test

translations: ## Collect the sentences of pages into webapp/translations/*.po, add the new ones empty, compile
	@mkdir -p var
	$(BIN)/pybabel -q extract -F babel.cfg $(KEYWORDS) --no-location --sort-output -o var/messages.pot .
	$(BIN)/pybabel -q update -i var/messages.pot -d webapp/translations --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date -w 120
	$(BIN)/pybabel -q compile -d webapp/translations

check: ## ruff, mypy and the layers, without tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm run --silent check

unit: ## Fast tests only: no killed processes, no browser
	$(BIN)/python -m pytest -m "not faults and not browser"

api-fuzz: ## 5,000 generated requests against the API's description, at a running server (some minutes)
	VITRINE_FUZZ_CASES=5000 $(BIN)/python -m pytest -n 0 -s --timeout 3600 tests/unit/test_api_fuzz.py

api-client: ## A typed Python client into var/api-client, generated from the API's description; client/import_folder.py uses it
	@client/generate.sh

browser: ## Tests in headless Chromium
	$(BIN)/python -m pytest -m browser

screenshots: ## Every page in every state into var/screenshots (index.html shows them), README's into docs/screenshots
	@mkdir -p var/screenshots
	VITRINE_SCREENSHOTS=$(CURDIR)/var/screenshots $(BIN)/python -m pytest -n 0 --timeout 900 tests/browser/test_tour.py
	VITRINE_SCREENSHOTS=$(CURDIR)/var/screenshots $(BIN)/python -m pytest -n 0 tests/browser/test_bill.py -k invoice
	$(BIN)/python tests/browser/screenshots.py var/screenshots

faults: ## Tests that kill processes
	$(BIN)/python -m pytest -m faults

test-aws: setup-test ## Contracts against AWS itself: its credentials, AWS_DEFAULT_REGION, VITRINE_TEST_ROLE (costs money)
	VITRINE_TEST_AWS=1 $(BIN)/python -m pytest tests/contracts -k AWS

test-stripe: setup-test ## The contract against Stripe itself: a test-mode key in VITRINE_TEST_STRIPE_KEY
	$(BIN)/python -m pytest -n 0 tests/contracts/test_stripe.py

# A dependency group and an environment of their own: run and test do not pay 600 MB. jsii warns of Node 20, and works.
INFRA := JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1 .venv-infra/bin/python
.venv-infra/ready: uv.lock
	@infra/machine/setup.sh run
	UV_PROJECT_ENVIRONMENT=.venv-infra .tools/bin/uv sync --frozen --no-default-groups --group infra
	@touch $@

infra: .venv-infra/ready ## Synthesise the AWS stacks offline and check them: cfn-lint, cdk-nag, snapshot, assertions
	$(INFRA) -m pytest --confcutdir=tests/stack_cdk tests/stack_cdk

deploy-check: .venv-infra/ready ## Ask CloudFormation for change sets of VITRINE_DEPLOYMENT's stacks, and deploy nothing
	$(INFRA) -m infra.stack.app var/stack
	$(INFRA) -m infra.aws.deploy_check var/stack

bench: setup-test ## Compare with named peers side by side and print the ratios (some minutes)
	@tests/bench/run.sh

simulate: ## Run the simulated days of the scaling policies; writes docs/scaling-days.md and its plots (two minutes)
	.tools/bin/uv run --quiet --frozen --isolated --group plots python -m infra.scaling.report

cost: ## Write docs/cost.md from infra/cost/prices.toml
	$(BIN)/python -m infra.cost.table

hosts-check: ## Units, cloud-init and Dockerfile by systemd, cloud-init and hadolint (Debian's cloud-init is needed)
	@infra/hosts/check.sh

hosts-rehearsal: ## A bare Debian by debootstrap becomes every fleet and takes a photo in (root, some minutes)
	@infra/hosts/rehearse.sh

format: ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what was installed and built here; data in var/ stays
	rm -rf .venv .tools node_modules tests/bench/node_modules webapp/static/dist .mypy_cache .ruff_cache .pytest_cache
