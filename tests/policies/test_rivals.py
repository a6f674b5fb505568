"""Each rival against the loop that says what it is; training episodes alone; what it cannot predict is said."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import circmean

from surehand.align import pair
from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.frames import Actions, Space
from surehand.layout import Layout
from surehand.policies.nearest import nearest_rows
from surehand.policies.rivals import HoldLast, NearestNeighbour, Rival, StateAsAction, TaskMean


def recording(
    rng: np.random.Generator, lengths: list[int], dims: int = 3, state: int | None = 3, **fields: object
) -> Actions:
    n = sum(lengths)
    episode = np.repeat(np.arange(len(lengths)), lengths)
    made = {
        "action": rng.normal(size=(n, dims)).astype(np.float32),
        "episode": episode,
        "frame": np.concatenate([np.arange(k) for k in lengths]),
        "task": episode % 2,
        "state": None if state is None else rng.normal(size=(n, state)).astype(np.float32),
        "tasks": ("pick", "place"),
    }
    return Actions(**(made | fields))  # type: ignore[arg-type]


def test_hold_last_is_the_frame_before_and_nothing_at_the_start(rng: np.random.Generator) -> None:
    recorded = recording(rng, [4, 3])
    got = HoldLast().fit([]).predict(recorded, 5)
    for n in range(7):
        if recorded.frame[n] == 0:
            assert got.length[n] == 0
        else:
            assert got.length[n] == 5
            np.testing.assert_array_equal(got.prediction[n, 0], np.tile(recorded.action[n - 1], (5, 1)))
    assert not pair(got, recorded).valid[recorded.frame == 0].any()


def test_state_as_action_goes_by_name_else_by_equal_size(rng: np.random.Generator) -> None:
    recorded = recording(rng, [4], names=("a.pos", "g.pos", "x.vel"), state_names=("g.pos", "x.vel", "a.pos"))
    rival = StateAsAction().fit([])
    np.testing.assert_array_equal(rival.predict(recorded, 2).prediction[:, 0, 1], recorded.state[:, [2, 0, 1]])  # type: ignore[index]
    assert not rival.undefined.any()
    hsr = recording(rng, [4], dims=4, state=2, names=("a", "g", "bx", "by"), state_names=("g", "a"))
    got = rival.predict(hsr, 1).prediction[:, 0, 0]
    np.testing.assert_array_equal(rival.undefined, [False, False, True, True])
    np.testing.assert_array_equal(got[:, :2], hsr.state[:, [1, 0]])  # type: ignore[index]
    assert (got[:, 2:] == 0).all()
    nameless = recording(rng, [4])
    np.testing.assert_array_equal(rival.predict(nameless, 1).prediction[:, 0, 0], nameless.state)


def test_state_as_action_is_undefined_where_a_state_is_no_action(rng: np.random.Generator) -> None:
    layout = Layout.parse("arm(a):revolute[rad] base(x):velocity[m/s] hand(d):pose_delta[m]")
    rival = StateAsAction(layout)
    rival.predict(recording(rng, [3]), 1)
    np.testing.assert_array_equal(rival.undefined, [False, True, True])
    named = recording(rng, [3], names=("a", "x", "d"), state_names=("a", "x", "d"))
    rival.predict(named, 1)
    np.testing.assert_array_equal(rival.undefined, [False, False, True])
    for other in (
        recording(rng, [3], space=Space("robot", "", "delta")),
        recording(rng, [3], state=None),
        recording(rng, [3], state=2),
    ):
        rival.predict(other, 1)
        assert rival.undefined.all()


def test_task_mean_is_circular_per_task_name_and_from_training_alone(rng: np.random.Generator) -> None:
    layout = Layout.parse("arm(a):revolute[rad] wrist:continuous[deg] gripper")
    train = recording(rng, [5, 6, 7, 4])
    train.action[:, 1] = rng.uniform(150, 210, len(train))
    other = Actions(**{**vars(train), "task": 1 - train.task, "tasks": ("place", "pick")})  # same tasks, renumbered
    for batches in ([train], [train.take(train.episode < 2), other.take(other.episode >= 2)]):
        rival = TaskMean(layout).fit(batches)
        held_out = recording(rng, [2, 2, 1], task=np.array([0, 0, 1, 1, 2]), tasks=("pick", "place", "fold"))
        got = rival.predict(held_out, 3).prediction[:, 0]
        for n, rows in ((0, train.task == 0), (2, train.task == 1), (4, train.task >= 0)):
            expected = train.action[rows].mean(axis=0, dtype=float)
            np.testing.assert_allclose(got[n, 2, [0, 2]], expected[[0, 2]], rtol=1e-6)
            angle = circmean(train.action[rows, 1], high=180, low=-180)
            assert got[n, 0, 1] == pytest.approx(angle, abs=1e-4)
    with pytest.raises(NotEnoughData, match="at least one training episode"):
        TaskMean().fit([])
    with pytest.raises(NotEnoughData, match="call fit"):
        TaskMean().predict(train, 1)
    with pytest.raises(ShapeError, match="trained on 3"):
        TaskMean().fit([train]).predict(recording(rng, [2], dims=2), 1)


def test_replay_follows_the_nearest_training_state_of_the_same_task(rng: np.random.Generator) -> None:
    train = recording(rng, [5, 6, 7, 4])
    train.state[:, 0] *= 100  # type: ignore[index]
    train.state[:, 2] = 1.0  # type: ignore[index]
    held_out = recording(rng, [3, 3], task=np.array([0, 0, 0, 2, 2, 2]), tasks=("pick", "place", "fold"))
    rival = NearestNeighbour().fit([train.take(train.episode < 1), train.take(train.episode >= 1)])
    got = rival.predict(held_out, 4)
    std = train.state.std(axis=0, dtype=float)[:2]  # type: ignore[union-attr]
    for n in range(6):
        rows = np.flatnonzero(train.task == 0) if n < 3 else np.arange(len(train))
        nearest = rows[np.argmin((((train.state[rows, :2] - held_out.state[n, :2]) / std) ** 2).sum(1))]  # type: ignore[index]
        last = np.flatnonzero(train.episode == train.episode[nearest])[-1]
        for h in range(4):
            np.testing.assert_array_equal(got.prediction[n, 0, h], train.action[min(nearest + h, last)])
    assert rival.every == 1


def test_replay_prefers_its_own_task_to_a_nearer_state_of_another(rng: np.random.Generator) -> None:
    train = recording(rng, [5, 5])  # tasks pick, place
    same_states = train.take(train.task == 1)
    asked = Actions(**{**vars(same_states), "task": np.zeros(5, int)})
    got = NearestNeighbour().fit([train]).predict(asked, 1).prediction[:, 0, 0]
    assert all((action == train.action[train.task == 0]).all(axis=1).any() for action in got)
    own = NearestNeighbour().fit([train]).predict(same_states, 1).prediction[:, 0, 0]
    np.testing.assert_array_equal(own, same_states.action)


def test_replay_keeps_a_declared_number_of_frames_and_breaks_ties_by_order(rng: np.random.Generator) -> None:
    train = recording(rng, [10] * 32)
    rival = NearestNeighbour(max_frames=100).fit(train.take(train.episode == e) for e in range(32))
    assert rival.every == 4
    same = NearestNeighbour(max_frames=100).fit([train])
    held_out = recording(rng, [9])
    np.testing.assert_array_equal(rival.predict(held_out, 2).prediction, same.predict(held_out, 2).prediction)
    train.state[:] = 0.5  # type: ignore[index]
    train.state[::2, 0] = 1.5  # type: ignore[index]
    got = NearestNeighbour().fit([train]).predict(train.take(slice(0, 4)), 1).prediction[:, 0, 0]
    np.testing.assert_array_equal(got, train.action[[0, 1, 0, 1]])


@given(seed=st.integers(0, 10_000), size=st.integers(1, 6), grid=st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_search_is_exact(seed: int, size: int, grid: bool) -> None:
    rng = np.random.default_rng(seed)
    known, asked = rng.normal(size=(50, size)) * 1e-3 + 1e3, rng.normal(size=(23, size)) * 1e-3 + 1e3
    if grid:  # many exact ties
        known, asked = rng.integers(0, 3, (50, size)).astype(float), rng.integers(0, 3, (23, size)).astype(float)
    np.testing.assert_array_equal(
        nearest_rows(known, asked, block=7), cdist(asked, known, "sqeuclidean").argmin(axis=1)
    )


def test_without_states_replay_and_state_have_no_opinion(rng: np.random.Generator) -> None:
    train = recording(rng, [4], state=None)
    rival = NearestNeighbour().fit([train])
    got = rival.predict(recording(rng, [3]), 2)
    assert rival.undefined.all() and np.isfinite(got.prediction).all()
    with pytest.raises(ShapeError, match="sizes"):
        NearestNeighbour().fit([recording(rng, [4], state=2)]).predict(recording(rng, [3]), 2)


def test_rivals_share_one_protocol_and_never_see_the_held_out_actions(rng: np.random.Generator) -> None:
    train, held_out = recording(rng, [9, 9]), recording(rng, [5, 4])
    other = Actions(**{**vars(held_out), "action": rng.normal(size=held_out.action.shape)})
    rivals: list[Rival] = [StateAsAction(), TaskMean(), NearestNeighbour()]
    for rival in rivals:
        rival.fit([train])
        np.testing.assert_array_equal(rival.predict(held_out, 3).prediction, rival.predict(other, 3).prediction)


def test_hold_last_reads_nothing_that_follows() -> None:
    """Hold-last uses the past alone: changing later actions changes nothing earlier."""
    rng = np.random.default_rng(1)
    recorded = recording(rng, [8])
    later = Actions(**{**vars(recorded), "action": np.where(recorded.frame[:, None] < 5, recorded.action, 9.0)})
    a, b = (HoldLast().predict(r, 2).prediction for r in (recorded, later))
    np.testing.assert_array_equal(a[:6], b[:6])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_states_that_are_no_numbers_are_refused_by_name(rng: np.random.Generator, value: float) -> None:
    recorded = recording(rng, [4, 3])
    state = np.array(recorded.state)
    state[5, 2] = value
    broken = replace(recorded, state=state)
    place = f"state of episode 1, frame 1, dimension 2: {value} \\(1 such"
    with pytest.raises(SurehandError, match=place):
        StateAsAction().predict(broken, 2)
    with pytest.raises(SurehandError, match=place):
        NearestNeighbour().fit([broken])
    with pytest.raises(SurehandError, match=place):
        NearestNeighbour().fit([recorded]).predict(broken, 2)
    assert np.isfinite(TaskMean().fit([broken]).predict(broken, 2).prediction).all()
