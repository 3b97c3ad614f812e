# kvmnb: every target first brings the checkout to where it can run (tools/setup.sh): system
# packages, a .venv from hash-pinned locks, kvmnb itself. A second run installs nothing.
#   PYTEST_ARGS='-k balloon -x'   for `make test`
#   PYTHON=python3.12             the Python that .venv is made with
#   SYSTEM_PACKAGES=skip          leave the system's packages alone

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
PYTHON_M := .venv/bin/python -m
PYTEST_ARGS ?=
# js/ is checked and built with the node and npm of .venv, so that everyone's output is the same.
IN_JS := cd js && PATH="$(CURDIR)/.venv/bin:$$PATH"
export PYTHON SYSTEM_PACKAGES

.PHONY: help lab demo test check bench soak build notebooks clean ready-lab ready-test ready-bench tiny

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

lab: ready-lab tiny ## open the notebooks in JupyterLab
	@$(PYTHON_M) kvmnb lab

demo: ready-lab tiny ## run the quickstart's job here in the terminal, each step with its time
	@$(PYTHON_M) kvmnb demo

test: ready-test tiny ## run the whole test suite on real guests
	@$(PYTHON_M) pytest -n 2 --dist loadscope $(PYTEST_ARGS)

check: ready-test ## lint, types, layers
	$(PYTHON_M) ruff check .
	$(PYTHON_M) ruff format --check .
	$(PYTHON_M) mypy kvmnb tests benchmarks
	.venv/bin/lint-imports --no-cache
	if [ -d js/src ]; then $(IN_JS) npm run --silent check; fi

bench: ready-bench tiny ## measure the figures against their peers; fails when one is over its limit
	@$(PYTHON_M) benchmarks

soak: ready-test tiny ## the long tests: hundreds of rounds, what is left behind counted
	@$(PYTHON_M) pytest -m soak $(PYTEST_ARGS)

build: ready-test ## build the widgets' JavaScript into kvmnb/widgets/static
	$(IN_JS) npm run --silent build

notebooks: ready-test tiny ## execute the notebooks and write them with static outputs
	@.venv/bin/python tools/notebooks.py

clean: ## remove .venv and everything made by these targets within the checkout
	rm -rf .venv .make js/node_modules dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

ready-lab:
	@tools/setup.sh lab

ready-test:
	@tools/setup.sh test

ready-bench:
	@tools/setup.sh test bench

tiny:
	@$(PYTHON_M) kvmnb.images.tiny
