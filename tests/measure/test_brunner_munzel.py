"""Brunner and Munzel's test against scipy, statsmodels and every shuffle."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.nonparametric import rank_compare_2indep

from surehand.exceptions import ShapeError
from surehand.measure.brunner_munzel import brunner_munzel

HSR = {"A": np.repeat(4, 20), "B": np.repeat([3, 4], [5, 15]), "C": np.repeat([2, 3, 4], [2, 6, 12])}
RNG = np.random.default_rng(0)


def statistic(a: np.ndarray, b: np.ndarray) -> float:
    """From the ranks, as Brunner and Munzel (2000) write it; ±∞ where separated, 0 where all tie."""
    n, m = len(a), len(b)
    ranks = stats.rankdata(np.concatenate([a, b]))
    within = [stats.rankdata(a), stats.rankdata(b)]
    mean = [ranks[:n].mean(), ranks[n:].mean()]
    spread = [
        ((all_ - own - middle + (k + 1) / 2) ** 2).sum() / (k - 1)
        for all_, own, middle, k in zip((ranks[:n], ranks[n:]), within, mean, (n, m), strict=True)
    ]
    scale = np.sqrt(n * spread[0] + m * spread[1])
    difference = mean[0] - mean[1]
    if scale < 1e-9:
        return 0.0 if abs(difference) < 1e-9 else float(np.copysign(np.inf, difference))
    return float(n * m * difference / (n + m) / scale)


rows = st.lists(st.integers(1, 4), min_size=2, max_size=5)


@settings(max_examples=50, deadline=None)
@given(rows, rows)
def test_permutation_by_every_shuffle(a: list[int], b: list[int]) -> None:
    scores, seen = np.array(a + b), statistic(np.array(a), np.array(b))
    every = np.array(
        [statistic(scores[list(first)], np.delete(scores, first)) for first in combinations(range(len(scores)), len(a))]
    )
    found = brunner_munzel(np.array(a), np.array(b), rng=RNG)
    slack = 1e-9 * (1 + abs(seen)) if np.isfinite(seen) else 0
    above, below = (every >= seen - slack).mean(), (every <= seen + slack).mean()
    assert found.perm_greater == pytest.approx(above, abs=1e-9)
    assert found.perm_two_sided == pytest.approx(min(1, 2 * min(above, below)), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=25), st.lists(st.integers(1, 5), min_size=2, max_size=25))
def test_t_approximation_is_scipys_and_the_interval_statsmodels(a: list[int], b: list[int]) -> None:
    one, other = np.array(a), np.array(b)
    found = brunner_munzel(one, other, rng=RNG, draws=100)
    if not np.isfinite(statistic(one, other)) or len(set(a + b)) == 1:
        assert np.isnan(found.greater) and np.isnan(found.low) and "no spread" in found.note
        return
    for side, p in (("greater", found.greater), ("less", found.less), ("two-sided", found.two_sided)):
        assert p == pytest.approx(stats.brunnermunzel(one, other, alternative=side).pvalue, abs=1e-9)
    known = rank_compare_2indep(one, other)
    assert found.estimate == pytest.approx(known.prob1)
    low, high = known.conf_int(alpha=0.05)
    assert (found.low, found.high) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-9)
    assert found.two_sided == pytest.approx(known.test_prob_superior().pvalue, abs=1e-9)


def test_hsr_trials() -> None:
    for pair, p in {"A>B": 0.0104957523, "A>C": 0.0010474109, "B>C": 0.1256095381}.items():
        found = brunner_munzel(HSR[pair[0]], HSR[pair[2]], rng=RNG)
        assert found.greater == pytest.approx(p, abs=1e-9) and found.less == pytest.approx(1 - p, abs=1e-9)
    delta = brunner_munzel(HSR["B"], HSR["C"], rng=RNG)
    assert (2 * delta.low - 1, 2 * delta.high - 1) == pytest.approx((-0.129, 0.479), abs=5e-4)


def test_regression_values(shared: Path) -> None:
    known = json.loads((shared / "hsr_trials" / "regression_values.json").read_text())["pairs"]
    for pair, values in known.items():
        found = brunner_munzel(HSR[pair[0]], HSR[pair[2]], rng=RNG)
        assert found.greater == pytest.approx(values["brunnermunzel_greater"], abs=1e-9)
        assert found.two_sided == pytest.approx(values["brunnermunzel_two"], abs=1e-9)
        assert found.estimate == pytest.approx(values["cles"])


def test_draws_where_tables_are_many(rng: np.random.Generator) -> None:
    a, b = rng.integers(1, 7, 60), rng.integers(1, 7, 80)
    found = brunner_munzel(a, b, rng=rng)
    assert found.note == "permutation of 10000 draws"
    assert found.perm_greater == pytest.approx(found.greater, abs=0.03)
    many = brunner_munzel(rng.random(120) + 2, rng.random(150), rng=rng, draws=500)
    assert many.perm_greater == pytest.approx(1 / 501)


@pytest.mark.parametrize(
    ("a", "b", "estimate", "greater", "why"),
    [
        ([4, 4, 4], [4, 4], 0.5, 1.0, "no spread"),
        ([4, 4, 4], [1, 1, 1], 1.0, 1 / 20, "no spread"),
        ([1, 1, 1], [4, 4, 4], 0.0, 1.0, "no spread"),
        ([4], [1], 1.0, 0.5, "fewer than two trials"),
        ([4], [4], 0.5, 1.0, "fewer than two trials"),
    ],
)
def test_without_spread(a: list[int], b: list[int], estimate: float, greater: float, why: str) -> None:
    found = brunner_munzel(np.array(a), np.array(b), rng=RNG)
    assert found.estimate == estimate and found.perm_greater == greater and why in found.note
    assert np.isnan([found.greater, found.less, found.two_sided, found.low, found.high]).all()


def test_no_trials_and_bad_scores() -> None:
    found = brunner_munzel(np.zeros(0), np.array([1.0]), rng=RNG)
    assert found.perm_two_sided == 1.0 and np.isnan(found.estimate) and found.note == "one policy has no trials"
    with pytest.raises(ShapeError, match="not a finite number"):
        brunner_munzel(np.array([np.nan]), np.array([1.0]), rng=RNG)
