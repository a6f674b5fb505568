"""Tolerance limits against scipy, brute force, and factors that books print."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surehand.exceptions import ShapeError, SurehandError
from surehand.measure import tolerance as t

SHARES = st.floats(0.02, 0.995)


@pytest.mark.parametrize(
    ("content", "confidence", "n"),
    [(0.95, 0.95, 59), (0.99, 0.95, 299), (0.9, 0.95, 29), (0.9, 0.9, 22), (0.99, 0.99, 459)],
)
def test_episodes_that_books_print(content: float, confidence: float, n: int) -> None:
    assert t.episodes_needed(content, confidence) == n
    assert 1 - content**n >= confidence > 1 - content ** (n - 1)


def test_fifty_demonstrations_cover_94_percent() -> None:
    assert t.content_of(50, 0.95) == pytest.approx(0.05 ** (1 / 50)) == pytest.approx(0.942, abs=5e-4)
    assert t.content_of(0, 0.95) == 0 and t.content_of(3, 0.95, rank=4) == 0


# One-sided factors of normal tolerance limits as printed in tables (Odeh & Owen 1980; NIST handbook 7.2.6.3).
@pytest.mark.parametrize(
    ("n", "content", "confidence", "k"),
    [
        (10, 0.9, 0.95, 2.355),
        (10, 0.95, 0.95, 2.911),
        (10, 0.99, 0.95, 3.981),
        (20, 0.95, 0.95, 2.396),
        (43, 0.9, 0.99, 1.874),
    ],
)
def test_factors_that_books_print(n: int, content: float, confidence: float, k: float) -> None:
    assert t.tolerance_factor(n, content, confidence) == pytest.approx(k, abs=6e-4)


def test_the_factor_tends_to_the_quantile() -> None:
    assert t.tolerance_factor(100_000, 0.99, 0.95) == pytest.approx(stats.norm.ppf(0.99), abs=0.02)
    assert t.tolerance_factor(1, 0.99, 0.95) == math.inf


@given(st.integers(1, 400), SHARES, SHARES)
def test_the_rank_is_the_lowest_that_does(n: int, content: float, confidence: float) -> None:
    covers = [stats.binom.sf(rank - 1, n, 1 - content) >= confidence for rank in range(1, n + 1)]
    rank = t.lowest_rank(n, content, confidence)
    assert abs(rank - sum(covers)) <= 1  # the two may round a tie apart
    assert rank == 0 or t.confidence_of(n, content, rank) >= confidence
    if rank < n:
        assert t.confidence_of(n, content, rank + 1) < confidence + 1e-9
    assert (rank > 0) == (n >= t.episodes_needed(content, confidence))


@given(st.integers(1, 200), st.integers(1, 5), SHARES)
def test_content_and_confidence_undo_each_other(n: int, rank: int, confidence: float) -> None:
    content = t.content_of(n, confidence, rank)
    if rank <= n and 1e-9 < content < 1 - 1e-9:
        assert t.confidence_of(n, content, rank) == pytest.approx(confidence, abs=1e-6)


def test_confidence_by_counting_every_outcome() -> None:
    """P(the second largest of 4 dice is a 5 or more), by all 1296 throws; 5 is the 2/3 to 5/6 quantile."""
    throws = np.stack(np.meshgrid(*[np.arange(1, 7)] * 4), axis=-1).reshape(-1, 4)
    second = np.sort(throws, axis=1)[:, -2]
    covered = (second >= 5).mean()  # F(5) = 5/6, F(4) = 2/3: content .7 is reached from 5 on
    assert t.confidence_of(4, 0.7, 2) <= covered  # a bound where peaks tie
    assert t.confidence_of(4, 2 / 3, 2) == pytest.approx(covered)


def test_limits_are_peaks_in_any_order(rng: np.random.Generator) -> None:
    peaks = rng.permutation(np.arange(1.0, 1001))
    found = t.order_limit(peaks, 0.99, 0.95)
    assert found.value == 1001 - found.rank and found.rank == t.lowest_rank(1000, 0.99, 0.95) > 1
    few = t.order_limit(peaks[:50], 0.99, 0.95)
    assert math.isnan(few.value) and few.rank == 0 and few.confidence == pytest.approx(1 - 0.99**50)
    assert t.order_limit(np.array([]), 0.99, 0.95).rank == 0


def test_parametric_limits(rng: np.random.Generator) -> None:
    peaks = rng.lognormal(2, 0.3, 40)
    k = t.tolerance_factor(40, 0.99, 0.95)
    assert t.normal_limit(peaks, 0.99, 0.95) == pytest.approx(np.mean(peaks) + k * np.std(peaks, ddof=1))
    assert math.log(t.lognormal_limit(peaks, 0.99, 0.95)) == pytest.approx(t.normal_limit(np.log(peaks), 0.99, 0.95))
    assert math.isnan(t.lognormal_limit(np.array([0.0, 1.0]), 0.99, 0.95))
    assert math.isnan(t.normal_limit(np.array([1.0]), 0.99, 0.95))
    assert t.looks_normal(np.log(peaks)) > 0.05 > t.looks_normal(np.exp(peaks / 4))
    assert math.isnan(t.looks_normal(np.ones(9)))
    many = rng.normal(size=20_000)
    assert t.looks_normal(np.sort(many)) > 0.01  # no half of them, however they are sorted


def test_margins_move_away_from_the_peaks() -> None:
    assert t.margin_limit(np.array([1.0, 4.0]), 1.5) == 6
    assert t.margin_limit(np.array([-4.0, -2.0]), 1.5) == -1  # a minimum of 2, seen upside down, becomes 1
    assert math.isnan(t.margin_limit(np.array([]), 1.5))
    with pytest.raises(SurehandError, match="multiplies the largest peak by at least 1"):
        t.margin_limit(np.array([1.0]), 0.5)


def test_families_and_refusals() -> None:
    assert t.bonferroni(0.95, 5) == pytest.approx(0.99)
    for call in (lambda: t.bonferroni(0.95, 0), lambda: t.confidence_of(3, 1.0), lambda: t.episodes_needed(0.9, 0.0)):
        with pytest.raises(SurehandError):
            call()
    with pytest.raises(ShapeError, match="finite peaks"):
        t.order_limit(np.array([1.0, np.nan]), 0.9, 0.9)
