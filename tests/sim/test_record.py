"""Demonstrations: ordinary datasets, the same whatever happened on the way, whole or not there."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.lerobot import open_lerobot
from surehand.sim import record as recording
from surehand.sim.env import TaskEnv
from surehand.sim.experts import expert
from surehand.sim.follow import Variation
from surehand.sim.record import SCENES_PER_SEED, SEEDS, Recipe, record

PEER = Path(__file__).parents[1] / "peers" / "lerobot_peer.py"
COLUMNS = (
    "observation.environment_state", "tool_object_distance", "force_object", "force_pinch", "force_table", "force_self",
    "force_press", "next.success", "initial_state",
)  # fmt: skip


class Stop(BaseException):
    """Ctrl-C, at a chosen moment."""


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_a_recording_is_a_dataset(tmp_path: Path, version: str) -> None:
    done = record(Recipe(("press", "pick"), 4, "desk", seed=2), tmp_path / "set", version=version)
    folder = open_lerobot(done.path)
    actions = folder.read(columns=COLUMNS)
    assert (folder.version, folder.fps, folder.robot_type) == (version, 10, "surehand_desk")
    assert len(folder.episodes) == done.episodes == 4 and len(actions) == done.frames
    assert folder.episode_tasks[0] == "press the button gently" and folder.episode_tasks[1].startswith("pick up the ")
    assert actions.names == actions.state_names == TaskEnv("pick", "desk").body.layout.names
    for episode in range(4):
        rows = actions.take(actions.episode == episode)
        assert rows.columns["next.success"].ravel()[-1] and not rows.columns["next.success"].ravel()[0]
        assert set(rows.columns["initial_state"].ravel()) == {2 * SCENES_PER_SEED + episode // 2}
        assert rows.columns["force_object"].max() > 1
    note = json.loads((done.path / "meta" / "sim.json").read_text())
    assert [scene["seed"] for scene in note["scenes"]] == [2_000_000, 2_000_000, 2_000_001, 2_000_001]
    assert len(note["environment_names"]) == actions.columns["observation.environment_state"].shape[1]
    assert list(tmp_path.iterdir()) == [done.path]  # nothing is left beside it


def test_recorded_actions_repeat_the_episode(tmp_path: Path) -> None:
    """The initial state's number and the recorded actions give back every state and force, to the last bit."""
    actions = open_lerobot(record(Recipe(("pick",), 1), tmp_path / "set").path).read(columns=COLUMNS)
    env = TaskEnv("pick")
    seen, info = env.reset(seed=int(actions.columns["initial_state"][0]))
    for t, action in enumerate(actions.action):
        np.testing.assert_array_equal(seen["state"], actions.state[t])
        np.testing.assert_array_equal(seen["environment"], actions.columns["observation.environment_state"][t])
        assert np.float32(info["distance"]) == actions.columns["tool_object_distance"][t]
        seen, _, _, _, info = env.step(action)
        assert np.float32(info["forces"]["object"]) == actions.columns["force_object"][t]
    assert info["success"]


def test_an_interrupted_recording_leaves_nothing_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(("press",), 5, "desk", variation=Variation(speed=True))
    whole = open_lerobot(record(recipe, tmp_path / "whole").path).identity()
    out, made = tmp_path / "set", []

    def stop(what: str, share: float) -> None:
        if share > 0.5:
            raise Stop

    with pytest.raises(Stop):
        record(recipe, out, progress=stop)
    assert not out.exists()
    demonstrate = recording.demonstrate
    monkeypatch.setattr(recording, "demonstrate", lambda *given: made.append(given) or demonstrate(*given))
    record(recipe, out)
    assert len(made) == 2  # three of five were there already
    assert open_lerobot(out).identity() == whole


def test_an_episode_that_was_cut_off_is_recorded_again(tmp_path: Path) -> None:
    recipe, out = Recipe(("press",), 2, "desk"), tmp_path / "set"

    def stop(what: str, share: float) -> None:
        if what == "writing":
            raise Stop

    with pytest.raises(Stop):
        record(recipe, out, progress=stop)
    part = next((tmp_path / ".set.parts").glob("*.npz"))
    part.write_bytes(part.read_bytes()[:1000])
    whole = record(recipe, tmp_path / "whole")
    assert open_lerobot(record(recipe, out).path).identity() == open_lerobot(whole.path).identity()


def test_two_recordings_at_once_are_refused(tmp_path: Path) -> None:
    recipe, out = Recipe(("press",), 1, "desk"), tmp_path / "set"

    def again(what: str, share: float) -> None:
        with pytest.raises(SurehandError, match="another command is at work"):
            record(recipe, out)

    assert record(recipe, out, progress=again).episodes == 1


def test_a_worker_that_dies_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "begin_worker", _die)
    with pytest.raises(SurehandError, match="worker process died"):
        record(Recipe(("press",), 2, "desk"), tmp_path / "set", processes=2)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_two_processes_write_the_same_dataset(tmp_path: Path) -> None:
    recipe = Recipe(("press",), 4, "desk", seed=1)
    one, two = (open_lerobot(record(recipe, tmp_path / str(n), processes=n).path) for n in (1, 2))
    assert one.identity() == two.identity()
    np.testing.assert_array_equal(one.read().state, two.read().state)


