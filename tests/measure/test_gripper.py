"""Gripper events on the executed prefix: matching against brute force, stitching against a simulated deployment."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from surehand.exceptions import NotEnoughData, SurehandError
from surehand.frames import Pairs
from surehand.measure.convention import GripperConvention, gripper_convention, polarity_agreement
from surehand.measure.gripper import EventCounts, gripper_events, match_events, transitions
from surehand.measure.stitch import Stitched, stitch

UNIT = GripperConvention("0..1", 0.0, 1.0, "unknown", "")

events = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([-1, 1])), max_size=4, unique_by=lambda e: e[0]).map(
    lambda found: np.array(sorted(found), np.int64).reshape(-1, 2)
)


def brute_force(a: np.ndarray, b: np.ndarray, tolerance: int) -> tuple[int, int]:
    """Every one-to-one, order-preserving, same-direction, close-enough matching is tried."""
    best = (0, 0)
    for k in range(1, min(len(a), len(b)) + 1):
        for rows in combinations(range(len(a)), k):
            for columns in permutations(range(len(b)), k):
                if list(columns) != sorted(columns):
                    continue
                off = [abs(a[i, 0] - b[j, 0]) for i, j in zip(rows, columns, strict=True)]
                if max(off) <= tolerance and all(a[i, 1] == b[j, 1] for i, j in zip(rows, columns, strict=True)):
                    best = max(best, (k, -int(sum(off))))
    return best


@given(a=events, b=events, tolerance=st.integers(0, 6))
@settings(deadline=None, max_examples=200)
def test_matching_is_optimal(a: np.ndarray, b: np.ndarray, tolerance: int) -> None:
    pairs = match_events(a, b, tolerance)
    off = [abs(int(a[i, 0] - b[j, 0])) for i, j in pairs]
    assert (len(pairs), -sum(off)) == brute_force(a, b, tolerance)
    assert all(a[i, 1] == b[j, 1] for i, j in pairs) and all(o <= tolerance for o in off)
    assert pairs == sorted(set(pairs)) and len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


@given(values=st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]), max_size=12))
def test_transitions_are_those_of_a_two_state_machine(values: list[float]) -> None:
    state, found = 0, []
    for t, value in enumerate(values):
        new = 1 if value > 0.6 else -1 if value < 0.4 else state
        if state and new != state:
            found.append([t, new])
        state = new
    assert transitions(np.array(values), (0.4, 0.6)).tolist() == found


def lines(recorded: list[list[float]], predicted: list[list[float]]) -> Stitched:
    """One column, one segment per episode."""
    n = [len(x) for x in recorded]
    episode = np.repeat(np.arange(len(n)), n)
    return Stitched(
        prediction=np.concatenate(predicted)[:, None],
        target=np.concatenate(recorded)[:, None],
        episode=episode,
        frame=np.concatenate([np.arange(k) for k in n]),
        segment=episode,
        boundary=np.zeros(sum(n), bool),
    )


def step(length: int, *at: int) -> list[float]:
    """Starts at 0 and flips at each frame named."""
    values = np.zeros(length)
    for frame in at:
        values[frame:] = 1 - values[frame:]
    return values.tolist()


def test_counts_by_hand() -> None:
    recorded = [step(40, 10, 20), step(40, 10), step(40, 38)]
    predicted = [step(40, 12, 30), step(40, 9, 25, 26), step(40)]
    got = gripper_events(lines(recorded, predicted), 0, UNIT, tolerance=3)
    assert got.recorded.tolist() == [2, 1, 0]
    assert got.matched.tolist() == [1, 1, 0]
    assert got.missed.tolist() == [1, 0, 0]
    assert got.spurious.tolist() == [1, 2, 0]
    assert got.censored.tolist() == [0, 0, 1]
    assert got.delay.tolist() == [2, -1, 0] and got.absolute.tolist() == [2, 1, 0]
    assert got.delay_frames == 0.5 and got.absolute_frames == 1.5 and got.missed_rate == pytest.approx(1 / 3)
    assert got.frames_outside.tolist() == [40 - 3 - 14, 40 - 3 - 7, 35]
    assert got.spurious_outside.tolist() == [1, 2, 0]
    assert got.spurious_rate_outside == pytest.approx(3 / (23 + 30 + 35))


def test_events_near_the_end_are_neither_matched_missed_nor_spurious() -> None:
    got = gripper_events(lines([step(40, 38), step(40)], [step(40, 38), step(40, 37)]), 0, UNIT, tolerance=3)
    assert got.censored.tolist() == [1, 0]
    for counts in (got.recorded, got.matched, got.missed, got.spurious, got.delay):
        assert counts.tolist() == [0, 0]
    assert np.isnan(got.missed_rate) and got.frames_outside.tolist() == [35, 37]


def test_the_opposite_direction_is_missed_and_spurious() -> None:
    recorded, predicted = [step(40, 10)], [(1 - np.array(step(40, 10))).tolist()]
    got = gripper_events(lines(recorded, predicted), 0, UNIT, tolerance=5)
    assert (got.missed.sum(), got.spurious.sum(), got.spurious_outside.sum()) == (1, 1, 0)
    assert np.isnan(got.delay_frames)
    assert polarity_agreement(np.array(predicted[0]), np.array(recorded[0])) == pytest.approx(-1)


@given(at=st.lists(st.integers(1, 199), unique=True, max_size=6).map(sorted), shift=st.integers(0, 4))
@example(at=[1, 2, 3, 190, 196, 197], shift=4)  # a censored event must not take the partner of one that counts
@settings(deadline=None, max_examples=60)
def test_a_late_copy_of_the_recording_misses_nothing(at: list[int], shift: int) -> None:
    recorded = np.array(step(200, *at))
    predicted = np.concatenate([np.zeros(shift), recorded[: 200 - shift]])
    got: EventCounts = gripper_events(lines([recorded.tolist()], [predicted.tolist()]), 0, UNIT, tolerance=shift)
    assert got.missed.sum() == 0 and got.spurious.sum() == 0
    assert got.recorded.sum() == sum(frame < 200 - shift for frame in at)


def pairs_of(frames: list[int], lengths: int, horizon: int, draws: int = 2) -> Pairs:
    """Prediction of frame t's chunk at step h is 1000·t + h; the target is the frame t+h itself."""
    frame = np.array(frames)
    step_ = np.arange(horizon)
    prediction = np.repeat((1000.0 * frame[:, None] + step_)[:, None, :, None], draws, axis=1)
    prediction[:, 1:] = np.nan
    return Pairs(
        prediction=prediction,
        target=(frame[:, None] + step_)[:, :, None].astype(float),
        valid=frame[:, None] + step_ < lengths,
        episode=np.zeros(len(frame), int),
        frame=frame,
        task=np.zeros(len(frame), int),
    )


