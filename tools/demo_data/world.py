"""The demo's world: E robots, each with one object, moved kinematically; contact is a set of geometric rules."""

from dataclasses import dataclass

import numpy as np

from demo_data.robot import (
    ARM,
    BASE,
    BASE_LIMIT,
    DT,
    GRIPPER,
    HIGH,
    LOW,
    RATE,
    point_in_base,
    to_world,
    tool_in_base,
)

TASKS = ("pick up the cube", "pick up the can", "press the button")
CUBE, CAN, BUTTON = range(3)
PITCH = (np.pi, np.pi / 2, np.pi / 2)  # the tool's angle from straight up at contact: down, forward, forward
ENVIRONMENT_NAMES = ("object_x", "object_y", "object_z", "object_yaw", "reach_x", "reach_y", "reach_z")

HOME = np.array([0.3, 0.2, 0.0, 1.4, 0.0, 1.0, 0.0, 0.3])  # arm, gripper open, head
LIFTED = 0.08  # m that a picked object must rise
BETWEEN = 0.02  # m off centre along the closing direction that the open fingers still clear
HOLDING = 0.35  # opening at which the fingers rest on an object
STATE_NOISE = np.array([0.001, 0.002, 0.002, 0.002, 0.002, 0.005, 0.002, 0.002])
OBJECT_NOISE = 0.002  # m, and rad for the yaw


