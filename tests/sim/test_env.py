"""The tasks as environments: the Gymnasium promises, what is drawn at random, bad input, success and violations."""

from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import surehand.sim
from surehand.exceptions import ShapeError, SurehandError
from surehand.sim.env import BadAction, TaskEnv
from surehand.sim.robot import BODIES
from surehand.sim.tasks import BUTTON_LIMIT, TASKS

Play = Callable[..., TaskEnv]


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("body", list(BODIES))
def test_gymnasium_makes_every_task(task: str, body: str) -> None:
    env = gymnasium.make(f"surehand/{task.capitalize()}-v0", body=body)
    assert surehand.sim.TASKS[task].steps == env.unwrapped.task.steps  # type: ignore[attr-defined]
    observation, info = env.reset(seed=5)
    assert env.observation_space.contains(observation)
    assert info["instruction"] and info["initial_state"] == 5


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # infinite observation bounds are meant
def test_gymnasium_own_checker_is_content() -> None:
    check_env(TaskEnv("pick", "desk"), skip_render_check=True)


def test_environments_run_in_processes() -> None:
    envs = gymnasium.make_vec(
        "surehand/Press-v0", num_envs=2, vectorization_mode="async", vector_kwargs={"context": "spawn"}
    )
    try:
        observation, _ = envs.reset(seed=3)
        alone, _ = TaskEnv("press").reset(seed=4)
        np.testing.assert_array_equal(observation["state"][1], alone["state"])
    finally:
        envs.close()


@pytest.mark.parametrize("task", list(TASKS))
def test_a_seed_is_a_scene_and_scenes_differ(task: str) -> None:
    env = TaskEnv(task)
    env.reset(seed=7)
    first, state = env.scene, env.world.save()
    env.reset(seed=8)
    assert env.scene != first
    env.reset(seed=7)
    assert env.scene == first
    np.testing.assert_array_equal(env.world.save(), state)
    scenes = [TASKS[task].draw(env.body, seed) for seed in range(60)]
    assert np.ptp([s.mass for s in scenes]) > 0 or task == "press"
    for name in ("noise", "squeeze", "yaw"):
        assert len({getattr(s, name) for s in scenes}) == 60
    if task in ("pick", "place"):
        assert {s.thing for s in scenes} == {"cube", "can", "carton", "block"}


def test_names_of_observations_fit_their_numbers() -> None:
    for task in TASKS:
        for body in BODIES:
            env = TaskEnv(task, body)
            seen, _ = env.reset(seed=0)
            assert {key: len(value) for key, value in seen.items()} == {
                key: len(names) for key, names in env.observation_names.items()
            }


def test_actions_that_are_no_numbers_are_refused_and_counted() -> None:
    env = TaskEnv("pick")
    env.reset(seed=0)
    before = env.world.save()
    action = env.world.commanded()
    action[6] = np.nan
    for count in (1, 2):
        with pytest.raises(BadAction, match=f"head_pan_joint is not finite; action {count} refused"):
            env.step(action)
    with pytest.raises(ShapeError, match=r"\(11,\)"):
        env.step(np.zeros(7))
    assert env.refused == 2 and env.steps == 0
    np.testing.assert_array_equal(env.world.save(), before)
    env.step(env.world.commanded())  # and the episode goes on


def test_an_unknown_task_is_refused_with_those_there_are() -> None:
    with pytest.raises(SurehandError, match="pick, place, press, push"):
        TaskEnv("fold")


@pytest.mark.parametrize("speed", [1e9, 200.0, np.nan])
def test_a_diverging_simulation_voids_the_episode(
    speed: float, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]  # MuJoCo writes its warning to a log where it stands
    env = TaskEnv("pick")
    env.reset(seed=0)
    env.world.data.qvel[env.world.model.body_dofadr[env.world.object] :][:3] = speed
    seen, reward, terminated, _, info = env.step(env.world.commanded())
    assert terminated and info["void"] and "not finite" in info["reason"]
    assert reward == 0.0 and not info["success"]
    assert all(np.isfinite(value).all() for value in seen.values())
    env.reset(seed=0)
    assert not env.step(env.world.commanded())[4]["void"]


def test_a_command_beyond_a_joint_is_a_violation() -> None:
    env = TaskEnv("pick")
    env.reset(seed=0)
    action = env.world.commanded()
    assert not env.step(action)[4]["violated"]["joints"]
    action[1] = 9.0
    assert env.step(action)[4]["violated"]["joints"]
    action = env.world.commanded()
    action[8] = 9.0  # a base velocity beyond the limit is clipped, nothing is hit
    assert not env.step(action)[4]["violated"]["joints"]


def test_pushing_the_table_is_a_violation(play: Play) -> None:
    env = play("pick", "desk", seed=2, steps=12)
    action = env.world.commanded()
    action[0], action[5] = 0.0, 0.0
    seen = []
    for _ in range(25):
        info = env.step(action)[4]
        seen.append(info["violated"]["table"] or info["violated"]["object"])
    assert any(seen)


def test_a_button_pressed_too_hard_is_no_success(play: Play) -> None:
    assert play("press", "desk", seed=0).success
    env = play("press", "desk", seed=0, steps=8)
    action = env.world.commanded()
    for _ in range(40):
        action[0] -= 0.03
        info = env.step(np.clip(action, env.body.low, env.body.high))[4]
    assert info["forces"]["object"] > BUTTON_LIMIT and info["violated"]["object"]
    assert not env.success


@pytest.mark.parametrize("task", list(TASKS))
def test_doing_nothing_is_no_success(task: str) -> None:
    env = TaskEnv(task, "desk")
    env.reset(seed=1)
    action = env.world.commanded()
    for _ in range(30):
        env.step(action)
    assert not env.success
