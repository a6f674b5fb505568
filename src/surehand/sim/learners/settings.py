"""What there is to set: the learners, and what decides a training run, number by number."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from surehand.exceptions import SurehandError

Learner = Literal["mlp", "act", "flow", "token", "pixels"]
LEARNERS: tuple[Learner, ...] = get_args(Learner)

# Found by trying: see docs/learners.md.
BATCH: dict[Learner, int] = {"mlp": 256, "act": 64, "flow": 256, "token": 64, "pixels": 64}
STEPS: dict[Learner, int] = {"mlp": 3000, "act": 2500, "flow": 3000, "token": 3000, "pixels": 2000}


@dataclass(frozen=True)
class Training:
    """The recipe of one run: the same recipe on the same data gives the same weights, bit by bit.

    `checkpoints` are the optimiser steps after which the weights are kept, ascending, the last one `steps`.
    """

    learner: Learner
    steps: int
    checkpoints: tuple[int, ...]
    seed: int = 0
    horizon: int = 8
    batch: int = 256
    rate: float = 1e-3  # AdamW's at the start; it falls to 0 along half a cosine
    draws: int = 1  # chunks per held-out frame in the predictions; 1 is what `infer` answers

    def __post_init__(self) -> None:
        if self.learner not in LEARNERS:
            raise SurehandError(f"unknown learner {self.learner!r}; known: {', '.join(LEARNERS)}")
        if min(self.steps, self.horizon, self.batch, self.draws) < 1 or self.seed < 0 or not self.rate > 0:
            raise SurehandError(
                "steps, horizon, batch and draws should be at least 1, the seed at least 0, the rate positive; got "
                f"{self.steps}, {self.horizon}, {self.batch}, {self.draws}, {self.seed}, {self.rate:g}"
            )
        if not self.checkpoints or sorted({*self.checkpoints, self.steps}) != list(self.checkpoints):
            raise SurehandError(f"checkpoints {self.checkpoints} should ascend to the last step, {self.steps}")
        if self.checkpoints[0] < 1:
            raise SurehandError(f"checkpoint {self.checkpoints[0]}: the first can be step 1")


def training(
    learner: Learner,
    *,
    steps: int | None = None,
    checkpoints: int = 10,
    seed: int = 0,
    horizon: int = 8,
    draws: int = 1,
) -> Training:
    """A recipe with this learner's own batch and, unless given, steps; checkpoints spaced by `schedule`."""
    if learner not in LEARNERS:
        raise SurehandError(f"unknown learner {learner!r}; known: {', '.join(LEARNERS)}")
    steps = STEPS[learner] if steps is None else steps
    return Training(learner, steps, schedule(steps, checkpoints), seed, horizon, BATCH[learner], draws=draws)


def schedule(steps: int, count: int) -> tuple[int, ...]:
    """At most `count` steps from steps/50 to `steps`, each a constant factor after the one before.

    >>> schedule(1000, 5)
    (20, 53, 141, 376, 1000)
    """
    if steps < 1 or count < 1:
        raise SurehandError(f"{count} checkpoints in {steps} steps: both should be at least 1")
    if count == 1:
        return (steps,)
    first = max(steps / 50, 1.0)
    ratio = math.log(steps / first) / (count - 1)
    return tuple(sorted({round(first * math.exp(ratio * i)) for i in range(count - 1)} | {steps}))
