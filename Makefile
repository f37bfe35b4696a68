# All commands of the project. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One more process than a small machine has cores: many tests wait for other processes.
PARALLEL := --numprocesses 3 --dist loadfile
PEERS := .venv-peers
CLIENTS := .venv-clients
FUZZ := .venv-fuzz
SERVING := .venv-serving
# Many containers set it: then every process compiles all modules that it imports, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "make %-10s %s\n", $$1, $$2}'

$(READY): locks/bootstrap.txt locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "backpropd needs Python 3.11 or later; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r locks/bootstrap.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes locks/bootstrap.txt locks/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m worker compile
	@touch $@

setup: $(READY) ## create the virtual environment from the locked, hashed dependencies

run: $(READY) ## start the embedded stack in the foreground, until Ctrl-C
	$(BIN)/python -m embedded

demo: $(READY) ## start the stack in a temporary folder, train on a real data set over HTTP, predict, stop
	$(BIN)/python -m embedded.demo

test: $(READY) $(CLIENTS)/.ready ## run the whole test suite, with its own Redis and PostgreSQL
	$(BIN)/pytest $(PARALLEL)

# Clients of the Open Inference Protocol, as others have them.
$(CLIENTS)/.ready: locks/inference-clients.txt | $(READY)
	$(PYTHON) -m venv --clear $(CLIENTS)
	$(BIN)/uv pip sync --quiet --python $(CLIENTS)/bin/python --require-hashes $<
	@touch $@

test-fast: $(READY) ## run the tests that start no servers
	$(BIN)/pytest $(PARALLEL) -m "not acceptance"

check: $(READY) ## formatter, linter, strict types, import layers, module lengths, manifests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/module_length.py
	$(BIN)/python tools/check_manifests.py

compose-test: $(READY) ## run the compose file on a Docker or Podman engine, and write docs/containers.md
	$(BIN)/python -m tests.deploy.on_engine

cluster-test: $(READY) ## run the programs on several hosts, which are network namespaces: lost hosts, wrong clocks, S3; needs root on Linux
	$(BIN)/python -m tests.cluster

fuzz-api: $(READY) ## send thousands of valid and invalid requests to a running stack, for some minutes
	$(BIN)/python -m tests.service.fuzzing

audit: $(READY) ## check the locked dependencies for known vulnerabilities; needs an advisory service (see SECURITY.md)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r locks/dev.txt

key: $(READY) ## create an admin key for a stack on this machine: make key, or make key TENANT=name
	@$(BIN)/python -m worker migrate
	@$(BIN)/python -m service keys create --tenant $(or $(TENANT),local)

format: $(READY) ## format the code, and fix what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# PyTorch's wheel without CUDA: if the index lacks it, set PIP_EXTRA_INDEX_URL to one that has it.
# A peer that cannot be installed is left out and reported as missing.
$(PEERS)/.ready: locks/peers.txt
	$(PYTHON) -m venv --clear $(PEERS)
	@for without in none torch jax 'torch|jax'; do \
		awk -v without="^($$without)" '/^[^ ]/ { keep = $$0 !~ without } keep' $< > $(PEERS)/available.txt; \
		$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
			-r $(PEERS)/available.txt && break || echo "some peers cannot be installed: trying with fewer"; \
	done
	@touch $@

# Model servers, which `bench.serving` compares with.
$(SERVING)/.ready: locks/serving.txt | $(READY)
	$(PYTHON) -m venv --clear $(SERVING)
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(SERVING)/bin/python --require-hashes $<
	@touch $@

bench: $(READY) $(PEERS)/.ready $(SERVING)/.ready ## measure everything in comparison with peers, and write docs/performance.md and docs/scaling.md
	$(BIN)/python -m bench.wrk
	$(BIN)/python -m bench.machine
	$(BIN)/python -m bench.steps
	$(BIN)/python -m bench.memory
	$(BIN)/python -m bench.products
	$(BIN)/python -m bench.http
	$(BIN)/python -m bench.service
	$(BIN)/python -m bench.throughput
	$(BIN)/python -m bench.recovery
	$(BIN)/python -m bench.upload
	$(BIN)/python -m bench.hostile
	$(BIN)/python -m bench.predictions
	$(BIN)/python -m bench.serving
	$(BIN)/python -m bench.defaults
	$(BIN)/python -m bench.capacity
	$(BIN)/python -m bench.report
	$(BIN)/python -m bench.scaling

# The other revision gets a checkout and an environment of its own in .compare.
compare: $(READY) ## measure the speed of this checkout beside another revision, in turns: make compare BASE=main
	rm -rf .compare && git worktree prune && git worktree add --quiet --detach .compare $(BASE)
	$(MAKE) --no-print-directory -C .compare setup
	$(BIN)/python -m bench.compare_checkouts .compare

SECONDS := 60
SEED := $(shell date +%s)
chaos: $(READY) ## inject random faults into many jobs, then check that none was lost: make chaos SECONDS=600 SEED=1
	$(BIN)/python -m tests.acceptance.faults.chaos --seconds $(SECONDS) --seed $(SEED)

# A separate environment: Atheris does not have a wheel for every Python and system.
$(FUZZ)/.ready: locks/fuzz.txt
	$(PYTHON) -m venv --clear $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r locks/fuzz.txt
	@touch $@

FORMATS := json parquet arrow npy npz xlsx gzip zstd
fuzz: $(FUZZ)/.ready ## fuzz the readers of tables, guided by coverage, each for some seconds: make fuzz SECONDS=600
	$(FUZZ)/bin/python -m tests.tabular.fuzzing -max_total_time=$(SECONDS)
	for format in $(FORMATS); do \
		$(FUZZ)/bin/python -m tests.tabular.formats.fuzzing $$format -max_total_time=$(SECONDS) || exit 1; \
	done

picture: $(READY) ## draw the README's learning curve
	$(BIN)/python -m bench.curve

lock: $(READY) ## resolve and lock the dependencies
	$(BIN)/uv pip compile $(LOCK) --extra service --extra s3 --extra tracing --extra onnx pyproject.toml -o locks/service.txt
	$(BIN)/uv pip compile $(LOCK) --all-extras --group dev pyproject.toml -o locks/dev.txt
	$(BIN)/uv pip compile $(LOCK) --group peers -o locks/peers.txt
	$(BIN)/uv pip compile $(LOCK) --group serving -o locks/serving.txt
	$(BIN)/uv pip compile $(LOCK) --group fuzz pyproject.toml -o locks/fuzz.txt
	$(BIN)/uv pip compile $(LOCK) --group inference-clients -o locks/inference-clients.txt
	$(PYTHON) -m pip download --quiet --no-deps --dest $(VENV)/torch torch==2.13.0
	$(PYTHON) -m pip hash $(VENV)/torch/torch-2.13.0* | \
		awk '/^--hash/ { print "torch==2.13.0 \\\n    " $$0 }' >> locks/peers.txt
	echo uv | $(BIN)/uv pip compile $(LOCK) - -o locks/bootstrap.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate


.PHONY: help setup run demo test test-fast check compose-test cluster-test fuzz-api audit key format bench compare chaos fuzz picture lock
