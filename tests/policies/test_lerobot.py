"""LeRobot checkpoints as policies: lerobot's own numbers in robot units, and folders that are refused in one line."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from surehand.exceptions import FormatError
from surehand.policies.lerobot_checkpoint import PROCESSORS, locate, read_config, spec_of

PEER = Path(__file__).parents[1] / "peers" / "lerobot_policy.py"
CONFIG: dict[str, Any] = {
    "type": "act",
    "n_obs_steps": 1,
    "chunk_size": 7,
    "input_features": {
        "observation.state": {"type": "STATE", "shape": [5]},
        "observation.images.head": {"type": "VISUAL", "shape": [3, 32, 32]},
    },
    "output_features": {"action": {"type": "ACTION", "shape": [3]}},
}


def run(command: str, root: Path) -> None:
    """One command of the peer; its complaint is the test's."""
    environment = os.environ | {"HF_HOME": str(root / "home"), "PYTHONWARNINGS": ""}
    done = subprocess.run(
        [sys.executable, PEER, command, root], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def saved(folder: Path, config: dict[str, Any], steps: list[dict[str, Any]] | None = None) -> Path:
    """A folder with the files of a checkpoint, without a model in it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"")
    for name in PROCESSORS:
        (folder / name).write_text(json.dumps({"steps": steps or []}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Path:
    """The folder where unmodified lerobot and the adapter have answered, whole checkpoints and spoilt ones."""
    need("lerobot")
    root = tmp_path_factory.mktemp("policies")
    run("tiny", root)
    for name in ("no-action-statistics", "no-input-statistics", "no-weight"):
        shutil.copytree(root / "act", root / name)
    for name, processor in zip(("no-input-statistics", "no-action-statistics"), PROCESSORS, strict=True):
        path = root / name / "pretrained_model" / processor
        found = json.loads(path.read_text())
        for step in found["steps"]:
            step.pop("state_file", None)
        path.write_text(json.dumps(found))
    weights = root / "no-weight" / "pretrained_model" / "model.safetensors"
    tensors = load_file(weights)
    tensors.pop("model.action_head.bias")
    save_file(tensors, weights)
    run("ask", root)
    return root


@pytest.mark.parametrize("name", ["act", "act-images", "diffusion"])
def test_answers_are_lerobots_own_in_robot_units(answers: Path, name: str) -> None:
    """A robot that runs lerobot step by step executes the same numbers; the statistics lie far from 0 and 1."""
    found = np.load(answers / f"{name}.npz")
    np.testing.assert_array_equal(found["alone"], found["theirs"])
    np.testing.assert_allclose(found["batch"], found["theirs"], atol=1e-5)
    np.testing.assert_allclose(found["again"], found["batch"], atol=1e-5)  # whoever else is asked about
    assert found["batch"].dtype == np.float32 and found["theirs"].mean() > 1.5
    cameras = "observation.images.head" if name == "act-images" else ""
    assert found["spec"].tolist() == ["4", "3", str(name == "diffusion"), "robot", cameras]
    assert found["image_size"] == (32 if name == "act-images" else 0)
    np.testing.assert_array_equal(found["std"], found["known"])
    assert str(found["name"]) == f"{name.split('-')[0]} {name}" and found["empty"] == 0


def test_only_a_stochastic_policys_samples_differ(answers: Path) -> None:
    noisy, still = (np.load(answers / f"{name}.npz") for name in ("diffusion", "act"))
    assert noisy["drawn"].std(axis=0).min() > 0.05 and str(noisy["generator"]) == "noise"
    np.testing.assert_array_equal(noisy["drawn"], noisy["same"])  # the same generator, the same draws
    assert noisy["untouched"]  # torch's own generator is where it was
    np.testing.assert_array_equal(still["drawn"], np.repeat(still["alone"][:1], 6, axis=0))
    assert str(still["generator"]) == "deterministic"


def test_a_missing_or_misshapen_input_is_named(answers: Path) -> None:
    missing, short = np.load(answers / "act.npz")["refused"]
    assert missing.startswith("ShapeError: the policy needs observation.state (5,); the observation holds another, ")
    assert short == "ShapeError: observation.state: the policy was trained on (5,), the observation holds (4,)"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no-action-statistics", "SpaceError: {}: action was trained as MEAN_STD, but its statistics are not with"),
        ("no-input-statistics", "SpaceError: {}: observation.state was trained as MEAN_STD, but its statistics"),
        ("no-weight", "FormatError: {}: lerobot cannot load it (Error(s) in loading state_dict"),
        ("two-steps", "FormatError: {}: the policy looks at 2 observations in a row"),
    ],
)
def test_what_lerobot_would_let_pass_is_refused(answers: Path, name: str, said: str) -> None:
    """lerobot itself passes features without statistics through as they are, and leaves missing weights random."""
    text = (answers / f"{name}.txt").read_text()
    assert text.startswith(said.format(answers / name / "pretrained_model")) and "\n" not in text


def test_the_specification_is_read_without_lerobot(tmp_path: Path) -> None:
    folder = locate(saved(tmp_path / "000100" / "pretrained_model", CONFIG).parent)
    spec = spec_of(read_config(folder), folder)
    assert (spec.horizon, spec.dims, spec.first_step, spec.stochastic) == (7, 3, 0, False)
    assert (
        spec.cameras == ("observation.images.head",)
        and spec.inputs == ("observation.state",)
        and str(spec.space) == "robot"
    )


def test_a_folder_that_is_no_checkpoint_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"config\.json is missing\); name a pretrained_model folder"):
        locate(tmp_path)
    (tmp_path / "checkpoints" / "last").mkdir(parents=True)
    with pytest.raises(FormatError, match=r"name one of its checkpoints, e\.g\. .*checkpoints/last"):
        locate(tmp_path)
    folder = saved(tmp_path / "old", CONFIG)
    (folder / PROCESSORS[1]).unlink()
    with pytest.raises(FormatError, match=r"policy_postprocessor\.json missing; lerobot writes them from 0\.4 on"):
        locate(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "sac"}, "policy type 'sac'; surehand runs act, diffusion"),
        ({"n_obs_steps": 2}, "2 observations in a row"),
        ({"type": None}, r"config\.json: not as lerobot writes it \(type: Input should be a valid string\)"),
        ({"input_features": None}, "input_features: Input should be an object"),
        ({"input_features": {}}, "input_features: Dictionary should have at least 1 item"),
        ({"chunk_size": None}, "chunk_size or the output 'action' is missing"),
        ({"output_features": {}}, "chunk_size or the output 'action' is missing"),
        ({"output_features": {"action": {"type": "ACTION", "shape": []}}}, "output_features.action.shape: Tuple"),
        ({"chunk_size": -3}, "chunk_size: Input should be greater than 0"),
    ],
)
def test_a_config_that_cannot_be_served_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    folder = saved(tmp_path / "one", CONFIG | change)
    with pytest.raises(FormatError, match=said) as caught:
        spec_of(read_config(folder), folder)
    assert "\n" not in str(caught.value)


def test_a_processor_may_not_name_code_to_import(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", CONFIG, [{"class": "os.path.Join", "config": {}}])
    with pytest.raises(FormatError, match=r"policy_preprocessor\.json names code to import \(os\.path\.Join\)"):
        read_config(folder)


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
        spec_of(read_config(folder), folder)
    assert "\n" not in str(caught.value)
