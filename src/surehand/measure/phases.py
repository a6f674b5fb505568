"""Phases of an episode from the recorded data alone, identical for every checkpoint: near contact, free motion.

Every function returns a rule and the phase of each recorded frame (N,) as an index into the rule's `phases`. A rule is
`causal` when a frame's phase follows from that frame and earlier ones; only such rules may steer a robot live.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.frames import Actions
from surehand.measure.convention import GripperConvention
from surehand.measure.gripper import transitions

FREE, CONTACT = 0, 1
NEAR_CONTACT = ("free", "contact")
GRIPPER_WINDOW = "gripper window"

# A column with more distinct values than this is a measurement, not a phase.
_MOST_PHASES = 20


@dataclass(frozen=True)
class PhaseRule:
    """How phases were told apart, in words that a report prints."""

    name: str
    phases: tuple[str, ...]
    causal: bool
    description: str

    def __str__(self) -> str:
        return f"{self.name} ({'causal' if self.causal else 'offline'}): {self.description}"


def gripper_phases(
    recorded: Actions, grippers: Sequence[tuple[int, GripperConvention]], before: int, after: int
) -> tuple[PhaseRule, np.ndarray]:
    """Contact from `before` frames before to `after` frames after any recorded gripper transition.

    `grippers` are the action columns and their conventions. Looking ahead (before > 0) makes the rule offline.
    """
    if not grippers:
        raise NotEnoughData(
            "no gripper in this layout: phases need gripper transitions, a speed, a distance or a column"
        )
    if before < 0 or after < 0:
        raise SurehandError(f"a window of {before} frames before and {after} after; both must be at least 0")
    labels = np.full(len(recorded), FREE)
    for rows in _episodes(recorded):
        for column, convention in grippers:
            found = transitions(recorded.action[rows, column], convention.thresholds)
            for frame in found[:, 0]:
                labels[rows.start + max(frame - before, 0) : min(rows.start + frame + after + 1, rows.stop)] = CONTACT
    said = f"contact from {before} frames before to {after} after a recorded gripper transition"
    return PhaseRule(GRIPPER_WINDOW, NEAR_CONTACT, before == 0, said), labels


def speed_phases(
    recorded: Actions, position: np.ndarray, fps: float, limit: float, origin: str = "given"
) -> tuple[PhaseRule, np.ndarray]:
    """Contact where the recorded end effector moves slower than `limit` (units of `position` (N, P) per second).

    An episode's first frame has no speed and counts as free. `origin` says where the limit is from; one learnt from
    other recordings (see `slow_speed`) is known before these are, so the rule is causal.
    """
    said = f"contact where the recorded end effector is slower than {limit:.4g} per second ({origin})"
    labels = np.where(_speed(recorded, position, fps) < limit, CONTACT, FREE)
    return PhaseRule("low speed", NEAR_CONTACT, True, said), labels


def slow_speed(recorded: Actions, position: np.ndarray, fps: float, quantile: float = 0.25) -> float:
    """The `quantile` of the recorded end effector's speeds, in units of `position` (N, P) per second.

    Raises NotEnoughData where every episode has one frame.
    """
    speed = _speed(recorded, position, fps)
    if not np.isfinite(speed).any():
        raise NotEnoughData("no two frames follow each other: a speed needs them; give a limit")
    return float(np.quantile(speed[np.isfinite(speed)], quantile))


def _speed(recorded: Actions, position: np.ndarray, fps: float) -> np.ndarray:
    """Speed as a backward difference (N,), infinite at an episode's first frame."""
    _check_rows(recorded, position)
    if fps <= 0:
        raise SurehandError(f"speeds need frames per second above 0, got {fps}")
    flat = position.reshape(len(position), -1)
    speed = np.linalg.norm(np.diff(flat, axis=0, prepend=flat[:1]), axis=1) * fps
    speed[np.diff(recorded.episode, prepend=-1) != 0] = np.inf
    return np.asarray(speed)


def distance_phases(recorded: Actions, distance: np.ndarray, limit: float) -> tuple[PhaseRule, np.ndarray]:
    """Contact where the recorded distance between tool and object (N,) is below `limit`, in its own unit."""
    _check_rows(recorded, distance)
    if distance.size != len(recorded):
        raise ShapeError(
            f"{distance.size // len(recorded)} distances per frame; phases need one, in a column of its own"
        )
    said = f"contact where the tool is nearer than {limit:.4g} to the object"
    labels = np.where(distance.reshape(len(recorded)) < limit, CONTACT, FREE)
    return PhaseRule("tool-object distance", NEAR_CONTACT, True, said), labels


def column_phases(recorded: Actions, name: str, *, causal: bool = False) -> tuple[PhaseRule, np.ndarray]:
    """One phase per distinct value of a recorded column; whether it is causal only its author can say."""
    if name not in recorded.columns:
        known = ", ".join(recorded.columns) or "none was read"
        raise SurehandError(f"no column {name!r} among the recorded ones ({known}); name a column of the dataset")
    column = np.asarray(recorded.columns[name])
    column = column.reshape(len(recorded), -1)
    if column.shape[1] != 1:
        raise ShapeError(f"column {name!r} has {column.shape[1]} values per frame; phases need one")
    values, labels = np.unique(column[:, 0], return_inverse=True)
    if len(values) > _MOST_PHASES:
        raise SurehandError(f"column {name!r} has {len(values)} distinct values; phases need at most {_MOST_PHASES}")
    phases = tuple(f"{name}={value:g}" if column.dtype.kind in "iuf" else f"{name}={value}" for value in values)
    if len(set(phases)) < len(phases):
        phases = tuple(f"{name}={value}" for value in values.tolist())
    return PhaseRule(f"column {name}", phases, causal, f"phases are the values of {name}"), labels.astype(np.int64)


def _episodes(recorded: Actions) -> list[slice]:
    starts = np.flatnonzero(np.diff(recorded.episode, prepend=-1)).tolist()
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(recorded)], strict=True)]


def _check_rows(recorded: Actions, values: np.ndarray) -> None:
    if len(values) != len(recorded):
        raise ShapeError(f"{len(values)} values for {len(recorded)} recorded frames; phases need one per frame")
    if not np.isfinite(values).all():
        i = int(np.argmax(~np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
        raise SurehandError(
            f"NaN or infinity at episode {recorded.episode[i]} frame {recorded.frame[i]}; a phase needs numbers"
        )
