"""Forward kinematics against a planar arm's closed form, Jacobians against differences, models without meshes."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.layout import Layout

pytest.importorskip("mujoco", reason="the extra [kinematics] is not installed")

from surehand.kinematics import Kinematics

MJCF = """<mujoco><asset><mesh name="m" file="none.stl"/><texture name="t" type="2d" file="no.png"/>
<material name="skin" texture="t"/></asset><worldbody><geom type="plane" size="1 1 1" material="skin"/>
<body name="upper" pos="0 0 .1"><joint name="j1" axis="0 0 1"/><geom name="g" type="mesh" mesh="m"/>
<body name="lower" pos=".5 0 0"><joint name="j2" axis="0 0 1"/><geom type="mesh" mesh="m"/>
<body name="slider"><joint name="lift" type="slide" axis="0 0 1"/>
<body name="hand" pos=".3 0 0"><joint name="roll" axis="1 0 0"/><site name="tip" pos="0 .04 .02"/>
<body name="finger"><joint name="f" type="slide" axis="0 1 0"/></body>
</body></body></body></body></worldbody>
<contact><pair geom1="g" geom2="g2"/></contact>
<actuator><position joint="j1"/></actuator><sensor><jointpos joint="j1"/></sensor>
<equality><joint joint1="f" joint2="roll" polycoef="0.01 0.5 0.1 0 0"/></equality></mujoco>"""

URDF = """<robot name="arm"><link name="base"><visual><geometry><mesh filename="package://nowhere/base.dae"/></geometry>
</visual><collision><geometry><mesh filename="missing/base.stl"/></geometry></collision></link><link name="l1"><visual>
<geometry><mesh filename="package://nowhere/l1.dae"/></geometry></visual></link><link name="l2"/><link name="tool"/>
<link name="finger"/><joint name="j1_joint" type="revolute"><parent link="base"/><child link="l1"/><axis xyz="0 0 1"/>
<limit lower="-3" upper="3" effort="1" velocity="1"/></joint><joint name="j2_joint" type="continuous">
<parent link="l1"/><child link="l2"/><origin xyz="0.5 0 0"/><axis xyz="0 0 1"/></joint>
<joint name="fix" type="fixed"><parent link="l2"/>
<child link="tool"/><origin xyz="0.3 0 0"/></joint><joint name="jf" type="prismatic"><parent link="l2"/>
<child link="finger"/><axis xyz="1 0 0"/><limit lower="0" upper="1" effort="1" velocity="1"/>
<mimic joint="j1_joint" multiplier="0.5"/></joint></robot>"""


@pytest.fixture
def mjcf(tmp_path: Path) -> Path:
    (tmp_path / "part.xml").write_text(MJCF.replace('<contact><pair geom1="g" geom2="g2"/></contact>', ""))
    (tmp_path / "arm.xml").write_text('<mujoco><include file="part.xml"/></mujoco>')
    return tmp_path / "arm.xml"


@pytest.fixture
def urdf(tmp_path: Path) -> Path:
    (tmp_path / "arm.urdf").write_text(URDF)
    return tmp_path / "arm.urdf"


def planar(q1: np.ndarray, q2: np.ndarray) -> np.ndarray:
    return np.stack(
        [0.5 * np.cos(q1) + 0.3 * np.cos(q1 + q2), 0.5 * np.sin(q1) + 0.3 * np.sin(q1 + q2), 0 * q1], axis=1
    )


def finite_difference(arm: Kinematics, q: np.ndarray, h: float = 1e-6) -> np.ndarray:
    """Central differences of position and of the world-frame rotation vector (N, 6, D)."""
    out = np.zeros((len(q), 6, q.shape[1]))
    for d in range(q.shape[1]):
        step = np.zeros(q.shape[1])
        step[d] = h
        (p1, r1), (p0, r0) = arm.forward(q + step), arm.forward(q - step)
        turn = Rotation.from_matrix(r1 @ r0.swapaxes(1, 2)).as_rotvec()
        out[:, :, d] = np.concatenate([p1 - p0, turn], axis=1) / (2 * h)
    return out


def test_urdf_without_its_meshes_is_the_planar_arm(urdf: Path, rng: np.random.Generator) -> None:
    arm = Kinematics(urdf, "tool", ["j1_joint", None, "j2_joint"])
    q = rng.uniform(-3, 3, (20, 3))
    position, rotation = arm.forward(q)
    np.testing.assert_allclose(position, planar(q[:, 0], q[:, 2]), atol=1e-12)
    np.testing.assert_allclose(
        rotation, Rotation.from_rotvec(np.outer(q[:, 0] + q[:, 2], [0, 0, 1])).as_matrix(), atol=1e-12
    )
    np.testing.assert_allclose(arm.jacobian(q), finite_difference(arm, q), atol=1e-8)
    assert (arm.jacobian(q)[:, :, 1] == 0).all()


def test_a_mimicking_joint_follows(urdf: Path, mjcf: Path, rng: np.random.Generator) -> None:
    arm = Kinematics(urdf, "finger", ["j1_joint", "j2_joint"])
    q = rng.uniform(-1, 1, (10, 2))
    direction = np.stack([np.cos(q.sum(1)), np.sin(q.sum(1)), 0 * q[:, 0]], axis=1)
    elbow = 0.5 * np.stack([np.cos(q[:, 0]), np.sin(q[:, 0]), 0 * q[:, 0]], axis=1)
    np.testing.assert_allclose(arm.forward(q)[0], elbow + 0.5 * q[:, :1] * direction, atol=1e-12)
    np.testing.assert_allclose(arm.jacobian(q), finite_difference(arm, q), atol=1e-8)
    curved = Kinematics(mjcf, "finger", ["j1", "j2", "lift", "roll"])
    q4 = rng.uniform(-1, 1, (10, 4))
    np.testing.assert_allclose(curved.jacobian(q4), finite_difference(curved, q4), atol=1e-8)
    own = Kinematics(mjcf, "finger")  # the finger's own column drives it: nothing to mimic
    assert own.joints == ("j1", "j2", "lift", "roll", "f")
    q5 = rng.uniform(-1, 1, (10, 5))
    np.testing.assert_allclose(own.jacobian(q5), finite_difference(own, q5), atol=1e-8)


def test_mjcf_with_includes_and_a_planar_base(mjcf: Path, rng: np.random.Generator) -> None:
    joints = ["j1", "j2", "lift", "roll", None, None, None]
    arm = Kinematics(mjcf, "tip", joints, base=(4, 5, 6))
    q = rng.uniform(-1, 1, (20, 7))
    position, rotation = arm.forward(q)
    still, turn = Kinematics(mjcf, "tip", joints[:4]).forward(q[:, :4])
    yaw = Rotation.from_rotvec(np.outer(q[:, 6], [0, 0, 1]))
    np.testing.assert_allclose(position, yaw.apply(still) + np.pad(q[:, 4:6], ((0, 0), (0, 1))), atol=1e-12)
    np.testing.assert_allclose(rotation, yaw.as_matrix() @ turn, atol=1e-12)
    np.testing.assert_allclose(arm.jacobian(q), finite_difference(arm, q), atol=1e-8)


def test_columns_are_found_by_the_layouts_names(urdf: Path) -> None:
    layout = Layout.parse("arm(j1.pos j2.pos) gripper base(x y theta) pad(1)")
    arm = Kinematics.for_layout(urdf, "tool", layout, base=(3, 4, 5))
    assert arm.joints == ("j1_joint", "j2_joint", None, None, None, None, None)
    named = Kinematics.for_layout(urdf, "tool", layout, {"gripper": "jf"})
    assert named.joints[2] == "jf"


def test_what_the_model_lacks_is_said(urdf: Path, tmp_path: Path) -> None:
    with pytest.raises(SurehandError, match=r"no site or body 'hand'; the model has .*tool"):
        Kinematics(urdf, "hand")
    with pytest.raises(SurehandError, match="no joint 'j9'; the model has j1_joint, j2_joint, jf"):
        Kinematics(urdf, "tool", ["j9"])
    with pytest.raises(SurehandError, match="no action column drives"):
        Kinematics.for_layout(urdf, "tool", Layout.parse("arm(a b)"))
    with pytest.raises(FormatError, match="no such file"):
        Kinematics(tmp_path / "none.urdf", "tool")
    (tmp_path / "bad.xml").write_text("<mujoco><worldbody>")
    with pytest.raises(FormatError, match="cannot read this model"):
        Kinematics(tmp_path / "bad.xml", "tool")
    with pytest.raises(ShapeError, match="driven by 3 columns"):
        Kinematics(urdf, "tool").forward(np.zeros((2, 5)))
    position, rotation = Kinematics(urdf, "tool").forward(np.zeros((0, 3)))
    assert position.shape == (0, 3) and rotation.shape == (0, 3, 3)
