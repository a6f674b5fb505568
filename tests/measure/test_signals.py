"""Signals of K candidates against plain loops over candidates, steps and joints, and what they must refuse to say."""

import itertools
from math import isnan, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.exceptions import NotEnoughData, ShapeError, SpaceError, SurehandError
from surehand.layout import Layout
from surehand.measure.chunk_space import ChunkSpace
from surehand.measure.scale import Scale, robot_scale
from surehand.measure.signals import (
    cluster_entropy,
    confidence,
    disagreement,
    distance_to_mean,
    gripper_entropy,
    silent,
)
from surehand.measure.task_rates import task_rates

LAYOUT = Layout.parse("arm(a:revolute[rad] b:continuous[deg] c:revolute[rad]) gripper:gripper[0..1] head(p t) pad(1)")
VALUES = np.array([2.0, 30.0, 1.0, 0.5, 1.0, 3.0, np.nan])
DEAD = np.array([False, False, True, False, True, True, True])
SPACE = ChunkSpace(LAYOUT, Scale("std", "", "", VALUES), DEAD)
GROUPS: dict[str, list[int]] = {"arm": [0, 1], "gripper": [3], "head": [], "total": [0, 1, 3]}


def draw(rng: np.random.Generator, k: int = 5, horizon: int = 3) -> np.ndarray:
    return rng.normal(size=(k, horizon, 7)) * [2, 200, 1, 0.5, 1, 1, 9] + [0, 0, 0, 0.5, 0, 0, 0]


def apart(x: np.ndarray, y: np.ndarray, joint: int) -> float:
    """Distance of one joint's values in scale units, as geometry says."""
    if joint == 1:
        return float(abs(np.exp(1j * np.deg2rad(x[1])) - np.exp(1j * np.deg2rad(y[1]))) * 180 / np.pi / VALUES[1])
    return float(abs(x[joint] - y[joint]) / VALUES[joint])


