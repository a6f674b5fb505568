"""Scripted experts, one per task: the stages that a demonstrator goes through, knowing the true state.

Distances in metres, angles in radians.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from surehand.sim.env import TaskEnv
from surehand.sim.follow import Follower, Pose, Stage, Variation
from surehand.sim.model import CHANNELS
from surehand.sim.robot import FINGER_TRAVEL
from surehand.sim.scene import TABLE
from surehand.sim.tasks import BUTTON_HALF, KINDS, TRIGGER

UP = np.array([0.0, 0.0, 1.0])
FINGER_TIP = 0.02  # the tips reach this far below the tool point
LOWEST = TABLE + FINGER_TIP + 0.012  # tool height with the tips just over the table
ABOVE = 0.16  # tool over the table while it travels
LIFT_TO = 0.16  # the tool rises this far with a picked thing
PUSH_OPENING = 0.5  # two spread fingers keep the thing from turning
PUSH_STEP, PRESS_STEP = 0.006, 0.003  # m per control step
STANDS = CHANNELS.index("press")


def expert(env: TaskEnv, variation: Variation | None = None, seed: int = 0) -> Follower:
    """The expert of this environment's task, at the start of its present episode; `seed` draws the variation."""
    follower = Follower(env, variation or Variation(), seed)
    follower.script = _SCRIPTS[env.task.name](follower)
    return follower


def _over(expert: Follower, height: float) -> Callable[[], Pose]:
    """Target above the thing."""

    def target() -> Pose:
        x, y, _ = expert.world.object_position
        return np.array([x, y, height]), expert.grasp_yaw()

    return target


def _fixed(point: np.ndarray, yaw: float) -> Callable[[], Pose]:
    return lambda: (point, yaw)


def _wide() -> float:
    return 1.0


def _shut() -> float:
    return 0.0


def _pick(e: Follower) -> list[Stage]:
    """Over the thing, down, close, up; from closing on the tool's place is remembered."""
    held: dict[str, Pose] = {}

    def down() -> Pose:
        x, y, _ = e.world.object_position
        held["pose"] = np.array([x, y, max(LOWEST, e.grasp_height())]), e.grasp_yaw()
        return held["pose"]

    def up() -> Pose:
        return held["pose"][0] + LIFT_TO * UP, held["pose"][1]

    over = _over(e, TABLE + ABOVE + e.half[2])
    return [
        Stage(over, _wide, lambda: e.near(over()[0], 0.03, 0.05)),
        Stage(over, _wide, lambda: e.near(over()[0], 0.008, 0.02) and e.turned(over()[1]), cruise=0.12),
        Stage(down, _wide, lambda: e.near(held["pose"][0], 0.010, 0.005), pace=0.6, cruise=0.06),
        Stage(lambda: held["pose"], e.squeeze, lambda: True, cruise=0.02, at_least=5),
        Stage(up, e.squeeze, lambda: e.near(up()[0], 0.02, 0.02), pace=0.7, cruise=0.03),
    ]


def _place(e: Follower) -> list[Stage]:
    """Pick, over the tray, down until the thing nearly stands, open, up."""
    goal = np.array(e.scene.goal)
    hang = {"by": 0.0}  # how far the thing's underside hangs below the tool

    def over() -> Pose:
        return np.array([goal[0], goal[1], TABLE + LIFT_TO + hang["by"]]), 0.0

    def inside() -> Pose:
        return np.array([goal[0], goal[1], goal[2] - 0.004 + hang["by"]]), 0.0

    def loosen() -> float:
        return float(e.world.measured()[5]) + 0.25

    def lifted() -> bool:
        hang["by"] = float(e.world.tool_position[2] - e.world.object_position[2] + e.half[2])
        return pick[-1].done()

    def standing() -> bool:
        return bool(e.env.forces[STANDS] > 0.3) or e.near(inside()[0], 0.015, 0.003)

    pick = _pick(e)
    return [
        *pick[:-1],
        replace(pick[-1], done=lifted),
        Stage(over, e.squeeze, lambda: e.near(over()[0], 0.012, 0.03), pace=0.6, cruise=0.12),
        Stage(inside, e.squeeze, standing, pace=0.35, cruise=0.04),
        Stage(
            lambda: (e.world.tool_position, 0.0), loosen, lambda: bool(e.env.forces[0] == 0), cruise=0.02, at_least=3
        ),
        Stage(lambda: (over()[0], 0.0), loosen, lambda: False, pace=0.7, cruise=0.02),
    ]


