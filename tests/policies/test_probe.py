"""What a probe learns of a policy, by asking real functions that do what is to be found out."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.frames import Samples, Space
from surehand.policies.probe import TIMED, probe
from surehand.policies.protocol import Answer, Observation, PolicySpec

HEAD = "observation.images.head"


@dataclass
class Looking:
    """Answers (2, 3) from what it sees of each colour; `noise` spreads its samples."""

    weights: tuple[float, float, float] = (1.0, 2.0, 4.0)
    noise: float = 0.0
    seconds: float = 0.0
    counting: float = 0.0  # what each further question adds to the answer, until it is reset
    forgetful: bool = True
    first_step: int = 0
    nan_at: int | None = None
    counted: int = 0
    asked: list[Observation] = field(default_factory=list)

    @property
    def spec(self) -> PolicySpec:
        return PolicySpec(2, 3, Space(), self.first_step, self.noise > 0, "noise" if self.noise else "deterministic")

    def infer(self, observation: Observation) -> Answer:
        time.sleep(self.seconds)
        self.asked.append(observation)
        seen = float((observation[HEAD].mean(axis=(0, 1)) * self.weights).sum())
        value = np.nan if observation["frame_index"] == self.nan_at else seen
        value += self.counting * self.counted
        self.counted += 1
        return {"actions": np.array([[value] * 3, [observation["frame_index"]] * 3])}

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        return [self.infer(observation) for observation in observations]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        chunk = self.infer(observation)["actions"]
        return Samples(chunk + self.noise * rng.standard_normal((k, *chunk.shape)), "noise")

    def reset(self) -> None:
        self.counted = 0 if self.forgetful else self.counted


def observations(n: int = 5, **more: Any) -> list[Observation]:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 200, (n, 8, 8, 3)).astype(np.uint8) + np.array([0, 20, 50], np.uint8)
    return [{HEAD: picture[i], "episode_index": 4, "frame_index": i, **more} for i in range(n)]


def test_answers_come_in_order_beside_spoilt_ones() -> None:
    asked = observations()
    found = probe(Looking(), asked, "eye", batch=2)
    seen = np.stack([o[HEAD].mean(axis=(0, 1)) for o in asked])
    np.testing.assert_allclose(found.predictions.prediction[:, 0, 0, 0], seen @ [1, 2, 4], rtol=1e-6)
    assert found.swapped is not None and found.dark is not None
    np.testing.assert_allclose(found.swapped.prediction[:, 0, 0, 0], seen @ [4, 2, 1], rtol=1e-6)
    assert (found.dark.prediction[:, 0, 0] == 0).all() and (found.dark.prediction[:, 0, 1, 0] == np.arange(5)).all()
    np.testing.assert_array_equal(found.predictions.frame, np.arange(5))
    assert found.identical and found.predictions.checkpoint == "eye"


def test_histories_are_spoilt_too() -> None:
    policy = Looking()
    probe(policy, observations(1, history=observations(2)), "eye")
    dark = [o for o in policy.asked if not o[HEAD].any()]
    assert dark and all(not past[HEAD].any() for o in dark for past in o["history"])


def test_draws_and_time_are_told() -> None:
    found = probe(Looking(noise=1.0, seconds=0.02), observations(12), "eye")
    assert not found.identical and len(found.seconds) == TIMED and (found.seconds >= 0.02).all()


def test_answers_that_change_from_call_to_call_are_told() -> None:
    assert probe(Looking(), observations(), "eye").unlike == 0
    assert probe(Looking(counting=50.0), observations(), "eye").unlike == 0, (
        "what it remembers of an episode is its own"
    )
    assert probe(Looking(counting=50.0, forgetful=False), observations(), "eye").unlike > 0.1


def test_chunks_that_begin_earlier_or_later_lie_where_they_belong() -> None:
    early, late = (probe(Looking(first_step=step), observations(), "eye").predictions for step in (-1, 1))
    assert early.prediction.shape == (5, 1, 1, 3) and (early.prediction[:, 0, 0, 0] == early.frame).all()
    np.testing.assert_array_equal(late.frame, np.arange(1, 6))


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(SurehandError, match="NaN or infinity at episode 4, frame 2"):
        probe(Looking(nan_at=2), observations(), "eye")
    with pytest.raises(NotEnoughData, match="no frames"):
        probe(Looking(), [], "eye")

    class Flat(Looking):
        def infer(self, observation: Observation) -> Answer:
            return {"actions": np.zeros(3)}

    with pytest.raises(ShapeError, match=r"expected a chunk \(H, D\)"):
        probe(Flat(), observations(), "flat")
