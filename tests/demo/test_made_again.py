"""The commands that made the embedded data make them again."""

import shlex
from pathlib import Path

import make_demo_data
import mujoco
import numpy as np
import pytest
from typer.testing import CliRunner

import surehand as sh
from surehand.cli.app import app
from surehand.demo import demo_folder
from surehand.formats.records import read_json
from surehand.formats.rounds import open_rounds
from surehand.formats.trials import read_trials

GOLDEN_MUJOCO = "4.0.0"
COLUMNS = ["observation.environment_state", "tool_object_distance", "nudge", "initial_state"]
pytestmark = pytest.mark.skipif(
    mujoco.__version__ != GOLDEN_MUJOCO, reason=f"the data are those of mujoco {GOLDEN_MUJOCO}"
)


def _commands() -> list[list[str]]:
    """The lines of commands.txt as arguments of surehand."""
    text = (demo_folder() / "commands.txt").read_text(encoding="utf-8")
    return [shlex.split(line)[1:] for line in text.splitlines() if not line.startswith("#")]


def _run(arguments: list[str], **changed: object) -> None:
    """Nothing; runs a command with some of its options changed."""
    for name, value in changed.items():
        option = f"--{name}"
        at = arguments.index(option) if option in arguments else len(arguments)
        arguments = [*arguments[:at], option, str(value), *arguments[at + 2 :]]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output


def test_first_episodes_come_out_again(tmp_path: Path) -> None:
    _run(_commands()[0], out=tmp_path / "set", episodes=3, processes=1)
    again = sh.open_lerobot(tmp_path / "set").read(columns=COLUMNS)
    committed = sh.open_lerobot(demo_folder() / "dataset").read([0, 1, 2], columns=COLUMNS)
    np.testing.assert_array_equal(again.episode, committed.episode)
    assert again.state is not None and committed.state is not None
    # To the last bit on the machine that made them; contact amplifies what other processors round otherwise.
    np.testing.assert_allclose(again.action, committed.action, atol=1e-3)
    np.testing.assert_allclose(again.state, committed.state, atol=1e-3)
    for name in COLUMNS:
        np.testing.assert_allclose(again.columns[name], committed.columns[name], atol=1e-3)


@pytest.mark.slow
def test_checkpoints_come_out_again(tmp_path: Path) -> None:
    train = _commands()[1]
    _run([*train[:2], str(demo_folder() / "dataset"), *train[3:]], out=tmp_path / "mlp")
    for path in sorted((demo_folder() / "predictions").glob("mlp-*.parquet")):
        committed = sh.read_predictions(path)
        again = sh.read_predictions(tmp_path / "mlp" / "predictions" / path.name)
        again = again.take(again.frame % make_demo_data.EVERY["mlp"] == 0)
        error, spread = np.abs(again.prediction - committed.prediction).mean(), committed.prediction.std()
        # Another BLAS adds in another order, and training carries that on: near, not equal.
        assert error < 0.05 * spread
    stated, found = (read_json(path) for path in (demo_folder() / "mlp-run.json", tmp_path / "mlp" / "run.json"))
    for key in ("train_loss", "validation_loss"):
        losses = ([row[key] for row in record["checkpoints"]] for record in (stated, found))
        np.testing.assert_allclose(*losses, rtol=0.1)


@pytest.mark.slow
def test_a_small_one_is_made_whole(tmp_path: Path) -> None:
    size = make_demo_data.Size(demonstrations=120, mlp_steps=40, checkpoints=2, flow_steps=20, trials=1, watched=1)
    made = make_demo_data.make(tmp_path, make_demo_data.SEED, size)
    assert {path.name for path in made.iterdir()} == {path.name for path in demo_folder().iterdir()}
    assert len(list((made / "predictions").iterdir())) == 3
    assert len(read_trials(made / "trials.csv")) == 9
    logged = open_rounds(next((tmp_path / "rounds" / "rounds").iterdir())).read()
    for before, after in zip(logged, open_rounds(made / "rounds.parquet"), strict=True):
        assert (before.episode, before.step, before.task) == (after.episode, after.step, after.task)
        np.testing.assert_allclose(after.candidates, before.candidates, rtol=1e-3, atol=1e-4)
