"""Statistics of LeRobot checkpoints, new and old, made of the files that lerobot documents."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from surehand.exceptions import FormatError, SpaceError
from surehand.formats.checkpoint_stats import read_checkpoint_stats
from surehand.frames import Space

STATE = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"
MEAN, STD = np.array([1, 2, 3], np.float32), np.array([4, 5, 6], np.float32)


def write_config(folder: Path, mode: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = {"type": "act", "normalization_mapping": {"STATE": "MIN_MAX", "ACTION": mode}}
    (folder / "config.json").write_text(json.dumps(config))


def new_checkpoint(root: Path, mode: str = "MEAN_STD") -> Path:
    """As lerobot from 0.4: statistics beside the post-processor."""
    folder = root / "000020" / "pretrained_model"
    write_config(folder, mode)
    save_file({"action.mean": MEAN, "action.std": STD, "observation.state.mean": MEAN * 9}, folder / STATE)
    return folder


def test_a_checkpoint_is_found_by_its_folder_the_one_above_or_the_file(tmp_path: Path) -> None:
    folder = new_checkpoint(tmp_path)
    for path in (folder, folder.parent, folder / STATE):
        found = read_checkpoint_stats(path)
        assert (found.by, found.space) == ("mean_std", Space("normalised", "mean_std"))
        np.testing.assert_array_equal(found.stats.mean, MEAN)
        np.testing.assert_array_equal(found.stats.std, STD)
        assert STATE in found.stats.source


def test_an_old_checkpoint_keeps_them_in_the_model(tmp_path: Path) -> None:
    write_config(tmp_path, "MIN_MAX")
    tensors = {
        "unnormalize_outputs.buffer_action.min": MEAN,
        "unnormalize_outputs.buffer_action.max": STD,
        "normalize_inputs.buffer_observation_state.min": STD,
        "model.weight": np.zeros((5, 5), np.float16),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    found = read_checkpoint_stats(tmp_path)
    assert found.by == "min_max"
    np.testing.assert_array_equal(found.stats.min, MEAN)
    np.testing.assert_array_equal(found.stats.max, STD)


def test_what_the_post_processor_does_goes_before_what_the_config_states(tmp_path: Path) -> None:
    folder = new_checkpoint(tmp_path, "QUANTILES")
    (folder / STATE).rename(folder / "other.safetensors")
    step = {"registry_name": "unnormalizer_processor", "config": {"norm_map": {"ACTION": "MEAN_STD"}}}
    steps = [{"registry_name": "device_processor"}, step | {"state_file": "other.safetensors"}]
    (folder / "policy_postprocessor.json").write_text(json.dumps({"steps": steps}))
    assert read_checkpoint_stats(folder).by == "mean_std"


def test_identity_needs_no_statistics(tmp_path: Path) -> None:
    write_config(tmp_path, "IDENTITY")
    found = read_checkpoint_stats(tmp_path)
    assert (found.by, found.space, found.stats.mean) == ("", Space(), None)


def test_an_action_without_statistics_is_refused(tmp_path: Path) -> None:
    # lerobot would pass such actions through without a word.
    with pytest.raises(FormatError, match="no statistics of 'actions'"):
        read_checkpoint_stats(new_checkpoint(tmp_path), action_key="actions")


@pytest.mark.parametrize(
    ("mode", "error", "line"),
    [
        ("QUANTILES", FormatError, "quantiles needs q01 and q99, it holds mean, std"),
        ("QUANTILE10", SpaceError, "'QUANTILE10' is not known"),
    ],
)
def test_modes_that_cannot_be_undone_are_refused(tmp_path: Path, mode: str, error: type[Exception], line: str) -> None:
    with pytest.raises(error, match=line):
        read_checkpoint_stats(new_checkpoint(tmp_path, mode))


def test_broken_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such checkpoint"):
        read_checkpoint_stats(tmp_path / "nowhere")
    with pytest.raises(FormatError, match="no LeRobot checkpoint"):
        read_checkpoint_stats(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FormatError, match="no normalization_mapping"):
        read_checkpoint_stats(tmp_path)
    folder = new_checkpoint(tmp_path)
    (folder / STATE).write_bytes((folder / STATE).read_bytes()[:20])
    with pytest.raises(FormatError, match="not a readable safetensors file"):
        read_checkpoint_stats(folder)
