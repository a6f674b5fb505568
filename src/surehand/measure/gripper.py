"""The gripper as events: openings and closings predicted against recorded, on the executed trajectory."""

from dataclasses import dataclass

import numpy as np

from surehand.measure.convention import GripperConvention
from surehand.measure.stitch import Stitched

_COUNTS = (
    "recorded",
    "matched",
    "spurious",
    "censored",
    "delay",
    "absolute",
    "spurious_outside",
    "frames_outside",
)


@dataclass(frozen=True, eq=False)
class EventCounts:
    """Transitions of one gripper per episode, each (E,), within `tolerance` frames.

    `delay` sums signed timing errors of matched events (predicted − recorded, frames), `absolute` their sizes.
    `spurious_outside` are spurious events farther than the tolerance from every recorded transition, among
    `frames_outside` such frames.
    """

    episode: np.ndarray
    recorded: np.ndarray
    matched: np.ndarray
    spurious: np.ndarray
    censored: np.ndarray
    delay: np.ndarray
    absolute: np.ndarray
    spurious_outside: np.ndarray
    frames_outside: np.ndarray
    tolerance: int

    @property
    def missed(self) -> np.ndarray:
        """Recorded transitions that nothing predicted (E,)."""
        return np.asarray(self.recorded - self.matched)

    @property
    def missed_rate(self) -> float:
        """Missed share of recorded transitions; NaN where there are none."""
        return _ratio(self.missed.sum(), self.recorded.sum())

    @property
    def delay_frames(self) -> float:
        """Mean signed timing error of matched events in frames; NaN where none matched. Read beside `missed_rate`."""
        return _ratio(self.delay.sum(), self.matched.sum())

    @property
    def absolute_frames(self) -> float:
        """Mean absolute timing error of matched events in frames."""
        return _ratio(self.absolute.sum(), self.matched.sum())

    @property
    def spurious_rate_outside(self) -> float:
        """Spurious events per frame outside the windows around recorded transitions."""
        return _ratio(self.spurious_outside.sum(), self.frames_outside.sum())


def gripper_events(stitched: Stitched, column: int, convention: GripperConvention, tolerance: int) -> EventCounts:
    """Events of one gripper column, counted per episode.

    Matches are one to one, in the same direction, in order and within `tolerance` frames; see `match_events`.
    Transitions within `tolerance` of an episode's (or segment's) end are censored: their partner may lie beyond it.
    """
    rows: dict[int, np.ndarray] = {}
    starts = np.flatnonzero(np.diff(stitched.segment, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(stitched)], strict=True):
        part = slice(start, stop)
        found = _segment_counts(
            transitions(stitched.target[part, column], convention.thresholds),
            transitions(stitched.prediction[part, column], convention.thresholds),
            int(stop - start),
            tolerance,
        )
        key = int(stitched.episode[start])
        rows[key] = rows.get(key, np.zeros(len(_COUNTS), np.int64)) + found
    keys = sorted(rows)
    table = np.array([rows[key] for key in keys], np.int64).reshape(len(keys), len(_COUNTS))
    counts = {name: table[:, i] for i, name in enumerate(_COUNTS)}
    return EventCounts(episode=np.array(keys, np.int64), tolerance=tolerance, **counts)


def transitions(values: np.ndarray, thresholds: tuple[float, float]) -> np.ndarray:
    """(frame, direction) of every transition with hysteresis (n, 2): +1 towards the high end, −1 towards the low.

    The state before the first value beyond a threshold is unknown, so that value makes no transition.

    >>> transitions(np.array([0.1, 0.5, 0.9, 0.5, 0.9, 0.2]), (0.4, 0.6)).tolist()
    [[2, 1], [5, -1]]
    """
    low, high = thresholds
    side = np.where(values > high, 1, np.where(values < low, -1, 0))
    decided = np.flatnonzero(side)
    change = np.flatnonzero(np.diff(side[decided])) + 1
    return np.stack([decided[change], side[decided[change]]], axis=1)


def match_events(
    recorded: np.ndarray, predicted: np.ndarray, tolerance: int, last: float = np.inf
) -> list[tuple[int, int]]:
    """(recorded, predicted) positions of the best order-preserving matching.

    Most pairs whose recorded event is no later than frame `last` (later ones are censored and must not take a partner
    away), then most pairs, then least timing error. Both are (n, 2) arrays of (frame, direction) in time order.
    Dynamic programming over prefixes.
    """
    n, m = len(recorded), len(predicted)
    best = [[(0, 0, 0)] * (m + 1) for _ in range(n + 1)]  # (pairs up to `last`, pairs, −timing error) of i and j events
    for i, (at, way) in enumerate(recorded.tolist(), 1):
        for j, (other, direction) in enumerate(predicted.tolist(), 1):
            best[i][j] = max(best[i - 1][j], best[i][j - 1])
            if way == direction and abs(at - other) <= tolerance:
                early, pairs, error = best[i - 1][j - 1]
                best[i][j] = max(best[i][j], (early + (at <= last), pairs + 1, error - abs(at - other)))
    matched, i, j = [], n, m
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            matched.append((i, j))
    return matched[::-1]


def _segment_counts(recorded: np.ndarray, predicted: np.ndarray, length: int, tolerance: int) -> np.ndarray:
    """The sums of `_COUNTS` for one stretch of `length` frames."""
    horizon = length - 1 - tolerance  # later events are censored
    pairs = match_events(recorded, predicted, tolerance, horizon)
    counted = [(i, j) for i, j in pairs if recorded[i, 0] <= horizon]
    off = [int(predicted[j, 0] - recorded[i, 0]) for i, j in counted]
    taken = {j for _, j in pairs}
    lone = [int(frame) for j, (frame, _) in enumerate(predicted) if j not in taken and frame <= horizon]
    near = np.zeros(length, bool)
    for frame in recorded[:, 0]:
        near[max(frame - tolerance, 0) : frame + tolerance + 1] = True
    near[max(horizon + 1, 0) :] = True
    censored = int((recorded[:, 0] > horizon).sum())
    return np.array(
        [
            len(recorded) - censored,
            len(counted),
            len(lone),
            censored,
            sum(off),
            sum(abs(x) for x in off),
            sum(not near[frame] for frame in lone),
            int((~near).sum()),
        ],
        np.int64,
    )


def _ratio(above: float, below: float) -> float:
    return float(above) / float(below) if below else float("nan")
