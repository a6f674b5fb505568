"""What a LeRobot checkpoint's files say, without lerobot: specifications, and folders that are refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from surehand.exceptions import FormatError
from surehand.policies.lerobot.checkpoint import PROCESSORS, CheckpointConfig, locate, read_checkpoint
from surehand.policies.lerobot.kinds import first_step, spec_of
from surehand.policies.protocol import PolicySpec

CONFIG: dict[str, Any] = {
    "type": "act",
    "n_obs_steps": 1,
    "chunk_size": 7,
    "input_features": {
        "observation.state": {"type": "STATE", "shape": [5]},
        "observation.images.head": {"type": "VISUAL", "shape": [3, 32, 32]},
        "observation.images.empty_camera_0": {"type": "VISUAL", "shape": [3, 480, 640]},
    },
    "output_features": {"action": {"type": "ACTION", "shape": [3]}},
}


def saved(folder: Path, config: dict[str, Any], steps: list[dict[str, Any]] | None = None) -> Path:
    """A folder with the files of a checkpoint, without a model in it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({"weight": np.zeros(3, np.float32)}, folder / "model.safetensors")
    for name in PROCESSORS:
        (folder / name).write_text(json.dumps({"steps": steps or []}), encoding="utf-8")
    return folder


def specified(folder: Path) -> PolicySpec:
    """What the files alone say of the policy."""
    checkpoint = read_checkpoint(locate(folder))
    return spec_of(checkpoint.config, checkpoint.folder, renamed=checkpoint.renamed)


def test_the_specification_is_read_without_lerobot(tmp_path: Path) -> None:
    spec = specified(saved(tmp_path / "000100" / "pretrained_model", CONFIG).parent)
    assert (spec.horizon, spec.dims, spec.first_step, spec.stochastic, spec.history) == (7, 3, 0, False, 1)
    assert spec.cameras == ("observation.images.head",)  # the empty one is lerobot's to fill
    assert spec.inputs == ("observation.state",) and str(spec.space) == "robot"


def test_inputs_go_by_the_datasets_names(tmp_path: Path) -> None:
    renames = {"observation.images.left": "observation.images.head"}
    step = {"registry_name": "rename_observations_processor", "config": {"rename_map": renames}}
    assert specified(saved(tmp_path / "one", CONFIG, [step])).cameras == ("observation.images.left",)


def test_a_folder_that_is_no_checkpoint_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"config\.json is missing\); name a pretrained_model folder"):
        locate(tmp_path)
    (tmp_path / "checkpoints" / "last").mkdir(parents=True)
    with pytest.raises(FormatError, match=r"name one of its checkpoints, e\.g\. .*checkpoints/last"):
        locate(tmp_path)
    folder = saved(tmp_path / "new", CONFIG)
    (folder / PROCESSORS[1]).unlink()
    with pytest.raises(FormatError, match=r"policy_postprocessor\.json missing; lerobot writes them from 0\.4 on"):
        read_checkpoint(folder)
    (folder / PROCESSORS[0]).unlink()
    with pytest.raises(FormatError, match=r"policy_preprocessor\.json, policy_postprocessor\.json missing"):
        read_checkpoint(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FormatError, match=r"model\.safetensors missing; copy it again"):
        locate(folder)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(FormatError, match=r"model\.safetensors missing; it is a PEFT adapter; merge it"):
        locate(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "nobodys", "chunk_size": None}, "chunk_size, action_chunk_size, n_action_steps, horizon is missing"),
        ({"type": None}, r"config\.json: not as lerobot writes it \(type: Input should be a valid string\)"),
        ({"input_features": None}, "input_features: Input should be an object"),
        ({"input_features": {}}, "input_features: Dictionary should have at least 1 item"),
        ({"chunk_size": None}, "chunk_size is missing"),
        ({"output_features": {}}, "the output 'action' is missing"),
        ({"output_features": {"action": {"type": "ACTION", "shape": []}}}, "output_features.action.shape: Tuple"),
        ({"chunk_size": -3}, "chunk_size: Input should be greater than 0"),
    ],
)
def test_a_config_that_cannot_be_served_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    folder = saved(tmp_path / "one", CONFIG | change)
    with pytest.raises(FormatError, match=said) as caught:
        specified(folder)
    assert "\n" not in str(caught.value)


