"""How a LeRobot checkpoint normalised its actions, and by which statistics: read from its files without torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, SpaceError
from surehand.formats.lerobot_stats import make_stats
from surehand.formats.records import read_json
from surehand.frames import By, Space, Stats

MODES: dict[str, By] = {"IDENTITY": "", "MEAN_STD": "mean_std", "MIN_MAX": "min_max", "QUANTILES": "quantiles"}
NEEDED: dict[By, tuple[str, ...]] = {
    "": (),
    "mean_std": ("mean", "std"),
    "min_max": ("min", "max"),
    "quantiles": ("q01", "q99"),
}
STATE_FILE = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"
NAMES = ("mean", "std", "min", "max", "q01", "q99")


@dataclass(frozen=True, eq=False)
class CheckpointStats:
    """Action statistics that a checkpoint carries, and the normalisation its policy works in ("" for none)."""

    stats: Stats
    by: By

    @property
    def space(self) -> Space:
        """The space of the policy's raw output, before its post-processor."""
        return Space("normalised", self.by) if self.by else Space()


def read_checkpoint_stats(path: str | os.PathLike[str], action_key: str = "action") -> CheckpointStats:
    """The action statistics of a checkpoint: a `pretrained_model` folder, the folder above it, or a safetensors file.

    lerobot from 0.4 keeps them beside the post-processor's first step, lerobot up to 0.3.3 as buffers in the model.
    Raises FormatError where neither is found, SpaceError for a normalisation that is not known here.
    """
    folder, named = _locate(Path(path))
    step = _unnormaliser(folder)
    by = _mode(folder, step)
    state = named or folder / Path(step.get("state_file") or STATE_FILE).name
    old = named or folder / "model.safetensors"
    for file, prefix, key in (
        (state, "", action_key),
        (old, "unnormalize_outputs.buffer_", action_key.replace(".", "_")),
    ):
        if found := read_tensors(file, prefix).get(key):
            return _result(found, by, file)
    if not by:
        return CheckpointStats(Stats(source=str(folder)), by)
    raise FormatError(
        f"{folder}: no statistics of {action_key!r} in the post-processor's or the model's safetensors; "
        "is it a LeRobot checkpoint, and does its dataset call the action so?"
    )


def _result(found: Mapping[str, np.ndarray], by: By, file: Path) -> CheckpointStats:
    missing = [name for name in NEEDED[by] if name not in found]
    if missing:
        raise FormatError(f"{file}: {by} needs {' and '.join(missing)}, it holds {', '.join(found) or 'none'}")
    return CheckpointStats(make_stats(found, str(file)), by)


def _locate(path: Path) -> tuple[Path, Path | None]:
    """The checkpoint's folder, and the safetensors file where one was named."""
    if path.is_file():
        return path.parent, path
    if (path / "pretrained_model").is_dir():
        return path / "pretrained_model", None
    if not path.is_dir():
        raise FormatError(f"{path}: no such checkpoint; name a pretrained_model folder or its safetensors file")
    return path, None


def _unnormaliser(folder: Path) -> dict[str, Any]:
    """The post-processor's unnormalising step as policy_postprocessor.json lists it, empty where it lists none."""
    path = folder / "policy_postprocessor.json"
    if not path.is_file():
        return {}
    found = read_json(path)
    steps = found.get("steps", []) if isinstance(found, dict) else []
    return next((step for step in steps if step.get("registry_name") == "unnormalizer_processor"), {})


def _mode(folder: Path, step: Mapping[str, Any]) -> By:
    """The normalisation of actions; what the post-processor does goes before what the policy's config states."""
    stated = step.get("config", {}).get("norm_map") or {}
    path = folder / "config.json"
    if "ACTION" not in stated and path.is_file():
        config = read_json(path)
        stated = (config.get("normalization_mapping") or {}) if isinstance(config, dict) else {}
    mode = stated.get("ACTION")
    if mode is None and not path.is_file():
        raise FormatError(f"{folder}: no LeRobot checkpoint (config.json is missing); name a pretrained_model folder")
    if mode is None:
        raise FormatError(f"{folder}: config.json states no normalization_mapping for ACTION, so the space is unknown")
    name = str(mode).rsplit(".", 1)[-1].upper()
    if name not in MODES:
        raise SpaceError(f"{folder}: action normalisation {mode!r} is not known; known: {', '.join(MODES)}")
    return MODES[name]


def read_tensors(file: Path, prefix: str) -> dict[str, dict[str, Any]]:
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
