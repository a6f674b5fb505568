"""The physics: both bodies, forces against MuJoCo's own, snapshots and branches to the last bit."""

from collections.abc import Callable

import mujoco
import numpy as np
import pytest

from surehand.exceptions import ShapeError, SurehandError
from surehand.robots import find_robot
from surehand.sim.env import TaskEnv
from surehand.sim.experts import expert as find_expert
from surehand.sim.model import _SENSORS, CHANNELS, SUBSTEPS, World
from surehand.sim.robot import BODIES, body

Play = Callable[..., TaskEnv]
Wild = Callable[..., np.ndarray]


def contact_forces(world: World) -> np.ndarray:
    """The force channels (F,) from a loop over contacts with mj_contactForce: the slow way."""
    model, data = world.model, world.data
    robot = {i for i in range(model.nbody) if model.body_rootid[i] == model.body("base").id}
    thing, furniture = model.body("object").id, model.body("furniture").id
    found, six = np.zeros(len(CHANNELS)), np.zeros(6)
    for i in range(data.ncon):
        a, b = (int(model.geom_bodyid[g]) for g in data.contact.geom[i])
        mujoco.mj_contactForce(model, data, i, six)
        if {a, b} == {thing, furniture}:
            found[4] += six[0]
        elif a in robot and b in robot:
            found[3] += six[0]
        elif (a in robot) != (b in robot):
            other = b if a in robot else a
            if other == thing:
                found[0] += six[0]
                found[1] = max(found[1], six[0])
            elif other == furniture:
                found[2] += six[0]
    return found


@pytest.mark.parametrize(("name", "size", "groups"), [("mobile", 11, (5, 1, 2, 3)), ("desk", 6, (5, 1))])
def test_both_bodies_have_the_joints_their_layout_names(name: str, size: int, groups: tuple[int, ...]) -> None:
    robot = body(name)
    world = TaskEnv("pick", name).world
    assert robot.size == world.model.nu == size
    assert tuple(len(robot.layout.columns(group)) for group in robot.layout.groups) == groups
    assert [world.model.actuator(i).name for i in range(size)] == list(robot.layout.names)
    assert [world.model.camera(i).name for i in range(world.model.ncam)].count("head") == 1
    assert "hand" in [world.model.camera(i).name for i in range(world.model.ncam)]
    for joint in robot.layout.names[:5]:
        low, high = world.model.joint(joint).range
        column = robot.layout.names.index(joint)
        assert (low, high) == (robot.low[column], robot.high[column])


def test_column_names_are_ones_that_datasets_of_such_robots_use() -> None:
    names = body("mobile").layout.names
    assert find_robot(names, len(names), None, None, None).robot == "hsr"


def test_an_unknown_body_is_refused_with_those_there_are() -> None:
    with pytest.raises(SurehandError, match="mobile or desk"):
        body("hsr")


@pytest.mark.parametrize("name", list(BODIES))
@pytest.mark.parametrize("yaw", [-0.5, 0.0, 0.7])
def test_reach_puts_the_tool_where_it_says(name: str, yaw: float) -> None:
    env = TaskEnv("pick", name)
    world = env.world
    point = np.array([0.42, 0.0 if name == "mobile" else 0.12, 0.62])
    world.data.qpos[world.columns[:5]] = env.body.reach(point, yaw)
    if world.base is not None:
        world.data.qpos[world.base] = 0.0
    mujoco.mj_kinematics(world.model, world.data)
    origin = np.array([world.base_pose[0], 0.0, 0.0])
    turn = world.data.site_xmat[world.tool].reshape(3, 3)
    np.testing.assert_allclose(world.tool_position - origin, point, atol=1e-9)
    np.testing.assert_allclose(turn[:, 2], [0, 0, -1], atol=1e-9)  # the tool points straight down
    np.testing.assert_allclose(turn[:, 1], [-np.sin(yaw), np.cos(yaw), 0], atol=1e-9)


def test_commands_change_no_faster_than_the_joints_may() -> None:
    env = TaskEnv("pick")
    start, rate = env.world.commanded(), env.body.rate
    far = np.where(np.isinf(rate), 0.1, env.body.high)
    env.step(far)
    one = env.world.commanded()
    np.testing.assert_allclose(np.minimum(far, start + rate)[:8], one[:8])
    np.testing.assert_allclose(one[8:], 0.1)  # velocities are taken as they are
    env.step(10 * env.body.high)
    assert (env.world.commanded() <= env.body.high + 1e-12).all()


