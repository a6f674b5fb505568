"""Training: repeatable to the last bit, also when interrupted; what it writes is what other commands read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.predictions import open_predictions
from surehand.frames import Actions
from surehand.layout import Layout
from surehand.sim.learners import LEARNERS, load_policy
from surehand.sim.learners.settings import Learner, Training, schedule, training
from surehand.sim.learners.train import train
from surehand.sim.observation import ENVIRONMENT, IMAGES

RECIPE = Training("mlp", 30, (5, 12, 30), seed=3, batch=32)
STATE_ONLY = tuple(name for name in LEARNERS if name != "pixels")


class Stop(BaseException):
    """Ctrl-C, at a chosen moment."""


def with_pictures(actions: Actions, size: int = 16) -> Actions:
    """The same frames with pictures of noise from two cameras."""
    rng = np.random.default_rng(0)
    seen = {IMAGES + c: rng.integers(0, 255, (len(actions), size, size, 3), np.uint8) for c in ("hand", "head")}
    return replace(actions, columns=seen)


def files(folder: Path) -> dict[str, bytes]:
    """Every tensor of every checkpoint."""
    found = {}
    for path in sorted(folder.glob("checkpoints/*/model.safetensors")):
        found |= {f"{path.parent.name} {key}": value.tobytes() for key, value in load_file(path).items()}
    return found


@pytest.mark.parametrize("learner", LEARNERS)
def test_every_learner_learns(
    learner: Learner, tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout
) -> None:
    """The loss on the training frames falls well below the first checkpoint's, and held-out frames are predicted."""
    if learner == "pixels":
        recorded, held_out = with_pictures(recorded), with_pictures(held_out)
    recipe = Training(learner, 40, (1, 40), batch=32)
    done = train(recipe, recorded, held_out, tmp_path / "run", layout=desk, data_identity="abc")
    assert done.steps.tolist() == [1, 40]
    assert done.train_loss[1] < 0.75 * done.train_loss[0]
    found = open_predictions(tmp_path / "run" / "predictions" / f"{learner}-000040.parquet")
    assert (found.checkpoint, str(found.space), found.metadata["data_identity"]) == (
        f"{learner} 000040", "robot/absolute", "abc",
    )  # fmt: skip
    said = found.read()
    assert said.prediction.shape == (len(held_out), 1, 8, 6)
    assert np.array_equal(said.episode, held_out.episode) and np.array_equal(said.frame, held_out.frame)
    last = np.append(np.diff(held_out.episode) != 0, True)
    assert (said.length[last] == 1).all() and said.length.max() == 8


@pytest.mark.parametrize("learner", STATE_ONLY)
def test_the_same_recipe_gives_the_same_bits_also_after_an_interruption(
    learner: Learner, tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout
) -> None:
    recipe = replace(RECIPE, learner=learner)
    whole = train(recipe, recorded, held_out, tmp_path / "whole", layout=desk)

    def stop(what: str, share: float) -> None:
        if share > 0.5:
            raise Stop

    with pytest.raises(Stop):
        train(recipe, recorded, held_out, tmp_path / "cut", layout=desk, progress=stop)
    assert len(json.loads((tmp_path / "cut" / "run.json").read_text())["checkpoints"]) == 2
    resumed = train(recipe, recorded, held_out, tmp_path / "cut", layout=desk)
    assert files(tmp_path / "whole") == files(tmp_path / "cut")
    assert np.array_equal(whole.validation_loss, resumed.validation_loss)
    assert not list((tmp_path / "cut").glob("resume-*"))  # nothing is left to go on with
    other = train(replace(recipe, seed=4), recorded, held_out, tmp_path / "other", layout=desk)
    assert (whole.train_loss != other.train_loss).all()


