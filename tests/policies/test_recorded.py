"""Recorded predictions as a policy: what was recorded at a frame is what it answers there."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import ShapeError, SurehandError
from surehand.frames import Predictions, Space
from surehand.policies.protocol import Policy
from surehand.policies.recorded import RecordedPolicy

N, K, H, D = 12, 3, 4, 2


def recorded(draws: int = K, **metadata: Any) -> Predictions:
    rng = np.random.default_rng(0)
    return Predictions(
        rng.normal(size=(N, draws, H, D)).astype(np.float32),
        np.repeat([0, 4, 2], 4),  # not in order
        np.tile([3, 1, 0, 7], 3),
        np.where(np.arange(N) % 5 == 0, 2, H),
        "30k",
        Space("normalised", "quantiles"),
        metadata,
    )


def at(predictions: Predictions, row: int) -> dict[str, Any]:
    return {"episode_index": int(predictions.episode[row]), "frame_index": np.int64(predictions.frame[row]), "task": ""}


def test_every_frame_answers_with_its_own_row_as_far_as_it_is_valid() -> None:
    predictions = recorded()
    policy = RecordedPolicy(predictions)
    assert isinstance(policy, Policy)
    assert (policy.spec.horizon, policy.spec.dims, str(policy.spec.space)) == (H, D, "normalised:quantiles")
    assert (policy.name, policy.spec.cameras, policy.spec.inputs) == ("30k", (), ())
    for row in range(N):
        wanted = predictions.prediction[row].copy()
        wanted[:, int(predictions.length[row]) :] = np.nan
        found = policy.infer(at(predictions, row))["actions"]
        np.testing.assert_array_equal(found, wanted[0], strict=True)
        for k in (1, 2, K):
            drawn = policy.sample(at(predictions, row), k, np.random.default_rng(9))
            np.testing.assert_array_equal(drawn.actions, wanted[:k], strict=True)
    batch = policy.infer_batch([at(predictions, 3), at(predictions, 1)])
    np.testing.assert_array_equal(batch[0]["actions"], predictions.prediction[3, 0])
    batch[0]["actions"][:] = 0
    assert predictions.prediction[3].all()  # what is answered is a copy


def test_how_the_draws_differ_is_what_the_file_says() -> None:
    policy = RecordedPolicy(recorded(generator="perturbation", knob="sigma", knob_value=0.5))
    drawn = policy.sample(at(recorded(), 1), 2, np.random.default_rng(0))
    assert (policy.spec.stochastic, policy.spec.generator, policy.spec.seeded) == (True, "perturbation", False)
    assert (drawn.generator, drawn.knob, drawn.value) == ("perturbation", "sigma", 0.5)
    drawn = RecordedPolicy(recorded()).sample(at(recorded(), 1), 2, np.random.default_rng(0))
    assert (drawn.generator, drawn.knob) == ("noise", "") and np.isnan(drawn.value)


def test_more_draws_than_there_are() -> None:
    with pytest.raises(SurehandError, match="30k holds 3 draws a frame, 4 were asked for"):
        RecordedPolicy(recorded()).sample(at(recorded(), 0), 4, np.random.default_rng(0))
    with pytest.raises(SurehandError, match="holds 1 draws a frame, 2 were asked for"):
        RecordedPolicy(recorded(1, generator="noise")).sample(at(recorded(1), 0), 2, np.random.default_rng(0))
    policy = RecordedPolicy(recorded(1, generator="deterministic"))
    assert policy.sample(at(recorded(1), 1), 2, np.random.default_rng(0)).actions.shape == (2, H, D)
    assert not policy.spec.stochastic


def test_a_frame_that_is_not_there() -> None:
    policy = RecordedPolicy(recorded())
    for episode, frame in ((0, 2), (3, 0), (9, 9), (0, 1 << 33)):
        with pytest.raises(
            SurehandError, match=f"no prediction for episode {episode} frame {frame}; it holds 12 frames"
        ):
            policy.infer({"episode_index": episode, "frame_index": frame})
    with pytest.raises(SurehandError, match="no prediction for episode 0 frame 3; it holds 0 frames"):
        RecordedPolicy(recorded().take(slice(0))).infer(at(recorded(), 0))
    with pytest.raises(SurehandError, match="answer by episode_index and frame_index; the observation lacks them"):
        policy.infer({"observation.state": np.zeros(2)})


def test_a_frame_recorded_twice() -> None:
    twice = replace(recorded(), frame=np.tile([3, 1, 0, 1], 3))
    with pytest.raises(ShapeError, match="episode 0 frame 1 is recorded twice"):
        RecordedPolicy(twice)
