# `make run` and `make test` are all that a fresh machine needs; the others are for work on the code.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/ready
TEST_PACKAGES := cadaver litmus postgresql rclone strace

.PHONY: run test check setup packages bench torture

run: setup
	$(VENV)/bin/davstore serve $(ARGS)

# ARGS narrows it: make test ARGS="tests/unit -k settings"
test: setup packages
	$(VENV)/bin/pytest -n auto --dist worksteal -m "not torture" $(ARGS)

torture: setup packages
	$(VENV)/bin/pytest -m torture $(ARGS)

check: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: setup packages
	.ci/packages apache2 dovecot-imapd wrk
	$(VENV)/bin/python -m tests.bench.run $(ARGS)

setup: $(READY)

packages:
	.ci/packages $(TEST_PACKAGES)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' || .ci/packages python3-venv
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
