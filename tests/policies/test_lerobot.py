"""LeRobot checkpoints as policies: lerobot's own numbers in robot units, whoever else is in the batch."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from surehand.policies.lerobot.checkpoint import PROCESSORS

PEER = Path(__file__).parents[1] / "peers" / "lerobot_policy.py"
HEAD, HAND = "observation.images.head", "observation.images.hand"
HUB = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"
DETERMINISTIC = ["act", "act-images", "old-act-images", "renamed-act-images"]
NOISY = ["diffusion", "two-steps", "two-steps-images", "old-two-steps", "smolvla", "old-smolvla", "smolvla-pretrained",
         "moved-argument", "moved-variable", "vqbet", "old-vqbet", "toy", "tdmpc"]  # fmt: skip


def run(command: str, root: Path) -> None:
    """One command of the peer; its complaint is the test's."""
    environment = os.environ | {
        "HF_HOME": str(root / "home"),
        "PYTHONWARNINGS": "",
        "PYTHONPATH": os.pathsep.join([str(root / "plugins"), os.environ.get("PYTHONPATH", "")]),
    }
    environment.pop("SUREHAND_VLM", None)
    done = subprocess.run(
        [sys.executable, PEER, command, root], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The JSON file with this change."""
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


def old(root: Path, name: str, **more: Any) -> None:
    """The same policy as lerobot 0.3.3 saves it: statistics among the weights (its policies/normalize.py)."""
    folder = root / f"old-{name}" / "pretrained_model"
    shutil.copytree(root / name / "pretrained_model", folder)
    tensors = load_file(folder / "model.safetensors")
    known = load_file(next(folder.glob("policy_preprocessor*.safetensors")))
    config = json.loads((folder / "config.json").read_text())
    features = config["input_features"] | config["output_features"]
    for key, feature in features.items():
        mode = config["normalization_mapping"][feature["type"]]
        for each in {"MEAN_STD": ("mean", "std"), "MIN_MAX": ("min", "max"), "IDENTITY": ()}[mode]:
            parts = ("normalize_targets", "unnormalize_outputs") if key == "action" else ("normalize_inputs",)
            for part in parts:
                tensors[f"{part}.buffer_{key.replace('.', '_')}.{each}"] = known[f"{key}.{each}"]
    save_file(tensors, folder / "model.safetensors")
    for path in folder.glob("policy_*processor*"):
        path.unlink()
    edited(folder / "config.json", lambda found: found.update(more))


def spoilt(root: Path) -> None:
    """Checkpoints that lerobot would run wrongly, or complain about at length."""

    def copy(new: str, name: str = "act") -> Path:
        shutil.copytree(root / name, root / new)
        return root / new / "pretrained_model"

    def tensors(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
        found = load_file(folder / "model.safetensors")
        change(found)
        save_file(found, folder / "model.safetensors")

    def no_statistics(found: dict[str, Any]) -> None:
        for step in found["steps"]:
            step.pop("state_file", None)

    edited(copy("no-input-statistics") / PROCESSORS[0], no_statistics)
    edited(copy("no-action-statistics") / PROCESSORS[1], no_statistics)
    for name in PROCESSORS:
        (copy(f"no-{name}") / name).unlink()
    tensors(copy("no-weight"), lambda found: found.pop("model.action_head.bias"))
    tensors(copy("no-number"), lambda found: found["model.action_head.bias"].fill(np.nan))
    tensors(
        copy("old-infinite", "old-act-images"),
        lambda found: found["unnormalize_outputs.buffer_action.std"].fill(np.inf),
    )
    tensors(copy("old-weight", "old-act-images"), lambda found: found.pop("model.action_head.bias"))
    cut = copy("cut-short") / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-100])
    next(copy("cut-statistics").glob("policy_postprocessor*.safetensors")).write_bytes(b"half")
    edited(copy("newer") / "config.json", lambda found: found.update(tomorrows_field=None))
    step = {"registry_name": "tomorrows_step", "config": {}}
    edited(copy("newer-step") / PROCESSORS[0], lambda found: found["steps"].append(step))
    edited(copy("pi05") / "config.json", lambda found: found.update(type="pi05"))
    edited(copy("unregistered") / "config.json", lambda found: found.update(type="nobodys"))
    edited(copy("not-here", "smolvla") / "config.json", lambda found: found.update(vlm_model_name=HUB))
    for name in ("moved-argument", "moved-variable"):
        folder = copy(name, "smolvla")
        edited(folder / "config.json", lambda found: found.update(vlm_model_name=HUB))
        edited(folder / PROCESSORS[0], lambda found: [
            step["config"].update(tokenizer_name=HUB)
            for step in found["steps"] if step["registry_name"] == "tokenizer_processor"
        ])  # fmt: skip
    renames = {HEAD.replace("head", "front"): HEAD}
    edited(copy("renamed-act-images", "act-images") / PROCESSORS[0], lambda found: [
        step["config"].update(rename_map=renames)
        for step in found["steps"] if step["registry_name"] == "rename_observations_processor"
    ])  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Path:
    """The folder where unmodified lerobot and the adapter have answered, whole checkpoints and spoilt ones."""
    need("lerobot")
    need("transformers")
    root = tmp_path_factory.mktemp("policies")
    installed = root / "plugins" / "lerobot_policy_toy-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: lerobot_policy_toy\nVersion: 1.0\n")
    run("tiny", root)
    old(root, "act-images")
    old(root, "two-steps")
    old(root, "smolvla")
    old(root, "vqbet", mlp_hidden_dim=1024)  # a field that lerobot has dropped since
    spoilt(root)
    run("ask", root)
    return root


def close(found: np.ndarray, wanted: np.ndarray, most: float = 1e-5) -> None:
    """Equal to within rounding, relative to the largest number."""
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= most * np.abs(wanted).max()


@pytest.mark.parametrize("name", DETERMINISTIC + NOISY)
def test_answers_are_lerobots_own_in_robot_units(answers: Path, name: str) -> None:
    """A robot that runs lerobot step by step through an episode executes the chunks' numbers, in their place.

    The statistics lie far from 0 and 1, so that a normalisation that is forgotten or done twice is seen.
    """
    found = np.load(answers / f"{name}.npz")
    theirs = found["theirs"].reshape(-1, *found["alone"].shape[1:])
    # Its planner starts from the plan before, the adapter from none.
    count = 1 if name == "tdmpc" else len(theirs)
    np.testing.assert_array_equal(found["alone"][:count], theirs[:count])
    close(found["batch"], found["alone"])
    close(found["again"], found["batch"])
    assert found["batch"].dtype == np.float32 and theirs.mean() > 1.5
    apart = np.abs(found["alone"][0] - found["alone"][1]).max()
    assert apart > 1e-3 or name == "tdmpc"  # the observation decides them; an untrained planner values none


@pytest.mark.parametrize("name", ["two-steps", "two-steps-images", "old-two-steps", "vqbet"])
def test_earlier_observations_are_given_or_remembered(answers: Path, name: str) -> None:
    """Asked at every step of an episode, a policy remembers what it was not given under "history"."""
    found = np.load(answers / f"{name}.npz")
    np.testing.assert_array_equal(found["remembered"], found["alone"])
    assert found["spec"][6] == "2"
    assert 'in a batch each needs its earlier ones under "history"' in found["refused"][4]


@pytest.mark.parametrize("name", NOISY)
def test_draws_are_an_observations_own(answers: Path, name: str) -> None:
    """Alone, among three, among seven, in another order, among more draws than one pass holds: the same."""
    found = np.load(answers / f"{name}.npz")
    drawn = found["drawn"]  # (7, 6, H, D)
    close(found["some"], drawn[:3])
    close(found["every"], drawn)
    close(found["back"], drawn)
    close(found["more"][:, :6], drawn[:3])
    close(found["fewer"][0], drawn[0][:2])
    assert drawn.std(axis=1).max() > 0.05 and str(found["generator"]) == "noise"
    assert len(set(found["seeds"].tolist())) == 7 and found["seeds"].min() >= 0
    assert found["untouched"]  # torch's own generator is where it was
    assert bool(found["row_by_row"]) == (name == "tdmpc")  # whose draws have the batch as their third axis


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_a_deterministic_policys_samples_are_its_answer(answers: Path, name: str) -> None:
    found = np.load(answers / f"{name}.npz")
    np.testing.assert_array_equal(found["drawn"][0], np.repeat(found["alone"][:1], 6, axis=0))
    assert str(found["generator"]) == "deterministic" and found["seeds"].tolist() == [-1] * 7


@pytest.mark.parametrize(
    ("name", "said", "edge"),
    [
        ("act", "4 3 False robot  0 1 observation.state,observation.environment_state", 0),
        ("act-images", f"4 3 False robot {HEAD} 0 1 observation.state", 32),
        ("renamed-act-images", "4 3 False robot observation.images.front 0 1 observation.state", 32),
        ("two-steps-images", f"4 3 True robot {HEAD},{HAND} 0 2 observation.state", 32),
        ("smolvla", f"4 3 True robot {HEAD},{HAND} 0 1 observation.state", 32),
        ("toy", "2 3 True robot  0 1 observation.state", 0),
    ],
)
def test_the_specification_says_what_is_asked_and_answered(answers: Path, name: str, said: str, edge: int) -> None:
    found = np.load(answers / f"{name}.npz")
    assert found["spec"].tolist() == said.split(" ")
    assert found["said"] == (8 if name == "toy" else 4)  # of a type that is not known, only the first answer tells
    assert found["image_size"] == edge and found["empty"] == 0
    known = load_file(next((answers / name / "pretrained_model").glob("policy_postprocessor*.safetensors")))
    np.testing.assert_array_equal(found["std"], known["action.std"].astype(float))
    assert str(found["name"]).endswith(f" {name}")


def test_an_observation_that_cannot_be_read_is_named(answers: Path) -> None:
    missing, short, odd, untold, _, sizes, grey, floats = np.load(answers / "act-images.npz")["refused"]
    assert missing.startswith("ShapeError: the policy needs observation.state (5,); the observation holds another, ")
    assert short == "ShapeError: observation.state: the policy was trained on (5,), the observation holds (4,)"
    assert odd == "SurehandError: observation.state: the observation holds numbers that are not finite"
    assert untold == ""  # ACT reads no instruction
    assert sizes == f"ShapeError: {HEAD}: the policy was trained on (3, 32, 32), the observation holds (3, 30, 32)"
    assert grey.endswith("the observation holds (1, 32, 32)")
    assert floats.endswith("expected an image (height, width, 3) of uint8, got (32, 32, 3) float64")
    *_, untold, _, sizes, grey, _ = np.load(answers / "smolvla.npz")["refused"]
    assert untold == 'ShapeError: the policy reads an instruction, and an observation holds no "task"'
    assert sizes == f"ShapeError: {HEAD}: pictures of (48, 56) and (46, 56) in one batch; give those of one size"
    assert grey.endswith("the policy was trained on (3, 32, 32), the observation holds (1, 48, 56)")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "no-action-statistics",
            "SpaceError: {}: action was trained as MEAN_STD, but its statistics are not with the p",
        ),
        ("no-input-statistics", "SpaceError: {}: observation.state was trained as MEAN_STD, but its statistics"),
        ("old-infinite", "SpaceError: {}: action was trained as MEAN_STD, but its statistics are not with the weights"),
        (f"no-{PROCESSORS[0]}", "FormatError: {}: policy_preprocessor.json missing; lerobot writes them from 0.4 on"),
        (f"no-{PROCESSORS[1]}", "FormatError: {}: policy_postprocessor.json missing; lerobot writes them from 0.4 on"),
        ("no-weight", "FormatError: {}: lerobot "),
        (
            "old-weight",
            "FormatError: {}: written by lerobot 0.3.3 or older, whose act had other weights (model.action_",
        ),
        ("no-number", "SurehandError: {}: the policy answered numbers that are not finite; its weights are damaged"),
        ("cut-short", "FormatError: {}/model.safetensors: damaged or cut short ("),
        ("cut-statistics", "FormatError: {}: lerobot "),
        ("newer", "FormatError: {}: written by a newer lerobot than the installed "),
        ("newer-step", "FormatError: {}: written by a newer lerobot than the installed "),
        ("unregistered", "FormatError: {}: policy type 'nobodys' is not registered in lerobot "),
        ("not-here", f"FormatError: {{}}: needs the vision-language model {HUB}, which is neither here nor to be had"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(answers: Path, name: str, said: str) -> None:
    """lerobot itself passes features without statistics through as they are, and leaves missing weights random."""
    text = (answers / f"{name}.txt").read_text()
    assert text.startswith(said.format(answers / name / "pretrained_model")) and "\n" not in text
    hints = {"newer": "'tomorrows_field'", "newer-step": "'tomorrows_step'"}
    assert hints.get(name, "") in text and (name not in hints or "needs Python 3.12" in text)
    if name == "not-here":
        assert "SUREHAND_VLM=FOLDER" in text


def test_lerobot_0_4_cannot_construct_pi(answers: Path) -> None:
    if not version("lerobot").startswith("0.4."):
        pytest.skip("later ones can")
    assert (answers / "pi05.txt").read_text() == (
        f"FormatError: {answers / 'pi05' / 'pretrained_model'}: lerobot {version('lerobot')} cannot construct a pi05 "
        "policy; lerobot 0.5.1 or newer can, on Python 3.12"
    )
