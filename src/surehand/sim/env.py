"""The tasks as Gymnasium environments: `gymnasium.make("surehand/Pick-v0")` after `import surehand.sim`."""

from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from surehand.exceptions import ShapeError, SurehandError
from surehand.sim.camera import take_picture
from surehand.sim.model import CHANNELS, CONTROL_HZ, Diverged, World
from surehand.sim.robot import FINGER_TRAVEL
from surehand.sim.robot import body as find_body
from surehand.sim.scene import Scene
from surehand.sim.tasks import HELD, KINDS, Progress
from surehand.sim.tasks import task as find_task

Observation = dict[str, np.ndarray]
ENCODER_NOISE = 0.0005  # standard deviation of observed joints, rad or m


class BadAction(SurehandError):
    """An action that is not finite; the robot did not move."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A point to come back to: the physics and what the task remembers."""

    physics: np.ndarray
    progress: Progress
    step: int


class TaskEnv(gymnasium.Env[Observation, np.ndarray]):
    """One task on one body at 10 Hz. Actions (D,): positions of arm, gripper and head, velocities of the base.

    `reset(seed=)` names the initial state: the same seed is the same scene. `step` gives reward 1 on success, and in
    `info` the peak `forces` of the step, what was `violated`, the tool's `distance` to the object, and `void` where
    the simulation diverged. Actions that are not finite raise BadAction and are counted in `refused`.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012 (gymnasium's own attribute)

    def __init__(self, task: str = "pick", body: str = "mobile", render_mode: str | None = None) -> None:
        self.task, self.body = find_task(task), find_body(body)
        self.render_mode = render_mode
        self.refused = 0
        self.channels = CHANNELS
        self.instruction = ""
        low, high = (np.asarray(edge, np.float32) for edge in (self.body.low, self.body.high))
        self.action_space = spaces.Box(low, high, dtype=np.float32)
        self.reset(seed=0)
        sizes = {key: len(names) for key, names in self.observation_names.items()}
        self.observation_space = spaces.Dict(  # type: ignore[assignment]  # its own stubs say dict[str, Any]
            {key: spaces.Box(-np.inf, np.inf, (size,), np.float32) for key, size in sizes.items()}
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """The first observation of the scene `seed` names; without one the next scene is drawn."""
        super().reset(seed=seed)
        number = int(self.np_random.integers(2**31)) if seed is None else int(seed)
        self.scene: Scene = self.task.draw(self.body, number)
        self.instruction = self.scene.instruction
        self.world = World(self.task.xml(self.scene, self.body), self.body)
        _settle(self.world, self.scene)
        self.progress = Progress(start=float(self.world.object_position[2]))
        self.steps = 0
        rng = np.random.default_rng([number, 1])
        self._noise = rng.normal(size=(self.task.steps + 1, self.body.size + 4))
        self.forces = np.zeros(len(CHANNELS))
        return self.observe(), self._info({})

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One tenth of a second; raises BadAction or ShapeError, before anything moves, for what is no action."""
        wanted = self._checked(action)
        self.steps += 1
        try:
            self.forces = self.world.advance(wanted)
        except Diverged as error:
            self.forces = np.full(len(CHANNELS), np.nan)
            info = self._info({}) | {"void": True, "reason": str(error)}
            return {key: np.zeros_like(v) for key, v in self.observe().items()}, 0.0, True, False, info
        done = self.task.fulfilled(self.world, self.scene, self.progress, self.forces)
        self.progress.held = self.progress.held + 1 if done else 0
        success = self.progress.held >= HELD
        violated = self.violations(wanted)
        return self.observe(), float(success), success, self.steps >= self.task.steps, self._info(violated)

    @property
    def success(self) -> bool:
        """Whether the goal has been fulfilled for long enough."""
        return self.progress.held >= HELD

    def violations(self, action: np.ndarray) -> dict[str, bool]:
        """Which limits the last step broke: one per force channel, and commands beyond a joint's range."""
        body, tolerance = self.body, 1e-6
        beyond = (action < body.low - tolerance) | (action > body.high + tolerance)
        found = {name: bool(self.forces[CHANNELS.index(name)] > most) for name, most in self.task.limits.items()}
        return found | {"joints": bool((beyond & body.limited).any())}

    @property
    def distance(self) -> float:
        """From the tool point to the object's centre, m."""
        return float(np.linalg.norm(self.world.tool_position - self.world.object_position))

    def save(self) -> Snapshot:
        """A point that `restore` comes back to bit by bit."""
        return Snapshot(self.world.save(), replace(self.progress), self.steps)

    def restore(self, snapshot: Snapshot) -> None:
        """Back to a snapshot of this episode."""
        self.world.restore(snapshot.physics)
        self.progress, self.steps = replace(snapshot.progress), snapshot.step

    @property
    def observation_names(self) -> dict[str, tuple[str, ...]]:
        """What the numbers of each observation are."""
        columns = self.body.layout.names
        base = ("base_yaw_cos", "base_yaw_sin") if self.body.mobile else ()
        points = [f"{what}_{axis}" for what in ("tool", "object", "object_from_tool", "goal") for axis in "xyz"]
        commands = [f"{name}_command" for name in columns[:6]]
        thing = ["object_yaw_cos", "object_yaw_sin", "object_half_x", "object_half_y", "object_half_z"]
        return {"state": columns, "environment": (*points, *thing, *base, *commands)}

    def observe(self) -> Observation:
        """What a policy sees: `state` of the robot's columns, `environment` of everything else, in the base frame."""
        world, scene = self.world, self.scene
        noise = self._noise[min(self.steps, len(self._noise) - 1)]
        pose = world.base_pose
        c, s = np.cos(pose[2]), np.sin(pose[2])
        turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        origin = np.array([pose[0], pose[1], 0.0])
        tool = turn @ (world.tool_position - origin)
        thing = turn @ (world.object_position - origin) + scene.noise * noise[:3]
        goal = turn @ (np.array(scene.goal) - origin)
        yaw = world.object_yaw - pose[2] + 5 * scene.noise * noise[3]
        half = np.array(KINDS[scene.thing].half) * scene.scale
        base = [c, s] if self.body.mobile else []
        seen = np.concatenate(
            [tool, thing, thing - tool, goal, [np.cos(yaw), np.sin(yaw)], half, base, world.commanded()[:6]]
        )
        state = world.measured() + ENCODER_NOISE * noise[4:]
        return {"state": state.astype(np.float32), "environment": seen.astype(np.float32)}

    def render(self) -> np.ndarray:
        """An image (480, 640, 3) of the head camera; needs an OpenGL driver."""
        return self.picture("head", 640, 480)

    def picture(self, camera: str, width: int, height: int) -> np.ndarray:
        """What a camera sees now, (height, width, 3) uint8; SurehandError without OpenGL or such a camera."""
        return take_picture(self.world, camera, width, height)

    def _checked(self, action: np.ndarray) -> np.ndarray:
        wanted = np.asarray(action, dtype=np.float64)
        if wanted.shape != (self.body.size,):
            raise ShapeError(f"an action of shape {wanted.shape}; the {self.body.name} robot takes ({self.body.size},)")
        if not np.isfinite(wanted).all():
            self.refused += 1
            column = self.body.layout.names[int(np.flatnonzero(~np.isfinite(wanted))[0])]
            raise BadAction(f"step {self.steps}: {column} is not finite; action {self.refused} refused, nothing moved")
        return wanted

    def _info(self, violated: dict[str, bool]) -> dict[str, Any]:
        forces = dict(zip(CHANNELS, self.forces.tolist(), strict=True))
        return {
            "success": self.success,
            "forces": forces,
            "violated": violated,
            "distance": self.distance,
            "void": False,
            "instruction": self.instruction,
            "initial_state": self.scene.seed,
        }


def _settle(world: World, scene: Scene) -> None:
    """Joints, head and base to where the scene starts, commands to match, things at rest."""
    import mujoco

    body, data = world.body, world.data
    data.qpos[world.columns[:5]] = np.clip(scene.arm, body.low[:5], body.high[:5])
    data.qpos[world.fingers] = world.model.jnt_range[world.model.joint("finger_left").id, 1]
    if world.base is not None:
        data.qpos[world.columns[6:8]] = scene.head
        data.qpos[world.base] = scene.base
    mujoco.mj_forward(world.model, data)
    rest = world.measured()
    if world.base is not None:
        rest[8:] = 0.0
    data.ctrl[:] = rest
    data.ctrl[5] = rest[5] * FINGER_TRAVEL
    for _ in range(3):
        world.advance(rest)
