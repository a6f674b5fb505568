"""A threshold per stratum: each as if it were alone, none lent, unseen ones abstain."""

import numpy as np
import pytest

from surehand.exceptions import ShapeError
from surehand.measure.conformal import joint_risk, joint_risk_in_expectation, simultaneous_delta
from surehand.measure.decisions import Decisions
from surehand.measure.strata import by_stratum


def log(rng: np.random.Generator) -> tuple[Decisions, np.ndarray]:
    lengths = rng.integers(1, 6, 600)
    task = np.repeat(np.array(["open", "pour", "wipe"])[np.minimum(np.arange(600) // 280, 2)], lengths)
    score = rng.random(len(task))
    bad = rng.random(len(task)) < np.where(task == "pour", 0.4, 0.1) * score**2
    return Decisions(score, bad, np.repeat(np.arange(600), lengths), "halt"), task


def test_each_as_if_alone(rng: np.random.Generator) -> None:
    decisions, task = log(rng)
    found = by_stratum(
        decisions,
        task,
        lambda d, delta: joint_risk(d, epsilon=0.05, delta=delta),
        levels=["open", "pour", "wipe", "fold"],
        delta=0.1,
        simultaneous=True,
    )
    each = simultaneous_delta(0.1, 4)
    assert found.each == each
    for name in ("open", "pour", "wipe"):
        rows = task == name
        alone = Decisions(decisions.score[rows], decisions.violation[rows], decisions.episode[rows], "halt")
        assert found.threshold(name) == joint_risk(alone, epsilon=0.05, delta=each).threshold
    assert found.threshold("open") > found.threshold("pour") > -np.inf
    assert found.threshold("wipe") == found.threshold("fold") == found.threshold("never heard of") == -np.inf
    assert str(found).startswith("2 of 4 strata have a threshold") and "abstain always: wipe, fold" in str(found)
    assert "all hold together with 0.9" in str(found)


def test_per_stratum_and_means(rng: np.random.Generator) -> None:
    decisions, task = log(rng)
    levels = ["open", "pour", "wipe"]
    kept = by_stratum(
        decisions,
        task,
        lambda d, delta: joint_risk(d, epsilon=0.05, delta=delta),
        levels=levels,
        delta=0.1,
        simultaneous=False,
    )
    assert kept.each == 0.1 and "together they hold less often" in str(kept)
    mean = by_stratum(
        decisions,
        task,
        lambda d, _: joint_risk_in_expectation(d, epsilon=0.05),
        levels=levels,
        delta=0.1,
        simultaneous=True,
    )
    assert "each a promise about its mean" in str(mean) and "together" not in str(mean)


def test_refused(rng: np.random.Generator) -> None:
    decisions, task = log(rng)

    def calibrate(d: Decisions, delta: float) -> object:
        return joint_risk(d, epsilon=0.05, delta=delta)

    with pytest.raises(ShapeError, match="stratum 'pour' has episodes but is not among: open, wipe"):
        by_stratum(decisions, task, calibrate, levels=["open", "wipe"], delta=0.1, simultaneous=True)
    row = int(decisions.starts[np.flatnonzero(decisions.lengths > 1)[0]]) + 1
    task[row] = "wipe"
    with pytest.raises(ShapeError, match=f"changes its stratum at row {row}, counted from 0, to 'wipe'"):
        by_stratum(decisions, task, calibrate, levels=["open", "pour", "wipe"], delta=0.1, simultaneous=True)
    with pytest.raises(ShapeError, match="one stratum per decision"):
        by_stratum(decisions, task[:5], calibrate, levels=["open"], delta=0.1, simultaneous=True)
