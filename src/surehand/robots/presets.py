"""The robots themselves. Column order and widths were read in the source that each preset names.

A kind or unit stands only where that source, or the machine's own mechanics, says so; "" means that datasets differ or
that nobody wrote it down, and the note says which.
"""

from dataclasses import dataclass

from surehand.layout import Layout


@dataclass(frozen=True)
class Robot:
    """A robot's action columns, how datasets spell them, and where that was read.

    `state_size` is the width of observation.state where it differs from the action, None where it is the same or
    unknown. `aliases` holds whole lists of column names (each D) as datasets spell them; `robot_types` the beginnings
    of robot_type in meta/info.json.
    """

    name: str
    layout: Layout
    state_size: int | None
    aliases: tuple[tuple[str, ...], ...]
    source: str
    note: str
    robot_types: tuple[str, ...]


def _spell(layout: Layout) -> tuple[str, ...]:
    """Column names as a dataset would most likely write them (D): the side in front, "" for padding."""
    sides = [joint.group.partition("_")[0] for joint in layout.joints]
    sided = [
        side in ("left", "right") and not joint.name.startswith(side)
        for joint, side in zip(layout.joints, sides, strict=True)
    ]
    return tuple(
        "" if joint.kind == "pad" else f"{side}_{joint.name}" if prefixed else joint.name
        for joint, side, prefixed in zip(layout.joints, sides, sided, strict=True)
    )


def _robot(
    name: str,
    pattern: str,
    source: str,
    note: str = "",
    *,
    names: tuple[str, ...] = (),
    types: tuple[str, ...] = (),
    state_size: int | None = None,
) -> Robot:
    layout = Layout.parse(pattern)
    aliases = (_spell(layout), *(tuple(text.split()) for text in names))
    for alias in aliases:
        assert len(alias) == layout.size, f"{name}: {len(alias)} names for {layout.size} columns"
    return Robot(name, layout, state_size, aliases, source, note, (name, *types))


_LEROBOT = "lerobot `src/lerobot/robots/"
_GROOT = "GR00T `examples/"
_UNITREE = "unitree_lerobot `utils/constants.py`"
_OPENPI = "openpi `docs/norm_stats.md`"

_FIVE = "(shoulder_pan shoulder_lift elbow_flex wrist_flex wrist_roll):revolute"
_SERVO_NOTE = "arm in degrees or −100..100 as `use_degrees` was set, so its unit is left open"
_ALOHA_ARM = "(waist shoulder elbow forearm_roll wrist_angle wrist_rotate):revolute[rad]"
_ALOHA = f"left_arm{_ALOHA_ARM} left_gripper:gripper right_arm{_ALOHA_ARM} right_gripper:gripper"
_ALOHA_NOTE = (
    "openpi's converter writes names right arm first over data that is left arm first; "
    "gripper linear or angular as the recorder chose, so without unit"
)
_G1_ARM = "(shoulder_pitch shoulder_roll shoulder_yaw elbow wrist_roll wrist_pitch wrist_yaw):revolute[rad]"
_G1_ARMS = f"left_arm{_G1_ARM} right_arm{_G1_ARM}"
_INSPIRE = "(hand_pinky hand_ring hand_middle hand_index hand_thumb_bend hand_thumb_rotation):gripper[0..1]"
_BRAINCO = "(hand_thumb hand_thumb_aux hand_index hand_middle hand_ring hand_pinky):gripper[0..1]"
_G1_LEG = "(hip_pitch hip_roll hip_yaw knee ankle_pitch ankle_roll):revolute[rad]"
_EEF = "pos(x y z):pose_delta rot(roll pitch yaw):pose_delta"
_REACHY_ARM = "(shoulder_pitch shoulder_roll elbow_yaw elbow_pitch wrist_roll wrist_pitch wrist_yaw):revolute"
_REACHY_NAMES = (
    "{side}_shoulder_pitch {side}_shoulder_roll {side}_elbow_yaw {side}_elbow_pitch "
    "{side}_wrist_roll {side}_wrist_pitch {side}_wrist_yaw {side}_gripper"
)
_HSR_FIRST = (
    "arm_lift_joint arm_flex_joint arm_roll_joint wrist_flex_joint wrist_roll_joint "
    "hand_motor_joint head_pan_joint head_tilt_joint"
)


def _both_arms(arm: str, gripper: str) -> str:
    return f"left_arm{arm} left_gripper{gripper} right_arm{arm} right_gripper{gripper}"


