"""A script becomes actions: the arm reaches, the base drives, the head looks; the same code for both bodies.

A script is a list of stages; each says where the tool shall be, how fast, how wide the hand opens and when it is over.
Human-like variation is a set of named options, all off unless asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surehand.sim.env import TaskEnv
from surehand.sim.robot import FINGER_STIFFNESS, FINGER_TRAVEL, HEAD
from surehand.sim.scene import STAND_BACK
from surehand.sim.tasks import KINDS

GRAVITY = 9.81
NUDGE, NUDGED_LESS = 0.3, 0.30  # standard deviation of a nudge; it shrinks where the thing is nearer than this, m
FARTHEST = 0.47  # the mobile body works no farther in front of its base than this, m
Pose = tuple[np.ndarray, float]  # of the tool: position in the world (3,) and yaw of the line through both fingers


@dataclass(frozen=True)
class Variation:
    """How demonstrators differ beyond what the scene draws; every option is off in headline results."""

    speed: bool = False  # each episode at 0.6 to 1 of full speed
    pauses: bool = False  # now and then the hand rests for 0.3 to 1 s
    glances: bool = False  # the head wanders off for 0.3 to 1.5 s at a time
    nudges: bool = False  # on its way to the thing the robot is pushed off course, and what is recorded corrects it


@dataclass(frozen=True)
class Stage:
    """Part of a script: the tool's target, and when the next part begins."""

    target: Callable[[], Pose]
    opening: Callable[[], float]  # of the hand, 0..1
    done: Callable[[], bool]
    pace: float = 1.0  # of the arm's rate limits
    cruise: float = 0.30  # of the base, m/s
    at_least: int = 0  # steps


