# Everything a fresh machine needs: Python >= 3.11, make and a package registry.
PYTHON ?= python3
VENV := .venv
TEST_VENV := .venv-test
PYTEST_FLAGS ?= --numprocesses 2
PIP_FLAGS := --quiet --disable-pip-version-check

.PHONY: demo test slow lint docs bench bare lock clean

## demo: set up, judge the embedded checkpoints, write a page
demo: $(VENV)/.ready
	$(VENV)/bin/surehand demo --out out/demo

## test: set up, check style, types and house, run the tests
test: $(TEST_VENV)/.ready lint
	$(TEST_VENV)/bin/python -m pytest $(PYTEST_FLAGS)

## slow: soaks and full promise grids, minutes each
slow: $(TEST_VENV)/.ready
	$(TEST_VENV)/bin/python -m pytest $(PYTEST_FLAGS) -m slow

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
	$(PYTHON) tools/lock.py

$(VENV)/.ready: requirements/base.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("surehand needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install $(PIP_FLAGS) --constraint requirements/base.txt --editable .
	touch $@

$(TEST_VENV)/.ready: $(wildcard requirements/*) pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("surehand needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_VENV)/bin/pip install $(PIP_FLAGS) --constraint requirements/test.txt --editable '.[sim,ray,video,remote,gr00t,onnx]' \
		--requirement requirements/test.in --requirement requirements/lerobot.in
	$(TEST_VENV)/bin/pip install $(PIP_FLAGS) --no-deps --requirement requirements/lerobot-nodeps.in
	touch $@

clean:
	rm -rf $(VENV) $(TEST_VENV) out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
