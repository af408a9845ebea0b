# make demo: a simulated log, four methods, tables against known truth, and what to ship as the last line.
# make test: the tests. make docs: the pages of docs/ as a site, in site/.
# Each sets up its own virtual environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
JOBS ?= 2
# Slow tests are left out; PYTEST_ARGS= runs them too, as CI does.
PYTEST_ARGS ?= -m "not slow"

.PHONY: demo test lint types check bench docs audit-dependencies clean

demo: $(VENV)/.installed
	test -d $(DEMO)/log || $(BIN)/postclick simulate $(DEMO)/log --world confounded --rows 240000 \
	  --ctr 0.12 --cvr 0.12 --seed 0
	$(BIN)/postclick prepare --schema $(DEMO)/log/schema.yaml --train $(DEMO)/log/train.parquet \
	  --test $(DEMO)/log/test.parquet --out $(DEMO)/data
	$(BIN)/postclick compare $(DEMO)/data --methods naive,esmm,escm2_ipw,evi \
	  --seeds 3 --trials 0 --out $(DEMO)/results

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(JOBS) -q $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

check: lint types test

bench: $(VENV)/.installed-bench
	$(BIN)/python benchmarks/all.py

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Known vulnerabilities of the pinned versions; needs a package index that lists them.
audit-dependencies: $(VENV)/.installed-dev
	$(BIN)/pip-audit --no-deps --disable-pip -r constraints.txt

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "postclick needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[train]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[bench]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO) site
