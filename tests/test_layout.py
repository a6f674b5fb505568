"""Layout patterns and groups guessed from names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.exceptions import ShapeError
from surehand.grouping import auto_layout, read_name
from surehand.layout import PAD, Joint, Layout, LayoutError

WORD = st.from_regex(r"[A-Za-z_][A-Za-z0-9_\-]{0,5}(\.[a-z0-9]{1,3})?", fullmatch=True).filter(lambda w: w != "pad")
COUNTED = st.builds(
    lambda stem, n: f"{stem}{n}", st.sampled_from(["j", "joint_", "a.", "j0", "x00"]), st.integers(0, 130)
)
KIND = st.sampled_from(["revolute", "continuous", "prismatic", "gripper", "velocity", "pose_delta", "unknown"])
UNIT = st.sampled_from(["", "rad", "deg", "m", "m/s", "0..1", "-100..100", "N·m", "%"])


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Any valid layout: groups in several runs, kinds and units per joint, numbered stretches, padding anywhere."""
    groups = draw(st.lists(WORD, min_size=1, max_size=4, unique=True))
    joints: list[Joint] = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()) and draw(st.booleans()):
            joints += [PAD] * draw(st.integers(1, 3))
            continue
        group, kind, unit = draw(st.sampled_from(groups)), draw(KIND), draw(UNIT)
        if draw(st.booleans()):
            stem, first = draw(st.sampled_from(["j", "joint_", "b0", "c-", "j09"])), draw(st.integers(0, 120))
            width = draw(st.integers(0, 3))
            names = [f"{stem}{first + i:0{width}d}" for i in range(draw(st.integers(1, 5)))]
        else:
            names = draw(st.lists(st.one_of(WORD, COUNTED, st.just(group)), min_size=1, max_size=4))
        for name in names:
            own = draw(st.booleans()) and draw(st.booleans())
            joints.append(Joint(name, group, draw(KIND) if own else kind, draw(UNIT) if own else unit))
    seen: dict[object, Joint] = {}
    for i, joint in enumerate(joints):
        seen.setdefault(i if joint.kind == "pad" else (joint.group, joint.name), joint)
    kept = tuple(seen.values())
    return Layout(kept if any(j.kind != "pad" for j in kept) else (*kept, Joint("j", "g")))


@given(layouts())
def test_what_is_printed_parses_to_the_same_layout(layout: Layout) -> None:
    assert Layout.parse(str(layout)) == layout


@given(layouts())
def test_groups_and_padding_share_out_all_columns(layout: Layout) -> None:
    columns = [*(layout.columns(group) for group in layout.groups), np.flatnonzero(layout.is_pad)]
    assert sorted(np.concatenate(columns)) == list(range(layout.size))


@pytest.mark.parametrize(
    ("pattern", "printed"),
    [
        ("arm(j1..j7):revolute[rad] g:gripper[0..1]", "arm(j1..j7):revolute[rad] g:gripper[0..1]"),
        ("arm(a b) pad(2) arm(c)", "arm(a b) pad(2) arm(c)"),
        ("a( j1 j2 j3 )  b", "a(j1..j3) b"),
        ("a(j08..j11)", "a(j08..j11)"),
        ("a(lift:prismatic[m] flex roll):revolute[rad]", "a(lift:prismatic[m] flex roll):revolute[rad]"),
        ("a(x:prismatic y):revolute[rad]", "a(x y:revolute[rad]):prismatic"),
    ],
)
def test_patterns_print_shortest(pattern: str, printed: str) -> None:
    assert str(Layout.parse(pattern)) == printed


def test_a_joint_with_its_own_kind_does_not_inherit_the_unit() -> None:
    lift, flex = Layout.parse("arm(lift:prismatic flex):revolute[rad]").joints
    assert (lift.unit, flex.unit) == ("", "rad")


