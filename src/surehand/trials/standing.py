"""Where a study stands: what counts at each position, which one is next, what leaves as contract rows."""

from datetime import datetime, timedelta

from surehand.trials.outcome import outcomes_by_arm, second_scores, to_trials
from surehand.trials.places import Attempt, Place, Progress, Standing, same_person
from surehand.trials.replay import standing

__all__ = [
    "Attempt",
    "Place",
    "Progress",
    "Standing",
    "next_position",
    "outcomes_by_arm",
    "same_person",
    "second_scores",
    "standing",
    "to_trials",
]

PATIENCE = timedelta(minutes=30)  # after that, a tablet that started a position is taken to have left it


def next_position(now_at: Standing, operator: str, device: str, now: datetime) -> int | None:
    """The position this tablet runs next, None where none is left: what it is at already, its own lane, the rest.

    Within a lane the order is the schedule's, so a position whose trial was void comes again at once. Positions that
    another tablet started less than half an hour before `now` are left to it.
    """
    free = [place for place in now_at.places if not place.counting]
    mine = [place for place in free if any(row.device == device for row in place.started)]
    if mine:
        return mine[0].position
    free = [place for place in free if not any(now - row.received < PATIENCE for row in place.started)]
    me = same_person(operator)
    lanes = {me: 0, "": 1}  # then those of other operators
    ranked = sorted(free, key=lambda place: (lanes.get(same_person(place.item.operator), 2), place.position))
    return ranked[0].position if ranked else None
