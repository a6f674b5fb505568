"""The demo robot: an HSR-class mobile manipulator with round numbers of our own, its kinematics and its MJCF text.

E robots at once in every function. Frames: x forward, y left, z up; angles in radians, lengths in metres.
"""

import numpy as np

FPS = 10
DT = 1 / FPS

ACTION_NAMES = (
    "arm_lift",
    "arm_flex",
    "arm_roll",
    "wrist_flex",
    "wrist_roll",
    "gripper",
    "head_pan",
    "head_tilt",
    "base_x",
    "base_y",
    "base_theta",
)
STATE_NAMES = ACTION_NAMES[:8]
D = len(ACTION_NAMES)
LAYOUT = (
    "arm(lift:prismatic[m] flex roll wrist_flex wrist_roll):revolute[rad] gripper:gripper[0..1] "
    "head(pan tilt):revolute[rad] base(x y theta[rad/s]):velocity[m/s]"
)
JOINT_NAMES = ("lift", "flex", "roll", "wrist_flex", "wrist_roll", "gripper", "pan", "tilt")  # of LAYOUT
ARM, GRIPPER, HEAD, BASE = slice(0, 5), 5, slice(6, 8), slice(8, 11)

SHOULDER = (0.10, 0.0, 0.30)  # of the lift's zero, in the base frame
UPPER_ARM = 0.35
TOOL = 0.20  # wrist to the point between the finger tips
HEAD_HEIGHT = 1.0

# Limits and fastest motion of the eight position-controlled columns; gripper 0 is closed, 1 is open.
LOW = np.array([0.0, -0.2, -1.6, -0.5, -1.6, 0.0, -1.5, -0.5])
HIGH = np.array([0.7, 2.0, 1.6, 2.5, 1.6, 1.0, 1.5, 1.0])
RATE = np.array([0.3, 1.2, 1.5, 1.5, 2.0, 3.0, 2.0, 2.0])
BASE_LIMIT = np.array([0.4, 0.3, 0.8])  # m/s, m/s, rad/s


def _about_y(angle: np.ndarray) -> np.ndarray:
    """Rotations about y (E, 3, 3)."""
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([c, zero, s, zero, one, zero, -s, zero, c], axis=-1).reshape(*angle.shape, 3, 3)


def _about_z(angle: np.ndarray) -> np.ndarray:
    """Rotations about z (E, 3, 3)."""
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([c, -s, zero, s, c, zero, zero, zero, one], axis=-1).reshape(*angle.shape, 3, 3)


def tool_in_base(arm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tool position (E, 3) and orientation (E, 3, 3) in the base frame, from the five arm joints (E, 5).

    The tool's z axis points from the wrist to the finger tips; the fingers close along its y axis.
    """
    lift, flex, roll, wrist_flex, wrist_roll = np.moveaxis(arm, -1, 0)
    upper = _about_y(flex)
    tool = upper @ _about_z(roll) @ _about_y(wrist_flex) @ _about_z(wrist_roll)
    position = np.array(SHOULDER) + UPPER_ARM * upper[..., 2] + TOOL * tool[..., 2]
    position[..., 2] += lift
    return position, tool


def to_world(base: np.ndarray, position: np.ndarray, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A pose of the base frame as seen from the world; base is x, y, heading (E, 3)."""
    turn = _about_z(base[..., 2])
    moved = np.einsum("...ij,...j->...i", turn, position)
    moved[..., :2] += base[..., :2]
    return moved, turn @ rotation


def point_in_base(base: np.ndarray, point: np.ndarray) -> np.ndarray:
    """A world point (E, 3) in the base frame (E, 3)."""
    offset = point - np.concatenate([base[..., :2], np.zeros_like(base[..., :1])], axis=-1)
    return np.einsum("...ji,...j->...i", _about_z(base[..., 2]), offset)


def solve_arm(point: np.ndarray, pitch: float, across: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Arm joints (5,) that put the tool at `point` (3,) of the base frame, or the nearest found within the limits.

    `pitch` is the angle of the tool from straight up (π/2 forward, π down), `across` a direction (3,) that the closing
    fingers stay perpendicular to. Five conditions for five joints: damped Newton steps with a numerical Jacobian.
    """

    def residual(arm: np.ndarray) -> np.ndarray:
        position, tool = tool_in_base(arm)
        lean = tool[..., :, 2] @ np.array([np.cos(pitch), 0.0, -np.sin(pitch)])
        twist = tool[..., :, 1] @ across
        return np.concatenate([position - point, 0.2 * lean[..., None], 0.2 * twist[..., None]], axis=-1)

    arm, step = np.clip(start, LOW[ARM], HIGH[ARM]), 1e-4
    for _ in range(8):
        now, *moved = residual(np.vstack([arm, arm + step * np.eye(5)]))
        jacobian = (np.array(moved) - now).T / step
        change = np.linalg.solve(jacobian.T @ jacobian + 1e-6 * np.eye(5), jacobian.T @ now)
        arm = np.clip(arm - np.clip(change, -0.3, 0.3), LOW[ARM], HIGH[ARM])
    return arm


def mjcf() -> str:
    """The robot as MJCF text: joints named as in LAYOUT, primitive shapes only, sites `tool` and `camera`.

    The model ends at the base, which stands at the origin: its columns are velocities, no joints.
    """
    shoulder = " ".join(f"{v:g}" for v in SHOULDER)

    def joint(name: str, axis: str) -> str:
        i = JOINT_NAMES.index(name)
        kind = "slide" if name == "lift" else "hinge"
        return f'<joint name="{name}" type="{kind}" axis="{axis}" range="{LOW[i]:g} {HIGH[i]:g}"/>'

    return f"""<mujoco model="demo mobile manipulator">
  <!-- Made by tools/demo_data/robot.py: round numbers of our own, no measured robot. -->
  <compiler angle="radian" autolimits="true"/>
  <worldbody>
    <body name="base">
      <geom type="cylinder" size="0.2 0.14" pos="0 0 0.15" mass="30"/>
      <body name="lift" pos="{shoulder}">
        {joint("lift", "0 0 1")}
        <geom type="box" size="0.04 0.04 0.05" mass="2"/>
        <body name="upper_arm">
          {joint("flex", "0 1 0")}
          <geom type="capsule" size="0.03" fromto="0 0 0 0 0 {UPPER_ARM:g}" mass="1.5"/>
          <body name="forearm" pos="0 0 {UPPER_ARM:g}">
            {joint("roll", "0 0 1")}
            <geom type="sphere" size="0.035" mass="0.5"/>
            <body name="wrist">
              {joint("wrist_flex", "0 1 0")}
              <geom type="capsule" size="0.025" fromto="0 0 0 0 0 0.1" mass="0.5"/>
              <body name="hand">
                {joint("wrist_roll", "0 0 1")}
                <geom type="box" size="0.02 0.05 0.02" pos="0 0 0.12" mass="0.3"/>
                <site name="tool" pos="0 0 {TOOL:g}" size="0.01"/>
              </body>
            </body>
          </body>
        </body>
      </body>
      <body name="neck" pos="0 0 {HEAD_HEIGHT:g}">
        {joint("pan", "0 0 1")}
        <geom type="cylinder" size="0.04 0.05" mass="0.5"/>
        <body name="head">
          {joint("tilt", "0 1 0")}
          <geom type="box" size="0.05 0.1 0.06" pos="0.05 0 0" mass="0.5"/>
          <site name="camera" pos="0.1 0 0" size="0.01"/>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
