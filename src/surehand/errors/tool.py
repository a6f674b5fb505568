"""Tool-pose error of one policy: where the hand would end up, in metres and radians, streamed."""

from dataclasses import dataclass

import numpy as np

from surehand.errors.plan import Plan
from surehand.exceptions import SurehandError
from surehand.frames import Actions, Pairs, frame_keys
from surehand.kinematics import Kinematics
from surehand.layout import Layout
from surehand.measure.taskspace import TaskSpaceErrors, task_space_error

ROWS = 4_000  # frames per batch whose tool pose is computed: evenly spaced where there are more


@dataclass(frozen=True, eq=False)
class Tool:
    """The robot's model over the layout's columns, measured at the last step that the robot executes."""

    arm: Kinematics
    layout: Layout
    base: tuple[int, int, int] | None
    fps: float
    step: int

    @classmethod
    def of(cls, plan: Plan, fps: float, executed: int) -> "Tool | None":
        """The tool of the plan's model, None without one; SurehandError where model and layout do not fit."""
        if plan.model is None:
            if plan.site:
                raise SurehandError(f"--site {plan.site} without --model; give the robot's URDF or MJCF")
            return None
        if not plan.site:
            raise SurehandError(f"which site or body of {plan.model.name} is the tool? name it with --site")
        base = _planar_base(plan.layout)
        arm = Kinematics.for_layout(plan.model, plan.site, plan.layout, base=base)
        return cls(arm, plan.layout, base, fps, executed - 1)

    def measure(self, pairs: Pairs, recorded: Actions) -> TaskSpaceErrors:
        """Pose errors at the last executed step of evenly spaced frames."""
        if len(pairs) > ROWS:
            pairs = pairs.take(np.linspace(0, len(pairs) - 1, ROWS).astype(int))
        return task_space_error(
            pairs,
            self.layout,
            self.arm,
            start=_start(pairs, recorded, self.layout),
            fps=self.fps,
            base=self.base,
            steps=slice(self.step, self.step + 1),
        )


@dataclass
class ToolSums:
    """Pose errors added up: per episode for intervals, over rows for the groups' shares."""

    episodes: list[np.ndarray]
    sums: list[np.ndarray]  # (e, 2) metres, radians
    rows: list[np.ndarray]
    parts: np.ndarray  # (G,) Σ⟨J_g·δ_g, e⟩ over rows that are not withheld
    square: float = 0.0
    withheld: int = 0
    total: int = 0

    @classmethod
    def empty(cls, groups: int) -> "ToolSums":
        """Sums of nothing."""
        return cls([], [], [], np.zeros(groups))

    def add(self, found: TaskSpaceErrors) -> None:
        """Add one batch."""
        episode, sums, rows = found.by_episode()
        self.episodes.append(episode)
        self.sums.append(sums)
        self.rows.append(rows)
        kept = np.isfinite(found.position_parts).all(axis=1)
        self.parts = self.parts + found.position_parts[kept].sum(axis=0)
        self.square += float((found.position[kept] ** 2).sum())
        self.withheld += int((~kept).sum())
        self.total += len(kept)


def _planar_base(layout: Layout) -> tuple[int, int, int] | None:
    """Columns of x, y and yaw velocity of a holonomic base, where the layout has exactly that."""
    if "base" not in layout.groups:
        return None
    columns = layout.columns("base")
    moves = [layout.joints[i].kind == "velocity" for i in columns]
    return (int(columns[0]), int(columns[1]), int(columns[2])) if len(columns) == 3 and all(moves) else None


def _start(pairs: Pairs, recorded: Actions, layout: Layout) -> np.ndarray | None:
    """Recorded position of every column at each pair's frame (N, D), NaN where the state has none."""
    if recorded.state is None:
        return None
    names = list(recorded.state_names or ())
    if names and recorded.names:
        columns = [names.index(name) if name in names else -1 for name in recorded.names]
    elif recorded.state.shape[1] == layout.size:
        columns = list(range(layout.size))
    else:
        return None
    key = frame_keys(recorded.episode, recorded.frame)
    order = np.argsort(key)
    row = order[np.searchsorted(key[order], frame_keys(pairs.episode, pairs.frame))]
    state = np.column_stack([recorded.state, np.full(len(recorded), np.nan)])  # column −1 is NaN
    return np.asarray(state[row][:, columns])
