"""A checkpoint's folder is opened by whoever wrote it; anything else is refused in one line."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.exceptions import FormatError, SurehandError
from surehand.predictions.opening import Access
from surehand.sim.opening import open_policy

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "lerobot-act" / "run.py"
PEER = Path(__file__).parents[1] / "peers" / "lerobot_policy.py"


def test_a_folder_without_a_checkpoint_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no checkpoint of `surehand sim train` or lerobot-train here; is the path"):
        open_policy(tmp_path / "nowhere")
    (tmp_path / "checkpoints" / "000020").mkdir(parents=True)
    with pytest.raises(FormatError, match=r"name one of its checkpoints, e\.g\. .*checkpoints/000020"):
        open_policy(tmp_path)


def test_who_wrote_it_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"type": "act"}))
    with pytest.raises(FormatError, match=r"model\.safetensors missing"):
        open_policy(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(FormatError, match="surehand sim train"):
        open_policy(tmp_path)


def test_what_is_no_folder_is_opened_by_its_address(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f(observation):\n    return [1.0]\n")
    assert open_policy(f"{tmp_path}/mine.py:f", Access(space="robot/delta")).spec.space.reference == "delta"
    for address in ("grpc://host:1", tmp_path / "mine.py", tmp_path / "absent.pt"):
        with pytest.raises(FormatError, match="a policy is a checkpoint's folder"):
            open_policy(address)
    (tmp_path / "trainer_state.json").write_text("{}")
    for more in ("params", "config.json"):
        with pytest.raises(FormatError, match="start that project's policy server"):
            open_policy(tmp_path)
        (tmp_path / more).write_text("{}")
    with pytest.raises(SurehandError, match="nothing listens at"):
        open_policy("http://127.0.0.1:1", Access(("state=x",))).infer({"x": 1, "task": ""})


@pytest.mark.slow
@pytest.mark.parametrize("images", [False, True])
def test_lerobots_own_act_learns_from_a_recording_and_acts(
    tmp_path: Path, need: Callable[[str], None], images: bool
) -> None:
    """Its own training script, checkpoints as it writes them, the same chunks as its own calls, a closed loop."""
    need("lerobot")
    size = ["--demos=12", "--steps=200", "--checkpoints=2", "--episodes=2", "--task=press", "--body=desk"]
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "PYTHONWARNINGS": ""}
    command = [sys.executable, EXPERIMENT, f"--out={tmp_path / 'out'}", *size]
    command += ["--camera=head", "--image-size=32", "--steps=20", "--batch=4"] if images else []
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    losses = [float(found) for found in re.findall(r" loss:([\d.]+)", done.stderr)]
    assert len(losses) >= 2 and losses[-1] < 0.5 * losses[0]
    steps = ["000010", "000020"] if images else ["000100", "000200"]
    assert re.findall(r"^act (\d+)  press  [0-2] of 2$", done.stdout, re.MULTILINE) == steps
    checkpoints = tmp_path / "out" / "run" / "checkpoints"
    subprocess.run([sys.executable, PEER, "ask", checkpoints], env=environment, timeout=300, check=True)
    for step in steps:
        found = np.load(checkpoints / f"{step}.npz")
        stepped = found["theirs"]  # action by action, until the episode ends within a chunk
        np.testing.assert_array_equal(found["alone"].reshape(-1, stepped.shape[-1])[: len(stepped)], stepped)
        assert str(found["name"]) == f"act {step}"
