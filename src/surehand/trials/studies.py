"""Studies in the database: added once, read with their hash checked, closed by their key."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from surehand.exceptions import FormatError
from surehand.formats.schedules import Key, Schedule, check_key
from surehand.trials.checks import Refused
from surehand.trials.tables import IMPORTED, KEYS, ROWS, STUDIES

LONGEST_NAME = 200


def add(connection: Connection, schedule: Schedule, who: str, now: datetime) -> None:
    """Nothing; the study is there. FormatError where its schedule cannot be run, or its name is taken."""
    places = [item.position for item in schedule.items]
    if not places or places != list(range(1, len(places) + 1)):
        raise FormatError(
            f"study {schedule.study!r}: positions are not 1, 2, 3, ...; plan it with surehand trials plan"
        )
    text = schedule.model_dump_json()
    if not begin(connection, schedule.study, identity=schedule.identity, who=who, now=now, schedule=text):
        raise FormatError(f"study {schedule.study!r} is in the store with another schedule; give it another name")


def begin(
    connection: Connection,
    study: str,
    *,
    identity: str,
    who: str,
    now: datetime,
    schedule: str | None = None,
    source: str = "",
    header: str = "{}",
) -> bool:
    """Whether the study of that name is this one, after adding it where there was none."""
    check_name(study)
    known = select(STUDIES.c.identity).where(STUDIES.c.name == study)
    if connection.execute(known).first() is None:
        line = {"name": study, "identity": identity, "schedule": schedule, "created": printed(now)}
        with suppress(IntegrityError), connection.begin_nested():  # PostgreSQL: somebody else added it just now
            connection.execute(insert(STUDIES), line | {"who": who, "source": source, "header": header})
    return bool(connection.execute(known).scalar_one() == identity)


def check_name(study: str) -> None:
    """Nothing; FormatError for a name that nobody could type or read."""
    if not study.strip() or len(study) > LONGEST_NAME or not study.isprintable():
        raise FormatError(f"{study[:40]!r} cannot name a study; expected one line of 1 to {LONGEST_NAME} characters")


def every(connection: Connection) -> list[dict[str, Any]]:
    """Each study's facts, in the order of being added."""
    written, sheets = _counts(connection, ROWS), _counts(connection, IMPORTED)
    closed = {study: time for study, time in connection.execute(select(KEYS.c.study, KEYS.c.closed))}
    columns = (STUDIES.c.name, STUDIES.c.created, STUDIES.c.schedule, STUDIES.c.source)
    found = []
    for name, created, schedule, source in connection.execute(select(*columns).order_by("created", "name")):
        planned = None if schedule is None else len(Schedule.model_validate_json(schedule).items)
        ended = created if schedule is None else closed.get(name)
        found.append(
            {
                "name": name,
                "created": parsed(created),
                "planned": planned,
                "rows": sheets.get(name, 0) if schedule is None else written.get(name, 0),
                "closed": None if ended is None else parsed(ended),
                "source": source,
            }
        )
    return found


def _counts(connection: Connection, table: Any) -> dict[str, int]:
    grouped = select(table.c.study, func.count()).group_by(table.c.study)
    return {study: count for study, count in connection.execute(grouped)}


def need(connection: Connection, store: str, study: str) -> Any:
    """The study's line in the table; FormatError where there is none, naming those there are."""
    found = connection.execute(select(STUDIES).where(STUDIES.c.name == study)).mappings().one_or_none()
    if found is None:
        names = list(connection.execute(select(STUDIES.c.name).order_by("name").limit(7)).scalars())
        raise FormatError(f"{store}: no study {study!r}; it has {', '.join(names) or 'none yet'}")
    return found


def schedule(connection: Connection, store: str, study: str) -> Schedule | None:
    """The schedule as it was added, None where trials were imported; FormatError where somebody changed it since."""
    found = need(connection, store, study)
    if found["schedule"] is None:
        return None
    try:
        known = Schedule.model_validate_json(found["schedule"])
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise FormatError(
            f"{store}: the schedule of study {study!r} cannot be read ({where}); upgrade surehand, or take a copy"
        ) from None
    if known.identity != found["identity"] or known.study != study:
        raise FormatError(
            f"{store}: the schedule of study {study!r} was changed after it was added: its hash is "
            f"{known.identity[:12]}…, expected {found['identity'][:12]}…; compare it with schedule.json"
        )
    return known


def lock(connection: Connection, study: str) -> None:
    """Nothing; until the transaction ends nobody else numbers rows of this study (SQLite: of any)."""
    connection.execute(select(STUDIES.c.name).where(STUDIES.c.name == study).with_for_update())


def closing(connection: Connection, study: str) -> Any:
    """The line of the key, None while the study is open."""
    return connection.execute(select(KEYS).where(KEYS.c.study == study)).mappings().one_or_none()


def key(connection: Connection, store: str, study: str) -> Key | None:
    """The key of a closed study, None before; FormatError where it is not the one the schedule was sealed with."""
    found = closing(connection, study)
    planned = schedule(connection, store, study) if found is not None else None
    if planned is None:
        return None
    known = Key.model_validate_json(found["key"])
    check_key(planned, known)
    return known


def close(connection: Connection, study: str, key: Key, who: str, why: str, now: datetime) -> None:
    """Nothing; the key is in the store."""
    if not who.strip():
        raise Refused(f"study {study!r}: nobody closes it; say who you are, by --who")
    line = {"study": study, "key": key.model_dump_json(), "closed": printed(now), "who": who, "why": why}
    connection.execute(insert(KEYS), line)


def printed(time: datetime) -> str:
    """The store's own time: UTC to the microsecond, as text that sorts."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def parsed(text: str) -> datetime:
    """Back from `printed`."""
    return datetime.fromisoformat(text)