_PRESETS = (
    _robot(
        "hsr",
        "arm(lift:prismatic[m] flex roll wrist_flex wrist_roll):revolute[rad] gripper:gripper "
        "head(pan tilt):revolute[rad] base(x y theta)",
        "HSR repo `docs/INFERENCE.md`; names seen in public `robot_type: hsr` datasets",
        "the state has no base; its action is a displacement or a velocity as the recorder chose, so left open",
        names=(
            f"{_HSR_FIRST} base_x base_y base_t",
            f"{_HSR_FIRST} base_x base_y base_theta",
            "arm_lift arm_flex arm_roll wrist_flex wrist_roll gripper head_pan head_tilt base_x base_y base_theta",
        ),
        types=("toyota_hsr", "hsrb", "hsrc"),
        state_size=8,
    ),
    *(
        _robot(
            name,
            f"arm{_FIVE} gripper:gripper[0..100]",
            f"{_LEROBOT}{source}`",
            _SERVO_NOTE,
            names=(
                "main_shoulder_pan main_shoulder_lift main_elbow_flex main_wrist_flex main_wrist_roll main_gripper",
            ),
        )
        for name, source in (
            ("so100", "so_follower/so_follower.py"),
            ("so101", "so_follower/so_follower.py"),
            ("koch", "koch_follower/koch_follower.py"),
            ("omx", "omx_follower/omx_follower.py"),
        )
    ),
    _robot(
        "bi_so",
        _both_arms(_FIVE, ":gripper[0..100]"),
        f"{_LEROBOT}bi_so_follower/bi_so_follower.py`",
        _SERVO_NOTE,
        types=("bi_so100", "bi_so101", "bi_so_follower"),
    ),
    _robot(
        "lekiwi",
        f"arm{_FIVE} gripper:gripper[0..100] base(x:velocity[m/s] y:velocity[m/s] theta:velocity[deg/s])",
        f"{_LEROBOT}lekiwi/lekiwi.py`",
        _SERVO_NOTE,
        names=(
            "arm_shoulder_pan arm_shoulder_lift arm_elbow_flex arm_wrist_flex arm_wrist_roll arm_gripper "
            "x.vel y.vel theta.vel",
        ),
    ),
    _robot(
        "lekiwi_mm",
        f"arm{_FIVE} gripper:gripper base(x_mm:velocity[mm/s] y_mm:velocity[mm/s] theta:velocity[deg/s])",
        "lerobot aca464ca7 `mobile_manipulator.py`",
        "LeKiwi as lerobot first recorded it, base in mm/s; arm and gripper as calibrated, so without unit",
        types=("lekiwi",),
    ),
    _robot(
        "aloha",
        _ALOHA,
        "HF `lerobot/aloha_*` cards; openpi `src/openpi/policies/aloha_policy.py`",
        _ALOHA_NOTE,
        types=("trossen_ai_stationary", "vx300s_bimanual"),
    ),
    _robot(
        "mobile_aloha",
        f"{_ALOHA} base(linear angular):velocity",
        "HF `vo2yager/pen_uncap` card",
        f"the state has no base; in openpi's own space the two are x and y; {_ALOHA_NOTE}",
        types=("aloha_mobile", "trossen_ai_mobile"),
        state_size=14,
    ),
    _robot(
        "pi_generic",
        "left_arm(j1..j6):revolute[rad] left_gripper:gripper[0..1] right_arm(j1..j6):revolute[rad] "
        "right_gripper:gripper[0..1] base(x y):velocity pad(16)",
        _OPENPI,
        "π0's own space, 6-joint arms; gripper 0 open, 1 closed; single arms leave the right side dead",
    ),
    _robot(
        "pi_generic_7dof",
        "arm(j1..j7):revolute[rad] gripper:gripper[0..1] pad(24)",
        _OPENPI,
        "π0's own space for one 7-joint arm; gripper 0 open, 1 closed",
    ),
    _robot(
        "openarm",
        "arm(joint_1..joint_7):revolute[deg] gripper:gripper[deg]",
        f"{_LEROBOT}openarm_follower/openarm_follower.py`",
        "with `use_velocity_and_torque` each joint has three columns: not this layout",
    ),
    _robot(
        "bi_openarm",
        _both_arms("(joint_1..joint_7):revolute[deg]", ":gripper[deg]"),
        f"{_LEROBOT}bi_openarm_follower/bi_openarm_follower.py`",
    ),
    _robot(
        "droid",
        "arm(joint_0..joint_6):revolute[rad] gripper:gripper[0..1]",
        "lerobot `examples/port_datasets/port_droid.py`",
        "joint positions; openpi's DROID actions are joint velocities: droid_velocity",
        types=("franka",),
    ),
    _robot(
        "droid_velocity",
        "arm(joint_velocity_0..joint_velocity_6):velocity gripper:gripper[0..1]",
        "openpi `examples/droid/convert_droid_data_to_lerobot.py`",
        "joint velocities and a gripper position, one name for all columns",
    ),
    _robot(
        "franka",
        "arm(joint_1..joint_7):revolute[rad] gripper:gripper[0..1]",
        _OPENPI,
        "gripper 0 open, 1 closed",
        types=("franka", "panda", "fr3"),
    ),
    _robot(
        "libero",
        "pos(x y z):pose_delta[-1..1] rot(roll pitch yaw):pose_delta[-1..1] gripper:gripper[-1..1]",
        f"{_GROOT}LIBERO/modality.json`, lerobot `docs/source/libero.mdx`",
        "all columns are controller inputs in −1..1, deltas of the end effector; the state has 8",
        types=("panda", "libero"),
        state_size=8,
    ),
    *(
        _robot(
            name,
            f"{_EEF} gripper:gripper",
            source,
            "deltas of the end effector; gripper polarity differs between ports",
            types=types,
            state_size=8,
        )
        for name, source, types in (
            ("bridge", f"{_GROOT}SimplerEnv/bridge_modality.json`", ("widowx",)),
            ("fractal", f"{_GROOT}SimplerEnv/fractal_modality.json`", ("google_robot",)),
        )
    ),
    _robot(
        "openvla",
        f"{_EEF} gripper:gripper",
        f"{_GROOT}SimplerEnv/*_modality.json`",
        "the 7 columns OpenVLA shares with bridge and fractal",
    ),
    _robot(
        "robocasa_panda_omron",
        "base(base_motion_0..base_motion_3)[-1..1] control_mode[-1..1] pos(x y z):pose_delta[-1..1] "
        "rot(rx ry rz):pose_delta[-1..1] gripper:gripper[-1..1]",
        "lerobot `src/lerobot/envs/robocasa.py`",
        "lerobot's order, all columns controller inputs in −1..1; robosuite's native order differs; the state has 16",
        state_size=16,
    ),
    _robot(
        "robotwin",
        _both_arms("(j1..j6):revolute[rad]", ":gripper[0..1]"),
        "lerobot `src/lerobot/envs/robotwin.py`; RoboTwin `envs/_base_task.py`",
        "gripper 0 closed, 1 open",
        types=("aloha_agilex",),
    ),
    _robot(
        "robotwin_ee",
        " ".join(
            f"{s}_pos(x y z):pose_delta {s}_rot(qx qy qz qw):pose_delta {s}_gripper:gripper[0..1]"
            for s in ("left", "right")
        ),
        "lerobot `src/lerobot/envs/robotwin.py` (action_mode ee)",
        "relative to the pose at the episode's start; the state has 14",
        state_size=14,
    ),
    _robot(
        "unitree_g1",
        f"left_leg{_G1_LEG} right_leg{_G1_LEG} waist(waist_yaw waist_roll waist_pitch):revolute[rad] {_G1_ARMS}",
        f"{_LEROBOT}unitree_g1/g1_utils.py`",
        "without controller",
    ),
    _robot(
        "unitree_g1_locomotion",
        f"{_G1_ARMS} remote(remote.lx remote.ly remote.rx remote.ry)",
        f"{_LEROBOT}unitree_g1/unitree_g1.py`",
        "arms and the joystick that steers the walking controller; the state has 29",
        types=("unitree_g1",),
        state_size=29,
    ),
    _robot(
        "g1_dex1",
        f"{_G1_ARMS} left_gripper:gripper right_gripper:gripper",
        _UNITREE,
        types=("unitree_g1_dex1",),
    ),
    _robot(
        "g1_dex3",
        f"{_G1_ARMS} left_hand(hand_thumb0..hand_thumb2 hand_middle0 hand_middle1 hand_index0 hand_index1):revolute "
        "right_hand(hand_thumb0..hand_thumb2 hand_index0 hand_index1 hand_middle0 hand_middle1):revolute",
        _UNITREE,
        "fingers come thumb, middle, index on the left and thumb, index, middle on the right",
        types=("unitree_g1_dex3",),
    ),
    _robot(
        "g1_inspire",
        f"{_G1_ARMS} left_hand{_INSPIRE} right_hand{_INSPIRE}",
        _UNITREE,
        "finger values 0..1",
        types=("unitree_g1_inspire",),
    ),
    _robot(
        "g1_brainco",
        f"{_G1_ARMS} left_hand{_BRAINCO} right_hand{_BRAINCO}",
        _UNITREE,
        "finger values 0..1",
        types=("unitree_g1_brainco",),
    ),
    _robot(
        "gr1",
        "left_arm(j0..j6):revolute left_hand(j0..j5):revolute left_leg(j0..j5):revolute neck(j0..j2):revolute "
        "right_arm(j0..j6):revolute right_hand(j0..j5):revolute right_leg(j0..j5):revolute waist(j0..j2):revolute",
        "GR00T `demo_data/gr1.PickNPlace/meta/modality.json`",
        "datasets name the columns motor_0..motor_43; units are not written down",
        names=(" ".join(f"motor_{i}" for i in range(44)),),
        types=("gr1",),
    ),
    _robot(
        "reachy2",
        f"neck(neck_yaw neck_pitch neck_roll):revolute {_both_arms(_REACHY_ARM, ':gripper')} "
        "antennas(l_antenna r_antenna):revolute base(vx vy vtheta):velocity",
        f"{_LEROBOT}reachy2/robot_reachy2.py`",
        "any part may be absent, the order stays; units are the Reachy SDK's",
        names=(
            f"neck_yaw neck_pitch neck_roll {_REACHY_NAMES.format(side='l')} {_REACHY_NAMES.format(side='r')} "
            "l_antenna r_antenna mobile_base.vx mobile_base.vy mobile_base.vtheta",
        ),
    ),
    _robot(
        "stretch3",
        "head(head_pan head_tilt):revolute arm(lift:prismatic arm:prismatic wrist_pitch wrist_roll wrist_yaw):revolute "
        "gripper:gripper base(base_x base_y base_theta):velocity",
        "lerobot before 2c18210 `src/lerobot/robots/stretch3/robot_stretch3.py`",
        "no longer part of lerobot; units are the Stretch API's",
        types=("stretch",),
    ),
    _robot(
        "fetch",
        "arm(shoulder_pan shoulder_lift upperarm_roll elbow_flex forearm_roll wrist_flex wrist_roll):revolute "
        "gripper:gripper head(head_pan head_tilt):revolute torso(torso_lift:prismatic) base(forward rotation):velocity",
        "ManiSkill `mani_skill/agents/robots/fetch/fetch.py`, its PDBaseForwardVelController",
        "joint control modes (pose modes have six arm columns); head and torso are deltas; "
        "early versions had a base of three",
    ),
    _robot(
        "behavior_r1_pro",
        "base(x y yaw):velocity torso(j1..j4):revolute[rad] left_arm(j1..j7):revolute[rad] left_gripper:gripper[-1..1] "
        "right_arm(j1..j7):revolute[rad] right_gripper:gripper[-1..1]",
        "BEHAVIOR-1K `OmniGibson/omnigibson/learning/utils/eval_utils.py`",
        "",
        types=("r1pro", "r1_pro"),
    ),
    _robot(
        "hope_jr_arm",
        "arm(shoulder_pitch shoulder_yaw shoulder_roll elbow_flex wrist_roll wrist_yaw wrist_pitch)"
        ":revolute[-100..100]",
        f"{_LEROBOT}hope_jr/hope_jr_arm.py`",
    ),
    _robot(
        "hope_jr_hand",
        "thumb(thumb_cmc thumb_mcp thumb_pip thumb_dip):revolute[0..100] "
        + " ".join(
            f"{finger}({finger}_radial_flexor {finger}_ulnar_flexor {finger}_pip_dip):revolute[0..100]"
            for finger in ("index", "middle", "ring", "pinky")
        ),
        f"{_LEROBOT}hope_jr/hope_jr_hand.py`",
    ),
    _robot(
        "earthrover",
        "base(linear_velocity angular_velocity):velocity[-1..1]",
        f"{_LEROBOT}earthrover_mini_plus/robot_earthrover_mini_plus.py`",
        types=("earthrover_mini_plus",),
    ),
)

ROBOTS: dict[str, Robot] = {known.name: known for known in _PRESETS}

OMITTED: dict[str, str] = {
    "tiago": "no dataset or configuration in LeRobot format was found to read its columns from",
    "robocasa_native": "robosuite's own column order was not verified; lerobot's is robocasa_panda_omron",
    "unitree_g1_sonic": "its 64 columns are a controller's latent, not joints, so no groups can be named",
}
