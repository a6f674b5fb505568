"""Peaks per episode and phase against a plain loop; what is beyond a limit."""

import numpy as np
import pytest

from surehand.exceptions import ShapeError
from surehand.measure.peaks import beyond, find_peaks, flag_episodes


def test_peaks_as_a_loop_finds_them(rng: np.random.Generator) -> None:
    values, episode, phase = rng.normal(size=(400, 3)), rng.integers(0, 7, 400), rng.integers(0, 2, 400)
    episode[episode == 3], phase[episode == 5] = 2, 1
    found = find_peaks(values, episode, phase, 7, 2)
    for e in range(7):
        for p in range(2):
            mine = values[(episode == e) & (phase == p)]
            assert found[e, p].tolist() == (mine.max(axis=0).tolist() if len(mine) else [-np.inf] * 3)


def test_beyond_is_strict_and_unknown_is_beyond() -> None:
    assert beyond(np.array([2.0, 2.0, np.nan, np.inf]), np.array([2.0, 1.9, 9.0, 9.0])).tolist() == [False] + [True] * 3
    assert beyond(np.array([1.0]), np.array([np.nan])).tolist() == [True]
    broken = np.array([True, False, False, True])
    assert flag_episodes(broken, np.array([0, 0, 1, 2]), 4).tolist() == [True, False, True, False]


def test_lengths_must_agree() -> None:
    with pytest.raises(ShapeError, match="2 values, 1 episodes"):
        find_peaks(np.zeros((2, 1)), np.zeros(1, int), np.zeros(2, int), 1, 1)
