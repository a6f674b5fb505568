"""What a LeRobot checkpoint reads and answers, and by which statistics each of it is normalised; without torch."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError
from surehand.formats.checkpoint_processors import Side, read_modes, read_sides
from surehand.formats.lerobot_stats import make_stats
from surehand.formats.records import read_json
from surehand.frames import By, Stats

PADDED = ".empty_camera_"  # lerobot fills these inputs itself


@dataclass(frozen=True, eq=False)
class CheckpointFeature:
    """One input or output: its type in lerobot's words, its shape, and how it is normalised ("" where it is not).

    `stated` is what config.json says of that. Of an output `by` and `stats` are those that undo it after the policy,
    `trained` those that normalise it for training, None where the checkpoint does not hold them.
    """

    kind: str  # STATE, ENV, VISUAL, ACTION, ...
    shape: tuple[int, ...]
    by: By
    stats: Stats | None
    stated: By | None = None
    trained: tuple[By, Stats] | None = None


@dataclass(frozen=True, eq=False)
class CheckpointFeatures:
    """What a checkpoint's files say of the policy's inputs and outputs; inputs go by the dataset's names."""

    folder: Path
    type: str
    inputs: dict[str, CheckpointFeature]
    outputs: dict[str, CheckpointFeature]
    action_names: tuple[str, ...] | None  # joints in column order, where the checkpoint names them
    stray: tuple[str, ...]  # keys that have statistics and are neither input nor output
    relative: bool  # whether actions are learned as offsets from the state

    @property
    def cameras(self) -> tuple[str, ...]:
        """The inputs that are pictures."""
        return tuple(key for key, feature in self.inputs.items() if feature.kind == "VISUAL")


def read_checkpoint_features(path: str | os.PathLike[str]) -> CheckpointFeatures | None:
    """What the checkpoint's files say, or None where `path` is no LeRobot checkpoint; FormatError for a damaged one."""
    folder = next((f for f in (Path(path) / "pretrained_model", Path(path)) if (f / "config.json").is_file()), None)
    config = read_json(folder / "config.json") if folder is not None else None
    if folder is None or not isinstance(config, dict) or not isinstance(config.get("input_features"), dict):
        return None
    if not isinstance(config.get("output_features"), dict):
        was = config.get("output_features")
        raise FormatError(f"{folder / 'config.json'}: output_features is {was!r}, expected an object; save it again")
    before, after = read_sides(folder, config)
    stated = read_modes(config.get("normalization_mapping"), folder / "config.json")
    inputs = {
        before.renames.get(key, key): _feature(key, value, before, stated, folder)
        for key, value in config["input_features"].items()
        if PADDED not in key
    }
    outputs = {
        key: _feature(key, value, after, stated, folder, before) for key, value in config["output_features"].items()
    }
    names = config.get("action_feature_names")
    features = {*config["input_features"], *outputs}
    held = {*before.statistics, *after.statistics}
    return CheckpointFeatures(
        folder=folder,
        type=str(config.get("type", "")),
        inputs=inputs,
        outputs=outputs,
        action_names=tuple(map(str, names)) if isinstance(names, list) else None,
        stray=tuple(sorted(key for key in held if key not in features and not key.endswith("_index"))),
        relative=bool(config.get("use_relative_actions")),
    )


def _feature(
    key: str, declared: Any, side: Side, stated: dict[str, By], folder: Path, trained: Side | None = None
) -> CheckpointFeature:
    try:
        kind, shape = str(declared["type"]), tuple(int(size) for size in declared["shape"])
    except (TypeError, KeyError, ValueError):
        raise FormatError(f"{folder / 'config.json'}: feature {key!r} lacks a type or a shape; save it again") from None
    if not shape or min(shape) < 1:
        raise FormatError(f"{folder / 'config.json'}: feature {key!r} has shape {list(shape)}; save it again")
    stats = _stats(key, side, folder)
    learned = None if trained is None else _stats(key, trained, folder)
    before = None if trained is None or learned is None else (trained.modes.get(kind, ""), learned)
    return CheckpointFeature(kind, shape, side.modes.get(kind, ""), stats, stated.get(kind), before)


def _stats(key: str, side: Side, folder: Path) -> Stats | None:
    found = side.statistics.get(key)
    return make_stats(found, f"{folder.name} key {key!r}") if found else None
