"""Fixtures that every room's tests share."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from .chromium import browser  # noqa: F401  (a fixture)

# CI judges a change by the same examples every time; local runs go on searching.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data of other projects, beside the checkout where a team keeps it; never inside the repo."""
    folder = Path(os.environ.get("SUREHAND_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data beside the checkout ({folder})")
    return folder


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """A call that skips the test where a module is not installed, and fails it on CI, where it must be."""

    def check(module: str) -> None:
        if importlib.util.find_spec(module) is not None:
            return
        if os.environ.get("CI") == "true":
            pytest.fail(f"{module} is not installed, and CI may not skip this test")
        pytest.skip(f"{module} is not installed")

    return check


@pytest.fixture(scope="session")
def openpi_python() -> str:
    """Python of the environment that holds openpi's own client, which wants an older numpy than ours."""
    python = os.environ.get("SUREHAND_OPENPI_PYTHON", str(Path(__file__).parents[1] / ".venv-openpi/bin/python"))
    if Path(python).exists():
        return python
    if os.environ.get("CI") == "true":
        pytest.fail(f"{python} is not there, and CI may not skip this test; run `make .venv-openpi/.ready`")
    pytest.skip(f"no environment of openpi's client ({python}); run `make .venv-openpi/.ready`")
