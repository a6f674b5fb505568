"""Thresholds of joint risk against a search over every threshold, and the words where there is none."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from surehand.exceptions import ShapeError
from surehand.measure.conformal import (
    achieved_joint,
    allowed_in_expectation,
    check_grid,
    joint_risk,
    joint_risk_in_expectation,
    simultaneous_delta,
    thresholds,
)
from surehand.measure.decisions import Decisions

VALUES = st.sampled_from([0.0, 0.1, 0.2, 0.2, 0.3, 0.7, np.inf])


def singles(score: np.ndarray, violation: np.ndarray) -> Decisions:
    return Decisions(score, violation, np.arange(len(score)), "single")


def brute(critical: np.ndarray, passes: object) -> float:
    """sup of the thresholds that pass, by trying every value, just above it, and infinity."""
    finite = critical[np.isfinite(critical)]
    tried = np.unique(np.r_[-1.0, finite, finite + 1e-9, np.inf])
    good = [x for x in tried if passes(int((critical < x).sum()))]  # type: ignore[operator]
    return max(good) if good else -np.inf


@settings(deadline=None)  # two cores, many tests
@given(st.lists(VALUES, min_size=1, max_size=120), st.sampled_from([0.05, 0.1, 0.3]), st.sampled_from([0.1, 0.3]))
def test_is_the_search(values: list[float], epsilon: float, delta: float) -> None:
    score = np.where(np.isinf(values), 0.15, values)
    log = singles(score, np.isfinite(values))
    critical, n = log.critical, len(values)
    found = joint_risk(log, epsilon=epsilon, delta=delta)
    assert found.threshold == brute(critical, lambda k: binom.cdf(k, n, epsilon) <= delta)
    assert found.violating == (critical < found.threshold).sum() <= max(found.allowed, 0)
    mean = joint_risk_in_expectation(log, epsilon=epsilon)
    written = Fraction(str(epsilon))
    assert mean.threshold == brute(critical, lambda k: Fraction(k + 1, n + 1) <= written)


@pytest.mark.parametrize("epsilon", [0.29, 0.07, 0.1, 0.05, 0.3])
def test_epsilon_is_read_as_written(epsilon: float) -> None:
    """.29 · 100 is 28.999999999999996 in floats, and 29 to whoever wrote it."""
    exact = [int(Fraction(str(epsilon)) * (n + 1)) - 1 for n in range(1, 2000)]
    assert [allowed_in_expectation(n, epsilon) for n in range(1, 2000)] == exact
    assert allowed_in_expectation(99, 0.29) == 28


def test_thresholds_along_the_last_axis(rng: np.random.Generator) -> None:
    critical = np.where(rng.random((3, 5, 40)) < 0.5, rng.integers(0, 9, (3, 5, 40)).astype(float), np.inf)
    for allowed in (-1, 0, 3, 39, 40):
        found = thresholds(critical, allowed)
        plain = [thresholds(row, allowed).item() for row in critical.reshape(-1, 40)]
        assert found.shape == (3, 5) and found.ravel().tolist() == plain


def test_too_few_episodes_abstain() -> None:
    found = joint_risk(singles(np.arange(44.0), np.zeros(44)), epsilon=0.05, delta=0.1)
    assert not found.issued and found.threshold == -np.inf and found.needed == 45
    assert str(found).startswith("always abstain") and str(found).endswith("needs at least 45 episodes, got 44")
    assert joint_risk(singles(np.arange(45.0), np.zeros(45)), epsilon=0.05, delta=0.1).threshold == np.inf
    mean = joint_risk_in_expectation(singles(np.arange(18.0), np.zeros(18)), epsilon=0.05)
    assert not mean.issued and mean.needed == 19 and "got 18" in str(mean)
    assert joint_risk_in_expectation(singles(np.arange(19.0), np.zeros(19)), epsilon=0.05).issued


def test_words() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(500)
    log = singles(score, rng.random(500) < 0.3 * score)
    found, mean = joint_risk(log, epsilon=0.05, delta=0.1), joint_risk_in_expectation(log, epsilon=0.05)
    assert "at most 0.05 of episodes with an executed violation, confidence 0.9: execute below" in str(found)
    assert f"{found.violating} of 500 episodes violate, {found.allowed} allowed" in str(found)
    assert "on average over calibrations" in str(mean) and "a single calibration holds with probability 0." in str(mean)
    assert mean.threshold > found.threshold and mean.delta is None
    none = joint_risk(singles(np.zeros(60), np.ones(60)), epsilon=0.05, delta=0.1)
    assert none.issued and none.threshold == 0 and "nothing of the log would have been executed" in str(none)


def test_hold_without_ties_is_exact() -> None:
    """The risk at the (k+1)-th of n uniform critical values is Beta(k + 1, n − k)."""
    log = singles(np.random.default_rng(0).random(300), np.ones(300))
    for found in (joint_risk(log, epsilon=0.05, delta=0.1), joint_risk_in_expectation(log, epsilon=0.05)):
        assert found.hold == pytest.approx(beta.cdf(0.05, found.allowed + 1, 300 - found.allowed))
    assert joint_risk(log, epsilon=0.05, delta=0.1).hold >= 0.9
    assert 0.4 < joint_risk_in_expectation(log, epsilon=0.05).hold < 0.75


def test_achieved() -> None:
    log = singles(np.arange(100.0), np.arange(100) % 20 == 0)
    found = achieved_joint(log, 50.0, delta=0.1)
    assert (found.violating, found.units) == (3, 100)
    assert found.epsilon == pytest.approx(beta.ppf(0.9, 4, 97)) and "must come from other episodes" in str(found)


def test_simultaneous_delta() -> None:
    assert (1 - simultaneous_delta(0.1, 7)) ** 7 == pytest.approx(0.9)
    assert simultaneous_delta(0.1, 1) == pytest.approx(0.1)
    with pytest.raises(ShapeError, match="0 strata"):
        simultaneous_delta(0.1, 0)


@pytest.mark.parametrize("grid", [[], [1, 1], [2, 1], [0, np.nan], [[1, 2]]])
def test_grids_rise(grid: list[float]) -> None:
    with pytest.raises(ShapeError, match="rising list of numbers"):
        check_grid(grid)


def test_grid_begins_with_a_number() -> None:
    with pytest.raises(ShapeError, match="executes nothing"):
        check_grid([-np.inf, 0])
    assert check_grid([0, np.inf]).tolist() == [0, np.inf]
