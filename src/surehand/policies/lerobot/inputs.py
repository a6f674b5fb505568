"""Observations as lerobot's data loader would give them: tensors with a leading batch axis, pictures in 0..1."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.policies.lerobot.checkpoint import Checkpoint
from surehand.policies.protocol import Observation

Batch = dict[str, Any]  # tensors (B, ...) under the observation's keys, and "task" as a list of B strings


class Inputs:
    """What a checkpoint reads of an observation, checked and stacked; `told` says whether it needs the instruction."""

    def __init__(self, checkpoint: Checkpoint, told: bool) -> None:
        config, renamed = checkpoint.config, checkpoint.renamed
        self.told = told
        self._shapes = {key: feature.shape for key, feature in config.inputs.items()}
        self._visual = set(config.cameras)
        self._names = {key: renamed.get(key, key) for key in self._shapes}  # the dataset's
        self._any_size = config.resizes

    def batch(self, observations: Sequence[Observation]) -> Batch:
        """B observations as one batch; ShapeError for an input that is absent or of another shape."""
        import torch

        found: Batch = {}
        for key, shape in self._shapes.items():
            name = self._names[key]
            if not all(name in observation for observation in observations):
                name = self._other_name(key, observations)
            if key in self._visual:
                pictures = _pictures(observations, name, shape, self._any_size)
                # As lerobot's loader: (B, 3, h, w) float32, the 255 levels divided by 255.
                found[name] = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().float().div_(255)
            else:
                found[name] = torch.from_numpy(_numbers(observations, name, shape))
        if self.told or all("task" in observation for observation in observations):
            if not all("task" in observation for observation in observations):
                raise ShapeError('the policy reads an instruction, and an observation holds no "task"')
            found["task"] = [str(observation["task"]) for observation in observations]
        return found

    def same(self, observation: Observation, other: Observation) -> bool:
        """Whether both hold the very same arrays: one moment, asked about twice."""
        names = self._names.values()
        return all(name in observation and observation[name] is other.get(name) for name in names)

    def _other_name(self, key: str, observations: Sequence[Observation]) -> str:
        """The policy's own name of an input that goes by another in the dataset; ShapeError where neither is there."""
        if all(key in observation for observation in observations):
            return key
        name = self._names[key]
        lacking = next(observation for observation in observations if name not in observation)
        held = ", ".join(sorted(lacking)) or "nothing"
        raise ShapeError(f"the policy needs {name} {self._shapes[key]}; the observation holds {held}")


def timeline(observation: Observation, earlier: Sequence[Observation], length: int) -> list[Observation]:
    """The last `length` observations, oldest first; the first one stands for those before it."""
    known = [*earlier, observation][-length:]
    return [known[0]] * (length - len(known)) + known


def rows_of(batch: Batch, rows: np.ndarray) -> Batch:
    """These rows of a batch, some of them several times."""
    import torch

    index = torch.from_numpy(np.ascontiguousarray(rows))
    if all(len(value) == len(rows) for value in batch.values()) and (rows == np.arange(len(rows))).all():
        return dict(batch)
    return {
        key: value.index_select(0, index) if isinstance(value, torch.Tensor) else [value[row] for row in rows]
        for key, value in batch.items()
    }


def _pictures(observations: Sequence[Observation], key: str, shape: tuple[int, ...], any_size: bool) -> np.ndarray:
    """(B, h, w, 3) uint8 of one camera; ShapeError for what is no picture, or not of the size that was trained."""
    found = [np.asarray(observation[key]) for observation in observations]
    for picture in found:
        if picture.dtype != np.uint8 or picture.ndim != 3:
            raise ShapeError(
                f"{key}: expected an image (height, width, 3) of uint8, got {picture.shape} {picture.dtype}"
            )
        channels_first = (picture.shape[2], *picture.shape[:2])
        if channels_first != shape and not (any_size and channels_first[0] == shape[0]):
            raise ShapeError(f"{key}: the policy was trained on {shape}, the observation holds {channels_first}")
        if picture.shape != found[0].shape:
            raise ShapeError(
                f"{key}: pictures of {found[0].shape[:2]} and {picture.shape[:2]} in one batch; give those of one size"
            )
    return np.stack(found)


def _numbers(observations: Sequence[Observation], key: str, shape: tuple[int, ...]) -> np.ndarray:
    """(B, ...) float32 of one input; ShapeError where it has another shape or holds no numbers."""
    found = [np.asarray(observation[key]) for observation in observations]
    for values in found:
        if values.shape != shape:
            raise ShapeError(f"{key}: the policy was trained on {shape}, the observation holds {values.shape}")
        if values.dtype.kind not in "fiub":
            raise ShapeError(f"{key}: expected numbers, the observation holds {values.dtype}")
        if not np.isfinite(values).all():
            raise SurehandError(f"{key}: the observation holds numbers that are not finite")
    return np.stack([np.ascontiguousarray(values, np.float32) for values in found])
