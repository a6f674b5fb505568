"""Phases that limits may depend on: only such as a guard knows before each step, so causal ones."""

import math

import numpy as np

from surehand.exceptions import SurehandError
from surehand.frames import Actions
from surehand.measure.phases import PhaseRule, column_phases, distance_phases, speed_phases

NO_PHASES = PhaseRule("none", ("all",), True, "none: all steps together")
KNOWN = "none, column:NAME, speed:NAME:LIMIT or distance:NAME:LIMIT"


def parse_phase(text: str) -> tuple[str, str, float]:
    """(kind, column, limit) of the phase words; the limit is NaN where the kind has none. SurehandError for others."""
    kind, _, rest = text.partition(":")
    if kind in ("gripper", "auto"):
        raise SurehandError(f"--phase {text} looks ahead, and a guard cannot; expected {KNOWN}")
    if kind == "none" and not rest:
        return "none", "", math.nan
    if kind == "column" and rest:
        return kind, rest, math.nan
    name, colon, number = rest.rpartition(":")
    if kind not in ("speed", "distance") or not colon or not name:
        raise SurehandError(f"cannot read --phase {text!r}; expected {KNOWN}")
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        raise SurehandError(f"cannot read the limit {number!r} of --phase {text}; expected a number above 0")
    return kind, name, limit


def phase_column(text: str) -> str:
    """The column that the phase words need, "" for none."""
    return parse_phase(text)[1]


def phase_labels(recorded: Actions, text: str, column: np.ndarray | None) -> tuple[PhaseRule, np.ndarray]:
    """The rule and the phase of every step (N,), from the column it reads (N,)."""
    kind, name, limit = parse_phase(text)
    if kind == "none" or column is None:
        return NO_PHASES, np.zeros(len(recorded), np.int64)
    if kind == "distance":
        return distance_phases(recorded, column, limit)
    if kind == "speed":
        if recorded.fps <= 0:
            raise SurehandError("rounds state no frames per second; use --phase distance:NAME:LIMIT or column:NAME")
        return speed_phases(recorded, column, recorded.fps, limit)
    known = Actions(recorded.action, recorded.episode, recorded.frame, recorded.task, columns={name: column})
    return column_phases(known, name, causal=True)
