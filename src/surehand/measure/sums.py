"""Squared errors summed per episode, phase, horizon step and joint, with their counts: sums that merge exactly.

E episodes, P phases, H horizon steps, D dims. An episode's sums depend on that episode's rows alone, so any partition
of the episodes over batches, workers or machines merges to the same bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from surehand.exceptions import ShapeError
from surehand.frames import Pairs
from surehand.measure.angles import mean_draw

Of = Literal["mean", "one", "best"]

# Values per block: two buffers of this many numbers stay in a core's own cache.
_BLOCK = 32_768


@dataclass(frozen=True, eq=False)
class ErrorSums:
    """Squared errors in robot units, summed, and how many (frame, step) pairs each sum holds."""

    sums: np.ndarray  # (E, P, H, D) float64
    counts: np.ndarray  # (E, P, H) int64
    full_sums: np.ndarray  # (E, H, D) float64, frames whose whole chunk is valid
    full_counts: np.ndarray  # (E,) int64
    episode: np.ndarray  # (E,) int64, increasing
    task: np.ndarray  # (E,) int64
    tasks: tuple[str, ...] = ()
    phases: tuple[str, ...] = ("all",)

    def merge(self, other: "ErrorSums") -> "ErrorSums":
        """Both together: episodes side by side, an episode in both added. Raises ShapeError where shapes differ."""
        mine, theirs = (self.sums.shape[1:], self.phases), (other.sums.shape[1:], other.phases)
        if mine != theirs:
            raise ShapeError(f"cannot merge errors of (P, H, D) and phases {mine} with {theirs}; evaluate both alike")
        tasks = tuple(dict.fromkeys(self.tasks + other.tasks))
        task = np.concatenate([_retask(self, tasks), _retask(other, tasks)])
        both = np.concatenate([self.episode, other.episode])
        episode, first, row = np.unique(both, return_index=True, return_inverse=True)

        def add(name: str) -> np.ndarray:
            a, b = getattr(self, name), getattr(other, name)
            out = np.zeros((len(episode), *a.shape[1:]), a.dtype)
            out[row[: len(a)]] = a
            out[row[len(a) :]] += b
            return out

        names = ("sums", "counts", "full_sums", "full_counts")
        together = {name: add(name) for name in names}
        return ErrorSums(**together, episode=episode, task=task[first], tasks=tasks, phases=self.phases)


def _retask(sums: ErrorSums, tasks: tuple[str, ...]) -> np.ndarray:
    """Task indices of `sums` in the longer list of names."""
    if not sums.tasks:
        return sums.task
    return np.asarray(np.array([tasks.index(name) for name in sums.tasks], np.int64)[sums.task])


class ErrorAccumulator:
    """update(pairs) as often as wanted, merge(other), compute(): squared errors of any amount of data.

    `period` is the full turn of each continuous joint (D,), 0 elsewhere; `of` says what K draws become: the error of
    their mean, the mean error of one draw, or the error of the draw that lies nearest over its whole valid chunk
    (`weight` (D,) makes unlike units comparable for that choice, 1/scale²).
    """

    def __init__(
        self,
        size: int,
        horizon: int,
        phases: Sequence[str] = ("all",),
        period: np.ndarray | None = None,
        of: Of = "mean",
        weight: np.ndarray | None = None,
    ) -> None:
        self.size, self.horizon, self.phases, self.of = size, horizon, tuple(phases), of
        self.period = np.zeros(size) if period is None else np.asarray(period, float)
        self.weight = np.ones(size) if weight is None else np.asarray(weight, float)
        self._turning = np.flatnonzero(self.period > 0)
        self._turn = self.period[self._turning]
        self._rows: dict[int, _Episode] = {}
        self._tasks: tuple[str, ...] = ()

    def update(self, pairs: Pairs) -> "ErrorAccumulator":
        """This accumulator with the pairs' squared errors added; raises ShapeError where shapes or phases differ."""
        self._check(pairs)
        self._tasks = pairs.tasks or self._tasks
        full = np.asarray(pairs.valid.all(axis=1))
        for start, stop in _runs(pairs.episode, full):
            key = int(pairs.episode[start])
            if key not in self._rows:
                self._rows[key] = _Episode(len(self.phases), self.horizon, self.size, int(pairs.task[start]))
            block = max(_BLOCK // (self.horizon * self.size), 1)
            for at in range(start, stop, block):
                self._add(self._rows[key], pairs, slice(at, min(at + block, stop)), bool(full[start]))
        return self

    def merge(self, other: "ErrorAccumulator") -> "ErrorAccumulator":
        """This accumulator with the other's sums added; raises ShapeError where they measure different things."""
        mine, theirs = ((a.size, a.horizon, a.phases, a.of) for a in (self, other))
        if mine != theirs or (self._tasks and other._tasks and self._tasks != other._tasks):
            raise ShapeError(f"cannot merge errors of (D, H, phases, of) {mine} with {theirs}, or of other task lists")
        self._tasks = self._tasks or other._tasks
        for key, row in other._rows.items():
            if key not in self._rows:
                self._rows[key] = _Episode(len(self.phases), self.horizon, self.size, row.task)
            self._rows[key].add(row)
        return self

    def compute(self) -> ErrorSums:
        """The sums so far, episodes in increasing order."""
        keys = sorted(self._rows)
        rows = [self._rows[key] for key in keys]
        shape = (len(rows), len(self.phases), self.horizon, self.size)
        return ErrorSums(
            sums=np.array([row.sums for row in rows]).reshape(shape),
            counts=np.array([row.counts for row in rows], np.int64).reshape(shape[:3]),
            full_sums=np.array([row.full_sums for row in rows]).reshape(shape[0], *shape[2:]),
            full_counts=np.array([row.full_count for row in rows], np.int64),
            episode=np.array(keys, np.int64),
            task=np.array([row.task for row in rows], np.int64),
            tasks=self._tasks,
            phases=self.phases,
        )

    def _check(self, pairs: Pairs) -> None:
        if pairs.target.shape[1:] != (self.horizon, self.size):
            raise ShapeError(f"pairs have (H, D) {pairs.target.shape[1:]}, expected {(self.horizon, self.size)}")
        phases = pairs.phases if pairs.phase is not None else ("all",)
        if phases != self.phases:
            raise ShapeError(f"pairs have phases {phases}, expected {self.phases}; label all pairs by the same rule")
        if self._tasks and pairs.tasks and pairs.tasks != self._tasks:
            raise ShapeError("pairs of different task lists; accumulate each dataset apart and merge the sums")

    def _add(self, row: "_Episode", pairs: Pairs, part: slice, full: bool) -> None:
        """Add one block of frames of one episode, all with whole chunks (`full`) or none."""
        valid = pairs.valid[part]
        square = self._square(pairs.prediction[part], pairs.target[part], valid)  # (n, H, D)
        if not full:
            square[~valid] = 0.0
        total = square.sum(axis=0)
        if full:
            row.full_sums += total
            row.full_count += len(valid)
        if len(self.phases) == 1:
            row.sums[0] += total
            row.counts[0] += len(valid) if full else valid.sum(axis=0)
            return
        assert pairs.phase is not None
        for index in range(len(self.phases)):
            inside = valid & (pairs.phase[part] == index)
            row.sums[index] += (square * inside[..., None]).sum(axis=0)
            row.counts[index] += inside.sum(axis=0)

    def _square(self, prediction: np.ndarray, target: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Squared errors (n, H, D) float64; steps that are not valid may hold anything."""
        with np.errstate(invalid="ignore", over="ignore"):  # masked steps may hold NaN or infinity
            if prediction.shape[1] == 1:
                return self._square_difference(prediction[:, 0] - target)
            if self.of == "mean":
                return self._square_difference(mean_draw(prediction, self.period) - target)
            square = self._square_difference(prediction - target[:, None])  # (n, K, H, D)
            if self.of == "one":
                return np.asarray(square.mean(axis=1))
            distance = np.where(valid[:, None], (square * self.weight).sum(axis=3), 0.0).sum(axis=2)
            return np.asarray(square[np.arange(len(square)), distance.argmin(axis=1)])

    def _square_difference(self, difference: np.ndarray) -> np.ndarray:
        # The difference keeps the inputs' precision (its relative error is one rounding); squares and sums are float64.
        wide = difference.astype(np.float64)
        if len(self._turning):
            angle = wide[..., self._turning]
            wide[..., self._turning] = angle - self._turn * np.round(angle / self._turn)
        return np.multiply(wide, wide, out=wide)


class _Episode:
    """Running sums of one episode."""

    __slots__ = ("counts", "full_count", "full_sums", "sums", "task")

    def __init__(self, phases: int, horizon: int, size: int, task: int) -> None:
        self.sums = np.zeros((phases, horizon, size))
        self.counts = np.zeros((phases, horizon), np.int64)
        self.full_sums = np.zeros((horizon, size))
        self.full_count = 0
        self.task = task

    def add(self, other: "_Episode") -> None:
        self.sums += other.sums
        self.counts += other.counts
        self.full_sums += other.full_sums
        self.full_count += other.full_count


def _runs(episode: np.ndarray, full: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, stop) of the longest stretches of rows with one episode and one kind of chunk."""
    if not len(episode):
        return iter(())
    change = np.flatnonzero((np.diff(episode) != 0) | (np.diff(full) != 0)) + 1
    edges = [0, *change.tolist(), len(episode)]
    return pairwise(edges)
