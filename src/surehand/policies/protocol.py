"""What a policy is to surehand: four methods and a specification.

An observation is a dict under the names of a LeRobot dataset: numbers ("observation.state" (S,)), pictures
("observation.images.head" (h, w, 3) uint8, red first), the instruction ("task"). What comes out of a dataset also says
where it stands ("episode_index", "frame_index"); a policy that looks at several observations in a row finds the earlier
ones, oldest first, under "history".
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from surehand.frames import Samples, Space

Observation = dict[str, Any]
Answer = dict[str, Any]

Mechanism = Literal["deterministic", "perturbation", "batch-moments", "token-temperature", "noise"]


@dataclass(frozen=True)
class PolicySpec:
    """What a policy says of itself before it is asked for anything.

    `horizon` and `dims` are 0 where it is not known before the first answer (a server, a function). `first_step` is
    the offset of chunk step 0 from the observation's frame (0 for most, negative for policies that predict the past
    too); `generator` is how its K samples differ, and `seeded` whether `rng` alone decides them (a server draws its
    own). `cameras` and `inputs` are the observation keys of the pictures and numbers it reads, None for whatever there
    is; `history` counts the observations in a row it looks at, the current one included.
    """

    horizon: int
    dims: int
    space: Space
    first_step: int = 0
    stochastic: bool = False
    generator: Mechanism = "deterministic"
    cameras: tuple[str, ...] | None = ()
    seeded: bool = True
    inputs: tuple[str, ...] | None = None
    history: int = 1


@runtime_checkable
class Policy(Protocol):
    """Anything that turns observations into action chunks; a guarded policy is one too."""

    @property
    def spec(self) -> PolicySpec: ...

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D), ...} for one observation."""
        ...

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """One answer per observation, equal to what `infer` gives for each."""
        ...

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K candidate chunks (K, H, D) for one observation."""
        ...

    def reset(self) -> None:
        """Forget the episode so far."""
        ...
