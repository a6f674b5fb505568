"""Recorded frames as what learners train on: input vectors, action chunks, and which of their steps exist."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.formats.lerobot_rows import first_not_finite
from surehand.frames import Actions
from surehand.policies.protocol import Observation
from surehand.sim.observation import ENVIRONMENT, STATE, TASK

LEAST_INPUT = 0.01  # rad, m: the smallest scale of an input, so that encoder noise stays small
LEAST_OUTPUT = 1e-6  # a column that moves less was held still and is answered with its mean
STILL = 1.0  # stands for the spread of such a column, which nothing is divided by


@dataclass(frozen=True, eq=False)
class Chunks:
    """N frames to learn from. Steps past an episode's end repeat its last action and are False in `valid`."""

    vector: np.ndarray  # (N, I) float32, state, environment and instruction; not normalised
    target: np.ndarray  # (N, H, D) float32, robot units
    valid: np.ndarray  # (N, H) bool
    images: dict[str, np.ndarray]  # key → (N, h, w, 3) uint8

    def __len__(self) -> int:
        return len(self.vector)


@dataclass(frozen=True)
class Inputs:
    """What a learner is shown: sizes of both vectors (environment 0 where it is hidden), instructions, cameras."""

    state: int
    environment: int
    instructions: tuple[str, ...]
    cameras: tuple[str, ...] = ()  # observation keys
    image_size: int = 0

    @property
    def size(self) -> int:
        """Length I of the input vector."""
        return self.state + self.environment + len(self.instructions)

    def vector(self, observations: Sequence[Observation]) -> np.ndarray:
        """Input vectors (B, I) float32; SurehandError or ShapeError names what an observation lacks."""
        return np.stack([self._one(observation) for observation in observations])

    def _one(self, observation: Observation) -> np.ndarray:
        parts = [_part(observation, STATE, self.state)]
        if self.environment:
            parts.append(_part(observation, ENVIRONMENT, self.environment))
        told = observation.get(TASK)
        if told not in self.instructions:
            known = ", ".join(repr(instruction) for instruction in self.instructions)
            raise SurehandError(f"the policy was not trained on the instruction {told!r}; it knows {known}")
        parts.append(np.array([told == known for known in self.instructions], np.float32))
        return np.concatenate(parts)

    def images(self, observations: Sequence[Observation]) -> dict[str, np.ndarray]:
        """Pictures (B, h, w, 3) uint8 by camera key."""
        return {key: np.stack([_picture(o, key, self.image_size) for o in observations]) for key in self.cameras}


def _part(observation: Observation, key: str, size: int) -> np.ndarray:
    if key not in observation:
        raise SurehandError(f"the observation lacks {key!r}, which the policy was trained on")
    found = np.asarray(observation[key], np.float32)
    if found.shape != (size,):
        raise ShapeError(f"{key} has shape {found.shape}; the policy was trained on ({size},)")
    return found


def _picture(observation: Observation, key: str, size: int) -> np.ndarray:
    if key not in observation:
        raise SurehandError(f"the observation lacks {key!r}, which the policy was trained on; render that camera")
    found = np.asarray(observation[key])
    if found.shape != (size, size, 3) or found.dtype != np.uint8:
        raise ShapeError(f"{key} is {found.dtype} {found.shape}; the policy was trained on uint8 ({size}, {size}, 3)")
    return found


def find_inputs(recorded: Actions, cameras: Sequence[str] = ()) -> Inputs:
    """What these recordings show a learner: with cameras, pictures in place of the environment's numbers."""
    if recorded.state is None:
        raise SurehandError(f"the recording has no {STATE}; learners need it")
    used = [recorded.tasks[i] for i in np.unique(recorded.task)]
    instructions = tuple(sorted(used))
    state = recorded.state.shape[1]
    if not cameras:
        return Inputs(state, _column(recorded, ENVIRONMENT).shape[1], instructions)
    sizes = {_column(recorded, key).shape[1:] for key in cameras}
    if len(sizes) > 1 or len({*next(iter(sizes))[:2]}) > 1 or next(iter(sizes))[-1:] != (3,):
        raise ShapeError(f"pictures of shapes {sorted(sizes)}; expected square ones of one size with 3 colours")
    return Inputs(state, 0, instructions, tuple(cameras), next(iter(sizes))[0])


def make_chunks(recorded: Actions, inputs: Inputs, horizon: int) -> Chunks:
    """Every frame with the H actions from it on; SurehandError for an instruction that the inputs do not know."""
    unknown = {recorded.tasks[i] for i in np.unique(recorded.task)} - set(inputs.instructions)
    if unknown:
        raise SurehandError(
            f"held-out frames are told {min(unknown)!r}, which no training episode is; record both alike"
        )
    assert recorded.state is not None
    parts = [recorded.state]
    if inputs.environment:
        parts.append(_column(recorded, ENVIRONMENT))
    told = np.array([inputs.instructions.index(t) if t in inputs.instructions else -1 for t in recorded.tasks])
    parts.append(told[recorded.task][:, None] == np.arange(len(inputs.instructions)))
    vector = np.concatenate(parts, axis=1).astype(np.float32)
    if bad := first_not_finite(vector, recorded.episode, recorded.frame):
        raise SurehandError(f"observations of {bad}; leave the episode out, or record it again")
    n = len(recorded)
    last = _last_rows(recorded.episode)
    rows = np.arange(n)[:, None] + np.arange(horizon)  # (N, H)
    return Chunks(
        vector=vector,
        target=recorded.action[np.minimum(rows, last[:, None])].astype(np.float32),
        valid=rows <= last[:, None],
        images={key: _column(recorded, key) for key in inputs.cameras},
    )


def _last_rows(episode: np.ndarray) -> np.ndarray:
    """Row of the last frame of each frame's episode (N,)."""
    ends = np.append(np.flatnonzero(np.diff(episode)), len(episode) - 1)
    return np.repeat(ends, np.diff(np.append(-1, ends)))


def _column(recorded: Actions, key: str) -> np.ndarray:
    if key not in recorded.columns:
        raise SurehandError(f"the recording has no column {key!r}; read it with columns=[{key!r}]")
    return recorded.columns[key]


@dataclass(frozen=True, eq=False)
class Scales:
    """Mean and scale of inputs (I,) and outputs (D,), from the training frames alone."""

    input_mean: np.ndarray
    input_std: np.ndarray
    output_mean: np.ndarray
    output_std: np.ndarray


def find_scales(chunks: Chunks, instructions: int) -> Scales:
    """Means and standard deviations; the instruction's columns stay 0 and 1."""
    told = np.arange(chunks.vector.shape[1]) >= chunks.vector.shape[1] - instructions
    mean, std = chunks.vector.mean(0, dtype=np.float64), chunks.vector.std(0, dtype=np.float64)
    actions = chunks.target[:, 0].astype(np.float64)  # every recorded action once
    spread = actions.std(0)
    return Scales(
        input_mean=np.where(told, 0.0, mean).astype(np.float32),
        input_std=np.where(told, 1.0, np.maximum(std, LEAST_INPUT)).astype(np.float32),
        output_mean=actions.mean(0).astype(np.float32),
        output_std=np.where(spread > LEAST_OUTPUT, spread, STILL).astype(np.float32),
    )
