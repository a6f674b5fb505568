"""What a LeRobot checkpoint reads and answers, and by which statistics each of it is normalised; without torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError
from surehand.formats.checkpoint_stats import MODES, NAMES
from surehand.formats.lerobot_stats import make_stats
from surehand.formats.records import read_json
from surehand.frames import By, Stats

PROCESSORS = ("policy_preprocessor.json", "policy_postprocessor.json")
NORMALISERS = ("normalizer_processor", "unnormalizer_processor")
PADDED = ".empty_camera_"  # lerobot fills these inputs itself


@dataclass(frozen=True, eq=False)
class CheckpointFeature:
    """One input or output: its type in lerobot's words, its shape, and how it is normalised ("" where it is not)."""

    kind: str  # STATE, ENV, VISUAL, ACTION, ...
    shape: tuple[int, ...]
    by: By
    stats: Stats | None


@dataclass(frozen=True, eq=False)
class CheckpointFeatures:
    """What a checkpoint's files say of the policy's inputs and outputs."""

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
    modes, statistics = _normalisation(folder, config)
    known: dict[str, dict[str, CheckpointFeature]] = {}
    for side in ("input_features", "output_features"):
        declared = config.get(side)
        if not isinstance(declared, dict):
            raise FormatError(f"{folder / 'config.json'}: {side} is {declared!r}, expected an object; save it again")
        known[side] = {
            key: _feature(key, value, modes, statistics, folder) for key, value in declared.items() if PADDED not in key
        }
    names = config.get("action_feature_names")
    features = {*known["input_features"], *known["output_features"]}
    return CheckpointFeatures(
        folder=folder,
        type=str(config.get("type", "")),
        inputs=known["input_features"],
        outputs=known["output_features"],
        action_names=tuple(map(str, names)) if isinstance(names, list) else None,
        stray=tuple(sorted(key for key in statistics if key not in features and not key.endswith("_index"))),
        relative=bool(config.get("use_relative_actions")),
    )


def _feature(
    key: str, declared: Any, modes: Mapping[str, By], statistics: Mapping[str, dict[str, Any]], folder: Path
) -> CheckpointFeature:
    try:
        kind, shape = str(declared["type"]), tuple(int(size) for size in declared["shape"])
    except (TypeError, KeyError, ValueError):
        raise FormatError(f"{folder / 'config.json'}: feature {key!r} lacks a type or a shape; save it again") from None
    found = statistics.get(key)
    stats = make_stats(found, f"{folder.name} key {key!r}") if found else None
    return CheckpointFeature(kind, shape, modes.get(kind, ""), stats)


def _normalisation(folder: Path, config: dict[str, Any]) -> tuple[dict[str, By], dict[str, dict[str, Any]]]:
    """(mode by type of feature, statistics by key): of the processors, or of a policy that normalises inside."""
    modes = dict(config.get("normalization_mapping") or {})
    statistics: dict[str, dict[str, Any]] = {}
    for name in PROCESSORS:
        found = read_json(folder / name) if (folder / name).is_file() else {}
        for step in found.get("steps", []) if isinstance(found, dict) else []:
            if step.get("registry_name") in NORMALISERS:
                modes |= step.get("config", {}).get("norm_map") or {}
                state = folder / Path(str(step.get("state_file"))).name
                for key, values in _tensors(state, "").items():
                    statistics.setdefault(key, values)
    if not statistics and not any((folder / name).is_file() for name in PROCESSORS):
        for side in ("normalize_inputs", "normalize_targets", "unnormalize_outputs"):  # lerobot up to 0.3.3
            for key, values in _tensors(folder / "model.safetensors", f"{side}.buffer_").items():
                statistics.setdefault(_dotted(key, config), values)
    named = {kind: MODES.get(str(mode).rsplit(".", 1)[-1].upper(), "") for kind, mode in modes.items()}
    return named, statistics


def _dotted(buffer: str, config: dict[str, Any]) -> str:
    """The feature whose dots were written as underscores in a buffer's name."""
    features = [*config.get("input_features", {}), *config.get("output_features", {})]
    return next((key for key in features if key.replace(".", "_") == buffer), buffer)


def _tensors(file: Path, prefix: str) -> dict[str, dict[str, Any]]:
    """{feature: {statistic: values}} of the tensors whose names start so; weights are not touched."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return {}
    found: dict[str, dict[str, Any]] = {}
    try:
        with safe_open(file, framework="numpy") as tensors:
            for key in tensors.keys():
                feature, _, statistic = key.removeprefix(prefix).rpartition(".")
                if key.startswith(prefix) and feature and statistic in NAMES:
                    found.setdefault(feature, {})[statistic] = tensors.get_tensor(key).ravel()
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{file}: not a readable safetensors file ({error}); copy it again") from None
    return found
