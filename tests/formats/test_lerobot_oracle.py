"""Unmodified lerobot as the judge: it loads what we write, and we read what it writes, converts and saves."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from surehand.formats.checkpoint_stats import read_checkpoint_stats
from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions

PEER = Path(__file__).parents[1] / "peers" / "lerobot_peer.py"


@pytest.fixture(autouse=True)
def _lerobot(need: Callable[[str], None]) -> None:
    need("lerobot")


def ask(command: str, root: Path, home: Path) -> None:
    """Runs one command of the peer; its complaint is the test's."""
    environment = os.environ | {"HF_HOME": str(home), "HF_DATASETS_CACHE": str(home / "cache"), "PYTHONWARNINGS": ""}
    done = subprocess.run(
        [sys.executable, PEER, command, root], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def recorded(rng: np.random.Generator) -> Iterator[Actions]:
    """Four episodes of two tasks with different lengths, one of a single frame."""
    for episode, (length, task) in enumerate(((12, 0), (1, 1), (30, 1), (8, 0))):
        yield Actions(
            action=rng.normal(size=(length, 4)).astype(np.float32),
            episode=np.full(length, episode),
            frame=np.arange(length),
            task=np.full(length, task),
            state=rng.normal(size=(length, 3)).astype(np.float32),
            tasks=("open the drawer", "close it"),
            names=("lift", "turn", "bend", "gripper"),
            state_names=("lift", "turn", "bend"),
            fps=20.0,
        )


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_lerobot_loads_what_we_write(tmp_path: Path, rng: np.random.Generator, version: str) -> None:
    root = tmp_path / "ours"
    # Files of a few kilobytes, so that the four episodes fall into several.
    write_lerobot(root, recorded(rng), version=version, robot_type="crane", file_megabytes=0.001)
    ours = open_lerobot(root).read()
    identity = open_lerobot(root).identity()
    if version == "v2.1":
        ask("convert", root, tmp_path)
        assert open_lerobot(root).version == "v3.0"
        assert open_lerobot(root).identity() == identity
    ask("load", root, tmp_path)
    theirs = np.load(f"{root}.npz")

    np.testing.assert_array_equal(theirs["chunk"][:, 0], ours.action)
    np.testing.assert_array_equal(theirs["state"], ours.state)
    np.testing.assert_array_equal(theirs["episode"], ours.episode)
    np.testing.assert_array_equal(theirs["frame"], ours.frame)
    np.testing.assert_allclose(theirs["timestamp"], ours.timestamp, rtol=1e-6)
    assert [ours.tasks[i] for i in ours.task] == theirs["task"].tolist()
    assert open_lerobot(root).episode_tasks == tuple(theirs["first_tasks"])
    assert (theirs["fps"], theirs["robot_type"], tuple(theirs["names"])) == (20, "crane", ours.names)
    # A chunk of five steps reaches past the end of each episode exactly where fewer than five frames are left.
    length = np.bincount(ours.episode)[ours.episode]
    np.testing.assert_array_equal(theirs["pad"], ours.frame[:, None] + np.arange(5) >= length[:, None])
    np.testing.assert_array_equal(theirs["last_action"], ours.action[ours.episode == 3])


def test_our_statistics_are_those_of_the_data_as_lerobot_loads_them(tmp_path: Path, rng: np.random.Generator) -> None:
    root = write_lerobot(tmp_path / "ours", recorded(rng))
    action = open_lerobot(root).read().action.astype(np.float64)
    ask("load", root, tmp_path)
    theirs = np.load(f"{root}.npz")
    expected = {
        "mean": action.mean(0),
        "std": action.std(0),
        "min": action.min(0),
        "max": action.max(0),
        "q01": np.quantile(action, 0.01, axis=0),
        "q99": np.quantile(action, 0.99, axis=0),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(theirs[f"stats_{name}"], values, rtol=1e-9, err_msg=name)


def test_we_read_what_lerobot_records(tmp_path: Path) -> None:
    root = tmp_path / "theirs"
    ask("write", root, tmp_path)
    put = np.load(f"{root}.npz")
    folder = open_lerobot(root)
    found = folder.read()
    np.testing.assert_array_equal(found.action, put["action"])
    np.testing.assert_array_equal(found.state, put["state"])
    assert folder.lengths.tolist() == [7, 4, 9]
    assert folder.episode_tasks == ("pick", "place", "pick")
    assert [found.tasks[i] for i in found.task[[0, 7, 11]]] == ["pick", "place", "pick"]
    assert found.names == ("lift", "turn", "gripper") and found.state_names == ("lift", "turn")
    assert (folder.fps, folder.robot_type) == (20.0, "crane")
    stats = folder.stats()
    assert stats is not None and stats.mean is not None and stats.std is not None
    np.testing.assert_allclose(stats.mean, put["action"].mean(0), atol=1e-6)
    np.testing.assert_allclose(stats.std, put["action"].std(0), atol=1e-6)
    np.testing.assert_allclose(folder.episode_stats()[1].mean, put["action"][7:11].mean(0), atol=1e-6)


def test_checkpoint_statistics_undo_the_normalisation_as_lerobot_does(tmp_path: Path) -> None:
    root = tmp_path / "checkpoints"
    ask("checkpoint", root, tmp_path)
    answers = np.load(f"{root}.npz")
    for mode, by in (("MEAN_STD", "mean_std"), ("MIN_MAX", "min_max"), ("QUANTILES", "quantiles")):
        found = read_checkpoint_stats(root / mode)
        assert found.by == by
        offset, scale = found.stats.affine(found.by)
        np.testing.assert_allclose(offset + scale * answers["z"], answers[mode], rtol=1e-5, atol=1e-6)