@given(
    horizon=st.integers(1, 6),
    data=st.data(),
    length=st.integers(1, 20),
)
@settings(deadline=None, max_examples=100)
def test_stitching_is_a_deployment(horizon: int, data: st.DataObject, length: int) -> None:
    executed = data.draw(st.integers(1, horizon))
    frames = data.draw(st.lists(st.integers(0, length - 1), min_size=1, unique=True))
    got = stitch(pairs_of(frames, length, horizon), executed)
    expected, decision = [], None
    for t in range(length):  # the robot's loop: ask again once `executed` steps ran and a prediction exists
        if t in frames and (decision is None or t - decision >= executed):
            decision = t
        if decision is not None and t - decision < horizon:
            expected.append((t, 1000.0 * decision + t - decision))
    assert list(zip(got.frame.tolist(), got.prediction[:, 0].tolist(), strict=True)) == expected
    np.testing.assert_array_equal(got.target[:, 0], got.frame)
    np.testing.assert_array_equal(
        got.boundary, (got.prediction[:, 0] % 1000 == 0) & (np.diff(got.segment, prepend=-1) == 0)
    )
    assert ((np.diff(got.frame) == 1) == (np.diff(got.segment) == 0)).all()


def test_stitching_more_than_the_chunk_is_refused() -> None:
    with pytest.raises(SurehandError, match="choose 1 to 4"):
        stitch(pairs_of([0], 9, 4), 5)


@pytest.mark.parametrize(
    ("low", "high", "name"), [(0, 1, "0..1"), (-1, 1, "-1..1"), (0, 100, "0..100"), (0.2, 0.5, "0.2..0.5")]
)
@pytest.mark.parametrize("start", ["low", "high"])
def test_the_range_and_the_open_end_are_found_by_evidence(low: float, high: float, name: str, start: str) -> None:
    episode = np.repeat(np.arange(20), 50)
    closing = np.tile(np.repeat([0.0, 1.0], 25), 20)
    values = low + (high - low) * (closing if start == "low" else 1 - closing)
    got = gripper_convention(values, episode)
    assert (got.range, got.opens) == (name, start)
    assert got.thresholds == pytest.approx((low + 0.4 * (high - low), low + 0.6 * (high - low)))
    assert f"100% of 20 episodes start {start}" in got.evidence
    few = gripper_convention(values[:450], episode[:450])
    assert few.opens == "unknown"


def test_relative_commands_hold_their_state_through_zeros() -> None:
    values = np.zeros(60)
    values[[5, 20, 21, 40]] = [-1, 1, 1, -1]
    got = gripper_convention(values, np.zeros(60, int))
    assert (got.range, got.opens) == ("relative", "unknown")
    assert transitions(values, got.thresholds).tolist() == [[20, 1], [40, -1]]
    with pytest.raises(NotEnoughData):
        gripper_convention(values[:0], np.zeros(0, int))
