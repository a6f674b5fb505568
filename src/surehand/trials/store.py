"""The store: studies, the rows acknowledged in them, photos and keys, in one database; only ever added to."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from surehand.exceptions import FormatError, StoreError
from surehand.formats.schedules import Key, Schedule
from surehand.formats.trials import Trials
from surehand.trials.checks import Refused, check_entry
from surehand.trials.closing import Closing, judge_closing
from surehand.trials.entries import Entry, Row
from surehand.trials.outcome import to_trials

if TYPE_CHECKING:
    from surehand.trials.database import Database

__all__ = ["Closing", "Refused", "Store", "StoreError", "StudyInfo", "open_store"]


@dataclass(frozen=True)
class StudyInfo:
    """One study of a store in a line."""

    name: str
    created: datetime
    planned: int | None  # trials in its schedule; None where the trials were imported
    rows: int  # entries acknowledged, or trials imported
    closed: datetime | None  # imported studies were never blind, hence are closed from the beginning
    source: str = ""


def _now() -> datetime:
    return datetime.now(UTC)


def open_store(
    target: str | os.PathLike[str],
    *,
    create: bool = False,
    wait: float = 30.0,
    clock: Callable[[], datetime] = _now,
) -> "Store":
    """The store in a SQLite file or at a postgresql:// address, brought up to date; usable from many threads.

    With `create` a store is made where there is none. `wait` seconds for others to end their writes. FormatError for
    what is no store, or one of a newer surehand; StoreError where it cannot be reached or written just now.
    """
    from surehand.trials.database import Database

    return Store(Database(target, create=create, wait=wait), clock)


class Store:
    """Studies and what was acknowledged in them. What a method has returned is on the disk.

    The database itself refuses to change or delete a row. `received` is the store's own time and never goes backwards
    within a study: while the clock stands behind the newest row, new rows get that row's time.
    """

    def __init__(self, database: "Database", clock: Callable[[], datetime] = _now) -> None:
        self._database = database
        self._clock = clock
        self._schedules: dict[str, Schedule] = {}  # never change once added

    @property
    def name(self) -> str:
        """The file, or the address without its password."""
        return self._database.name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def dispose(self) -> None:
        """Nothing; the connections are closed, for those who cannot use `with`."""
        self._database.close()

    def add_study(self, schedule: Schedule, who: str = "") -> str:
        """The study's name; adding the same schedule again is fine, another one under that name is refused."""
        from surehand.trials import studies

        with self._database.writing() as connection:
            studies.add(connection, schedule, who, self._clock())
        return schedule.study

    def studies(self) -> list[StudyInfo]:
        """Every study, in the order they were added."""
        from surehand.trials import studies

        with self._database.reading() as connection:
            return [StudyInfo(**row) for row in studies.every(connection)]

    def pick(self, study: str = "") -> str:
        """The study of that name, or the only one where none is named; FormatError lists those there are."""
        names = [info.name for info in self.studies()]
        if study in names:
            return study
        if not study and len(names) == 1:
            return names[0]
        if not names:
            raise FormatError(f"{self.name}: no study in it yet; add one with `surehand trials serve SCHEDULE`")
        wanted = f"no study {study!r}" if study else f"{len(names)} studies"
        raise FormatError(f"{self.name}: {wanted} in it; give --study with one of {', '.join(names)}")

    def schedule(self, study: str) -> Schedule | None:
        """The schedule, None where trials were imported; FormatError where it is not what was added (its hash)."""
        from surehand.trials import studies

        with self._database.reading() as connection:
            return studies.schedule(connection, self.name, study)

    def add(self, study: str, entry: Entry) -> Row:
        """The row, on the disk; the same entry again (by its id) gives the same row.

        FormatError for what the schedule does not allow; Refused (its child) for another content under a known id, for
        anything but a note once the study is closed, for a second score by whoever gave the first; StoreError, with
        nothing written, where the database fails: send the entry again.
        """
        from surehand.trials import rows

        schedule = self._planned(study)
        check_entry(schedule, entry)
        with self._database.writing() as connection:
            return rows.add(connection, schedule, entry, self._clock())

    def rows(self, study: str, after: int = 0) -> list[Row]:
        """The rows with a number greater than `after`, in order."""
        from surehand.trials import rows, studies

        with self._database.reading() as connection:
            studies.need(connection, self.name, study)
            return rows.after(connection, study, after)

    def close(self, study: str, key: Key, who: str, *, unfinished: bool = False) -> Closing:
        """What closing found; from then on the policies are known and only notes are accepted.

        FormatError where the key is not the one the schedule was sealed with; Refused where positions are open and the
        stop rule does not allow it, or conflicts stand, unless `unfinished`. The same key again changes nothing.
        """
        from surehand.trials import rows, studies

        schedule = self._planned(study)
        with self._database.writing() as connection:
            studies.lock(connection, study)
            known = studies.closing(connection, study)
            written = rows.after(connection, study, 0)
            closing = judge_closing(schedule, written, key, unfinished=unfinished or known is not None)
            if known is None:
                studies.close(connection, study, key, who, closing.why, self._later(written))
            return closing

    def key(self, study: str) -> Key | None:
        """The key of a closed study, None before."""
        from surehand.trials import studies

        with self._database.reading() as connection:
            return studies.key(connection, self.name, study)

    def add_photo(self, study: str, data: bytes, media_type: str) -> str:
        """The picture's SHA-256, by which rows name it; the same picture again is fine."""
        from surehand.trials import photos, studies

        with self._database.writing() as connection:
            studies.need(connection, self.name, study)
            return photos.add(connection, study, data, media_type, self._clock())

    def photo(self, sha: str) -> tuple[bytes, str] | None:
        """(bytes, media type) of the picture; None where it has not arrived."""
        from surehand.trials import photos

        with self._database.reading() as connection:
            return photos.get(connection, sha)

    def import_trials(self, study: str, trials: Trials, who: str, source: str) -> int:
        """How many trials were added as a study of their own: 0 where exactly these are there already.

        FormatError where a study of that name holds anything else: an import is one act, corrected in its sheet.
        """
        from surehand.trials import imported

        with self._database.writing() as connection:
            return imported.add(connection, study, trials, who, source, self._clock())

    def trials(self, study: str) -> Trials:
        """The study as contract rows: by code until it is closed, by policy after."""
        from surehand.trials import imported, rows, studies

        with self._database.reading() as connection:
            schedule = studies.schedule(connection, self.name, study)
            if schedule is None:
                return imported.get(connection, study, self.name)
            key = studies.key(connection, self.name, study)
            written = rows.after(connection, study, 0)
        return to_trials(schedule, written, key)

    def _planned(self, study: str) -> Schedule:
        """The schedule of a study that has one."""
        if study not in self._schedules:
            schedule = self.schedule(study)
            if schedule is None:
                raise FormatError(f"study {study!r} was imported; it has no schedule to run, plan a new one")
            self._schedules[study] = schedule
        return self._schedules[study]

    def _later(self, written: list[Row]) -> datetime:
        return max([self._clock(), *(row.received for row in written[-1:])])
