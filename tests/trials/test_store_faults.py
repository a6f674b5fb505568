"""What goes wrong around a store, told in one line; and nothing that was acknowledged is touched by it."""

import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from surehand.exceptions import FormatError, StoreError, SurehandError
from surehand.formats.schedules import Key, Schedule
from surehand.trials.database import VERSIONS, parse
from surehand.trials.entries import Entry
from surehand.trials.store import Store, open_store

Plan = Callable[..., tuple[Schedule, Key]]


def note(words: str = "ok") -> Entry:
    return Entry(kind="note", operator="ann", notes=words)


@contextmanager
def line(kind: type[SurehandError], words: str) -> Iterator[None]:
    """The block fails with this kind of error, in one line that holds these words and no password."""
    with pytest.raises(kind, match=words) as caught:
        yield
    assert "\n" not in str(caught.value)
    assert "only for tests" not in str(caught.value) and "only%20for" not in str(caught.value)


@pytest.fixture
def file(tmp_path: Path, plan: Plan) -> Path:
    """A SQLite store with a study and five rows, closed."""
    path = tmp_path / "study.db"
    with open_store(path, create=True) as store:
        store.add_study(plan(trials=40)[0])
        for _ in range(5):
            store.add("mugs", note())
    return path


def test_paths_that_hold_no_store(tmp_path: Path, file: Path) -> None:
    with line(FormatError, "no such store; give its file"):
        open_store(tmp_path / "none.db")
    with line(FormatError, "a folder; give the file of the store"):
        open_store(tmp_path, create=True)
    with line(FormatError, "no folder .*; create it first"):
        open_store(tmp_path / "no" / "a.db", create=True)
    (tmp_path / "empty.db").touch()
    with line(FormatError, "the file is empty"):
        open_store(tmp_path / "empty.db")
    (tmp_path / "text.db").write_text("trial,policy,score\n" * 100)
    for create in (False, True):
        with line(FormatError, "not a surehand store"):
            open_store(tmp_path / "text.db", create=create)


def test_a_database_of_another_program_is_left_alone(target: str) -> None:
    engine = create_engine(parse(target))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE rows (a INTEGER)"))
    for create in (False, True):
        with line(FormatError, "not a surehand store .it has a table 'rows'"):
            open_store(target, create=create)
    engine.dispose()


def test_a_newer_schema_is_refused(target: str) -> None:
    open_store(target, create=True).dispose()
    engine = create_engine(parse(target))
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '0999'"))
    with line(FormatError, "schema 0999, this surehand knows 0001 to 0001; upgrade surehand"):
        open_store(target)
    engine.dispose()


