"""The robots: two bodies put together from the same parts, as MJCF text, with their layouts and closed-form reach.

Round numbers of our own, no measured robot: primitives only, x forward, y left, z up; metres, radians, kilograms.
"""

from dataclasses import dataclass

import numpy as np

from surehand.exceptions import SurehandError
from surehand.layout import Layout

SHOULDER = (0.14, 0.0, 0.30)  # of the lift's zero, from the base's centre on the floor
UPPER_ARM = 0.35
TOOL = 0.20  # wrist to the point between the finger pads
PAD = 0.02  # half the pads' length: the finger tips end this far beyond the tool point
FINGER_TRAVEL = 0.05  # of each finger; the opening is twice that
FINGER_STIFFNESS = 1500.0  # N/m of the grip's position servo, both fingers together
HEAD = (-0.08, 0.0, 1.06)  # pan axis, from the base's centre
CARRIED = np.array([0.32, 0.6, 0.0, 2.4, 0.0])  # arm posture in which episodes start


@dataclass(frozen=True, eq=False)
class Body:
    """A robot: its layout, how far and how fast each column may be commanded, and where its parts end up."""

    name: str
    layout: Layout
    low: np.ndarray  # (D,) commands below are clipped
    high: np.ndarray  # (D,)
    rate: np.ndarray  # (D,) largest change of a commanded position per control step; inf for velocities
    mobile: bool

    @property
    def size(self) -> int:
        """Number of action columns D."""
        return self.layout.size

    @property
    def limited(self) -> np.ndarray:
        """True where a command outside the range is a joint-limit violation: arm and head (D,)."""
        return np.array([joint.group in ("arm", "head") for joint in self.layout.joints])

    def reach(self, point: np.ndarray, yaw: float) -> np.ndarray:
        """Arm joints (5,) that point the tool straight down at `point` (3,) of the base frame, or nearest to it.

        `yaw` turns the line through both fingers, 0 along y. The mobile body reaches straight ahead alone: its base
        brings the point in front of it.
        """
        turn = 0.0 if self.mobile else float(np.arctan2(point[1], point[0]))
        radius = float(point[0] if self.mobile else np.hypot(point[0], point[1]))
        flex = float(np.arcsin(np.clip((radius - SHOULDER[0]) / UPPER_ARM, 0.2, 0.998)))
        lift = float(point[2]) - SHOULDER[2] - UPPER_ARM * np.cos(flex) + TOOL
        roll = turn - yaw
        arm = [lift, flex, 0.0, np.pi - flex, roll] if self.mobile else [lift, turn, flex, np.pi - flex, roll]
        return np.asarray(np.clip(np.array(arm), self.low[:5], self.high[:5]))

    def start(self) -> np.ndarray:
        """The carried posture of the arm (5,)."""
        lift, flex, roll, wrist_flex, wrist_roll = CARRIED
        order = (
            (lift, flex, roll, wrist_flex, wrist_roll) if self.mobile else (lift, roll, flex, wrist_flex, wrist_roll)
        )
        return np.array(order)

    def mjcf(self) -> str:
        """The robot as MJCF: one element `base` for the world body."""
        return _mobile() if self.mobile else _desk()

    def actuators(self) -> str:
        """The servos as MJCF, in the layout's column order."""
        names = [joint.name for joint in self.layout.joints]
        return "\n".join(_SERVOS[name] for name in names)


_RANGES = {
    # joint: (low, high, largest change per control step)
    "arm_lift_joint": (0.0, 0.70, 0.03),
    "arm_flex_joint": (-0.4, 2.0, 0.15),
    "arm_roll_joint": (-2.0, 2.0, 0.15),
    "arm_turn_joint": (-2.0, 2.0, 0.15),
    "wrist_flex_joint": (-0.5, 2.9, 0.20),
    "wrist_roll_joint": (-2.4, 2.4, 0.25),
    "hand_motor_joint": (0.0, 1.0, 0.40),
    "head_pan_joint": (-1.8, 1.8, 0.20),
    "head_tilt_joint": (-0.5, 1.2, 0.20),
    "base_x": (-0.35, 0.35, np.inf),
    "base_y": (-0.25, 0.25, np.inf),
    "base_theta": (-0.6, 0.6, np.inf),
}


def _body(name: str, pattern: str, mobile: bool) -> Body:
    layout = Layout.parse(pattern)
    low, high, rate = (np.array(column) for column in zip(*(_RANGES[n] for n in layout.names), strict=True))
    return Body(name, layout, low, high, rate, mobile)