def _press(e: Follower) -> list[Stage]:
    """Over the button with a closed hand, down slowly until the switch has closed, stay."""
    top = np.array(e.scene.goal) + (BUTTON_HALF + FINGER_TIP) * UP
    height = {"z": top[2] + 0.005}

    def down() -> Pose:
        if e.scene.goal[2] - e.world.object_position[2] < TRIGGER + 0.001:
            # Never far below the tool: a hand that rested must not jump afterwards.
            height["z"] = max(height["z"] - PRESS_STEP * e.speed, e.world.tool_position[2] - 0.012)
        return np.array([top[0], top[1], height["z"]]), 0.0

    over = _fixed(top + 0.10 * UP, 0.0)
    close = _fixed(top + 0.015 * UP, 0.0)
    return [
        Stage(over, _shut, lambda: e.near(over()[0], 0.03, 0.05)),
        Stage(close, _shut, lambda: e.near(close()[0], 0.008, 0.006), pace=0.6, cruise=0.12),
        Stage(down, _shut, lambda: False, pace=0.3, cruise=0.03),
    ]


def _push(e: Follower) -> list[Stage]:
    """Behind the thing with two spread fingers, down, then along the line to the mark, a little at a time."""
    start, goal = np.array(e.scene.xy), np.array(e.scene.goal[:2])
    along = (goal - start) / np.linalg.norm(goal - start)
    yaw = float(np.arctan2(along[1], along[0]))
    yaw -= np.pi * np.round(yaw / np.pi)
    behind = float(e.half[1] + 0.012)  # fingers touch when the tool is this far behind the centre
    if KINDS[e.scene.thing].shape == "cylinder":
        behind = float(np.sqrt(max(e.half[0] ** 2 - (PUSH_OPENING * FINGER_TRAVEL) ** 2, 0.0)) + 0.012)
    low, carrot = LOWEST + 0.003, {"s": -behind - 0.03}
    end = float(np.linalg.norm(goal - start)) - behind + 0.002

    def at(s: float, z: float) -> np.ndarray:
        x, y = start + s * along
        return np.array([x, y, z])

    def onward() -> Pose:
        place = float((e.world.tool_position[:2] - start) @ along)
        left = float((goal - e.world.object_position[:2]) @ along)
        if left > 0.004:
            carrot["s"] = min(max(carrot["s"], place) + PUSH_STEP * e.speed, place + min(0.03, left + 0.004))
        return at(min(carrot["s"], end + 0.02), low), yaw

    def spread() -> float:
        return PUSH_OPENING

    over, beside = _fixed(at(carrot["s"], TABLE + ABOVE), yaw), _fixed(at(carrot["s"], low), yaw)
    return [
        Stage(over, spread, lambda: e.near(over()[0], 0.03, 0.05)),
        Stage(over, spread, lambda: e.near(over()[0], 0.008, 0.02) and e.turned(yaw), cruise=0.12),
        Stage(beside, spread, lambda: e.near(beside()[0], 0.012, 0.008), pace=0.6, cruise=0.06),
        Stage(onward, spread, lambda: False, pace=0.6, cruise=0.08),
    ]


_SCRIPTS: dict[str, Callable[[Follower], list[Stage]]] = {
    "pick": _pick,
    "place": _place,
    "press": _press,
    "push": _push,
}
