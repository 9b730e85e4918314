# The two commands: `make table2` and `make test`. Both set up .venv from requirements.lock by themselves.
#
# torch: TORCH=auto (default) takes the CUDA build where nvidia-smi finds a GPU, the CPU build elsewhere; TORCH=cpu and
# TORCH=cuda decide it by hand. The CPU build is taken from pip's configured sources if they have one, else through uv,
# which knows where PyTorch publishes it. The CUDA build (several GB) is never installed without a GPU or TORCH=cuda.

SHELL := /bin/bash
TORCH ?= auto
TORCH_VERSION := 2.13.0
CORES ?= all
PYTHON ?= $(shell for v in 3.11 3.12 3.13; do python$$v -c '' 2>/dev/null && echo python$$v && break; done || echo python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: table2 tables report test check bench lock clean

table2: .venv/ready
	@mkdir -p results
	$(BIN)/snakemake --cores $(CORES) --quiet host reason -- results/tables/table2.csv
	@cat results/tables/table2.md
	@echo; echo "Table:  results/tables/table2.csv, .md, .tex"
	@echo "Scores: results/scores/validation/scores.parquet    Responses: results/responses/"

tables: .venv/ready
	$(BIN)/snakemake --cores $(CORES)

report: .venv/ready
	@mkdir -p results
	$(BIN)/snakemake --cores $(CORES) --quiet host reason -- results/report/index.html
	@echo; echo "Report: $(CURDIR)/results/report/index.html (open it in a browser; to pass it on, take the whole folder)"

test: .venv/ready
	$(BIN)/pytest

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

bench: .venv/ready
	@for file in $(filter-out benchmarks/measure.py,$(wildcard benchmarks/*.py)); do echo "## $$file"; $(BIN)/python $$file || exit 1; echo; done

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"Python 3.11-3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}; name one: make PYTHON=/path/to/python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python workflow/install_torch.py $(TORCH_VERSION) $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements.in -o requirements.lock

clean:
	rm -rf .venv .venv-glove .snakemake
