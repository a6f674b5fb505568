"""One trial on a robot, and what a list of them must satisfy."""

import math
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import get_args

from surehand.exceptions import FormatError


@dataclass(frozen=True)
class Trial:
    """One trial of one policy. Text is "" and numbers are None where the sheet does not say."""

    trial: int  # unique per policy
    policy: str  # the policy's code; what it stands for may be kept from the operator
    position: int | None = None  # place in the schedule that was fixed beforehand
    block: str = ""  # trials of one block were randomised among each other
    object: str = ""
    start_pose: str = ""
    operator: str = ""
    instruction: str = ""
    score: float | None = None  # on the rubric's ordinal scale
    success: bool | None = None
    void: bool = False  # does not count, by a rule written beforehand
    void_rule: str = ""
    started: datetime | None = None  # with its offset from UTC
    ended: datetime | None = None
    notes: str = ""
    corrects: int | None = None  # this row replaces that trial of the same policy; the old row stays
    scorer: str = ""  # who gave the score, where it was not the operator
    second_score: float | None = None  # by somebody who did not see the first one
    second_scorer: str = ""
    recorded: datetime | None = None  # when the row was written down, by the clock of the store


NAMES = tuple(f.name for f in fields(Trial))
LATER = ("scorer", "second_score", "second_scorer", "recorded")  # columns that older files do not have
LARGEST = 2**63 - 1  # what a column of Parquet holds
TYPES: dict[str, type] = {f.name: (get_args(f.type) or (f.type,))[0] for f in fields(Trial)}  # without the None


def check(rows: list[tuple[str, Trial]]) -> None:
    """Nothing, or FormatError where a row (named by its place) contradicts itself or an earlier one."""
    if not rows:
        raise FormatError("no trials; expected at least one row")
    seen: set[tuple[str, int]] = set()
    for place, row in rows:
        key = (row.policy, row.trial)
        if not row.policy.strip():
            raise FormatError(f"{place}: no policy; every trial names the one it ran")
        for name in ("trial", "position", "corrects"):
            number = getattr(row, name)
            if number is not None and not -LARGEST - 1 <= number <= LARGEST:
                raise FormatError(f"{place}: {name} {number}; expected a whole number of at most {LARGEST}")
        if key in seen:
            raise FormatError(
                f"{place}: trial {row.trial} of {row.policy!r} appears twice; correct by a new trial number"
            )
        if row.corrects is not None and (row.policy, row.corrects) not in seen:
            raise FormatError(
                f"{place}: corrects trial {row.corrects} of {row.policy!r}, which does not stand before it"
            )
        for name in ("score", "second_score"):
            value = getattr(row, name)
            if value is not None and not math.isfinite(value):
                raise FormatError(f"{place}: {name} {value}; expected a finite number, or nothing")
        if row.score is None and row.success is None and not row.void:
            raise FormatError(f"{place}: neither score nor success; fill one in, or mark the trial void")
        if row.void and not row.void_rule:
            raise FormatError(f"{place}: void without a void_rule; name the rule that was written beforehand")
        for wrong in filter(None, map(fault_of, (row.started, row.ended, row.recorded))):
            raise FormatError(f"{place}: a time {wrong}")
        seen.add(key)


def fault_of(time: datetime | None) -> str:
    """What keeps this from being a time that every format can hold, and what to do; nothing where it is one."""
    if time is None:
        return ""
    if time.tzinfo is None:
        return "without its offset from UTC; write it as 2026-05-01T14:30:00+02:00"
    try:
        time.astimezone(UTC)
    except OverflowError:
        return "before the year 1 in UTC, or after 9999; set the clock"
    return ""
