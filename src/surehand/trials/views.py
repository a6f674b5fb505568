"""What a tablet may see of a study: its plan and how far it is, without arms, seed, block or anybody else's scores."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from surehand.formats.schedules import Item, Schedule
from surehand.trials.entries import Row
from surehand.trials.places import Attempt, Place, Standing, same_person

AWAY = timedelta(minutes=30)  # a tablet that said `start` so long ago and nothing since has been put down
SHOWN = ("position", "code", "object", "start_pose", "operator", "instruction", "second")  # of an item; never its arm


def state(schedule: Schedule, now: Standing, operator: str, device: str, at: datetime) -> dict[str, Any]:
    """JSON for the tablet `device` in the hands of `operator`.

    Scores, notes and pictures are the operator's own. Of a trial that waits for a second score its picture is shown
    and who ran it, neither score nor note: a note may say what the first scorer thought. The schedule's seed and blocks
    stay away because the order of the arms follows from them.
    """
    me = same_person(operator)
    return {
        "study": schedule.study,
        "identity": schedule.identity,
        "last": now.last,
        "rubric": schedule.rubric.model_dump(include={"question", "levels"}),
        "notes": schedule.notes,
        "void_rules": schedule.void_rules,
        "items": [_item(item) for item in schedule.items],
        "positions": [_place(place, device, at) for place in now.places],
        "mine": sorted((row for place in now.places for row in _mine(place, me)), key=lambda row: int(row["number"])),
        "second": [_waiting(place) for place in now.places if _wants_second(place, me)] if me else [],
    }


def outcome(place: Place, row: Row, at: datetime) -> dict[str, Any]:
    """What became of a row: `counted`, or `conflict` with whose row it stands beside."""
    if row.kind == "start":
        others = [r for r in place.started if r.device != row.device and at - r.received < AWAY]
        if place.counting:
            return {"outcome": "conflict", "by": place.counting.root.operator, "state": "done"}
        if others:
            return {"outcome": "conflict", "by": others[0].operator, "state": "running"}
    beside = {
        "trial": [a.root for a in place.conflicts],
        "second": [a.root for a in place.seconds_refused],
        "correction": [*place.disputed, *place.moot],
    }.get(row.kind, [])
    if any(other.id == row.id for other in beside):
        first = place.second if row.kind == "second" and place.second else place.counting
        return {"outcome": "conflict", "by": first.root.operator if first else ""}
    return {"outcome": "counted"}


def _item(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in SHOWN}


def _place(place: Place, device: str, at: datetime) -> dict[str, Any]:
    rows: Sequence[Row] = place.started
    here = any(row.device == device for row in rows)
    who = place.counting.root if place.counting else rows[-1] if rows else None
    return {
        "position": place.position,
        "state": place.state,
        "operator": who.operator if who else "",
        "here": here,
        "fresh": any(row.device != device and at - row.received < AWAY for row in rows),
    }


def _mine(place: Place, me: str) -> Iterator[dict[str, Any]]:
    """Rows of this person at this position, taken back and void ones too."""
    kinds: list[tuple[str, Sequence[Attempt]]] = [
        ("counted", [place.counting] if place.counting else []),
        ("conflict", place.conflicts),
        ("void", place.voids),
        ("second", [place.second] if place.second else []),
        ("conflict", place.seconds_refused),
    ]
    for status, attempts in kinds:
        for attempt in attempts:
            if me and same_person(attempt.root.operator) == me:
                against = place.counting.root.id if status == "conflict" and place.counting else ""
                yield _row(attempt.root, attempt.head, status) | {
                    "corrected": len(attempt.chain) > 1,
                    "against": against if attempt.root.kind != "second" else "",
                    "contested": status == "counted" and place.conflict,
                }
    for row in place.withdrawn:
        if row.kind in ("trial", "void", "second") and me and same_person(row.operator) == me:
            yield _row(row, row, "withdrawn")


def _row(root: Row, head: Row, status: str) -> dict[str, Any]:
    said = {"id": root.id, "head": head.id, "kind": root.kind, "number": root.number, "position": root.position}
    says = {"score": head.score, "void_rule": head.void_rule, "notes": head.notes, "photo": head.photo or root.photo}
    return {**said, **says, "seconds": root.seconds, "status": status}


def _wants_second(place: Place, me: str) -> bool:
    wanted = place.item.second and place.counting is not None and place.second is None
    refused = any(same_person(a.root.operator) == me for a in place.seconds_refused)
    return wanted and not refused and place.counting is not None and me not in place.counting.scorers


def _waiting(place: Place) -> dict[str, Any]:
    assert place.counting is not None
    photos = [place.counting.head.photo, place.counting.root.photo, *(row.photo for row in place.photos)]
    photo = next((sha for sha in photos if sha), "")
    return {"position": place.position, "operator": place.counting.root.operator, "photo": photo}
