"""What a meter keeps of the executed trajectory, against numbers one can do in the head."""

import numpy as np
import pytest

from surehand.errors.meter import Yardstick
from surehand.errors.phases import NO_PHASES
from surehand.errors.plan import Plan
from surehand.frames import Stats
from surehand.layout import Layout
from surehand.measure.stitch import Stitched
from surehand.splits import listed_split


def test_misses_go_the_short_way_round_and_leave_dead_joints_out() -> None:
    layout = Layout.parse("wrist(turn:continuous[deg] still:revolute[rad] lift:prismatic[m])")
    stats = Stats(
        std=np.array([10.0, 0.0, 0.5]), mean=np.zeros(3), min=np.array([-180, 0, -1.0]), max=np.array([180, 0, 1])
    )
    yardstick = Yardstick(Plan(layout, listed_split(range(2), "1")), 1, NO_PHASES, stats, np.zeros(1, bool), 10.0)
    one = np.zeros(1, np.int64)
    stitched = Stitched(np.array([[175.0, 9.0, 1.0]]), np.array([[-175.0, 0.0, 0.0]]), one, one, one, one.astype(bool))
    assert yardstick.misses(stitched)[0] == pytest.approx([1.0, 0.0, 4.0])
