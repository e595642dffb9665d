# Everything a newcomer needs: `make run` and `make test`. Both set up their own environment.
SHELL := bash
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
VENV := $(ROOT)/.venv
READY := $(VENV)/.ready
GOODOC := $(VENV)/bin/goodoc
COMPANY = $(or $(GOODOC_HOME),$(ROOT)/var)/company
DAYS ?= 90
SCALE ?= 1
export PATH := $(VENV)/bin:$(PATH)
export UV_LINK_MODE ?= copy
.DEFAULT_GOAL := help

.PHONY: help run test bench lint lock clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(ROOT)/Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 14

run: $(READY) ## simulate a company, load, build, publish; DAYS=90 SCALE=1
	@test -e "$(COMPANY)/truth.json" || $(GOODOC) simulate --out "$(COMPANY)" --days $(DAYS) --scale $(SCALE)
	@$(GOODOC) simulate --out "$(COMPANY)" --serve -- $(GOODOC) run

test: $(READY) ## the whole test suite
	@cd $(ROOT) && $(VENV)/bin/pytest $(ARGS)

bench: $(READY) ## measure loading beside its floors and peers, into docs/benchmarks.md; SMALL=1
	@cd $(ROOT) && $(VENV)/bin/python -m benchmarks $(if $(SMALL),--small)

lint: $(READY) ## ruff, sqlfluff, yamllint, import rules
	@cd $(ROOT) && ruff check . && ruff format --check . && sqlfluff lint --processes 2 models tests/data \
		&& yamllint . && lint-imports

lock: $(READY) ## pin every dependency anew, with hashes
	@cd $(ROOT) && uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-annotate --upgrade pyproject.toml -o requirements.lock

clean: ## remove the environment and all state of the demo
	rm -rf $(VENV) $(ROOT)/var $(ROOT)/target $(ROOT)/logs

# A Python in range, a virtual environment, the pinned uv, then everything else at its pinned hash.
$(READY): $(ROOT)/requirements.lock $(ROOT)/pyproject.toml
	@python=; for each in python3 python3.13 python3.12 python3.11; do \
		if $$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
		then python=$$each; break; fi; done; \
	if [ -z "$$python" ]; then echo "goodoc needs Python 3.11, 3.12 or 3.13 on the PATH" >&2; exit 1; fi; \
	echo "setting up $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' $(ROOT)/requirements.lock > $(VENV)/uv.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@cd $(ROOT) && export VIRTUAL_ENV=$(VENV) && uv pip sync --quiet --require-hashes requirements.lock \
		&& uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