def test_an_interruption_between_two_files_of_a_checkpoint_is_made_good(
    tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only run.json makes a checkpoint count; everything before it may already be there."""
    from surehand.sim.learners.run import Run

    train(RECIPE, recorded, held_out, tmp_path / "whole", layout=desk)
    save = Run.save

    def stop(self: Run, path: Path) -> Path:
        if len(self.checkpoints) == 2:
            raise Stop
        return save(self, path)

    monkeypatch.setattr(Run, "save", stop)
    with pytest.raises(Stop):
        train(RECIPE, recorded, held_out, tmp_path / "cut", layout=desk)
    monkeypatch.undo()
    train(RECIPE, recorded, held_out, tmp_path / "cut", layout=desk)
    assert files(tmp_path / "whole") == files(tmp_path / "cut")


def test_a_finished_run_is_read_not_trained_again(
    tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout
) -> None:
    done = train(RECIPE, recorded, held_out, tmp_path / "run", layout=desk)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    again = train(RECIPE, recorded, held_out, tmp_path / "run", layout=desk)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert np.array_equal(done.train_loss, again.train_loss) and done.seconds == again.seconds


def test_steps_past_the_episodes_end_do_not_count(
    tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout
) -> None:
    """The validation loss equals a plain loop over the steps that were recorded, in units of the training spread."""
    done = train(RECIPE, recorded, held_out, tmp_path / "run", layout=desk)
    said = open_predictions(tmp_path / "run" / "predictions" / "mlp-000030.parquet").read()
    spread = recorded.action.std(axis=0)
    squares = []
    for row in range(len(held_out)):
        for h in range(8):
            same = row + h < len(held_out) and held_out.episode[row + h] == held_out.episode[row]
            if same:
                squares.append(((said.prediction[row, 0, h] - held_out.action[row + h]) / spread) ** 2)
    assert np.isclose(np.mean(squares), done.validation_loss[-1], rtol=1e-4)


def test_another_run_or_foreign_folder_is_refused(
    tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout
) -> None:
    run = tmp_path / "run"
    train(RECIPE, recorded, held_out, run, layout=desk)
    with pytest.raises(FormatError, match="holds a run with recipe"):
        train(replace(RECIPE, seed=4), recorded, held_out, run, layout=desk)
    with pytest.raises(FormatError, match="holds a run with data"):
        moved = replace(recorded, action=recorded.action + np.float32(1e-3))
        train(RECIPE, moved, held_out, run, layout=desk)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "diary.txt").write_text("private")
    with pytest.raises(FormatError, match="holds no run"):
        train(RECIPE, recorded, held_out, tmp_path / "other", layout=desk)


def test_a_full_disk_is_one_line(
    tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: object, path: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr("surehand.sim.learners.checkpoint.save_file", full)
        with pytest.raises(FormatError, match=r"cannot write .*No space left"):
            train(RECIPE, recorded, held_out, tmp_path / "run", layout=desk)
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    train(RECIPE, recorded, held_out, tmp_path / "run", layout=desk)  # goes on once there is room
    train(RECIPE, recorded, held_out, tmp_path / "other", layout=desk)
    assert files(tmp_path / "run") == files(tmp_path / "other")


def test_a_damaged_state_is_refused(tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout) -> None:
    def stop(what: str, share: float) -> None:
        if share > 0.5:
            raise Stop

    with pytest.raises(Stop):
        train(RECIPE, recorded, held_out, tmp_path / "run", layout=desk, progress=stop)
    (state,) = (tmp_path / "run").glob("resume-*")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(FormatError, match="start again in a new folder"):
        train(RECIPE, recorded, held_out, tmp_path / "run", layout=desk)


def test_recordings_that_do_not_fit_are_refused(
    tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout
) -> None:
    out = tmp_path / "run"
    with pytest.raises(SurehandError, match="actions have 5 columns, the layout 6"):
        train(RECIPE, replace(recorded, action=recorded.action[:, :5]), held_out, out, layout=desk)
    with pytest.raises(SurehandError, match=f"no column '{ENVIRONMENT}'"):
        train(RECIPE, replace(recorded, columns={}), held_out, out, layout=desk)
    with pytest.raises(SurehandError, match="learns from images"):
        train(replace(RECIPE, learner="pixels"), recorded, held_out, out, layout=desk)
    with pytest.raises(SurehandError, match="no held-out frames"):
        train(RECIPE, recorded, held_out.take(slice(0)), out, layout=desk)
    told = replace(held_out, tasks=tuple("fly" for _ in held_out.tasks))
    with pytest.raises(SurehandError, match="told 'fly'"):
        train(RECIPE, recorded, told, out, layout=desk)
    seen = recorded.columns[ENVIRONMENT].copy()
    seen[5, 2] = np.nan
    with pytest.raises(SurehandError, match=r"observations of episode 0, frame 5, dimension 8: nan \(1 such"):
        train(RECIPE, replace(recorded, columns={ENVIRONMENT: seen}), held_out, out, layout=desk)
    assert not out.exists()


def test_draws_of_a_stochastic_learner_differ_and_say_how(
    tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout
) -> None:
    train(replace(RECIPE, learner="flow", draws=3), recorded, held_out, tmp_path / "run", layout=desk)
    said = open_predictions(tmp_path / "run" / "predictions" / "flow-000030.parquet").read()
    assert said.prediction.shape[1] == 3 and (said.prediction[:, 0] != said.prediction[:, 1]).any(axis=(1, 2)).all()
    assert said.metadata["generator"] == "noise" and said.metadata["knob"] == "temperature"


def test_torchs_own_settings_are_left_alone(tmp_path: Path, recorded: Actions, held_out: Actions, desk: Layout) -> None:
    torch.manual_seed(11)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train(RECIPE, recorded, held_out, tmp_path / "run", layout=desk)
    load_policy(tmp_path / "run" / "checkpoints" / "000030")
    assert torch.equal(before, torch.get_rng_state()) and threads == torch.get_num_threads()


def test_schedules_and_recipes() -> None:
    assert schedule(1000, 5) == (20, 53, 141, 376, 1000)
    assert schedule(3, 10) == (1, 2, 3) and schedule(7, 1) == (7,)
    assert training("act").checkpoints[-1] == training("act").steps
    for wrong in ({"checkpoints": (5, 20)}, {"checkpoints": (12, 5, 30)}, {"checkpoints": (0, 30)}, {"seed": -1},
                  {"rate": 0.0}, {"learner": "oracle"}):  # fmt: skip
        with pytest.raises(SurehandError):
            replace(RECIPE, **wrong)
