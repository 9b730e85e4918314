# The two commands: `make table2` and `make test`. Both set up .venv from requirements.lock by themselves.
#
# Any table or figure of a paper is a target: `make table3`, `make costs`, `make latent_map`. PAPER=<folder of papers/>,
# PRESET=<file of that folder> and MIRROR=<folder with downloads> say of what; `python -m pipeline_lib list` shows all.
#
# torch: TORCH=auto (default) takes the CUDA build where nvidia-smi finds a GPU, the CPU build elsewhere; TORCH=cpu and
# TORCH=cuda decide it by hand. The CPU build is taken from pip's configured sources if they have one, else through uv,
# which knows where PyTorch publishes it. The CUDA build (several GB) is never installed without a GPU or TORCH=cuda.

SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
TORCH ?= auto
TORCH_VERSION := 2.13.0
CORES ?= all
FOLDER ?= models
SAMPLE ?= 100
SEED ?= 1
PYTHON ?= $(shell for v in 3.11 3.12 3.13; do python$$v -c '' 2>/dev/null && echo python$$v && break; done || echo python3)
BIN := .venv/bin
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
SLURM := slurm-wlm slurmdbd munge mariadb-server
# what a paper's systems need beside the workflow itself
READY = $(if $(filter keywords_and_instances,$(PAPER)),.venv/pretrained,.venv/ready)
RUN = $(if $(PAPER),paper=$(PAPER)) $(if $(PRESET),preset=$(PRESET)) $(if $(MIRROR),mirror=$(MIRROR))
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) --quiet host reason $(if $(strip $(RUN)),--config $(RUN)) --
PAPERS = $(patsubst papers/%/paper.yaml,%,$(wildcard papers/*/paper.yaml))
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: tables papers figures report ratings test test-cluster check mutation audit bench cluster pretrained lock clean

.DEFAULT_GOAL := table2

# every table of one paper, and of all papers in turn
tables: $(READY)
	$(SNAKEMAKE) all

papers: .venv/ready
	@for paper in $(PAPERS); do echo "## $$paper"; $(MAKE) --no-print-directory tables PAPER=$$paper || exit 1; done

figures: $(READY)
	$(SNAKEMAKE) figures

report: $(READY)
	@page=$$($(BIN)/python -m pipeline_lib target report $(RUN)) && $(SNAKEMAKE) "$$page" \
	&& echo && echo "Report: $(CURDIR)/$$page (open it in a browser; to pass it on, take the whole folder)"

# a table or a figure, by its name in paper.yaml
define named
	@$(MAKE) --no-print-directory --silent $(READY)
	@files=$$($(BIN)/python -m pipeline_lib target $@ $(RUN)) && $(SNAKEMAKE) $$files && for file in $$files; do case $$file in \
		*.csv) cat "$${file%.csv}.md"; echo; echo "Table:  $$file, .md, .tex, .json";; \
		*manifest.json) echo "Run:    $$file says what it was";; \
		*.svg) echo "Figure: $$file, .png, and .csv of the plotted values";; esac; done
endef

.DEFAULT:
	$(named)

# a table too, beside a folder of this name, which holds filled sheets
ratings:
	$(named)

# two processes; the tests of a file share its fixtures, so they stay in one of them
test: .venv/ready
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# Against a real SLURM, started on loopback for the time of the tests; where none can be installed they are skipped.
test-cluster: .venv/cluster
	@if [ "$$(PATH=$$PATH:/usr/sbin command -v slurmctld slurmdbd munged mariadbd | wc -l)" = 4 ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing with apt-get: $(SLURM)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(SLURM) >/dev/null; \
	else echo "No SLURM here, and only root on Debian or Ubuntu gets it installed: $(SLURM)"; fi
	$(BIN)/pytest -rs tests/cluster

# Snakemake's executors for SLURM, Kubernetes and others, and storage in S3 (docs/operations/clusters.md).
cluster: .venv/cluster

# the package transformers, for T5, T5-CLAPS and DialoGPT; their weights come from a local folder (docs/running.md)
pretrained: .venv/pretrained

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python workflow/lint.py

# Tests of the tests, by hand: `make mutation FOLDER=models SAMPLE=130` (docs/operations/mutation.md). mutmut goes into an
# environment of its own that also sees the packages of .venv.
mutation: .venv/ready
	$(BIN)/python -m venv .venv-mutation
	site='import site; print(site.getsitepackages()[0])'; \
	$(BIN)/python -c "$$site" > "$$(.venv-mutation/bin/python -c "$$site")/project.pth"
	.venv-mutation/bin/python -m pip install --quiet --disable-pip-version-check mutmut==3.8.1
	.venv-mutation/bin/python tests/mutation/run.py $(FOLDER) --sample $(SAMPLE) --seed $(SEED) \
		--work build/mutation/$(FOLDER) --record build/mutation/$(FOLDER).csv

# Known vulnerabilities of what the lock files name. Asks a service on the net; a package that it does not know is a failure.
audit:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	for lock in requirements requirements-cluster requirements-pretrained; do \
		.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock.lock || exit 1; done

bench: .venv/ready
	@for file in $(filter-out benchmarks/drawn.py benchmarks/measure.py,$(wildcard benchmarks/*.py)); do echo "## $$file"; $(BIN)/python $$file || exit 1; echo; done

# apart, so that a change of pyproject.toml takes no package from under a run that uses them
.venv/packages: requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"Python 3.11-3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}; name one: make PYTHON=/path/to/python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python workflow/install_torch.py $(TORCH_VERSION) $(TORCH)
	@touch $@

.venv/ready: .venv/packages pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/cluster: .venv/ready requirements-cluster.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-cluster.lock
	@touch $@

.venv/pretrained: .venv/ready requirements-pretrained.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-pretrained.lock
	@touch $@

# the other locks start from the first, so that what they all name is of one version where that can be
lock:
	$(LOCK) requirements.in -o requirements.lock
	for extra in cluster pretrained; do \
		cp requirements.lock requirements-$$extra.lock; \
		$(LOCK) requirements-$$extra.in -o requirements-$$extra.lock || exit 1; done

clean:
	rm -rf .venv .venv-glove .venv-mutation .venv-audit .snakemake
