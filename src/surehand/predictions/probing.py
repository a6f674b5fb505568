"""A policy asked about a few frames of a dataset, spread over its episodes."""

from collections.abc import Sequence

import numpy as np

from surehand.exceptions import NotEnoughData
from surehand.formats.lerobot import LeRobotFolder
from surehand.policies.probe import Probe, probe
from surehand.policies.protocol import Observation, Policy
from surehand.predictions.observations import Reader, Shown

FRAMES, EPISODES = 48, 8


def probe_policy(
    policy: Policy, dataset: LeRobotFolder, name: str, episodes: Sequence[int] | None = None, frames: int = FRAMES
) -> Probe:
    """What the policy answers on about so many frames of a few of these episodes (all, where none are named).

    Raises what the policy raises, FormatError for a camera that the dataset lacks, NotEnoughData without a frame.
    """
    chosen = _spread([e for e in (dataset.episodes.tolist() if episodes is None else list(episodes))], EPISODES)
    reader = Reader(dataset, Shown.of(dataset, policy.spec), None, 0)
    asked: list[Observation] = []
    for episode in chosen:
        observations = reader.read([episode])
        rows = _spread(list(range(len(observations.recorded))), max(1, frames // max(len(chosen), 1)))
        asked += observations.at(np.array(rows, np.int64)) if rows else []
    if not asked:
        raise NotEnoughData(f"{dataset.root}: no frames to ask {name} about")
    return probe(policy, asked, name)


def _spread(items: list[int], few: int) -> list[int]:
    """At most so many of them, evenly spread, in order."""
    if not items:
        return []
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(few, len(items))).round().astype(int))]
