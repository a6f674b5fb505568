"""A real ACT checkpoint at the doctor's, sound and with one fault after the other planted in copies of it.

Run as `python doctor_checkpoints.py FOLDER`: records demonstrations of the simulator, has lerobot train on them, and
writes {case: [codes of errors and warnings]} to FOLDER/found.json.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))
AFTER, BEFORE = "policy_postprocessor", "policy_preprocessor"
STATE, VIEW, OTHER = "observation.state", "observation.environment_state", "observation.environment"
ORDER = [2, 0, 1, 4, 3, 5]
Tensors = dict[str, np.ndarray]


def tensors(folder: Path, start: str, change: Callable[[Tensors], Tensors]) -> None:
    """The safetensors whose name starts so, changed."""
    from safetensors.numpy import load_file, save_file

    (file,) = folder.glob(f"{start}*.safetensors")
    save_file({key: np.ascontiguousarray(values) for key, values in change(load_file(file)).items()}, file)


def written(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """The JSON file, changed in place."""
    found = json.loads((folder / name).read_text())
    change(found)
    (folder / name).write_text(json.dumps(found))


def scaled(key: str, by: float) -> Callable[[Tensors], Tensors]:
    return lambda found: {name: v * by if name.startswith(f"{key}.") else v for name, v in found.items()}


def inert(key: str) -> Callable[[Tensors], Tensors]:
    neutral = {f"{key}.mean": 0.0, f"{key}.std": 1.0}
    return lambda found: {name: np.full_like(v, neutral[name]) if name in neutral else v for name, v in found.items()}


def moved(key: str) -> Callable[[Tensors], Tensors]:
    return lambda found: {
        name: v[ORDER] if name.startswith(f"{key}.") and v.shape == (6,) else v for name, v in found.items()
    }


def keyed(found: Tensors) -> Tensors:
    return {name.replace("action.", "actions.", 1): v for name, v in found.items()}


def both(change: Callable[[Tensors], Tensors]) -> Callable[[Path], None]:
    return lambda folder: [tensors(folder, start, change) for start in (BEFORE, AFTER)] and None


def cut(name: str, size: int) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        (file,) = folder.glob(name)
        file.write_bytes(file.read_bytes()[:size])

    return do


def no_step(found: dict[str, Any]) -> None:
    found["steps"] = [step for step in found["steps"] if step["registry_name"] != "unnormalizer_processor"]


def renamed(folder: Path) -> None:
    """Sound on `under_another_name`: the pre-processor renames what that dataset calls otherwise."""

    def rename(found: dict[str, Any]) -> None:
        found["steps"][0]["config"]["rename_map"] = {OTHER: VIEW}

    written(folder, f"{BEFORE}.json", rename)


def under_another_name(data: Path, folder: Path) -> Path:
    """The dataset with another name for what stands where."""
    from surehand.formats.lerobot import open_lerobot
    from surehand.formats.lerobot_write import write_lerobot

    recorded = open_lerobot(data)
    whole = recorded.read(recorded.episodes.tolist(), columns=[VIEW])
    return write_lerobot(folder, [replace(whole, columns={OTHER: whole.columns[VIEW]})])


FAULTS: dict[str, Callable[[Path], None]] = {
    "sound": lambda _: None,
    "renamed input": renamed,
    "no step after": lambda f: written(f, f"{AFTER}.json", no_step),
    "statistics missing": lambda f: next(f.glob(f"{AFTER}*.safetensors")).unlink(),
    "keyed actions": lambda f: tensors(f, AFTER, keyed),
    "inert after": lambda f: tensors(f, AFTER, inert("action")),
    "inert state": lambda f: tensors(f, BEFORE, inert(STATE)),
    "degrees": both(scaled("action", 180 / np.pi)),
    "degrees after": lambda f: tensors(f, AFTER, scaled("action", 180 / np.pi)),
    "degrees of state": lambda f: tensors(f, BEFORE, scaled(STATE, np.pi / 180)),
    "joints moved": both(moved("action")),
    "state moved": lambda f: tensors(f, BEFORE, moved(STATE)),
    "another input": lambda f: written(f, "config.json", lambda c: c["input_features"].update(
        {"observation.effort": c["input_features"].pop(VIEW)})),
    "another size": lambda f: written(f, "config.json", lambda c: c["input_features"][STATE].update(shape=[7])),
    "config cut": cut("config.json", 300),
    "weights cut": cut("model.safetensors", 50_000),
    "weights NaN": lambda f: tensors(f, "model", lambda found: {k: v * np.float32("nan") for k, v in found.items()}),
    "steps damaged": lambda f: written(f, f"{BEFORE}.json", lambda c: c.update(steps=["x", None])),
}  # fmt: skip


def main() -> None:
    """The recording, the training, the examinations."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    import torch
    from lerobot_training import BODY, EPISODES, TASK, train

    from surehand.cli.patients import examine_policy
    from surehand.decide.doctor import examine_folder
    from surehand.predictions.opening import Access
    from surehand.sim.follow import Variation
    from surehand.sim.record import Recipe, record

    torch.set_num_threads(1)
    root = Path(sys.argv[1])
    data = root / "told"
    record(Recipe((TASK,), EPISODES, BODY, 1, Variation(nudges=True)), data)
    features = json.loads((data / "meta" / "info.json").read_text())["features"]
    sizes = {"state": features[STATE]["shape"][0], VIEW: features[VIEW]["shape"][0]}
    sound = train("act", root, sizes) / "pretrained_model"
    other = under_another_name(data, root / "other")
    found: dict[str, list[str]] = {}
    for case, plant in FAULTS.items():
        folder = root / "faulty" / "000250"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sound, folder)
        plant(folder)
        shown = other if plant is renamed else data
        patient = examine_policy(str(folder), shown, None, Access(dataset=str(shown)))
        about = examine_folder(shown, policies=[patient]).findings
        grave = [one for one in about if one.where.startswith(patient.name) and one.severity in ("error", "warning")]
        assert all("\n" not in one.evidence for one in grave)
        found[case] = sorted({one.code for one in grave})
    (root / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
