"""π0 and π0.5 with tiny random weights: lerobot's own answers in robot units, a draw per generator, nothing random."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

Peer = Callable[..., None]
NAMES = ["pi0", "pi05", "pi0-relative", "pi05-relative", "pi0-empty-camera"]
# The dimensions that are relative to the state; pi0-relative keeps its gripper absolute, as lerobot does by default.
RELATIVE = {"pi0-relative": [1, 1, 0], "pi05-relative": [1, 1, 1]}
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def answers(here: str, peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where lerobot and the adapter have answered, whole checkpoints and spoilt ones."""
    root = tmp_path_factory.mktemp("pi")
    peer("tiny_pi.py", "tiny", root)
    for name in ("no-weight", "half-a-file", "no-statistics", "no-tokenizer"):
        shutil.copytree(root / "pi0", root / name)
    inside = {name: root / name / "pretrained_model" for name in ("no-weight", "half-a-file", "no-statistics")}
    tensors = load_file(inside["no-weight"] / WEIGHTS)
    del tensors["model.action_out_proj.bias"]
    save_file(tensors, inside["no-weight"] / WEIGHTS, {"format": "pt"})
    whole = (inside["half-a-file"] / WEIGHTS).read_bytes()
    (inside["half-a-file"] / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    for name, file in (("no-statistics", "policy_postprocessor.json"), ("no-tokenizer", "policy_preprocessor.json")):
        path = root / name / "pretrained_model" / file
        found = json.loads(path.read_text())
        for step in found["steps"]:
            step.pop("state_file", None) if name == "no-statistics" else None
            if "tokenizer_name" in step["config"]:
                step["config"]["tokenizer_name"] = "google/paligemma-3b-pt-224"  # as lerobot saves it
        path.write_text(json.dumps(found))
    peer("tiny_pi.py", "ask", root)
    return root


def near(found: np.ndarray, wanted: np.ndarray) -> None:
    """Equal to 1e-5 of the largest action."""
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def answer(answers: Path, name: str) -> Any:
    assert not (complaint := answers / f"{name}.txt").exists(), complaint.read_text()
    return np.load(answers / f"{name}.npz")


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_lerobots_own_in_robot_units(answers: Path, name: str) -> None:
    """A robot that runs lerobot step by step executes the same numbers; whoever else is asked about changes nothing."""
    found = answer(answers, name)
    np.testing.assert_array_equal(found["alone"], found["executed"])
    near(found["batch"], found["alone"])
    near(found["again"], found["alone"])
    cameras = "observation.images.head,observation.images.wrist"  # an empty camera is nobody's to deliver
    assert found["spec"].tolist() == ["4", "3", "True", "robot", cameras]


@pytest.mark.parametrize("name", NAMES)
def test_the_normalised_chunk_undone_by_hand_is_the_answer(answers: Path, name: str) -> None:
    """Statistics first, then the observation's own state: openpi's order, backwards."""
    found = answer(answers, name)
    raw = found["raw"].astype(float)
    if name.startswith("pi05"):  # quantiles to -1..1
        actions = (raw + 1) / 2 * (found["q99"] - found["q01"]) + found["q01"]
    else:
        actions = raw * found["std"] + found["mean"]
    actions += (found["states"] * RELATIVE.get(name, [0, 0, 0]))[:, None]
    near(found["alone"], actions)
    near(found["batch"], actions)


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_is_a_draw_alone_and_among_others(answers: Path, name: str) -> None:
    found = answer(answers, name)
    assert str(found["generator"]) == "noise" and found["untouched"]
    np.testing.assert_array_equal(found["same"], found["drawn"][0])
    near(found["together"], found["drawn"])
    assert found["drawn"].std(axis=1).min() > 0.01  # every dimension of every draw
    gaps = np.abs(found["drawn"][:, :, None] - found["drawn"][:, None]).max(axis=(-1, -2))
    assert gaps[:, ~np.eye(4, dtype=bool)].min() > 0.1  # no two draws are one


def test_words_and_pictures_are_seen(answers: Path) -> None:
    found = answer(answers, "pi0")
    for other in ("other_words", "other_picture"):
        assert np.abs(found[other] - found["alone"][0]).max() > 0.1


def test_offsets_from_the_state_have_no_spread_of_actions_to_give(answers: Path) -> None:
    """The statistics of relative actions are those of the offsets."""
    assert answer(answers, "pi0")["has_std"] and not answer(answers, "pi0-relative")["has_std"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no-weight", "FormatError: {}: lerobot {here} cannot load it (Error(s) in loading state_dict"),
        ("half-a-file", "FormatError: {}/model.safetensors: damaged or cut short"),
        ("no-statistics", "SpaceError: {}: action was trained as MEAN_STD, but its statistics are not with"),
        ("no-tokenizer", "FormatError: {}: needs the tokenizer google/paligemma-3b-pt-224, which is neither here nor"),
    ],
)
def test_what_lerobot_would_let_pass_is_refused(answers: Path, here: str, name: str, said: str) -> None:
    """lerobot prints that it could not load pi0's weights, and answers with random ones."""
    text = (answers / f"{name}.txt").read_text()
    assert text.startswith(said.format(answers / name / "pretrained_model", here=here)) and "\n" not in text


def test_a_local_tokenizer_stands_in_for_the_gated_one(answers: Path) -> None:
    """SUREHAND_VLM or `vlm` names its folder."""
    found = answer(answers, "pi0")["alone"][0]
    np.testing.assert_array_equal(np.load(answers / "no-tokenizer.npy"), found)
