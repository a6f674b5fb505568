"""Policies small enough to be right at sight, for the tests of closed loops."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from surehand.frames import Samples, Space
from surehand.policies.protocol import Answer, Observation, PolicySpec
from surehand.sim.follow import Variation
from surehand.sim.observation import ENVIRONMENT, STATE
from surehand.sim.record import demonstrate
from surehand.sim.robot import body as find_body


@dataclass
class Remembers:
    """Answers with what the expert did next where it saw most nearly the same; succeeds in the scenes it has seen."""

    task: str
    body: str
    scenes: list[int]
    horizon: int = 8
    asked: list[int] = field(default_factory=list)  # observations per question
    change: Any = None  # of every answer (H, D), by the number of questions so far

    def __post_init__(self) -> None:
        seen, chunks = [], []
        for scene in self.scenes:
            found = demonstrate(self.task, self.body, scene, Variation())
            action = found["action"]
            seen.append(np.concatenate([found["state"], found[ENVIRONMENT]], axis=1))
            rows = np.minimum(np.arange(len(action))[:, None] + np.arange(self.horizon), len(action) - 1)
            chunks.append(action[rows])
        self.seen, self.chunks = np.concatenate(seen), np.concatenate(chunks)
        self.spread = self.seen.std(axis=0) + 1e-3

    @property
    def spec(self) -> PolicySpec:
        return PolicySpec(self.horizon, find_body(self.body).size, Space("robot", reference="absolute"))

    def infer(self, observation: Observation) -> Answer:
        return self.infer_batch([observation])[0]

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        self.asked.append(len(observations))
        answers = []
        for one in observations:
            here = np.concatenate([one[STATE], one[ENVIRONMENT]])
            row = int(np.abs((self.seen - here) / self.spread).sum(axis=1).argmin())
            chunk = self.chunks[row].copy()
            if self.change is not None:
                chunk = self.change(len(self.asked), chunk)
            answers.append({"actions": chunk, "embedding": here[:4]})
        return answers

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        chunk = self.infer(observation)["actions"]
        return Samples(np.repeat(chunk[None], k, axis=0), "deterministic")

    def reset(self) -> None:
        pass
