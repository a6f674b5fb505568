"""Task-space error of a planar arm whose kinematics fit on two lines; integration against a step-by-step loop."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from surehand.exceptions import NotEnoughData, ShapeError, SpaceError
from surehand.frames import Pairs, Space
from surehand.layout import Layout
from surehand.measure.taskspace import positions, task_space_error

ARM = Layout.parse("arm(a b):revolute[rad] lift:prismatic[m]")


class Planar:
    """Two links of 0.5 and 0.3 m on a lift."""

    def forward(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, ab = q[:, 0], q[:, 0] + q[:, 1]
        position = np.stack([0.5 * np.cos(a) + 0.3 * np.cos(ab), 0.5 * np.sin(a) + 0.3 * np.sin(ab), q[:, 2]], axis=1)
        return position, Rotation.from_rotvec(np.outer(ab, [0, 0, 1])).as_matrix() if len(q) else np.zeros((0, 3, 3))

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        a, ab = q[:, 0], q[:, 0] + q[:, 1]
        out = np.zeros((len(q), 6, 3))
        out[:, 0, 0] = -0.5 * np.sin(a) - 0.3 * np.sin(ab)
        out[:, 1, 0] = 0.5 * np.cos(a) + 0.3 * np.cos(ab)
        out[:, 0, 1], out[:, 1, 1] = -0.3 * np.sin(ab), 0.3 * np.cos(ab)
        out[:, 2, 2] = 1.0
        out[:, 5, :2] = 1.0
        return out


def make(rng: np.random.Generator, off: float, n: int = 8, horizon: int = 3, draws: int = 1) -> Pairs:
    target = rng.uniform(-1, 1, (n, horizon, 3))
    valid = np.arange(horizon) < rng.integers(0, horizon + 1, n)[:, None]
    prediction = target[:, None] + off * rng.normal(size=(n, draws, horizon, 3))
    prediction.swapaxes(1, 2)[~valid] = np.nan
    return Pairs(prediction, target, valid, np.arange(n) // 3, np.arange(n), np.zeros(n, int))


def test_pose_error_equals_a_loop(rng: np.random.Generator) -> None:
    pairs, arm = make(rng, 0.3, draws=2), Planar()
    got = task_space_error(pairs, ARM, arm, steps=slice(0, 2))
    row = 0
    for n in range(len(pairs)):
        for h in range(2):
            if not pairs.valid[n, h]:
                continue
            q, r = pairs.prediction[n, :, h].mean(0)[None], pairs.target[n, h][None]
            np.testing.assert_allclose(got.position[row], (arm.forward(q)[0] - arm.forward(r)[0])[0], atol=1e-12)
            turn = (q - r)[0, :2].sum()
            np.testing.assert_allclose(got.orientation[row], [0, 0, np.angle(np.exp(1j * turn))], atol=1e-12)
            assert (got.episode[row], got.frame[row], got.step[row]) == (n // 3, n, h)
            row += 1
    assert row == len(got.metres)
    episode, sums, rows = got.by_episode()
    for e, total, count in zip(episode, sums, rows, strict=True):
        np.testing.assert_allclose(total, [got.metres[got.episode == e].sum(), got.radians[got.episode == e].sum()])
        assert count == (got.episode == e).sum()


def test_small_errors_split_into_shares_that_sum_to_one(rng: np.random.Generator) -> None:
    pairs = make(rng, 1e-4)
    got = task_space_error(pairs, ARM, Planar())
    assert got.withheld() == 0 and got.withheld("orientation") == 0
    np.testing.assert_allclose(got.shares().sum(), 1, atol=1e-6)
    square = (got.position**2).sum()
    assert got.shares()[1] == pytest.approx((got.position[:, 2] ** 2).sum() / square, rel=1e-6)  # the lift's own axis
    np.testing.assert_allclose(got.shares("orientation"), [1, 0], atol=1e-9)


def test_cancelling_joints_have_a_negative_share() -> None:
    target = np.array([[[0.5, 0.0, 0.0]]])
    prediction = target + np.array([0.01, -0.015, 0.0])
    layout = Layout.parse("shoulder(a):revolute[rad] elbow(b):revolute[rad] lift:prismatic[m]")
    one = np.zeros(1, int)
    got = task_space_error(Pairs(prediction[:, None], target, np.ones((1, 1), bool), one, one, one), layout, Planar())
    shares = got.shares()
    assert shares[1] < 0 < shares[0] and shares[2] == 0 and shares.sum() == pytest.approx(1, abs=1e-3)


def test_shares_are_withheld_where_the_linearisation_fails(rng: np.random.Generator) -> None:
    """Half a turn of the shoulder: the midpoint tangent is far longer than the chord."""
    target = np.zeros((2, 1, 3))
    prediction = target + np.array([[[np.pi, 0, 0]], [[0.01, 0, 0]]])
    two = np.arange(2)
    got = task_space_error(Pairs(prediction[:, None], target, np.ones((2, 1), bool), two, two, two), ARM, Planar())
    assert np.isnan(got.position_parts[0]).all() and np.isfinite(got.position_parts[1]).all()
    assert got.withheld() == 0.5
    np.testing.assert_allclose(got.shares(), [1, 0], atol=1e-3)
    alone = task_space_error(
        Pairs(prediction[:1, None], target[:1], np.ones((1, 1), bool), two[:1], two[:1], two[:1]), ARM, Planar()
    )
    assert np.isnan(alone.shares()).all() and alone.withheld() == 1


def test_nothing_valid_is_unknown(rng: np.random.Generator) -> None:
    pairs = make(rng, 0.1)
    none = Pairs(**{**vars(pairs), "valid": np.zeros_like(pairs.valid)})
    got = task_space_error(none, ARM, Planar())
    assert np.isnan(got.withheld()) and np.isnan(got.shares()).all() and len(got.metres) == 0


MIXED = Layout.parse(
    "arm(a:revolute[deg] v:velocity[rad/s] d:pose_delta[mm]) base(x y):velocity[m/s] yaw:velocity[deg/s]"
)


def test_velocities_deltas_and_the_base_are_integrated_step_by_step(rng: np.random.Generator) -> None:
    values, start = rng.normal(size=(5, 4, 6)), rng.normal(size=(5, 6))
    got = positions(values, MIXED, "unknown", start, fps=10.0, base=(3, 4, 5))
    for n in range(5):
        v, d, pose = start[n, 1], start[n, 2], np.zeros(3)
        for h in range(4):
            v += values[n, h, 1] / 10
            d += values[n, h, 2]
            turn = np.array([[np.cos(pose[2]), -np.sin(pose[2])], [np.sin(pose[2]), np.cos(pose[2])]])
            pose[:2] += turn @ values[n, h, 3:5] / 10
            pose[2] += values[n, h, 5] / 10
            np.testing.assert_allclose(got[n, h], [values[n, h, 0], v, d, *pose], atol=1e-12)


def test_delta_and_relative_actions_start_from_the_state(rng: np.random.Generator) -> None:
    values, start = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 3))
    np.testing.assert_allclose(positions(values, ARM, "delta", start), start[:, None] + values.cumsum(1))
    np.testing.assert_allclose(positions(values, ARM, "relative", start), start[:, None] + values)
    np.testing.assert_array_equal(positions(values, ARM, "absolute", start), values)
    with pytest.raises(SpaceError, match="a, b, lift are velocities or deltas"):
        positions(values, ARM, "delta")
    with pytest.raises(NotEnoughData, match="NaN"):
        positions(values, ARM, "delta", start * np.nan)
    with pytest.raises(ShapeError, match="expected"):
        positions(values, ARM, "delta", start[:1])
    with pytest.raises(SpaceError, match="frames per second"):
        positions(np.zeros((1, 1, 6)), MIXED, "unknown", np.zeros((1, 6)))


def test_units_become_radians_and_metres(rng: np.random.Generator) -> None:
    pairs = make(rng, 0.01)
    factor = np.array([180 / np.pi, 180 / np.pi, 1000.0])
    layout = Layout.parse("arm(a b):revolute[deg] lift:prismatic[mm]")
    other = Pairs(**{**vars(pairs), "prediction": pairs.prediction * factor, "target": pairs.target * factor})
    a, b = task_space_error(pairs, ARM, Planar()), task_space_error(other, layout, Planar())
    np.testing.assert_allclose(a.position, b.position, atol=1e-12)
    delta = Pairs(**{**vars(pairs), "space": Space("robot", "", "delta")})
    start = np.zeros((len(pairs), 3))
    np.testing.assert_allclose(task_space_error(delta, ARM, Planar(), start=start).position.shape, a.position.shape)
