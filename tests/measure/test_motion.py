"""Path, jerk and boundary jumps against loops over frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.layout import Layout
from surehand.measure.motion import motion
from surehand.measure.scale import Scale, robot_scale
from surehand.measure.stitch import Stitched

LAYOUT = Layout.parse("arm(a:revolute[rad] b:continuous[rad]) base(x):velocity[m/s] pad(1)")
NONE_DEAD = np.zeros(4, bool)


def random_path(rng: np.random.Generator, lengths: list[int]) -> Stitched:
    n = sum(lengths)
    segment = np.repeat(np.arange(len(lengths)), lengths)
    return Stitched(
        prediction=rng.normal(size=(n, 4)) * 2,
        target=rng.normal(size=(n, 4)) * 2,
        episode=segment // 2,
        frame=np.arange(n),
        segment=segment,
        boundary=(np.arange(n) % 3 == 0) & (np.diff(segment, prepend=-1) == 0),
    )


def loop(stitched: Stitched, values: np.ndarray, columns: list[int], divisor: np.ndarray) -> tuple[float, float, float]:
    """Path, squared jerk and jump of some columns, frame by frame."""
    path = jerk = jump = 0.0
    for s in np.unique(stitched.segment):
        x = values[stitched.segment == s]
        crossing = stitched.boundary[stitched.segment == s]
        for t in range(1, len(x)):
            step = x[t] - x[t - 1]
            step[1] = np.angle(np.exp(1j * step[1]))
            jump += crossing[t] * np.linalg.norm((step / divisor)[columns])
            moved = step.copy()
            moved[2] = x[t, 2]
            path += np.linalg.norm((moved / divisor)[columns])
        moves = []
        for t in range(1, len(x)):
            step = x[t] - x[t - 1]
            step[1] = np.angle(np.exp(1j * step[1]))
            step[2] = x[t, 2]
            moves.append(step / divisor)
        for a, b, c in zip(moves, moves[1:], moves[2:], strict=False):
            jerk += float((((c - 2 * b + a)[columns]) ** 2).sum())
    return path, jerk, jump


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=50)
def test_sums_equal_a_loop(lengths: list[int], seed: int) -> None:
    stitched = random_path(np.random.default_rng(seed), lengths)
    divisor = np.array([2.0, 0.5, 3.0, 1.0])
    got = motion(stitched, LAYOUT, Scale("std", "", "", divisor), NONE_DEAD)
    for i, columns in enumerate(([0, 1], [2], [0, 1, 2])):
        for suffix, values in (("", stitched.prediction), ("_recorded", stitched.target)):
            expected = loop(stitched, values, columns, divisor)
            for name, value in zip(("path", "jerk", "jump"), expected, strict=True):
                assert getattr(got, name + suffix)[:, i].sum() == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_a_policy_that_barely_moves_has_a_small_path_ratio(rng: np.random.Generator) -> None:
    stitched = random_path(rng, [50])
    flat = Layout.parse("arm(a b):revolute[rad] base(x):velocity[m/s] pad(1)")
    shrunk = Stitched(**{**vars(stitched), "prediction": 0.1 * stitched.target})
    got = motion(shrunk, flat, robot_scale(4), NONE_DEAD)
    for ratio in (got.path_ratio(), got.jerk_ratio(), got.boundary_jump()):
        np.testing.assert_allclose(ratio, 0.1, rtol=1e-12)


def test_still_recordings_and_dead_joints_are_unknown(rng: np.random.Generator) -> None:
    stitched = random_path(rng, [9])
    frozen = Stitched(**{**vars(stitched), "target": np.zeros_like(stitched.target)})
    assert np.isnan(motion(frozen, LAYOUT, robot_scale(4), NONE_DEAD).path_ratio()).all()
    scale = Scale("std", "", "", np.array([1.0, 1.0, np.nan, 1.0]))
    got = motion(stitched, LAYOUT, scale, np.array([False, False, True, False])).path_ratio()
    assert np.isfinite(got[[0, 2]]).all() and np.isnan(got[1])


def test_deltas_are_increments_already(rng: np.random.Generator) -> None:
    stitched = random_path(rng, [12])
    flat = Layout.parse("arm(a b):revolute[rad] base(x):velocity[m/s] pad(1)")
    got = motion(stitched, flat, robot_scale(4), NONE_DEAD, reference="delta")
    assert got.path[0, 0] == pytest.approx(np.linalg.norm(stitched.prediction[1:, :2], axis=1).sum(), rel=1e-12)
