"""The physics: MJCF put together, one control step with forces at every substep, exact snapshots and branches.

Forces are sums of contact normals in newtons, read from contact sensors in C. F force channels, S numbers of state.
"""

import os
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from surehand.exceptions import ShapeError
from surehand.sim.robot import FINGER_TRAVEL, Body

CONTROL_HZ = 10
TIMESTEP = 0.003125  # seconds
SUBSTEPS = round(1 / CONTROL_HZ / TIMESTEP)
FASTEST = 60.0  # m/s or rad/s: no part of this robot or its objects comes near; beyond it the simulation diverged

# Robot on object (sum, and largest single contact), robot on furniture, robot on itself, object on furniture.
CHANNELS = ("object", "pinch", "table", "self", "press")
_SENSORS = {  # sensor: (which contacts, most of them that can be told apart)
    "object": ('subtree1="base" body2="object"', 24),
    "table": ('subtree1="base" body2="furniture"', 16),
    "self": ('subtree1="base" subtree2="base"', 8),
    "press": ('body1="object" body2="furniture"', 24),
}


class Diverged(Exception):
    """The simulation left the range in which its numbers mean anything; the episode is void."""


def mjcf(body: Body, furniture: str, thing: str) -> str:
    """The whole scene as MJCF text: this robot, static furniture (geoms) and one movable thing (a body `object`)."""
    sensors = "\n".join(
        f'<contact name="{name}" {pairs} reduce="maxforce" data="force" num="{most}"/>'
        for name, (pairs, most) in _SENSORS.items()
    )
    return f"""<mujoco model="surehand {body.name}">
<compiler angle="radian" autolimits="true"/>
<option timestep="{TIMESTEP:g}" integrator="implicitfast" cone="elliptic" impratio="10" iterations="20">
  <flag autoreset="disable"/>
</option>
<visual>
  <headlight ambient="0.3 0.3 0.3" diffuse="0.3 0.3 0.3" specular="0 0 0"/>
  <quality offsamples="0" shadowsize="0"/>
  <global offwidth="640" offheight="480"/>
</visual>
<asset>
  <texture type="skybox" builtin="gradient" rgb1="0.80 0.84 0.88" rgb2="0.55 0.60 0.66" width="32" height="192"/>
  <texture name="tiles" type="2d" builtin="checker" rgb1="0.66 0.68 0.70" rgb2="0.74 0.76 0.78" width="64" height="64"/>
  <material name="tiles" texture="tiles" texrepeat="2 2" texuniform="true" specular="0"/>
</asset>
<default>
  <geom friction="0.9 0.01 0.0001" solref="0.008 1"/>
  <joint armature="0.01"/>
  <default class="world"><geom contype="1" conaffinity="7" rgba="0.72 0.62 0.52 1"/></default>
  <default class="arm"><geom contype="2" conaffinity="5" rgba="0.42 0.44 0.50 1"/></default>
  <default class="trunk"><geom contype="4" conaffinity="3" rgba="0.9 0.9 0.9 1"/></default>
  <default class="shown"><geom contype="0" conaffinity="0" rgba="0.7 0.7 0.7 1"/></default>
  <default class="pad"><geom contype="2" conaffinity="5" condim="4" rgba="0.1 0.1 0.1 1"/></default>
</default>
<worldbody>
  <camera name="side" pos="0.75 0.85 1.15" xyaxes="-0.76 0.65 0.00 -0.26 -0.30 0.92" fovy="50"/>
  <light pos="0.5 0.5 3" castshadow="false" diffuse="0.6 0.6 0.6"/>
  <body name="furniture">
    <geom name="floor" class="world" type="plane" size="4 4 0.1" material="tiles" rgba="1 1 1 1"/>
    {furniture}
  </body>
  {thing}
  {body.mjcf()}
</worldbody>
<equality><joint joint1="finger_right" joint2="finger_left" polycoef="0 1 0 0 0" solref="0.008 1"/></equality>
<contact><exclude body1="base" body2="upper_arm"/></contact>
<actuator>{body.actuators()}</actuator>
<sensor>{sensors}</sensor>
</mujoco>"""


@dataclass(frozen=True, eq=False)
class Branches:
    """What K candidate chunks would have done, H control steps each."""

    forces: np.ndarray  # (K, H, F) peak of each channel within the step, N
    states: np.ndarray  # (K, H, S) full physics state after the step
    diverged: np.ndarray  # (K,) bool


