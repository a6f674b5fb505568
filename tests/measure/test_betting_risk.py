"""The bets against their own definition, and the null's exact reach by enumeration."""

from itertools import product

import numpy as np
import pytest

from surehand.exceptions import ShapeError
from surehand.measure.betting_risk import BETS, STAKES, betting_p


def by_hand(m: np.ndarray, k: np.ndarray, epsilon: float, t_max: int) -> float:
    """Stake after stake with the predictable ν_e that the spread stakes amount to."""
    stakes, wealth, best = np.array(STAKES), 1.0, 1.0
    for runs, bad in zip(m, k, strict=True):
        w = epsilon + (bad - epsilon * runs) / t_max
        assert -1e-12 <= w <= 1 + 1e-12
        nu = float((stakes * np.array(BETS)).sum() / stakes.sum()) / (1 - epsilon)
        assert 0 <= nu < 1 / (1 - epsilon)
        wealth *= 1 + nu * (epsilon - w)
        best = max(best, wealth)
        stakes = stakes * (1 + np.array(BETS) / (1 - epsilon) * (epsilon - w))
    return 1 / best


def test_is_the_product(rng: np.random.Generator) -> None:
    m = rng.integers(0, 13, (2, 80, 3))
    k = rng.binomial(m, [0.01, 0.05, 0.2])
    found = betting_p(m, k, 0.05, 12)
    assert found.shape == (2, 3) and sum(STAKES) == 1
    for b, g in product(range(2), range(3)):
        assert found[b, g] == pytest.approx(by_hand(m[b, :, g], k[b, :, g], 0.05, 12))


@pytest.mark.parametrize("p", [0.1, 0.2, 0.4])
def test_promise_by_enumeration(p: float) -> None:
    """All 2^12 courses of twelve episodes of one decision: P(p-value <= δ) <= δ for every δ, at and above epsilon."""
    k = np.array(list(product((0, 1), repeat=12)))[..., None]
    chance = np.prod(np.where(k[..., 0] == 1, p, 1 - p), axis=1)
    found = betting_p(np.ones_like(k), k, 0.1, 1)[:, 0]
    for delta in np.unique(found):
        assert chance[found <= delta].sum() <= delta + 1e-12


def test_nothing_executed_proves_nothing() -> None:
    assert betting_p(np.zeros((10, 2), int), np.zeros((10, 2), int), 0.05, 4) == pytest.approx(1)
    assert betting_p(np.zeros((0, 2), int), np.zeros((0, 2), int), 0.05, 4).tolist() == [1, 1]
    with pytest.raises(ShapeError, match="executes 5 decisions, more than the declared most of 4"):
        betting_p(np.full((3, 1), 5), np.zeros((3, 1), int), 0.05, 4)
