"""Phase labels against loops; a causal rule may not change its past when the future changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.frames import Actions
from surehand.measure.convention import GripperConvention
from surehand.measure.phases import column_phases, distance_phases, gripper_phases, slow_speed, speed_phases

UNIT = GripperConvention("0..1", 0.0, 1.0, "unknown", "")


def recording(gripper: list[list[float]], **columns: np.ndarray) -> Actions:
    n = [len(x) for x in gripper]
    return Actions(
        action=np.concatenate(gripper)[:, None],
        episode=np.repeat(np.arange(len(n)), n),
        frame=np.concatenate([np.arange(k) for k in n]),
        task=np.zeros(sum(n), int),
        columns=columns,
    )


@given(
    gripper=st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=15), min_size=1, max_size=3),
    before=st.integers(0, 4),
    after=st.integers(0, 4),
)
@settings(deadline=None, max_examples=80)
def test_the_window_lies_around_transitions_of_its_own_episode(
    gripper: list[list[float]], before: int, after: int
) -> None:
    rule, labels = gripper_phases(recording(gripper), [(0, UNIT)], before, after)
    expected = []
    for values in gripper:
        flips, state = [], None
        for t, value in enumerate(values):
            side = {0.0: "low", 1.0: "high"}.get(value, state)
            if state is not None and side != state:
                flips.append(t)
            state = side
        expected += [int(any(-before <= t - f <= after for f in flips)) for t in range(len(values))]
    assert labels.tolist() == expected
    assert rule.causal == (before == 0) and rule.phases == ("free", "contact")


@given(cut=st.integers(1, 19), seed=st.integers(0, 50))
@settings(deadline=None, max_examples=40)
def test_causal_rules_do_not_read_the_future(cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, position, distance = rng.integers(0, 2, 20).astype(float), rng.normal(size=(20, 3)), rng.random(20)
    later = np.arange(20) >= cut
    runs = []
    for change in (False, True):
        replace = later & change
        recorded = recording([np.where(replace, 1 - values, values).tolist()])
        rules = [
            gripper_phases(recorded, [(0, UNIT)], 0, 3),
            speed_phases(recorded, np.where(replace[:, None], 9.0, position), 10.0, limit=15.0),
            distance_phases(recorded, np.where(replace, 9.0, distance), 0.5),
        ]
        assert all(rule.causal for rule, _ in rules)
        runs.append([labels[:cut].tolist() for _, labels in rules])
    assert runs[0] == runs[1]


def test_low_speed_by_hand() -> None:
    recorded = recording([[0.0] * 4, [0.0] * 3])
    position = np.array([[0, 0], [3, 4], [3, 4.5], [3, 4.5], [100, 0], [100, 1], [100, 10]], float)
    rule, labels = speed_phases(recorded, position, fps=10.0, limit=11.0)
    assert labels.tolist() == [0, 0, 1, 1, 0, 1, 0]  # speeds -, 50, 5, 0; -, 10, 90
    assert rule.causal and "slower than 11 per second (given)" in str(rule)
    assert slow_speed(recorded, position, fps=10.0, quantile=0.5) == 10.0
    assert slow_speed(recorded, position, fps=10.0) == 5.0
    with pytest.raises(NotEnoughData, match="no two frames"):
        slow_speed(recording([[0.0]]), np.zeros((1, 2)), fps=10.0)


def test_distance_and_columns() -> None:
    n = 6
    recorded = recording(
        [[0.0] * n], stage=np.array([[2], [2], [5], [5], [5], [2]]), word=np.array(list("aabbab")), x=np.zeros((n, 2)),
        many=np.arange(n) * 10.0,
    )  # fmt: skip
    rule, labels = distance_phases(recorded, np.array([0.3, 0.2, 0.1, 0.05, 0.1, 0.2]), 0.1)
    assert labels.tolist() == [0, 0, 0, 1, 0, 0] and rule.causal
    rule, labels = column_phases(recorded, "stage")
    assert (rule.phases, labels.tolist()) == (("stage=2", "stage=5"), [0, 0, 1, 1, 1, 0])
    assert not rule.causal and column_phases(recorded, "word", causal=True)[0].causal
    assert column_phases(recorded, "word")[0].phases == ("word=a", "word=b")
    with pytest.raises(SurehandError, match=r"no column 'phase' among the recorded ones \(stage, word, x, many\)"):
        column_phases(recorded, "phase")
    with pytest.raises(ShapeError, match="2 values per frame"):
        column_phases(recorded, "x")
    long = recording([[0.0] * 30], many=np.arange(30))
    with pytest.raises(SurehandError, match="30 distinct values"):
        column_phases(long, "many")


def test_what_a_phase_needs_is_said() -> None:
    recorded = recording([[0.0] * 4])
    with pytest.raises(NotEnoughData, match="no gripper in this layout"):
        gripper_phases(recorded, [], 1, 1)
    with pytest.raises(SurehandError, match="at least 0"):
        gripper_phases(recorded, [(0, UNIT)], -1, 1)
    with pytest.raises(ShapeError, match="3 values for 4"):
        distance_phases(recorded, np.zeros(3), 1.0)
    with pytest.raises(SurehandError, match="episode 0 frame 2"):
        distance_phases(recorded, np.array([0, 0, np.nan, 0]), 1.0)
    with pytest.raises(SurehandError, match="frames per second"):
        speed_phases(recorded, np.zeros((4, 3)), 0.0, limit=1.0)