def test_the_base_is_driven_in_its_own_frame() -> None:
    env = TaskEnv("pick")
    action = env.world.commanded()
    action[-3:] = 0.0, 0.0, 0.5
    for _ in range(30):
        env.step(action)
    action[-3:] = 0.2, 0.0, 0.0
    for _ in range(10):
        env.step(action)
    before, heading = env.world.base_pose[:2], env.world.base_pose[2]
    env.step(action)
    moved = env.world.base_pose[:2] - before
    assert abs(heading) > 1.0
    np.testing.assert_allclose(moved, 0.02 * np.array([np.cos(heading), np.sin(heading)]), atol=1e-3)
    np.testing.assert_allclose(env.world.measured()[-3:], action[-3:], atol=0.01)


@pytest.mark.parametrize(
    ("task", "name"), [("pick", "mobile"), ("place", "desk"), ("press", "mobile"), ("push", "desk")]
)
def test_sensor_forces_are_those_of_every_contact(
    task: str, name: str, play: Play, wild: Wild, rng: np.random.Generator
) -> None:
    """Every substep of an expert episode and of a wild one: no contact is left out, none is counted twice."""
    env = play(task, name, seed=3, steps=1)
    expert, most, seen = find_expert(env), dict.fromkeys(_SENSORS, 0), np.zeros(len(CHANNELS))
    for step in range(90):
        action = expert.act() if step < 60 else wild(env, 1, rng)[0]
        env.world.data.ctrl[:] = env.world.controls(action, np.array(env.world.data.ctrl))
        for _ in range(SUBSTEPS):
            mujoco.mj_step(env.world.model, env.world.data)
            # After mj_step the contacts still belong to the state before it, as the sensors do.
            slow = contact_forces(env.world)
            fast = env.world.channels(np.array(env.world.data.sensordata))
            np.testing.assert_allclose(fast, slow, atol=1e-9)
            seen = np.maximum(seen, slow)
            for key, columns in env.world._slices.items():
                most[key] = max(most[key], int((env.world.data.sensordata[columns] != 0).sum()))
    assert seen[0] > 1  # the test saw the hand on the object
    assert all(most[key] < count for key, (_, count) in _SENSORS.items()), most


def test_the_arm_can_hit_the_robot_itself() -> None:
    env = TaskEnv("pick")
    action = env.world.commanded()
    action[:5] = 0.3, -0.4, 0.0, -0.5, 0.0  # up and leaning back, into the column and the head
    peak = 0.0
    for _ in range(30):
        env.step(action)
        peak = max(peak, float(env.forces[CHANNELS.index("self")]))
    assert peak > env.task.limits["self"]
    assert env.violations(action)["self"]  # it leans on itself


@pytest.mark.parametrize("name", list(BODIES))
def test_a_restored_world_repeats_to_the_last_bit(name: str, play: Play, wild: Wild, rng: np.random.Generator) -> None:
    env = play("pick", name, seed=1, steps=18)
    point = env.save()
    actions = wild(env, 6, rng)
    first = [(env.step(a)[0]["environment"], env.forces.copy(), env.world.save()) for a in actions]
    env.restore(point)
    again = [(env.step(a)[0]["environment"], env.forces.copy(), env.world.save()) for a in actions]
    for one, two in zip(first, again, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", list(BODIES))
@pytest.mark.parametrize("threads", [0, 2])
def test_branches_are_the_plain_loop_to_the_last_bit(
    name: str, threads: int, play: Play, wild: Wild, rng: np.random.Generator
) -> None:
    env = play("pick", name, seed=1, steps=20)  # in contact on the desk body, about to be on the mobile one
    world, start = env.world, env.world.save()
    chunks = np.stack([wild(env, 4, rng) for _ in range(5)])
    branches = world.branch(chunks, threads)
    np.testing.assert_array_equal(world.save(), start)  # looking ahead moved nothing
    full = int(mujoco.mjtState.mjSTATE_FULLPHYSICS)
    for chunk, forces, states in zip(chunks, branches.forces, branches.states, strict=True):
        world.restore(start)
        for action, force, state in zip(chunk, forces, states, strict=True):
            np.testing.assert_array_equal(world.advance(action), force)
            now = np.empty_like(state)
            mujoco.mj_getState(world.model, world.data, now, full)
            np.testing.assert_array_equal(now, state)
    assert not branches.diverged.any()


def test_branches_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match="11"):
        TaskEnv("pick").world.branch(np.zeros((2, 4, 6)))
