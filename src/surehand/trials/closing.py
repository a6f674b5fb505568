"""Whether a study may be closed: every position done, or stopped by its rule, or unfinished on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass

from surehand.decide.stopping import judge_stop
from surehand.formats.schedules import Key, Schedule, check_key
from surehand.trials.checks import Refused
from surehand.trials.entries import Row
from surehand.trials.outcome import outcomes_by_arm
from surehand.trials.places import Standing
from surehand.trials.standing import standing


@dataclass(frozen=True)
class Closing:
    """What stood when the study was closed."""

    open: list[int]  # positions without a result
    conflicts: list[int]  # positions where two rows contradict each other; none of the later ones counts
    seconds_missing: int
    stopped: bool  # the rule that was written down before allowed to stop early
    why: str  # one line, kept with the key


def may_stop(schedule: Schedule, at: Standing) -> bool:
    """Whether the rule in the schedule allows to stop now; False without a rule."""
    return schedule.stop is not None and judge_stop(schedule.stop, outcomes_by_arm(schedule, at)).may_stop


def judge_closing(schedule: Schedule, rows: Sequence[Row], key: Key, *, unfinished: bool) -> Closing:
    """What closing finds; FormatError for another study's key, Refused for what `unfinished` has to allow."""
    check_key(schedule, key)
    at = standing(schedule, rows)
    missing, contested = at.open_positions, [place.position for place in at.conflicts]
    stopped = bool(missing) and may_stop(schedule, at)
    if contested and not unfinished:
        raise Refused(
            f"study {schedule.study!r}: {_positions(contested)} contradicted by another entry; take one back (undo), "
            "or close as it is with --unfinished: the first one counts"
        )
    if missing and not stopped and not unfinished:
        allowed = "the stop rule does not allow it yet" if schedule.stop else "no stop rule was written down"
        raise Refused(
            f"study {schedule.study!r}: {_positions(missing)} of {len(schedule.items)} without a result, and "
            f"{allowed}; run them, or close with --unfinished"
        )
    why = "complete" if not missing else "stopped by its rule" if stopped else "unfinished"
    if missing:
        why += f": {_positions(missing)} without a result"
    if contested:
        why += f"; {_positions(contested)} contradicted"
    return Closing(missing, contested, at.progress.seconds_missing, stopped, why)


def _positions(found: list[int], most: int = 6) -> str:
    names = ", ".join(map(str, found[:most])) + (f" and {len(found) - most} more" if len(found) > most else "")
    return f"position{'s' if len(found) > 1 else ''} {names}"
