"""The shapes that travel: frozen dataclasses of arrays, one letter per axis.

N frames, K draws or candidates, H horizon steps, D action dimensions, E episodes, T tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self, TypeVar

import numpy as np

from surehand.exceptions import ShapeError, SpaceError

Rows = TypeVar("Rows")
Units = Literal["robot", "normalised"]
By = Literal["", "mean_std", "quantiles", "min_max"]
Reference = Literal["unknown", "absolute", "delta", "relative"]


@dataclass(frozen=True)
class Space:
    """What the numbers of an action mean; part of every error.

    `units`: robot units (rad, m, ...) or normalised; `by`: which statistics normalised them (mean and std, q01 and
    q99 to −1..1, min and max to −1..1); `reference`: absolute targets, deltas to the previous step, or relative to the
    state at the chunk's start.

    >>> str(Space("normalised", "mean_std")), Space.parse("robot/delta").reference
    ('normalised:mean_std', 'delta')
    """

    units: Units = "robot"
    by: By = ""
    reference: Reference = "unknown"

    def __post_init__(self) -> None:
        if (self.units == "normalised") != bool(self.by):
            raise SpaceError(f"space {self.units!r} with by={self.by!r}: name statistics for normalised, only there")

    def __str__(self) -> str:
        text = self.units + (f":{self.by}" if self.by else "")
        return text if self.reference == "unknown" else f"{text}/{self.reference}"

    @classmethod
    def parse(cls, text: str) -> "Space":
        """The space that `str()` printed; raises SpaceError listing what is known."""
        head, _, reference = text.partition("/")
        units, _, by = head.partition(":")
        known = units in ("robot", "normalised") and by in ("", "mean_std", "quantiles", "min_max")
        if not known or (reference or "unknown") not in ("unknown", "absolute", "delta", "relative"):
            raise SpaceError(
                f"unknown action space {text!r}; expected robot or normalised:mean_std|quantiles|min_max, "
                "then /absolute, /delta or /relative where known"
            )
        return cls(units, by, reference or "unknown")  # type: ignore[arg-type]


def frame_keys(episode: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """One number per (episode, frame), in their order (N,)."""
    return (episode.astype(np.int64) << 32) + frame.astype(np.int64)


class _Arrays:
    """Selection of rows and the check that all arrays have the same number of them."""

    def _rows(self) -> dict[str, np.ndarray]:
        found = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}

    def __post_init__(self) -> None:
        lengths = {name: len(value) for name, value in self._rows().items()}
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"{type(self).__name__} arrays disagree in length: {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self._rows().values())))

    def take(self, rows: np.ndarray | slice) -> Self:
        """The same object with these rows alone (index array, mask or slice)."""
        chosen: dict[str, Any] = {name: value[rows] for name, value in self._rows().items()}
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if isinstance(value, dict) and value and all(isinstance(v, np.ndarray) for v in value.values()):
                chosen[f.name] = {key: column[rows] for key, column in value.items()}
        return replace(self, **chosen)  # type: ignore[type-var]


def join_rows(parts: Sequence[Rows]) -> Rows:
    """Dataclasses of arrays end to end: arrays and dicts of arrays joined, everything else as the first part has it."""
    first: Any = parts[0]
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {}
    for f in fields(first):
        values: list[Any] = [getattr(part, f.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            joined[f.name] = np.concatenate(values)
        elif isinstance(values[0], dict):
            joined[f.name] = {key: np.concatenate([value[key] for value in values]) for key in values[0]}
    return replace(first, **joined)  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Stats:
    """Per-dimension statistics of actions, each (D,) or None, and where they were read.

    Not rows of anything: every array has one entry per action dimension.
    """

    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    min: np.ndarray | None = None
    max: np.ndarray | None = None
    q01: np.ndarray | None = None
    q99: np.ndarray | None = None
    count: int | None = None
    source: str = ""

    def affine(self, by: By) -> tuple[np.ndarray, np.ndarray]:
        """(offset, scale), each (D,): robot = offset + scale · normalised, as LeRobot and openpi normalise."""
        wanted = {"mean_std": ("mean", "std"), "quantiles": ("q01", "q99"), "min_max": ("min", "max")}
        if by not in wanted:
            raise SpaceError(f"no statistics named {by!r}; known: {', '.join(wanted)}")
        first, second = (getattr(self, name) for name in wanted[by])
        if first is None or second is None:
            raise SpaceError(f"undoing {by} needs {' and '.join(wanted[by])}; {self.source or 'these'} lack them")
        if by == "mean_std":
            return np.asarray(first, float), np.asarray(second, float)
        return (np.asarray(first, float) + second) / 2, (np.asarray(second, float) - first) / 2


def usable(values: np.ndarray) -> np.ndarray:
    """True where a number can be measured with: finite, and within single precision, so that its square is finite."""
    if values.dtype == np.float32:
        return np.asarray(np.isfinite(values))
    return np.asarray(np.abs(values) <= np.finfo(np.float32).max)  # NaN is not


@dataclass(frozen=True, eq=False)
class Actions(_Arrays):
    """What a dataset recorded, frame by frame, whole episodes in order: where every reader ends.

    `task` indexes `tasks`; `columns` holds further per-frame columns the user named, each (N, ...).
    """

    action: np.ndarray  # (N, D) float
    episode: np.ndarray  # (N,) int64
    frame: np.ndarray  # (N,) int64, 0 at the start of each episode
    task: np.ndarray  # (N,) int64
    state: np.ndarray | None = None  # (N, S) float
    timestamp: np.ndarray | None = None  # (N,) seconds
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    state_names: tuple[str, ...] | None = None
    fps: float = 0.0
    space: Space = Space()
    source: str = ""


@dataclass(frozen=True, eq=False)
class Predictions(_Arrays):
    """What one checkpoint predicted: K draws of a chunk per frame (K = 1 for a deterministic policy)."""

    prediction: np.ndarray  # (N, K, H, D) float
    episode: np.ndarray  # (N,) int64
    frame: np.ndarray  # (N,) int64
    length: np.ndarray  # (N,) int64, leading steps of the chunk that are valid, at most H
    checkpoint: str = ""
    space: Space = Space()
    metadata: Mapping[str, Any] = field(default_factory=dict)  # seed, generator, knob, ... as the file states them
    task: np.ndarray | None = None  # (N,) int64: index into tasks, what the policy was told
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Samples:
    """K candidate chunks for one observation, and how they were drawn."""

    actions: np.ndarray  # (K, H, D)
    generator: str  # perturbation, batch-moments, token-temperature, noise, deterministic
    knob: str = ""
    value: float = float("nan")
    log_p: np.ndarray | None = None  # (K,)
    token_entropy: np.ndarray | None = None  # (K,)
    seed: int | None = None


@dataclass(frozen=True, eq=False)
class Pairs(_Arrays):
    """Predictions beside what was recorded, in one space: the input of every measure.

    Steps past an episode's end, past the prediction's valid length or undefined for a rival are False in `valid`.
    """

    prediction: np.ndarray  # (N, K, H, D)
    target: np.ndarray  # (N, H, D)
    valid: np.ndarray  # (N, H) bool
    episode: np.ndarray  # (N,) int64
    frame: np.ndarray  # (N,) int64
    task: np.ndarray  # (N,) int64
    phase: np.ndarray | None = None  # (N, H) int: index into phases, of the target step t+h
    tasks: tuple[str, ...] = ()
    phases: tuple[str, ...] = ("all",)
    space: Space = Space()
    names: tuple[str, ...] | None = None
    source: str = ""


@dataclass(frozen=True, eq=False)
class Round:
    """One decision with K candidates, as logged: a row of the rounds contract (see formats/rounds.py)."""

    episode: int
    initial_state: str
    step: int
    task: str
    candidates: np.ndarray  # (K, H, D)
    score: np.ndarray  # (K,) verifier's score
    selected: int
    verifier: str
    generator: str
    knob: str
    value: float
    seed: int
    executed: bool
    verdict: str = ""
    reason: str = ""
    log_p: np.ndarray | None = None  # (K,)
    token_entropy: np.ndarray | None = None  # (K,)
    violation: np.ndarray | None = None  # (K,) NaN where unknown
    features: np.ndarray | None = None  # (F,) context
    embedding: np.ndarray | None = None  # (V,)
    traces: Mapping[str, np.ndarray] = field(default_factory=dict)  # force, ...: each (steps,)
    faults: tuple[str, ...] = ()
    latency: float = float("nan")  # seconds


@dataclass(frozen=True, eq=False)
class ErrorTable:
    """Group errors of several checkpoints without the episodes behind them: a paper's table, a spreadsheet."""

    checkpoints: tuple[str, ...]  # (C,)
    groups: tuple[str, ...]  # (G,)
    errors: np.ndarray  # (C, G)
    dims: np.ndarray | None = None  # (G,) joints per group, where known
    total: np.ndarray | None = None  # (C,) as the table states it
    source: str = ""
