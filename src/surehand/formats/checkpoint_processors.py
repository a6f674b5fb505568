"""How a LeRobot checkpoint normalises before its policy and undoes it after: modes, statistics and renamed inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError
from surehand.formats.checkpoint_stats import MODES, read_tensors
from surehand.formats.records import read_json
from surehand.frames import By

BEFORE, AFTER = "policy_preprocessor.json", "policy_postprocessor.json"
NORMALISERS = ("normalizer_processor", "unnormalizer_processor")
RENAMES = "rename_observations_processor"
OLD = {BEFORE: ("normalize_inputs", "normalize_targets"), AFTER: ("unnormalize_outputs",)}  # lerobot up to 0.3.3


@dataclass(frozen=True, eq=False)
class Side:
    """What stands before or after the policy. `modes` by type of feature, `statistics` as {feature: {name: values}}."""

    file: str
    modes: Mapping[str, By]
    statistics: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)  # the policy's name → the dataset's


def read_sides(folder: Path, config: Mapping[str, Any]) -> tuple[Side, Side]:
    """(before, after) the policy, of its processors or, where it has none, of buffers among its weights.

    Raises FormatError for what lerobot does not write. A normalisation that only a step of the policy's own does is
    not examined: its modes are "".
    """
    stated = read_modes(config.get("normalization_mapping"), folder / "config.json")
    if not any((folder / name).is_file() for name in (BEFORE, AFTER)):
        before, after = (Side("model.safetensors", stated, _old(folder, config, OLD[name])) for name in (BEFORE, AFTER))
        return before, after
    before, after = (_side(folder, name, stated) for name in (BEFORE, AFTER))
    return before, after


def read_modes(found: Any, where: Path) -> dict[str, By]:
    """{type of feature: mode}, empty where none is stated; FormatError for another thing than an object."""
    if not isinstance(found or {}, dict):
        raise FormatError(f"{where}: normalisation is {found!r}, expected an object; save it again")
    return {str(kind): MODES.get(str(mode).rsplit(".", 1)[-1].upper(), "") for kind, mode in (found or {}).items()}


def _side(folder: Path, name: str, stated: dict[str, By]) -> Side:
    modes, statistics, renames, own = dict(stated), dict[str, dict[str, Any]](), dict[str, str](), False
    known = False
    for step in _steps(folder / name):
        settings = step.get("config") or {}
        if not isinstance(settings, dict):
            raise FormatError(f"{folder / name}: a step's config is {settings!r}, expected an object; save it again")
        file = folder / Path(str(step["state_file"])).name if step.get("state_file") else None
        if file is not None and not file.is_file():
            raise FormatError(f"{folder / name} names {file.name}, which is missing; copy the checkpoint again")
        if step.get("registry_name") in NORMALISERS:
            known = True
            modes |= read_modes(settings.get("norm_map"), folder / name)
            statistics |= {} if file is None else read_tensors(file, "")
        elif step.get("registry_name") == RENAMES and isinstance(settings.get("rename_map"), dict):
            renames |= {str(new): str(old) for old, new in settings["rename_map"].items()}
        own = own or file is not None
    if own and not known:
        modes = dict.fromkeys(modes, "")
    return Side(name, modes, statistics, renames)


def _steps(path: Path) -> list[dict[str, Any]]:
    """The steps of a processor, none where there is no such file."""
    found = read_json(path) if path.is_file() else {"steps": []}
    steps = found.get("steps") if isinstance(found, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise FormatError(f"{path}: not as lerobot writes it (steps: expected a list of objects); copy it again")
    return steps


def _old(folder: Path, config: Mapping[str, Any], sides: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for side in sides:
        for key, values in read_tensors(folder / "model.safetensors", f"{side}.buffer_").items():
            found.setdefault(_dotted(key, config), values)
    return found


def _dotted(buffer: str, config: Mapping[str, Any]) -> str:
    """The feature whose dots were written as underscores in a buffer's name."""
    features = [*(config.get("input_features") or {}), *(config.get("output_features") or {})]
    return next((key for key in features if key.replace(".", "_") == buffer), buffer)
