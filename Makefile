# On the machine that serves: up, down, logs. For development: test, lint, bench, audit, base, lock.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up down logs test test-unit lint bench audit base lock engine browser pebble faketime

IS_ROOT := $(filter 0,$(shell id -u))
VENV := .venv
PYTHON := $(VENV)/bin/python

# What jsonschema would check formats with that no Jupyter schema names; it copes without, and the start is 0.8 s faster.
UNUSED := rfc3987-syntax lark isoduration arrow fqdn uri-template webcolors
# What the cluster's packages stand on and environment.yml brings: conda's own stay as they are.
IN_ENVIRONMENT := numpy narwhals packaging pillow psutil pyyaml tornado

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: engine ## start Workhorse, wait until it answers, and say where
	host/up

down: ## stop Workhorse; notebooks, settings and packages are kept
	host/kernels down
	docker compose down

logs: ## follow what Workhorse says
	docker compose logs --follow

engine:
	@host/engine

base: engine ## build the stand-in base image, for machines that reach no registry
	base/build

# A name of its own, whatever the folder is called: what is tested is no installation.
export WORKHORSE_TEST_IMAGE ?= workhorse

test: engine browser pebble faketime $(VENV)/ready $(VENV)/sslyze/ready ## build the image and run every test
	COMPOSE_FILE=docker-compose.yml:compose/sync.yml COMPOSE_PROJECT_NAME=$(WORKHORSE_TEST_IMAGE) host/image
	COMPOSE_FILE=docker-compose.yml:compose/cluster.yml COMPOSE_PROJECT_NAME=$(WORKHORSE_TEST_IMAGE) host/image
	$(PYTHON) -m coverage erase
	$(PYTHON) -m coverage run -m pytest tests/unit tests/properties --numprocesses 2
	@# Chromium drops what it is loading whenever a stack's network comes or goes; root's has a network of its own.
	$(if $(IS_ROOT),,$(PYTHON) -m pytest tests/browser)
	$(PYTHON) -m pytest $(if $(IS_ROOT),tests/browser) tests/stack --numprocesses 4 --dist loadfile --durations 10
	@# Of the tests without Docker: the images hold nothing that measures.
	$(PYTHON) -m coverage combine --quiet
	$(PYTHON) -m tests.covered

test-unit: $(VENV)/ready ## run the tests that need no Docker
	$(PYTHON) -m pytest tests/unit

lint: $(VENV)/ready ## check types, style, Dockerfile and shell scripts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/hadolint Dockerfile base/Dockerfile bench/peer/Dockerfile bench/nginx/Dockerfile
	$(VENV)/bin/shellcheck --exclude SC1091 host/engine host/up host/kernels host/image host/browser host/pebble host/faketime image/with-ca image/workhorse image/as-person image/server-packages image/lab-command image/conda-command image/debian-packages image/profile.sh entrypoint/commands/join.sh .ci/run \
	    base/build base/cpython base/conda.sh

bench: engine $(VENV)/ready ## measure beside a plain JupyterLab, in one run
	COMPOSE_PROJECT_NAME=$(WORKHORSE_TEST_IMAGE) host/image
	$(PYTHON) -m bench

browser:
	@host/browser

pebble:
	@host/pebble

faketime:
	@host/faketime

COMPILE := $(VENV)/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
    --no-header --no-annotate --upgrade

lock: $(VENV)/ready ## write the lock files anew from requirements*.in
	$(COMPILE) --python-version 3.13 requirements-door.in -o requirements-door.lock
	$(COMPILE) --python-version 3.13 $(addprefix --no-emit-package ,$(UNUSED)) requirements-kernels.in -o requirements-kernels.lock
	@# On top of the other: an update of JupyterLab must not want another version of what is there.
	$(COMPILE) --python-version 3.13 $(addprefix --no-emit-package ,$(UNUSED)) --constraint requirements-kernels.lock requirements-lab.in -o requirements-lab.lock
	$(COMPILE) --python-version 3.13 $(addprefix --no-emit-package ,$(IN_ENVIRONMENT)) requirements-cluster.in -o requirements-cluster.lock
	$(COMPILE) --python-version 3.11 requirements-dev.in -o requirements-dev.lock
	$(COMPILE) --python-version 3.13 image/sbom.in -o image/sbom.lock
	$(COMPILE) --python-version 3.13 image/compress.in -o image/compress.lock
	$(COMPILE) --python-version 3.11 requirements-sslyze.in -o requirements-sslyze.lock

audit: $(VENV)/ready ## look up known holes in the server's packages (asks the package index)
	$(VENV)/bin/pip-audit --require-hashes --disable-pip -r requirements-door.lock -r requirements-kernels.lock -r requirements-lab.lock

$(VENV)/ready: requirements-dev.lock
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/sslyze/ready: requirements-sslyze.lock
	python3 -m venv $(VENV)/sslyze
	$(VENV)/sslyze/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-sslyze.lock
	@touch $@
