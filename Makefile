# Everything a fresh machine needs: Python >= 3.11, make and a package registry.
PYTHON ?= python3
PYTHON312 ?= python3.12
VENV := .venv
TEST_VENV := .venv-test
OPENPI_VENV := .venv-openpi
LEROBOT_VENV := .venv-lerobot312
PYTEST_FLAGS ?= --numprocesses 2
PIP_FLAGS := --quiet --disable-pip-version-check

.PHONY: demo test test-lerobot312 slow lint docs bench bare lock lock-lerobot312 clean

## demo: set up, judge the embedded checkpoints, write a page
demo: $(VENV)/.ready
	$(VENV)/bin/surehand demo --out out/demo

## test: set up, check style, types and house, run the tests
test: $(TEST_VENV)/.ready $(OPENPI_VENV)/.ready lint
	$(TEST_VENV)/bin/python -m pytest $(PYTEST_FLAGS)

## slow: soaks and full promise grids, minutes each
slow: $(TEST_VENV)/.ready
	$(TEST_VENV)/bin/python -m pytest $(PYTEST_FLAGS) -m slow

## test-lerobot312: LeRobot 0.5.1 and 0.6.1, π0 and π0.5 among their policies; needs Python 3.12 and 6 GB, run by hand
test-lerobot312: export SUREHAND_LEROBOT_044 = $(CURDIR)/$(TEST_VENV)/bin/python
test-lerobot312: export SUREHAND_LEROBOT_051 = $(CURDIR)/$(LEROBOT_VENV)/lerobot-0.5.1
test-lerobot312: $(LEROBOT_VENV)/.ready $(TEST_VENV)/.ready
	PYTHONPATH=$$SUREHAND_LEROBOT_051 $(LEROBOT_VENV)/bin/python -m pytest tests/lerobot312/test_pi.py $(wildcard tests/policies/test_lerobot*.py)
	$(LEROBOT_VENV)/bin/python -m pytest tests/lerobot312 $(wildcard tests/policies/test_lerobot*.py)

lint: $(TEST_VENV)/.ready
	$(TEST_VENV)/bin/ruff format --check .
	$(TEST_VENV)/bin/ruff check .
	$(TEST_VENV)/bin/mypy
	$(TEST_VENV)/bin/lint-imports

## bare: the built wheel alone: imports with numpy alone, then --help with the base install
bare: $(TEST_VENV)/.ready
	$(TEST_VENV)/bin/python tools/check_bare_install.py

## docs: write what is generated (command line reference, table of robots)
docs: $(TEST_VENV)/.ready
	$(TEST_VENV)/bin/python tools/write_docs.py

## bench: every speed claim, each against a rival in the same run
bench: $(TEST_VENV)/.ready
	for file in benchmarks/*.py; do echo "== $$file"; $(TEST_VENV)/bin/python $$file || exit 1; done

## lock: write the constraint files again from what pip resolves today
lock:
	$(PYTHON) tools/lock.py base test openpi

## lock-lerobot312: the same for Python 3.12
lock-lerobot312:
	$(PYTHON312) tools/lock.py lerobot312

$(VENV)/.ready: requirements/base.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("surehand needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install $(PIP_FLAGS) --constraint requirements/base.txt --editable .
	touch $@

$(TEST_VENV)/.ready: $(filter-out requirements/lerobot312% requirements/openpi%, $(wildcard requirements/*)) pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("surehand needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_VENV)/bin/pip install $(PIP_FLAGS) --constraint requirements/test.txt --editable '.[sim,ray,video,remote,gr00t,onnx,postgres]' \
		--requirement requirements/test.in --requirement requirements/lerobot.in
	$(TEST_VENV)/bin/pip install $(PIP_FLAGS) --no-deps --requirement requirements/lerobot-nodeps.in
	touch $@

# openpi's own client, which wants an older numpy than ours: the tests let it talk to our server.
$(OPENPI_VENV)/.ready: requirements/openpi.in requirements/openpi.txt
	$(PYTHON) -m venv $(OPENPI_VENV)
	$(OPENPI_VENV)/bin/pip install $(PIP_FLAGS) --constraint requirements/openpi.txt --requirement requirements/openpi.in
	touch $@

$(LEROBOT_VENV)/.ready: $(wildcard requirements/lerobot312*) pyproject.toml
	@command -v $(PYTHON312) >/dev/null || { echo "$(PYTHON312) is not installed; name a Python 3.12 with make $(MAKECMDGOALS) PYTHON312=..."; exit 1; }
	$(PYTHON312) -m venv $(LEROBOT_VENV)
	$(LEROBOT_VENV)/bin/pip install $(PIP_FLAGS) --constraint requirements/lerobot312.txt --editable . \
		--requirement requirements/lerobot312.in
	$(LEROBOT_VENV)/bin/pip install $(PIP_FLAGS) --no-deps --upgrade --target $(LEROBOT_VENV)/lerobot-0.5.1 \
		--requirement requirements/lerobot312-nodeps.in
	touch $@

clean:
	rm -rf $(VENV) $(TEST_VENV) $(OPENPI_VENV) $(LEROBOT_VENV) out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
