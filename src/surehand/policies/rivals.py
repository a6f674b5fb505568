"""The trivial policies every policy must beat: hold last, state as action, per-task mean, nearest-neighbour replay.

Each is fitted on training episodes only and predicts on the frames it is given; `undefined` says which action
dimensions it has no opinion on (their predicted values are 0 and must not be scored).
"""

from collections.abc import Iterable
from typing import Protocol, Self

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.frames import Actions, Predictions
from surehand.layout import Layout
from surehand.policies.nearest import nearest_rows
from surehand.policies.states import finite_state


class Rival(Protocol):
    """What all rivals share."""

    name: str
    undefined: np.ndarray  # (D,) bool, known after predict

    def fit(self, train: Iterable[Actions]) -> Self:
        """This rival, having seen the training episodes (whole episodes per batch)."""
        ...

    def predict(self, recorded: Actions, horizon: int) -> Predictions:
        """One chunk of H steps per recorded frame."""
        ...


class HoldLast:
    """The action of the frame before, a_{t−1}, held; undefined at an episode's first frame (length 0 there)."""

    name = "hold last"

    def __init__(self) -> None:
        self.undefined = np.zeros(0, bool)

    def fit(self, train: Iterable[Actions]) -> Self:
        """This rival; it learns nothing."""
        return self

    def predict(self, recorded: Actions, horizon: int) -> Predictions:
        """The last action, H times."""
        self.undefined = np.zeros(recorded.action.shape[1], bool)
        held = np.roll(recorded.action, 1, axis=0)
        first = np.diff(recorded.episode, prepend=-1) != 0
        held[first] = 0.0
        return _repeat(self.name, recorded, held, horizon, np.where(first, 0, horizon))


class StateAsAction:
    """The robot's state at t as the target of every step: a policy that tells the robot to stay.

    State columns are found by the action's names, or taken in order where the sizes are equal. Dimensions without a
    state column are undefined, and so are those whose action is no position: deltas, and velocities without a state
    column of the same name.
    """

    name = "state as action"

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout
        self.undefined = np.zeros(0, bool)

    def fit(self, train: Iterable[Actions]) -> Self:
        """This rival; it learns nothing."""
        return self

    def predict(self, recorded: Actions, horizon: int) -> Predictions:
        """The state in action columns, H times."""
        columns = self._columns(recorded)  # (D,), −1 where undefined
        self.undefined = columns < 0
        values = np.zeros(recorded.action.shape)
        if recorded.state is not None:
            defined = np.flatnonzero(columns >= 0)
            values[:, defined] = finite_state(recorded)[:, columns[defined]]
        return _repeat(self.name, recorded, values, horizon)

    def _columns(self, recorded: Actions) -> np.ndarray:
        size = recorded.action.shape[1]
        columns = np.full(size, -1)
        if recorded.state is None or recorded.space.reference in ("delta", "relative"):
            return columns
        kinds = [joint.kind for joint in self.layout.joints] if self.layout else ["unknown"] * size
        state_names = list(recorded.state_names or ())
        shared = [name in state_names for name in recorded.names or ()]
        for i, kind in enumerate(kinds):
            if kind in ("pose_delta", "pad"):
                continue
            if any(shared):
                columns[i] = state_names.index(recorded.names[i]) if recorded.names and shared[i] else -1
            elif recorded.state.shape[1] == size and kind != "velocity":
                columns[i] = i
        return columns


class TaskMean:
    """The mean training action of the frame's task, circular for continuous joints; of all tasks where it is unseen."""

    name = "task mean"

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout
        self.undefined = np.zeros(0, bool)
        self._sums: dict[str, np.ndarray] = {}  # task name -> (D+1, 3): Σ action, Σ sin, Σ cos; last row the count

    def fit(self, train: Iterable[Actions]) -> Self:
        """This rival with its means; raises NotEnoughData without a training frame."""
        self._sums = {}
        for actions in train:
            period = self._period(actions.action.shape[1])
            angle = actions.action * np.where(period > 0, 2 * np.pi / np.where(period > 0, period, 1.0), 0.0)
            each = np.stack([actions.action.astype(np.float64), np.sin(angle), np.cos(angle)], axis=-1)  # (N, D, 3)
            for task in np.unique(actions.task):
                rows = actions.task == task
                found = np.concatenate([each[rows].sum(axis=0), np.full((1, 3), rows.sum())])
                name = _task_name(actions, int(task))
                self._sums[name] = self._sums.get(name, 0.0) + found
        if not self._sums:
            raise NotEnoughData("no training frames: the task mean needs at least one training episode")
        return self

    def predict(self, recorded: Actions, horizon: int) -> Predictions:
        """The mean action of each frame's task, H times."""
        size = recorded.action.shape[1]
        if not self._sums:
            raise NotEnoughData("the task mean has not been fitted; call fit() with training episodes")
        self.undefined = np.zeros(size, bool)
        everything = np.sum(list(self._sums.values()), axis=0)
        means = {
            int(task): self._mean(self._sums.get(_task_name(recorded, int(task)), everything), size)
            for task in np.unique(recorded.task)
        }
        values = np.array([means[int(task)] for task in recorded.task]).reshape(-1, size)
        return _repeat(self.name, recorded, values, horizon)

    def _mean(self, sums: np.ndarray, size: int) -> np.ndarray:
        if len(sums) != size + 1:
            raise ShapeError(f"trained on {len(sums) - 1} action dimensions, asked about {size}")
        period = self._period(size)
        circular = np.arctan2(sums[:-1, 1], sums[:-1, 2]) * period / (2 * np.pi)
        return np.asarray(np.where(period > 0, circular, sums[:-1, 0] / sums[-1, 0]))

    def _period(self, size: int) -> np.ndarray:
        return self.layout.period if self.layout is not None else np.zeros(size)


