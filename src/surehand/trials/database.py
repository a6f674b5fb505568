"""A database as the store needs it: found or made, brought up to date under a lock; SQLite file or PostgreSQL."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from surehand.exceptions import FormatError, StoreError, SurehandError
from surehand.trials.faults import told
from surehand.trials.tables import METADATA

VERSIONS = "surehand_version"  # table that says which migrations ran; other programs may keep their own beside it
_LOCK = 7_308_339_910_637_985_895  # any number that only surehand asks PostgreSQL for
WAIT = 30.0  # seconds for somebody else's write to end


class Database:
    """An engine, its name without the password, and transactions whose end is on the disk."""

    def __init__(self, target: str | os.PathLike[str], *, create: bool = False, wait: float = WAIT) -> None:
        self.url = parse(target)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.name = str(self.url.database) if self.sqlite else self.url.render_as_string(hide_password=True)
        if self.sqlite:
            try:
                _check_file(Path(self.name), create)
            except OSError as error:
                raise StoreError(f"{self.name}: cannot be reached ({error.strerror}); check path and rights") from None
        self._wait = wait
        self._turn = threading.Lock()
        self._file: tuple[int, int] | None = None  # which one it is, once it is a store
        self.engine = _engine(self.url, wait, self.name)
        try:
            with told(self.name):
                _bring_up_to_date(self, create)
                self._file = _file_at(self.name) if self.sqlite else None
        except BaseException:
            self.engine.dispose()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with told(self.name), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; when the block is left without an error it is on the disk."""
        # SQLite lets writers try again and again, and the unlucky wait for seconds; in one process they queue here.
        with told(self.name), self._turn if self.sqlite else nullcontext(), self.engine.connect() as connection:
            connection = connection.execution_options(surehand_writes=True)
            with connection.begin():
                yield connection
                if self._file is not None:
                    self._check_there(connection)

    def _check_there(self, connection: Connection) -> None:
        """Nothing; StoreError where what is being written would be found by nobody who opens the file by its name."""
        gone = _file_at(self.name) != self._file
        if not gone and not os.path.exists(f"{os.path.realpath(self.name)}-wal"):
            gone = connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        if gone:
            raise StoreError(
                f"{self.name}: the file (or its -wal) was moved, replaced or deleted while in use; nothing was "
                "acknowledged, put it back or start again"
            )

    def close(self) -> None:
        """Nothing; the connections are closed."""
        self.engine.dispose()


def parse(target: str | os.PathLike[str]) -> URL:
    """The address as SQLAlchemy has it: a path is a SQLite file; FormatError for other databases."""
    given = os.fspath(target)
    if "://" not in given:
        return URL.create("sqlite", database=given)
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise FormatError("not an address of a store; write postgresql://USER:PASSWORD@HOST/NAME or a path") from None
    kind = url.drivername.split("+")[0]
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return URL.create("sqlite", database=url.database)
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise FormatError(f"a store is a SQLite file or postgresql://…, got {kind}://…; give a path such as study.db")


def _file_at(name: str) -> tuple[int, int] | None:
    """Which file has this name now."""
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_file(path: Path, create: bool) -> None:
    if path.is_dir():
        raise FormatError(f"{path}: a folder; give the file of the store, such as {path / 'trials.db'}")
    if path.suffix == ".json" and path.exists():
        trials = path.with_name("trials.db")
        todo = f"give {trials}" if trials.exists() else f"make one with `surehand trials serve {path}`"
        raise FormatError(f"{path}: a JSON file, and trials are kept in a store; {todo}")
    if not path.exists():
        if not create:
            raise FormatError(f"{path}: no such store; give its file, or make one with `surehand trials serve`")
        if not path.absolute().parent.is_dir():
            raise FormatError(f"{path}: no folder {path.parent}; create it first")
    elif not create and path.stat().st_size == 0:
        raise FormatError(f"{path}: the file is empty; expected a surehand store, take the newest copy")


def _engine(url: URL, wait: float, name: str) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": wait}, pool_size=8, max_overflow=56, pool_timeout=wait)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        engine = create_engine(
            url,
            connect_args={"connect_timeout": int(min(wait, 10)) or 1, "application_name": "surehand"},
            pool_pre_ping=True,  # a server that was restarted is no reason to fail
            pool_size=8,
            max_overflow=56,
            pool_timeout=wait,
        )
    except ModuleNotFoundError:
        raise SurehandError(f"{name}: PostgreSQL needs psycopg; pip install 'surehand[postgres]'") from None
    event.listen(engine, "connect", partial(_prepare_postgresql, wait))
    return engine


def _prepare_postgresql(wait: float, connection: Any, _: object) -> None:
    connection.execute(f"SET lock_timeout = {int(wait * 1000)}")
    # Acknowledged means on the disk; a server may have been told not to wait for it.
    setting = "'synchronous_commit'"
    connection.execute(f"SELECT set_config({setting}, 'on', false) WHERE current_setting({setting}) = 'off'")
    connection.commit()


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; we do, below
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: whoever writes waits for the others before it reads, so nobody numbers rows by an old state.
    writes = connection.get_execution_options().get("surehand_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(database: Database, create: bool) -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(files("surehand.trials") / "migrations").replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    assert head is not None
    with database.engine.connect() as connection, connection.begin():
        if _version(connection, database.name, head, scripts, create) == head:
            return
    if database.sqlite:
        _write_ahead(database)
    with database.writing() as connection:
        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if _version(connection, database.name, head, scripts, create) != head:  # nobody else did it meanwhile
            _upgrade(connection, config, scripts)


def _write_ahead(database: Database) -> None:
    """Nothing; readers no longer wait for writers. The mode stays with the file.

    SQLite does not wait its turn for this switch, so we do.
    """
    last = time.monotonic() + database._wait
    raw = database.engine.raw_connection()
    try:
        while True:
            try:
                raw.cursor().execute("PRAGMA journal_mode = WAL")
                return
            except Exception as error:
                if "locked" not in str(error) or time.monotonic() > last:
                    raise DBAPIError("PRAGMA", None, error) from None
                time.sleep(0.02)
    finally:
        raw.close()


def _version(connection: Connection, name: str, head: str, scripts: Any, create: bool) -> str | None:
    """The newest migration this database has, None where it is empty; FormatError where it is not ours to change."""
    tables = set(inspect(connection).get_table_names())
    if VERSIONS not in tables:
        ours = tables & set(METADATA.tables)
        if ours or (tables and connection.dialect.name == "sqlite"):
            raise FormatError(
                f"{name}: not a surehand store (it has a table {min(ours or tables)!r}); give another file or database"
            )
        if not create:
            raise FormatError(f"{name}: no surehand store in it yet; make one with `surehand trials serve`")
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar()
    if found is None or found not in {script.revision for script in scripts.walk_revisions()}:
        raise FormatError(f"{name}: schema {found}, this surehand knows 0001 to {head}; upgrade surehand")
    return str(found)


def _upgrade(connection: Connection, config: Any, scripts: Any) -> None:
    from alembic.runtime.environment import EnvironmentContext

    def steps(revision: Any, _: object) -> Any:
        return scripts._upgrade_revs("head", revision)

    with EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=METADATA, version_table=VERSIONS)
        environment.run_migrations()
