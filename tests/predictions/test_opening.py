"""The form of an address says what opens it; what is none of the forms is one line that lists them."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import FormatError, ShapeError, SpaceError, SurehandError
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.modality import read_modality_keys
from surehand.formats.predictions import read_predictions, write_predictions
from surehand.frames import Predictions, Space
from surehand.policies.protocol import PolicySpec
from surehand.predictions import opening
from surehand.predictions.opening import Access, open_policy
from surehand.predictions.plan import PredictPlan
from surehand.predictions.run import predict

FORMS = r"a policy is a checkpoint's folder, ws://HOST:PORT \(openpi\), .* module:function or file\.py:function$"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nowhere", "nowhere: nothing there; "),
        ("a/b/c", "a/b/c: nothing there; "),
        ("", "^: nothing there; "),
        ("grpc://host:1", "no policy server is known by grpc://; "),
        ("model.pt", "model.pt: nothing there; "),
        ("module:", "nothing there; "),
    ],
)
def test_what_is_no_address_lists_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match=said + FORMS) as caught:
        open_policy(address)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(FormatError, match=r"model\.pt: a file of no known kind; " + FORMS):
        open_policy(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["params/_METADATA", "_CHECKPOINT_METADATA"], "a checkpoint of openpi, .* give its address, ws://HOST:8000"),
        (["trainer_state.json", "config.json"], "a checkpoint of Hugging Face's trainer .* give its address, tcp://"),
    ],
)
def test_checkpoints_that_only_their_own_project_runs(tmp_path: Path, files: list[str], said: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    with pytest.raises(FormatError, match=said):
        open_policy(tmp_path)


def test_recorded_predictions(tmp_path: Path) -> None:
    rows = np.arange(6)
    chunk = np.arange(6 * 4, dtype=np.float32).reshape(6, 1, 2, 2)
    recorded = Predictions(chunk, rows // 3, rows % 3, np.full(6, 2), "10k", Space("normalised", "min_max"))
    for name in ("10k.parquet", "10k.npz"):
        policy = open_policy(write_predictions(tmp_path / name, recorded))
        found = policy.infer({"episode_index": 1, "frame_index": 2})["actions"]
        np.testing.assert_array_equal(found, chunk[5, 0])
        assert str(policy.spec.space) == "normalised:min_max"
    with pytest.raises(FormatError):
        open_policy(tmp_path / "absent.parquet")


def test_predicting_from_recorded_predictions_gives_them_again(
    dataset: LeRobotFolder, plan: PredictPlan, tmp_path: Path
) -> None:
    """Chunks shorter than the horizon at the end of each episode included."""
    rng = np.random.default_rng(0)
    held = [np.arange(dataset.lengths[dataset.episodes.tolist().index(episode)]) for episode in plan.episodes]
    frame = np.concatenate(held)
    length = np.concatenate([np.minimum(4, len(one) - one) for one in held])
    chunks = rng.normal(size=(len(frame), 1, 4, 5)).astype(np.float32)
    chunks[np.broadcast_to((np.arange(4) >= length[:, None])[:, None], chunks.shape[:3])] = 0
    episode = np.repeat(plan.episodes, [len(one) for one in held])
    recorded = Predictions(chunks, episode, frame, length, "known")
    path = write_predictions(tmp_path / "known.parquet", recorded)
    done = predict(dataset, [str(path)], plan, tmp_path / "out").policies[0]
    assert done.state == "done", done
    found = read_predictions(tmp_path / "out" / str(done.file))
    before = read_predictions(path)
    for name in ("prediction", "episode", "frame", "length"):
        np.testing.assert_array_equal(getattr(found, name), getattr(before, name))


def test_a_function_in_the_space_and_mapping_of_the_access(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f(observation):\n    return observation['x']\n")
    access = Access(mapping=("x=observation.state[0:2]",), space="normalised:mean_std")
    policy = open_policy(f"{tmp_path}/mine.py:f", access)
    np.testing.assert_array_equal(policy.infer({"observation.state": np.arange(3.0)})["actions"], [[0.0, 1.0]])
    assert str(policy.spec.space) == "normalised:mean_std"
    with pytest.raises(SpaceError, match="unknown action space"):
        open_policy(f"{tmp_path}/mine.py:f", Access(space="degrees"))
    with pytest.raises(SurehandError, match="--map"):
        open_policy(f"{tmp_path}/mine.py:f", Access(mapping=("x",)))


def test_a_model_file(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("onnxruntime")
    (tmp_path / "model.onnx").write_bytes(b"\x00")
    with pytest.raises(FormatError, match="ONNX Runtime cannot load it"):
        open_policy(tmp_path / "model.onnx")
    with pytest.raises(FormatError, match="no such file"):
        open_policy(tmp_path / "absent.onnx")


@pytest.mark.parametrize(
    ("address", "module"),
    [("ws://127.0.0.1:1", "websockets"), ("tcp://127.0.0.1:1", "zmq"), ("http://127.0.0.1:1", "")],
)
def test_a_server_that_is_not_there(address: str, module: str, need: Callable[[str], None]) -> None:
    if module:
        need(module)
    with pytest.raises(SurehandError, match=r"127\.0\.0\.1:1") as caught:
        open_policy(address, Access(("state=observation.state",), timeout=0.5)).infer(
            {"observation.state": np.ones(1), "task": ""}
        )
    assert "\n" not in str(caught.value)


def test_an_openvla_server_is_told_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    policy: Any = open_policy("http://localhost", Access(("full_image=observation.images.top",)))
    assert str(policy._mapping) == "full_image=observation.images.top,instruction=task"
    policy = open_policy("http://localhost", Access(("full_image=observation.images.top,instruction=said",)))
    assert str(policy._mapping) == "full_image=observation.images.top,instruction=said"
    with pytest.raises(SurehandError, match=r"does not say what it reads; name it, e\.g\. --map full_image="):
        open_policy("http://localhost")


MODALITY = {
    "state": {"arm": {"start": 0, "end": 6}, "gripper": {"start": 7, "end": 8, "original_key": "observation.hand"}},
    "action": {"gripper": {"start": 6, "end": 7}, "arm": {"start": 0, "end": 6}},
    "video": {"ego_view": {"original_key": "observation.images.head"}, "wrist": {}},
    "annotation": {"human.task_description": {"original_key": "task_index"}},
}


def dataset(folder: Path, **changes: Any) -> Path:
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "modality.json").write_text(json.dumps(MODALITY | changes))
    return folder


def test_gr00ts_inputs_are_those_of_the_datasets_own_file(tmp_path: Path) -> None:
    access = Access(dataset=str(dataset(tmp_path)))
    mapping, groups = opening._gr00t("tcp://x", access)
    assert str(mapping).split(",") == [
        "video.ego_view=observation.images.head",
        "video.wrist=wrist",
        "state.arm=observation.state[0:6]",
        "state.gripper=observation.hand[7:8]",
    ]
    assert groups == ("arm", "gripper")  # in the order of the action's columns
    mapping, groups = opening._gr00t("tcp://x", Access(("state.a=observation.state",), dataset=str(tmp_path)))
    assert (str(mapping), groups) == ("state.a=observation.state", ("arm", "gripper"))
    mapping, groups = opening._gr00t("tcp://x", Access(("state.a=observation.state",)))
    assert (str(mapping), groups) == ("state.a=observation.state", ())
    for nothing in (Access(), Access(dataset=str(tmp_path / "absent"))):
        with pytest.raises(
            SurehandError, match=r"named by a dataset's meta/modality\.json, and there is none; .*--map"
        ):
            opening._gr00t("tcp://x", nothing)


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"action": {"arm": {"start": 1, "end": 6}}}, ShapeError, "no group has the action columns 0:1"),
        (
            {"action": {"a": {"start": 0, "end": 2}, "b": {"start": 3, "end": 4}}},
            ShapeError,
            "columns 2:3, between a and b",
        ),
        ({"video": {"head": 3}}, FormatError, r"video\.head is 3"),
        ({"state": {"arm": None}}, FormatError, r"state\.arm is None"),
        ({"action": {}}, FormatError, "no action section"),
    ],
)
def test_a_modality_file_that_does_not_say_enough(tmp_path: Path, changes: Any, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said):
        read_modality_keys(dataset(tmp_path, **changes) / "meta" / "modality.json")


def test_access_travels_to_other_processes() -> None:
    access = Access(("a=b",), 224, "key", 5.0, "robot/delta", "data", "vlm")
    assert pickle.loads(pickle.dumps(access)) == access
    with pytest.raises(AttributeError):
        access.resize = 3  # type: ignore[misc]


def test_a_folder_is_a_folder_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Stands:
        def __init__(self, folder: Path, vlm: str | None = None) -> None:
            opened.append((folder, vlm))
            self.spec = PolicySpec(1, 1, Space())

    monkeypatch.setattr("surehand.policies.lerobot.policy.LeRobotPolicy", Stands)
    for name in ("run:last", "checkpoint.onnx", "x.parquet"):
        (tmp_path / name).mkdir()
        open_policy(tmp_path / name, Access(vlm="model"))
    assert [(folder.name, vlm) for folder, vlm in opened] == [
        ("run:last", "model"), ("checkpoint.onnx", "model"), ("x.parquet", "model"),
    ]  # fmt: skip


def test_one_kind_loads_no_others_libraries(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f(observation):\n    return [1.0]\n")
    code = f"""
import sys
from surehand.predictions.opening import Access, open_policy
from surehand.predictions.plan import PredictPlan
from surehand.predictions.run import predict
open_policy({str(tmp_path / "mine.py:f")!r}).infer({{}})
open_policy("http://localhost:1", Access(("state=observation.state",)))
heavy = {{"torch", "lerobot", "onnxruntime", "zmq", "msgpack", "websockets", "pyarrow", "PIL", "transformers", "av"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