@dataclass
class World:
    """What is true of E robots and their objects at one instant; `step` changes it in place."""

    task: np.ndarray  # (E,) index into TASKS
    thing: np.ndarray  # (E, 4) the object's x, y, z and yaw in the world
    base: np.ndarray  # (E, 3) x, y, heading
    joints: np.ndarray  # (E, 8) arm, gripper, head
    velocity: np.ndarray  # (E, 3) of the base, in its own frame
    start_height: np.ndarray  # (E,) of the object
    held: np.ndarray  # (E,) bool
    pressed: np.ndarray  # (E,) bool
    knocked: np.ndarray  # (E,) bool: object tipped over, or panel or table hit

    def tool(self) -> tuple[np.ndarray, np.ndarray]:
        """Tool position (E, 3) and orientation (E, 3, 3) in the world."""
        return to_world(self.base, *tool_in_base(self.joints[:, ARM]))

    def succeeded(self) -> np.ndarray:
        """(E,) bool: object lifted or button pressed, nothing knocked."""
        lifted = self.held & (self.thing[:, 2] > self.start_height + LIFTED)
        return np.where(self.task == BUTTON, self.pressed, lifted) & ~self.knocked

    def observe(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Measured state (E, 8) and environment (E, 7): object pose and reach (object minus tool) in the base frame.

        The object is seen wherever the head looks: the head carries no information here.
        """
        state = self.joints + STATE_NOISE * rng.standard_normal(self.joints.shape)
        seen = point_in_base(self.base, self.thing[:, :3])
        pose = np.column_stack([seen, self.thing[:, 3] - self.base[:, 2]])
        pose += OBJECT_NOISE * rng.standard_normal(pose.shape)
        reach = pose[:, :3] - tool_in_base(state[:, ARM])[0]
        return state, np.hstack([pose, reach])

    def step(self, action: np.ndarray) -> None:
        """One control step with the action (E, 11): lagging joints and base, then the contact rules."""
        before, (tool_before, _) = self.joints[:, GRIPPER].copy(), self.tool()
        self._move(action)
        tool, rotation = self.tool()
        self.thing[self.held, :3] += (tool - tool_before)[self.held]
        # The object's centre from the tool: side, along the closing direction, ahead.
        offset = np.einsum("eji,ej->ei", rotation, self.thing[:, :3] - tool)
        self._touch_object(offset, before)
        self._touch_button(offset)

    def _move(self, action: np.ndarray) -> None:
        target = np.clip(action[:, :8], LOW, HIGH)
        target[:, GRIPPER] = np.where(self.held, np.maximum(target[:, GRIPPER], HOLDING), target[:, GRIPPER])
        self.joints += np.clip(0.6 * (target - self.joints), -RATE * DT, RATE * DT)
        self.velocity += 0.7 * (np.clip(action[:, BASE], -BASE_LIMIT, BASE_LIMIT) - self.velocity)
        heading = self.base[:, 2] + 0.5 * DT * self.velocity[:, 2]
        forward, left, turn = self.velocity.T
        self.base[:, 0] += DT * (forward * np.cos(heading) - left * np.sin(heading))
        self.base[:, 1] += DT * (forward * np.sin(heading) + left * np.cos(heading))
        self.base[:, 2] += DT * turn

    def _touch_object(self, offset: np.ndarray, opening_before: np.ndarray) -> None:
        """Grasp when the fingers close around the object; tip it over when a finger or the closed hand runs into it."""
        pick, opening = self.task != BUTTON, self.joints[:, GRIPPER]
        side, across, ahead = np.abs(offset).T
        around = (side < 0.02) & (across < BETWEEN) & (ahead < 0.02)
        aligned = (self.task == CAN) | (np.abs(self._twist()) < 0.3)
        closing = (opening_before > 0.5) & (opening <= 0.5)
        self.held = (self.held & (opening < 0.6)) | (pick & closing & around & aligned & ~self.knocked)
        finger = (ahead < 0.035) & (side < 0.03) & (across > BETWEEN) & (across < 0.045)
        fist = (np.linalg.norm(offset, axis=1) < 0.025) & (opening < 0.45)
        below = (self.task == CUBE) & (self.tool()[0][:, 2] < self.start_height - 0.02)
        self.knocked |= pick & ~self.held & (finger | fist | below)

    def _twist(self) -> np.ndarray:
        """(E,) angle between the closing direction and the nearest face of the cube, in −π/4..π/4."""
        closing = self.tool()[1][:, :, 1]
        angle = np.arctan2(closing[:, 1], closing[:, 0]) - self.thing[:, 3]
        return (angle + np.pi / 4) % (np.pi / 2) - np.pi / 4

    def _touch_button(self, offset: np.ndarray) -> None:
        """Press within 1.5 cm of the button's centre, up to 3 cm deep; anywhere else the hand hits the panel."""
        depth = -offset[:, 2]
        beside = np.hypot(offset[:, 0], offset[:, 1])
        at_button = (self.task == BUTTON) & (depth > 0.005)
        self.pressed |= at_button & (beside < 0.015) & (depth < 0.03) & ~self.knocked
        self.knocked |= at_button & ~self.pressed & ((beside >= 0.015) | (depth >= 0.03))


def new_world(task: np.ndarray, rng: np.random.Generator) -> World:
    """Fresh starts for the tasks (E,): object pose, distance, heading and posture vary."""
    count = len(task)
    height = np.array([0.50, 0.68, 0.85])[task] + rng.uniform(-0.05, 0.05, count)
    yaw = np.where(task == CUBE, rng.uniform(-0.5, 0.5, count), 0.0)
    yaw = np.where(task == BUTTON, rng.uniform(-0.25, 0.25, count), yaw)
    thing = np.column_stack([rng.uniform(-0.05, 0.05, count), rng.uniform(-0.15, 0.15, count), height, yaw])
    base = np.column_stack(
        [-rng.uniform(0.8, 1.15, count), rng.uniform(-0.2, 0.2, count), rng.uniform(-0.25, 0.25, count)]
    )
    joints = HOME + rng.normal(0, 0.03, (count, 8))
    no = np.zeros(count, bool)
    return World(
        task=task,
        thing=thing,
        base=base,
        joints=np.clip(joints, LOW, HIGH),
        velocity=np.zeros((count, 3)),
        start_height=height.copy(),
        held=no.copy(),
        pressed=no.copy(),
        knocked=no.copy(),
    )
