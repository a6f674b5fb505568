"""Stores to test against: a SQLite file, and a database in a PostgreSQL of our own."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from surehand.formats.rubrics import read_rubric
from surehand.formats.schedules import Key, Schedule
from surehand.trials.plan import Conditions, make_plan
from surehand.trials.store import Store, open_store

sys.path.insert(0, str(Path(__file__).parent))
from own_postgres import Postgres, binaries, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL, one per test process; skipped where there are no binaries, but never on CI."""
    folder = binaries()
    missing = "PostgreSQL's binaries" if folder is None else "psycopg"
    if folder is None or importlib.util.find_spec("psycopg") is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no {missing} on this machine, and CI may not skip this test; apt-get install postgresql")
        pytest.skip(f"no {missing} on this machine")
    with running(folder) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The address of a database that nobody else uses, dropped at the end."""
    import psycopg

    name = f"t{uuid4().hex}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield postgres.url(name)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be made: each test runs on both kinds."""
    if request.param == "sqlite":
        return str(tmp_path / "study.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(target: str) -> Iterator[Store]:
    """An empty store, on both kinds."""
    with open_store(target, create=True) as made:
        yield made


@pytest.fixture
def plan() -> Callable[..., tuple[Schedule, Key]]:
    """A small study: two policies, two objects, two operators, two void rules."""

    def make(study: str = "mugs", trials: int = 4, **more: object) -> tuple[Schedule, Key]:
        given = {"rubric": read_rubric("hsr"), "seed": 1, "void_rules": ["robot fault", "wrong object"], "second": 0.25}
        conditions = Conditions(objects=("mug", "cup"), operators=("ann", "bo"))
        return make_plan(study, ["alpha", "beta"], conditions, trials=trials, **{**given, **more})  # type: ignore[arg-type]

    return make
