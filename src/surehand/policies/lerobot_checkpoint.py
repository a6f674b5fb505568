"""A LeRobot checkpoint's folder and what its files say of the policy, read without torch or lerobot."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from surehand.exceptions import FormatError
from surehand.frames import Space
from surehand.policies.protocol import Mechanism, PolicySpec

ACTION = "action"
IMAGES = "observation.images"
PROCESSORS = ("policy_preprocessor.json", "policy_postprocessor.json")

Read = TypeVar("Read", bound=BaseModel)


@dataclass(frozen=True)
class Kind:
    """What surehand must know of a LeRobot policy type."""

    horizon: str  # the config's field with the length of a predicted chunk
    generator: Mechanism
    queued: bool = False  # whether it reads its observations from queues instead of the batch


KINDS = {
    "act": Kind("chunk_size", "deterministic"),
    "diffusion": Kind("n_action_steps", "noise", queued=True),
}


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
    n_action_steps: PositiveInt | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        """The inputs that are images."""
        return tuple(key for key, feature in self.input_features.items() if feature.type == "VISUAL")


class Processor(BaseModel):
    """What surehand reads of a processor's JSON: its steps."""

    steps: list[dict[str, Any]]


def locate(path: Path) -> Path:
    """The folder with config.json, weights and processors; FormatError with the next step where there is none."""
    for folder in (path / "pretrained_model", path):
        if (folder / "config.json").is_file():
            break
    else:
        last = path / "checkpoints" / "last"
        hint = f"name one of its checkpoints, e.g. {last}" if last.exists() else "name a pretrained_model folder"
        raise FormatError(f"{path}: no LeRobot checkpoint (config.json is missing); {hint}")
    missing = [name for name in ("model.safetensors", *PROCESSORS) if not (folder / name).is_file()]
    if missing:
        raise FormatError(
            f"{folder}: {', '.join(missing)} missing; lerobot writes them from 0.4 on, and its "
            "migrate_policy_normalization makes them for older checkpoints"
        )
    return folder


def read_config(folder: Path) -> CheckpointConfig:
    """config.json; FormatError unless it is a LeRobot policy's. The processors may name lerobot's own steps alone."""
    config = _read(folder / "config.json", CheckpointConfig)
    for name in PROCESSORS:
        foreign = [step for step in _read(folder / name, Processor).steps if "registry_name" not in step]
        if foreign:  # lerobot would import whatever is named here
            named = foreign[0].get("class")
            raise FormatError(f"{folder / name} names code to import ({named}); only lerobot's own steps are run")
    return config


def spec_of(config: CheckpointConfig, folder: Path) -> PolicySpec:
    """What the config says of the policy; FormatError for a type or a history that surehand cannot serve."""
    kind = KINDS.get(config.type)
    if kind is None:
        raise FormatError(f"{folder}: policy type {config.type!r}; surehand runs {', '.join(KINDS)}")
    if config.n_obs_steps != 1:
        raise FormatError(
            f"{folder}: the policy looks at {config.n_obs_steps} observations in a row, surehand gives it one; "
            "train it with --policy.n_obs_steps=1"
        )
    horizon = getattr(config, kind.horizon)
    if horizon is None or ACTION not in config.output_features:
        raise FormatError(
            f"{folder / 'config.json'}: {kind.horizon} or the output {ACTION!r} is missing; save it again"
        )
    return PolicySpec(
        horizon=horizon,
        dims=config.output_features[ACTION].shape[0],
        space=Space("robot"),
        stochastic=kind.generator != "deterministic",
        generator=kind.generator,
        cameras=config.cameras,
        inputs=tuple(key for key in config.input_features if key not in config.cameras),
    )


def step_name(folder: Path) -> str:
    """The training step as lerobot-train names the checkpoint's folder, or the folder's own name."""
    return (folder.parent if folder.name == "pretrained_model" else folder).resolve().name


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
