"""Signals by the words that name them: `force`, `torque[2]`, `torque[wrist]`: columns of a dataset or traces."""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from surehand.decide.limits_record import Side, Signal
from surehand.exceptions import SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.rounds import RoundsFile

BRANCH = "branch_"  # traces of candidates that were tried in branches: one number per candidate, none per step
LOOKED_AT = 100  # rounds, for the names of their traces
COUNTERS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_SPEC = re.compile(r"(?P<column>.+?)(?:\[(?P<entry>[^\]]+)\])?")


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
