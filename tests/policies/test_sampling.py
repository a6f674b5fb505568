"""Candidate generators: what they draw is what they declare."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from surehand.exceptions import ShapeError, SurehandError
from surehand.frames import Samples, Space
from surehand.policies.protocol import Answer, Observation, Policy, PolicySpec
from surehand.policies.sampling import BatchMoments, Perturbed

H, D = 3, 4


@dataclass
class Noisy:
    """Draws with a mean of its own per step and column, variance 0.04, and a hand that is open with chance `open`."""

    stochastic: bool = True
    open: float = 0.8

    @property
    def spec(self) -> PolicySpec:
        return PolicySpec(H, D, Space(), stochastic=self.stochastic, generator="noise")

    @property
    def mean(self) -> np.ndarray:
        return np.arange(H * D, dtype=np.float32).reshape(H, D)

    def infer(self, observation: Observation) -> Answer:
        return {"actions": self.mean}

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        return [self.infer(one) for one in observations]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        actions = self.mean + 0.2 * rng.standard_normal((k, H, D))
        actions[:, :, 3] = np.where(rng.random((k, 1)) < self.open, 0.9, 0.1)
        return Samples(actions, "noise")

    def reset(self) -> None:
        pass


@pytest.mark.parametrize("per", ["chunk", "step"])
def test_a_perturbation_has_the_declared_spread(per: str) -> None:
    scale = np.array([1.0, 2.0, 0.5, 0.0])
    policy = Perturbed(Noisy(), 0.3, scale, per)  # type: ignore[arg-type]
    assert isinstance(policy, Policy) and policy.spec.generator == "perturbation"
    found = policy.sample({}, 4000, np.random.default_rng(0))
    offset = found.actions - Noisy().mean
    assert (found.generator, found.knob, found.value) == ("perturbation", f"sigma per {per}", 0.3)
    np.testing.assert_allclose(offset.std(axis=0), np.tile(0.3 * scale, (H, 1)), rtol=0.05, atol=1e-7)
    for column in range(3):
        assert stats.kstest(offset[:, 0, column] / (0.3 * scale[column]), "norm").pvalue > 0.001
    together = np.corrcoef(offset[:, 0, 0], offset[:, 1, 0])[0, 1]
    assert together > 0.999 if per == "chunk" else abs(together) < 0.06


def test_without_noise_all_candidates_are_the_answer() -> None:
    found = Perturbed(Noisy(), 0.0, np.ones(D)).sample({}, 5, np.random.default_rng(1))
    np.testing.assert_array_equal(found.actions, np.tile(Noisy().mean, (5, 1, 1)))


def test_moments_are_those_of_the_samples() -> None:
    policy = BatchMoments(Noisy(), 200, grippers=(3,))
    found = policy.sample({}, 4000, np.random.default_rng(2))
    inner = Noisy().sample({}, 200, np.random.default_rng(2)).actions
    assert (found.generator, found.knob, found.value) == ("batch-moments", "n0", 200.0)
    np.testing.assert_allclose(found.actions[..., :3].mean(axis=0), inner[..., :3].mean(axis=0), atol=0.02)
    np.testing.assert_allclose(found.actions[..., :3].var(axis=0), inner[..., :3].var(axis=0, ddof=1), rtol=0.15)
    np.testing.assert_allclose(found.actions[..., 3], 0.9, rtol=1e-6)
    shut = BatchMoments(Noisy(open=0.2), 200, grippers=(3,)).sample({}, 5, np.random.default_rng(2))
    np.testing.assert_allclose(shut.actions[..., 3], 0.1, rtol=1e-6)


def test_a_tie_opens_the_hand() -> None:
    class Halves(Noisy):
        def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
            return Samples(np.linspace(0.0, 1.0, k)[:, None, None] * np.ones((k, H, D)), "noise")

    found = BatchMoments(Halves(), 4, grippers=(0,)).sample({}, 2, np.random.default_rng(0))
    np.testing.assert_allclose(found.actions[..., 0], (2 / 3 + 1) / 2, rtol=1e-6)


def test_the_same_seed_draws_the_same() -> None:
    for policy in (Perturbed(Noisy(), 0.3, np.ones(D)), BatchMoments(Noisy(), 4)):
        first, second = (policy.sample({}, 3, np.random.default_rng(7)).actions for _ in range(2))
        np.testing.assert_array_equal(first, second)


def test_pictures_are_as_large_as_the_inner_policy_wants() -> None:
    class Looking(Noisy):
        image_size = 64

    assert Perturbed(Looking(), 0.1, np.ones(D)).image_size == BatchMoments(Looking(), 4).image_size == 64
    assert Perturbed(Noisy(), 0.1, np.ones(D)).image_size == 0


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"shape \(3,\); the policy has 4"):
        Perturbed(Noisy(), 0.1, np.ones(3))
    for sigma, scale in ((-0.1, 1.0), (np.nan, 1.0), (0.1, np.inf), (0.1, -1.0)):
        with pytest.raises(SurehandError, match="finite number"):
            Perturbed(Noisy(), sigma, np.full(D, scale))
    with pytest.raises(SurehandError, match="no variance"):
        BatchMoments(Noisy(stochastic=False), 4)
    with pytest.raises(SurehandError, match="at least 2"):
        BatchMoments(Noisy(), 1)
    with pytest.raises(ShapeError, match="gripper columns"):
        BatchMoments(Noisy(), 4, grippers=(4,))
