"""Action error by joint group, phase, task, episode and horizon step, in one named space."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.frames import By, Pairs, Stats
from surehand.layout import Layout
from surehand.measure.scale import (
    ErrorSpace,
    Scale,
    dead_dimensions,
    idle_groups,
    make_scale,
    members,
    robot_scale,
    within_episode_spread,
)
from surehand.measure.sums import ErrorAccumulator, ErrorSums, Of

__all__ = [
    "ErrorAccumulator",
    "ErrorSums",
    "GroupErrors",
    "Scale",
    "dead_dimensions",
    "group_error",
    "idle_groups",
    "make_scale",
    "robot_scale",
    "within_episode_spread",
]


@dataclass(frozen=True, eq=False)
class GroupErrors:
    """Mean squared error per group and total, (G+1) columns in the order of `names`.

    Group error = mean over the group's live joints (Montagut Bofi et al. 2026, eq. 1); total = mean over all live
    joints, which is the dimension-weighted mean of the groups. A group without a live joint is NaN.
    """

    sums: ErrorSums
    layout: Layout
    scale: Scale
    dead: np.ndarray  # (D,) bool, left out of the headline; padding always is

    def __post_init__(self) -> None:
        sizes = {self.sums.sums.shape[3], self.layout.size, len(self.scale.values), len(self.dead)}
        if len(sizes) > 1:
            raise ShapeError(
                f"errors of {self.sums.sums.shape[3]} dimensions, layout of {self.layout.size}, scale of "
                f"{len(self.scale.values)}, dead flags of {len(self.dead)}; all must agree"
            )

    @property
    def groups(self) -> tuple[str, ...]:
        """Group names in layout order (G)."""
        return self.layout.groups

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns: the groups, then "total" (G+1)."""
        return (*self.layout.groups, "total")

    @cached_property
    def live(self) -> np.ndarray:
        """True where a joint counts (D,)."""
        return np.asarray(~(self.dead | self.layout.is_pad))

    @cached_property
    def weights(self) -> np.ndarray:
        """What a joint's summed squared error adds to each column: 1 / (joints · scale²) (D, G+1).

        NaN in a column that has no live joint.
        """
        member = members(self.layout, self.dead)
        joints = member.sum(axis=0)
        each = np.divide(1.0, joints, out=np.full(len(joints), np.nan), where=joints > 0)
        with np.errstate(invalid="ignore"):
            share: np.ndarray = np.where(member > 0, member * each / self.scale.values[:, None] ** 2, each * 0)
        return share

    def numerators(self, phase: str | None = None, steps: slice | None = None, task: str | None = None) -> np.ndarray:
        """Scaled squared errors averaged over joints, summed over frames and steps (E, G+1); E' episodes of a task."""
        return np.asarray(self._picked(self.sums.sums, phase, steps, task).sum(axis=(1, 2)) @ self.weights)

    def denominators(self, phase: str | None = None, steps: slice | None = None, task: str | None = None) -> np.ndarray:
        """Counts that belong to the numerators: error = numerators.sum(0) / denominators.sum() (E,)."""
        return np.asarray(self._picked(self.sums.counts, phase, steps, task).sum(axis=(1, 2)))

    def table(self, phase: str | None = None, steps: slice | None = None, task: str | None = None) -> np.ndarray:
        """Frame-weighted error per group and total (G+1,); NaN where nothing was counted."""
        return _ratio(self.numerators(phase, steps, task).sum(axis=0), self.denominators(phase, steps, task).sum())

    def group(self, name: str) -> float:
        """Error of one group, or of "total"."""
        if name not in self.names:
            self.layout.columns(name)  # raises with the groups there are
        return float(self.table()[self.names.index(name)])

    @property
    def total(self) -> float:
        """Error over all live joints."""
        return float(self.table()[-1])

    @property
    def total_all_dims(self) -> float:
        """Error over every column, dead and padded ones too: what a plain mean squared error says."""
        return float(self.by_joint().mean())

    def by_joint(self, phase: str | None = None) -> np.ndarray:
        """Error of every joint, dead ones too (D,)."""
        sums, counts = (self._picked(values, phase, None, None) for values in (self.sums.sums, self.sums.counts))
        return np.asarray(_ratio(sums.sum(axis=(0, 1, 2)), counts.sum()) / self.scale.values**2)

    def by_episode(self, phase: str | None = None) -> np.ndarray:
        """Error per episode (E, G+1), in the order of `sums.episode`."""
        return _ratio(self.numerators(phase), self.denominators(phase)[:, None])

    def by_task(self) -> dict[str, np.ndarray]:
        """Error per task name, each (G+1,)."""
        return {name: self.table(task=name) for i, name in enumerate(self.sums.tasks) if (self.sums.task == i).any()}

    def by_step(self) -> np.ndarray:
        """Error per horizon step over all valid pairs (H, G+1); late steps come from fewer frames than early ones."""
        return _ratio(self.sums.sums.sum(axis=(0, 1)) @ self.weights, self.sums.counts.sum(axis=(0, 1))[:, None])

    def profile(self) -> np.ndarray:
        """Error per horizon step on frames whose whole chunk is valid, so that steps compare (H, G+1)."""
        return _ratio(self.sums.full_sums.sum(axis=0) @ self.weights, self.sums.full_counts.sum())

    def episode_weighted(self) -> np.ndarray:
        """Mean over episodes of each episode's error: every episode counts once, long or short (G+1,)."""
        counted = self.denominators() > 0
        if not counted.any():
            return np.full(len(self.names), np.nan)
        return np.asarray(self.by_episode()[counted].mean(axis=0))

    def _picked(self, values: np.ndarray, phase: str | None, steps: slice | None, task: str | None) -> np.ndarray:
        """Rows of the task, the phase and the steps asked for (E, P, H, ...)."""
        if phase is not None:
            if phase not in self.sums.phases:
                raise SurehandError(f"no phase {phase!r} in these errors; they have {', '.join(self.sums.phases)}")
            at = self.sums.phases.index(phase)
            values = values[:, at : at + 1]
        if task is not None:
            if task not in self.sums.tasks:
                raise SurehandError(
                    f"no task {task!r} in these errors; they have {', '.join(self.sums.tasks) or 'none'}"
                )
            values = values[self.sums.task == self.sums.tasks.index(task)]
        return values if steps is None else values[:, :, steps]


