"""τ, sign flips, intervals and Holm against scipy, plain enumeration and hand-worked cases."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surehand.exceptions import ShapeError
from surehand.measure.ranking import holm, kendall, mean_over_runs, partial_kendall, sign_flip

ROWS = st.integers(2, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 5), min_size=n, max_size=n) for _ in range(3)])
)


@given(ROWS)
def test_tau_b_is_scipys_with_ties(rows: tuple[list[int], list[int], list[int]]) -> None:
    x, y, _ = map(np.array, rows)
    found, expected = kendall(x, y), stats.kendalltau(x, y).statistic
    assert np.isnan(found) == np.isnan(expected)
    assert np.isnan(found) or found == pytest.approx(expected, abs=1e-12)


@given(ROWS)
def test_partial_tau_is_the_correlation_of_what_is_left(rows: tuple[list[int], list[int], list[int]]) -> None:
    """τ_b is the correlation of signs of differences: regress both on the third's signs and correlate the rest."""
    signs = [np.sign(np.subtract.outer(row, row))[np.triu_indices(len(row), 1)].astype(float) for row in rows]
    x, y, z = signs
    found = partial_kendall(*map(np.array, rows))
    if not all((s**2).sum() for s in signs):
        assert np.isnan(found)
        return
    left = [s - z * (s @ z) / (z @ z) for s in (x, y)]
    size = np.sqrt((left[0] @ left[0]) * (left[1] @ left[1]))
    if size > 1e-6:
        assert found == pytest.approx(left[0] @ left[1] / size, abs=1e-6)


def test_a_constant_row_has_no_tau() -> None:
    assert np.isnan(kendall(np.ones(5), np.arange(5)))
    assert np.isnan(kendall(np.arange(3), np.array([1.0, np.nan, 2.0])))
    assert np.isnan(partial_kendall(np.arange(4), np.array([0, 2, 1, 3]), np.arange(4)))  # nothing is left of x
    with pytest.raises(ShapeError, match="same length"):
        kendall(np.arange(3), np.arange(4))


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=9))
def test_sign_flips_are_enumerated(differences: list[int]) -> None:
    values = np.array(differences) / 100
    sums = [
        sum(s * d for s, d in zip(p, differences, strict=True)) for p in itertools.product((1, -1), repeat=len(values))
    ]
    expected = np.mean([abs(s) >= abs(sum(differences)) for s in sums])
    assert sign_flip(values, rng=np.random.default_rng(0)) == pytest.approx(expected)


def test_many_runs_are_drawn_and_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0.25, 1.0, 30)
    expected = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=99_999, rng=np.random.default_rng(1)
    ).pvalue
    assert sign_flip(values, rng=rng) == pytest.approx(expected, abs=0.006)


def test_runs_without_a_value_are_left_out() -> None:
    rng = np.random.default_rng(0)
    assert sign_flip(np.array([0.1, np.nan, 0.2, 0.3]), rng=rng) == 0.25
    assert sign_flip(np.zeros(6), rng=rng) == 1.0
    assert np.isnan(sign_flip(np.array([np.nan]), rng=rng))


def test_the_interval_is_students() -> None:
    values = np.array([0.1, 0.4, 0.2, np.nan, 0.5])
    known = values[np.isfinite(values)]
    low, high = stats.ttest_1samp(known, 0).confidence_interval(0.9)
    assert mean_over_runs(values, 0.9) == pytest.approx((known.mean(), low, high, 4))


@pytest.mark.parametrize("values", [[], [0.3], [0.2, 0.2, 0.2]])
def test_no_spread_seen_is_no_interval(values: list[float]) -> None:
    found = mean_over_runs(np.array(values))
    assert found.runs == len(values)
    assert np.isnan(found.low) and np.isnan(found.high)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_stepwise_rule(p: list[float]) -> None:
    """Adjusted p ≤ α exactly where stepping down rejects at α."""
    adjusted = holm(np.array(p))
    for alpha in (0.01, 0.05, 0.3):
        rejected = set()
        for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[i] * (len(p) - step) > alpha:
                break
            rejected.add(i)
        assert {i for i, q in enumerate(adjusted) if q <= alpha} == rejected


def test_holm_keeps_what_is_unknown() -> None:
    assert np.isnan(holm(np.array([0.01, np.nan]))[1])
    assert holm(np.array([0.01, np.nan]))[0] == 0.01
