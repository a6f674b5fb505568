"""Checkpoints of four kinds of training found, named and counted; half-written ones said, never counted."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from surehand.exceptions import FormatError
from surehand.formats.checkpoint_folders import find_checkpoints, unique_names

ACT = {"type": "act", "input_features": {"observation.state": {"type": "STATE", "shape": [2]}}, "output_features": {}}


def weights(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"a": np.zeros((4, 5), np.float32), "b": np.zeros(3, np.int64)}, path)


def config(folder: Path, content: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))


def lerobot(run: Path, *steps: int, kind: str = "act") -> Path:
    """As lerobot-train leaves a run, `last` included."""
    for step in steps:
        folder = run / "checkpoints" / f"{step:06d}"
        config(folder / "pretrained_model", ACT | {"type": kind})
        weights(folder / "pretrained_model" / "model.safetensors")
        (folder / "training_state").mkdir()
        (folder / "training_state" / "training_step.json").write_text(json.dumps({"step": step}))
    (run / "checkpoints" / "last").symlink_to(f"{steps[-1]:06d}")
    return run


def openpi(run: Path, *steps: int) -> Path:
    for step in steps:
        for name in ("params", "train_state", "assets/trossen"):
            (run / str(step) / name).mkdir(parents=True)
        (run / str(step) / "params" / "manifest.ocdbt").write_bytes(b"1")
        (run / str(step) / "_CHECKPOINT_METADATA").write_text("{}")
    (run / "wandb_id.txt").write_text("x")
    return run


def trainer(run: Path, *steps: int) -> Path:
    for step in steps:
        folder = run / f"checkpoint-{step}"
        config(folder, {"model_type": "gr00t_n1_5", "architectures": ["GR00T_N1_5"]})
        for shard in (1, 2):
            weights(folder / f"model-{shard:05d}-of-00002.safetensors")
        index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return run


def learner(run: Path, *steps: int) -> Path:
    for step in steps:
        folder = run / "checkpoints" / f"{step:06d}"
        config(folder, {"kind": "learner", "learner": "mlp", "step": step})
        weights(folder / "model.safetensors")
    return run


MAKERS = {
    "lerobot": (lerobot, ["act 000020", "act 000100"]),
    "openpi": (openpi, ["run 20", "run 100"]),
    "hf-trainer": (trainer, ["gr00t_n1_5 20", "gr00t_n1_5 100"]),
    "surehand": (learner, ["mlp 000020", "mlp 000100"]),
}


@pytest.mark.parametrize("layout", MAKERS)
def test_a_run_in_the_order_of_steps(tmp_path: Path, layout: str) -> None:
    make, names = MAKERS[layout]
    run = make(tmp_path / "run", 100, 20)
    found = find_checkpoints(run)
    assert [(c.layout, c.step, c.name) for c in found.checkpoints] == [(layout, 20, names[0]), (layout, 100, names[1])]
    assert not found.skipped and {c.run for c in found.checkpoints} == {run}
    for checkpoint in found.checkpoints:  # each of them by itself
        (alone,) = find_checkpoints(checkpoint.path).checkpoints
        assert alone == checkpoint
    if (run / "checkpoints").exists():
        assert find_checkpoints(run / "checkpoints") == found


def test_a_link_and_a_pretrained_model(tmp_path: Path) -> None:
    run = lerobot(tmp_path / "run", 20, 100)
    for path in (run / "checkpoints" / "last", run / "checkpoints" / "last" / "pretrained_model"):
        (found,) = find_checkpoints(path).checkpoints
        assert (found.name, found.step, found.run) == ("act 000100", 100, run)
    (run / "checkpoints" / "000100").rename(tmp_path / "elsewhere")
    found_all = find_checkpoints(run)
    assert [c.step for c in found_all.checkpoints] == [20]
    assert found_all.skipped == ((run / "checkpoints" / "last", "a link to what is no longer there"),)


def test_names_are_those_that_policies_give_themselves(tmp_path: Path) -> None:
    from surehand.policies.lerobot.checkpoint import step_name

    run = lerobot(tmp_path / "run", 20)
    (found,) = find_checkpoints(run).checkpoints
    assert found.name == f"act {step_name(found.path / 'pretrained_model')}"


def test_runs_whose_names_meet(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lerobot(tmp_path / name, 20, 100)
    lerobot(tmp_path / "c", 20, kind="diffusion")
    names = [c.name for c in find_checkpoints(tmp_path).checkpoints]
    assert names == ["a act 000020", "a act 000100", "b act 000020", "b act 000100", "diffusion 000020"]
    deep = tmp_path / "deep"
    for name in ("mon/arm", "tue/arm"):
        learner(deep / name, 20)
    assert [c.name for c in find_checkpoints(deep).checkpoints] == ["mon arm mlp 000020", "tue arm mlp 000020"]
    one = [find_checkpoints(tmp_path / name).checkpoints[0] for name in ("a", "b")]  # asked for apart
    assert [c.name for c in unique_names(one)] == ["a act 000020", "b act 000020"]


def test_half_written_ones_are_said(tmp_path: Path) -> None:
    run = lerobot(tmp_path / "lerobot", 20, 40, 60, 80, 100)
    folders = {step: run / "checkpoints" / f"{step:06d}" for step in (20, 40, 60, 80, 100)}
    file = folders[20] / "pretrained_model" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    (folders[40] / "pretrained_model" / "model.safetensors").unlink()
    (folders[60] / "pretrained_model" / "config.json").write_text('{"type": "a')
    (folders[80] / "pretrained_model" / "config.json").unlink()
    (run / "checkpoints" / "000120").mkdir()
    (run / "checkpoints" / "000140" / "training_state").mkdir(parents=True)
    found = find_checkpoints(run)
    assert [c.step for c in found.checkpoints] == [100]
    reasons = {path.name: reason for path, reason in found.skipped}
    assert len(found.skipped) == 6
    assert reasons["000020"].startswith("model.safetensors is cut off: ")
    assert reasons["000040"] == "the weights (model.safetensors) are missing"
    assert "not JSON, or cut off" in reasons["000060"] and reasons["000080"] == "config.json is missing"
    assert reasons["000120"] == "holds nothing that is known here"
    assert reasons["000140"] == "pretrained_model is missing"

    run = openpi(tmp_path / "openpi", 20, 40, 60, 80)
    (run / "100.orbax-checkpoint-tmp-1732").mkdir()
    (run / "20" / "params").rename(run / "20" / "params.orbax-checkpoint-tmp-3")
    (run / "40" / "params" / "manifest.ocdbt").unlink()
    found = find_checkpoints(run)
    reasons = {path.name: reason for path, reason in found.skipped}
    assert [c.step for c in found.checkpoints] == [60, 80]
    assert reasons["100.orbax-checkpoint-tmp-1732"] == "temporary; its writing was not finished"
    assert reasons["20"] == "params is missing" and reasons["40"].startswith("params holds no weights")

    run = trainer(tmp_path / "trainer", 20, 40, 60)
    (run / "checkpoint-20" / "model-00002-of-00002.safetensors").unlink()
    (run / "checkpoint-40" / "model-00002-of-00002.safetensors").write_bytes(b"\xff" * 20)
    (run / "tmp-checkpoint-80").mkdir()
    found = find_checkpoints(run)
    reasons = {path.name: reason for path, reason in found.skipped}
    assert [c.step for c in found.checkpoints] == [60]
    assert reasons["checkpoint-20"] == "model-00002-of-00002.safetensors is missing"
    assert reasons["checkpoint-40"] == "model-00002-of-00002.safetensors is cut off"
    assert reasons["tmp-checkpoint-80"].startswith("temporary")

    run = learner(tmp_path / "learner", 20, 40)
    (run / "checkpoints" / ".000060.0123abcd").mkdir()
    (run / "checkpoints" / "000040" / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0no json!")
    found = find_checkpoints(run)
    reasons = {path.name: reason for path, reason in found.skipped}
    assert [c.step for c in found.checkpoints] == [20] and set(reasons) == {".000060.0123abcd", "000040"}
    assert reasons["000040"] == "model.safetensors is no safetensors file"


@pytest.mark.parametrize("size", range(0, 200, 9))
def test_every_length_of_a_cut_off_file_is_noticed(tmp_path: Path, size: int) -> None:
    run = learner(tmp_path / "run", 20, 40)
    file = run / "checkpoints" / "000040" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    assert [c.step for c in find_checkpoints(run).checkpoints] == [20]


def test_the_end_of_a_run_above_its_steps(tmp_path: Path) -> None:
    run = trainer(tmp_path / "run", 20, 40)
    config(run, {"model_type": "gr00t_n1_5"})
    weights(run / "model.safetensors")
    assert sorted(c.name for c in find_checkpoints(run).checkpoints) == [
        "gr00t_n1_5 20",
        "gr00t_n1_5 40",
        "gr00t_n1_5 run",
    ]


def test_downloads_without_a_step(tmp_path: Path) -> None:
    config(tmp_path / "smolvla_pick", ACT | {"type": "smolvla"})
    weights(tmp_path / "smolvla_pick" / "model.safetensors")
    (found,) = find_checkpoints(tmp_path / "smolvla_pick").checkpoints
    assert (found.layout, found.step, found.name) == ("lerobot", None, "smolvla smolvla_pick")
    (tmp_path / "pi05_base" / "params").mkdir(parents=True)
    (tmp_path / "pi05_base" / "params" / "_METADATA").write_text("{}")
    (found,) = find_checkpoints(tmp_path / "pi05_base").checkpoints
    assert (found.layout, found.step) == ("openpi", None) and "pi05_base" in found.name
    pickled = tmp_path / "old"
    config(pickled, {"model_type": "openvla"})
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(FormatError, match="pickled, which is not opened here"):
        find_checkpoints(pickled)


def test_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such folder; expected a checkpoint or a training run"):
        find_checkpoints(tmp_path / "absent")
    (tmp_path / "data" / "meta").mkdir(parents=True)
    config(tmp_path / "data", {"some": "settings"})
    with pytest.raises(FormatError, match=r"no checkpoint of LeRobot .*openpi .*trainer .*surehand") as found:
        find_checkpoints(tmp_path / "data")
    assert "\n" not in str(found.value)
    lone = learner(tmp_path / "run", 20)
    (lone / "checkpoints" / "000020" / "model.safetensors").unlink()
    with pytest.raises(FormatError, match=r"000020: the weights .* are missing"):
        find_checkpoints(lone)
