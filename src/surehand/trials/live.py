"""A study while tablets write to it: every row as soon as the store has it, and where the study stands by them."""

import threading
from datetime import UTC, datetime
from typing import Any

from surehand.exceptions import FormatError
from surehand.formats.schedules import Schedule
from surehand.trials import views
from surehand.trials.closing import may_stop
from surehand.trials.entries import Entry, Row
from surehand.trials.places import Standing
from surehand.trials.standing import stand, standing, withdrawn
from surehand.trials.store import Store

# Names no winner: whoever scores the trials that are still to come must not begin to expect one.
MAY_STOP = (
    "You may stop here: the rule that was written down before the first trial is met. "
    "Finish the trial that is running, then ask who leads the study."
)


class Live:
    """One study of one store. Synchronous, for several threads; other processes may write to the store as well."""

    def __init__(self, store: Store, study: str) -> None:
        schedule = store.schedule(study)
        if schedule is None:
            raise FormatError(f"study {study!r} has no schedule, only imported trials; make one: surehand trials plan")
        self.store, self.study = store, study
        self.schedule: Schedule = schedule
        self._identity = schedule.identity
        self._at: dict[int | None, list[Row]] = {item.position: [] for item in schedule.items}
        self._ids: set[str] = set()
        self._standing = standing(schedule, [])
        self._stop = (-1, False)  # number of the last row that was judged, and the judgement
        self._lock, self._judging = threading.Lock(), threading.Lock()

    def now(self) -> Standing:
        """Where the study stands by what the store holds at this moment; only positions with new rows are read anew."""
        with self._lock:
            fresh = self.store.rows(self.study, after=self._standing.last)
            if fresh:
                places = list(self._standing.places)
                for row in fresh:
                    self._ids.add(row.id)
                    self._at.setdefault(row.position, []).append(row)
                for position in {row.position for row in fresh if row.position is not None}:
                    rows = self._at[position]  # a row and what takes it back are about one position
                    places[position - 1] = stand(self.schedule.item(position), rows, withdrawn(rows))
                self._standing = Standing(tuple(places), last=fresh[-1].number)
            return self._standing

    def add(self, entry: Entry) -> dict[str, Any]:
        """The receipt of an entry that is on the disk: its number, and what became of it."""
        self.now()
        known = entry.id in self._ids
        row = self.store.add(self.study, entry)
        receipt = {"id": row.id, "number": row.number}
        places = self.now().places
        became = {"outcome": "counted"}
        if row.position is not None:
            became = views.outcome(places[row.position - 1], row, datetime.now(UTC))
        if known and became["outcome"] == "counted":
            became = {"outcome": "repeated"}
        return receipt | became

    def state(self, operator: str, device: str, known: str = "") -> dict[str, Any]:
        """What this tablet may see; a word where it knows the row `known` and nothing has happened since."""
        now = self.now()
        closed = self.store.key(self.study) is not None
        if known == str(now.last) and not closed:
            return {"identity": self._identity, "last": now.last, "unchanged": True}
        seen = views.state(self.schedule, now, operator, device, datetime.now(UTC))
        return seen | {"closed": closed, "stopping": self._stopping(now)}

    def _stopping(self, now: Standing) -> dict[str, Any] | None:
        """Whether the study may stop before its end; None without a rule for it."""
        if self.schedule.stop is None:
            return None
        with self._judging:
            if self._stop[0] < now.last:
                self._stop = (now.last, bool(now.open_positions) and may_stop(self.schedule, now))
            found = self._stop[1]
        return {"may_stop": found, "sentence": MAY_STOP if found else ""}
