"""Rows of a study in the database: numbered without gaps under a lock, one transaction each."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from surehand.formats.schedules import Schedule
from surehand.trials import studies
from surehand.trials.checks import Refused, check_against
from surehand.trials.entries import Entry, Row
from surehand.trials.tables import ROWS

_ENTRY = tuple(Entry.model_fields)
_NEEDS_OTHERS = ("correction", "withdrawal", "second")


def add(connection: Connection, schedule: Schedule, entry: Entry, now: datetime) -> Row:
    """The row this entry became, now or when it first came; Refused where the study cannot take it."""
    study = schedule.study
    studies.lock(connection, study)
    known = connection.execute(select(ROWS).where(ROWS.c.study == study, ROWS.c.id == entry.id)).mappings().first()
    if known is not None:
        return _same(_row(known), entry)
    if entry.kind != "note" and studies.closing(connection, study) is not None:
        raise Refused(f"{entry.kind} {entry.id[:8]}: study {study!r} is closed; only notes are accepted")
    if entry.kind in _NEEDS_OTHERS:
        _check_others(connection, schedule, entry)
    newest = select(ROWS.c.number, ROWS.c.received).where(ROWS.c.study == study).order_by(ROWS.c.number.desc()).limit(1)
    last = connection.execute(newest).first()
    number, received = (1, now) if last is None else (last.number + 1, max(now, studies.parsed(last.received)))
    values: dict[str, Any] = {name: getattr(entry, name) for name in _ENTRY}
    values |= {"started": _with_offset(entry.started), "ended": _with_offset(entry.ended)}
    values |= {"study": study, "number": number, "received": studies.printed(received)}
    connection.execute(insert(ROWS), values)
    return _row(values)


def after(connection: Connection, study: str, number: int) -> list[Row]:
    """The rows with greater numbers, in order."""
    wanted = select(ROWS).where(ROWS.c.study == study, ROWS.c.number > number).order_by(ROWS.c.number)
    return [_row(line) for line in connection.execute(wanted).mappings()]


def _same(row: Row, entry: Entry) -> Row:
    """The row, where the entry says the same; Refused where an id is used twice."""
    different = [name for name in _ENTRY if getattr(row, name) != getattr(entry, name)]
    if different:
        raise Refused(
            f"{entry.kind} {entry.id[:8]}: row {row.number} has this id and another {different[0]}; "
            "a new entry needs a new id, and a correction names the row it corrects"
        )
    return row


def _check_others(connection: Connection, schedule: Schedule, entry: Entry) -> None:
    mine = ROWS.c.study == schedule.study
    named = connection.execute(select(ROWS).where(mine, ROWS.c.id == (entry.corrects or ""))).mappings().first()
    there = select(ROWS).where(mine, ROWS.c.position == entry.position).order_by(ROWS.c.number)
    around = [_row(line) for line in connection.execute(there).mappings()] if entry.position is not None else []
    check_against(entry, schedule, None if named is None else _row(named), around)


def _row(line: Any) -> Row:
    """A row from a line of the table, or from what became one."""
    return Row.model_validate({name: line[name] for name in (*_ENTRY, "number", "received")})


def _with_offset(time: datetime | None) -> str | None:
    """The tablet's time as it came; one with an offset that ISO 8601 cannot write, in UTC."""
    if time is None:
        return None
    offset = time.utcoffset()
    whole = offset is not None and not offset.seconds % 60 and not offset.microseconds
    return (time if whole else time.astimezone(UTC)).isoformat()
