"""Every action error of one checkpoint on held-out demonstrations: groups, near contact, first action, two spaces."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from surehand.align import pair
from surehand.decide.selectors import SPACES
from surehand.errors.tool import Tool
from surehand.errors.training import training_stats
from surehand.frames import Actions, Pairs, Predictions, Stats
from surehand.kinematics import Kinematics
from surehand.layout import Layout
from surehand.measure.error import GroupErrors, group_error
from surehand.measure.phases import NEAR_CONTACT, distance_phases
from surehand.sim.robot import Body
from surehand.sim.tasks import task as find_task

DISTANCE = "tool_object_distance"
Table = dict[str, dict[str, float]]  # space -> column, with @near or @first -> mean squared error


@dataclass(frozen=True, eq=False)
class Ruler:
    """What the checkpoints of one run are measured with: the same frames, statistics, phases and robot model."""

    held_out: Actions
    layout: Layout
    stats: Stats  # of the run's own demonstrations
    near: np.ndarray  # (N,) phase of every held-out frame
    tool: Tool

    @classmethod
    def of(cls, recorded: Actions, held_out: Actions, body: Body, near: float, execute: int, scratch: Path) -> "Ruler":
        """The ruler of one run; the robot's model is written into the folder `scratch` for the tool's position."""
        model = scratch / "robot.xml"
        model.write_text(find_task("pick").xml(find_task("pick").draw(body, 0), body), encoding="utf-8")
        columns = [body.layout.names.index(name) for name in ("base_x", "base_y", "base_theta")] if body.mobile else []
        base = (columns[0], columns[1], columns[2]) if columns else None
        arm = Kinematics.for_layout(model, "tool", body.layout, base=base)
        return cls(
            held_out,
            body.layout,
            training_stats([recorded], np.random.default_rng(0), "the run's own demonstrations"),
            distance_phases(held_out, held_out.columns[DISTANCE], near)[1],
            Tool(arm, body.layout, base, held_out.fps, execute - 1),
        )

    def measure(self, predictions: Predictions) -> tuple[Table, float]:
        """Errors of one checkpoint in both spaces, and the mean distance (m) between predicted and recorded tool."""
        pairs = self._pair(predictions)
        return self._tables(pairs), float(self.tool.measure(pairs, self.held_out).metres.mean())

    def mean_action(self, predictions: Predictions) -> Table:
        """Errors of a policy that always answers the mean training action, on the frames of `predictions`."""
        assert self.stats.mean is not None
        pairs = self._pair(predictions)
        return self._tables(replace(pairs, prediction=np.broadcast_to(self.stats.mean, pairs.prediction.shape)))

    def _pair(self, predictions: Predictions) -> Pairs:
        return pair(predictions, self.held_out, phase=self.near, phases=NEAR_CONTACT)

    def _tables(self, pairs: Pairs) -> Table:
        return {
            space: _table(group_error(pairs, self.layout, space=space, stats=self.stats))  # type: ignore[arg-type]
            for space in SPACES
        }


def _table(errors: GroupErrors) -> dict[str, float]:
    """Column, with @near or @first -> error."""
    parts = {"": errors.table(), "@near": errors.table(phase="contact"), "@first": errors.table(steps=slice(0, 1))}
    return {name + part: float(v) for part, row in parts.items() for name, v in zip(errors.names, row, strict=True)}
