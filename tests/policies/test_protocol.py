"""What counts as a policy: the four methods and the specification, checked on one that does the work."""

from typing import Any

import numpy as np

from surehand.frames import Samples, Space
from surehand.policies.protocol import Answer, Observation, Policy, PolicySpec


class Shaky:
    """Holds the state, with noise for samples."""

    def __init__(self) -> None:
        self.spec = PolicySpec(horizon=3, dims=2, space=Space(), stochastic=True, generator="perturbation")
        self.asked = 0

    def infer(self, observation: Observation) -> Answer:
        self.asked += 1
        return {"actions": np.tile(observation["state"], (self.spec.horizon, 1))}

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        return [self.infer(observation) for observation in observations]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        mean = self.infer(observation)["actions"]
        noise = rng.normal(size=(k, *mean.shape))
        return Samples(mean + noise, generator=self.spec.generator, knob="sigma", value=1.0)

    def reset(self) -> None:
        self.asked = 0


def test_a_policy_is_recognised_by_what_it_can_do() -> None:
    policy: Policy = Shaky()
    assert isinstance(policy, Policy)
    answer = policy.infer_batch([{"state": np.array([1.0, 2.0])}])[0]
    assert answer["actions"].shape == (policy.spec.horizon, policy.spec.dims)
    drawn = policy.sample({"state": np.zeros(2)}, 5, np.random.default_rng(0))
    assert drawn.actions.shape == (5, 3, 2) and drawn.generator == "perturbation"


def test_something_that_cannot_be_reset_is_no_policy() -> None:
    without: dict[str, Any] = {name: member for name, member in vars(Shaky).items() if name != "reset"}
    assert not isinstance(type("Stateful", (), without)(), Policy)
