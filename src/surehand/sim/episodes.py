"""What a closed loop leaves behind: decisions, episodes, and how candidates of a decision are drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from surehand.frames import Samples
from surehand.policies.protocol import Observation
from surehand.sim.branching import Labels

Verifier = Callable[[Observation, Samples], np.ndarray]  # (K,) scores, the higher the better


@dataclass(frozen=True)
class Draw:
    """How many candidates a decision has, drawn by the policy's `sample`, and whether each is tried in a branch.

    0 candidates: the policy's own answer is the only one. Every decision draws with a generator of its own, seeded by
    (`seed`, scene, step).
    """

    candidates: int
    seed: int = 0
    branch: bool = False
    verifier: str = "first"  # the first candidate, unless `scores` says more
    scores: Verifier | None = None


@dataclass(frozen=True, eq=False)
class Decision:
    """One decision and what came of it until the next one: K candidates, n executed steps, F force channels."""

    step: int
    samples: Samples
    score: np.ndarray  # (K,)
    selected: int
    verifier: str
    features: np.ndarray  # state and environment, as observed
    embedding: np.ndarray | None
    forces: np.ndarray  # (n, F) peak of each step, N
    distance: np.ndarray  # (n,) from tool to thing after each step, m
    violated: bool
    refused: int
    labels: Labels | None = None


@dataclass(frozen=True, eq=False)
class Episode:
    """What came of one scene. `void` says why it does not count, "" where it does."""

    task: str
    body: str
    scene: int
    thing: str
    instruction: str
    success: bool
    steps: int
    peaks: np.ndarray  # (F,) largest force of each channel, N
    violated: tuple[str, ...]  # limits broken at least once
    void: str
    refused: int  # actions that were not finite; the robot held still instead
    decisions: tuple[Decision, ...] = ()


def success_rate(episodes: Sequence[Episode]) -> tuple[int, int]:
    """(successes, episodes that count)."""
    counted = [episode for episode in episodes if not episode.void]
    return sum(episode.success for episode in counted), len(counted)
