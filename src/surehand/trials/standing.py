"""Where a study stands by its rows: per position what counts, what was corrected, void, taken back or contradicted.

Pure: the same rows give the same standing, whoever asks. A row that was taken back (`withdrawal`, itself possibly
taken back) is left out, the others are read in the order of their numbers:

- the first trial of a position counts; a second one is a conflict: kept and listed, counted only once the first is
  taken back. So whichever of two tablets is heard first, neither silently replaces the other;
- a correction replaces the row it names; a second correction of the same row is a conflict in the same way;
- a correction that names a void rule makes a trial void, one with a score makes a void trial count;
- a position whose trials are all void, or taken back, is open again.
"""

from collections.abc import Iterable, Mapping, Sequence

from surehand.formats.schedules import Item, Schedule
from surehand.trials.entries import Row
from surehand.trials.places import Attempt, Place, Standing


def standing(schedule: Schedule, rows: Iterable[Row]) -> Standing:
    """What these rows of the study amount to; rows in any order, read by their numbers."""
    ordered = sorted(rows, key=lambda row: row.number)
    taken_back = withdrawn(ordered)
    by_position: dict[int | None, list[Row]] = {}
    for row in ordered:
        by_position.setdefault(row.position, []).append(row)
    about_all = [row for row in by_position.pop(None, []) if row.kind == "note"]
    return Standing(
        tuple(stand(item, by_position.get(item.position, []), taken_back) for item in schedule.items),
        notes=tuple(row for row in about_all if row.id not in taken_back),
        withdrawn=tuple(row for row in about_all if row.id in taken_back),
        last=ordered[-1].number if ordered else 0,
    )


def withdrawn(rows: Sequence[Row]) -> set[str]:
    """Ids of the rows that are taken back by a withdrawal which is not itself taken back. Rows in order."""
    found: set[str] = set()
    for row in reversed(rows):  # a withdrawal names a row before it, so the last ones are settled first
        if row.kind == "withdrawal" and row.corrects and row.id not in found:
            found.add(row.corrects)
    return found


def stand(item: Item, rows: Sequence[Row], taken_back: set[str]) -> Place:
    """What the rows of one position, in order, amount to."""
    replay = _Replay({row.id: row for row in rows})
    for row in rows:
        if row.id not in taken_back:
            replay.read(row, taken_back)
    counting = replay.counting.done() if replay.counting else None
    seconds = [attempt.done() for attempt in replay.attempts if attempt.root.kind == "second"]
    fair = [s for s in seconds if counting is None or not s.scorers & counting.scorers]
    trials = [attempt for attempt in replay.attempts if attempt.root.kind != "second"]
    return Place(
        item,
        counting=counting,
        conflicts=tuple(a.done() for a in trials if not a.void and a is not replay.counting),
        voids=tuple(a.done() for a in trials if a.void),
        second=fair[0] if fair else None,
        seconds_refused=tuple(s for s in seconds if s not in fair[:1]),
        started=tuple(replay.started.values()),
        withdrawn=tuple(row for row in rows if row.id in taken_back and row.kind != "withdrawal"),
        moot=tuple(replay.moot),
        notes=tuple(row for row in rows if row.kind == "note" and row.id not in taken_back),
        photos=tuple(row for row in rows if row.kind == "photo" and row.id not in taken_back),
    )


class _Attempt:
    """An attempt while its rows are being read."""

    def __init__(self, root: Row) -> None:
        self.root = root
        self.chain = [root]
        self.disputed: list[Row] = []

    @property
    def void(self) -> bool:
        return bool(self.chain[-1].void_rule)

    def done(self) -> Attempt:
        return Attempt(tuple(self.chain), tuple(self.disputed))


class _Replay:
    """One position, row by row; rows that were taken back are not shown to it."""

    def __init__(self, named: Mapping[str, Row]) -> None:
        self._named = named
        self._of: dict[str, _Attempt] = {}  # row id -> the attempt it belongs to
        self.attempts: list[_Attempt] = []
        self.counting: _Attempt | None = None
        self.started: dict[str, Row] = {}  # device -> its start
        self.moot: list[Row] = []

    def read(self, row: Row, taken_back: set[str]) -> None:
        if row.kind == "start":
            self.started[row.device] = row
        elif row.kind in ("trial", "void", "second"):
            attempt = _Attempt(row)
            self.attempts.append(attempt)
            self._of[row.id] = attempt
            if row.kind != "second":
                self.started.pop(row.device, None)
        elif row.kind == "correction":
            self._correct(row, taken_back)
        self._count()

    def _correct(self, row: Row, taken_back: set[str]) -> None:
        target = self._named.get(row.corrects or "")
        while target is not None and target.id in taken_back and target.kind == "correction":
            target = self._named.get(target.corrects or "")  # it stood on a correction that was taken back
        attempt = self._of.get(target.id) if target is not None else None
        if target is None or attempt is None:
            self.moot.append(row)
            return
        self._of[row.id] = attempt
        if attempt.chain[-1].id == target.id:
            attempt.chain.append(row)
        else:
            attempt.disputed.append(row)

    def _count(self) -> None:
        if self.counting is None or self.counting.void:
            trials = (a for a in self.attempts if a.root.kind != "second" and not a.void)
            self.counting = next(trials, None)
