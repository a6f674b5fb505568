"""Recordings with images: they show the observed moment, survive interruptions, and lerobot's ACT trains on them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.exceptions import SurehandError
from surehand.formats.lerobot import open_lerobot
from surehand.sim.env import TaskEnv
from surehand.sim.record import Recipe, record

PEER = Path(__file__).parents[1] / "peers" / "lerobot_images_peer.py"
KEYS = ("observation.images.head", "observation.images.hand")
pytestmark = pytest.mark.usefixtures("opengl")


class Stop(BaseException):
    """Ctrl-C, at a chosen moment."""


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_images_show_what_was_observed_before_each_action(tmp_path: Path, version: str) -> None:
    recipe = Recipe(("press",), 2, "desk", seed=4, cameras=("head", "hand"), image_size=48)
    folder = open_lerobot(record(recipe, tmp_path / "set", version=version).path)
    actions = folder.read(columns=(*KEYS, "initial_state"))
    env = TaskEnv("press", "desk")
    for episode in (0, 1):
        rows = actions.take(actions.episode == episode)
        env.reset(seed=int(rows.columns["initial_state"][0]))
        for t, action in enumerate(rows.action):
            for key in KEYS:
                np.testing.assert_array_equal(rows.columns[key][t], env.picture(key.rsplit(".")[-1], 48, 48))
            env.step(action)
    note = json.loads((folder.root / "meta/sim.json").read_text())
    assert (note["cameras"], note["image_size"]) == (["head", "hand"], 48)


def test_numbers_are_the_same_with_and_without_images(tmp_path: Path) -> None:
    plain = record(Recipe(("press",), 2, "desk"), tmp_path / "plain").path
    seen = record(Recipe(("press",), 2, "desk", cameras=("hand",), image_size=32), tmp_path / "seen").path
    assert open_lerobot(plain).identity() == open_lerobot(seen).identity()


def test_interrupted_and_with_two_processes_the_images_are_the_same(tmp_path: Path) -> None:
    recipe = Recipe(("press",), 3, "desk", cameras=("head",), image_size=32)

    def stop(what: str, share: float) -> None:
        if share > 0.5:
            raise Stop

    with pytest.raises(Stop):
        record(recipe, tmp_path / "set", progress=stop)
    with pytest.raises(SurehandError, match="another recording"):
        record(Recipe(("press",), 3, "desk", cameras=("hand",), image_size=32), tmp_path / "set")
    found = [
        open_lerobot(record(recipe, tmp_path / name, processes=n).path).read(columns=KEYS[:1]).columns[KEYS[0]]
        for name, n in (("set", 1), ("two", 2))
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("bad", [{"cameras": ("side",)}, {"image_size": 8}, {"image_size": 481}])
def test_recipes_that_cannot_be_drawn(bad: dict[str, object]) -> None:
    with pytest.raises(SurehandError, match="choose"):
        Recipe(("press",), 1, **bad)  # type: ignore[arg-type]


def test_the_command_records_images(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "surehand", "sim", "record", "--task", "press", "--body", "desk", "--episodes", "2"]
    options = ["--camera", "hand", "--image-size", "40", "--out", tmp_path / "set"]
    subprocess.run([*call, *options], capture_output=True, text=True, check=True)
    assert open_lerobot(tmp_path / "set").features["observation.images.hand"]["shape"] == [40, 40, 3]


@pytest.mark.slow
def test_an_act_of_lerobot_trains_on_forty_picks(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("lerobot")
    root = record(Recipe(("pick",), 40, cameras=("head", "hand")), tmp_path / "set", processes=2).path
    home = os.environ | {"HF_HOME": str(tmp_path), "HF_DATASETS_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": ""}
    call = [sys.executable, PEER, "act", root]
    done = subprocess.run(call, env=home, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(f"{root}.npz")
    assert set(found["cameras"].tolist()) == set(KEYS)
    assert found["losses"][-3:].mean() < 0.8 * found["losses"][:3].mean()
