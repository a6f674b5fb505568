"""A LeRobot checkpoint as a policy: loaded, fed and undone by lerobot's own code, answering in robot units."""

import os
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError, SpaceError, SurehandError
from surehand.frames import Samples
from surehand.policies.lerobot_checkpoint import (
    ACTION,
    IMAGES,
    KINDS,
    CheckpointConfig,
    locate,
    read_config,
    spec_of,
    step_name,
)
from surehand.policies.protocol import Answer, Observation


class LeRobotPolicy:
    """An unmodified lerobot's policy, its pre- and post-processor: observations in, chunks (H, D) in robot units out.

    `folder` is a `pretrained_model` folder or the checkpoint above it. Observations go under the dataset's own names,
    images as (height, width, 3) uint8. Runs on the device that the checkpoint names, where there is one.
    `infer` of a stochastic policy is the draw of one fixed noise, the same for every observation.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Raises FormatError for what is no such checkpoint, SpaceError where its action statistics are missing."""
        self.folder = locate(Path(folder))
        config = read_config(self.folder)
        self.spec = spec_of(config, self.folder)
        self.name = f"{config.type} {step_name(self.folder)}"
        self._queued = KINDS[config.type].queued
        self._inputs = {key: feature.shape for key, feature in config.input_features.items()}
        self._visual = config.cameras
        self._policy, self._before, self._after = _load(self.folder)
        _need_statistics(config, self._before, self._after, self.folder)

    @property
    def image_size(self) -> int:
        """Edge of the square pictures it was trained on; 0 where it wants none."""
        return self._inputs[self._visual[0]][-1] if self._visual else 0

    @property
    def action_std(self) -> np.ndarray | None:
        """Standard deviation of the training actions (D,) in robot units, None where the checkpoint holds none."""
        known: list[Any] = [getattr(step, "stats", None) or {} for step in self._after.steps]
        found = [stats[ACTION]["std"] for stats in known if "std" in stats.get(ACTION, {})]
        return np.asarray(found[0], float) if found else None

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D) float32} for one observation."""
        return self.infer_batch([observation])[0]

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """One answer per observation from one forward pass; ShapeError for a missing or misshapen input."""
        if not observations:
            return []
        noise: Any = nullcontext()
        if self.spec.stochastic:
            from surehand.policies.same_noise import seeded

            noise = seeded(0, same_rows=len(observations))
        with noise:
            return [{"actions": chunk} for chunk in self._chunks(self._batch(observations))]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K chunks (K, H, D): K draws of the policy's noise, or K times the one answer of a deterministic policy."""
        if not self.spec.stochastic:
            return Samples(np.repeat(self.infer(observation)["actions"][None], k, axis=0), "deterministic")
        from surehand.policies.same_noise import seeded

        seed = int(rng.integers(2**63))
        with seeded(seed):
            chunks = self._chunks(self._batch([observation] * k))
        return Samples(chunks, self.spec.generator, seed=seed)

    def reset(self) -> None:
        """Forget the episode so far."""
        self._policy.reset()

    def _batch(self, observations: Sequence[Observation]) -> dict[str, Any]:
        """The observations as lerobot's data loader would give them: tensors (B, ...), images (B, 3, h, w) in 0..1."""
        import torch

        batch: dict[str, Any] = {}
        for key, shape in self._inputs.items():
            values = [_value(observation, key, shape, key in self._visual) for observation in observations]
            batch[key] = torch.from_numpy(np.stack(values))
        if all("task" in observation for observation in observations):
            batch["task"] = [str(observation["task"]) for observation in observations]
        return batch

    def _chunks(self, batch: dict[str, Any]) -> np.ndarray:
        """(B, H, D) float32 in robot units: pre-processor, policy and post-processor, one after the other."""
        import torch

        rows = len(next(iter(batch.values())))
        with torch.no_grad():
            ready = self._before(batch)
            if self._queued:
                ready = self._queue(ready)
            found = self._after(self._policy.predict_action_chunk(ready))
        wanted = (rows, self.spec.horizon, self.spec.dims)
        if tuple(found.shape) != wanted:
            raise ShapeError(f"{self.folder}: the policy answered {tuple(found.shape)}, its config promises {wanted}")
        return np.asarray(found.detach().cpu().numpy(), np.float32)

    def _queue(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch once its observations lie in the queues from which lerobot's diffusion policy reads them."""
        import torch
        from lerobot.policies.utils import populate_queues

        ready = {key: value for key, value in batch.items() if key != ACTION}
        if self._visual:
            ready[IMAGES] = torch.stack([batch[key] for key in self._visual], dim=-4)
        self._policy.reset()
        self._policy._queues = populate_queues(self._policy._queues, ready)
        return ready


def _load(folder: Path) -> tuple[Any, Any, Any]:
    """Policy, pre-processor and post-processor, by lerobot; every weight must be there."""
    try:
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors
    except (ImportError, RuntimeError) as error:
        raise SurehandError(f"lerobot cannot be imported ({error}); pip install 'surehand[lerobot]'") from None
    try:
        config = PreTrainedConfig.from_pretrained(folder, local_files_only=True)
        if getattr(config, "pretrained_backbone_weights", None):
            config.pretrained_backbone_weights = None  # else it downloads weights that the checkpoint's replace
        with redirect_stdout(StringIO()):  # it prints that it loads
            policy = get_policy_class(config.type).from_pretrained(folder, config=config, strict=True)
        device = {"device_processor": {"device": config.device}}
        before, after = make_pre_post_processors(config, str(folder), preprocessor_overrides=device)
    except Exception as error:  # whatever lerobot, draccus or safetensors raise: the checkpoint does not load
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise FormatError(f"{folder}: lerobot cannot load it ({reason[0]}); copy or save it again") from None
    return policy, before, after


def _need_statistics(config: CheckpointConfig, before: Any, after: Any, folder: Path) -> None:
    """Nothing, or SpaceError: lerobot passes a feature without statistics through, in whatever units it is."""
    for pipeline, features in ((before, config.input_features), (after, config.output_features)):
        known = {key for step in pipeline.steps for key in getattr(step, "stats", None) or {}}
        for key, feature in features.items():
            mode = config.normalization_mapping.get(feature.type, "IDENTITY")
            if mode != "IDENTITY" and key not in known:
                raise SpaceError(
                    f"{folder}: {key} was trained as {mode}, but its statistics are not with the processors; "
                    "save the checkpoint again with its dataset's statistics"
                )


def _value(observation: Observation, key: str, shape: tuple[int, ...], visual: bool) -> np.ndarray:
    """One input of one observation, float32 in the config's shape; ShapeError where it is absent or another shape."""
    if key not in observation:
        raise ShapeError(f"the policy needs {key} {shape}; the observation holds {', '.join(sorted(observation))}")
    found = np.asarray(observation[key])
    if visual:
        if found.dtype != np.uint8 or found.ndim != 3:
            raise ShapeError(f"{key}: expected an image (height, width, 3) of uint8, got {found.shape} {found.dtype}")
        found = found.transpose(2, 0, 1) / np.float32(255)
    if found.shape != shape:
        raise ShapeError(f"{key}: the policy was trained on {shape}, the observation holds {found.shape}")
    return np.ascontiguousarray(found, np.float32)