def test_failed_attempts_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demonstrate = recording.demonstrate

    def sometimes(task: str, body: str, scene: int, *rest: Any) -> dict[str, np.ndarray]:
        found = demonstrate(task, body, scene, *rest)
        return found | {"success": np.array([scene % 2 == 1])}

    monkeypatch.setattr(recording, "demonstrate", sometimes)
    done = record(Recipe(("press",), 2, "desk"), tmp_path / "set")
    assert (done.episodes, done.failed) == (2, 2)
    states = open_lerobot(done.path).read(columns=("initial_state",)).columns["initial_state"]
    assert set(states.ravel()) == {1, 3}

    monkeypatch.setattr(recording, "demonstrate", lambda *given: {"success": np.array([False])})
    with pytest.raises(SurehandError, match="failed in 11 of 11"):
        record(Recipe(("press",), 2, "desk", seed=9), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_stands_in_the_way_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(FormatError, match="not empty"):
        record(Recipe(("press",), 1, "desk"), tmp_path / "full")

    def stop(what: str, share: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        record(Recipe(("press",), 1, "desk"), tmp_path / "set", progress=stop)
    with pytest.raises(FormatError, match="another recording"):
        record(Recipe(("press",), 1, "desk", seed=1), tmp_path / "set")
    for bad in ({"episodes": 0}, {"seed": -1}, {"seed": SEEDS}, {"tasks": ()}, {"tasks": ("fold",)}, {"body": "hsr"}):
        with pytest.raises(SurehandError):
            Recipe(**{"tasks": ("press",), "episodes": 1, **bad})


def test_seeds_share_no_scene() -> None:
    first = {Recipe(("pick",), 1, seed=0).attempt(i) for i in range(500)}
    second = {Recipe(("pick",), 1, seed=1).attempt(i) for i in range(500)}
    assert len(first) == 500 and not first & second


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_unmodified_lerobot_loads_a_recording(tmp_path: Path, need: Callable[[str], None], version: str) -> None:
    need("lerobot")
    root = record(Recipe(("press", "push"), 3, "desk"), tmp_path / "set", version=version).path
    ours = open_lerobot(root).read()
    home = os.environ | {"HF_HOME": str(tmp_path), "HF_DATASETS_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": ""}
    for command in ("load",) if version == "v3.0" else ("convert", "load"):
        call = [sys.executable, PEER, command, root]
        done = subprocess.run(call, env=home, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    theirs = np.load(f"{root}.npz")
    np.testing.assert_array_equal(theirs["chunk"][:, 0], ours.action)
    np.testing.assert_array_equal(theirs["state"], ours.state)
    assert [ours.tasks[i] for i in ours.task] == theirs["task"].tolist()


def test_the_command_records(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "surehand", "sim", "record", "--task", "press", "--body", "desk", "--seed", "3"]
    done = subprocess.run(
        [*call, "--episodes", "3", "--out", tmp_path / "set"], capture_output=True, text=True, check=True
    )
    assert "3 episodes" in done.stdout
    assert len(open_lerobot(tmp_path / "set").episodes) == 3
    again = subprocess.run([*call, "--out", tmp_path / "set"], capture_output=True, text=True, check=False)
    assert again.returncode == 2 and "not empty" in again.stderr and "Traceback" not in again.stderr


def test_ctrl_c_stops_the_command_and_it_goes_on(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "surehand", "sim", "record", "--task", "place", "--body", "desk", "--episodes"]
    out, parts = tmp_path / "set", tmp_path / ".set.parts"
    with subprocess.Popen([*call, "4000", "--out", out], stderr=subprocess.PIPE, start_new_session=True) as process:
        end = time.monotonic() + 60
        while len(list(parts.glob("*.npz"))) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.wait(30) == 130
    assert "Traceback" not in said and not out.exists()
    done = subprocess.run([*call, "3", "--out", out], capture_output=True, text=True, check=True)
    assert "3 episodes" in done.stdout and not parts.exists()


def test_the_expert_acts_on_an_environment_that_gymnasium_made() -> None:
    import gymnasium

    env = gymnasium.make("surehand/Press-v0", body="desk")
    env.reset(seed=1)
    inner = env.unwrapped
    assert isinstance(inner, TaskEnv)
    follower, done = expert(inner), False
    while not done:
        _, reward, done, late, _ = env.step(follower.act().astype(np.float32))
        assert not late
    assert reward == 1.0


def test_with_nudges_the_recorded_action_is_the_corrected_one(tmp_path: Path) -> None:
    found = recording.demonstrate("pick", "mobile", 5, Variation(nudges=True))
    assert found["success"][0]
    nudged = (found["nudge"] != 0).any(axis=1)
    touching = found["force_object"] > 0
    assert nudged.sum() > 5 and not (nudged[1:] & touching[:-1]).any()  # on the way there, never while holding
    env = TaskEnv("pick")
    seen, _ = env.reset(seed=5)
    for t, (action, nudge) in enumerate(zip(found["action"], found["nudge"], strict=True)):
        np.testing.assert_array_equal(seen["state"], found["state"][t])
        seen, *_ = env.step(action + nudge)
    assert env.success
