"""Known robots, and how a dataset's robot is found."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.exceptions import ShapeError, SurehandError
from surehand.layout import Layout
from surehand.robots import OMITTED, ROBOTS, find_robot, robot, robots_table

SERVOS = ["shoulder_pan.pos", "shoulder_lift.pos", "elbow_flex.pos", "wrist_flex.pos", "wrist_roll.pos", "gripper.pos"]
HSR = [
    *("arm_lift_joint", "arm_flex_joint", "arm_roll_joint", "wrist_flex_joint", "wrist_roll_joint", "hand_motor_joint"),
    *("head_pan_joint", "head_tilt_joint", "base_x", "base_y", "base_t"),
]
ALOHA_ARM = ["waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper"]
EIGHT = [*(f"joint_{i}.pos" for i in range(1, 8)), "gripper.pos"]


def test_widths_of_all_presets() -> None:
    widths = {
        "hsr": 11, "so100": 6, "so101": 6, "koch": 6, "omx": 6, "bi_so": 12, "lekiwi": 9, "lekiwi_mm": 9, "aloha": 14,
        "mobile_aloha": 16, "pi_generic": 32, "pi_generic_7dof": 32, "openarm": 8, "bi_openarm": 16, "droid": 8,
        "droid_velocity": 8, "franka": 8, "libero": 7, "bridge": 7, "fractal": 7, "openvla": 7,
        "robocasa_panda_omron": 12, "robotwin": 14, "robotwin_ee": 16, "unitree_g1": 29, "unitree_g1_locomotion": 18,
        "g1_dex1": 16, "g1_dex3": 28, "g1_inspire": 26, "g1_brainco": 26, "gr1": 44, "reachy2": 24, "stretch3": 11,
        "fetch": 13, "behavior_r1_pro": 23, "hope_jr_arm": 7, "hope_jr_hand": 16, "earthrover": 2,
    }  # fmt: skip
    assert {name: known.layout.size for name, known in ROBOTS.items()} == widths


@pytest.mark.parametrize(
    ("name", "spans"),
    [
        ("hsr", {"arm": (0, 5), "gripper": (5, 6), "head": (6, 8), "base": (8, 11)}),
        ("so101", {"arm": (0, 5), "gripper": (5, 6)}),
        ("aloha", {"left_arm": (0, 6), "left_gripper": (6, 7), "right_arm": (7, 13), "right_gripper": (13, 14)}),
        ("libero", {"pos": (0, 3), "rot": (3, 6), "gripper": (6, 7)}),
        (
            "unitree_g1",
            {"left_leg": (0, 6), "right_leg": (6, 12), "waist": (12, 15), "left_arm": (15, 22), "right_arm": (22, 29)},
        ),
        ("g1_inspire", {"left_arm": (0, 7), "right_arm": (7, 14), "left_hand": (14, 20), "right_hand": (20, 26)}),
        (
            "behavior_r1_pro",
            {
                "base": (0, 3),
                "torso": (3, 7),
                "left_arm": (7, 14),
                "left_gripper": (14, 15),
                "right_arm": (15, 22),
                "right_gripper": (22, 23),
            },
        ),
        (
            "robocasa_panda_omron",
            {"base": (0, 4), "control_mode": (4, 5), "pos": (5, 8), "rot": (8, 11), "gripper": (11, 12)},
        ),
        (
            "gr1",
            {
                "left_arm": (0, 7),
                "left_hand": (7, 13),
                "left_leg": (13, 19),
                "neck": (19, 22),
                "right_arm": (22, 29),
                "right_hand": (29, 35),
                "right_leg": (35, 41),
                "waist": (41, 44),
            },
        ),
        (
            "pi_generic",
            {
                "left_arm": (0, 6),
                "left_gripper": (6, 7),
                "right_arm": (7, 13),
                "right_gripper": (13, 14),
                "base": (14, 16),
            },
        ),
    ],
)
def test_group_columns(name: str, spans: dict[str, tuple[int, int]]) -> None:
    layout = robot(name)
    assert layout.groups == tuple(spans)
    assert {group: tuple(layout.columns(group)) for group in layout.groups} == {
        group: tuple(range(*span)) for group, span in spans.items()
    }


def test_every_preset_has_its_source_and_reads_back() -> None:
    for known in ROBOTS.values():
        assert known.source
        assert Layout.parse(str(known.layout)) == known.layout
        assert all(len(alias) == known.layout.size for alias in known.aliases)


def test_no_preset_is_also_omitted() -> None:
    assert not set(ROBOTS) & set(OMITTED) and all(OMITTED.values())


def test_the_padding_of_pi_is_padding() -> None:
    assert robot("pi_generic").is_pad.sum() == 16


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hsrr", "did you mean 'hsr'"),
        ("g1_inspyre", "did you mean 'g1_inspire'"),
        ("tiago", "no dataset"),
        ("", "layout"),
    ],
)
def test_unknown_robots_are_refused_with_a_hint(name: str, says: str) -> None:
    with pytest.raises(SurehandError, match=says):
        robot(name)


def test_names_are_read_leniently() -> None:
    assert robot("SO-101") is ROBOTS["so101"].layout


def test_g1_inspire_is_found_by_its_names(shared: Path) -> None:
    info = json.loads((shared / "g1_inspire_v21/meta/info.json").read_text())
    match = find_robot(info["features"]["action"]["names"][0], 26)
    assert match.robot == "g1_inspire" and match.layout == robot("g1_inspire")
    assert "all 26 column names are g1_inspire's" in str(match)


def test_gr1_is_found_by_robot_type_and_counted_names(shared: Path) -> None:
    meta = shared / "gr00t_meta/demo_data/gr1.PickNPlace/meta"
    info, stats = (json.loads((meta / name).read_text()) for name in ("info.json", "stats.json"))
    low, high = (np.array(stats["action"][key]) for key in ("min", "max"))
    match = find_robot(info["features"]["action"]["names"], 44, low, high, info["robot_type"])
    assert match.robot == "gr1" and "robot_type agrees" in match.evidence
    assert find_robot(None, 44, robot_type="GR1ArmsOnly").robot == "gr1"


def test_so101_is_told_from_its_twins_by_robot_type(shared: Path) -> None:
    info = json.loads((shared / "gr00t_meta/demo_data/cube_to_bowl_5/meta/info.json").read_text())
    match = find_robot(info["features"]["action"]["names"], 6, robot_type=info["robot_type"])
    assert match.robot == "so101" and set(match.candidates) == {"so100", "koch", "omx"}


def test_robocoin_contradiction_is_refused_with_both_counts(shared: Path) -> None:
    action = json.loads((shared / "robocoin_info/info.json").read_text())["features"]["action"]
    with pytest.raises(ShapeError, match=r"28 .* 30"):
        find_robot(action["names"], action["shape"][0])


def test_hsr_whole_without_base_and_with_padding() -> None:
    assert find_robot(HSR, 11).layout == robot("hsr")
    state = find_robot(HSR[:8], 8)
    assert state.robot == "hsr" and state.layout.groups == ("arm", "gripper", "head")
    assert "absent: x, y, theta" in state.evidence
    spread = [*HSR[:5], "zero_5", HSR[5], "zero_7", *(f"{name}_relative" for name in HSR[6:]), "zero_13"]
    padded = find_robot(spread, len(spread), robot_type="hsr")
    assert padded.robot == "hsr" and np.flatnonzero(padded.layout.is_pad).tolist() == [5, 7, 13]
    assert padded.layout.columns("base").tolist() == [10, 11, 12]


def test_columns_in_another_order_are_not_the_robot() -> None:
    match = find_robot([HSR[1], HSR[0], *HSR[2:]], 11)
    assert match.robot is None and match.layout.columns("base").tolist() == [8, 9, 10]


def test_aloha_names_right_first_over_left_first_data() -> None:
    left, right = ([f"{side}_{joint}" for joint in ALOHA_ARM] for side in ("left", "right"))
    assert find_robot(left + right, 14).evidence == ("all 14 column names are aloha's, in its order",)
    swapped = find_robot(right + left, 14)
    assert swapped.robot == "aloha" and swapped.layout.joints[0].group == "left_arm"
    assert "openpi" in str(swapped) and "right arm first" in str(swapped)


def test_ranges_decide_between_degrees_and_radians() -> None:
    undecided = find_robot(EIGHT, 8)
    assert undecided.robot is None and undecided.candidates == ("openarm", "franka")
    assert undecided.layout.groups == ("arm", "gripper") and {j.unit for j in undecided.layout.joints} == {""}
    assert find_robot(EIGHT, 8, np.full(8, -60.0), np.full(8, 60.0)).robot == "openarm"
    radians = np.full(8, 2.0)
    radians[7] = 1.0
    assert find_robot(EIGHT, 8, np.zeros(8), radians).robot == "franka"
    assert find_robot(EIGHT, 8, robot_type="openarm_follower").robot == "openarm"


def test_units_that_the_ranges_contradict_are_dropped_and_named() -> None:
    low, high = np.zeros(6), np.array([50.0, 50, 50, 50, 50, 4000])
    match = find_robot(SERVOS, 6, low, high)
    assert match.layout.joints[5].unit == "" and match.layout.joints[5].kind == "gripper"
    assert any("runs from 0 to 4000" in sentence and "0..100" in sentence for sentence in match.evidence)
    assert find_robot(SERVOS, 6, low, np.full(6, 90.0)).layout == robot("so100")


def test_degrees_in_a_robot_of_radians_cost_the_unit_not_the_groups() -> None:
    names = [f"{side}_{joint}" for side in ("left", "right") for joint in ALOHA_ARM]
    match = find_robot(names, 14, np.full(14, -90.0), np.full(14, 90.0))
    assert match.robot == "aloha" and {joint.unit for joint in match.layout.joints} == {""}
    assert (
        match.evidence[-1] == "left_arm waist reaches 90, which does not fit rad: that unit is dropped for 12 columns"
    )


def test_ranges_speak_against_a_robot_type() -> None:
    small, large = np.full(7, 1.0), np.full(7, 2.5)
    assert find_robot(["actions"], 7, -small, small, "panda").robot == "libero"
    wrong = find_robot(["actions"], 7, -large, large, "panda")
    assert wrong.robot is None and "libero" in wrong.candidates and wrong.layout.groups == ("joints",)


def test_names_speak_against_a_robot_type() -> None:
    match = find_robot(
        [f"{side}_{joint}" for side in ("left", "right") for joint in ALOHA_ARM], 14, robot_type="robotwin"
    )
    assert match.robot == "aloha" and "would make it robotwin" in match.evidence[0]
    other = find_robot(["x", "y", "z", "grip", "head_pan", "head_tilt"], 6, robot_type="so100")
    assert other.robot is None and other.layout.groups[0] == "pos"


def test_absent_parts_of_reachy() -> None:
    arm = [
        "shoulder_pitch",
        "shoulder_roll",
        "elbow_yaw",
        "elbow_pitch",
        "wrist_roll",
        "wrist_pitch",
        "wrist_yaw",
        "gripper",
    ]
    names = [*(f"r_{joint}.pos" for joint in arm), "mobile_base.vx", "mobile_base.vy", "mobile_base.vtheta"]
    match = find_robot(names, 11)
    assert match.robot == "reachy2" and match.layout.groups == ("right_arm", "right_gripper", "base")


def test_size_alone_never_names_a_robot() -> None:
    match = find_robot(None, 44)
    assert match.robot is None and match.candidates == ("gr1",) and match.layout.groups == ("joints",)
    unknown = find_robot(["foo", "elbow"], 2, np.zeros(2), np.ones(2), "spaceship")
    assert unknown.robot is None and unknown.layout.groups == ("other", "arm")
    assert "'spaceship'" in str(unknown)


def test_ranges_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match="ranges of 5 and 6 columns for 6"):
        find_robot(SERVOS, 6, np.zeros(5), np.zeros(6))


@given(st.sampled_from(sorted(ROBOTS)), st.integers(0, 1))
def test_every_spelling_of_every_robot_fits_that_robot(name: str, which: int) -> None:
    known = ROBOTS[name]
    alias = [spelled or f"zero_{i}" for i, spelled in enumerate(known.aliases[which % len(known.aliases)])]
    match = find_robot(alias, known.layout.size)
    assert name in (match.robot, *match.candidates)
    assert match.layout.groups == known.layout.groups


@given(
    st.integers(1, 50),
    st.one_of(st.none(), st.lists(st.text(alphabet="abLR_kx.1", min_size=1, max_size=6), min_size=1, max_size=50)),
    st.one_of(st.none(), st.sampled_from([*ROBOTS, "", "??"])),
)
def test_any_columns_get_a_layout_of_their_width(size: int, names: list[str] | None, robot_type: str | None) -> None:
    if names is not None and len(names) != 1:
        size = len(names)
    assert find_robot(names, size, np.zeros(size), np.ones(size), robot_type).layout.size == size


def test_the_documented_table_is_the_code() -> None:
    page = (Path(__file__).parents[1] / "docs" / "layouts.md").read_text(encoding="utf-8")
    assert robots_table() in page, "docs/layouts.md is stale: put surehand.robots.robots_table() below its marker"
