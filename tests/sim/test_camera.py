"""Pictures: MuJoCo's own renderer agrees, nothing of the world changes, and without OpenGL one line says so."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from surehand.exceptions import SurehandError
from surehand.sim.env import TaskEnv
from surehand.sim.robot import BODIES
from surehand.sim.tasks import TASKS


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own: OpenGL is chosen when MuJoCo is first imported."""
    whole = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"} | environment
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=whole, check=False)


@pytest.mark.usefixtures("opengl")
@pytest.mark.parametrize("body", list(BODIES))
def test_both_cameras_see_the_scene(body: str) -> None:
    env = TaskEnv("pick", body, render_mode="rgb_array")
    for camera in ("head", "hand", "side"):
        picture = env.picture(camera, 64, 48)
        assert picture.shape == (48, 64, 3) and picture.dtype == np.uint8 and picture.std() > 5
    assert env.render().shape == (480, 640, 3)


@pytest.mark.usefixtures("opengl")
def test_one_context_draws_all_scenes_as_mujoco_draws_each() -> None:
    """Several scenes in turn from one context, against MuJoCo's renderer with a context for each."""
    done = run(
        f"""
import mujoco, numpy as np
from surehand.sim.env import TaskEnv
from surehand.sim.experts import expert
for round in range(2):
    for task in {list(TASKS)!r}:
        for body in {list(BODIES)!r}:
            env = TaskEnv(task, body)
            env.reset(seed=round)
            follower = expert(env)
            for _ in range(7):
                env.step(follower.act())
            for camera, width, height in (("head", 64, 48), ("hand", 96, 96)):
                ours = env.picture(camera, width, height)
                data = mujoco.MjData(env.world.model)
                data.qpos[:] = env.world.data.qpos
                mujoco.mj_forward(env.world.model, data)
                with mujoco.Renderer(env.world.model, height, width) as renderer:
                    renderer.update_scene(data, camera)
                    theirs = renderer.render()
                assert (ours == theirs).all(), (task, body, camera, np.abs(ours - theirs.astype(int)).max())
""",
        MUJOCO_GL="egl",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("opengl")
def test_pictures_change_nothing_and_show_what_was_restored(wild: Callable[..., np.ndarray]) -> None:
    seen, blind = TaskEnv("push"), TaskEnv("push")
    for env in (seen, blind):
        env.reset(seed=4)
    rng = np.random.default_rng(0)
    for step, action in enumerate(wild(seen, 12, rng)):
        picture = seen.picture("head", 48, 48)
        if step == 5:
            kept, snapshot = picture, seen.save()
        ours, theirs = seen.step(action)[0], blind.step(action)[0]
        assert all((ours[key] == theirs[key]).all() for key in ours)
    np.testing.assert_array_equal(seen.world.save(), blind.world.save())
    assert (seen.picture("head", 48, 48) != kept).any()
    seen.restore(snapshot)
    np.testing.assert_array_equal(seen.picture("head", 48, 48), kept)


@pytest.mark.usefixtures("opengl")
def test_threads_have_contexts_of_their_own() -> None:
    envs = [TaskEnv("pick", "desk"), TaskEnv("press", "desk")]
    alone = [env.picture("head", 64, 64) for env in envs]

    def draw(number: int) -> np.ndarray:
        return envs[number].picture("head", 64, 64)

    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            for found, wanted in zip(pool.map(draw, range(2)), alone, strict=True):
                np.testing.assert_array_equal(found, wanted)


@pytest.mark.usefixtures("opengl")
def test_a_program_that_drew_ends_in_silence() -> None:
    done = run(
        """
from concurrent.futures import ThreadPoolExecutor
from surehand.sim.env import TaskEnv
env = TaskEnv("pick", "desk")
print(env.picture("head", 32, 32).shape)
pool = ThreadPoolExecutor(1)
print(pool.submit(env.picture, "head", 32, 32).result().shape)
"""
    )
    assert (done.stdout.split("\n"), done.stderr, done.returncode) == (["(32, 32, 3)"] * 2 + [""], "", 0)


@pytest.mark.usefixtures("opengl")
def test_a_forked_process_says_that_it_cannot_draw() -> None:
    done = run(
        """
import os, sys
from surehand.exceptions import SurehandError
from surehand.sim.env import TaskEnv
env = TaskEnv("pick", "desk")
env.picture("head", 32, 32)
if child := os.fork():
    print("child", os.waitpid(child, 0)[1])
else:
    try:
        env.picture("head", 32, 32)
    except SurehandError as error:
        print(error)
        sys.stdout.flush()
    os._exit(0)
"""
    )
    assert "forked from one that drew; start processes by spawn\nchild 0\n" in done.stdout


@pytest.mark.usefixtures("opengl")
@pytest.mark.parametrize(
    ("camera", "width", "line"), [("eye", 32, "no camera 'eye'; choose"), ("head", 641, "640 × 480")]
)
def test_what_cannot_be_drawn(camera: str, width: int, line: str) -> None:
    with pytest.raises(SurehandError, match=line):
        TaskEnv("pick", "desk").picture(camera, width, 32)


def test_without_opengl_one_line_says_what_to_do() -> None:
    done = run("from surehand.sim.env import TaskEnv; TaskEnv('pick', 'desk').picture('head', 32, 32)", MUJOCO_GL="off")
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "cannot draw (" in last and "install an OpenGL driver" in last
    call = [sys.executable, "-m", "surehand", "sim", "film", "expert", "--task", "press", "--out", "nowhere/film.gif"]
    environment = os.environ | {"MUJOCO_GL": "off"}
    shown = subprocess.run(call, capture_output=True, text=True, env=environment, check=False)
    assert shown.returncode == 2 and "cannot draw" in shown.stderr and "Traceback" not in shown.stderr
    assert not os.path.exists("nowhere")


@pytest.mark.parametrize("value", ["nonsense", "glfw"])
def test_another_opengl_that_is_not_there_is_one_line(value: str) -> None:
    call = [sys.executable, "-m", "surehand", "sim", "film", "expert", "--task", "press", "--out", "nowhere/film.gif"]
    environment = {name: set_to for name, set_to in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    shown = subprocess.run(call, capture_output=True, text=True, env=environment | {"MUJOCO_GL": value}, check=False)
    assert shown.returncode == 2 and "cannot draw" in shown.stderr and len(shown.stderr.splitlines()) == 1
