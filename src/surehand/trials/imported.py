"""Trials that were run elsewhere, kept as a study without a schedule: one sheet, added whole."""

import hashlib
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from surehand.exceptions import FormatError
from surehand.formats.trial_rows import TYPES, Trial, check
from surehand.formats.trials import Trials
from surehand.trials import studies
from surehand.trials.tables import IMPORTED, STUDIES


def add(connection: Connection, study: str, trials: Trials, who: str, source: str, now: datetime) -> int:
    """How many were added; 0 where the study holds exactly these already; FormatError where it holds others."""
    check([(f"trial {i}", row) for i, row in enumerate(trials, start=1)])
    lines = [json.dumps(asdict(row), default=datetime.isoformat) for row in trials]
    identity = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    header = json.dumps(dict(trials.metadata))
    if not studies.begin(connection, study, identity=identity, who=who, now=now, source=source, header=header):
        raise FormatError(f"study {study!r} is in the store with other trials; import under another --study")
    studies.lock(connection, study)
    if connection.execute(select(IMPORTED.c.number).where(IMPORTED.c.study == study).limit(1)).first() is not None:
        return 0
    numbered = enumerate(lines, start=1)
    connection.execute(insert(IMPORTED), [{"study": study, "number": i, "trial": line} for i, line in numbered])
    return len(lines)


def get(connection: Connection, study: str, store: str) -> Trials:
    """The trials as they were imported; FormatError where somebody changed them since."""
    wanted = select(IMPORTED.c.trial).where(IMPORTED.c.study == study).order_by(IMPORTED.c.number)
    lines = list(connection.execute(wanted).scalars())
    about = connection.execute(select(STUDIES).where(STUDIES.c.name == study)).mappings().one()
    if hashlib.sha256("\n".join(lines).encode()).hexdigest() != about["identity"]:
        raise FormatError(f"{store}: the trials of study {study!r} were changed after the import; import them again")
    rows = tuple(_trial(json.loads(line)) for line in lines)
    return Trials(rows, json.loads(about["header"]), f"{store} study {study!r}")


def _trial(values: dict[str, Any]) -> Trial:
    """A row of the contract from its JSON; columns that are newer than the row keep their defaults."""
    times = {name for name, value in values.items() if TYPES[name] is datetime and value is not None}
    for name in times:
        values[name] = datetime.fromisoformat(values[name])
    return Trial(**values)