def test_zero_padded_ranges_keep_their_width() -> None:
    assert Layout.parse("a(j08..j10)").names == ("j08", "j09", "j10")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "at least one joint"),
        ("pad(3)", "3 of padding"),
        ("arm(j1 j2", "never closed"),
        ("arm j1)", "unbalanced"),
        ("arm()", "empty brackets"),
        ("arm(a a)", "'a' appears twice"),
        ("arm(a):revolut", "unknown kind 'revolut'"),
        ("arm(a:pad)", r"write pad\(n\)"),
        ("pad(0)", "0 columns"),
        ("pad(99999999)", "99999999 columns"),
        ("arm(j1..j99999999)", "99999999 columns"),
        ("arm(j5..j1)", "-3 columns"),
        ("arm(j1..k3)", "cannot count"),
        ("arm(a..b)", "cannot count"),
        ("j1..j3", "inside a group's brackets"),
        ("1arm", "cannot read '1arm'"),
        ("arm(a b]", "cannot read|never closed"),
        ("arm(é)", "cannot read joint"),
        ("pad", "is no name"),
    ],
)
def test_unreadable_patterns_say_what_is_wrong(pattern: str, says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        Layout.parse(pattern)


@given(st.text(alphabet="ab1(). :[]pd-_", max_size=20))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        layout = Layout.parse(text)
    except LayoutError:
        return
    assert Layout.parse(str(layout)) == layout


@pytest.mark.parametrize("joint", [Joint("a b", "g"), Joint("a", "g", "revolute", "m s"), Joint("x", "", "pad")])
def test_joints_the_grammar_cannot_hold_are_refused(joint: Joint) -> None:
    with pytest.raises(LayoutError):
        Layout((Joint("ok", "g"), joint))


def test_period_is_a_full_turn_of_continuous_joints_alone() -> None:
    layout = Layout.parse("a(r:continuous[rad] d:continuous[deg] n:continuous x:revolute[rad]) pad(1)")
    np.testing.assert_allclose(layout.period, [2 * np.pi, 360, 2 * np.pi, 0, 0])


def test_contradictions_name_both_counts() -> None:
    layout = Layout.parse("arm(j1..j30)")
    with pytest.raises(ShapeError, match="28 joint names for 30"):
        layout.check_names(["x"] * 28, 30)
    with pytest.raises(ShapeError, match=r"30 dimensions .* data 28"):
        layout.check_names(None, 28)


@pytest.mark.parametrize(
    ("names", "printed"),
    [
        (
            "shoulder_pan.pos wrist_roll.pos gripper.pos",
            "arm(shoulder_pan.pos wrist_roll.pos) gripper(gripper.pos):gripper",
        ),
        ("arm_lift_joint head_pan_joint base_x", "arm(arm_lift_joint) head(head_pan_joint) base(base_x)"),
        ("head_pan.pos lift.pos arm.pos x.vel", "head(head_pan.pos) torso(lift.pos) arm(arm.pos) base(x.vel):velocity"),
        ("x y z roll pitch yaw gripper", "pos(x y z) rot(roll pitch yaw) gripper:gripper"),
        ("left_waist left_gripper linear angular", "left_arm(left_waist) left_gripper:gripper base(linear angular)"),
        ("kLeftKnee.q kWaistYaw.q kRightElbow.q", "left_leg(kLeftKnee.q) torso(kWaistYaw.q) right_arm(kRightElbow.q)"),
        (
            "left_arm_joint_1_rad right_hand_joint_1_rad",
            "left_arm(left_arm_joint_1_rad):revolute[rad] right_hand(right_hand_joint_1_rad):revolute[rad]",
        ),
        ("joint_1 joint_2 gripper", "arm(joint_1 joint_2) gripper:gripper"),
        (
            "left_joint_1 left_gripper right_joint_1 right_gripper",
            "left_arm(left_joint_1) left_gripper:gripper right_arm(right_joint_1) right_gripper:gripper",
        ),
        ("x_mm y_mm theta", "base(x_mm y_mm theta[])[mm]"),
        (
            "mobile_base.vx mobile_base.vtheta l_antenna.pos",
            "base(mobile_base.vx mobile_base.vtheta) head(l_antenna.pos)",
        ),
        ("zero_5 elbow zero_6 zero_7", "pad(1) arm(elbow) pad(2)"),
        ("remote.lx foo", "other(remote.lx foo)"),
        ("left_eef_pos_x left_eef_ori_x", "left_pos(left_eef_pos_x) left_rot(left_eef_ori_x)"),
    ],
)
def test_groups_from_names(names: str, printed: str) -> None:
    assert str(auto_layout(names.split())) == printed


def test_numbered_names_are_one_group() -> None:
    assert auto_layout([f"motor_{i}" for i in range(44)]).groups == ("joints",)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=12))
def test_any_names_give_a_printable_layout_of_that_width(names: list[str]) -> None:
    try:
        layout = auto_layout(names)
    except LayoutError as error:
        assert "padding" in str(error)
        return
    assert layout.size == len(names) and Layout.parse(str(layout)) == layout


def test_no_names_are_refused() -> None:
    with pytest.raises(ShapeError, match="no joint names"):
        auto_layout([])


@pytest.mark.parametrize(
    "name", ["kLeftElbow", "left_elbow.pos", "l_elbow_joint", "left_elbow_rad", "Left Elbow", "elbow_left"]
)
def test_one_joint_spelled_six_ways(name: str) -> None:
    assert read_name(name).canonical == "left_elbow"
