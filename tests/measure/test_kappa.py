"""Weighted κ against statsmodels, and what is said where the scores do not determine it."""

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from surehand.exceptions import ShapeError
from surehand.measure.kappa import weighted_kappa

LEVELS = [1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(8))
def test_against_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.choice(LEVELS, 25 + seed, p=[0.05, 0.1, 0.25, 0.6])
    second = np.clip(first + rng.integers(-1, 2, len(first)), 1, 4)
    table = np.zeros((4, 4))
    np.add.at(table, (first - 1, second - 1), 1)
    expected = cohens_kappa(table, wt="fc")
    found = weighted_kappa(first, second, LEVELS)
    assert found.value == pytest.approx(expected.kappa)
    assert found.low == pytest.approx(max(-1, expected.kappa_low))
    assert found.high == pytest.approx(min(1, expected.kappa_upp))


def test_steps_are_counted_not_measured() -> None:
    """0, 1, 10 is a rubric of three levels in a row: the scale is ordinal."""
    first, second = np.array([0, 1, 10, 10, 0]), np.array([0, 10, 10, 1, 0])
    places = {0: 0, 1: 1, 10: 2}
    one, two = (np.array([places[v] for v in s]) for s in (first, second))
    assert weighted_kappa(first, second, [0, 1, 10]) == weighted_kappa(one, two, [0, 1, 2])


def test_unknown_stays_unknown() -> None:
    always = weighted_kappa(np.full(9, 4), np.full(9, 4), LEVELS)
    assert np.isnan(always).all()  # both only ever said 4: chance agrees as well
    perfect = weighted_kappa(np.array([1, 4, 4, 2]), np.array([1, 4, 4, 2]), LEVELS)
    assert perfect.value == 1 and np.isnan([perfect.low, perfect.high]).all()
    assert np.isnan(weighted_kappa(np.array([]), np.array([]), LEVELS)).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="score 5 is none of the levels"):
        weighted_kappa(np.array([1, 5]), np.array([1, 2]), LEVELS)
    with pytest.raises(ShapeError, match="two scores of every trial"):
        weighted_kappa(np.array([1, 2]), np.array([1]), LEVELS)
    with pytest.raises(ShapeError, match="ascending"):
        weighted_kappa(np.array([1]), np.array([1]), [2, 1])