class World:
    """One scene being simulated; all that moves is in `save()`'s vector: a restored world repeats bit by bit."""

    def __init__(self, xml: str, body: Body) -> None:
        import mujoco

        self._mujoco = mujoco
        self.body = body
        self.model = mujoco.MjModel.from_xml_string(xml)
        self.data = mujoco.MjData(self.model)
        model = self.model
        self.columns = np.array([_address(model, name) for name in body.layout.names])  # of qpos, or of qvel for a base
        self.fingers = np.array([model.joint(f"finger_{side}").qposadr[0] for side in ("left", "right")])
        self.base = (
            np.array([model.joint(n).qposadr[0] for n in ("base_x", "base_y", "base_theta")]) if body.mobile else None
        )
        self.tool = model.site("tool").id
        self.object = model.body("object").id
        self._readings = self.data.sensordata  # a view that follows every step
        self._log = np.zeros((SUBSTEPS, model.nsensordata))
        self._slices = {name: _normals(model, name) for name in _SENSORS}
        self._spec = int(mujoco.mjtState.mjSTATE_INTEGRATION)
        self._size = mujoco.mj_stateSize(model, self._spec)
        self._ahead: list[Any] = []  # one per thread that looks ahead
        self._scratch: World | None = None

    # What is where

    @property
    def tool_position(self) -> np.ndarray:
        """Of the point between the finger pads, in the world (3,)."""
        return np.array(self.data.site_xpos[self.tool])

    @property
    def object_position(self) -> np.ndarray:
        """Of the movable thing's centre, in the world (3,)."""
        return np.array(self.data.xpos[self.object])

    @property
    def object_yaw(self) -> float:
        """Heading of the movable thing, rad."""
        matrix = self.data.xmat[self.object]
        return float(np.arctan2(matrix[3], matrix[0]))

    @property
    def object_speed(self) -> float:
        """Of the movable thing's centre, m/s."""
        first = self.model.body_dofadr[self.object]
        count = min(3, self.model.body_dofnum[self.object])
        return float(np.linalg.norm(self.data.qvel[first : first + count]))

    @property
    def base_pose(self) -> np.ndarray:
        """x, y and heading of the base (3,)."""
        if self.base is None:
            return np.array([self.model.body("base").pos[0], 0.0, 0.0])
        return np.array(self.data.qpos[self.base])

    def measured(self) -> np.ndarray:
        """What each action column commands, as it is now (D,): positions, opening 0..1, base velocity in its frame."""
        data, body = self.data, self.body
        found = np.empty(body.size)
        still = body.size - 3 if body.mobile else body.size
        found[:still] = data.qpos[self.columns[:still]]
        found[5] /= FINGER_TRAVEL
        if self.base is not None:
            heading = data.qpos[self.base[2]]
            c, s = np.cos(heading), np.sin(heading)
            vx, vy, turn = data.qvel[self.columns[still:]]
            found[still:] = c * vx + s * vy, c * vy - s * vx, turn
        return found

    def commanded(self) -> np.ndarray:
        """The command in force (D,), in action units."""
        found = np.array(self.data.ctrl)
        found[5] /= FINGER_TRAVEL
        return found

    # One step

    def controls(self, action: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """Actuator inputs (D,) for an action (D,): within the ranges and the rates after `previous`."""
        wanted = np.clip(action, self.body.low, self.body.high)
        wanted[5] *= FINGER_TRAVEL
        rate = self._rate
        return np.asarray(np.clip(wanted, previous - rate, previous + rate))

    @cached_property
    def _rate(self) -> np.ndarray:
        rate = self.body.rate.copy()
        rate[5] *= FINGER_TRAVEL
        return rate

    def advance(self, action: np.ndarray) -> np.ndarray:
        """Peak force of each channel (F,) over one control step; raises Diverged where the numbers ran away."""
        data, log, readings, step, model = self.data, self._log, self._readings, self._mujoco.mj_step, self.model
        data.ctrl[:] = self.controls(action, data.ctrl)
        for row in log:
            step(model, data)
            row[:] = readings
        if not _sane(data.qpos, data.qvel):
            raise Diverged("positions or velocities are not finite or too large")
        return np.asarray(self.channels(log).max(axis=0))

    def channels(self, readings: np.ndarray) -> np.ndarray:
        """Force channels (..., F) of contact sensor readings (..., number of sensor values)."""
        normal = {name: readings[..., columns] for name, columns in self._slices.items()}
        total = {name: values.sum(axis=-1) for name, values in normal.items()}
        pinch = normal["object"].max(axis=-1)
        return np.stack([total["object"], pinch, total["table"], total["self"], total["press"]], axis=-1)

    # Snapshots and branches

    def save(self) -> np.ndarray:
        """Everything that decides what happens next (S',)."""
        state = np.empty(self._size)
        self._mujoco.mj_getState(self.model, self.data, state, self._spec)
        return state

    def restore(self, state: np.ndarray) -> None:
        """Back to a saved state; positions of bodies and sites follow at once."""
        self._mujoco.mj_setState(self.model, self.data, state, self._spec)
        self._mujoco.mj_kinematics(self.model, self.data)

    def scratch(self) -> "World":
        """A world of the same model to show states in; nothing that moves is shared."""
        if self._scratch is None:
            self._scratch = copy(self)
            self._scratch.data = self._mujoco.MjData(self.model)
        return self._scratch

    def show(self, state: np.ndarray) -> None:
        """A state of `Branches` (S,) to look at: positions of bodies and velocities, no contacts."""
        self._mujoco.mj_setState(self.model, self.data, state, int(self._mujoco.mjtState.mjSTATE_FULLPHYSICS))
        self._mujoco.mj_kinematics(self.model, self.data)

    def branch(self, actions: np.ndarray, threads: int = 2) -> Branches:
        """What each of K chunks (K, H, D) would do from here, computed by mujoco.rollout; the world does not move."""
        k, h, d = actions.shape
        if d != self.body.size:
            raise ShapeError(f"chunks have {d} columns, the {self.body.name} robot takes {self.body.size}")
        controls = np.empty((k, h, d))
        for candidate in range(k):
            previous = np.array(self.data.ctrl)
            for step in range(h):
                previous = controls[candidate, step] = self.controls(actions[candidate, step], previous)
        full = int(self._mujoco.mjtState.mjSTATE_FULLPHYSICS)
        size = self._mujoco.mj_stateSize(self.model, full)
        start = np.empty(size)
        self._mujoco.mj_getState(self.model, self.data, start, full)
        self._ahead += [self._mujoco.MjData(self.model) for _ in range(max(threads, 1) - len(self._ahead))]
        states, readings = _pool(threads, os.getpid()).rollout(
            self.model,
            self._ahead[: max(threads, 1)],
            np.tile(start, (k, 1)),
            np.repeat(controls, SUBSTEPS, axis=1),
            initial_warmstart=np.tile(self.data.qacc_warmstart, (k, 1)),
        )
        forces = self.channels(readings.reshape(k, h, SUBSTEPS, -1)).max(axis=2)
        after = states[:, SUBSTEPS - 1 :: SUBSTEPS]
        q, v = slice(1, 1 + self.model.nq), slice(1 + self.model.nq, 1 + self.model.nq + self.model.nv)
        diverged = np.array([not _sane(one[:, q], one[:, v]) for one in after])
        return Branches(forces, after, diverged)


@cache
def _pool(threads: int, process: int) -> Any:
    """Threads that carry out rollouts, kept from branch to branch; a forked process has to start its own."""
    from mujoco import rollout

    return rollout.Rollout(nthread=threads)


def _sane(positions: np.ndarray, velocities: np.ndarray) -> bool:
    return bool(np.isfinite(positions).all() and (np.abs(velocities) < FASTEST).all())


def _address(model: Any, column: str) -> int:
    """Of the column's qpos, or qvel where it commands a velocity of the base."""
    if column == "hand_motor_joint":
        return int(model.joint("finger_left").qposadr[0])
    joint = model.joint(column)
    return int(joint.dofadr[0] if column.startswith("base_") else joint.qposadr[0])


def _normals(model: Any, name: str) -> slice:
    """Columns of sensordata that hold the normal forces: every third, after them come the two tangential ones."""
    first = int(model.sensor(name).adr[0])
    return slice(first, first + int(model.sensor_dim[model.sensor(name).id]), 3)
