# Everything is run from here; `make` alone says what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
UV := $(BIN)/uv
INSTALLED := .venv/.installed
VLLM := .venv-vllm/.installed
GYM := .venv/.gym
PYTEST_WORKERS ?= 2
# What two workers share: one thread each.
TEST_ENV := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
SEED ?= 0

.DEFAULT_GOAL := help
.PHONY: help setup vllm gym quickstart test check cluster-test images install-chart lint types golden lock clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## install everything into .venv (needs Python 3.11 or later, nothing else)

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ratchet needs Python 3.11 or later; say which with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

vllm: $(VLLM) ## vLLM for processors, into .venv-vllm (the tests of the sampling back end use it)

$(VLLM): components/images/sample/requirements-cpu.txt $(INSTALLED)
	$(UV) venv --quiet --clear --python $(BIN)/python .venv-vllm
	$(UV) pip install --quiet --compile-bytecode --no-deps --python .venv-vllm/bin/python -r components/images/sample/requirements-cpu.txt
	$(UV) pip install --quiet --no-deps --python .venv-vllm/bin/python -e .
	@touch $@

gym: $(GYM) ## reasoning-gym, into .venv (one of its packages needs a C compiler)

$(GYM): requirements-gym.txt $(INSTALLED)
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements-gym.txt
	@touch $@

quickstart: $(INSTALLED) ## a whole self-improvement run on this machine, to a verdict (another one: SEED=1)
	$(BIN)/ratchet run pipelines/configs/quickstart.yaml --out runs/quickstart-$(SEED) --seed $(SEED)

test: $(INSTALLED) ## the tests
	$(TEST_ENV) $(BIN)/pytest -n $(PYTEST_WORKERS)

check: lint types vllm gym test cluster-test ## all that CI runs: lint, types, tests (golden files among them), cluster

cluster-test: $(INSTALLED) ## the tests on a cluster: that of KUBECONFIG, or a test cluster where there is one
	infra/ci/cluster-tests.sh

images: $(INSTALLED) ## the images of the steps and of the dashboard, with buildah or docker (BASE=… to start from another image)
	infra/images/build.sh $(if $(BASE),--base $(BASE)) base train grade sample dashboard

install-chart: ## the chart, on the cluster of KUBECONFIG or on a local one (kind)
	infra/local/install.sh

lint: $(INSTALLED) ## ruff: rules and format
	$(BIN)/ruff check components pipelines dashboards tests benchmarks charts infra
	$(BIN)/ruff format --check components pipelines dashboards tests benchmarks charts infra

types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

golden: $(INSTALLED) ## write the golden files anew, after a change that was meant
	$(BIN)/ratchet pipeline compile self-improvement --out pipelines/compiled/self_improvement.yaml
	$(BIN)/ratchet pipeline compile evaluate-and-gate --out pipelines/compiled/evaluate_and_gate.yaml
	$(BIN)/ratchet pipeline compile scheduled-retraining --out pipelines/compiled/scheduled_retraining.yaml
	$(BIN)/python -m ratchet_pipelines.catalogue
	$(BIN)/python -m ratchet.evaluate.schema
	$(BIN)/python charts/readme.py

lock: $(INSTALLED) ## choose the pinned versions anew
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-header --no-annotate --generate-hashes \
		--extra validate --extra train --extra sample --extra grade --extra registry --extra dashboard --extra kfp --extra dev \
		pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --python-version 3.11 --no-emit-index-url --no-header --no-annotate --generate-hashes \
		--constraints requirements.txt --extra reasoning-gym pyproject.toml -o requirements-gym.txt
	infra/images/lock.sh
	components/images/sample/lock.sh

clean: ## remove what was built here (not runs/)
	rm -rf .venv .venv-vllm .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
