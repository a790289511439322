# Every command a person or CI types. `make demo` and `make test` install what they need.

PYTHON := .venv/bin/python
TREES := gateway tests benchmarks
# As root everything can be had, so there no test may be skipped.
NO_SKIPS := $(if $(filter 0,$(shell id -u)),--no-skips)

.PHONY: setup demo test check format fault fault-long worlds bench vectors docs docs-check firmware \
	story lock

setup:
	@sh .ci/setup

demo: setup
	@.venv/bin/hulian demo $(if $(SECONDS),--seconds $(SECONDS))

test: setup
	$(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(NO_SKIPS)

check: setup
	$(PYTHON) -m ruff format --check $(TREES)
	$(PYTHON) -m ruff check $(TREES)
	$(PYTHON) -m mypy
	$(MAKE) --no-print-directory test

format: setup
	$(PYTHON) -m ruff format $(TREES)
	$(PYTHON) -m ruff check --fix $(TREES)

fault: setup
	@$(PYTHON) -m tests.faults

fault-long: setup
	@$(PYTHON) -m tests.faults --long

worlds: setup
	@$(PYTHON) -m tests.sim $(SEED)

bench: setup
	@$(PYTHON) -m benchmarks

vectors: setup
	@$(PYTHON) -m tests.vectors

docs: setup
	@$(PYTHON) -m tests.operations

docs-check: setup
	$(PYTHON) -m pytest -q tests/test_docs.py

firmware: setup
	@$(MAKE) --no-print-directory -C firmware_bridge
	@command -v arm-none-eabi-gcc >/dev/null && $(PYTHON) -m tests.footprint || \
		echo "no table of flash and stack without arm-none-eabi-gcc: make setup says how to get it"

story: setup
	@$(PYTHON) -m tests.stories $(S)

# Both locks anew, from pyproject.toml and from what the independent verifiers need.
COMPILE := .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate
lock: setup
	$(COMPILE) --upgrade --all-extras pyproject.toml -o requirements.lock
	printf 'cwt\npymerkle\npynmea2\npysparkplug\ntlog-scales==0.0.3\n' | $(COMPILE) --upgrade - -o requirements-oracle.lock
