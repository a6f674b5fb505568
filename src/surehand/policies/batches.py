"""Samples of any policy for many observations at once, each observation with a random generator of its own."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from surehand.exceptions import ShapeError
from surehand.frames import Samples
from surehand.policies.protocol import Observation, Policy


@runtime_checkable
class Batched(Protocol):
    """A policy that draws for many observations in one forward pass."""

    def sample_batch(
        self, observations: Sequence[Observation], k: int, rngs: Sequence[np.random.Generator]
    ) -> list[Samples]:
        """K candidate chunks (K, H, D) per observation, each equal to what `sample` draws with the same generator."""
        ...


def sample_batch(
    policy: Policy, observations: Sequence[Observation], k: int, rngs: Sequence[np.random.Generator]
) -> list[Samples]:
    """K candidate chunks (K, H, D) per observation; in one forward pass where the policy knows how."""
    if len(observations) != len(rngs):
        raise ShapeError(f"{len(observations)} observations, {len(rngs)} generators; give each observation its own")
    if isinstance(policy, Batched):
        return policy.sample_batch(observations, k, rngs)
    return [policy.sample(observation, k, rng) for observation, rng in zip(observations, rngs, strict=True)]
