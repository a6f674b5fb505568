"""Everything measured of one policy, batch by batch: sums that stay small however long the data are."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from surehand.errors.plan import Plan
from surehand.errors.tool import Tool, ToolSums
from surehand.exceptions import NotEnoughData
from surehand.frames import Actions, Pairs, Stats, join_rows
from surehand.measure.angles import wrap
from surehand.measure.convention import GripperConvention, polarity_agreement
from surehand.measure.error import ErrorAccumulator, ErrorSums, Scale, dead_dimensions, make_scale
from surehand.measure.gripper import EventCounts, gripper_events
from surehand.measure.motion import MotionSums, motion
from surehand.measure.phases import PhaseRule
from surehand.measure.stitch import Stitched, stitch
from surehand.measure.stochastic import EnergySums, energy_score
from surehand.measure.sums import Of

WORST = 3  # episodes whose traces are kept
AGREEMENT_FRAMES = 100_000  # executed frames behind the gripper's polarity


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What every policy of one evaluation is measured with."""

    plan: Plan
    horizon: int
    rule: PhaseRule
    training: Stats
    idle: np.ndarray  # (G,) groups that hardly move in training
    fps: float
    grippers: tuple[tuple[int, GripperConvention], ...] = ()
    tool: Tool | None = None
    recorded_in: tuple[str, ...] = ()  # spaces that the predictions came in, each once

    @property
    def executed(self) -> int:
        """Leading steps of a chunk that the robot executes."""
        return self.plan.executed_steps(self.horizon)

    @cached_property
    def dead(self) -> np.ndarray:
        """True for joints that never move in training, and for padding (D,)."""
        return dead_dimensions(self.training, self.plan.layout)

    @cached_property
    def std(self) -> Scale:
        """Training standard deviations: what puts unlike joints side by side."""
        return make_scale("std", self.training, size=self.plan.layout.size)

    def misses(self, stitched: Stitched) -> np.ndarray:
        """Squared errors of an executed trajectory in std units, angles on the circle, 0 for dead joints (M, D)."""
        difference = wrap(stitched.prediction - stitched.target.astype(np.float64), self.plan.layout.period)
        return np.asarray((difference / np.where(self.dead, np.inf, self.std.values)) ** 2)

    @property
    def tolerance(self) -> int:
        """Frames that a matched gripper event may be off: half a second."""
        return max(round(0.5 * self.fps), 1)


class Meter:
    """update(pairs, recorded) for every batch of whole episodes, then read the sums."""

    def __init__(self, name: str, yardstick: Yardstick, rival: bool = False) -> None:
        self.name, self.yardstick, self.rival = name, yardstick, rival
        layout, std, dead = yardstick.plan.layout, yardstick.std.values, yardstick.dead
        self.undefined = np.zeros(layout.size, bool)
        self.frames = self.draws = 0
        self.energy: EnergySums | None = None
        self.tool = ToolSums.empty(len(layout.groups)) if yardstick.tool else None
        weight = np.where(dead, 0.0, 1 / np.where(dead, 1.0, std) ** 2)
        kinds: tuple[Of, ...] = ("mean", "one", "best")
        self._sums = {
            of: ErrorAccumulator(layout.size, yardstick.horizon, yardstick.rule.phases, layout.period, of, weight)
            for of in kinds
        }
        self._events: dict[int, list[EventCounts]] = {column: [] for column, _ in yardstick.grippers}
        self._motion: list[MotionSums] = []
        self._seen: list[Stitched] = []  # the first frames, for the gripper's polarity
        self._worst: list[tuple[float, Stitched]] = []

    def update(self, pairs: Pairs, recorded: Actions, undefined: np.ndarray | None = None) -> None:
        """Add whole episodes; `undefined` (D,) marks columns a rival has no opinion on."""
        if undefined is not None:
            self.undefined |= undefined
        self.frames += int(pairs.valid.any(axis=1).sum())
        self.draws = pairs.prediction.shape[1]
        for of, sums in self._sums.items():
            if of == "mean" or self.draws > 1:
                sums.update(pairs)
        if self.draws > 1:
            energy = energy_score(pairs, self.yardstick.plan.layout, self.yardstick.std, self.yardstick.dead)
            self.energy = energy if self.energy is None else self.energy.merge(energy)
        if (self.undefined & ~self.yardstick.dead).any():
            return  # a trajectory with holes is no trajectory
        self._follow(stitch(pairs, self.yardstick.executed), pairs)
        if self.tool is not None and self.yardstick.tool is not None:
            self.tool.add(self.yardstick.tool.measure(pairs, recorded))

    @cached_property
    def sums(self) -> ErrorSums:
        """Squared errors of the mean of K draws; raises NotEnoughData where nothing was scored."""
        return self.sums_of("mean")

    def sums_of(self, of: Of) -> ErrorSums:
        """Squared errors of the mean of K draws, of one draw, or of the best of K."""
        sums = self._sums[of].compute()
        if not sums.counts.sum():
            raise NotEnoughData(
                f"{self.name}: nothing to score, no predicted step lies inside a held-out episode "
                "(beside the hold-last rival an episode's first frame does not count)"
            )
        return sums

    def events(self, column: int) -> EventCounts | None:
        """Gripper events of one column over all episodes, None where no trajectory was executed."""
        return join_rows(self._events[column]) if self._events[column] else None

    def agreement(self, column: int) -> float:
        """Correlation of predicted and recorded gripper values; near −1 one of them is reversed."""
        if not self._seen:
            return float("nan")
        both = [np.concatenate([getattr(s, side)[:, column] for s in self._seen]) for side in ("prediction", "target")]
        return polarity_agreement(both[0], both[1])

    @property
    def motion(self) -> MotionSums | None:
        """Path, jerk and jumps of the executed trajectory over all episodes."""
        return join_rows(self._motion) if self._motion else None

    @property
    def worst(self) -> list[Stitched]:
        """Executed trajectories of the worst episodes in std units, worst first."""
        return [stitched for _, stitched in self._worst]

    def _follow(self, stitched: Stitched, pairs: Pairs) -> None:
        """What the robot would have done: events, motion, the worst episodes."""
        if not len(stitched):
            return
        here = self.yardstick
        for column, convention in here.grippers:
            self._events[column].append(gripper_events(stitched, column, convention, here.tolerance))
        self._motion.append(motion(stitched, here.plan.layout, here.std, here.dead, pairs.space.reference))
        if sum(map(len, self._seen)) < AGREEMENT_FRAMES:
            self._seen.append(stitched)
        if not self.rival:
            self._remember(stitched)

    def _remember(self, stitched: Stitched) -> None:
        size = self.yardstick.misses(stitched).sum(axis=1)
        for episode in np.unique(stitched.episode):
            rows = stitched.episode == episode
            one = Stitched(**{f.name: getattr(stitched, f.name)[rows] for f in fields(stitched)})
            self._worst.append((float(size[rows].mean()), one))
        self._worst = sorted(self._worst, key=lambda pair: -pair[0])[:WORST]
