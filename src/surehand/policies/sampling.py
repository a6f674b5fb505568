"""Candidate generators around any policy; each declares its mechanism, knob and value, so that it can be audited.

A policy that is stochastic itself needs none of them: its own `sample` is one. K candidates, H steps, D columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from surehand.exceptions import ShapeError, SurehandError
from surehand.frames import Samples
from surehand.policies.batches import sample_batch
from surehand.policies.protocol import Answer, Observation, Policy, PolicySpec


class _Around:
    """A policy around a policy: answers as the inner one does, samples in its own way."""

    policy: Policy

    @property
    def image_size(self) -> int:
        """Edge of the pictures that the inner policy wants, 0 where it does not say."""
        return getattr(self.policy, "image_size", 0)

    def infer(self, observation: Observation) -> Answer:
        """The inner policy's answer."""
        return self.policy.infer(observation)

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """The inner policy's answers."""
        return self.policy.infer_batch(observations)

    def reset(self) -> None:
        """Forget the episode so far."""
        self.policy.reset()


@dataclass(frozen=True, eq=False)
class Perturbed(_Around):
    """The inner policy's chunk plus σ · scale · z, z standard normal: drawn once per chunk, or for every step.

    `scale` (D,) is what σ = 1 means in each column (the training actions' standard deviation, or the range), in the
    units of the answer. Disagreement among such candidates is proportional to σ by construction.
    """

    policy: Policy
    sigma: float
    scale: np.ndarray  # (D,)
    per: Literal["chunk", "step"] = "chunk"

    def __post_init__(self) -> None:
        scale = np.asarray(self.scale, dtype=float)
        if scale.shape != (self.policy.spec.dims or scale.size,):  # 0: not known before its first answer
            raise ShapeError(f"a scale of shape {scale.shape}; the policy has {self.policy.spec.dims} columns")
        if not 0 <= self.sigma < np.inf:
            raise SurehandError(f"sigma {self.sigma}: expected a finite number from 0")
        if not (np.isfinite(scale).all() and (scale >= 0).all()):
            raise SurehandError(f"scale {scale}: expected finite numbers from 0")
        object.__setattr__(self, "scale", scale)

    @property
    def spec(self) -> PolicySpec:
        """The inner policy's, with this generator."""
        return replace(self.policy.spec, stochastic=True, generator="perturbation")

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K perturbed chunks (K, H, D) of one answer."""
        return self.sample_batch([observation], k, [rng])[0]

    def sample_batch(
        self, observations: Sequence[Observation], k: int, rngs: Sequence[np.random.Generator]
    ) -> list[Samples]:
        """K perturbed chunks (K, H, D) of each answer, the answers from one call."""
        answers = self.policy.infer_batch(list(observations))
        return [self._around(np.asarray(a["actions"]), k, rng) for a, rng in zip(answers, rngs, strict=True)]

    def _around(self, chunk: np.ndarray, k: int, rng: np.random.Generator) -> Samples:
        steps = 1 if self.per == "chunk" else len(chunk)
        offset = self.sigma * self.scale * rng.standard_normal((k, steps, chunk.shape[1]))
        with np.errstate(over="ignore"):  # a sigma beyond all measure shows as infinity, which whoever asked refuses
            actions = (chunk + offset).astype(np.float32)
        return Samples(actions, "perturbation", f"sigma per {self.per}", self.sigma)


@dataclass(frozen=True, eq=False)
class BatchMoments(_Around):
    """Normal draws with mean and variance of n₀ samples of the inner policy (Kwok et al. 2025, RoboMonkey).

    Every step and column on its own. A gripper is never averaged: each step takes the side of `halfway` that most
    of the n₀ samples are on (a tie opens), at the mean of the samples on that side.
    """

    policy: Policy
    n0: int
    grippers: tuple[int, ...] = ()  # columns
    halfway: float = 0.5

    def __post_init__(self) -> None:
        spec = self.policy.spec
        if self.n0 < 2:
            raise SurehandError(f"moments of {self.n0} samples: expected at least 2")
        if not spec.stochastic:
            raise SurehandError(f"samples of a {spec.generator} policy have no variance; perturb it, or train a flow")
        if any(not 0 <= column < spec.dims for column in self.grippers):
            raise ShapeError(f"gripper columns {self.grippers}; the policy has {spec.dims} columns")

    @property
    def spec(self) -> PolicySpec:
        """The inner policy's, with this generator."""
        return replace(self.policy.spec, generator="batch-moments")

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K draws (K, H, D) from the moments of n₀ samples."""
        return self.sample_batch([observation], k, [rng])[0]

    def sample_batch(
        self, observations: Sequence[Observation], k: int, rngs: Sequence[np.random.Generator]
    ) -> list[Samples]:
        """K draws (K, H, D) for each observation, from the moments of its own n₀ samples."""
        inner = sample_batch(self.policy, observations, self.n0, rngs)
        return [self._from_moments(samples.actions, k, rng) for samples, rng in zip(inner, rngs, strict=True)]

    def _from_moments(self, found: np.ndarray, k: int, rng: np.random.Generator) -> Samples:
        drawn = found.astype(np.float64)  # (n0, H, D)
        mean, deviation = drawn.mean(axis=0), drawn.std(axis=0, ddof=1)
        actions = mean + deviation * rng.standard_normal((k, *mean.shape))
        for column in self.grippers:
            actions[:, :, column] = _majority(drawn[:, :, column], self.halfway)
        return Samples(actions.astype(np.float32), "batch-moments", "n0", float(self.n0))


def _majority(opening: np.ndarray, halfway: float) -> np.ndarray:
    """Per step (H,) the mean of those samples (n0, H) that are on the side where most are."""
    wide = opening >= halfway
    side = wide == (2 * wide.sum(axis=0) >= len(opening))
    return np.asarray(np.where(side, opening, 0.0).sum(axis=0) / side.sum(axis=0))
