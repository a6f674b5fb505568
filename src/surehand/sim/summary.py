"""Rollouts in a few numbers per policy and task, as a versioned record."""

from collections.abc import Sequence
from typing import Any

from scipy import stats

from surehand.formats.records import Part, Record
from surehand.sim.episodes import Episode, success_rate


class Result(Part):
    """What one policy came to on one task."""

    policy: str
    task: str
    episodes: int  # that count
    successes: int
    low: float  # 95 % Wilson interval of the success rate
    high: float
    violating: int  # counted episodes that broke a limit at least once
    violated: dict[str, int]  # limit: counted episodes that broke it
    void: int  # episodes that do not count, by rule
    refused: int  # actions that were not finite
    steps: int  # of counted episodes together

    @property
    def rate(self) -> float:
        """Share of successes; NaN without an episode that counts."""
        return self.successes / self.episodes if self.episodes else float("nan")


class RolloutRecord(Record):
    """What rollout.json says: how the rollouts came to be, and their results."""

    kind: str = "rollout"

    campaign: dict[str, Any]
    versions: dict[str, str]
    names: dict[str, str]  # checkpoint folder: the policy's name in trials and rounds
    results: list[Result]


def summarise(policy: str, task: str, episodes: Sequence[Episode]) -> Result:
    """Counts, and the Wilson (1927) interval of the success rate; the whole range where no episode counts."""
    successes, counted = success_rate(episodes)
    good = [episode for episode in episodes if not episode.void]
    low, high = 0.0, 1.0
    if counted:
        low, high = stats.binomtest(successes, counted).proportion_ci(method="wilson")
    limits = sorted({name for episode in good for name in episode.violated})
    return Result(
        policy=policy,
        task=task,
        episodes=counted,
        successes=successes,
        low=float(low),
        high=float(high),
        violating=sum(bool(episode.violated) for episode in good),
        violated={name: sum(name in episode.violated for episode in good) for name in limits},
        void=len(episodes) - counted,
        refused=sum(episode.refused for episode in episodes),
        steps=sum(episode.steps for episode in good),
    )
