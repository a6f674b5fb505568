"""Predictions beside targets: each mismatch planted is found with its code, decent predictions pass."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from surehand.decide.checks import commands, predictions, space
from surehand.decide.checks.compare import Compared, chunks
from surehand.decide.findings import Finding
from surehand.frames import Actions, Predictions, Space, Stats

GRIPPERS = np.array([6, 13])


def codes(found: list[Finding]) -> list[str]:
    return [one.code for one in found]


@pytest.fixture
def recorded(worlds: Any, rng: np.random.Generator) -> Actions:
    recording: Actions = worlds.recording(rng)
    return recording


@pytest.fixture
def decent(worlds: Any, recorded: Actions, rng: np.random.Generator) -> Predictions:
    made: Predictions = worlds.predict(rng, recorded)
    return made


def seen(worlds: Any, made: Predictions, recorded: Actions, change: Any = None) -> Compared:
    """The digest, after a change of the predicted numbers."""
    if change is not None:
        made = replace(made, prediction=change(made.prediction.astype(float)))
    found: Compared = worlds.compared_of(made, recorded)
    return found


def all_codes(compared: Compared, worlds: Any, claims: tuple[Stats, ...] = ()) -> set[str]:
    """Every check, none of them silenced by another."""
    ways = space.readings(claims, 14)
    found = [
        *predictions.check_keys(compared),
        *predictions.check_draws(compared),
        *space.check_space(compared.level, ways[0], ways),
        *predictions.check_delta(compared),
        *commands.check_sides(compared.level, worlds.layout, "predictions.sides_swapped"),
        *predictions.check_column_order(compared.level),
        *predictions.check_scale(compared.level),
        *predictions.check_spread(compared.level, compared.sample),
        *predictions.check_predicted_gripper(compared.level, compared.sample, GRIPPERS),
        *predictions.check_motion(compared),
    ]
    return set(codes(found))


def stats_of(action: np.ndarray) -> Stats:
    values = action.astype(float)
    q01, q99 = np.quantile(values, (0.01, 0.99), axis=0)
    return Stats(values.mean(0), values.std(0), values.min(0), values.max(0), q01, q99, len(values), "the checkpoint")


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5, 1.0])
def test_decent_predictions_pass(worlds: Any, recorded: Actions, rng: np.random.Generator, noise: float) -> None:
    compared = seen(worlds, worlds.predict(rng, recorded, noise=noise), recorded)
    assert all_codes(compared, worlds, (stats_of(recorded.action),)) == set()


@pytest.mark.parametrize("by", ["mean_std", "quantiles", "min_max"])
def test_normalised_predictions_against_raw_targets(
    worlds: Any, recorded: Actions, decent: Predictions, by: Any
) -> None:
    stats = stats_of(recorded.action)
    offset, scale = stats.affine(by)
    compared = seen(worlds, decent, recorded, lambda p: (p - offset) / scale)
    ways = space.readings((stats,), 14)
    (one,) = space.check_space(compared.level, ways[0], ways)
    assert one.code == "predictions.space" and "declared robot units" in one.evidence and "normalised" in one.evidence
    if by == "mean_std":
        assert "mean_std" in one.evidence


def test_robot_units_declared_normalised(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    stats = stats_of(recorded.action)
    declared = space.declared_reading(Space("normalised", "mean_std"), (stats,), 14)
    compared = seen(worlds, decent, recorded, lambda p: declared.offset + declared.scale * p)
    (one,) = space.check_space(compared.level, declared, space.readings((stats,), 14))
    assert "they look robot units" in one.evidence
    honest = seen(worlds, decent, recorded)
    assert space.check_space(honest.level, declared, space.readings((stats,), 14)) == []


def test_a_constant_policy_is_no_space_mismatch(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    mean = recorded.action.mean(0)
    compared = seen(worlds, decent, recorded, lambda p: 0 * p + mean)
    assert all_codes(compared, worlds, (stats_of(recorded.action),)) == {
        "predictions.barely_moves",
        "predictions.variance",
    }


def test_degrees_against_radians(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    compared = seen(worlds, decent, recorded, np.degrees)
    (one,) = predictions.check_scale(compared.level)
    assert one.code == "predictions.scale" and "degrees against radians" in one.evidence and "0–13" in one.where


def test_ranges_and_variances(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    shift = np.zeros(14)
    shift[2] = 20
    far = seen(worlds, decent, recorded, lambda p: p + shift)
    (one,) = predictions.check_spread(far.level, far.sample)
    assert one.code == "predictions.range" and "dim 2" in one.evidence
    wild = np.ones(14)
    wild[9] = 30
    spread = seen(worlds, decent, recorded, lambda p: p * wild)
    assert "predictions.variance" in codes(predictions.check_spread(spread.level, spread.sample))


def target_chunks(recorded: Actions, horizon: int = 8) -> np.ndarray:
    return chunks(recorded, np.arange(len(recorded)), horizon)[0]


def test_delta_against_absolute(worlds: Any, recorded: Actions, decent: Predictions, rng: np.random.Generator) -> None:
    target = target_chunks(recorded)
    previous = np.concatenate([target[:, :1], target[:, :-1]], axis=1)
    step = target - previous
    step[:, 0] = step[:, 1]
    noise = 1 + 0.3 * rng.standard_normal(step.shape)
    for change, words in ((step * noise, "steps"), ((target - target[:, :1]) * noise, "relative")):
        compared = seen(worlds, decent, recorded, lambda p, c=change: c[:, None])
        (one,) = predictions.check_delta(compared)
        assert one.code == "predictions.delta" and words in one.evidence


def test_absolute_against_delta_targets(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    delta = np.diff(recorded.action, axis=0, prepend=recorded.action[:1])
    delta[recorded.frame == 0] = 0
    compared = seen(worlds, decent, worlds.with_action(recorded, delta), lambda p: target_chunks(recorded)[:, None])
    (one,) = predictions.check_delta(compared)
    assert "targets steps" in one.evidence


def test_gripper_polarity(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    def flip(p: np.ndarray) -> np.ndarray:
        p[..., 6] = 1 - p[..., 6]
        return p

    compared = seen(worlds, decent, recorded, flip)
    (one,) = predictions.check_predicted_gripper(compared.level, compared.sample, GRIPPERS, worlds.names)
    assert one.code == "predictions.gripper_polarity" and "left_gripper" in one.where


@pytest.mark.parametrize(("scale", "offset", "label"), [(2, -1, "−1..1"), (100, 0, "0..100")])
def test_gripper_range(
    worlds: Any, recorded: Actions, rng: np.random.Generator, scale: float, offset: float, label: str
) -> None:
    def stretch(p: np.ndarray) -> np.ndarray:
        p[..., GRIPPERS] = offset + scale * p[..., GRIPPERS]
        return p

    compared = seen(worlds, worlds.predict(rng, recorded, noise=0.05), recorded, stretch)
    found = predictions.check_predicted_gripper(compared.level, compared.sample, GRIPPERS)
    assert codes(found) == ["predictions.gripper_range"] * 2 and label in found[0].evidence


def test_sides_swapped(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    compared = seen(worlds, decent, recorded, lambda p: p[..., np.r_[7:14, 0:7]])
    found = commands.check_sides(compared.level, worlds.layout, "predictions.sides_swapped")
    assert "predictions.sides_swapped" in codes(found) and "left_arm and right_arm" in found[0].evidence


def test_columns_in_another_order(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    order = np.r_[1, 2, 0, 3:14]
    compared = seen(worlds, decent, recorded, lambda p: p[..., order])
    (one,) = predictions.check_column_order(compared.level)
    assert one.code == "predictions.column_order" and "0 → 1, 1 → 2, 2 → 0" in one.evidence


def test_barely_moves_and_jitter(worlds: Any, recorded: Actions, decent: Predictions, rng: np.random.Generator) -> None:
    still = seen(worlds, decent, recorded, lambda p: p[:, :, :1] + 0.1 * (p - p[:, :, :1]))
    assert codes(predictions.check_motion(still)) == ["predictions.barely_moves"]
    shaky = seen(worlds, decent, recorded, lambda p: p + recorded.action.std(0) * rng.standard_normal(p.shape))
    assert codes(predictions.check_motion(shaky)) == ["predictions.jitter"]


def test_identical_draws(worlds: Any, recorded: Actions, rng: np.random.Generator) -> None:
    made = worlds.predict(rng, recorded, draws=4)
    assert predictions.check_draws(seen(worlds, made, recorded)) == []
    same = seen(worlds, made, recorded, lambda p: np.repeat(p[:, :1], 4, axis=1))
    assert codes(predictions.check_draws(same)) == ["predictions.identical_draws"]


def test_unknown_frames_and_nan(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    moved = replace(decent, frame=np.where(decent.episode == 3, decent.frame + 1000, decent.frame))
    (one,) = predictions.check_keys(worlds.compared_of(moved, recorded))
    assert one.code == "predictions.unknown_frames" and one.where == "first episode 3, frame 1000"
    values = decent.prediction.copy()
    values[5, 0, 2, 4] = np.nan
    compared = worlds.compared_of(replace(decent, prediction=values), recorded)
    (one,) = predictions.check_keys(compared)
    assert one.code == "predictions.nonfinite" and one.where == "first episode 0, frame 5, dim 4"
    assert np.isfinite(compared.level.correlation).all()


def test_steps_past_the_end_count_for_nothing(worlds: Any, recorded: Actions, decent: Predictions) -> None:
    values = decent.prediction.copy()
    for row in np.flatnonzero(decent.length < 8):
        values[row, :, decent.length[row] :] = 1e9
    compared = worlds.compared_of(replace(decent, prediction=values), recorded)
    assert np.abs(compared.level.x_mean).max() < 10 and compared.level.count == decent.length.sum()


def test_steps_are_valid_inside_both_the_episode_and_the_prediction(
    worlds: Any, recorded: Actions, decent: Predictions
) -> None:
    boasting = replace(decent, length=np.full(len(decent), 8))
    assert worlds.compared_of(boasting, recorded).level.count == decent.length.sum()
    short = replace(decent, length=np.full(len(decent), 3))
    assert worlds.compared_of(short, recorded).level.count == np.minimum(decent.length, 3).sum()
