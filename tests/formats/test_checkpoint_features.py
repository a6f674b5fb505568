"""What a LeRobot checkpoint's files say of its inputs, outputs and statistics, in the layouts of 0.3 and of 0.4 on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from surehand.exceptions import FormatError
from surehand.formats.checkpoint_features import read_checkpoint_features

CONFIG: dict[str, Any] = {
    "type": "act",
    "input_features": {
        "observation.state": {"type": "STATE", "shape": [3]},
        "observation.images.head": {"type": "VISUAL", "shape": [3, 32, 32]},
        "observation.images.empty_camera_0": {"type": "VISUAL", "shape": [3, 32, 32]},
    },
    "output_features": {"action": {"type": "ACTION", "shape": [2]}},
    "normalization_mapping": {"STATE": "MEAN_STD", "VISUAL": "IDENTITY", "ACTION": "MIN_MAX"},
}
STEP = "normalizer_processor"
TENSORS = {
    "observation.state.mean": np.array([1.0, 2.0, 3.0], np.float32),
    "observation.state.std": np.ones(3, np.float32),
    "action.min": np.zeros(2, np.float32),
    "action.max": np.full(2, 4.0, np.float32),
    "actions.mean": np.zeros(2, np.float32),
}


def saved(folder: Path, config: dict[str, Any] = CONFIG) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    for name, step in (("preprocessor", "normalizer_processor"), ("postprocessor", "unnormalizer_processor")):
        state = f"policy_{name}_step_0_{step}.safetensors"
        steps = [{"registry_name": step, "config": {"norm_map": {"STATE": "MEAN_STD"}}, "state_file": state}]
        (folder / f"policy_{name}.json").write_text(json.dumps({"steps": steps}))
        save_file(TENSORS, folder / state)
    return folder


def test_processors_statistics_belong_to_their_features(tmp_path: Path) -> None:
    saved(tmp_path / "step" / "pretrained_model")
    found = read_checkpoint_features(tmp_path / "step")
    assert found is not None and found.type == "act" and not found.relative
    assert found.cameras == ("observation.images.head",), "lerobot fills empty cameras itself"
    state, action = found.inputs["observation.state"], found.outputs["action"]
    assert state.stats is not None and action.stats is not None
    assert (state.by, action.by, found.inputs["observation.images.head"].by) == ("mean_std", "min_max", "")
    np.testing.assert_array_equal(state.stats.mean, [1, 2, 3])
    np.testing.assert_array_equal(action.stats.max, [4, 4])
    assert action.stats.mean is None and found.stray == ("actions",)


def test_what_undoes_an_action_is_read_beside_what_normalised_it(tmp_path: Path) -> None:
    folder = saved(tmp_path / "act")
    after = next(folder.glob("*postprocessor*.safetensors"))
    save_file(TENSORS | {"action.max": np.full(2, 9.0, np.float32)}, after)
    found = read_checkpoint_features(folder)
    assert found is not None
    action = found.outputs["action"]
    assert action.stats is not None and action.trained is not None and action.stated == "min_max"
    np.testing.assert_array_equal(action.stats.max, [9, 9])
    assert action.trained[0] == "min_max"
    np.testing.assert_array_equal(action.trained[1].max, [4, 4])
    after.unlink()
    with pytest.raises(
        FormatError, match=r"names policy_postprocessor_step_0_unnormalizer_processor[.]safetensors, which is"
    ):
        read_checkpoint_features(folder)
    (folder / "policy_postprocessor.json").write_text('{"steps": []}')
    found = read_checkpoint_features(folder)
    assert found is not None and found.outputs["action"].stats is None, "those before the policy undo nothing"


def test_inputs_go_by_the_datasets_names(tmp_path: Path) -> None:
    folder = saved(tmp_path / "act")
    written = json.loads((folder / "policy_preprocessor.json").read_text())
    renames = {"observation.images.top": "observation.images.head", "observation.joints": "observation.state"}
    step = {"registry_name": "rename_observations_processor", "config": {"rename_map": renames}}
    (folder / "policy_preprocessor.json").write_text(json.dumps({"steps": [step, *written["steps"]]}))
    found = read_checkpoint_features(folder)
    assert found is not None and found.cameras == ("observation.images.top",)
    assert found.inputs["observation.joints"].stats is not None, "its statistics are under the policy's name"
    assert found.stray == ("actions",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", CONFIG | {"normalization_mapping": ["MEAN_STD"]}),
        ("config.json", CONFIG | {"output_features": {"action": {"type": "ACTION", "shape": []}}}),
        ("policy_preprocessor.json", {"steps": ["normalizer_processor", None]}),
        ("policy_preprocessor.json", {"steps": [{"registry_name": STEP, "config": [1]}]}),
        ("policy_postprocessor.json", {"steps": [{"registry_name": STEP, "config": {"norm_map": [1]}}]}),
        ("policy_postprocessor.json", []),
    ],
)  # fmt: skip
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, name: str, content: Any) -> None:
    folder = saved(tmp_path / "act")
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(FormatError, match=name.replace(".", "[.]")) as refused:
        read_checkpoint_features(folder)
    assert "\n" not in str(refused.value)


def test_older_checkpoints_keep_statistics_in_the_model(tmp_path: Path) -> None:
    tmp_path.joinpath("config.json").write_text(json.dumps(CONFIG))
    inside = {
        "normalize_inputs.buffer_observation_state.mean": np.array([5.0, 6.0, 7.0], np.float32),
        "normalize_inputs.buffer_observation_state.std": np.ones(3, np.float32),
        "unnormalize_outputs.buffer_action.min": np.zeros(2, np.float32),
        "unnormalize_outputs.buffer_action.max": np.ones(2, np.float32),
        "model.weight": np.zeros(4, np.float32),
    }
    save_file(inside, tmp_path / "model.safetensors")
    found = read_checkpoint_features(tmp_path)
    assert found is not None and found.stray == ()
    stats = found.inputs["observation.state"].stats
    assert stats is not None
    np.testing.assert_array_equal(stats.mean, [5, 6, 7])


def test_other_folders_are_none_and_damaged_ones_refused(tmp_path: Path) -> None:
    assert read_checkpoint_features(tmp_path) is None
    assert read_checkpoint_features("ws://localhost:8000") is None
    tmp_path.joinpath("config.json").write_text(json.dumps({"kind": "learner"}))
    assert read_checkpoint_features(tmp_path) is None
    tmp_path.joinpath("config.json").write_text(json.dumps(CONFIG | {"output_features": []}))
    with pytest.raises(FormatError, match="output_features"):
        read_checkpoint_features(tmp_path)
    folder = saved(tmp_path / "cut")
    state = next(folder.glob("*preprocessor*.safetensors"))
    state.write_bytes(state.read_bytes()[:20])
    with pytest.raises(FormatError, match="safetensors"):
        read_checkpoint_features(folder)
