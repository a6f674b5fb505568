"""A trained learner as a surehand policy: observations in, chunks in robot units out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from surehand.exceptions import SurehandError
from surehand.frames import Samples, Space
from surehand.layout import Layout
from surehand.policies.protocol import Answer, Mechanism, Observation, PolicySpec
from surehand.sim.learners.checkpoint import Config
from surehand.sim.learners.chunks import STILL
from surehand.sim.learners.nets import AnyNet, Batch, threads

# Rows of one forward pass. Matrix products of another size may differ in the last bit, so every pass has this many,
# filled in with copies, and runs in one thread: an answer depends neither on the other rows nor on how many there are.
BLOCK = 16
MECHANISMS: dict[str, Mechanism] = {"flow": "noise", "token": "token-temperature"}
SPACE = Space("robot", reference="absolute")


@dataclass(frozen=True, eq=False)
class LearnedPolicy:
    """What `load_policy` returns. `temperature` is the knob of the stochastic learners' samples; 1 is as trained."""

    config: Config
    net: AnyNet
    temperature: float = 1.0

    @property
    def name(self) -> str:
        """The checkpoint's name in predictions and trials."""
        return self.config.name

    @property
    def layout(self) -> Layout:
        """Of the robot it was trained for."""
        return Layout.parse(self.config.layout)

    @property
    def image_size(self) -> int:
        """Edge of the pictures it wants; 0 where it wants none."""
        return self.config.inputs.image_size

    @property
    def action_std(self) -> np.ndarray:
        """Standard deviation of the training actions (D,), robot units; 0 for a column that was held still."""
        spread = np.array(self.config.output_std)
        return np.where(spread == STILL, 0.0, spread)

    @property
    def spec(self) -> PolicySpec:
        """Horizon, columns, cameras and how samples differ."""
        mechanism = MECHANISMS.get(self.config.learner, "deterministic")
        return PolicySpec(
            horizon=self.config.horizon,
            dims=len(self.config.output_mean),
            space=SPACE,
            stochastic=mechanism != "deterministic",
            generator=mechanism,
            cameras=self.config.inputs.cameras,
        )

    def at_temperature(self, temperature: float) -> "LearnedPolicy":
        """The same policy with samples of another temperature; SurehandError for one that has no such knob."""
        if not self.spec.stochastic:
            raise SurehandError(f"{self.name} is deterministic and has no temperature; perturb it instead")
        if not (math.isfinite(temperature) and temperature >= 0):
            raise SurehandError(f"a temperature is a number from 0, got {temperature}")
        return replace(self, temperature=temperature)

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D), "embedding": (V,)}, without any randomness."""
        return self.infer_batch([observation])[0]

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """One answer per observation, bit by bit what `infer` gives for each."""
        inputs = self.config.inputs
        vector, images = inputs.vector(observations), inputs.images(observations)
        chunk, embedding = self.answers(vector, images)
        return [{"actions": chunk[row], "embedding": embedding[row]} for row in range(len(observations))]

    def answers(
        self, vector: np.ndarray, images: dict[str, np.ndarray], block: int = BLOCK
    ) -> tuple[np.ndarray, np.ndarray]:
        """Chunks (B, H, D) in robot units and embeddings (B, V) for input vectors (B, I) and pictures."""
        parts = []
        with threads(1), torch.inference_mode():
            for first in range(0, len(vector), block):
                rows = np.minimum(np.arange(first, first + block), len(vector) - 1)
                chunk, embedding = self.net.answer(self.batch(vector, images, rows))
                keep = min(block, len(vector) - first)
                parts.append((self.to_robot(chunk[:keep]), embedding[:keep].numpy()))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K chunks (K, H, D): native draws, or the one chunk K times where the learner is deterministic."""
        if k < 1:
            raise SurehandError(f"{k} samples; ask for at least 1")
        inputs = self.config.inputs
        return self.samples(inputs.vector([observation]), inputs.images([observation]), k, rng)

    def samples(self, vector: np.ndarray, images: dict[str, np.ndarray], k: int, rng: np.random.Generator) -> Samples:
        """As `sample`, for input vectors (B, I); the B · K chunks of all rows follow one another."""
        if not self.spec.stochastic:
            chunk = self.answers(vector, images)[0]
            return Samples(chunk.repeat(k, 0), "deterministic")
        with threads(1), torch.inference_mode():
            batch = self.batch(vector, images, np.arange(len(vector))).repeat(k)
            drawn = self.net.draw(batch, rng, self.temperature)
        return Samples(
            self.to_robot(drawn.chunk),
            generator=self.spec.generator,
            knob="temperature",
            value=self.temperature,
            log_p=None if drawn.log_p is None else drawn.log_p.numpy(),
            token_entropy=None if drawn.entropy is None else drawn.entropy.numpy(),
        )

    def reset(self) -> None:
        """Nothing: every decision stands alone."""

    def batch(self, vector: np.ndarray, images: dict[str, np.ndarray], rows: Sequence[int] | np.ndarray) -> Batch:
        """These rows, normalised as in training."""
        scales = self.config.scales
        return make_batch((vector[rows] - scales.input_mean) / scales.input_std, images, rows)

    def to_robot(self, chunk: Tensor) -> np.ndarray:
        """Normalised chunks in robot units, float32."""
        scales = self.config.scales
        return np.asarray(chunk.numpy() * scales.output_std + scales.output_mean)


def make_batch(normalised: np.ndarray, images: dict[str, np.ndarray], rows: Sequence[int] | np.ndarray) -> Batch:
    """A batch of normalised vectors (B, I) and these rows of the pictures."""
    if not images:
        return Batch(torch.from_numpy(normalised))
    seen = np.stack([pictures[rows] for pictures in images.values()], axis=1)  # (B, cameras, h, w, 3)
    pictures = torch.from_numpy(np.ascontiguousarray(seen.transpose(0, 1, 4, 2, 3)))
    return Batch(torch.from_numpy(normalised), pictures.float() / 255.0)