def test_an_empty_database_is_made_a_store_only_when_asked(postgres_url: str) -> None:
    with line(FormatError, "no surehand store in it yet"):
        open_store(postgres_url)
    open_store(postgres_url, create=True).dispose()
    open_store(postgres_url).dispose()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_noticed(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with line(FormatError, "damaged or cut off|not a surehand store"), open_store(file) as store:
        store.schedule("mugs")
        store.add("mugs", note())


def test_another_program_that_holds_the_file(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    with open_store(file, wait=0.2) as store:
        other.execute("BEGIN IMMEDIATE")
        with line(StoreError, "another program has been holding the file"):
            store.add("mugs", note())
        assert len(store.rows("mugs")) == 5, "readers do not wait"
        other.execute("ROLLBACK")
        assert store.add("mugs", note()).number == 6
    other.close()


def test_another_program_that_holds_the_study(postgres_url: str, plan: Plan) -> None:
    engine = create_engine(parse(postgres_url))
    with open_store(postgres_url, create=True, wait=0.3) as store:
        store.add_study(plan()[0])
        with engine.begin() as connection:
            connection.execute(text("SELECT name FROM studies FOR UPDATE"))
            with line(StoreError, "another program has been holding the study"):
                store.add("mugs", note())
        assert store.add("mugs", note()).number == 1
    engine.dispose()


def test_a_full_disk_acknowledges_nothing_and_loses_nothing(file: Path) -> None:
    kept = []
    with open_store(file) as store:
        engine = store._database.engine
        event.listen(engine, "connect", _small)
        engine.dispose()  # so that the next connection is a small one
        with line(StoreError, "the disk is full, nothing was acknowledged"):
            for _ in range(1000):
                kept.append(store.add("mugs", note("x" * 4000)))
        assert store.rows("mugs", after=5) == kept, "and it can still be read"
        event.remove(engine, "connect", _small)
        engine.dispose()
        assert store.add("mugs", note()).number == 6 + len(kept)
    assert 0 < len(kept) < 1000


def _small(connection: Any, _: object) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 8}")


def test_a_file_that_may_not_be_written(file: Path) -> None:
    """In a process of its own: root may write everything, so it becomes somebody else there."""
    folder = Path(tempfile.mkdtemp(prefix="surehand-", dir="/tmp"))  # pytest's own folders keep others out
    file = Path(shutil.copy(file, folder))
    with open_store(file):  # loads everything that the child needs, while it still may
        pass
    file.chmod(0o444)
    folder.chmod(0o555)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads, which the child never needs
        child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            with open_store(file, wait=1) as store:
                store.add("mugs", note())
            said = "written"
        except SurehandError as error:
            said = f"{type(error).__name__}: {error}"
        except BaseException as error:
            said = repr(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    said = os.read(reading, 10_000).decode()
    os.close(reading)
    folder.chmod(0o755)
    shutil.rmtree(folder)
    assert said.startswith("StoreError") and "\n" not in said
    assert "may not be written" in said or "cannot be opened" in said


def test_psycopg_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with line(SurehandError, r"PostgreSQL needs psycopg; pip install 'surehand\[postgres\]'"):
        open_store("postgresql://somebody:only%20for%20tests@localhost/x")


def test_a_server_that_does_not_let_us_in(postgres: Any, postgres_url: str) -> None:
    with line(StoreError, "does not know this user with this password"):
        open_store(postgres.url(password="wrong"))
    with line(StoreError, "no such database or user; create it: createdb NAME"):
        open_store(postgres.url("nowhere"))
    with line(StoreError, "nobody answers at that host and port"):
        open_store(postgres.url().replace(str(postgres.port), "1"))
    with line(StoreError, "no such host"):
        open_store("postgresql://surehand:only%20for%20tests@nowhere.invalid/x")


def test_a_server_that_was_restarted_is_no_reason_to_fail(postgres: Any, postgres_url: str, plan: Plan) -> None:
    with open_store(postgres_url, create=True) as store:
        store.add_study(plan()[0])
        row = store.add("mugs", note())
        postgres.stop("immediate")  # as good as a power cut
        with line(StoreError, "nobody answers|nothing was acknowledged"):
            store.add("mugs", note())
        postgres.start()
        assert store.rows("mugs") == [row]
        assert store.add("mugs", note()).number == 2


def test_many_make_the_same_store_at_once(target: str, plan: Plan) -> None:
    schedule = plan()[0]
    ready, failed = threading.Barrier(8), []

    def make() -> None:
        ready.wait()
        try:
            with open_store(target, create=True) as store:
                store.add_study(schedule)
                store.add("mugs", note())
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with open_store(target) as store:
        assert [row.number for row in store.rows("mugs")] == list(range(1, 9))


@pytest.mark.parametrize("gone", ["study.db", "study.db-wal", "both", "replaced"])
def test_a_file_that_is_taken_away_while_in_use_acknowledges_nothing(file: Path, gone: str) -> None:
    with open_store(file) as store:
        store.add("mugs", note())
        if gone == "replaced":
            copy = shutil.copy(file, file.with_suffix(".copy"))
            os.replace(copy, file)
        else:
            for path in file.parent.glob("study.db*" if gone == "both" else gone):
                path.rename(path.with_name(f"away-{path.name}"))
        with line(StoreError, "moved, replaced or deleted.*nothing was acknowledged"):
            store.add("mugs", note("into nowhere"))


def test_a_link_to_a_store_is_as_good_as_the_store(file: Path) -> None:
    link = file.with_name("link.db")
    link.symlink_to(file)
    with open_store(link) as store:
        store.add("mugs", note())
    with open_store(file) as store:
        assert len(store.rows("mugs")) == 6


def test_a_row_changed_behind_our_back_is_still_refused_by_the_database(file: Path) -> None:
    raw = sqlite3.connect(file)
    with pytest.raises(sqlite3.IntegrityError, match="only ever added: UPDATE refused"):
        raw.execute("UPDATE rows SET score = 4")
    raw.close()
    store: Store
    with open_store(file) as store:
        assert len(store.rows("mugs")) == 5
