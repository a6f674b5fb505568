"""Running maxima and critical values against plain loops; logs that are not what they say are refused by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.decisions import Decisions

SCORES = st.sampled_from([0.0, 0.1, 0.1, 0.2, 0.5, 0.9, np.inf, -np.inf, np.nan])
EPISODES = st.lists(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=12), min_size=1, max_size=12)


def built(episodes: list[list[tuple[float, bool]]]) -> Decisions:
    rows = [(s, v, e) for e, decisions in enumerate(episodes) for s, v in decisions]
    score, violation, episode = (np.array(x) for x in zip(*rows, strict=True))
    return Decisions(score, violation, 7 - 3 * episode, "halt")


def executed(decisions: list[tuple[float, bool]], threshold: float) -> list[bool]:
    """Which violations happen before the first abstention, decision by decision."""
    happened = []
    for score, violation in decisions:
        if not np.isfinite(score) or not score < threshold:
            break
        happened.append(violation)
    return happened


@settings(deadline=None)  # two cores, many tests
@given(EPISODES)
def test_is_the_loop(episodes: list[list[tuple[float, bool]]]) -> None:
    """At every threshold, on and between the scores (ties, faults), as deciding one by one."""
    found = built(episodes)
    for threshold in (-1.0, 0.0, 0.05, 0.1, 0.15, 0.2, 0.5, 0.7, 0.9, 1.0, np.inf):
        happened = [executed(e, threshold) for e in episodes]
        assert (found.critical < threshold).tolist() == [any(h) for h in happened]
        assert (found.risk < threshold).sum() == sum(map(len, happened))
        assert found.shares(threshold)[1] == pytest.approx(
            np.mean([len(h) == len(e) for h, e in zip(happened, episodes, strict=True)])
        )
        for slot in (1, 2, 5):
            risk, violation = found.at_slots(np.full(len(episodes), slot))
            runs = risk < threshold
            assert runs.tolist() == [len(h) >= slot for h in happened]
            assert (violation & runs).tolist() == [len(h) >= slot and h[slot - 1] for h in happened]


def test_long_and_short_episodes_together() -> None:
    rng = np.random.default_rng(0)
    lengths = np.r_[1, 1000, 1, 2, 3, 129, 128, 127, rng.integers(1, 40, 200)]
    episode = np.repeat(np.arange(len(lengths)), lengths)
    score = rng.normal(size=len(episode))
    found = Decisions(score, score > 1, episode, "halt").risk
    plain = np.concatenate([np.maximum.accumulate(score[episode == e]) for e in range(len(lengths))])
    assert (found == plain).all()


def test_of_some_episodes() -> None:
    found = built([[(0.1, False), (0.5, True)], [(0.2, True)], [(0.9, False)]])
    some = found.of(np.array([True, False, True]))
    assert some.score.tolist() == [0.1, 0.5, 0.9] and some.critical.tolist() == [0.5, np.inf]


def test_input_is_not_changed() -> None:
    score = np.array([np.nan, 0.5])
    Decisions(score, np.zeros(2), np.arange(2), "single")
    assert np.isnan(score[0])


def test_labels_unknown_where_nothing_is_executed() -> None:
    """Behind a fault no threshold gets; before it every label counts."""
    score, label = np.array([0.1, np.nan, 0.2, 0.3]), np.array([0, np.nan, np.nan, 1.0])
    found = Decisions(score, label, np.array([1, 1, 1, 2]), "halt")
    assert found.violation.tolist() == [False, False, False, True]
    with pytest.raises(
        ShapeError, match=r"row 2, counted from 0 \(episode 1\): .* executed decision is unknown \(NaN\)"
    ):
        Decisions(np.array([0.1, 0.15, 0.2, 0.3]), np.array([0, 0, np.nan, 1.0]), np.array([1, 1, 1, 2]), "halt")
    with pytest.raises(ShapeError, match=r"row 1, .* is 0.5, neither 0 nor 1; 1 such rows"):
        Decisions(np.array([0.1, 0.15]), np.array([0, 0.5]), np.array([1, 2]), "single")
    with pytest.raises(ShapeError, match=r"row 0, .* is 2, neither"):
        Decisions(np.array([np.nan]), np.array([2]), np.array([1]), "single")


def test_refused() -> None:
    x = np.arange(4.0)
    zeros = np.zeros(4)
    with pytest.raises(ShapeError, match="episode 1 comes again at row 3"):
        Decisions(x, zeros, np.array([1, 1, 2, 1]), "halt")
    with pytest.raises(ShapeError, match="episode 3 has several decisions, and single means one"):
        Decisions(x, zeros, np.array([1, 3, 3, 2]), "single")
    with pytest.raises(ShapeError, match="going on after an abstention changes the states"):
        Decisions(x, zeros, np.arange(4), "continue")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="say halt"):
        Decisions(x, zeros, np.arange(4), "stop")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="one number per decision, got shapes"):
        Decisions(x, zeros[:3], np.arange(4), "halt")
    with pytest.raises(ShapeError, match="episodes are integers, got float64"):
        Decisions(x, zeros, x, "halt")
    with pytest.raises(NotEnoughData, match="no decisions"):
        Decisions(x[:0], zeros[:0], np.arange(0), "halt")
