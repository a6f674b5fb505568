"""Sample sizes and power against sums written out, scipy.stats, and the table measured for this project."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest

from surehand.exceptions import ShapeError
from surehand.measure.required import (
    abstained_at_least,
    most_violations,
    power,
    share_finishing,
    smallest_n,
    units_needed,
    upper_limit,
)

LEVELS = st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])


def test_most_violations_is_the_largest_that_passes() -> None:
    n = np.arange(0, 400)
    for epsilon in (0.02, 0.05, 0.1, 0.5):
        for delta in (0.01, 0.1, 0.3):
            plain = [int((binom.cdf(np.arange(m + 1), m, epsilon) <= delta).sum()) - 1 for m in n[::13]]
            assert most_violations(n[::13], epsilon, delta).tolist() == plain
    exact = sum(comb(77, k) * 0.05**k * 0.95 ** (77 - k) for k in (0, 1))
    assert exact <= 0.1 and int(most_violations(77, 0.05, 0.1)) == 1


def test_equality_counts_as_passing() -> None:
    """One fair coin: P(X <= 0) is one half exactly."""
    assert int(most_violations(1, 0.5, 0.5)) == 0
    assert smallest_n(0.5, 0.5) == 1
    assert smallest_n(0.5, 0.25) == 2


@settings(deadline=None)  # two cores, many tests
@given(LEVELS, LEVELS)
def test_smallest_n(epsilon: float, delta: float) -> None:
    n = smallest_n(epsilon, delta)
    assert (1 - epsilon) ** n <= delta < (1 - epsilon) ** (n - 1)
    assert int(most_violations(n, epsilon, delta)) >= 0
    assert n == 1 or int(most_violations(n - 1, epsilon, delta)) == -1


@pytest.mark.parametrize(
    ("epsilon", "delta", "table"),
    [(0.05, 0.1, (77, 105, 209, 330)), (0.05, 0.01, (130, 198, 425, 656)), (0.1, 0.1, (38, 52, 104, 152))],
)
def test_the_table(epsilon: float, delta: float, table: tuple[int, ...]) -> None:
    assert tuple(units_needed(s * epsilon, epsilon, delta) for s in (0.1, 0.2, 0.4, 0.5)) == table


def test_power_stays_above() -> None:
    n = units_needed(0.02, 0.05, 0.1)
    after = power(np.arange(n, 5 * n), 0.02, 0.05, 0.1)
    assert after.min() >= 0.8 > float(power(n - 1, 0.02, 0.05, 0.1))
    plain = sum(binom.pmf(k, n, 0.02) for k in range(n + 1) if binom.cdf(k, n, 0.05) <= 0.1)
    assert float(power(n, 0.02, 0.05, 0.1)) == pytest.approx(plain)
    assert float(power(44, 0.0, 0.05, 0.1)) == 0


def test_zero_risk_needs_the_smallest_n() -> None:
    assert units_needed(0.0, 0.05, 0.1) == 45
    with pytest.raises(ShapeError, match=r"true risk of 0.05 is not below epsilon 0.05"):
        units_needed(0.05, 0.05, 0.1)
    with pytest.raises(ShapeError, match="choose a larger epsilon"):
        units_needed(0.04999, 0.05, 0.1)


@settings(deadline=None)  # two cores, many tests
@given(st.integers(1, 300), st.floats(0, 1), LEVELS)
def test_upper_limit_is_clopper_pearson(n: int, share: float, delta: float) -> None:
    k = int(share * n)
    found = upper_limit(k, n, delta)
    if k < n:
        assert found == pytest.approx(beta.ppf(1 - delta, k + 1, n - k), rel=1e-9)
        assert binom.cdf(k, n, found) == pytest.approx(delta, rel=1e-6)
    assert found == pytest.approx(binomtest(k, n, alternative="less").proportion_ci(1 - delta, "exact").high, rel=1e-6)


def test_lower_bounds_on_abstention() -> None:
    """An oracle takes away violating decisions alone: what is left has just epsilon."""
    share = abstained_at_least(0.1, 0.05, joint=False)
    assert (0.1 - share) / (1 - share) == pytest.approx(0.05)
    assert abstained_at_least(0.16, 0.05, joint=True) == pytest.approx(0.11)
    assert abstained_at_least(0.04, 0.05, joint=True) == abstained_at_least(0.04, 0.05, joint=False) == 0


def test_share_finishing_is_what_a_simulation_shows() -> None:
    rng = np.random.default_rng(3)
    bad = rng.random((200_000, 17)) < 0.01
    score = rng.normal(size=bad.shape) + bad * np.sqrt(2) * 1.2815515655446004  # AUROC .9
    peak = np.maximum.accumulate(score, axis=1)
    critical = np.where(bad, peak, np.inf).min(axis=1)
    threshold = np.sort(critical)[int(0.05 * len(critical))]
    assert share_finishing(0.9, decisions=17, rate=0.01, epsilon=0.05) == pytest.approx(
        (peak[:, -1] < threshold).mean(), abs=0.02
    )
    assert share_finishing(1, decisions=17, rate=0.01, epsilon=0.05) == pytest.approx(0.99**17 + 0.05)
    assert share_finishing(0.5, decisions=1, rate=0.01, epsilon=0.05) == 1


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 5.0])
def test_levels_lie_between(value: float) -> None:
    with pytest.raises(ShapeError, match="must lie between 0 and 1"):
        smallest_n(value, 0.1)
    with pytest.raises(ShapeError, match="must lie between 0 and 1"):
        smallest_n(0.1, value)
