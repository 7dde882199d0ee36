# `make run` and `make test` are all that a fresh machine needs; the others are for work on the code.
PYTHON ?= python3
VENV := .venv
RUNS := $(VENV)/runs
READY := $(VENV)/ready
TEST_PACKAGES := cadaver chromium curl litmus nginx-light openssl postgresql rclone strace
CLIENT_PACKAGES := davfs2 dbus-daemon dovecot-imapd fuse3 git gvfs gvfs-backends kde-cli-tools kded5 libglib2.0-bin libhttp-dav-perl \
    libsecret-1-dev lftp mblaze notmuch pkg-config sitecopy wget
NOTES := joplin@3.5.1
# twice as many as there are cores: half of the time of a test is waiting
JOBS := $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
INSTALL = $(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: run test clients check setup packages bench torture release

run: $(RUNS)
	$(VENV)/bin/davstore serve $(ARGS)

# ARGS narrows it: make test ARGS="tests/unit -k settings"
test: setup packages
	$(VENV)/bin/pytest -n $(JOBS) --dist worksteal -m "not torture and not clients" $(ARGS)

# Real clients' whole sessions, and a table of them
clients: setup packages
	.ci/packages $(CLIENT_PACKAGES)
	$(INSTALL) '.[clients]'
	-test -x $(VENV)/joplin/node_modules/.bin/joplin || npm install --silent --no-audit --no-fund --prefix $(VENV)/joplin $(NOTES)
	$(VENV)/bin/pytest -n auto --dist worksteal tests/clients $(ARGS)

# the figures of docs/reliability.md: make torture ARGS="-k kills"
torture: setup packages
	$(INSTALL) '.[fuzz]'
	$(VENV)/bin/pytest -rP -m torture $(ARGS)

check: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: setup packages
	.ci/packages apache2 dovecot-imapd wrk
	$(VENV)/bin/python -m tests.bench.run $(ARGS)

# make release VERSION=1.2.3: joins changes/next/ into CHANGELOG.md, sets the version, commits and tags; pushes nothing
release:
	$(PYTHON) changes/release.py $(VERSION)

setup: $(READY)

packages:
	.ci/packages $(TEST_PACKAGES)

$(RUNS): pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(INSTALL) .
	touch $@

$(READY): pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(INSTALL) '.[dev]'
	touch $(RUNS) $@

$(VENV)/bin/pip:
	$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' || .ci/packages python3-venv
	$(PYTHON) -m venv $(VENV)
