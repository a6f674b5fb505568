"""A few recorded episodes and runs that all of the learners' tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from surehand.formats.lerobot import open_lerobot
from surehand.frames import Actions
from surehand.layout import Layout
from surehand.sim.learners.nets import threads
from surehand.sim.observation import ENVIRONMENT
from surehand.sim.record import Recipe, record
from surehand.sim.robot import body


@pytest.fixture(scope="session")
def picks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of twelve episodes, picks and presses of the desk robot."""
    return record(Recipe(("press", "pick"), 12, "desk", seed=700), tmp_path_factory.mktemp("picks") / "set").path


@pytest.fixture(scope="session")
def recorded(picks: Path) -> Actions:
    """Its first eight episodes."""
    return open_lerobot(picks).read(range(8), columns=[ENVIRONMENT])


@pytest.fixture(scope="session")
def held_out(picks: Path) -> Actions:
    """Two presses that nothing is trained on."""
    return open_lerobot(picks).read([8, 10], columns=[ENVIRONMENT])


@pytest.fixture(scope="session")
def desk() -> Layout:
    """The desk robot's layout."""
    return body("desk").layout


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Torch in one thread: these networks are too small for more."""
    with threads(1):
        yield