class Follower:
    """A script being followed in one episode: `act()` is the next action (D,). It knows the true state."""

    def __init__(self, env: TaskEnv, variation: Variation, seed: int) -> None:
        self.env, self.world, self.body, self.scene = env, env.world, env.body, env.scene
        self.variation = variation
        self.rng = np.random.default_rng([seed, 2])
        self.speed = float(self.rng.uniform(0.6, 1.0)) if variation.speed else 1.0
        # How far in front the base leaves the thing: its own number per scene, not a variation of the demonstrator.
        self.stand_off = float(np.random.default_rng([self.scene.seed, 3]).uniform(0.37, 0.44))
        self.stage = self.waited = self.resting = self.away = 0
        self.glance = np.zeros(2)
        self.half = np.array(KINDS[self.scene.thing].half) * self.scene.scale
        self.script: list[Stage] = []

    def act(self) -> np.ndarray:
        """The next action; moves on to the next stage when this one is over."""
        stage = self.script[self.stage]
        if self.waited >= stage.at_least and stage.done() and self.stage + 1 < len(self.script):
            self.stage, self.waited = self.stage + 1, 0
            stage = self.script[self.stage]
        self.waited += 1
        target, yaw = stage.target()
        action = np.zeros(self.body.size)
        self._move(action, target, yaw, stage)
        action[5] = np.clip(stage.opening(), 0.0, 1.0)
        if self.body.mobile:
            action[6:8] = self._look()
        if self._rests():
            action[:5] = self.world.commanded()[:5]
            if self.body.mobile:
                action[-3:] = 0.0
        return np.asarray(np.clip(action, self.body.low, self.body.high))

    def nudge(self) -> np.ndarray:
        """What is added to the next action before it is carried out (D,): zeros unless nudged, or touching something.

        A learner that has only seen perfect approaches does not know the way back to one (Laskey et al. 2017, DART).
        """
        body = self.body
        if not self.variation.nudges or self.env.forces[:3].any() or self.rng.random() < 0.5:
            return np.zeros(body.size)
        # In shares of the largest change per step, or of the largest velocity; gentler near the thing; never the hand.
        reach = np.where(np.isfinite(body.rate), body.rate, body.high) * min(1.0, self.env.distance / NUDGED_LESS)
        reach[5] = 0.0
        return np.asarray(self.rng.normal(0.0, NUDGE, body.size) * reach)

    # What scripts are made of

    def near(self, point: np.ndarray, across: float = 0.006, height: float = 0.008) -> bool:
        """Whether the tool is at a point of the world."""
        offset = self.world.tool_position - point
        return bool(np.hypot(offset[0], offset[1]) < across and abs(offset[2]) < height)

    def squeeze(self) -> float:
        """The opening to command so that the closed hand squeezes as firmly as this scene's demonstrator does.

        Both fingers together need mass · g / friction to hold; the servo's force is its stiffness times how far the
        command lies inside the thing.
        """
        force = self.scene.firmness * self.scene.mass * GRAVITY / self.scene.friction + self.scene.squeeze
        width = self.half[0] if KINDS[self.scene.thing].shape == "cylinder" else self.half[1]
        return float(np.clip((width - force / FINGER_STIFFNESS) / FINGER_TRAVEL, 0.0, 1.0))

    def grasp_yaw(self) -> float:
        """Of the fingers' line, for the face that needs the least turning."""
        turns = KINDS[self.scene.thing].turns
        if turns == 0.0:
            return 0.0
        yaw = self.world.object_yaw
        return float(yaw - turns * np.round(yaw / turns))

    def grasp_height(self) -> float:
        """Tool height that holds the thing by its upper part."""
        return float(self.world.object_position[2] + self.half[2] - 0.028)

    def turned(self, yaw: float) -> bool:
        """Whether wrist and base have reached the yaw that the script wants."""
        pose = self.world.base_pose
        x, y = self.world.tool_position[0] - pose[0], self.world.tool_position[1] - pose[1]
        turn = 0.0 if self.body.mobile else float(np.arctan2(y, x))
        wanted = np.clip(turn - (yaw - pose[2]), self.body.low[4], self.body.high[4])
        return bool(abs(self.world.measured()[4] - wanted) < 0.06 and abs(pose[2]) < 0.06)

    # How the body follows

    def _move(self, action: np.ndarray, target: np.ndarray, yaw: float, stage: Stage) -> None:
        pose = self.world.base_pose
        c, s = np.cos(pose[2]), np.sin(pose[2])
        x, y = target[0] - pose[0], target[1] - pose[1]
        point = np.array([c * x + s * y, c * y - s * x, target[2]])
        if self.body.mobile:
            point[0] = min(point[0], FARTHEST)  # the base comes closer; until then the arm stays high
        arm = self.body.reach(point, yaw - pose[2])
        now, pace = self.world.commanded()[:5], stage.pace * self.speed
        # All joints arrive together: an arm that stretches out before it has risen sweeps over the table.
        slowest = float(np.max(np.abs(arm - now) / (self.body.rate[:5] * pace)))
        action[:5] = now + (arm - now) / max(slowest, 1.0)
        if not self.body.mobile:
            return
        stand = min(target[0] - self.stand_off, -STAND_BACK)
        ahead, left = 1.8 * (stand - pose[0]), 2.5 * (target[1] - self.world.tool_position[1])
        if target[0] - pose[0] > 0.60:  # far: go there first, then to the side
            left = 1.5 * (target[1] - pose[1])
        cruise = stage.cruise * self.speed
        vx, vy = np.clip([ahead, left], -cruise, cruise)
        action[-3:] = c * vx + s * vy, c * vy - s * vx, np.clip(-1.8 * pose[2], -0.5, 0.5)

    def _look(self) -> np.ndarray:
        """Head angles (2,) that take the gaze to the thing, or to where it wandered."""
        if self.variation.glances:
            if self.away == 0:
                self.glance = self.rng.normal(0.0, 0.5, 2) * np.array([1.0, 0.5])
                self.away = int(self.rng.integers(3, 16))
            self.away -= 1
        pose = self.world.base_pose
        c, s = np.cos(pose[2]), np.sin(pose[2])
        x, y, z = self.world.object_position - np.array([pose[0], pose[1], HEAD[2] + 0.1])
        ahead, left = c * x + s * y - HEAD[0], c * y - s * x
        wanted = np.array([np.arctan2(left, ahead), np.arctan2(-z, np.hypot(ahead, left))]) + self.glance
        now = self.world.commanded()[6:8]
        moved = now + np.clip(0.5 * (wanted - now), -self.body.rate[6:8], self.body.rate[6:8])
        return np.asarray(np.clip(moved, self.body.low[6:8], self.body.high[6:8]))

    def _rests(self) -> bool:
        if not self.variation.pauses:
            return False
        if self.resting:
            self.resting -= 1
        elif self.rng.random() < 0.03:
            self.resting = int(self.rng.integers(3, 11))
        return self.resting > 0