def test_a_chunk_stands_where_it_was_trained() -> None:
    where = Path("config.json")
    assert first_step(None, 4, where) == 0 and first_step(range(8), 8, where) == 0
    assert first_step(range(-1, 15), 8, where) == 0  # diffusion: past steps trained, left out of the answer
    assert first_step(range(-1, 15), 16, where) == -1  # and if they were answered
    assert first_step(range(2, 6), 4, where) == 2
    with pytest.raises(FormatError, match=r"trained on the steps \[0, 2, 4\]; surehand reads chunks of consecutive"):
        first_step([0, 2, 4], 3, where)
    with pytest.raises(FormatError, match="a policy of single actions"):
        first_step([], 1, where)


def test_a_type_that_is_not_known_is_found_out_by_its_steps() -> None:
    where = Path("one")

    def asked(actions: range, observed: Any = (), **fields: Any) -> tuple[int, int, int]:
        config = CheckpointConfig.model_validate(CONFIG | {"type": "nobodys", "chunk_size": None} | fields)
        spec = spec_of(config, where, actions, observed)
        assert spec.stochastic and spec.generator == "noise"
        return spec.horizon, spec.first_step, spec.history

    assert asked(range(9)) == (9, 0, 1)
    assert asked(range(9), chunk_size=9, n_action_steps=4) == (9, 0, 1)
    assert asked(range(-1, 15), range(-1, 1), horizon=16, n_action_steps=8) == (8, 0, 2)
    assert asked(range(5), range(6), horizon=5) == (5, 0, 1)  # a world model's targets lie ahead
    with pytest.raises(FormatError, match=r"looks at the observations \[-6, -3\]; surehand gives"):
        asked(range(5), [-6, -3, 0])


def test_a_tokens_temperature_decides_whether_draws_differ() -> None:
    config = CheckpointConfig.model_validate(CONFIG | {"type": "pi0_fast", "temperature": 0.0})
    assert spec_of(config, Path("one")).generator == "deterministic"
    warm = CheckpointConfig.model_validate(CONFIG | {"type": "pi0_fast", "temperature": 0.7})
    assert spec_of(warm, Path("one")).generator == "token-temperature"


def test_names_of_columns_are_the_checkpoints_own() -> None:
    names = ["lift", "flex", "grip"]
    assert CheckpointConfig.model_validate(CONFIG | {"action_feature_names": names}).action_names == tuple(names)
    for other in (None, names[:2], [1, 2, 3], {"motors": names}):
        assert CheckpointConfig.model_validate(CONFIG | {"action_feature_names": other}).action_names is None


def test_a_processor_may_not_name_code_to_import(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", CONFIG, [{"class": "os.path.Join", "config": {}}])
    with pytest.raises(FormatError, match=r"policy_preprocessor\.json names code to import \(os\.path\.Join\)"):
        read_checkpoint(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*CONFIG, "shape"]), inner, max_size=4),
    max_leaves=8,
)


@given(found=st.binary(max_size=60) | JSON | st.fixed_dictionaries(dict.fromkeys(CONFIG, JSON)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_other_config_is_one_line(tmp_path: Path, found: Any) -> None:
    folder = tmp_path / "one"
    if not folder.exists():
        saved(folder, CONFIG)
    (folder / "config.json").write_bytes(found if isinstance(found, bytes) else json.dumps(found).encode())
    with pytest.raises(FormatError) as caught:
        specified(folder)
    assert "\n" not in str(caught.value)


@given(found=st.binary(max_size=80), kept=st.integers(0, 79))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_other_weights_are_one_line(tmp_path: Path, found: bytes, kept: int) -> None:
    folder = tmp_path / "one"
    if not folder.exists():
        saved(folder, CONFIG)
    save_file({"weight": np.zeros(3, np.float32)}, folder / "model.safetensors")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: min(kept, len(whole) - 1)] + found)
    try:
        read_checkpoint(folder)
    except FormatError as error:
        assert "damaged or cut short" in str(error) and "\n" not in str(error)
