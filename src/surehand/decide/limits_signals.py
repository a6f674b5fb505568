"""Signals and phases by the words that name them: `torque[wrist]`, `distance:NAME:0.08`; columns or traces."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from surehand.decide.limits_record import Side, Signal
from surehand.exceptions import SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.rounds import RoundsFile
from surehand.frames import Actions
from surehand.measure.phases import PhaseRule, column_phases, distance_phases, speed_phases

BRANCH = "branch_"  # traces of candidates that were tried in branches: one number per candidate, none per step
LOOKED_AT = 100  # rounds, for the names of their traces
COUNTERS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_SPEC = re.compile(r"(?P<column>.+?)(?:\[(?P<entry>[^\]]+)\])?")
# Limits may depend on what a guard knows before each step, so on causal phases alone.
NO_PHASES = PhaseRule("none", ("all",), True, "none: all steps together")
KNOWN = "none, column:NAME, speed:NAME:LIMIT or distance:NAME:LIMIT"


def find_signals(
    asked: Sequence[tuple[str, Side]], known: Mapping[str, int], data: LeRobotFolder | None = None
) -> list[Signal]:
    """The signals that were asked for, in order; SurehandError for unknown ones, and for one that is named twice."""
    found = [s for text, side in asked for s in _signals(text, side, known, data)]
    names = [s.name for s in found]
    if twice := next((n for i, n in enumerate(names) if n in names[:i]), None):
        raise SurehandError(f"signal {twice!r} is named twice; each counts in the family of limits, so name it once")
    return found


def _signals(text: str, side: Side, known: Mapping[str, int], data: LeRobotFolder | None = None) -> Iterator[Signal]:
    """One signal per number that the words name: `torque[2]`, `torque[wrist]`, or all entries of `torque`."""
    column, index = find_column(text, known, data)
    names = _names(column, known[column], data)
    for i in range(known[column]) if index is None else [index]:
        shown = column if known[column] == 1 else f"{column}[{names[i]}]"
        told = {"upper": shown, "lower": f"min {shown}", "absolute": f"|{shown}|"}[side]
        yield Signal(name=told, column=column, index=None if known[column] == 1 else i, side=side)


def find_column(text: str, known: Mapping[str, int], data: LeRobotFolder | None = None) -> tuple[str, int | None]:
    """(column, entry) of `torque[2]`, `torque[wrist]` or `force`."""
    if text in known:
        return text, None
    match = _SPEC.fullmatch(text)
    column, entry = (match["column"], match["entry"]) if match else (text, None)
    if column not in known:
        listed = ", ".join(known) or "none of numbers"
        raise SurehandError(f"no signal {column!r}; the source has {listed}")
    names = _names(column, known[column], data)
    if entry in names:
        return column, names.index(entry)
    if entry is None or not entry.isdecimal() or int(entry) >= known[column]:
        raise SurehandError(
            f"{column!r} has no entry {entry!r}; expected 0 to {known[column] - 1} or {', '.join(names)}"
        )
    return column, int(entry)


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


def find_phase(text: str, known: Mapping[str, int], data: LeRobotFolder | None = None) -> tuple[str, int | None] | None:
    """(column, entry) that the phase words need, one number per step; None where they need none."""
    name = parse_phase(text)[1]
    if not name:
        return None
    column, index = find_column(name, known, data)
    if index is None and known[column] > 1:
        first = _names(column, known[column], data)[0]
        raise SurehandError(
            f"--phase {text}: {column!r} has {known[column]} numbers per step; name one, such as {column}[{first}]"
        )
    return column, index


def phase_labels(recorded: Actions, text: str, column: np.ndarray | None) -> tuple[PhaseRule, np.ndarray]:
    """The rule and the phase of every step (N,), from the column it reads (N,)."""
    kind, name, limit = parse_phase(text)
    if kind == "none" or column is None:
        return NO_PHASES, np.zeros(len(recorded), np.int64)
    if not np.isfinite(column).all():
        at = int(np.argmax(~np.isfinite(column)))
        where = f"episode {recorded.episode[at]} step {recorded.frame[at]}"
        raise SurehandError(
            f"{recorded.source}: {name} is {column[at]} at {where}; a phase must be known before each step, so leave "
            "the episode out (--episodes)"
        )
    if kind == "distance":
        return distance_phases(recorded, column, limit)
    if kind == "speed":
        if recorded.fps <= 0:
            raise SurehandError("rounds state no frames per second; use --phase distance:NAME:LIMIT or column:NAME")
        return speed_phases(recorded, column, recorded.fps, limit)
    known = Actions(recorded.action, recorded.episode, recorded.frame, recorded.task, columns={name: column})
    return column_phases(known, name, causal=True)


def _names(column: str, size: int, data: LeRobotFolder | None) -> list[str]:
    """Names of a column's entries, numbers where the dataset gives none."""
    given = data.features[column].get("names") if data is not None else None
    if isinstance(given, dict) and len(given) == 1:
        given = next(iter(given.values()))
    fits = isinstance(given, list) and len(given) == size and len(set(map(str, given))) == size
    return list(map(str, given)) if fits else list(map(str, range(size)))  # type: ignore[arg-type]


def numeric_columns(data: LeRobotFolder) -> dict[str, int]:
    """Column -> numbers per step, of those that hold numbers or booleans; counters left out."""
    found = {}
    for name, feature in data.features.items():
        dtype, shape = str(feature.get("dtype")), feature.get("shape") or [1]
        if name not in COUNTERS and re.match(r"float|u?int|bool", dtype):
            found[name] = int(np.prod(shape))
    return found


def traced(file: RoundsFile) -> dict[str, int]:
    """Trace -> 1, of the first rounds, in their order; those of branches left out."""
    found: dict[str, int] = {}
    for i, one in enumerate(file):
        found |= dict.fromkeys((name for name in one.traces if not name.startswith(BRANCH)), 1)
        if i >= LOOKED_AT:
            break
    return found
