"""A LeRobot checkpoint's folder and what its files say of the policy, read without torch or lerobot."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from surehand.exceptions import FormatError
from surehand.policies.chunks import first_line

ACTION = "action"
WEIGHTS = "model.safetensors"
PROCESSORS = ("policy_preprocessor.json", "policy_postprocessor.json")
OLD_STATISTICS = ("normalize_inputs.", "normalize_targets.", "unnormalize_outputs.")
EMPTY_CAMERA = ".empty_camera_"  # lerobot fills these pictures itself

Read = TypeVar("Read", bound=BaseModel)


class Feature(BaseModel):
    """One input or output: its type as lerobot names it (STATE, ENV, VISUAL, ACTION) and its shape."""

    type: str
    shape: tuple[PositiveInt, ...] = Field(min_length=1)


class CheckpointConfig(BaseModel):
    """What surehand reads of a policy's config.json."""

    model_config = ConfigDict(strict=True)

    type: str
    input_features: dict[str, Feature] = Field(min_length=1)
    output_features: dict[str, Feature]
    normalization_mapping: dict[str, str] = {}
    n_obs_steps: PositiveInt = 1
    chunk_size: PositiveInt | None = None
    action_chunk_size: PositiveInt | None = None
    n_action_steps: PositiveInt | None = None
    horizon: PositiveInt | None = None
    temperature: Any = None
    vlm_model_name: str | None = None
    action_feature_names: Any = None
    resize_imgs_with_padding: Any = None
    image_resolution: Any = None
    image_size: Any = None

    @property
    def inputs(self) -> dict[str, Feature]:
        """The inputs that an observation must hold."""
        return {key: feature for key, feature in self.input_features.items() if EMPTY_CAMERA not in key}

    @property
    def cameras(self) -> tuple[str, ...]:
        """The inputs that are images."""
        return tuple(key for key, feature in self.inputs.items() if feature.type == "VISUAL")

    @property
    def resizes(self) -> bool:
        """Whether the policy brings pictures of any size to its own."""
        return any(size is not None for size in (self.resize_imgs_with_padding, self.image_resolution, self.image_size))

    @property
    def action_names(self) -> tuple[str, ...] | None:
        """The names of the action's columns, where the checkpoint holds them."""
        names, action = self.action_feature_names, self.output_features.get(ACTION)
        if not isinstance(names, list) or action is None or len(names) != action.shape[0]:
            return None
        return tuple(names) if all(isinstance(name, str) for name in names) else None


class Processor(BaseModel):
    """What surehand reads of a processor's JSON: its steps."""

    steps: list[dict[str, Any]]

    def step(self, name: str) -> dict[str, Any] | None:
        """The configuration of the step that lerobot registers under that name, None where it has none."""
        found = [step for step in self.steps if step.get("registry_name") == name]
        config = found[0].get("config") if found else None
        return (config if isinstance(config, dict) else {}) if found else None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's files, read: `before` and `after` are None where the statistics lie among the weights."""

    folder: Path
    config: CheckpointConfig
    before: Processor | None
    after: Processor | None

    @property
    def renamed(self) -> dict[str, str]:
        """The dataset's key of every input that the pre-processor renames."""
        step = (self.before and self.before.step("rename_observations_processor")) or {}
        renames = step.get("rename_map")
        return {new: old for old, new in renames.items()} if isinstance(renames, dict) else {}


def locate(path: Path) -> Path:
    """The folder with config.json and weights; FormatError with the next step where there is none."""
    for folder in (path / "pretrained_model", path):
        if (folder / "config.json").is_file():
            break
    else:
        inside = sorted(found for found in (path / "checkpoints").glob("*") if found.is_dir())
        hint = f"name one of its checkpoints, e.g. {inside[-1]}" if inside else "name a pretrained_model folder"
        raise FormatError(f"{path}: no LeRobot checkpoint (config.json is missing); {hint}")
    if not (folder / WEIGHTS).is_file():
        adapter = (folder / "adapter_config.json").is_file()
        hint = "it is a PEFT adapter; merge it into its base policy and save that" if adapter else "copy it again"
        raise FormatError(f"{folder}: {WEIGHTS} missing; {hint}")
    return folder


def read_checkpoint(folder: Path) -> Checkpoint:
    """Config, processors and the weights' table of contents; FormatError for whatever is missing or damaged.

    The processors may name lerobot's own steps alone.
    """
    config = _read(folder / "config.json", CheckpointConfig)
    missing = [name for name in PROCESSORS if not (folder / name).is_file()]
    tensors = tensor_names(folder / WEIGHTS)
    if missing == list(PROCESSORS) and _old(config, tensors):
        return Checkpoint(folder, config, None, None)
    if missing:
        raise FormatError(
            f"{folder}: {', '.join(missing)} missing; lerobot writes them from 0.4 on (earlier ones keep statistics "
            "among the weights, where there are none); copy the checkpoint again"
        )
    before, after = (_read(folder / name, Processor) for name in PROCESSORS)
    for name, processor in zip(PROCESSORS, (before, after), strict=True):
        foreign = [step for step in processor.steps if "registry_name" not in step]
        if foreign:  # lerobot would import whatever is named here
            named = foreign[0].get("class")
            raise FormatError(f"{folder / name} names code to import ({named}); only lerobot's own steps are run")
    return Checkpoint(folder, config, before, after)


def tensor_names(path: Path) -> tuple[str, ...]:
    """The names of a safetensors file's tensors; FormatError where it is damaged or cut short."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return tuple(file.keys())
    except (OSError, SafetensorError) as error:
        raise FormatError(f"{path}: damaged or cut short ({first_line(error)}); copy it again") from None


def step_name(folder: Path) -> str:
    """The training step as lerobot-train names the checkpoint's folder, or the folder's own name."""
    return (folder.parent if folder.name == "pretrained_model" else folder).resolve().name


def _old(config: CheckpointConfig, tensors: tuple[str, ...]) -> bool:
    """Whether lerobot up to 0.3.3 wrote it: statistics among the weights, or a policy that normalises nothing."""
    if any(name.startswith(OLD_STATISTICS) for name in tensors):
        return True
    return bool(config.normalization_mapping) and set(config.normalization_mapping.values()) == {"IDENTITY"}


def _read(path: Path, what: type[Read]) -> Read:
    """The file as that model; FormatError names the first field that is not as it must be."""
    try:
        return what.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); copy it again") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FormatError(
            f"{path}: not as lerobot writes it ({where or 'file'}: {first['msg']}); copy it again"
        ) from None
