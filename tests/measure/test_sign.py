"""The unconditional sign test: against counting every table, and its promise at every share of ties."""

from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.sign import unconditional_sign_test


def z(wins: int, losses: int) -> float:
    return (wins - losses) / (wins + losses) ** 0.5 if wins + losses else 0.0


def by_counting(wins: int, losses: int, ties: int, grid: int = 4_001) -> float:
    """The supremum over a fine grid of the sum over every table that reaches z."""
    n, shares, total = wins + losses + ties, np.linspace(0, 1, grid), np.zeros(grid)
    for d in range(n + 1):
        reached = sum(comb(d, w) for w in range(d + 1) if z(w, d - w) >= z(wins, losses) - 1e-9) / 2**d
        total += comb(n, d) * shares**d * (1 - shares) ** (n - d) * reached
    return float(total.max())


@pytest.mark.parametrize("table", [(5, 0, 15), (8, 2, 10), (3, 3, 4), (0, 0, 6), (10, 0, 0), (1, 6, 3), (12, 5, 23)])
def test_it_is_the_worst_of_all_shares_of_ties(table: tuple[int, int, int]) -> None:
    found = unconditional_sign_test(*table)
    wins, losses, ties = table
    assert found.greater == pytest.approx(by_counting(*table), abs=2e-6)
    assert found.less == pytest.approx(by_counting(losses, wins, ties), abs=2e-6)
    assert found.two_sided == min(1.0, 2 * min(found.greater, found.less))


def test_without_ties_seen_it_is_at_most_the_conditional_sign_test_for_a_clean_sweep() -> None:
    found = unconditional_sign_test(10, 0, 0)
    assert found.greater == pytest.approx(binomtest(10, 10, 0.5, alternative="greater").pvalue)


@pytest.mark.parametrize("pairs", [5, 12, 20])
def test_it_rejects_no_more_often_than_it_says(pairs: int) -> None:
    """Exactly, at every share of ties: ceilings, where nearly all pairs tie, are among them."""
    tables = [(w, d - w, pairs - d) for d in range(pairs + 1) for w in range(d + 1)]
    p = np.array([unconditional_sign_test(*table).greater for table in tables])
    for share in (0.01, 0.05, 0.2, 0.5, 0.8, 1.0):
        chance = np.array([comb(pairs, t) * comb(pairs - t, w) * share ** (w + l) * (1 - share) ** t / 2 ** (w + l)
                           for w, l, t in tables])  # fmt: skip  # noqa: E741
        for alpha in (0.01, 0.05, 0.2):
            assert chance[p <= alpha].sum() <= alpha + 1e-9


def test_large_numbers_stay_finite() -> None:
    found = unconditional_sign_test(300, 200, 1500)
    assert 0 < found.greater < 1e-4 < found.less <= 1


def test_bad_input() -> None:
    with pytest.raises(NotEnoughData, match="no pair"):
        unconditional_sign_test(0, 0)
    with pytest.raises(ShapeError, match="negative"):
        unconditional_sign_test(-1, 2)