class NearestNeighbour:
    """Replay of the training episode whose state lies nearest (each state column divided by its training std).

    Neighbours come from the same task where training has it. A replay that runs past its episode's end holds the last
    action. At most `max_frames` training frames are kept, whole episodes, evenly thinned to one of `every`.
    """

    name = "nearest neighbour"

    def __init__(self, max_frames: int = 200_000) -> None:
        self.max_frames = max_frames
        self.undefined = np.zeros(0, bool)
        self.every = 1
        self._kept: list[tuple[str, np.ndarray, np.ndarray]] = []  # per episode: task name, state, action

    def fit(self, train: Iterable[Actions]) -> Self:
        """This rival with its memory of training episodes."""
        self._kept, self.every, seen = [], 1, 0
        for actions in train:
            if actions.state is None:
                continue
            state = finite_state(actions)
            for rows in _episodes(actions):
                if seen % self.every == 0:
                    task = _task_name(actions, int(actions.task[rows.start]))
                    self._kept.append((task, state[rows].copy(), actions.action[rows].copy()))
                seen += 1
                while sum(len(state) for _, state, _ in self._kept) > self.max_frames and len(self._kept) > 1:
                    self._kept, self.every = self._kept[::2], 2 * self.every
        return self

    def predict(self, recorded: Actions, horizon: int) -> Predictions:
        """The neighbour's recorded actions, H steps from its frame on; all undefined without recorded states."""
        size = recorded.action.shape[1]
        if recorded.state is None or not self._kept:
            self.undefined = np.ones(size, bool)
            return _repeat(self.name, recorded, np.zeros(recorded.action.shape), horizon)
        self.undefined = np.zeros(size, bool)
        state = np.concatenate([state for _, state, _ in self._kept])
        action = np.concatenate([action for _, _, action in self._kept])
        lengths = np.array([len(state) for _, state, _ in self._kept])
        task = np.repeat([task for task, _, _ in self._kept], lengths)
        if state.shape[1] != recorded.state.shape[1] or action.shape[1] != size:
            raise ShapeError(
                f"trained on (state, action) sizes {(state.shape[1], action.shape[1])}, "
                f"asked about {(recorded.state.shape[1], size)}"
            )
        last = np.repeat(np.cumsum(lengths) - 1, lengths)  # last row of each row's episode
        nearest = _nearest(state, task, recorded)
        rows = np.minimum(nearest[:, None] + np.arange(horizon), last[nearest][:, None])
        return _predictions(self.name, recorded, action[rows][:, None], np.full(len(recorded), horizon))


def _nearest(state: np.ndarray, task: np.ndarray, recorded: Actions) -> np.ndarray:
    """Row of the nearest training state per recorded frame (N,); the earliest of equally near ones."""
    spread = state.std(axis=0, dtype=np.float64)
    moving = spread > 1e-9
    known, asked = (x[:, moving] / spread[moving] for x in (state, finite_state(recorded)))
    nearest = np.zeros(len(recorded), np.int64)
    for index in np.unique(recorded.task):
        here = np.flatnonzero(recorded.task == index)
        rows = np.flatnonzero(task == _task_name(recorded, int(index)))
        rows = rows if len(rows) else np.arange(len(state))
        nearest[here] = rows[nearest_rows(known[rows], asked[here])]
    return nearest


def _episodes(actions: Actions) -> list[slice]:
    starts = np.flatnonzero(np.diff(actions.episode, prepend=-1)).tolist()
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(actions)], strict=True)]


def _task_name(actions: Actions, task: int) -> str:
    """The task's text (datasets number tasks differently), or its number where the dataset names none."""
    return actions.tasks[task] if 0 <= task < len(actions.tasks) else str(task)


def _repeat(
    name: str, recorded: Actions, values: np.ndarray, horizon: int, length: np.ndarray | None = None
) -> Predictions:
    """The same action (N, D) at every step; the repetition takes no memory."""
    chunk = np.broadcast_to(values[:, None, None, :], (len(values), 1, horizon, values.shape[1]))
    return _predictions(name, recorded, chunk, np.full(len(values), horizon) if length is None else length)


def _predictions(name: str, recorded: Actions, chunk: np.ndarray, length: np.ndarray) -> Predictions:
    return Predictions(
        prediction=chunk,
        episode=recorded.episode,
        frame=recorded.frame,
        length=length.astype(np.int64),
        checkpoint=name,
        space=recorded.space,
        metadata={"generator": "deterministic"},
    )