BODIES = {
    "mobile": _body(
        "mobile",
        "arm(arm_lift_joint:prismatic[m] arm_flex_joint arm_roll_joint wrist_flex_joint wrist_roll_joint):revolute[rad]"
        " gripper(hand_motor_joint):gripper[0..1] head(head_pan_joint head_tilt_joint):revolute[rad]"
        " base(base_x base_y base_theta:velocity[rad/s]):velocity[m/s]",
        True,
    ),
    "desk": _body(
        "desk",
        "arm(arm_lift_joint:prismatic[m] arm_turn_joint arm_flex_joint wrist_flex_joint wrist_roll_joint):revolute[rad]"
        " gripper(hand_motor_joint):gripper[0..1]",
        False,
    ),
}


def body(name: str) -> Body:
    """The body of that name; raises SurehandError listing those there are."""
    if name not in BODIES:
        raise SurehandError(f"no simulated robot {name!r}; choose {' or '.join(BODIES)}")
    return BODIES[name]


def _joint(name: str, axis: str, damping: float, kind: str = "hinge") -> str:
    low, high, _ = _RANGES[name]
    return f'<joint name="{name}" type="{kind}" axis="{axis}" range="{low:g} {high:g}" damping="{damping:g}"/>'


def _position(name: str, kp: float, kv: float, force: float) -> str:
    joint = "finger_left" if name == "hand_motor_joint" else name
    return f'<position name="{name}" joint="{joint}" kp="{kp:g}" kv="{kv:g}" forcerange="-{force:g} {force:g}"/>'


def _drive(name: str, gear: str, kv: float, force: float) -> str:
    # A servo at a site works in the site's own frame: the commanded velocity stays "forward" while the base turns.
    return f'<velocity name="{name}" site="base_centre" gear="{gear}" kv="{kv:g}" forcerange="-{force:g} {force:g}"/>'


_SERVOS = {
    "arm_lift_joint": _position("arm_lift_joint", 4000, 400, 300),
    "arm_flex_joint": _position("arm_flex_joint", 500, 40, 100),
    "arm_roll_joint": _position("arm_roll_joint", 150, 8, 60),
    "arm_turn_joint": _position("arm_turn_joint", 500, 40, 100),
    "wrist_flex_joint": _position("wrist_flex_joint", 200, 12, 60),
    "wrist_roll_joint": _position("wrist_roll_joint", 80, 5, 40),
    "hand_motor_joint": _position("hand_motor_joint", FINGER_STIFFNESS, 40, 70),
    "head_pan_joint": _position("head_pan_joint", 50, 5, 20),
    "head_tilt_joint": _position("head_tilt_joint", 50, 5, 20),
    "base_x": _drive("base_x", "1 0 0 0 0 0", 1500, 300),
    "base_y": _drive("base_y", "0 1 0 0 0 0", 1500, 300),
    "base_theta": _drive("base_theta", "0 0 0 0 0 1", 150, 60),
}


def _finger(side: str, sign: int) -> str:
    return f"""
<body name="finger_{side}" gravcomp="1">
  <joint name="finger_{side}" type="slide" axis="0 {sign} 0" range="0 {FINGER_TRAVEL:g}" damping="20"/>
  <geom name="finger_{side}" class="arm" type="box" pos="0 {sign * 0.014:g} 0.15" size="0.010 0.006 0.07" mass="0.05"/>
  <geom name="pad_{side}" class="pad" type="box" pos="0 {sign * 0.004:g} {TOOL:g}" size="0.012 0.004 {PAD:g}"
        mass="0.01"/>
</body>"""


def _hand() -> str:
    """Wrist flex, wrist roll, palm with its camera, two fingers and the tool point."""
    return f"""
<body name="wrist" gravcomp="1">
  {_joint("wrist_flex_joint", "0 1 0", 2)}
  <geom class="arm" type="capsule" fromto="0 0 0 0 0 0.04" size="0.03" mass="0.4"/>
  <body name="hand" gravcomp="1">
    {_joint("wrist_roll_joint", "0 0 1", 1)}
    <geom name="palm" class="arm" type="box" pos="0 0 0.055" size="0.025 0.06 0.02" mass="0.3"/>
    <site name="tool" pos="0 0 {TOOL:g}" size="0.006" group="4"/>
    <camera name="hand" pos="0.07 0 0.07" xyaxes="0 -1 0 -0.94 0 -0.34" fovy="78"/>
    {_finger("left", 1)}
    {_finger("right", -1)}
  </body>
</body>"""


