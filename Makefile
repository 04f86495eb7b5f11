# Nightshift's commands. `make` alone explains them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(or $(shell command -v python3.11),python3)
NIGHTSHIFT_HOME ?= var
SETTINGS ?= examples/shop.yaml
MADE_UP := $(subst /,.,$(basename $(wildcard $(SETTINGS:.yaml=.py))))

export NIGHTSHIFT_HOME
export NIGHTSHIFT_SETTINGS := $(SETTINGS)
export DO_NOT_TRACK := 1
export PATH := $(CURDIR)/.venv/bin:$(PATH)

INSTALLED := .venv/.installed
PEER := benchmarks/.venv
ENGINES := benchmarks/.venv-engines
TIMED = start=$$(date +%s); trap 'echo "make $@: $$(($$(date +%s) - start)) s"' EXIT; set -e;
SIDE_BY_SIDE = -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: help install nightly shop-day maintain up down status test drill gpu coverage equivalence bench-data bench-formats bench-baselines bench-recipes bench-learning bench-networks bench-train bench-wire bench-ps bench-recovery bench-judging bench-gpu check

help: ## Explain the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED) ## Make .venv and install everything at the exact versions of constraints.txt

$(INSTALLED): pyproject.toml constraints.txt
	@echo "installing what constraints.txt says into .venv: some minutes, and 2 GB of disk (more with CUDA)"
	@$(PYTHON) -m venv .venv
	@set -o pipefail; .venv/bin/pip install --disable-pip-version-check -c constraints.txt -e '.[dev]' \
	    | grep --line-buffered -oE '^(Collecting|Installing collected|Successfully installed)( [a-zA-Z0-9_.-]+)?'
	@touch $@

nightly: $(INSTALLED) ## Two nights of a made-up shop, or of SETTINGS=examples/{language,medical,risk,speech,vision}.yaml; one of SETTINGS=file EVENTS=path
	@$(TIMED) \
	python -m flows.services serve; \
	if [ -n "$(EVENTS)" ]; then \
	    python -m flows.nightly --settings $(SETTINGS) --source.uri "$(EVENTS)"; \
	elif [ -z "$(MADE_UP)" ]; then \
	    python -m flows.nightly --settings $(SETTINGS); \
	else \
	    python -m $(MADE_UP); \
	    python -m flows.nightly --settings $(SETTINGS); \
	    python -m $(MADE_UP) --next-day; \
	    python -m flows.nightly --settings $(SETTINGS); \
	fi

shop-day: $(INSTALLED) ## Add a day to the made-up shop's logs, for the next night
	@python -m examples.shop --next-day

maintain: $(INSTALLED) ## Keep the tables of SETTINGS small: few files for many, old rows and versions away
	@$(TIMED) python -m flows.maintain

up: $(INSTALLED) ## Start Prefect server and worker, MLflow and the model server
	@python -m flows.services up

down: $(INSTALLED) ## End what `make up` and `make nightly` started
	@python -m flows.services down

status: $(INSTALLED) ## Say which servers answer, and whether the nights are well
	@python -m flows.services status

test: $(INSTALLED) ## Run every test, four files at a time, the longest first
	@$(TIMED) python -m pytest $(SIDE_BY_SIDE)

drill: $(INSTALLED) ## Run the long tests: other seeds in every run, each says its own
	@$(TIMED) python -m pytest -m drill

coverage: $(INSTALLED) ## Run every test and say what none of their processes reached; below 90 % it fails
	@$(TIMED) coverage erase; coverage run -m pytest $(SIDE_BY_SIDE); coverage combine --quiet; coverage report

$(PEER)/.installed: benchmarks/peer-requirements.txt
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/pip install -qq --disable-pip-version-check -r $<
	@touch $@

$(ENGINES)/.installed: benchmarks/engines-requirements.txt
	command -v java > /dev/null || { apt-get update -qq && apt-get install -qq default-jre-headless; } # PySpark needs it
	$(PYTHON) -m venv $(ENGINES)
	$(ENGINES)/bin/pip install -qq --disable-pip-version-check -r $<
	@touch $@

bench-learning: $(INSTALLED) ## Measure what is learned in a time beside code of before, 25 min; needs REAL_DATA's logs
	@$(TIMED) python -m benchmarks.learning $(BENCH)

bench-networks: $(INSTALLED) ## Compare networks of the recommender at equal time, 20 min
	@$(TIMED) python -m benchmarks.networks $(BENCH)

bench-train: $(INSTALLED) $(PEER)/.installed ## Measure trainings beside a bare loop and RecTools, 25 min; BENCH=--quick tries it
	@$(TIMED) python -m benchmarks.train --peer $(PEER)/bin/python $(BENCH)

bench-ps: $(INSTALLED) ## Measure the parameter server: how rows travel, what is learned from stale ones, 40 min; BENCH=--quick tries it
	@$(TIMED) python -m benchmarks.parameter_server $(BENCH)

gpu: $(INSTALLED) ## Run the tests that need an NVIDIA GPU
	@$(TIMED) python -m pytest -m gpu

equivalence: $(INSTALLED) ## Compare every way of splitting with one process, and keep the table on an MLflow run
	@$(TIMED) python -m benchmarks.equivalence $(BENCH)

bench-data: $(INSTALLED) $(ENGINES)/.installed ## Measure the way from logs to examples beside DuckDB, Polars and PySpark, 60 min; BENCH="--only peers" is its first table
	@$(TIMED) python -m benchmarks.data --peer $(CURDIR)/$(ENGINES)/bin/python $(BENCH)

bench-formats: $(INSTALLED) ## Measure how fast CSV, JSON Lines and Parquet are staged, beside PyArrow alone; BENCH=--quick tries it
	@$(TIMED) python -m benchmarks.formats $(BENCH)

bench-wire: $(INSTALLED) ## Measure what travels in a step, beside what was learned and code of before; as root
	@$(TIMED) unshare --net sh -c 'ip link set lo up && python -m benchmarks.wire $(BENCH)'

bench-recovery: $(INSTALLED) ## Measure how soon a training goes on after one of its ranks was killed; as root
	@$(TIMED) python -m benchmarks.recovery $(BENCH)

bench-baselines: $(INSTALLED) ## Count popularity and Markov on real logs, over several spans, by a script of its own
	@$(TIMED) python -m benchmarks.reference; python -m benchmarks.recent

bench-recipes: $(INSTALLED) ## Judge recipes of training on the shop and on ml-100k, from three seeds: 11 min of processor time to train
	@$(TIMED) python -m benchmarks.recipes shop; python -m benchmarks.recipes ml-100k

bench-judging: $(INSTALLED) ## Judge among a million items, beside code of before; BENCH=--quick tries it
	@$(TIMED) python -m benchmarks.judging $(BENCH)

bench-gpu: $(INSTALLED) ## Measure how well a GPU is used; on a machine that has one
	@$(TIMED) python -m benchmarks.gpu $(BENCH)

check: $(INSTALLED) ## Lint, types, and the walls between the rooms
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	python -m tests.words