def group_error(
    pairs: Pairs,
    layout: Layout,
    *,
    space: ErrorSpace = "robot",
    stats: Stats | None = None,
    by: By = "mean_std",
    dead: np.ndarray | None = None,
    of: Of = "mean",
) -> GroupErrors:
    """Errors of pairs in memory. Dead joints come from the training statistics unless `dead` (D,) names them.

    >>> from surehand.frames import Pairs
    >>> one = np.zeros(1, int)
    >>> pairs = Pairs(np.array([[[[3.0, 0, 1]]]]), np.zeros((1, 1, 3)), np.ones((1, 1), bool), one, one, one)
    >>> errors = group_error(pairs, Layout.parse("arm(a b) gripper"))
    >>> dict(zip(errors.names, errors.table().tolist()))
    {'arm': 4.5, 'gripper': 1.0, 'total': 3.3333333333333335}
    """
    layout.check_names(pairs.names, pairs.target.shape[2])
    scale = make_scale(space, stats, by, layout.size)
    phases = pairs.phases if pairs.phase is not None else ("all",)
    weight = np.nan_to_num(scale.values**-2.0, nan=0.0)
    sums = (
        ErrorAccumulator(layout.size, pairs.target.shape[1], phases, layout.period, of, weight).update(pairs).compute()
    )
    return GroupErrors(sums, layout, scale, dead_dimensions(stats, layout) if dead is None else np.asarray(dead, bool))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where nothing was counted."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))