def _mobile() -> str:
    pan = f"{HEAD[0]:g} {HEAD[1]:g} {HEAD[2]:g}"
    return f"""
<body name="base">
  <joint name="base_x" type="slide" axis="1 0 0"/>
  <joint name="base_y" type="slide" axis="0 1 0"/>
  <joint name="base_theta" type="hinge" axis="0 0 1"/>
  <site name="base_centre" size="0.01" group="4"/>
  <geom name="chassis" class="trunk" type="cylinder" pos="0 0 0.11" size="0.20 0.09" mass="30"/>
  <geom name="column" class="trunk" type="cylinder" pos="-0.08 0 0.60" size="0.08 0.40" mass="8"/>
  <body name="head_pan" pos="{pan}" gravcomp="1">
    {_joint("head_pan_joint", "0 0 1", 1)}
    <geom class="shown" type="cylinder" size="0.04 0.05" mass="0.5"/>
    <body name="head_tilt" pos="0 0 0.10" gravcomp="1">
      {_joint("head_tilt_joint", "0 1 0", 1)}
      <geom name="head" class="trunk" type="box" pos="0.04 0 0" size="0.06 0.10 0.06" mass="0.8"/>
      <geom class="shown" type="capsule" fromto="0.04 0.10 0 0.04 0.28 0" size="0.015" mass="0"/>
      <camera name="head" pos="0.06 0.30 0" xyaxes="-0.355 -0.935 0 0 0 1" fovy="55"/>
    </body>
  </body>
  <body name="carriage" pos="{SHOULDER[0]:g} {SHOULDER[1]:g} {SHOULDER[2]:g}" gravcomp="1">
    {_joint("arm_lift_joint", "0 0 1", 50, "slide")}
    <geom class="shown" type="box" pos="-0.07 0 0" size="0.07 0.04 0.05" mass="2"/>
    <body name="upper_arm" gravcomp="1">
      {_joint("arm_flex_joint", "0 1 0", 4)}
      <geom name="upper_arm" class="arm" type="capsule" fromto="0 0 0.03 0 0 {UPPER_ARM - 0.05:g}" size="0.03"
            mass="1.5"/>
      <body name="forearm" pos="0 0 {UPPER_ARM:g}" gravcomp="1">
        {_joint("arm_roll_joint", "0 0 1", 2)}
        <geom class="shown" type="sphere" size="0.035" mass="0.4"/>
        {_hand()}
      </body>
    </body>
  </body>
</body>"""


def _desk() -> str:
    return f"""
<body name="base" pos="{DESK_X:g} 0 0">
  <geom name="column" class="trunk" type="cylinder" pos="-0.08 0 0.50" size="0.08 0.50" mass="20"/>
  <camera name="head" pos="0.05 0.45 1.05" xyaxes="-0.78 -0.62 0 0.42 -0.53 0.74" fovy="55"/>
  <body name="carriage" pos="0 0 {SHOULDER[2]:g}" gravcomp="1">
    {_joint("arm_lift_joint", "0 0 1", 50, "slide")}
    <geom class="shown" type="box" pos="-0.04 0 0" size="0.04 0.04 0.05" mass="1"/>
    <body name="shoulder" gravcomp="1">
      {_joint("arm_turn_joint", "0 0 1", 4)}
      <geom class="shown" type="box" pos="{SHOULDER[0] / 2:g} 0 0" size="{SHOULDER[0] / 2:g} 0.04 0.05" mass="1"/>
      <body name="upper_arm" pos="{SHOULDER[0]:g} 0 0" gravcomp="1">
        {_joint("arm_flex_joint", "0 1 0", 4)}
        <geom name="upper_arm" class="arm" type="capsule" fromto="0 0 0.03 0 0 {UPPER_ARM - 0.05:g}" size="0.03"
              mass="1.5"/>
        <body name="forearm" pos="0 0 {UPPER_ARM:g}" gravcomp="1">
          <geom class="shown" type="sphere" size="0.035" mass="0.4"/>
          {_hand()}
        </body>
      </body>
    </body>
  </body>
</body>"""


DESK_X = -0.25  # where the desk body's column axis stands; the table begins at x = 0
