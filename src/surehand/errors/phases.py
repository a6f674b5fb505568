"""The phases of one evaluation: the rule the user named, or the gripper's, learnt once and applied batch by batch."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from surehand.errors.plan import Plan
from surehand.exceptions import SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.frames import Actions, Stats
from surehand.measure.convention import GripperConvention, gripper_convention
from surehand.measure.phases import PhaseRule, column_phases, distance_phases, gripper_phases, slow_speed, speed_phases

WINDOW = 0.5  # seconds before and after a recorded gripper transition that count as contact
LEARNT_FROM = 100_000  # training frames that conventions and limits are learnt from
STILL = 0.3  # a finger that covers less of its range than this share of the liveliest finger's is no evidence

Labeller = Callable[[Actions], np.ndarray]


@dataclass(frozen=True, eq=False)
class PhaseLabels:
    """A phase rule and the labels it gives to recorded frames; `grippers` are the columns that open and close."""

    rule: PhaseRule
    label: Labeller | None = None
    columns: tuple[str, ...] = ()  # dataset features the rule reads
    grippers: tuple[tuple[int, GripperConvention], ...] = ()
    notes: tuple[str, ...] = field(default=())

    def of(self, recorded: Actions) -> np.ndarray | None:
        """Phase of every recorded frame (N,), None where there is only one phase."""
        return None if self.label is None else self.label(recorded)


NO_PHASES = PhaseRule("none", ("all",), True, "none: all steps together")


def choose_phases(dataset: LeRobotFolder, plan: Plan, training: Stats, idle: np.ndarray) -> PhaseLabels:
    """The labels for the plan's phase words: auto, none, gripper, column:NAME, speed:NAME[:LIMIT], distance:NAME:LIMIT.

    `auto` takes the gripper's transitions where the layout has a gripper that moves, and no phases otherwise.
    Raises SurehandError for words that cannot be read and columns the dataset lacks.
    """
    grippers, notes = _grippers(dataset, plan, training, idle)
    kind, colon, rest = plan.phase.partition(":")
    if colon and kind in ("auto", "none", "gripper"):
        raise SurehandError(f"cannot read the phase {plan.phase!r}; {kind} stands alone")
    if kind == "auto":
        kind = "gripper" if grippers else "none"
    if kind == "none":
        return PhaseLabels(NO_PHASES, grippers=grippers, notes=notes)
    if kind == "gripper":
        if not grippers:
            raise SurehandError(
                f"no gripper that moves in {plan.layout}; use --phase none, column:, speed: or distance:"
            )
        window = max(round(WINDOW * dataset.fps), 1)
        rule, _ = gripper_phases(_few(dataset, plan), grippers, window, window)
        return PhaseLabels(
            rule, lambda r: gripper_phases(r, grippers, window, window)[1], grippers=grippers, notes=notes
        )
    name, _, number = rest.partition(":")
    if kind not in ("column", "speed", "distance") or not name:
        raise SurehandError(
            f"cannot read the phase {plan.phase!r}; expected auto, none, gripper, column:NAME, speed:NAME[:LIMIT] "
            "or distance:NAME:LIMIT"
        )
    if name not in dataset.features:
        raise SurehandError(f"no column {name!r} in {dataset.root.name}; it has {', '.join(dataset.features)}")
    make = {"column": _by_column, "speed": _by_speed, "distance": _by_distance}[kind]
    rule, label = make(dataset, plan, name, _limit(plan.phase, number))
    return PhaseLabels(rule, label, (name,), grippers, notes)


def _by_column(dataset: LeRobotFolder, plan: Plan, name: str, limit: float | None) -> tuple[PhaseRule, Labeller]:
    """Phases by the values a column takes anywhere in the dataset, so that every batch numbers them alike."""
    distinct = [
        np.unique(batch.columns[name].reshape(len(batch), -1)[:, 0]) for batch in dataset.batches(columns=[name])
    ]
    values = np.unique(np.concatenate(distinct))
    few = _few(dataset, plan, (name,))
    one_each = Actions(
        action=np.zeros((len(values), few.action.shape[1])),
        episode=np.zeros(len(values), np.int64),
        frame=np.arange(len(values)),
        task=np.zeros(len(values), np.int64),
        columns={name: values},
    )
    rule, _ = column_phases(one_each, name)
    return rule, lambda recorded: np.searchsorted(values, recorded.columns[name].reshape(len(recorded), -1)[:, 0])


def _by_speed(dataset: LeRobotFolder, plan: Plan, name: str, limit: float | None) -> tuple[PhaseRule, Labeller]:
    """Slow is near contact; without a limit, slower than a quarter of the training frames."""
    few = _few(dataset, plan, (name,))
    used, origin, known_before = limit, "given", True
    if used is None:
        used, known_before = slow_speed(few, few.columns[name], dataset.fps), bool(plan.split.train)
        origin = f"a quarter of the {'training' if known_before else 'same'} frames are slower"
    rule = replace(speed_phases(few, few.columns[name], dataset.fps, used, origin)[0], causal=known_before)
    return rule, lambda recorded: speed_phases(recorded, recorded.columns[name], dataset.fps, used)[1]


def _by_distance(dataset: LeRobotFolder, plan: Plan, name: str, limit: float | None) -> tuple[PhaseRule, Labeller]:
    if limit is None:
        raise SurehandError(f"how near is near? write --phase distance:{name}:LIMIT in the column's unit")
    few = _few(dataset, plan, (name,))
    rule, _ = distance_phases(few, few.columns[name], limit)
    return rule, lambda recorded: distance_phases(recorded, recorded.columns[name], limit)[1]


def _limit(phase: str, text: str) -> float | None:
    if not text:
        return None
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        raise SurehandError(f"cannot read the limit {text!r} of --phase {phase}; expected a number above 0")
    return limit


def _grippers(
    dataset: LeRobotFolder, plan: Plan, training: Stats, idle: np.ndarray
) -> tuple[tuple[tuple[int, GripperConvention], ...], tuple[str, ...]]:
    """Gripper columns that really open and close in training, with their conventions, and a sentence on each."""
    layout = plan.layout
    still = {group for group, idles in zip(layout.groups, idle, strict=True) if idles}
    columns = [i for i, j in enumerate(layout.joints) if j.kind == "gripper" and j.group not in still]
    assert training.max is not None and training.min is not None
    spread = training.max - training.min
    widest = max((spread[i] for i in columns), default=0.0)
    columns = [i for i in columns if widest > 0 and spread[i] >= STILL * widest]
    if not columns:
        return (), ()
    few = _few(dataset, plan)
    found = tuple((i, gripper_convention(few.action[:, i], few.episode)) for i in columns)
    return found, tuple(
        f"gripper {layout.names[i]}: range {c.range}, open end {c.opens} ({c.evidence})" for i, c in found
    )


def _few(dataset: LeRobotFolder, plan: Plan, columns: tuple[str, ...] = ()) -> Actions:
    """Whole training episodes, about LEARNT_FROM frames: enough for conventions, constant in memory."""
    episodes = plan.split.train or plan.split.held_out
    return next(islice(dataset.batches(episodes, LEARNT_FROM, columns), 1))
