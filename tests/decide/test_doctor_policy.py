"""Policies at the doctor's: sound ones pass, each planted fault comes out with its own code."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.decide.checks import answers, checkpoints
from surehand.decide.doctor import examine
from surehand.decide.doctor_policy import Patient
from surehand.formats.checkpoint_features import CheckpointFeature, CheckpointFeatures
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions, By, Predictions, Space, Stats
from surehand.policies.probe import Probe
from surehand.policies.protocol import PolicySpec

STATE, HEAD = "observation.state", "observation.images.head"
Codes = Callable[..., set[str]]


@pytest.fixture
def recorded(worlds: Any, rng: np.random.Generator) -> Actions:
    recording: Actions = worlds.recording(rng, episodes=8, frames=(60, 90))
    return recording


@pytest.fixture
def dataset(recorded: Actions, tmp_path: Path) -> LeRobotFolder:
    return open_lerobot(write_lerobot(tmp_path / "data", [recorded]), check=False)


@pytest.fixture
def features(dataset: LeRobotFolder) -> CheckpointFeatures:
    """A checkpoint that fits the dataset in every respect."""
    return CheckpointFeatures(
        folder=Path("act"),
        type="act",
        inputs={STATE: CheckpointFeature("STATE", (14,), "mean_std", dataset.stats(STATE))},
        outputs={"action": CheckpointFeature("ACTION", (14,), "mean_std", dataset.stats())},
        action_names=dataset.action_names,
        stray=(),
        relative=False,
    )


@pytest.fixture
def probe(worlds: Any, recorded: Actions, rng: np.random.Generator) -> Probe:
    made: Predictions = worlds.predict(rng, recorded).take(slice(0, 200))
    spec = PolicySpec(made.prediction.shape[2], 14, Space("robot"), cameras=(HEAD,))
    return Probe("act", spec, made, np.full(8, 0.004), identical=True)


@pytest.fixture
def codes(dataset: LeRobotFolder, worlds: Any) -> Codes:
    """Codes of the graver findings on a patient, notes left out; what the dataset alone brings is not there."""

    def found(**what: Any) -> set[str]:
        record = examine(dataset, layout=worlds.layout, policies=[Patient("act", **what)])
        policy = {f.code for f in record.findings if f.where.startswith("act") and f.severity != "note"}
        alone = {
            f.code for f in record.findings if not f.where.startswith("act") and f.severity in ("error", "warning")
        }
        assert not alone, alone
        return policy

    return found


def with_stats(features: CheckpointFeatures, key: str, stats: Stats | None) -> CheckpointFeatures:
    sides = {side: dict(getattr(features, side)) for side in ("inputs", "outputs")}
    for side in sides.values():
        if key in side:
            side[key] = replace(side[key], stats=stats)
    return replace(features, **sides)


def test_a_sound_policy_passes(codes: Codes, features: CheckpointFeatures, probe: Probe) -> None:
    assert codes(features=features, probe=probe) == {"policy.ok"}
    assert codes(features=features) == codes(probe=probe) == {"policy.ok"}
    assert codes(trouble="no such server") == {"policy.unreadable"}


def test_normalisers_that_are_missing_or_inert(codes: Codes, features: CheckpointFeatures) -> None:
    keyed = replace(with_stats(features, "action", None), stray=("actions",))
    assert codes(features=keyed) == {"policy.normaliser_missing"}
    inert = Stats(mean=np.zeros(14), std=np.ones(14), source="inert")
    assert codes(features=with_stats(features, "action", inert)) == {"policy.normaliser_inert"}
    assert codes(features=with_stats(features, STATE, inert)) == {"policy.normaliser_inert"}
    half = replace(inert, std=None)
    assert codes(features=with_stats(features, STATE, half)) == {"policy.normaliser_missing"}


def test_statistics_of_other_data(codes: Codes, features: CheckpointFeatures, dataset: LeRobotFolder) -> None:
    own = dataset.stats()
    assert own is not None and own.mean is not None and own.std is not None
    degrees = replace(own, mean=own.mean * 57.3, std=own.std * 57.3, min=None, max=None, q01=None, q99=None)
    found = codes(features=with_stats(features, "action", degrees))
    assert {"stats.mean", "stats.std"} <= found and "policy.ok" not in found
    state = dataset.stats(STATE)
    assert state is not None and state.mean is not None
    shifted = replace(state, mean=state.mean + 50)
    assert codes(features=with_stats(features, STATE, shifted)) == {"policy.state_stats"}
    relative = replace(with_stats(features, "action", degrees), relative=True)
    assert codes(features=relative) == {"policy.ok"}, "offsets from the state have statistics of their own"


def test_statistics_before_and_after_the_policy_are_one(codes: Codes, features: CheckpointFeatures) -> None:
    action = features.outputs["action"]
    assert action.stats is not None and action.stats.std is not None and action.stats.mean is not None

    def trained(by: By, stats: Stats, **more: Any) -> set[str]:
        changed = replace(action, trained=(by, stats), **more)
        return codes(features=replace(features, outputs={"action": changed}))

    same = replace(action.stats, mean=action.stats.mean * (1 + 1e-7))
    assert trained("mean_std", same) == trained("mean_std", same, stated="mean_std") == {"policy.ok"}
    assert trained("mean_std", replace(same, std=1.01 * action.stats.std)) == {"policy.normaliser_differs"}
    assert trained("mean_std", replace(same, mean=np.full(14, np.nan))) == {"policy.normaliser_differs"}
    assert trained("min_max", same) == {"policy.normaliser_differs"}
    assert trained("mean_std", same, stated="min_max") == {"policy.normaliser_differs"}


def test_statistics_in_another_order_are_joints_in_another_order(
    codes: Codes, features: CheckpointFeatures, dataset: LeRobotFolder
) -> None:
    order = np.array([2, 0, 1, *range(3, 14)])
    for key in ("action", STATE):
        own = dataset.stats(key)
        assert own is not None and own.mean is not None and own.std is not None
        moved = Stats(mean=own.mean[order] + 0.02 * own.std, std=own.std[order], source="moved")
        assert codes(features=with_stats(features, key, moved)) == {"policy.joint_order"}


def test_sizes_inputs_cameras_and_joints(codes: Codes, features: CheckpointFeatures) -> None:
    action, state = features.outputs["action"], features.inputs[STATE]
    assert codes(features=replace(features, outputs={"action": replace(action, shape=(7,))})) == {"policy.action_size"}
    other = {"observation.effort": state}
    assert codes(features=replace(features, inputs=other)) == {"policy.inputs"}
    assert codes(features=replace(features, inputs={STATE: replace(state, shape=(9,))})) == {"policy.inputs"}
    looking = {**features.inputs, HEAD: CheckpointFeature("VISUAL", (3, 32, 32), "", None)}
    assert codes(features=replace(features, inputs=looking)) == {"policy.cameras"}
    assert features.action_names is not None
    right_first = features.action_names[7:] + features.action_names[:7]
    assert codes(features=replace(features, action_names=right_first)) == {"policy.joint_order"}
    assert codes(features=replace(features, action_names=tuple("abcdefghijklmn"))) == {"policy.joint_order"}


def pictured(features: CheckpointFeatures, mean: list[float]) -> CheckpointFeatures:
    stats = Stats(mean=np.array(mean), std=np.full(3, 0.2))
    return replace(features, inputs={HEAD: CheckpointFeature("VISUAL", (3, 32, 32), "mean_std", stats)})


def test_statistics_of_pictures(features: CheckpointFeatures) -> None:
    own = {HEAD: Stats(mean=np.array([0.6, 0.4, 0.2]).reshape(3, 1, 1), std=np.full((3, 1, 1), 0.2))}

    def found(*mean: float) -> list[str]:
        return [f.code for f in checkpoints.check_picture_stats(pictured(features, list(mean)), own)]

    assert found(0.61, 0.39, 0.2) == found(0.485, 0.456, 0.406) == found(0.5, 0.4, 0.3) == []
    assert found(0.21, 0.4, 0.6) == ["policy.channel_order"]
    assert found(150.0, 100.0, 50.0) == ["policy.image_range"]
    wide = pictured(features, [0.5, 0.4, 0.3])
    wide = replace(
        wide, inputs={HEAD: replace(wide.inputs[HEAD], stats=Stats(mean=np.full(3, 0.4), std=np.full(3, 51.0)))}
    )
    assert [f.code for f in checkpoints.check_picture_stats(wide, own)] == ["policy.image_range"]


def test_answers_in_another_space_are_recognised(codes: Codes, probe: Probe, dataset: LeRobotFolder) -> None:
    own = dataset.stats()
    assert own is not None
    offset, scale = own.affine("mean_std")
    normalised = (probe.predictions.prediction - offset) / scale
    raw = replace(probe, predictions=replace(probe.predictions, prediction=normalised.astype(np.float32)))
    assert codes(probe=raw) == {"predictions.space"}, "normalised answers beside raw targets"
    order = np.r_[7:14, 0:7]
    swapped = replace(
        probe, predictions=replace(probe.predictions, prediction=probe.predictions.prediction[..., order])
    )
    assert codes(probe=swapped) == {"predictions.sides_swapped"}
    narrow = replace(probe, predictions=replace(probe.predictions, prediction=probe.predictions.prediction[..., :13]))
    assert codes(probe=narrow) == {"policy.action_size"}


def test_draws_and_pace(codes: Codes, probe: Probe) -> None:
    assert codes(probe=probe, samples=8) == {"policy.deterministic"}
    noisy = replace(probe, spec=replace(probe.spec, stochastic=True, generator="noise"))
    assert codes(probe=noisy) == {"policy.claims_noise"} and codes(probe=replace(noisy, identical=False)) == {
        "policy.ok"
    }
    asked_first = replace(noisy, spec=replace(noisy.spec, seeded=False))
    assert codes(probe=asked_first) == {"policy.ok"}, "a server does not say whether it is random"
    assert codes(probe=replace(probe, unlike=0.02)) == {"policy.unsteady"}
    assert codes(probe=replace(noisy, unlike=0.02, identical=False)) == {"policy.ok"}
    horizon = probe.predictions.prediction.shape[2]
    late = replace(probe, seconds=np.full(8, 1.2 * (horizon // 2) / 30))  # at 30 Hz
    assert codes(probe=late) == {"policy.slow"} and codes(probe=late, executed=horizon) == {"policy.ok"}


def test_pictures_that_do_not_count_or_count_exchanged(
    probe: Probe, recorded: Actions, rng: np.random.Generator
) -> None:
    made = probe.predictions
    worse = replace(made, prediction=(made.prediction + rng.normal(0, 0.3, made.prediction.shape)).astype(np.float32))

    def found(asked: Predictions, swapped: Predictions, dark: Predictions) -> list[str]:
        seen = replace(probe, predictions=asked, swapped=swapped, dark=dark)
        return [f.code for f in answers.check_pictures(seen, recorded)]

    assert found(made, worse, worse) == found(made, made, worse) == []
    assert found(worse, made, made) == ["policy.channel_order"]
    assert found(made, made, made) == ["policy.blind"]
    seen = replace(probe, swapped=made, dark=made)
    (told,) = answers.check_pictures(seen, recorded)
    assert told.severity == "warning", "it says that it looks"
    (told,) = answers.check_pictures(replace(seen, spec=replace(seen.spec, cameras=None)), recorded)
    assert told.severity == "note", "it was shown whatever there is"


def test_exchanged_pictures_are_counted_by_episode(
    probe: Probe, recorded: Actions, worlds: Any, rng: np.random.Generator
) -> None:
    """One frame in four decides, in every episode; the others are a little worse exchanged."""
    made: Predictions = worlds.predict(rng, recorded)
    noise = rng.normal(0, 1, made.prediction.shape)
    decided = np.arange(len(made)) % 4 == 0
    wrong = made.prediction + np.where(decided, 1.0, 0.05)[:, None, None, None] * noise
    right = made.prediction + np.where(decided, 0.1, 0.08)[:, None, None, None] * noise
    one, other = (replace(made, prediction=values.astype(np.float32)) for values in (wrong, right))
    seen = replace(probe, predictions=one, swapped=other, dark=made)
    assert [f.code for f in answers.check_pictures(seen, recorded)] == ["policy.channel_order"]
    assert answers.check_pictures(replace(seen, predictions=other, swapped=one), recorded) == []
