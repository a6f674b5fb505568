"""Commands under test leave nothing in the user's own cache."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache is a folder of the test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SUREHAND_CACHE", str(folder))
    return folder
