"""Trained learners and LeRobot's policies: the same numbers wherever they are predicted."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.formats.predictions import read_predictions

PROGRAM = Path(__file__).parent / "real_checkpoints.py"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Path:
    """One folder of predictions for each way of making them."""
    for module in ("lerobot", "ray", "torch"):
        need(module)
    root = tmp_path_factory.mktemp("real")
    environment = os.environ | {"HF_HOME": str(root / "home"), "PYTHONWARNINGS": ""}
    environment["PYTHONPATH"] = os.pathsep.join([str(PROGRAM.parent), str(PROGRAM.parents[1] / "peers")])
    done = subprocess.run(
        [sys.executable, PROGRAM, root], env=environment, capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return root / "out"


@pytest.mark.parametrize("way", ["processes", "ray"])
def test_processes_and_ray_give_the_same_bytes(out: Path, way: str) -> None:
    files = sorted((out / way).glob("*.parquet"))
    assert len(files) >= 6  # two checkpoints of each learner
    for file in files:
        assert file.read_bytes() == (out / "here" / file.name).read_bytes(), file.name


def test_other_batches_differ_by_rounding_alone(out: Path) -> None:
    files = sorted((out / "batches").glob("*.parquet"))
    assert len(files) == 9
    for file in files:
        ours, theirs = (read_predictions(path).prediction for path in (file, out / "here" / file.name))
        bound = 2e-2 if file.name.startswith("smolvla") else 1e-5  # its language model rounds in bfloat16
        assert np.abs(ours - theirs).max() <= bound * np.abs(theirs).max(), file.name


def test_predictions_are_those_that_training_wrote(out: Path) -> None:
    for step in ("000002", "000003"):
        ours = read_predictions(out / "here" / f"mlp-{step}.parquet")
        theirs = read_predictions(out.parent / "mlp" / "predictions" / f"mlp-{step}.parquet")
        np.testing.assert_allclose(ours.prediction, theirs.prediction, rtol=1e-5, atol=1e-6)
        for name in ("episode", "frame", "length"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert ours.checkpoint == theirs.checkpoint


def test_draws_begin_with_the_one_draw(out: Path) -> None:
    """Of three samples the first is the one of K = 1: the same generator, the same seed."""
    for name in ("flow-000003", "diffusion-diffusion", "smolvla-smolvla"):
        many, one = (read_predictions(out / way / f"{name}.parquet") for way in ("draws", "here"))
        assert many.prediction.shape[1] == 3 and many.metadata["generator"] == "noise" and many.metadata["seed"] == 3
        assert many.prediction.std(axis=1).mean() > 0.01
        if not name.startswith("flow"):  # its learner draws all K at once
            np.testing.assert_allclose(many.prediction[:, :1], one.prediction, rtol=2e-2, atol=2e-2)