@given(k=st.integers(2, 6), horizon=st.integers(1, 4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_disagreement_is_the_mean_over_pairs(k: int, horizon: int, seed: int) -> None:
    chunks = draw(np.random.default_rng(seed), k, horizon)
    got = disagreement(chunks, SPACE)
    for column, joints in enumerate(GROUPS.values()):
        if not joints:
            assert isnan(got[column])
            continue
        terms = [
            sum(apart(chunks[i, h], chunks[j, h], d) ** 2 for i, j in itertools.combinations(range(k), 2))
            / (k * (k - 1))
            for h in range(horizon)
            for d in joints
        ]
        assert got[column] == pytest.approx(np.sqrt(np.mean(terms)), rel=1e-9)


@given(k=st.integers(2, 6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_distances_to_the_mean_add_up_to_disagreement(k: int, seed: int) -> None:
    chunks = draw(np.random.default_rng(seed), k)
    distance, spread = distance_to_mean(chunks, SPACE), disagreement(chunks, SPACE)
    np.testing.assert_allclose((distance**2).sum(axis=0) / (k - 1), spread**2, rtol=1e-9)


def test_distance_to_the_mean_of_a_straight_joint_is_the_plain_one(rng: np.random.Generator) -> None:
    chunks = draw(rng)
    plain = np.abs(chunks[:, :, 3] - chunks[:, :, 3].mean(axis=0)) / 0.5
    np.testing.assert_allclose(distance_to_mean(chunks, SPACE)[:, 1], np.sqrt((plain**2).mean(axis=1)))


def test_angles_lie_on_the_circle(rng: np.random.Generator) -> None:
    chunks = draw(rng)
    turned = chunks.copy()
    turned[::2, :, 1] += 360
    np.testing.assert_allclose(disagreement(turned, SPACE), disagreement(chunks, SPACE), rtol=1e-9)
    near = np.zeros((2, 1, 7))
    near[:, 0, 1] = [359.5, 0.5]
    assert disagreement(near, SPACE)[0] < 0.02  # a plain difference says 359 degrees


def test_scale_and_dead_joints(rng: np.random.Generator) -> None:
    chunks = draw(rng)
    moved = chunks.copy()
    moved[..., [2, 4, 5, 6]] = rng.normal(size=(5, 3, 4)) * 1e6  # dead joints and padding
    np.testing.assert_array_equal(disagreement(moved, SPACE), disagreement(chunks, SPACE))
    wide = ChunkSpace(LAYOUT, Scale("range", "", "", VALUES * 4), DEAD)
    np.testing.assert_allclose(disagreement(chunks, wide), disagreement(chunks, SPACE) / 4)


def test_disagreement_follows_a_perturbation_by_construction() -> None:
    """σ · scale · noise on one answer: the signal is σ, whatever the policy knows."""
    rng = np.random.default_rng(3)
    straight = ChunkSpace(Layout.parse("arm(j1..j6)"), Scale("std", "", "", np.arange(1.0, 7)), np.zeros(6, bool))
    for sigma in (0.01, 0.1, 1.0):
        chunks = rng.normal(size=(1, 50, 6)) + sigma * np.arange(1.0, 7) * rng.standard_normal((64, 50, 6))
        assert disagreement(chunks, straight)[-1] == pytest.approx(sigma, rel=0.02)


def test_gripper_entropy_against_counts() -> None:
    chunks = np.zeros((4, 3, 7))
    chunks[:, :, 3] = [[0.9, 0.9, 0.1], [0.9, 0.2, 0.1], [0.9, 0.1, 0.1], [0.9, 0.0, 0.8]]
    half = -(0.25 * log(0.25) + 0.75 * log(0.75))
    assert gripper_entropy(chunks, LAYOUT) == pytest.approx((0 + half + half) / 3)
    assert gripper_entropy(chunks, LAYOUT, halfway=2.0) == 0.0
    assert isnan(gripper_entropy(chunks[:1], LAYOUT))
    assert isnan(gripper_entropy(chunks, Layout.parse("arm(j1..j6) pad(1)")))
    without_unit = Layout.parse("arm(j1..j5) gripper:gripper pad(1)")
    assert isnan(gripper_entropy(chunks, without_unit))
    assert gripper_entropy(chunks, without_unit, halfway=0.5) == 0.0


def test_cluster_entropy_counts_modes(rng: np.random.Generator) -> None:
    modes = np.zeros((6, 4, 7))
    modes[:2, :, 0] = 10.0  # five units away, over three joints
    modes[..., 0] += rng.normal(size=(6, 4)) * 0.01
    third = -(1 / 3 * log(1 / 3) + 2 / 3 * log(2 / 3))
    assert cluster_entropy(modes, SPACE, within=1.0) == pytest.approx(third)
    assert cluster_entropy(modes, SPACE, within=1.01 * 5 / np.sqrt(3)) == 0.0
    assert cluster_entropy(modes, SPACE, within=1e-9) == pytest.approx(log(6))
    with pytest.raises(SurehandError, match="above 0"):
        cluster_entropy(modes, SPACE, within=0)


def test_confidence_is_what_the_others_hold() -> None:
    np.testing.assert_allclose(confidence(np.log([0.2, 0.3, 0.1])), [1 - 2 / 6, 1 - 3 / 6, 1 - 1 / 6])
    np.testing.assert_allclose(confidence(np.array([-5000.0, -5000.0])), [0.5, 0.5])
    assert np.isnan(confidence(np.array([-3.0]))).all()
    assert np.isnan(confidence(np.array([-3.0, np.nan]))).all()


@pytest.mark.parametrize("generator", ["noise", "perturbation", "token-temperature", "batch-moments", ""])
def test_identical_chunks_are_no_confidence(rng: np.random.Generator, generator: str) -> None:
    same = np.repeat(rng.normal(size=(1, 8, 7)) * 1.1, 6, axis=0)
    found = silent(same, generator, SPACE)
    assert found.fault and found.why.startswith("6 identical chunks from a generator that claims noise")
    rounded = same + rng.uniform(-1, 1, same.shape) * 1e-7 * np.abs(same)  # the same network in another batch
    assert "identical" in silent(rounded, generator, SPACE).why
    only_dead = same.copy()
    only_dead[..., [2, 4, 5, 6]] += rng.normal(size=(6, 8, 4))
    assert "identical" in silent(only_dead, generator, SPACE).why
    one_other = same.copy()
    one_other[5, 3, 0] += 0.001
    assert silent(one_other, generator, SPACE) == ("", False)


def test_other_reasons(rng: np.random.Generator) -> None:
    chunks = draw(rng)
    three = np.repeat(chunks[:1], 3, axis=0)
    assert silent(three, "deterministic", SPACE) == ("3 candidates of a deterministic policy are one", False)
    assert silent(chunks[:0], "noise", SPACE) == ("no candidates", True)
    assert silent(chunks[:1], "noise", SPACE) == ("one candidate cannot disagree with itself", False)
    chunks[1, 1, 6] = np.inf
    assert silent(chunks, "noise", SPACE) == ("candidates that are not finite", True)
    assert np.isnan(disagreement(chunks[:1], SPACE)).all()
    assert np.isnan(distance_to_mean(chunks[:1], SPACE)).all()
    assert isnan(cluster_entropy(chunks[:1], SPACE, 1.0))


def test_refusals(rng: np.random.Generator) -> None:
    chunks = draw(rng)
    with pytest.raises(ShapeError, match=r"expected \(K, H, D\)"):
        disagreement(chunks[0], SPACE)
    with pytest.raises(ShapeError, match="layout of 7 dimensions"):
        disagreement(chunks[..., :5], SPACE)
    with pytest.raises(SpaceError, match="std or range"):
        ChunkSpace(LAYOUT, robot_scale(7), DEAD)
    with pytest.raises(SpaceError, match="'p' has no std"):
        ChunkSpace(LAYOUT, Scale("std", "", "", np.array([1, 1, 1, 1, np.nan, 1, 1])), LAYOUT.is_pad)
    with pytest.raises(ShapeError, match="7 dimensions"):
        ChunkSpace(LAYOUT, Scale("std", "", "", np.ones(6)), DEAD)


def test_task_rates() -> None:
    rates = task_rates(["a", "a", "b", "b", "b"], np.array([1, 0, 0, np.nan, 0]))
    np.testing.assert_array_equal(rates.risk(["b", "a", "c"]), [0, 0.5, np.nan])
    with pytest.raises(NotEnoughData, match="at least one"):
        task_rates(["a"], np.array([np.nan]))
    with pytest.raises(ShapeError, match="one each"):
        task_rates(["a"], np.zeros(2))


def test_leaving_out_one_makes_the_rival_worse_than_chance() -> None:
    """Why `task_rates` is never refitted without each decision: within a task the rate then gives the outcome away."""
    rng = np.random.default_rng(0)
    wrong = (rng.random(200) < 0.3).astype(float)
    without = np.array([task_rates(["a"] * 199, np.delete(wrong, i)).risk(["a"])[0] for i in range(200)])
    assert without[wrong == 1].max() < without[wrong == 0].min()  # AUROC 0
