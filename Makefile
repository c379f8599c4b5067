# `make help` lists the targets. The two that matter to a newcomer: `make train` and `make test`; both set everything up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Where it is set, as in many containers, each process of the tests would compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install train test test-slow test-ray test-slurm test-device lint format bench docs gallery wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installed again only when the dependencies change; torch and torchvision come together, as published.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

install: $(STAMP)  ## create .venv with qsense and everything it needs

train: $(STAMP)  ## learn a 2-bit ADC on the built-in data: every fold × seeds 0, 1, 2
	$(BIN)/python -m qsense.train quant=gamma bits=2 -m

test: $(STAMP)  ## the tests, but for those that take long (QSENSE_DATA=… adds those on real data)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m "not slow and not engine and not site and not device"

# Many of them wait, for W&B's agents or for a process that has been killed: one more at a time than there are cores.
test-slow: $(STAMP)  ## those that take long
	$(BIN)/python -m pytest --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist worksteal \
		-m "slow and not engine" $$(grep -rl --include='test_*.py' mark.slow tests)

test-ray: $(STAMP)  ## a Ray cluster of two nodes on this machine, one of which dies (installs Ray)
	test -x $(BIN)/ray || $(BIN)/python -m pip install --quiet --editable '.[dev,ray]'
	$(BIN)/python -m pytest tests/engines/test_ray.py

# Root on Debian installs Slurm by apt; exit code 77 where it is missing and cannot be installed.
test-slurm: $(STAMP)  ## sweeps on a Slurm cluster of its own, whose jobs and nodes are killed
	tests/engines/slurm.sh $(BIN)/python -m pytest --numprocesses 0 tests/engines/test_slurm.py

# Root on Debian installs the compilers and QEMU by apt; exit code 77 where they are missing and cannot be installed.
test-device: $(STAMP)  ## the exported firmware on emulated microcontrollers: Cortex-M4, Cortex-M33, RISC-V
	tests/device/toolchain.sh
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m device -rP tests/device

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## measure speed: ratios from alternating runs
	$(BIN)/python benchmarks/quantizers.py
	$(BIN)/python benchmarks/codes.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/fat.py --quick --threads 1
	$(BIN)/python benchmarks/detection.py
	$(BIN)/python benchmarks/frames.py
	$(BIN)/python benchmarks/paa.py
	$(BIN)/python benchmarks/coco_eval.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/training.py

docs: $(STAMP)  ## build the documentation into build/docs: offline, every warning an error; then look at it
	$(BIN)/python -m sphinx -E -W --keep-going -q -b html docs build/docs
	$(BIN)/python -m pytest --quiet -m site tests/docs/test_site.py

gallery: $(STAMP)  ## make the documentation's pictures anew, by the commands beside them (a quarter of an hour)
	$(BIN)/python docs/make_gallery.py

wheel: $(STAMP)  ## build dist/*.whl, which works without a checkout
	$(BIN)/python -m build --wheel

clean:  ## remove .venv, caches and built files; runs/ stays
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
