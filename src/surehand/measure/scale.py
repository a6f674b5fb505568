"""The divisor that a space puts under every joint's error, and which joints and groups carry no information."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SpaceError
from surehand.frames import Actions, By, Stats
from surehand.layout import Layout

ErrorSpace = Literal["robot", "normalised", "range", "std"]


@dataclass(frozen=True, eq=False)
class Scale:
    """Errors are divided by `values` (D,) before squaring; NaN where the statistics allow no division."""

    name: str  # robot, normalised, range, std
    by: str  # which statistics normalised it, "" otherwise
    source: str  # where those statistics were read
    values: np.ndarray  # (D,)

    def __str__(self) -> str:
        return self.name + (f":{self.by}" if self.by else "")


def robot_scale(size: int) -> Scale:
    """Robot units: nothing is divided."""
    return Scale("robot", "", "", np.ones(size))


def make_scale(space: ErrorSpace, stats: Stats | None, by: By = "mean_std", size: int | None = None) -> Scale:
    """The scale of a space from training statistics; SpaceError where they are missing.

    `normalised` divides as the policy's normaliser does, `range` by max − min, `std` by the standard deviation.
    """
    if space == "robot":
        known = size if size is not None else _size(stats)
        return robot_scale(known)
    if space not in ("normalised", "range", "std"):
        raise SpaceError(f"unknown error space {space!r}; expected robot, normalised, range or std")
    if stats is None:
        raise SpaceError(f"errors in {space} units need training statistics; give --stats or a dataset that has them")
    if space == "normalised":
        values = stats.affine(by)[1]
    elif space == "range":
        values = 2 * stats.affine("min_max")[1]
    else:
        values = stats.affine("mean_std")[1]
    if size is not None and len(values) != size:
        raise ShapeError(f"{len(values)} statistics for {size} action dimensions ({stats.source or 'unnamed source'})")
    positive = np.where(values > 0, values, np.nan)
    return Scale(space, by if space == "normalised" else "", stats.source, positive)


def members(layout: Layout, dead: np.ndarray) -> np.ndarray:
    """1 where a live joint belongs to a column, the columns being the groups and then the total (D, G+1)."""
    member = np.zeros((layout.size, len(layout.groups) + 1))
    for column, group in enumerate(layout.groups):
        member[layout.columns(group), column] = 1.0
    member[:, -1] = 1.0
    return np.asarray(member * ~(dead | layout.is_pad)[:, None])


def dead_dimensions(stats: Stats | None, layout: Layout, tolerance: float = 1e-4) -> np.ndarray:
    """True where a joint never moves in training: range (or std, where no range is known) ≤ tolerance, or padding (D,).

    The default, a tenth of a millimetre or 0.006°, lies below the resolution of the encoders that record such data.
    """
    dead = layout.is_pad.copy()
    if stats is None:
        return dead
    if stats.min is not None and stats.max is not None:
        spread = np.asarray(stats.max, float) - np.asarray(stats.min, float)
    elif stats.std is not None:
        spread = np.asarray(stats.std, float)
    else:
        raise SpaceError(f"{stats.source or 'the statistics'} have neither min and max nor std; dead joints need one")
    if len(spread) != layout.size:
        raise ShapeError(f"{len(spread)} statistics for {layout.size} action dimensions ({stats.source or 'unnamed'})")
    return np.asarray(dead | (spread <= tolerance))


def within_episode_spread(recorded: Iterable[Actions]) -> np.ndarray:
    """Standard deviation of every joint about its own episode's mean, pooled over frames (D,).

    The plain std would also count that episodes start in different poses, which is no movement.
    """
    squares: np.ndarray | float = 0.0
    frames = 0
    for actions in recorded:
        starts = np.flatnonzero(np.diff(actions.episode, prepend=-1))
        lengths = np.diff(starts, append=len(actions))
        values = actions.action.astype(np.float64)
        means = np.add.reduceat(values, starts, axis=0) / lengths[:, None] if len(starts) else values
        squares = squares + ((values - np.repeat(means, lengths, axis=0)) ** 2).sum(axis=0)
        frames += len(actions)
    if not frames:
        raise NotEnoughData("no recorded frames: how far the joints move needs at least one episode")
    return np.asarray(np.sqrt(squares / frames))


def idle_groups(spread: np.ndarray, layout: Layout, ratio: float = 0.1) -> np.ndarray:
    """True for groups that hardly move beside a like group: RMS of `spread` (D,) below `ratio` of the largest (G,).

    `spread` is what `within_episode_spread` returns. Like groups have joints of the same kinds and units; where a kind
    is unknown they must also share a name but for the side (left_arm, right_arm), since radians and finger openings
    cannot be told apart.
    """
    moves = np.array([np.sqrt((spread[layout.columns(group)] ** 2).mean()) for group in layout.groups])
    family = [_family(layout, group) for group in layout.groups]
    largest = np.array([max(m for m, f in zip(moves, family, strict=True) if f == own) for own in family])
    return np.asarray(moves < ratio * largest)


def _family(layout: Layout, group: str) -> tuple[object, ...]:
    styles = frozenset((layout.joints[i].kind, layout.joints[i].unit) for i in layout.columns(group))
    if all(kind != "unknown" for kind, _ in styles):
        return (styles,)
    words = [word for word in group.split("_") if word not in ("left", "right", "l", "r")]
    return (styles, "_".join(words))


def _size(stats: Stats | None) -> int:
    for name in ("mean", "std", "min", "max", "q01", "q99"):
        value = getattr(stats, name, None)
        if value is not None:
            return len(value)
    raise ShapeError("how many action dimensions? give size= or statistics")
