"""`surehand predict` and `surehand errors` with policies, as a shell runs them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions

POLICIES = """
import time

def talks(o):
    print("looking at", o["frame_index"])
    return [[0.0, 0.0]] * 3

def raises(o):
    raise RuntimeError("no such joint")

def hangs(o):
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten episodes of two joints, and policies.py beside them."""
    root, rng = tmp_path_factory.mktemp("predict"), np.random.default_rng(0)
    (root / "policies.py").write_text(POLICIES)
    episodes = [
        Actions(
            action=rng.normal(size=(12, 2)).cumsum(axis=0).astype(np.float32),
            episode=np.full(12, i),
            frame=np.arange(12),
            task=np.zeros(12, np.int64),
            tasks=("reach",),
            names=("a", "b"),
            fps=10.0,
        )
        for i in range(10)
    ]
    return write_lerobot(root / "data", episodes)


def surehand(data: Path, command: str, *arguments: object) -> "subprocess.Popen[str]":
    """The command over the dataset, in the folder of policies.py, in a session of its own."""
    words = [sys.executable, "-m", "surehand", command, str(data), *map(str, arguments)]
    return subprocess.Popen(
        words, cwd=data.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_policy_prints_is_not_in_the_result(data: Path, tmp_path: Path, processes: int) -> None:
    command = surehand(data, "predict", "x=policies.py:talks", "--out", tmp_path, "--json", "--processes", processes)
    said, aside = command.communicate(timeout=60)
    assert command.returncode == 0, aside
    assert json.loads(said)["policies"][0]["frames"] == 12 and aside.count("looking at") == 12


def test_a_failure_among_others_is_told_everywhere(data: Path, tmp_path: Path) -> None:
    policies = ("x=policies.py:talks", "y=policies.py:raises")
    command = surehand(data, "predict", *policies, "--out", tmp_path / "it is", "--cache-gb", "inf")
    said, aside = command.communicate(timeout=60)
    assert command.returncode == 1
    assert [line.split()[0] for line in said.splitlines()[1:3]] == ["x", "y"] and "failed" in said
    assert f"errors DATASET -p '{tmp_path}/it is'" in said
    assert "surehand: y failed: policies.py:raises: RuntimeError: no such joint; asked between" in aside
    out = tmp_path / "errors"
    command = surehand(data, "errors", *policies, "--layout", "arm(a b)", "--resamples", 100, "--out", out)
    said, aside = command.communicate(timeout=120)
    assert command.returncode == 1, aside
    reason = "y could not be predicted and is not in these numbers"
    assert reason in " ".join(said.split())
    assert any(reason in warning for warning in json.loads((out / "errors.json").read_text())["warnings"])
    assert reason in (out / "errors.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_polite_kill_are_heard_while_ray_works(
    data: Path, tmp_path: Path, number: signal.Signals, need: Callable[[str], None]
) -> None:
    """Ray's compiled waits let only a KeyboardInterrupt through, and it takes SIGTERM for itself."""
    need("ray")
    policies = ("a=policies.py:hangs", "x=policies.py:talks")
    command = surehand(data, "predict", *policies, "--out", tmp_path, "--ray", "--processes", 2)
    began = time.monotonic()
    while not (tmp_path / "x.parquet").exists() and command.poll() is None:
        assert time.monotonic() - began < 100
        time.sleep(0.2)
    time.sleep(3)  # by now it waits inside Ray
    command.send_signal(number)
    try:
        said, aside = command.communicate(timeout=60)
    finally:
        command.kill()
    assert command.returncode == 130, aside
    assert (said, aside.splitlines()) == ("", ["surehand: interrupted; nothing was left half-written"])
