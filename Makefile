# Run `make` to see what there is.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed
# Whole files go to one of three workers, each with a control plane of its own: tests mostly wait, for Kubernetes.
SHARED := --numprocesses=3 --dist=loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install lint test test-long e2e demo up down token-for bench soak crds snapshots transcript clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Make the Python environment in .venv (done by every target that needs it)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "'$(PYTHON)' is no Python 3.11 or newer; say which is: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing what is needed into $(VENV); once, about a minute"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --constraint constraints.txt --editable . --group dev
	@touch $@

lint: $(READY) ## Check style, types and the rooms' import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## Everything: checks, unit tests, the chart and the operator on a real control plane
	$(BIN)/pytest $(SHARED)

test-long: $(READY) ## What takes longer: a kill at every write, 200 random sequences (about 20 minutes)
	$(BIN)/pytest -m long $(SHARED)

e2e: $(READY) ## The image and the chart on a node that really runs pods (root on Debian or Ubuntu; two to four minutes)
	$(BIN)/python -m tests.node -v

demo: $(READY) ## Play an Entra provisioning run against the installed chart, on a control plane of its own
	$(BIN)/python -m tests.demo

# $(call given,NAME,option): the option, when NAME stands on make's own command line. The environment doesn't
# count: every shell has a USER, and one that sourced .cluster/env a KUBECONFIG.
# Quoted for the shell, not taken from it: bash has a GROUPS of its own.
given = $(if $(findstring command line,$(origin $1)),--$2 '$(subst ','\'',$(value $1))')

up: $(READY) ## Leave the demo's system running, to try things on (or CLUSTER=kind, or KUBECONFIG=file)
	@$(BIN)/python -m tests.playground up $(call given,CLUSTER,cluster) $(call given,KUBECONFIG,kubeconfig)

down: $(READY) ## Stop what `make up` left running
	@$(BIN)/python -m tests.playground down

token-for: $(READY) ## Print a person's token: make -s token-for USER=alice@example.com (with groups: GROUPS=a,b)
	@$(BIN)/python -m tests.playground token-for $(call given,USER,user) $(call given,GROUPS,groups)

bench: $(READY) ## Measure everything, beside the bare API server, into docs/performance (about 15 minutes)
	$(BIN)/python -m benchmarks

soak: $(READY) ## An hour at 25 requests a second: does anything grow? Into docs/performance too (about 65 minutes)
	$(BIN)/python -m benchmarks.soak

crds: $(READY) ## Write the CRDs from the models into crds/ and the chart, and docs/audit.schema.json
	$(BIN)/scim-operator crds write crds
	cp crds/*.yaml charts/scim-operator/crds/
	$(BIN)/python -m tests.api.test_audit

snapshots: $(READY) ## Write tests/chart/snapshots again, after a change of the chart
	$(BIN)/python -m tests.chart.options

transcript: $(READY) ## Write docs/demo.md again, from a run of the demo
	$(BIN)/python -m tests.demo.page

clean: ## Remove the Python environment and caches of the checkout (built binaries stay in ~/.cache)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
