"""The scripted demonstrator: drives up, reaches, grasps and lifts, or presses, with human-like variation."""

from dataclasses import dataclass, field

import numpy as np

from demo_data.robot import ARM, BASE, DT, GRIPPER, HEAD, HEAD_HEIGHT, point_in_base, solve_arm
from demo_data.world import BUTTON, CAN, CUBE, HOME, PITCH, World, new_world

LONGEST = 160  # frames after which an attempt is given up
GLANCES = 0.1  # chance per frame that one begins: about half of the time the head looks elsewhere
ARM_SPEED = np.array([0.15, 0.7, 0.8, 0.8, 0.9])  # m/s and rad/s at speed 1
TREMOR = np.array([0.004, 0.02, 0.02, 0.02, 0.02, 0, 0, 0, 0.04, 0.04, 0.06])
TREMOR_IN = {"drive": 1.0, "reach": 1.0, "approach": 0.4}  # share of it in each stage; none elsewhere
STANDOFF = {CUBE: (0.36, 0.41), CAN: (0.50, 0.58), BUTTON: (0.50, 0.58)}  # m from base centre to object


@dataclass
class Demonstrator:
    """One person on one attempt; `act` gives the commanded action (11,) for a world of one robot.

    Habits drawn per attempt: speed, standoff, where beside the object the base stops, when the arm starts, aim.
    During the attempt: hesitations (everything stops for some frames) and glances (the head looks elsewhere).
    """

    task: int
    rng: np.random.Generator
    stage: str = "drive"
    waited: int = 0
    pause: int = 0
    glance: int = 0
    glance_to: np.ndarray = field(default_factory=lambda: np.zeros(2))
    command: np.ndarray = field(default_factory=lambda: np.concatenate([HOME, np.zeros(3)]))

    def __post_init__(self) -> None:
        draw = self.rng.uniform
        self.speed = draw(0.85, 1.15)
        self.standoff = draw(*STANDOFF[self.task])
        self.beside = draw(-0.03, 0.03)
        self.early = draw(0.08, 0.25)  # m before the standoff at which the arm starts
        self.aim = self.rng.normal(0, 0.002, 3)
        self.linger = int(self.rng.integers(6, 14))  # frames held at the end

    def act(self, world: World) -> np.ndarray:
        """The next command (11,): targets for arm, gripper and head, velocities for the base."""
        self._look(world)
        if self.pause > 0:
            self.pause -= 1
            self.command[BASE] = 0
            return self.command.copy()
        if self.stage in ("drive", "reach") and self.rng.random() < 0.012:
            self.pause = int(self.rng.integers(3, 8))
        getattr(self, f"_{self.stage}")(world)
        return self.command.copy()

    @property
    def done(self) -> bool:
        return self.stage == "hold" and self.waited >= self.linger

    def _drive(self, world: World) -> None:
        """Towards the standoff; the arm starts to move when it is near, and the gripper gets ready."""
        if self.task == BUTTON:
            self.command[GRIPPER] = 0.0
        if self._drive_to(world, self.standoff) < self.early:
            self._arm_to(world, ahead=0.14, slow=1.0)
        if self._drive_to(world, self.standoff) < 0.025:
            self.stage = "reach"

    def _reach(self, world: World) -> None:
        """To 10 cm before the object along the tool's axis."""
        self._drive_to(world, self.standoff)
        if self._arm_to(world, ahead=0.10, slow=1.0) < 0.012:
            self.stage = "approach"

    def _approach(self, world: World) -> None:
        """Straight to the object, slowly, the base standing still."""
        self.command[BASE] = 0
        into = -0.015 if self.task == BUTTON else 0.0
        if self._arm_to(world, ahead=into, slow=0.35) < 0.006:
            self.stage = "hold" if self.task == BUTTON else "close"

    def _close(self, world: World) -> None:
        self.command[GRIPPER] = max(0.0, self.command[GRIPPER] - 0.3)
        self.waited += 1
        if self.waited >= 7:
            self.stage, self.waited = "lift", 0
            self.top = world.start_height[0] + self.rng.uniform(0.12, 0.16)

    def _lift(self, world: World) -> None:
        """Up with the lift alone, then back with the base."""
        self.command[0] += 0.2 * self.speed * DT
        if world.thing[0, 2] > self.top:
            self.stage = "back"

    def _back(self, world: World) -> None:
        self.command[BASE] = [-0.2 * self.speed, 0, 0]
        self.waited += 1
        if self.waited >= 10:
            self.stage, self.waited = "hold", 0

    def _hold(self, world: World) -> None:
        self.command[BASE] = 0
        self.waited += 1

    def _look(self, world: World) -> None:
        """The head follows the object, except during glances."""
        if self.glance == 0 and self.rng.random() < GLANCES:
            self.glance = int(self.rng.integers(5, 15))
            self.glance_to = np.array(
                [self.rng.choice([-1, 1]) * self.rng.uniform(0.4, 1.0), self.rng.uniform(-0.3, 0.2)]
            )
        x, y, z = point_in_base(world.base, world.thing[:, :3])[0]
        look = np.array([np.arctan2(y, x), np.arctan2(HEAD_HEIGHT - z, np.hypot(x, y))])
        if self.glance > 0:
            self.glance -= 1
            look = look + self.glance_to
        self.command[HEAD] += np.clip(look - self.command[HEAD], -0.15, 0.15)

    def _drive_to(self, world: World, standoff: float) -> float:
        """Base velocities towards the standoff pose; what comes back is the distance left in metres."""
        x, y, _ = point_in_base(world.base, world.thing[:, :3])[0]
        if self.task == BUTTON:
            heading = world.thing[0, 3] - world.base[0, 2]
        else:
            heading = np.arctan2(y - self.beside, x)
        ahead = np.array([x - standoff * np.cos(heading), y - self.beside - standoff * np.sin(heading)])
        left = float(np.hypot(*ahead) + 0.1 * abs(heading))
        top = np.array([0.28, 0.18]) * self.speed
        self.command[BASE] = [*np.clip(1.2 * ahead, -top, top), np.clip(1.2 * heading, -0.5, 0.5)]
        return left

    def _arm_to(self, world: World, ahead: float, slow: float) -> float:
        """Arm targets towards `ahead` metres before the object; what comes back is the largest joint motion left."""
        point = point_in_base(world.base, world.thing[:, :3])[0] + self.aim
        yaw = world.thing[0, 3] - world.base[0, 2]
        if self.task == CUBE:
            across, axis = np.array([np.cos(yaw), np.sin(yaw), 0.0]), np.array([0.0, 0.0, -1.0])
        else:
            across, axis = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
        goal = solve_arm(point - ahead * axis, PITCH[self.task], across, start=self.command[ARM])
        most = ARM_SPEED * self.speed * slow * DT
        self.command[ARM] += np.clip(goal - self.command[ARM], -most, most)
        return float(np.abs(goal - self.command[ARM]).max())


def record(task: int, rng: np.random.Generator) -> dict[str, np.ndarray] | None:
    """One demonstration: action (N, 11), state (N, 8), environment (N, 7), or None where the attempt failed.

    What is recorded is the command; what moves the robot also carries the tremor of a hand, so that the data show how
    to come back from small errors (Laskey et al. 2017, DART).
    """
    world, person = new_world(np.array([task]), rng), Demonstrator(task, rng)
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    tremor = np.zeros(11)
    while not person.done and len(rows) < LONGEST:
        state, environment = world.observe(rng)
        action = person.act(world)
        rows.append((action, state[0], environment[0]))
        tremor = 0.8 * tremor + 0.6 * TREMOR * rng.standard_normal(11)
        world.step((action + TREMOR_IN.get(person.stage, 0.0) * tremor)[None])
    if not world.succeeded()[0]:
        return None
    action, state, environment = (np.array(column) for column in zip(*rows, strict=True))
    return {"action": action, "state": state, "environment": environment}
